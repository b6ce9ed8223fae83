// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// pair adds an outbound and an inbound SA of one SPI.
func (b *bench) pair(t testing.TB, spi uint32) (out, in OffloadHandle) {
	t.Helper()
	return b.add(t, gcm(spi, 0)), b.add(t, gcm(spi, FlagInbound))
}

// refusedAs checks that err is a refusal of a field with a status.
func refusedAs(t testing.TB, err error, status Status, field string) {
	t.Helper()
	var refused *RefusedError
	if !errors.As(err, &refused) {
		t.Errorf("error %v, want a refusal of %s with %v", err, field, status)
		return
	}
	if refused.Status != status || refused.Field != field || StatusOf(err) != status {
		t.Errorf("refused %s with %v (%v), want %s with %v", refused.Field, refused.Status, err, field, status)
	}
	if refused.Op == "" || refused.Asked == "" {
		t.Errorf("refusal without operation or what was asked: %v", err)
	}
}

// TestThreeViews is CAP-1: hardware stays the same whatever the keywords say,
// default follows them, current begins as default.
func TestThreeViews(t *testing.T) {
	var hardware Offload
	for setting := IPsecOff; setting <= IPsecAHAndESP; setting++ {
		keywords := DefaultKeywords()
		keywords.IPsecOffloadV2 = setting
		b := newBench(t, Options{Keywords: &keywords})
		if setting == IPsecOff {
			hardware = b.HardwareCapabilities()
		}
		if got := b.HardwareCapabilities(); got != hardware || !got.IPsecV2.ESP {
			t.Errorf("%v: hardware capabilities %+v, before %+v", setting, got, hardware)
		}
		want := hardware // this hardware has ESP only
		if !setting.esp() {
			want = Offload{}
		}
		if got := b.DefaultConfiguration(); got != want || b.CurrentConfiguration() != want {
			t.Errorf("%v: default %+v, current %+v, want %+v", setting, got, b.CurrentConfiguration(), want)
		}
	}
	c := hardware.IPsecV2 // CAP-2
	if c.Encapsulation&EncapsulationEthernet == 0 || !c.Tunnel || !c.Transport || !c.ESP || !c.IPv6Supported || c.EncryptionAlgorithms&0x38 == 0 {
		t.Errorf("hardware record %+v lacks what is mandatory", c)
	}
	if c.AH || c.AuthenticationAlgorithms != 0 || c.LSOSupported || c.TransportTunnelCombined || c.UDPESP != 0 || c.SAOffloadCapacity != benchSlots {
		t.Errorf("hardware record %+v promises what the Go NIC has not", c)
	}
}

