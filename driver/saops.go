// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/espalier-nic/espalier/regs"
)

// lookupAllowed is what a full lookup table leaves.
const lookupAllowed = "an SPI or destination for which the NIC's lookup table has room"

// begin starts a call of SA operations; the function it returns ends it.
func (n *NIC) begin(ctx context.Context) (end func(), err error) {
	n.sas.use.RLock()
	if n.closed.Load() {
		err = ErrClosed
	} else {
		err = n.port.begin(ctx)
	}
	if err != nil {
		n.sas.use.RUnlock()
		return nil, err
	}
	return func() {
		n.port.end()
		n.sas.use.RUnlock()
	}, nil
}

// carryOut posts a request and waits for its answer. Requests come from the
// functions below.
func (n *NIC) carryOut(ctx context.Context, r *saRequest) error {
	err := n.port.post(ctx, r)
	if err == nil {
		err = n.port.wait(ctx, r)
	}
	return explain(r, err)
}

// explain says which operation an error belongs to.
func explain(r *saRequest, err error) error {
	var refused *RefusedError
	if err == nil || errors.As(err, &refused) {
		return err
	}
	return fmt.Errorf("%s: %w", r.name(), err)
}

// addRequest checks sa against what the driver knows. With handle it is
// RESTORE_SA, else ADD_SA.
func (n *NIC) addRequest(sa SA, handle Handle) (*saRequest, error) {
	r := &saRequest{op: regs.MailboxOpAddSA, handle: handle}
	if handle != 0 {
		r.op = regs.MailboxOpRestoreSA
	}
	var err error
	if r.sa, err = sa.normalise(r.name(), &n.caps, n.opts.RXQueues); err != nil {
		return nil, err
	}
	if other := n.sas.same(&r.sa); other != 0 {
		return nil, refuse(r.name(), "SPI", fmt.Sprintf("%#08x to %v (SA %v has both)", sa.SPI, r.sa.Dst, other),
			"inbound SAs that differ in SPI, destination or IP version", ErrDuplicate)
	}
	r.apply = func(r *saRequest) { n.sas.insert(r.answer, r.sa) }
	return r, nil
}

// updateRequest checks handle against the table.
func (n *NIC) updateRequest(h Handle, hi uint32) (*saRequest, error) {
	r := &saRequest{op: regs.MailboxOpUpdateSA, handle: h}
	sa, err := n.sas.find(r.name(), h)
	if err != nil {
		return nil, err
	}
	if !sa.ESN {
		return nil, refuse(r.name(), "handle", h, "SAs with ESN", ErrInvalid)
	}
	r.sa = sa
	r.sa.SequenceHi = hi
	r.apply = func(r *saRequest) { n.sas.update(r.handle, r.sa.SequenceHi) }
	return r, nil
}

// deleteRequest checks handle against the table.
func (n *NIC) deleteRequest(h Handle) (*saRequest, error) {
	r := &saRequest{op: regs.MailboxOpDeleteSA, handle: h}
	if _, err := n.sas.find(r.name(), h); err != nil {
		return nil, err
	}
	r.apply = func(r *saRequest) { n.sas.remove(r.handle) }
	return r, nil
}

// one carries out one request that make prepares.
func (n *NIC) one(ctx context.Context, name string, make func() (*saRequest, error)) (*saRequest, error) {
	end, err := n.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer end()
	r, err := make()
	if err != nil {
		return nil, err
	}
	return r, n.carryOut(ctx, r)
}

