// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
	"github.com/espalier-nic/espalier/driver/pcie"
)

// RunOptions say how a run behaves.
type RunOptions struct {
	// MaxMismatches are kept whole in the result; further ones are counted.
	MaxMismatches int
	// StopAfter ends the run after that many mismatches, 0 never.
	StopAfter int
	// StallCycles is how long nothing may happen, in clock cycles, before what
	// is still under way counts as lost. Where time passes by itself
	// (Bed.RealTime) StallTime is; 0 for DefaultStallTime.
	StallCycles uint64
	StallTime   time.Duration
	// Progress is called now and then with what has happened so far.
	Progress func(Progress)
	// OnFrame is called for each frame on the wire.
	OnFrame func(WireFrame) error
}

// DefaultStallTime is far more than any NIC takes for a frame, also simulated RTL
// behind an emulated machine.
const DefaultStallTime = 30 * time.Second

// Progress of a run.
type Progress struct {
	Counts
	// Done packets of Total have gone their whole way.
	Done, Total int
	Cycles      uint64
}

// Buffers per NIC and the frames judged between two looks at the clock.
const (
	batch      = 32
	maxBuffers = 1024
	headroom   = 256 // what ESP and a tunnel header may add, and alignment
)

// pass says which part of their way the packets go.
type pass int

// Passes. Two NICs do all in one, a NIC in loopback needs two.
const (
	wholeWay pass = iota
	outOnly       // without inbound SAs
	inOnly        // what came back from the pass before, without outbound SAs
)

func (p pass) outbound() bool { return p != inOnly }
func (p pass) inbound() bool  { return p != outOnly }

// run is a run under way.
type run struct {
	bed    *Bed
	plan   *Plan
	opts   RunOptions
	pass   pass
	judge  *judge
	result *Result

	handles  []driver.Handle // on the sender, per SA
	receiver []driver.Handle // on the receiver
	framers  []*espframe.Framer
	esnHi    []uint32

	// sequences are those of the packets sent in the pass outOnly, looped is what
	// came back in it.
	sequences map[int]uint64
	looped    []loopedFrame

	txPool, rxPool *driver.Pool
	tx             []*driver.TXQueue
	rx             []*driver.RXQueue
	next           int // packet of the plan, or of looped
	startCycle     uint64
	done           []driver.TXDone
	received       []driver.RXPacket
}

// Run pushes the plan's packets from bed.Sender to bed.Receiver and judges
// everything that the two NICs do to them. The error is for what kept the run
// from being carried out; what the NICs did wrong is in the result.
func Run(ctx context.Context, bed *Bed, plan *Plan, opts RunOptions) (_ *Result, err error) {
	r := &run{bed: bed, plan: plan, opts: opts, result: &Result{WireSeen: bed.Sight != Unseen, NotSeen: bed.NotSeen}, done: make([]driver.TXDone, batch), received: make([]driver.RXPacket, batch)}
	if bed.Sight == InLoopback {
		r.pass, r.sequences = outOnly, make(map[int]uint64)
	}
	r.judge = r.newJudge()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.loop(ctx); err != nil {
		return nil, err
	}
	if r.pass == outOnly && !r.enough() {
		if err := r.turn(ctx); err != nil {
			return nil, err
		}
		if err := r.loop(ctx); err != nil {
			return nil, err
		}
	}
	return r.finish()
}

func (r *run) newJudge() *judge {
	return newJudge(r.plan, r.bed.Sight, r.pass, r.bed.Sender.TXQueues(), r.bed.Receiver.RXQueues(), func(m Mismatch) {
		if len(r.result.Mismatches) < r.opts.MaxMismatches {
			r.result.Mismatches = append(r.result.Mismatches, m)
		}
	})
}

// enough says that the mismatches found end the run.
func (r *run) enough() bool {
	return r.opts.StopAfter > 0 && r.judge.counts.Mismatches >= r.opts.StopAfter
}

// open installs the SAs and posts receive buffers.
func (r *run) open(ctx context.Context) (err error) {
	if r.startCycle, err = r.cycle(); err != nil {
		return err
	}
	caps := r.bed.Sender.Capabilities()
	mtu := caps.MaxFrame - minFrame
	for _, sa := range r.plan.SAs {
		framer, err := sa.framer(mtu)
		if err != nil {
			return err
		}
		r.framers = append(r.framers, framer)
	}
	if err := r.install(ctx); err != nil {
		return err
	}
	return r.openQueues(caps)
}

