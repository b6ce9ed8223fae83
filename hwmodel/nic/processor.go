// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/espalier-nic/espalier/regs"
)

// The control processor. The Go NIC does not execute its program: any image with
// a good header makes it behave as firmware must by docs/nic-contract.md, after
// these times, in cycles.
const (
	bootCycles     = 500     // from RUN to the self-tests
	selfTestCycles = 4000    // all self-tests together
	readyCycles    = 300     // from there to READY, SAs that live taken over
	beatCycles     = 1000    // between two writes of CP_HEARTBEAT
	watchdogCycles = 1 << 17 // CP_WATCHDOG
	processorRAM   = 1 << 16 // CP_RAM, bytes
)

// Words of an image's header, see docs/nic-contract.md.
const (
	imageMagicWord   = 1
	imageBytesWord   = 2
	imageVersionWord = 3
	imageBuildWord   = 4
	imageMemoryWord  = 5
	imageHeaderWords = 8

	imageMagic    = 0x57465345 // "ESFW"
	imageMinWords = 16
)

// imageResidue is CP_LOAD_CRC after an image that ends in its CRC.
const imageResidue = 0xDEBB20E3

// builtInBuild is CP_FW_BUILD of the firmware that runs after power-up: "GONI".
const builtInBuild = 0x494E4F47

// Fields that the NIC composes.
var (
	cpRunning        = field("cp_status.running")
	cpImageOK        = field("cp_status.image_ok")
	cpReady          = field("cp_status.ready")
	cpSelfTestPassed = field("cp_status.selftest_passed")
	cpSelfTestFailed = field("cp_status.selftest_failed")
	cpFaultField     = field("cp_status.fault")
	loadAddrBits     = bits("cp_load_addr")
)

// stage is what the firmware is doing; it ends at processor.due.
type stage int

const (
	stageBoot stage = iota
	stageSelfTest
	stageTakeOver
	stageServe
)

// processor is the control processor with its firmware and mailbox.
type processor struct {
	// What is loaded survives a reset.
	image  []uint32 // words loaded in order from address 0
	crc    uint32   // of image, as package hash/crc32 has it
	astray bool     // a word was loaded that does not belong to image

	loadAddr       uint32
	run            bool
	stage          stage
	due            uint64 // cycle at which stage, or the command in it, ends; never: idle
	ready          bool
	passed, failed bool // self-tests
	fault          regs.CpFault
	version, build uint32
	pc             uint32
	log            [regs.CpLogCount * 4]byte
	logged         uint32 // bytes ever

	started  uint64 // cycle at which it began
	beats    uint32 // CP_HEARTBEAT when it does not beat any more
	beating  bool
	watchdog uint64 // cycle at which a hung processor is stopped

	mailbox mailbox
	inject  injected
}

// reset is CTRL.RESET.
func (p *processor) reset() {
	*p = processor{image: p.image, crc: p.crc, astray: p.astray, inject: p.inject, due: never, watchdog: never}
	p.mailbox.repeatAt = never
}

// imageOK is CP_STATUS.IMAGE_OK.
func (p *processor) imageOK() bool {
	return !p.astray && len(p.image) >= imageMinWords && ^p.crc == imageResidue
}

// loadBuiltIn loads a firmware without program.
func (p *processor) loadBuiltIn() {
	image := make([]byte, 4*(imageMinWords-1))
	for i, v := range [imageHeaderWords]uint32{
		0:              0x0200006F, // j 0x20
		imageMagicWord: imageMagic, imageBytesWord: 4 * imageMinWords, imageVersionWord: regs.VersionMajor<<24 | regs.VersionMinor<<16,
		imageBuildWord: builtInBuild, imageMemoryWord: 4 * imageMinWords,
	} {
		binary.LittleEndian.PutUint32(image[4*i:], v)
	}
	image = binary.LittleEndian.AppendUint32(image, crc32.ChecksumIEEE(image))
	p.setLoadAddr(0)
	for ; len(image) > 0; image = image[4:] {
		p.load(binary.LittleEndian.Uint32(image))
	}
	p.loadAddr = 0 // as after a reset
}

