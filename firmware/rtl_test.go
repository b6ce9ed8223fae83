// SPDX-License-Identifier: Apache-2.0

package firmware_test

import (
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// The images on the RTL's processor, through the NIC's registers.

// Cycles that ADD_SA, UPDATE_SA and DELETE_SA may take each, all included: at
// 250 MHz that makes 100,000 SAs a second.
const cyclesAllowed = 2500

type nic struct {
	t   testing.TB
	sim *rtlbridge.Sim
}

// powerUp is a NIC with a control processor that has nothing to run.
func powerUp(t testing.TB, params ...string) *nic {
	t.Helper()
	design := simbuild.Design{Name: strings.Join(append([]string{"firmware"}, params...), "-"), Params: append([]string{"CONTROL_PROCESSOR=1"}, params...)}
	lib, err := rtlbridge.Load(simbuild.Library(t, design))
	if err != nil {
		t.Fatal(err)
	}
	sim, err := lib.Create(nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	n := &nic{t, sim}
	n.until("STATUS.READY", 1_000_000, func() bool { return regs.Status(n.read(regs.StatusOffset)).Ready() })
	return n
}

func (n *nic) read(offset uint64) uint32 {
	n.t.Helper()
	v, err := n.sim.BARRead(0, offset, 4)
	if err != nil {
		n.t.Fatalf("read of %#x: %v", offset, err)
	}
	return uint32(v)
}

func (n *nic) write(offset uint64, v uint32) {
	n.t.Helper()
	if err := n.sim.BARWrite(0, offset, 4, uint64(v)); err != nil {
		n.t.Fatalf("write of %#x: %v", offset, err)
	}
}

// until waits, at most so many cycles.
func (n *nic) until(what string, cycles uint64, so func() bool) {
	n.t.Helper()
	for end := n.sim.Cycle() + cycles; !so(); {
		if n.sim.Cycle() > end {
			n.t.Fatalf("%s does not come in %d cycles; CP_STATUS %#x, CP_PC %#x, log:\n%s", what, cycles, n.read(regs.CpStatusOffset), n.read(regs.CpPcOffset), n.log())
		}
		if _, _, err := n.sim.Advance(16, 0); err != nil {
			n.t.Fatal(err)
		}
	}
}

func (n *nic) status() regs.CpStatus { return regs.CpStatus(n.read(regs.CpStatusOffset)) }

func (n *nic) log() string {
	var b strings.Builder
	for i := range int(min(n.read(regs.CpLogHeadOffset), 4096)) {
		b.WriteByte(byte(n.read(regs.CpLogOffset(i/4)) >> (i % 4 * 8)))
	}
	return b.String()
}

// load loads and starts an image; it returns the cycles until READY.
func (n *nic) load(v firmware.Variant) uint64 {
	n.t.Helper()
	path, err := firmware.Build(v)
	if err != nil {
		n.t.Fatal(err)
	}
	image, err := firmware.Load(path)
	if err != nil {
		n.t.Fatal(err)
	}
	n.write(regs.CpCtrlOffset, 0)
	n.write(regs.CpLoadAddrOffset, 0)
	for b := image.Bytes; len(b) > 0; b = b[4:] {
		n.write(regs.CpLoadDataOffset, uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24)
	}
	cycles := n.start()
	if v, b := n.read(regs.CpFwVersionOffset), n.read(regs.CpFwBuildOffset); v != uint32(image.Version) || b != image.Build {
		n.t.Errorf("version %#x build %#x run, %v was loaded", v, b, image)
	}
	return cycles
}

func (n *nic) start() uint64 {
	n.t.Helper()
	begin := n.sim.Cycle()
	n.write(regs.CpCtrlOffset, 1)
	n.until("READY", 4_000_000, func() bool { return n.status().Ready() })
	if s := n.status(); !s.SelftestPassed() || s.SelftestFailed() || s.Fault() != regs.CpFaultNone {
		n.t.Fatalf("CP_STATUS %#x, log:\n%s", uint32(s), n.log())
	}
	return n.sim.Cycle() - begin
}

func at(base uint64, slot, word int) uint64 {
	return base + uint64(slot)*regs.MboxSizeStride + uint64(word)*4
}

func (n *nic) put(slot int, op regs.MailboxOp, c regs.MailboxCommand) {
	n.t.Helper()
	c.Header = regs.MboxCommandHeader(0).WithOpcode(op).WithTag(uint16(0x7700 + slot))
	for i, w := range c.Words() {
		n.write(at(regs.MboxCommandHeaderOffset, slot, i), w)
	}
}

func (n *nic) response(slot int, op regs.MailboxOp) (r regs.MailboxResponse) {
	n.t.Helper()
	var w [regs.MailboxResponseWords]uint32
	for i := range w {
		w[i] = n.read(at(regs.MboxResponseHeaderOffset, slot, i))
	}
	r.SetWords(&w)
	if r.Header.Opcode() != op || r.Header.Tag() != uint16(0x7700+slot) {
		n.t.Errorf("slot %d: %v with tag %#x is answered %v with tag %#x", slot, op, 0x7700+slot, r.Header.Opcode(), r.Header.Tag())
	}
	return r
}

// call carries out one command, alone.
func (n *nic) call(op regs.MailboxOp, c regs.MailboxCommand) regs.MailboxResponse {
	n.t.Helper()
	n.put(3, op, c)
	n.write(regs.MboxDoorbellOffset, 3)
	n.until("an answer", 100_000, func() bool { return n.read(regs.MboxDoneOffset)&(1<<3) != 0 })
	n.write(regs.MboxDoneOffset, 1<<3)
	return n.response(3, op)
}

// expect is call with an outcome.
func (n *nic) expect(op regs.MailboxOp, c regs.MailboxCommand, want regs.MailboxStatus) regs.MailboxResponse {
	n.t.Helper()
	r := n.call(op, c)
	if r.Header.Status() != want {
		n.t.Errorf("%v of handle %#x: %v, want %v", op, c.Handle, r.Header.Status(), want)
	}
	return r
}

// batch carries out as many commands as there are slots, posted in one go. It
// returns the handles, and cycles per command from the first doorbell to the last answer.
func (n *nic) batch(op regs.MailboxOp, command func(i int) regs.MailboxCommand) (handles [regs.MboxSizeSlots]uint32, cycles uint64) {
	n.t.Helper()
	for i := range handles {
		n.put(i, op, command(i))
	}
	begin := n.sim.Cycle()
	for i := range handles {
		n.write(regs.MboxDoorbellOffset, uint32(i))
	}
	n.until("32 answers", 200_000, func() bool { return n.read(regs.MboxDoneOffset) == 0xFFFFFFFF })
	cycles = (n.sim.Cycle() - begin) / uint64(len(handles))
	n.write(regs.MboxDoneOffset, 0xFFFFFFFF)
	for i := range handles {
		r := n.response(i, op)
		handles[i] = r.Handle
		if r.Header.Status() != regs.MailboxStatusOK || r.Cycles == 0 || r.Cycles > cyclesAllowed {
			n.t.Errorf("command %d, %v: %v after %d cycles", i, op, r.Header.Status(), r.Cycles)
		}
	}
	return handles, cycles
}

func inbound(spi uint32, keyLen regs.KeyLen) regs.MailboxCommand {
	return regs.MailboxCommand{
		SPI:   spi,
		Flags: uint32(regs.SAFlags(0).WithInbound(true).WithIPv6(true).WithESN(true).WithKeyLen(keyLen).WithRxQueue(1)),
		ESNHi: 5, Salt: 0x5A17,
		Dst: [4]uint32{0x20010db8, 1, 2, spi}, Src: [4]uint32{0x20010db8, 3, 4, 5},
		Key: [8]uint32{spi, 2, 3, 4, 5, 6, 7, 8},
	}
}

// The life of SAs, and what each step costs.
func TestRTL(t *testing.T) {
	n := powerUp(t)
	t.Logf("start: %d cycles with self-tests", n.load(firmware.Standard))
	if log := n.log(); !strings.Contains(log, "self-tests passed\nready\n") {
		t.Errorf("log:\n%s", log)
	}

	r := n.expect(regs.MailboxOpNOP, regs.MailboxCommand{Handle: 9}, regs.MailboxStatusOK)
	t.Logf("NOP alone: %d cycles", r.Cycles)
	n.write(at(regs.MboxCommandHeaderOffset, 3, 0), 0)
	n.write(regs.MboxDoorbellOffset, 3)
	begin := n.sim.Cycle()
	for n.read(regs.MboxDoneOffset) == 0 {
	}
	t.Logf("NOP alone, doorbell to MBOX_DONE as the host sees it: %d cycles", n.sim.Cycle()-begin)
	n.write(regs.MboxDoneOffset, 0xFFFFFFFF)

	// Responses of all slots are clear from here on.
	n.batch(regs.MailboxOpNOP, func(int) regs.MailboxCommand { return regs.MailboxCommand{} })
	for _, keyLen := range []regs.KeyLen{regs.KeyLenAES128, regs.KeyLenAES192, regs.KeyLenAES256} {
		command := func(i int) regs.MailboxCommand { return inbound(0x100+uint32(i), keyLen) }
		handles, add := n.batch(regs.MailboxOpAddSA, command)
		for i, h := range handles {
			read := n.expect(regs.MailboxOpReadSA, regs.MailboxCommand{Handle: h}, regs.MailboxStatusOK)
			c := command(i)
			if read.Handle != h || read.SPI != c.SPI || read.Flags != c.Flags || read.ESNHi != c.ESNHi || read.Dst != c.Dst || read.Src != c.Src {
				t.Errorf("SA %d is read back as %+v", i, read)
			}
		}
		_, update := n.batch(regs.MailboxOpUpdateSA, func(i int) regs.MailboxCommand {
			return regs.MailboxCommand{Handle: handles[i], SPI: 0x100 + uint32(i), ESNHi: 6}
		})
		if next := n.expect(regs.MailboxOpNextSA, regs.MailboxCommand{}, regs.MailboxStatusOK); next.Handle != handles[0] || next.ESNHi != 6 {
			t.Errorf("first SA: handle %#x, ESN_HI %d", next.Handle, next.ESNHi)
		}
		_, remove := n.batch(regs.MailboxOpDeleteSA, func(i int) regs.MailboxCommand { return regs.MailboxCommand{Handle: handles[i]} })
		n.expect(regs.MailboxOpNextSA, regs.MailboxCommand{}, regs.MailboxStatusNoMore)
		n.expect(regs.MailboxOpReadSA, regs.MailboxCommand{Handle: handles[3]}, regs.MailboxStatusStaleHandle)
		t.Logf("%v, pipelined, cycles per command: ADD_SA %d, UPDATE_SA %d, DELETE_SA %d", keyLen, add, update, remove)
		for _, cycles := range []uint64{add, update, remove} {
			if cycles > cyclesAllowed {
				t.Errorf("%v: %d cycles per command, more than %d", keyLen, cycles, cyclesAllowed)
			}
		}

		n.expect(regs.MailboxOpNOP, regs.MailboxCommand{}, regs.MailboxStatusOK)
		sa := n.expect(regs.MailboxOpAddSA, inbound(1, keyLen), regs.MailboxStatusOK)
		read := n.expect(regs.MailboxOpReadSA, regs.MailboxCommand{Handle: sa.Handle}, regs.MailboxStatusOK)
		n.expect(regs.MailboxOpNOP, regs.MailboxCommand{}, regs.MailboxStatusOK)
		changed := n.expect(regs.MailboxOpUpdateSA, regs.MailboxCommand{Handle: sa.Handle, SPI: 1}, regs.MailboxStatusOK)
		gone := n.expect(regs.MailboxOpDeleteSA, regs.MailboxCommand{Handle: sa.Handle}, regs.MailboxStatusOK)
		t.Logf("%v, alone, cycles: ADD_SA %d, READ_SA %d, UPDATE_SA %d, DELETE_SA %d", keyLen, sa.Cycles, read.Cycles, changed.Cycles, gone.Cycles)
	}

	a := n.expect(regs.MailboxOpAddSA, inbound(1, regs.KeyLenAES256), regs.MailboxStatusOK)
	n.expect(regs.MailboxOpAddSA, inbound(1, regs.KeyLenAES128), regs.MailboxStatusDuplicate)
	if r := n.expect(regs.MailboxOpAddSA, inbound(0, 3), regs.MailboxStatusBadRecord); r.Detail.FieldAtFault() != regs.MailboxFieldSPI {
		t.Errorf("field %v", r.Detail.FieldAtFault())
	}
	n.expect(regs.MailboxOpUpdateSA, regs.MailboxCommand{Handle: a.Handle, SPI: 2}, regs.MailboxStatusBadRecord)
	n.expect(0xF0, regs.MailboxCommand{}, regs.MailboxStatusBadOp)

	// A start without a reset takes the SA over; after a reset it is restored under its handle.
	n.write(regs.CpCtrlOffset, 0)
	t.Logf("start with one SA living: %d cycles", n.start())
	if log := n.log(); !strings.Contains(log, "self-tests passed before\ntook over 1 SAs\nready\n") {
		t.Errorf("log:\n%s", log)
	}
	n.expect(regs.MailboxOpReadSA, regs.MailboxCommand{Handle: a.Handle}, regs.MailboxStatusOK)
	n.write(regs.CtrlOffset, 1)
	n.until("the end of the reset", 100_000, func() bool { return !regs.Status(n.read(regs.StatusOffset)).ResetBusy() })
	n.start()
	n.expect(regs.MailboxOpReadSA, regs.MailboxCommand{Handle: a.Handle}, regs.MailboxStatusStaleHandle)
	again := inbound(1, regs.KeyLenAES256)
	again.Handle = a.Handle + 1<<16
	n.expect(regs.MailboxOpRestoreSA, again, regs.MailboxStatusStaleHandle)
	again.Handle = a.Handle
	n.expect(regs.MailboxOpRestoreSA, again, regs.MailboxStatusOK)
	n.expect(regs.MailboxOpRestoreSA, again, regs.MailboxStatusSlotInUse)
	n.expect(regs.MailboxOpDeleteSA, regs.MailboxCommand{Handle: a.Handle}, regs.MailboxStatusOK)
}

// The largest table: it fits into twice the memory, and all of it is used.
func TestRTLLarge(t *testing.T) {
	n := powerUp(t, "NUM_SA=16384", "CP_RAM_BYTES=65536")
	t.Logf("start: %d cycles with self-tests", n.load(firmware.Standard))
	last := inbound(1, regs.KeyLenAES256)
	last.Handle = 16383 // never used: generation 0
	n.expect(regs.MailboxOpRestoreSA, last, regs.MailboxStatusOK)
	handles, cycles := n.batch(regs.MailboxOpAddSA, func(i int) regs.MailboxCommand { return inbound(0x100+uint32(i), regs.KeyLenAES256) })
	t.Logf("ADD_SA: %d cycles", cycles)
	n.write(regs.CpCtrlOffset, 0)
	t.Logf("start that takes over the first and the last slots: %d cycles", n.start())
	if log := n.log(); !strings.Contains(log, "took over 33 SAs\n") {
		t.Errorf("log:\n%s", log)
	}
	if r := n.expect(regs.MailboxOpNextSA, regs.MailboxCommand{Handle: 32}, regs.MailboxStatusOK); r.Handle != 16383 {
		t.Errorf("handle %#x behind the first 32", r.Handle)
	}
	n.expect(regs.MailboxOpDeleteSA, regs.MailboxCommand{Handle: 16383}, regs.MailboxStatusOK)
	_, cycles = n.batch(regs.MailboxOpDeleteSA, func(i int) regs.MailboxCommand { return regs.MailboxCommand{Handle: handles[i]} })
	t.Logf("DELETE_SA: %d cycles", cycles)
	n.expect(regs.MailboxOpNextSA, regs.MailboxCommand{}, regs.MailboxStatusNoMore)
}

// Each failure that the image for tests has, what the NIC says about it, and that
// a start afterwards has the SAs of before.
func TestRTLFaults(t *testing.T) {
	n := powerUp(t)
	n.load(firmware.WithFaults)
	sa := n.expect(regs.MailboxOpAddSA, inbound(7, regs.KeyLenAES128), regs.MailboxStatusOK)
	for _, c := range []struct {
		number uint32
		fault  regs.CpFault
	}{{0, regs.CpFaultTrap}, {1, regs.CpFaultWatchdog}, {2, regs.CpFaultBus}, {3, regs.CpFaultBus}} {
		n.put(8, 0xF0, regs.MailboxCommand{Handle: c.number})
		n.write(regs.MboxDoorbellOffset, 8)
		n.until("the fault", uint64(n.read(regs.CpWatchdogOffset))+10_000, func() bool { return !n.status().Running() })
		if s := n.status(); s.Fault() != c.fault || s.Ready() || n.read(regs.MboxPendingOffset) != 1<<8 || n.read(regs.CpCtrlOffset) != 0 {
			t.Errorf("failure %d: CP_STATUS %#x, want %v; pending %#x", c.number, uint32(s), c.fault, n.read(regs.MboxPendingOffset))
		}
		n.start()
		n.expect(regs.MailboxOpReadSA, regs.MailboxCommand{Handle: sa.Handle}, regs.MailboxStatusOK)
	}
	n.put(8, 0xF0, regs.MailboxCommand{Handle: 5}) // never answers
	n.write(regs.MboxDoorbellOffset, 8)
	n.expect(regs.MailboxOpNOP, regs.MailboxCommand{}, regs.MailboxStatusOK)
	if p := n.read(regs.MboxPendingOffset); p != 1<<8 {
		t.Errorf("pending %#x after a command that is never answered", p)
	}
	// Answers twice: the first time what the slot holds from before.
	opcode := func() regs.MailboxOp {
		n.until("an answer", 10_000, func() bool { return n.read(regs.MboxDoneOffset) == 1<<9 })
		return regs.MboxResponseHeader(n.read(at(regs.MboxResponseHeaderOffset, 9, 0))).Opcode()
	}
	n.put(9, regs.MailboxOpNOP, regs.MailboxCommand{})
	n.write(regs.MboxDoorbellOffset, 9)
	if op := opcode(); op != regs.MailboxOpNOP {
		t.Errorf("NOP is answered %v", op)
	}
	n.write(regs.MboxDoneOffset, 1<<9)
	n.put(9, 0xF0, regs.MailboxCommand{Handle: 4})
	n.write(regs.MboxDoorbellOffset, 9)
	if op := opcode(); op != regs.MailboxOpNOP {
		t.Errorf("the first answer has operation %v, not the one of before", op)
	}
	n.until("the second answer", 10_000, func() bool { return opcode() == 0xF0 })
	n.write(regs.MboxDoneOffset, 1<<9)
	n.expect(regs.MailboxOpReadSA, regs.MailboxCommand{Handle: sa.Handle}, regs.MailboxStatusOK)
	n.load(firmware.Standard)
	n.expect(regs.MailboxOpReadSA, regs.MailboxCommand{Handle: sa.Handle}, regs.MailboxStatusOK)
}
