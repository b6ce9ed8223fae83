// SPDX-License-Identifier: Apache-2.0

package cp

import (
	"encoding/binary"
	"testing"

	"github.com/espalier-nic/espalier/regs"
)

func TestIdentity(t *testing.T) {
	r := newRig(t, nil)
	if !regs.CapFeature(r.read(regs.CapFeatureOffset)).ControlProcessor() {
		t.Error("CAP_FEATURE has no control processor")
	}
	r.expect("memory", regs.CpRamOffset, ramBytes)
	r.expect("watchdog", regs.CpWatchdogOffset, watchdog)
	r.expect("mailbox", regs.MboxSizeOffset, 32|128<<8)
	r.expect("status after power-up", regs.CpStatusOffset, 0)
	for _, offset := range []uint64{0x3030, 0x3054, regs.CpNextOffset, regs.CpAnswerOffset, regs.CpReportOffset, regs.CpSALiveOffset,
		regs.CpSelftestStatusOffset, regs.CpSelftestFrameOffset(0), regs.CpSelftestFrameOffset(63), 0x8000} {
		if !r.busError(offset) {
			t.Errorf("the host's read of %#x is answered", offset)
		}
	}
}

// TestLoad: what makes an image, and what does not.
func TestLoad(t *testing.T) {
	good := monitor().image()
	changed := append([]uint32(nil), good...)
	changed[9] ^= 1 << 17
	short := newProgram()
	for range 14 {
		short.emit(0x13) // nop
	}
	least := newProgram()
	for range 15 {
		least.emit(0x13)
	}
	large := newProgram()
	for range ramBytes / 4 {
		large.emit(0x13)
	}
	full := newProgram()
	for range ramBytes/4 - 1 {
		full.emit(0x13)
	}
	for _, c := range []struct {
		name  string
		image []uint32
		ok    bool
	}{{"the monitor", good, true}, {"a bit changed", changed, false}, {"a word missing", good[:len(good)-1], false}, {"a word more", append(good[:len(good):len(good)], 0), false},
		{"15 words", short.image(), false}, {"16 words", least.image(), true}, {"as large as the memory", full.image(), true}, {"a word too large", large.image(), false}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.load(c.image)
			if r.status().ImageOK() != c.ok {
				t.Errorf("CP_STATUS %#x, CP_LOAD_CRC %#x", uint32(r.status()), r.read(regs.CpLoadCrcOffset))
			}
			if c.ok {
				r.expect("CRC", regs.CpLoadCrcOffset, 0xDEBB20E3)
				r.expect("address", regs.CpLoadAddrOffset, uint32(4*len(c.image))%0xFFFFFF)
			}
			r.write(regs.CpCtrlOffset, 1)
			r.expect("RUN", regs.CpCtrlOffset, map[bool]uint32{true: 1}[c.ok])
			word := make([]byte, 4)
			for i := range min(len(c.image), ramBytes/4) {
				if _, err := r.sim.Peek("cp_ram", uint64(i), word); err != nil {
					t.Fatal(err)
				}
				if got := binary.LittleEndian.Uint32(word); got != c.image[i] {
					t.Fatalf("word %d of the memory is %#x, want %#x", i, got, c.image[i])
				}
			}
		})
	}

	r := newRig(t, nil)
	r.load(good)
	r.write(regs.CpLoadAddrOffset, uint32(4*len(good))) // where it is already
	if !r.status().ImageOK() {
		t.Error("an address that was not used spoils the image")
	}
	r.write(regs.CpLoadAddrOffset, 64)
	r.write(regs.CpLoadDataOffset, good[16])
	if r.status().ImageOK() {
		t.Error("a word loaded out of order is part of an image")
	}
	r.load(good)
	if !r.status().ImageOK() {
		t.Error("loading again does not begin anew")
	}
	r.start()
	r.write(regs.CpLoadAddrOffset, 0)
	r.write(regs.CpLoadDataOffset, 1)
	r.expect("CRC after loading while it runs", regs.CpLoadCrcOffset, 0xDEBB20E3)
	r.expect("address after loading while it runs", regs.CpLoadAddrOffset, uint32(4*len(good)))
	if got := r.do(monEcho, 0, 41); got != 42 {
		t.Errorf("echo gives %d", got)
	}
}

