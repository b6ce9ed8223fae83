// SPDX-License-Identifier: Apache-2.0

package server

// memory is client memory that was shared by descriptor. Offsets are from the
// beginning of the mapping, and the caller has checked them.
type memory interface {
	read(offset uint64, p []byte) error
	write(offset uint64, p []byte) error
	// close gives up the memory, but not the file.
	close()
}
