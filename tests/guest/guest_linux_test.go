// SPDX-License-Identifier: Apache-2.0

//go:build amd64

// Package guest runs the suites of the seams on PCIe cards as a real Linux kernel
// hands them over, by VFIO and by sysfs: in guests in which NICs that are served
// over vfio-user are cards behind an IOMMU, or behind none.
package guest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/vm/guest"
	"github.com/espalier-nic/espalier/vm/vmtest"
)

const root = "../.."

// a and b are the cards of every guest.
const a, b = "0000:00:10.0", "0000:00:11.0"

// program is espalier, suites the test program of package seam.
var program, suites string

func TestMain(m *testing.M) {
	guest.Main() // never comes back in a guest that this program has started
	dir, err := os.MkdirTemp("", "espalier-test-")
	if err != nil {
		panic(err)
	}
	program, suites = filepath.Join(dir, "espalier"), filepath.Join(dir, "seam.test")
	for _, args := range [][]string{
		{"build", "-o", program, "./cmd/espalier"},
		{"test", "-c", "-o", suites, "./tests/seam"},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = root
		if words, err := cmd.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("go %s: %v\n%s", strings.Join(args, " "), err, words))
		}
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// step is something to do in a guest: shell commands, and what must come of it.
type step struct {
	name, command string
	// code is the exit code that is wanted, says what the output must say.
	code int
	says []string
	// check looks at the output closer.
	check func(t *testing.T, output string)
}

// prelude is what the commands have: the names of things and some words.
const prelude = `
A=` + a + ` B=` + b + ` S=/sys/bus/pci/devices
# command CARD: the low byte of its command register
command() { od -An -tx1 -j4 -N1 $S/$1/config | tr -d ' '; }
# at_work CARD PROCESS: waits until the process has made it reach memory
at_work() { while [ $(command $1) != 06 ]; do kill -0 $2 || return 1; sleep 0.02; done; }
# at_rest CARD: fails if it may
at_rest() { [ $(command $1) = 02 ] || { echo "command register of $1 is $(command $1), want 02"; return 1; }; }
driver() { basename $(readlink $S/$1/driver) 2>/dev/null || echo none; }
`

// limit bounds what a guest does, on a busy machine.
const limit = 5 * time.Minute

// run has a guest of espalier vm with the flags do the steps, in one boot, and
// judges each in a test of its own.
func run(t *testing.T, flags []string, steps []step) {
	t.Helper()
	vmtest.QEMU(t)
	vmtest.Kernel(t)
	const mark = "\x1e"
	script := prelude
	for _, s := range steps {
		script += fmt.Sprintf("printf '\\036%s\\n'; ( %s\n) 2>&1; code=$?; printf '\\n\\036exit %%d\\n' $code\n", s.name, s.command)
	}
	cmd := exec.CommandContext(t.Context(), program, append(append([]string{"vm", "--timeout", limit.String()}, flags...), "--", "sh", "-c", script)...)
	cmd.Dir = t.TempDir()
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("espalier vm: %v\n%s%s", err, out, complaints.String())
	}
	parts := strings.Split(string(out), mark)
	outputs := map[string]string{}
	codes := map[string]string{}
	for i := 1; i+1 < len(parts); i += 2 {
		name, text, _ := strings.Cut(parts[i], "\n")
		outputs[name], codes[name] = text, strings.TrimSpace(parts[i+1])
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			output, done := outputs[s.name]
			if !done {
				t.Fatal("the guest did not come to it")
			}
			if want := fmt.Sprintf("exit %d", s.code); codes[s.name] != want {
				t.Errorf("%s, want %s:\n%s", codes[s.name], want, output)
			}
			for _, want := range s.says {
				if !strings.Contains(output, want) {
					t.Errorf("it does not say %q:\n%s", want, output)
				}
			}
			if s.check != nil {
				s.check(t, output)
			}
		})
	}
}
