// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

// gatewayYAML is a good configuration of the gateway, with old replaced by new.
func gatewayYAML(old, new string) string {
	return strings.Replace(`
sas:
  - {spi: 0x1001, mode: tunnel, src: 192.0.2.1, dst: 192.0.2.2, algorithm: aes-gcm-128, key: 000102030405060708090a0b0c0d0e0f, salt: 10111213}
  - {spi: 0x1002, mode: tunnel, src: 192.0.2.2, dst: 192.0.2.1, algorithm: aes-gcm-256, key: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f, salt: 10111213, esn: true}
gateway:
  mtu: 1500
  replay-window: 128
  default: discard
  address-resolution: bypass
  policies:
    - {direction: out, src: 10.0.1.0/24, dst: 10.0.2.0/24, action: protect, sa: 0x1001}
    - {direction: in, src: 10.0.2.0/24, dst: 10.0.1.7, protocol: udp, action: protect, sa: 4098}
    - {direction: in, protocol: icmp, action: bypass}
`, old, new, 1)
}

// TestGatewayRefusals: one sentence that names item, value and what is allowed.
func TestGatewayRefusals(t *testing.T) {
	tests := []struct {
		old, new string
		args     []string
		says     string
	}{
		{old: "gateway:", new: "gateways:", says: `unknown key "gateways"; nearest is "gateway"`},
		{old: "mtu: 1500", new: "mtu: many", says: `mtu is "many"`},
		{old: "mtu: 1500", new: "mtu: 100", says: "MTU is 100; allowed are 576 to 16000"},
		{old: "mtu: 1500", new: "mtu: [1500]", says: "mtu must be a single value"},
		{old: "mtu: 1500", new: "mut: 1500", says: `unknown key "mut"; nearest is "mtu"`},
		{old: "replay-window: 128", new: "replay-window: 100", says: "replay window is 100"},
		{old: "default: discard", new: "default: protect", says: `default is "protect"`},
		{old: "address-resolution: bypass", new: "address-resolution: ask", says: `address-resolution is "ask"`},
		{old: "action: bypass", new: "action: allow", says: `policy 3: action is "allow"; allowed: protect, bypass, discard`},
		{old: "direction: in, protocol", new: "direction: fwd, protocol", says: `policy 3: direction is "fwd"; allowed: out, in`},
		{old: "protocol: icmp", new: "protocol: ping", says: `policy 3: protocol is "ping"`},
		{old: "protocol: icmp", new: "proto: icmp", says: `policy 3 (line 13) has the unknown key "proto"`},
		{old: "dst: 10.0.1.7", new: "dst: 10.0.1", says: `policy 2: dst is "10.0.1"`},
		{old: "sa: 4098", new: "sa: 4099", says: `policy 2: sa is "4099"; allowed: the spi of an SA in the list sas`},
		{old: "sa: 4098", new: "sa: 0x1001", says: "which is for the other direction"},
		{old: ", protocol: udp, action: protect, sa: 4098", new: ", action: bypass, sa: 4098", says: "only protect uses an SA"},
		{old: ", protocol: udp, action: protect, sa: 4098", new: ", action: bypass", says: "SA 2 (SPI 0x00001002) is used by no policy"},
		{old: "  policies:\n", new: "  policies: {}\n  default:\n", says: "policies (line 10) must be a list"},
		{old: "aes-gcm-256", new: "aes-gcm-512", says: "SA 2: algorithm"},
		{args: []string{"--plain", "tun:x"}, says: `--plain: wire is "tun:x", nearest is "tap"`},
		{args: []string{"--wire", "none"}, says: `--wire: wire is "none"`},
		{args: []string{"--wire", ""}, says: "0 wires are named for it"},
		{args: []string{"--wire", "tap:a,tap:b"}, says: "2 wires are named for it"},
		{args: []string{"--queues", "99"}, says: "RXQueues"},
		{args: []string{"--device", "vfio-user:none.sock", "--wire", "tap:a"}, says: "none.sock"},
	}
	for _, tt := range tests {
		folder := t.TempDir()
		config := write(t, folder, "gateway.yaml", gatewayYAML(tt.old, tt.new))
		args := append([]string{"gateway", "--config", config, "--device", "gonic", "--plain", "stream:" + folder + "/plain", "--wire", "stream:" + folder + "/wire"}, tt.args...)
		for i := range tt.args { // the first --wire would count too
			if tt.args[i] == "--wire" {
				args = append(args[:7:7], args[9:]...)
			}
		}
		_, _, err := espalier(t, folder, "", args...)
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %q: error %v, want one that says %q", tt.new, tt.args, err, tt.says)
		}
		if err != nil && strings.Contains(err.Error(), "000102") {
			t.Errorf("%s: the error shows a key: %v", tt.new, err)
		}
	}
	_, _, err := espalier(t, t.TempDir(), "", "gateway", "--device", "gonic")
	if err == nil || !strings.Contains(err.Error(), `no section "gateway"`) {
		t.Errorf("without a configuration: %v", err)
	}
}

