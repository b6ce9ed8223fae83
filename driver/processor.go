// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regs"
)

// imageResidue is CP_LOAD_CRC after an image that ends in its CRC.
const imageResidue = 0xDEBB20E3

// FirmwareInfo is the state of the control processor.
type FirmwareInfo struct {
	// Version and Build identify the firmware that runs, or ran last; 0 if none
	// did since the NIC's reset.
	Version regs.CpFwVersion
	Build   uint32
	// Running: the processor runs. Ready: it takes commands. ImageOK: what was
	// loaded is whole.
	Running, Ready, ImageOK bool
	// The start-up self-tests have passed since the last reset, or one failed.
	SelfTestPassed, SelfTestFailed bool
	// Fault is why the processor stopped, PC where; CpFaultNone if it runs or was
	// never started.
	Fault regs.CpFault
	PC    uint32
	// Heartbeat counts the firmware's signs of life; the processor is stopped
	// when none came for Watchdog clock cycles.
	Heartbeat, Watchdog uint32
	// Memory is the bytes of the processor's memory.
	Memory uint32
	// Uptime is the clock cycles since the driver started the processor, 0 if
	// somebody else did or it does not run.
	Uptime uint64
}

// VersionString returns the version as in "1.0.0".
func (i *FirmwareInfo) VersionString() string { return versionString(i.Version) }

func versionString(v regs.CpFwVersion) string {
	return fmt.Sprintf("%d.%d.%d", v.Major(), v.Minor(), v.Patch())
}

// processor is what the driver keeps of the control processor.
type processor struct {
	image   *firmware.Image // what Options.Firmware or LoadFirmware gave; nil: none
	started uint64          // clock cycle at which it was started
	known   bool            // started is
}

// pulse is what was last seen of the processor's heartbeat.
type pulse struct {
	beats uint32
	cycle uint64
	seen  bool
}

// parseFirmware checks an image against what a NIC must have of it.
func parseFirmware(b []byte) (*firmware.Image, error) {
	if len(b) == 0 {
		return nil, nil
	}
	image, err := firmware.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", err, ErrFirmware)
	}
	return image, nil
}

// firmwareFault makes the error for a processor that has failed in its duty; it
// asks the NIC why. detail is used where the NIC sees no fault.
func (n *NIC) firmwareFault(detail string) error {
	v, err := n.read(regs.CpStatusOffset)
	if err != nil {
		return err
	}
	pc, err := n.read(regs.CpPcOffset)
	if err != nil {
		return err
	}
	s := regs.CpStatus(v)
	return &FirmwareError{Fault: s.Fault(), PC: pc, Running: s.Running(), Detail: detail}
}

// checkProcessor returns an error if the processor has stopped, or if its
// heartbeat has for twice the time that the NIC's own watchdog allows.
func (n *NIC) checkProcessor(p *pulse) error {
	v, err := n.read(regs.CpStatusOffset)
	if err != nil {
		return err
	}
	if s := regs.CpStatus(v); !s.Running() || s.Fault() != regs.CpFaultNone {
		return n.firmwareFault("")
	}
	beats, err := n.read(regs.CpHeartbeatOffset)
	if err != nil {
		return err
	}
	cycle, err := n.readPair(regs.CyclesLoOffset, regs.CyclesHiOffset)
	if err != nil {
		return err
	}
	if !p.seen || beats != p.beats {
		*p = pulse{beats: beats, cycle: cycle, seen: true}
		return nil
	}
	watchdog, err := n.read(regs.CpWatchdogOffset)
	if err != nil {
		return err
	}
	if cycle-p.cycle > 2*uint64(watchdog) {
		return n.firmwareFault(fmt.Sprintf("it runs without a heartbeat for %d clock cycles", cycle-p.cycle))
	}
	return nil
}

