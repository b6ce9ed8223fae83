// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// Latency is what one packet takes through a NIC that is idle, in clock cycles.
type Latency struct {
	// Inner is the size of the inner Ethernet frame with FCS.
	Inner int `json:"inner_frame"`
	// Memory is the latency of host memory.
	Memory uint64 `json:"memory_latency_cycles"`
	// Send is from the cycle in which the doorbell's write was answered to the
	// frame's first beat on the wire. It holds two reads of host memory, one
	// after the other: descriptor and frame.
	Send uint64 `json:"send"`
	// Receive is from the frame's first beat from the wire to the end of its
	// first burst on the bus to host memory. No read or write of host memory
	// is waited for: the descriptor was fetched before.
	Receive uint64 `json:"receive"`
	// Completion is from the frame's first beat from the wire until its
	// completion is in host memory, which is after the NIC has seen both the
	// frame's writes and the completion's through: two writes one after the
	// other. Completions are not batched.
	Completion uint64 `json:"receive_to_completion"`
	// Beats of the ESP frame, for comparison: both ways whole frames are
	// stored before their first byte may leave.
	Beats int `json:"beats"`
}

// MeasureLatency measures all sizes.
func MeasureLatency(ctx context.Context, sim Target) ([]Latency, error) {
	var all []Latency
	for _, memory := range []uint64{1, nearMemory, farMemory} {
		list, err := measureLatency(ctx, sim, memory)
		if err != nil {
			return nil, fmt.Errorf("latency with memory latency %d: %w", memory, err)
		}
		all = append(all, list...)
	}
	return all, nil
}

func measureLatency(ctx context.Context, sim Target, memory uint64) (_ []Latency, err error) {
	s, err := openStation(ctx, sim, stationConfig{latency: memory, quantum: 1, queues: 1, outbound: 1, inbound: 1, batch: 1})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var list []Latency
	for _, mix := range Mixes() {
		if len(mix.sizes) != 1 {
			continue
		}
		size := mix.sizes[0]
		l := Latency{Inner: int(size), Memory: memory, Beats: (size.length() + beatBytes - 1) / beatBytes}
		if l.Send, err = s.sendLatency(mix); err != nil {
			return nil, err
		}
		if l.Receive, l.Completion, err = s.receiveLatency(ctx, mix, memory); err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

// idleCycles are enough for everything under way to end.
const idleCycles = 4000

func (s *station) sendLatency(mix Mix) (uint64, error) {
	packets, memory, err := s.prepareSend(s.fn, mix, 1)
	if err != nil {
		return 0, err
	}
	if err := s.fn.Run(idleCycles); err != nil {
		return 0, err
	}
	if err := s.send(packets); err != nil {
		return 0, err
	}
	doorbell := s.fn.Cycle()
	if err := s.fn.Run(idleCycles); err != nil {
		return 0, err
	}
	frame := make([]byte, mix.longest())
	info, err := s.fn.Port().Recv(frame)
	if err != nil {
		return 0, fmt.Errorf("frame of %d bytes on the wire: %w", mix.longest(), err)
	}
	done := make([]driver.TXDone, 1)
	if n, err := s.tx[0].Poll(done); n != 1 || done[0].Status != driver.OK {
		return 0, because(err, "frame of %d bytes was not completed", mix.longest())
	}
	return info.FirstCycle - doorbell, errors.Join(s.checkSent(frame[:info.Size]), s.fn.FreeDMA(memory))
}

func (s *station) receiveLatency(ctx context.Context, mix Mix, memory uint64) (first, completion uint64, err error) {
	if err := s.postReceive(s.fn, 1); err != nil {
		return 0, 0, err
	}
	if err := s.fn.Run(idleCycles); err != nil {
		return 0, 0, err
	}
	if err := s.inject(mix, 1); err != nil {
		return 0, 0, err
	}
	start := s.fn.Cycle()
	var wrote uint64
	got := make([]driver.RXPacket, 1)
	for n := 0; n == 0; {
		// With a quantum of 1 this returns right after the cycle of a write.
		if err := s.fn.Relax(ctx, idleCycles); err != nil {
			return 0, 0, err
		}
		now := s.fn.Cycle()
		if wrote == 0 {
			wrote = now
		}
		if now > start+2*idleCycles {
			return 0, 0, fmt.Errorf("frame of %d bytes is not received within %d cycles", mix.longest(), now-start)
		}
		if n, err = s.rx[0].Poll(got); err != nil {
			return 0, 0, err
		}
	}
	if !got[0].IPsec.HeaderInfoSet {
		return 0, 0, fmt.Errorf("frame of %d bytes was not decrypted: %+v", mix.longest(), got[0].IPsec)
	}
	stamps := make([]rtlbridge.FrameInfo, 1)
	if n, err := s.fn.Port().Sent(stamps); n != 1 {
		return 0, 0, because(err, "the MAC has not sent the frame")
	}
	// Memory answers, and has the bytes, so many cycles after the burst's last beat.
	return wrote - memory - stamps[0].FirstCycle, s.fn.Cycle() - stamps[0].FirstCycle, nil
}
