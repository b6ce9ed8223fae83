// SPDX-License-Identifier: Apache-2.0

//go:build unix

package hostmem

import "golang.org/x/sys/unix"

func mapAnonymous(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

func unmap(b []byte) error { return unix.Munmap(b) }
