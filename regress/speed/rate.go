// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/espalier-nic/espalier/driver"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// Traffic says which way packets go.
type Traffic string

// The kinds of traffic.
const (
	SendOnly    Traffic = "send"
	ReceiveOnly Traffic = "receive"
	Both        Traffic = "both"
)

// RateCase is one measurement of cycles per packet.
type RateCase struct {
	Mix     Mix
	Traffic Traffic
	Load    Load
	// Memory is the latency of host memory, reads and writes, in cycles.
	Memory uint64
	// Window is about how many packets of each direction are measured.
	Window int
	// atMAC measures reception where the MAC gives frames to the NIC: the host is
	// too busy to look for completions often.
	atMAC bool
}

// Load says what the packets are spread over.
type Load struct {
	// SAs installed: for Both half of them in each direction, but at least 1.
	SAs int `json:"sas"`
	// Queues are the queue pairs in use. The packets of one SA are received on
	// one queue.
	Queues int `json:"queues"`
}

// The loads that are measured. The first two differ in nothing but the SAs.
var (
	OneSA        = Load{1, 1}
	FullTable    = Load{1024, 1}
	FullTableAll = Load{1024, 4}
)

// Loads are the three of them.
func Loads() []Load { return []Load{OneSA, FullTable, FullTableAll} }

// Conditions of the measurements.
const (
	nearMemory = 40  // cycles
	farMemory  = 200 // cycles
	// rateTimer is how many cycles the NIC waits for a whole batch of completions.
	// Four jumbo frames on one queue are a batch.
	rateTimer = 2500
	// stallCycles is the longest time without a completion: 16 jumbo frames on
	// each queue may share one.
	stallCycles = 100_000
)

// steadyLimit is how far cycles per packet with a full table may be from those
// with one SA.
const steadyLimit = 0.01

// AllRates are the measurements of the benchmark. quick takes fewer packets.
func AllRates(quick bool) []RateCase {
	var cases []RateCase
	for _, memory := range []uint64{nearMemory, farMemory} {
		for _, traffic := range []Traffic{SendOnly, ReceiveOnly, Both} {
			for _, load := range Loads() {
				for _, mix := range Mixes() {
					cases = append(cases, RateCase{Mix: mix, Traffic: traffic, Load: load, Memory: memory, Window: mix.window(quick)})
				}
			}
		}
	}
	return cases
}

// window is how many packets of the mix are worth measuring.
func (m Mix) window(quick bool) int {
	if quick {
		return max(36, int(8_000/m.meanFloor()))
	}
	return max(96, int(48_000/m.meanFloor()))
}

// skipped are the packets before the window: until the pipelines are full and
// both directions run.
func (c RateCase) skipped() int { return 64 + c.Window/16 }

// frames are all packets of a direction. Those after the window keep the NIC
// busy until its end, fetching descriptors included.
func (c RateCase) frames() int {
	return c.skipped() + c.Window + c.Load.Queues*prefetch + 32
}

// prefetch is the descriptors that the NIC fetches ahead on each queue.
const prefetch = 64

// Rate is a flow's steady state, back to back.
type Rate struct {
	// Inner is the size of the inner Ethernet frame with FCS, or "IMIX".
	Inner string `json:"inner_frame"`
	// Traffic says what was under way, Direction which of it this is.
	Traffic   Traffic `json:"traffic"`
	Direction Traffic `json:"direction"`
	Load
	Memory uint64 `json:"memory_latency_cycles"`
	// Frames are those in the measured window.
	Frames int `json:"frames"`
	// Cycles per packet: of sending, from last beat to last beat on the wire;
	// of receiving, from completion to completion in host memory.
	Cycles float64 `json:"cycles_per_packet"`
	// AtMAC, for receiving, are cycles per packet as the MAC gives frames to
	// the NIC, in the same window.
	AtMAC float64 `json:"cycles_per_packet_at_mac,omitempty"`
	// Floor are the fewest cycles per packet, for the sizes in the window.
	Floor   float64 `json:"floor"`
	Ratio   float64 `json:"ratio"`
	Goal    float64 `json:"goal"`
	OwnGoal bool    `json:"goal_is_our_own"`
	Verdict Verdict `json:"verdict"`
	// Steady, for FullTable, is Cycles over those with one SA; SteadyVerdict
	// says whether it is within 1 % of 1.
	Steady        float64 `json:"ratio_to_one_sa,omitempty"`
	SteadyVerdict Verdict `json:"ratio_to_one_sa_verdict,omitempty"`
}

