// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/espalier-nic/espalier/driver"
)

// MuxMode is how a team uses its members.
type MuxMode uint8

// Modes of a team.
const (
	// ActiveStandby: one member carries all traffic.
	ActiveStandby MuxMode = iota
	// LoadBalance: all members carry traffic. There is no IPsec offload
	// then: the packets of an SA would come through NICs that lack it.
	LoadBalance
)

// String names the mode.
func (m MuxMode) String() string {
	if m == LoadBalance {
		return "load balance"
	}
	return "active and standby"
}

// Mux is a team of adapters that the host sees as one. It offers what all usable
// members have in common. SAs are on the active member; after a fail-over the
// host adds them anew, to the new one, and deletes the old ones when they expire.
type Mux struct {
	members   []*Adapter
	indicator indicator

	configuring sync.Mutex // one change of configuration or of members at a time

	// reserved are SAs being added: with those there they are at most the
	// team's capacity.
	adding   sync.Mutex
	reserved map[*Adapter]int

	mu     sync.RWMutex
	mode   MuxMode
	usable []bool
	active int // meaningless if no member is usable
}

// NewMux makes a team of two or more adapters. The first is active. The members'
// own configuration is the team's from now on; a subscriber of a member's own
// indications must not call the team, which may be waiting for it.
func NewMux(mode MuxMode, members ...*Adapter) (*Mux, error) {
	const op = "new team"
	if len(members) < 2 {
		return nil, withOp(op, refuse(StatusInvalidParameter, "members", len(members), "2 or more"))
	}
	if mode > LoadBalance {
		return nil, withOp(op, refuse(StatusInvalidParameter, "mode", uint8(mode), "0 and 1"))
	}
	seen := make(map[*Adapter]bool)
	m := &Mux{mode: mode, reserved: make(map[*Adapter]int), members: append([]*Adapter(nil), members...)}
	for i, a := range members {
		if a == nil || seen[a] {
			return nil, withOp(op, refuse(StatusInvalidParameter, fmt.Sprintf("member %d", i), "none, or a member already", "adapters that differ"))
		}
		seen[a] = true
		m.usable = append(m.usable, true)
	}
	return m, nil
}

// common is what the usable members have in common of one view; nothing under
// load balance.
func (m *Mux) common(view func(*Adapter) Offload) Offload {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all Offload
	first := true
	if m.mode == LoadBalance {
		return all
	}
	for i, a := range m.members {
		if !m.usable[i] {
			continue
		}
		v := view(a)
		if first {
			all, first = v, false
			continue
		}
		all.IPsecV2 = all.IPsecV2.Intersect(v.IPsecV2)
		all.Flags &= v.Flags
	}
	return all
}

// HardwareCapabilities is what all usable members can do.
func (m *Mux) HardwareCapabilities() Offload { return m.common((*Adapter).HardwareCapabilities) }

// DefaultConfiguration is what is on by default in all usable members.
func (m *Mux) DefaultConfiguration() Offload { return m.common((*Adapter).DefaultConfiguration) }

// CurrentConfiguration is what is on in all usable members.
func (m *Mux) CurrentConfiguration() Offload { return m.common((*Adapter).CurrentConfiguration) }

// Subscribe is as Adapter.Subscribe.
func (m *Mux) Subscribe(call func(Indication)) (cancel func()) { return m.indicator.subscribe(call) }

// Active returns the number of the active member, or -1 if none is usable or
// the team balances load.
func (m *Mux) Active() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.mode == LoadBalance || !m.usable[m.active] {
		return -1
	}
	return m.active
}

