// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"encoding/binary"
	"testing"

	"github.com/espalier-nic/espalier/regs"
	"pgregory.net/rapid"
)

// TestMailboxAgainstState has random commands carried out, several in flight,
// with frames, restarts and resets between them; every answer must be what
// State says of the same operations in the same order.
func TestMailboxAgainstState(t *testing.T) {
	limits := Limits{Slots: 6, Queues: 2, MaxFrame: 400}
	rapid.Check(t, func(rt *rapid.T) {
		m := &comparison{rt: rt, host: newProcessorHost(t, Options{Slots: limits.Slots, Queues: limits.Queues, MaxFrame: limits.MaxFrame}), state: NewState(limits)}
		defer func() { _ = m.host.nic.Close() }()
		m.openQueues()
		m.control()
		m.nonce(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"commands": m.commands,
			"send":     m.send,
			"receive":  m.receive,
			"restart":  m.restart,
			"reset": func(rt *rapid.T) {
				if rapid.IntRange(0, 3).Draw(rt, "really") == 0 {
					m.host.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithReset(true)))
					m.host.untilReady()
					m.state.Reset()
					m.host.run(true)
					m.host.untilProcessor(regs.CpStatus.Ready)
					m.openQueues()
					m.control()
					m.nonce(rt)
				}
			},
			"": m.counters,
		})
	})
}

// restart ends the firmware in one of the ways there are and starts it again.
func (m *comparison) restart(*rapid.T) {
	how := rapid.IntRange(-1, int(FaultHang)).Draw(m.rt, "fault")
	if how < 0 {
		m.host.run(false)
	} else if err := m.host.nic.InjectFault(ProcessorFault(how)); err != nil {
		m.rt.Fatal(err)
	}
	m.host.untilProcessor(func(s regs.CpStatus) bool { return !s.Running() })
	m.host.run(true)
	m.host.untilProcessor(regs.CpStatus.Ready)
}

// commands posts some commands and judges their answers.
func (m *comparison) commands(*rapid.T) {
	slots := rapid.SliceOfNDistinct(rapid.IntRange(0, regs.MboxSizeSlots-1), 1, 5, rapid.ID[int]).Draw(m.rt, "slots")
	var commands []regs.MailboxCommand
	for _, slot := range slots {
		op := regs.MailboxOp(rapid.SampledFrom([]int{1, 1, 1, 2, 2, 3, 4, 4, 5, 6, 0, 7}).Draw(m.rt, "operation"))
		c := mailboxOf(op, m.drawHandle(), m.drawRecord())
		c.Header = c.Header.WithTag(uint16(rapid.Uint16().Draw(m.rt, "tag")))
		if rapid.IntRange(0, 9).Draw(m.rt, "unknown flags") == 0 {
			c.Flags |= 1 << 20
		}
		m.host.put(slot, c)
		commands = append(commands, c)
	}
	for _, slot := range slots {
		m.host.write(regs.MboxDoorbellOffset, uint32(slot))
	}
	for i, slot := range slots {
		m.judge(&commands[i], m.host.answered(slot))
	}
}

// judge compares an answer with State's.
func (m *comparison) judge(c *regs.MailboxCommand, got regs.MailboxResponse) {
	op := regs.MailboxOp(commandOpcode.Extract(uint32(c.Header)))
	if got.Header.Opcode() != op || got.Header.Tag() != uint16(commandTag.Extract(uint32(c.Header))) || got.Cycles == 0 {
		m.rt.Fatalf("command %+v, answer %+v", c, got)
	}
	want := regs.MailboxResponse{Header: got.Header, Handle: c.Handle, Detail: got.Detail, Cycles: got.Cycles}
	status := regs.MailboxStatusOK
	record := regs.SARecord{SPI: c.SPI, Flags: regs.SAFlags(c.Flags), ESNHi: c.ESNHi, Salt: c.Salt, Dst: c.Dst, Src: c.Src, Key: c.Key}
	read := func(r ReadBack, ok bool, refusal regs.MailboxStatus) {
		if !ok {
			status = refusal
			return
		}
		want.Handle, want.SPI, want.Flags, want.ESNHi = r.Handle, r.Record.SPI, uint32(r.Record.Flags), r.Record.ESNHi
		want.Dst, want.Src, want.Counters = r.Record.Dst, r.Record.Src, r.Usage.Words()
	}
	install := func(op regs.SAOp, handle uint32) {
		o := m.state.Operate(op, regs.SAHandle(handle), record)
		status = map[regs.SAResult]regs.MailboxStatus{
			regs.SAResultBadIndex: regs.MailboxStatusStaleHandle, regs.SAResultStaleHandle: regs.MailboxStatusStaleHandle,
			regs.SAResultSlotInUse: regs.MailboxStatusSlotInUse, regs.SAResultDuplicate: regs.MailboxStatusDuplicate,
			regs.SAResultBadRecord: regs.MailboxStatusBadRecord,
		}[o.Result]
		if o.Result == regs.SAResultOK {
			want.Handle = uint32(o.Handle)
			m.added = append(m.added, addedSA{record, uint32(o.Handle)})
		}
	}
	current, named := m.state.ReadBack(c.Handle)
	probe := NewState(Limits{Slots: 1, Queues: 2, MaxFrame: 400}).Operate(regs.SAOpAdd, 0, record)
	installs := op == regs.MailboxOpAddSA || op == regs.MailboxOpRestoreSA
	switch {
	case op > regs.MailboxOpNextSA:
		status = regs.MailboxStatusBadOp
	case installs && (probe.Result != regs.SAResultOK || c.Flags&(1<<20) != 0):
		status = regs.MailboxStatusBadRecord
	case op == regs.MailboxOpAddSA && m.state.SAs() == 6:
		status = regs.MailboxStatusNoSpace
	case op == regs.MailboxOpAddSA: // the slot is the firmware's choice; a duplicate is one wherever it goes
		slot := uint32(regs.SAHandle(got.Handle).Index())
		for i := uint32(0); got.Header.Status() != regs.MailboxStatusOK && i < 6; i++ {
			if next, ok := m.state.NextSA(int(i)); !ok || next.Handle&0xFFFF != i {
				slot = i
			}
		}
		install(regs.SAOpAdd, slot)
	case op == regs.MailboxOpRestoreSA:
		install(regs.SAOpRestore, c.Handle)
	case op == regs.MailboxOpNextSA:
		next, ok := m.state.NextSA(int(c.Handle & 0xFFFF))
		read(next, ok, regs.MailboxStatusNoMore)
	case op == regs.MailboxOpNOP:
	case !named:
		status = regs.MailboxStatusStaleHandle
	case op == regs.MailboxOpReadSA:
		read(current, true, 0)
	case op == regs.MailboxOpUpdateSA && c.SPI != current.Record.SPI:
		status = regs.MailboxStatusBadRecord
	case op == regs.MailboxOpUpdateSA && !current.Record.Flags.ESN():
		status = regs.MailboxStatusNotESN
	case op == regs.MailboxOpUpdateSA:
		m.state.Operate(regs.SAOpUpdate, regs.SAHandle(c.Handle), record)
	case op == regs.MailboxOpDeleteSA:
		m.state.Operate(regs.SAOpDelete, regs.SAHandle(c.Handle), record)
	}
	if got != want || got.Header.Status() != status {
		m.rt.Fatalf("%s of handle %#x: %s, right is %s\ngot  %+v\nwant %+v", op, c.Handle, got.Header.Status(), status, got, want)
	}
}

