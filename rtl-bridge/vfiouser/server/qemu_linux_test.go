// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// monitor is a client that takes turns as QEMU does. One goroutine receives and only
// queues the server's commands; they are carried out by another under the big lock,
// which a processor holds while it waits for the answer to a register read. So the
// device's messages are not acted on until its client has been answered.
type monitor struct {
	t    testing.TB
	conn rawClient
	// memory is the guest's, from IOVA 0 on; shared with the server or not.
	memory []byte

	big     sync.Mutex
	work    chan []byte
	answers chan []byte
	gone    chan struct{}
	// order lists what was received: "answer" and "DMA_WRITE" and so on.
	orderMu sync.Mutex
	order   []string
	// refuse makes all DMA fail, as without bus mastering.
	refuse atomic.Bool
	served atomic.Int64
}

const guestMemory = 1 << 20

// errHang is what a processor of the monitor sees when the device does not answer.
var errHang = errors.New("the device does not answer")

// newMonitor connects a monitor to a server and maps its memory.
func newMonitor(t testing.TB, c rawClient, shared bool) *monitor {
	t.Helper()
	c.negotiate()
	return newMonitorNegotiated(t, c, shared)
}

// newMonitorNegotiated does without the first command.
func newMonitorNegotiated(t testing.TB, c rawClient, shared bool) *monitor {
	t.Helper()
	m := &monitor{t: t, conn: c, work: make(chan []byte, 1000), answers: make(chan []byte, 1), gone: make(chan struct{})}
	if shared {
		f := memfd(t, guestMemory)
		memory, err := unix.Mmap(int(f.Fd()), 0, guestMemory, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Munmap(memory) })
		m.memory = memory
		c.must(protocol.CommandDMAMap, dmaMap(0, guestMemory, 0), int(f.Fd()))
	} else {
		m.memory = make([]byte, guestMemory)
		c.must(protocol.CommandDMAMap, dmaMap(0, guestMemory, 0))
	}
	go m.receive()
	go m.mainLoop()
	return m
}

// receive is the monitor's I/O thread.
func (m *monitor) receive() {
	defer close(m.gone)
	defer close(m.work)
	for {
		b, _, err := m.conn.read()
		if err != nil {
			return
		}
		h, err := protocol.ParseHeader(b)
		if err != nil {
			m.t.Error(err)
			return
		}
		m.orderMu.Lock()
		if h.Reply() {
			m.order = append(m.order, "answer")
		} else {
			m.order = append(m.order, h.Command.String())
		}
		m.orderMu.Unlock()
		if h.Reply() {
			m.answers <- b
		} else {
			m.work <- b
		}
	}
}

// takeOrder returns what was received since it was last asked.
func (m *monitor) takeOrder() []string {
	m.orderMu.Lock()
	defer m.orderMu.Unlock()
	order := m.order
	m.order = nil
	return order
}

// mainLoop carries out the server's commands.
func (m *monitor) mainLoop() {
	for b := range m.work {
		m.big.Lock()
		h, _ := protocol.ParseHeader(b)
		answer := m.dma(h, b[protocol.HeaderSize:])
		m.big.Unlock()
		m.served.Add(1)
		if h.Flags&protocol.FlagNoReply == 0 {
			// The client may have hung up since.
			_, _ = m.conn.Write(answer)
		}
	}
}

// dma carries out DMA_READ and DMA_WRITE.
func (m *monitor) dma(h protocol.Header, payload []byte) []byte {
	reply := protocol.Header{ID: h.ID, Command: h.Command, Flags: protocol.FlagReply}
	a, err := protocol.ParseDMAAccess(payload)
	if err != nil || a.Count > protocol.DefaultMaxDataXferSize {
		m.t.Errorf("%v: %+v, %v", h.Command, a, err)
	}
	if m.refuse.Load() || a.Address > guestMemory || a.Count > guestMemory-a.Address {
		reply.Flags |= protocol.FlagError
		reply.Errno, reply.Size = protocol.ENODEV, protocol.HeaderSize
		return reply.Append(nil)
	}
	guest := m.memory[a.Address : a.Address+a.Count]
	if h.Command == protocol.CommandDMAWrite {
		copy(guest, payload[protocol.DMAAccessSize:])
	} else {
		a.Data = guest
	}
	body := a.Append(nil)
	reply.Size = uint32(protocol.HeaderSize + len(body))
	return append(reply.Append(nil), body...)
}

// command has a processor send a command and wait for its answer with the big lock
// held, and then, still before anything else can happen, look.
func (m *monitor) command(command protocol.Command, payload []byte, look func(answer []byte)) error {
	m.big.Lock()
	defer m.big.Unlock()
	m.conn.write(message(7, command, 0, payload))
	select {
	case b := <-m.answers:
		h, err := protocol.ParseHeader(b)
		if err != nil {
			return err
		}
		if h.Flags&protocol.FlagError != 0 {
			return fmt.Errorf("%v: %w", command, h.Errno)
		}
		if look != nil {
			look(b[protocol.HeaderSize:])
		}
		return nil
	case <-m.gone:
		return errors.New("the server has hung up")
	case <-time.After(5 * time.Second):
		return errHang
	}
}

// read has a processor read a 64-bit register and look at memory.
func (m *monitor) read(offset uint64, look func()) (value uint64, err error) {
	err = m.command(protocol.CommandRegionRead, regionRead(0, offset, 8), func(answer []byte) {
		value = binary.LittleEndian.Uint64(answer[protocol.RegionAccessSize:])
		if look != nil {
			look()
		}
	})
	return value, err
}

// post has a processor write a 64-bit register without waiting.
func (m *monitor) post(offset, value uint64) {
	m.big.Lock()
	defer m.big.Unlock()
	m.conn.write(message(8, protocol.CommandRegionWrite, protocol.FlagNoReply,
		regionWrite(0, offset, binary.LittleEndian.AppendUint64(nil, value)...)))
}

// word reads guest memory as a processor does.
func (m *monitor) word(iova uint64) uint64 {
	m.big.Lock()
	defer m.big.Unlock()
	return binary.LittleEndian.Uint64(m.memory[iova:])
}

// setWord writes it.
func (m *monitor) setWord(iova, value uint64) {
	m.big.Lock()
	defer m.big.Unlock()
	binary.LittleEndian.PutUint64(m.memory[iova:], value)
}
