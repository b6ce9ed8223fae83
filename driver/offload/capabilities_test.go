// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/viper"
	"pgregory.net/rapid"

	"github.com/espalier-nic/espalier/driver"
)

// drawHardware is any description of hardware, however odd.
func drawHardware(t *rapid.T) *driver.Capabilities {
	// Mostly yes, or little would be left to check.
	flag := func(name string) bool { return rapid.IntRange(0, 7).Draw(t, name) != 1 }
	return &driver.Capabilities{
		SACapacity: rapid.IntRange(0, 3).Draw(t, "capacity"),
		Encryption: mask[uint16](t, "encryption", 9), Authentication: mask[uint8](t, "authentication", 6),
		IPv4: flag("IPv4"), IPv6: flag("IPv6"), IPv4Options: flag("options"), IPv6ExtHeaders: flag("headers"),
		AH: flag("AH"), ESP: flag("ESP"), AHESP: flag("AHESP"), Transport: flag("transport"), Tunnel: flag("tunnel"),
		TransportTunnel: flag("nested"), LSO: flag("LSO"), ESN: flag("ESN"),
		UDPESP: mask[uint8](t, "UDP", 8), EncapsulationMask: mask[uint8](t, "framing", 8) | 2*mask[uint8](t, "Ethernet", 1),
	}
}

// mask draws each bit by itself: rapid's numbers are mostly small.
func mask[T uint8 | uint16](t *rapid.T, name string, bits int) (m T) {
	for i, set := range rapid.SliceOfN(rapid.Bool(), bits, bits).Draw(t, name) {
		if set {
			m |= 1 << i
		}
	}
	return m
}

func drawKeywords(t *rapid.T) Keywords {
	setting := rapid.Map(rapid.IntRange(0, 3), func(v int) IPsecSetting { return IPsecSetting(v) })
	return Keywords{
		IPsecOffloadV2: setting.Draw(t, "*IPsecOffloadV2"), IPsecOffloadV2IPv4: setting.Draw(t, "*IPsecOffloadV2IPv4"),
		LSOV2IPv4: rapid.Bool().Draw(t, "*LsoV2IPv4"), LSOV2IPv6: rapid.Bool().Draw(t, "*LsoV2IPv6"),
	}
}

// TestRecordsConsistent is CAP-6 and CAP-1: whatever the hardware and the
// keywords, records obey all rules, promise nothing that the hardware has not,
// and the default is a subset of the hardware's.
func TestRecordsConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hw, k := drawHardware(t), drawKeywords(t)
		record := HardwareRecord(hw)
		if err := record.Check(); err != nil {
			t.Fatalf("hardware record %+v: %v", record, err)
		}
		for field, pair := range map[string][2]bool{
			"IPv6": {record.IPv6Supported, hw.IPv6}, "options": {record.IPv4Options, hw.IPv4Options},
			"headers": {record.IPv6NonIPsecExtensionHeaders, hw.IPv6ExtHeaders},
			"AH":      {record.AH, hw.AH}, "ESP": {record.ESP, hw.ESP}, "AHESP": {record.AHESPCombined, hw.AHESP},
			"transport": {record.Transport, hw.Transport}, "tunnel": {record.Tunnel, hw.Tunnel},
			"nested": {record.TransportTunnelCombined, hw.TransportTunnel}, "LSO": {record.LSOSupported, hw.LSO},
			"ESN":        {record.ExtendedSequenceNumbers, hw.ESN},
			"encryption": {record.EncryptionAlgorithms&^EncryptionAlgorithms(hw.Encryption) != 0, false},
		} {
			if pair[0] && !pair[1] {
				t.Fatalf("record promises %s, which the hardware has not", field)
			}
		}
		initial := record.Filtered(k)
		if err := initial.Check(); err != nil {
			t.Fatalf("default record %+v of %+v: %v", initial, record, err)
		}
		if !initial.SubsetOf(record) {
			t.Fatalf("default %+v is no subset of %+v", initial, record)
		}
		setting := k.ipsec(record.IPv6Supported)
		switch {
		case setting == IPsecOff && initial != (Capabilities{}):
			t.Fatalf("off leaves %+v", initial)
		case !setting.ah() && (initial.AH || initial.AHESPCombined), !setting.esp() && (initial.ESP || initial.EncryptionAlgorithms != 0):
			t.Fatalf("%v leaves %+v", setting, initial)
		case setting == IPsecAHAndESP && k.LSOV2IPv4 && initial != record:
			t.Fatalf("everything on gives %+v of %+v", initial, record)
		}
		other := HardwareRecord(drawHardware(t))
		both := record.Intersect(other)
		if err := both.Check(); err != nil || !both.SubsetOf(record) || !both.SubsetOf(other) || both != other.Intersect(record) {
			t.Fatalf("common to %+v and %+v is %+v: %v", record, other, both, err)
		}
	})
	// Hardware that has everything offers everything.
	all := HardwareRecord(&driver.Capabilities{SACapacity: 9, Encryption: 0xFFFF, Authentication: 0xFF, IPv4: true, IPv6: true, IPv4Options: true,
		IPv6ExtHeaders: true, AH: true, ESP: true, AHESP: true, Transport: true, Tunnel: true, TransportTunnel: true, LSO: true, ESN: true,
		UDPESP: 0xFF, EncapsulationMask: 0x1F})
	want := Capabilities{0x1F, true, true, true, true, true, true, true, true, true, true, true, 0xF, 0x3F, 0x1FF, 9}
	if all != want {
		t.Errorf("everything becomes %+v", all)
	}
}

