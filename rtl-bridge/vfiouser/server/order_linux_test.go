// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// tries is how often each order is tested.
const tries = 200

func uint64Bytes(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

// waitEvent waits for an eventfd.
func waitEvent(t testing.TB, fd int) {
	t.Helper()
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, int(deadline.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			t.Fatalf("no interrupt: %v", err)
		}
		counter(t, fd)
		return
	}
}

// TestWriteThenAnswer: the device writes memory inside a register read and answers;
// the driver looks at memory right after.
func TestWriteThenAnswer(t *testing.T) {
	c := newCard(t)
	n := uint64(0)
	c.onRead = func(index int, offset uint64, p []byte) error {
		n++
		copy(c.memory[0], uint64Bytes(n))
		return c.client().TryWriteDMA(context.Background(), 0x1000, uint64Bytes(n))
	}
	_, client, _ := serveOn(t, c, Options{})
	m := newMonitor(t, client, true)
	stale := 0
	for range tries {
		seen := uint64(0)
		value, err := m.read(0, func() { seen = binary.LittleEndian.Uint64(m.memory[0x1000:]) })
		if err != nil {
			t.Fatal(err)
		}
		if seen != value {
			stale++
		}
	}
	if stale > 0 {
		t.Errorf("memory was stale in %d of %d tries", stale, tries)
	}
}

// TestReadInsideRead: the device reads memory to answer a register read.
func TestReadInsideRead(t *testing.T) {
	for _, shared := range []bool{true, false} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			c := newCard(t)
			var waiting atomic.Int64
			c.onRead = func(index int, offset uint64, p []byte) error {
				err := c.client().TryReadDMA(context.Background(), 0x2000, c.memory[0][:8])
				if errors.Is(err, ErrClientWaiting) {
					waiting.Add(1)
					copy(c.memory[0], uint64Bytes(^uint64(0)))
					return nil
				}
				return err
			}
			s, client, _ := serveOn(t, c, Options{})
			m := newMonitor(t, client, shared)
			for i := range uint64(tries) {
				m.setWord(0x2000, i)
				value, err := m.read(0, nil)
				if err != nil {
					t.Fatal(err)
				}
				want := i
				if !shared {
					want = ^uint64(0) // the device must do without
				}
				if value != want {
					t.Fatalf("register is %#x, want %#x", value, want)
				}
			}
			if !shared && (waiting.Load() != tries || m.served.Load() != 0) {
				t.Errorf("%d of %d accesses gave up, %d messages were sent", waiting.Load(), tries, m.served.Load())
			}
			if shared && s.Stats().DescriptorRead != 8*tries {
				t.Errorf("statistics: %+v", s.Stats())
			}
		})
	}
}

// TestClientThatServesWhileItWaits has the device read and write memory by message to
// answer a register read, of a client that has said that it can.
func TestClientThatServesWhileItWaits(t *testing.T) {
	c := newCard(t)
	c.onRead = func(index int, offset uint64, p []byte) error {
		h := c.client()
		if err := h.ReadDMA(context.Background(), 0x100, c.memory[0][:8]); err != nil {
			return err
		}
		return h.TryWriteDMA(context.Background(), 0x200, c.memory[0][:8])
	}
	s, client, _ := serveOn(t, c, Options{})
	v := protocol.Version{Capabilities: protocol.DefaultCapabilities()}
	v.Capabilities.WhileWaiting = true
	client.must(protocol.CommandVersion, v.Append(nil))
	for i := range byte(tries) {
		data := []byte{i, 1, 2, 3, 4, 5, 6, 7}
		client.write(message(9, protocol.CommandRegionRead, 0, regionRead(0, 0, 8)))
		b, _, err := client.read()
		if err != nil {
			t.Fatal(err)
		}
		h, _ := protocol.ParseHeader(b)
		if h.Command != protocol.CommandDMARead {
			t.Fatalf("first message is %+v", h)
		}
		client.write(message(h.ID, h.Command, protocol.FlagReply, protocol.DMAAccess{Address: 0x100, Count: 8, Data: data}.Append(nil)))
		if b, _, err = client.read(); err != nil {
			t.Fatal(err)
		}
		h, _ = protocol.ParseHeader(b)
		a, err := protocol.ParseDMAData(b[protocol.HeaderSize:])
		if h.Command != protocol.CommandDMAWrite || err != nil || a.Address != 0x200 || string(a.Data) != string(data) {
			t.Fatalf("second message is %+v %+v, %v", h, a, err)
		}
		client.write(message(h.ID, h.Command, protocol.FlagReply, protocol.DMAAccess{Address: 0x200, Count: 8}.Append(nil)))
		answer, err := client.answer(9, protocol.CommandRegionRead)
		if err != nil || string(answer[protocol.RegionAccessSize:]) != string(data) {
			t.Fatalf("answer is %x, %v", answer, err)
		}
	}
	if st := s.Stats(); st.MessageRead != 8*tries || st.MessageWritten != 8*tries {
		t.Errorf("statistics: %+v", st)
	}
}

