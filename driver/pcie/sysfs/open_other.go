// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package sysfs

import (
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
)

// Open opens nothing: sysfs is Linux's.
func Open(address string, _ Options) (pcie.Function, error) {
	return nil, &sentence.Error{
		Text:  fmt.Sprintf("%s: sysfs needs Linux; elsewhere use --device vfio-user:SOCKET", address),
		Kinds: []error{ErrUnsupported, errors.ErrUnsupported},
	}
}
