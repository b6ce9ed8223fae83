// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The vectors are typed from the table of offsets, not made by the encoder.

// unhex reads hex digits; white space and what follows a # do not count.
func unhex(s string) []byte {
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		panic(err)
	}
	return b
}

const vectorBase = 0xFFFF_C000_1234_5000

// vectorAdd is a list of two: an outbound IPv4 SA with ESN, whose key begins 4
// bytes into its key area, and an inbound IPv6 bundle of ESP and AH.
var vectorAdd = unhex(`
	80 01 b0 00  00 00 00 00                          # 0: header; padding
	c8 50 34 12 00 c0 ff ff                           # 8: Next, base + 200
	01 00 00 00  00 00 00 00                          # 16: NumExtHdrs 1, Flags outbound
	c0 00 02 01  c6 33 64 07                          # 24: 192.0.2.1, 198.51.100.7
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	88 77 66 55 44 33 22 11                           # 56: OffloadHandle
	02 00 00 00                                       # 64: UdpEspEncapsulation
	01 00 00 00 02 00 00 00 04 03 02 01               # 68: ESN, ESP, SPI
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	08 00 00 00 14 00 00 00 04 00 00 00 10 00 00 00   # AES-GCM-128, 20 bytes at 4, ICV 16
	0d 0c 0b 0a                                       # upper half
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00   # 116: second SecAssoc
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	18 00 00 00                                       # 164: KeyLength 24
	ee ee ee ee                                       # 168: KeyData
	00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f a0 a1 a2 a3
	00 00 00 00 00 00 00 00                           # 192: gap
	80 01 b0 00  00 00 00 00                          # 200 + 0
	00 00 00 00 00 00 00 00                           # Next: none
	02 00 00 00  11 00 00 00                          # two, inbound IPv6
	20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01
	20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02
	00 00 00 00 00 00 00 00
	00 00 00 00
	00 00 00 00 02 00 00 00 78 56 34 12
	04 00 00 00 20 00 00 00 10 00 00 00 00 00 00 00   # HMAC-SHA-256, 32 bytes at 16
	40 00 00 00 10 00 00 00 00 00 00 00 00 00 00 00   # AES-CBC-128, 16 bytes at 0
	00 00 00 00
	00 00 00 00 01 00 00 00 79 56 34 12               # AH
	02 00 00 00 14 00 00 00 30 00 00 00 00 00 00 00   # HMAC-SHA-1, 20 bytes at 48
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	00 00 00 00
	44 00 00 00                                       # KeyLength 68
	` + strings.Repeat("5a", 68))

// wantAdd is what vectorAdd says.
func wantAdd() []*AddSA {
	return []*AddSA{
		{
			NumExtHdrs: 1, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.7"),
			OffloadHandle: 0x1122334455667788, UDPESP: UDPTunnel,
			SecAssoc: [2]SecurityAssociation{{Flags: 1, Operation: OperationESP, SPI: 0x01020304,
				Encryption: AlgorithmInfo{8, 20, 4, 16}, SequenceNumberHighOrder: 0x0A0B0C0D}},
			KeyData: append([]byte{0xEE, 0xEE, 0xEE, 0xEE}, key16...),
		},
		{
			NumExtHdrs: 2, Flags: FlagInbound | FlagIPv6,
			Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2"),
			SecAssoc: [2]SecurityAssociation{
				{Operation: OperationESP, SPI: 0x12345678, Authentication: AlgorithmInfo{4, 32, 16, 0}, Encryption: AlgorithmInfo{0x40, 16, 0, 0}},
				{Operation: OperationAH, SPI: 0x12345679, Authentication: AlgorithmInfo{2, 20, 48, 0}},
			},
			KeyData: bytes.Repeat([]byte{0x5A}, 68),
		},
	}
}

