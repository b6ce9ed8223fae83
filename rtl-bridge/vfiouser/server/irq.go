// SPDX-License-Identifier: Apache-2.0

package server

import (
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// irqTable has the interrupt vectors of one client's device.
type irqTable struct {
	counts *counters

	mu      sync.Mutex
	indices []irqIndex
	closed  bool
}

// irqIndex is one interrupt index: all vectors of MSI-X, for instance.
type irqIndex struct {
	IRQ
	vectors []vector
}

// vector is one interrupt. The zero value has no eventfds.
type vector struct {
	// trigger is written when the interrupt is raised, onMask and onUnmask when
	// the client masks or unmasks it.
	trigger, onMask, onUnmask eventFD
	masked                    bool
	// pending: raised while masked.
	pending bool
}

// init sets up the vectors, all unbound.
func (t *irqTable) init(irqs []IRQ) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.indices = make([]irqIndex, len(irqs))
	for i, q := range irqs {
		t.indices[i] = irqIndex{IRQ: q, vectors: make([]vector, q.Count)}
	}
}

// trigger raises a vector.
func (t *irqTable) trigger(index, number int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrDisconnected
	}
	if index < 0 || index >= len(t.indices) || number < 0 || number >= len(t.indices[index].vectors) {
		return refusal(protocol.EINVAL, "trigger vector %d of interrupt index %d, which does not exist", number, index)
	}
	return t.raise(&t.indices[index], number)
}

// raise writes a vector's eventfd or makes it pending. The caller holds mu.
func (t *irqTable) raise(q *irqIndex, number int) error {
	v := &q.vectors[number]
	if v.masked {
		v.pending = true
		return nil
	}
	if !v.trigger.bound() {
		return ErrUnbound
	}
	if q.AutoMasked {
		v.masked = true
	}
	t.counts.interrupts.Add(1)
	return v.trigger.signal()
}

// setMask masks or unmasks a vector. The caller holds mu.
func (t *irqTable) setMask(q *irqIndex, number int, masked bool) {
	v := &q.vectors[number]
	if v.masked == masked {
		return
	}
	v.masked = masked
	if masked {
		_ = v.onMask.signal()
		return
	}
	_ = v.onUnmask.signal()
	if v.pending {
		v.pending = false
		_ = t.raise(q, number) // without an eventfd it is lost
	}
}

// forgetPending forgets interrupts that were raised before a reset.
func (t *irqTable) forgetPending() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.indices {
		for n := range t.indices[i].vectors {
			t.indices[i].vectors[n].pending = false
		}
	}
}

// irqChange is what Device.SetVector is told after the lock is released.
type irqChange struct {
	index, vector int
	bound, masked bool
}

// update runs f on vectors of an index and returns those that have changed for the
// device.
func (t *irqTable) update(index, start, count int, f func(q *irqIndex, number int)) []irqChange {
	t.mu.Lock()
	defer t.mu.Unlock()
	var changes []irqChange
	q := &t.indices[index]
	for n := start; n < start+count; n++ {
		v := &q.vectors[n]
		bound, masked := v.trigger.bound(), v.masked
		f(q, n)
		if v.trigger.bound() != bound || v.masked != masked {
			changes = append(changes, irqChange{index, n, v.trigger.bound(), v.masked})
		}
	}
	return changes
}

// clear returns a vector to its first state.
func (v *vector) clear() {
	v.trigger.close()
	v.onMask.close()
	v.onUnmask.close()
	v.masked, v.pending = false, false
}

// close unbinds everything for good.
func (t *irqTable) close(report func(index, vector int, bound, masked bool)) {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	for index := range t.indices {
		for _, c := range t.update(index, 0, len(t.indices[index].vectors), func(q *irqIndex, n int) { q.vectors[n].clear() }) {
			report(c.index, c.vector, c.bound, c.masked)
		}
	}
}

// irqInfo handles DEVICE_GET_IRQ_INFO.
func (s *session) irqInfo(r *protocol.Request) error {
	p, err := protocol.ParseIRQInfo(r.Payload)
	if err != nil {
		return err
	}
	if p.ArgSize < protocol.IRQInfoSize {
		return refusal(protocol.EINVAL, "DEVICE_GET_IRQ_INFO with room for %d bytes", p.ArgSize)
	}
	if uint64(p.Index) >= uint64(len(s.description.IRQs)) {
		return refusal(protocol.EINVAL, "interrupt index %d does not exist", p.Index)
	}
	q := s.description.IRQs[p.Index]
	answer := protocol.IRQInfo{ArgSize: protocol.IRQInfoSize, Index: p.Index, Count: uint32(q.Count)}
	for _, flag := range []struct {
		set bool
		bit uint32
	}{
		{q.Count > 0, protocol.IRQEventFD},
		{q.Maskable, protocol.IRQMaskable},
		{q.AutoMasked, protocol.IRQAutoMasked},
		{q.NoResize, protocol.IRQNoResize},
	} {
		if flag.set {
			answer.Flags |= flag.bit
		}
	}
	s.reply = answer.Append(s.reply[:0])
	return r.Reply(s.reply, nil)
}

