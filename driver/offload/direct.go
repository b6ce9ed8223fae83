// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/espalier-nic/espalier/driver"
)

// handle tags a driver's handle.
func (a *Adapter) handle(h driver.Handle) OffloadHandle {
	return OffloadHandle(a.tag)<<32 | OffloadHandle(h)
}

// find returns the SA that a handle names. Handles of another adapter, of no
// SA and of a deleted one are INVALID_PARAMETER.
func (a *Adapter) find(h OffloadHandle) (*entry, error) {
	if uint32(h>>32) == a.tag {
		if e := a.table.find(driver.Handle(uint32(h))); e != nil {
			return e, nil
		}
	}
	return nil, unknownHandle(h)
}

func unknownHandle(h OffloadHandle) error {
	return refuse(StatusInvalidParameter, "OffloadHandle", h, "handles of SAs that this adapter has")
}

// AddSA carries out OID_TCP_TASK_IPSEC_OFFLOAD_V2_ADD_SA. Each entry gets its
// OffloadHandle, or 0 and the reason in Refused. AddSA succeeds if at least one
// SA was offloaded (ADD-2); otherwise it returns the first reason, and nothing
// was offloaded (ADD-3). An SA can be used when AddSA returns. Keys are copied,
// for the shadow table that survives a reset.
func (a *Adapter) AddSA(ctx context.Context, entries ...*AddSA) error {
	const op = "add SA"
	for _, e := range entries {
		if e != nil {
			e.OffloadHandle, e.Refused = 0, nil
		}
	}
	if len(entries) == 0 {
		return withOp(op, refuse(StatusInvalidData, "list", "of no entry", "1 entry or more"))
	}
	ctx, leave, err := a.gate.enter(ctx)
	if err != nil {
		for _, e := range entries {
			if e != nil {
				e.Refused = withOp(op, err)
			}
		}
		return withOp(op, err)
	}
	defer leave()
	a.sweep(ctx)
	errs := a.add(ctx, entries)
	var first error
	added := false
	for i, e := range entries {
		if errs[i] == nil {
			added = true
			continue
		}
		err := withOp(op, errs[i])
		if e != nil {
			e.Refused = err
		}
		if first == nil {
			first = err
		}
	}
	if added {
		return nil
	}
	return first
}

// AddSAEx carries out OID_TCP_TASK_IPSEC_OFFLOAD_V2_ADD_SA_EX: it succeeds if
// the SA was offloaded.
func (a *Adapter) AddSAEx(ctx context.Context, e *AddSAEx) error {
	if e == nil {
		return withOp("add SA", refuse(StatusInvalidData, "entry", "nil", "an ADD_SA_EX structure"))
	}
	return a.AddSA(ctx, &e.AddSA)
}

// add offloads SAs, as many at a time as the NIC takes, and sets their handles.
// Error i belongs to entry i.
func (a *Adapter) add(ctx context.Context, entries []*AddSA) []error {
	errs := make([]error, len(entries))
	before := a.config.Load()
	icvs := a.nic.Capabilities().ICVLengths
	var sas []driver.SA
	var asked []int // the entries that sas belong to
	for i, e := range entries {
		if e == nil {
			errs[i] = refuse(StatusInvalidData, fmt.Sprintf("entry %d", i), "nil", "an ADD_SA entry")
			continue
		}
		sa, err := e.check(before, icvs, &a.opts)
		if errs[i] = err; err == nil {
			sas, asked = append(sas, sa), append(asked, i)
		}
	}
	if len(sas) == 0 {
		return errs
	}
	handles, refused := a.nic.AddSAs(ctx, sas)
	var surplus []driver.Handle
	a.table.mu.Lock()
	now := a.config.Load()
	for n, i := range asked {
		err := fromDriver("add SA", refused[n])
		if err == nil && now != before {
			// The configuration has changed meanwhile; perhaps it has just
			// removed the algorithm (CFG-7).
			if err = entries[i].checkOffered(now, icvs, &a.opts); err != nil {
				surplus = append(surplus, handles[n])
			}
		}
		if errs[i] = err; err != nil {
			sas[n].Key.Zero()
			continue
		}
		a.table.insert(handles[n], sas[n])
		entries[i].OffloadHandle = a.handle(handles[n])
	}
	a.table.mu.Unlock()
	clear(sas) // the salts; the keys are the table's or zero
	_ = a.discard(ctx, surplus)
	return errs
}

// discard deletes SAs of which nobody has a handle any more. What cannot be
// deleted now is deleted with a later request. Error i belongs to handle i.
func (a *Adapter) discard(ctx context.Context, handles []driver.Handle) []error {
	if len(handles) == 0 {
		return nil
	}
	errs := a.nic.DeleteSAs(ctx, handles)
	a.table.mu.Lock()
	defer a.table.mu.Unlock()
	for i, err := range errs {
		if errors.Is(err, driver.ErrStaleHandle) { // an aborted deletion has been finished
			errs[i] = nil
		} else if err != nil {
			a.table.orphans = append(a.table.orphans, handles[i])
		}
	}
	return errs
}