// syncBuffer is a buffer for two goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestGatewayStreams: the command end to end between two sockets; no rights are
// needed. What it prints and writes in the end is what passed.
func TestGatewayStreams(t *testing.T) {
	folder, err := os.MkdirTemp("", "gw")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	t.Chdir(folder)
	config := write(t, folder, "gateway.yaml", gatewayYAML("", ""))
	plain, err := wireport.Open("stream-listen:" + folder + "/plain")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	wire, err := wireport.Open("stream-listen:" + folder + "/wire")
	if err != nil {
		t.Fatal(err)
	}
	defer wire.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out, errOut syncBuffer
	root := newRootCommand()
	root.SetOut(&out)
	root.SetErr(&errOut)
	stats := filepath.Join(folder, "stats.json")
	root.SetArgs([]string{"gateway", "--config", config, "--device", "gonic", "--plain", "stream:plain", "--wire", "stream:wire", "--check", "--stats", stats})
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	await := func(what string, condition func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
			select {
			case err := <-done:
				t.Fatalf("ended early: %v\n%s%s", err, &out, &errOut)
			default:
			}
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain until %s\n%s%s", what, &out, &errOut)
			}
		}
	}
	await("it is ready", func() bool {
		return strings.Contains(out.String(), "ready; Ctrl-C ends it") && plain.Counters().Connections == 1 && wire.Counters().Connections == 1
	})
	// One packet to be protected, one for which there is no policy.
	frame := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, make([]byte, 40)...)
	ip := frame[14:]
	copy(ip, []byte{0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 1, 1, 10, 0, 2, 1})
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(ip[i])<<8 | uint32(ip[i+1])
	}
	sum = sum&0xFFFF + sum>>16
	ip[10], ip[11] = byte(^sum>>8), byte(^sum)
	if err := plain.Send(frame); err != nil {
		t.Fatal(err)
	}
	buffer, sizes := [][]byte{make([]byte, 2000)}, make([]int, 1)
	if n, err := wire.Receive(buffer, sizes); n != 1 || err != nil || buffer[0][14+9] != 50 {
		t.Fatalf("on the wire: %d, %v, %x", n, err, buffer[0][:sizes[0]])
	}
	if err := wire.Send(frame); err != nil {
		t.Fatal(err)
	}
	// ARP passes, and what came before it has been decided on by then.
	if err := wire.Send(append(append(frame[:12:12], 8, 6), make([]byte, 28)...)); err != nil {
		t.Fatal(err)
	}
	if n, err := plain.Receive(buffer, sizes); n != 1 || err != nil || buffer[0][13] != 6 {
		t.Fatalf("on the plain side: %d, %v, %x", n, err, buffer[0][:sizes[0]])
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatalf("%v\n%s", err, &errOut)
	}
	for _, want := range []string{"stream:plain to gonic, 2 SAs, 3 policies, MTU 1446 on the plain side", "0x00001001", "tunnel", "compared with the golden model"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, &out)
		}
	}
	raw, err := os.ReadFile(stats)
	if err != nil {
		t.Fatal(err)
	}
	var result gatewayResult
	if err := json.Unmarshal(raw, &result); err != nil {
		t.Fatal(err)
	}
	if s := result.Statistics; len(s.SAs) != 2 || s.SAs[0].Packets != 1 || s.SAs[0].Bytes != 40 || fmt.Sprint(s.Drops) != "map[InNoPols:1]" || s.Mismatches != 0 || result.Wire.Sent != 1 {
		t.Errorf("%s", raw)
	}
}