// TestNoWholeICV: what the driver cannot ask of the hardware is not promised.
func TestNoWholeICV(t *testing.T) {
	b := newBench(t, Options{})
	short := &shrunk{b.nic, func(c *driver.Capabilities) { c.ICVLengths = []int{12, 8} }}
	a, err := newAdapter(b.ctx, short, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.HardwareCapabilities(); got != (Offload{}) {
		t.Errorf("without ICVs of 16 bytes: %+v", got)
	}
}

// TestParameters is CFG-1, CFG-2 and CFG-3.
func TestParameters(t *testing.T) {
	b := newBench(t, Options{})
	var got []Indication
	defer b.Subscribe(func(i Indication) { got = append(got, i) })()
	on := b.HardwareCapabilities()
	for i, c := range []struct {
		p    Parameters
		want Offload
	}{
		{Parameters{IPsecV2: 1}, Offload{}},
		{Parameters{IPsecV2: 2}, Offload{}}, // AH only, which the hardware has not
		{Parameters{IPsecV2: 3}, on},
		{Parameters{IPsecV2: 1, Flags: SkipRegistryUpdate}, Offload{}},
		{Parameters{IPsecV2: 4}, on},
		{Parameters{IPsecV2: 0}, on},
		{Parameters{IPsecV2IPv4: 1}, on}, // ignored with IPv6
		{Parameters{LSOV2IPv4: 1, LSOV2IPv6: 1}, on},
	} {
		if err := b.SetParameters(b.ctx, c.p); err != nil {
			t.Fatal(err)
		}
		if len(got) != i+1 {
			t.Fatalf("%d indications after %d sets", len(got), i+1)
		}
		if got[i].Status != StatusTaskOffloadCurrentConfig || got[i].Offload != c.want || b.CurrentConfiguration() != c.want {
			t.Errorf("set %+v: indicated %v %+v, current %+v, want %+v", c.p, got[i].Status, got[i].Offload, b.CurrentConfiguration(), c.want)
		}
	}
	n := len(got)
	refusedAs(t, b.SetParameters(b.ctx, Parameters{IPsecV2: 5}), StatusInvalidData, "IPsecV2")
	refusedAs(t, b.SetParameters(b.ctx, Parameters{IPsecV2: 1, LSOV2IPv4: 3}), StatusInvalidData, "LsoV2IPv4")
	refusedAs(t, b.SetParameters(b.ctx, Parameters{IPsecV2: 1, Flags: 2}), StatusInvalidData, "Flags")
	refusedAs(t, b.SetEncapsulation(b.ctx, EncapsulationSetting{IPv4: EncapsulationParameters{Enabled: 1, Type: EncapsulationLLCSNAP}}),
		StatusInvalidParameter, "IPv4.EncapsulationType")
	refusedAs(t, b.SetEncapsulation(b.ctx, EncapsulationSetting{IPv6: EncapsulationParameters{Enabled: 3, Type: EncapsulationEthernet}}),
		StatusInvalidParameter, "IPv6.Enabled")
	if len(got) != n || b.CurrentConfiguration() != on || b.Active() {
		t.Errorf("refused sets: %d indications, current %+v, active %v", len(got)-n, b.CurrentConfiguration(), b.Active())
	}
}

// TestActivation is CFG-4, CFG-5 and TX-12: nothing is processed before the
// encapsulation is set or after IPsec is off, and nothing leaves in clear.
func TestActivation(t *testing.T) {
	b := newBench(t, Options{})
	out, _ := b.pair(t, 0x2001)
	frame := framed(t, 0x2001, 1, false, "before")
	s := b.sendOf(t, out, frame)
	_, err := b.PrepareSend(s)
	refusedAs(t, err, StatusFailure, "slot 1")
	b.put(t, s)
	// A good ESP frame from elsewhere; made by the NIC itself while active.
	b.activate(t)
	if got := b.exchange(t, out, frame); got.w1 != 2 || got.w12 != 253|1<<16|uint32(got.w12&0xFF00) {
		t.Fatalf("active: words %#x and %#x", got.w1, got.w12)
	}
	peer := newBench(t, Options{}) // encrypts, has no inbound SA
	peer.activate(t)
	peerOut := peer.add(t, gcm(0x2001, 0))
	cipher := peer.exchange(t, peerOut, frame).frame
	receive := func(label string, want uint32) {
		t.Helper()
		got := b.exchange(t, 0, cipher)
		if got.w1 != want {
			t.Errorf("%s: word %#x, want %#x", label, got.w1, want)
		}
		if untouched := string(got.frame) == string(cipher); untouched != (want == 0) {
			t.Errorf("%s: frame untouched: %v", label, untouched)
		}
	}
	receive("active", 2)
	for _, c := range []struct {
		label string
		set   func() error
		want  uint32
	}{
		{"encapsulation off", func() error { return b.SetEncapsulation(b.ctx, EthernetOff) }, 0},
		{"encapsulation on", func() error { return b.SetEncapsulation(b.ctx, EthernetOn) }, 2},
		{"IPsec off", func() error { return b.SetParameters(b.ctx, Parameters{IPsecV2: 1}) }, 0},
		{"IPsec on", func() error { return b.SetParameters(b.ctx, Parameters{IPsecV2: 3}) }, 2},
	} {
		if err := c.set(); err != nil {
			t.Fatal(err)
		}
		receive(c.label, c.want)
		s := b.sendOf(t, out, frame)
		_, err := b.PrepareSend(s)
		if (err == nil) != (c.want != 0) {
			t.Errorf("%s: send with a handle: %v", c.label, err)
		}
		b.put(t, s)
	}
}

// TestSpecLiteralSend: the knob does what it warns of, and only it.
func TestSpecLiteralSend(t *testing.T) {
	b := newBench(t, Options{SpecLiteralSend: true})
	out := b.add(t, gcm(1, 0))
	s := b.sendOf(t, out, framed(t, 1, 1, false, "in clear"))
	p, err := b.PrepareSend(s)
	if err != nil || p.SA != 0 {
		t.Errorf("literal send gives SA %v, error %v", p.SA, err)
	}
	b.put(t, s)
}

// TestAddList is ADD-1, ADD-2 and ADD-3.
func TestAddList(t *testing.T) {
	b := newBench(t, Options{})
	b.activate(t)
	list := []*AddSA{gcm(1, 0), gcm(2, FlagInbound), gcm(3, 0), gcm(4, FlagInbound)}
	list[2].SecAssoc[0].Encryption.Identifier = 0x80000000
	list[2].OffloadHandle = 77
	if err := b.AddSA(b.ctx, list...); err != nil {
		t.Fatal(err)
	}
	seen := map[OffloadHandle]bool{}
	for i, e := range list {
		if (e.OffloadHandle == 0) != (i == 2) || (e.Refused != nil) != (i == 2) || e.OffloadHandle != 0 && seen[e.OffloadHandle] {
			t.Errorf("entry %d: handle %v, refused %v", i, e.OffloadHandle, e.Refused)
		}
		seen[e.OffloadHandle] = true
	}
	refusedAs(t, list[2].Refused, StatusNotSupported, "SecAssoc[0].EncryptionAlgorithm.Identifier")

	before := len(b.ListSAs())
	bad := []*AddSA{gcm(5, 0), gcm(6, 0), nil}
	bad[0].NumExtHdrs = 3
	bad[1].SecAssoc[0].SPI = 0
	refusedAs(t, b.AddSA(b.ctx, bad...), StatusInvalidData, "NumExtHdrs")
	if bad[0].OffloadHandle != 0 || bad[1].OffloadHandle != 0 || len(b.ListSAs()) != before || len(b.driver.ListSAs()) != before {
		t.Errorf("total failure leaves handles or SAs")
	}
	refusedAs(t, b.AddSA(b.ctx), StatusInvalidData, "list")
}

// TestCapacity is ADD-4: one pool, refused beyond it, room again after DELETE.
func TestCapacity(t *testing.T) {
	b := newBench(t, Options{})
	var handles []OffloadHandle
	for i := range benchSlots {
		handles = append(handles, b.add(t, gcm(uint32(i/2+1), SAFlags(i%2)*FlagInbound)))
	}
	more := gcm(99, 0)
	err := b.AddSA(b.ctx, more)
	if StatusOf(err) != StatusResources || more.OffloadHandle != 0 {
		t.Errorf("one too many: %v, handle %v", err, more.OffloadHandle)
	}
	if err := b.DeleteSA(b.ctx, handles[3]); err != nil {
		t.Fatal(err)
	}
	again := b.add(t, more)
	if again == handles[3] {
		t.Error("handle of a deleted SA was given again")
	}
	refusedAs(t, b.DeleteSA(b.ctx, handles[3]), StatusInvalidParameter, "OffloadHandle")
}

// TestAddRefusals breaks each rule of 2.1 and 2.2 once.
func TestAddRefusals(t *testing.T) {
	b := newBench(t, Options{})
	const cipher, mac = "SecAssoc[0].EncryptionAlgorithm", "SecAssoc[0].AuthenticationAlgorithm"
	set := func(change func(e *AddSA, s *SecurityAssociation)) func() *AddSA {
		return func() *AddSA {
			e := gcm(0x100, 0)
			change(e, &e.SecAssoc[0])
			return e
		}
	}
	bits := func(v uint32) AlgorithmInfo { return AlgorithmInfo{Identifier: v} }
	for _, c := range []struct {
		name   string
		entry  func() *AddSA
		status Status
		field  string
	}{
		{"no header", set(func(e *AddSA, s *SecurityAssociation) { e.NumExtHdrs = 0 }), StatusInvalidData, "NumExtHdrs"},
		{"three headers", set(func(e *AddSA, s *SecurityAssociation) { e.NumExtHdrs = 3 }), StatusInvalidData, "NumExtHdrs"},
		{"unknown flag", set(func(e *AddSA, s *SecurityAssociation) { e.Flags = 2 }), StatusInvalidData, "Flags"},
		{"IPv4 address, IPv6 flag", set(func(e *AddSA, s *SecurityAssociation) { e.Flags = FlagIPv6 }), StatusInvalidData, "Src"},
		{"IPv6 addresses, no flag", func() *AddSA { e := gcm(1, FlagIPv6); e.Flags = 0; return e }, StatusInvalidData, "Src"},
		{"two UDP layouts", set(func(e *AddSA, s *SecurityAssociation) { e.UDPESP = 3 }), StatusInvalidData, "UdpEspEncapsulation"},
		{"UDP layout", set(func(e *AddSA, s *SecurityAssociation) { e.UDPESP = 1 }), StatusNotSupported, "UdpEspEncapsulation"},
		{"unknown SA flag", set(func(e *AddSA, s *SecurityAssociation) { s.Flags = 2 }), StatusInvalidData, "SecAssoc[0].Flags"},
		{"operation 3", set(func(e *AddSA, s *SecurityAssociation) { s.Operation = 3 }), StatusInvalidData, "SecAssoc[0].Operation"},
		{"SPI 0", set(func(e *AddSA, s *SecurityAssociation) { s.SPI = 0 }), StatusInvalidData, "SecAssoc[0].Spi"},
		{"high order without ESN", set(func(e *AddSA, s *SecurityAssociation) { s.SequenceNumberHighOrder = 1 }), StatusInvalidData, "SecAssoc[0].SequenceNumberHighOrder"},
		{"no cipher", set(func(e *AddSA, s *SecurityAssociation) { s.Encryption = bits(0) }), StatusInvalidData, cipher + ".Identifier"},
		{"two ciphers", set(func(e *AddSA, s *SecurityAssociation) { s.Encryption.Identifier = 0x18 }), StatusInvalidData, cipher + ".Identifier"},
		{"key without salt", set(func(e *AddSA, s *SecurityAssociation) { s.Encryption.KeyLength = 16 }), StatusInvalidData, cipher + ".KeyLength"},
		{"GCM-256 with a short key", set(func(e *AddSA, s *SecurityAssociation) { s.Encryption.Identifier = 0x20 }), StatusInvalidData, cipher + ".KeyLength"},
		{"key beyond the area", set(func(e *AddSA, s *SecurityAssociation) { s.Encryption.KeyOffset = 1 }), StatusInvalidData, cipher + ".KeyOffsetBytes"},
		{"key far beyond", set(func(e *AddSA, s *SecurityAssociation) { s.Encryption.KeyOffset = 0xFFFFFFF0 }), StatusInvalidData, cipher + ".KeyOffsetBytes"},
		{"ICV of 13", set(func(e *AddSA, s *SecurityAssociation) { s.Encryption.AdditionalInfo = 13 }), StatusInvalidData, cipher + ".AdditionalInfo"},
		{"ICV of 12", set(func(e *AddSA, s *SecurityAssociation) { s.Encryption.AdditionalInfo = 12 }), StatusNotSupported, cipher + ".AdditionalInfo"},
		{"ICV in bits", set(func(e *AddSA, s *SecurityAssociation) { s.Encryption.AdditionalInfo = 128 }), StatusInvalidData, cipher + ".AdditionalInfo"},
		{"CBC alone", set(func(e *AddSA, s *SecurityAssociation) { s.Encryption = AlgorithmInfo{Identifier: 0x40, KeyLength: 16} }), StatusNotSupported, mac},
		{"CBC and HMAC-SHA-1", set(func(e *AddSA, s *SecurityAssociation) {
			e.KeyData = append(e.KeyData, make([]byte, 16)...)
			s.Encryption = AlgorithmInfo{Identifier: 0x40, KeyLength: 16}
			s.Authentication = AlgorithmInfo{Identifier: 2, KeyLength: 20, KeyOffset: 16}
		}), StatusNotSupported, cipher + ".Identifier"},
		{"CBC and HMAC with a key too short", set(func(e *AddSA, s *SecurityAssociation) {
			s.Encryption = AlgorithmInfo{Identifier: 0x40, KeyLength: 16}
			s.Authentication = AlgorithmInfo{Identifier: 2, KeyLength: 19}
		}), StatusInvalidData, mac + ".KeyLength"},
		{"NULL and GMAC", set(func(e *AddSA, s *SecurityAssociation) {
			s.Encryption, s.Authentication = bits(1), AlgorithmInfo{Identifier: 8, KeyLength: 20}
		}), StatusNotSupported, cipher + ".Identifier"},
		{"NULL alone", set(func(e *AddSA, s *SecurityAssociation) { s.Encryption = bits(1) }), StatusNotSupported, mac},
		{"AH", set(func(e *AddSA, s *SecurityAssociation) {
			s.Operation, s.Encryption, s.Authentication = OperationAH, bits(0), AlgorithmInfo{Identifier: 2, KeyLength: 20}
		}), StatusNotSupported, "SecAssoc[0].Operation"},
		{"AH with a cipher", set(func(e *AddSA, s *SecurityAssociation) { s.Operation = OperationAH }), StatusInvalidData, cipher},
		{"AH, then ESP", set(func(e *AddSA, s *SecurityAssociation) {
			e.NumExtHdrs, e.SecAssoc[1] = 2, *s
			s.Operation, s.Encryption, s.Authentication = OperationAH, bits(0), AlgorithmInfo{Identifier: 2, KeyLength: 20}
		}), StatusInvalidData, "SecAssoc"},
		{"ESP, then AH", set(func(e *AddSA, s *SecurityAssociation) {
			e.NumExtHdrs = 2
			e.SecAssoc[1] = SecurityAssociation{Operation: OperationAH, SPI: 7, Authentication: AlgorithmInfo{Identifier: 2, KeyLength: 20}}
		}), StatusNotSupported, "SecAssoc[1].Operation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := c.entry()
			err := b.AddSA(b.ctx, e)
			refusedAs(t, err, c.status, c.field)
			if e.OffloadHandle != 0 || len(b.driver.ListSAs()) != 0 {
				t.Error("something was added")
			}
			if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, e), "[0 1 2 3") {
				t.Errorf("key in %v %+v", err, e)
			}
		})
	}
	// ADD-10: with GCM the authentication slot is not looked at.
	e := gcm(1, 0)
	e.SecAssoc[0].Authentication = AlgorithmInfo{0xFFFFFFFF, 9, 9, 9}
	b.add(t, e)
	// The knobs.
	knobs := newBench(t, Options{AllowUnauthenticated: true, SaltOutsideKeyLength: true, ICVInBits: true})
	e = gcm(1, 0)
	e.SecAssoc[0].Encryption.KeyLength, e.SecAssoc[0].Encryption.AdditionalInfo = 16, 128
	knobs.add(t, e)
	e.SecAssoc[0].Encryption = AlgorithmInfo{Identifier: 0x40, KeyLength: 16}
	refusedAs(t, knobs.AddSA(b.ctx, e), StatusNotSupported, cipher+".Identifier") // the hardware has no CBC
}