var vectorAddEx = unhex(`
	80 01 b0 00  01 00 00 00  10 00 00 00             # 0: header, NumExtHdrs, Flags IPv6 outbound
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00   # 12: any source
	20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 09
	00 00 00 00                                       # 44: padding
	00 00 00 00 00 00 00 00                           # 48: OffloadHandle
	00 00 00 00                                       # 56
	00 00 00 00 02 00 00 00 01 10 00 00               # 60: ESP, SPI 0x1001
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	08 00 00 00 14 00 00 00 00 00 00 00 10 00 00 00
	00 00 00 00
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00   # 108
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	14 00 00 00                                       # 156: KeyLength
	bd 00 00 00                                       # 160: KeyOffset 189: 13 bytes of gap
	03 00 00 00                                       # 164: SourceSwitchPortId
	2a 00                                             # 168: VlanId
	00 00 00 00 00 00                                 # padding to 176
	00 00 00 00 00 00 00 00 00 00 00 00 00            # gap
	00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f a0 a1 a2 a3`)

func wantAddEx() *AddSAEx {
	e := &AddSAEx{AddSA: *gcm(0x1001, FlagIPv6), KeyOffset: 189, SourceSwitchPortID: 3, VLANID: 42}
	e.Src, e.Dst = netip.Addr{}, netip.MustParseAddr("2001:db8::9")
	return e
}

var (
	vectorUpdate = unhex(`80 01 20 00 00 00 00 00  88 77 66 55 44 33 22 11  02 00 00 00  01 10 00 00  0d 0c 0b 0a  00 00 00 00`)
	vectorDelete = unhex(`
		80 01 18 00 00 00 00 00  18 50 34 12 00 c0 ff ff  01 00 00 00 00 00 00 00
		80 01 18 00 00 00 00 00  00 00 00 00 00 00 00 00  02 00 00 00 07 00 00 00`)
	vectorParameters = unhex(`80 03 1a 00  01 02 03 04 03 02 01 02 01 02 01  00  01 00 00 00  04 03  02 01  02 03  00 00`)
	vectorEncapsule  = unhex(`a8 01 1c 00  01 00 00 00 02 00 00 00 0e 00 00 00  02 00 00 00 10 00 00 00 16 00 00 00`)
	vectorCapability = unhex(`
		0e 00 00 00  01 00 01 01 01 01 01 01 01 00 01  00
		0b 00 00 00  3d 00 00 00  f9 01 00 00  00 04 00 00`)

	wantUpdate     = UpdateSA{0x1122334455667788, OperationESP, 0x1001, 0x0A0B0C0D}
	wantDelete     = []OffloadHandle{1, 0x700000002}
	wantParameters = Parameters{IPv4Checksum: 1, TCPIPv4Checksum: 2, UDPIPv4Checksum: 3, TCPIPv6Checksum: 4, UDPIPv6Checksum: 3,
		LSOV1: 2, IPsecV1: 1, LSOV2IPv4: 2, LSOV2IPv6: 1, TCPConnectionIPv4: 2, TCPConnectionIPv6: 1, Flags: 1,
		IPsecV2: 4, IPsecV2IPv4: 3, RSCIPv4: 2, RSCIPv6: 1, EncapsulatedPacketTaskOffload: 2, EncapsulationTypes: 3}
	wantEncapsule = EncapsulationSetting{
		IPv4: EncapsulationParameters{1, EncapsulationEthernet, 14},
		IPv6: EncapsulationParameters{2, EncapsulationLLCSNAP, 22},
	}
	wantCapability = Capabilities{
		Encapsulation: EncapsulationEthernet | EncapsulationVLANInData | EncapsulationVLANOutOfBand,
		IPv6Supported: true, IPv6NonIPsecExtensionHeaders: true, AH: true, ESP: true, AHESPCombined: true,
		Transport: true, Tunnel: true, TransportTunnelCombined: true, ExtendedSequenceNumbers: true,
		UDPESP:                   UDPTransport | UDPTunnel | UDPTransportInTunnel,
		AuthenticationAlgorithms: 0x3D, EncryptionAlgorithms: 0x1F9, SAOffloadCapacity: 1024,
	}
)

// same compares what was decoded with what was wanted.
func same(t *testing.T, name string, got, want any, err error) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, error %v, want %+v", name, got, err, want)
	}
}

