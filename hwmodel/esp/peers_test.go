// SPDX-License-Identifier: Apache-2.0

package esp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// peerCase is one packet under one SA of its own, known to both ends.
type peerCase struct {
	params   Params
	inner    []byte // plain Ethernet frame
	sequence uint64
}

// peerCases covers mode, versions, key lengths, ESN and payload lengths.
func peerCases() (cases []peerCase) {
	v4 := [2]netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("192.0.2.1")}
	v6 := [2]netip.Addr{netip.MustParseAddr("2001:db8::5"), netip.MustParseAddr("2001:db8::6")}
	spi := uint32(0x1000)
	for _, keyLen := range []int{16, 24, 32} {
		for mode := range 16 {
			outer6, inner6, tunnel, esn := mode&1 != 0, mode&2 != 0, mode&4 != 0, mode&8 != 0
			if !tunnel && inner6 != outer6 {
				continue
			}
			for _, n := range []int{8, 9, 10, 11, 100, 1400} {
				spi++
				p := Params{SPI: spi, Inbound: true, Tunnel: tunnel, ESN: esn, Src: v4[0], Dst: v4[1], Key: testKey[:keyLen], Salt: testSalt}
				p.Salt[3] = byte(spi)
				if outer6 {
					p.Src, p.Dst = v6[0], v6[1]
				}
				if esn {
					p.ESNHi = spi * 0x01010101
				}
				cases = append(cases, peerCase{p, innerFrame(inner6, n), uint64(p.ESNHi)<<32 | uint64(spi*77)})
			}
		}
	}
	return cases
}

// tool returns the path of a program that the tests need.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; run `make setup`, which installs it", err)
	}
	return path
}

