// SPDX-License-Identifier: Apache-2.0

package seam

import (
	"context"
	"fmt"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// loop sends frames through a Go NIC in loopback without encryption, in batches:
// what is left is the driver and the moving of bytes.
type loop struct {
	tx       *driver.TXQueue
	rx       *driver.RXQueue
	packets  []driver.TXPacket
	done     []driver.TXDone
	received []driver.RXPacket
	buffers  []*driver.Buffer
}

func newLoop(t testing.TB, batch, size int) *loop {
	t.Helper()
	fn, err := nic.New(nic.Options{CryptoOff: true})
	if err != nil {
		t.Fatal(err)
	}
	n, err := driver.Open(context.Background(), fn, driver.Options{Loopback: true, Polling: true, CompletionBatch: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if err := fn.Close(); err != nil {
			t.Error(err)
		}
	})
	pool, err := driver.NewPool(fn, 2*batch, 2048)
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{
		packets:  make([]driver.TXPacket, batch),
		done:     make([]driver.TXDone, batch),
		received: make([]driver.RXPacket, batch),
		buffers:  make([]*driver.Buffer, batch),
	}
	for i := range l.packets {
		l.packets[i] = driver.TXPacket{Buffer: pool.Get(), Length: size}
	}
	pool.Fill(l.buffers)
	if l.tx, err = n.TX(0); err != nil {
		t.Fatal(err)
	}
	if l.rx, err = n.RX(0); err != nil {
		t.Fatal(err)
	}
	return l
}

// batch sends and receives one batch.
func (l *loop) batch(t testing.TB) {
	if n, err := l.rx.Post(l.buffers); n != len(l.buffers) || err != nil {
		t.Fatal(n, err)
	}
	if n, err := l.tx.Post(l.packets); n != len(l.packets) || err != nil {
		t.Fatal(n, err)
	}
	for got := 0; got < len(l.done); {
		n, err := l.tx.Poll(l.done[got:])
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	for got := 0; got < len(l.received); {
		n, err := l.rx.Poll(l.received[got:])
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			l.buffers[got+i] = l.received[got+i].Buffer
		}
		got += n
	}
}

// BenchmarkDriver is the time per packet, sent and received.
func BenchmarkDriver(b *testing.B) {
	for _, size := range []int{64, 1500} {
		for _, batch := range []int{1, 32} {
			b.Run(fmt.Sprintf("size=%d/batch=%d", size, batch), func(b *testing.B) {
				l := newLoop(b, batch, size)
				b.ReportAllocs()
				for b.Loop() {
					l.batch(b)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/packet")
			})
		}
	}
}