// many carries out count requests, as many at a time as the NIC takes.
func (n *NIC) many(ctx context.Context, name string, count int, make func(i int) (*saRequest, error)) ([]*saRequest, []error) {
	requests, errs := makeSlices(count)
	end, err := n.begin(ctx)
	if err != nil {
		for i := range errs {
			errs[i] = fmt.Errorf("%s: %w", name, err)
		}
		return requests, errs
	}
	defer end()
	for i := range requests {
		if err := ctx.Err(); err != nil {
			errs[i] = fmt.Errorf("%s: %w", name, err)
			continue
		}
		if requests[i], errs[i] = make(i); errs[i] == nil {
			errs[i] = explain(requests[i], n.port.post(ctx, requests[i]))
		}
	}
	for i, r := range requests {
		if errs[i] == nil {
			errs[i] = explain(r, n.port.wait(ctx, r))
		}
	}
	return requests, errs
}

func makeSlices(count int) ([]*saRequest, []error) {
	return make([]*saRequest, count), make([]error, count)
}

// AddSA installs an SA and returns its handle. The SA is usable when AddSA
// returns. sa.Key is not kept and not changed; clear it with Key.Zero when it is
// no longer needed. A refusal is a *RefusedError. If ctx ends before the NIC has
// answered, the SA is not installed, or is deleted again before the next SA
// operation; if the control processor stops (ErrFirmware), LoadFirmware deletes
// it.
func (n *NIC) AddSA(ctx context.Context, sa SA) (Handle, error) {
	r, err := n.one(ctx, "add SA", func() (*saRequest, error) { return n.addRequest(sa, 0) })
	if err != nil {
		return 0, err
	}
	return r.answer, nil
}

// AddSAs is AddSA for many SAs, as many at a time as the NIC takes. Handle i and
// error i belong to SA i; the handle is 0 where the error is not nil. A refusal
// does not keep the others from being installed.
func (n *NIC) AddSAs(ctx context.Context, sas []SA) ([]Handle, []error) {
	requests, errs := n.many(ctx, "add SA", len(sas), func(i int) (*saRequest, error) { return n.addRequest(sas[i], 0) })
	handles := make([]Handle, len(sas))
	for i, r := range requests {
		if errs[i] == nil {
			handles[i] = r.answer
		}
	}
	return handles, errs
}

// RestoreSA installs an SA under a handle that it had before a reset. Nothing
// else may have been installed in the slot since, else ErrStaleHandle or, if it
// is still there, ErrDuplicate. All else is as with AddSA; the counters begin at 0.
func (n *NIC) RestoreSA(ctx context.Context, h Handle, sa SA) error {
	_, err := n.one(ctx, "restore SA", func() (*saRequest, error) { return n.restoreRequest(h, sa) })
	return err
}

// RestoreSAs is RestoreSA for many SAs, as many at a time as the NIC takes.
// Entry i is restored under its handle; its SA needs Key and Salt.
func (n *NIC) RestoreSAs(ctx context.Context, entries []SAEntry) []error {
	_, errs := n.many(ctx, "restore SA", len(entries), func(i int) (*saRequest, error) {
		return n.restoreRequest(entries[i].Handle, entries[i].SA)
	})
	return errs
}

func (n *NIC) restoreRequest(h Handle, sa SA) (*saRequest, error) {
	const op = "restore SA"
	switch {
	case h.Generation() == 0 || h.Slot() >= n.caps.SACapacity:
		return nil, &RefusedError{Op: op, Field: "handle", Asked: h.String(), Reason: ErrStaleHandle,
			Allowed: fmt.Sprintf("slots 0 to %d of a generation from 1", n.caps.SACapacity-1)}
	case n.sas.inSlot(h.Slot()) != 0:
		return nil, refuse(op, "slot", h.Slot(), "slots without an SA", ErrDuplicate)
	}
	return n.addRequest(sa, h)
}

// UpdateSA sets the upper half of an ESN SA's sequence numbers (IPsecOV2
// UPDATE_SA). Received packets use it from then on. Frames posted before keep the
// upper half that they were posted with if that is hi or hi-1; others must have
// been completed. If ctx ends first, the update goes on. Operations on one handle
// take effect in the order in which they were begun.
func (n *NIC) UpdateSA(ctx context.Context, h Handle, hi uint32) error {
	_, err := n.one(ctx, "update SA", func() (*saRequest, error) { return n.updateRequest(h, hi) })
	return err
}

