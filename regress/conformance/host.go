// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/esp"
	"github.com/espalier-nic/espalier/regress"
)

const (
	// hostBuffers and bufferSize are the host's memory for frames.
	hostBuffers = 512
	bufferSize  = 9728
	// window is how many frames are under way at once.
	window = 128
	// quietCycles is longer than anything that still could happen takes.
	quietCycles = 4000
	// stallCycles is how long nothing may happen while something is awaited.
	stallCycles = 60000
)

// host is one NIC under test with the driver on it and the far end of its wire.
type host struct {
	*driver.NIC
	port *regress.Port
	pool *driver.Pool
	tx   *driver.TXQueue
	rx   *driver.RXQueue
}

// open opens the driver on another NIC under test. The zero value of opts uses
// one queue each way.
func (b *Bench) open(ctx context.Context, opts driver.Options) (*host, error) {
	p, err := b.port(ctx)
	if err != nil {
		return nil, err
	}
	opts.Polling = true
	if opts.TXQueues == 0 {
		opts.TXQueues, opts.RXQueues = 1, 1
	}
	n, err := driver.Open(ctx, p.Function, opts)
	if err != nil {
		return nil, err
	}
	b.atEnd(n.Close)
	return newHost(p, n)
}

// newHost equips an opened NIC with buffers. Their memory goes when the NIC is
// closed.
func newHost(p *regress.Port, n *driver.NIC) (*host, error) {
	pool, err := driver.NewPool(p.Function, hostBuffers, bufferSize)
	if err != nil {
		return nil, err
	}
	h := &host{NIC: n, port: p, pool: pool}
	if h.tx, err = n.TX(0); err != nil {
		return nil, err
	}
	if h.rx, err = n.RX(0); err != nil {
		return nil, err
	}
	return h, h.refill()
}

// refill posts empty buffers until the receive ring is full.
func (h *host) refill() error {
	buffers := make([]*driver.Buffer, h.rx.Size()-1-h.rx.Outstanding())
	if len(buffers) == 0 {
		return nil
	}
	if got := h.pool.Fill(buffers); got != len(buffers) {
		return fmt.Errorf("the host has %d buffers left, %d are needed", got, len(buffers))
	}
	n, err := h.rx.Post(buffers)
	if err == nil && n != len(buffers) {
		err = fmt.Errorf("posted %d of %d receive buffers", n, len(buffers))
	}
	return err
}

// cycle is the NIC's clock.
func (h *host) cycle() uint64 {
	if c, ok := h.port.Function.(pcie.Clocked); ok {
		return c.Cycle()
	}
	return 0
}

// relax lets so many clock cycles pass.
func (h *host) relax(ctx context.Context, cycles uint64) error {
	for end := h.cycle() + cycles; ; {
		if err := h.port.Function.Relax(ctx, cycles); err != nil {
			return err
		}
		if h.cycle() >= end {
			return nil
		}
	}
}

// await calls step until it reports that all is done, and fails when it has made
// no progress for stallCycles.
func (h *host) await(ctx context.Context, what string, step func() (progress, done bool, err error)) error {
	last := h.cycle()
	for {
		progress, done, err := step()
		switch {
		case err != nil || done:
			return err
		case progress:
			last = h.cycle()
		case h.cycle()-last > stallCycles:
			return fmt.Errorf("%s: nothing for %d clock cycles", what, stallCycles)
		default:
			if err := h.port.Function.Relax(ctx, 0); err != nil {
				return err
			}
		}
	}
}

// outgoing is one frame to send.
type outgoing struct {
	frame []byte
	// sa encrypts the frame, 0 leaves it; espOffset is where its ESP header is.
	sa        driver.Handle
	espOffset int
	sequence  uint64
}

// post hands frames to the NIC; they must fit its ring.
func (h *host) post(frames ...outgoing) error {
	packets := make([]driver.TXPacket, len(frames))
	for i, f := range frames {
		buffer := h.pool.Get()
		if buffer == nil {
			return errors.New("the host has no buffer left")
		}
		copy(buffer.Bytes(), f.frame)
		packets[i] = driver.TXPacket{Buffer: buffer, Length: len(f.frame), SA: f.sa, ESPOffset: f.espOffset, Sequence: f.sequence}
	}
	n, err := h.tx.Post(packets)
	for _, p := range packets[n:] {
		err = errors.Join(err, h.pool.Put(p.Buffer))
	}
	if err == nil && n != len(packets) {
		err = fmt.Errorf("posted %d of %d frames", n, len(packets))
	}
	return err
}

