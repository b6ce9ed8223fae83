// SPDX-License-Identifier: Apache-2.0

package drivertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regs"
)

// noticeTime is how long it may take, on a busy machine, until a processor that
// has stopped is noticed.
const noticeTime = 20 * time.Second

// processor opens a NIC whose control processor can be made to go wrong. On a NIC
// without one it returns nil: the test has no subject there.
func (h Harness) processor(t testing.TB, opts driver.Options) (*bed, func(Fault) bool) {
	t.Helper()
	d := h.Open(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	t.Cleanup(func() { ok(t, d.Function.Close()) })
	b := h.attach(t, ctx, d, opts)
	if !b.Capabilities().ControlProcessor {
		return nil, nil
	}
	if h.Break == nil {
		leaveOut(t, "a control processor that goes wrong")
		return nil, nil
	}
	return b, func(f Fault) bool {
		broken := h.Break(t, d, f)
		if !broken {
			leaveOut(t, "a control processor that goes wrong in this way")
		}
		return broken
	}
}

// alive checks that SAs can be added and deleted, and that traffic flows.
func alive(t testing.TB, b *bed) {
	t.Helper()
	ok(t, b.DeleteSA(b.ctx, b.addSA(t, newFlow(t, kind{keyLen: 16}, 0xA11FE).in)))
	roundTrip(t, b)
}

// testFirmwareInfo: a NIC without a control processor says that it has none; one
// with says what runs on it.
func testFirmwareInfo(t *testing.T, h Harness) {
	b := h.open(t, driver.Options{})
	ok(t, b.Reset(b.ctx)) // a processor that ran before Open has no known uptime
	info, err := b.FirmwareInfo()
	text, logErr := b.FirmwareLog()
	if !b.Capabilities().ControlProcessor {
		wants(t, "info", err, driver.ErrNotSupported)
		wants(t, "log", logErr, driver.ErrNotSupported)
		wants(t, "load", b.LoadFirmware(b.ctx, h.Firmware), driver.ErrNotSupported)
		return
	}
	ok(t, err)
	ok(t, logErr)
	if !info.Running || !info.Ready || !info.ImageOK || !info.SelfTestPassed || info.SelfTestFailed || info.Fault != regs.CpFaultNone ||
		info.Version.Major() != regs.VersionMajor || info.Memory == 0 || info.Watchdog == 0 || info.Uptime == 0 {
		t.Errorf("state of the processor: %+v", info)
	}
	if h.Firmware != nil {
		image, err := firmware.Parse(h.Firmware)
		ok(t, err)
		if info.Version != image.Version || info.Build != image.Build {
			t.Errorf("firmware %s build %08x runs, want %v", info.VersionString(), info.Build, image)
		}
	}
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }) {
		t.Errorf("log is %q", text)
	}
	b.relax(t, uint64(info.Watchdog))
	later, err := b.FirmwareInfo()
	ok(t, err)
	if later.Heartbeat == info.Heartbeat || later.Uptime < info.Uptime+uint64(info.Watchdog) {
		t.Errorf("after %d cycles: heartbeat %d, before %d; uptime %d, before %d", info.Watchdog, later.Heartbeat, info.Heartbeat, later.Uptime, info.Uptime)
	}
}

