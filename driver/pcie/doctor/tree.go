// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tree is a folder with Linux's sys, proc, dev, etc and lib in it. What is not
// there reads as nothing: half of what is looked at depends on the kernel.
type tree string

// path is where an absolute path of the machine is.
func (t tree) path(absolute string) string { return filepath.Join(string(t), absolute) }

// text is a file's text without the space around it, "" if it cannot be read.
func (t tree) text(path string) string {
	b, err := os.ReadFile(t.path(path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// number is the number in a file.
func (t tree) number(path string) (int, bool) {
	n, err := strconv.Atoi(t.text(path))
	return n, err == nil
}

// has says whether there is something at path.
func (t tree) has(path string) bool {
	_, err := os.Stat(t.path(path))
	return err == nil
}

// names lists a folder.
func (t tree) names(path string) []string {
	entries, err := os.ReadDir(t.path(path))
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// mentions says whether a line of the file holds the text.
func (t tree) mentions(path, text string) bool {
	f, err := os.Open(t.path(path))
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.Contains(lines.Text(), text) {
			return true
		}
	}
	return false
}

// Capabilities of a process (include/uapi/linux/capability.h).
const (
	capIPCLock  = 14
	capSysAdmin = 21
)

// capable says whether this process has a capability.
func (t tree) capable(bit int) bool {
	for line := range strings.Lines(t.text("/proc/self/status")) {
		if text, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
			return err == nil && set>>bit&1 != 0
		}
	}
	return false
}