// TestMailbox: commands are carried out in the order of their doorbells, over
// all slots, and each answer is one event.
func TestMailbox(t *testing.T) {
	r := running(t, nil)
	const vector = 5
	r.write(regs.MboxCtrlOffset, vector)
	r.write(regs.IntMaskOffset, 0)

	// The order in which they are done is seen in a word of memory.
	r.do(monWrite, ramBytes-4, 0)
	order := []int{7, 31, 0, 3, 2, 30, 1, 16}
	for slot := range 32 {
		if slot%4 == 1 && slot > 1 {
			order = append(order, slot)
		}
	}
	r.interrupts(vector)
	for i, slot := range order {
		r.write(command(slot, 0), uint32(i)<<16|0xAB)
		r.write(command(slot, 1), monEcho)
		r.write(command(slot, 3), uint32(1000+i))
		r.expect("the command page", command(slot, 3), 0)
	}
	for _, slot := range order {
		r.write(regs.MboxDoorbellOffset, uint32(slot))
		r.write(regs.MboxDoorbellOffset, uint32(slot)) // posted already
	}
	r.until("all answers", func() bool { return r.read(regs.MboxPendingOffset) == 0 })
	var want uint32
	for i, slot := range order {
		want |= 1 << slot
		r.expect("answer", response(slot, 0), uint32(i)<<16|0xAB)
		r.expect("answer", response(slot, 1), uint32(1001+i))
		r.expect("the rest of an answer", response(slot, 5), 0)
	}
	r.expect("MBOX_DONE", regs.MboxDoneOffset, want)
	r.write(regs.MboxDoneOffset, 1<<7|1<<3)
	r.expect("MBOX_DONE after clearing", regs.MboxDoneOffset, want&^(1<<7|1<<3))
	if got := r.interrupts(vector); got != 1 { // and no other until the vector is armed
		t.Errorf("%d interrupts, want 1", got)
	}
	r.until("the other answers' interrupt", func() bool { return r.interrupts(vector) == 1 })

	// A doorbell for what is posted already counts for nothing: each of these
	// writes a byte to the log, behind one that takes a while.
	logged := r.read(regs.CpLogHeadOffset)
	for slot := range 4 {
		r.write(command(slot, 1), monWrite)
		r.write(command(slot, 2), inCPU+regs.CpLogPutOffset)
	}
	r.write(command(0, 1), monTime)
	r.write(command(0, 2), inCPU+uint32(regs.CyclesLoOffset))
	for range 3 {
		for slot := range 4 {
			r.write(regs.MboxDoorbellOffset, uint32(slot))
		}
	}
	r.until("all answers", func() bool { return r.read(regs.MboxPendingOffset) == 0 })
	r.advance(2000)
	r.expect("bytes written by three commands", regs.CpLogHeadOffset, logged+3)

	// Full: all 32 at once, twice.
	for lap := range 2 {
		for slot := range 32 {
			r.write(command(slot, 1), monEcho)
			r.write(command(slot, 3), uint32(slot+100*lap))
		}
		r.write(regs.MboxDoneOffset, 0xFFFFFFFF)
		for slot := range 32 {
			r.write(regs.MboxDoorbellOffset, uint32(31-slot))
		}
		r.until("all answers", func() bool { return r.read(regs.MboxDoneOffset) == 0xFFFFFFFF })
		for slot := range 32 {
			r.expect("answer", response(slot, 1), uint32(slot+100*lap+1))
		}
	}
	r.expect("MBOX_PENDING", regs.MboxPendingOffset, 0)
}

// interrupts is how often a vector has fired since the last call; it is armed again.
func (r *rig) interrupts(vector int) uint32 {
	r.t.Helper()
	counts := make([]uint32, 8)
	if err := r.sim.Interrupts(counts); err != nil {
		r.t.Fatal(err)
	}
	r.write(regs.IntArmOffset, 1<<vector)
	return counts[vector]
}

// TestOrder: a slot posted first is answered first, whatever its number.
func TestOrder(t *testing.T) {
	r := running(t, nil)
	// Each writes its number to the same word; the last one stays.
	for _, order := range [][]int{{3, 9, 20}, {20, 9, 3}, {9, 3, 20}} {
		for _, slot := range order {
			for i, w := range []uint32{1, monWrite, ramBytes - 4, uint32(slot)} {
				r.write(command(slot, i), w)
			}
		}
		for _, slot := range order {
			r.write(regs.MboxDoorbellOffset, uint32(slot))
		}
		r.until("all answers", func() bool { return r.read(regs.MboxPendingOffset) == 0 })
		r.slot = 1
		if got := r.do(monRead, ramBytes-4, 0); got != uint32(order[2]) {
			t.Errorf("posted in order %v, %d was done last", order, got)
		}
	}
}

