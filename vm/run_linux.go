// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/vm/debian"
	"github.com/espalier-nic/espalier/vm/job"
)

// How long things are given that should take no time.
const (
	interruptPatience = 3 * time.Second // the command, to end after an interrupt
	offPatience       = 3 * time.Second // the guest, to power off
)

// Run boots a guest, runs the command in it and ends the guest. The error is nil
// if the command ran to its end, whatever its exit code. When ctx ends, the
// command is interrupted, and killed if it goes on; the error is ctx's cause. On
// return nothing is left running, whatever happened.
func Run(ctx context.Context, config Config) (*Result, error) {
	c := config
	c.Shares = append([]string(nil), config.Shares...)
	if err := c.check(); err != nil {
		return nil, err
	}
	begin := time.Now()
	qemu, err := debian.PrepareQEMU(ctx, c.Prepare)
	if err != nil {
		return nil, err
	}
	kernel, err := debian.PrepareKernel(ctx, c.Prepare)
	if err != nil {
		return nil, err
	}
	r := &run{config: &c, qemu: qemu, kernel: kernel}
	defer r.cleanUp()
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	result := &Result{Prepare: time.Since(begin)}
	if err := r.follow(ctx, result); err != nil {
		return nil, err
	}
	stopping := time.Now()
	r.cleanUp()
	result.Stop += time.Since(stopping)
	return result, nil
}

// run is one guest.
type run struct {
	config *Config
	qemu   *debian.QEMU
	kernel *debian.Kernel

	machine *process
	servers []*process // of the shared folders
	host    net.Conn   // the job's frames
	console tail
	undo    []func()
}

// cleanUp ends and closes everything, last things first. It may be called again.
func (r *run) cleanUp() {
	for i := len(r.undo) - 1; i >= 0; i-- {
		r.undo[i]()
	}
	r.undo = nil
}

func (r *run) onCleanUp(f func()) { r.undo = append(r.undo, f) }

// start starts QEMU and what it needs.
func (r *run) start(ctx context.Context) error {
	c := r.config
	shared := shares(append([]string{c.Dir}, c.Shares...))
	work := job.Job{Shares: shared, HugePages: c.HugePages, Tap: c.Mirror != "", Command: c.Command, Dir: c.Dir, Env: c.environment(os.Environ())}
	if !c.NoIOMMU {
		for i := range c.Cards {
			work.Cards = append(work.Cards, CardAddress(i))
		}
	}
	image, err := r.image(work)
	if err != nil {
		return err
	}
	defer image.Close()
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	r.host = ours
	r.onCleanUp(func() { ours.Close() })
	defer theirs.Close()

	// The numbers that QEMU has its descriptors by begin at 3.
	files := []*os.File{image, theirs}
	number := func(f *os.File) int { files = append(files, f); return 2 + len(files) }
	var shareFDs []int
	for _, share := range shared {
		connection, err := r.serve(share)
		if err != nil {
			return err
		}
		defer connection.Close()
		shareFDs = append(shareFDs, number(connection))
	}
	cmd := r.qemu.Command(context.WithoutCancel(ctx), c.machine(r.kernel.Image, "/proc/self/fd/3", 4, shared, shareFDs)...)
	cmd.ExtraFiles = files
	console := io.Writer(&r.console)
	if c.Console != nil {
		console = io.MultiWriter(&r.console, c.Console)
	}
	cmd.Stdout = console
	c.log("starting QEMU %s: %s", r.qemu.Version, strings.Join(cmd.Args, " "))
	if r.machine, err = start("QEMU", cmd, nil); err != nil {
		return err
	}
	r.onCleanUp(func() { r.machine.stop(0) })
	return nil
}

// image is the initial file system, in memory.
func (r *run) image(work job.Job) (*os.File, error) {
	init, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("guest's first process: %w", err)
	}
	tree, err := openModules(r.kernel.Modules)
	if err != nil {
		return nil, err
	}
	files, err := tree.resolve(append(append([]string(nil), modules...), r.config.Modules...))
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("espalier-initramfs", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("guest's initial file system: %w", err)
	}
	image := os.NewFile(uintptr(fd), "initramfs")
	if err := initramfs(image, init, files, work); err != nil {
		image.Close()
		return nil, err
	}
	return image, nil
}

// serve starts the file server of a shared folder and answers the connection to
// it, for QEMU. No socket stays in any folder.
func (r *run) serve(share job.Share) (*os.File, error) {
	dir, remove, err := Folder()
	if err != nil {
		return nil, fmt.Errorf("share %s: %w", share.Path, err)
	}
	defer remove()
	address := &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"}
	listener, err := net.ListenUnix("unix", address)
	if err != nil {
		return nil, fmt.Errorf("share %s: %w", share.Path, err)
	}
	defer listener.Close()
	listening, err := listener.File()
	if err != nil {
		return nil, fmt.Errorf("share %s: %w", share.Path, err)
	}
	defer listening.Close()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("share %s: %w", share.Path, err)
	}
	args := []string{"--fd", "3", "--shared-dir", share.Path, "--sandbox", "none", "--log-level", "error",
		"--rlimit-nofile", fmt.Sprint(min(limit.Max, 1_000_000))}
	if share.Writable {
		args = append(args, "--cache", "auto")
	} else {
		// The guest lays a file system over this one, and cannot over mount points.
		args = append(args, "--cache", "always", "--readonly", "--no-announce-submounts")
	}
	cmd := r.qemu.VirtioFS(context.Background(), args...)
	cmd.ExtraFiles = []*os.File{listening}
	server, err := start("file server of "+share.Path, cmd, nil)
	if err != nil {
		return nil, err
	}
	r.servers = append(r.servers, server)
	r.onCleanUp(func() { server.stop(0) })
	connection, err := net.DialUnix("unix", nil, address)
	if err != nil {
		return nil, fmt.Errorf("share %s: %w", share.Path, err)
	}
	defer connection.Close()
	file, err := connection.File()
	if err != nil {
		return nil, fmt.Errorf("share %s: %w", share.Path, err)
	}
	return file, nil
}

