// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package vm

import (
	"context"
	"fmt"
	"runtime"

	"github.com/espalier-nic/espalier/vm/debian"
)

// Run needs Linux: its error is debian.ErrUnavailable.
func Run(context.Context, Config) (*Result, error) {
	return nil, fmt.Errorf("%w: the virtual machine needs Linux on x86-64; this is %s on %s", debian.ErrUnavailable, runtime.GOOS, runtime.GOARCH)
}
