// SPDX-License-Identifier: Apache-2.0

package vmtest

import (
	"slices"
	"testing"
)

// TestOutcomes: what a test program prints about its tests is what counts, whatever
// else it prints.
func TestOutcomes(t *testing.T) {
	passed, wrong := parseOutcomes(`=== RUN   TestA
=== RUN   TestA/one
    a_test.go:7: --- PASS: TestA/never (0.00s)
--- PASS: TestA (1.27s)
    --- PASS: TestA/one (0.10s)
    --- SKIP: TestA/two (0.00s)
        a_test.go:9: not here
    --- FAIL: TestA/three#01 (0.00s)
FAIL
`)
	if want := []string{"TestA", "TestA/one"}; !slices.Equal(passed, want) {
		t.Errorf("passed %q, want %q", passed, want)
	}
	if want := []string{"SKIP in the guest: TestA/two", "FAIL in the guest: TestA/three#01"}; !slices.Equal(wrong, want) {
		t.Errorf("wrong %q, want %q", wrong, want)
	}
}
