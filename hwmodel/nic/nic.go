// SPDX-License-Identifier: Apache-2.0

// Package nic is the golden model's stateful half. [State] is what a correct NIC
// must hold and answer after each operation; a judge compares a device with it.
// [NIC] is a whole NIC in Go that answers on BARs as docs/nic-contract.md says,
// for people who develop a driver without RTL and for tests of the driver.
// The two share nothing but package esp, and their tests compare them.
package nic

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
	"github.com/espalier-nic/espalier/driver/pcie/hostmem"
	"github.com/espalier-nic/espalier/hwmodel/esp"
	"github.com/espalier-nic/espalier/regs"
)

// Options are the parameters of a NIC; zero values mean the RTL's defaults.
type Options struct {
	// Location names the NIC to users; default "gonic".
	Location string
	// Queues is the number of TX and RX queue pairs, 1 to 16; default 4.
	Queues int
	// Vectors is the number of interrupt vectors, 1 to 32; default 8.
	Vectors int
	// Slots is the number of SA slots, 1 to 65536; default 1024.
	Slots int
	// MaxFrame is the longest frame in bytes, 64 to 16383; default 9600.
	MaxFrame int
	// CryptoOff leaves out encryption, decryption and ICV checks: frames keep
	// their plaintext, everything else is as ever. For measuring a driver.
	CryptoOff bool
	// Memory is the host memory that the NIC reaches; nil for memory of its
	// own, which AllocDMA hands out. With another's AllocDMA hands out none.
	Memory Memory
	// Deliver receives the NIC's MSI-X messages, which WaitInterrupt then does
	// not know of; nil for the NIC's own WaitInterrupt. It must not wait, nor
	// call methods of the NIC.
	Deliver func(endpoint.Message)
	// RealTime lets the NIC's clock go on by itself, at its nominal rate,
	// instead of in the calls of the host; see NIC. The NIC must be closed.
	RealTime bool
	// ControlProcessor says whether firmware on a processor in the NIC manages
	// the SAs, through the mailbox, or the host, through the SA window.
	ControlProcessor Presence
}

// Memory is host memory as a NIC reaches it. Its methods are called for one
// access at a time, by the goroutine whose call causes it.
type Memory interface {
	// Read copies memory at iova to p, Write p to memory. They report whether
	// all of it could be; if not, a fault is remembered.
	Read(iova uint64, p []byte) bool
	Write(iova uint64, p []byte) bool
}

// Presence says whether a NIC has a part that it can do without.
type Presence int

// Values of Presence. Preset is what the RTL has by default.
const (
	Preset Presence = iota
	Present
	Absent
)

// presetControlProcessor is what Preset means for Options.ControlProcessor.
const presetControlProcessor = Present

// Costs in cycles of the virtual clock. They are no prediction of any RTL: they
// make time pass, the same on every run.
const (
	accessCycles = 4   // one BAR access
	relaxCycles  = 64  // Relax without a limit
	resetCycles  = 256 // from CTRL.RESET or power-up to STATUS.READY
	saCycles     = 100 // an SA operation
	clockMHz     = 250
)

// Limits of the register interface.
const (
	minRingLog2 = 3
	maxRingLog2 = 15
	prefetch    = 64 // descriptors cached per queue
)

func (o Options) complete() (Options, error) {
	if o.Location == "" {
		o.Location = "gonic"
	}
	for _, f := range []struct {
		name                string
		value               *int
		preset, least, most int
	}{
		{"queue pairs", &o.Queues, 4, 1, regs.TxqCount},
		{"interrupt vectors", &o.Vectors, 8, 1, regs.IntModerationCount},
		{"SA slots", &o.Slots, 1024, 1, 1 << 16},
		{"bytes as longest frame", &o.MaxFrame, 9600, 64, 16383},
	} {
		if *f.value == 0 {
			*f.value = f.preset
		}
		if *f.value < f.least || *f.value > f.most {
			return o, fmt.Errorf("%d %s, allowed are %d to %d", *f.value, f.name, f.least, f.most)
		}
	}
	switch o.ControlProcessor {
	case Preset:
		o.ControlProcessor = presetControlProcessor
	case Present, Absent:
	default:
		return o, fmt.Errorf("Presence %d of a control processor, allowed are Preset, Present and Absent", o.ControlProcessor)
	}
	return o, nil
}