// complete waits for n completions and returns their status.
func (h *host) complete(ctx context.Context, n int) ([]driver.Status, error) {
	statuses := make([]driver.Status, 0, n)
	done := make([]driver.TXDone, n)
	err := h.await(ctx, fmt.Sprintf("completions of %d sends", n), func() (bool, bool, error) {
		got, err := h.tx.Poll(done[:n-len(statuses)])
		for _, d := range done[:got] {
			statuses = append(statuses, d.Status)
			err = errors.Join(err, h.pool.Put(d.Buffer))
		}
		return got > 0, len(statuses) == n, err
	})
	return statuses, err
}

// wire waits for n frames from the NIC.
func (h *host) wire(ctx context.Context, n int) ([][]byte, error) {
	var frames [][]byte
	if n == 0 {
		return nil, nil
	}
	err := h.await(ctx, fmt.Sprintf("%d frames on the wire", n), func() (bool, bool, error) {
		f, err := h.port.Receive()
		if f != nil {
			frames = append(frames, f)
		}
		return f != nil, len(frames) == n, err
	})
	if err != nil {
		err = fmt.Errorf("%d of %w", len(frames), err)
	}
	return frames, err
}

// silent checks that nothing more leaves the NIC.
func (h *host) silent(ctx context.Context) error {
	if err := h.relax(ctx, quietCycles); err != nil {
		return err
	}
	f, err := h.port.Receive()
	if err == nil && f != nil {
		err = fmt.Errorf("a frame of %d bytes left the NIC that should not have", len(f))
	}
	return err
}

// send sends frames and returns what became of each and what left the NIC: as
// many frames as sends succeeded, and nothing after them.
func (h *host) send(ctx context.Context, frames ...outgoing) ([]driver.Status, [][]byte, error) {
	var statuses []driver.Status
	var left [][]byte
	for len(frames) > 0 {
		n := min(window, len(frames))
		if err := h.post(frames[:n]...); err != nil {
			return nil, nil, err
		}
		some, err := h.complete(ctx, n)
		if err != nil {
			return nil, nil, err
		}
		good, failed := 0, 0
		for _, s := range some {
			if s == driver.OK {
				good++
			} else {
				failed++
			}
		}
		out, err := h.wire(ctx, good)
		if err != nil {
			return nil, nil, err
		}
		if failed > 0 {
			if err := h.silent(ctx); err != nil {
				return nil, nil, err
			}
		}
		statuses, left, frames = append(statuses, some...), append(left, out...), frames[n:]
	}
	return statuses, left, nil
}

// sendGood is send for frames that must all be sent.
func (h *host) sendGood(ctx context.Context, frames ...outgoing) ([][]byte, error) {
	statuses, left, err := h.send(ctx, frames...)
	if err != nil {
		return nil, err
	}
	for i, s := range statuses {
		if s != driver.OK {
			return nil, fmt.Errorf("send %d of %d ended with %v", i+1, len(frames), s)
		}
	}
	return left, nil
}

// received is one indication: the packet, and a copy of its bytes.
type received struct {
	driver.RXPacket
	frame []byte
}

// receive sends frames over the wire to the NIC and waits for one indication of
// each, in order. They are few enough to be in the host's buffers at once.
func (h *host) receive(ctx context.Context, frames ...[]byte) ([]received, error) {
	all := make([]received, 0, len(frames))
	err := h.stream(ctx, len(frames), func(i int) []byte { return frames[i] }, func(_ int, r received) error {
		r.frame = bytes.Clone(r.frame)
		all = append(all, r)
		return nil
	})
	return all, err
}

// receiveOne is receive for one frame.
func (h *host) receiveOne(ctx context.Context, frame []byte) (received, error) {
	all, err := h.receive(ctx, frame)
	if err != nil {
		return received{}, err
	}
	return all[0], nil
}

