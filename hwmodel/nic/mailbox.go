// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"slices"

	"github.com/espalier-nic/espalier/regs"
)

// Cycles from taking a command to its answer, one constant for each operation.
// They are of the size that small firmware needs: reading and writing some tens
// of words, and for an SA with a key the key schedule and the powers of H.
const (
	refusalCycles = 200 // NOP and every refusal
	installCycles = 1500
	updateCycles  = 500
	deleteCycles  = 800
	readCycles    = 700 // READ_SA and NEXT_SA
)

// Fields that the NIC takes apart or composes.
var (
	commandOpcode  = field("mbox_command.header.opcode")
	commandTag     = field("mbox_command.header.tag")
	responseOpcode = field("mbox_response.header.opcode")
	responseStatus = field("mbox_response.header.status")
	responseTag    = field("mbox_response.header.tag")
	responseFault  = field("mbox_response.detail.field_at_fault")
	doorbellSlot   = field("mbox_doorbell.slot")
	mailboxBits    = bits("mbox_ctrl")
	mailboxSize, _ = lookup("mbox_size").Register.Reset()
)

// mailbox is the mailbox and what the firmware does with it.
type mailbox struct {
	commands      [regs.MboxSizeSlots][regs.MailboxCommandWords]uint32
	responses     [regs.MboxSizeSlots][regs.MailboxResponseWords]uint32
	pending, done uint32
	ctrl          regs.MboxCtrl

	queue []uint8 // slots posted and not taken, in order of their doorbells
	// Slots free for SAs, the one to be used next first.
	free []uint16
	// The command under way: its slot and its answer.
	slot     int
	response regs.MailboxResponse
	// An answer given twice.
	repeat   int
	repeated regs.MailboxResponse
	repeatAt uint64
}

// forget is the start of the processor.
func (m *mailbox) forget() {
	m.pending, m.done, m.queue, m.repeatAt = 0, 0, nil, never
}

// takeOver makes the firmware know the SAs that live.
func (m *mailbox) takeOver(t *saTable) {
	m.free = m.free[:0]
	for i := range t.slots {
		if !t.slots[i].live {
			m.free = append(m.free, uint16(i))
		}
	}
}

// slotWord returns which word of which slot of a mailbox page is at offset.
func slotWord(offset, first uint64) (slot, word int, ok bool) {
	at := offset - first
	return int(at / regs.MboxSizeStride), int(at % regs.MboxSizeStride / 4), offset >= first && at < regs.MboxSizeSlots*regs.MboxSizeStride
}

// read reads the mailbox's registers and pages.
func (m *mailbox) read(offset uint64) uint32 {
	switch offset {
	case regs.MboxDoorbellOffset:
		return 0
	case regs.MboxPendingOffset:
		return m.pending
	case regs.MboxDoneOffset:
		return m.done
	case regs.MboxCtrlOffset:
		return uint32(m.ctrl)
	case regs.MboxSizeOffset:
		return mailboxSize
	}
	if _, _, ok := slotWord(offset, regs.MboxCommandHeaderOffset); ok {
		return 0
	}
	if slot, word, ok := slotWord(offset, regs.MboxResponseHeaderOffset); ok {
		return m.responses[slot][word]
	}
	return busError
}

// writeMailbox writes the mailbox's registers and command page.
func (n *NIC) writeMailbox(offset uint64, value, mask uint32) {
	m := &n.cp.mailbox
	switch offset {
	case regs.MboxDoorbellOffset:
		n.post(int(doorbellSlot.Extract(value & mask)))
	case regs.MboxDoneOffset:
		m.done &^= value & mask
	case regs.MboxCtrlOffset:
		m.ctrl = regs.MboxCtrl(merge(uint32(m.ctrl), value, mask&mailboxBits))
	default:
		if slot, word, ok := slotWord(offset, regs.MboxCommandHeaderOffset); ok {
			m.commands[slot][word] = merge(m.commands[slot][word], value, mask)
		}
	}
}

// post is a write of MBOX_DOORBELL.
func (n *NIC) post(slot int) {
	m := &n.cp.mailbox
	if m.pending&(1<<slot) != 0 {
		return
	}
	m.pending |= 1 << slot
	m.queue = append(m.queue, uint8(slot))
	n.serve()
}