// TestUpdate is UPD-1 and UPD-2.
func TestUpdate(t *testing.T) {
	b := newBench(t, Options{})
	b.activate(t)
	out, in := b.add(t, esn(gcm(1, 0), 6)), b.add(t, esn(gcm(1, FlagInbound), 5))
	plainSA := b.add(t, gcm(2, 0))
	if got := b.exchange(t, out, framed(t, 1, 6<<32|9, true, "x")); got.w1 != 0x00030002 {
		t.Errorf("upper half 5 for 6: word %#x", got.w1)
	}
	if err := b.UpdateSA(b.ctx, UpdateSA{in, OperationESP, 1, 6}); err != nil {
		t.Fatal(err)
	}
	if got := b.exchange(t, out, framed(t, 1, 6<<32|9, true, "x")); got.w1 != 2 {
		t.Errorf("upper half 6 for 6: word %#x", got.w1)
	}
	other := newBench(t, Options{})
	foreign := other.add(t, esn(gcm(1, 0), 6))
	for _, c := range []struct {
		name  string
		u     UpdateSA
		field string
	}{
		{"no handle", UpdateSA{0, OperationESP, 1, 7}, "OffloadHandle"},
		{"unknown handle", UpdateSA{in + 1<<20, OperationESP, 1, 7}, "OffloadHandle"},
		{"foreign handle", UpdateSA{foreign, OperationESP, 1, 7}, "OffloadHandle"},
		{"wrong SPI", UpdateSA{in, OperationESP, 2, 7}, "Spi"},
		{"AH", UpdateSA{in, OperationAH, 1, 7}, "Operation"},
		{"no ESN", UpdateSA{plainSA, OperationESP, 2, 7}, "OffloadHandle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			refusedAs(t, b.UpdateSA(b.ctx, c.u), StatusInvalidParameter, c.field)
		})
	}
	refusedAs(t, b.DeleteSA(b.ctx, foreign), StatusInvalidParameter, "OffloadHandle")
	if differences, err := b.Compare(b.ctx); err != nil || len(differences) != 0 {
		t.Errorf("differences %v, error %v", differences, err)
	}
}