// socketPair is a connection, with one end for another process.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	ours := os.NewFile(uintptr(fds[0]), "job")
	defer ours.Close()
	theirs := os.NewFile(uintptr(fds[1]), "job")
	connection, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	return connection, theirs, nil
}

// message is a frame of the guest's, or the error that ends them.
type message struct {
	kind    job.Kind
	payload []byte
	err     error
}

// follow gives the guest's output to its takers until the command has ended.
func (r *run) follow(ctx context.Context, result *Result) error {
	c := r.config
	begin := time.Now()
	quit := make(chan struct{})
	defer close(quit)
	messages := make(chan message)
	go func() {
		for {
			var m message
			m.kind, m.payload, m.err = job.Read(r.host)
			select {
			case messages <- m:
			case <-quit:
				return
			}
			if m.err != nil {
				return
			}
		}
	}()
	serverEnded := make(chan *process, len(r.servers))
	for _, server := range r.servers {
		go func() {
			<-server.done
			serverEnded <- server
		}()
	}
	guest := job.NewWriter(r.host)
	limit := time.NewTimer(c.BootTimeout)
	defer limit.Stop()
	what, allowed := "start", c.BootTimeout
	interrupted, over := ctx.Done(), (<-chan time.Time)(nil)
	running := false
	for {
		select {
		case <-interrupted:
			if !running {
				return context.Cause(ctx)
			}
			interrupted, over = nil, time.After(interruptPatience)
			go guest.Write(job.Signal, []byte{byte(unix.SIGINT)}) // a guest that does not listen is killed below
		case <-over:
			return context.Cause(ctx)
		case <-limit.C:
			return r.guestError(fmt.Errorf("the guest did not %s within %v: %w", what, allowed, ErrTimeout))
		case server := <-serverEnded:
			// One that ends well does so because QEMU has left it.
			if server.err == nil {
				select {
				case <-r.machine.done:
					return r.died()
				case <-time.After(offPatience):
				}
			}
			return r.guestError(server.ended())
		case <-r.machine.done:
			return r.died()
		case m := <-messages:
			if m.err != nil {
				// QEMU's end closes the connection too, and says more.
				select {
				case <-r.machine.done:
				case <-time.After(offPatience):
				}
				return r.died()
			}
			var taker io.Writer
			switch m.kind {
			case job.Ready:
				result.Boot, begin, running = time.Since(begin), time.Now(), true
				what, allowed = "finish the command", c.Timeout
				limit.Stop()
				if c.Timeout > 0 {
					limit.Reset(c.Timeout)
				}
				c.log("guest ready after %.2f s", result.Boot.Seconds())
				go pump(guest, c.Stdin)
				continue
			case job.Stdout:
				taker = c.Stdout
			case job.Stderr:
				taker = c.Stderr
			case job.Done:
				result.Run = time.Since(begin)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				return r.finish(guest, m.payload, result)
			}
			if taker != nil {
				if _, err := taker.Write(m.payload); err != nil {
					return fmt.Errorf("output of the command in the guest: %w", err)
				}
			}
		}
	}
}

// pump gives the guest the command's input.
func pump(guest *job.Writer, stdin io.Reader) {
	if stdin != nil {
		// Without the method ReadFrom that a writer might have: frames are small.
		_, _ = io.Copy(struct{ io.Writer }{guest.Stream(job.Stdin)}, stdin)
	}
	_ = guest.Write(job.Stdin, nil) // the guest may have gone
}

// finish takes the command's result and lets the guest power off.
func (r *run) finish(guest *job.Writer, text []byte, result *Result) error {
	var done job.Result
	if err := json.Unmarshal(text, &done); err != nil {
		return r.guestError(fmt.Errorf("result of the command in the guest: %w", err))
	}
	begin := time.Now()
	go guest.Write(job.Off, nil) // a guest that does not listen is killed
	select {
	case <-r.machine.done:
	case <-time.After(offPatience):
	}
	result.Stop = time.Since(begin)
	switch {
	case done.NotFound:
		return fmt.Errorf("%s in the guest: %w", strings.TrimSuffix(done.Error, ": "+exec.ErrNotFound.Error()), ErrNotFound)
	case done.Error != "":
		return r.guestError(errors.New(done.Error))
	}
	result.ExitCode, result.Signal = done.ExitCode, done.Signal
	return nil
}

// died is the error about a QEMU that has ended before the command did.
func (r *run) died() error {
	log := r.console.String()
	for line := range strings.Lines(log) {
		if _, what, panicked := strings.Cut(line, "Kernel panic - not syncing: "); panicked {
			return r.guestError(fmt.Errorf("the guest's kernel panicked: %s", strings.TrimSpace(what)))
		}
		if _, what, told := strings.Cut(line, "espalier guest: "); told {
			return r.guestError(fmt.Errorf("the guest could not start: %s", strings.TrimSpace(what)))
		}
	}
	select {
	case <-r.machine.done:
		// QEMU gives up when a file server has died, which may be noticed later.
		for _, server := range r.servers {
			select {
			case <-server.done:
				if server.err != nil {
					return r.guestError(server.ended())
				}
			case <-time.After(offPatience):
			}
		}
		return r.guestError(r.machine.ended())
	default:
		return r.guestError(errors.New("the guest has closed its connection"))
	}
}

func (r *run) guestError(err error) error { return &GuestError{Err: err, Console: r.console.String()} }
