// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/regs"
)

// TestProcessorPowerUp: firmware runs from power-up on; until its self-tests
// have passed no queue can be enabled and no frame is taken.
func TestProcessorPowerUp(t *testing.T) {
	h := newHost(t, Options{ControlProcessor: Present})
	if !regs.CapFeature(h.read(regs.CapFeatureOffset)).ControlProcessor() {
		t.Error("CAP_FEATURE.CONTROL_PROCESSOR is 0")
	}
	if l := regs.LayoutCp(h.read(regs.LayoutCpOffset)); uint64(l.CpPage())*page != regs.CpCtrlOffset || uint64(l.CommandPage())*page != regs.MboxCommandHeaderOffset ||
		uint64(l.ResponsePage())*page != regs.MboxResponseHeaderOffset || uint64(l.LogPage())*page != regs.CpLogOffset(0) {
		t.Errorf("LAYOUT_CP %#x", uint32(l))
	}
	if s := h.processor(); !regs.CpCtrl(h.read(regs.CpCtrlOffset)).Run() || !s.Running() || !s.ImageOK() || s.Ready() || s.SelftestPassed() || s.SelftestFailed() {
		t.Errorf("CP_STATUS %#x at power-up", uint32(s))
	}
	h.enable()
	r := h.ring(regs.RxqOffset(0), 3, 0)
	if v := h.read(r.page + regs.QueueCtrlOffset); v != 0 {
		t.Errorf("queue CTRL %#x before the self-tests", v)
	}
	h.nic.Inject(plainFrame(1, 60), false)
	if got := h.stat(regs.StatRxFramesLoOffset); got != 0 {
		t.Errorf("%d frames taken before the self-tests", got)
	}
	h.untilProcessor(regs.CpStatus.SelftestPassed)
	r.start(0)
	r.batch(1, 0)
	r.post(2, bufferSize)
	h.nic.Inject(plainFrame(1, 60), false)
	r.expect(regs.Completion{Length: 60})
	if h.processor().Ready() {
		t.Error("READY as soon as the self-tests have passed")
	}
	h.untilProcessor(regs.CpStatus.Ready)
	if v := regs.CpFwVersion(h.read(regs.CpFwVersionOffset)); v.Major() != regs.VersionMajor || v.Minor() != regs.VersionMinor {
		t.Errorf("CP_FW_VERSION %#x", uint32(v))
	}
	if build := h.read(regs.CpFwBuildOffset); build != builtInBuild {
		t.Errorf("CP_FW_BUILD %#x", build)
	}
	if ram, watchdog := h.read(regs.CpRamOffset), h.read(regs.CpWatchdogOffset); ram != processorRAM || watchdog != watchdogCycles {
		t.Errorf("CP_RAM %d, CP_WATCHDOG %d", ram, watchdog)
	}
	before := h.read(regs.CpHeartbeatOffset)
	h.relax(10 * beatCycles)
	if after := h.read(regs.CpHeartbeatOffset); after-before != 10 {
		t.Errorf("CP_HEARTBEAT went from %d to %d in ten of its periods", before, after)
	}
	if log := h.log(); log != "firmware 1.1.0, build 494e4f47\nself-tests passed\nready, 0 SAs\n" {
		t.Errorf("log %q", log)
	}
}

// log is what the log page holds; it must not have wrapped.
func (h *host) log() string {
	h.t.Helper()
	var b []byte
	for i := range regs.CpLogCount {
		b = binary.LittleEndian.AppendUint32(b, h.read(regs.CpLogOffset(i)))
	}
	head := h.read(regs.CpLogHeadOffset)
	if int(head) > len(b) || len(bytes.Trim(b[head:], "\x00")) > 0 {
		h.t.Errorf("CP_LOG_HEAD %d, log %q", head, b)
		return ""
	}
	return string(b[:head])
}

func (h *host) run(run bool) { h.write(regs.CpCtrlOffset, uint32(regs.CpCtrl(0).WithRun(run))) }

