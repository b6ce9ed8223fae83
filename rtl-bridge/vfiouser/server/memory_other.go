// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package server

import (
	"errors"
	"os"
)

func openMemory(*os.File, uint64, uint64, bool) (memory, error) { return nil, errors.ErrUnsupported }