// startFirmware brings the control processor to READY: with firmware that runs,
// or that is loaded, if that is the driver's image or the driver has none, else
// with the driver's image. With KeepSAs any firmware that runs will do. On an
// error the processor is stopped.
func (n *NIC) startFirmware(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, n.write(regs.CpCtrlOffset, 0))
		}
	}()
	v, err := n.read(regs.CpStatusOffset)
	if err != nil {
		return err
	}
	status := regs.CpStatus(v)
	if status.Running() {
		wanted := n.cp.image
		if n.opts.KeepSAs {
			wanted = nil
		}
		if err = n.awaitFirmware(ctx, wanted); err == nil {
			err = n.drainMailbox(ctx)
		}
		if err == nil {
			return n.hushMailbox()
		}
	} else if status.ImageOK() {
		if err = n.run(ctx, n.cp.image); err == nil {
			return nil
		}
	}
	if n.cp.image == nil {
		if err == nil {
			err = &FirmwareError{Detail: "it has no firmware; `make firmware` builds it, --firmware FILE (or Options.Firmware) names it"}
		}
		return err
	}
	if !errors.Is(err, ErrFirmware) && err != nil {
		return err
	}
	if err := n.load(n.cp.image); err != nil {
		return err
	}
	return n.run(ctx, n.cp.image)
}

// hushMailbox keeps the events of the mailbox from the queues' vectors.
func (n *NIC) hushMailbox() error {
	return n.write(regs.MboxCtrlOffset, uint32(regs.MboxCtrl(0).WithVector(unusedVector)))
}

// drainMailbox waits for what an earlier driver has left in the mailbox, and
// forgets the answers.
func (n *NIC) drainMailbox(ctx context.Context) error {
	var pulse pulse
	err := n.await(ctx, "commands of an earlier driver", func() (bool, error) {
		if err := n.checkProcessor(&pulse); err != nil {
			return false, err
		}
		pending, err := n.read(regs.MboxPendingOffset)
		return pending == 0, err
	})
	if err != nil {
		return err
	}
	return n.write(regs.MboxDoneOffset, allOnes)
}

// load stops the processor and loads an image.
func (n *NIC) load(image *firmware.Image) error {
	memory, err := n.read(regs.CpRamOffset)
	if err != nil {
		return err
	}
	if uint32(image.Memory) > memory {
		return &FirmwareError{Detail: fmt.Sprintf("the image %v needs %d bytes of memory, the processor has %d", image, image.Memory, memory)}
	}
	if err := n.write(regs.CpCtrlOffset, 0); err != nil {
		return err
	}
	if err := n.write(regs.CpLoadAddrOffset, 0); err != nil {
		return err
	}
	for i := 0; i < len(image.Bytes); i += 4 {
		if err := n.write(regs.CpLoadDataOffset, littleEndian(image.Bytes[i:])); err != nil {
			return err
		}
	}
	crc, err := n.read(regs.CpLoadCrcOffset)
	if err != nil {
		return err
	}
	v, err := n.read(regs.CpStatusOffset)
	if err != nil {
		return err
	}
	if crc != imageResidue || !regs.CpStatus(v).ImageOK() {
		return &FirmwareError{Detail: fmt.Sprintf("the image %v did not arrive: CP_LOAD_CRC is %#08x, a whole image gives %#08x", image, crc, uint32(imageResidue))}
	}
	return nil
}

