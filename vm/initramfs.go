// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/espalier-nic/espalier/vm/job"
)

// initramfs is the guest's initial file system, written to dst as the kernel
// wants it: the first process with what it needs to start, the kernel modules,
// and the job.
func initramfs(dst io.Writer, init string, moduleFiles []string, work job.Job) error {
	archive := cpio.NewDedupWriter(cpio.Newc.Writer(dst))
	needed, err := libraries(init)
	if err != nil {
		return fmt.Errorf("guest's first process: %w", err)
	}
	// Without a console the first process would have no standard output.
	records := []cpio.Record{cpio.CharDev("dev/console", 0o600, 5, 1)}
	add := func(source, name string, mode uint64) error {
		content, err := os.ReadFile(source)
		if err != nil {
			return fmt.Errorf("guest's initial file system: %w", err)
		}
		records = append(records, cpio.StaticRecord(content, cpio.Info{Name: name[1:], Mode: cpio.S_IFREG | mode}))
		return nil
	}
	if err := add(init, job.Init, 0o755); err != nil {
		return err
	}
	for _, file := range needed {
		if err := add(file, file, 0o755); err != nil {
			return err
		}
	}
	for _, file := range moduleFiles {
		name := "/espalier/modules/" + filepath.Base(file)
		if err := add(file, name, 0o644); err != nil {
			return err
		}
		work.Modules = append(work.Modules, job.Module{Path: name, Parameters: moduleParameters[moduleName(file)]})
	}
	text, err := json.Marshal(work)
	if err != nil {
		return fmt.Errorf("guest's job: %w", err)
	}
	records = append(records, cpio.StaticRecord(text, cpio.Info{Name: job.File[1:], Mode: cpio.S_IFREG | 0o644}))
	if err := cpio.WriteRecordsAndDirs(archive, records); err != nil {
		return fmt.Errorf("guest's initial file system: %w", err)
	}
	if err := cpio.WriteTrailer(archive); err != nil {
		return fmt.Errorf("guest's initial file system: %w", err)
	}
	return nil
}
