// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

// Package vm tests `espalier vm` from the outside: the program that a user runs,
// guests that boot, cards in them.
package vm

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/vm/debian"
	"github.com/espalier-nic/espalier/vm/vmtest"
)

// program is the espalier that the tests run, static the program of testdata.
var program, static string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "espalier-test-")
	if err != nil {
		panic(err)
	}
	program, static = filepath.Join(dir, "espalier"), filepath.Join(dir, "static")
	build := func(output, source string, env ...string) {
		cmd := exec.Command("go", "build", "-o", output, source)
		cmd.Env = append(os.Environ(), env...)
		if words, err := cmd.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("go build %s: %v\n%s", source, err, words))
		}
	}
	build(program, "../../cmd/espalier")
	build(static, "./testdata/static", "CGO_ENABLED=0")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// mark is in the environment of everything that a test's espalier starts, by
// which it is found.
const mark = "ESPALIER_TEST_MARK="

// output is what has been written so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// session is one espalier vm, running.
type session struct {
	t              *testing.T
	cmd            *exec.Cmd
	mark, temp     string
	stdout, stderr output
	done           chan struct{} // closed when it has ended
}

// espalierVM starts espalier vm with the arguments, in a folder of its own.
func espalierVM(t *testing.T, stdin string, args ...string) *session {
	t.Helper()
	vmtest.QEMU(t)
	vmtest.Kernel(t)
	return startVM(t, t.TempDir(), stdin, nil, args...)
}

// startVM does it with the folder for temporary files temp, and more environment.
func startVM(t *testing.T, temp, stdin string, env []string, args ...string) *session {
	t.Helper()
	s := &session{t: t, temp: temp, done: make(chan struct{})}
	s.cmd = exec.Command(program, append([]string{"vm"}, args...)...)
	s.cmd.Dir = t.TempDir()
	s.mark = mark + s.cmd.Dir // no other has that
	s.cmd.Env = append(append(os.Environ(), s.mark, "TMPDIR="+temp), env...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = strings.NewReader(stdin), &s.stdout, &s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill() // it may have ended
		<-s.done
	})
	return s
}

// wait waits for its end and answers the exit code.
func (s *session) wait() int {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(5 * time.Minute):
		s.t.Fatalf("espalier vm has not ended after 5 minutes; it said:\n%s", s.stderr.String())
	}
	return s.cmd.ProcessState.ExitCode()
}

