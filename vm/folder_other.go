// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package vm

import "github.com/espalier-nic/espalier/vm/debian"

// Folder needs Linux: its error is debian.ErrUnavailable.
func Folder() (dir string, remove func() error, err error) { return "", nil, debian.ErrUnavailable }
