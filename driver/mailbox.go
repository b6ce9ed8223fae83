// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"github.com/espalier-nic/espalier/regs"
)

const (
	// mailboxRelax is how many clock cycles may pass between two looks for
	// answers; firmware takes several hundred for a command.
	mailboxRelax = 64
	// healthChecks is the looks without an answer between two at the state of
	// the control processor.
	healthChecks = 32
	// unusedVector is the vector of the mailbox: the driver polls, and must not
	// have the events counted with a queue's. Where it exists it is masked.
	unusedVector = regs.IntModerationCount - 1
)

// mailbox is the saPort of a NIC with a control processor: as many operations at
// a time as there are slots, from any number of goroutines. Of those that wait,
// one looks for the answers of all, the others sleep.
type mailbox struct {
	n *NIC
	// token is held by whoever looks for answers.
	token chan struct{}

	mu     sync.Mutex
	failed error // not nil: nothing is posted until the firmware is started again
	slots  [regs.MboxSizeSlots]mailboxSlot
	taken  uint32        // slots with a command that is not answered
	posted uint64        // commands ever
	room   chan struct{} // closed when a slot becomes free
	// orphans are commands whose callers have stopped waiting; settled, if not
	// nil, is closed when there is none.
	orphans int
	settled chan struct{}
	// doomed are SAs whose deletion was abandoned and then lost.
	doomed []Handle
}

// mailboxSlot is one slot of the mailbox.
type mailboxSlot struct {
	words   knownWords // of the command
	request *saRequest // nil: free
	op      regs.MailboxOp
	tag     uint16
	order   uint64 // commands posted before
	orphan  bool   // its caller has stopped waiting
}

func newMailbox(n *NIC) *mailbox {
	m := &mailbox{n: n, token: make(chan struct{}, 1), room: make(chan struct{})}
	m.token <- struct{}{}
	return m
}

func (m *mailbox) reset(func(slot int) bool) { m.restart() }

// restart is for when the processor has been started: no command is under way,
// and commands are welcome.
func (m *mailbox) restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.slots {
		s := &m.slots[i]
		s.words.forget()
		s.request, s.orphan = nil, false
	}
	m.failed, m.taken, m.doomed = nil, 0, nil
	m.forgetOrphans()
}

// forgetOrphans wakes up who waits for them. m.mu is held.
func (m *mailbox) forgetOrphans() {
	m.orphans = 0
	if m.settled != nil {
		close(m.settled)
		m.settled = nil
	}
}

func (m *mailbox) begin(ctx context.Context) error {
	for {
		m.mu.Lock()
		failed, orphans := m.failed, m.orphans
		if failed == nil && orphans > 0 && m.settled == nil {
			m.settled = make(chan struct{})
		}
		settled := m.settled
		m.mu.Unlock()
		if failed != nil || orphans == 0 {
			return failed
		}
		if err := m.attend(ctx, settled, "earlier SA operation"); err != nil {
			return err
		}
	}
}

func (m *mailbox) end() {}

func (m *mailbox) post(ctx context.Context, r *saRequest) error {
	for {
		m.mu.Lock()
		if err := m.failed; err != nil {
			m.mu.Unlock()
			return err
		}
		if slot := bits.TrailingZeros32(^m.taken); slot < len(m.slots) {
			defer m.mu.Unlock()
			r.done = make(chan struct{})
			return m.issue(slot, r, r.op)
		}
		room := m.room
		m.mu.Unlock()
		if err := m.attend(ctx, room, "no slot of the mailbox is free"); err != nil {
			return err
		}
	}
}

// issue writes a command to a slot and rings the doorbell. m.mu is held, so that
// doorbells ring in the order of posted.
func (m *mailbox) issue(slot int, r *saRequest, op regs.MailboxOp) error {
	s := &m.slots[slot]
	s.tag++
	if err := m.writeCommand(slot, r, op); err != nil {
		s.words.forget()
		return err
	}
	m.taken |= 1 << slot
	s.request, s.op, s.order, s.orphan = r, op, m.posted, false
	r.slot = slot
	m.posted++
	return m.n.write(regs.MboxDoorbellOffset, uint32(slot))
}

