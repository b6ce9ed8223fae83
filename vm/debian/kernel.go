// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Kernel is a prepared guest kernel.
type Kernel struct {
	// Image is the file that QEMU's -kernel takes.
	Image string
	// Modules is the folder with the kernel's modules, lib/modules/RELEASE.
	Modules string
	// Release is what uname -r says in the guest.
	Release string
}

// kernelSuite is Debian 12, whose kernel is Linux 6.1. No newer one of Debian's
// could do more here: they all come without iommufd.
const kernelSuite = "bookworm"

// kernelFolder names the folder in the cache: the suite, and a number to raise
// when what is kept of the package changes.
const kernelFolder = "kernel-" + kernelSuite + "-1"

// kernelPackage finds the package that linux-image-cloud-amd64 stands for.
var kernelPackage = regexp.MustCompile(`(?m)^ *Depends: *(linux-image-(\S+-cloud-amd64))`)

// PrepareKernel answers Debian 12's cloud kernel in the cache folder, which it
// fetches first when it is not there (about 30 MB to download, 110 MB on disk).
func PrepareKernel(ctx context.Context, o Options) (*Kernel, error) {
	dir, err := o.prepare(ctx, kernelFolder, o.fetchKernel)
	if err != nil {
		return nil, fmt.Errorf("guest kernel: %w", err)
	}
	release, err := os.ReadFile(filepath.Join(dir, "release"))
	if err != nil {
		return nil, fmt.Errorf("guest kernel: %w; remove %s to have it fetched again", err, dir)
	}
	return kernelIn(dir, strings.TrimSpace(string(release))), nil
}

// kernelIn says where a kernel's parts are below the folder of its package.
func kernelIn(dir, release string) *Kernel {
	return &Kernel{
		Image:   filepath.Join(dir, "root/boot/vmlinuz-"+release),
		Modules: filepath.Join(dir, "root/lib/modules", release),
		Release: release,
	}
}

func (o Options) fetchKernel(ctx context.Context, dir string) error {
	work := filepath.Join(dir, "apt")
	a, err := o.newAPT(ctx, work, kernelSuite)
	if err != nil {
		return err
	}
	depends, err := a.run(ctx, "apt-cache", "depends", "linux-image-cloud-amd64")
	if err != nil {
		return unavailable("the Debian mirror %s has no linux-image-cloud-amd64 in %s: %w", a.mirror, kernelSuite, err)
	}
	match := kernelPackage.FindStringSubmatch(depends)
	if match == nil {
		return unavailable("linux-image-cloud-amd64 in %s of the Debian mirror %s names no kernel package", kernelSuite, a.mirror)
	}
	packages, err := a.download(ctx, o, "the guest's kernel ("+match[1]+" of "+kernelSuite+")", "download", match[1])
	if err != nil {
		return err
	}
	root := filepath.Join(dir, "root")
	o.log("unpacking the guest's kernel")
	if err := unpack(ctx, root, packages); err != nil {
		return err
	}
	kernel := kernelIn(dir, match[2])
	for _, path := range []string{kernel.Image, kernel.Modules} {
		if _, err := os.Stat(path); err != nil {
			return unavailable("package %s does not hold what it should: %w", match[1], err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "release"), []byte(kernel.Release+"\n"), 0o644); err != nil {
		return unavailable("cache folder: %w", err)
	}
	if err := os.RemoveAll(work); err != nil {
		return unavailable("cache folder: %w", err)
	}
	o.log("the guest's kernel %s is ready in %s", kernel.Release, filepath.Join(filepath.Dir(dir), kernelFolder))
	return nil
}