// TestCheck breaks each rule once.
func TestCheck(t *testing.T) {
	good := wantCapability
	good.UDPESP = 0xF
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		says   string
		change func(*Capabilities)
	}{
		{"EncryptionAlgorithms", func(c *Capabilities) { c.ESP, c.UDPESP, c.AHESPCombined = false, 0, false }},
		{"UdpEsp UDP transport, UDP tunnel", func(c *Capabilities) { c.ESP, c.EncryptionAlgorithms, c.AHESPCombined = false, 0, false }},
		{"AhEspCombined", func(c *Capabilities) { c.AH = false }},
		{"TransportTunnelCombined without", func(c *Capabilities) { c.Transport, c.UDPESP = false, 0 }},
		{"UdpEsp UDP transport without", func(c *Capabilities) { c.Transport, c.TransportTunnelCombined, c.UDPESP = false, false, 1 }},
		{"UdpEsp UDP tunnel without", func(c *Capabilities) { c.Tunnel, c.TransportTunnelCombined, c.UDPESP = false, false, 2 }},
		{"UdpEsp transport in UDP tunnel without", func(c *Capabilities) { c.TransportTunnelCombined, c.UDPESP = false, 4 }},
		{"without the cipher NULL", func(c *Capabilities) { c.EncryptionAlgorithms = 8 }},
		{"neither Ah nor Esp", func(c *Capabilities) { *c = Capabilities{Tunnel: true, Encapsulation: 2, SAOffloadCapacity: 1} }},
		{"no Tunnel", func(c *Capabilities) { c.Tunnel, c.TransportTunnelCombined, c.UDPESP = false, false, 0 }},
		{"without Ethernet", func(c *Capabilities) { c.Encapsulation = 0x10 }},
		{"SaOffloadCapacity", func(c *Capabilities) { c.SAOffloadCapacity = 0 }},
	} {
		bad := good
		c.change(&bad)
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("want an error that says %q, got: %v", c.says, err)
		}
	}
}