// install gives the NICs the SAs of the pass.
func (r *run) install(ctx context.Context) error {
	r.esnHi = nil
	for i, sa := range r.plan.SAs {
		spec := driver.SA{
			SPI: sa.SPI, Src: sa.Src, Dst: sa.Dst, Tunnel: sa.Mode == espframe.Tunnel, ESN: sa.ESN,
			SequenceHi: uint32(sa.LastSequence >> 32), Key: sa.Key, Salt: driver.Salt(sa.Salt), RXQueue: i % r.bed.Receiver.RXQueues(),
		}
		if r.pass.outbound() {
			out, err := r.bed.Sender.AddSA(ctx, spec)
			if err != nil {
				return fmt.Errorf("%v on the sending NIC: %w", sa, err)
			}
			r.handles = append(r.handles, out)
		}
		spec.Inbound = true
		in := driver.Handle(0)
		if r.pass.inbound() {
			var err error
			if in, err = r.bed.Receiver.AddSA(ctx, spec); err != nil {
				return fmt.Errorf("%v on the receiving NIC: %w", sa, err)
			}
			r.receiver = append(r.receiver, in)
		}
		r.esnHi = append(r.esnHi, spec.SequenceHi)
		if err := r.judge.setSA(i, in, spec.RXQueue); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) openQueues(caps driver.Capabilities) (err error) {
	for q := range r.bed.Sender.TXQueues() {
		queue, err := r.bed.Sender.TX(q)
		if err != nil {
			return err
		}
		r.tx = append(r.tx, queue)
	}
	slots := 0
	for q := range r.bed.Receiver.RXQueues() {
		queue, err := r.bed.Receiver.RX(q)
		if err != nil {
			return err
		}
		r.rx = append(r.rx, queue)
		slots += queue.Size() - 1
	}
	size := (caps.MaxFrame + headroom) &^ 63
	if r.txPool, err = driver.NewPool(r.bed.Sender.Function(), min(maxBuffers, len(r.tx)*(r.tx[0].Size()-1)), size); err != nil {
		return err
	}
	if r.rxPool, err = driver.NewPool(r.bed.Receiver.Function(), slots, size); err != nil {
		return err
	}
	return r.feed()
}

// feed gives the receiving NIC all the buffers it has room for, and sees to it
// that the NIC knows of them before the other sends more: nothing orders posted
// writes to two functions.
func (r *run) feed() error {
	var buffers [batch]*driver.Buffer
	given := 0
	for _, queue := range r.rx {
		for room := queue.Size() - 1 - queue.Outstanding(); room > 0; {
			n := r.rxPool.Fill(buffers[:min(room, batch)])
			if n == 0 {
				break
			}
			posted, err := queue.Post(buffers[:n])
			for _, b := range buffers[posted:n] {
				err = errors.Join(err, r.rxPool.Put(b))
			}
			if err != nil {
				return err
			}
			room -= n
			given += posted
		}
	}
	if given == 0 || !r.bed.RealTime || r.bed.Sender == r.bed.Receiver {
		return nil
	}
	_, err := r.bed.Receiver.Cycles() // a read comes back after the writes before it
	return err
}

// loop runs until every frame has arrived, nothing moves any more, or the
// number of mismatches is enough.
func (r *run) loop(ctx context.Context) error {
	looks, since := uint64(0), time.Now() // without anything new
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		moved, err := r.step(ctx)
		if err != nil {
			return err
		}
		if r.enough() {
			return nil
		}
		if r.next == r.total() && r.judge.done() {
			return nil
		}
		if moved {
			looks, since = 0, time.Now()
			continue
		}
		if err := r.bed.Relax(ctx, relaxCycles); err != nil {
			return err
		}
		looks++
		if r.stalled(looks, since) {
			return nil
		}
	}
}

const (
	// relaxCycles pass between two looks where nothing is new.
	relaxCycles = 256
	// minLooks is how often somebody must have looked before real time counts:
	// this process may have slept through all of it.
	minLooks = 64
)

// stalled says that nothing has moved for too long.
func (r *run) stalled(looks uint64, since time.Time) bool {
	if !r.bed.RealTime {
		return looks*relaxCycles > r.opts.StallCycles
	}
	patience := r.opts.StallTime
	if patience == 0 {
		patience = DefaultStallTime
	}
	return looks > minLooks && time.Since(since) > patience
}

// total is how many frames the pass sends.
func (r *run) total() int {
	if r.pass == inOnly {
		return len(r.looped)
	}
	return len(r.plan.Packets)
}

// step does once whatever can be done, and says whether there was anything.
func (r *run) step(ctx context.Context) (moved bool, err error) {
	posted, err := r.post(ctx)
	if err != nil {
		return false, err
	}
	reaped, err := r.reap()
	if err != nil {
		return false, err
	}
	before := r.judge.counts.OnWire
	if err := r.look(); err != nil {
		return false, err
	}
	received, err := r.receive()
	if err != nil {
		return false, err
	}
	if err := r.report(); err != nil {
		return false, err
	}
	return posted || reaped || received || r.judge.counts.OnWire > before, nil
}

