// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	"github.com/espalier-nic/espalier/regs"
)

// spied is a function that remembers what was last written to each register and
// counts accesses.
type spied struct {
	*nic.NIC
	mu            sync.Mutex
	written       map[uint64]uint32
	reads, writes int
}

func (s *spied) BAR(n int) (pcie.BAR, error) {
	b, err := s.NIC.BAR(n)
	return spiedBAR{b, s}, err
}

type spiedBAR struct {
	pcie.BAR
	s *spied
}

func (b spiedBAR) Write32(offset uint64, v uint32) error {
	b.s.mu.Lock()
	b.s.written[offset] = v
	b.s.writes++
	b.s.mu.Unlock()
	return b.BAR.Write32(offset, v)
}

func (b spiedBAR) Read32(offset uint64) (uint32, error) {
	b.s.mu.Lock()
	b.s.reads++
	b.s.mu.Unlock()
	return b.BAR.Read32(offset)
}

// newMailboxNIC opens a Go NIC with a control processor.
func newMailboxNIC(t *testing.T, opts Options) (*spied, *NIC) {
	t.Helper()
	fn, err := nic.New(nic.Options{ControlProcessor: nic.Present})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fn.Close() })
	spy := &spied{NIC: fn, written: map[uint64]uint32{}}
	n, err := Open(context.Background(), spy, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return spy, n
}

// secretsLeft returns the salt and key words of commands that are not zero.
func (s *spied) secretsLeft() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []string
	for slot := range regs.MboxSizeSlots {
		for word := regs.MailboxCommandSaltWord; word < regs.MailboxCommandUnusedWord; word++ {
			at := uint64(regs.MailboxCommandOffset + slot*regs.MboxSizeStride + 4*word)
			if (word == regs.MailboxCommandSaltWord || word >= regs.MailboxCommandKeyWord) && s.written[at] != 0 {
				left = append(left, fmt.Sprintf("slot %d word %d", slot, word))
			}
		}
	}
	return left
}

// TestKeysOfLostCommands: keys of commands that firmware may never have taken
// are overwritten, whether it has stopped, or the driver is closed or reset.
func TestKeysOfLostCommands(t *testing.T) {
	secret := SA{SPI: 5, Key: Key(strings.Repeat("\xA5", 32)), Salt: Salt{0xA5, 1, 2, 3}}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, lose := range map[string]func(n *NIC) error{
		"stopped": func(n *NIC) error {
			_, err := n.AddSA(context.Background(), secret)
			if !errors.Is(err, ErrFirmware) {
				return fmt.Errorf("add SA: %w", err)
			}
			return nil
		},
		"close": func(n *NIC) error { return n.Close() },
		"reset": func(n *NIC) error { return n.Reset(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			spy, n := newMailboxNIC(t, Options{})
			if err := spy.InjectFault(nic.FaultHang); err != nil {
				t.Fatal(err)
			}
			if _, err := n.AddSA(cancelled, secret); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if len(spy.secretsLeft()) != 9 {
				t.Fatalf("words of the command: %v, the test looks at the wrong place", spy.secretsLeft())
			}
			// It must not wait for the command that nobody answers.
			if err := lose(n); err != nil {
				t.Fatal(err)
			}
			if left := spy.secretsLeft(); len(left) != 0 {
				t.Errorf("key material is left in %v", left)
			}
			for _, b := range secret.Key {
				if b != 0xA5 {
					t.Fatal("the caller's key was changed")
				}
			}
		})
	}
}

// TestMailboxUnplugged: whoever waits when the NIC goes away is told so.
func TestMailboxUnplugged(t *testing.T) {
	spy, n := newMailboxNIC(t, Options{})
	if err := spy.InjectFault(nic.FaultAnswerNever); err != nil {
		t.Fatal(err)
	}
	results := make(chan error, 4)
	for i := range cap(results) {
		go func() {
			for { // the others add SAs until it happens
				_, err := n.AddSA(context.Background(), SA{SPI: uint32(i + 1), Key: make(Key, 16)})
				if err != nil {
					results <- err
					return
				}
			}
		}()
	}
	time.Sleep(5 * time.Millisecond)
	spy.Unplug()
	for range cap(results) {
		if err := <-results; !errors.Is(err, pcie.ErrRemoved) && !errors.Is(err, ErrResources) {
			t.Errorf("add SA: %v", err)
		}
	}
	if err := n.LoadFirmware(context.Background(), nil); !errors.Is(err, pcie.ErrRemoved) {
		t.Errorf("load firmware: %v", err)
	}
	if _, err := n.FirmwareInfo(); !errors.Is(err, pcie.ErrRemoved) {
		t.Errorf("info: %v", err)
	}
	if err := n.Close(); !errors.Is(err, pcie.ErrRemoved) {
		t.Errorf("close: %v", err)
	}
}

