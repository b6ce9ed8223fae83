// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// process is a helper that runs beside us and never longer than we do.
type process struct {
	name  string
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended
	err   error         // how; valid then
	words tail          // its standard error
}

// start starts the command with its standard error kept, and given to log too if
// that is not nil. It is in a process group
// of its own, so that a terminal's Ctrl-C reaches only us, and the kernel kills
// it when we are killed.
func start(name string, cmd *exec.Cmd, log io.Writer) (*process, error) {
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	cmd.Stderr = &p.words
	if log != nil {
		cmd.Stderr = io.MultiWriter(&p.words, log)
	}
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	started := make(chan error)
	go func() {
		// The parent whose death counts is the thread that started it: this one,
		// which stays until the process has ended.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// stop asks the process to end, waits for as long as patience lasts, and kills
// it and what it has started. It returns when it has ended.
func (p *process) stop(patience time.Duration) {
	if patience > 0 {
		_ = unix.Kill(p.cmd.Process.Pid, unix.SIGTERM) // it may have ended
		select {
		case <-p.done:
			return
		case <-time.After(patience):
		}
	}
	_ = unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL) // it may have ended
	<-p.done
}

// ended is the sentence about a process that should not have ended.
func (p *process) ended() error {
	how := "ended"
	if p.err != nil {
		how = "ended (" + p.err.Error() + ")"
	}
	if words := strings.Join(strings.Fields(p.words.String()), " "); words != "" {
		how += ": " + words
	}
	return fmt.Errorf("%s %s", p.name, how)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// tailSize is how much a tail keeps, in bytes.
const tailSize = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailSize; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

// String is what is kept, in whole lines.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := bytes.ReplaceAll(t.text, []byte("\r"), nil)
	if len(t.text) == tailSize {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return string(text)
}