// activeMember returns the active member, or why there is none.
func (m *Mux) activeMember() (*Adapter, int, error) {
	i := m.Active()
	if i >= 0 {
		return m.members[i], i, nil
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.mode == LoadBalance {
		return nil, 0, refuse(StatusNotSupported, "team", "IPsec offload", "none: the team balances load")
	}
	return nil, 0, refuse(StatusNotAccepted, "team", "without a usable member", "a usable member")
}

// indicate queues the configuration, and before it the hardware capabilities if
// they may have changed (MUX-1). configuring is held.
func (m *Mux) indicate(hardware bool) {
	if hardware {
		m.indicator.enqueue(Indication{Status: StatusTaskOffloadHardwareCapabilities, Offload: m.HardwareCapabilities()})
	}
	m.indicator.enqueue(Indication{Status: StatusTaskOffloadCurrentConfig, Offload: m.CurrentConfiguration()})
}

// each carries out a set on every usable member and indicates the result once,
// if any has changed.
func (m *Mux) each(set func(*Adapter) error) error {
	defer m.indicator.flush() // runs last, without any lock
	m.configuring.Lock()
	defer m.configuring.Unlock()
	m.mu.RLock()
	usable := append([]bool(nil), m.usable...)
	m.mu.RUnlock()
	var errs []error
	changed := false
	for i, a := range m.members {
		if !usable[i] {
			continue
		}
		if err := set(a); err != nil {
			errs = append(errs, err)
		} else {
			changed = true
		}
	}
	if changed {
		m.indicate(false)
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// SetParameters is as Adapter.SetParameters, for all usable members.
func (m *Mux) SetParameters(ctx context.Context, p Parameters) error {
	if err := p.check(); err != nil {
		return withOp("set offload parameters", err)
	}
	return m.each(func(a *Adapter) error { return a.SetParameters(ctx, p) })
}

// SetEncapsulation is as Adapter.SetEncapsulation, for all usable members.
func (m *Mux) SetEncapsulation(ctx context.Context, s EncapsulationSetting) error {
	framings := EncapsulationEthernet
	if c := m.HardwareCapabilities().IPsecV2; c.Encapsulation != 0 {
		framings = c.Encapsulation
	}
	if err := s.check(framings); err != nil {
		return withOp("set offload encapsulation", err)
	}
	return m.each(func(a *Adapter) error { return a.SetEncapsulation(ctx, s) })
}

// FailOver takes the active member out of the team, because it has failed or
// has lost IPsec, and makes the next usable one active. The changed hardware
// capabilities and then the configuration are indicated. Handles of the member
// that went are not accepted for sends and updates any more; DeleteSA still
// reaches it.
func (m *Mux) FailOver() error {
	defer m.indicator.flush()
	m.configuring.Lock()
	defer m.configuring.Unlock()
	m.mu.Lock()
	if !m.usable[m.active] {
		m.mu.Unlock()
		return withOp("fail over", refuse(StatusNotAccepted, "team", "without a usable member", "a usable member"))
	}
	m.usable[m.active] = false
	for n := range m.members {
		if next := (m.active + 1 + n) % len(m.members); m.usable[next] {
			m.active = next
			break
		}
	}
	m.mu.Unlock()
	m.indicate(true)
	return nil
}

// Rejoin makes a member usable again, with the configuration of the active one.
// What the team offers may shrink; it is indicated as in FailOver.
func (m *Mux) Rejoin(ctx context.Context, member int) error {
	const op = "rejoin team"
	if member < 0 || member >= len(m.members) {
		return withOp(op, refuse(StatusInvalidParameter, "member", member, fmt.Sprintf("0 to %d", len(m.members)-1)))
	}
	defer m.indicator.flush()
	m.configuring.Lock()
	defer m.configuring.Unlock()
	m.mu.RLock()
	known, active, led := m.usable[member], m.members[m.active], m.usable[m.active]
	m.mu.RUnlock()
	if known {
		return withOp(op, refuse(StatusInvalidParameter, "member", member, "members that have left the team"))
	}
	if led {
		like := active.config.Load()
		if err := m.members[member].configure(ctx, op, func(c *configuration) error {
			c.ipsec, c.lso4, c.lso6, c.ipv4, c.ipv6 = like.ipsec, like.lso4, like.lso6, like.ipv4, like.ipv6
			return nil
		}); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.usable[member] = true
	if !led {
		m.active = member
	}
	m.mu.Unlock()
	m.indicate(true)
	return nil
}

// SetMode changes how the team uses its members. Under load balance it offers
// no IPsec; SAs stay with their handles, are not used for sends, and can be
// deleted. It is indicated as in FailOver.
func (m *Mux) SetMode(mode MuxMode) error {
	if mode > LoadBalance {
		return withOp("set mode of team", refuse(StatusInvalidParameter, "mode", uint8(mode), "0 and 1"))
	}
	defer m.indicator.flush()
	m.configuring.Lock()
	defer m.configuring.Unlock()
	m.mu.Lock()
	m.mode = mode
	m.mu.Unlock()
	m.indicate(true)
	return nil
}

// AddSA is as Adapter.AddSA, on the active member; what the members do not have
// in common is NOT_SUPPORTED, more SAs than the smallest of them has room for
// are RESOURCES.
func (m *Mux) AddSA(ctx context.Context, entries ...*AddSA) error {
	const op = "add SA"
	for _, e := range entries {
		if e != nil {
			e.OffloadHandle, e.Refused = 0, nil
		}
	}
	a, _, err := m.activeMember()
	if err != nil {
		for _, e := range entries {
			if e != nil {
				e.Refused = withOp(op, err)
			}
		}
		return withOp(op, err)
	}
	limits := *a.config.Load()
	limits.current = m.CurrentConfiguration()
	room, release := m.reserve(a, int(limits.current.IPsecV2.SAOffloadCapacity), len(entries))
	defer release()
	var first error
	var possible []*AddSA
	for i, e := range entries {
		var err error
		switch {
		case e == nil:
			err = refuse(StatusInvalidData, fmt.Sprintf("entry %d", i), "nil", "an ADD_SA entry")
		default:
			if err = e.checkForm(&a.opts); err == nil {
				err = e.checkOffered(&limits, a.nic.Capabilities().ICVLengths, &a.opts)
			}
			if err == nil && len(possible) >= room {
				err = refuse(StatusResources, "SA", fmt.Sprintf("number %d", limits.current.IPsecV2.SAOffloadCapacity+1),
					fmt.Sprintf("%d SAs", limits.current.IPsecV2.SAOffloadCapacity))
			}
		}
		if err == nil {
			possible = append(possible, e)
			continue
		}
		err = withOp(op, err)
		if e != nil {
			e.Refused = err
		}
		if first == nil {
			first = err
		}
	}
	if len(possible) == 0 && len(entries) > 0 {
		return first
	}
	return a.AddSA(ctx, possible...)
}

// reserve sets room for up to want SAs on a member aside, until release.
func (m *Mux) reserve(a *Adapter, capacity, want int) (room int, release func()) {
	m.adding.Lock()
	defer m.adding.Unlock()
	room = max(0, min(want, capacity-a.table.count()-m.reserved[a]))
	m.reserved[a] += room
	return room, func() {
		m.adding.Lock()
		defer m.adding.Unlock()
		m.reserved[a] -= room
	}
}

// AddSAEx is as Adapter.AddSAEx, see AddSA.
func (m *Mux) AddSAEx(ctx context.Context, e *AddSAEx) error {
	if e == nil {
		return withOp("add SA", refuse(StatusInvalidData, "entry", "nil", "an ADD_SA_EX structure"))
	}
	return m.AddSA(ctx, &e.AddSA)
}

// UpdateSA is as Adapter.UpdateSA, on the active member: handles of others are
// INVALID_PARAMETER.
func (m *Mux) UpdateSA(ctx context.Context, u UpdateSA) error {
	a, _, err := m.activeMember()
	if err != nil {
		return withOp("update SA", err)
	}
	return a.UpdateSA(ctx, u)
}

// DeleteSA is as Adapter.DeleteSA, on the members that have the SAs, also those
// that have left the team.
func (m *Mux) DeleteSA(ctx context.Context, handles ...OffloadHandle) error {
	const op = "delete SA"
	if len(handles) == 0 {
		return withOp(op, refuse(StatusInvalidData, "list", "of no entry", "1 entry or more"))
	}
	var errs []error
	rest := make(map[OffloadHandle]bool)
	for _, h := range handles {
		rest[h] = true
	}
	for _, a := range m.members {
		var own []OffloadHandle
		for _, h := range handles {
			if uint32(h>>32) == a.tag {
				own = append(own, h)
				delete(rest, h)
			}
		}
		if len(own) == 0 {
			continue
		}
		if err := a.DeleteSA(ctx, own...); err != nil {
			errs = append(errs, err)
		}
	}
	for _, h := range handles {
		if rest[h] {
			errs = append(errs, withOp(op, unknownHandle(h)))
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// PrepareSend is as Adapter.PrepareSend; it returns the number of the member on
// whose queues the packet goes. Under load balance that is for the caller to
// choose (-1), and a packet that names an SA fails.
func (m *Mux) PrepareSend(s *Send) (packet driver.TXPacket, member int, err error) {
	a, i, err := m.activeMember()
	if err == nil {
		packet, err = a.PrepareSend(s)
		return packet, i, err
	}
	if StatusOf(err) == StatusNotSupported { // load balance
		if s.Info[SlotIPsec] == 0 && s.Info[SlotIPsecTunnel] == 0 && s.Info[SlotLargeSend] == 0 {
			return driver.TXPacket{Buffer: s.Buffer, Offset: s.Offset, Length: s.Length, Cookie: s.Cookie}, -1, nil
		}
		err = refuse(StatusFailure, "slot 1", fmt.Sprintf("SA %v", OffloadHandle(s.Info[SlotIPsec])), "0: the team balances load")
	}
	return driver.TXPacket{}, -1, withOp("send", err)
}

// ReceiveInfo is as Adapter.ReceiveInfo, for a packet that a member received.
func (m *Mux) ReceiveInfo(member int, p *driver.RXPacket) (NetBufferListInfo, error) {
	if member < 0 || member >= len(m.members) {
		return NetBufferListInfo{}, withOp("receive", refuse(StatusInvalidParameter, "member", member, fmt.Sprintf("0 to %d", len(m.members)-1)))
	}
	return m.members[member].ReceiveInfo(p), nil
}