// TestLatchedAtSubmission is UPD-4: packets prepared before an UPDATE_SA keep
// their upper half.
func TestLatchedAtSubmission(t *testing.T) {
	b := newBench(t, Options{})
	b.activate(t)
	out := b.add(t, esn(gcm(1, 0), 4))
	var packets []driver.TXPacket
	for i := range 20 {
		if i == 10 {
			if err := b.UpdateSA(b.ctx, UpdateSA{out, OperationESP, 1, 5}); err != nil {
				t.Fatal(err)
			}
		}
		seq := uint64(4)<<32 | 0xFFFFFFF6 + uint64(i)
		p, err := b.PrepareSend(b.sendOf(t, out, framed(t, 1, seq, true, "x")))
		if err != nil || p.Sequence != seq {
			t.Fatalf("packet %d has sequence %#x, want %#x (%v)", i, p.Sequence, seq, err)
		}
		packets = append(packets, p)
	}
	for _, r := range b.pass(t, packets...) {
		if r.status != driver.OK {
			t.Errorf("send ended with %v", r.status)
		}
	}
}

// TestDeleteList is DEL-1, DEL-2 and DEL-5.
func TestDeleteList(t *testing.T) {
	b := newBench(t, Options{})
	b.activate(t)
	var handles []OffloadHandle
	for i := range 5 {
		handles = append(handles, b.add(t, gcm(uint32(i+1), FlagInbound)))
	}
	out := b.add(t, gcm(1, 0))
	err := b.DeleteSA(b.ctx, handles[0], handles[1], 12345, handles[2], handles[2], handles[3])
	if StatusOf(err) != StatusInvalidParameter || strings.Count(err.Error(), "OffloadHandle") != 2 {
		t.Errorf("list with an unknown handle and one twice: %v", err)
	}
	if list := b.ListSAs(); len(list) != 2 || len(b.driver.ListSAs()) != 2 {
		t.Errorf("%d SAs are left, %d in the NIC; want 2", len(list), len(b.driver.ListSAs()))
	}
	if got := b.exchange(t, out, framed(t, 1, 1, false, "x")); got.w1 != 0 {
		t.Errorf("frame on a deleted SA has word %#x", got.w1)
	}
	if err := b.DeleteSA(b.ctx, out); err != nil {
		t.Fatal(err)
	}
	s := b.sendOf(t, out, framed(t, 1, 2, false, "x"))
	_, err = b.PrepareSend(s)
	refusedAs(t, err, StatusFailure, "slot 1")
	b.put(t, s)
	refusedAs(t, b.DeleteSA(b.ctx), StatusInvalidData, "list")
}

