// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package rtlbridge

import "errors"

func openLibrary(string) (uintptr, error) { return 0, errors.ErrUnsupported }

func findSymbol(uintptr, string) (uintptr, error) { return 0, errors.ErrUnsupported }
