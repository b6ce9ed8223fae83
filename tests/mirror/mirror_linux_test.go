// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

// Package mirror tests that a run in a guest sees every frame on the wire between
// its two cards, as a run in one process does.
package mirror

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket/pcapgo"

	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regress"
	"github.com/espalier-nic/espalier/verilator/simbuild"
	"github.com/espalier-nic/espalier/vm/vmtest"
)

// shortest is a frame's least length on the wire between two cards: shorter ones
// are padded with zeros for it.
const shortest = 60

// TestWireInAGuest: the same captures, seed and NIC give the same frames on the
// wire, in one process and in a guest with two cards; each is judged.
func TestWireInAGuest(t *testing.T) {
	captures, err := filepath.Glob("../captures/*.pcap")
	if err != nil || len(captures) == 0 {
		t.Fatalf("captures %v, %v", captures, err)
	}
	for i := range captures {
		if captures[i], err = filepath.Abs(captures[i]); err != nil {
			t.Fatal(err)
		}
	}
	image, err := firmware.Build(firmware.Standard)
	if err != nil {
		t.Fatal(err)
	}
	program := vmtest.Espalier(t)
	for name, device := range map[string]string{"RTL": "sim:" + simbuild.Library(t, simbuild.Design{}), "Go NIC": "gonic"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // one mostly waits for the other's processor
			here, there := t.TempDir(), t.TempDir()
			run := func(out string, more ...string) []string {
				return append(append([]string{"run", "--force", "--firmware", image, "--out", out}, more...), captures...)
			}
			if out, err := exec.Command(program, run(here, "--device", device)...).CombinedOutput(); err != nil {
				t.Fatalf("espalier run: %v\n%s", err, out)
			}
			arguments := []string{"--device", device, "--firmware", image, "--out", there, "--",
				"sh", "-c", `"$@" && cat /sys/class/net/$ESPALIER_WIRE_TAP/statistics/rx_packets && cat /sys/class/net/$ESPALIER_WIRE_TAP/statistics/tx_packets`, "sh", program}
			out, said := vmtest.Guest(t, program, append(arguments, run(there)...)...)

			want, got := readResult(t, here), readResult(t, there)
			if !got.Complete || !got.WireSeen || len(got.NotSeen) > 0 || got.Counts.Mismatches != 0 {
				t.Errorf("in the guest: %+v\n%s\n%s", got, out, said)
			}
			wire, padding := readWire(t, here)
			want.WireBytes += padding // what the run says of one process is without it
			if got.Counts != want.Counts || got.OnWire == 0 {
				t.Errorf("in the guest\n%+v, in one process\n%+v", got.Counts, want.Counts)
			}
			seen, _ := readWire(t, there)
			for frame, n := range wire {
				if seen[frame] != n {
					t.Errorf("a frame of %d bytes was seen %d times, want %d", len(frame), seen[frame], n)
				}
			}
			if len(seen) != len(wire) {
				t.Errorf("%d different frames were seen, want %d", len(seen), len(wire))
			}
			// The interface has shown these and nothing else, and is silent.
			lines := strings.Fields(out)
			if n := len(lines); n < 2 || lines[n-2] != jsonNumber(got.OnWire) || lines[n-1] != "0" {
				t.Errorf("the interface's counts are not %d in and 0 out:\n%s", got.OnWire, out)
			}
		})
	}
}

func jsonNumber(n int) string {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // a number
	}
	return string(text)
}

func readResult(t *testing.T, folder string) *regress.Result {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(folder, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	r := &regress.Result{}
	if err := json.Unmarshal(raw, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// readWire reads the frames that a run has seen on the wire, padded, and returns
// how often each was there and how many bytes of padding all have got here.
func readWire(t *testing.T, folder string) (frames map[string]int, padding int64) {
	t.Helper()
	file, err := os.Open(filepath.Join(folder, "wire.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	frames = map[string]int{}
	for {
		frame, _, err := reader.ReadPacketData()
		if err != nil {
			return frames, padding // its end; the result says how many there are
		}
		for len(frame) < shortest {
			frame = append(frame, 0)
			padding++
		}
		frames[string(frame)]++
	}
}