// FuzzProcessor does random accesses to the pages of the processor, with
// doorbells, faults and time; whatever the host does, the state is consistent
// and no key can be read.
func FuzzProcessor(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	step := func(what, a, b, c byte) []byte { return []byte{what, a, b, c} }
	var seed []byte
	for i := range 40 {
		seed = append(seed, step(0, byte(i), byte(i%7), byte(i))...)
		seed = append(seed, step(byte(i), byte(i/3), byte(i*37), byte(i*91))...)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		h := newHost(t, Options{ControlProcessor: Present, Slots: 6, Queues: 2})
		if len(data) > 0 && data[0]&1 != 0 {
			h.untilProcessor(regs.CpStatus.Ready)
		}
		key := uint32(0xC0FFEE01) // no other word that is read is ever this
		for ; len(data) >= 4; data = data[4:] {
			what, a, b, c := data[0], data[1], data[2], data[3]
			switch what % 8 {
			case 0, 1: // a command that means something
				r := record(int(c%5), a&0x80 != 0)
				r.Flags, r.Salt = r.Flags.WithESN(a&0x40 != 0), key
				for i := range r.Key {
					r.Key[i] = key
				}
				slot := int(a % regs.MboxSizeSlots)
				h.put(slot, mailboxOf(regs.MailboxOp(b%8), uint32(c%7)|uint32(c>>6)<<16, r))
				h.write(regs.MboxDoorbellOffset, uint32(slot))
			case 2: // any register of pages 1 to 7
				h.write(page+uint64(binary.LittleEndian.Uint16([]byte{a, b}))%(7*page)&^3, uint32(c)*0x01010101)
			case 3: // the registers that matter
				offsets := []uint64{regs.CpCtrlOffset, regs.CpLoadAddrOffset, regs.CpLoadDataOffset, regs.MboxDoorbellOffset, regs.MboxDoneOffset, regs.MboxCtrlOffset}
				h.write(offsets[int(a)%len(offsets)], uint32(b)*0x01010101)
			case 4:
				h.relax(uint64(a)<<8 | uint64(b))
			case 5:
				_ = h.nic.InjectFault(ProcessorFault(int(a%8) - 1)) // some are refused
			case 6:
				h.run(a&1 != 0)
			case 7:
				if a == 0 {
					h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithReset(true)))
				}
				h.load(image(16, 0x01000000)) // ignored while it runs
			}
			consistent(t, h.nic)
		}
		for offset := uint64(page); offset < 8*page; offset += 4 {
			if h.read(offset) == key {
				t.Errorf("offset %#x shows a key", offset)
			}
		}
	})
}

// consistent checks what holds whenever the host looks.
func consistent(t *testing.T, n *NIC) {
	t.Helper()
	p := n.cp
	live := 0
	for i := range n.sa.slots {
		if n.sa.slots[i].live {
			live++
		}
	}
	if live != n.sa.live {
		t.Fatalf("%d SAs live, counted %d", live, n.sa.live)
	}
	if p.ready {
		free := map[uint16]bool{}
		for _, slot := range p.mailbox.free {
			if free[slot] || n.sa.slots[slot].live {
				t.Fatalf("slot %d is not free, or free twice", slot)
			}
			free[slot] = true
		}
		if len(free)+live != len(n.sa.slots) {
			t.Fatalf("%d slots are free, %d in use, of %d", len(free), live, len(n.sa.slots))
		}
	}
	if p.ready && !p.run || p.run && p.fault != regs.CpFaultNone || p.run && !p.imageOK() || p.ready && !p.passed && !p.failed {
		t.Fatalf("CP_STATUS %#x", p.status())
	}
	if p.run && p.beating && p.mailbox.pending == 0 && p.due == never && p.ready && len(p.mailbox.queue) > 0 {
		t.Fatal("a command waits for nothing")
	}
	if len(p.mailbox.queue) > 2*regs.MboxSizeSlots {
		t.Fatalf("%d slots wait", len(p.mailbox.queue))
	}
}