// testFirmwareStops: a processor that stops is noticed in bounded time. Commands
// under way and later ones end with an error that says why, traffic goes on, and
// new firmware brings everything back without losing an SA.
func testFirmwareStops(t *testing.T, h Harness) {
	for _, c := range []struct {
		fault Fault
		want  regs.CpFault
		says  string
	}{{Trap, regs.CpFaultTrap, "illegal instruction"}, {Hang, regs.CpFaultWatchdog, "watchdog"}} {
		t.Run(c.want.String(), func(t *testing.T) {
			b, fail := h.processor(t, driver.Options{})
			if b == nil {
				return
			}
			f := newFlow(t, kind{keyLen: 32, esn: true}, 3)
			out, in := b.addSA(t, f.out), b.addSA(t, f.in)
			before := b.states(t)
			info, err := b.FirmwareInfo()
			ok(t, err)
			start, err := b.Cycles()
			ok(t, err)
			began := time.Now()
			fail(c.fault)
			for i := range 3 {
				_, err := b.AddSA(b.ctx, newFlow(t, kind{keyLen: 16}, uint32(10+i)).in)
				var stopped *driver.FirmwareError
				if !errors.As(err, &stopped) || !errors.Is(err, driver.ErrFirmware) || stopped.Fault != c.want || stopped.Running || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "fw load") {
					t.Errorf("add SA: %v, %+v", err, stopped)
				}
				wants(t, "update SA", b.UpdateSA(b.ctx, in, 6), driver.ErrFirmware)
				wants(t, "delete SA", b.DeleteSA(b.ctx, out), driver.ErrFirmware)
				_, err = b.ReadSA(b.ctx, out)
				wants(t, "read SA", err, driver.ErrFirmware)
			}
			end, err := b.Cycles()
			ok(t, err)
			if took := end - start; lockStep(b.fn) && took > 2*uint64(info.Watchdog)+50_000 {
				t.Errorf("it took %d cycles to notice, the watchdog has %d", took, info.Watchdog)
			}
			// How fast the host is in a NIC's cycles is not known elsewhere.
			if took := time.Since(began); took > noticeTime {
				t.Errorf("it took %v to notice", took)
			}
			// Traffic of SAs that live goes on.
			framed, packet := f.frame(t, plainFrame(false, 100, 1))
			p := b.packet(t, framed)
			p.SA, p.ESPOffset, p.Sequence = out, packet.ESPOffset, packet.Sequence
			if s := b.send(t, 0, p); s != driver.OK {
				t.Errorf("send: %v", s)
			}
			same(t, "frame", b.onWire(t, 1)[0], f.sealed(t, framed, packet))
			b.fill(t, 0, 1)
			onWire, handedUp := f.wire(t, 90, 1)
			b.inject(t, onWire)
			expect(t, b.receive(t, 0, 1)[0], f, in, handedUp)
			if stopped, err := b.FirmwareInfo(); err != nil || stopped.Running || stopped.Ready || stopped.Fault != c.want {
				t.Errorf("state of the processor: %+v %v", stopped, err)
			}
			if text, err := b.FirmwareLog(); err != nil || text == "" {
				t.Errorf("log %q, error %v", text, err)
			}

			ok(t, b.LoadFirmware(b.ctx, h.Firmware))
			after := b.states(t)
			for i := range before {
				if i >= len(after) || after[i].Frames != before[i].Frames+1 {
					t.Fatalf("read back %+v, before %+v", after, before)
				}
				after[i].Frames, after[i].Bytes = before[i].Frames, before[i].Bytes
			}
			if !reflect.DeepEqual(after, before) {
				t.Errorf("SAs are %+v after loading, before %+v", after, before)
			}
			b.agree(t)
			alive(t, b)
			ok(t, b.UpdateSA(b.ctx, in, 6))
			ok(t, b.DeleteSA(b.ctx, out))
			// A reset brings the processor back as well.
			fail(c.fault)
			_, err = b.AddSA(b.ctx, f.out)
			wants(t, "add SA", err, driver.ErrFirmware)
			ok(t, b.Reset(b.ctx))
			ok(t, b.StartQueues(b.ctx))
			ok(t, b.RestoreSA(b.ctx, in, f.in))
			alive(t, b)
		})
	}
}