// TestKeywords: names and values, and what is said of wrong ones.
func TestKeywords(t *testing.T) {
	k, err := ParseKeywords(map[string]string{"*ipsecoffloadv2": "2", "*LsoV2IPv6": "0", "*TCPChecksumOffloadIPv4": "1"})
	want := DefaultKeywords()
	want.IPsecOffloadV2, want.LSOV2IPv6, want.TCPChecksumOffloadIPv4 = IPsecESP, false, ChecksumTx
	if err != nil || k != want {
		t.Errorf("got %+v, error %v", k, err)
	}
	for _, c := range []struct{ name, value, field, says string }{
		{"*IPsecOffloadV3", "1", "keyword", "*IPsecOffloadV2 is nearest"},
		{"*LsoV2IPv5", "1", "keyword", "*LsoV2IPv"},
		{"IPChecksumOffloadIPv4", "1", "keyword", "*IPChecksumOffloadIPv4 is nearest"},
		{"*IPsecOffloadV2", "4", "*IPsecOffloadV2", "0 to 3"},
		{"*LsoV2IPv4", "2", "*LsoV2IPv4", "0 to 1"},
		{"*IPsecOffloadV2IPv4", "on", "*IPsecOffloadV2IPv4", "0 to 3"},
		{"*IPsecOffloadV2", "-1", "*IPsecOffloadV2", "0 to 3"},
	} {
		_, err := ParseKeywords(map[string]string{c.name: c.value})
		refusedAs(t, err, StatusInvalidData, c.field)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s = %s: %v", c.name, c.value, err)
		}
	}
	// As a section of a configuration file, whose reader folds case.
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(strings.NewReader("offload:\n  '*IPsecOffloadV2': 2\n  '*LsoV2IPv6': 0\n  '*TCPChecksumOffloadIPv4': 1\n")); err != nil {
		t.Fatal(err)
	}
	if k, err := ParseKeywords(v.GetStringMapString("offload")); err != nil || k != want {
		t.Errorf("from a configuration file: %+v, error %v", k, err)
	}
	// Every keyword reaches a field of its own.
	seen := map[string]string{}
	for _, name := range KeywordNames() {
		k, err := ParseKeywords(map[string]string{name: "0"})
		if err != nil {
			t.Error(err)
		}
		state := fmt.Sprintf("%+v", k)
		if k == DefaultKeywords() || seen[state] != "" {
			t.Errorf("%s changes what %q does, or nothing", name, seen[state])
		}
		seen[state] = name
	}
	if len(seen) != 10 {
		t.Errorf("%d keywords", len(seen))
	}
}

// TestIPv4Only: hardware without IPv6 takes the keyword and the byte for IPv4.
func TestIPv4Only(t *testing.T) {
	hw := driver.Capabilities{IPv4: true, ESP: true, Transport: true, Tunnel: true, Encryption: 0x38, EncapsulationMask: 2, SACapacity: 4}
	k := DefaultKeywords()
	k.IPsecOffloadV2 = IPsecOff
	if c := HardwareRecord(&hw).Filtered(k); !c.ESP {
		t.Error("the keyword for IPv6 counts")
	}
	k.IPsecOffloadV2, k.IPsecOffloadV2IPv4 = IPsecAHAndESP, IPsecOff
	if c := HardwareRecord(&hw).Filtered(k); c != (Capabilities{}) {
		t.Error("the keyword for IPv4 does not count")
	}
}

// TestStatus: names, and codes of other errors.
func TestStatus(t *testing.T) {
	for err, want := range map[error]Status{
		nil: StatusSuccess, errors.New("x"): StatusFailure, driver.ErrClosed: StatusNotAccepted, driver.ErrDuplicate: StatusFailure,
		driver.ErrInvalid: StatusInvalidData, driver.ErrResources: StatusResources, driver.ErrHardware: StatusFailure,
	} {
		if got := StatusOf(err); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
	if s := StatusInvalidData.String(); s != "NDIS_STATUS_INVALID_DATA" || Status(7).String() != "NDIS status 0x00000007" {
		t.Error(s, Status(7))
	}
	if s := OIDAddSAEx.String(); s != "OID_TCP_TASK_IPSEC_OFFLOAD_V2_ADD_SA_EX" {
		t.Error(s)
	}
}
