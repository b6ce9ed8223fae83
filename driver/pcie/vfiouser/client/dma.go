// SPDX-License-Identifier: Apache-2.0

package client

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// Mapping is memory of this process that the device may reach.
type Mapping struct {
	// Address is where the device sees it.
	Address uint64
	// Memory is the memory itself. It must stay until Unmap.
	Memory []byte
	// FD is the file that is mapped there, Memory[0] at Offset in it. The
	// server reaches the memory through it without asking. -1: there is none,
	// and the server sends messages. It stays the caller's.
	FD     int
	Offset uint64
	// Readable and Writable say what the device may do.
	Readable, Writable bool
}

func (m Mapping) size() uint64 { return uint64(len(m.Memory)) }

// dmaTable is the memory that the device may reach, ascending.
type dmaTable struct {
	mu  sync.RWMutex
	all []Mapping
}

// find returns the index of the first mapping that ends after address.
func (t *dmaTable) find(address uint64) int {
	i, found := slices.BinarySearchFunc(t.all, address, func(m Mapping, address uint64) int { return cmp.Compare(m.Address, address) })
	if !found && i > 0 && address-t.all[i-1].Address < t.all[i-1].size() {
		i--
	}
	return i
}

// add adds a mapping that overlaps no other.
func (t *dmaTable) add(m Mapping, most uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if uint64(len(t.all)) >= most {
		return fmt.Errorf("vfio-user: more than %d mappings: %w", most, ErrLimit)
	}
	i := t.find(m.Address)
	if i < len(t.all) && t.all[i].Address <= m.Address+(m.size()-1) {
		return fmt.Errorf("vfio-user: mapping of %#x bytes at %#x: %w", len(m.Memory), m.Address, ErrOverlap)
	}
	t.all = slices.Insert(t.all, i, m)
	return nil
}

// remove takes a mapping away: nobody reaches its memory afterwards.
func (t *dmaTable) remove(address uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.find(address); i < len(t.all) && t.all[i].Address == address {
		t.all = slices.Delete(t.all, i, i+1)
	}
}

// has says whether there is exactly this mapping.
func (t *dmaTable) has(address, size uint64) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i := t.find(address)
	return i < len(t.all) && t.all[i].Address == address && t.all[i].size() == size
}

// move copies between p and the memory at address, all of it or nothing.
func (t *dmaTable) move(address uint64, p []byte, write bool) protocol.Errno {
	t.mu.RLock()
	defer t.mu.RUnlock()
	first := t.find(address)
	for pass := range 2 { // look first, then copy
		at, rest := address, p
		for i := first; len(rest) > 0; i++ {
			if i == len(t.all) || at-t.all[i].Address >= t.all[i].size() {
				return protocol.ENODEV
			}
			m := t.all[i]
			if write && !m.Writable || !write && !m.Readable {
				return protocol.EACCES
			}
			memory := m.Memory[at-m.Address:]
			n := min(len(memory), len(rest))
			switch {
			case pass == 0:
			case write:
				copy(memory, rest[:n])
			default:
				copy(rest, memory[:n])
			}
			at, rest = at+uint64(n), rest[n:]
		}
	}
	return 0
}

// MapDMA lets the device reach memory. Address, size and, with a file, offset are
// multiples of the server's smallest page size.
func (c *Client) MapDMA(m Mapping) error {
	pages := c.server.Capabilities.PageSizes
	unaligned := pages&-pages - 1 // below the smallest
	if len(m.Memory) == 0 || m.Address+(m.size()-1) < m.Address || (m.Address|m.size())&unaligned != 0 || m.FD >= 0 && m.Offset&unaligned != 0 {
		return fmt.Errorf("vfio-user: mapping of %#x bytes at %#x, file offset %#x: not whole pages of %d bytes: %w", len(m.Memory), m.Address, m.Offset, unaligned+1, ErrRange)
	}
	// The server may use it before its reply is here.
	if err := c.maps.add(m, c.server.Capabilities.MaxDMAMaps); err != nil {
		return err
	}
	cl := newCall(protocol.CommandDMAMap)
	defer cl.free()
	request := protocol.DMAMap{Address: m.Address, Size: m.size()}
	if m.Readable {
		request.Flags |= protocol.DMAMapRead
	}
	if m.Writable {
		request.Flags |= protocol.DMAMapWrite
	}
	if m.FD >= 0 {
		request.Offset = m.Offset
		cl.fds = []int{m.FD}
	}
	cl.request = request.Append(cl.request)
	if err := c.do(cl, c.opts.Timeout); err != nil {
		c.maps.remove(m.Address)
		return err
	}
	return nil
}