// engine is a device that works beside its registers: a write to register 0x100
// has it write memory, and then raise an interrupt.
func engine(c *card, write func(h *Host, value uint64) error) (errs chan error, wait func()) {
	errs = make(chan error, 2*tries)
	var wg sync.WaitGroup
	c.onWrite = func(index int, offset uint64, p []byte) error {
		if offset != 0x100 {
			return nil
		}
		h, value := c.client(), binary.LittleEndian.Uint64(p)
		wg.Go(func() {
			if err := write(h, value); err != nil {
				errs <- err
				return
			}
			if err := h.Trigger(2, 0); err != nil {
				errs <- err
			}
		})
		return nil
	}
	return errs, wg.Wait
}

// TestWriteThenInterrupt: the device writes memory, then raises an interrupt, while a
// processor reads registers; the driver looks when the interrupt has come.
func TestWriteThenInterrupt(t *testing.T) {
	type way struct {
		name  string
		write func(h *Host, value uint64) error
	}
	for _, shared := range []bool{true, false} {
		for _, w := range []way{
			{"write", func(h *Host, value uint64) error {
				return h.WriteDMA(context.Background(), 0x3000, uint64Bytes(value))
			}},
			{"try", func(h *Host, value uint64) error {
				for {
					err := h.TryWriteDMA(context.Background(), 0x3000, uint64Bytes(value))
					if !errors.Is(err, ErrClientWaiting) {
						return err
					}
				}
			}},
		} {
			t.Run(fmt.Sprintf("shared=%v/%s", shared, w.name), func(t *testing.T) {
				c := newCard(t)
				errs, wait := engine(c, w.write)
				defer wait()
				s, client, _ := serveOn(t, c, Options{})
				event := eventfd(t)
				client.negotiate()
				client.must(protocol.CommandSetIRQs, bind(2, 0, 1), event)
				m := newMonitorNegotiated(t, client, shared)

				stop := make(chan struct{})
				var busy sync.WaitGroup
				busy.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						if _, err := m.read(0, nil); err != nil {
							t.Error(err)
							return
						}
					}
				})
				stale := 0
				for i := uint64(1); i <= tries; i++ {
					m.post(0x100, i)
					waitEvent(t, event)
					if m.word(0x3000) != i {
						stale++
					}
				}
				close(stop)
				busy.Wait()
				select {
				case err := <-errs:
					t.Error(err)
				default:
				}
				if stale > 0 {
					t.Errorf("memory was stale in %d of %d tries", stale, tries)
				}
				stats := s.Stats()
				if shared && (stats.DescriptorWritten != 8*tries || stats.MessageWritten != 0) ||
					!shared && (stats.DescriptorWritten != 0 || stats.MessageWritten < 8*tries) {
					t.Errorf("statistics: %+v", stats)
				}
			})
		}
	}
}

// TestNoMessageWhileReading: a DMA that is asked for while a register read is being
// answered is sent behind the answer, never before.
func TestNoMessageWhileReading(t *testing.T) {
	c := newCard(t)
	done := make(chan error)
	c.onRead = func(index int, offset uint64, p []byte) error {
		h := c.client()
		started := make(chan struct{})
		go func() {
			close(started)
			done <- h.WriteDMA(context.Background(), 0x4000, uint64Bytes(1))
		}()
		<-started
		for range 100 { // let it try
			if h.session.conn.Waiting() != true {
				t.Error("the client does not wait")
			}
		}
		return nil
	}
	_, client, _ := serveOn(t, c, Options{})
	m := newMonitor(t, client, false)
	for range tries {
		m.takeOrder()
		if _, err := m.read(0, nil); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if order := m.takeOrder(); len(order) != 2 || order[0] != "answer" || order[1] != "DMA_WRITE" {
			t.Fatalf("the client received %q", order)
		}
	}
}

