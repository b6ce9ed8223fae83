// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/espalier-nic/espalier/driver"
)

// Difference is a field in which the NIC's read-back of an SA is not what the
// shadow table says. Of a key the fingerprint is compared.
type Difference struct {
	Handle      OffloadHandle
	Field       string // "SPI"
	Shadow, NIC string
}

// ResetReport says what a reset or resume has done.
type ResetReport struct {
	// Restored is how many SAs were brought back, all under their handles.
	Restored int
	// Differences between the NIC's read-back and the shadow table; any is
	// an error too.
	Differences []Difference
	// AddressingReset: the host has to set the encapsulation again.
	AddressingReset bool
}

// Reset resets the NIC and brings back every SA under its handle, then reads all
// of them back and compares (LIFE-1). Requests under way end with
// REQUEST_ABORTED before the reset begins; requests that come meanwhile are
// NOT_ACCEPTED. The configuration stays. Queues are left stopped: their
// remaining buffers come back from Poll as Aborted, then Start (or
// driver.NIC.StartQueues) brings them back. If Reset fails the adapter accepts
// nothing until another Reset succeeds or Halt.
func (a *Adapter) Reset(ctx context.Context) (ResetReport, error) {
	return a.reset(ctx, false)
}

// AddressingReset is Reset with AddressingReset = TRUE: no received packet is
// processed until the host sets the encapsulation again (LIFE-2).
func (a *Adapter) AddressingReset(ctx context.Context) (ResetReport, error) {
	return a.reset(ctx, true)
}

func (a *Adapter) reset(ctx context.Context, addressing bool) (ResetReport, error) {
	const op = "reset"
	a.life.Lock()
	defer a.life.Unlock()
	if p := a.gate.now(); p == standby {
		return ResetReport{}, withOp(op, notAccepted(p))
	}
	if err := a.gate.shut(ctx, resetting); err != nil {
		a.gate.set(failed)
		return ResetReport{}, withOp(op, err)
	}
	a.settle(ctx)
	if addressing {
		a.deactivate()
	}
	report, err := a.revive(ctx)
	report.AddressingReset = addressing
	if err != nil {
		a.gate.set(failed)
		return report, withOp(op, err)
	}
	a.gate.set(running)
	return report, nil
}

// Standby is the way to D3: the NIC is reset and holds no SA and no key, the
// shadow table keeps them. Requests are NOT_ACCEPTED until Resume (LIFE-3).
func (a *Adapter) Standby(ctx context.Context) error {
	const op = "standby"
	a.life.Lock()
	defer a.life.Unlock()
	if p := a.gate.now(); p != running {
		return withOp(op, notAccepted(p))
	}
	if err := a.gate.shut(ctx, standby); err != nil {
		a.gate.set(failed)
		return withOp(op, err)
	}
	a.settle(ctx)
	if err := a.nic.Reset(ctx); err != nil {
		a.gate.set(failed)
		return fromDriver(op, err)
	}
	return nil
}

// Resume is the way back to D0: as Reset, from standby.
func (a *Adapter) Resume(ctx context.Context) (ResetReport, error) {
	const op = "resume"
	a.life.Lock()
	defer a.life.Unlock()
	if p := a.gate.now(); p != standby {
		return ResetReport{}, withOp(op, refuse(StatusNotAccepted, "adapter", p, "an adapter in standby"))
	}
	report, err := a.revive(ctx)
	if err != nil {
		a.gate.set(failed)
		return report, withOp(op, err)
	}
	a.gate.set(running)
	return report, nil
}

// Pause makes sends fail until Restart. SAs stay and requests are served
// (LIFE-4) [G].
func (a *Adapter) Pause() error {
	if p := a.gate.now(); p != running {
		return withOp("pause", notAccepted(p))
	}
	a.paused.Store(true)
	return nil
}

// Restart ends a Pause.
func (a *Adapter) Restart() error {
	if p := a.gate.now(); p != running {
		return withOp("restart", notAccepted(p))
	}
	a.paused.Store(false)
	return nil
}

// Halt ends the adapter: the keys in the shadow table and in the NIC are
// cleared and the NIC is closed (LIFE-5). No request of the host is needed for
// it. Requests under way end with REQUEST_ABORTED. Further calls do nothing.
func (a *Adapter) Halt(ctx context.Context) error {
	a.life.Lock()
	defer a.life.Unlock()
	if a.gate.now() == halted {
		return nil
	}
	// Even if a request does not leave: its SA's key is waited for below.
	waited := a.gate.shut(ctx, halted)
	for _, e := range a.table.all() {
		e.mu.Lock()
		a.table.remove(e)
		e.mu.Unlock()
	}
	if err := errors.Join(waited, a.nic.Close()); err != nil {
		return fmt.Errorf("halt: %w", err)
	}
	return nil
}

