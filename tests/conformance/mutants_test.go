// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is the product broken in one place.
type mutant struct {
	name string
	file string // from the repository's root
	// old occurs once in the file and is replaced by new.
	old, new string
	rows     string // those that must fail, ids with commas between them
	whole    bool   // needs the counts of a model, not those of RTL
}

var mutants = []mutant{
	{
		name: "a keyword that has no effect", file: "driver/offload/capabilities.go",
		old: "c.ESP = c.ESP && ipsec.esp()", new: "c.ESP = c.ESP && (ipsec.esp() || true)",
		rows: "CAP-1,CFG-1,CFG-5",
	},
	{
		name: "two fields of the record swapped", file: "driver/offload/capabilities.go",
		old: "binary.LittleEndian.PutUint32(b[20:], uint32(c.AuthenticationAlgorithms))", new: "binary.LittleEndian.PutUint32(b[20:], uint32(c.EncryptionAlgorithms))",
		rows: "CAP-3",
	},
	{
		name: "the wrong indication", file: "driver/offload/adapter.go",
		old:  "a.indicator.enqueue(Indication{Status: StatusTaskOffloadCurrentConfig, Offload: next.current})",
		new:  "a.indicator.enqueue(Indication{Status: StatusTaskOffloadHardwareCapabilities, Offload: next.current})",
		rows: "CFG-1,CFG-4",
	},
	{
		name: "active before the encapsulation is set", file: "driver/offload/adapter.go",
		old: "if err := n.SetIPsec(false); err != nil {", new: "if err := n.SetIPsec(true); err != nil {",
		rows: "CFG-4",
	},
	{
		name: "values that are not checked", file: "driver/offload/parameters.go",
		old: "if v.value > v.max {", new: "if v.value > v.max+100 {",
		rows: "CFG-2",
	},
	{
		name: "a configuration that changes unnoticed", file: "driver/offload/direct.go",
		old: "if err == nil && now != before {", new: "if err == nil && now == nil {",
		rows: "CFG-7", whole: true,
	},
	{
		name: "a list that fails as a whole", file: "driver/offload/direct.go",
		old: "if added {", new: "if added && first == nil {",
		rows: "ADD-2",
	},
	{
		name: "a key always at the beginning", file: "driver/offload/check.go",
		old: "at := e.KeyData[s.Encryption.KeyOffset:]", new: "at := e.KeyData[0*s.Encryption.KeyOffset:]",
		rows: "ADD-7",
	},
	{
		name: "KeyOffset of ADD_SA_EX ignored", file: "driver/offload/wire.go",
		old: "KeyData:       bytes.Clone(buf[offset : offset+length]),", new: "KeyData:       bytes.Clone(buf[exSize : exSize+length]),",
		rows: "ADD-6",
	},
	{
		name: "loops in lists", file: "driver/offload/wire.go",
		old: "if spans[i].start < spans[i-1].end {", new: "if spans[i].start < spans[i-1].start {",
		rows: "ADD-8",
	},
	{
		name: "any SPI will do", file: "driver/offload/direct.go",
		old: "case u.SPI != e.sa.SPI:", new: "case u.SPI == 0 && e.sa.SPI != 0:",
		rows: "UPD-2",
	},
	{
		name: "sends keep the old upper half", file: "driver/offload/direct.go",
		old: "\te.high.Store(u.SequenceNumberHighOrder)", new: "\te.high.Store(e.high.Load())",
		rows: "UPD-1,UPD-4",
	},
	{
		name: "the rest of a list is left", file: "driver/offload/direct.go",
		old: "\t\t\terrs = append(errs, withOp(op, err))\n\t\t\tcontinue", new: "\t\t\terrs = append(errs, withOp(op, err))\n\t\t\tbreak",
		rows: "DEL-2",
	},
	{
		name: "asked back and deleted at once", file: "driver/offload/direct.go",
		old: "e.evict.Store(true)", new: "e.evict.Store(a.retire(e))",
		rows: "DEL-3,RX-13",
	},
	{
		name: "fail open", file: "driver/offload/packet.go",
		old: "if a.opts.SpecLiteralSend {", new: "if a.opts.SpecLiteralSend || true {",
		rows: "CFG-5,TX-12",
	},
	{
		name: "a large send as if it were none", file: "driver/offload/packet.go",
		old: "if s.Info[SlotLargeSend] != 0 {", new: "if s.Info[SlotLargeSend] == 1 {",
		rows: "LSO-7,LSO-8",
	},
	{
		name: "a slot that a filter forgets", file: "driver/offload/packet.go",
		old: "SlotIPsecTunnel, SlotIPsecHeader, SlotVirtualSubnet, SlotFiltering,\n\t}\n\tcopiedOnReceive", new: "SlotIPsecHeader, SlotVirtualSubnet, SlotFiltering,\n\t}\n\tcopiedOnReceive",
		rows: "MUX-2",
	},
	{
		name: "addressing that is not reset", file: "driver/offload/lifecycle.go",
		old: "next.ipv4, next.ipv6 = false, false", new: "next.ipv4, next.ipv6 = true, true",
		rows: "LIFE-2",
	},
	{
		name: "sends while paused", file: "driver/offload/packet.go",
		old: "if a.paused.Load() {", new: "if a.paused.Load() && a.tag == 0 {",
		rows: "LIFE-4",
	},
	{
		name: "handles of other adapters", file: "driver/offload/direct.go",
		old: "if uint32(h>>32) == a.tag {", new: "if uint32(h>>32) == a.tag || true {",
		rows: "MUX-1,TX-7,UPD-2",
	},
	{
		name: "a fail-over half indicated", file: "driver/offload/mux.go",
		old: "\tif hardware {", new: "\tif hardware && m.mode == LoadBalance {",
		rows: "MUX-1",
	},
	{
		name: "a result word shifted", file: "driver/rx.go",
		old: "v := uint32(w.CryptoStatus) << 16", new: "v := uint32(w.CryptoStatus) << 15",
		rows: "RX-2,RX-6",
	},
	{
		name: "a send that forgets its SA", file: "driver/tx.go",
		old: "IPsec:     p.SA != 0,", new: "IPsec:     p.SA == 1,",
		rows: "TX-1,TX-6",
	},
	{
		name: "generations ignored", file: "hwmodel/nic/sa.go",
		old: "if !s.live || s.handle != handle {", new: "if !s.live {",
		rows: "TX-7,DEL-5",
	},
	{
		name: "any source will do", file: "hwmodel/nic/sa.go",
		old: "if found == nil || found.src != [16]byte{} && found.src != s.Src {", new: "if found == nil {",
		rows: "ADD-11",
	},
}