// testFirmwareLost: the processor stops while many goroutines have commands
// under way. All of them end; what each is told holds after a reload, except that
// an operation that ended with ErrFirmware may have been done.
func testFirmwareLost(t *testing.T, h Harness) {
	b, fail := h.processor(t, driver.Options{})
	if b == nil {
		return
	}
	// One slot stays free: Break may put a command of its own into the last one.
	const workers, each = regs.MboxSizeSlots - 1, 3
	victim := newFlow(t, kind{keyLen: 16, esn: true}, 0xD00D)
	doomed := b.addSA(t, victim.in)
	handles := make([]driver.Handle, workers*each)
	var wg sync.WaitGroup
	var lost sync.Map
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				at := w*each + i
				handle, err := b.AddSA(b.ctx, newFlow(t, kind{keyLen: 32}, uint32(100+at)).in)
				if err == nil {
					handles[at] = handle
				} else if lost.Store(at, true); !errors.Is(err, driver.ErrFirmware) {
					t.Errorf("add: %v", err)
				}
				if at == workers {
					fail(Trap)
				}
			}
		}()
	}
	wg.Wait()
	wants(t, "delete", b.DeleteSA(b.ctx, doomed), driver.ErrFirmware)
	ok(t, b.LoadFirmware(b.ctx, nil))
	count := 1
	for at, handle := range handles {
		if handle == 0 {
			// Nobody has a handle of it: it is gone, or was never there.
			b.addSA(t, newFlow(t, kind{keyLen: 32}, uint32(100+at)).in)
		}
		count++
	}
	if n := b.agree(t); n != count {
		t.Errorf("%d SAs, want %d", n, count)
	}
	some := false
	lost.Range(func(any, any) bool { some = true; return false })
	if !some {
		t.Error("no command was under way when the processor stopped")
	}
	ok(t, b.DeleteSA(b.ctx, doomed)) // tried again with the same handle
	alive(t, b)

	// A deletion that its caller has given up is finished.
	cancelled, cancel := context.WithCancel(b.ctx)
	cancel()
	gone := b.addSA(t, victim.in)
	fail(Hang)
	wants(t, "cancelled delete", b.DeleteSA(cancelled, gone), context.Canceled)
	_, err := b.AddSA(cancelled, victim.in)
	if !errors.Is(err, context.Canceled) {
		wants(t, "cancelled add", err, driver.ErrDuplicate)
	}
	_, err = b.ReadSA(b.ctx, gone)
	wants(t, "read", err, driver.ErrFirmware)
	ok(t, b.LoadFirmware(b.ctx, h.Firmware))
	wants(t, "delete again", b.DeleteSA(b.ctx, gone), driver.ErrStaleHandle)
	b.agree(t)
	alive(t, b)
}

// testMailboxFull: more callers than slots while nothing is answered. Those
// without a slot can give up; the others learn what happened.
func testMailboxFull(t *testing.T, h Harness) {
	b, fail := h.processor(t, driver.Options{})
	if b == nil {
		return
	}
	fail(Hang)
	const callers = regs.MboxSizeSlots + 8
	ctx, cancel := context.WithCancel(b.ctx)
	results := make(chan error, callers)
	for i := range callers {
		go func() {
			_, err := b.AddSA(ctx, newFlow(t, kind{keyLen: 16}, uint32(100+i)).in)
			results <- err
		}()
	}
	time.Sleep(time.Millisecond)
	cancel()
	for range callers {
		if err := <-results; !errors.Is(err, driver.ErrFirmware) && !errors.Is(err, context.Canceled) {
			t.Errorf("add: %v", err)
		}
	}
	_, err := b.AddSA(b.ctx, newFlow(t, kind{keyLen: 16}, 99).in)
	wants(t, "add", err, driver.ErrFirmware)
	ok(t, b.LoadFirmware(b.ctx, nil))
	if n := b.agree(t); n != 0 {
		t.Errorf("%d SAs are left that nobody has a handle of", n)
	}
	alive(t, b)
}

