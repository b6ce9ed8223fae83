// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// compile makes a shared library from C source.
func compile(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	c, lib := filepath.Join(dir, "stub.c"), filepath.Join(dir, "stub.so")
	ok(t, os.WriteFile(c, []byte(source), 0o644))
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", lib, c).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return lib
}

// stub is the start of a simulator library with a description.
func stub(info string) string {
	var b strings.Builder
	b.WriteString("unsigned espalier_sim_abi(void) { return 1; }\n")
	b.WriteString("const char *espalier_sim_info(void) { return \"" + strings.ReplaceAll(info, `"`, `\"`) + "\"; }\n")
	for _, name := range strings.Fields("create destroy hard_reset last_error cycle advance bar_read bar_write mem_add mem_add_fd mem_remove faults mac_send mac_recv mac_sent interrupts trace coverage peek") {
		b.WriteString("long espalier_sim_" + name + "(void) { return 0; }\n")
	}
	return b.String()
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	ok(t, os.WriteFile(text, []byte("this is not a library\n"), 0o644))
	empty := filepath.Join(dir, "empty.so")
	ok(t, os.WriteFile(empty, nil, 0o644))
	whole, err := os.ReadFile(loadTiny(t).Path())
	ok(t, err)
	cut := filepath.Join(dir, "cut.so")
	ok(t, os.WriteFile(cut, whole[:1000], 0o644))
	program, err := exec.LookPath("true")
	ok(t, err)
	object := filepath.Join(dir, "object.o")
	if out, err := exec.Command("gcc", "-c", "-o", object, "-x", "c", os.DevNull).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	good := `{"design":"x","bars":[{"index":0,"size":4096}],"vectors":1,"mac_ports":1}`

	for _, c := range []struct {
		name, path string
		kind       error
		want       string
	}{
		{"missing", filepath.Join(dir, "none.so"), ErrMissing, "none.so: file does not exist"},
		{"folder", dir, ErrNotLibrary, "it is a folder"},
		{"text", text, ErrNotLibrary, "it has no ELF header"},
		{"empty", empty, ErrNotLibrary, "it has no ELF header"},
		{"cut short", cut, ErrNotLibrary, "cut.so: not a shared library"},
		{"below a file", filepath.Join(text, "x"), ErrNotLibrary, "not a directory"},
		{"object file", object, ErrNotLibrary, "ELF type ET_REL"},
		{"program", program, nil, ""}, // position-independent: refused by dlopen or for its symbols
		{"another library", "/lib/x86_64-linux-gnu/libm.so.6", ErrNotSimulator, "it has no symbol espalier_sim_abi"},
		{"other version", compile(t, "unsigned espalier_sim_abi(void) { return 7; }"), ErrABI, "it has version 7, this program speaks version 1"},
		{"half a simulator", compile(t, "unsigned espalier_sim_abi(void) { return 1; }"), ErrNotSimulator, "it has no symbol espalier_sim_info"},
		{"description is not JSON", compile(t, stub("hello")), ErrNotSimulator, "its description is not JSON"},
		{"no BAR 0", compile(t, stub(`{"vectors":1,"mac_ports":1}`)), ErrNotSimulator, "no usable BAR 0"},
		{"no vectors", compile(t, stub(strings.Replace(good, `"vectors":1`, `"vectors":0`, 1))), ErrNotSimulator, "no usable"},
	} {
		lib, err := Load(c.path)
		if err == nil {
			t.Errorf("%s: loaded %+v", c.name, lib.Info())
			continue
		}
		if c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.kind)
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %q, want one line with %q", c.name, err, c.want)
		}
	}
	lib, err := Load(compile(t, stub(good)))
	ok(t, err)
	// This stub creates nothing, and says nothing.
	if _, err := lib.Create(nil, 0); !errors.Is(err, ErrInvalid) {
		t.Errorf("create: %v", err)
	}
}

// TestLoadTwice: the same file again is fine; another under its name would be
// taken for the first by the dynamic linker.
func TestLoadTwice(t *testing.T) {
	info := func(design string) string {
		return stub(`{"design":"` + design + `","bars":[{"index":0,"size":4096}],"vectors":1,"mac_ports":1}`)
	}
	path := compile(t, info("first"))
	for range 2 {
		lib, err := Load(path)
		ok(t, err)
		if lib.Info().Design != "first" {
			t.Errorf("design %s", lib.Info().Design)
		}
	}
	other := compile(t, info("second"))
	ok(t, os.Rename(other, path))
	if _, err := Load(path); !errors.Is(err, ErrReplaced) {
		t.Errorf("a rebuilt library: %v", err)
	}
}
