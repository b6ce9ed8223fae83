// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"

	"github.com/espalier-nic/espalier/regs"
)

// saPort is how SA operations reach the NIC: the SA window, which runs one at a
// time (sawindow.go), or the mailbox of the control processor, which takes many
// (mailbox.go). Which one a NIC has, CAP_FEATURE.CONTROL_PROCESSOR says.
//
//	begin, { post, wait }, end
type saPort interface {
	// begin starts a call of one or more requests. Before it returns nil, what
	// earlier callers have abandoned is over and applied. end must follow.
	begin(ctx context.Context) error
	end()
	// post hands a request to the NIC, waiting for room if there is none. On an
	// error the NIC has not been asked. wait must follow a post that succeeds.
	post(ctx context.Context, r *saRequest) error
	// wait waits for the answer. nil: done. A *RefusedError: refused, nothing
	// has changed. Any other error: it is not known what became of it. If ctx
	// has ended, the request goes on: it is applied when it is answered, and an
	// SA that it has installed is deleted again, which the next begin awaits. If
	// the port has failed, the table and the NIC may differ until both are
	// compared.
	wait(ctx context.Context, r *saRequest) error
	// reset forgets everything: the NIC holds no operation under way, and SAs
	// in the slots that are live.
	reset(live func(slot int) bool)
}

// saRequest is one SA operation, on its way to the NIC and back. The operations
// of the mailbox serve for both ports.
type saRequest struct {
	op regs.MailboxOp
	// handle names the SA; NEXT_SA: the slot to look from; ADD_SA: 0.
	handle Handle
	// sa is what ADD_SA and RESTORE_SA install. UPDATE_SA takes SPI and
	// SequenceHi from it. Its key is gone after post.
	sa SA
	// apply, if not nil, brings the table in line with an answer that is no
	// refusal. It is called once, in the order in which the NIC has carried the
	// operations out, before wait returns or when a later caller finds the
	// answer. An ADD_SA or RESTORE_SA that was undone is not applied.
	apply func(*saRequest)

	// The answer: the handle of an SA that was added, restored or found (0:
	// none was), and what was read.
	answer Handle
	state  SAState
	err    error

	done chan struct{} // mailbox: closed with the answer
	slot int           // the slot of the mailbox or of the SA
}

// name is the operation in errors.
func (r *saRequest) name() string {
	switch r.op {
	case regs.MailboxOpAddSA:
		return "add SA"
	case regs.MailboxOpRestoreSA:
		return "restore SA"
	case regs.MailboxOpUpdateSA:
		return "update SA"
	case regs.MailboxOpDeleteSA:
		return "delete SA"
	}
	return "read SA"
}

// installs says whether the operation makes an SA.
func (r *saRequest) installs() bool {
	return r.op == regs.MailboxOpAddSA || r.op == regs.MailboxOpRestoreSA
}

// knownWords is what words of the SA window or of a mailbox slot are known to
// hold, so that only those that differ are written: SAs have most of their
// addresses in common. Salt and key are never known: the NIC clears them.
type knownWords struct {
	value [regs.MailboxCommandKeyWord]uint32
	known [regs.MailboxCommandKeyWord]bool
}

func (w *knownWords) holds(word int, value uint32) bool {
	return word < len(w.known) && w.known[word] && w.value[word] == value
}

func (w *knownWords) learn(word int, value uint32) {
	if word < len(w.known) {
		w.value[word], w.known[word] = value, true
	}
}

// forget is for when something else may have written them.
func (w *knownWords) forget() { *w = knownWords{} }