// look judges the frames on the wire, where they are seen.
func (r *run) look() error {
	if r.bed.TakeFrames == nil {
		return nil
	}
	var frameErr error
	err := r.bed.TakeFrames(func(f WireFrame) {
		r.judge.wire(f.Frame)
		if frameErr == nil {
			frameErr = r.show(f)
		}
	})
	return errors.Join(err, frameErr)
}

// show passes a frame on the wire to who wants it.
func (r *run) show(f WireFrame) error {
	if r.opts.OnFrame == nil {
		return nil
	}
	return r.opts.OnFrame(f)
}

// report tells how far the run is.
func (r *run) report() error {
	if r.opts.Progress == nil {
		return nil
	}
	state := Progress{Counts: r.judge.counts, Done: r.judge.counts.Delivered, Total: len(r.plan.Packets)}
	if r.bed.Sight == InLoopback {
		state.Done = (state.OnWire + state.Delivered) / 2
	}
	if r.bed.Clocked {
		cycle, err := r.cycle()
		if err != nil {
			return err
		}
		state.Cycles = cycle - r.startCycle
	}
	r.opts.Progress(state)
	return nil
}

// post frames packets and hands them to the sending NIC, one batch per queue.
func (r *run) post(ctx context.Context) (moved bool, err error) {
	for range r.tx {
		var packets [batch]driver.TXPacket
		n := 0
		queue := r.next / batch % len(r.tx)
		room := r.tx[queue].Size() - 1 - r.tx[queue].Outstanding()
		for n < min(batch, room) && r.next < r.total() && r.next/batch%len(r.tx) == queue {
			buffer := r.txPool.Get()
			if buffer == nil {
				break
			}
			if ok, err := r.prepare(ctx, &packets[n], buffer, queue); err != nil || !ok {
				err = errors.Join(err, r.txPool.Put(buffer))
				if err != nil {
					return moved, err
				}
				break
			}
			n++
		}
		if n == 0 {
			break
		}
		accepted, err := r.tx[queue].Post(packets[:n])
		if err != nil {
			return moved, fmt.Errorf("%s: %w", r.judge.name(int(packets[accepted].Cookie)), err)
		}
		moved = moved || accepted > 0
		if accepted < n {
			return moved, fmt.Errorf("%v took %d of %d packets though it had room for %d", r.tx[queue], accepted, n, room)
		}
	}
	return moved, nil
}

// prepare makes the next frame of the pass ready. It returns false where it must
// wait until the frames under way have arrived.
func (r *run) prepare(ctx context.Context, p *driver.TXPacket, buffer *driver.Buffer, queue int) (bool, error) {
	if r.pass == inOnly {
		return r.resend(ctx, p, buffer, queue)
	}
	return r.frame(ctx, p, buffer, queue)
}

// lateFrames is how many frames may be on the wire that a tap beside it has not
// shown yet. An interface keeps some for who reads them, and loses more.
const lateFrames = 512

// hasRoom says whether the receiving NIC has a buffer for one more frame of an
// SA, and a tap room to show it: a NIC drops what it has no buffer for, and that is
// no fault of its own.
func (r *run) hasRoom(choice int) bool {
	rx := r.judge.rxQueue(choice)
	if r.bed.Sight == Late && r.judge.unseen() >= lateFrames {
		return false
	}
	return r.judge.load[rx] < r.rx[rx].Size()-1
}

// frame prepares the next packet of the plan.
func (r *run) frame(ctx context.Context, p *driver.TXPacket, buffer *driver.Buffer, queue int) (bool, error) {
	packet := r.plan.Packets[r.next]
	if !r.hasRoom(r.plan.Choice[r.next]) {
		return false, nil
	}
	*p = driver.TXPacket{Buffer: buffer, Cookie: uint64(r.next)}
	info := espframe.Info{}
	if choice := r.plan.Choice[r.next]; choice != noSA {
		if last := r.framers[choice].LastSequence(); last < math.MaxUint64 {
			if ok, err := r.followESN(ctx, choice, last+1); err != nil || !ok {
				return false, err
			}
		}
		var err error
		info, err = r.framers[choice].Frame(buffer.Bytes(), packet.Frame)
		switch {
		case err == nil:
			p.Length, p.SA, p.ESPOffset, p.Sequence = info.Length, r.handles[choice], info.ESPOffset, info.Sequence
		case errors.Is(err, espframe.ErrFragment), errors.Is(err, espframe.ErrOptions), errors.Is(err, espframe.ErrNotIP), errors.Is(err, espframe.ErrMalformed):
			r.plan.Choice[r.next] = noSA
			return r.frame(ctx, p, buffer, queue)
		default:
			return false, fmt.Errorf("%s cannot be framed: %w", packet.Name(), err)
		}
	}
	if info.Length == 0 {
		p.Length = copy(buffer.Bytes(), packet.Frame)
		if shortest := r.bed.ShortestFrame; p.Length < shortest {
			clear(buffer.Bytes()[p.Length:shortest])
			p.Length = shortest
		}
	}
	if r.pass == outOnly {
		r.sequences[r.next] = info.Sequence
	}
	if err := r.judge.sending(r.next, queue, buffer.Bytes()[:p.Length], info); err != nil {
		return false, err
	}
	r.next++
	return true, nil
}