// setLoadAddr is a write of CP_LOAD_ADDR.
func (p *processor) setLoadAddr(address uint32) {
	if p.run {
		return
	}
	p.loadAddr = address
	if address == 0 {
		p.image, p.crc, p.astray = p.image[:0], 0, false
	}
}

// load is a write of CP_LOAD_DATA.
func (p *processor) load(word uint32) {
	if p.run {
		return
	}
	if p.loadAddr != uint32(4*len(p.image)) || p.loadAddr >= processorRAM {
		p.astray = true
	} else {
		p.image = append(p.image, word)
		p.crc = crc32.Update(p.crc, crc32.IEEETable, binary.LittleEndian.AppendUint32(nil, word))
	}
	p.loadAddr = (p.loadAddr + 4) & loadAddrBits
}

// startProcessor is RUN written 1.
func (n *NIC) startProcessor() {
	p := n.cp
	if p.run || !p.imageOK() {
		return
	}
	p.run, p.ready, p.failed, p.fault = true, false, false, regs.CpFaultNone
	p.version, p.build = 0, 0
	p.logged, p.log = 0, [len(p.log)]byte{}
	p.pc = 4 * imageHeaderWords
	p.mailbox.forget()
	p.started = max(n.clock.cycle, n.control.readyAt)
	p.beats, p.beating, p.watchdog = 0, true, never
	p.stage = stageBoot
	n.occupy(p.started - n.clock.cycle + bootCycles)
}

// occupy lets the firmware's stage or command end after that many cycles.
func (n *NIC) occupy(cycles uint64) {
	n.cp.due = n.clock.cycle + cycles
	n.clock.wakeAt(n.cp.due)
}

// stopProcessor is RUN written 0, or a fault.
func (n *NIC) stopProcessor() {
	p := n.cp
	p.beats, p.beating = n.heartbeat(), false
	p.run, p.ready, p.due, p.watchdog, p.mailbox.repeatAt = false, false, never, never, never
}

// faultProcessor stops the processor because of a fault at address pc.
func (n *NIC) faultProcessor(f regs.CpFault, pc uint32) {
	n.stopProcessor()
	n.cp.fault, n.cp.pc = f, pc
	n.event(int(n.cp.mailbox.ctrl.Vector()), 1)
}

// heartbeat is CP_HEARTBEAT.
func (n *NIC) heartbeat() uint32 {
	p := n.cp
	if !p.beating || n.clock.cycle < p.started {
		return p.beats
	}
	return uint32((n.clock.cycle - p.started) / beatCycles)
}

// tested says whether frames may go through the crypto units.
func (n *NIC) tested() bool { return n.cp == nil || n.cp.passed }

// logf writes a line to the log.
func (p *processor) logf(format string, args ...any) {
	for _, c := range []byte(fmt.Sprintf(format, args...) + "\n") {
		p.log[p.logged%uint32(len(p.log))] = c
		p.logged++
	}
}

// runProcessor does what is due on the processor and sets the next deadlines.
func (n *NIC) runProcessor() {
	p := n.cp
	now := n.clock.cycle
	if p.watchdog <= now {
		n.faultProcessor(regs.CpFaultWatchdog, p.pc)
	}
	if p.mailbox.repeatAt <= now {
		p.mailbox.repeatAt = never
		n.answer(p.mailbox.repeat, &p.mailbox.repeated)
	}
	if p.due <= now {
		p.due = never
		n.endStage()
	}
	for _, due := range []uint64{p.due, p.watchdog, p.mailbox.repeatAt} {
		n.clock.wakeAt(due)
	}
}

