// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package hostmem

import "errors"

func mapAnonymous(int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmap([]byte) error { return errors.ErrUnsupported }
