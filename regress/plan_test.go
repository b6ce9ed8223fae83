// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/driver/espframe"
)

func loadAll(t testing.TB) []Packet {
	t.Helper()
	var all []Packet
	files, _ := filepath.Glob(filepath.Join(captureFolder, "*.pcap"))
	for _, file := range files {
		packets, err := LoadCapture(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, packets...)
	}
	return all
}

func testRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func TestPlanUsesEveryKindOfSA(t *testing.T) {
	packets := loadAll(t)
	variety, err := ParseVariety("mixed", "mixed", "mixed", 1024)
	if err != nil {
		t.Fatal(err)
	}
	sas := MakeSAs(packets, variety, testRand())
	if err := CheckSAs(sas, 1024); err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(packets, sas, 9600, testRand())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	clear := 0
	for i, choice := range plan.Choice {
		if choice == noSA {
			clear++
			continue
		}
		sa := sas[choice]
		kinds[fmt.Sprint(sa.Mode, len(sa.Key), sa.ESN, sa.Dst.Is6())]++
		if src, dst, _ := ipAddresses(packets[i].Frame); sa.Mode == espframe.Transport && (sa.Src != src || sa.Dst != dst) {
			t.Fatalf("%s goes over %v", packets[i].Name(), sa)
		}
	}
	if len(kinds) != 2*3*2*2 {
		t.Errorf("%d kinds of SA are used, wanted are 24: %v", len(kinds), kinds)
	}
	if clear == 0 || clear > len(packets)/10 {
		t.Errorf("%d of %d packets go in the clear; ARP should, not much else", clear, len(packets))
	}
}

func TestPlanIsRepeatable(t *testing.T) {
	packets := loadAll(t)
	text := func() string {
		rng := testRand()
		variety, _ := ParseVariety("mixed", "mixed", "mixed", 64)
		sas := MakeSAs(packets, variety, rng)
		plan, err := NewPlan(packets, sas, 9600, rng)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(sas, plan.Choice, sas[0].Key)
	}
	if a, b := text(), text(); a != b {
		t.Error("the same seed gives two plans")
	}
}

func TestPlanRefusesFramesTheNICCannotTake(t *testing.T) {
	for _, length := range []int{13, 9601} {
		packets := []Packet{{Capture: "x.pcap", Number: 3, Frame: make([]byte, length)}}
		if _, err := NewPlan(packets, nil, 9600, testRand()); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("x.pcap packet 3 has %d bytes", length)) {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

func TestCheckSAsRefuses(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	good := func(spi uint32) SA { return SA{SPI: spi, Src: a, Dst: b, Key: make([]byte, 16)} }
	with := func(change func(*SA)) SA { s := good(7); change(&s); return s }
	for name, c := range map[string]struct {
		sas  []SA
		want string
	}{
		"SPI 0":         {[]SA{good(0)}, "SPI 0"},
		"key length":    {[]SA{with(func(s *SA) { s.Key = make([]byte, 17) })}, "17 bytes"},
		"two versions":  {[]SA{with(func(s *SA) { s.Src = netip.MustParseAddr("2001:db8::1") })}, "one IP version"},
		"no address":    {[]SA{with(func(s *SA) { s.Dst = netip.Addr{} })}, "must be given"},
		"duplicate SPI": {[]SA{good(7), good(7)}, "SA 2 has the SPI 0x00000007"},
		"table full":    {[]SA{good(1), good(2), good(3)}, "3 SAs are asked for, the NIC has 2"},
	} {
		if err := CheckSAs(c.sas, 2); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckSAs([]SA{good(1), good(2)}, 2); err != nil {
		t.Errorf("good SAs refused: %v", err)
	}
}

func TestSAsPrintNoKeys(t *testing.T) {
	sa := SA{SPI: 1, Key: []byte("SECRETSECRETSECR"), Salt: [4]byte{'S', 'A', 'L', 'T'}, Src: netip.MustParseAddr("::1"), Dst: netip.MustParseAddr("::2")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		text := fmt.Sprintf(verb, sa)
		if strings.Contains(text, "SECRET") || strings.Contains(text, "534543") || strings.Contains(text, "SALT") || strings.Contains(text, "83") && strings.Contains(text, "69") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
