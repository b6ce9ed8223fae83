// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"os"

	"golang.org/x/sys/unix"
)

// refusesWrites says whether a file's memory cannot be written with pwrite, which
// is how the simulator does it: files on hugetlbfs.
func refusesWrites(f *os.File) bool {
	var s unix.Statfs_t
	return unix.Fstatfs(int(f.Fd()), &s) == nil && s.Type == unix.HUGETLBFS_MAGIC
}