// writeCommand writes the words that the operation uses and that the slot does
// not hold yet, and clears its own copies of the key.
func (m *mailbox) writeCommand(slot int, r *saRequest, op regs.MailboxOp) error {
	var command regs.MailboxCommand
	first, end := regs.MailboxCommandSPIWord, regs.MailboxCommandSPIWord // words of the SA
	if r.installs() && op == r.op {
		record := r.sa.record()
		command = regs.MailboxCommand{
			SPI: record.SPI, Flags: uint32(record.Flags), ESNHi: record.ESNHi, Salt: record.Salt,
			Dst: record.Dst, Src: record.Src, Key: record.Key,
		}
		clear(record.Key[:])
		end = regs.MailboxCommandKeyWord + len(r.sa.Key)/4
		r.sa.Key, r.sa.Salt = nil, Salt{}
	}
	command.Header = regs.MboxCommandHeader(0).WithOpcode(op).WithTag(m.slots[slot].tag)
	command.Handle = uint32(r.handle)
	words := command.Words()
	defer func() { clear(words[:]) }()
	clear(command.Key[:])
	write := func(word int) error {
		known := &m.slots[slot].words
		if known.holds(word, words[word]) {
			return nil
		}
		if err := m.n.write(regs.MailboxCommandOffset+uint64(slot*regs.MboxSizeStride+4*word), words[word]); err != nil {
			return err
		}
		if word != regs.MailboxCommandSaltWord { // it and the key are cleared by the NIC
			known.learn(word, words[word])
		}
		return nil
	}
	if err := write(regs.MailboxCommandHeaderWord); err != nil {
		return err
	}
	if op != regs.MailboxOpAddSA {
		if err := write(regs.MailboxCommandHandleWord); err != nil {
			return err
		}
	}
	if op == regs.MailboxOpUpdateSA {
		words[regs.MailboxCommandSPIWord], words[regs.MailboxCommandESNHiWord] = r.sa.SPI, r.sa.SequenceHi
		return errors.Join(write(regs.MailboxCommandSPIWord), write(regs.MailboxCommandESNHiWord))
	}
	for word := first; word < end; word++ {
		if err := write(word); err != nil {
			return err
		}
	}
	return nil
}

func (m *mailbox) wait(ctx context.Context, r *saRequest) error {
	err := m.attend(ctx, r.done, r.op.String()+" is not answered")
	if err == nil {
		return r.err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-r.done: // in the last moment
		return r.err
	default:
	}
	if s := &m.slots[r.slot]; s.request == r && !s.orphan {
		s.orphan = true
		m.orphans++
	}
	return err
}

// attend waits until ready is closed, and looks for answers if nobody else does.
// If that takes longer than the options' timeout, the firmware is at fault: then
// the mailbox fails.
func (m *mailbox) attend(ctx context.Context, ready <-chan struct{}, what string) error {
	limited, cancel := context.WithTimeout(ctx, m.n.opts.Timeout)
	defer cancel()
	for {
		select {
		case <-ready:
			return nil
		default:
		}
		err := limited.Err()
		if err == nil {
			select {
			case <-ready:
				return nil
			case <-limited.Done():
				continue
			case <-m.token:
			}
			err = m.look(limited, ready)
			m.token <- struct{}{}
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case limited.Err() != nil:
			return m.fail(m.n.firmwareFault(fmt.Sprintf("%s after %v", what, m.n.opts.Timeout)))
		default:
			return m.fail(err)
		}
	}
}

