// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// DriverSpeed is the driver's cost of one packet, with the Go NIC behind it,
// which encrypts and decrypts nothing here but copies every frame.
type DriverSpeed struct {
	// Operation is "send" (Post and Poll) or "receive" (Post and Poll).
	Operation string `json:"operation"`
	Inner     int    `json:"inner_frame"`
	// Batch is the packets per Post.
	Batch int `json:"batch"`
	// Nanoseconds per packet, of driver and Go NIC together.
	Nanoseconds float64 `json:"ns_per_packet"`
	// Allocations per packet.
	Allocations float64 `json:"allocations_per_packet"`
	Goal        float64 `json:"allocations_goal"`
	Verdict     Verdict `json:"verdict"`
}

// driverBatch is the packets per Post and Poll.
const driverBatch = 32

// MeasureDriver measures sending and receiving of a short and a long frame.
func MeasureDriver(ctx context.Context, quick bool) (_ []DriverSpeed, err error) {
	rounds, span := 11, 20*time.Millisecond
	if quick {
		rounds, span = 5, 5*time.Millisecond
	}
	device, err := nic.New(nic.Options{CryptoOff: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	n, err := driver.Open(ctx, device, driver.Options{Polling: true, TXQueues: 1, RXQueues: 1, CompletionBatch: 1})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	var list []DriverSpeed
	for _, size := range []frameSize{64, 1518} {
		send, err := newSendLoop(ctx, n, device, size)
		if err != nil {
			return nil, err
		}
		receive, err := newReceiveLoop(ctx, n, device, size)
		if err != nil {
			return nil, err
		}
		for _, l := range []struct {
			operation string
			batch     func() error
		}{{"send", send.batch}, {"receive", receive.batch}} {
			speed, err := measureLoop(l.batch, rounds, span)
			if err != nil {
				return nil, fmt.Errorf("%s, inner frames of %d bytes: %w", l.operation, size, err)
			}
			speed.Operation, speed.Inner = l.operation, int(size)
			list = append(list, speed)
		}
	}
	return list, nil
}

// measureLoop measures a function that handles driverBatch packets.
func measureLoop(batch func() error, rounds int, span time.Duration) (DriverSpeed, error) {
	s := DriverSpeed{Batch: driverBatch}
	const trial = 50
	repeat := func(n int) (time.Duration, error) {
		return timed(func() error {
			for range n {
				if err := batch(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	took, err := repeat(trial)
	if err != nil {
		return s, err
	}
	n := max(trial, int(span*trial/max(took, 1)))
	var times, allocations []float64
	var before, after runtime.MemStats
	for range rounds {
		runtime.ReadMemStats(&before)
		took, err := repeat(n)
		if err != nil {
			return s, err
		}
		runtime.ReadMemStats(&after)
		packets := float64(n * driverBatch)
		times = append(times, float64(took.Nanoseconds())/packets)
		allocations = append(allocations, float64(after.Mallocs-before.Mallocs)/packets)
	}
	s.Nanoseconds, s.Allocations = median(times), median(allocations)
	// The run time itself allocates now and then; one allocation in a thousand
	// packets is not one per packet.
	s.Verdict = verdict(s.Allocations < 0.001)
	return s, nil
}

// sendLoop sends the same frames over and over.
type sendLoop struct {
	queue   *driver.TXQueue
	packets []driver.TXPacket
	done    []driver.TXDone
}

func newSendLoop(ctx context.Context, n *driver.NIC, device *nic.NIC, size frameSize) (*sendLoop, error) {
	a, err := newAssociation(rand.New(rand.NewPCG(4, 0)), int(size), false, 16, 0)
	if err != nil {
		return nil, err
	}
	if a.handle, err = n.AddSA(ctx, a.spec); err != nil {
		return nil, err
	}
	l := &sendLoop{packets: make([]driver.TXPacket, driverBatch), done: make([]driver.TXDone, driverBatch)}
	if l.queue, err = n.TX(0); err != nil {
		return nil, err
	}
	pool, err := driver.NewPool(device, driverBatch, size.length())
	if err != nil {
		return nil, err
	}
	for i := range l.packets {
		b := pool.Get()
		l.packets[i] = driver.TXPacket{Buffer: b, Length: a.write(b.Bytes(), size), SA: a.handle, ESPOffset: espOffset}
	}
	return l, nil
}

func (l *sendLoop) batch() error {
	if n, err := l.queue.Post(l.packets); n != len(l.packets) {
		return because(err, "%d of %d packets posted", n, len(l.packets))
	}
	for left := len(l.packets); left > 0; {
		n, err := l.queue.Poll(l.done)
		if err != nil {
			return err
		}
		for _, d := range l.done[:n] {
			if d.Status != driver.OK {
				return fmt.Errorf("a frame was not sent: %v", d.Status)
			}
		}
		if n == 0 {
			return fmt.Errorf("%d of %d packets are not completed", left, len(l.packets))
		}
		left -= n
	}
	return nil
}

// receiveLoop receives the same frame over and over.
type receiveLoop struct {
	device  *nic.NIC
	queue   *driver.RXQueue
	frame   []byte
	buffers []*driver.Buffer
	packets []driver.RXPacket
}

func newReceiveLoop(ctx context.Context, n *driver.NIC, device *nic.NIC, size frameSize) (*receiveLoop, error) {
	a, err := newAssociation(rand.New(rand.NewPCG(5, 0)), int(size), true, 16, 0)
	if err != nil {
		return nil, err
	}
	if a.handle, err = n.AddSA(ctx, a.spec); err != nil {
		return nil, err
	}
	l := &receiveLoop{
		device: device, frame: make([]byte, size.length()),
		buffers: make([]*driver.Buffer, driverBatch), packets: make([]driver.RXPacket, driverBatch),
	}
	a.write(l.frame, size)
	if l.queue, err = n.RX(0); err != nil {
		return nil, err
	}
	pool, err := driver.NewPool(device, driverBatch, size.length())
	if err != nil {
		return nil, err
	}
	pool.Fill(l.buffers)
	return l, nil
}

func (l *receiveLoop) batch() error {
	if n, err := l.queue.Post(l.buffers); n != len(l.buffers) {
		return because(err, "%d of %d buffers posted", n, len(l.buffers))
	}
	for range l.buffers {
		l.device.Inject(l.frame, false)
	}
	n, err := l.queue.Poll(l.packets)
	if err != nil {
		return err
	}
	if n != len(l.packets) {
		return fmt.Errorf("%d of %d frames are received", n, len(l.packets))
	}
	for i := range l.packets {
		p := &l.packets[i]
		if !p.IPsec.HeaderInfoSet {
			return fmt.Errorf("a frame was not taken for ESP: %+v", p.IPsec)
		}
		l.buffers[i] = p.Buffer
	}
	return nil
}
