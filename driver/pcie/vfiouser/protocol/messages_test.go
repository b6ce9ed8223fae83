// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLayout compares every message with bytes written by hand from the protocol's
// tables, both ways.
func TestLayout(t *testing.T) {
	for _, test := range []struct {
		name   string
		hex    string
		value  any
		encode func(b []byte) []byte
		decode func(b []byte) (any, error)
	}{
		{
			name:   "header",
			hex:    "3412 0900 20000000 11000000 13000000",
			value:  Header{ID: 0x1234, Command: CommandRegionRead, Size: 32, Flags: FlagReply | FlagNoReply, Errno: 19},
			encode: Header{ID: 0x1234, Command: CommandRegionRead, Size: 32, Flags: FlagReply | FlagNoReply, Errno: 19}.Append,
			decode: func(b []byte) (any, error) { return ParseHeader(b) },
		}, {
			name:   "DMA_MAP",
			hex:    "20000000 03000000 0010000000000000 0000000001000000 00f0ffff00000000",
			value:  DMAMap{ArgSize: 32, Flags: DMAMapRead | DMAMapWrite, Offset: 0x1000, Address: 0x100000000, Size: 0xfffff000},
			encode: DMAMap{Flags: DMAMapRead | DMAMapWrite, Offset: 0x1000, Address: 0x100000000, Size: 0xfffff000}.Append,
			decode: func(b []byte) (any, error) { return ParseDMAMap(b) },
		}, {
			name:   "DMA_UNMAP",
			hex:    "18000000 02000000 0000100000000000 0000011001ffffff",
			value:  DMAUnmap{ArgSize: 24, Flags: DMAUnmapAll, Address: 0x100000, Size: 0xffffff0110010000},
			encode: DMAUnmap{Flags: DMAUnmapAll, Address: 0x100000, Size: 0xffffff0110010000}.Append,
			decode: func(b []byte) (any, error) { return ParseDMAUnmap(b) },
		}, {
			name:   "DEVICE_GET_INFO",
			hex:    "10000000 03000000 09000000 05000000",
			value:  DeviceInfo{16, DeviceReset | DevicePCI, 9, 5},
			encode: DeviceInfo{16, DeviceReset | DevicePCI, 9, 5}.Append,
			decode: func(b []byte) (any, error) { return ParseDeviceInfo(b) },
		}, {
			name:   "DEVICE_GET_REGION_INFO",
			hex:    "20000000 03000000 07000000 00000000 0001000000000000 0000000000000000",
			value:  RegionInfo{ArgSize: 32, Flags: RegionRead | RegionWrite, Index: 7, Size: 256},
			encode: RegionInfo{ArgSize: 32, Flags: RegionRead | RegionWrite, Index: 7, Size: 256}.Append,
			decode: func(b []byte) (any, error) { return ParseRegionInfo(b) },
		}, {
			name: "DEVICE_GET_REGION_INFO with areas",
			hex: "50000000 0f000000 01000000 20000000 0030000000000000 0000010000000000" +
				"0100 0100 00000000 02000000 00000000" +
				"0000000000000000 0010000000000000 0020000000000000 0010000000000000",
			value: RegionInfo{ArgSize: 80, Flags: 15, Index: 1, Size: 0x3000, Offset: 0x10000,
				Areas: []Area{{0, 0x1000}, {0x2000, 0x1000}}},
			encode: RegionInfo{ArgSize: 80, Flags: 7, Index: 1, Size: 0x3000, Offset: 0x10000,
				Areas: []Area{{0, 0x1000}, {0x2000, 0x1000}}}.Append,
			decode: func(b []byte) (any, error) { return ParseRegionInfo(b) },
		}, {
			name:   "DEVICE_GET_REGION_IO_FDS",
			hex:    "10000000 00000000 02000000 00000000",
			value:  RegionIOFDs{16, 0, 2, 0},
			encode: RegionIOFDs{16, 0, 2, 0}.Append,
			decode: func(b []byte) (any, error) { return ParseRegionIOFDs(b) },
		}, {
			name:   "DEVICE_GET_IRQ_INFO",
			hex:    "10000000 09000000 02000000 08000000",
			value:  IRQInfo{16, IRQEventFD | IRQNoResize, 2, 8},
			encode: IRQInfo{16, IRQEventFD | IRQNoResize, 2, 8}.Append,
			decode: func(b []byte) (any, error) { return ParseIRQInfo(b) },
		}, {
			name:   "DEVICE_SET_IRQS",
			hex:    "16000000 12000000 02000000 01000000 02000000 0100",
			value:  IRQSet{22, IRQDataBool | IRQActionUnmask, 2, 1, 2, []byte{1, 0}},
			encode: IRQSet{0, IRQDataBool | IRQActionUnmask, 2, 1, 2, []byte{1, 0}}.Append,
			decode: func(b []byte) (any, error) { return ParseIRQSet(b) },
		}, {
			name:   "REGION_READ",
			hex:    "1000000000000000 07000000 04000000",
			value:  RegionAccess{Offset: 16, Region: 7, Count: 4},
			encode: RegionAccess{Offset: 16, Region: 7, Count: 4}.Append,
			decode: func(b []byte) (any, error) { return ParseRegionAccess(b) },
		}, {
			name:   "REGION_WRITE",
			hex:    "1000000000000000 00000000 02000000 beef",
			value:  RegionAccess{Offset: 16, Count: 2, Data: []byte{0xbe, 0xef}},
			encode: RegionAccess{Offset: 16, Count: 2, Data: []byte{0xbe, 0xef}}.Append,
			decode: func(b []byte) (any, error) { return ParseRegionData(b) },
		}, {
			name:   "DMA_READ",
			hex:    "0010000000000000 0400000000000000",
			value:  DMAAccess{Address: 0x1000, Count: 4},
			encode: DMAAccess{Address: 0x1000, Count: 4}.Append,
			decode: func(b []byte) (any, error) { return ParseDMAAccess(b) },
		}, {
			name:   "DMA_WRITE",
			hex:    "0010000000000000 0300000000000000 010203",
			value:  DMAAccess{Address: 0x1000, Count: 3, Data: []byte{1, 2, 3}},
			encode: DMAAccess{Address: 0x1000, Count: 3, Data: []byte{1, 2, 3}}.Append,
			decode: func(b []byte) (any, error) { return ParseDMAData(b) },
		}, {
			name: "REGION_WRITE_MULTI",
			hex: "0200000000000000" +
				"0400000000000000 00000000 02000000 aabb000000000000" +
				"0800000000000000 02000000 08000000 0102030405060708",
			value: []RegionAccess{{4, 0, 2, []byte{0xaa, 0xbb}}, {8, 2, 8, []byte{1, 2, 3, 4, 5, 6, 7, 8}}},
			encode: func(b []byte) []byte {
				return AppendWriteMulti(b, []RegionAccess{{Offset: 4, Data: []byte{0xaa, 0xbb}},
					{Offset: 8, Region: 2, Data: []byte{1, 2, 3, 4, 5, 6, 7, 8}}})
			},
			decode: func(b []byte) (any, error) { return ParseWriteMulti(b, nil) },
		}, {
			name:   "DEVICE_FEATURE",
			hex:    "0c000000 01000100 00000000",
			value:  DeviceFeature{12, 0x10001, make([]byte, 4)},
			encode: DeviceFeature{12, 0x10001, make([]byte, 4)}.Append,
			decode: func(b []byte) (any, error) { return ParseDeviceFeature(b) },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := unhex(t, test.hex)
			if got := test.encode(nil); !bytes.Equal(got, want) {
				t.Errorf("encoded\n%x, want\n%x", got, want)
			}
			got, err := test.decode(want)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.value) && !equalButEmpty(got, test.value) {
				t.Errorf("decoded\n%+v, want\n%+v", got, test.value)
			}
			for n := range want {
				if _, err := test.decode(want[:n:n]); err != nil {
					if !errors.Is(err, ErrProtocol) {
						t.Errorf("%d bytes: %v is not an ErrProtocol", n, err)
					}
				} else if _, whole := test.value.(RegionAccess); whole {
					t.Errorf("%d of %d bytes are accepted", n, len(want))
				}
			}
		})
	}
}