// TestProcessorAfterReset: RUN is 0, the image stays, all else is forgotten,
// and RUN starts the firmware again, self-tests included.
func TestProcessorAfterReset(t *testing.T) {
	h := newProcessorHost(t, Options{})
	h.write(regs.MboxCtrlOffset, 5)
	h.write(regs.SANonceOffset(1), 7)
	h.ask(mailboxOf(regs.MailboxOpAddSA, 0, record(1, true)))
	h.post(4, mailboxOf(regs.MailboxOpNOP, 0, regs.SARecord{}))
	h.relax(2 * refusalCycles)
	h.post(5, mailboxOf(regs.MailboxOpAddSA, 0, record(2, true)))
	if pending, done := h.read(regs.MboxPendingOffset), h.read(regs.MboxDoneOffset); pending != 1<<5 || done != 1<<4 {
		t.Errorf("MBOX_PENDING %#x, MBOX_DONE %#x before the reset", pending, done)
	}
	h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithReset(true)))
	h.untilReady()
	if s := h.processor(); uint32(s) != cpImageOK.Mask() || regs.CpCtrl(h.read(regs.CpCtrlOffset)).Run() {
		t.Errorf("CP_STATUS %#x after a reset", uint32(s))
	}
	for _, offset := range []uint64{regs.MboxPendingOffset, regs.MboxDoneOffset, regs.MboxCtrlOffset, regs.CpHeartbeatOffset, regs.CpFwVersionOffset,
		regs.CpFwBuildOffset, regs.CpLogHeadOffset, regs.CpLoadAddrOffset, regs.SANonceOffset(1)} {
		if v := h.read(offset); v != 0 {
			t.Errorf("register %#x is %#x after a reset", offset, v)
		}
	}
	if crc := h.read(regs.CpLoadCrcOffset); crc != imageResidue {
		t.Errorf("CP_LOAD_CRC %#x after a reset", crc)
	}
	h.relax(20 * selfTestCycles)
	r := h.ring(regs.RxqOffset(0), 3, 0)
	if h.processor().Running() || h.read(r.page+regs.QueueCtrlOffset) != 0 {
		t.Error("the processor started by itself")
	}
	h.run(true)
	h.untilProcessor(regs.CpStatus.SelftestPassed)
	h.untilProcessor(regs.CpStatus.Ready)
	// The slot's generation was kept.
	restored := h.ask(mailboxOf(regs.MailboxOpRestoreSA, 1<<16, record(1, true)))
	if restored.Header.Status() != regs.MailboxStatusOK || restored.Handle != 1<<16 {
		t.Errorf("RESTORE_SA: %+v", restored)
	}
}

// image is a firmware image of that many words with header and CRC.
func image(words int, version uint32) []uint32 {
	w := make([]uint32, words)
	w[0], w[imageMagicWord], w[imageBytesWord], w[imageVersionWord] = 0x0200006F, imageMagic, uint32(4*words), version
	w[imageBuildWord], w[imageMemoryWord] = 0xB111D, 0x2000
	for i := imageHeaderWords; i < words-1; i++ {
		w[i] = uint32(i) * 0x9E3779B1
	}
	return sealImage(w)
}

