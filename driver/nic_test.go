// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	"github.com/espalier-nic/espalier/regs"
)

func newFunction(t testing.TB) *nic.NIC {
	t.Helper()
	fn, err := nic.New(nic.Options{Slots: 16})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fn.Close() })
	return fn
}

// crooked is a function whose registers and memory are not what they should be.
type crooked struct {
	pcie.Function
	registers  map[uint64]uint32 // read instead of the NIC's
	failAlloc  int               // number of the allocation that fails, from 1
	allocated  int
	live       atomic.Int32
	vectorsErr error
}

func (c *crooked) BAR(n int) (pcie.BAR, error) {
	b, err := c.Function.BAR(n)
	return crookedBAR{b, c}, err
}

func (c *crooked) AllocDMA(size int) (*pcie.Memory, error) {
	if c.allocated++; c.allocated == c.failAlloc {
		return nil, pcie.ErrNoMemory
	}
	c.live.Add(1)
	return c.Function.AllocDMA(size)
}

func (c *crooked) FreeDMA(m *pcie.Memory) error {
	c.live.Add(-1)
	return c.Function.FreeDMA(m)
}

func (c *crooked) SetVectors(n int) error {
	if n > 0 && c.vectorsErr != nil {
		return c.vectorsErr
	}
	return c.Function.SetVectors(n)
}

type crookedBAR struct {
	pcie.BAR
	c *crooked
}

func (b crookedBAR) Read32(offset uint64) (uint32, error) {
	if v, ok := b.c.registers[offset]; ok {
		return v, nil
	}
	return b.BAR.Read32(offset)
}

// TestOpenRefuses: what is no usable NIC is refused in a sentence, and nothing
// is left behind.
func TestOpenRefuses(t *testing.T) {
	const sizes = 4 | 4<<8 | 8<<16 | 1<<24
	for _, c := range []struct {
		name   string
		offset uint64
		value  uint32
		kind   error
		says   string
	}{
		{"all ones", regs.IDOffset, ^uint32(0), pcie.ErrRemoved, "all ones"},
		{"other device", regs.IDOffset, 0x12345678, ErrNotEspalier, "0x12345678"},
		{"newer version", regs.VersionOffset, 2 << 24, ErrVersion, "2.0.0"},
		{"no TX queue", regs.CapSizeOffset, sizes &^ 0xFF, ErrCapabilities, "0 TX queues"},
		{"17 RX queues", regs.CapSizeOffset, sizes&^0xFF00 | 17<<8, ErrCapabilities, "17 RX queues"},
		{"33 vectors", regs.CapSizeOffset, sizes&^0xFF0000 | 33<<16, ErrCapabilities, "33 interrupt vectors"},
		{"no SA", regs.CapSAOffset, 0, ErrCapabilities, "0 SA slots"},
		{"rings upside down", regs.CapRingOffset, 8 | 4<<4, ErrCapabilities, "smallest ring"},
		{"no frames", regs.CapFrameOffset, 0, ErrCapabilities, "longest frame"},
		{"never ready", regs.StatusOffset, 0, pcie.ErrTimeout, "reset"},
		{"queue broken", regs.TxqOffset(1) + regs.QueueStatusOffset, 4<<4 | 2, ErrStopped, "TX queue 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fn := &crooked{Function: newFunction(t), registers: map[uint64]uint32{c.offset: c.value}}
			_, err := Open(context.Background(), fn, Options{Timeout: 20 * time.Millisecond})
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "gonic") {
				t.Errorf("error %v, want %v naming %q and the device", err, c.kind, c.says)
			}
			if n := fn.live.Load(); n != 0 {
				t.Errorf("%d allocations are left", n)
			}
			command, err := fn.ConfigRead(pcie.ConfigCommand, 2)
			if err != nil || command&pcie.CommandBusMaster != 0 {
				t.Errorf("command is %#x, error %v", command, err)
			}
		})
	}
}

