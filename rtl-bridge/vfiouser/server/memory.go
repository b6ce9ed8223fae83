// SPDX-License-Identifier: Apache-2.0

package server

import (
	"os"
)

// memory is client memory that was shared by descriptor. Offsets are from the
// beginning of the mapping, and the caller has checked them.
type memory interface {
	read(offset uint64, p []byte) error
	write(offset uint64, p []byte) error
	// close gives up the memory, but not the file.
	close()
}

// openMemory finds the way to reach size bytes at offset of a client's file.
func openMemory(file *os.File, offset, size uint64, writable bool) (memory, error) {
	return openFile(file, offset, size, writable)
}
