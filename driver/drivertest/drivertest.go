// SPDX-License-Identifier: Apache-2.0

// Package drivertest is the suite that the driver passes on every NIC: the Go
// model, simulated RTL, a card. It looks at both sides, host and wire, and
// judges ESP by Go's crypto packages and nothing else.
package drivertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
)

// Wire is the MAC side of a NIC under test.
type Wire interface {
	// Send queues a frame (no FCS) toward the NIC; bad: the MAC found an error
	// in it.
	Send(frame []byte, bad bool) error
	// Receive takes the oldest frame that the NIC has sent, or returns nil.
	// It does not wait.
	Receive() ([]byte, error)
}

// Device is one NIC under test.
type Device struct {
	Function pcie.Function
	Wire     Wire
}

// Harness is one kind of NIC.
type Harness struct {
	// Open returns a NIC in its power-up state; each call another, independent
	// one. The suite closes the Function.
	Open func(t testing.TB) Device
	// Firmware is the image for the control processor, nil where none is needed.
	Firmware []byte
	// Break makes the control processor go wrong, and returns false if this kind
	// of NIC cannot go wrong that way on request; then that is not tested. nil:
	// never.
	Break func(t testing.TB, d Device, f Fault) bool

	// What follows is what a way to a NIC cannot do. A test that leaves something
	// out for it says so in its log, in a line that begins with LeftOut.

	// NoInterrupts: the function has none, and the driver polls.
	NoInterrupts bool
	// UnseenFaults: what the device may not reach is refused, but the function
	// may not come to know of it (VFIO: the kernel's log has some only).
	UnseenFaults bool
	// NoFaults: nothing keeps the device from any address. The suite then leads it
	// to none that is not its own.
	NoFaults bool
	// PlainWire: the wire carries what a network interface sends, which is no frame
	// with an error in it and none of less than 14 bytes.
	PlainWire bool
	// WireLag is how long a frame may be under way between the NIC and Wire where
	// nobody can tell; 0: Wire has what the NIC has sent.
	WireLag time.Duration
}

// LeftOut begins the line in a test's log that names what the test does not look
// at on this kind of NIC.
const LeftOut = "left out: "

// leaveOut logs what a test does not look at.
func leaveOut(t testing.TB, what string) {
	t.Helper()
	t.Log(LeftOut + what)
}

// Fault is a way in which the control processor goes wrong.
type Fault int

// Values of Fault.
const (
	Trap         Fault = iota // an illegal instruction, now
	Hang                      // an endless loop, from now on
	AnswerTwice               // the next answer comes twice
	AnswerNever               // the next command is not answered
	AnswerTag                 // the next answer has another tag
	SelfTestFail              // the next self-tests fail
)

// options completes the driver's options for this kind of NIC.
func (h Harness) options(opts driver.Options) driver.Options {
	opts.Firmware = h.Firmware
	return opts
}

const (
	// patience bounds what must happen.
	patience = 60 * time.Second
	// quietCycles is long enough for anything that could still happen.
	quietCycles = 4000
	// bufferSize holds the longest frame.
	bufferSize = 10000
)

// tests are the suite.
var tests = []struct {
	name string
	run  func(*testing.T, Harness)
}{
	{"Open", testOpen},
	{"OpenAgain", testOpenAgain},
	{"Options", testOptions},
	{"SAKinds", testSAKinds},
	{"SARefusals", testSARefusals},
	{"SATableFull", testSATableFull},
	{"SACancelled", testSACancelled},
	{"SAKept", testSAKept},
	{"SAReadBack", testSAReadBack},
	{"SARestored", testSARestored},
	{"SABatches", testSABatches},
	{"SAConcurrent", testSAConcurrent},
	{"FirmwareInfo", testFirmwareInfo},
	{"FirmwareStops", testFirmwareStops},
	{"FirmwareLost", testFirmwareLost},
	{"FirmwareImages", testFirmwareImages},
	{"MailboxFull", testMailboxFull},
	{"MailboxDisorder", testMailboxDisorder},
	{"SelfTestFails", testSelfTestFails},
	{"SendPlain", testSendPlain},
	{"SendESP", testSendESP},
	{"SendErrors", testSendErrors},
	{"SendESN", testSendESN},
	{"ReceivePlain", testReceivePlain},
	{"ReceiveESP", testReceiveESP},
	{"ReceiveUntouched", testReceiveUntouched},
	{"ReceiveTruncated", testReceiveTruncated},
	{"ReceiveDropped", testReceiveDropped},
	{"Loopback", testLoopback},
	{"RingWrap", testRingWrap},
	{"RingFull", testRingFull},
	{"BufferOwnership", testBufferOwnership},
	{"AllQueues", testAllQueues},
	{"PostWhilePolling", testPostWhilePolling},
	{"Interrupts", testInterrupts},
	{"SharedVector", testSharedVector},
	{"Moderation", testModeration},
	{"WaitEnds", testWaitEnds},
	{"QueueError", testQueueError},
	{"FrameBusErrors", testFrameBusErrors},
	{"RingBusErrors", testRingBusErrors},
	{"StopStart", testStopStart},
	{"DeleteUnderTraffic", testDeleteUnderTraffic},
	{"ResetInTraffic", testResetInTraffic},
	{"Statistics", testStatistics},
	{"TwoNICs", testTwoNICs},
	{"Close", testClose},
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, h) })
	}
}

