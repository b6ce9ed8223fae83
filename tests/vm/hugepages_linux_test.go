// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package vm

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestHugePages runs the vfio-user server's test of client memory in huge pages
// where there are some.
func TestHugePages(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "server.test")
	if words, err := exec.Command("go", "test", "-c", "-o", binary, "../../rtl-bridge/vfiouser/server").CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, words)
	}
	s := espalierVM(t, "", "--nics", "0", "--hugepages", "8", "--", binary, "-test.run", "^TestHugePages$", "-test.v")
	if code := s.wait(); code != 0 || !strings.Contains(s.stdout.String(), "--- PASS: TestHugePages") {
		t.Errorf("exit code %d; it said:\n%s%s", code, s.stdout.String(), s.stderr.String())
	}
}
