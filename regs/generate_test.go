// SPDX-License-Identifier: Apache-2.0

package regs_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = ".."

// python returns the interpreter that has the packages of requirements.txt.
func python(t *testing.T) string {
	t.Helper()
	path := os.Getenv("ESPALIER_PYTHON")
	if path == "" {
		path = filepath.Join(root, "build", "venv", "bin", "python")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(path, "-c", "import systemrdl").Run(); err != nil {
		t.Fatalf("no Python with regs/requirements.txt at %s (%v): run `make setup-test`, or set ESPALIER_PYTHON", path, err)
	}
	return path
}

// The committed outputs are what the source and the pinned tools give, to the byte, and nothing is left over from an
// older source.
func TestCommittedOutputs(t *testing.T) {
	fresh := t.TempDir()
	if out, err := exec.Command(python(t), "generate.py", "--root", fresh).CombinedOutput(); err != nil {
		t.Fatalf("generate.py: %v\n%s", err, out)
	}
	generated := files(t, fresh)
	if len(generated) < 8 {
		t.Fatalf("only %d files were generated", len(generated))
	}
	for name := range generated {
		want, err := os.ReadFile(filepath.Join(fresh, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(root, name))
		switch {
		case err != nil:
			t.Errorf("%v: run `make regs` and commit", err)
		case !bytes.Equal(got, want):
			t.Errorf("%s differs from what its source gives: run `make regs` and commit", name)
		}
	}

	leftOver := func(name string) {
		if !generated[name] {
			t.Errorf("%s is no longer generated: delete it", name)
		}
	}
	for _, folder := range []string{"regs/html", "regs/c"} {
		for name := range files(t, filepath.Join(root, folder)) {
			leftOver(filepath.Join(folder, name))
		}
	}
	goFiles, err := filepath.Glob("*_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range goFiles {
		leftOver(filepath.Join("regs", name))
	}
}

// files returns the paths of the regular files below dir, relative to it.
func files(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		names[name] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A source that breaks a convention is refused with the place, and nothing is written.
func TestGenerateRefuses(t *testing.T) {
	source, err := os.ReadFile("espalier.rdl")
	if err != nil {
		t.Fatal(err)
	}
	interpreter := python(t)
	for _, c := range []struct{ name, old, new, message string }{
		{"not SystemRDL", "addrmap espalier_nic {", "addrmap espalier_nic", "espalier.rdl:"},
		{"no description", `desc = "Global control";`, "", "espalier_nic.ctrl: has no desc"},
		{"wide register", `desc = "Size of the mailbox"`, `regwidth = 64; desc = "Size of the mailbox"`, "espalier_nic.mbox_size: registers are 32 bits wide"},
		{"two dimensions", "int_moderation[32] @ 0x100 += 4;", "int_moderation[2][16] @ 0x100 += 4;", "int_moderation[][]: arrays have one dimension"},
		{"page by another name", "queue_page", "queue_block", "espalier_nic.txq[]: the name of a page's type ends in _page"},
		{"unsupported write", "woset; hw_owned;", "onwrite = wzc; hw_owned;", "espalier_nic.ctrl.reset: onwrite wzc is not supported"},
		{"stored set bit", "woset; hw_owned;", "woset;", "espalier_nic.ctrl.reset: woset and woclr fields are hw_owned"},
		{"hole in a record of words", "sa_word_wo key[8] @ 0x30;", "sa_word_wo key[8] @ 0x38;", "espalier_records.sa_record.key: a gap before it in a record of words"},
		{"no reset value", `hw = na; } value[31:0] = 0; } scratch`, `hw = r; } value[31:0]; } scratch`, "scratch.value: software writes it, but it has no reset value"},
		{"field across the middle of a record", "esp_offset[90:80]", "esp_offset[79:63]", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !bytes.Contains(source, []byte(c.old)) {
				t.Fatalf("espalier.rdl does not contain %q", c.old)
			}
			dir := t.TempDir()
			broken := bytes.ReplaceAll(source, []byte(c.old), []byte(c.new))
			if err := os.WriteFile(filepath.Join(dir, "espalier.rdl"), broken, 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(interpreter, "generate.py", "--source", filepath.Join(dir, "espalier.rdl"), "--root", filepath.Join(dir, "out")).CombinedOutput()
			if err == nil {
				t.Fatalf("accepted")
			}
			if !strings.Contains(string(out), c.message) || strings.Contains(string(out), "Traceback") {
				t.Errorf("said:\n%s\nwant %q", out, c.message)
			}
			if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
				t.Error("wrote files all the same")
			}
		})
	}
}