// UnmapDMA takes away exactly one mapping. It returns when the server has said that
// the device does not reach it any more. After an error of the server's the mapping
// is there still, after one of the connection's it is not.
func (c *Client) UnmapDMA(address, size uint64) error {
	if !c.maps.has(address, size) {
		return fmt.Errorf("vfio-user: %#x bytes at %#x: %w", size, address, ErrNotMapped)
	}
	cl := newCall(protocol.CommandDMAUnmap)
	defer cl.free()
	cl.request = protocol.DMAUnmap{Address: address, Size: size}.Append(cl.request)
	var reply [64]byte // a server's echo has 24 or, with others' extensions, more
	cl.reply = reply[:]
	cl.agreed = func() { c.maps.remove(address) }
	err := c.do(cl, c.opts.Timeout)
	if err != nil && c.Err() != nil {
		c.maps.remove(address)
	}
	return err
}

// Fault is an access by the device that was refused.
type Fault struct {
	Address uint64
	Size    uint64
	Write   bool
	// Time is when the access was refused.
	Time time.Time
}

// maxFaults is how many faults are kept; later ones are lost.
const maxFaults = 1024

// faultLog keeps faults until they are taken.
type faultLog struct {
	mu  sync.Mutex
	all []Fault
}

func (l *faultLog) add(f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) < maxFaults {
		l.all = append(l.all, f)
	}
}

// TakeFaults takes the device's refused accesses, oldest first: those that reached
// this client as messages, all that the server had sent before. What a server refuses
// by itself is not among them. Up to 1,024 are kept. While a call of another goroutine
// goes unanswered it may take about 0.1 s.
func (c *Client) TakeFaults() []Fault {
	c.catchUp()
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	all := c.log.all
	c.log.all = nil
	return all
}

// readCommand serves a command of the server's.
func (c *Client) readCommand(h protocol.Header, size uint32, deadline time.Time) error {
	in := &c.in
	if limit := uint64(protocol.DMAAccessSize + c.opts.MaxTransfer); h.Command == protocol.CommandDMAWrite && uint64(size) > limit ||
		h.Command != protocol.CommandDMAWrite && size > protocol.DMAAccessSize {
		return &protocol.SizeError{Item: h.Command.String() + " command", Size: uint64(h.Size), Min: protocol.HeaderSize, Max: protocol.HeaderSize + limit}
	}
	if uint64(len(in.scratch)) < uint64(size) {
		in.scratch = make([]byte, size)
	}
	payload := in.scratch[:size]
	if err := c.take(payload, deadline); err != nil {
		return err
	}
	reply, errno := append(in.answer[:0], make([]byte, protocol.HeaderSize)...), protocol.EOPNOTSUPP
	switch h.Command {
	case protocol.CommandDMARead:
		a, err := protocol.ParseDMAAccess(payload)
		if err != nil {
			return err
		}
		if a.Count > uint64(c.opts.MaxTransfer) {
			errno = protocol.E2BIG
		} else {
			reply = a.Append(reply)
			reply = slices.Grow(reply, int(a.Count))[:len(reply)+int(a.Count)]
			errno = c.maps.move(a.Address, reply[protocol.HeaderSize+protocol.DMAAccessSize:], false)
		}
		c.note(a, false, errno)
	case protocol.CommandDMAWrite:
		a, err := protocol.ParseDMAData(payload)
		if err != nil {
			return err
		}
		errno = c.maps.move(a.Address, a.Data, true)
		a.Data = nil
		reply = a.Append(reply)
		c.note(a, true, errno)
	}
	in.answer = reply
	if h.Posted() {
		return nil
	}
	out := protocol.Header{ID: h.ID, Command: h.Command, Flags: protocol.FlagReply, Size: uint32(len(reply))}
	if errno != 0 {
		reply = reply[:protocol.HeaderSize]
		out.Flags, out.Errno, out.Size = protocol.FlagReply|protocol.FlagError, errno, protocol.HeaderSize
	}
	out.Append(reply[:0])
	return c.answer(reply)
}

// note records an access that was refused.
func (c *Client) note(a protocol.DMAAccess, write bool, errno protocol.Errno) {
	if errno != 0 {
		c.log.add(Fault{Address: a.Address, Size: a.Count, Write: write, Time: time.Now()})
	}
}
