// SPDX-License-Identifier: Apache-2.0

package simbuild

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// source is where tiny_nic is, seen from this folder and from the root.
const (
	source    = "../testdata/tiny_nic.sv"
	sourceKey = "verilator/testdata/tiny_nic.sv"
)

func info(t *testing.T, path string) rtlbridge.LibraryInfo {
	t.Helper()
	lib, err := rtlbridge.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return lib.Info()
}

// changed writes tiny_nic with a replacement made and returns the file.
func changed(t *testing.T, old, new string) string {
	t.Helper()
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), old) != 1 {
		t.Fatalf("%q is in %s %d times", old, source, strings.Count(string(text), old))
	}
	path := filepath.Join(t.TempDir(), "tiny_nic.sv")
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestUnchangedIsNotBuilt: the second build leaves the file alone.
func TestUnchangedIsNotBuilt(t *testing.T) {
	path := Library(t, Tiny())
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := build(Tiny()); err != nil || again != path {
		t.Fatalf("%s, %v", again, err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) || before.ModTime() != after.ModTime() {
		t.Error("the library was written again")
	}
}

// TestVariants: parameters and replaced files make another library, with
// another identification, beside the first.
func TestVariants(t *testing.T) {
	plain := info(t, Library(t, Tiny()))

	params := Tiny()
	params.Name, params.Params = "tiny-params", []string{"NUM_VECTORS=19", "LANES=2"}
	p := info(t, Library(t, params))
	if p.Vectors != 19 || p.Lanes != 2 || p.BuildID == plain.BuildID {
		t.Errorf("with parameters: %+v", p)
	}

	replaced := Tiny()
	replaced.Name, replaced.Replace = "tiny-replaced", []string{sourceKey + "=" + changed(t, `32'h594E4954; // "TINY"`, `32'h594E4955;`)}
	lib, err := rtlbridge.Load(Library(t, replaced))
	if err != nil {
		t.Fatal(err)
	}
	if lib.Info().BuildID == plain.BuildID {
		t.Error("changed RTL has the same identification")
	}
	sim, err := lib.Create(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	if id, err := sim.BARRead(0, 0, 4); err != nil || id != 0x594E4955 {
		t.Errorf("changed RTL reads %#x, %v", id, err)
	}
}

// TestRefusals: what cannot be built is said in a sentence, and nothing is left
// that looks like a library.
func TestRefusals(t *testing.T) {
	design := func(change func(*Design)) Design {
		d := Tiny()
		d.Name = "tiny-refused"
		change(&d)
		return d
	}
	for name, c := range map[string]struct {
		design Design
		want   string
	}{
		"no list":     {design(func(d *Design) { d.Files = "rtl/none.f" }), "file list rtl/none.f does not exist"},
		"no source":   {design(func(d *Design) { d.Replace = []string{sourceKey + "=none.sv"} }), "source none.sv does not exist"},
		"not in list": {design(func(d *Design) { d.Replace = []string{"rtl/other.sv=" + sourceKey} }), "a file to be replaced is not in"},
		"syntax":      {design(func(d *Design) { d.Replace = []string{sourceKey + "=" + changed(t, "endmodule", "endmodul")} }), "syntax error"},
		"warning": {design(func(d *Design) {
			d.Replace = []string{sourceKey + "=" + changed(t, "wire unused = ", "wire [1:0] unused = ")}
		}), "%Warning-WIDTH"},
		"no such module": {design(func(d *Design) { d.Top = "nonsense" }), "nonsense"},
		"no such param":  {design(func(d *Design) { d.Params = []string{"NONSENSE=1"} }), "NONSENSE"},
	} {
		path, err := Build(c.design)
		if err == nil || path != "" {
			t.Errorf("%s: built %s", name, path)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "verilator/build.sh: ") {
			t.Errorf("%s: error %q, want %q", name, err, c.want)
		}
	}
	if _, err := os.Stat("../../build/sim/tiny-refused"); err == nil {
		t.Error("a refused design left a library")
	}
}