// Tests returns the names of the suite's tests, in their order.
func Tests() []string {
	names := make([]string, len(tests))
	for i, test := range tests {
		names[i] = test.name
	}
	return names
}

// bed is one NIC opened by the driver, with its wire and buffers.
type bed struct {
	*driver.NIC
	h    Harness
	fn   pcie.Function
	wire Wire
	pool *driver.Pool
	ctx  context.Context
	// refused: reports of what the device was refused may come later.
	refused bool
}

// open opens the driver on a new NIC. It checks at the end that Close succeeds
// and that the device touched nothing that it may not.
func (h Harness) open(t testing.TB, opts driver.Options) *bed {
	t.Helper()
	d := h.Open(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	t.Cleanup(func() {
		if err := d.Function.Close(); err != nil {
			t.Errorf("close function: %v", err)
		}
	})
	return h.attach(t, ctx, d, opts)
}

// attach opens the driver on d.
func (h Harness) attach(t testing.TB, ctx context.Context, d Device, opts driver.Options) *bed {
	t.Helper()
	n, err := driver.Open(ctx, d.Function, h.options(opts))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := driver.NewPool(d.Function, 256, bufferSize)
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{NIC: n, h: h, fn: d.Function, wire: d.Wire, pool: pool, ctx: ctx}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := pool.Close(); err != nil {
			t.Errorf("close pool: %v", err)
		}
		b.noFaults(t)
	})
	return b
}

// buffer takes a buffer and copies frame into it.
func (b *bed) buffer(t testing.TB, frame []byte) *driver.Buffer {
	t.Helper()
	buf := b.pool.Get()
	if buf == nil {
		t.Fatal("no buffer left")
	}
	copy(buf.Bytes(), frame)
	return buf
}

// packet wraps a frame to be sent as it is.
func (b *bed) packet(t testing.TB, frame []byte) driver.TXPacket {
	t.Helper()
	return driver.TXPacket{Buffer: b.buffer(t, frame), Length: len(frame)}
}

func (b *bed) tx(t testing.TB, q int) *driver.TXQueue {
	t.Helper()
	queue, err := b.TX(q)
	if err != nil {
		t.Fatal(err)
	}
	return queue
}

func (b *bed) rx(t testing.TB, q int) *driver.RXQueue {
	t.Helper()
	queue, err := b.RX(q)
	if err != nil {
		t.Fatal(err)
	}
	return queue
}

// post posts all packets, which must fit the ring.
func (b *bed) post(t testing.TB, q int, packets ...driver.TXPacket) {
	t.Helper()
	if n, err := b.tx(t, q).Post(packets); err != nil || n != len(packets) {
		t.Fatalf("posted %d of %d packets: %v", n, len(packets), err)
	}
}

