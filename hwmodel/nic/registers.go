// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// controlRegs are the registers of page 0 that keep what is written.
type controlRegs struct {
	ctrl      regs.Ctrl
	rxDefault regs.RxDefault
	scratch   uint32
	intMask   uint32
	cyclesHi  uint32 // latched by a read of CYCLES_LO
	readyAt   uint64 // cycle at which a reset or start-up is over
	statsHi   [statistic]uint32
}

// Fields that the NIC composes.
var (
	queueActive    = field("txq[0].status.active")
	queueError     = field("txq[0].status.error")
	queueErrorCode = field("txq[0].status.error_code")

	statusReady     = field("status.ready")
	statusResetBusy = field("status.reset_busy")
	statusZeroised  = field("status.zeroised")
	statusTxIdle    = field("status.tx_idle")
	statusRxIdle    = field("status.rx_idle")

	saBusy   = field("sa_status.busy")
	saResult = field("sa_status.result")
	saTime   = field("sa_status.cycles")
)

// Bits that registers have, by offset of the register or of its array.
var (
	ctrlBits       = bits("ctrl")
	rxDefaultBits  = bits("rx_default")
	moderationBits = bits("int_moderation[0]")
	queueCtrlBits  = bits("txq[0].ctrl")
	tailBits       = bits("txq[0].tail")
	batchBits      = bits("txq[0].cpl_batch")
	saCmdBits      = bits("sa_cmd")
	saFlagsBits    = bits("sa.flags")
)

func lookup(name string) regs.Ref {
	ref, err := regs.Lookup(name)
	if err != nil {
		panic("nic: " + err.Error())
	}
	return ref
}

func field(name string) regs.Field { return *lookup(name).Field }

func bits(name string) (mask uint32) {
	for _, f := range lookup(name).Register.Fields {
		mask |= f.Mask()
	}
	return mask
}

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

const (
	page           = 0x1000
	firstQueuePage = 16 * page
	busError       = ^uint32(0) // what a PCIe host reads where nothing answers
)

// registers is a NIC seen through its register BAR.
type registers NIC

// ReadBAR implements endpoint.Accessor. Wider accesses than a register's are
// two, narrower ones read the whole register.
func (r *registers) ReadBAR(offset uint64, width int) (uint64, error) {
	n := (*NIC)(r)
	answers := n.ep.MemoryEnabled()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return 0, pcie.ErrClosed
	}
	if n.removed || !answers {
		return ^uint64(0) >> (64 - 8*width), nil
	}
	n.catchUp()
	n.advanceTo(n.clock.cycle + accessCycles)
	defer n.settled()
	if width == 8 {
		lo := n.read(offset)
		return uint64(lo) | uint64(n.read(offset+4))<<32, nil
	}
	word := n.read(offset &^ 3)
	return uint64(word>>(offset%4*8)) & (^uint64(0) >> (64 - 8*width)), nil
}

// WriteBAR implements endpoint.Accessor.
func (r *registers) WriteBAR(offset uint64, width int, value uint64) error {
	n := (*NIC)(r)
	answers := n.ep.MemoryEnabled()
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return pcie.ErrClosed
	}
	if n.removed || !answers {
		n.mu.Unlock()
		return nil
	}
	n.catchUp()
	n.advanceTo(n.clock.cycle + accessCycles)
	if width == 8 {
		n.write(offset, uint32(value), ^uint32(0))
		n.write(offset+4, uint32(value>>32), ^uint32(0))
	} else {
		shift := offset % 4 * 8
		n.write(offset&^3, uint32(value<<shift), uint32(^uint64(0)>>(64-8*width)<<shift))
	}
	for {
		more := n.transmit()
		sent := len(n.egress.ends) > 0
		n.settled()
		n.mu.Unlock()
		if sent {
			n.deliver()
		}
		if !more {
			return nil
		}
		n.mu.Lock()
	}
}

// read reads the register at offset, with what that causes.
func (n *NIC) read(offset uint64) uint32 {
	switch {
	case offset < page:
		return n.readControl(offset)
	case offset < 2*page:
		return n.readSA(offset)
	case offset < 3*page:
		return n.readStatistic(offset)
	case n.cp != nil && offset < firstQueuePage:
		return n.readProcessor(offset)
	}
	if q := n.queueAt(offset); q != nil {
		return q.read(offset % page)
	}
	return busError
}

// write writes the bits in mask of the register at offset. During a reset and
// start-up nothing is written.
func (n *NIC) write(offset uint64, value, mask uint32) {
	if n.resetBusy() {
		return
	}
	switch {
	case offset < page:
		n.writeControl(offset, value, mask)
		return
	case offset < 2*page:
		n.writeSA(offset, value, mask)
		return
	case n.cp != nil && offset < firstQueuePage:
		n.writeProcessor(offset, value, mask)
		return
	}
	if q := n.queueAt(offset); q != nil {
		q.write(offset%page, value, mask)
	}
}

