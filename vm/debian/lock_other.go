// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package debian

import (
	"context"
	"runtime"
)

func lock(context.Context, string, func()) (func(), error) {
	return nil, unavailable("the virtual machine needs Linux on x86-64; this is %s on %s", runtime.GOOS, runtime.GOARCH)
}