// equalButEmpty compares values of which one has an empty slice and the other none.
func equalButEmpty(a, b any) bool {
	x, okx := a.(IRQSet)
	y, oky := b.(IRQSet)
	if !okx || !oky || len(x.Data)+len(y.Data) > 0 {
		return false
	}
	x.Data, y.Data = nil, nil
	return reflect.DeepEqual(x, y)
}

func TestRejected(t *testing.T) {
	region := "50000000 0f000000 01000000 20000000 0030000000000000 0000010000000000"
	for _, test := range []struct {
		name   string
		hex    string
		decode func(b []byte) error
		about  string
	}{
		{"header with size 15", "0000 0100 0f000000 00000000 00000000", errOf(ParseHeader), "15 bytes"},
		{"header of unknown type", "0000 0100 10000000 02000000 00000000", errOf(ParseHeader), "type 2"},
		{"region write with too much data", "0000000000000000 00000000 02000000 010203", errOf(ParseRegionData), "must have 2"},
		{"region write with huge count", "0000000000000000 00000000 ffffffff 010203", errOf(ParseRegionData), "must have 4294967295"},
		{"DMA data with huge count", "0000000000000000 ffffffffffffffff 010203", errOf(ParseDMAData), "must have 18446744073709551615"},
		{"capability outside", region[:27] + " 51000000" + region[36:], errOf(ParseRegionInfo), "offset 81"},
		{"capability inside the structure", region[:27] + " 10000000" + region[36:], errOf(ParseRegionInfo), "offset 16"},
		{"capability that follows itself", region + "0500 0100 20000000", errOf(ParseRegionInfo), "offset 32"},
		{"areas that are not there", region + "0100 0100 00000000 ffffffff 00000000", errOf(ParseRegionInfo), "sparse mmap"},
		{"areas without a count", region + "0100 0100 00000000 0000", errOf(ParseRegionInfo), "sparse mmap"},
		{"area outside the region", region + "0100 0100 00000000 01000000 00000000 0020000000000000 0020000000000000", errOf(ParseRegionInfo), "mappable area"},
		{"area that overflows", region + "0100 0100 00000000 01000000 00000000 00f0ffffffffffff 0020000000000000", errOf(ParseRegionInfo), "mappable area"},
		{"writes that are not there", "0200000000000000 0400000000000000 00000000 02000000 aabb000000000000", errOf(parseMulti), "2 writes"},
		{"writes whose size overflows", "ffffffffffffff0f", errOf(parseMulti), "writes"},
		{"write of 9 bytes", "0100000000000000 0400000000000000 00000000 09000000 aabb000000000000", errOf(parseMulti), "9 bytes"},
		{"write of nothing", "0100000000000000 0400000000000000 00000000 00000000 aabb000000000000", errOf(parseMulti), "0 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.decode(unhex(t, test.hex))
			if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), test.about) {
				t.Errorf("error %q, want an ErrProtocol with %q", err, test.about)
			}
		})
	}
}