// queueAt returns the queue in whose page offset is.
func (n *NIC) queueAt(offset uint64) *queue {
	queues, first := n.tx, regs.TxqOffset(0)
	if offset >= regs.RxqOffset(0) {
		queues, first = n.rx, regs.RxqOffset(0)
	}
	if number := (offset - first) / page; offset >= first && number < uint64(len(queues)) {
		return queues[number]
	}
	return nil
}

// merge replaces the bits in mask.
func merge(old, value, mask uint32) uint32 { return old&^mask | value&mask }

func (n *NIC) readControl(offset uint64) uint32 {
	switch offset {
	case regs.CtrlOffset:
		return uint32(n.control.ctrl.WithReset(n.resetBusy()))
	case regs.StatusOffset:
		return n.status()
	case regs.RxDefaultOffset:
		return uint32(n.control.rxDefault)
	case regs.ScratchOffset:
		return n.control.scratch
	case regs.CyclesLoOffset:
		cycles := n.clock.cycle - n.clock.base
		n.control.cyclesHi = uint32(cycles >> 32)
		return uint32(cycles)
	case regs.CyclesHiOffset:
		return n.control.cyclesHi
	case regs.IntCauseOffset:
		return n.causes()
	case regs.IntMaskOffset:
		return n.control.intMask
	case regs.IntArmOffset, regs.IntSetOffset:
		return 0
	}
	if v, ok := moderationAt(offset); ok {
		if v < len(n.vectors) {
			return uint32(n.vectors[v].moderation)
		}
		return 0
	}
	return n.capability(offset)
}

// moderationAt returns the vector whose INT_MODERATION is at offset.
func moderationAt(offset uint64) (v int, ok bool) {
	v = int(offset-regs.IntModerationOffset(0)) / 4
	return v, offset >= regs.IntModerationOffset(0) && v < regs.IntModerationCount
}

func (n *NIC) writeControl(offset uint64, value, mask uint32) {
	c := &n.control
	switch offset {
	case regs.CtrlOffset:
		c.ctrl = regs.Ctrl(merge(uint32(c.ctrl), value, mask&ctrlBits))
		if c.ctrl.Reset() {
			n.softReset()
		}
	case regs.RxDefaultOffset:
		c.rxDefault = regs.RxDefault(merge(uint32(c.rxDefault), value, mask&rxDefaultBits))
	case regs.ScratchOffset:
		c.scratch = merge(c.scratch, value, mask)
	case regs.IntCauseOffset:
		n.clearCauses(value & mask)
	case regs.IntMaskOffset:
		n.setMask(merge(c.intMask, value, mask))
	case regs.IntArmOffset:
		n.arm(value & mask)
	case regs.IntSetOffset:
		for v := range n.vectors {
			n.event(v, int(value&mask>>v&1))
		}
	default:
		if v, ok := moderationAt(offset); ok && v < len(n.vectors) {
			x := &n.vectors[v]
			x.moderation = regs.IntModeration(merge(uint32(x.moderation), value, mask&moderationBits))
			n.moderate(v)
		}
	}
}

func (n *NIC) status() (v uint32) {
	busy := n.resetBusy()
	rxIdle := true
	for _, q := range n.rx {
		rxIdle = rxIdle && q.batched == 0
	}
	v = statusReady.Insert(v, bit(!busy))
	v = statusResetBusy.Insert(v, bit(busy))
	v = statusZeroised.Insert(v, bit(!busy && n.sa.live == 0))
	v = statusTxIdle.Insert(v, 1)
	return statusRxIdle.Insert(v, bit(rxIdle))
}

func (n *NIC) readSA(offset uint64) uint32 {
	t := &n.sa
	if i, ok := nonceAt(offset); ok {
		return t.nonce[i]
	}
	if n.cp != nil { // the window is the firmware's
		return busError
	}
	if i := (offset - regs.SACountersOffset(0)) / 4; offset >= regs.SACountersOffset(0) && i < regs.SACountersCount {
		return t.counters[i]
	}
	switch offset {
	case regs.SACmdOffset:
		return uint32(regs.SACmd(0).WithOp(t.op))
	case regs.SAStatusOffset:
		v := saBusy.Insert(0, bit(t.busy))
		v = saResult.Insert(v, uint32(t.result))
		return saTime.Insert(v, t.cycles)
	case regs.SAHandleOffset:
		return uint32(t.handle)
	}
	word, ok := recordWord(offset)
	switch {
	case !ok:
		return busError
	case word == regs.SARecordSaltWord, word >= regs.SARecordKeyWord:
		return 0
	}
	return t.record[word]
}

// nonceAt returns which word of SA_NONCE is at offset.
func nonceAt(offset uint64) (i int, ok bool) {
	i = int(offset-regs.SANonceOffset(0)) / 4
	return i, offset >= regs.SANonceOffset(0) && i < regs.SANonceCount
}

