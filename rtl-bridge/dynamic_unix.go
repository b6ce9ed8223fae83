// SPDX-License-Identifier: Apache-2.0

//go:build unix

package rtlbridge

import "github.com/ebitengine/purego"

// openLibrary loads a shared library whose symbols no other library sees.
func openLibrary(path string) (uintptr, error) {
	return purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

// findSymbol returns the address of a symbol.
func findSymbol(handle uintptr, name string) (uintptr, error) { return purego.Dlsym(handle, name) }