// TestWindow: the processor has the SA window, the host has not.
func TestWindow(t *testing.T) {
	r := running(t, nil)
	for offset := uint64(0x1000); offset < 0x10C0; offset += 4 {
		nonce := offset == regs.SANonceOffset(0) || offset == regs.SANonceOffset(1)
		if r.busError(offset) == nonce {
			t.Errorf("the host's read of %#x: bus error %v", offset, !nonce)
		}
	}
	r.write(regs.SANonceOffset(0), 0x01020304)
	r.expect("SA_NONCE", regs.SANonceOffset(0), 0x01020304)
	if got := r.cpuRead(regs.SANonceOffset(0)); got != 0x01020304 {
		t.Errorf("the processor reads %#x in SA_NONCE", got)
	}

	r.cpuWrite(regs.SAHandleOffset, 3)
	r.cpuWrite(regs.SASPIOffset, 0x12345678)
	for offset, value := range map[uint64]uint64{regs.SASPIOffset: 0xDEADBEEF, regs.SACmdOffset: uint64(regs.SAOpAdd)} {
		if r.sim.BARWrite(0, offset, 4, value) == nil {
			t.Errorf("the host's write of %#x ends well", offset)
		}
	}
	if got := r.cpuRead(regs.SASPIOffset); got != 0x12345678 {
		t.Errorf("SPI is %#x after a write of the host", got)
	}
	if got := r.cpuRead(regs.CpSALiveOffset); got != 0 {
		t.Errorf("%d SAs after a command of the host", got)
	}
	r.cpuWrite(regs.SAFlagsOffset, 1)
	r.cpuWrite(regs.SADstOffset(0), 0x0A000001)
	r.cpuWrite(regs.SAKeyOffset(0), 0xCAFE)
	r.cpuWrite(regs.SACmdOffset, uint32(regs.SAOpAdd))
	r.advance(200)
	if s := regs.SAStatus(r.cpuRead(regs.SAStatusOffset)); s.Busy() || s.Result() != regs.SAResultOK {
		t.Fatalf("ADD: %#x", uint32(s))
	}
	if got := r.cpuRead(regs.CpSALiveOffset); got != 1 {
		t.Errorf("%d SAs after an ADD", got)
	}
	r.cpuWrite(regs.SASPIOffset, 0)
	r.cpuWrite(regs.SACmdOffset, uint32(regs.SAOpRead))
	r.advance(200)
	if got := r.cpuRead(regs.SASPIOffset); got != 0x12345678 {
		t.Errorf("READ gives SPI %#x", got)
	}
	if got := r.cpuRead(regs.SAHandleOffset); got != 1<<16|3 {
		t.Errorf("handle %#x", got)
	}
	if got := r.cpuRead(regs.IDOffset); got != regs.IDMagic {
		t.Errorf("the processor reads ID %#x", got)
	}
}

