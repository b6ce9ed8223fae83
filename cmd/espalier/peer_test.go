// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// count returns how many frames of a capture match a display filter of tshark,
// with the profile in home.
func count(t *testing.T, home, capture, filter string) int {
	t.Helper()
	cmd := exec.Command("tshark", "-r", capture, "-o", "esp.enable_encryption_decode:TRUE", "-Y", filter, "-T", "fields", "-e", "frame.number")
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, ".config"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v; `make setup-test` installs it", err)
	}
	return strings.Count(string(out), "\n")
}

// TestTsharkDecryptsTheWire: an independent program, given the keys of a run,
// finds in the wire what went in.
func TestTsharkDecryptsTheWire(t *testing.T) {
	for _, capture := range []string{"http.pcap", "ping.pcap"} {
		t.Run(capture, func(t *testing.T) {
			home := t.TempDir()
			original, err := filepath.Abs(filepath.Join(captures, capture))
			if err != nil {
				t.Fatal(err)
			}
			profile := filepath.Join(home, ".config", "wireshark")
			if err := os.MkdirAll(profile, 0o755); err != nil {
				t.Fatal(err)
			}
			if _, _, err := espalier(t, home, "", "run", "--device", "gonic", "--esp-sa", filepath.Join(profile, "esp_sa"), original); err != nil {
				t.Fatal(err)
			}
			wire := filepath.Join("out", "run", wireFile)
			if n := count(t, home, wire, "esp"); n == 0 {
				t.Fatal("tshark finds no ESP on the wire")
			}
			for _, filter := range []string{"tcp", "udp", "icmp", "icmpv6", "http", "tcp.port == 80"} {
				want, got := count(t, home, original, filter), count(t, home, wire, filter)
				if got != want {
					t.Errorf("%s: %d frames on the decrypted wire, %d in the capture", filter, got, want)
				}
			}
			if err := os.Remove(filepath.Join(profile, "esp_sa")); err != nil {
				t.Fatal(err)
			}
			if n := count(t, home, wire, "esp && tcp"); n != 0 {
				t.Errorf("without the keys tshark still sees %d TCP packets", n)
			}
		})
	}
}