// serve takes the next command if the firmware has nothing to do. What the
// command does happens now; its answer takes its time.
func (n *NIC) serve() {
	p := n.cp
	m := &p.mailbox
	for p.ready && p.beating && p.due == never && len(m.queue) > 0 {
		slot := m.queue[0]
		m.queue = m.queue[1:]
		command := &m.commands[slot]
		if p.inject.never {
			p.inject.never = false
			continue
		}
		var c regs.MailboxCommand
		c.SetWords(command)
		m.slot = int(slot)
		m.response = n.carryOut(&c)
		command[regs.MailboxCommandSaltWord] = 0
		clear(command[regs.MailboxCommandKeyWord:regs.MailboxCommandUnusedWord])
		n.occupy(uint64(m.response.Cycles))
	}
}

// endCommand answers the command under way.
func (n *NIC) endCommand() {
	p := n.cp
	m := &p.mailbox
	if p.inject.tag {
		p.inject.tag = false
		m.response.Header = regs.MboxResponseHeader(responseTag.Insert(uint32(m.response.Header), ^uint32(m.response.Header.Tag())))
	}
	n.answer(m.slot, &m.response)
	if p.inject.twice {
		p.inject.twice = false
		m.repeat, m.repeated = m.slot, m.response
		m.repeatAt = n.clock.cycle + repeatCycles
		n.clock.wakeAt(m.repeatAt)
	}
}

// answer gives a slot back to the host.
func (n *NIC) answer(slot int, r *regs.MailboxResponse) {
	m := &n.cp.mailbox
	m.responses[slot] = r.Words()
	m.pending &^= 1 << slot
	m.done |= 1 << slot
	n.event(int(m.ctrl.Vector()), 1)
}

// carryOut carries out a command and returns its response, whose Cycles say how
// long that takes.
func (n *NIC) carryOut(c *regs.MailboxCommand) (r regs.MailboxResponse) {
	op := regs.MailboxOp(commandOpcode.Extract(uint32(c.Header)))
	header := responseOpcode.Insert(0, uint32(op))
	header = responseTag.Insert(header, commandTag.Extract(uint32(c.Header)))
	r.Handle = c.Handle
	status, fault := n.command(op, c, &r)
	if status != regs.MailboxStatusOK || op == regs.MailboxOpNOP {
		r.Cycles = refusalCycles
	}
	r.Header = regs.MboxResponseHeader(responseStatus.Insert(header, uint32(status)))
	r.Detail = regs.MboxResponseDetail(responseFault.Insert(0, uint32(fault)))
	return r
}

// command is one operation. It fills in what the response has beside its header
// and says what became of it, and for a refusal which field is at fault.
func (n *NIC) command(op regs.MailboxOp, c *regs.MailboxCommand, r *regs.MailboxResponse) (regs.MailboxStatus, regs.MailboxField) {
	if n.cp.failed {
		return regs.MailboxStatusSelftestFailed, regs.MailboxFieldNone
	}
	switch op {
	case regs.MailboxOpNOP:
		return regs.MailboxStatusOK, regs.MailboxFieldNone
	case regs.MailboxOpAddSA, regs.MailboxOpRestoreSA:
		r.Cycles = installCycles
		return n.install(op == regs.MailboxOpRestoreSA, c, r)
	case regs.MailboxOpNextSA:
		r.Cycles = readCycles
		for i := int(regs.SAHandle(c.Handle).Index()); i < len(n.sa.slots); i++ {
			if n.sa.slots[i].live {
				readBack(&n.sa.slots[i], r)
				return regs.MailboxStatusOK, regs.MailboxFieldNone
			}
		}
		return regs.MailboxStatusNoMore, regs.MailboxFieldNone
	case regs.MailboxOpUpdateSA, regs.MailboxOpDeleteSA, regs.MailboxOpReadSA:
	default:
		return regs.MailboxStatusBadOp, regs.MailboxFieldNone
	}
	s := n.sa.named(c.Handle)
	if s == nil {
		return regs.MailboxStatusStaleHandle, regs.MailboxFieldHandle
	}
	switch op {
	case regs.MailboxOpUpdateSA:
		r.Cycles = updateCycles
		if c.SPI != s.record.SPI {
			return regs.MailboxStatusBadRecord, regs.MailboxFieldSPI
		}
		if !s.record.Flags.ESN() {
			return regs.MailboxStatusNotESN, regs.MailboxFieldNone
		}
		n.sa.update(regs.SAHandle(c.Handle), c.ESNHi)
	case regs.MailboxOpDeleteSA:
		r.Cycles = deleteCycles
		n.sa.delete(regs.SAHandle(c.Handle))
		n.cp.mailbox.free = append(n.cp.mailbox.free, regs.SAHandle(c.Handle).Index())
	case regs.MailboxOpReadSA:
		r.Cycles = readCycles
		readBack(s, r)
	}
	return regs.MailboxStatusOK, regs.MailboxFieldNone
}