// NIC is a NIC in Go; it implements pcie.Function. All methods may be called
// from several goroutines at once.
//
// Its work is done by the call that causes it: the write of a doorbell sends the
// frames, Inject receives one. Only limits in time (completion batches,
// interrupt moderation, SA operations, firmware, reset) wait for the virtual clock, which
// advances with each BAR access, in Relax, and in WaitInterrupt, which goes on
// to the next limit. So the same calls give the same results. With
// Options.RealTime these limits come when their time has come.
type NIC struct {
	opts Options
	ep   *endpoint.Endpoint
	pool *hostmem.Pool // what AllocDMA hands out
	mem  Memory        // pool or Options.Memory
	bars [6]pcie.BAR
	irq  interruptLines
	wire wire

	mu      sync.Mutex // guards what follows
	closed  bool
	removed bool
	master  bool // may reach host memory
	clock   clock
	faults  []pcie.Fault
	control controlRegs
	vectors []vector
	sa      saTable
	cp      *processor // nil: none
	tx, rx  []*queue
	turn    int // TX queue served last
	egress  burst
	stats   statistics
	// scratch holds a received frame as delivered, line what a queue reads or
	// writes.
	scratch []byte
	line    [lineSize]byte
}

var (
	_ pcie.Function = (*NIC)(nil)
	_ pcie.Clocked  = (*NIC)(nil)
)

// New returns a NIC as an operating system hands it to a driver: powered up,
// memory and bus mastering on, interrupts off.
func New(o Options) (*NIC, error) {
	o, err := o.complete()
	if err != nil {
		return nil, fmt.Errorf("configuration of the Go NIC: %w", err)
	}
	n := &NIC{opts: o, pool: hostmem.NewPool(), scratch: make([]byte, 0, o.MaxFrame)}
	n.mem = o.Memory
	if n.mem == nil {
		n.mem = n.pool
	}
	if o.Deliver == nil {
		o.Deliver = func(m endpoint.Message) { n.irq.raise(m.Vector) }
	}
	n.ep, err = endpoint.New(endpoint.Config{
		VendorID: pcie.VendorID, DeviceID: pcie.DeviceID,
		SubsystemVendorID: pcie.VendorID, SubsystemID: pcie.DeviceID,
		Class: pcie.ClassCode, BAR0: pcie.RegisterBARSize, Vectors: o.Vectors,
		Deliver:   o.Deliver,
		Reset:     n.functionReset,
		BusMaster: n.setMaster,
	})
	if err != nil {
		return nil, fmt.Errorf("making the Go NIC: %w", err)
	}
	n.irq.init(o.Vectors)
	n.bars[pcie.RegisterBAR] = endpoint.NewBAR(pcie.RegisterBARSize, (*registers)(n))
	msix := n.ep.MSIX()
	n.bars[endpoint.MSIXBAR] = endpoint.NewBAR(msix.Size(), &msixRegisters{n, msix})
	n.vectors = make([]vector, o.Vectors)
	for i := range o.Queues {
		n.tx = append(n.tx, &queue{nic: n, number: i})
		n.rx = append(n.rx, &queue{nic: n, number: i})
	}
	n.sa.init(o.Slots)
	if o.ControlProcessor == Present {
		n.cp = new(processor)
	}
	n.clock.next = never
	if o.RealTime {
		n.clock.real = newRealTime(n.onTime)
	}
	n.powerUp()
	n.settled()
	n.ep.Enable()
	return n, nil
}

// settled ends a change of state from outside: who waits for an interrupt may
// now have a deadline to wait for. n.mu is held.
func (n *NIC) settled() {
	if n.clock.real != nil {
		n.clock.real.arm(n.clock.next)
		return
	}
	if n.clock.next != never && n.irq.waiting.Load() > 0 {
		n.irq.wake()
	}
}

// powerUp resets everything, the generations of SA slots included. n.mu is held
// or not yet needed.
func (n *NIC) powerUp() {
	n.sa.forgetGenerations()
	n.clock.base = n.clock.cycle
	n.softReset()
	if n.cp != nil {
		n.cp.loadBuiltIn()
		n.startProcessor()
	}
}

