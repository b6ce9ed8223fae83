// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/vm/job"
)

// run is a guest's life. Errors before there is a port to the host go to the
// console, where the host finds them.
func run() {
	if err := live(); err != nil {
		fmt.Fprintf(os.Stderr, "espalier guest: %v\n", err)
	}
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {} // the kernel panics when its first process returns
}

func live() error {
	if err := mountKernel(""); err != nil {
		return err
	}
	raw, err := os.ReadFile(job.File)
	if err != nil {
		return err
	}
	var work job.Job
	if err := json.Unmarshal(raw, &work); err != nil {
		return fmt.Errorf("%s: %w", job.File, err)
	}
	if err := loadModules(work.Modules); err != nil {
		return err
	}
	port, err := openPort(job.Port)
	if err != nil {
		return err
	}
	host := job.NewWriter(port)
	frames := make(chan frame)
	go readFrames(port, frames)

	result := do(work, host, frames)
	// What the command left in files must have reached the host before it hears
	// that all is done.
	unix.Sync()
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	if err := host.Write(job.Done, text); err != nil {
		return err
	}
	for {
		select {
		case f, open := <-frames:
			if !open || f.kind == job.Off {
				return nil
			}
		case <-time.After(10 * time.Second):
			return nil
		}
	}
}

// frame is one that came from the host.
type frame struct {
	kind    job.Kind
	payload []byte
}

func readFrames(port io.Reader, frames chan<- frame) {
	defer close(frames)
	for {
		kind, payload, err := job.Read(port)
		if err != nil {
			return
		}
		frames <- frame{kind, payload}
	}
}

// do sets the guest up and runs the job's command in it.
func do(work job.Job, host *job.Writer, frames <-chan frame) job.Result {
	if err := setUp(work); err != nil {
		return job.Result{Error: err.Error()}
	}
	path, err := exec.LookPath(work.Command[0])
	if err != nil {
		var problem *exec.Error
		if errors.As(err, &problem) {
			err = problem.Err
		}
		return job.Result{NotFound: true, Error: fmt.Sprintf("command %q: %v", work.Command[0], err)}
	}
	cmd := &exec.Cmd{
		Path: path, Args: work.Command, Dir: work.Dir, Env: work.Env,
		Stdout: host.Stream(job.Stdout), Stderr: host.Stream(job.Stderr),
		SysProcAttr: &unix.SysProcAttr{Setpgid: true},
		// What it leaves running keeps its output open, but the job is done.
		WaitDelay: 200 * time.Millisecond,
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return job.Result{Error: err.Error()}
	}
	if err := host.Write(job.Ready, nil); err != nil {
		return job.Result{Error: err.Error()}
	}
	if err := cmd.Start(); err != nil {
		return job.Result{Error: fmt.Sprintf("command %q: %v", work.Command[0], err)}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	input := make(chan []byte)
	go feed(stdin, input)
	var pending []byte // input that waits until the command has read what came before
	for {
		from, to := frames, chan []byte(nil)
		if pending != nil {
			from, to = nil, input
		}
		select {
		case to <- pending:
			pending = nil
		case f, open := <-from:
			switch {
			case !open: // the host has gone, and so does the guest
				return job.Result{Error: "the host has gone"}
			case f.kind == job.Stdin:
				pending = f.payload
			case f.kind == job.Signal && len(f.payload) == 1:
				_ = unix.Kill(-cmd.Process.Pid, unix.Signal(f.payload[0])) // it may have ended
			}
		case err := <-ended:
			if err != nil && cmd.ProcessState == nil {
				return job.Result{Error: fmt.Sprintf("command %q: %v", work.Command[0], err)}
			}
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if status.Signaled() {
				return job.Result{ExitCode: 128 + int(status.Signal()), Signal: unix.SignalName(status.Signal())}
			}
			return job.Result{ExitCode: status.ExitStatus()}
		}
	}
}

// feed gives the command its input. An empty piece is the input's end; a command
// that does not read is no error.
func feed(stdin io.WriteCloser, input <-chan []byte) {
	for piece := range input {
		if len(piece) == 0 {
			stdin.Close()
			continue
		}
		_, _ = stdin.Write(piece)
	}
}

// setUp makes the guest what the job asks for, and moves into it.
func setUp(work job.Job) error {
	if len(work.Command) == 0 {
		return errors.New("no command")
	}
	if err := mountShares(work.Shares); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("espalier-guest")); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	if work.HugePages > 0 {
		if err := reserveHugePages(work.HugePages); err != nil {
			return err
		}
	}
	if work.Tap {
		if err := openTap(); err != nil {
			return err
		}
	}
	for _, card := range work.Cards {
		if err := bind(card, "vfio-pci"); err != nil {
			return err
		}
	}
	if err := unix.Chroot(root); err != nil {
		return fmt.Errorf("chroot %s: %w", root, err)
	}
	if err := unix.Chdir(work.Dir); err != nil {
		return fmt.Errorf("folder %s in the guest: %w", work.Dir, err)
	}
	// The command is looked for where it will run, by the PATH it will have.
	for _, variable := range work.Env {
		if name, value, _ := strings.Cut(variable, "="); name == "PATH" {
			os.Setenv("PATH", value)
		}
	}
	return nil
}

// openPort opens the virtio-serial port of that name.
func openPort(name string) (*os.File, error) {
	// The driver makes ports when the device tells it to, a moment after loading.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, file := range names {
			content, _ := os.ReadFile(file)
			if strings.TrimSpace(string(content)) != name {
				continue
			}
			port, err := os.OpenFile(filepath.Join("/dev", filepath.Base(filepath.Dir(file))), os.O_RDWR, 0)
			if err == nil {
				return port, nil
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("virtio-serial port %s has not appeared", name)
		}
	}
}
