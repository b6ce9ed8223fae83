// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/vm/job"
)

// root is where the file system that the command sees is put together.
const root = "/root"

// mount mounts and makes the folder first.
func mount(source, target, kind string, flags uintptr, data string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}

// mountKernel mounts the kernel's own file systems below dir.
func mountKernel(dir string) error {
	for _, m := range []struct{ source, target, kind, data string }{
		{"proc", "/proc", "proc", ""},
		{"sysfs", "/sys", "sysfs", ""},
		{"devtmpfs", "/dev", "devtmpfs", "mode=0755"},
		{"devpts", "/dev/pts", "devpts", "mode=0620,ptmxmode=0666"},
		{"shm", "/dev/shm", "tmpfs", "mode=1777"},
	} {
		if err := mount(m.source, dir+m.target, m.kind, 0, m.data); err != nil {
			return err
		}
	}
	return nil
}

// mountShares puts the command's file system together below root: the host's
// own, with whatever the guest writes kept in memory, and the writable folders
// on top of it.
func mountShares(shares []job.Share) error {
	if len(shares) == 0 {
		return fmt.Errorf("mount: no share of the host's root")
	}
	const host, memory = "/host", "/memory"
	if err := mount(shares[0].Tag, host, "virtiofs", unix.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := mount("memory", memory, "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	for _, dir := range []string{"upper", "work"} {
		if err := os.Mkdir(filepath.Join(memory, dir), 0o755); err != nil {
			return err
		}
	}
	if err := mount("overlay", root, "overlay", 0, "lowerdir="+host+",upperdir="+memory+"/upper,workdir="+memory+"/work"); err != nil {
		return err
	}
	for _, share := range shares[1:] {
		var flags uintptr
		if !share.Writable {
			flags = unix.MS_RDONLY
		}
		if err := mount(share.Tag, root+share.Path, "virtiofs", flags, ""); err != nil {
			return err
		}
	}
	if err := mountKernel(root); err != nil {
		return err
	}
	// The host's sockets and locks in /run mean nothing here.
	if err := mount("run", root+"/run", "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	return mount("hugetlbfs", root+"/dev/hugepages", "hugetlbfs", 0, "mode=1770")
}