// TestTsharkDecrypts lets Wireshark's ESP dissector decrypt and authenticate
// what Encapsulate made. Debian 12's version knows no ESN, so SAs without.
func TestTsharkDecrypts(t *testing.T) {
	tshark := tool(t, "tshark")
	pcap := []byte{0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 1, 0, 0, 0}
	args := []string{"-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE",
		"-T", "fields", "-E", "separator=|"}
	for _, field := range []string{"esp.spi", "esp.sequence", "esp.iv", "esp.decrypted_data", "esp.contained_data", "esp.icv_good", "esp.icv_bad"} {
		args = append(args, "-e", field)
	}
	var want []string
	for _, c := range peerCases() {
		if c.params.ESN {
			continue
		}
		sa := newSA(t, c.params)
		o := FrameOptions{Sequence: c.sequence}
		plain, offset, err := sa.Frame(nil, c.inner, o)
		if err != nil {
			t.Fatal(err)
		}
		wire, err := sa.Encapsulate(nil, c.inner, o)
		if err != nil {
			t.Fatal(err)
		}
		payload := plain[offset+HeaderLen+IVLen : len(plain)-ICVLen]
		body := payload[:len(payload)-TrailerLen-int(payload[len(payload)-TrailerLen])]
		want = append(want, fmt.Sprintf("0x%08x|%d|%016x|%x|%x|1|0", c.params.SPI, uint32(c.sequence), c.sequence, payload, body))

		pcap = append(pcap, make([]byte, 8)...)
		pcap = binary.LittleEndian.AppendUint32(pcap, uint32(len(wire)))
		pcap = binary.LittleEndian.AppendUint32(pcap, uint32(len(wire)))
		pcap = append(pcap, wire...)
		version := "IPv4"
		if c.params.Dst.Is6() {
			version = "IPv6"
		}
		args = append(args, "-o", fmt.Sprintf(`uat:esp_sa:"%s","%s","%s","0x%08x","AES-GCM with 16 octet ICV [RFC4106]","0x%x%x","NULL",""`,
			version, c.params.Src, c.params.Dst, c.params.SPI, c.params.Key, c.params.Salt))
	}
	file := filepath.Join(t.TempDir(), "wire.pcap")
	if err := os.WriteFile(file, pcap, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tshark, append([]string{"-r", file}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(want) {
		t.Fatalf("tshark shows %d packets of %d: %s", len(lines), len(want), stderr.String())
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Errorf("packet %d\ntshark %s\nright  %s", i, lines[i], want[i])
		}
	}
	t.Logf("%d packets under as many SAs", len(want))
}

// python returns the interpreter of the project's virtual environment.
func python(t *testing.T) string {
	t.Helper()
	path := os.Getenv("ESPALIER_PYTHON")
	if path == "" {
		path = filepath.Join("..", "..", "build", "venv", "bin", "python")
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no Python environment (%v); run `make setup`, which makes it", err)
	}
	return path
}

// TestScapy exchanges packets with scapy's IPsec layer, both ways and with ESN:
// it decrypts ours to the original packet, and we decrypt its.
func TestScapy(t *testing.T) {
	type request struct {
		Do       string `json:"do"`
		SPI      uint32 `json:"spi"`
		Key      string `json:"key"`
		IPv6     bool   `json:"ipv6"`
		Tunnel   bool   `json:"tunnel"`
		Src      string `json:"src"`
		Dst      string `json:"dst"`
		ESN      bool   `json:"esn"`
		ESNHi    uint32 `json:"esn_hi"`
		Sequence uint32 `json:"sequence"`
		Packet   string `json:"packet"`
	}
	cases := peerCases()
	var input bytes.Buffer
	lines := json.NewEncoder(&input)
	for _, c := range cases {
		sa := newSA(t, c.params)
		wire, err := sa.Encapsulate(nil, c.inner, FrameOptions{Sequence: c.sequence})
		if err != nil {
			t.Fatal(err)
		}
		r := request{SPI: c.params.SPI, Key: hex.EncodeToString(append(bytes.Clone(c.params.Key), c.params.Salt[:]...)),
			IPv6: c.params.Dst.Is6(), Tunnel: c.params.Tunnel, Src: c.params.Src.String(), Dst: c.params.Dst.String(),
			ESN: c.params.ESN, ESNHi: c.params.ESNHi, Sequence: uint32(c.sequence)}
		r.Do, r.Packet = "decrypt", hex.EncodeToString(wire[ethernetHeaderLen:])
		if err := lines.Encode(r); err != nil {
			t.Fatal(err)
		}
		r.Do, r.Packet = "encrypt", hex.EncodeToString(c.inner[ethernetHeaderLen:])
		if err := lines.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(python(t), filepath.Join("testdata", "scapy_peer.py"))
	cmd.Stdin = &input
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("scapy: %v; `make setup` installs it: %s", err, stderr.String())
	}
	answers := json.NewDecoder(bytes.NewReader(out))
	next := func() ([]byte, error) {
		var a struct {
			Packet hexBytes
			Error  string
		}
		if err := answers.Decode(&a); err != nil {
			t.Fatalf("scapy: %v: %s", err, stderr.String())
		}
		if a.Error != "" {
			return nil, fmt.Errorf("scapy: %s", a.Error)
		}
		return a.Packet, nil
	}
	for _, c := range cases {
		name := fmt.Sprintf("%v, %d bytes", c.params, len(c.inner))
		got, err := next()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if want := c.inner[ethernetHeaderLen:]; !bytes.Equal(got, want) {
			t.Errorf("%s: scapy decrypts\n%x, right is\n%x", name, got, want)
		}
		packet, err := next()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		frame := append(bytes.Clone(c.inner[:12]), 0x08, 0x00)
		if c.params.Dst.Is6() {
			frame[12], frame[13] = 0x86, 0xDD
		}
		frame = append(frame, packet...)
		back, _, err := Decapsulate(nil, frame, exactLookup(newSA(t, c.params)))
		if err != nil {
			t.Errorf("%s: opening scapy's packet: %v", name, err)
		} else if !bytes.Equal(back, c.inner) {
			t.Errorf("%s: scapy's packet opens to\n%x, right is\n%x", name, back, c.inner)
		}
	}
	t.Logf("%d packets each way", len(cases))
}