// sealImage sets the CRC at an image's end.
func sealImage(w []uint32) []uint32 {
	var b []byte
	for _, v := range w[:len(w)-1] {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	w[len(w)-1] = crc32.ChecksumIEEE(b)
	return w
}

func (h *host) load(words []uint32) {
	h.write(regs.CpLoadAddrOffset, 0)
	for _, w := range words {
		h.write(regs.CpLoadDataOffset, w)
	}
}

// TestImageLoading: what makes IMAGE_OK, and what does not.
func TestImageLoading(t *testing.T) {
	h := newProcessorHost(t, Options{})
	good := image(40, 0x01020304)
	h.load(good)
	if s := h.processor(); !s.Running() || h.read(regs.CpLoadAddrOffset) != 0 || h.nic.cp.build != builtInBuild || len(h.nic.cp.image) != imageMinWords {
		t.Errorf("loading while the processor runs is not ignored: CP_STATUS %#x", uint32(s))
	}
	h.run(false)
	if s := h.processor(); s.Running() || s.Ready() || !s.SelftestPassed() || s.Fault() != regs.CpFaultNone {
		t.Errorf("CP_STATUS %#x after RUN 0", uint32(s))
	}
	damaged := slices.Clone(good)
	damaged[12] ^= 1 << 30
	for _, c := range []struct {
		name string
		load func()
		ok   bool
	}{
		{"address 0 alone", func() { h.load(nil) }, false},
		{"15 words", func() { h.load(image(15, 0x01000000)) }, false},
		{"16 words", func() { h.load(image(16, 0x01000000)) }, true},
		{"truncated", func() { h.load(good[:39]) }, false},
		{"whole", func() { h.load(good) }, true},
		{"a word more", func() { h.load(append(slices.Clone(good), 1)) }, false},
		{"a word elsewhere afterwards", func() {
			h.load(good)
			h.write(regs.CpLoadAddrOffset, 400)
			h.write(regs.CpLoadDataOffset, 1)
		}, false},
		{"a bit wrong", func() { h.load(damaged) }, false},
		{"again, without CP_LOAD_ADDR", func() {
			for _, w := range good {
				h.write(regs.CpLoadDataOffset, w)
			}
		}, false},
		{"from address 4", func() {
			h.load(nil)
			h.write(regs.CpLoadAddrOffset, 4)
			for _, w := range good {
				h.write(regs.CpLoadDataOffset, w)
			}
		}, false},
		{"two words in the wrong order", func() {
			h.load(good[:20])
			h.write(regs.CpLoadAddrOffset, 84)
			h.write(regs.CpLoadDataOffset, good[21])
			h.write(regs.CpLoadAddrOffset, 80)
			h.write(regs.CpLoadDataOffset, good[20])
			h.write(regs.CpLoadAddrOffset, 88)
			for _, w := range good[22:] {
				h.write(regs.CpLoadDataOffset, w)
			}
		}, false},
		{"with the address given again", func() {
			h.load(good[:20])
			h.write(regs.CpLoadAddrOffset, 80)
			for _, w := range good[20:] {
				h.write(regs.CpLoadDataOffset, w)
			}
		}, true},
		{"one word beyond the memory", func() {
			h.load(nil)
			h.nic.cp.loadWords(image(processorRAM/4+1, 0x01000000))
		}, false},
		{"the whole memory", func() {
			h.load(nil)
			h.nic.cp.loadWords(image(processorRAM/4, 0x01000000))
		}, true},
		{"the whole memory and a word beyond", func() { h.write(regs.CpLoadDataOffset, 1) }, false},
	} {
		c.load()
		if s := h.processor(); s.ImageOK() != c.ok {
			t.Errorf("%s: IMAGE_OK %v", c.name, s.ImageOK())
		}
		if crc := h.read(regs.CpLoadCrcOffset); c.ok && crc != imageResidue {
			t.Errorf("%s: CP_LOAD_CRC %#x", c.name, crc)
		}
		h.run(true)
		if s := h.processor(); s.Running() != c.ok {
			t.Errorf("%s: RUNNING %v after RUN 1", c.name, s.Running())
		}
		h.run(false)
	}
	h.load(good)
	if v := h.read(regs.CpLoadAddrOffset); v != 160 {
		t.Errorf("CP_LOAD_ADDR %d after 40 words", v)
	}
	h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithReset(true)))
	h.untilReady()
	if !h.processor().ImageOK() {
		t.Error("the image does not survive a reset")
	}
	h.run(true)
	h.untilProcessor(regs.CpStatus.Ready)
	if v, b := h.read(regs.CpFwVersionOffset), h.read(regs.CpFwBuildOffset); v != 0x01020304 || b != 0xB111D {
		t.Errorf("CP_FW_VERSION %#x, CP_FW_BUILD %#x", v, b)
	}
	if log := h.log(); !strings.HasPrefix(log, "firmware 1.2.772, build 000b111d\n") {
		t.Errorf("log %q", log)
	}
}

// loadWords loads words without the time that accesses take.
func (p *processor) loadWords(words []uint32) {
	for _, w := range words {
		p.load(w)
	}
}

