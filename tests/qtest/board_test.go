// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package qtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
)

// The card's registers in BAR 0, each of 64 bits.
const (
	// Below this is memory.
	regAddress = 0x100 // where in the machine's memory
	regValue   = 0x108 // what
	regCommand = 0x110 // does something on its own, see the commands
	regDone    = 0x118 // commands that have ended
	regResult  = 0x120 // of the last one: a value or an error number
	regFetch   = 0x128 // read: the value in memory, read meanwhile
	regStore   = 0x130 // read: writes memory, 1 if that could be done
)

// Commands.
const (
	commandWrite     = 1 // writes memory
	commandInterrupt = 2 // writes memory, then raises vector 0
	commandRead      = 3 // reads memory
	commandLarge     = 4 // writes largeSize bytes of a pattern
)

const largeSize = 3<<20 + 8

const (
	vectors     = 4
	waiting     = ^uint64(0)
	configSize  = 4096
	configIndex = protocol.RegionConfig
)

// board is a card that does DMA and interrupts on command.
type board struct {
	ep     *endpoint.Endpoint
	memory [regAddress]byte

	mu      sync.Mutex
	host    *server.Host
	address uint64
	value   uint64
	result  uint64
	// writes are the accesses to the memory in BAR 0, as "OFFSET+SIZE".
	writes []string

	done    atomic.Uint64
	working sync.WaitGroup
	maps    atomic.Int64
}

func newBoard(t *testing.T) *board {
	t.Helper()
	b := new(board)
	var err error
	b.ep, err = endpoint.New(endpoint.Config{VendorID: 0x1234, DeviceID: 0x5678, Class: 0x020000, BAR0: 4096, Vectors: vectors})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sentences collects what the server says.
type sentences struct {
	mu   sync.Mutex
	list []string
}

func (s *sentences) log(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, text)
}

func (s *sentences) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// serve serves the board until the test ends.
func (b *board) serve(t *testing.T) (socket string, s *server.Server, said *sentences) {
	t.Helper()
	folder, err := os.MkdirTemp("", "qtest") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	socket, said = filepath.Join(folder, "card.sock"), new(sentences)
	if s, err = server.Listen(socket, b, server.Options{Log: said.log}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return socket, s, said
}

func (b *board) Describe() server.Description {
	info := b.ep.Info()
	d := server.Description{
		Regions: make([]server.Region, protocol.PCIRegions),
		IRQs: []server.IRQ{
			protocol.IRQMSIX:    {Count: vectors, Maskable: true},
			protocol.IRQError:   {Count: 1},
			protocol.IRQRequest: {Count: 1},
		},
		CanReset: true,
	}
	for i, size := range info.BARs {
		if size > 0 {
			d.Regions[i] = server.Region{Size: size, Readable: true, Writable: true}
		}
	}
	d.Regions[configIndex] = server.Region{Size: configSize, Readable: true, Writable: true}
	return d
}

func (b *board) Connect(h *server.Host) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.host = h
	return nil
}

func (b *board) Disconnect() {
	b.working.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.host = nil
}

func (b *board) Map(server.Mapping) error       { b.maps.Add(1); return nil }
func (b *board) Unmap(server.Mapping) error     { b.maps.Add(-1); return nil }
func (b *board) SetVector(int, int, bool, bool) {}
func (b *board) Reset() error                   { b.ep.FunctionReset(); return nil }

// pieces cuts an access into ones of the widths that there are.
func pieces(offset uint64, p []byte, f func(offset uint64, p []byte) error) error {
	for len(p) > 0 {
		n := 4
		for n > len(p) || offset%uint64(n) != 0 {
			n /= 2
		}
		if err := f(offset, p[:n]); err != nil {
			return err
		}
		offset, p = offset+uint64(n), p[n:]
	}
	return nil
}

func (b *board) ReadRegion(index int, offset uint64, p []byte) error {
	switch index {
	case configIndex:
		return pieces(offset, p, func(offset uint64, p []byte) error {
			v, err := b.ep.ConfigRead(int(offset), len(p))
			put(p, uint64(v))
			return err
		})
	case endpoint.MSIXBAR:
		return pieces(offset, p, func(offset uint64, p []byte) error {
			v, err := b.ep.MSIXMemory().ReadBAR(offset, len(p))
			put(p, v)
			return err
		})
	}
	if offset < regAddress {
		copy(p, b.memory[offset:])
		return nil
	}
	v, err := b.read(offset)
	put(p, v)
	return err
}

func (b *board) read(offset uint64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var word [8]byte
	switch offset {
	case regDone:
		return b.done.Load(), nil
	case regResult:
		return b.result, nil
	case regFetch:
		err := b.host.TryReadDMA(context.Background(), b.address, word[:])
		if errors.Is(err, server.ErrClientWaiting) {
			return waiting, nil
		}
		return binary.LittleEndian.Uint64(word[:]), err
	case regStore:
		binary.LittleEndian.PutUint64(word[:], b.value)
		err := b.host.TryWriteDMA(context.Background(), b.address, word[:])
		if errors.Is(err, server.ErrClientWaiting) {
			return waiting, nil
		}
		return 1, err
	}
	return 0, fmt.Errorf("read of %#x", offset)
}

func (b *board) WriteRegion(index int, offset uint64, p []byte) error {
	switch {
	case index == configIndex:
		return pieces(offset, p, func(offset uint64, p []byte) error {
			return b.ep.ConfigWrite(int(offset), len(p), uint32(get(p)))
		})
	case index == endpoint.MSIXBAR:
		return fmt.Errorf("write of %d bytes at %#x of the MSI-X table", len(p), offset)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case offset < regAddress:
		copy(b.memory[offset:], p)
		b.writes = append(b.writes, fmt.Sprintf("%#x+%d", offset, len(p)))
	case offset == regAddress:
		b.address = get(p)
	case offset == regValue:
		b.value = get(p)
	case offset == regCommand:
		b.start(get(p))
	default:
		return fmt.Errorf("write of %#x", offset)
	}
	return nil
}

// start has a command done beside the accesses of the processor. The caller holds mu.
func (b *board) start(command uint64) {
	h, address, value := b.host, b.address, b.value
	b.working.Go(func() {
		result, err := perform(h, command, address, value)
		if err != nil {
			result = uint64(protocol.ErrnoOf(err))
		}
		b.mu.Lock()
		b.result = result
		b.mu.Unlock()
		b.done.Add(1)
	})
}

func perform(h *server.Host, command, address, value uint64) (uint64, error) {
	ctx := context.Background()
	word := binary.LittleEndian.AppendUint64(nil, value)
	switch command {
	case commandWrite:
		return 0, h.WriteDMA(ctx, address, word)
	case commandInterrupt:
		if err := h.WriteDMA(ctx, address, word); err != nil {
			return 0, err
		}
		return 0, h.Trigger(protocol.IRQMSIX, 0)
	case commandRead:
		err := h.ReadDMA(ctx, address, word)
		return binary.LittleEndian.Uint64(word), err
	case commandLarge:
		return 0, h.WriteDMA(ctx, address, pattern(largeSize))
	}
	return 0, fmt.Errorf("command %d", command)
}

// pattern is data of which no two pages are alike.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16*3)
	}
	return b
}

// takeWrites returns the writes to memory in BAR 0 since it was last asked.
func (b *board) takeWrites() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := strings.Join(b.writes, " ")
	b.writes = nil
	return list
}

func get(p []byte) uint64 {
	var b [8]byte
	copy(b[:], p)
	return binary.LittleEndian.Uint64(b[:])
}

func put(p []byte, v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	copy(p, b[:])
}