// TestOpenUndoes: whichever allocation fails, nothing is left behind, and the
// next Open succeeds.
func TestOpenUndoes(t *testing.T) {
	fn := &crooked{Function: newFunction(t)}
	for i := 1; ; i++ {
		fn.failAlloc, fn.allocated = i, 0
		n, err := Open(context.Background(), fn, Options{})
		if err == nil {
			if i != 9 {
				t.Errorf("8 queues make %d allocations", i-1)
			}
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			break
		}
		if !errors.Is(err, pcie.ErrNoMemory) {
			t.Fatalf("allocation %d: %v", i, err)
		}
		if left := fn.live.Load(); left != 0 {
			t.Fatalf("allocation %d: %d others are left", i, left)
		}
	}
	if left := fn.live.Load(); left != 0 {
		t.Errorf("%d allocations are left after Close", left)
	}
	fn.failAlloc, fn.vectorsErr = 0, pcie.ErrNoInterrupts
	n, err := Open(context.Background(), fn, Options{})
	if err != nil || n.Interrupts() {
		t.Fatalf("without interrupts: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// TestUnplugged: a NIC that goes away is reported by whatever is tried next, and
// can be closed.
func TestUnplugged(t *testing.T) {
	fn := newFunction(t)
	n, err := Open(context.Background(), fn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rx, err := n.RX(0)
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan error)
	go func() { waited <- rx.Wait(context.Background()) }()
	time.Sleep(10 * time.Millisecond)
	fn.Unplug()
	for name, err := range map[string]error{
		"Wait":       <-waited,
		"AddSA":      func() error { _, err := n.AddSA(context.Background(), SA{SPI: 1, Key: make(Key, 16)}); return err }(),
		"Statistics": func() error { _, err := n.Statistics(); return err }(),
		"Err":        rx.Err(),
		"Reset":      n.Reset(context.Background()),
		"Close":      n.Close(),
	} {
		if !errors.Is(err, pcie.ErrRemoved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(context.Background(), fn, Options{}); !errors.Is(err, pcie.ErrRemoved) {
		t.Errorf("Open: %v", err)
	}
}

// TestWrongCompletions: a NIC that completes what was not posted is not
// believed; the queue stops, gives everything back, and can start again.
func TestWrongCompletions(t *testing.T) {
	for name, index := range map[string]uint16{"not posted": 3, "outside the ring": 9, "long ago": 7} {
		t.Run(name, func(t *testing.T) {
			fn := newFunction(t)
			n, err := Open(context.Background(), fn, Options{TXRing: 8, RXRing: 8, Polling: true})
			if err != nil {
				t.Fatal(err)
			}
			pool, err := NewPool(fn, 3, 256)
			if err != nil {
				t.Fatal(err)
			}
			rx := n.rx[0]
			if _, err := rx.Post([]*Buffer{pool.Get(), pool.Get(), pool.Get()}); err != nil {
				t.Fatal(err)
			}
			regs.Completion{Index: index, Phase: true}.Pack(rx.completions)
			out := make([]RXPacket, 8)
			for range 2 { // it is not believed later either
				if got, err := rx.Poll(out); got != 0 || !errors.Is(err, ErrHardware) || !strings.Contains(err.Error(), "RX queue 0") {
					t.Fatalf("%d packets, error %v", got, err)
				}
			}
			if err := rx.Wait(context.Background()); !errors.Is(err, ErrHardware) {
				t.Errorf("wait: %v", err)
			}
			if err := rx.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got, err := rx.Poll(out); got != 3 || err != nil || out[2].Status != Aborted {
				t.Errorf("%d packets, error %v, %+v", got, err, out[2])
			}
			if err := rx.Start(context.Background()); err != nil {
				t.Error(err)
			}
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	testWrongTXCompletion(t)

	// RX descriptors complete one by one: a completion that skips one is wrong.
	fn := newFunction(t)
	n, err := Open(context.Background(), fn, Options{Polling: true})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := NewPool(fn, 3, 256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.rx[0].Post([]*Buffer{pool.Get(), pool.Get()}); err != nil {
		t.Fatal(err)
	}
	regs.Completion{Index: 1, Phase: true}.Pack(n.rx[0].completions)
	if _, err := n.rx[0].Poll(make([]RXPacket, 2)); !errors.Is(err, ErrHardware) {
		t.Errorf("skipped descriptor: %v", err)
	}
}

// testWrongTXCompletion: the first descriptor that was not posted.
func testWrongTXCompletion(t *testing.T) {
	n, err := Open(context.Background(), newFunction(t), Options{Polling: true})
	if err != nil {
		t.Fatal(err)
	}
	// The NIC is not told of what is posted, so that it completes nothing.
	q := n.tx[0]
	q.tail.Store(2)
	regs.Completion{Index: 2, Phase: true}.Pack(q.completions)
	if got, err := q.Poll(make([]TXDone, 2)); got != 0 || !errors.Is(err, ErrHardware) {
		t.Errorf("%d descriptors, error %v", got, err)
	}
	q.tail.Store(0)
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// TestSecretsDoNotShow: no way of printing shows a key or salt.
func TestSecretsDoNotShow(t *testing.T) {
	sa := SA{SPI: 1, Key: Key("\xAB\xCD\xEFsecretsecret!"), Salt: Salt{0xAB, 0xCD, 0xEF, 0x99}}
	encoded, err := json.Marshal(sa)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(encoded), sa.String(), sa.Key.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, sa), fmt.Sprintf(verb, &sa), fmt.Sprintf(verb, sa.Key), fmt.Sprintf(verb, sa.Salt), fmt.Sprintf(verb, []SA{sa}))
	}
	for _, s := range texts {
		lower := strings.ToLower(s)
		for _, leak := range []string{"abcdef", "secret", "171", "q83v", "ab cd", "0xab"} {
			if strings.Contains(lower, leak) {
				t.Errorf("%q shows %q", s, leak)
			}
		}
	}
	sa.Key.Zero()
	for _, b := range sa.Key {
		if b != 0 {
			t.Error("key is not zero")
		}
	}
}

// TestSentences: errors read as one sentence with item, value and what is allowed.
func TestSentences(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{refuse("add SA", "Key", "15 bytes", "16 or 32 bytes", ErrInvalid), "add SA: Key 15 bytes: invalid value, allowed: 16 or 32 bytes"},
		{&RefusedError{Op: "add SA", Field: "slot", Asked: "3", Result: regs.SAResultSlotInUse, Reason: ErrHardware}, "add SA: slot 3: refused by the NIC (NIC's result SLOT_IN_USE)"},
		{&QueueError{Queue: "TX queue 2", Code: regs.QueueErrorDescRead}, "TX queue 2 stopped by the NIC: DESC_READ, it could not read descriptors: access to host memory was refused"},
		{&QueueError{Queue: "RX queue 0", Code: regs.QueueErrorBadTail}, "RX queue 0 stopped by the NIC: BAD_TAIL, the tail is outside the ring"},
		{DMAWrite.Err(), "descriptor completed with DMA_WRITE: access to host memory was refused"},
		{OffloadOff.Err(), "descriptor completed with OFFLOAD_OFF"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if s := Handle(7<<16 | 12).String(); s != "12/7" {
		t.Errorf("handle %s", s)
	}
	if Aborted.String() != "ABORTED" || Truncated.String() != "TRUNCATED" {
		t.Errorf("statuses %v, %v", Aborted, Truncated)
	}
}

// TestDMAErrors: callers tell a refused access to memory from everything else.
func TestDMAErrors(t *testing.T) {
	if err := OK.Err(); err != nil {
		t.Errorf("OK is the error %v", err)
	}
	for _, c := range []struct {
		err          error
		dma, stopped bool
	}{
		{&QueueError{Code: regs.QueueErrorDescRead}, true, true},
		{&QueueError{Code: regs.QueueErrorCplWrite}, true, true},
		{&QueueError{Code: regs.QueueErrorBadTail}, false, true},
		{&QueueError{Code: regs.QueueErrorBadConfig}, false, true},
		{DMARead.Err(), true, false},
		{DMAWrite.Err(), true, false},
		{Aborted.Err(), false, true},
		{BadLength.Err(), false, false},
		{OffloadOff.Err(), false, false},
	} {
		if errors.Is(c.err, ErrDMA) != c.dma || errors.Is(c.err, ErrStopped) != c.stopped {
			t.Errorf("%v: ErrDMA %v, ErrStopped %v", c.err, errors.Is(c.err, ErrDMA), errors.Is(c.err, ErrStopped))
		}
	}
}

// TestIPsecWords: slots 1 and 12 as IPsecOV2 lays them out (truth table 4.3).
func TestIPsecWords(t *testing.T) {
	for _, c := range []struct {
		words         IPsecWords
		slot1, slot12 uint32
	}{
		{IPsecWords{}, 0, 0},
		{IPsecWords{CryptoDone: true}, 0x00000002, 0},
		{IPsecWords{CryptoDone: true, CryptoStatus: regs.CryptoStatusTransportESPAuthFailed}, 0x00030002, 0},
		{IPsecWords{CryptoDone: true, CryptoStatus: regs.CryptoStatusTunnelESPAuthFailed}, 0x00050002, 0},
		{IPsecWords{CryptoDone: true, NextCryptoDone: true}, 0x00000006, 0},
		{IPsecWords{CryptoDone: true, CryptoStatus: regs.CryptoStatusInvalidPacketSyntax}, 0x00060002, 0},
		{IPsecWords{SADeleteRequest: true, CryptoDone: true, HeaderInfoSet: true, NextHeader: 6, PadLength: 2}, 0x00000003, 0x00010206},
	} {
		if c.words.Slot1() != c.slot1 || c.words.Slot12() != c.slot12 {
			t.Errorf("%+v: %#08x, %#08x, want %#08x, %#08x", c.words, c.words.Slot1(), c.words.Slot12(), c.slot1, c.slot12)
		}
	}
}

func TestPool(t *testing.T) {
	fn := newFunction(t)
	for _, c := range []struct{ count, size int }{{0, 64}, {1, 0}, {1, 1 << 16}, {-1, 64}} {
		if _, err := NewPool(fn, c.count, c.size); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	p, err := NewPool(fn, 5, 100)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	var all []*Buffer
	for b := p.Get(); b != nil; b = p.Get() {
		if len(b.Bytes()) != 100 || cap(b.Bytes()) != 100 || b.IOVA()%bufferAlign != 0 || seen[b.IOVA()] {
			t.Errorf("buffer of %d bytes at %#x", len(b.Bytes()), b.IOVA())
		}
		seen[b.IOVA()] = true
		all = append(all, b)
	}
	if len(all) != 5 || p.Free() != 0 {
		t.Fatalf("%d buffers, %d left", len(all), p.Free())
	}
	for _, b := range all {
		if err := p.Put(b); err != nil {
			t.Error(err)
		}
	}
	buffers := make([]*Buffer, 8)
	if n := p.Fill(buffers); n != 5 || p.Fill(buffers) != 0 {
		t.Errorf("filled %d", n)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if p.Get() != nil || buffers[0].Bytes() != nil {
		t.Error("a closed pool has memory")
	}
}
