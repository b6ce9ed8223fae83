// SPDX-License-Identifier: Apache-2.0

// Package vmtest gives tests the parts of the virtual machine: QEMU for tests
// that need no guest (-accel qtest), and the guest's kernel. Where they cannot
// be had the test fails and says why, unless the environment says ALLOW_SKIP=1.
package vmtest

import (
	"errors"
	"os"
	"testing"

	"github.com/espalier-nic/espalier/vm/debian"
)

// QEMU answers the prepared QEMU (10.1 or newer, with vfio-user-pci), and
// prepares it first when this machine has none. QEMU.Command runs it.
func QEMU(t testing.TB) *debian.QEMU {
	t.Helper()
	q, err := debian.PrepareQEMU(t.Context(), debian.Options{Log: func(line string) { t.Log(line) }})
	Need(t, err)
	return q
}

// Kernel answers the guest's prepared kernel.
func Kernel(t testing.TB) *debian.Kernel {
	t.Helper()
	k, err := debian.PrepareKernel(t.Context(), debian.Options{Log: func(line string) { t.Log(line) }})
	Need(t, err)
	return k
}

// Need ends the test when the error says that something could not be had: in
// failure, or skipped when the environment says ALLOW_SKIP=1. Any other error
// is a failure in any case.
func Need(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, debian.ErrUnavailable) && os.Getenv("ALLOW_SKIP") == "1":
		t.Skipf("SKIPPED, NOT TESTED (ALLOW_SKIP=1): %v", err)
	case errors.Is(err, debian.ErrUnavailable):
		t.Fatalf("CANNOT TEST: %v (ALLOW_SKIP=1 in the environment skips such tests)", err)
	default:
		t.Fatal(err)
	}
}
