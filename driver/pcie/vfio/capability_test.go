// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie/passthrough"
)

// chain builds an info structure of head bytes with capabilities behind it.
func chain(head int, capabilities ...[]uint32) []byte {
	p := make([]byte, head)
	for i, c := range capabilities {
		next := uint32(0)
		if i < len(capabilities)-1 {
			next = uint32(len(p) + 4 + 4*len(c))
		}
		for j, w := range c {
			p = binary.NativeEndian.AppendUint32(p, w)
			if j == 0 {
				p = binary.NativeEndian.AppendUint32(p, next)
			}
		}
	}
	return p
}

func TestCapabilities(t *testing.T) {
	mappable, sparse := []uint32{1<<16 | 3}, []uint32{1<<16 | 1, 2, 0, 0, 0, 0x1000, 0, 0x3000, 0, 0x2000, 0}
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the words of this test are little-endian")
	}
	want := []passthrough.Area{{Offset: 0, Size: 0x1000}, {Offset: 0x3000, Size: 0x2000}}
	for name, c := range map[string]struct {
		info   []byte
		offset uint32
		want   []passthrough.Area
		has    bool
		broken bool
	}{
		"none":             {info: chain(32)},
		"another":          {info: chain(32, mappable), offset: 32},
		"alone":            {info: chain(32, sparse), offset: 32, want: want, has: true},
		"behind another":   {info: chain(32, mappable, sparse), offset: 32, want: want, has: true},
		"no areas":         {info: chain(32, []uint32{1, 0, 0}), offset: 32, has: true},
		"outside":          {info: chain(32, sparse), offset: 1000, broken: true},
		"header cut off":   {info: chain(32, sparse)[:36], offset: 32, broken: true},
		"count cut off":    {info: chain(32, sparse)[:44], offset: 32, broken: true},
		"areas cut off":    {info: chain(32, sparse)[:72], offset: 32, broken: true},
		"too many areas":   {info: chain(32, []uint32{1, 1 << 31, 0, 0, 0, 0, 0}), offset: 32, broken: true},
		"backwards":        {info: append(chain(32, mappable), 3, 0, 0, 0, 32, 0, 0, 0)[:48], offset: 40, broken: true},
		"points to itself": {info: []byte{3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, offset: 4, broken: false},
	} {
		areas, has, err := sparseAreas(c.info, c.offset)
		if has != c.has || !slices.Equal(areas, c.want) || errors.Is(err, errCapability) != c.broken {
			t.Errorf("%s: %v %v %v", name, areas, has, err)
		}
	}
}

// FuzzCapabilities: whatever the bytes, no access is outside of them, and the
// search ends.
func FuzzCapabilities(f *testing.F) {
	f.Add(chain(32, []uint32{1<<16 | 3}, []uint32{1<<16 | 1, 1, 0, 0, 0, 0x1000, 0}), uint32(32))
	f.Add(chain(24, []uint32{1<<16 | 1, 1, 0, 0, 0, 0xFFFF, 0}, []uint32{1<<16 | 3, 65535}), uint32(24))
	f.Add(chain(24, []uint32{1, 1 << 31, 0}), uint32(24))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0}, uint32(0xFFFFFFFF))
	f.Fuzz(func(t *testing.T, info []byte, offset uint32) {
		areas, _, err := sparseAreas(info, offset)
		if err != nil && len(areas) > 0 {
			t.Errorf("areas %v with error %v", areas, err)
		}
		for _, a := range wholeAreas(areas) {
			if a.Size == 0 || a.Offset+a.Size > 1<<40 {
				t.Errorf("area %+v", a)
			}
		}
		if ranges, err := iovaRanges(info, offset); err == nil {
			for _, r := range ranges {
				if r.First > r.Last {
					t.Errorf("range %+v", r)
				}
			}
		}
		if n, err := available(info, offset); err == nil && n < 0 {
			t.Errorf("%d mappings", n)
		}
	})
}

// wholeAreas is what a device makes of areas of a region of 1 TiB.
func wholeAreas(areas []passthrough.Area) []passthrough.Area { return wholePages(areas, 1<<40) }
