// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/gopacket/pcapgo"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/client"
	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// servePatience bounds what must happen.
const servePatience = 60 * time.Second

// output is what a command that still runs has printed.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// serving is `espalier serve` while it runs.
type serving struct {
	t           testing.TB
	out, errOut output
	cancel      context.CancelFunc
	result      chan error
	ready       struct {
		Ready bool         `json:"ready"`
		PID   int          `json:"pid"`
		Cards []servedCard `json:"cards"`
	}
}

// startServe runs `espalier serve` with --json in folder and waits until it is ready.
func startServe(t *testing.T, folder string, args ...string) *serving {
	t.Helper()
	t.Chdir(folder)
	s := &serving{t: t, result: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	root := newRootCommand()
	root.SetOut(&s.out)
	root.SetErr(&s.errOut)
	root.SetArgs(append([]string{"serve", "--json"}, args...))
	go func() { s.result <- root.ExecuteContext(ctx) }()
	t.Cleanup(cancel)
	for start := time.Now(); !strings.Contains(s.out.String(), "\n"); time.Sleep(time.Millisecond) {
		select {
		case err := <-s.result:
			t.Fatalf("serve has ended: %v\n%s", err, s.errOut.String())
		default:
		}
		if time.Since(start) > servePatience {
			t.Fatalf("serve is not ready: %s", s.errOut.String())
		}
	}
	if err := json.Unmarshal([]byte(s.out.String()), &s.ready); err != nil || !s.ready.Ready || s.ready.PID != os.Getpid() {
		t.Fatalf("%v: %s", err, s.out.String())
	}
	return s
}

// end ends it as Ctrl-C does.
func (s *serving) end() error {
	s.t.Helper()
	s.cancel()
	select {
	case err := <-s.result:
		return err
	case <-time.After(servePatience):
		s.t.Fatal("serve does not end")
		return nil
	}
}

// dial connects to card n and lets its BARs answer.
func (s *serving) dial(n int) *client.Client {
	s.t.Helper()
	c, err := client.Dial(s.ready.Cards[n].Socket, client.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.Write(7, pcie.ConfigCommand, []byte{pcie.CommandMemory | pcie.CommandBusMaster, 0}); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func readWord(t testing.TB, c *client.Client, offset uint64) uint32 {
	t.Helper()
	var p [4]byte
	if err := c.Read(0, offset, p[:]); err != nil {
		t.Fatal(err)
	}
	return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24
}

// tinyLibrary is verilator/testdata's design, which sends frames back.
func tinyLibrary(t testing.TB) string {
	t.Helper()
	return simbuild.Library(t, simbuild.Tiny())
}

const (
	tinyID        = 0x00
	tinyMisbehave = 0x08
	tinyFrames    = 0x2C
	tinyIDValue   = 0x594E4954
)

// TestServe: sockets with mode 0600, clients one after another, frames between
// joined cards in the recording, nothing left in the end.
func TestServe(t *testing.T) {
	for _, device := range []string{"gonic", "sim:" + tinyLibrary(t)} {
		t.Run(device[:3], func(t *testing.T) {
			folder := t.TempDir()
			s := startServe(t, folder, "--device", device, "--socket", "a.sock", "--socket", "b.sock", "--pcapng", "w.pcapng")
			if len(s.ready.Cards) != 2 || s.ready.Cards[0].Wire != "join" || s.ready.Cards[1].Socket != filepath.Join(folder, "b.sock") {
				t.Errorf("ready: %+v", s.ready)
			}
			for _, card := range s.ready.Cards {
				info, err := os.Stat(card.Socket)
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v (%v)", card.Socket, info.Mode(), err)
				}
				if !strings.Contains(card.QEMU, card.Socket) || !strings.Contains(card.Driver, "vfio-user:"+card.Socket) {
					t.Errorf("card %+v", card)
				}
			}
			for range 3 {
				for n := range 2 {
					c := s.dial(n)
					if v := readWord(t, c, 0); v == 0 || v == ^uint32(0) {
						t.Errorf("ID %#x", v)
					}
					if err := c.Close(); err != nil {
						t.Error(err)
					}
				}
			}
			if err := s.end(); err != nil {
				t.Errorf("end: %v", err)
			}
			left, _ := filepath.Glob("*")
			if len(left) != 1 || left[0] != "w.pcapng" {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestServeStream: a card's wire is a socket with QEMU's protocol, and what passes
// is in the recording.
func TestServeStream(t *testing.T) {
	folder := t.TempDir()
	s := startServe(t, folder, "--device", "sim:"+tinyLibrary(t), "--socket", "a.sock", "--wire", "stream-listen:wire.sock", "--pcapng", "w.pcapng")
	port, err := wireport.Open("stream:" + filepath.Join(folder, "wire.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	frame := bytes.Repeat([]byte{0x3C}, 120)
	got := make(chan []byte, 100)
	go func() {
		_ = wireport.Pump(port, func(f []byte) error {
			got <- bytes.Clone(f)
			return nil
		})
	}()
	ticker := time.NewTicker(20 * time.Millisecond) // the first may come before the connection
	defer ticker.Stop()
	deadline := time.After(servePatience)
	for done := false; !done; {
		select {
		case <-ticker.C:
			if err := port.Send(frame); err != nil {
				t.Fatal(err)
			}
		case f := <-got: // tiny_nic sends frames back
			if !bytes.Equal(f, frame) {
				t.Errorf("frame % x", f)
			}
			done = true
		case <-deadline:
			t.Fatal("no frame comes back")
		}
	}
	if n := readWord(t, s.dial(0), tinyFrames); n == 0 {
		t.Error("the card has sent no frame")
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
	counts := recorded(t, "w.pcapng")
	if counts["nic0"] == 0 || counts["nic0 in"] < counts["nic0"] {
		t.Errorf("recorded frames: %v", counts)
	}
}

// recorded counts the frames in a recording by interface.
func recorded(t testing.TB, path string) map[string]int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for {
		_, info, err := r.ReadPacketData()
		if err == io.EOF {
			return counts
		}
		if err != nil {
			t.Fatal(err)
		}
		i, err := r.Interface(info.InterfaceIndex)
		if err != nil {
			t.Fatal(err)
		}
		counts[i.Name]++
	}
}

// TestServeStops: a design that stops is a failure of the command, which says why.
func TestServeStops(t *testing.T) {
	s := startServe(t, t.TempDir(), "--device", "sim:"+tinyLibrary(t), "--socket", "a.sock", "--wire", "loop")
	c := s.dial(0)
	if v := readWord(t, c, tinyID); v != tinyIDValue {
		t.Fatalf("ID %#x", v)
	}
	if err := c.Post(0, tinyMisbehave, []byte{1, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.result:
		if err == nil || !strings.Contains(err.Error(), "the card is gone") || !strings.Contains(err.Error(), "fatal on request") {
			t.Errorf("end: %v", err)
		}
	case <-time.After(servePatience):
		t.Fatal("serve goes on")
	}
	select {
	case <-c.Gone():
	case <-time.After(servePatience):
		t.Error("the client does not notice")
	}
	if !strings.Contains(s.errOut.String(), "a.sock: ") || !strings.Contains(s.errOut.String(), "fatal on request") {
		t.Errorf("log: %s", s.errOut.String())
	}
	if left, _ := filepath.Glob("*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestServeText: what a person reads.
func TestServeText(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	ctx, cancel := context.WithCancel(context.Background())
	var out, errOut output
	root := newRootCommand()
	root.SetOut(&out)
	root.SetErr(&errOut)
	root.SetArgs([]string{"serve", "--device", "gonic:window", "--socket", "x.sock"})
	result := make(chan error, 1)
	go func() { result <- root.ExecuteContext(ctx) }()
	for start := time.Now(); !strings.Contains(out.String(), "ready") && time.Since(start) < servePatience; {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(folder, "x.sock")
	for _, want := range []string{
		"x.sock: gonic:window, wire none\n", "memory-backend-memfd", fmt.Sprintf(`"path":%q},"x-msg-timeout":60000`, socket),
		"espalier run --device vfio-user:" + socket, "Ctrl-C",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	help, _, err := espalier(t, folder, "", "__complete", "serve", "--wire", "")
	if err != nil || !strings.Contains(help, "join\n") || !strings.Contains(help, "stream-listen:\n") {
		t.Errorf("completion of --wire: %v\n%s", err, help)
	}
}

// TestServeBadInput: one sentence each, naming the item and what helps, and no
// socket left.
func TestServeBadInput(t *testing.T) {
	folder := t.TempDir()
	plain := write(t, folder, "plain", "a file\n")
	tiny := "sim:" + tinyLibrary(t)
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no socket":             {nil, []string{"no socket", "--socket nic.sock"}},
		"empty socket":          {[]string{"--socket", ","}, []string{"empty"}},
		"socket twice":          {[]string{"--socket", "a.sock", "--socket", "./a.sock"}, []string{"./a.sock", "twice"}},
		"socket is a file":      {[]string{"--device", "gonic", "--socket", "a.sock", "--socket", plain}, []string{plain}},
		"socket in no folder":   {[]string{"--device", "gonic", "--socket", "nowhere/a.sock"}, []string{"nowhere/a.sock"}},
		"unknown device":        {[]string{"--socket", "a.sock", "--device", "gonik"}, []string{`"gonik"`, `"gonic"`}},
		"a card":                {[]string{"--socket", "a.sock", "--device", "0000:03:00.0"}, []string{"0000:03:00.0", "sim", "gonic"}},
		"two devices":           {[]string{"--socket", "a.sock", "--device", "gonic,gonic"}, []string{"gonic,gonic"}},
		"unknown wire":          {[]string{"--socket", "a.sock", "--wire", "cable"}, []string{`"cable"`, "join", "tap:NAME"}},
		"unknown port":          {[]string{"--socket", "a.sock", "--device", "gonic", "--wire", "tub:x"}, []string{`"tub:x"`, `"tap"`}},
		"unknown mirror":        {[]string{"--socket", "a.sock", "--device", "gonic", "--wire-mirror", "tub:x"}, []string{"--wire-mirror", `"tub:x"`, `"tap"`}},
		"join alone":            {[]string{"--socket", "a.sock", "--wire", "join"}, []string{`"join"`, "1 sockets", "loop"}},
		"join and another":      {[]string{"--socket", "a.sock", "--socket", "b.sock", "--wire", "join,loop"}, []string{`"join"`, "both"}},
		"one port for two":      {[]string{"--socket", "a.sock", "--socket", "b.sock", "--wire", "tap:x"}, []string{`"tap:x"`, "2 sockets"}},
		"too many wires":        {[]string{"--socket", "a.sock", "--wire", "loop", "--wire", "loop"}, []string{"2 wires", "1 sockets"}},
		"wave of the Go NIC":    {[]string{"--socket", "a.sock", "--device", "gonic", "--wave", "x.fst"}, []string{"waveforms", "gonic"}},
		"wave without":          {[]string{"--socket", "a.sock", "--device", tiny, "--wave", "x.fst"}, []string{"make sim-trace"}},
		"recording nowhere":     {[]string{"--socket", "a.sock", "--device", "gonic", "--pcapng", "nowhere/w.pcapng"}, []string{"nowhere/w.pcapng", "no such file", "--pcapng"}},
		"simulator option":      {[]string{"--socket", "a.sock", "--device", tiny, "--sim-options", "mem_reed_latency=1"}, []string{"mem_reed_latency"}},
		"simulator option text": {[]string{"--socket", "a.sock", "--device", tiny, "--sim-options", "bar_latency=long"}, []string{"bar_latency", `"long"`}},
		"an argument":           {[]string{"nic.sock"}, []string{"nic.sock"}},
	} {
		t.Run(name, func(t *testing.T) {
			here := t.TempDir()
			out, _, err := espalier(t, here, "", append([]string{"serve"}, c.args...)...)
			if err == nil {
				t.Fatalf("accepted:\n%s", out)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("message %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("message has several lines: %q", err)
			}
			if left, _ := filepath.Glob("*"); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestServeInUse: a socket that another server has is left alone.
func TestServeInUse(t *testing.T) {
	folder := t.TempDir()
	s := startServe(t, folder, "--device", "gonic", "--socket", "a.sock")
	_, _, err := espalier(t, folder, "", "serve", "--device", "gonic", "--socket", "a.sock")
	if err == nil || !strings.Contains(err.Error(), "a.sock") {
		t.Errorf("second server: %v", err)
	}
	c := s.dial(0)
	if v := readWord(t, c, 0); v == ^uint32(0) {
		t.Errorf("ID %#x", v)
	}
	c.Close()
	if err := s.end(); err != nil {
		t.Error(err)
	}
}
