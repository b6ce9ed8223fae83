// SPDX-License-Identifier: Apache-2.0

package regs_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The C header compiles without a warning as strict C11 and as C++17, and its records and macros give bytes and
// values worked out by hand.
func TestCHeader(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "records")
	warnings := []string{"-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-I", "c"}
	for _, command := range [][]string{
		append([]string{"gcc", "-std=c11", "-o", exe, "testdata/records.c"}, warnings...),
		append([]string{"g++", "-std=c++17", "-fsyntax-only", "-x", "c++", "c/espalier_regs.h"}, warnings...),
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	out, err := exec.Command(exe).Output()
	if err != nil {
		t.Fatalf("a value was not read back as written: %v", err)
	}
	want := []string{
		// Bits 94 and 95 of a TX descriptor belong to no field and keep the ones they had.
		"8877665544332211" + "ee05" + "22d8" + "03000100",
		"dc05070011000200" + "02000500" + "04020187",
		"44332211" + "21000000" + strings.Repeat("00", 68) + "efbeadde",
		"ffffff9f",
		"4",
		"12018",
		"17c",
	}
	if got := strings.Fields(string(out)); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
