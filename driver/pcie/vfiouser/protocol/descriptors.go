// SPDX-License-Identifier: Apache-2.0

package protocol

import "os"

// Descriptors are the file descriptors that came with a message, owned by it
// until they are taken. A taken one is -1.
type Descriptors []int

// Take hands descriptor i to the caller, who closes it; -1 where there is none.
func (d Descriptors) Take(i int) int {
	if i < 0 || i >= len(d) {
		return -1
	}
	fd := d[i]
	d[i] = -1
	return fd
}

// TakeFile hands descriptor i to the caller as a file; nil where there is none.
func (d Descriptors) TakeFile(i int, name string) *os.File {
	fd := d.Take(i)
	if fd < 0 {
		return nil
	}
	return os.NewFile(uintptr(fd), name)
}

// Close closes those that were not taken.
func (d Descriptors) Close() {
	for i, fd := range d {
		if fd >= 0 {
			closeDescriptor(fd)
			d[i] = -1
		}
	}
}