// TestVectors: every structure reads as the table of offsets says (CAP-3).
func TestVectors(t *testing.T) {
	add, err := DecodeAddSA(vectorAdd, vectorBase)
	same(t, "ADD_SA", add, wantAdd(), err)
	ex, err := DecodeAddSAEx(vectorAddEx)
	same(t, "ADD_SA_EX", ex, wantAddEx(), err)
	update, err := DecodeUpdateSA(vectorUpdate)
	same(t, "UPDATE_SA", update, wantUpdate, err)
	del, err := DecodeDeleteSA(vectorDelete, vectorBase)
	same(t, "DELETE_SA", del, wantDelete, err)
	parameters, err := DecodeParameters(vectorParameters)
	same(t, "OFFLOAD_PARAMETERS", parameters, wantParameters, err)
	encapsulation, err := DecodeEncapsulation(vectorEncapsule)
	same(t, "OFFLOAD_ENCAPSULATION", encapsulation, wantEncapsule, err)
	var capability Capabilities
	err = capability.UnmarshalBinary(vectorCapability)
	same(t, "capability record", capability, wantCapability, err)
	if err := capability.UnmarshalBinary(vectorCapability[:31]); StatusOf(err) != StatusInvalidLength {
		t.Errorf("record of 31 bytes: %v", err)
	}

	// Earlier revisions end earlier; what is behind is not theirs.
	old := bytes.Clone(vectorParameters)
	old[1] = 2
	old[2] = 22
	parameters, err = DecodeParameters(old)
	want := wantParameters
	want.RSCIPv4, want.RSCIPv6, want.EncapsulatedPacketTaskOffload, want.EncapsulationTypes = 0, 0, 0, 0
	same(t, "OFFLOAD_PARAMETERS revision 2", parameters, want, err)
	old[1] = 1
	parameters, err = DecodeParameters(old)
	want.IPsecV2, want.IPsecV2IPv4 = 0, 0
	same(t, "OFFLOAD_PARAMETERS revision 1", parameters, want, err)

	// The encoders make the same bytes.
	capabilityBytes, _ := wantCapability.MarshalBinary()
	for _, c := range []struct {
		name      string
		got, want []byte
	}{
		{"ADD_SA_EX", EncodeAddSAEx(wantAddEx()), vectorAddEx},
		{"UPDATE_SA", EncodeUpdateSA(wantUpdate), vectorUpdate},
		{"DELETE_SA", EncodeDeleteSA(vectorBase, wantDelete...), vectorDelete},
		{"OFFLOAD_PARAMETERS", EncodeParameters(wantParameters), vectorParameters},
		{"OFFLOAD_ENCAPSULATION", EncodeEncapsulation(wantEncapsule), vectorEncapsule},
		{"capability record", capabilityBytes, vectorCapability},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s encodes to\n%x, want\n%x", c.name, c.got, c.want)
		}
	}
	// ADD_SA's entries stand closer together than in the vector.
	closer, err := DecodeAddSA(EncodeAddSA(vectorBase, wantAdd()...), vectorBase)
	same(t, "ADD_SA encoded and decoded", closer, wantAdd(), err)
	if got := EncodeAddSA(vectorBase, wantAdd()[0]); !bytes.Equal(got[16:192], vectorAdd[16:192]) {
		t.Errorf("ADD_SA encodes to\n%x, want\n%x", got[16:], vectorAdd[16:192])
	}
}

