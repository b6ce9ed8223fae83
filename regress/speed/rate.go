// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"errors"
	"fmt"
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
	// SAs in use, of each direction that has traffic if 1, else in all: the
	// NIC's table is full with 1,024.
	SAs int
	// Memory is the latency of host memory, reads and writes, in cycles.
	Memory uint64
	// Frames are the packets of each direction.
	Frames int
}

// Table sizes and memory latencies that are measured.
const (
	oneSA       = 1
	fullTable   = 1024
	nearMemory  = 40
	farMemory   = 200
	rateQueues  = 4
	rateQuantum = 16
	stallCycles = 20_000 // longest time without any progress
)

// steadyLimit is how far cycles per packet with a full table may be from those
// with one SA.
const steadyLimit = 0.01

// AllRates are the measurements of the benchmark. quick takes fewer frames.
func AllRates(quick bool) []RateCase {
	var cases []RateCase
	for _, memory := range []uint64{nearMemory, farMemory} {
		for _, traffic := range []Traffic{SendOnly, ReceiveOnly, Both} {
			for _, sas := range []int{oneSA, fullTable} {
				for _, mix := range Mixes() {
					cases = append(cases, RateCase{Mix: mix, Traffic: traffic, SAs: sas, Memory: memory, Frames: mix.frames(quick)})
				}
			}
		}
	}
	return cases
}

// frames is how many frames of the mix are enough: some that fill the buffers
// on the way, which takes the longer the less the two ends of a buffer differ
// in speed, and as many again to measure.
func (m Mix) frames(quick bool) int {
	cycles := 60_000.0
	if quick {
		cycles = 30_000
	}
	return min(ringEntries-1, max(96, int(cycles/m.meanFloor())))
}

// Rate is a flow's steady state, back to back.
type Rate struct {
	// Inner is the size of the inner Ethernet frame with FCS, or "IMIX".
	Inner string `json:"inner_frame"`
	// Traffic says what was under way, Direction which of it this is.
	Traffic   Traffic `json:"traffic"`
	Direction Traffic `json:"direction"`
	SAs       int     `json:"sas"`
	Memory    uint64  `json:"memory_latency_cycles"`
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
	// Steady, for a full table, is Cycles over those with one SA;
	// SteadyVerdict says whether it is within 1 % of 1.
	Steady        float64 `json:"ratio_to_one_sa,omitempty"`
	SteadyVerdict Verdict `json:"ratio_to_one_sa_verdict,omitempty"`
}

// MeasureRates measures the cases, in the order given.
func MeasureRates(ctx context.Context, lib *rtlbridge.Library, cases []RateCase, progress func(string)) (_ []Rate, err error) {
	if lib == nil {
		return nil, errors.New("a simulator library is needed")
	}
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
		if s == nil || open.Traffic != c.Traffic || open.SAs != c.SAs || open.Memory != c.Memory {
			if s != nil {
				if err := s.close(); err != nil {
					return nil, err
				}
			}
			progress(fmt.Sprintf("cycles per packet: %s, %d SAs, memory latency %d", c.Traffic, c.SAs, c.Memory))
			if s, err = openStation(ctx, lib, c.station()); err != nil {
				return nil, err
			}
			open = c
		}
		flows, err := s.measure(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%s, inner frames %s, %d SAs, memory latency %d: %w", c.Traffic, c.Mix.Name, c.SAs, c.Memory, err)
		}
		rates = append(rates, flows...)
	}
	compareTables(rates)
	return rates, nil
}

// station is what a case needs.
func (c RateCase) station() stationConfig {
	config := stationConfig{latency: c.Memory, quantum: rateQuantum, queues: rateQueues}
	switch {
	case c.Traffic == SendOnly:
		config.outbound = c.SAs
	case c.Traffic == ReceiveOnly:
		config.inbound = c.SAs
	case c.SAs == 1:
		config.outbound, config.inbound = 1, 1
	default:
		config.outbound, config.inbound = c.SAs/2, c.SAs/2
	}
	return config
}

// stamp is a frame's time and floor.
type stamp struct {
	cycle uint64
	floor int
}