// stream sends n frames to the NIC, as fast as it takes them, and calls got for
// the indication of each, in order. What both are given is valid during the
// call only.
func (h *host) stream(ctx context.Context, n int, frame func(int) []byte, got func(int, received) error) error {
	packets := make([]driver.RXPacket, window)
	sent, indicated := 0, 0
	// The frame that waits for room on the wire.
	var next []byte
	return h.await(ctx, fmt.Sprintf("indications of %d frames", n), func() (progress, done bool, err error) {
		for sent < n && sent-indicated < window {
			if next == nil {
				next = frame(sent)
			}
			taken, err := h.port.Send(next)
			if err != nil {
				return false, false, err
			}
			if !taken {
				break
			}
			next = nil
			sent++
			progress = true
		}
		count, err := h.rx.Poll(packets)
		if err != nil {
			return false, false, err
		}
		for _, p := range packets[:count] {
			if indicated >= n {
				return false, false, fmt.Errorf("more than %d frames indicated", n)
			}
			r := received{RXPacket: p, frame: p.Frame()}
			if err := errors.Join(r.wellFormed(), got(indicated, r), h.pool.Put(p.Buffer)); err != nil {
				return false, false, fmt.Errorf("indication %d: %w", indicated+1, err)
			}
			indicated++
		}
		if count > 0 {
			err = h.refill()
		}
		return progress || count > 0, indicated == n, err
	})
}

// wellFormed checks what holds of every indication: the frame is whole, and the
// words have no reserved bit and no unknown status (row RX-12).
func (r *received) wellFormed() error {
	const reserved = 0xFFF8
	word := r.IPsec.Slot1()
	switch {
	case r.Status != driver.OK:
		return fmt.Errorf("status is %v", r.Status)
	case word&reserved != 0 || word>>16 > 7:
		return fmt.Errorf("slot 1 is %#08x: reserved bits must be 0 and the status at most 7", word)
	}
	return nil
}

// untouched checks that a frame was handed up as it was on the wire and that
// nothing is said of IPsec.
func (r *received) untouched(wire []byte) error {
	switch {
	case !bytes.Equal(r.frame, wire):
		return fmt.Errorf("frame of %d bytes was changed at byte %d", len(wire), firstDifference(r.frame, wire))
	case r.IPsec.Slot1() != 0 || r.IPsec.Slot12() != 0 || r.SA != 0:
		return fmt.Errorf("slot 1 is %#08x, slot 12 is %#08x and the SA %v for a frame that is none of IPsec's business", r.IPsec.Slot1(), r.IPsec.Slot12(), r.SA)
	}
	return nil
}

// failed checks that a frame was handed up as it was on the wire, as one of sa,
// with the word given for slot 1.
func (r *received) failed(wire []byte, sa driver.Handle, word uint32) error {
	switch {
	case r.IPsec.Slot1() != word:
		return fmt.Errorf("slot 1 is %#08x, right is %#08x", r.IPsec.Slot1(), word)
	case r.IPsec.Slot12() != 0:
		return fmt.Errorf("slot 12 is %#08x for a packet that was not decrypted", r.IPsec.Slot12())
	case r.SA != sa:
		return fmt.Errorf("the packet is said to belong to SA %v, right is %v", r.SA, sa)
	case !bytes.Equal(r.frame, wire):
		return fmt.Errorf("frame of %d bytes was changed at byte %d", len(wire), firstDifference(r.frame, wire))
	}
	return nil
}

// good checks that a frame was decrypted as the golden model says.
func (r *received) good(wire []byte, sa driver.Handle, peer *esp.SA) error {
	right, verdict := esp.Open(nil, wire, func(*esp.Selector) *esp.SA { return peer })
	switch {
	case verdict.Class != esp.Decrypted:
		return fmt.Errorf("the peer made a packet that is not good: %v", verdict.Class)
	case r.IPsec.Slot1() != 0x2:
		return fmt.Errorf("slot 1 is %#08x, right is 0x00000002", r.IPsec.Slot1())
	case r.SA != sa:
		return fmt.Errorf("the packet is said to belong to SA %v, right is %v", r.SA, sa)
	case r.IPsec.Slot12() != verdict.Word12():
		return fmt.Errorf("slot 12 is %#08x, right is %#08x", r.IPsec.Slot12(), verdict.Word12())
	case !bytes.Equal(r.frame, right):
		return fmt.Errorf("frame of %d bytes is wrong at byte %d", len(wire), firstDifference(r.frame, right))
	}
	return nil
}

// firstDifference is the first place at which a and b differ.
func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
