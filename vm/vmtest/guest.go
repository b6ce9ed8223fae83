// SPDX-License-Identifier: Apache-2.0

package vmtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// InGuest says whether this process runs in a guest of `espalier vm`.
func InGuest() bool { return os.Getenv("ESPALIER_VM") == "1" }

// Espalier builds the command and answers the program's path.
func Espalier(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "espalier")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/espalier-nic/espalier/cmd/espalier").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// guestPatience is how long a guest may take.
const guestPatience = 5 * time.Minute

// Guest runs `espalier vm` with arguments and answers the standard output and the
// standard error. The test fails with all that was said if the command does. Where
// there is no QEMU or no kernel it fails or is skipped, as Need says.
func Guest(t testing.TB, program string, arguments ...string) (stdout, stderr string) {
	t.Helper()
	QEMU(t)
	Kernel(t)
	cmd := exec.CommandContext(t.Context(), program, append([]string{"vm", "--timeout", guestPatience.String()}, arguments...)...)
	cmd.Dir = t.TempDir()
	// An interrupt lets it end what it has started.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("espalier vm: %v\n%s\n%s", err, out, said.String())
	}
	return string(out), said.String()
}

// outcomes are the lines in which a test program says how a test ended.
var outcomes = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+) \(`)

// TestsInGuest runs the test of this program that has the name of t in a guest of
// `espalier vm` with arguments; there InGuest holds. want are the names of the
// subtests that must have passed in it: t fails if any was not run, and if
// anything has failed or was skipped. It answers the standard error.
func TestsInGuest(t *testing.T, program string, want []string, arguments ...string) (stderr string) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pattern := ""
	for i, part := range strings.Split(t.Name(), "/") {
		if i > 0 {
			pattern += "/"
		}
		pattern += "^" + regexp.QuoteMeta(part) + "$"
	}
	out, stderr := Guest(t, program, append(arguments, "--", own, "-test.v", "-test.run="+pattern, "-test.timeout="+guestPatience.String())...)
	passed, wrong := parseOutcomes(out)
	for _, line := range wrong {
		t.Error(line)
	}
	for _, name := range append([]string{""}, want...) {
		if name = strings.TrimSuffix(t.Name()+"/"+name, "/"); !slices.Contains(passed, name) {
			t.Errorf("%s has not passed in the guest", name)
		}
	}
	if t.Failed() {
		t.Logf("the guest said:\n%s", out)
	} else if testing.Verbose() {
		t.Log(out)
	}
	return stderr
}

// parseOutcomes reads what a test program has printed: the tests that have passed,
// and lines about those that have not.
func parseOutcomes(out string) (passed, wrong []string) {
	for _, m := range outcomes.FindAllStringSubmatch(out, -1) {
		if m[1] == "PASS" {
			passed = append(passed, m[2])
		} else {
			wrong = append(wrong, fmt.Sprintf("%s in the guest: %s", m[1], m[2]))
		}
	}
	return passed, wrong
}