// MeasureRates measures the cases, in the order given.
func MeasureRates(ctx context.Context, sim Target, cases []RateCase, progress func(string)) (_ []Rate, err error) {
	var rates []Rate
	var s *station
	var open RateCase
	defer func() {
		if s != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for _, c := range cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// A station is used again for other sizes: installing SAs takes longer
		// than the measurement.
		if s == nil || open.Traffic != c.Traffic || open.Load != c.Load || open.Memory != c.Memory {
			if s != nil {
				if err := s.close(); err != nil {
					return nil, err
				}
			}
			progress(fmt.Sprintf("cycles per packet: %s, %d SAs, %d queues, memory latency %d", c.Traffic, c.Load.SAs, c.Load.Queues, c.Memory))
			if s, err = openStation(ctx, sim, c.station()); err != nil {
				return nil, err
			}
			open = c
		}
		flows, err := s.measure(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%s, inner frames %s, %d SAs, %d queues, memory latency %d: %w", c.Traffic, c.Mix.Name, c.Load.SAs, c.Load.Queues, c.Memory, err)
		}
		rates = append(rates, flows...)
	}
	compareTables(rates)
	return rates, nil
}

// station is what a case needs. Time passes in single cycles, so that
// completions are seen in the cycle in which they are written.
func (c RateCase) station() stationConfig {
	config := stationConfig{latency: c.Memory, quantum: 1, queues: c.Load.Queues, timer: rateTimer}
	switch c.Traffic {
	case SendOnly:
		config.outbound = c.Load.SAs
	case ReceiveOnly:
		config.inbound = c.Load.SAs
	default:
		half := max(1, c.Load.SAs/2)
		config.outbound, config.inbound = half, half
	}
	return config
}

// stamp is a frame's time and floor, and the queue that it came by.
type stamp struct {
	cycle uint64
	floor int
	queue int
}

// measure runs the packets of one case through the NIC.
func (s *station) measure(ctx context.Context, c RateCase) ([]Rate, error) {
	before, err := s.nic.Statistics()
	if err != nil {
		return nil, err
	}
	var toSend, toReceive int
	if c.Traffic != ReceiveOnly {
		toSend = c.frames()
	}
	if c.Traffic != SendOnly {
		toReceive = c.frames()
	}
	packets, memory, err := s.prepareSend(s.fn, c.Mix, toSend)
	if err != nil {
		return nil, err
	}
	if toReceive > 0 {
		// One SA puts all its frames on one queue; more, so that fetching goes on.
		if err := s.postReceive(s.fn, toReceive+prefetch); err != nil {
			return nil, err
		}
	}
	if err := s.inject(c.Mix, toReceive); err != nil {
		return nil, err
	}
	if err := s.send(packets); err != nil {
		return nil, err
	}
	received, err := s.finish(ctx, toSend, toReceive)
	if err != nil {
		return nil, err
	}
	sent, err := s.takeSent(toSend)
	if err != nil {
		return nil, err
	}
	atMAC, err := s.takeGiven(toReceive)
	if err != nil {
		return nil, err
	}
	if memory != nil {
		if err := s.fn.FreeDMA(memory); err != nil {
			return nil, err
		}
	}
	after, err := s.nic.Statistics()
	if err != nil {
		return nil, err
	}
	if n := int(after.TXESP - before.TXESP); n != toSend {
		return nil, fmt.Errorf("the NIC counts %d frames encrypted, posted were %d", n, toSend)
	}
	if n := int(after.RXESPOK - before.RXESPOK); n != toReceive {
		return nil, fmt.Errorf("the NIC counts %d frames decrypted, given were %d", n, toReceive)
	}
	return c.rates(sent, received, atMAC)
}

// finish lets time pass until all is done. It returns when each received frame
// was seen complete.
func (s *station) finish(ctx context.Context, toSend, toReceive int) ([]stamp, error) {
	done := make([]driver.TXDone, 256)
	got := make([]driver.RXPacket, 256)
	received := make([]stamp, 0, toReceive)
	sent, moved := 0, s.fn.Cycle()
	for sent < toSend || len(received) < toReceive {
		if s.churn != nil {
			if err := s.churn.step(ctx, s.nic, s.fn); err != nil {
				return nil, err
			}
		}
		if err := s.fn.Relax(ctx, 64); err != nil {
			return nil, err
		}
		now := s.fn.Cycle()
		for _, q := range s.tx {
			n, err := q.Poll(done)
			if err != nil {
				return nil, err
			}
			for _, d := range done[:n] {
				if d.Status != driver.OK {
					return nil, fmt.Errorf("a frame was not sent: %v", d.Status)
				}
			}
			if sent += n; n > 0 {
				moved = now
			}
		}
		for number, q := range s.rx {
			n, err := q.Poll(got)
			if err != nil {
				return nil, err
			}
			for _, p := range got[:n] {
				received = append(received, stamp{now, floorOf(p.Length), number})
				moved = now
			}
		}
		if now-moved > stallCycles {
			return nil, fmt.Errorf("nothing happens for %d cycles after %d of %d frames sent and %d of %d received", now-moved, sent, toSend, len(received), toReceive)
		}
	}
	// What is complete may still be on its way to the wire.
	return received, s.fn.Run(idleCycles)
}