// TestMailboxAccesses: a batch writes only the words that differ, and keeps the
// mailbox full: the NIC is never idle.
func TestMailboxAccesses(t *testing.T) {
	spy, n := newMailboxNIC(t, Options{})
	sas := make([]SA, 500)
	for i := range sas {
		sas[i] = SA{SPI: uint32(i + 1), Key: make(Key, 16), Salt: Salt{1}}
		sas[i].Key[0] = byte(i + 1)
	}
	spy.reads, spy.writes = 0, 0
	start := spy.Cycle()
	_, errs := n.AddSAs(context.Background(), sas)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	each := float64(spy.Cycle()-start) / float64(len(sas))
	writes, reads := float64(spy.writes)/float64(len(sas)), float64(spy.reads)/float64(len(sas))
	t.Logf("%.1f writes, %.1f reads, %.0f cycles for each SA", writes, reads, each)
	// Header, SPI, salt, key, doorbell, acknowledgement; and the other words of
	// the first command in each slot. The Go NIC takes 1500 cycles for an SA.
	if writes > 11 || each > 1700 {
		t.Errorf("%.1f writes and %.0f cycles for each SA, allowed are 11 and 1700", writes, each)
	}
}

// TestFirmwareSentences: errors of the processor read as one sentence with item,
// value and what to do.
func TestFirmwareSentences(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&FirmwareError{Fault: regs.CpFaultTrap, PC: 0x1234}, "the control processor stopped: illegal instruction or misaligned access at 0x00001234; traffic goes on; `espalier fw load` restarts it"},
		{&FirmwareError{Fault: regs.CpFaultWatchdog}, "the control processor stopped: the watchdog found it hung at 0x00000000; traffic goes on; `espalier fw load` restarts it"},
		{&FirmwareError{}, "the control processor was stopped; traffic goes on; `espalier fw load` restarts it"},
		{&FirmwareError{Running: true, Detail: "it did not become ready"}, "control processor: it did not become ready"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestMailboxOrder: answers found together are applied in the order in which the
// commands were posted, whatever their slots: here an SA is added in the place
// of one that was deleted before it.
func TestMailboxOrder(t *testing.T) {
	fn, err := nic.New(nic.Options{ControlProcessor: nic.Present, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer fn.Close()
	ctx := context.Background()
	n, err := Open(ctx, fn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	m := n.port.(*mailbox)
	h, err := n.AddSA(ctx, SA{SPI: 1, Key: make(Key, 16)})
	if err != nil {
		t.Fatal(err)
	}
	answered := func(slots uint32) {
		t.Helper()
		for range 100 {
			if done, err := n.read(regs.MboxDoneOffset); err != nil {
				t.Fatal(err)
			} else if done&slots == slots {
				return
			}
			if err := fn.Relax(ctx, 1000); err != nil {
				t.Fatal(err)
			}
		}
		t.Fatalf("slots %#x are not answered", slots)
	}
	first := &saRequest{op: regs.MailboxOpReadSA, handle: h}
	gone, err := n.deleteRequest(h)
	if err != nil {
		t.Fatal(err)
	}
	added, err := n.addRequest(SA{SPI: 2, Key: make(Key, 16)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error { return m.post(ctx, first) },
		func() error { return m.post(ctx, gone) },
		func() error { answered(1); _, err := m.collect(); return err },
		func() error { return m.post(ctx, added) }, // in slot 0 again
		func() error { answered(3); _, err := m.collect(); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if added.slot != 0 || gone.slot != 1 {
		t.Fatalf("slots %d and %d, the test needs 0 and 1", added.slot, gone.slot)
	}
	if list := n.ListSAs(); len(list) != 1 || list[0].SA.SPI != 2 || list[0].Handle != added.answer {
		t.Errorf("SAs %v, want %v", list, added.answer)
	}
}

// TestMailboxKeepsQueuesAsleep: answers of the firmware raise no interrupt on
// the vectors of queues.
func TestMailboxKeepsQueuesAsleep(t *testing.T) {
	_, n := newMailboxNIC(t, Options{})
	for i := range 5 {
		if _, err := n.AddSA(context.Background(), SA{SPI: uint32(i + 1), Key: make(Key, 16)}); err != nil {
			t.Fatal(err)
		}
	}
	if causes, err := n.read(regs.IntCauseOffset); err != nil || causes != 0 {
		t.Errorf("INT_CAUSE is %#x, error %v", causes, err)
	}
}

// posted posts requests one after the other, and does not wait.
func posted(t *testing.T, n *NIC, requests ...*saRequest) {
	t.Helper()
	for _, r := range requests {
		if err := n.port.post(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMailboxStrayAnswer: an answer in a slot without a command is not taken for
// anything, and the processor is stopped before it does more harm.
func TestMailboxStrayAnswer(t *testing.T) {
	spy, n := newMailboxNIC(t, Options{})
	ctx := context.Background()
	h, err := n.AddSA(ctx, SA{SPI: 1, Key: make(Key, 16)})
	if err != nil {
		t.Fatal(err)
	}
	if err := spy.InjectFault(nic.FaultAnswerTwice); err != nil {
		t.Fatal(err)
	}
	first, second := &saRequest{op: regs.MailboxOpReadSA, handle: h}, &saRequest{op: regs.MailboxOpReadSA, handle: h}
	posted(t, n, first, second) // the first is answered again while the second is under way
	if err := n.port.wait(ctx, first); err != nil {
		t.Fatal(err)
	}
	err = n.port.wait(ctx, second)
	if !errors.Is(err, ErrMailbox) || !strings.Contains(err.Error(), "slot 0") || !strings.Contains(err.Error(), "no command is in it") {
		t.Errorf("error %v", err)
	}
	if info, err := n.FirmwareInfo(); err != nil || info.Running {
		t.Errorf("the processor runs on: %+v %v", info, err)
	}
}

// TestMailboxWrongHandle: an answer for another SA than the one asked for is not
// believed.
func TestMailboxWrongHandle(t *testing.T) {
	ctx := context.Background()
	for name, ask := range map[string]func(n *NIC, h Handle) error{
		"add":     func(n *NIC, _ Handle) error { _, err := n.AddSA(ctx, SA{SPI: 2, Key: make(Key, 16)}); return err },
		"read":    func(n *NIC, h Handle) error { _, err := n.ReadSA(ctx, h); return err },
		"restore": func(n *NIC, h Handle) error { return n.RestoreSA(ctx, h, SA{SPI: 2, Key: make(Key, 16)}) },
	} {
		for lie, handle := range map[string]Handle{"no generation": 5, "slot out of range": 1<<16 | 1024, "slot in use": 1 << 16, "other SA": 1<<16 | 7} {
			if name != "add" && lie == "slot in use" || name == "add" && lie == "other SA" {
				continue // it would be right
			}
			fn, err := nic.New(nic.Options{ControlProcessor: nic.Present})
			if err != nil {
				t.Fatal(err)
			}
			crook := &crooked{Function: fn, registers: map[uint64]uint32{}}
			n, err := Open(ctx, crook, Options{})
			if err != nil {
				t.Fatal(err)
			}
			h, err := n.AddSA(ctx, SA{SPI: 1, Key: make(Key, 16)})
			if err != nil {
				t.Fatal(err)
			}
			crook.registers[regs.MailboxResponseOffset+4*regs.MailboxResponseHandleWord] = uint32(handle)
			if name == "restore" {
				if err := n.DeleteSA(ctx, h); err != nil {
					t.Fatal(err)
				}
				if err := n.Reset(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if err = ask(n, h); !errors.Is(err, ErrMailbox) {
				t.Errorf("%s, %s: %v", name, lie, err)
			}
			if list := n.ListSAs(); len(list) > 1 || len(list) == 1 && list[0].Handle != h {
				t.Errorf("%s, %s: SAs %v", name, lie, list)
			}
			_ = n.Close()
			_ = fn.Close()
		}
	}
}

// TestLostOperations: what firmware has done without saying so is found out when
// it is started again.
func TestLostOperations(t *testing.T) {
	spy, n := newMailboxNIC(t, Options{})
	ctx := context.Background()
	var handles []Handle
	for i := range 2 {
		h, err := n.AddSA(ctx, SA{SPI: uint32(i + 1), ESN: true, Inbound: true, Key: make(Key, 16)})
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h)
	}
	// The Go NIC carries a command out when it takes it, and answers later.
	lose := func(r *saRequest, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		posted(t, n, r)
		if err := spy.InjectFault(nic.FaultTrap); err != nil {
			t.Fatal(err)
		}
		if err := n.port.wait(ctx, r); !errors.Is(err, ErrFirmware) {
			t.Fatal(err)
		}
		if err := n.LoadFirmware(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	lose(n.deleteRequest(handles[0]))
	if err := n.DeleteSA(ctx, handles[0]); !errors.Is(err, ErrStaleHandle) {
		t.Errorf("SA that the old firmware has deleted: %v", err)
	}
	lose(n.updateRequest(handles[1], 77))
	if hi, ok := n.sas.sequenceHi(handles[1]); !ok || hi != 77 {
		t.Errorf("upper half %d of the SA that the old firmware has updated, want 77", hi)
	}
	lose(n.addRequest(SA{SPI: 3, Inbound: true, Key: make(Key, 16)}, 0))
	count := 0
	for s, err := range n.SAStates(ctx) {
		if count++; err != nil || s.Handle != handles[1] {
			t.Errorf("SA %v is in the NIC, error %v", s, err)
		}
	}
	if list := n.ListSAs(); count != 1 || len(list) != 1 {
		t.Errorf("%d SAs in the NIC, known are %v", count, list)
	}
}