// processes are the command lines of what it has started and is still there, by
// process ID.
func (s *session) processes() map[int]string {
	found := map[int]string{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		environment, _ := os.ReadFile(filepath.Join(dir, "environ"))
		if !bytes.Contains(environment, []byte(s.mark+"\x00")) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && len(line) > 0 {
			found[pid] = string(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
	}
	return found
}

// process waits for a process with a word in its command line, and answers its ID.
func (s *session) process(word string) (pid int) {
	s.t.Helper()
	s.until("process "+word, func() bool {
		for id, line := range s.processes() {
			if strings.Contains(line, word) {
				pid = id
				return true
			}
		}
		return false
	})
	return pid
}

// nothingLeft fails the test if processes or files are left. A killed process
// takes a moment to go.
func (s *session) nothingLeft() {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(s.processes()) > 0 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if left := s.processes(); len(left) > 0 {
		s.t.Errorf("left running: %v", left)
	}
	if left, _ := os.ReadDir(s.temp); len(left) > 0 {
		s.t.Errorf("left in the folder for temporary files: %v", left)
	}
}

// until waits until something is true of the session.
func (s *session) until(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !is(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited 3 minutes for: %s; it said:\n%s", what, s.stderr.String())
		}
		select {
		case <-s.done:
			if !is() {
				s.t.Fatalf("espalier vm ended before: %s; it said:\n%s", what, s.stderr.String())
			}
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestStaticProgram(t *testing.T) {
	input := strings.Repeat("a line\r\nand another\n\x00\xff", 20_000) // more than any pipe holds
	s := espalierVM(t, input, "--nics", "0", "--env", "EXTRA=a b", "--", static, "42")
	if code := s.wait(); code != 42 {
		t.Errorf("exit code %d, want 42", code)
	}
	if got := s.stdout.String(); got != input {
		t.Errorf("the standard output has %d bytes, want the %d that went in", len(got), len(input))
	}
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	if got := s.stderr.String(); got != string(all) {
		t.Errorf("the standard error is %q, want every byte once", got)
	}
	if text, err := os.ReadFile(filepath.Join(s.cmd.Dir, "back")); string(text) != "written in the guest\n" {
		t.Errorf("the file that the guest wrote in its folder: %q, %v", text, err)
	}
	if _, err := os.Stat("/usr/espalier-test"); err == nil {
		os.Remove("/usr/espalier-test")
		t.Error("what the guest wrote elsewhere is here")
	}
	s.nothingLeft()
}

func TestCards(t *testing.T) {
	out := filepath.Join(t.TempDir(), "made", "for-it")
	s := espalierVM(t, "", "--device", "gonic", "--hugepages", "16", "--json", "--out", out, "--",
		"sh", "-c", `for c in 10 11; do basename $(readlink /sys/bus/pci/devices/0000:00:$c.0/driver); done; echo "$ESPALIER_DEVICE"; cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages; echo x > "$0/file"`, out)
	code := s.wait()
	if code != 0 {
		t.Fatalf("exit code %d; it said:\n%s", code, s.stderr.String())
	}
	const want = "0000:00:10.0,0000:00:11.0"
	if got := strings.Fields(s.stdout.String()); len(got) != 4 || got[0] != "vfio-pci" || got[1] != "vfio-pci" || got[2] != want || got[3] != "16" {
		t.Errorf("drivers of the cards, ESPALIER_DEVICE and huge pages are %q, want vfio-pci twice, %s and 16", got, want)
	}
	if _, err := os.Stat(filepath.Join(out, "file")); err != nil {
		t.Errorf("what the guest wrote to --out: %v", err)
	}
	var times struct {
		Boot float64
		Exit *int `json:"exit_code"`
	}
	lines := strings.Split(strings.TrimSpace(s.stderr.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &times); err != nil || times.Boot <= 0 || times.Exit == nil || *times.Exit != 0 {
		t.Errorf("last line of the standard error is %q (%v), want JSON with boot and exit_code", lines[len(lines)-1], err)
	}
	s.nothingLeft()
}

// TestNetworks: the wire of a card ends in the guest's first interface, a socket of
// this machine at the one after it.
func TestNetworks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const frame = "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5a frame out of the guest, and no other is like it"
	got := make(chan error, 1)
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			got <- err
			return
		}
		defer connection.Close()
		for { // the kernel sends some of its own
			var size uint32
			if err := binary.Read(connection, binary.BigEndian, &size); err != nil {
				got <- err
				return
			}
			text := make([]byte, size)
			if _, err := io.ReadFull(connection, text); err != nil || string(text) == frame {
				got <- err
				return
			}
		}
	}()
	s := espalierVM(t, "", "--device", "gonic", "--nics", "1", "--wire", "guest", "--net", "stream:"+path, "--",
		"sh", "-c", `cat /sys/class/net/eth0/address /sys/class/net/eth1/address && "$0" send eth1 "$1"`, static, hex.EncodeToString([]byte(frame)))
	if code := s.wait(); code != 0 {
		t.Fatalf("exit code %d; it said:\n%s", code, s.stderr.String())
	}
	if err := <-got; err != nil {
		t.Errorf("the frame has not come: %v", err)
	}
	if got := s.stdout.String(); got != "52:54:00:65:73:01\n52:54:00:65:73:02\n" {
		t.Errorf("addresses of the guest's interfaces: %q", got)
	}
}

// TestInterrupt: a command may tidy up, and then nothing is left of it.
func TestInterrupt(t *testing.T) {
	s := espalierVM(t, "", "--device", "gonic", "--", "sh", "-c", `trap 'echo tidied; exit 4' INT; echo started; while :; do sleep 1; done`)
	s.until("the command's first line", func() bool { return s.stdout.String() != "" })
	s.cmd.Process.Signal(syscall.SIGINT)
	if code := s.wait(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if got := s.stdout.String(); got != "started\ntidied\n" {
		t.Errorf("output %q, want that of a command that was interrupted", got)
	}
	if got := s.stderr.String(); got != "espalier: interrupted\n" {
		t.Errorf("standard error %q", got)
	}
	s.nothingLeft()
}

// TestInterruptWhileBooting: before there is a command, an interrupt ends all at once.
func TestInterruptWhileBooting(t *testing.T) {
	s := espalierVM(t, "", "--device", "gonic", "--", "true")
	s.process("qemu-system")
	s.cmd.Process.Signal(syscall.SIGINT)
	if code := s.wait(); code != 2 || s.stderr.String() != "espalier: interrupted\n" {
		t.Errorf("exit code %d, want 2; it said:\n%s", code, s.stderr.String())
	}
	s.nothingLeft()
}

// TestKilled: when it is killed itself it can remove nothing, but nothing stays
// running, and the next one removes what is left.
func TestKilled(t *testing.T) {
	s := espalierVM(t, "", "--device", "gonic", "--", "true")
	s.process("qemu-system")
	s.cmd.Process.Kill()
	s.wait()
	for deadline := time.Now().Add(10 * time.Second); len(s.processes()) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left running: %v", s.processes())
		}
	}
	if left, _ := os.ReadDir(s.temp); len(left) == 0 {
		t.Fatal("nothing is left for the next one to remove")
	}
	next := startVM(t, s.temp, "", nil, "--device", "gonic", "--", "true")
	next.process("qemu-system")
	next.cmd.Process.Signal(syscall.SIGINT)
	next.wait()
	next.nothingLeft()
}

// TestDeaths: what dies beside the command is an error of one sentence.
func TestDeaths(t *testing.T) {
	for name, test := range map[string]struct{ victim, says string }{
		"QEMU":        {"qemu-system", "QEMU ended (signal: killed)"},
		"card":        {"serve --json", "the cards' server ended (signal: killed)"},
		"file server": {"virtiofsd", "file server of /"},
	} {
		t.Run(name, func(t *testing.T) {
			s := espalierVM(t, "", "--device", "gonic", "--", "sleep", "1000")
			s.process("qemu-system") // the last one to be started
			syscall.Kill(s.process(test.victim), syscall.SIGKILL)
			if code := s.wait(); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			s.says(test.says)
			s.nothingLeft()
		})
	}
}

// says fails the test unless the last line of the standard error is an error that
// says so.
func (s *session) says(words ...string) {
	s.t.Helper()
	lines := strings.Split(strings.TrimSuffix(s.stderr.String(), "\n"), "\n")
	last := lines[len(lines)-1]
	for _, word := range append(words, "espalier: ") {
		if !strings.Contains(last, word) {
			s.t.Errorf("the error is %q, want it to say %q", last, word)
		}
	}
}

// TestGuestFails: what goes wrong in a guest that has booted.
func TestGuestFails(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		says []string
		log  string // in what is shown of the kernel's log
	}{
		"no such command": {[]string{"--", "no-such-command", "x"}, []string{`command "no-such-command" in the guest: command not found`}, ""},
		"too long":        {[]string{"--timeout", "100ms", "--", "sleep", "1000"}, []string{"did not finish the command within 100ms"}, "the end of the guest's kernel log"},
		"panic":           {[]string{"--", "sh", "-c", "echo c > /proc/sysrq-trigger"}, []string{"the guest's kernel panicked: sysrq triggered crash"}, "Kernel panic"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := espalierVM(t, "", append([]string{"--nics", "0"}, test.args...)...)
			if code := s.wait(); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			s.says(test.says...)
			if !strings.Contains(s.stderr.String(), test.log) {
				t.Errorf("the standard error does not show %q:\n%s", test.log, s.stderr.String())
			}
			s.nothingLeft()
		})
	}
}