// recordWord returns which word of the SA window's record is at offset.
func recordWord(offset uint64) (word int, ok bool) {
	word = int(offset-regs.SARecordOffset) / 4
	return word, offset >= regs.SARecordOffset && word < regs.SARecordWords
}

func (n *NIC) writeSA(offset uint64, value, mask uint32) {
	t := &n.sa
	if i, ok := nonceAt(offset); ok {
		t.nonce[i] = merge(t.nonce[i], value, mask)
		return
	}
	if n.cp != nil {
		return
	}
	if t.busy { // the window must not be written then, and is not
		return
	}
	switch offset {
	case regs.SACmdOffset:
		if mask&saCmdBits != 0 {
			n.startSA(regs.SACmd(value & mask & saCmdBits).Op())
		}
	case regs.SAHandleOffset:
		t.handle = regs.SAHandle(merge(uint32(t.handle), value, mask))
	default:
		word, ok := recordWord(offset)
		if !ok {
			return
		}
		if word == regs.SARecordFlagsWord {
			mask &= saFlagsBits
		}
		t.record[word] = merge(t.record[word], value, mask)
	}
}

func (n *NIC) readStatistic(offset uint64) uint32 {
	const size = regs.StatTxBytesLoOffset - regs.StatTxFramesLoOffset
	at := offset - regs.StatTxFramesLoOffset
	number := at / size
	if number >= statistic {
		return busError
	}
	if at%size != 0 {
		return n.control.statsHi[number]
	}
	n.control.statsHi[number] = uint32(n.stats[number] >> 32)
	return uint32(n.stats[number])
}

func (q *queue) read(offset uint64) uint32 {
	switch offset {
	case regs.QueueCtrlOffset:
		return uint32(q.ctrl)
	case regs.QueueStatusOffset:
		return q.status()
	case regs.QueueRingLoOffset:
		return uint32(q.ring)
	case regs.QueueRingHiOffset:
		return uint32(q.ring >> 32)
	case regs.QueueCplLoOffset:
		return uint32(q.cpl)
	case regs.QueueCplHiOffset:
		return uint32(q.cpl >> 32)
	case regs.QueueTailOffset:
		return uint32(q.tail)
	case regs.QueueHeadOffset:
		return uint32(q.head)
	case regs.QueueCplBatchOffset:
		return uint32(q.batch)
	}
	return busError
}

func (q *queue) write(offset uint64, value, mask uint32) {
	low := func(old uint64) uint64 { return old&^0xFFFFFFFF | uint64(merge(uint32(old), value, mask)) }
	high := func(old uint64) uint64 { return old&0xFFFFFFFF | uint64(merge(uint32(old>>32), value, mask))<<32 }
	switch offset {
	case regs.QueueCtrlOffset:
		q.setCtrl(regs.QueueCtrl(merge(uint32(q.ctrl), value, mask&queueCtrlBits)))
		return
	case regs.QueueTailOffset:
		q.setTail(uint16(merge(uint32(q.tail), value, mask&tailBits)))
		return
	case regs.QueueCplBatchOffset:
		q.batch = regs.QueueCplBatch(merge(uint32(q.batch), value, mask&batchBits))
		return
	}
	if q.ctrl.Enable() { // a running queue's rings stay where they are
		return
	}
	switch offset {
	case regs.QueueRingLoOffset:
		q.ring = low(q.ring)
	case regs.QueueRingHiOffset:
		q.ring = high(q.ring)
	case regs.QueueCplLoOffset:
		q.cpl = low(q.cpl)
	case regs.QueueCplHiOffset:
		q.cpl = high(q.cpl)
	}
}

// msixRegisters is the BAR with the MSI-X table, gone with the NIC.
type msixRegisters struct {
	nic *NIC
	bar pcie.BAR
}

// ReadBAR implements endpoint.Accessor.
func (m *msixRegisters) ReadBAR(offset uint64, width int) (uint64, error) {
	switch err := m.nic.check(); {
	case err == pcie.ErrRemoved:
		return ^uint64(0) >> (64 - 8*width), nil
	case err != nil:
		return 0, err
	}
	switch width {
	case 4:
		v, err := m.bar.Read32(offset)
		return uint64(v), err
	case 8:
		return m.bar.Read64(offset)
	}
	return 0, nil // as endpoint.MSIX answers them
}

// WriteBAR implements endpoint.Accessor.
func (m *msixRegisters) WriteBAR(offset uint64, width int, value uint64) error {
	switch err := m.nic.check(); {
	case err == pcie.ErrRemoved:
		return nil
	case err != nil:
		return err
	}
	switch width {
	case 4:
		return m.bar.Write32(offset, uint32(value))
	case 8:
		return m.bar.Write64(offset, value)
	}
	return nil
}