func parseMulti(b []byte) ([]RegionAccess, error) { return ParseWriteMulti(b, nil) }

func errOf[T any](parse func([]byte) (T, error)) func([]byte) error {
	return func(b []byte) error {
		_, err := parse(b)
		return err
	}
}

// TestRoomLess is a region info reply without room for its areas.
func TestRoomLess(t *testing.T) {
	r, err := ParseRegionInfo(RegionInfo{ArgSize: 64, Flags: RegionMmap | RegionCaps, Index: 1, Size: 0x2000}.Append(nil))
	if err != nil || len(r.Areas) != 0 || r.ArgSize != 64 || r.Flags&RegionCaps == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// TestUnknownCapability is a chain with a capability that is not known in front.
func TestUnknownCapability(t *testing.T) {
	b := unhex(t, `58000000 0f000000 01000000 20000000 0030000000000000 0000000000000000
		0200 0100 30000000 aaaaaaaa bbbbbbbb
		0100 0100 00000000 01000000 00000000 0010000000000000 0020000000000000`)
	r, err := ParseRegionInfo(b)
	if err != nil || !reflect.DeepEqual(r.Areas, []Area{{0x1000, 0x2000}}) {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestDMAWriteReply(t *testing.T) {
	for _, test := range []struct {
		name, hex string
		good      bool
	}{
		{"header only", "", true},
		{"count of four bytes", "0010000000000000 04000000", true},
		{"count of eight bytes", "0010000000000000 0400000000000000", true},
		{"other address", "0020000000000000 0400000000000000", false},
		{"other count", "0010000000000000 05000000", false},
		{"short", "0010000000000000", false},
		{"long", "0010000000000000 0400000000000000 00", false},
	} {
		if err := CheckDMAWriteReply(unhex(t, test.hex), 0x1000, 4); (err == nil) != test.good || err != nil && !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