// testMailboxDisorder: answers that come twice, never, or for something else.
func testMailboxDisorder(t *testing.T, h Harness) {
	for _, c := range []struct {
		name  string
		fault Fault
		kind  error
		says  string
	}{
		{"twice", AnswerTwice, driver.ErrMailbox, "of the mailbox"},
		{"never", AnswerNever, driver.ErrFirmware, "ADD_SA is not answered"},
		{"tag", AnswerTag, driver.ErrMailbox, "tag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, fail := h.processor(t, driver.Options{Timeout: 500 * time.Millisecond})
			if b == nil {
				return
			}
			kept := b.addSA(t, newFlow(t, kind{keyLen: 24}, 1).in)
			before := b.agree(t)
			if !fail(c.fault) {
				return
			}
			var err error
			for i := 0; err == nil && i < 20; i++ {
				var handle driver.Handle
				if handle, err = b.AddSA(b.ctx, newFlow(t, kind{keyLen: 16}, uint32(5+i)).in); err == nil {
					before++
					b.relax(t, 1000)
					_ = handle
				}
			}
			if err == nil && c.fault == AnswerTwice && !lockStep(b.fn) {
				// The second answer was there before the driver looked for the
				// answer to the next command in the same slot, which was there
				// too, and had no effect.
				if n := b.agree(t); n != before {
					t.Errorf("%d SAs, want %d", n, before)
				}
				alive(t, b)
				return
			}
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %v", err, c.kind)
			}
			wants(t, "the next", b.DeleteSA(b.ctx, kept), c.kind)
			roundTrip(t, b)
			ok(t, b.LoadFirmware(b.ctx, h.Firmware))
			if n := b.agree(t); n != before {
				t.Errorf("%d SAs, want %d", n, before)
			}
			ok(t, b.DeleteSA(b.ctx, kept))
			alive(t, b)
		})
	}
}

// testSelfTestFails: a NIC whose crypt units do not work is not opened.
func testSelfTestFails(t *testing.T, h Harness) {
	b, fail := h.processor(t, driver.Options{})
	if b == nil {
		return
	}
	sa := newFlow(t, kind{keyLen: 16}, 5).in
	if !fail(SelfTestFail) {
		return
	}
	err := b.Reset(b.ctx)
	var failed *driver.FirmwareError
	if !errors.As(err, &failed) || !failed.SelfTest || !strings.Contains(err.Error(), "self-tests failed") {
		t.Fatalf("reset: %v", err)
	}
	_, err = b.AddSA(b.ctx, sa)
	wants(t, "add SA", err, driver.ErrFirmware)
	ok(t, b.Reset(b.ctx))
	ok(t, b.StartQueues(b.ctx))
	alive(t, b)

	d := h.Open(t)
	n, err := driver.Open(b.ctx, d.Function, h.options(driver.Options{}))
	ok(t, err)
	ok(t, n.Close())
	h.Break(t, d, SelfTestFail)
	if _, err = driver.Open(b.ctx, d.Function, h.options(driver.Options{})); !errors.As(err, &failed) || !failed.SelfTest {
		t.Errorf("open: %v", err)
	}
	bar, err := d.Function.BAR(pcie.RegisterBAR)
	ok(t, err)
	if v, err := bar.Read32(regs.CpCtrlOffset); err != nil || v != 0 {
		t.Errorf("CP_CTRL is %#x after a failed open, error %v", v, err)
	}
	n, err = driver.Open(b.ctx, d.Function, h.options(driver.Options{}))
	ok(t, err)
	ok(t, n.Close())
	ok(t, d.Function.Close())
}

