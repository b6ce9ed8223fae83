// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Steps of a Runner, in clock cycles, where the simulator does not see that somebody
// waits: in a Cluster, or in a library without espalier_sim_attention. An access waits
// for the step under way there, so steps are small while accesses come; where nothing
// but the NIC is at work large ones save the overhead, most of all that of members of a
// Cluster.
const (
	smallStep = 32
	largeStep = 256
	// closeBy is for how many cycles after an access steps stay small.
	closeBy = 1 << 14
)

// A NIC that has done nothing that anybody could see, and that nobody has spoken
// to, for patience cycles is clocked by bursts with pauses between them that
// double from shortPause to longPause. Patience is longer than the longest time
// that interrupt moderation can ask for (16 x 65535 cycles), and than the firmware
// takes to start.
const (
	patience   = 1<<20 + 1<<18
	burst      = 1 << 10
	shortPause = time.Millisecond
	longPause  = 100 * time.Millisecond
)

// Runner clocks one or more Devices on a goroutine of its own. Several share one
// time, as in a Cluster, so that their wires can be joined.
//
// Accesses have priority: they wait for the end of one clock cycle, or of a step of a
// few, only. A Runner whose Devices have nothing to do keeps no processor busy; an
// access, a frame from the wire, or memory mapped wakes it at once.
type Runner struct {
	devices []*Device
	mu      *sync.Mutex
	// waiting counts goroutines that want mu; the runner lets them go first. The
	// simulator looks at it, where it can.
	waiting atomic.Int32
	// spoken counts the times that anybody has had mu.
	spoken  atomic.Uint64
	cycles  atomic.Uint64
	running atomic.Bool
	pausing atomic.Bool
	held    atomic.Bool
	wake    chan struct{}
	stop    chan struct{}
	ended   chan struct{}
	once    sync.Once
	pinner  runtime.Pinner // of what the simulator looks at
}

// Start begins to clock devices that no Runner has yet, before they are used by
// other goroutines.
func Start(devices ...*Device) (*Runner, error) {
	r, err := Prepare(devices...)
	if err == nil {
		r.Run()
	}
	return r, err
}

// Prepare is Start without its last step: the devices share their time, so that
// wires can be joined, and it stands still until Run.
func Prepare(devices ...*Device) (*Runner, error) {
	if len(devices) == 0 {
		return nil, errors.New("runner: no device")
	}
	for _, d := range devices {
		if d.runner != nil {
			return nil, errors.New("runner: a device belongs to one already")
		}
	}
	if len(devices) > 1 {
		members := make([]*instance, len(devices))
		for i, d := range devices {
			members[i] = &d.instance
		}
		if _, err := newCluster(members); err != nil {
			return nil, err
		}
	}
	r := &Runner{devices: devices, mu: devices[0].mu, wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	for _, d := range devices {
		d.runner = r
	}
	return r, nil
}

// Run lets time pass. It is called once, unless Close was called before.
func (r *Runner) Run() {
	r.running.Store(true)
	go r.run()
}

// Cycles returns how many cycles the Runner has let pass in its steps; accesses
// take some more.
func (r *Runner) Cycles() uint64 { return r.cycles.Load() }

// Hold stops the clock, or lets it go on. Accesses let time pass all the same, so
// that nobody who waits for the answer to one waits for what comes after Hold.
// It may be called from taps and outputs of the devices' wires. A step that is
// under way ends first.
func (r *Runner) Hold(on bool) {
	r.held.Store(on)
	if !on && r.pausing.Load() {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// Close stops the clock; devices can still be used, and time passes in their
// accesses only.
func (r *Runner) Close() {
	r.once.Do(func() { close(r.stop) })
	if r.running.Load() {
		<-r.ended
	}
}

// acquire takes mu for somebody other than the runner.
func (r *Runner) acquire() {
	r.waiting.Add(1)
	r.spoken.Add(1)
	if r.pausing.Load() {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
	for start := time.Now(); !r.mu.TryLock(); {
		if time.Since(start) > impatience {
			r.mu.Lock()
			break
		}
	}
	r.waiting.Add(-1)
}

// impatience is how long an access tries again and again to have the NIC before it
// sleeps: longer than a clock cycle takes, and shorter than waking.
const impatience = 20 * time.Microsecond

// run clocks the devices until Close or until a design stops.
func (r *Runner) run() {
	defer close(r.ended)
	rhythm := rhythm{r: r, attentive: r.attend()}
	defer r.attendNobody()
	for {
		if err := rhythm.turn(); err != nil {
			for _, d := range r.devices {
				d.stopped(err)
			}
			<-r.stop
			return
		}
		select {
		case <-r.stop:
			return
		default:
		}
		if r.held.Load() {
			if !r.standStill() {
				return
			}
			continue
		}
		if pause := rhythm.pause(); pause > 0 {
			if !r.sleep(pause) {
				return
			}
			continue
		}
		for r.waiting.Load() > 0 {
			runtime.Gosched() // the mutex would let the runner, which has the processor, win
		}
	}
}

// attend has the simulator stop for who waits, and says whether it can. Members of a
// Cluster go in step and cannot.
func (r *Runner) attend() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.devices) > 1 {
		return false
	}
	r.pinner.Pin(&r.waiting)
	return r.devices[0].sim.attention(&r.waiting)
}

// attendNobody ends what attend began. A simulator that has stopped for good refuses,
// and does not advance again either.
func (r *Runner) attendNobody() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.devices) == 1 {
		r.devices[0].sim.attention(nil)
	}
	r.pinner.Unpin()
}