// TestForeignImages: an image that is none traps; one for another version of
// the register interface stays without commands and frames.
func TestForeignImages(t *testing.T) {
	h := newProcessorHost(t, Options{})
	for name, change := range map[string]func([]uint32){
		"magic":  func(w []uint32) { w[imageMagicWord]++ },
		"length": func(w []uint32) { w[imageBytesWord] -= 4 },
		"memory": func(w []uint32) { w[imageMemoryWord] = processorRAM + 4 },
	} {
		h.run(false)
		w := image(20, 0x01000000)
		change(w)
		h.load(sealImage(w))
		h.run(true)
		h.untilProcessor(func(s regs.CpStatus) bool { return !s.Running() })
		if s := h.processor(); s.Fault() != regs.CpFaultTrap || s.Ready() || h.read(regs.CpPcOffset) != 0 {
			t.Errorf("%s: CP_STATUS %#x", name, uint32(s))
		}
	}
	h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithReset(true)))
	h.untilReady()
	h.load(image(20, 0x02000000))
	h.run(true)
	h.post(0, mailboxOf(regs.MailboxOpNOP, 0, regs.SARecord{}))
	h.relax(20 * selfTestCycles)
	h.post(1, mailboxOf(regs.MailboxOpNOP, 0, regs.SARecord{}))
	h.relax(20 * installCycles)
	if s := h.processor(); !s.Running() || s.Ready() || s.SelftestPassed() || s.Fault() != regs.CpFaultNone || h.read(regs.CpHeartbeatOffset) < 79 ||
		h.read(regs.CpFwVersionOffset) != 0x02000000 || h.read(regs.MboxPendingOffset) != 3 {
		t.Errorf("firmware 2.0: CP_STATUS %#x, CP_HEARTBEAT %d", uint32(s), h.read(regs.CpHeartbeatOffset))
	}
	if log := h.log(); log != "firmware 2.0.0, build 000b111d\nregister interface is 1, not 2: refused\n" {
		t.Errorf("log %q", log)
	}
	// RUN 0 and 1 with a good one clears what waits.
	h.run(false)
	h.load(image(20, 0x01000000))
	h.run(true)
	if h.read(regs.MboxPendingOffset) != 0 || h.read(regs.CpHeartbeatOffset) != 0 || h.read(regs.CpFwVersionOffset) != 0 {
		t.Error("the start does not begin anew")
	}
	h.untilProcessor(regs.CpStatus.Ready)
}

// TestProcessorRegisters: the host sees page 1 but for SA_NONCE as bus errors,
// and so what belongs to the firmware on pages 3 and 7; all else answers.
func TestProcessorRegisters(t *testing.T) {
	h := newProcessorHost(t, Options{Queues: 1})
	answers := map[uint64]bool{}
	for i := range regs.Map {
		r := &regs.Map[i]
		for e := range max(1, r.Count) {
			offset := uint64(r.Offset) + uint64(e)*uint64(r.Stride)
			answers[offset] = !(offset/page == 1 || offset >= regs.CpNextOffset && offset < 4*page || offset/page == 7)
		}
	}
	answers[regs.SANonceOffset(0)], answers[regs.SANonceOffset(1)] = true, true
	before := *h.nic.cp
	locked := 0
	for offset := uint64(page); offset < regs.TxqOffset(0); offset += 4 {
		if answers[offset] {
			if offset/page == 4 {
				if got := h.read(offset); got != 0 {
					t.Errorf("command page at %#x reads %#x", offset, got)
				}
			}
			continue
		}
		locked++
		if got := h.read(offset); got != busError {
			t.Errorf("offset %#x reads %#x", offset, got)
		}
		h.write(offset, 0xFFFFFFFF)
	}
	if after := *h.nic.cp; locked < 1000 || after.fault != before.fault || after.logged != before.logged || h.nic.sa.busy || h.nic.sa.record != [regs.SARecordWords]uint32{} || h.nic.sa.handle != 0 {
		t.Errorf("%d offsets without answer; writes had an effect", locked)
	}
	for i, want := range []uint32{0x11223344, 0xFFEEDDCC} {
		h.write(regs.SANonceOffset(i), want)
		if got := h.read(regs.SANonceOffset(i)); got != want {
			t.Errorf("SA_NONCE[%d] reads %#x", i, got)
		}
	}
	if size := regs.MboxSize(h.read(regs.MboxSizeOffset)); size.Slots() != 32 || size.Stride() != 128 {
		t.Errorf("MBOX_SIZE %#x", uint32(size))
	}
	for _, offset := range []uint64{regs.CpStatusOffset, regs.CpHeartbeatOffset, regs.CpLogHeadOffset, regs.CpLogOffset(0), regs.MboxResponseHandleOffset, regs.MboxPendingOffset} {
		was := h.read(offset)
		h.write(offset, ^was)
		if got := h.read(offset); got != was {
			t.Errorf("read-only register %#x went from %#x to %#x", offset, was, got)
		}
	}
}