// TestPages: what the processor may do in its pages, and what the host may not.
func TestPages(t *testing.T) {
	r := running(t, nil)
	r.write(command(9, 20), 0x11223344)
	if got := r.cpuRead(command(9, 20)); got != 0x11223344 {
		t.Errorf("the processor reads %#x in a command", got)
	}
	r.do(monByte, inCPU+uint32(command(9, 20))+2, 0xFFAA)
	if got := r.cpuRead(command(9, 20)); got != 0x11AA3344 {
		t.Errorf("a byte written gives %#x", got)
	}
	r.cpuWrite(command(9, 20), 0)
	if got := r.cpuRead(command(9, 20)); got != 0 {
		t.Errorf("a cleared word of a command is %#x", got)
	}
	r.cpuWrite(response(9, 3), 77)
	r.write(response(9, 3), 78) // read-only
	r.expect("a response", response(9, 3), 77)
	if got := r.cpuRead(response(9, 3)); got != 77 {
		t.Errorf("the processor reads %d in a response", got)
	}
	r.cpuWrite(regs.CpSelftestFrameOffset(63), 0x55667788)
	r.do(monByte, inCPU+uint32(regs.CpSelftestFrameOffset(63)), 0x99)
	if got := r.cpuRead(regs.CpSelftestFrameOffset(63)); got != 0x55667799 {
		t.Errorf("the self-test frame has %#x", got)
	}
	r.cpuWrite(regs.CpSetVersionOffset, 0x01020003)
	r.cpuWrite(regs.CpSetBuildOffset, 0xB111D)
	r.expect("version", regs.CpFwVersionOffset, 0x01020003)
	r.expect("build", regs.CpFwBuildOffset, 0xB111D)
	beats := r.read(regs.CpHeartbeatOffset)
	r.advance(1000)
	if now := r.read(regs.CpHeartbeatOffset); now <= beats || now > beats+1000 {
		t.Errorf("HEARTBEAT %d, 1000 cycles later %d", beats, now)
	}
	r.cpuWrite(regs.CpReportOffset, 1<<2|1<<4)
	if s := r.status(); !s.Ready() || !s.SelftestFailed() || s.SelftestPassed() {
		t.Errorf("CP_STATUS %#x", uint32(s))
	}
	r.cpuWrite(regs.CpReportOffset, 1<<3)
	r.cpuWrite(regs.CpReportOffset, 1<<2) // PASSED stays
	if s := r.status(); !s.Ready() || s.SelftestFailed() || !s.SelftestPassed() {
		t.Errorf("CP_STATUS %#x", uint32(s))
	}
}

// TestCycles: the processor's clock, by which it measures commands. (That its
// reads leave the host's latches alone is in the test of espalier_stats.)
func TestCycles(t *testing.T) {
	r := running(t, nil)
	first := r.cpuRead(regs.CyclesLoOffset)
	r.advance(1000)
	if second := r.cpuRead(regs.CyclesLoOffset); second < first+1000 || second > first+3000 {
		t.Errorf("CYCLES_LO is %d and, 1000 cycles later, %d", first, second)
	}
}

// TestLog: a ring of bytes of which nothing is seen that this run did not write.
func TestLog(t *testing.T) {
	r := running(t, nil)
	put := func(b byte) { r.cpuWrite(regs.CpLogPutOffset, uint32(b)) }
	for i := range 6 {
		put(byte('a' + i))
	}
	r.expect("head", regs.CpLogHeadOffset, 6)
	r.expect("first word", regs.CpLogOffset(0), 0x64636261)
	r.expect("second word", regs.CpLogOffset(1), 0x6665)
	r.expect("third word", regs.CpLogOffset(2), 0)
	// Round the ring, 32 bytes a command.
	for range (4096 - 6) / 32 {
		r.do(monBurst, inCPU+regs.CpLogPutOffset, 'x')
	}
	for range (4096 - 6) % 32 {
		put('y')
	}
	r.expect("head", regs.CpLogHeadOffset, 4096)
	r.expect("last word", regs.CpLogOffset(1023), 0x79797979)
	r.expect("first word", regs.CpLogOffset(0), 0x64636261)
	put('A')
	r.expect("head", regs.CpLogHeadOffset, 4097)
	r.expect("first word after the wrap", regs.CpLogOffset(0), 0x64636241)
	r.expect("second word after the wrap", regs.CpLogOffset(1), 0x78786665)
	r.write(regs.CpCtrlOffset, 0)
	r.expect("head after it was stopped", regs.CpLogHeadOffset, 4097)
	r.start()
	r.expect("head after a start", regs.CpLogHeadOffset, 0)
	r.expect("first word after a start", regs.CpLogOffset(0), 0)
}