// TestMutants: each mutant fails the rows that it breaks.
func TestMutants(t *testing.T) {
	for i, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			binary := build(t, i, &m)
			args := []string{"-test.run=^TestRows$", "-test.timeout=60s", "-rows=" + m.rows}
			if !m.whole {
				args = append(args, "-test.short")
			}
			cmd := exec.Command(binary, args...)
			cmd.Dir = filepath.Join(root, "regress", "conformance")
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("%s passed:\n%s", m.rows, out)
			}
			if bytes.Contains(out, []byte("panic")) {
				t.Errorf("a panic:\n%s", out)
			}
			for _, row := range strings.Split(m.rows, ",") {
				if !bytes.Contains(out, []byte("--- FAIL: TestRows/"+row+" ")) {
					t.Errorf("%s passed:\n%s", row, out)
				}
			}
			t.Logf("%s", out)
		})
	}
}

// build makes the conformance tests with a mutant in them; the tree is not
// touched.
func build(t *testing.T, number int, m *mutant) string {
	t.Helper()
	original, err := filepath.Abs(filepath.Join(root, m.file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		t.Fatalf("%s holds %q %d times, wanted is once", m.file, m.old, n)
	}
	folder := t.TempDir()
	changed := filepath.Join(folder, fmt.Sprintf("mutant%d.go", number))
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(folder, "mutant.test")
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+overlayFile, "-o", binary, "./regress/conformance")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}