func littleEndian(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// run starts what is loaded and waits until it is ready. With image, it must be
// that one.
func (n *NIC) run(ctx context.Context, image *firmware.Image) error {
	if err := n.write(regs.CpCtrlOffset, uint32(regs.CpCtrl(0).WithRun(true))); err != nil {
		return err
	}
	cycle, err := n.readPair(regs.CyclesLoOffset, regs.CyclesHiOffset)
	if err != nil {
		return err
	}
	n.cp.started, n.cp.known = cycle, true
	if err := n.awaitFirmware(ctx, image); err != nil {
		return err
	}
	return n.hushMailbox()
}

// awaitFirmware waits until the firmware takes commands.
func (n *NIC) awaitFirmware(ctx context.Context, image *firmware.Image) error {
	var status regs.CpStatus
	var pulse pulse
	err := n.await(ctx, "start of the firmware", func() (bool, error) {
		if err := n.checkProcessor(&pulse); err != nil {
			return false, err
		}
		v, err := n.read(regs.CpStatusOffset)
		if err != nil {
			return false, err
		}
		if v, err = n.firmwareVersion(v, &status); err != nil {
			return false, err
		}
		if version := regs.CpFwVersion(v); v != 0 && version.Major() != regs.VersionMajor {
			return false, &FirmwareError{Running: true, Detail: fmt.Sprintf("firmware %s is for another register interface; major version %d is needed", versionString(version), regs.VersionMajor)}
		}
		return status.Ready() || status.SelftestFailed(), nil
	})
	var failed *FirmwareError
	switch {
	case errors.Is(err, pcie.ErrTimeout) && !errors.As(err, &failed):
		return errors.Join(n.firmwareFault("it did not become ready"), err)
	case err != nil:
		return err
	case status.SelftestFailed():
		return &FirmwareError{Running: status.Running(), SelfTest: true, Detail: "its start-up self-tests failed; `espalier fw log` shows which"}
	case image == nil:
		return nil
	}
	version, err := n.read(regs.CpFwVersionOffset)
	if err != nil {
		return err
	}
	build, err := n.read(regs.CpFwBuildOffset)
	if err != nil {
		return err
	}
	if regs.CpFwVersion(version) != image.Version || build != image.Build {
		return &FirmwareError{Running: true, Detail: fmt.Sprintf("firmware %s build %08x runs, wanted is %v", versionString(regs.CpFwVersion(version)), build, image)}
	}
	return nil
}

// firmwareVersion decodes CP_STATUS and reads CP_FW_VERSION.
func (n *NIC) firmwareVersion(v uint32, status *regs.CpStatus) (uint32, error) {
	*status = regs.CpStatus(v)
	return n.read(regs.CpFwVersionOffset)
}

// LoadFirmware gives the control processor new firmware, or starts it anew after
// it has stopped. image nil is the one of Options.Firmware, or else what is
// loaded already. The NIC is not reset: SAs and queues stay, traffic goes on. SA
// operations wait meanwhile. Afterwards driver and NIC agree again about the SAs:
// those of operations that the old firmware has not answered are settled, an SA
// that nobody has a handle of is deleted, and operations that ended with
// ErrFirmware may be tried again with the handles of before. Errors wrap
// ErrFirmware; a bad image changes nothing.
func (n *NIC) LoadFirmware(ctx context.Context, image []byte) error {
	const op = "load firmware"
	n.control.Lock()
	defer n.control.Unlock()
	m, ok := n.port.(*mailbox)
	switch {
	case n.closed.Load():
		return ErrClosed
	case !ok:
		return &RefusedError{Op: op, Field: "image", Asked: "a control processor", Reason: ErrNotSupported}
	}
	parsed, err := parseFirmware(image)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	n.sas.use.Lock()
	defer n.sas.use.Unlock()
	if err := m.begin(ctx); err != nil && ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := n.reload(ctx, m, parsed); err != nil {
		m.fail(err)
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// reload does what LoadFirmware says. Nobody else uses SAs.
func (n *NIC) reload(ctx context.Context, m *mailbox, image *firmware.Image) error {
	if err := n.write(regs.CpCtrlOffset, 0); err != nil {
		return err
	}
	if image != nil {
		n.cp.image = image
	}
	if n.cp.image != nil {
		if err := n.load(n.cp.image); err != nil {
			return err
		}
	}
	if err := n.run(ctx, n.cp.image); err != nil {
		return err
	}
	doomed := m.doomed
	m.restart()
	return n.reconcile(ctx, doomed)
}

// reconcile makes the table and the NIC agree: the NIC is right about what there
// is, but SAs that are in no table, and those that are doomed, are deleted.
func (n *NIC) reconcile(ctx context.Context, doomed []Handle) error {
	held, err := n.readAll(ctx)
	if err != nil {
		return err
	}
	there := make(map[Handle]*SAState, len(held))
	for i := range held {
		there[held[i].Handle] = &held[i]
	}
	for _, h := range doomed {
		n.sas.remove(h)
	}
	for _, e := range n.sas.list() {
		if s := there[e.Handle]; s != nil {
			n.sas.update(e.Handle, s.SA.SequenceHi)
			delete(there, e.Handle)
		} else {
			n.sas.remove(e.Handle)
		}
	}
	for _, s := range held {
		if there[s.Handle] == nil {
			continue
		}
		if err := n.carryOut(ctx, &saRequest{op: regs.MailboxOpDeleteSA, handle: s.Handle}); err != nil {
			return err
		}
	}
	return nil
}

// FirmwareInfo returns the state of the control processor, ErrNotSupported
// without one. It works also when the processor has stopped.
func (n *NIC) FirmwareInfo() (FirmwareInfo, error) {
	if n.closed.Load() {
		return FirmwareInfo{}, ErrClosed
	}
	info, err := n.firmwareInfo()
	if err != nil || !info.Running {
		return info, err
	}
	cycle, err := n.Cycles()
	n.control.Lock()
	defer n.control.Unlock()
	if n.cp.known {
		info.Uptime = cycle - n.cp.started
	}
	return info, err
}

func (n *NIC) firmwareInfo() (i FirmwareInfo, err error) {
	if !n.caps.ControlProcessor {
		return i, errNoProcessor
	}
	var status uint32
	for _, r := range []struct {
		offset uint64
		value  *uint32
	}{
		{regs.CpStatusOffset, &status},
		{regs.CpFwVersionOffset, (*uint32)(&i.Version)},
		{regs.CpFwBuildOffset, &i.Build},
		{regs.CpPcOffset, &i.PC},
		{regs.CpHeartbeatOffset, &i.Heartbeat},
		{regs.CpWatchdogOffset, &i.Watchdog},
		{regs.CpRamOffset, &i.Memory},
	} {
		if *r.value, err = n.read(r.offset); err != nil {
			return FirmwareInfo{}, err
		}
	}
	s := regs.CpStatus(status)
	i.Running, i.Ready, i.ImageOK, i.Fault = s.Running(), s.Ready(), s.ImageOK(), s.Fault()
	i.SelfTestPassed, i.SelfTestFailed = s.SelftestPassed(), s.SelftestFailed()
	return i, nil
}

// errNoProcessor is the refusal of a NIC whose SAs the host manages.
var errNoProcessor = fmt.Errorf("firmware: a control processor is %w", ErrNotSupported)

// FirmwareLog returns what the firmware has written to its log since it was
// started, or the last 4096 bytes of it. It works also when the processor has
// stopped.
func (n *NIC) FirmwareLog() (string, error) {
	if n.closed.Load() {
		return "", ErrClosed
	}
	return n.firmwareLog()
}

func (n *NIC) firmwareLog() (string, error) {
	if !n.caps.ControlProcessor {
		return "", errNoProcessor
	}
	const size = 4 * regs.CpLogCount
	head, err := n.read(regs.CpLogHeadOffset)
	if err != nil {
		return "", err
	}
	first := head - min(head, size) // of the bytes ever written, the first that is left
	var b strings.Builder
	for at := first &^ 3; at < head; at += 4 {
		word, err := n.read(regs.CpLogOffset(int(at % size / 4)))
		if err != nil {
			return "", err
		}
		for i := range uint32(4) {
			if at+i >= first && at+i < head {
				b.WriteByte(byte(word >> (8 * i)))
			}
		}
	}
	// What was written meanwhile has replaced the oldest bytes.
	now, err := n.read(regs.CpLogHeadOffset)
	if err != nil {
		return "", err
	}
	text := b.String()
	return text[min(uint32(len(text)), now-min(now, size)-first):], nil
}

// InspectFirmware returns the state of the control processor of a NIC that
// nobody has opened, and its log, and changes nothing.
func InspectFirmware(fn pcie.Function) (FirmwareInfo, string, error) {
	n, err := find(fn)
	if err != nil {
		return FirmwareInfo{}, "", err
	}
	info, err := n.firmwareInfo()
	if err != nil {
		return info, "", err
	}
	text, err := n.firmwareLog()
	return info, text, err
}