// TestFaults: every way to go wrong stops the processor, says why and where, and
// raises one event; RUN begins anew.
func TestFaults(t *testing.T) {
	p := monitor()
	at := func(name string) uint32 { return uint32(p.labels[name]) }
	const nowhere = ramBytes
	r := running(t, nil)
	const vector = 3
	r.write(regs.IntMaskOffset, 0)
	r.write(regs.MboxCtrlOffset, vector)
	// Instructions in memory behind the program: word 0 illegal, 1 ebreak, 2 a
	// jump to a misaligned address.
	const code = 4096
	for _, c := range []struct {
		name           string
		op             int
		address, value uint32
		fault          regs.CpFault
		pc             uint32
	}{
		{"illegal instruction", monJump, code, 0, regs.CpFaultTrap, code},
		{"ebreak", monJump, code + 4, 0, regs.CpFaultTrap, code + 4},
		{"misaligned jump", monJump, code + 2, 0, regs.CpFaultTrap, at("jump")},
		{"misaligned read", monRead, code + 2, 0, regs.CpFaultTrap, at("read")},
		{"misaligned write", monWrite, inCPU + regs.ScratchOffset + 1, 0, regs.CpFaultTrap, at("write")},
		{"read of nothing", monRead, nowhere, 0, regs.CpFaultBus, at("read")},
		{"read between memory and registers", monRead, 0x20000000, 0, regs.CpFaultBus, at("read")},
		{"read behind the registers", monRead, inCPU + 0x40000, 0, regs.CpFaultBus, at("read")},
		{"read where no register is", monRead, inCPU + 0x30000, 0, regs.CpFaultBus, at("read")},
		{"read where none is in its pages", monRead, inCPU + 0x3054, 0, regs.CpFaultBus, at("read")},
		{"read behind the self-test frame", monRead, inCPU + 0x7100, 0, regs.CpFaultBus, at("read")},
		{"write of nothing", monWrite, nowhere, 0, regs.CpFaultBus, at("write")},
		{"write where no register is", monWrite, inCPU + 0x30000, 0, regs.CpFaultBus, at("write")},
		{"write of its first word", monWrite, 0, 0x13, regs.CpFaultBus, at("write")},
		{"write of its CRC", monWrite, uint32(4 * len(p.words)), 0, regs.CpFaultBus, at("write")},
		{"jump to nothing", monJump, nowhere, 0, regs.CpFaultBus, nowhere},
		{"jump into the registers", monJump, inCPU, 0, regs.CpFaultBus, inCPU},
		{"hang", monHang, 0, 0, regs.CpFaultWatchdog, at(hangAt)},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.t = t
			r.do(monWrite, code, 0)
			r.do(monWrite, code+4, 0x00100073)
			r.do(monEcho, 0, 0)
			r.advance(100)
			r.interrupts(vector)
			r.advance(20)
			r.interrupts(vector)
			slot := r.post(c.op, c.address, c.value)
			from := r.sim.Cycle()
			r.expectFault(c.fault, c.pc)
			if took := r.sim.Cycle() - from; c.fault == regs.CpFaultWatchdog && (took < watchdog || took > watchdog+500) {
				t.Errorf("found hung after %d cycles", took)
			}
			r.advance(50)
			if fired := r.interrupts(vector); fired != 1 {
				t.Errorf("%d interrupts, want 1", fired)
			}
			r.advance(2 * watchdog)
			r.expect("pending", regs.MboxPendingOffset, 1<<slot)
			r.expect("done", regs.MboxDoneOffset, 0)
			if fired := r.interrupts(vector); fired != 0 {
				t.Errorf("%d more interrupts", fired)
			}
			r.start()
			if s := r.status(); s.Fault() != regs.CpFaultNone || !s.Running() {
				t.Errorf("CP_STATUS %#x after a new start", uint32(s))
			}
			r.expect("pending after a start", regs.MboxPendingOffset, 0)
			r.slot = 0
			if got := r.do(monEcho, 0, 1); got != 2 {
				t.Errorf("echo after a new start gives %d", got)
			}
		})
	}

	// The memory that is not program is the processor's to write: its first and its last word.
	r.t = t
	for _, address := range []uint32{uint32(4*len(p.words) + 4), ramBytes - 4} {
		r.do(monWrite, address, 0x1234)
		if got := r.do(monRead, address, 0); got != 0x1234 {
			t.Errorf("memory at %#x holds %#x", address, got)
		}
	}
}

