// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package passthrough

import "errors"

// file is memory with the file behind it.
type file struct {
	fd      int
	mapping []byte
	page    int
}

func allocate(int, bool) (file, error) { return file{}, errors.ErrUnsupported }

func (m file) close() {}

func unmap([]byte) error { return errors.ErrUnsupported }