// softReset is CTRL.RESET.
func (n *NIC) softReset() {
	n.control = controlRegs{intMask: ^uint32(0)}
	for _, q := range n.queues() {
		q.reset()
	}
	for v := range n.vectors {
		n.vectors[v] = vector{armed: true}
	}
	n.sa.zeroise()
	if n.cp != nil {
		n.cp.reset()
	}
	n.stats = statistics{}
	n.turn = 0
	n.control.readyAt = n.clock.cycle + resetCycles
	n.clock.wakeAt(n.control.readyAt)
}

// resetBusy says whether a reset or start-up is under way.
func (n *NIC) resetBusy() bool { return n.clock.cycle < n.control.readyAt }

// queues yields all queues, TX first.
func (n *NIC) queues() func(func(int, *queue) bool) {
	return func(yield func(int, *queue) bool) {
		for i, q := range n.tx {
			if !yield(i, q) {
				return
			}
		}
		for i, q := range n.rx {
			if !yield(len(n.tx)+i, q) {
				return
			}
		}
	}
}

func (n *NIC) functionReset() {
	n.mu.Lock()
	n.powerUp()
	n.settled()
	n.mu.Unlock()
	n.irq.clear(0)
}

func (n *NIC) setMaster(on bool) {
	n.mu.Lock()
	n.master = on
	n.mu.Unlock()
}

// check returns why the function cannot be used, if it cannot.
func (n *NIC) check() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.usable()
}

// usable is check with n.mu held.
func (n *NIC) usable() error {
	if n.closed {
		return pcie.ErrClosed
	}
	if n.removed {
		return pcie.ErrRemoved
	}
	return nil
}

// Endpoint returns the PCIe endpoint in front of the NIC, for who presents the
// NIC to a host outside this program.
func (n *NIC) Endpoint() *endpoint.Endpoint { return n.ep }

// Info implements pcie.Function.
func (n *NIC) Info() pcie.Info {
	info := n.ep.Info()
	info.Location = n.opts.Location
	info.Simulated = true
	return info
}

// ConfigRead implements pcie.Function.
func (n *NIC) ConfigRead(offset, width int) (uint32, error) {
	if err := n.check(); err != nil {
		return ^uint32(0), err
	}
	return n.ep.ConfigRead(offset, width)
}

// ConfigWrite implements pcie.Function.
func (n *NIC) ConfigWrite(offset, width int, value uint32) error {
	if err := n.check(); err != nil {
		return err
	}
	return n.ep.ConfigWrite(offset, width, value)
}

// BAR implements pcie.Function.
func (n *NIC) BAR(number int) (pcie.BAR, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	if number < 0 || number >= len(n.bars) || n.bars[number] == nil {
		return nil, fmt.Errorf("BAR %d, the Go NIC has %d and %d: %w", number, pcie.RegisterBAR, endpoint.MSIXBAR, pcie.ErrRange)
	}
	return n.bars[number], nil
}

// AllocDMA implements pcie.Function.
func (n *NIC) AllocDMA(size int) (*pcie.Memory, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	if n.opts.Memory != nil {
		return nil, fmt.Errorf("allocation of %d bytes: the NIC's memory is somebody else's: %w", size, pcie.ErrNoMemory)
	}
	m, err := n.pool.Alloc(size)
	if err != nil {
		return nil, err
	}
	if err := n.check(); err != nil { // closed meanwhile: nobody else would free it
		_ = n.pool.Free(m) // refused where Close was fast enough to
		return nil, err
	}
	return m, nil
}

// FreeDMA implements pcie.Function. Memory of an unplugged NIC can be freed, that
// of a closed one is freed already.
func (n *NIC) FreeDMA(m *pcie.Memory) error {
	if errors.Is(n.check(), pcie.ErrClosed) {
		return pcie.ErrClosed
	}
	err := n.pool.Free(m)
	if err != nil && errors.Is(n.check(), pcie.ErrClosed) { // by Close, in between
		return pcie.ErrClosed
	}
	return err
}