// TestSaDeleteReq is RX-13 and DEL-3: the bit is on matching packets only, and
// both SAs live on until DELETE.
func TestSaDeleteReq(t *testing.T) {
	b := newBench(t, Options{})
	b.activate(t)
	out, in := b.pair(t, 1)
	other, _ := b.pair(t, 2)
	if err := b.RequestDelete(in); err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq < 4; seq++ {
		if got := b.exchange(t, out, framed(t, 1, seq, false, "x")); got.w1 != 3 {
			t.Errorf("packet %d: word %#x, want 3", seq, got.w1)
		}
	}
	if got := b.exchange(t, other, framed(t, 2, 1, false, "x")); got.w1 != 2 {
		t.Errorf("other SA: word %#x, want 2", got.w1)
	}
	if got := b.exchange(t, 0, plain("x")); got.w1 != 0 {
		t.Errorf("plain frame: word %#x", got.w1)
	}
	if err := b.DeleteSA(b.ctx, in); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, b.RequestDelete(in), StatusInvalidParameter, "OffloadHandle")
}

// TestSendRefusals is TX-5, TX-7, TX-8 and LSO-7.
func TestSendRefusals(t *testing.T) {
	b := newBench(t, Options{})
	b.activate(t)
	out, in := b.pair(t, 1)
	frame := framed(t, 1, 1, false, "payload")
	for _, c := range []struct {
		name   string
		change func(s *Send)
		field  string
	}{
		{"unknown handle", func(s *Send) { s.Info[SlotIPsec] = 99 }, "slot 1"},
		{"inbound handle", func(s *Send) { s.Info[SlotIPsec] = uint64(in) }, "slot 1"},
		{"handle of another adapter", func(s *Send) { s.Info[SlotIPsec] ^= 1 << 40 }, "slot 1"},
		{"tunnel handle alone", func(s *Send) { s.Info[SlotIPsec], s.Info[SlotIPsecTunnel] = 0, uint64(out) }, "slot 11"},
		{"nested", func(s *Send) { s.Info[SlotIPsecTunnel] = uint64(out) }, "slot 11"},
		{"large send", func(s *Send) { s.Info[SlotLargeSend] = 1400 }, "slot 2"},
		{"ESP offset 4", func(s *Send) { s.Info[SlotIPsecHeader] = 4 << 24 }, "slot 12 EspHeaderOffset"},
		{"ESP offset 6", func(s *Send) { s.Info[SlotIPsecHeader] = 6 << 24 }, "slot 12 EspHeaderOffset"},
		{"ESP offset beyond", func(s *Send) { s.Info[SlotIPsecHeader] = 255 << 24 }, "slot 12 EspHeaderOffset"},
		{"AH offset", func(s *Send) { s.Info[SlotIPsecHeader] |= 5 << 16 }, "slot 12 AhHeaderOffset"},
		{"not IP", func(s *Send) { s.Buffer.Bytes()[12] = 0x86 }, "EtherType"},
		{"header length 0", func(s *Send) { s.Buffer.Bytes()[14] = 0x40 }, "slot 12 EspHeaderOffset"},
		{"other SPI", func(s *Send) { s.Buffer.Bytes()[14+20+3] = 7 }, "slot 12 EspHeaderOffset"},
		{"longer than the buffer", func(s *Send) { s.Length = 4000 }, "buffer"},
		{"no buffer", func(s *Send) { s.Buffer = nil }, "buffer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := b.sendOf(t, out, frame)
			buffer := s.Buffer
			c.change(s)
			p, err := b.PrepareSend(s)
			refusedAs(t, err, StatusFailure, c.field)
			if p.Buffer != nil {
				t.Error("a refused send has a packet")
			}
			s.Buffer = buffer
			b.put(t, s)
		})
	}
	if got := b.exchange(t, 0, frame); got.w1 == 0 || got.w1>>16 != 3 || string(got.frame) != string(frame) {
		t.Errorf("without a handle the frame was touched, word %#x", got.w1) // TX-5: sent as it is, so its ICV is bad
	}
}