// TestManyWritersAndReads has several engines at once, by message, while the client
// reads: all get through, and all data is right.
func TestManyWritersAndReads(t *testing.T) {
	c := newCard(t)
	c.quiet = true
	_, client, _ := serveOn(t, c, Options{})
	m := newMonitor(t, client, false)
	h := c.client()
	var engines sync.WaitGroup
	stop := make(chan struct{})
	for e := range uint64(4) {
		engines.Go(func() {
			p := make([]byte, 3000)
			back := make([]byte, len(p))
			for i := range uint64(50) {
				for j := range p {
					p[j] = byte(e*31 + i + uint64(j))
				}
				if err := h.WriteDMA(context.Background(), e*0x10000, p); err != nil {
					t.Error(err)
					return
				}
				if err := h.ReadDMA(context.Background(), e*0x10000, back); err != nil {
					t.Error(err)
					return
				}
				if string(back) != string(p) {
					t.Errorf("engine %d reads back something else", e)
					return
				}
			}
		})
	}
	go func() {
		engines.Wait()
		close(stop)
	}()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if _, err := m.read(0, nil); err != nil {
			t.Error(err)
			<-stop
			return
		}
	}
}

// TestMiss: an access outside every mapping, and one without bus mastering, is sent
// to the client, whose IOMMU can log it; the device gets the client's error number.
func TestMiss(t *testing.T) {
	for _, shared := range []bool{true, false} {
		c := newCard(t)
		c.onRead = func(index int, offset uint64, p []byte) error {
			err := c.client().TryReadDMA(context.Background(), guestMemory, make([]byte, 4))
			if !errors.Is(err, ErrClientWaiting) {
				t.Errorf("inside a register read: %v", err)
			}
			return nil
		}
		s, client, _ := serveOn(t, c, Options{})
		m := newMonitor(t, client, shared)
		for _, iova := range []uint64{guestMemory, guestMemory - 2, 1 << 63, ^uint64(0) - 3} {
			for _, write := range []bool{false, true} {
				access := c.client().ReadDMA
				if write {
					access = c.client().WriteDMA
				}
				err := access(context.Background(), iova, make([]byte, 4))
				var fault *DMAError
				var remote *protocol.RemoteError
				if !errors.As(err, &fault) || fault.IOVA != iova || fault.Size != 4 || fault.Write != write ||
					!errors.As(err, &remote) || remote.Errno != protocol.ENODEV {
					t.Errorf("shared %v, IOVA %#x, write %v: %v", shared, iova, write, err)
				}
			}
		}
		if err := c.client().ReadDMA(context.Background(), ^uint64(0)-2, make([]byte, 4)); !errors.Is(err, protocol.EFAULT) {
			t.Errorf("past the end of the address space: %v", err)
		}
		before := m.served.Load()
		if _, err := m.read(0, nil); err != nil {
			t.Error(err)
		}
		if m.served.Load() != before {
			t.Error("a message was sent inside a register read")
		}
		if n := s.Stats().DMAErrors; n != 10 {
			t.Errorf("%d errors are counted, want 10", n)
		}
		m.refuse.Store(true)
		err := c.client().ReadDMA(context.Background(), 0, make([]byte, 4))
		if shared != (err == nil) || !shared && !errors.Is(err, protocol.ENODEV) {
			t.Errorf("shared %v, without bus mastering: %v", shared, err)
		}
	}
}

// TestLargeMessages: accesses by message are split as the client takes them.
func TestLargeMessages(t *testing.T) {
	c := newCard(t)
	s, client, _ := serveOn(t, c, Options{})
	v := protocol.Version{Capabilities: protocol.DefaultCapabilities()}
	v.Capabilities.MaxDataXferSize = 1000
	client.must(protocol.CommandVersion, v.Append(nil))
	m := newMonitorNegotiated(t, client, false)
	data := make([]byte, 4500)
	for i := range data {
		data[i] = byte(i * 7)
	}
	if err := c.client().WriteDMA(context.Background(), 10, data); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len(data))
	if err := c.client().ReadDMA(context.Background(), 10, back); err != nil || string(back) != string(data) {
		t.Fatalf("data is different, %v", err)
	}
	if m.served.Load() != 10 || s.Stats().MessageWritten != 4500 || s.Stats().MessageRead != 4500 {
		t.Errorf("%d messages, %+v", m.served.Load(), s.Stats())
	}
}