// done waits until n descriptors are back, and returns their buffers to the pool.
func (b *bed) done(t testing.TB, q, n int) []driver.TXDone {
	t.Helper()
	queue := b.tx(t, q)
	all := make([]driver.TXDone, 0, n)
	for len(all) < n {
		got, err := queue.Poll(all[len(all):n])
		if err != nil {
			t.Fatal(err)
		}
		if got == 0 {
			if err := queue.Wait(b.ctx); err != nil {
				t.Fatalf("%d of %d descriptors are back: %v", len(all), n, err)
			}
		}
		all = all[:len(all)+got]
	}
	for _, d := range all {
		if err := b.pool.Put(d.Buffer); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// send posts one packet and returns its status.
func (b *bed) send(t testing.TB, q int, p driver.TXPacket) driver.Status {
	t.Helper()
	b.post(t, q, p)
	return b.done(t, q, 1)[0].Status
}

// fill posts n empty buffers.
func (b *bed) fill(t testing.TB, q, n int) {
	t.Helper()
	buffers := make([]*driver.Buffer, n)
	if b.pool.Fill(buffers) != n {
		t.Fatal("no buffer left")
	}
	if got, err := b.rx(t, q).Post(buffers); err != nil || got != n {
		t.Fatalf("posted %d of %d buffers: %v", got, n, err)
	}
}

// received is one frame handed up: the packet and a copy of its bytes.
type received struct {
	driver.RXPacket
	frame []byte
}

// receive waits for n frames and returns their buffers to the pool.
func (b *bed) receive(t testing.TB, q, n int) []received {
	t.Helper()
	queue := b.rx(t, q)
	var all []received
	packets := make([]driver.RXPacket, n)
	for len(all) < n {
		got, err := queue.Poll(packets[:n-len(all)])
		if err != nil {
			t.Fatal(err)
		}
		if got == 0 {
			if err := queue.Wait(b.ctx); err != nil {
				t.Fatalf("%d of %d frames are here: %v", len(all), n, err)
			}
		}
		for i := range packets[:got] {
			all = append(all, received{packets[i], append([]byte(nil), packets[i].Frame()...)})
			if err := b.pool.Put(packets[i].Buffer); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// inject sends frames to the NIC, which has by then what the driver wrote to it.
func (b *bed) inject(t testing.TB, frames ...[]byte) {
	t.Helper()
	b.fence(t)
	for _, f := range frames {
		if err := b.wire.Send(f, false); err != nil {
			t.Fatal(err)
		}
	}
}

// onWire waits for n frames from the NIC.
func (b *bed) onWire(t testing.TB, n int) [][]byte {
	t.Helper()
	var frames [][]byte
	for len(frames) < n {
		f, err := b.wire.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if f != nil {
			frames = append(frames, f)
			continue
		}
		if err := b.ctx.Err(); err != nil {
			t.Fatalf("%d of %d frames are on the wire: %v", len(frames), n, err)
		}
		b.relax(t, 0)
	}
	return frames
}

// silent checks that the NIC sends nothing more.
func (b *bed) silent(t testing.TB) {
	t.Helper()
	b.settle(t)
	if f, err := b.wire.Receive(); err != nil || f != nil {
		t.Errorf("unexpected frame of %d bytes on the wire, error %v", len(f), err)
	}
}

// settle waits until nothing happens any more, in the NIC and on its wire.
func (b *bed) settle(t testing.TB) {
	t.Helper()
	b.relax(t, quietCycles)
	time.Sleep(b.h.WireLag)
}

// fence waits until what was written to the NIC has arrived. Where writes are
// posted they may be under way for a while, and the wire knows shorter ways.
func (b *bed) fence(t testing.TB) {
	t.Helper()
	if !lockStep(b.fn) {
		b.cycle(t) // a read overtakes no write
	}
}

// lockStep says that the NIC behind a function does nothing but while the driver
// does. Others may do in no time at all what they are asked for.
func lockStep(fn pcie.Function) bool {
	_, clocked := fn.(pcie.Clocked)
	return clocked
}

// relax lets about that many clock cycles pass, at least one turn.
func (b *bed) relax(t testing.TB, cycles uint64) {
	t.Helper()
	start := b.cycle(t)
	for {
		if err := b.fn.Relax(b.ctx, cycles); err != nil {
			t.Fatal(err)
		}
		if cycles == 0 || b.cycle(t)-start >= cycles {
			return
		}
	}
}

// cycle returns the NIC's clock cycle: as the function knows it without an access,
// or else from the NIC's own counter.
func (b *bed) cycle(t testing.TB) uint64 {
	t.Helper()
	if clocked, ok := b.fn.(pcie.Clocked); ok {
		return clocked.Cycle()
	}
	cycle, err := b.Cycles()
	if err != nil {
		t.Fatal(err)
	}
	return cycle
}

// addSA installs an SA.
func (b *bed) addSA(t testing.TB, sa driver.SA) driver.Handle {
	t.Helper()
	h, err := b.AddSA(b.ctx, sa)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// wants checks that an error is of a kind.
func wants(t testing.TB, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: error is %v, want %v", what, err, kind)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sendOne sends a packet on queue 0 and waits until it is done. It may be used
// beside the test's goroutine.
func (b *bed) sendOne(p driver.TXPacket) error {
	tx, err := b.TX(0)
	if err != nil {
		return err
	}
	if n, err := tx.Post([]driver.TXPacket{p}); n != 1 {
		return fmt.Errorf("posted %d frames: %w", n, err)
	}
	done := make([]driver.TXDone, 1)
	for {
		n, err := tx.Poll(done)
		if err != nil {
			return err
		}
		if n == 1 {
			break
		}
		if err := tx.Wait(b.ctx); err != nil {
			return err
		}
	}
	if done[0].Status != driver.OK {
		return fmt.Errorf("frame was sent with status %v", done[0].Status)
	}
	return b.pool.Put(done[0].Buffer)
}

// gaveUp checks that an operation whose context was cancelled before it began has
// ended for that reason, unless the NIC was faster.
func gaveUp(t testing.TB, what string, fn pcie.Function, err error) {
	t.Helper()
	if err != nil || lockStep(fn) {
		wants(t, what, err, context.Canceled)
	}
}

func isCancelled(err error) bool { return errors.Is(err, context.Canceled) }