// SetVectors implements pcie.Function.
func (n *NIC) SetVectors(count int) error {
	if err := n.check(); err != nil {
		return err
	}
	if err := n.ep.SetVectors(0); err != nil { // nothing of before may be delivered
		return err
	}
	if count > 0 && count <= n.opts.Vectors {
		n.irq.clear(count)
	} else {
		n.irq.clear(0)
	}
	return n.ep.SetVectors(count)
}

// MaskVector implements pcie.Function.
func (n *NIC) MaskVector(v int, masked bool) error {
	if err := n.check(); err != nil {
		return err
	}
	return n.ep.MaskVector(v, masked)
}

// WaitInterrupt implements pcie.Function. While nothing is pending, time goes on
// to the next of the NIC's limits; with none left it waits for other goroutines.
func (n *NIC) WaitInterrupt(ctx context.Context, v int) (uint64, error) {
	for {
		if err := n.check(); err != nil {
			return 0, err
		}
		line, err := n.irq.line(v)
		if err != nil {
			return 0, err
		}
		if count := n.irq.take(v); count > 0 {
			return count, nil
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n.mu.Lock()
		if n.usable() != nil {
			n.mu.Unlock()
			continue
		}
		if n.clock.next != never && n.clock.real == nil {
			n.advanceTo(n.clock.next)
			n.mu.Unlock()
			continue
		}
		n.irq.waiting.Add(1)
		n.mu.Unlock()
		select {
		case <-line:
		case <-ctx.Done():
		}
		n.irq.waiting.Add(-1)
	}
}

// Relax implements pcie.Function: the clock goes on by at most max cycles, to
// the next of the NIC's limits if that is sooner.
func (n *NIC) Relax(ctx context.Context, max uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if max == 0 {
		max = relaxCycles
	}
	n.mu.Lock()
	if err := n.usable(); err != nil {
		n.mu.Unlock()
		return err
	}
	if n.clock.real != nil {
		n.catchUp()
		n.settled()
	} else {
		n.advanceTo(min(n.clock.cycle+max, n.clock.next))
	}
	n.mu.Unlock()
	runtime.Gosched() // whoever polls lets others work
	return nil
}

// Cycle implements pcie.Clocked.
func (n *NIC) Cycle() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.catchUp()
	n.settled()
	return n.clock.cycle
}

// maxFaults bounds what is remembered; a driver that looks has seen enough.
const maxFaults = 1024

// Faults implements pcie.Function.
func (n *NIC) Faults() ([]pcie.Fault, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, pcie.ErrClosed
	}
	faults := n.faults
	n.faults = nil
	return faults, nil
}

// Reset implements pcie.Function.
func (n *NIC) Reset(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := n.check(); err != nil {
		return err
	}
	n.ep.FunctionReset()
	n.ep.Enable()
	return nil
}

// Close implements pcie.Function. Closing again does nothing.
func (n *NIC) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	n.softReset()
	n.clock.real.end()
	n.mu.Unlock()
	n.irq.wake()
	return n.pool.Close()
}

// Unplug takes the NIC away, as a surprise removal does: reads give all ones,
// writes are lost, methods return pcie.ErrRemoved. There is no way back.
func (n *NIC) Unplug() {
	n.mu.Lock()
	n.removed = true
	n.softReset()
	n.clock.real.end()
	n.mu.Unlock()
	n.irq.wake()
}

// dmaRead copies host memory into b, or records a fault.
func (n *NIC) dmaRead(iova uint64, b []byte) bool {
	if n.master && n.mem.Read(iova, b) {
		return true
	}
	n.fault(iova, len(b), false)
	return false
}

// dmaWrite copies b to host memory, or records a fault.
func (n *NIC) dmaWrite(iova uint64, b []byte) bool {
	if n.master && n.mem.Write(iova, b) {
		return true
	}
	n.fault(iova, len(b), true)
	return false
}

func (n *NIC) fault(iova uint64, size int, write bool) {
	if len(n.faults) < maxFaults {
		n.faults = append(n.faults, pcie.Fault{IOVA: iova, Size: size, Write: write, Cycle: n.clock.cycle})
	}
}

// lookup finds the inbound SA of a received packet; it is an esp.Lookup.
func (n *NIC) lookup(s *esp.Selector) *esp.SA { return n.sa.find(s) }
