// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regress/speed"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// TestRunOnServedCards: `run` judges what `serve` shows, two cards with a cable
// and one in loopback, whatever is behind the sockets.
func TestRunOnServedCards(t *testing.T) {
	for name, device := range map[string]string{
		"Go NIC with a control processor": "gonic", "Go NIC without": "gonic:window", "RTL": "sim:" + simbuild.Library(t, simbuild.Design{}),
	} {
		t.Run(name, func(t *testing.T) {
			image, err := firmware.Build(firmware.Standard)
			if err != nil {
				t.Fatal(err)
			}
			capture, err := filepath.Abs(dns)
			if err != nil {
				t.Fatal(err)
			}
			folder := t.TempDir()
			s := startServe(t, folder, "--device", device, "--socket", "a.sock", "--socket", "b.sock")
			for _, c := range []struct {
				device string
				want   []string
			}{
				{"vfio-user:a.sock,vfio-user:b.sock", []string{"vfio-user:a.sock to vfio-user:b.sock", "not seen: frames on the wire"}},
				{"vfio-user:b.sock", []string{"not seen: the MAC and the cable", "wire.pcapng"}},
			} {
				out, _, err := espalier(t, folder, "", "run", "--force", "--device", c.device, "--firmware", image, capture)
				if err != nil || !strings.Contains(out, "all as the golden model says") {
					t.Fatalf("%s: %v\n%s", c.device, err, out)
				}
				for _, want := range c.want {
					if !strings.Contains(out, want) {
						t.Errorf("%s lacks %q:\n%s", c.device, want, out)
					}
				}
			}
			out, _, err := espalier(t, folder, "", "regs", "dump", "--device", "vfio-user:a.sock", "id")
			if err != nil || !strings.Contains(out, "0x4c505345") {
				t.Errorf("regs dump: %v\n%s", err, out)
			}
			if err := s.end(); err != nil {
				t.Errorf("serve: %v", err)
			}
		})
	}
}

// TestRunSeesTheMirror: frames between two served cards are judged where serve
// mirrors them: all of them, in an order that can be.
func TestRunSeesTheMirror(t *testing.T) {
	for name, device := range map[string]string{"Go NIC": "gonic:window", "RTL": "sim:" + simbuild.Library(t, simbuild.Design{Name: "window", Params: []string{"CONTROL_PROCESSOR=0"}})} {
		t.Run(name, func(t *testing.T) {
			capture, err := filepath.Abs(dns)
			if err != nil {
				t.Fatal(err)
			}
			folder := t.TempDir()
			s := startServe(t, folder, "--device", device, "--socket", "a.sock", "--socket", "b.sock", "--wire-mirror", "stream-listen:m.sock", "--pcapng", "serve.pcapng")
			const cards = "vfio-user:a.sock,vfio-user:b.sock"
			out, _, err := espalier(t, folder, "", "run", "--device", cards, "--wire-tap", "stream:m.sock", capture)
			if err != nil || !strings.Contains(out, "all as the golden model says") || strings.Contains(out, "not seen") {
				t.Fatalf("%v\n%s", err, out)
			}
			// What is said by the environment is for runs that have a cable.
			t.Setenv("ESPALIER_WIRE_TAP", "stream:m.sock")
			for device, seen := range map[string]bool{cards: true, "vfio-user:b.sock": false} {
				out, _, err = espalier(t, folder, "", "run", "--force", "--device", device, capture)
				if err != nil || strings.Contains(out, "frames on the wire") || strings.Contains(out, "not seen: the MAC") == seen {
					t.Errorf("%s: %v\n%s", device, err, out)
				}
			}
			if err := s.end(); err != nil {
				t.Errorf("serve: %v", err)
			}
			if said := s.errOut.String(); strings.Contains(said, "mirror") {
				t.Errorf("serve said %s", said)
			}
			if _, err := os.Lstat("m.sock"); err == nil {
				t.Error("the mirror's socket is left behind")
			}
		})
	}
}

// TestBenchOfACard: a card is measured by itself.
func TestBenchOfACard(t *testing.T) {
	folder := t.TempDir()
	s := startServe(t, folder, "--device", "gonic:window", "--socket", "nic.sock")
	out, _, err := espalier(t, folder, "", "bench", "--quick", "--only", "pcie", "--device", "vfio-user:nic.sock")
	if err != nil || !strings.Contains(out, "vfio-user:nic.sock") || !strings.Contains(out, "packets/s") || strings.Contains(out, "in process") {
		t.Errorf("%v\n%s", err, out)
	}
	raw, err := os.ReadFile("out/bench/bench.json")
	if err != nil {
		t.Fatal(err)
	}
	var report speed.Report
	if err := json.Unmarshal(raw, &report); err != nil || !report.Complete || report.PCIe == nil || len(report.PCIe.Ways) != 1 {
		t.Fatalf("%v: %s", err, raw)
	}
	if w := report.PCIe.Ways[0]; w.Way != speed.Card || !(w.Read > 0) || !(w.Write > 0) || !(w.Small > 0) || !(w.Large > 0) || w.ReadGoal != 0 || report.Missed() != 0 {
		t.Errorf("%+v", w)
	}
	if _, _, err := espalier(t, folder, "", "bench", "--quick", "--only", "pcie", "--device", "vfio-user:none.sock"); err == nil || !strings.Contains(err.Error(), "none.sock") {
		t.Errorf("no card: %v", err)
	}
	if err := s.end(); err != nil {
		t.Errorf("serve: %v", err)
	}
}

// TestCardsThatAreNone: one sentence names the item and the command that helps.
func TestCardsThatAreNone(t *testing.T) {
	folder := t.TempDir()
	s := startServe(t, folder, "--device", "gonic", "--socket", "nic.sock")
	silent, err := net.Listen("unix", filepath.Join(folder, "other.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() { // something that speaks first, and nothing like vfio-user
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 mail.example ESMTP and more than sixteen bytes\r\n"))
			c.Close()
		}
	}()
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(folder, "stale.sock")})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no socket":              {[]string{"--device", "vfio-user:none.sock"}, []string{"none.sock", "espalier serve"}},
		"stale socket":           {[]string{"--device", "vfio-user:stale.sock"}, []string{"stale.sock", "espalier serve"}},
		"not vfio-user":          {[]string{"--device", "vfio-user:other.sock"}, []string{"other.sock"}},
		"other IDs":              {[]string{"--device", "vfio-user:nic.sock", "--pci-id", "10ee:9038"}, []string{"nic.sock", "1234:4550"}},
		"other IDs, two allowed": {[]string{"--device", "vfio-user:nic.sock", "--pci-id", "10ee:9038,10ee:9039"}, []string{"nic.sock", "1234:4550", "--pci-id"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := espalier(t, folder, "", append([]string{"caps"}, c.args...)...)
			if err == nil {
				t.Fatalf("accepted:\n%s", out)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("message %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("message has several lines: %q", err)
			}
		})
	}
	if out, _, err := espalier(t, folder, "", "caps", "--device", "vfio-user:nic.sock", "--pci-id", "10ee:9038", "--pci-id", "1234:4550"); err != nil || !strings.Contains(out, "vfio-user:nic.sock") {
		t.Errorf("one ID of two: %v\n%s", err, out)
	}
	if err := s.end(); err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(folder, "nic.sock")); err == nil {
		t.Error("the socket is left behind")
	}
}