// testFirmwareImages: images that are none are refused before the processor is
// touched; a good one is loaded while SAs live and traffic flows.
func testFirmwareImages(t *testing.T, h Harness) {
	d := h.Open(t)
	t.Cleanup(func() { ok(t, d.Function.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	good := h.Firmware
	if good == nil {
		good = madeUpImage(t, regs.VersionMajor<<24|7<<16|3, 0xB01D)
	}
	foreign := append([]byte(nil), good...)
	foreign[15]++ // MAJOR
	bad := map[string][]byte{
		"truncated": good[:len(good)-4],
		"short":     good[:10],
		"damaged":   append(append([]byte(nil), good[:len(good)/2]...), make([]byte, len(good)-len(good)/2)...),
		"text":      []byte(strings.Repeat("no firmware ", 40)),
		"version":   foreign,
	}
	b := h.attach(t, ctx, d, driver.Options{})
	if !b.Capabilities().ControlProcessor {
		return
	}
	kept := b.addSA(t, newFlow(t, kind{keyLen: 24}, 1).in)
	before, err := b.FirmwareInfo()
	ok(t, err)
	for name, image := range bad {
		err := b.LoadFirmware(b.ctx, image)
		var parse *firmware.ImageError
		if !errors.Is(err, driver.ErrFirmware) || !errors.As(err, &parse) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s image: %v", name, err)
		}
	}
	after, err := b.FirmwareInfo()
	ok(t, err)
	if !after.Ready || after.Build != before.Build || after.Uptime < before.Uptime {
		t.Errorf("bad images have changed %+v to %+v", before, after)
	}
	ok(t, b.LoadFirmware(b.ctx, good))
	image, err := firmware.Parse(good)
	ok(t, err)
	if after, err = b.FirmwareInfo(); err != nil || after.Version != image.Version || after.Build != image.Build || !after.Ready {
		t.Errorf("after loading %v: %+v %v", image, after, err)
	}
	if n := b.agree(t); n != 1 {
		t.Errorf("%d SAs, want 1", n)
	}
	ok(t, b.DeleteSA(b.ctx, kept))
	alive(t, b)

	for name, image := range bad {
		other := h.Open(t)
		_, err := driver.Open(ctx, other.Function, driver.Options{Firmware: image})
		var parse *firmware.ImageError
		if !errors.Is(err, driver.ErrFirmware) || !errors.As(err, &parse) {
			t.Errorf("open with a %s image: %v", name, err)
		}
		ok(t, other.Function.Close())
	}
	// A NIC that does not take what it is given.
	other := h.Open(t)
	deaf := &misled{Function: other.Function, offset: regs.CpLoadDataOffset, on: true}
	if _, err := driver.Open(ctx, deaf, driver.Options{Firmware: madeUpImage(t, regs.VersionMajor<<24, 1)}); !errors.Is(err, driver.ErrFirmware) || !strings.Contains(err.Error(), "did not arrive") {
		t.Errorf("image that does not arrive: %v", err)
	}
	// Now nothing is loaded there, and nothing is given.
	_, err = driver.Open(ctx, other.Function, driver.Options{})
	if !errors.Is(err, driver.ErrFirmware) || !strings.Contains(err.Error(), "make firmware") || !strings.Contains(err.Error(), "--firmware") {
		t.Errorf("no image: %v", err)
	}
	bar, err := other.Function.BAR(pcie.RegisterBAR)
	ok(t, err)
	if v, err := bar.Read32(regs.CpCtrlOffset); err != nil || v != 0 {
		t.Errorf("CP_CTRL is %#x after a failed open, error %v", v, err)
	}
	n, err := driver.Open(ctx, other.Function, driver.Options{Firmware: good})
	ok(t, err)
	ok(t, n.Close())
	// What is loaded stays through a reset, and does.
	n, err = driver.Open(ctx, other.Function, driver.Options{})
	ok(t, err)
	if info, err := n.FirmwareInfo(); err != nil || info.Build != image.Build {
		t.Errorf("what was loaded before: %+v %v", info, err)
	}
	ok(t, n.Close())
	ok(t, other.Function.Close())
}

// madeUpImage is an image without a program.
func madeUpImage(t testing.TB, version, build uint32) []byte {
	t.Helper()
	program := make([]byte, 64)
	for i, v := range []uint32{0x0000006F, firmware.Magic, 0, version, build, 4096} {
		for j := range 4 {
			program[4*i+j] = byte(v >> (8 * j))
		}
	}
	image, err := firmware.Seal(program)
	if err != nil {
		t.Fatal(fmt.Errorf("made-up image: %w", err))
	}
	return image
}
