// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/verilator/simbuild"
)

func tracedTiny() simbuild.Design {
	d := simbuild.Tiny()
	d.Name, d.Trace, d.Coverage = "tiny-trace", true, true
	return d
}

// signals returns the names and values in a waveform as text, read with the
// FST library that comes with Verilator.
func signals(t *testing.T, fst string) string {
	t.Helper()
	root, err := exec.Command("verilator", "--getenv", "VERILATOR_ROOT").Output()
	ok(t, err)
	include := filepath.Join(strings.TrimSpace(string(root)), "include", "gtkwave")
	reader := filepath.Join(t.TempDir(), "fst2text")
	args := []string{"-w", `-DFST_CONFIG_INCLUDE="fst_config.h"`, "-o", reader, "-I" + include, "testdata/fst2text.c"}
	for _, f := range []string{"fstapi.c", "fastlz.c", "lz4.c"} {
		args = append(args, filepath.Join(include, f))
	}
	if out, err := exec.Command("gcc", append(args, "-lz")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(reader, fst).Output()
	if err != nil {
		t.Fatalf("%s cannot be read: %v", fst, err)
	}
	return string(out)
}

func TestTrace(t *testing.T) {
	s, err := load(t, tracedTiny()).Create(nil, 1)
	ok(t, err)
	defer s.Close()
	dir := t.TempDir()
	first, second := filepath.Join(dir, "a.fst"), filepath.Join(dir, "b.fst")
	ok(t, s.Trace(first))
	mustWrite(t, s, tinyScratch, 0xCAFEF00D, 4)
	ok(t, s.Trace("")) // ends it
	mustWrite(t, s, tinyScratch, 0x12345678, 4)
	ok(t, s.Trace(second))
	mustWrite(t, s, tinyMisbehave, misNoAssert, 4)
	if err := s.BARWrite(0, tinyMisbehave, 4, misFatal); err == nil {
		_, _, err = s.Advance(10, 0)
		if !errors.Is(err, ErrModel) {
			t.Fatal(err)
		}
	}
	ok(t, s.Trace("")) // also when the design has stopped
	bits := func(v uint32) string {
		var b strings.Builder
		for i := 31; i >= 0; i-- {
			b.WriteByte('0' + byte(v>>i&1))
		}
		return b.String()
	}
	a, b := signals(t, first), signals(t, second)
	if !strings.Contains(a, "scratch_q") || !strings.Contains(a, bits(0xCAFEF00D)) || strings.Contains(a, bits(0x12345678)) {
		t.Error("the first waveform does not show the first write only")
	}
	if !strings.Contains(b, bits(0x12345678)) || strings.Contains(b, bits(0xCAFEF00D)) {
		t.Error("the second waveform does not show what came after the first")
	}

	for path, kind := range map[string]error{
		filepath.Join(dir, "none", "a.fst"): ErrIO,
		filepath.Join(dir, "a.vcd"):         ErrNotSupported,
	} {
		other, err := load(t, tracedTiny()).Create(nil, 1)
		ok(t, err)
		if err := other.Trace(path); !errors.Is(err, kind) || !strings.Contains(err.Error(), path) {
			t.Errorf("waveform %s: %v", path, err)
		}
		mustRead(t, other, tinyID) // it goes on
		other.Close()
	}
	if err := tinySim(t, nil, 1).Trace(first); !errors.Is(err, ErrNotSupported) {
		t.Errorf("waveform from a library without: %v", err)
	}
}

// TestTraceChangesNothing: looking does not change what is seen.
func TestTraceChangesNothing(t *testing.T) {
	run := func(lib *Library, path string) string {
		s, err := lib.Create(randomOptions(), 11)
		ok(t, err)
		defer s.Close()
		if path != "" {
			ok(t, s.Trace(path))
		}
		return scenario(t, s)
	}
	traced := load(t, tracedTiny())
	plain := run(loadTiny(t), "")
	if run(traced, "") != plain || run(traced, filepath.Join(t.TempDir(), "x.fst")) != plain {
		t.Error("cycles differ with waveforms")
	}
}

func TestCoverage(t *testing.T) {
	s, err := load(t, tracedTiny()).Create(nil, 1)
	ok(t, err)
	defer s.Close()
	path := filepath.Join(t.TempDir(), "coverage.dat")
	scenario(t, s)
	ok(t, s.Coverage(path))
	data, err := os.ReadFile(path)
	ok(t, err)
	if !bytes.HasPrefix(data, []byte("# SystemC::Coverage-3")) || !bytes.Contains(data, []byte("tiny_nic.sv")) {
		t.Errorf("coverage file of %d bytes starts with %q", len(data), data[:min(len(data), 40)])
	}
	if err := s.Coverage(filepath.Join(path, "x")); !errors.Is(err, ErrIO) {
		t.Errorf("coverage that cannot be written: %v", err)
	}
	if err := tinySim(t, nil, 1).Coverage(path); !errors.Is(err, ErrNotSupported) {
		t.Errorf("coverage from a library without: %v", err)
	}
}
