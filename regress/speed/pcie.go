// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// Goals of the ways to a NIC, in microseconds: what a vfio-user connection between
// two processes may cost. They are for the Go NIC, which answers at once.
const (
	servedReadGoal  = 15
	servedWriteGoal = 5
)

// Ways to a NIC.
const (
	InProcess = "in process"
	VFIOUser  = "vfio-user"
	InGuest   = "VFIO in a guest"
	Card      = "card"
)

// PCIeOptions say what of the ways to a NIC to measure.
type PCIeOptions struct {
	// Ways are measured one after another.
	Ways []PCIeTarget
	// Clock, if not nil, are RTL in this process and the same behind vfio-user.
	Clock *[2]PCIeTarget
	// DMA: measure the descriptor path.
	DMA bool
	// Guests measure ways whose near end is in a guest.
	Guests []PCIeGuest
}

// PCIeGuest is a NIC that is a card of a guest.
type PCIeGuest struct {
	NIC string
	// Measure boots the guest and measures in it. An error that wraps
	// ErrNoGuest says that this machine cannot have one.
	Measure func(ctx context.Context) (*PCIeWay, error)
}

// ErrNoGuest: there can be no guest here.
var ErrNoGuest = errors.New("no guest")

// PCIeSpeed is what was measured of the ways to a NIC.
type PCIeSpeed struct {
	Ways  []PCIeWay    `json:"ways"`
	Clock *ServedClock `json:"clock,omitempty"`
	DMA   []DMASpeed   `json:"dma,omitempty"`
	// NotMeasured says what this machine could not do, and why.
	NotMeasured []string `json:"not_measured,omitempty"`
}

// verdicts are all that there are.
func (s *PCIeSpeed) verdicts() []Verdict {
	var all []Verdict
	for _, w := range s.Ways {
		all = append(all, w.ReadVerdict, w.WriteVerdict)
	}
	if s.Clock != nil {
		all = append(all, s.Clock.Verdict)
	}
	for _, d := range s.DMA {
		all = append(all, d.Verdict)
	}
	return all
}

// MeasurePCIe measures the ways to a NIC.
func MeasurePCIe(ctx context.Context, opts PCIeOptions, quick bool, progress func(what string)) (*PCIeSpeed, error) {
	s := &PCIeSpeed{}
	for _, t := range opts.Ways {
		progress(t.NIC + ", " + t.Way)
		w, err := MeasureWay(ctx, t, quick)
		if err != nil {
			return nil, err
		}
		s.Ways = append(s.Ways, *w)
	}
	for _, g := range opts.Guests {
		progress(g.NIC + ", " + InGuest)
		w, err := g.Measure(ctx)
		switch {
		case errors.Is(err, ErrNoGuest):
			s.NotMeasured = append(s.NotMeasured, fmt.Sprintf("%s, %s: %v", g.NIC, InGuest, err))
			continue
		case err != nil:
			return nil, fmt.Errorf("%s, %s: %w", g.NIC, InGuest, err)
		}
		w.NIC, w.Way = g.NIC, InGuest
		s.Ways = append(s.Ways, *w)
	}
	var err error
	if opts.Clock != nil {
		progress("simulated clock behind " + VFIOUser)
		if s.Clock, err = MeasureServedClock(ctx, opts.Clock[0], opts.Clock[1], quick); err != nil {
			return nil, err
		}
	}
	if opts.DMA {
		progress("DMA by descriptor")
		s.DMA, err = MeasureDMA(ctx, quick)
	}
	return s, err
}

// PCIeWay is how fast a NIC is over one way to it. Times are wall clock times: two
// processes work at them.
type PCIeWay struct {
	// NIC is what is behind: "Go NIC", "RTL", or a card's name. Way is one of the ways.
	NIC string `json:"nic"`
	Way string `json:"way"`
	// Read is what a register read takes, from call to value, and Write a
	// register write of many in a row, the last of which a read has pushed to
	// the NIC; microseconds, medians.
	Read  float64 `json:"read_us"`
	Write float64 `json:"write_us"`
	// Small and Large are packets a second through the NIC's loopback,
	// encrypted on their way out and decrypted on their way back, whose inner
	// frames have 64 and 1518 bytes.
	Small float64 `json:"packets_per_second_64"`
	Large float64 `json:"packets_per_second_1518"`
	// Open is the time in seconds from opening the function until the NIC is
	// ready for traffic, Boot what the guest takes before that.
	Open float64 `json:"open_seconds"`
	Boot float64 `json:"boot_seconds,omitempty"`

	ReadGoal     float64 `json:"read_goal_us,omitempty"`
	ReadVerdict  Verdict `json:"read_verdict,omitempty"`
	WriteGoal    float64 `json:"write_goal_us,omitempty"`
	WriteVerdict Verdict `json:"write_verdict,omitempty"`
}