// sweep deletes what earlier requests had to leave.
func (a *Adapter) sweep(ctx context.Context) {
	a.table.mu.Lock()
	left := a.table.orphans
	a.table.orphans = nil
	a.table.mu.Unlock()
	_ = a.discard(ctx, left)
}

// UpdateSA carries out OID_TCP_TASK_IPSEC_OFFLOAD_V2_UPDATE_SA: received packets
// use the new upper half from then on, packets submitted before keep theirs
// (UPD-4). An unknown handle, an SPI or operation that is not the SA's, and an
// SA without extended sequence numbers are INVALID_PARAMETER (UPD-2).
func (a *Adapter) UpdateSA(ctx context.Context, u UpdateSA) error {
	const op = "update SA"
	ctx, leave, err := a.gate.enter(ctx)
	if err != nil {
		return withOp(op, err)
	}
	defer leave()
	e, err := a.find(u.OffloadHandle)
	if err != nil {
		return withOp(op, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.gone:
		return withOp(op, unknownHandle(u.OffloadHandle))
	case u.Operation != OperationESP:
		return withOp(op, refuse(StatusInvalidParameter, "Operation", u.Operation, fmt.Sprintf("%v, which SA %v is", OperationESP, u.OffloadHandle)))
	case u.SPI != e.sa.SPI:
		return withOp(op, refuse(StatusInvalidParameter, "Spi", fmt.Sprintf("%#08x", u.SPI), fmt.Sprintf("%#08x, which SA %v has", e.sa.SPI, u.OffloadHandle)))
	case !e.sa.ESN:
		return withOp(op, refuse(StatusInvalidParameter, "OffloadHandle", u.OffloadHandle, "SAs with extended sequence numbers"))
	}
	if err := a.nic.UpdateSA(ctx, e.handle, u.SequenceNumberHighOrder); err != nil {
		var refused *driver.RefusedError
		e.unsure = e.unsure || !errors.As(err, &refused)
		return fromDriver(op, err)
	}
	e.unsure = false
	e.sa.SequenceHi = u.SequenceNumberHighOrder
	e.high.Store(u.SequenceNumberHighOrder)
	return nil
}

// DeleteSA carries out OID_TCP_TASK_IPSEC_OFFLOAD_V2_DELETE_SA. When it returns,
// no packet uses the SAs and their keys are cleared. An unknown handle is
// INVALID_PARAMETER and the rest of the list is processed all the same [G]
// (DEL-2). The handles are no longer valid from the begin of the call on; if ctx
// ends or the adapter is reset meanwhile (REQUEST_ABORTED), or the NIC does not
// answer, the SAs are deleted with a later request.
func (a *Adapter) DeleteSA(ctx context.Context, handles ...OffloadHandle) error {
	const op = "delete SA"
	if len(handles) == 0 {
		return withOp(op, refuse(StatusInvalidData, "list", "of no entry", "1 entry or more"))
	}
	ctx, leave, err := a.gate.enter(ctx)
	if err != nil {
		return withOp(op, err)
	}
	defer leave()
	a.sweep(ctx)
	var errs []error
	var doomed []driver.Handle
	for _, h := range handles {
		e, err := a.find(h)
		if err == nil && !a.retire(e) {
			err = unknownHandle(h)
		}
		if err != nil {
			errs = append(errs, withOp(op, err))
			continue
		}
		doomed = append(doomed, e.handle)
	}
	for _, err := range a.discard(ctx, doomed) {
		if err != nil {
			errs = append(errs, fromDriver(op, err))
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// retire takes an SA out of the table, after a request for it that is under
// way. It returns false if another has done so.
func (a *Adapter) retire(e *entry) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return false
	}
	a.table.remove(e)
	return true
}

// SAInfo is one SA offloaded.
type SAInfo struct {
	Handle OffloadHandle
	SA     driver.SA // without Key and Salt
}

// ListSAs returns the SAs offloaded, by handle.
func (a *Adapter) ListSAs() []SAInfo {
	var list []SAInfo
	for _, e := range a.table.all() {
		e.mu.Lock()
		if sa := e.sa; !e.gone {
			sa.Key, sa.Salt = nil, driver.Salt{}
			list = append(list, SAInfo{Handle: a.handle(e.handle), SA: sa})
		}
		e.mu.Unlock()
	}
	slices.SortFunc(list, func(x, y SAInfo) int { return cmp.Compare(x.Handle, y.Handle) })
	return list
}

// RequestDelete asks the host to delete an SA, to have room: every packet that
// arrives on it carries SaDeleteReq until the host does (RX-13) [G]. Until then
// the SA keeps working.
func (a *Adapter) RequestDelete(h OffloadHandle) error {
	e, err := a.find(h)
	if err != nil {
		return withOp("request deletion of SA", err)
	}
	e.evict.Store(true)
	return nil
}
