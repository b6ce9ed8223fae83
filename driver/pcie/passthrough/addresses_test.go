// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
)

func TestAddressSpace(t *testing.T) {
	page := uint64(os.Getpagesize())
	for _, c := range []struct {
		name    string
		allowed []Range
		size    uint64
		align   uint64
		want    uint64 // 0: none
	}{
		{"anywhere", nil, page, page, fourGiB},
		{"x86", []Range{{0, 0xFEDFFFFF}, {0xFEF00000, 1<<48 - 1}}, page, page, fourGiB},
		{"range above", []Range{{0, 0xFFFF}, {5 << 32, 6 << 32}}, page, page, 5 << 32},
		{"aligned", []Range{{fourGiB + page, 1 << 40}}, 2 << 20, 2 << 20, fourGiB + 2<<20},
		{"below only", []Range{{0, 1<<32 - 1}}, page, page, page},
		{"too large above", []Range{{0, 1 << 30}, {fourGiB, fourGiB + page - 1}}, 2 * page, page, page},
		{"exact", []Range{{fourGiB, fourGiB + 4*page - 1}}, 4 * page, page, fourGiB},
		{"too large", []Range{{fourGiB, fourGiB + 4*page - 1}}, 5 * page, page, 0},
		{"no room to align", []Range{{fourGiB + page, fourGiB + 4*page}}, page, 16 * page, 0},
		{"end of all", []Range{{-(4 * page), ^uint64(0)}}, 4 * page, page, -(4 * page)},
		{"nothing", []Range{}, page, page, 0},
		{"page 0 only", []Range{{0, page - 1}}, page, page, 0},
	} {
		got, err := NewAddressSpace(c.allowed, 0).take(c.size, c.align)
		if got != c.want || (err != nil) != (c.want == 0) || err != nil && !errors.Is(err, pcie.ErrNoMemory) {
			t.Errorf("%s: %#x %v, want %#x", c.name, got, err, c.want)
		}
	}
}

// TestAddressReuse: a freed address comes last.
func TestAddressReuse(t *testing.T) {
	page := uint64(os.Getpagesize())
	s := NewAddressSpace([]Range{{fourGiB, fourGiB + 100*page - 1}}, 0)
	seen := map[uint64]bool{}
	for range 50 { // each with a page behind it
		at, err := s.take(page, page)
		if err != nil || seen[at] {
			t.Fatalf("%#x again: %v", at, err)
		}
		seen[at] = true
		s.give(at)
	}
	if at, err := s.take(page, page); err != nil || !seen[at] {
		t.Errorf("%#x: %v", at, err)
	}
	s.give(1) // unknown: nothing happens
}

// TestAddressesDisjoint: whatever the order, blocks are allowed, aligned and
// apart.
func TestAddressesDisjoint(t *testing.T) {
	page := uint64(os.Getpagesize())
	allowed := []Range{{0, 64*page - 1}, {100 * page, 130*page - 1}, {fourGiB, fourGiB + 200*page - 1}, {2 * fourGiB, 2*fourGiB + 50*page - 1}}
	s := NewAddressSpace(allowed, 40)
	random := rand.New(rand.NewPCG(1, 2))
	blocks := map[uint64]uint64{}
	full := 0
	for range 20000 {
		if len(blocks) > 0 && random.IntN(2) == 0 {
			for at := range blocks {
				s.give(at)
				delete(blocks, at)
				break
			}
			continue
		}
		size, align := page*(1+random.Uint64N(20)), page<<random.IntN(4)
		at, err := s.take(size, align)
		if err != nil {
			full++
			continue
		}
		inside := false
		for _, r := range allowed {
			inside = inside || at >= r.First && at+size-1 <= r.Last
		}
		if !inside || at%align != 0 || at == 0 {
			t.Fatalf("%#x bytes at %#x, alignment %#x", size, at, align)
		}
		for other, length := range blocks {
			if at < other+length+page && other < at+size+page {
				t.Fatalf("%#x bytes at %#x touch %#x bytes at %#x", size, at, length, other)
			}
		}
		blocks[at] = size
		if len(blocks) > 40 {
			t.Fatal("more blocks than allowed")
		}
	}
	if full == 0 {
		t.Error("the space was never full")
	}
}