// TestMalformed breaks each rule of the structures once (CFG-2, ADD-8).
func TestMalformed(t *testing.T) {
	put64 := func(b []byte, at int, v uint64) { little.PutUint64(b[at:], v) }
	put32 := func(b []byte, at int, v uint32) { little.PutUint32(b[at:], v) }
	b := newBench(t, Options{})
	indications := 0
	defer b.Subscribe(func(Indication) { indications++ })()
	for _, c := range []struct {
		name   string
		oid    OID
		vector []byte
		change func(b []byte) []byte
		want   Status
		field  string
	}{
		{"empty", OIDAddSA, vectorAdd, func(b []byte) []byte { return nil }, StatusBufferTooShort, "entry 0: buffer"},
		{"short", OIDAddSA, vectorAdd, func(b []byte) []byte { return b[:167] }, StatusBufferTooShort, "entry 0: buffer"},
		{"type", OIDAddSA, vectorAdd, func(b []byte) []byte { b[0] = 0x81; return b }, StatusInvalidData, "entry 0: Header.Type"},
		{"revision", OIDAddSA, vectorAdd, func(b []byte) []byte { b[1] = 0; return b }, StatusInvalidData, "entry 0: Header.Revision"},
		{"size", OIDAddSA, vectorAdd, func(b []byte) []byte { b[2] = 167; return b }, StatusInvalidLength, "entry 0: Header.Size"},
		{"Next before", OIDAddSA, vectorAdd, func(b []byte) []byte { put64(b, 8, vectorBase-8); return b }, StatusInvalidData, "entry 0: Next"},
		{"Next behind", OIDAddSA, vectorAdd, func(b []byte) []byte { put64(b, 8, vectorBase+uint64(len(b))); return b }, StatusInvalidData, "entry 0: Next"},
		{"Next misaligned", OIDAddSA, vectorAdd, func(b []byte) []byte { put64(b, 8, vectorBase+196); return b }, StatusInvalidData, "entry 0: Next"},
		{"Next at the end", OIDAddSA, vectorAdd, func(b []byte) []byte { put64(b, 8, vectorBase+400); return b }, StatusBufferTooShort, "entry 1: buffer"},
		{"loop of one", OIDAddSA, vectorAdd, func(b []byte) []byte { put64(b, 8, vectorBase); return b }, StatusInvalidData, "entry 0: Next"},
		{"loop of two", OIDAddSA, vectorAdd, func(b []byte) []byte { put64(b, 208, vectorBase); return b }, StatusInvalidData, "entry 1: Next"},
		{"overlap", OIDAddSA, vectorAdd, func(b []byte) []byte {
			copy(b[184:], b[:168]) // a structure within the first one's key area
			put64(b, 8, vectorBase+184)
			put64(b, 192, 0)
			return b
		}, StatusInvalidData, "Next"},
		{"key too long", OIDAddSA, vectorAdd, func(b []byte) []byte { put32(b, 164, uint32(len(b))); return b }, StatusInvalidData, "entry 0: KeyLength"},
		{"key far too long", OIDAddSA, vectorAdd, func(b []byte) []byte { put32(b, 164, ^uint32(0)); return b }, StatusInvalidData, "entry 0: KeyLength"},
		{"EX short", OIDAddSAEx, vectorAddEx, func(b []byte) []byte { return b[:169] }, StatusBufferTooShort, "buffer"},
		{"EX key inside", OIDAddSAEx, vectorAddEx, func(b []byte) []byte { put32(b, 160, 100); return b }, StatusInvalidData, "KeyOffset"},
		{"EX key outside", OIDAddSAEx, vectorAddEx, func(b []byte) []byte { put32(b, 160, 190); return b }, StatusInvalidData, "KeyLength"},
		{"EX key wraps", OIDAddSAEx, vectorAddEx, func(b []byte) []byte { put32(b, 160, ^uint32(0)); return b }, StatusInvalidData, "KeyLength"},
		{"EX three headers", OIDAddSAEx, vectorAddEx, func(b []byte) []byte { b[4] = 3; return b }, StatusInvalidData, "NumExtHdrs"},
		{"UPDATE short", OIDUpdateSA, vectorUpdate, func(b []byte) []byte { return b[:27] }, StatusBufferTooShort, "buffer"},
		{"UPDATE unknown", OIDUpdateSA, vectorUpdate, func(b []byte) []byte { return b }, StatusInvalidParameter, "OffloadHandle"},
		{"DELETE short", OIDDeleteSA, vectorDelete, func(b []byte) []byte { return b[:23] }, StatusBufferTooShort, "entry 0: buffer"},
		{"DELETE loop", OIDDeleteSA, vectorDelete, func(b []byte) []byte { put64(b, 32, vectorBase); return b }, StatusInvalidData, "entry 1: Next"},
		{"parameters short", OIDTCPOffloadParameters, vectorParameters, func(b []byte) []byte { return b[:25] }, StatusInvalidLength, "buffer"},
		{"parameters type", OIDTCPOffloadParameters, vectorParameters, func(b []byte) []byte { b[0] = 0; return b }, StatusInvalidData, "Header.Type"},
		{"parameters value", OIDTCPOffloadParameters, vectorParameters, func(b []byte) []byte { b[20] = 5; return b }, StatusInvalidData, "IPsecV2"},
		{"encapsulation type", OIDOffloadEncapsulation, vectorEncapsule, func(b []byte) []byte { b[0] = 0x80; return b }, StatusInvalidData, "Header.Type"},
		{"encapsulation short", OIDOffloadEncapsulation, vectorEncapsule, func(b []byte) []byte { return b[:27] }, StatusInvalidLength, "buffer"},
		{"query", OIDTCPOffloadCurrentConfig, vectorEncapsule, func(b []byte) []byte { return b }, StatusNotSupported, "OID"},
		{"version 1", 0xFC010202, vectorAdd, func(b []byte) []byte { return b }, StatusNotSupported, "OID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			buf := c.change(bytes.Clone(c.vector))
			status, err := b.Request(b.ctx, c.oid, buf, vectorBase)
			refusedAs(t, err, c.want, c.field)
			if status != c.want {
				t.Errorf("status %v, want %v", status, c.want)
			}
			if c.oid == OIDAddSA && len(buf) >= 176 && strings.HasPrefix(c.field, "entry 0: Next") && little.Uint64(buf[56:]) != 0 {
				t.Error("the handle is not null")
			}
			if indications != 0 || len(b.driver.ListSAs()) != 0 {
				t.Error("something has changed")
			}
		})
	}
}

