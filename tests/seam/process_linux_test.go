// SPDX-License-Identifier: Apache-2.0

package seam

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/pcietest"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	served "github.com/espalier-nic/espalier/rtl-bridge/vfiouser"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
)

// serveVariable in the environment makes the test binary a server: its value is
// a socket's path, a space, and "window", "mailbox" or a simulator library's path.
const serveVariable = "ESPALIER_SEAM_SERVE"

func TestMain(m *testing.M) {
	if arguments, ok := os.LookupEnv(serveVariable); ok {
		socket, device, _ := strings.Cut(arguments, " ")
		if err := serveProcess(socket, device); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveProcess serves a NIC until SIGTERM, or until the test that wants it has
// gone. It prints a line when it is ready.
func serveProcess(socket, name string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // the pipe ends with the parent
		_, _ = os.Stdin.Read(make([]byte, 1))
		stop()
	}()
	var device server.Device
	if p, ok := presences[name]; ok {
		g, err := served.NewGoNIC(nic.Options{ControlProcessor: p}, nil)
		if err != nil {
			return err
		}
		defer g.Close()
		device = g
	} else {
		lib, err := rtlbridge.Load(name)
		if err != nil {
			return err
		}
		r, err := served.NewRTL(lib, served.RTLConfig{})
		if err != nil {
			return err
		}
		defer r.Close()
		runner, err := rtlbridge.Start(r.Device())
		if err != nil {
			return err
		}
		defer runner.Close()
		device = r
	}
	s, err := server.Listen(socket, device, server.Options{ResetOnDisconnect: true})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return s.Serve(ctx)
}

// startProcess serves a NIC in another process until the test ends or stop is
// called, which kills it.
func startProcess(t testing.TB, device string) (socket string, stop func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	socket = socketPath(t)
	c := exec.Command(self)
	c.Env = append(os.Environ(), serveVariable+"="+socket+" "+device)
	c.Stderr = os.Stderr
	alive, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		alive.Close()
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	t.Cleanup(stop)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("server says %q: %v", line, err)
	}
	return socket, stop
}

// inProcess returns the function suite's harness for a NIC in another process.
func inProcess(device string) pcietest.Harness {
	return harness(func(t testing.TB) pcie.Function {
		socket, stop := startProcess(t, device)
		return stoppable{connect(t, socket), stop}
	}, unplug)
}

// The NIC in Go and the RTL behind a vfio-user socket of another process's, which
// dies when it is unplugged.
var (
	_ = register(implementation{
		name: "vfio-user-gonic-process",
		functions: func(*testing.T) map[string]pcietest.Harness {
			all := map[string]pcietest.Harness{}
			for name := range presences {
				all[name] = inProcess(name)
			}
			return all
		},
	})
	_ = register(implementation{
		name: "vfio-user-rtl-process",
		functions: func(t *testing.T) map[string]pcietest.Harness {
			return map[string]pcietest.Harness{rtlKinds[0].name: inProcess(libraryRTL(t, rtlKinds[0].name, rtlKinds[0].parameter))}
		},
	})
)
