// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"errors"
	"fmt"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// scarce is a function whose memory comes in pieces of limited size and number, as
// hugepages do.
type scarce struct {
	pcie.Function
	largest, left int
	held          int
}

func (s *scarce) AllocDMA(size int) (*pcie.Memory, error) {
	if size > s.largest || s.left == 0 {
		return nil, fmt.Errorf("%d bytes: %w", size, pcie.ErrNoMemory)
	}
	m, err := s.Function.AllocDMA(size)
	if err == nil {
		s.left--
		s.held++
	}
	return m, err
}

func (s *scarce) FreeDMA(m *pcie.Memory) error {
	s.held--
	return s.Function.FreeDMA(m)
}

// TestPoolInPieces: a pool that cannot have its memory in one piece takes several,
// and gives all back, also if they do not suffice.
func TestPoolInPieces(t *testing.T) {
	for _, c := range []struct {
		count, size   int
		largest, left int
		pieces        int // 0: it cannot be had
	}{
		{1000, 9856, 1 << 30, 9, 1},
		{1000, 9856, 2 << 20, 9, 5},
		{212, 9856, 2 << 20, 9, 1},
		{213, 9856, 2 << 20, 9, 2},
		{64, 65535, 2 << 20, 9, 2},
		{1000, 9856, 2 << 20, 4, 0},
		{1000, 9856, 1 << 20, 9, 0},
		{10, 9856, 4096, 9, 0},
	} {
		device, err := nic.New(nic.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fn := &scarce{Function: device, largest: c.largest, left: c.left}
		p, err := NewPool(fn, c.count, c.size)
		if c.pieces == 0 {
			if !errors.Is(err, pcie.ErrNoMemory) || fn.held != 0 {
				t.Errorf("%+v: error %v, %d pieces are held", c, err, fn.held)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if fn.held != c.pieces || p.Free() != c.count {
			t.Errorf("%+v: %d pieces, %d buffers", c, fn.held, p.Free())
		}
		// No two buffers share a byte, each is where its device address says.
		seen := map[uint64]bool{}
		for b := p.Get(); b != nil; b = p.Get() {
			if len(b.Bytes()) != c.size || b.IOVA()%bufferAlign != 0 || seen[b.IOVA()] {
				t.Fatalf("%+v: buffer of %d bytes at %#x", c, len(b.Bytes()), b.IOVA())
			}
			seen[b.IOVA()] = true
			b.Bytes()[0], b.Bytes()[c.size-1] = 1, 1
		}
		for iova := range seen {
			for _, m := range p.blocks {
				if iova > m.IOVA-uint64(c.size) && iova < m.IOVA || iova < m.IOVA+uint64(len(m.Bytes)) && iova+uint64(c.size) > m.IOVA+uint64(len(m.Bytes)) {
					t.Fatalf("%+v: buffer at %#x is not in one piece", c, iova)
				}
			}
		}
		if err := p.Close(); err != nil || fn.held != 0 {
			t.Errorf("%+v: close: %v, %d pieces are held", c, err, fn.held)
		}
		if err := p.Close(); err != nil {
			t.Errorf("%+v: close again: %v", c, err)
		}
		if err := device.Close(); err != nil {
			t.Error(err)
		}
	}
}
