// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package sysfs

import (
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// Open opens nothing: sysfs is Linux's.
func Open(address string, _ Options) (pcie.Function, error) {
	return nil, &problem{
		sentence: fmt.Sprintf("%s: sysfs needs Linux; elsewhere use --device vfio-user:SOCKET", address),
		kinds:    []error{ErrUnsupported, errors.ErrUnsupported},
	}
}