// takeSent takes count frames from the wire and checks them.
func (s *station) takeSent(count int) ([]stamp, error) {
	stamps := make([]stamp, count)
	frame := make([]byte, 1<<14)
	for i := range stamps {
		info, err := s.fn.Port().Recv(frame)
		if err != nil {
			return nil, fmt.Errorf("%d of %d frames are on the wire: %w", i, count, err)
		}
		if err := s.checkSent(frame[:info.Size]); err != nil {
			return nil, err
		}
		stamps[i] = stamp{cycle: info.LastCycle, floor: floorOf(int(info.Size))}
	}
	return stamps, nil
}

// takeGiven returns when the NIC took the frames that were injected.
func (s *station) takeGiven(count int) ([]stamp, error) {
	infos := make([]rtlbridge.FrameInfo, count)
	n, err := s.fn.Port().Sent(infos)
	if n != count {
		return nil, because(err, "the NIC took %d of %d frames", n, count)
	}
	stamps := make([]stamp, count)
	for i, info := range infos {
		stamps[i] = stamp{cycle: info.LastCycle, floor: floorOf(int(info.Size))}
	}
	return stamps, nil
}

// rates computes the flows of a case over the time in which all of them were in
// their steady state.
func (c RateCase) rates(sent, received, atMAC []stamp) ([]Rate, error) {
	if c.atMAC {
		received = atMAC
	}
	var from, to uint64 = 0, ^uint64(0)
	for _, stamps := range [][]stamp{sent, received} {
		if len(stamps) > 0 {
			from = max(from, stamps[c.skipped()].cycle)
			to = min(to, stamps[c.skipped()+c.Window].cycle)
		}
	}
	var rates []Rate
	for _, flow := range []struct {
		direction Traffic
		stamps    []stamp
	}{{SendOnly, sent}, {ReceiveOnly, received}} {
		if len(flow.stamps) == 0 {
			continue
		}
		r := Rate{Inner: c.Mix.Name, Traffic: c.Traffic, Direction: flow.direction, Load: c.Load, Memory: c.Memory, Goal: c.Mix.Goal, OwnGoal: c.Mix.Own}
		r.Cycles, r.Floor, r.Frames = window(flow.stamps, from, to)
		if flow.direction == ReceiveOnly {
			r.AtMAC, _, _ = window(atMAC, from, to)
		}
		if r.Frames == 0 {
			return nil, fmt.Errorf("the two directions were never under way together; a window of more than %d packets is needed", c.Window)
		}
		r.Ratio = r.Cycles / r.Floor
		r.Verdict = verdict(r.Ratio <= r.Goal)
		rates = append(rates, r)
	}
	return rates, nil
}

// window returns the mean spacing of the stamps in a time, the mean floor of
// the frames that it is made of, and their number. Each queue is measured from
// the end of a batch of completions (stamps of one cycle) to the end of another,
// so that it does not matter where in a batch the time begins.
func window(stamps []stamp, from, to uint64) (cycles, floor float64, frames int) {
	perCycle, floors := 0.0, 0
	for q := range 1 + slices.MaxFunc(stamps, func(a, b stamp) int { return a.queue - b.queue }).queue {
		var inside []stamp
		for _, s := range stamps {
			if s.queue == q && s.cycle >= from && s.cycle <= to {
				inside = append(inside, s)
			}
		}
		if len(inside) == 0 {
			continue
		}
		first := 0
		for first+1 < len(inside) && inside[first+1].cycle == inside[0].cycle {
			first++
		}
		last := len(inside) - 1
		if first == last {
			continue
		}
		perCycle += float64(last-first) / float64(inside[last].cycle-inside[first].cycle)
		frames += last - first
		for _, s := range inside[first+1:] {
			floors += s.floor
		}
	}
	if frames == 0 {
		return math.NaN(), math.NaN(), 0
	}
	return 1 / perCycle, float64(floors) / float64(frames), frames
}

// compareTables fills in what a full table costs.
func compareTables(rates []Rate) {
	for i := range rates {
		r := &rates[i]
		if r.Load != FullTable {
			continue
		}
		for _, one := range rates {
			if one.Load == OneSA && one.Inner == r.Inner && one.Traffic == r.Traffic && one.Direction == r.Direction && one.Memory == r.Memory {
				r.Steady = r.Cycles / one.Cycles
				r.SteadyVerdict = verdict(r.Steady <= 1+steadyLimit && r.Steady >= 1-steadyLimit)
			}
		}
	}
}