// endStage ends what the firmware was doing and begins the next.
func (n *NIC) endStage() {
	p := n.cp
	switch p.stage {
	case stageBoot:
		n.boot()
	case stageSelfTest:
		if p.inject.selfTest {
			p.inject.selfTest, p.failed = false, true
			p.logf("self-tests failed")
		} else {
			p.passed = true
			p.logf("self-tests passed")
		}
		p.stage = stageTakeOver
		n.occupy(readyCycles)
	case stageTakeOver: // also after failed self-tests: commands are taken, to be refused
		p.mailbox.takeOver(&n.sa)
		p.ready = true
		p.logf("ready, %d SAs", n.sa.live)
		p.stage = stageServe
		n.serve()
	case stageServe:
		n.endCommand()
		n.serve()
	}
}

// boot begins the program that was loaded.
func (n *NIC) boot() {
	p := n.cp
	header := p.image[:imageHeaderWords]
	if header[imageMagicWord] != imageMagic || int(header[imageBytesWord]) != 4*len(p.image) || header[imageMemoryWord] > processorRAM {
		n.faultProcessor(regs.CpFaultTrap, 0) // a program, but none that this NIC knows to imitate
		return
	}
	p.version, p.build = header[imageVersionWord], header[imageBuildWord]
	v := regs.CpFwVersion(p.version)
	p.logf("firmware %d.%d.%d, build %08x", v.Major(), v.Minor(), v.Patch(), p.build)
	switch {
	case v.Major() != regs.VersionMajor: // it beats, and that is all
		p.logf("register interface is %d, not %d: refused", regs.VersionMajor, v.Major())
	case p.passed:
		p.stage = stageTakeOver
		n.occupy(readyCycles)
	default:
		p.stage = stageSelfTest
		n.occupy(selfTestCycles)
	}
}

// processorStatus is CP_STATUS.
func (p *processor) status() (v uint32) {
	v = cpRunning.Insert(v, bit(p.run))
	v = cpImageOK.Insert(v, bit(p.imageOK()))
	v = cpReady.Insert(v, bit(p.ready))
	v = cpSelfTestPassed.Insert(v, bit(p.passed))
	v = cpSelfTestFailed.Insert(v, bit(p.failed))
	return cpFaultField.Insert(v, uint32(p.fault))
}

// readProcessor reads pages 3 to 7.
func (n *NIC) readProcessor(offset uint64) uint32 {
	p := n.cp
	switch offset {
	case regs.CpCtrlOffset:
		return uint32(regs.CpCtrl(0).WithRun(p.run))
	case regs.CpStatusOffset:
		return p.status()
	case regs.CpHeartbeatOffset:
		return n.heartbeat()
	case regs.CpFwVersionOffset:
		return p.version
	case regs.CpFwBuildOffset:
		return p.build
	case regs.CpLoadAddrOffset:
		return p.loadAddr
	case regs.CpLoadDataOffset:
		return 0
	case regs.CpLoadCrcOffset:
		return ^p.crc
	case regs.CpRamOffset:
		return processorRAM
	case regs.CpWatchdogOffset:
		return watchdogCycles
	case regs.CpPcOffset:
		return p.pc
	case regs.CpLogHeadOffset:
		return p.logged
	}
	if at := offset - regs.CpLogOffset(0); offset >= regs.CpLogOffset(0) && at < uint64(len(p.log)) {
		return binary.LittleEndian.Uint32(p.log[at:])
	}
	return p.mailbox.read(offset)
}

// writeProcessor writes pages 3 to 7.
func (n *NIC) writeProcessor(offset uint64, value, mask uint32) {
	p := n.cp
	switch offset {
	case regs.CpCtrlOffset:
		was := regs.CpCtrl(0).WithRun(p.run)
		switch run := regs.CpCtrl(merge(uint32(was), value, mask)).Run(); {
		case run:
			n.startProcessor()
		case p.run:
			n.stopProcessor()
		}
	case regs.CpLoadAddrOffset:
		p.setLoadAddr(merge(p.loadAddr, value, mask) & loadAddrBits)
	case regs.CpLoadDataOffset:
		p.load(value & mask)
	default:
		n.writeMailbox(offset, value, mask)
	}
}
