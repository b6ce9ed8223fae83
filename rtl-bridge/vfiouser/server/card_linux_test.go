// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/hex"
	"fmt"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// card is the device of these tests: memory in its regions, and a list of what it
// was told.
type card struct {
	description Description
	memory      [9][]byte

	// The functions below, where there are some, are called before the card's own.
	connect  func(h *Host) error
	onRead   func(index int, offset uint64, p []byte) error
	onWrite  func(index int, offset uint64, p []byte) error
	onMap    func(m Mapping) error
	onUnmap  func(m Mapping) error
	onVector func(index, vector int, bound, masked bool)

	mu     sync.Mutex
	events []string
	host   *Host
	quiet  bool // keeps no list
}

// newCard returns a card with identifiers as libvfio-user's sample has them.
func newCard(t testing.TB) *card {
	t.Helper()
	c := &card{description: Description{
		Regions: []Region{
			0: {Size: 4096, Readable: true, Writable: true},
			1: {Size: 0x4000, Readable: true, Writable: true, File: memfd(t, 0x5000), FileOffset: 0x1000,
				Areas: []Area{{0x1000, 0x1000}, {0x3000, 0x1000}}},
			2: {Size: 0x100, Readable: true},
			7: {Size: 256, Readable: true, Writable: true},
			8: {},
		},
		IRQs: []IRQ{
			0: {Count: 1, Maskable: true, AutoMasked: true},
			1: {Count: 32},
			2: {Count: 4, Maskable: true, NoResize: true},
			3: {Count: 1},
			4: {Count: 3, Maskable: true},
		},
		CanReset: true,
	}}
	for i, r := range c.description.Regions {
		c.memory[i] = make([]byte, r.Size)
	}
	copy(c.memory[7], []byte{0xad, 0xde, 0xef, 0xbe})
	copy(c.memory[7][0x2c:], []byte{0xfe, 0xca, 0xbe, 0xba})
	return c
}

// memfd returns anonymous memory as a file.
func memfd(t testing.TB, size int64) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "memfd")
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return f
}

func (c *card) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.quiet {
		c.events = append(c.events, fmt.Sprintf(format, args...))
	}
}

// told returns what the card was told so far.
func (c *card) told() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.events...)
}

// client returns the host that is connected.
func (c *card) client() *Host {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.host
}

func (c *card) Describe() Description { return c.description }

func (c *card) Connect(h *Host) error {
	c.note("connect")
	c.mu.Lock()
	c.host = h
	c.mu.Unlock()
	if c.connect != nil {
		return c.connect(h)
	}
	return nil
}

func (c *card) Disconnect() {
	c.note("disconnect")
	c.mu.Lock()
	c.host = nil
	c.mu.Unlock()
}

func (c *card) ReadRegion(index int, offset uint64, p []byte) error {
	c.note("read %d %#x +%d", index, offset, len(p))
	if c.onRead != nil {
		if err := c.onRead(index, offset, p); err != nil {
			return err
		}
	}
	copy(p, c.memory[index][offset:])
	return nil
}

func (c *card) WriteRegion(index int, offset uint64, p []byte) error {
	c.note("write %d %#x %s", index, offset, hex.EncodeToString(p))
	if c.onWrite != nil {
		if err := c.onWrite(index, offset, p); err != nil {
			return err
		}
	}
	copy(c.memory[index][offset:], p)
	return nil
}

func (c *card) Map(m Mapping) error {
	text := fmt.Sprintf("map %#x +%#x ", m.IOVA, m.Size)
	if m.Readable {
		text += "r"
	}
	if m.Writable {
		text += "w"
	}
	if m.File != nil {
		text += fmt.Sprintf(" file+%#x", m.Offset)
	}
	c.note("%s", text)
	if c.onMap != nil {
		return c.onMap(m)
	}
	return nil
}

func (c *card) Unmap(m Mapping) error {
	c.note("unmap %#x +%#x", m.IOVA, m.Size)
	if c.onUnmap != nil {
		return c.onUnmap(m)
	}
	return nil
}

func (c *card) SetVector(index, vector int, bound, masked bool) {
	text := fmt.Sprintf("vector %d.%d bound", index, vector)
	if !bound {
		text = fmt.Sprintf("vector %d.%d unbound", index, vector)
	}
	if masked {
		text += " masked"
	}
	c.note("%s", text)
	if c.onVector != nil {
		c.onVector(index, vector, bound, masked)
	}
}

func (c *card) Reset() error {
	c.note("reset")
	return nil
}
