// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package server

import (
	"errors"
	"fmt"
)

func listen(path string, _ func(string)) (*socket, error) {
	return nil, fmt.Errorf("listen on %s: vfio-user needs Linux: %w", path, errors.ErrUnsupported)
}