// PCIeTarget is a NIC and a way to it.
type PCIeTarget struct {
	NIC, Way string
	// Goals: hold it to the goals of a vfio-user connection.
	Goals bool
	// Open opens the function and says what the driver must know. The function
	// is closed by who measures.
	Open func(ctx context.Context) (pcie.Function, driver.Options, error)
}

// open opens a target with the driver on it, in loopback.
func (t PCIeTarget) open(ctx context.Context) (*echo, error) {
	fn, opts, err := t.Open(ctx)
	if err != nil {
		return nil, err
	}
	opts.Loopback, opts.Polling = true, true
	opts.TXQueues, opts.RXQueues = 1, 1
	n, err := driver.Open(ctx, fn, opts)
	if err != nil {
		return nil, errors.Join(err, fn.Close())
	}
	e := &echo{fn: fn, nic: n}
	if err := e.prepare(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// MeasureWay measures one way to a NIC.
func MeasureWay(ctx context.Context, t PCIeTarget, quick bool) (_ *PCIeWay, err error) {
	span, rounds := 1500*time.Millisecond, 31
	if quick {
		span, rounds = 300*time.Millisecond, 9
	}
	way := &PCIeWay{NIC: t.NIC, Way: t.Way}
	start := time.Now()
	e, err := t.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s, %s: %w", t.NIC, t.Way, err)
	}
	defer func() { err = errors.Join(err, e.close()) }()
	way.Open = time.Since(start).Seconds()
	if way.Read, way.Write, err = measureAccesses(e.fn, span, rounds); err != nil {
		return nil, err
	}
	for _, l := range []struct {
		size   frameSize
		result *float64
	}{{64, &way.Small}, {1518, &way.Large}} {
		r, err := e.run(ctx, l.size, span)
		if err != nil {
			return nil, fmt.Errorf("%s, %s, inner frames of %d bytes: %w", t.NIC, t.Way, l.size, err)
		}
		*l.result = float64(r.packets) / r.seconds
	}
	if t.Goals {
		way.ReadGoal, way.WriteGoal = servedReadGoal, servedWriteGoal
		way.ReadVerdict, way.WriteVerdict = verdict(way.Read < way.ReadGoal), verdict(way.Write < way.WriteGoal)
	}
	return way, nil
}

// accessBurst is how many accesses one round measures at least.
const accessBurst = 32

// measureAccesses measures a read and a posted write of a register, in microseconds.
func measureAccesses(fn pcie.Function, span time.Duration, rounds int) (read, write float64, err error) {
	bar, err := fn.BAR(pcie.RegisterBAR)
	if err != nil {
		return 0, 0, err
	}
	reads := func(n int) error {
		for range n {
			if _, err := bar.Read32(regs.ScratchOffset); err != nil {
				return err
			}
		}
		return nil
	}
	writes := func(n int) error {
		for i := range n {
			if err := bar.Write32(regs.ScratchOffset, uint32(i)); err != nil {
				return err
			}
		}
		v, err := bar.Read32(regs.ScratchOffset)
		if err == nil && v != uint32(n-1) {
			err = fmt.Errorf("the scratch register holds %#x, last written was %#x", v, n-1)
		}
		return err
	}
	for _, a := range []struct {
		do     func(n int) error
		result *float64
	}{{reads, &read}, {writes, &write}} {
		start := time.Now()
		if err := a.do(accessBurst); err != nil {
			return 0, 0, err
		}
		per := max(time.Since(start)/accessBurst, time.Nanosecond)
		n := min(max(accessBurst, int(span/time.Duration(rounds)/2/per)), 100_000)
		var times []float64
		for range rounds {
			start := time.Now()
			if err := a.do(n); err != nil {
				return 0, 0, err
			}
			times = append(times, time.Since(start).Seconds()*1e6/float64(n))
		}
		*a.result = median(times)
	}
	return read, write, nil
}

// echo is a NIC in loopback that encrypts what it is given and decrypts what
// comes back.
type echo struct {
	fn       pcie.Function
	nic      *driver.NIC
	tx       *driver.TXQueue
	rx       *driver.RXQueue
	sa       *association
	txPool   *driver.Pool
	rxPool   *driver.Pool
	done     []driver.TXDone
	received []driver.RXPacket
	packets  []driver.TXPacket
	buffers  []*driver.Buffer
	inside   int // sent and not received
	finished bool
}

// Of echo: packets in the NIC at most, and packets per call of the driver.
const (
	echoInside = 128
	echoBatch  = 32
)

func (e *echo) prepare(ctx context.Context) (err error) {
	if e.tx, err = e.nic.TX(0); err != nil {
		return err
	}
	if e.rx, err = e.nic.RX(0); err != nil {
		return err
	}
	if e.sa, err = newAssociation(rand.New(rand.NewPCG(6, 0)), 0, false, 16, 0); err != nil {
		return err
	}
	if e.sa.handle, err = e.nic.AddSA(ctx, e.sa.spec); err != nil {
		return err
	}
	twin := e.sa.spec
	twin.Inbound = true
	if _, err = e.nic.AddSA(ctx, twin); err != nil {
		return err
	}
	const size = 2048
	if e.txPool, err = driver.NewPool(e.fn, echoInside, size); err != nil {
		return err
	}
	if e.rxPool, err = driver.NewPool(e.fn, e.rx.Size()-1, size); err != nil {
		return err
	}
	e.done, e.received = make([]driver.TXDone, echoBatch), make([]driver.RXPacket, echoBatch)
	e.packets, e.buffers = make([]driver.TXPacket, echoBatch), make([]*driver.Buffer, echoBatch)
	return e.feed()
}

// feed posts all receive buffers that there are.
func (e *echo) feed() error {
	for {
		n := e.rxPool.Fill(e.buffers)
		if n == 0 {
			return nil
		}
		if posted, err := e.rx.Post(e.buffers[:n]); posted != n {
			return because(err, "%d of %d receive buffers posted", posted, n)
		}
	}
}

// echoResult is what a time of traffic gave.
type echoResult struct {
	packets int
	seconds float64
	cycles  uint64 // of the NIC's clock
}

// run sends for a time, and counts what comes back decrypted in it.
func (e *echo) run(ctx context.Context, size frameSize, span time.Duration) (r echoResult, err error) {
	// Warm up first: the ring fills, and the other process wakes.
	for warm := 0; warm < 2*echoInside; {
		n, err := e.step(ctx, size, true)
		if err != nil {
			return r, err
		}
		warm += n
	}
	before, err := e.nic.Cycles()
	if err != nil {
		return r, err
	}
	start := time.Now()
	for time.Since(start) < span {
		n, err := e.step(ctx, size, true)
		if err != nil {
			return r, err
		}
		r.packets += n
	}
	r.seconds = time.Since(start).Seconds()
	after, err := e.nic.Cycles()
	if err != nil {
		return r, err
	}
	r.cycles = after - before
	for e.inside > 0 { // leave nothing for the next
		if _, err := e.step(ctx, size, false); err != nil {
			return r, err
		}
	}
	return r, nil
}

// step does what can be done, and returns how many packets came back.
func (e *echo) step(ctx context.Context, size frameSize, send bool) (back int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	moved := 0
	if send && echoInside-e.inside >= echoBatch {
		if moved, err = e.post(size); err != nil {
			return 0, err
		}
	}
	n, err := e.tx.Poll(e.done)
	if err != nil {
		return 0, err
	}
	for _, d := range e.done[:n] {
		if d.Status != driver.OK {
			return 0, fmt.Errorf("a frame was not sent: %v", d.Status)
		}
		if err := e.txPool.Put(d.Buffer); err != nil {
			return 0, err
		}
	}
	moved += n
	if back, err = e.rx.Poll(e.received); err != nil {
		return 0, err
	}
	for i := range e.received[:back] {
		p := &e.received[i]
		if p.Status != driver.OK || !p.IPsec.HeaderInfoSet {
			return 0, fmt.Errorf("a frame came back undecrypted: %v, %+v", p.Status, p.IPsec)
		}
		if err := e.rxPool.Put(p.Buffer); err != nil {
			return 0, err
		}
	}
	e.inside -= back
	if back > 0 {
		return back, e.feed()
	}
	if moved == 0 {
		return 0, e.fn.Relax(ctx, 0)
	}
	return 0, nil
}

// post sends as many packets as there are buffers for.
func (e *echo) post(size frameSize) (int, error) {
	n := e.txPool.Fill(e.buffers[:echoBatch])
	for i, b := range e.buffers[:n] {
		e.packets[i] = driver.TXPacket{Buffer: b, Length: e.sa.write(b.Bytes(), size), SA: e.sa.handle, ESPOffset: espOffset}
	}
	posted, err := e.tx.Post(e.packets[:n])
	if posted != n {
		return 0, because(err, "%d of %d packets posted", posted, n)
	}
	e.inside += n
	return n, nil
}

// close closes the NIC and its function.
func (e *echo) close() error {
	if e.finished {
		return nil
	}
	e.finished = true
	errs := []error{e.nic.Close()}
	for _, pool := range []*driver.Pool{e.txPool, e.rxPool} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(append(errs, e.fn.Close())...)
}
