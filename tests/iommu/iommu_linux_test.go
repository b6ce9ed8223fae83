// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

// Package iommu tests that an IOMMU keeps a card from memory that was taken from
// it, seen from everywhere at once: in a guest with two cards behind the emulated
// IOMMU, the kernel's log, the NIC, the driver and the traffic beside it.
//
// The tests run twice: here they start the guest, and there they do their work.
package iommu

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/vfio"
	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regs"
	"github.com/espalier-nic/espalier/verilator/simbuild"
	"github.com/espalier-nic/espalier/vm/vmtest"
)

// firmwareVariable names the image for the cards' control processors to the guest.
const firmwareVariable = "ESPALIER_TEST_FIRMWARE"

const (
	// patience bounds what must happen.
	patience = 60 * time.Second
	// entries are a ring's: as many as fill a page.
	entries = 256
	// The kernel's log has no more than so many refused accesses in so long: Linux
	// 6.1 writes 10 lines in 5 seconds, and counts 3 for each (measured).
	loggedFaults = 3
	logInterval  = 5500 * time.Millisecond
	// moreFaults are made at the end, as many as the server puts in words.
	moreFaults = 10
	// testQueue gets the faults, trafficQueue goes on.
	testQueue, trafficQueue = 0, 1
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// card is one card in the guest.
type card struct {
	address string
	fn      *spliced
	nic     *driver.NIC
	pool    *driver.Pool
}

func openCard(t testing.TB, ctx context.Context, address string) *card {
	t.Helper()
	image, err := firmware.Load(os.Getenv(firmwareVariable))
	ok(t, err)
	fn, err := vfio.Open(address, vfio.Options{})
	ok(t, err)
	c := &card{address: address, fn: newSpliced(fn, 2*entries*16)}
	t.Cleanup(func() { ok(t, c.fn.Close()) })
	c.nic, err = driver.Open(ctx, c.fn, driver.Options{TXQueues: 2, RXQueues: 2, TXRing: entries, RXRing: entries, ReportEvery: 1, Firmware: image.Bytes})
	ok(t, err)
	t.Cleanup(func() { ok(t, c.nic.Close()) })
	c.pool, err = driver.NewPool(c.fn, 96, 2048)
	ok(t, err)
	t.Cleanup(func() { ok(t, c.pool.Close()) })
	return c
}

// cases are the accesses that are refused.
var cases = []struct {
	name string
	// run takes the memory away, has the card use it, and returns its address and
	// what the driver said.
	run func(t *testing.T, l *lab) (iova uint64, err error)
	// sender: the card that sends is the one that is refused.
	sender, write bool
	// code is why the queue has stopped; none: it goes on.
	code regs.QueueError
}{
	{"frame to send", sendFromNowhere, true, false, regs.QueueErrorNone},
	{"receive buffer", receiveIntoNothing, false, true, regs.QueueErrorNone},
	{"TX ring", withdrawTXRing, true, false, regs.QueueErrorDescRead},
	{"TX completions", withdrawTXCompletions, true, true, regs.QueueErrorCplWrite},
	{"RX ring", withdrawRXRing, false, false, regs.QueueErrorDescRead},
	{"RX completions", withdrawRXCompletions, false, true, regs.QueueErrorCplWrite},
}

// TestRefused: memory that was freed while the card still knew of it is out of its
// reach, everybody who should hears of it, nothing else suffers, and the queue can
// be started again.
func TestRefused(t *testing.T) {
	kinds := map[string]func(t *testing.T) []string{
		"RTL": func(t *testing.T) []string {
			return []string{"--device", "sim:" + simbuild.Library(t, simbuild.Design{})}
		},
		"Go NIC": func(*testing.T) []string { return []string{"--device", "gonic"} },
	}
	for _, kind := range []string{"RTL", "Go NIC"} {
		t.Run(kind, func(t *testing.T) {
			if vmtest.InGuest() {
				testRefused(t, kind == "RTL")
				return
			}
			t.Parallel() // both wait for much of their time
			image, err := firmware.Build(firmware.Standard)
			ok(t, err)
			var want []string
			for _, c := range cases {
				want = append(want, strings.ReplaceAll(c.name, " ", "_"))
			}
			arguments := append(kinds[kind](t), "-v", "--firmware", image, "--env", firmwareVariable+"="+image)
			said := vmtest.TestsInGuest(t, vmtest.Espalier(t), want, arguments...)
			checkServer(t, said)
		})
	}
}

// checkServer checks what the cards' server has said: each case's access, from which
// the simulated bus or the model has its error, and that none was given up for want
// of an answer, while everything would have stood still.
func checkServer(t *testing.T, said string) {
	t.Helper()
	const refused = "DMA refused: "
	reads, writes := strings.Count(said, refused+"read of"), strings.Count(said, refused+"write of")
	if reads < 3 || writes < 3+moreFaults {
		t.Errorf("the server tells of %d reads and %d writes refused, want 3 and %d", reads, writes, 3+moreFaults)
	}
	if strings.Contains(said, context.DeadlineExceeded.Error()) {
		t.Error("the server has waited for an answer in vain")
	}
	if t.Failed() {
		t.Logf("espalier vm said:\n%s", said)
	}
}

// lab is two cards with a wire between them, and traffic both ways.
type lab struct {
	ctx  context.Context
	a, b *card
	log  *kernelLog
	// want is what the kernel's log has of the present case.
	want string
	// always: the kernel hears of every access that is refused. Of a write by the
	// NIC in Go it does not where the guest waits for the card at that moment.
	always bool
	unseen int // writes that it has not heard of
}

func testRefused(t *testing.T, always bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	addresses := strings.Split(os.Getenv("ESPALIER_CARDS"), ",")
	if len(addresses) != 2 {
		t.Fatalf("the guest has the cards %q, want two", addresses)
	}
	l := &lab{ctx: ctx, log: openKernelLog(t), always: always}
	l.a, l.b = openCard(t, ctx, addresses[0]), openCard(t, ctx, addresses[1])
	flows := []*flow{startFlow(t, ctx, l.a, l.b, trafficQueue, 0x1001), startFlow(t, ctx, l.b, l.a, trafficQueue, 0x1002)}
	progress := func(t *testing.T) {
		t.Helper()
		for _, f := range flows {
			f.progress(t, 2*flowBurst)
		}
	}
	progress(t)
	l.works(t)
	for i, c := range cases {
		if i > 0 && i%loggedFaults == 0 {
			time.Sleep(logInterval) // the traffic goes on
		}
		t.Run(c.name, func(t *testing.T) {
			victim, other := l.b, l.a
			if c.sender {
				victim, other = l.a, l.b
			}
			begin := time.Now()
			iova, err := c.run(t, l)
			// What the driver says, and with it the NIC.
			if !errors.Is(err, driver.ErrDMA) {
				t.Fatalf("the driver says %v, which is no access refused", err)
			}
			var stopped *driver.QueueError
			if is := errors.As(err, &stopped); is != (c.code != regs.QueueErrorNone) || is && stopped.Code != c.code {
				t.Errorf("the driver says %v, want the queue's error %v", err, c.code)
			}
			if l.want = faultLine(victim.address, c.write, iova); l.logged(t, c.write) {
				faulted(t, victim.fn, c.write, iova)
			}
			if faults, err := other.fn.Faults(); err != nil || len(faults) > 0 {
				t.Errorf("the other card has the faults %+v, error %v", faults, err)
			}
			progress(t) // while the queue stands still
			l.restart(t, c.code, stopped)
			l.works(t)
			progress(t)
			l.take(t)
			t.Logf("%v, %.2f s in all", err, time.Since(begin).Seconds())
		})
	}
	if l.unseen == 3 {
		t.Error("the kernel's log has no write at all")
	}
	for range moreFaults { // in the midst of everybody's accesses to both cards
		if _, err := receiveIntoNothing(t, l); !errors.Is(err, driver.ErrDMA) {
			t.Errorf("the driver says %v, which is no access refused", err)
		}
	}
	l.works(t)
	progress(t)
	for _, f := range flows {
		f.finish(t)
	}
	counted(t, l.a, 1, 0)
	counted(t, l.b, 0, 1+moreFaults)
}

// counted checks the NIC's own counts of frames that it could not read or write.
func counted(t *testing.T, c *card, sent, received uint64) {
	t.Helper()
	s, err := c.nic.Statistics()
	ok(t, err)
	if s.TXDMAError != sent || s.RXDMAError != received {
		t.Errorf("%s has counted %d frames that it could not read and %d that it could not write, want %d and %d", c.address, s.TXDMAError, s.RXDMAError, sent, received)
	}
}

// take reads the kernel's log, which must have the present case's access, if any,
// and returns how often.
func (l *lab) take(t *testing.T) (seen int) {
	t.Helper()
	for _, line := range l.log.lines("DMAR: [") {
		if !strings.HasPrefix(line, l.want) {
			t.Errorf("the kernel's log has %q, want %q", line, l.want)
		}
		seen++
	}
	return seen
}

// logged waits until the kernel's log has the present case's access. It returns
// false if it is well that it has not.
func (l *lab) logged(t *testing.T, write bool) bool {
	t.Helper()
	must := l.always || !write
	limit := patience
	if !must {
		limit = time.Second
	}
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if l.take(t) > 0 {
			return true
		}
	}
	if must {
		t.Errorf("the kernel's log does not have %q", l.want)
		return true
	}
	l.unseen++
	t.Logf("the kernel's log does not have %q: the card could not ask", l.want)
	return false
}

// faulted checks that the function tells of this access, and of no other.
func faulted(t *testing.T, fn pcie.Function, write bool, iova uint64) {
	t.Helper()
	faults, err := fn.Faults()
	if err != nil || len(faults) == 0 {
		t.Errorf("the function has the faults %+v, error %v", faults, err)
	}
	for _, f := range faults {
		if f.Write != write || f.IOVA > iova || iova-f.IOVA >= uint64(f.Size) {
			t.Errorf("the function has the fault %+v, want one at %#x, write %v", f, iova, write)
		}
	}
}