// TestStop: RUN written 0 stops without a fault, and nothing of the life before
// is seen after the next start.
func TestStop(t *testing.T) {
	r := running(t, nil)
	r.do(monEcho, 0, 5)
	slot := r.post(monHang, 0, 0)
	r.write(command(20, 12), 0x5EC12E7) // a key
	r.advance(300)
	r.write(regs.CpCtrlOffset, 0)
	if s := r.status(); s.Running() || s.Ready() || s.Fault() != regs.CpFaultNone {
		t.Errorf("CP_STATUS %#x after RUN was cleared", uint32(s))
	}
	r.expect("pending", regs.MboxPendingOffset, 1<<slot)
	r.expect("an answer from before", response(0, 1), 6)
	r.advance(1100)
	word := make([]byte, 4)
	if _, err := r.sim.Peek("espalier_nic.g_cp.u_cp.u_commands.mem", 20*32+12, word); err != nil || binary.LittleEndian.Uint32(word) != 0 {
		t.Errorf("a key in a command outlives the processor: %x, %v", word, err)
	}
	r.start()
	r.expect("pending after a start", regs.MboxPendingOffset, 0)
	r.expect("done after a start", regs.MboxDoneOffset, 0)
	r.expect("an answer from before", response(0, 1), 0)
	r.expect("log", regs.CpLogHeadOffset, 0)
	r.slot = 0
	if got := r.do(monEcho, 0, 8); got != 9 {
		t.Errorf("echo gives %d", got)
	}
}

// TestReset: CTRL.RESET stops the processor and keeps its image; a hard reset
// does not.
func TestReset(t *testing.T) {
	r := running(t, nil)
	r.do(monEcho, 0, 5)
	r.cpuWrite(regs.CpReportOffset, 1<<2|1<<3)
	r.write(regs.MboxCtrlOffset, 4)
	r.cpuWrite(regs.CpLogPutOffset, 'z')
	r.write(command(5, 16), 0x5EC12E7)
	r.reset()
	r.expect("CP_STATUS", regs.CpStatusOffset, 1<<1)
	for _, offset := range []uint64{regs.CpCtrlOffset, regs.MboxPendingOffset, regs.MboxDoneOffset, regs.MboxCtrlOffset, regs.CpHeartbeatOffset,
		regs.CpLogHeadOffset, regs.CpLogOffset(0), regs.CpLoadAddrOffset, regs.CpPcOffset, response(0, 1)} {
		r.expect("after a reset", offset, 0)
	}
	r.start()
	if got := r.cpuRead(command(5, 16)); got != 0 {
		t.Errorf("a command from before the reset: %#x", got)
	}
	if got := r.do(monEcho, 0, 41); got != 42 {
		t.Errorf("echo after a reset gives %d", got)
	}
	if err := r.sim.HardReset(); err != nil {
		t.Fatal(err)
	}
	r.waitReady()
	r.expect("CP_STATUS after a hard reset", regs.CpStatusOffset, 0)
	r.write(regs.CpCtrlOffset, 1)
	r.expect("RUN after a hard reset", regs.CpCtrlOffset, 0)
}

// TestAccessTimes: what an access of the processor costs beside one of memory,
// and that those of both masters go on side by side.
func TestAccessTimes(t *testing.T) {
	r := running(t, nil)
	base := r.do(monTime, ramBytes-4, 0)
	baseWrite := r.do(monBurst, ramBytes-4, 0)
	for _, c := range []struct {
		name   string
		offset uint64
		more   uint32 // than an access of memory, at most
	}{{"a command", command(3, 3), 1}, {"its registers", regs.MboxPendingOffset, 1}, {"the SA window", regs.SASPIOffset, 2}, {"a statistic", regs.StatTxFramesLoOffset, 5}} {
		reads, writes := r.do(monTime, inCPU+uint32(c.offset), 0), r.do(monBurst, inCPU+uint32(c.offset), 0)
		t.Logf("%s: %.2f cycles more to read than memory, %.2f to write", c.name, float64(reads-base)/32, float64(writes-baseWrite)/32)
		if reads > base+32*c.more+8 || writes > baseWrite+32*c.more+8 {
			t.Errorf("%s: 32 reads take %d cycles, 32 writes %d; of memory %d and %d", c.name, reads, writes, base, baseWrite)
		}
	}
	// The host hammers the same block while the processor works.
	for i := range uint32(200) {
		slot := r.post(monBurst, inCPU+uint32(regs.SASPIOffset), i)
		for range 30 {
			r.write(regs.ScratchOffset, i)
			r.expect("SCRATCH", regs.ScratchOffset, i)
		}
		r.until("an answer", func() bool { return r.read(regs.MboxDoneOffset)>>slot&1 == 1 })
		r.write(regs.MboxDoneOffset, 1<<slot)
		if i%20 == 0 {
			if got := r.cpuRead(regs.SASPIOffset); got != i {
				t.Fatalf("the window holds %d, want %d", got, i)
			}
		}
	}
}
