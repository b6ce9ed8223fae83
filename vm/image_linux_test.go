// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package vm

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/espalier-nic/espalier/vm/job"
	"github.com/espalier-nic/espalier/vm/vmtest"
)

func TestModules(t *testing.T) {
	tree, err := openModules(vmtest.Kernel(t).Modules)
	if err != nil {
		t.Fatal(err)
	}
	files, err := tree.resolve(append(slices.Clone(modules), "ipsec", "vfio-pci"))
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, file := range files {
		name := moduleName(file)
		if _, twice := at[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		at[name] = i
	}
	for _, order := range [][2]string{{"vfio", "vfio_iommu_type1"}, {"vfio_pci_core", "vfio_pci"}, {"fuse", "virtiofs"}, {"xfrm_algo", "esp4"}, {"sha512_generic", "drbg"}} {
		first, ok1 := at[order[0]]
		second, ok2 := at[order[1]]
		if !ok1 || !ok2 || first > second {
			t.Errorf("%s is not before %s: %v", order[0], order[1], files)
		}
	}
	if _, err := tree.resolve([]string{"nonsuch"}); err == nil || !strings.Contains(err.Error(), `"nonsuch"`) {
		t.Errorf("a module that is not there: %v", err)
	}
	if files, err := tree.resolve([]string{"intel-iommu", "unix"}); err == nil && len(files) > 0 {
		t.Errorf("what is built in has files: %v", files)
	}
}

func TestLibraries(t *testing.T) {
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	files, err := libraries(shell)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil || names[filepath.Base(file)] {
			t.Errorf("%s is not there, or twice: %v", file, err)
		}
		names[filepath.Base(file)] = true
	}
	if !names["libc.so.6"] || !slices.ContainsFunc(files, func(f string) bool { return strings.Contains(f, "/ld-linux") }) {
		t.Errorf("a shell needs more than %v", files)
	}
	if _, err := libraries("vm.go"); err == nil {
		t.Error("a text has libraries")
	}
}

func TestInitramfs(t *testing.T) {
	kernel := vmtest.Kernel(t)
	tree, err := openModules(kernel.Modules)
	if err != nil {
		t.Fatal(err)
	}
	files, err := tree.resolve([]string{"vfio_pci", "vfio_iommu_type1"})
	if err != nil {
		t.Fatal(err)
	}
	var image bytes.Buffer
	if err := initramfs(&image, "/bin/sh", files, job.Job{Command: []string{"a", "b"}}); err != nil {
		t.Fatal(err)
	}
	records, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(image.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]cpio.Record{}
	made := map[string]bool{".": true}
	for _, record := range records {
		if dir := filepath.Dir(record.Name); !made[dir] {
			t.Errorf("%s comes before its folder", record.Name)
		}
		made[record.Name] = true
		found[record.Name] = record
	}
	if init := found[job.Init[1:]]; init.Mode != cpio.S_IFREG|0o755 {
		t.Errorf("first process: %+v", init.Info)
	}
	if console := found["dev/console"]; console.Mode != cpio.S_IFCHR|0o600 || console.Rmajor != 5 || console.Rminor != 1 {
		t.Errorf("console: %+v", console.Info)
	}
	text, err := io.ReadAll(io.NewSectionReader(found[job.File[1:]], 0, int64(found[job.File[1:]].FileSize)))
	if err != nil {
		t.Fatal(err)
	}
	var work job.Job
	if err := json.Unmarshal(text, &work); err != nil {
		t.Fatal(err)
	}
	if len(work.Modules) != len(files) || strings.Join(work.Command, " ") != "a b" {
		t.Errorf("job: %+v", work)
	}
	for _, m := range work.Modules {
		if found[m.Path[1:]].FileSize == 0 {
			t.Errorf("module %s is not in the image", m.Path)
		}
		if strings.HasSuffix(m.Path, "vfio_iommu_type1.ko") != (m.Parameters == "allow_unsafe_interrupts=1") {
			t.Errorf("module %s has the parameters %q", m.Path, m.Parameters)
		}
	}
}

func TestFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	first, removeFirst, err := Folder()
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(os.TempDir(), folderPrefix+"left")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	second, removeSecond, err := Folder()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("what nobody holds is still there")
	}
	for _, dir := range []string{first, second} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
	}
	if err := removeFirst(); err != nil {
		t.Error(err)
	}
	if err := removeSecond(); err != nil {
		t.Error(err)
	}
	if all, _ := os.ReadDir(os.TempDir()); len(all) > 0 {
		t.Errorf("left: %v", all)
	}
}