// TestIndicationsOrdered: with many setters each set is indicated once, in
// order, to every subscriber; a subscriber may use the adapter.
func TestIndicationsOrdered(t *testing.T) {
	b := newBench(t, Options{})
	var first, second []Offload
	nested := 0
	defer b.Subscribe(func(i Indication) { first = append(first, i.Offload) })()
	defer b.Subscribe(func(i Indication) {
		second = append(second, i.Offload)
		if nested++; nested == 1 {
			if err := b.SetParameters(b.ctx, Parameters{}); err != nil {
				t.Error(err)
			}
		}
	})()
	cancel := b.Subscribe(func(Indication) { t.Error("cancelled subscriber was called") })
	cancel()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if err := b.SetParameters(b.ctx, Parameters{IPsecV2: uint8(1 + (g+i)%2*2)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.indicator.flush() // returns at once if one is delivering, but then wg has waited for it
	if len(first) != 401 || len(second) != 401 {
		t.Fatalf("%d and %d indications, want 401", len(first), len(second))
	}
	for i := range first {
		if first[i] != second[i] {
			t.Fatalf("indication %d differs between subscribers", i)
		}
	}
	if first[400] != b.CurrentConfiguration() {
		t.Error("last indication is not the current configuration")
	}
}

// TestConfigRace is CFG-7: an ADD_SA succeeds with a handle or fails without,
// and none that begins after the indication that removed the algorithm succeeds.
func TestConfigRace(t *testing.T) {
	b := newBenchOn(t, Options{}, nic.Options{Slots: 256})
	var off atomic.Int64 // the number of the indication that switched off; negative: on, or about to be
	off.Store(-1)
	var count int64
	defer b.Subscribe(func(i Indication) {
		if count++; !i.Offload.IPsecV2.ESP {
			off.Store(count)
		}
	})()
	stop := make(chan struct{})
	var toggler, adders sync.WaitGroup
	toggler.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			on := i%2 == 1
			if on {
				off.Store(-1) // from here on it may succeed again
			}
			if err := b.SetParameters(b.ctx, Parameters{IPsecV2: map[bool]uint8{false: 1, true: 3}[on]}); err != nil {
				t.Error(err)
			}
			time.Sleep(20 * time.Microsecond)
		}
	})
	var good, bad atomic.Int64
	for g := range 8 {
		adders.Go(func() {
			for i := range 1250 {
				e := gcm(uint32(g*1250+i+1), FlagInbound)
				before := off.Load()
				err := b.AddSA(b.ctx, e)
				after := off.Load()
				if (err == nil) != (e.OffloadHandle != 0) {
					t.Errorf("error %v with handle %v", err, e.OffloadHandle)
				}
				if err == nil && before >= 0 && before == after {
					t.Errorf("added while the configuration was off")
				}
				if err != nil {
					bad.Add(1)
					if StatusOf(err) != StatusNotSupported {
						t.Error(err)
					}
					continue
				}
				good.Add(1)
				if err := b.DeleteSA(b.ctx, e.OffloadHandle); err != nil {
					t.Error(err)
				}
			}
		})
	}
	adders.Wait()
	close(stop)
	toggler.Wait()
	t.Logf("%d added, %d refused", good.Load(), bad.Load())
	if good.Load() == 0 || bad.Load() == 0 {
		t.Errorf("%d added, %d refused: nothing was raced", good.Load(), bad.Load())
	}
	if n := len(b.driver.ListSAs()); n != 0 {
		t.Errorf("%d SAs are left in the NIC", n)
	}
}