// Kinds of data and actions in a DEVICE_SET_IRQS command.
const (
	irqData    = protocol.IRQDataNone | protocol.IRQDataBool | protocol.IRQDataEventFD
	irqActions = protocol.IRQActionMask | protocol.IRQActionUnmask | protocol.IRQActionTrigger
)

// setIRQs handles DEVICE_SET_IRQS.
func (s *session) setIRQs(r *protocol.Request) error {
	p, err := protocol.ParseIRQSet(r.Payload)
	if err != nil {
		return err
	}
	if err := s.checkIRQs(p, len(r.FDs)); err != nil {
		return err
	}
	index, start, count := int(p.Index), int(p.Start), int(p.Count)
	action := p.Flags & irqActions
	var changes []irqChange
	switch p.Flags & irqData {
	case protocol.IRQDataEventFD:
		changes, err = s.bindVectors(r, action, index, start, count)
	case protocol.IRQDataBool:
		changes = s.irqs.update(index, start, count, func(q *irqIndex, n int) {
			if p.Data[n-start] != 0 {
				s.irqs.act(q, n, action)
			}
		})
	case protocol.IRQDataNone:
		if count == 0 { // all of the index
			changes = s.irqs.update(index, 0, s.description.IRQs[index].Count, func(q *irqIndex, n int) { q.vectors[n].clear() })
			break
		}
		changes = s.irqs.update(index, start, count, func(q *irqIndex, n int) { s.irqs.act(q, n, action) })
	}
	for _, c := range changes {
		s.device.SetVector(c.index, c.vector, c.bound, c.masked)
	}
	if err != nil {
		return err
	}
	return r.Reply(nil, nil)
}

// checkIRQs finds commands that cannot be carried out.
func (s *session) checkIRQs(p protocol.IRQSet, fds int) error {
	data, action := p.Flags&irqData, p.Flags&irqActions
	wrong := func(format string, args ...any) error {
		return refusal(protocol.EINVAL, "DEVICE_SET_IRQS "+format, args...)
	}
	switch {
	case p.Flags&^(irqData|irqActions) != 0 || data&(data-1) != 0 || data == 0 || action&(action-1) != 0 || action == 0:
		return wrong("with flags %#x", p.Flags)
	case uint64(p.Index) >= uint64(len(s.description.IRQs)):
		return wrong("of interrupt index %d, which does not exist", p.Index)
	}
	q := s.description.IRQs[p.Index]
	if uint64(p.Start)+uint64(p.Count) > uint64(q.Count) {
		return wrong("of %d vectors from %d on, interrupt index %d has %d", p.Count, p.Start, p.Index, q.Count)
	}
	if p.Count == 0 && (data != protocol.IRQDataNone || action != protocol.IRQActionTrigger || p.Start != 0) {
		return wrong("of no vectors with flags %#x from %d on", p.Flags, p.Start)
	}
	if action != protocol.IRQActionTrigger && !q.Maskable {
		return wrong("masks interrupt index %d, which cannot be masked", p.Index)
	}
	switch {
	case data == protocol.IRQDataEventFD && fds != 0 && uint64(fds) != uint64(p.Count):
		return wrong("of %d vectors with %d descriptors", p.Count, fds)
	case data == protocol.IRQDataBool && uint64(len(p.Data)) < uint64(p.Count):
		return wrong("of %d vectors with %d bytes for them", p.Count, len(p.Data))
	}
	return nil
}

// act carries out an action without eventfds. The caller holds mu.
func (t *irqTable) act(q *irqIndex, number int, action uint32) {
	switch action {
	case protocol.IRQActionMask:
		t.setMask(q, number, true)
	case protocol.IRQActionUnmask:
		t.setMask(q, number, false)
	case protocol.IRQActionTrigger:
		_ = t.raise(q, number) // a client that triggers a vector without an eventfd sees nothing
	}
}

// bindVectors gives vectors their eventfds for an action; none at all takes them away.
func (s *session) bindVectors(r *protocol.Request, action uint32, index, start, count int) ([]irqChange, error) {
	events := make([]eventFD, count)
	for i := range r.FDs {
		var err error
		if events[i], err = newEventFD(r.FDs.Take(i)); err != nil {
			for _, e := range events {
				e.close()
			}
			return nil, err
		}
	}
	return s.irqs.update(index, start, count, func(q *irqIndex, n int) {
		v := &q.vectors[n]
		to := &v.trigger
		switch action {
		case protocol.IRQActionMask:
			to = &v.onMask
		case protocol.IRQActionUnmask:
			to = &v.onUnmask
		}
		to.close()
		*to = events[n-start]
	}), nil
}
