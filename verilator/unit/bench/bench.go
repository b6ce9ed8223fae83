// SPDX-License-Identifier: Apache-2.0

// Package bench builds and runs the C++ benches of single RTL units.
//
// A unit's test names its SystemVerilog sources and its C++ bench, Build turns
// them into an executable with Verilator and keeps it under build/unit/ by the
// hash of everything it was made from, and Run feeds it. The judging is the
// test's own.
package bench

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
)

// Unit describes one bench executable.
type Unit struct {
	// Name is the folder under build/unit/, for example "crypt".
	Name string
	// Top is the module under test. The generated class is always Vdut and its
	// header Vdut.h, whatever the module is called.
	Top string
	// Bench is the C++ file with main(), relative to the calling test's
	// folder: "testdata/tb.cpp", because the go tool takes no C++ file beside Go
	// files. Headers (*.h) beside it are hashed too.
	Bench string
	// Sources are SystemVerilog files relative to the repository's root, packages
	// first. The folders rtl/ and regs/sv/ are searched for includes.
	Sources []string
	// Params overrides parameters of Top.
	Params map[string]string
	// Flags are passed on to Verilator after the standard ones.
	Flags []string
	// Fast selects the flags of speed measurements: assertions off, no
	// randomised initial values, the C++ compiler's full optimisation.
	Fast bool
}

// Build returns the path of the unit's executable, building it unless an
// identical one exists. It fails the test when Verilator is missing or reports
// anything at all: benches are built with -Wall.
func Build(t testing.TB, u Unit) string {
	t.Helper()
	exe, err := build(u)
	if err != nil {
		t.Fatalf("unit %s: %v", u.Name, err)
	}
	return exe
}

// Run runs an executable made by Build with the given standard input and
// returns its standard output. A non-zero exit fails the test with the end of
// what the bench wrote to standard error.
func Run(t testing.TB, exe string, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(exe, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(filepath.Dir(exe)), strings.Join(args, " "), err,
			tail(out.Bytes(), 500), tail(diag.Bytes(), 4000))
	}
	return out.Bytes()
}

// Root returns the repository's root: the nearest folder above the working
// directory that holds go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod in this folder or above it")
		}
		dir = up
	}
}

func build(u Unit) (string, error) {
	if u.Name == "" || u.Top == "" || u.Bench == "" || len(u.Sources) == 0 {
		return "", errors.New("name, top, bench and sources must be given")
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	tool, err := exec.LookPath("verilator")
	if err != nil {
		return "", fmt.Errorf("verilator is needed to build RTL benches: %w", err)
	}
	version, err := exec.Command(tool, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("verilator --version: %w", err)
	}
	benchFile, err := filepath.Abs(u.Bench)
	if err != nil {
		return "", err
	}

	args := arguments(root, u)
	sum, err := digest(root, string(version), benchFile, args, u.Sources)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "build", "unit", u.Name)
	final := filepath.Join(dir, sum)
	exe := filepath.Join(final, "Vdut")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(dir, sum+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(exe); err == nil {
		return exe, nil
	}

	work, err := os.MkdirTemp(dir, "work-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	args = append(args, "--Mdir", work)
	for _, s := range u.Sources {
		args = append(args, filepath.Join(root, s))
	}
	args = append(args, benchFile)
	cmd := exec.Command(tool, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, tail(out, 6000))
	}
	// Only the executable is kept; object files of a unit are tens of megabytes.
	if err := os.MkdirAll(final, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(work, "Vdut"), exe); err != nil {
		return "", err
	}
	return exe, nil
}

func arguments(root string, u Unit) []string {
	args := []string{
		"--cc", "--exe", "--build", "-j", "2", "-Wall", "-O3",
		"--top-module", u.Top, "--prefix", "Vdut", "-o", "Vdut",
		"-I" + filepath.Join(root, "rtl"), "-I" + filepath.Join(root, "regs", "sv"),
	}
	if u.Fast {
		args = append(args, "--noassert", "--x-assign", "fast", "--x-initial", "fast",
			"-CFLAGS", "-O3 -march=native -std=c++17 -Wall")
	} else {
		args = append(args, "--assert", "--x-assign", "unique", "--x-initial", "unique",
			"-CFLAGS", "-O1 -std=c++17 -Wall")
	}
	names := make([]string, 0, len(u.Params))
	for name := range u.Params {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		args = append(args, "-G"+name+"="+u.Params[name])
	}
	return append(args, u.Flags...)
}

// digest hashes all that the executable depends on.
func digest(root, version, benchFile string, args, sources []string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q\n", version, args)
	files := []string{benchFile}
	for _, s := range sources {
		files = append(files, filepath.Join(root, s))
	}
	for _, pattern := range []string{
		filepath.Join(filepath.Dir(benchFile), "*.h"),
		filepath.Join(root, "rtl", "*.svh"),
		filepath.Join(root, "regs", "sv", "*.svh"),
	} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		files = append(files, more...)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("source missing: %w", err)
			}
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", filepath.Base(f), len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))[:20], nil
}

// lock takes an exclusive lock that other test processes honour, so that an
// executable is built once.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		return append([]byte("... "), b[len(b)-n:]...)
	}
	return b
}