// TestConfigChangedMeanwhile: an ADD_SA that was carried out while the
// configuration changed under it is taken back and refused (CFG-7).
func TestConfigChangedMeanwhile(t *testing.T) {
	b := newBench(t, Options{})
	off := Parameters{IPsecV2: 1}
	b.nic = &hookedDevice{device: b.nic, afterAdd: func() {
		if err := b.SetParameters(b.ctx, off); err != nil {
			t.Error(err)
		}
	}}
	list := []*AddSA{gcm(1, 0), gcm(2, FlagInbound)}
	err := b.AddSA(b.ctx, list...)
	refusedAs(t, err, StatusNotSupported, "SecAssoc[0].Operation")
	if list[0].OffloadHandle != 0 || list[1].OffloadHandle != 0 || len(b.ListSAs()) != 0 || len(b.driver.ListSAs()) != 0 {
		t.Error("an SA is left that the configuration forbids")
	}
	off.IPsecV2 = 3 // a change that leaves the algorithm on
	if err := b.SetParameters(b.ctx, off); err != nil {
		t.Fatal(err)
	}
	b.add(t, gcm(1, 0))
}

// TestDeletedOnce: of many deletions of one SA at once one succeeds.
func TestDeletedOnce(t *testing.T) {
	b := newBench(t, Options{})
	for range 20 {
		h := b.add(t, gcm(1, 0))
		e, err := b.find(h)
		if err != nil {
			t.Fatal(err)
		}
		e.mu.Lock() // as a request under way: all deletions wait for it
		var deleted atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := b.DeleteSA(b.ctx, h); err == nil {
					deleted.Add(1)
				} else if StatusOf(err) != StatusInvalidParameter {
					t.Error(err)
				}
			})
		}
		time.Sleep(time.Millisecond)
		e.mu.Unlock()
		wg.Wait()
		if deleted.Load() != 1 {
			t.Fatalf("%d deletions of one SA succeeded", deleted.Load())
		}
	}
}

// TestNewRefuses: a NIC with SAs of unknown keys is refused.
func TestNewRefuses(t *testing.T) {
	b := newBench(t, Options{})
	b.add(t, gcm(1, 0))
	_, err := New(b.ctx, b.driver, Options{})
	refusedAs(t, err, StatusNotAccepted, "NIC")
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, err := New(ctx, b.driver, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}

// BenchmarkAddDelete adds lists of 32 SAs and deletes them.
func BenchmarkAddDelete(b *testing.B) {
	for name, processor := range presences {
		b.Run(name, func(b *testing.B) {
			bed := newBenchOn(b, Options{}, nic.Options{ControlProcessor: processor})
			list := make([]*AddSA, 32)
			handles := make([]OffloadHandle, len(list))
			for i := range list {
				list[i] = gcm(uint32(i+1), FlagInbound)
			}
			for b.Loop() {
				if err := bed.AddSA(context.Background(), list...); err != nil {
					b.Fatal(err)
				}
				for i, e := range list {
					handles[i] = e.OffloadHandle
				}
				if err := bed.DeleteSA(context.Background(), handles...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(list)), "ns/SA")
		})
	}
}