// TestRequests replays captured requests: handles come back in the buffer.
func TestRequests(t *testing.T) {
	b := newBench(t, Options{})
	request := func(oid OID, buf []byte, want Status) {
		t.Helper()
		if status, err := b.Request(b.ctx, oid, buf, vectorBase); status != want {
			t.Fatalf("%v: %v (%v), want %v", oid, status, err, want)
		}
	}
	list := []*AddSA{esn(gcm(1, 0), 9), gcm(2, FlagInbound), gcm(3, 0)}
	list[1].SecAssoc[0].Encryption.Identifier = 0x80000000
	list[1].OffloadHandle = 5
	buf := EncodeAddSA(vectorBase, list...)
	before := bytes.Clone(buf)
	request(OIDAddSA, buf, StatusSuccess)
	var handles []OffloadHandle
	for i := range 3 {
		at := i*192 + 56
		handles = append(handles, OffloadHandle(little.Uint64(buf[at:])))
		copy(before[at:at+8], buf[at:])
	}
	if handles[0] == 0 || handles[1] != 0 || handles[2] == 0 || !bytes.Equal(buf, before) {
		t.Errorf("handles %v, and the rest of the buffer unchanged: %v", handles, bytes.Equal(buf, before))
	}
	ex := bytes.Clone(vectorAddEx)
	request(OIDAddSAEx, ex, StatusSuccess)
	handles = append(handles, OffloadHandle(little.Uint64(ex[48:])))
	request(OIDUpdateSA, EncodeUpdateSA(UpdateSA{handles[0], OperationESP, 1, 10}), StatusSuccess)
	if sa, err := b.driver.ReadSA(b.ctx, b.table.all()[0].handle); err != nil || len(b.table.all()) != 3 {
		t.Error(sa, err)
	}
	if differences, err := b.Compare(b.ctx); err != nil || len(differences) != 0 {
		t.Errorf("differences %v, error %v", differences, err)
	}
	request(OIDDeleteSA, EncodeDeleteSA(vectorBase, handles[0], handles[2], handles[3]), StatusSuccess)
	if n := len(b.driver.ListSAs()); n != 0 {
		t.Errorf("%d SAs are left", n)
	}
	request(OIDOffloadEncapsulation, EncodeEncapsulation(EthernetOn), StatusSuccess)
	request(OIDTCPOffloadParameters, EncodeParameters(Parameters{IPsecV2: 1}), StatusSuccess)
	if b.CurrentConfiguration() != (Offload{}) {
		t.Error("configuration is not off")
	}
	order := newBench(t, Options{SPINetworkOrder: true})
	e := gcm(0x01020304, 0)
	if status, err := order.Request(b.ctx, OIDAddSA, EncodeAddSA(vectorBase, e), vectorBase); status != StatusSuccess {
		t.Fatal(err)
	}
	if got := order.ListSAs()[0].SA.SPI; got != 0x04030201 {
		t.Errorf("SPI %#x in network order", got)
	}
}