// standStill waits while the clock is held; false means that the runner is to end.
func (r *Runner) standStill() bool {
	r.pausing.Store(true) // before the look at held, so that Hold sees it or is seen
	defer r.pausing.Store(false)
	for r.held.Load() {
		select {
		case <-r.stop:
			return false
		case <-r.wake:
		}
	}
	return true
}

// sleep waits until it is time or somebody speaks to a device; false means that
// the runner is to end.
func (r *Runner) sleep(pause time.Duration) bool {
	r.pausing.Store(true)
	defer r.pausing.Store(false)
	if r.waiting.Load() > 0 { // between the last look and pausing
		return true
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-r.stop:
		return false
	case <-r.wake:
	case <-timer.C:
	}
	return true
}

// rhythm decides how large steps are and when to pause.
type rhythm struct {
	r *Runner
	// spoken is Runner.spoken as last seen.
	spoken uint64
	// attentive: the simulator stops for who waits.
	attentive bool
	// Cycles since anybody spoke to a device, and since then or since a device
	// did something.
	unspoken, quiet uint64
	next            time.Duration
}

// turn lets time pass until somebody waits, or for a while.
func (h *rhythm) turn() error {
	r := h.r
	r.mu.Lock()
	defer r.mu.Unlock()
	for ran := uint64(0); ran < burst && !r.held.Load(); {
		if now := r.spoken.Load(); now != h.spoken {
			h.spoken, h.unspoken, h.quiet, h.next = now, 0, 0, 0
		}
		step := uint64(smallStep)
		switch {
		case h.attentive:
			step = burst - ran
		case h.unspoken >= closeBy:
			step = largeStep
		}
		events, step, err := r.devices[0].stepUntil(step, anything)
		if err != nil {
			return err
		}
		ran += step
		r.cycles.Add(step)
		h.unspoken += step
		h.quiet += step
		if events != 0 {
			h.quiet, h.next = 0, 0
		}
		if r.waiting.Load() > 0 {
			return nil
		}
	}
	return nil
}

// pause returns how long to pause after a turn.
func (h *rhythm) pause() time.Duration {
	if h.quiet < patience {
		return 0
	}
	h.next = min(max(2*h.next, shortPause), longPause)
	return h.next
}
