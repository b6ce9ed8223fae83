// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
)

// sender is the way from the plain port to the NIC.
type sender struct {
	*Gateway
	ctx     context.Context
	packets []driver.TXPacket // to be posted
	done    []driver.TXDone
}

// maxPlainFrame is the longest frame of a port.
const maxPlainFrame = 16383

// send carries frames from the plain port to the NIC.
func (g *Gateway) send(ctx context.Context) error {
	s := &sender{Gateway: g, ctx: ctx, packets: make([]driver.TXPacket, 0, batch), done: make([]driver.TXDone, batch)}
	frames, sizes := make([][]byte, batch), make([]int, batch)
	for i := range frames {
		frames[i] = make([]byte, maxPlainFrame)
	}
	for {
		n, err := g.plain.Receive(frames, sizes)
		if err != nil {
			return err
		}
		for i := range n {
			if err := s.frame(frames[i][:sizes[i]]); err != nil {
				return err
			}
		}
		if err := s.flush(); err != nil {
			return err
		}
	}
}

// frame decides on one frame.
func (s *sender) frame(frame []byte) error {
	h, kind := parseFrame(frame)
	switch kind {
	case kindOther:
		s.drop(OutNotIP, nil)
		return nil
	case kindMalformed:
		s.drop(OutHdrError, nil)
		return nil
	case kindARP:
		if s.config.NoResolution {
			s.drop(OutNotIP, nil)
			return nil
		}
		return s.bypass(frame)
	case kindNeighbour:
		if !s.config.NoResolution {
			return s.bypass(frame)
		}
	}
	match, found := s.out.find(&h)
	switch match.action {
	case Bypass:
		return s.bypass(frame)
	case Protect:
		return s.protect(frame, match.sa, &h)
	}
	if found {
		s.drop(OutPolBlock, nil)
	} else {
		s.drop(OutNoPols, nil)
	}
	return nil
}

// bypass sends a frame as it is.
func (s *sender) bypass(frame []byte) error {
	if len(frame) > ethernetLen+s.config.MTU {
		s.drop(OutTooLong, nil)
		return nil
	}
	buffer, err := s.buffer()
	if err != nil {
		return err
	}
	n := copy(buffer.Bytes(), frame)
	s.bypassed[0].Add(1)
	s.packets = append(s.packets, driver.TXPacket{Buffer: buffer, Length: n})
	return nil
}

// protect sends a frame with ESP.
func (s *sender) protect(frame []byte, a *association, h *headers) error {
	if err := s.followESN(a); err != nil {
		return err
	}
	buffer, err := s.buffer()
	if err != nil {
		return err
	}
	info, err := a.framer.Frame(buffer.Bytes(), frame)
	if err != nil {
		reason := outReason(err)
		if reason == OutStateSeqError && !a.exhausted {
			a.exhausted = true
			s.config.Event(fmt.Sprintf("%s: sequence numbers are used up; its packets are dropped until the SA is replaced", a))
		}
		s.drop(reason, a)
		return s.txPool.Put(buffer)
	}
	protected := h.length
	if !a.config.Tunnel {
		protected -= h.headerLen
	}
	a.counts.carried(protected)
	s.packets = append(s.packets, driver.TXPacket{Buffer: buffer, Length: info.Length, SA: a.handle, ESPOffset: info.ESPOffset, Sequence: info.Sequence})
	return nil
}

// outReason says why a frame could not be framed.
func outReason(err error) Drop {
	switch {
	case errors.Is(err, espframe.ErrSequenceExhausted):
		return OutStateSeqError
	case errors.Is(err, espframe.ErrTooLong):
		return OutTooLong
	case errors.Is(err, espframe.ErrFragment):
		return OutFragment
	case errors.Is(err, espframe.ErrOptions):
		return OutOptions
	}
	return OutHdrError
}

// followESN tells the NIC when the SA's next sequence number has another upper
// half. Frames posted before keep theirs; those in the batch are posted first.
func (s *sender) followESN(a *association) error {
	last := a.framer.LastSequence()
	if !a.config.ESN || last == math.MaxUint64 {
		return nil
	}
	high := uint32((last + 1) >> 32)
	if high == a.highInNIC {
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.nic.UpdateSA(s.ctx, a.handle, high); err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	a.highInNIC = high
	return nil
}

// buffer takes an empty buffer, if need be from frames that the NIC has sent.
func (s *sender) buffer() (*driver.Buffer, error) {
	for {
		if len(s.packets) < batch {
			if b := s.txPool.Get(); b != nil {
				return b, nil
			}
		}
		if err := s.flush(); err != nil {
			return nil, err
		}
		if s.txPool.Free() > 0 {
			continue
		}
		if err := s.tx.Wait(s.ctx); err != nil {
			return nil, err
		}
		if err := s.reap(); err != nil {
			return nil, err
		}
	}
}

// flush posts the batch and takes back what the NIC has sent.
func (s *sender) flush() error {
	for left := s.packets; len(left) > 0; {
		if room := s.tx.Size() - 1 - s.tx.Outstanding(); s.checker != nil && room > 0 {
			s.expect(left[:min(room, len(left))])
		}
		n, err := s.tx.Post(left)
		left = left[n:]
		if err != nil {
			return err
		}
		if len(left) > 0 {
			if err := s.tx.Wait(s.ctx); err != nil {
				return err
			}
		}
		if err := s.reap(); err != nil {
			return err
		}
	}
	clear(s.packets)
	s.packets = s.packets[:0]
	return nil
}

// reap takes back what the NIC has sent.
func (s *sender) reap() error {
	for {
		n, err := s.tx.Poll(s.done)
		if err != nil || n == 0 {
			return err
		}
		for i := range s.done[:n] {
			done := &s.done[i]
			if done.Status != driver.OK {
				s.drop(OutDevice, nil)
			}
			if s.checker != nil {
				s.checker.reported(done.Cookie, done.Status)
			}
			if err := s.txPool.Put(done.Buffer); err != nil {
				return err
			}
		}
	}
}
