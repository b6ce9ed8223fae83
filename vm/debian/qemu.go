// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// QEMU is a prepared QEMU with a vfio-user client (10.1 or newer) and the file
// server that goes with it, virtiofsd.
type QEMU struct {
	// Root is the folder that its packages were unpacked into.
	Root string
	// Version is QEMU's, as in "11.1.3".
	Version string
}

// qemuFolder names the folder in the cache: the suites it comes from, and a
// number to raise when what is kept of the packages changes.
const qemuFolder = "qemu-trixie-backports-1"

// MinimumQEMU is the first QEMU release with a vfio-user client.
const MinimumQEMU = "10.1"

// PrepareQEMU answers the QEMU in the cache folder, which it fetches first when
// it is not there (about 40 MB to download, 150 MB on disk).
func PrepareQEMU(ctx context.Context, o Options) (*QEMU, error) {
	dir, err := o.prepare(ctx, qemuFolder, o.fetchQEMU)
	if err != nil {
		return nil, fmt.Errorf("QEMU: %w", err)
	}
	version, err := os.ReadFile(filepath.Join(dir, "version"))
	if err != nil {
		return nil, fmt.Errorf("QEMU: %w; remove %s to have it fetched again", err, dir)
	}
	return &QEMU{Root: filepath.Join(dir, "root"), Version: strings.TrimSpace(string(version))}, nil
}

func (o Options) fetchQEMU(ctx context.Context, dir string) error {
	work := filepath.Join(dir, "apt")
	a, err := o.newAPT(ctx, work, "trixie", "trixie-backports")
	if err != nil {
		return err
	}
	packages, err := a.download(ctx, o, "QEMU (qemu-system-x86 of trixie-backports and virtiofsd, with their libraries)",
		"-t", "trixie-backports", "install", "qemu-system-x86", "virtiofsd")
	if err != nil {
		return err
	}
	q := &QEMU{Root: filepath.Join(dir, "root")}
	o.log("unpacking QEMU")
	if err := unpack(ctx, q.Root, packages); err != nil {
		return err
	}
	// Among the dependencies are programs for a whole system, some of them setuid.
	if err := keepOnly(q.Root, "usr/bin/qemu-system-x86_64", "usr/libexec/virtiofsd", "usr/lib", "usr/lib64", "usr/share/qemu", "usr/share/seabios"); err != nil {
		return unavailable("cache folder: %w", err)
	}
	if err := dropSetuid(q.Root); err != nil {
		return unavailable("cache folder: %w", err)
	}
	output, err := q.Command(ctx, "--version").CombinedOutput()
	if err != nil {
		return unavailable("the unpacked QEMU does not start: %w: %s", err, strings.TrimSpace(string(output)))
	}
	q.Version, err = checkVersion(string(output))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "version"), []byte(q.Version+"\n"), 0o644); err != nil {
		return unavailable("cache folder: %w", err)
	}
	if err := os.RemoveAll(work); err != nil {
		return unavailable("cache folder: %w", err)
	}
	o.log("QEMU %s is ready in %s", q.Version, filepath.Join(filepath.Dir(dir), qemuFolder))
	return nil
}

// dropSetuid takes the setuid and setgid bits from every file below dir.
func dropSetuid(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) == 0 {
			return err
		}
		return os.Chmod(path, info.Mode().Perm())
	})
}

var versionPattern = regexp.MustCompile(`QEMU emulator version (\d+)\.(\d+)(?:\.\d+)*`)

// checkVersion finds the version in what qemu --version prints, and refuses one
// without a vfio-user client.
func checkVersion(output string) (string, error) {
	match := versionPattern.FindStringSubmatch(output)
	if match == nil {
		return "", unavailable("qemu --version printed %q", strings.TrimSpace(output))
	}
	version := strings.TrimPrefix(match[0], "QEMU emulator version ")
	major, _ := strconv.Atoi(match[1])
	minor, _ := strconv.Atoi(match[2])
	if major < 10 || major == 10 && minor < 1 {
		return "", unavailable("version %s has no vfio-user client; %s or newer is needed", version, MinimumQEMU)
	}
	return version, nil
}

// Command is a command that runs qemu-system-x86_64 with the arguments. Its end
// is the caller's affair; when ctx ends it is killed.
func (q *QEMU) Command(ctx context.Context, args ...string) *exec.Cmd {
	// Firmware and modules are not where QEMU would look for them: it goes by
	// the path of the running file, and that is the loader.
	cmd := q.command(ctx, "qemu-system-x86_64", "usr/bin/qemu-system-x86_64",
		append([]string{"-L", filepath.Join(q.Root, "usr/share/qemu"), "-L", filepath.Join(q.Root, "usr/share/seabios")}, args...)...)
	cmd.Env = append(os.Environ(), "QEMU_MODULE_DIR="+filepath.Join(q.Root, "usr/lib/x86_64-linux-gnu/qemu"))
	return cmd
}

// VirtioFS is a command that runs virtiofsd with the arguments.
func (q *QEMU) VirtioFS(ctx context.Context, args ...string) *exec.Cmd {
	return q.command(ctx, "virtiofsd", "usr/libexec/virtiofsd", args...)
}

// command runs a program of the root through the root's own dynamic loader.
func (q *QEMU) command(ctx context.Context, name, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, filepath.Join(q.Root, "usr/lib64/ld-linux-x86-64.so.2"), append([]string{
		"--argv0", name, "--library-path", filepath.Join(q.Root, "usr/lib/x86_64-linux-gnu"), filepath.Join(q.Root, program)}, args...)...)
}