// TestRefused: what cannot be is refused before anything is started.
func TestRefused(t *testing.T) {
	nothing := t.TempDir()
	for name, test := range map[string]struct {
		args []string
		env  []string
		says []string
	}{
		"no command":         {nil, nil, []string{"no command", "espalier vm -- "}},
		"too many cards":     {[]string{"--nics", "99", "--", "true"}, nil, []string{"--nics", "99", "0 to 14"}},
		"little memory":      {[]string{"--memory", "10", "--", "true"}, nil, []string{"memory", "10", "256"}},
		"huge pages":         {[]string{"--hugepages", "512", "--", "true"}, nil, []string{"huge pages", "512", "1024 MiB", "1280 MiB"}},
		"iommu":              {[]string{"--iommu", "maybe", "--", "true"}, nil, []string{"--iommu", "maybe", "on", "off"}},
		"network":            {[]string{"--net", "tap:x", "--", "true"}, nil, []string{"--net", "tap:x", "stream:PATH"}},
		"environment":        {[]string{"--nics", "0", "--env", "X", "--", "true"}, nil, []string{`"X"`, "NAME=VALUE"}},
		"module":             {[]string{"--nics", "0", "--modules", "nonsuch", "--", "true"}, nil, []string{"nonsuch"}},
		"device":             {[]string{"--device", "nonsuch", "--", "true"}, nil, []string{"nonsuch"}},
		"wire":               {[]string{"--nics", "1", "--wire", "nonsuch", "--", "true"}, nil, []string{"nonsuch"}},
		"mirror":             {[]string{"--", "true"}, []string{debian.CacheVariable + "=" + nothing, debian.MirrorVariable + "=http://127.0.0.1:9/debian"}, []string{"http://127.0.0.1:9/debian", debian.MirrorVariable}},
		"cache is no folder": {[]string{"prepare"}, []string{debian.CacheVariable + "=/dev/null"}, []string{"/dev/null", debian.CacheVariable}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.env == nil {
				vmtest.QEMU(t)
				vmtest.Kernel(t)
			}
			s := startVM(t, t.TempDir(), "", test.env, test.args...)
			if code := s.wait(); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			s.says(test.says...)
			if text := s.stderr.String(); strings.Count(text, "\n") != 1 {
				t.Errorf("it said more than one line:\n%s", text)
			}
			s.nothingLeft()
		})
	}
}
