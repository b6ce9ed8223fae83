// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const folderPrefix = "espalier-vm-"

// Folder makes a folder for sockets that only this user can enter, below the
// folder for temporary files, where a socket's path is short enough. It is locked
// for as long as this process runs, so that folders of processes that were killed
// are known, and removed here.
func Folder() (dir string, remove func() error, err error) {
	// Only one's own can be opened and locked by others than root.
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	for _, dir := range left {
		if lock, err := lockFolder(dir); err == nil {
			os.RemoveAll(dir)
			lock.Close()
		}
	}
	for range 100 {
		dir, err = os.MkdirTemp("", folderPrefix)
		if err != nil {
			return "", nil, fmt.Errorf("folder for sockets: %w", err)
		}
		lock, err := lockFolder(dir)
		if err != nil {
			continue // somebody took it for left over before it was locked
		}
		if _, err := os.Stat(dir); err != nil {
			lock.Close()
			continue
		}
		return dir, func() error {
			defer lock.Close()
			return os.RemoveAll(dir)
		}, nil
	}
	return "", nil, fmt.Errorf("folder for sockets: %s cannot be locked", dir)
}

// lockFolder takes the lock of the file lock in dir. The folder itself is left to
// those who make sockets in it, who lock it for a moment.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