// followESN tells the NICs when the next sequence number of SA i has another
// upper half. It returns false while frames are under way, which still need the
// old one.
func (r *run) followESN(ctx context.Context, i int, next uint64) (bool, error) {
	hi := uint32(next >> 32)
	if !r.plan.SAs[i].ESN || hi == r.esnHi[i] {
		return true, nil
	}
	if !r.judge.done() {
		return false, nil
	}
	if r.pass.outbound() {
		if err := r.bed.Sender.UpdateSA(ctx, r.handles[i], hi); err != nil {
			return false, err
		}
	}
	if r.pass.inbound() {
		if err := r.bed.Receiver.UpdateSA(ctx, r.receiver[i], hi); err != nil {
			return false, err
		}
	}
	r.esnHi[i] = hi
	r.judge.setESNHi(i, hi)
	return true, nil
}

// reap takes back sent buffers.
func (r *run) reap() (moved bool, err error) {
	for q, queue := range r.tx {
		for {
			n, err := queue.Poll(r.done)
			if err != nil {
				return moved, fmt.Errorf("sending NIC: %w", err)
			}
			if n == 0 {
				break
			}
			moved = true
			for _, done := range r.done[:n] {
				if done.Status != driver.OK {
					r.judge.failed(q, done)
				}
				if err := r.txPool.Put(done.Buffer); err != nil {
					return moved, err
				}
			}
		}
	}
	return moved, nil
}

// receive judges what the receiving NIC hands up.
func (r *run) receive() (moved bool, err error) {
	for q, queue := range r.rx {
		for {
			n, err := queue.Poll(r.received)
			if err != nil {
				return moved, fmt.Errorf("receiving NIC: %w", err)
			}
			if n == 0 {
				break
			}
			moved = true
			for i := range r.received[:n] {
				if err := r.take(q, &r.received[i]); err != nil {
					return moved, err
				}
				if err := r.rxPool.Put(r.received[i].Buffer); err != nil {
					return moved, err
				}
			}
		}
	}
	if moved {
		err = r.feed()
	}
	return moved, err
}

// take judges one frame handed up.
func (r *run) take(queue int, p *driver.RXPacket) error {
	if r.pass == outOnly {
		return r.comeBack(queue, p)
	}
	r.judge.delivered(queue, p)
	return nil
}

// cycle is the sender's clock, 0 where there is none.
func (r *run) cycle() (uint64, error) {
	if clocked, ok := r.bed.Sender.Function().(pcie.Clocked); ok {
		return clocked.Cycle(), nil
	}
	return r.bed.Sender.Cycles()
}

// finish reports what never came and reads the statistics.
func (r *run) finish() (*Result, error) {
	if !r.enough() {
		r.judge.missing()
	}
	cycle, err := r.cycle()
	if err != nil {
		return nil, err
	}
	r.result.Counts = r.judge.counts
	if r.bed.Clocked {
		r.result.Cycles = cycle - r.startCycle
	}
	r.result.SAs = len(r.plan.SAs)
	if r.pass != inOnly { // turn has read those of the first pass
		if r.result.Sender, err = r.bed.Sender.Statistics(); err != nil {
			return nil, err
		}
	}
	r.result.Receiver, err = r.bed.Receiver.Statistics()
	return r.result, err
}

// close stops the queues, so that no buffer is in the NICs' hands, and frees
// the pools. The SAs go with the NICs.
func (r *run) close() error {
	ctx := context.Background()
	var errs []error
	for _, queue := range r.tx {
		errs = append(errs, queue.Stop(ctx))
	}
	for _, queue := range r.rx {
		errs = append(errs, queue.Stop(ctx))
	}
	for _, pool := range []*driver.Pool{r.txPool, r.rxPool} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}