// settle asks the NIC for what aborted UPDATE_SA requests have left open. A NIC
// that does not answer has not carried them out for certain: the host is told
// REQUEST_ABORTED and repeats them.
func (a *Adapter) settle(ctx context.Context) {
	for _, e := range a.table.all() {
		e.mu.Lock()
		if e.unsure {
			if sa, err := a.nic.ReadSA(ctx, e.handle); err == nil {
				e.sa.SequenceHi = sa.SequenceHi
				e.high.Store(sa.SequenceHi)
			}
			e.unsure = false
		}
		e.mu.Unlock()
	}
	a.table.mu.Lock()
	a.table.orphans = nil // the reset that follows takes them along
	a.table.mu.Unlock()
}

// deactivate takes back OID_OFFLOAD_ENCAPSULATION.
func (a *Adapter) deactivate() {
	a.configuring.Lock()
	defer a.configuring.Unlock()
	next := *a.config.Load()
	next.ipv4, next.ipv6 = false, false
	a.config.Store(&next)
}

// revive resets the NIC and restores everything.
func (a *Adapter) revive(ctx context.Context) (ResetReport, error) {
	var report ResetReport
	if err := a.nic.Reset(ctx); err != nil {
		return report, err
	}
	// Off until the table is whole again.
	if err := a.nic.SetIPsec(false); err != nil {
		return report, err
	}
	entries := a.table.all()
	slices.SortFunc(entries, func(x, y *entry) int { return cmp.Compare(x.handle, y.handle) })
	whole := make([]driver.SAEntry, len(entries))
	for i, e := range entries {
		whole[i] = driver.SAEntry{Handle: e.handle, SA: e.sa}
	}
	defer clear(whole)
	for i, err := range a.nic.RestoreSAs(ctx, whole) {
		if err != nil {
			return report, fmt.Errorf("restore SA %v: %w", a.handle(entries[i].handle), err)
		}
		report.Restored++
	}
	var err error
	if report.Differences, err = a.differences(ctx, entries); err != nil {
		return report, err
	}
	if len(report.Differences) > 0 {
		d := report.Differences[0]
		return report, fmt.Errorf("read-back differs in %d fields, first SA %v: %s is %s, should be %s: %w",
			len(report.Differences), d.Handle, d.Field, d.NIC, d.Shadow, driver.ErrHardware)
	}
	return report, a.nic.SetIPsec(a.config.Load().active())
}

// Compare reads every SA back from the NIC and compares it with the shadow
// table. SAs that are added, changed or deleted meanwhile may show up as
// differences.
func (a *Adapter) Compare(ctx context.Context) ([]Difference, error) {
	const op = "compare SAs"
	ctx, leave, err := a.gate.enter(ctx)
	if err != nil {
		return nil, withOp(op, err)
	}
	defer leave()
	differences, err := a.differences(ctx, a.table.all())
	if err != nil {
		return nil, fromDriver(op, err)
	}
	return differences, nil
}

// differences compares the NIC's SAs with entries.
func (a *Adapter) differences(ctx context.Context, entries []*entry) ([]Difference, error) {
	held := make(map[driver.Handle]driver.SAState)
	for s, err := range a.nic.SAStates(ctx) {
		if err != nil {
			return nil, err
		}
		held[s.Handle] = s
	}
	nonce := a.nic.Nonce()
	var found []Difference
	for _, e := range entries {
		got, ok := held[e.handle]
		delete(held, e.handle)
		e.mu.Lock()
		want := e.sa
		print := driver.Fingerprint(want.Key, nonce)
		gone := e.gone
		e.mu.Unlock()
		if gone {
			continue
		}
		if !ok {
			found = append(found, Difference{a.handle(e.handle), "SA", "present", "absent"})
			continue
		}
		for _, f := range []struct {
			field     string
			want, got any
		}{
			{"SPI", fmt.Sprintf("%#08x", want.SPI), fmt.Sprintf("%#08x", got.SA.SPI)},
			{"Inbound", want.Inbound, got.SA.Inbound},
			{"Tunnel", want.Tunnel, got.SA.Tunnel},
			{"IPv6", want.IPv6, got.SA.IPv6},
			{"Src", address(want.Src), address(got.SA.Src)},
			{"Dst", address(want.Dst), address(got.SA.Dst)},
			{"ESN", want.ESN, got.SA.ESN},
			{"SequenceHi", want.SequenceHi, got.SA.SequenceHi},
			{"RXQueue", want.RXQueue, got.SA.RXQueue},
			{"key fingerprint", fmt.Sprintf("%x", print), fmt.Sprintf("%x", got.Fingerprint)},
		} {
			if f.want != f.got {
				found = append(found, Difference{a.handle(e.handle), f.field, fmt.Sprint(f.want), fmt.Sprint(f.got)})
			}
		}
	}
	for _, h := range slices.Sorted(maps.Keys(held)) {
		found = append(found, Difference{a.handle(h), "SA", "absent", "present"})
	}
	return found, nil
}

// address is an SA's address as it is compared: any is one thing.
func address(a netip.Addr) string {
	if !a.IsValid() || a.IsUnspecified() {
		return "any"
	}
	return a.Unmap().String()
}
