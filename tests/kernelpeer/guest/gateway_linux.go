// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/espalier-nic/espalier/gateway"
)

// gatewayProcess is an `espalier gateway` that runs.
type gatewayProcess struct {
	name  string
	cmd   *exec.Cmd
	stats string
	wait  time.Duration
	ended chan error

	mu     sync.Mutex
	output bytes.Buffer
}

// startGateway starts a gateway in a namespace and waits until it is ready.
func startGateway(ns *namespace, o options, name, configuration, tap, device, wire string) (*gatewayProcess, error) {
	g := &gatewayProcess{name: name, stats: filepath.Join(o.folder, name+".json"), wait: o.wait, ended: make(chan error, 1)}
	config := filepath.Join(o.folder, name+".yaml")
	if err := os.WriteFile(config, []byte(configuration), 0o600); err != nil {
		return nil, err
	}
	args := []string{"gateway", "--config", config, "--device", device, "--plain", "tap:" + tap, "--check", "--stats", g.stats}
	if wire != "" {
		args = append(args, "--wire", wire)
	}
	g.cmd = exec.Command(o.espalier, append(args, strings.Fields(o.extra)...)...)
	g.cmd.Dir = o.folder // no espalier.yaml of somebody else
	g.cmd.Stderr = (*gatewayOutput)(g)
	stdout, err := g.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := ns.do(g.cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	ready := make(chan struct{})
	go func() {
		var once sync.Once
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			_, _ = (*gatewayOutput)(g).Write(append(lines.Bytes(), '\n')) // it is memory
			if strings.HasPrefix(lines.Text(), "ready") {
				once.Do(func() { close(ready) })
			}
		}
		g.ended <- g.cmd.Wait()
	}()
	select {
	case <-ready:
		return g, nil
	case err := <-g.ended:
		return nil, fmt.Errorf("%s ended before it was ready: %v: %s", name, err, g.said())
	case <-time.After(o.wait):
		g.kill()
		return nil, fmt.Errorf("%s was not ready after %v: %s", name, o.wait, g.said())
	}
}

// gatewayOutput collects what the process says.
type gatewayOutput gatewayProcess

// Write implements io.Writer.
func (g *gatewayOutput) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.output.Write(p)
}

func (g *gatewayProcess) said() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.output.String()
}

func (g *gatewayProcess) kill() {
	_ = g.cmd.Process.Kill()
	<-g.ended
}

// stop ends the gateway as Ctrl-C does, and returns what it has counted.
func (g *gatewayProcess) stop() (stats gateway.Statistics, err error) {
	if err := g.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return stats, fmt.Errorf("%s has ended: %s", g.name, g.said())
	}
	select {
	case err := <-g.ended:
		if err != nil {
			return stats, fmt.Errorf("%s: %v: %s", g.name, err, g.said())
		}
	case <-time.After(g.wait):
		g.kill()
		return stats, fmt.Errorf("%s did not end: %s", g.name, g.said())
	}
	raw, err := os.ReadFile(g.stats)
	if err != nil {
		return stats, err
	}
	var result struct{ Statistics gateway.Statistics }
	err = json.Unmarshal(raw, &result)
	return result.Statistics, err
}

// traffic is what the gateway's SAs have carried, by SPI.
func gatewayTraffic(s gateway.Statistics) map[uint32]traffic {
	all := map[uint32]traffic{}
	for _, sa := range s.SAs {
		all[sa.SPI] = traffic{sa.Packets, sa.Bytes}
	}
	return all
}

// faults names what a gateway should not have counted. Drops of what no policy
// is for are the kernel's own chatter, such as multicast listener reports.
func faults(name string, s gateway.Statistics) (all []string) {
	for reason, n := range s.Drops {
		if reason != gateway.OutNoPols.String() && reason != gateway.InNoPols.String() {
			all = append(all, fmt.Sprintf("%s dropped %d as %s", name, n, reason))
		}
	}
	for reason, n := range s.NICDrops {
		all = append(all, fmt.Sprintf("%s: the NIC dropped %d as %s", name, n, reason))
	}
	for _, sa := range s.SAs {
		if len(sa.Drops) > 0 || sa.NICFrames != sa.Packets || sa.NICAuthFailed > 0 || sa.Software > 0 {
			all = append(all, fmt.Sprintf("%s: SA %#x: %+v", name, sa.SPI, sa))
		}
	}
	if s.Mismatches > 0 || s.CheckedReceived == 0 {
		all = append(all, fmt.Sprintf("%s: %d mismatches in %d frames received and %d sent: %q", name, s.Mismatches, s.CheckedReceived, s.CheckedSent, s.MismatchTexts))
	}
	return all
}
