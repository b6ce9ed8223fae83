// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// TestTable compares the table with a map of single units of memory, at both ends of
// the address space, under random commands.
func TestTable(t *testing.T) {
	const unit = 0x1000
	const units = 24
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom([]uint64{0, 0x7ffffff0000, ^uint64(units*unit) + 1}).Draw(t, "base")
		var table mapTable
		owner := make(map[int]*mapping) // the mapping of each unit
		whole := func(m *mapping) (from, n int) { return int((m.IOVA - base) / unit), int(m.Size / unit) }
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				from := rapid.IntRange(0, units-1).Draw(t, "from")
				n := rapid.IntRange(1, min(6, units-from)).Draw(t, "units")
				m := &mapping{Mapping: Mapping{IOVA: base + uint64(from*unit), Size: uint64(n * unit)}}
				free := true
				for i := from; i < from+n; i++ {
					free = free && owner[i] == nil
				}
				err := table.add(m)
				if free != (err == nil) || err != nil && !errors.Is(err, protocol.EEXIST) {
					t.Fatalf("add %d units at %d: %v", n, from, err)
				}
				for i := from; free && i < from+n; i++ {
					owner[i] = m
				}
			},
			"remove": func(t *rapid.T) {
				from := rapid.IntRange(0, units-1).Draw(t, "from")
				n := rapid.IntRange(1, units-from).Draw(t, "units")
				partial, want := false, []*mapping(nil)
				for i := from; i < from+n; i++ {
					if m := owner[i]; m != nil && !slices.Contains(want, m) {
						want = append(want, m)
						f, k := whole(m)
						partial = partial || f < from || f+k > from+n
					}
				}
				got, err := table.remove(base+uint64(from*unit), uint64(n*unit))
				if partial {
					if !errors.Is(err, protocol.EINVAL) || got != nil {
						t.Fatalf("remove a part: %v, %v", got, err)
					}
					return
				}
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("remove: %v, %v, want %v", got, err, want)
				}
				for i := range owner {
					if slices.Contains(want, owner[i]) {
						delete(owner, i)
					}
				}
			},
			"find": func(t *rapid.T) {
				at := rapid.IntRange(0, units*unit-1).Draw(t, "at")
				size := rapid.IntRange(1, units*unit-at).Draw(t, "size")
				m, n := table.find(base+uint64(at), size)
				if m != owner[at/unit] {
					t.Fatalf("at %#x is %v, want %v", at, m, owner[at/unit])
				}
				end := at/unit + 1
				for end < units && owner[end] == owner[at/unit] {
					end++
				}
				if want := min(size, end*unit-at); n != want {
					t.Fatalf("%#x bytes from %#x on, want %#x", n, at, want)
				}
			},
			"": func(t *rapid.T) {
				for i := 1; i < len(table.list); i++ {
					if a, b := table.list[i-1], table.list[i]; a.last() >= b.IOVA {
						t.Fatalf("%#x and %#x overlap or are not sorted", a.IOVA, b.IOVA)
					}
				}
			},
		})
	})
}

// TestFullTable adds as many mappings as the server promises.
func TestFullTable(t *testing.T) {
	var table mapTable
	n := serverCapabilities.MaxDMAMaps
	for i := range n {
		if err := table.add(&mapping{Mapping: Mapping{IOVA: i << 12, Size: 1 << 12}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.add(&mapping{Mapping: Mapping{IOVA: n << 12, Size: 1}}); !errors.Is(err, protocol.ENOSPC) {
		t.Errorf("one more: %v", err)
	}
	removed, err := table.remove(0, 1<<63)
	if err != nil || len(removed) != int(n) {
		t.Errorf("%d are removed, %v", len(removed), err)
	}
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{4, 65535} {
		b.Run(fmt.Sprintf("maps=%d", n), func(b *testing.B) {
			var table mapTable
			for i := range n {
				if err := table.add(&mapping{Mapping: Mapping{IOVA: uint64(i) << 12, Size: 1 << 12}}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if m, _ := table.find(uint64(i%n)<<12, 64); m == nil {
					b.Fatal("not found")
				}
			}
		})
	}
}