// TestProcessorStops: a fault stops the processor, with one event and nothing
// else; RUN starts it anew, with the SAs that live.
func TestProcessorStops(t *testing.T) {
	for _, c := range []struct {
		fault ProcessorFault
		code  regs.CpFault
	}{{FaultTrap, regs.CpFaultTrap}, {FaultBus, regs.CpFaultBus}, {FaultHang, regs.CpFaultWatchdog}} {
		h := newProcessorHost(t, Options{Slots: 4})
		if err := h.nic.SetVectors(8); err != nil {
			t.Fatal(err)
		}
		h.write(regs.IntMaskOffset, 0)
		h.write(regs.MboxCtrlOffset, 6)
		h.enable()
		r := h.ring(regs.RxqOffset(0), 4, 0)
		r.batch(1, 0)
		r.post(15, bufferSize)
		sa := record(1, true)
		h.ask(mailboxOf(regs.MailboxOpAddSA, 0, record(5, false)))
		handle := h.ask(mailboxOf(regs.MailboxOpAddSA, 0, sa)).Handle
		h.write(regs.IntArmOffset, 1<<6) // fires for the answers so far
		h.write(regs.IntArmOffset, 1<<6)
		h.fires(6)
		beats := h.read(regs.CpHeartbeatOffset)
		h.post(0, mailboxOf(regs.MailboxOpAddSA, 0, record(2, true))) // under way
		h.post(1, mailboxOf(regs.MailboxOpAddSA, 0, record(3, true))) // waits
		if err := h.nic.InjectFault(c.fault); err != nil {
			t.Fatal(err)
		}
		if c.fault == FaultHang {
			h.relax(watchdogCycles - beatCycles - 16)
			if s := h.processor(); !s.Running() || !s.Ready() || s.Fault() != regs.CpFaultNone || h.fires(6) != 0 {
				t.Errorf("hung, before the watchdog's time: CP_STATUS %#x", uint32(s))
			}
			h.relax(beatCycles + 16)
		}
		if s := h.processor(); s.Running() || s.Ready() || s.Fault() != c.code || !s.SelftestPassed() || !s.ImageOK() || regs.CpCtrl(h.read(regs.CpCtrlOffset)).Run() {
			t.Errorf("%s: CP_STATUS %#x", c.code, uint32(s))
		}
		if got := h.fires(6); got != 1 {
			t.Errorf("%s: %d interrupts", c.code, got)
		}
		h.relax(3 * watchdogCycles)
		if pending, done := h.read(regs.MboxPendingOffset), h.read(regs.MboxDoneOffset); pending != 3 || done != 0 || h.read(regs.CpHeartbeatOffset) > beats+2 {
			t.Errorf("%s: MBOX_PENDING %#x, MBOX_DONE %#x, CP_HEARTBEAT %d after %d", c.code, pending, done, h.read(regs.CpHeartbeatOffset), beats)
		}
		h.write(regs.MboxDoorbellOffset, 9) // nobody takes it
		h.relax(10 * installCycles)
		if pending := h.read(regs.MboxPendingOffset); pending != 1<<9|3 {
			t.Errorf("%s: MBOX_PENDING %#x", c.code, pending)
		}
		// Traffic goes on.
		h.nic.Inject(sealedFrame(t, sa, 1, 8), false)
		if got, ok := r.next(); !ok || got.Handle != handle || got.CryptoStatus != regs.CryptoStatusSuccess {
			t.Errorf("%s: %+v (%v)", c.code, got, ok)
		}
		h.run(true)
		if s := h.processor(); !s.Running() || s.Ready() || s.Fault() != regs.CpFaultNone || h.read(regs.MboxPendingOffset) != 0 {
			t.Errorf("%s: CP_STATUS %#x after RUN 1", c.code, uint32(s))
		}
		start := h.nic.Cycle()
		h.untilProcessor(regs.CpStatus.Ready)
		if took := h.nic.Cycle() - start; took > selfTestCycles {
			t.Errorf("%s: READY after %d cycles: self-tests ran again", c.code, took)
		}
		// The two of before, the one under way, and room for one more.
		if log := h.log(); !strings.HasSuffix(log, "ready, 3 SAs\n") {
			t.Errorf("%s: log %q", c.code, log)
		}
		if got := h.ask(mailboxOf(regs.MailboxOpAddSA, 0, record(3, true))); got.Handle != 1<<16|3 {
			t.Errorf("%s: ADD_SA after the restart: %+v", c.code, got)
		}
		if got := h.ask(mailboxOf(regs.MailboxOpAddSA, 0, record(4, true))); got.Header.Status() != regs.MailboxStatusNoSpace {
			t.Errorf("%s: ADD_SA without room: %s", c.code, got.Header.Status())
		}
		if got := h.ask(mailboxOf(regs.MailboxOpDeleteSA, handle, sa)); got.Header.Status() != regs.MailboxStatusOK {
			t.Errorf("%s: DELETE_SA of an SA from before: %+v", c.code, got)
		}
	}
}