// measure runs the packets of one case through the NIC.
func (s *station) measure(ctx context.Context, c RateCase) ([]Rate, error) {
	before, err := s.nic.Statistics()
	if err != nil {
		return nil, err
	}
	var toSend, toReceive int
	if c.Traffic != ReceiveOnly {
		toSend = c.Frames
	}
	if c.Traffic != SendOnly {
		toReceive = c.Frames
	}
	packets, memory, err := s.prepareSend(s.fn, c.Mix, toSend)
	if err != nil {
		return nil, err
	}
	if toReceive > 0 {
		// One SA puts all its frames on one queue.
		if err := s.postReceive(s.fn, toReceive, c.Mix.longest()); err != nil {
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
	for i := range received {
		received[i].floor = atMAC[i].floor // order and sizes are those of arrival, on each queue
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
	return c.rates(sent, received, atMAC), nil
}

// finish lets time pass until all is done. It returns when each received frame
// was seen complete.
func (s *station) finish(ctx context.Context, toSend, toReceive int) ([]stamp, error) {
	done := make([]driver.TXDone, 256)
	got := make([]driver.RXPacket, 256)
	received := make([]stamp, 0, toReceive)
	sent, moved := 0, s.fn.Cycle()
	for sent < toSend || len(received) < toReceive {
		if err := s.fn.Relax(ctx, 0); err != nil {
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
		for _, q := range s.rx {
			n, err := q.Poll(got)
			if err != nil {
				return nil, err
			}
			for range n {
				received = append(received, stamp{cycle: now})
				moved = now
			}
		}
		if now-moved > stallCycles {
			return nil, fmt.Errorf("nothing happens for %d cycles after %d of %d frames sent and %d of %d received", now-moved, sent, toSend, len(received), toReceive)
		}
	}
	// What is complete may still be on its way to the wire.
	return received, s.fn.Run(stallCycles / 4)
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
		stamps[i] = stamp{info.LastCycle, floorOf(int(info.Size))}
	}
	return stamps, nil
}

// takeGiven returns when the NIC took the frames that were injected.
func (s *station) takeGiven(count int) ([]stamp, error) {
	infos := make([]rtlbridge.FrameInfo, count)
	n, err := s.fn.Port().Sent(infos)
	if err != nil || n != count {
		return nil, errors.Join(err, fmt.Errorf("the NIC took %d of %d frames", n, count))
	}
	stamps := make([]stamp, count)
	for i, info := range infos {
		stamps[i] = stamp{info.LastCycle, floorOf(int(info.Size))}
	}
	return stamps, nil
}

// rates computes the flows of a case over the time in which all of them were in
// their steady state.
func (c RateCase) rates(sent, received, atMAC []stamp) []Rate {
	var from, to uint64 = 0, ^uint64(0)
	for _, stamps := range [][]stamp{sent, received} {
		if n := len(stamps); n > 0 {
			from = max(from, stamps[n/2].cycle)
			to = min(to, stamps[n-1-n/16].cycle)
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
		r := Rate{Inner: c.Mix.Name, Traffic: c.Traffic, Direction: flow.direction, SAs: c.SAs, Memory: c.Memory, Goal: c.Mix.Goal, OwnGoal: c.Mix.Own}
		r.Cycles, r.Floor, r.Frames = window(flow.stamps, from, to)
		if flow.direction == ReceiveOnly {
			r.AtMAC, _, _ = window(atMAC, from, to)
		}
		r.Ratio = r.Cycles / r.Floor
		r.Verdict = verdict(r.Ratio <= r.Goal)
		rates = append(rates, r)
	}
	return rates
}

// window returns the mean spacing of the stamps in a time, the mean floor of
// the frames that it is made of, and their number.
func window(stamps []stamp, from, to uint64) (cycles, floor float64, frames int) {
	first := slices.IndexFunc(stamps, func(s stamp) bool { return s.cycle >= from })
	last := first
	sum := 0
	for i := first + 1; i < len(stamps) && stamps[i].cycle <= to; i++ {
		sum += stamps[i].floor
		last = i
	}
	frames = last - first
	if frames == 0 {
		return 0, 0, 0
	}
	return float64(stamps[last].cycle-stamps[first].cycle) / float64(frames), float64(sum) / float64(frames), frames
}

// compareTables fills in what a full table costs.
func compareTables(rates []Rate) {
	for i := range rates {
		r := &rates[i]
		if r.SAs == oneSA {
			continue
		}
		for _, one := range rates {
			if one.SAs == oneSA && one.Inner == r.Inner && one.Traffic == r.Traffic && one.Direction == r.Direction && one.Memory == r.Memory {
				r.Steady = r.Cycles / one.Cycles
				r.SteadyVerdict = verdict(r.Steady <= 1+steadyLimit && r.Steady >= 1-steadyLimit)
			}
		}
	}
}
