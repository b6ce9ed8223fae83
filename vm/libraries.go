// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// libraryFolders are where the dynamic loader looks without being told, on
// Debian and on others.
var libraryFolders = []string{
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
}

// libraries answers the files that a program needs to start: its dynamic loader
// and shared libraries, by the paths that the loader knows them by. A static
// program needs none.
func libraries(program string) ([]string, error) {
	var files []string
	var visit func(file string) error
	visit = func(file string) error {
		object, err := elf.Open(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		defer object.Close()
		for _, segment := range object.Progs {
			if segment.Type != elf.PT_INTERP {
				continue
			}
			name := make([]byte, segment.Filesz)
			if _, err := segment.ReadAt(name, 0); err != nil {
				return fmt.Errorf("%s: its dynamic loader: %w", file, err)
			}
			loader := filepath.Clean(string(name[:max(0, len(name)-1)]))
			if !slices.Contains(files, loader) {
				files = append(files, loader)
			}
		}
		needs, err := object.ImportedLibraries()
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, need := range needs {
			library, err := findLibrary(need)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			// The loader is among the libraries that others need, by another path.
			if slices.Contains(files, library) || slices.ContainsFunc(files, func(f string) bool { return filepath.Base(f) == need }) {
				continue
			}
			files = append(files, library)
			if err := visit(library); err != nil {
				return err
			}
		}
		return nil
	}
	if err := visit(program); err != nil {
		return nil, err
	}
	return files, nil
}

func findLibrary(name string) (string, error) {
	for _, folder := range libraryFolders {
		file := filepath.Join(folder, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("shared library %s is in none of %v", name, libraryFolders)
}
