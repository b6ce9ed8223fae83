// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// Workload is traffic through one NIC in loopback: frames are encrypted, come
// back and are decrypted, so that both paths are busy.
type Workload struct {
	Name string
	// Payload is P, the bytes to encrypt in each frame: a multiple of 4, at least 8.
	Payload int
	// Frames to send, all in all.
	Frames int
	// Options of the simulator.
	Options rtlbridge.Options
}

// Workloads are the usual ones: small, medium and large frames.
func Workloads() []Workload {
	return []Workload{
		{Name: "64 bytes", Payload: 48, Frames: 4000},
		{Name: "512 bytes", Payload: 496, Frames: 1500},
		{Name: "1518 bytes", Payload: 1504, Frames: 600},
	}
}

const (
	ethernetSize, ipSize   = 14, 20
	espOffset              = ethernetSize + ipSize
	espHeaderSize, icvSize = 16, 16 // header with IV
	protocolESP, ipv4      = 50, 4

	spi     = 0x1001
	ring    = 256
	batch   = 32
	buffers = 2*ring - 2
)

// frame builds an ESP frame with room for IV and ICV.
func (w Workload) frame(into []byte, sequence uint32) int {
	size := espOffset + espHeaderSize + w.Payload + icvSize
	f := into[:size]
	clear(f)
	copy(f, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45})
	ip := f[ethernetSize:]
	binary.BigEndian.PutUint16(ip[2:], uint16(size-ethernetSize))
	ip[8], ip[9] = 64, protocolESP
	copy(ip[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	esp := f[espOffset:]
	binary.BigEndian.PutUint32(esp, spi)
	binary.BigEndian.PutUint32(esp[4:], sequence)
	esp[espHeaderSize+w.Payload-1] = ipv4 // Next Header; Pad Length is 0
	return size
}

// run sends the frames and receives them all.
func (w Workload) run(ctx context.Context, f *rtlbridge.Function) (err error) {
	n, err := driver.Open(ctx, f, driver.Options{TXQueues: 1, RXQueues: 1, TXRing: ring, RXRing: ring, Polling: true, Loopback: true})
	if err != nil {
		return err
	}
	defer func() {
		if e := n.Close(); err == nil {
			err = e
		}
	}()
	sa := driver.SA{SPI: spi, Tunnel: true, Key: make(driver.Key, 32)}
	out, err := n.AddSA(ctx, sa)
	if err != nil {
		return err
	}
	sa.Inbound, sa.Key = true, make(driver.Key, 32)
	if _, err := n.AddSA(ctx, sa); err != nil {
		return err
	}
	pool, err := driver.NewPool(f, buffers, espOffset+espHeaderSize+w.Payload+icvSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	tx, err := n.TX(0)
	if err != nil {
		return err
	}
	rx, err := n.RX(0)
	if err != nil {
		return err
	}
	empty := make([]*driver.Buffer, ring-1)
	if _, err := rx.Post(empty[:pool.Fill(empty)]); err != nil {
		return err
	}
	return w.exchange(ctx, f, tx, rx, pool, out)
}

func (w Workload) exchange(ctx context.Context, f *rtlbridge.Function, tx *driver.TXQueue, rx *driver.RXQueue, pool *driver.Pool, sa driver.Handle) error {
	packets := make([]driver.TXPacket, 0, batch)
	done := make([]driver.TXDone, batch)
	received := make([]driver.RXPacket, batch)
	again := make([]*driver.Buffer, 0, batch)
	for sent, got := 0, 0; got < w.Frames; {
		packets = packets[:0]
		for len(packets) < min(batch, w.Frames-sent, tx.Size()-1-tx.Outstanding()) {
			b := pool.Get()
			if b == nil {
				break
			}
			sequence := uint32(sent + len(packets) + 1)
			size := w.frame(b.Bytes(), sequence)
			packets = append(packets, driver.TXPacket{Buffer: b, Length: size, SA: sa, ESPOffset: espOffset, Sequence: uint64(sequence)})
		}
		posted, err := tx.Post(packets)
		if err != nil {
			return err
		}
		sent += posted
		for _, p := range packets[posted:] {
			if err := pool.Put(p.Buffer); err != nil {
				return err
			}
		}
		ended, err := tx.Poll(done)
		if err != nil {
			return err
		}
		for _, d := range done[:ended] {
			if d.Status != driver.OK {
				return fmt.Errorf("bench: a frame was not sent: %v", d.Status)
			}
			if err := pool.Put(d.Buffer); err != nil {
				return err
			}
		}
		arrived, err := rx.Poll(received)
		if err != nil {
			return err
		}
		again = again[:0]
		for _, p := range received[:arrived] {
			if p.Status != driver.OK || !p.IPsec.HeaderInfoSet {
				return fmt.Errorf("bench: frame %d was not decrypted: %+v", got+1, p)
			}
			got++
			again = append(again, p.Buffer)
		}
		if len(again) > 0 {
			if _, err := rx.Post(again); err != nil {
				return err
			}
		}
		if posted == 0 && arrived == 0 {
			if err := f.Relax(ctx, 0); err != nil {
				return err
			}
		}
	}
	return nil
}
