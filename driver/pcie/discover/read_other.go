// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package discover

import (
	"errors"
	"fmt"
)

// read knows Linux's sysfs only.
func read(path string, _ []ID) (*Function, error) {
	return nil, fmt.Errorf("%s: discovery of PCI functions needs Linux: %w", path, errors.ErrUnsupported)
}