// look looks for answers until ready is closed. The token is held. An error is
// ctx's, or that of a mailbox that has failed.
func (m *mailbox) look(ctx context.Context, ready <-chan struct{}) error {
	var pulse pulse
	for idle := 1; ; {
		some, err := m.collect()
		if err != nil {
			return err
		}
		select {
		case <-ready:
			return nil
		default:
		}
		if some {
			idle = 1
			continue
		}
		if idle%healthChecks == 0 {
			if err := m.n.checkProcessor(&pulse); err != nil {
				// What was answered before the end counts.
				if _, err := m.collect(); err != nil {
					return err
				}
				return err
			}
		}
		idle++
		if err := m.n.fn.Relax(ctx, mailboxRelax); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// collect takes the answers that are there, in the order in which the commands
// were posted, which is the one in which they were carried out.
func (m *mailbox) collect() (some bool, err error) {
	done, err := m.n.read(regs.MboxDoneOffset)
	if err != nil || done == 0 {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if stray := done &^ m.taken; stray != 0 {
		return false, fmt.Errorf("slot %d of the mailbox is answered, and no command is in it: %w", bits.TrailingZeros32(stray), ErrMailbox)
	}
	// Before a slot is used again.
	if err := m.n.write(regs.MboxDoneOffset, done); err != nil {
		return false, err
	}
	var list [regs.MboxSizeSlots]int
	slots := list[:0]
	for ; done != 0; done &= done - 1 {
		slots = append(slots, bits.TrailingZeros32(done))
	}
	slices.SortFunc(slots, func(a, b int) int { return cmp.Compare(m.slots[a].order, m.slots[b].order) })
	for _, slot := range slots {
		if err := m.take(slot); err != nil {
			return true, err
		}
	}
	return true, nil
}

// take takes the answer in a slot. m.mu is held.
func (m *mailbox) take(slot int) error {
	s := &m.slots[slot]
	r := s.request
	base := regs.MailboxResponseOffset + uint64(slot)*regs.MboxSizeStride
	v, err := m.n.read(base)
	if err != nil {
		return err
	}
	header := regs.MboxResponseHeader(v)
	if header.Opcode() != s.op || header.Tag() != s.tag {
		return fmt.Errorf("slot %d of the mailbox has %v with tag %d and is answered as %v with tag %d: %w",
			slot, s.op, s.tag, header.Opcode(), header.Tag(), ErrMailbox)
	}
	undoing := s.op != r.op
	switch status := header.Status(); {
	case undoing && status != regs.MailboxStatusOK:
		return fmt.Errorf("delete SA %v that nobody waited for: NIC's status %v: %w", r.handle, status, ErrMailbox)
	case undoing:
	case status != regs.MailboxStatusOK:
		if r.err, err = m.refused(r, base, status); err != nil {
			return err
		}
	default:
		if err := m.accept(r, base); err != nil {
			return err
		}
		if s.orphan && r.installs() {
			r.handle = r.answer
			if err := m.issue(slot, r, regs.MailboxOpDeleteSA); err != nil {
				return err
			}
			s.orphan = true
			return nil
		}
		if r.apply != nil {
			r.apply(r)
		}
	}
	s.request = nil
	m.taken &^= 1 << slot
	if s.orphan {
		if s.orphan, m.orphans = false, m.orphans-1; m.orphans == 0 {
			m.forgetOrphans()
		}
	}
	close(r.done)
	close(m.room)
	m.room = make(chan struct{})
	return nil
}

// accept reads the response to a command that was carried out.
func (m *mailbox) accept(r *saRequest, base uint64) error {
	var words [regs.MailboxResponseWords]uint32
	read := func(first, end int) (err error) {
		for i := first; i < end && err == nil; i++ {
			words[i], err = m.n.read(base + 4*uint64(i))
		}
		return err
	}
	if r.op == regs.MailboxOpUpdateSA || r.op == regs.MailboxOpDeleteSA {
		return nil
	}
	if err := read(regs.MailboxResponseHandleWord, regs.MailboxResponseHandleWord+1); err != nil {
		return err
	}
	r.answer = Handle(words[regs.MailboxResponseHandleWord])
	wrong := r.answer.Generation() == 0 || r.answer.Slot() >= m.n.caps.SACapacity
	switch r.op {
	case regs.MailboxOpAddSA:
		wrong = wrong || m.n.sas.inSlot(r.answer.Slot()) != 0
	case regs.MailboxOpNextSA:
		wrong = wrong || r.answer.Slot() < r.handle.Slot()
	default:
		wrong = wrong || r.answer != r.handle
	}
	if wrong {
		return fmt.Errorf("%s: the NIC answers with handle %v: %w", r.name(), r.answer, ErrMailbox)
	}
	if r.installs() {
		return nil
	}
	if err := errors.Join(read(regs.MailboxResponseSPIWord, regs.MailboxResponseReservedWord), read(regs.MailboxResponseDstWord, regs.MailboxResponseUnusedWord)); err != nil {
		return err
	}
	var response regs.MailboxResponse
	response.SetWords(&words)
	r.state = stateOf(r.answer, &regs.SARecord{
		SPI: response.SPI, Flags: regs.SAFlags(response.Flags), ESNHi: response.ESNHi, Dst: response.Dst, Src: response.Src,
	}, &response.Counters)
	return nil
}

// refused turns a status into the error of a refusal; err says that it could not
// be read.
func (m *mailbox) refused(r *saRequest, base uint64, status regs.MailboxStatus) (refusal, err error) {
	e := &RefusedError{Op: r.name(), Field: "handle", Asked: r.handle.String(), Status: status, Reason: ErrHardware}
	if r.installs() {
		e.Field, e.Asked = "SA", r.sa.String()
	}
	switch status {
	case regs.MailboxStatusNoMore:
		if r.op == regs.MailboxOpNextSA {
			return nil, nil
		}
	case regs.MailboxStatusSelftestFailed:
		return &FirmwareError{Running: true, SelfTest: true, Detail: "its start-up self-tests failed, so it carries out no command"}, nil
	case regs.MailboxStatusBadRecord:
		e.Reason = ErrNotSupported
		v, err := m.n.read(base + 4*regs.MailboxResponseDetailWord)
		if err != nil {
			return nil, err
		}
		if f := regs.MboxResponseDetail(v).FieldAtFault(); f != regs.MailboxFieldNone {
			e.Field = f.String()
		}
	case regs.MailboxStatusNoSpace:
		e.Reason, e.Allowed = ErrResources, fmt.Sprintf("%d SAs", m.n.caps.SACapacity)
	case regs.MailboxStatusLookupFull:
		e.Reason, e.Allowed = ErrResources, lookupAllowed
	case regs.MailboxStatusDuplicate:
		e.Reason, e.Allowed = ErrDuplicate, "inbound SAs that differ in SPI, destination or IP version"
	case regs.MailboxStatusStaleHandle:
		e.Field, e.Asked, e.Reason = "handle", r.handle.String(), ErrStaleHandle
	case regs.MailboxStatusNotESN:
		e.Reason, e.Allowed = ErrInvalid, "SAs with ESN"
	case regs.MailboxStatusSlotInUse:
		e.Field, e.Asked, e.Reason, e.Allowed = "slot", fmt.Sprint(r.handle.Slot()), ErrDuplicate, "slots without an SA"
	}
	return e, nil
}

// fail ends all commands with err, and those to come until the processor is
// started again. It returns the error that the mailbox has failed with, which
// is an earlier one if it had failed before.
func (m *mailbox) fail(err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil {
		return m.failed
	}
	m.failed = err
	if m.taken != 0 {
		// What is pending must not be carried out later, least of all without
		// its key. A NIC that has gone away cannot be told, and need not.
		_ = m.n.write(regs.CpCtrlOffset, 0)
	}
	for slot := range m.slots {
		s := &m.slots[slot]
		r := s.request
		if r == nil {
			continue
		}
		if r.installs() {
			m.clearKey(slot)
		}
		if s.orphan && r.op == regs.MailboxOpDeleteSA {
			m.doomed = append(m.doomed, r.handle)
		}
		r.err, s.request = err, nil
		close(r.done)
	}
	m.taken = 0
	m.forgetOrphans()
	close(m.room)
	m.room = make(chan struct{})
	return err
}

// clearKey overwrites the key in a command that the firmware may never have
// taken. m.mu is held. A NIC that has gone away has taken the key with it.
func (m *mailbox) clearKey(slot int) {
	for word := regs.MailboxCommandSaltWord; word < regs.MailboxCommandUnusedWord; word++ {
		if word == regs.MailboxCommandSaltWord || word >= regs.MailboxCommandKeyWord {
			if m.n.write(regs.MailboxCommandOffset+uint64(slot*regs.MboxSizeStride+4*word), 0) != nil {
				return
			}
		}
	}
}