// TestHungFirmware takes no command that comes, and who waits for an interrupt
// hears of the watchdog.
func TestHungFirmware(t *testing.T) {
	h := newProcessorHost(t, Options{})
	if err := h.nic.SetVectors(1); err != nil {
		t.Fatal(err)
	}
	h.write(regs.IntMaskOffset, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	result := make(chan error)
	go func() { _, err := h.nic.WaitInterrupt(ctx, 0); result <- err }()
	for h.nic.irq.waiting.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := h.nic.InjectFault(FaultHang); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil || h.processor().Fault() != regs.CpFaultWatchdog {
		t.Errorf("%v, CP_STATUS %#x", err, uint32(h.processor()))
	}
	h.run(true)
	h.untilProcessor(regs.CpStatus.Ready)
	if err := h.nic.InjectFault(FaultHang); err != nil {
		t.Fatal(err)
	}
	h.post(2, mailboxOf(regs.MailboxOpAddSA, 0, record(1, true)))
	h.relax(10 * installCycles)
	if h.read(regs.MboxPendingOffset) != 1<<2 || h.nic.sa.live != 0 || !h.processor().Running() {
		t.Errorf("hung firmware took a command: MBOX_PENDING %#x", h.read(regs.MboxPendingOffset))
	}
}

// TestSelfTestFailure: no command is carried out, no queue enabled, until a
// start at which the self-tests pass.
func TestSelfTestFailure(t *testing.T) {
	h := newProcessorHost(t, Options{})
	if err := h.nic.InjectFault(FaultSelfTest); err != nil {
		t.Fatal(err)
	}
	h.run(false)
	h.run(true)
	h.untilProcessor(regs.CpStatus.Ready)
	if s := h.processor(); s.SelftestFailed() || !s.SelftestPassed() {
		t.Errorf("self-tests that had passed were run again: CP_STATUS %#x", uint32(s))
	}
	h.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithReset(true)))
	h.untilReady()
	h.run(true)
	h.untilProcessor(regs.CpStatus.SelftestFailed)
	h.relax(readyCycles)
	for _, op := range []regs.MailboxOp{regs.MailboxOpAddSA, regs.MailboxOpNOP, 77} {
		if r := h.ask(mailboxOf(op, 0, record(1, true))); r.Header.Status() != regs.MailboxStatusSelftestFailed || h.nic.sa.live != 0 {
			t.Errorf("%s: %s", op, r.Header.Status())
		}
	}
	h.enable()
	r := h.ring(regs.TxqOffset(0), 3, 0)
	if s := h.processor(); s.SelftestPassed() || h.read(r.page+regs.QueueCtrlOffset) != 0 {
		t.Errorf("CP_STATUS %#x, queue CTRL %#x", uint32(s), h.read(r.page+regs.QueueCtrlOffset))
	}
	h.run(false)
	h.run(true)
	h.untilProcessor(regs.CpStatus.SelftestPassed)
	if s := h.processor(); s.SelftestFailed() {
		t.Errorf("CP_STATUS %#x", uint32(s))
	}
}

// TestInjectFaultRefuses: what cannot go wrong is an error.
func TestInjectFaultRefuses(t *testing.T) {
	none := newHost(t, Options{ControlProcessor: Absent})
	stopped := newProcessorHost(t, Options{})
	stopped.run(false)
	for _, c := range []struct {
		nic   *NIC
		fault ProcessorFault
		want  string
	}{{none.nic, FaultTrap, "has none"}, {stopped.nic, FaultHang, "does not run"}, {stopped.nic, 77, "allowed are"}, {stopped.nic, -1, "allowed are"}} {
		if err := c.nic.InjectFault(c.fault); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("fault %d: %v", c.fault, err)
		}
	}
	if _, err := New(Options{ControlProcessor: 3}); err == nil || !strings.Contains(err.Error(), "allowed are") {
		t.Error(err)
	}
}
