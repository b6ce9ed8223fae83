// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bytes"
	"strings"
	"testing"
)

// espFrame is an ESP frame over IPv4 with 40 bytes of payload: 114 - 8 bytes.
func espFrame() []byte {
	frame := make([]byte, 14+20+16+40+16)
	frame[12], frame[13] = 0x08, 0x00
	return frame
}

func TestCompareNamesTheField(t *testing.T) {
	for _, c := range []struct {
		offset int
		want   string
	}{
		{0, "Ethernet destination"}, {6, "Ethernet source"}, {12, "EtherType"},
		{16, "IPv4 total length"}, {24, "IPv4 header checksum"}, {33, "IPv4 destination address"},
		{34, "ESP SPI"}, {38, "ESP sequence number"}, {42, "ESP IV"}, {50, "ESP payload block 0"}, {66, "ESP payload block 1"},
		{89, "ESP payload block 2"}, {90, "ESP ICV"}, {105, "ESP ICV"},
	} {
		expected, got := espFrame(), espFrame()
		got[c.offset] ^= 1
		m := compare("x packet 1", "SPI 1", Wire, expected, got, 34)
		if m == nil || !strings.HasPrefix(m.Field, c.want+" differs") || m.Offset != c.offset {
			t.Errorf("byte %d: %+v, want %s", c.offset, m, c.want)
		}
	}
}

func TestCompareSeesLengths(t *testing.T) {
	frame := espFrame()
	for name, c := range map[string]struct{ expected, got []byte }{
		"length is 105": {frame, frame[:105]}, "length is 106": {frame[:105], frame}, "missing": {frame, nil}, "unexpected": {nil, frame},
	} {
		if m := compare("x", "", Wire, c.expected, c.got, 0); m == nil || !strings.HasPrefix(m.Field, name) {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if m := compare("x", "", Wire, frame, bytes.Clone(frame), 34); m != nil {
		t.Errorf("equal frames: %v", m)
	}
}

func TestMismatchPrintsSideBySide(t *testing.T) {
	expected, got := espFrame(), espFrame()
	got[50] = 0xAB
	text := compare("http.pcap packet 17", "SPI 0x1000", Wire, expected, got, 34).String()
	for _, want := range []string{"http.pcap packet 17, on the wire: ESP payload block 0 differs from byte 50 on (SPI 0x1000)", "* 48 ", "00 00 ab 00", "  32 "} {
		if !strings.Contains(text, want) {
			t.Errorf("report lacks %q:\n%s", want, text)
		}
	}
}