// SAUpdate is one element of UpdateSAs.
type SAUpdate struct {
	Handle     Handle
	SequenceHi uint32
}

// UpdateSAs is UpdateSA for many SAs, as many at a time as the NIC takes.
func (n *NIC) UpdateSAs(ctx context.Context, updates []SAUpdate) []error {
	_, errs := n.many(ctx, "update SA", len(updates), func(i int) (*saRequest, error) {
		return n.updateRequest(updates[i].Handle, updates[i].SequenceHi)
	})
	return errs
}

// DeleteSA removes an SA. The NIC stops using it at once, waits for the frames
// that use it to leave, and zeroises it; then DeleteSA returns. Frames still in
// a TX ring fail with StaleHandle. If ctx ends first, the deletion goes on and
// the handle is no longer valid, unless the NIC could not be asked because all
// its slots for commands were taken; calling DeleteSA again is right in either
// case.
func (n *NIC) DeleteSA(ctx context.Context, h Handle) error {
	_, err := n.one(ctx, "delete SA", func() (*saRequest, error) { return n.deleteRequest(h) })
	return err
}

// DeleteSAs is DeleteSA for many SAs, as many at a time as the NIC takes.
func (n *NIC) DeleteSAs(ctx context.Context, handles []Handle) []error {
	_, errs := n.many(ctx, "delete SA", len(handles), func(i int) (*saRequest, error) { return n.deleteRequest(handles[i]) })
	return errs
}

// ReadSA reads an SA back from the NIC. Key and Salt cannot be read.
func (n *NIC) ReadSA(ctx context.Context, h Handle) (SA, error) {
	state, err := n.ReadSAState(ctx, h)
	return state.SA, err
}

// ReadSAState reads back everything that the NIC holds of an SA.
func (n *NIC) ReadSAState(ctx context.Context, h Handle) (SAState, error) {
	r, err := n.one(ctx, "read SA", func() (*saRequest, error) {
		r := &saRequest{op: regs.MailboxOpReadSA, handle: h}
		_, err := n.sas.find(r.name(), h)
		return r, err
	})
	if err != nil {
		return SAState{}, err
	}
	return r.state, nil
}

// SAStates reads back all SAs from the NIC itself, by slot. It ends with the
// first error. SAs that are added and deleted meanwhile may be missed.
func (n *NIC) SAStates(ctx context.Context) iter.Seq2[SAState, error] {
	return func(yield func(SAState, error) bool) {
		for slot := 0; slot < n.caps.SACapacity; {
			r, err := n.one(ctx, "read SA", func() (*saRequest, error) { return n.nextRequest(slot), nil })
			switch {
			case err != nil:
				yield(SAState{}, err)
				return
			case r.answer == 0 || !yield(r.state, nil):
				return
			}
			slot = r.answer.Slot() + 1
		}
	}
}

func (n *NIC) nextRequest(slot int) *saRequest {
	return &saRequest{op: regs.MailboxOpNextSA, handle: Handle(regs.SAHandle(0).WithIndex(uint16(slot)))}
}

// ListSAs returns the SAs that the NIC holds, by slot, as the driver knows them.
func (n *NIC) ListSAs() []SAEntry { return n.sas.list() }

// readAll returns all SAs in the NIC. n.sas.use is held for writing, or nobody
// else has the NIC yet.
func (n *NIC) readAll(ctx context.Context) ([]SAState, error) {
	if err := n.port.begin(ctx); err != nil {
		return nil, err
	}
	defer n.port.end()
	var all []SAState
	for slot := 0; slot < n.caps.SACapacity; {
		r := n.nextRequest(slot)
		if err := n.carryOut(ctx, r); err != nil {
			return nil, err
		}
		if r.answer == 0 {
			break
		}
		all = append(all, r.state)
		slot = r.answer.Slot() + 1
	}
	return all, nil
}
