// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// bench is an adapter on a Go NIC whose frames come back to itself.
type bench struct {
	*Adapter
	driver *driver.NIC
	fn     *nic.NIC
	pool   *driver.Pool
	ctx    context.Context
}

const benchSlots = 16

// presences are the two kinds of NIC, by who manages the SAs.
var presences = map[string]nic.Presence{"window": nic.Absent, "mailbox": nic.Present}

func newBench(t testing.TB, opts Options) *bench {
	return newBenchOn(t, opts, nic.Options{Slots: benchSlots})
}

func newBenchOn(t testing.TB, opts Options, hardware nic.Options) *bench {
	t.Helper()
	fn, err := nic.New(hardware)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	n, err := driver.Open(ctx, fn, driver.Options{Loopback: true, TXQueues: 1, RXQueues: 1})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := driver.NewPool(fn, 64, 2048)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(ctx, n, opts)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Adapter: a, driver: n, fn: fn, pool: pool, ctx: ctx}
	t.Cleanup(func() {
		if err := a.Halt(ctx); err != nil {
			t.Error(err)
		}
		_ = pool.Close()
		_ = fn.Close()
		cancel()
	})
	return b
}

// activate sets the encapsulation.
func (b *bench) activate(t testing.TB) {
	t.Helper()
	if err := b.SetEncapsulation(b.ctx, EthernetOn); err != nil {
		t.Fatal(err)
	}
}

// key16 is key material of AES-GCM-128: the key and its salt.
var key16 = driver.Key{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xA0, 0xA1, 0xA2, 0xA3}

// gcm is an entry for AES-GCM-128 between 192.0.2.1 and 192.0.2.2.
func gcm(spi uint32, flags SAFlags) *AddSA {
	e := &AddSA{
		NumExtHdrs: 1, Flags: flags, KeyData: bytes.Clone(key16),
		Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"),
	}
	if flags&FlagIPv6 != 0 {
		e.Src, e.Dst = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	}
	e.SecAssoc[0] = SecurityAssociation{Operation: OperationESP, SPI: spi,
		Encryption: AlgorithmInfo{Identifier: uint32(EncryptionAESGCM128), KeyLength: 20, AdditionalInfo: 16}}
	return e
}

// esn gives an entry 64-bit sequence numbers.
func esn(e *AddSA, high uint32) *AddSA {
	e.SecAssoc[0].Flags = SAExtendedSequenceNumbers
	e.SecAssoc[0].SequenceNumberHighOrder = high
	return e
}

// add adds one SA.
func (b *bench) add(t testing.TB, e *AddSA) OffloadHandle {
	t.Helper()
	if err := b.AddSA(b.ctx, e); err != nil {
		t.Fatal(err)
	}
	if e.OffloadHandle == 0 || e.Refused != nil {
		t.Fatalf("handle %v, refused %v after success", e.OffloadHandle, e.Refused)
	}
	return e.OffloadHandle
}

// plain is an IPv4 frame with payload, IP protocol 253.
func plain(payload string) []byte {
	total := 20 + len(payload)
	f := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, byte(total >> 8), byte(total), 0, 0, 0x40, 0, 64, 253, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}
	var sum uint32
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(f[i:]))
	}
	sum = sum&0xFFFF + sum>>16
	binary.BigEndian.PutUint16(f[24:], ^uint16(sum&0xFFFF+sum>>16))
	return append(f, payload...)
}

// framed is plain with room for ESP and sequence number seq.
func framed(t testing.TB, spi uint32, seq uint64, useESN bool, payload string) []byte {
	t.Helper()
	f, err := espframe.New(espframe.Config{SPI: spi, Mode: espframe.Transport, LastSequence: seq - 1, ESN: useESN})
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 2048)
	info, err := f.Frame(frame, plain(payload))
	if err != nil {
		t.Fatal(err)
	}
	return frame[:info.Length]
}

// sendOf is a send of frame under handle with the right header word for IPv4.
func (b *bench) sendOf(t testing.TB, handle OffloadHandle, frame []byte) *Send {
	t.Helper()
	buffer := b.pool.Get()
	if buffer == nil {
		t.Fatal("no buffer left")
	}
	copy(buffer.Bytes(), frame)
	s := &Send{Buffer: buffer, Length: len(frame)}
	s.Info[SlotIPsec] = uint64(handle)
	s.Info[SlotIPsecHeader] = uint64(SendHeader{NextHeader: 253, ESPOffset: 5}.Word())
	return s
}

// put gives a send's buffer back.
func (b *bench) put(t testing.TB, s *Send) {
	t.Helper()
	if err := b.pool.Put(s.Buffer); err != nil {
		t.Fatal(err)
	}
}

// received is a frame that came back.
type received struct {
	frame  []byte
	w1     uint32
	w12    uint32
	status driver.Status // of the send
}

// pass sends frames and returns what comes back; none came if the send failed.
func (b *bench) pass(t testing.TB, packets ...driver.TXPacket) []received {
	t.Helper()
	tx, err := b.driver.TX(0)
	if err != nil {
		t.Fatal(err)
	}
	rx, err := b.driver.RX(0)
	if err != nil {
		t.Fatal(err)
	}
	empty := make([]*driver.Buffer, len(packets))
	if n := b.pool.Fill(empty); n != len(packets) {
		t.Fatal("no buffers left")
	}
	if n, err := rx.Post(empty); err != nil || n != len(empty) {
		t.Fatalf("posted %d buffers: %v", n, err)
	}
	if n, err := tx.Post(packets); err != nil || n != len(packets) {
		t.Fatalf("posted %d packets: %v", n, err)
	}
	var all []received
	for sent := 0; sent < len(packets); {
		var done [1]driver.TXDone
		n, err := tx.Poll(done[:])
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			_ = b.fn.Relax(b.ctx, 0)
			continue
		}
		sent++
		if err := b.pool.Put(done[0].Buffer); err != nil {
			t.Fatal(err)
		}
		if done[0].Status != driver.OK {
			all = append(all, received{status: done[0].Status})
		}
	}
	for quiet := 0; len(all) < len(packets) && quiet < 200; {
		var got [1]driver.RXPacket
		n, err := rx.Poll(got[:])
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			quiet++
			_ = b.fn.Relax(b.ctx, 0)
			continue
		}
		info := b.ReceiveInfo(&got[0])
		all = append(all, received{frame: bytes.Clone(got[0].Frame()), w1: uint32(info[SlotIPsec]), w12: uint32(info[SlotIPsecHeader])})
		if err := b.pool.Put(got[0].Buffer); err != nil {
			t.Fatal(err)
		}
	}
	// Buffers that a failed send has left posted come back.
	if err := rx.Stop(b.ctx); err != nil {
		t.Fatal(err)
	}
	for {
		var got [1]driver.RXPacket
		n, err := rx.Poll(got[:])
		if n == 0 {
			_ = err
			break
		}
		if err := b.pool.Put(got[0].Buffer); err != nil {
			t.Fatal(err)
		}
	}
	if err := rx.Start(b.ctx); err != nil {
		t.Fatal(err)
	}
	return all
}

// exchange sends one framed packet under handle and returns what came back.
func (b *bench) exchange(t testing.TB, handle OffloadHandle, frame []byte) received {
	t.Helper()
	p, err := b.PrepareSend(b.sendOf(t, handle, frame))
	if err != nil {
		t.Fatal(err)
	}
	got := b.pass(t, p)
	if len(got) != 1 {
		t.Fatalf("%d frames came back, want 1", len(got))
	}
	return got[0]
}
