// SPDX-License-Identifier: Apache-2.0

// Package simbuild builds simulator libraries for tests: verilator/build.sh as a
// function. Builds are cached by content, so a test that asks for a library
// which exists gets it at once.
package simbuild

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Design says what to build. The zero value is the NIC as `make sim` builds it.
type Design struct {
	// Name is the folder under build/sim/ for the library; "" for none.
	Name string
	// Files is a file list from the repository's root, "" for rtl/espalier.f.
	Files string
	// Top is the top module, "" for espalier_nic.
	Top string
	// Params and Defines override parameters of the top ("NUM_SA=64") and
	// define macros.
	Params, Defines []string
	// Replace names files to take instead of those in the list: "A=B". Paths
	// of replacements may be absolute.
	Replace []string
	// Trace and Coverage are compiled in; NoAssert leaves assertions out.
	Trace, Coverage, NoAssert bool
}

// Tiny is the small design of verilator/testdata that misbehaves on request.
func Tiny() Design {
	return Design{Name: "tiny", Files: "verilator/testdata/tiny_nic.f", Top: "tiny_nic"}
}

// Library builds a design and returns the library's path.
func Library(t testing.TB, d Design) string {
	t.Helper()
	path, err := Build(d)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// built remembers this process's builds: finding out that there is nothing to do
// takes a few tenths of a second, and tests ask often.
var built = struct {
	sync.Mutex
	paths map[string]string
}{paths: make(map[string]string)}

// Build is Library for programs that are no tests, and for designs that are not
// meant to build.
func Build(d Design) (string, error) {
	built.Lock()
	defer built.Unlock()
	key := fmt.Sprintf("%q", d.arguments())
	if path, ok := built.paths[key]; ok {
		return path, nil
	}
	path, err := build(d)
	if err == nil {
		built.paths[key] = path
	}
	return path, err
}

// Bare builds a design's library and the bench that clocks the same objects
// without it (verilator/bench).
func Bare(d Design) (library, bench string, err error) {
	out, err := build(d, "--bare")
	if err != nil {
		return "", "", err
	}
	library, bench, _ = strings.Cut(out, "\n")
	return library, bench, nil
}

func build(d Design, more ...string) (string, error) {
	root, err := findRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(root, "verilator", "build.sh"), append(d.arguments(), more...)...)
	cmd.Dir = root
	var out, diagnosis bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnosis
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("simulator %s: %w\n%s", d.Name, err, diagnosis.Bytes())
	}
	return strings.TrimSpace(out.String()), nil
}

func (d Design) arguments() []string {
	var args []string
	for _, value := range []struct{ flag, value string }{{"--out", d.Name}, {"--files", d.Files}, {"--top", d.Top}} {
		if value.value != "" {
			args = append(args, value.flag, value.value)
		}
	}
	for _, list := range []struct {
		flag   string
		values []string
	}{{"--param", d.Params}, {"--define", d.Defines}, {"--replace", d.Replace}} {
		for _, v := range list.values {
			args = append(args, list.flag, v)
		}
	}
	for _, option := range []struct {
		flag string
		on   bool
	}{{"--trace", d.Trace}, {"--coverage", d.Coverage}, {"--no-assert", d.NoAssert}} {
		if option.on {
			args = append(args, option.flag)
		}
	}
	return args
}

// findRoot returns the nearest folder above the working directory with go.mod.
func findRoot() (string, error) {
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