// TestAddRoundTrip: any entry encodes and decodes to itself.
func TestAddRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []*AddSA
		for range rapid.IntRange(1, 5).Draw(t, "entries") {
			list = append(list, drawEntry(t))
		}
		base := rapid.Uint64Range(0, 1<<60).Draw(t, "base") &^ 7
		got, err := DecodeAddSA(EncodeAddSA(base, list...), base)
		if err != nil || !reflect.DeepEqual(got, list) {
			t.Fatalf("got %+v, error %v", got, err)
		}
		ex := &AddSAEx{AddSA: *list[0], KeyOffset: rapid.Uint32Range(170, 400).Draw(t, "offset"), VLANID: rapid.Uint16().Draw(t, "VLAN")}
		gotEx, err := DecodeAddSAEx(EncodeAddSAEx(ex))
		if err != nil || !reflect.DeepEqual(gotEx, ex) {
			t.Fatalf("got %+v, error %v", gotEx, err)
		}
	})
}

func drawEntry(t *rapid.T) *AddSA {
	word := func(name string) uint32 { return rapid.Uint32().Draw(t, name) }
	algorithm := func() AlgorithmInfo { return AlgorithmInfo{word("id"), word("length"), word("offset"), word("info")} }
	e := &AddSA{NumExtHdrs: word("headers"), Flags: SAFlags(word("flags")), OffloadHandle: OffloadHandle(rapid.Uint64().Draw(t, "handle")),
		UDPESP: UDPEncapsulation(word("UDP")), KeyData: rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "key")}
	size := 4
	if e.Flags&FlagIPv6 != 0 {
		size = 16
	}
	for _, a := range []*netip.Addr{&e.Src, &e.Dst} {
		if *a, _ = netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "address")); a.IsUnspecified() {
			*a = netip.Addr{}
		}
	}
	for i := range e.SecAssoc {
		e.SecAssoc[i] = SecurityAssociation{word("flags"), Operation(word("operation")), word("SPI"), algorithm(), algorithm(), word("high")}
	}
	return e
}

// seeds are well-formed requests of every kind for an adapter.
func seeds(own ...OffloadHandle) map[OID][][]byte {
	ex := EncodeAddSAEx(&AddSAEx{AddSA: *gcm(9, 0)})
	return map[OID][][]byte{
		OIDAddSA:                {vectorAdd, EncodeAddSA(vectorBase, gcm(7, 0), gcm(8, FlagInbound|FlagIPv6), esn(gcm(9, FlagTunnel), 3))},
		OIDAddSAEx:              {vectorAddEx, ex},
		OIDUpdateSA:             {vectorUpdate, EncodeUpdateSA(UpdateSA{own[0], OperationESP, 1, 4})},
		OIDDeleteSA:             {vectorDelete, EncodeDeleteSA(vectorBase, 1<<40, 5, 1<<33)},
		OIDTCPOffloadParameters: {vectorParameters},
		OIDOffloadEncapsulation: {vectorEncapsule},
	}
}

// mutate changes a copy of b: bits, words to telling values, lengths.
func mutate(r *rand.Rand, b []byte) []byte {
	b = append(make([]byte, 0, len(b)+16), b...)
	for range 1 + r.IntN(4) {
		if len(b) == 0 {
			return b
		}
		switch at := r.IntN(len(b)); r.IntN(5) {
		case 0:
			b[at] ^= 1 << r.IntN(8)
		case 1:
			b[at] = byte(r.Uint32())
		case 2:
			if at &^= 3; at+4 <= len(b) {
				little.PutUint32(b[at:], []uint32{0, 1, 2, 3, 4, 8, ^uint32(0), 1 << 31, uint32(len(b)), r.Uint32()}[r.IntN(10)])
			}
		case 3:
			if at &^= 7; at+8 <= len(b) {
				little.PutUint64(b[at:], vectorBase+uint64(r.IntN(len(b)+16)))
			}
		case 4:
			b = b[:at]
		}
	}
	return b
}

