// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// Stage says where on a packet's way a judgement is made.
type Stage string

// The stages, in a packet's order.
const (
	// Framed: what the host handed to the NIC, against the golden model's framing rules.
	Framed Stage = "framed by the host"
	// Wire: the frame between the NICs.
	Wire Stage = "on the wire"
	// Delivered: the frame that the receiving NIC wrote to memory.
	Delivered Stage = "delivered"
	// Words: the IPsecOV2 result words beside it.
	Words Stage = "result words"
	// Restored: the packet after the host took ESP off.
	Restored Stage = "restored"
)

// Mismatch is one disagreement between the NIC and the golden model.
type Mismatch struct {
	Packet string `json:"packet"`
	SA     string `json:"sa,omitempty"`
	Stage  Stage  `json:"stage"`
	// Field is the first field that differs, Offset its first wrong byte.
	Field  string `json:"field"`
	Offset int    `json:"offset"`
	// Expected and Got are what was compared; empty where nothing came.
	Expected hexBytes `json:"expected"`
	Got      hexBytes `json:"got"`
}

// hexBytes marshals as hexadecimal text.
type hexBytes []byte

// MarshalText implements encoding.TextMarshaler.
func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// String is the whole report: what, where, and the bytes side by side.
func (m Mismatch) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s: %s", m.Packet, m.Stage, m.Field)
	if m.SA != "" {
		fmt.Fprintf(&b, " (%s)", m.SA)
	}
	b.WriteByte('\n')
	sideBySide(&b, m.Expected, m.Got)
	return b.String()
}

// compare returns nil if the frames are equal, else what differs first.
// espOffset is the place of the ESP header, 0 for a frame without one.
func compare(packet, sa string, stage Stage, expected, got []byte, espOffset int) *Mismatch {
	if bytes.Equal(expected, got) {
		return nil
	}
	offset := 0
	for offset < min(len(expected), len(got)) && expected[offset] == got[offset] {
		offset++
	}
	m := &Mismatch{Packet: packet, SA: sa, Stage: stage, Offset: offset, Expected: bytes.Clone(expected), Got: bytes.Clone(got)}
	switch {
	case len(got) == 0:
		m.Field = fmt.Sprintf("missing, expected %d bytes", len(expected))
	case len(expected) == 0:
		m.Field = fmt.Sprintf("unexpected frame of %d bytes", len(got))
	case offset == min(len(expected), len(got)):
		m.Field = fmt.Sprintf("length is %d, expected %d", len(got), len(expected))
	default:
		m.Field = fmt.Sprintf("%s differs from byte %d on", fieldAt(expected, offset, espOffset), offset)
	}
	return m
}

// span names the bytes before end.
type span struct {
	end  int
	name string
}

var (
	ethernetSpans = []span{{6, "Ethernet destination"}, {12, "Ethernet source"}, {14, "EtherType"}}
	ipv4Spans     = []span{{1, "IPv4 version and header length"}, {2, "IPv4 DSCP and ECN"}, {4, "IPv4 total length"}, {6, "IPv4 identification"},
		{8, "IPv4 flags and fragment offset"}, {9, "IPv4 TTL"}, {10, "IPv4 protocol"}, {12, "IPv4 header checksum"},
		{16, "IPv4 source address"}, {20, "IPv4 destination address"}}
	ipv6Spans = []span{{4, "IPv6 version, traffic class and flow label"}, {6, "IPv6 payload length"}, {7, "IPv6 next header"}, {8, "IPv6 hop limit"},
		{24, "IPv6 source address"}, {40, "IPv6 destination address"}}
	espSpans = []span{{4, "ESP SPI"}, {8, "ESP sequence number"}, {16, "ESP IV"}}
)

// fieldAt names the field that holds the byte at offset.
func fieldAt(frame []byte, offset, espOffset int) string {
	if espOffset > 0 && offset >= espOffset {
		return espFieldAt(frame, offset, espOffset)
	}
	if name, ok := nameIn(ethernetSpans, offset); ok {
		return name
	}
	ip := offset - minFrame
	spans := []span(nil)
	switch binary.BigEndian.Uint16(frame[12:]) {
	case 0x0800:
		spans = ipv4Spans
	case 0x86dd:
		spans = ipv6Spans
	}
	if name, ok := nameIn(spans, ip); ok {
		return name
	}
	return "payload"
}

func espFieldAt(frame []byte, offset, espOffset int) string {
	at := offset - espOffset
	if name, ok := nameIn(espSpans, at); ok {
		return name
	}
	if offset >= len(frame)-esp.ICVLen {
		return "ESP ICV"
	}
	const headers, block = esp.HeaderLen + esp.IVLen, 16
	return fmt.Sprintf("ESP payload block %d", (at-headers)/block)
}

func nameIn(spans []span, offset int) (string, bool) {
	for _, s := range spans {
		if offset < s.end {
			return s.name, true
		}
	}
	return "", false
}

// sideBySide writes the rows of 16 bytes in which two frames differ, and one
// row before each group, expected left and got right.
func sideBySide(b *strings.Builder, expected, got []byte) {
	const row, most = 16, 8
	rowOf := func(f []byte, i int) []byte {
		return f[min(i, len(f)):min(i+row, len(f))]
	}
	fmt.Fprintf(b, "  %-6s %-*s   %s\n", "offset", 3*row, "expected", "got")
	written, skipped := 0, 0
	for i := 0; i < max(len(expected), len(got)); i += row {
		differs := func(at int) bool { return !bytes.Equal(rowOf(expected, at), rowOf(got, at)) }
		if !differs(i) && !differs(i+row) {
			continue
		}
		if written == most {
			skipped++
			continue
		}
		mark := " "
		if differs(i) {
			mark = "*"
		}
		fmt.Fprintf(b, "%s %-6d %-*s   %s\n", mark, i, 3*row, fmt.Sprintf("% x", rowOf(expected, i)), fmt.Sprintf("% x", rowOf(got, i)))
		written++
	}
	if skipped > 0 {
		fmt.Fprintf(b, "  ... and %d more rows\n", skipped)
	}
}