// readBack fills in a response to READ_SA and NEXT_SA.
func readBack(s *slot, r *regs.MailboxResponse) {
	r.Handle = s.handle
	r.SPI, r.Flags, r.ESNHi = s.record.SPI, uint32(s.record.Flags), s.record.ESNHi
	r.Dst, r.Src = s.record.Dst, s.record.Src
	r.Counters = s.counters.words()
}

// install is ADD_SA and RESTORE_SA.
func (n *NIC) install(restore bool, c *regs.MailboxCommand, r *regs.MailboxResponse) (regs.MailboxStatus, regs.MailboxField) {
	if f := fieldAtFault(c, len(n.rx)); f != regs.MailboxFieldNone {
		return regs.MailboxStatusBadRecord, f
	}
	free := &n.cp.mailbox.free
	handle := regs.SAHandle(c.Handle)
	switch {
	case !restore && len(*free) == 0:
		return regs.MailboxStatusNoSpace, regs.MailboxFieldNone
	case !restore:
		handle = regs.SAHandle(0).WithIndex((*free)[0])
	}
	handle, result := n.sa.install(handle, regs.SARecord{
		SPI: c.SPI, Flags: regs.SAFlags(c.Flags), ESNHi: c.ESNHi, Salt: c.Salt, Dst: c.Dst, Src: c.Src, Key: c.Key,
	}, len(n.rx), restore)
	switch result {
	case regs.SAResultOK:
	case regs.SAResultDuplicate:
		return regs.MailboxStatusDuplicate, regs.MailboxFieldNone
	case regs.SAResultSlotInUse:
		return regs.MailboxStatusSlotInUse, regs.MailboxFieldHandle
	case regs.SAResultBadIndex, regs.SAResultStaleHandle:
		return regs.MailboxStatusStaleHandle, regs.MailboxFieldHandle
	default:
		return regs.MailboxStatusHardware, regs.MailboxFieldNone
	}
	r.Handle = uint32(handle)
	i := 0
	if restore {
		i = slices.Index(*free, handle.Index())
	}
	*free = slices.Delete(*free, i, i+1)
	return regs.MailboxStatusOK, regs.MailboxFieldNone
}

// fieldAtFault returns the first field of a record that a NIC with that many
// queues does not take.
func fieldAtFault(c *regs.MailboxCommand, queues int) regs.MailboxField {
	flags := regs.SAFlags(c.Flags)
	ipv4 := func(a [4]uint32) bool { return a[1]|a[2]|a[3] == 0 }
	switch {
	case c.SPI == 0:
		return regs.MailboxFieldSPI
	case flags.KeyLen() > regs.KeyLenAES256:
		return regs.MailboxFieldKeyLen
	case int(flags.RxQueue()) >= queues:
		return regs.MailboxFieldRxQueue
	case c.Flags&^saFlagsBits != 0:
		return regs.MailboxFieldFlags
	case !flags.IPv6() && !ipv4(c.Dst):
		return regs.MailboxFieldDst
	case !flags.IPv6() && !ipv4(c.Src):
		return regs.MailboxFieldSrc
	}
	return regs.MailboxFieldNone
}
