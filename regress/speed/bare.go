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
	root, err := findRoot()
	if err != nil {
		return "", "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, buildScript), "--bare")
	var out, diagnosis bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnosis
	if err := cmd.Run(); err != nil {
		return "", "", fmt.Errorf("%s --bare: %w: %s", buildScript, err, strings.TrimSpace(diagnosis.String()))
	}
	lines := strings.Fields(out.String())
	if len(lines) != 2 {
		return "", "", fmt.Errorf("%s --bare printed %q, expected were two paths", buildScript, out.String())
	}
	return lines[0], lines[1], nil
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
