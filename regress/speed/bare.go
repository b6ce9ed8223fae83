// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// buildScript makes simulators; seen from the repository's root.
const buildScript = "verilator/build.sh"

// BuildBare builds the simulator library and the program that clocks the same
// objects without the bridge, if that was not done yet, and returns the paths of
// both. It works in a checkout of the repository: in its root, or with the
// program that runs in its bin/.
func BuildBare(ctx context.Context) (library, bare string, err error) {
	paths, err := buildSimulator(ctx, 2, "--bare")
	if err != nil {
		return "", "", err
	}
	return paths[0], paths[1], nil
}

// BuildWindow builds the simulator library of the NIC without a control
// processor, if that was not done yet, and returns its path.
func BuildWindow(ctx context.Context) (library string, err error) {
	paths, err := buildSimulator(ctx, 1, "--out", "window", "--param", "CONTROL_PROCESSOR=0")
	if err != nil {
		return "", err
	}
	return paths[0], nil
}

// buildSimulator runs the build script and returns the paths that it prints.
func buildSimulator(ctx context.Context, paths int, args ...string) ([]string, error) {
	root, err := findRoot()
	if err != nil {
		return nil, err
	}
	call := buildScript + " " + strings.Join(args, " ")
	cmd := exec.CommandContext(ctx, filepath.Join(root, buildScript), args...)
	var out, diagnosis bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnosis
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", call, err, strings.TrimSpace(diagnosis.String()))
	}
	lines := strings.Fields(out.String())
	if len(lines) != paths {
		return nil, fmt.Errorf("%s printed %q, expected were paths, %d of them", call, out.String(), paths)
	}
	return lines, nil
}

// findRoot returns the folder that holds the build script: this one, one above
// it, or the one above the program's.
func findRoot() (string, error) {
	var candidates []string
	if folder, err := os.Getwd(); err == nil {
		for ; ; folder = filepath.Dir(folder) {
			candidates = append(candidates, folder)
			if folder == filepath.Dir(folder) {
				break
			}
		}
	}
	if program, err := os.Executable(); err == nil {
		candidates = append(candidates, filepath.Join(filepath.Dir(program), ".."))
	}
	for _, folder := range candidates {
		if _, err := os.Stat(filepath.Join(folder, buildScript)); err == nil {
			return folder, nil
		}
	}
	return "", errors.New(buildScript + " is not found; run this in a checkout of the repository, or name the program with --bare")
}
