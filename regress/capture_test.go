// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

const captureFolder = "../tests/captures"

func TestLoadCaptureReadsTheCommittedCaptures(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(captureFolder, "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures in %s (%v)", captureFolder, err)
	}
	total := 0
	for _, file := range files {
		packets, err := LoadCapture(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range packets {
			if p.Number != i+1 || p.Capture != filepath.Base(file) || len(p.Frame) < minFrame {
				t.Fatalf("packet %d of %s came as %s with %d bytes", i+1, file, p.Name(), len(p.Frame))
			}
		}
		total += len(packets)
	}
	if total < 2000 {
		t.Errorf("the captures hold %d packets, wanted are a few thousand", total)
	}
}

// pcapFile returns a pcap file with one frame of 60 bytes.
func pcapFile(t testing.TB, link layers.LinkType, snap int) []byte {
	t.Helper()
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(65535, link); err != nil {
		t.Fatal(err)
	}
	if err := w.WritePacket(gopacket.CaptureInfo{CaptureLength: snap, Length: 60}, make([]byte, snap)); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func ngFile(t testing.TB) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := pcapgo.NewNgWriter(&file, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WritePacket(gopacket.CaptureInfo{CaptureLength: 60, Length: 60}, make([]byte, 60)); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestLoadCaptureRefuses(t *testing.T) {
	whole := pcapFile(t, layers.LinkTypeEthernet, 60)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":            {nil, "no capture"},
		"text":             {[]byte("hello, world\n"), "neither pcap nor pcapng"},
		"gzip":             {[]byte{0x1f, 0x8b, 8, 0, 0, 0}, "neither pcap nor pcapng"},
		"no packets":       {whole[:24], "holds no packets"},
		"cut in header":    {whole[:20], "its header has 20 of 24 bytes"},
		"cut in packet":    {whole[:len(whole)-1], "cut off behind packet 0"},
		"cut at a record":  {append(bytes.Clone(whole), whole[24:30]...), "cut off behind packet 1"},
		"snapped":          {pcapFile(t, layers.LinkTypeEthernet, 40), "only 40 of the 60 bytes"},
		"other link type":  {pcapFile(t, layers.LinkTypeRaw, 60), "wanted is Ethernet"},
		"pcapng cut short": {ngFile(t)[:len(ngFile(t))-8], "cut off behind packet 0"},
	} {
		t.Run(name, func(t *testing.T) {
			packets, err := readCapture("x.pcap", bytes.NewReader(c.file))
			if err == nil {
				t.Fatalf("accepted, %d packets", len(packets))
			}
			if text := err.Error(); !strings.Contains(text, c.want) || !strings.Contains(text, "x.pcap") || strings.Contains(text, "\n") {
				t.Errorf("message %q should be one line that names x.pcap and says %q", text, c.want)
			}
		})
	}
	if _, err := LoadCapture(filepath.Join(t.TempDir(), "missing.pcap")); err == nil || !strings.Contains(err.Error(), "missing.pcap") {
		t.Errorf("missing file: %v", err)
	}
}

func TestLoadCaptureReadsBothFormats(t *testing.T) {
	for name, file := range map[string][]byte{"pcap": pcapFile(t, layers.LinkTypeEthernet, 60), "pcapng": ngFile(t)} {
		packets, err := readCapture(name, bytes.NewReader(file))
		if err != nil || len(packets) != 1 || len(packets[0].Frame) != 60 {
			t.Errorf("%s: %d packets, %v", name, len(packets), err)
		}
	}
}

func FuzzReadCapture(f *testing.F) {
	f.Add(pcapFile(f, layers.LinkTypeEthernet, 60))
	f.Add(ngFile(f))
	dns, err := os.ReadFile(filepath.Join(captureFolder, "dns.pcap"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(dns[:2000])
	f.Fuzz(func(t *testing.T, file []byte) {
		packets, err := readCapture("fuzz", bytes.NewReader(file))
		if (err == nil) != (len(packets) > 0) {
			t.Errorf("%d packets with error %v", len(packets), err)
		}
	})
}
