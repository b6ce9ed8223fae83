// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"context"
	"errors"
	"fmt"

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
	var first error
	added := false
	for i, e := range entries {
		if e == nil {
			err = refuse(StatusInvalidData, fmt.Sprintf("entry %d", i), "nil", "an ADD_SA entry")
		} else {
			e.OffloadHandle, err = a.add(ctx, e)
			added = added || err == nil
			if err != nil {
				e.Refused = withOp(op, err)
			}
		}
		if err != nil && first == nil {
			first = withOp(op, err)
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

// add offloads one SA.
func (a *Adapter) add(ctx context.Context, e *AddSA) (OffloadHandle, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	before := a.config.Load()
	icvs := a.nic.Capabilities().ICVLengths
	sa, err := e.check(before, icvs, &a.opts)
	if err != nil {
		return 0, err
	}
	h, err := a.nic.AddSA(ctx, sa)
	if err != nil {
		sa.Key.Zero()
		return 0, fromDriver("add SA", err)
	}
	a.table.mu.Lock()
	if now := a.config.Load(); now != before {
		// The configuration has changed meanwhile; perhaps it has just
		// removed the algorithm (CFG-7).
		if err := e.checkOffered(now, icvs, &a.opts); err != nil {
			a.table.mu.Unlock()
			sa.Key.Zero()
			a.undo(ctx, h)
			return 0, err
		}
	}
	a.table.insert(h, sa)
	a.table.mu.Unlock()
	return a.handle(h), nil
}

// undo deletes an SA that nobody has a handle of, now or with a later request.
func (a *Adapter) undo(ctx context.Context, h driver.Handle) {
	if err := a.nic.DeleteSA(ctx, h); err != nil && !errors.Is(err, driver.ErrStaleHandle) {
		a.table.mu.Lock()
		a.table.orphans = append(a.table.orphans, h)
		a.table.mu.Unlock()
	}
}

// sweep deletes what earlier requests had to leave.
func (a *Adapter) sweep(ctx context.Context) {
	a.table.mu.Lock()
	left := a.table.orphans
	a.table.orphans = nil
	a.table.mu.Unlock()
	for _, h := range left {
		a.undo(ctx, h)
	}
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
		e.unsure = e.unsure || ctx.Err() != nil
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
// (DEL-2). If ctx ends or the adapter is reset meanwhile (REQUEST_ABORTED), the
// handles are no longer valid either.
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
	var errs []error
	for _, h := range handles {
		if err := a.delete(ctx, h); err != nil {
			errs = append(errs, withOp(op, err))
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// delete removes one SA.
func (a *Adapter) delete(ctx context.Context, h OffloadHandle) error {
	e, err := a.find(h)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return unknownHandle(h)
	}
	err = a.nic.DeleteSA(ctx, e.handle)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		// The NIC may or may not have begun; a later request makes sure.
		a.table.mu.Lock()
		a.table.orphans = append(a.table.orphans, e.handle)
		a.table.mu.Unlock()
	default:
		return fromDriver("delete SA", err)
	}
	a.table.remove(e)
	if err != nil {
		return ctx.Err()
	}
	return nil
}

// SAInfo is one SA offloaded.
type SAInfo struct {
	Handle OffloadHandle
	SA     driver.SA // without Key and Salt
}

// ListSAs returns the SAs offloaded, in no order.
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