// TestMutatedRequests sends 10^6 damaged buffers (ADD-8): no panic, and only
// buffers that are still well-formed change anything.
func TestMutatedRequests(t *testing.T) {
	count := 1_000_000
	if testing.Short() {
		count = 20_000
	}
	b := newBench(t, Options{})
	kept := b.add(t, esn(gcm(1, FlagInbound), 3))
	requests := seeds(kept)
	oids := []OID{OIDAddSA, OIDAddSAEx, OIDUpdateSA, OIDDeleteSA, OIDTCPOffloadParameters, OIDOffloadEncapsulation}
	r := rand.New(rand.NewPCG(1, 2))
	outcomes := map[Status]int{}
	start := time.Now()
	for i := range count {
		oid := oids[r.IntN(len(oids))]
		buf := mutate(r, requests[oid][r.IntN(len(requests[oid]))])
		held := len(b.table.entries)
		status, err := b.Request(b.ctx, oid, buf, vectorBase)
		outcomes[status]++
		if (status == StatusSuccess) != (err == nil) {
			t.Fatalf("status %v with error %v", status, err)
		}
		switch {
		case status == StatusSuccess && (oid == OIDAddSA || oid == OIDAddSAEx):
			b.sweepAdded(t, kept)
		case status == StatusSuccess && oid == OIDTCPOffloadParameters:
			if err := b.SetParameters(b.ctx, Parameters{IPsecV2: 4}); err != nil {
				t.Fatal(err)
			}
		case len(b.table.entries) != held:
			t.Fatalf("request %d, %v with %v: %d SAs, before %d\n%x", i, oid, status, len(b.table.entries), held, buf)
		}
	}
	t.Logf("%d requests in %v: %v", count, time.Since(start).Round(time.Millisecond), outcomes)
	for _, status := range []Status{StatusSuccess, StatusInvalidData, StatusInvalidLength, StatusBufferTooShort, StatusInvalidParameter, StatusNotSupported} {
		if outcomes[status] == 0 {
			t.Errorf("no request ended with %v: the buffers are damaged too little or too much", status)
		}
	}
	if differences, err := b.Compare(b.ctx); err != nil || len(differences) != 0 || len(b.driver.ListSAs()) != 1 {
		t.Errorf("differences %v, error %v, %d SAs", differences, err, len(b.driver.ListSAs()))
	}
}

// sweepAdded deletes all SAs but one.
func (b *bench) sweepAdded(t testing.TB, kept OffloadHandle) {
	t.Helper()
	for _, e := range b.table.all() {
		if h := b.handle(e.handle); h != kept {
			if err := b.DeleteSA(b.ctx, h); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// FuzzRequest: no buffer makes a request panic, and a refused one leaves the
// table as it was.
func FuzzRequest(f *testing.F) {
	b := newBench(f, Options{})
	kept := b.add(f, esn(gcm(1, FlagInbound), 3))
	for oid, buffers := range seeds(kept) {
		for _, buf := range buffers {
			f.Add(uint32(oid), buf, uint64(vectorBase))
		}
	}
	f.Fuzz(func(t *testing.T, oid uint32, buf []byte, base uint64) {
		held := len(b.table.all())
		status, err := b.Request(b.ctx, OID(oid), bytes.Clone(buf), base)
		if (status == StatusSuccess) != (err == nil) {
			t.Fatalf("status %v with error %v", status, err)
		}
		if status != StatusSuccess && len(b.table.all()) != held && OID(oid) != OIDDeleteSA {
			t.Fatalf("%v with %v: %d SAs, before %d", OID(oid), status, len(b.table.all()), held)
		}
		b.sweepAdded(t, kept)
		_ = b.SetParameters(b.ctx, Parameters{IPsecV2: 4})
	})
}

// FuzzCapabilities: a record that is read is written as the same bytes, apart
// from booleans that are neither 0 nor 1 and the padding.
func FuzzCapabilities(f *testing.F) {
	f.Add(vectorCapability)
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Capabilities
		if err := c.UnmarshalBinary(b); err != nil {
			if len(b) == CapabilitiesSize {
				t.Fatal(err)
			}
			return
		}
		out, _ := c.MarshalBinary()
		var again Capabilities
		if err := again.UnmarshalBinary(out); err != nil || again != c {
			t.Fatalf("%+v becomes %+v, error %v", c, again, err)
		}
		_ = c.Check()
		if !c.consistent().SubsetOf(c.consistent()) {
			t.Fatal("a consistent record is no subset of itself")
		}
	})
}
