// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzParse decodes arbitrary bytes as every message. What is accepted must encode
// to something that decodes to the same bytes again.
func FuzzParse(f *testing.F) {
	f.Add(version(0, 1, `{"capabilities":{"max_msg_fds":16,"twin_socket":{"supported":true,"fd_index":0}}}`+"\x00"))
	f.Add(RegionInfo{ArgSize: 80, Flags: 15, Index: 1, Size: 0x3000, Areas: []Area{{0, 0x1000}, {0x2000, 0x1000}}}.Append(nil))
	f.Add(AppendWriteMulti(nil, []RegionAccess{{Data: []byte{1}}, {Data: []byte{1, 2, 3, 4, 5, 6, 7, 8}}}))
	f.Add(DMAAccess{Address: 1, Count: 3, Data: []byte{1, 2, 3}}.Append(nil))
	f.Add(RegionAccess{Offset: 1, Count: 3, Data: []byte{1, 2, 3}}.Append(nil))
	f.Add(Header{ID: 1, Command: 2, Size: 16, Flags: FlagReply | FlagError, Errno: EINVAL}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		again(t, b, ParseHeader, Header.Append)
		again(t, b, ParseVersion, Version.Append)
		again(t, b, ParseDMAMap, DMAMap.Append)
		again(t, b, ParseDMAUnmap, DMAUnmap.Append)
		again(t, b, ParseDMAAccess, DMAAccess.Append)
		again(t, b, ParseDMAData, DMAAccess.Append)
		again(t, b, ParseDeviceInfo, DeviceInfo.Append)
		again(t, b, ParseRegionInfo, RegionInfo.Append)
		again(t, b, ParseRegionIOFDs, RegionIOFDs.Append)
		again(t, b, ParseIRQInfo, IRQInfo.Append)
		again(t, b, ParseIRQSet, IRQSet.Append)
		again(t, b, ParseRegionAccess, RegionAccess.Append)
		again(t, b, ParseRegionData, RegionAccess.Append)
		again(t, b, parseMulti, func(w []RegionAccess, b []byte) []byte { return AppendWriteMulti(b, w) })
		again(t, b, ParseDeviceFeature, DeviceFeature.Append)
		if err := CheckDMAWriteReply(b, 1, 2); err != nil && !errors.Is(err, ErrProtocol) {
			t.Errorf("%v is not an ErrProtocol", err)
		}
	})
}

func again[T any](t *testing.T, b []byte, parse func([]byte) (T, error), encode func(T, []byte) []byte) {
	t.Helper()
	v, err := parse(b)
	if err != nil {
		if !errors.Is(err, ErrProtocol) {
			t.Errorf("%T: %v is not an ErrProtocol", v, err)
		}
		return
	}
	first := encode(v, nil)
	v, err = parse(first)
	if err != nil {
		t.Fatalf("%T: its own encoding %x of %x is refused: %v", v, first, b, err)
	}
	if second := encode(v, nil); !bytes.Equal(first, second) {
		t.Errorf("%T: encodes to %x, then to %x", v, first, second)
	}
}
