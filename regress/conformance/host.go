// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/offload"
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
	// prepare makes a packet for the ring of a frame to send, or refuses it;
	// words are slots 1 and 12 of a packet received. They are the driver's, or,
	// with one, the adapter's.
	prepare func(*driver.Buffer, *outgoing) (driver.TXPacket, error)
	words   func(*driver.RXPacket) (slot1, slot12 uint32)
}

// open opens the driver on another NIC under test. The zero value of opts uses
// one queue each way.
func (b *Bench) open(ctx context.Context, opts driver.Options) (*host, error) {
	p, err := b.port(ctx)
	if err != nil {
		return nil, err
	}
	opts.Polling = true
	opts.Firmware, opts.Nonce = p.Options.Firmware, p.Options.Nonce
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
	h.direct()
	if h.tx, err = n.TX(0); err != nil {
		return nil, err
	}
	if h.rx, err = n.RX(0); err != nil {
		return nil, err
	}
	return h, h.refill()
}

// direct uses the driver without an adapter.
func (h *host) direct() {
	h.prepare = func(b *driver.Buffer, f *outgoing) (driver.TXPacket, error) {
		return driver.TXPacket{Buffer: b, Length: len(f.frame), SA: f.sa, ESPOffset: f.espOffset, Sequence: f.sequence}, nil
	}
	h.words = func(p *driver.RXPacket) (uint32, uint32) { return p.IPsec.Slot1(), p.IPsec.Slot12() }
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
		now := h.cycle() // before: others may let time pass during the step
		progress, done, err := step()
		switch {
		case err != nil || done:
			return err
		case progress:
			last = h.cycle()
		case now-last > stallCycles:
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
	// offload is what sa is to an adapter, info the other words of the packet.
	offload offload.OffloadHandle
	info    offload.NetBufferListInfo
}

// sendError is a send that the NIC has ended with another status than OK.
type sendError struct{ status driver.Status }

func (e *sendError) Error() string { return fmt.Sprintf("the send ended with %v", e.status) }

// post hands frames to the NIC; they must fit its ring. It returns an error for
// each frame that was refused before, and how many were not.
func (h *host) post(frames ...outgoing) (refused []error, posted int, err error) {
	refused = make([]error, len(frames))
	packets := make([]driver.TXPacket, 0, len(frames))
	for i := range frames {
		buffer := h.pool.Get()
		if buffer == nil {
			return nil, 0, errors.New("the host has no buffer left")
		}
		copy(buffer.Bytes(), frames[i].frame)
		p, err := h.prepare(buffer, &frames[i])
		if err != nil {
			refused[i] = err
			if err := h.pool.Put(buffer); err != nil {
				return nil, 0, err
			}
			continue
		}
		packets = append(packets, p)
	}
	posted, err = h.tx.Post(packets)
	for _, p := range packets[posted:] {
		err = errors.Join(err, h.pool.Put(p.Buffer))
	}
	if err == nil && posted != len(packets) {
		err = fmt.Errorf("posted %d of %d frames", posted, len(packets))
	}
	return refused, posted, err
}

// complete waits for n completions and returns their status.
func (h *host) complete(ctx context.Context, n int) ([]driver.Status, error) {
	if n == 0 {
		return nil, nil
	}
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

// send sends frames and returns what became of each, nil if it was sent, and
// what left the NIC: as many frames as sends succeeded, and nothing after them.
func (h *host) send(ctx context.Context, frames ...outgoing) (outcomes []error, left [][]byte, err error) {
	for len(frames) > 0 {
		n := min(window, len(frames))
		some, posted, err := h.post(frames[:n]...)
		if err != nil {
			return nil, nil, err
		}
		statuses, err := h.complete(ctx, posted)
		if err != nil {
			return nil, nil, err
		}
		good := 0
		for i := range some {
			if some[i] != nil {
				continue
			}
			if statuses[0] == driver.OK {
				good++
			} else {
				some[i] = &sendError{statuses[0]}
			}
			statuses = statuses[1:]
		}
		out, err := h.wire(ctx, good)
		if err != nil {
			return nil, nil, err
		}
		if good < n {
			if err := h.silent(ctx); err != nil {
				return nil, nil, err
			}
		}
		outcomes, left, frames = append(outcomes, some...), append(left, out...), frames[n:]
	}
	return outcomes, left, nil
}

// sendGood is send for frames that must all be sent.
func (h *host) sendGood(ctx context.Context, frames ...outgoing) ([][]byte, error) {
	outcomes, left, err := h.send(ctx, frames...)
	if err != nil {
		return nil, err
	}
	for i, err := range outcomes {
		if err != nil {
			return nil, fmt.Errorf("send %d of %d: %w", i+1, len(frames), err)
		}
	}
	return left, nil
}

// received is one indication: the packet, and a copy of its bytes.
type received struct {
	driver.RXPacket
	frame         []byte
	slot1, slot12 uint32
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
			r.slot1, r.slot12 = h.words(&p)
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
	word := r.slot1
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
	case r.slot1 != 0 || r.slot12 != 0 || r.SA != 0:
		return fmt.Errorf("slot 1 is %#08x, slot 12 is %#08x and the SA %v for a frame that is none of IPsec's business", r.slot1, r.slot12, r.SA)
	}
	return nil
}

// failed checks that a frame was handed up as it was on the wire, as one of sa,
// with the word given for slot 1.
func (r *received) failed(wire []byte, sa driver.Handle, word uint32) error {
	switch {
	case r.slot1 != word:
		return fmt.Errorf("slot 1 is %#08x, right is %#08x", r.slot1, word)
	case r.slot12 != 0:
		return fmt.Errorf("slot 12 is %#08x for a packet that was not decrypted", r.slot12)
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
	case r.slot1 != 0x2:
		return fmt.Errorf("slot 1 is %#08x, right is 0x00000002", r.slot1)
	case r.SA != sa:
		return fmt.Errorf("the packet is said to belong to SA %v, right is %v", r.SA, sa)
	case r.slot12 != verdict.Word12():
		return fmt.Errorf("slot 12 is %#08x, right is %#08x", r.slot12, verdict.Word12())
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
