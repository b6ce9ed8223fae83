// SPDX-License-Identifier: Apache-2.0

package firmware

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Variant is one of the images that firmware/build.sh makes.
type Variant string

const (
	// Standard is the firmware.
	Standard Variant = "espalier_fw.bin"
	// WithFaults is the firmware with a mailbox operation (0xF0) that makes it
	// fail in the ways that HANDLE names; for tests only.
	WithFaults Variant = "espalier_fw_faults.bin"
)

// Find returns the path of the standard image: beside the running program, or in
// build/firmware of the repository that the program or the working directory is in.
func Find() (string, error) {
	var tried []string
	try := func(path string) bool {
		tried = append(tried, path)
		info, err := os.Stat(path)
		return err == nil && info.Mode().IsRegular()
	}
	name := string(Standard)
	if exe, err := os.Executable(); err == nil {
		dir := filepath.Dir(exe)
		for _, path := range []string{filepath.Join(dir, name), filepath.Join(dir, "..", "build", "firmware", name)} {
			if try(path) {
				return path, nil
			}
		}
	}
	if root, err := findRoot(); err == nil {
		if path := filepath.Join(root, "build", "firmware", name); try(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("firmware image: there is none (run make firmware); looked for %s: %w", strings.Join(tried, ", "), fs.ErrNotExist)
}

// Load reads and checks an image file.
func Load(path string) (*Image, error) {
	// A larger file is no image; one byte more than allowed says so without reading it all.
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("firmware image: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("firmware image: %w", err)
	}
	image, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return image, nil
}

var build sync.Mutex

// Build builds what is not up to date and returns an image's path. It needs the
// repository and a RISC-V compiler; its error says which package has one.
func Build(v Variant) (string, error) {
	build.Lock()
	defer build.Unlock()
	root, err := findRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(root, "firmware", "build.sh"))
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build of the firmware: %w\n%s", err, out)
	}
	return filepath.Join(root, "build", "firmware", string(v)), nil
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
