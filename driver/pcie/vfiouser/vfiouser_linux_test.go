// SPDX-License-Identifier: Apache-2.0

package vfiouser_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser"
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/client"
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
)

// card is a device of configuration space, one BAR of memory and some vectors.
type card struct {
	vectors int
	config  [256]byte
	bar     [4096]byte
	// onRead and onWrite are called before the BAR is read and written.
	onRead, onWrite func(h *server.Host, offset uint64)

	mu   sync.Mutex
	host *server.Host
}

func newCard() *card {
	c := &card{vectors: 2}
	binary.LittleEndian.PutUint16(c.config[pcie.ConfigVendorID:], pcie.VendorID)
	binary.LittleEndian.PutUint16(c.config[pcie.ConfigDeviceID:], pcie.DeviceID)
	// An MSI-X capability: two vectors, table and pending bits in BAR 4.
	c.config[pcie.ConfigStatus] = pcie.StatusCapabilities
	c.config[pcie.ConfigCapabilities] = 0x40
	copy(c.config[0x40:], []byte{pcie.CapabilityMSIX, 0, 1, 0, 4, 0, 0, 0, 4, 8, 0, 0})
	return c
}

func (c *card) Describe() server.Description {
	d := server.Description{
		Regions:  make([]server.Region, protocol.PCIRegions),
		IRQs:     make([]server.IRQ, protocol.PCIIRQs),
		CanReset: true,
	}
	d.Regions[0] = server.Region{Size: uint64(len(c.bar)), Readable: true, Writable: true}
	d.Regions[protocol.RegionConfig] = server.Region{Size: uint64(len(c.config)), Readable: true, Writable: true}
	d.IRQs[protocol.IRQMSIX] = server.IRQ{Count: c.vectors, Maskable: true}
	return d
}

func (c *card) Connect(h *server.Host) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.host = h
	return nil
}

func (c *card) Disconnect() {}

func (c *card) region(index int) []byte {
	if index == 0 {
		return c.bar[:]
	}
	return c.config[:]
}

func (c *card) ReadRegion(index int, offset uint64, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if index == 0 && c.onRead != nil {
		c.onRead(c.host, offset)
	}
	copy(p, c.region(index)[offset:])
	return nil
}

func (c *card) WriteRegion(index int, offset uint64, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	copy(c.region(index)[offset:], p)
	if index == 0 && c.onWrite != nil {
		c.onWrite(c.host, offset)
	}
	return nil
}

func (c *card) Map(server.Mapping) error       { return nil }
func (c *card) Unmap(server.Mapping) error     { return nil }
func (c *card) SetVector(int, int, bool, bool) {}
func (c *card) Reset() error                   { return nil }

// socketPath is one that is short enough for a socket.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vfu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// serve presents a card until the test ends.
func serve(t testing.TB, c *card) string {
	t.Helper()
	path := socketPath(t)
	s, err := server.Listen(path, c, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return path
}

func open(t testing.TB, path string, opts vfiouser.Options) pcie.Function {
	t.Helper()
	f, err := vfiouser.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

func openFDs(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestBadInput: each mistake is one sentence that names the item, its value, what is
// allowed and the command that helps, and leaves no descriptor behind.
func TestBadInput(t *testing.T) {
	answering := func(answer []byte) func(t *testing.T) string {
		return func(t *testing.T) string {
			path := socketPath(t)
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					if answer == nil { // keeps it, and says nothing
						defer c.Close()
						continue
					}
					_, _ = c.Read(make([]byte, 1024))
					_, _ = c.Write(answer)
					_ = c.Close()
				}
			}()
			t.Cleanup(func() { l.Close(); <-done })
			return path
		}
	}
	version := func(major, minor uint16) []byte {
		payload := protocol.Version{Major: major, Minor: minor, NoData: true}.Append(nil)
		return append(protocol.Header{ID: 1, Command: protocol.CommandVersion, Flags: protocol.FlagReply, Size: uint32(16 + len(payload))}.Append(nil), payload...)
	}
	quick := vfiouser.Options{ConnectTimeout: 300 * time.Millisecond}
	for _, c := range []struct {
		name string
		make func(t *testing.T) string
		opts vfiouser.Options
		want error
		says []string
	}{
		{"no path", func(*testing.T) string { return "" }, quick, nil, []string{"is empty", "vfio-user:PATH"}},
		{"no such socket", func(t *testing.T) string { return socketPath(t) }, quick, os.ErrNotExist, []string{"PATH", "does not exist", "espalier serve --socket"}},
		{"a file", func(t *testing.T) string {
			path := socketPath(t)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, quick, client.ErrNotSocket, []string{"PATH", "is not a socket", "espalier serve --socket"}},
		{"a stale socket", func(t *testing.T) string {
			path := socketPath(t)
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
			return path
		}, quick, client.ErrStale, []string{"PATH", "is stale", "espalier serve --socket"}},
		{"a path that is too long", func(*testing.T) string { return "/tmp/" + strings.Repeat("n", 150) }, quick, nil, []string{"155 bytes", "1 to 107"}},
		{"silence", answering(nil), quick, client.ErrTimeout, []string{"PATH", "did not answer within 300ms", "one at a time", "espalier serve --socket"}},
		{"another client", func(t *testing.T) string {
			path := serve(t, newCard())
			open(t, path, vfiouser.Options{})
			return path
		}, quick, client.ErrTimeout, []string{"PATH", "another client", "close that one"}},
		{"another protocol", answering([]byte("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n")), quick, protocol.ErrProtocol, []string{"PATH", "does not speak vfio-user", "espalier serve --socket"}},
		{"a short answer", answering([]byte("no")), quick, client.ErrHangUp, []string{"PATH", "does not speak vfio-user"}},
		{"hanging up", answering([]byte{}), quick, client.ErrHangUp, []string{"PATH", "does not speak vfio-user"}},
		{"another major version", answering(version(1, 0)), quick, protocol.ErrProtocol, []string{"PATH", "version 1.0", "allowed are 0.0 to 0.2", "espalier serve"}},
		{"a later version", answering(version(0, 7)), quick, protocol.ErrProtocol, []string{"version 0.7", "allowed are 0.0 to 0.2"}},
		{"a refusal", answering(protocol.Header{ID: 1, Command: protocol.CommandVersion, Flags: protocol.FlagReply | protocol.FlagError, Errno: protocol.EINVAL, Size: 16}.Append(nil)),
			quick, protocol.EINVAL, []string{"PATH", "refuses", "version 0.2", "EINVAL"}},
		{"another vendor's device", func(t *testing.T) string {
			c := newCard()
			copy(c.config[:], []byte{0x86, 0x80, 0x72, 0x15})
			return serve(t, c)
		}, vfiouser.Options{}, vfiouser.ErrForeign, []string{"PATH", "8086:1572", "allowed is 1234:4550"}},
		{"not the IDs asked for", func(t *testing.T) string { return serve(t, newCard()) },
			vfiouser.Options{VendorID: 0x10EE, DeviceID: 0x903F}, vfiouser.ErrForeign, []string{"1234:4550", "allowed is 10ee:903f"}},
		{"no MSI-X", func(t *testing.T) string {
			c := newCard()
			c.vectors = 0
			return serve(t, c)
		}, vfiouser.Options{}, vfiouser.ErrNoMSIX, []string{"PATH", "no MSI-X"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := c.make(t)
			time.Sleep(10 * time.Millisecond) // goroutines of the server's
			before := openFDs(t)
			began := time.Now()
			f, err := vfiouser.Open(path, c.opts)
			if err == nil {
				f.Close()
				t.Fatal("no error")
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v is not %v", err, c.want)
			}
			text := err.Error()
			if strings.Contains(text, "\n") {
				t.Errorf("more than one sentence: %s", text)
			}
			for _, part := range c.says {
				if !strings.Contains(text, strings.ReplaceAll(part, "PATH", path)) && !strings.Contains(text, part) {
					t.Errorf("error does not say %q: %s", part, text)
				}
			}
			t.Log(text)
			if errors.Is(err, client.ErrTimeout) {
				before++ // the server's end: it keeps the connection
			}
			for deadline := time.Now().Add(5 * time.Second); openFDs(t) > before; {
				if time.Now().After(deadline) {
					t.Fatalf("%d descriptors are open, %d before", openFDs(t), before)
				}
				time.Sleep(time.Millisecond) // the server's end
			}
		})
	}
}

// TestOptions: devices with other IDs, and a prefix before the path.
func TestOptions(t *testing.T) {
	c := newCard()
	copy(c.config[:], []byte{0xEE, 0x10, 0x3F, 0x90})
	path := serve(t, c)
	for _, opts := range []vfiouser.Options{{VendorID: 0x10EE, DeviceID: 0x903F}, {AnyID: true}} {
		f, err := vfiouser.Open(vfiouser.Prefix+path, opts)
		if err != nil {
			t.Fatal(err)
		}
		if info := f.Info(); info.Location != vfiouser.Prefix+path || info.VendorID != 0x10EE || info.DeviceID != 0x903F || info.Vectors != 2 || info.Simulated {
			t.Errorf("info %+v", info)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOrder: what the device writes before it answers a read of a register is in
// memory when the read returns, and what it writes before an interrupt when that
// arrives: 200 times each, with memory shared and by messages.
func TestOrder(t *testing.T) {
	for name, byMessage := range map[string]bool{"descriptor": false, "message": true} {
		t.Run(name, func(t *testing.T) {
			const tries = 200
			var iova uint64 // before the card may use it
			n := uint64(0)
			c := newCard()
			write := func(h *server.Host) {
				n++
				if err := h.TryWriteDMA(context.Background(), iova, binary.LittleEndian.AppendUint64(nil, n)); err != nil {
					t.Errorf("write %d: %v", n, err)
				}
			}
			c.onRead = func(h *server.Host, _ uint64) { write(h) }
			c.onWrite = func(h *server.Host, _ uint64) {
				// What the driver wrote to memory before the register is there.
				var seen [8]byte
				if err := h.TryReadDMA(context.Background(), iova+8, seen[:]); err != nil || binary.LittleEndian.Uint64(seen[:]) != n+1 {
					t.Errorf("write %d: memory is % x, error %v", n+1, seen, err)
				}
				write(h)
				if err := h.Trigger(protocol.IRQMSIX, 1); err != nil {
					t.Error(err)
				}
			}
			f := open(t, serve(t, c), vfiouser.Options{MessageDMA: byMessage})
			m, err := f.AllocDMA(4096)
			if err != nil {
				t.Fatal(err)
			}
			c.mu.Lock()
			iova = m.IOVA
			c.mu.Unlock()
			if err := f.SetVectors(2); err != nil {
				t.Fatal(err)
			}
			bar, err := f.BAR(0)
			if err != nil {
				t.Fatal(err)
			}
			for try := range uint64(tries) {
				if _, err := bar.Read32(0); err != nil {
					t.Fatal(err)
				}
				if got := binary.LittleEndian.Uint64(m.Bytes); got != 2*try+1 {
					t.Fatalf("try %d: memory is %d after the read, want %d", try, got, 2*try+1)
				}
				binary.LittleEndian.PutUint64(m.Bytes[8:], 2*try+2)
				if err := bar.Write32(0, 1); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				_, err := f.WaitInterrupt(ctx, 1)
				cancel()
				if err != nil {
					t.Fatal(err)
				}
				if got := binary.LittleEndian.Uint64(m.Bytes); got != 2*try+2 {
					t.Fatalf("try %d: memory is %d after the interrupt, want %d", try, got, 2*try+2)
				}
			}
			if faults, err := f.Faults(); err != nil || len(faults) != 0 {
				t.Errorf("faults %+v, error %v", faults, err)
			}
		})
	}
}

// TestFaults: accesses of the device to memory that is not its own.
func TestFaults(t *testing.T) {
	c := newCard()
	failed := make(chan error, 2)
	c.onWrite = func(h *server.Host, offset uint64) {
		failed <- h.TryReadDMA(context.Background(), 0xBAD000, make([]byte, 64))
		failed <- h.TryWriteDMA(context.Background(), 0xBAD040, make([]byte, 16))
	}
	f := open(t, serve(t, c), vfiouser.Options{})
	before := time.Now()
	bar, err := f.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := bar.Write32(0, 1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-failed; !errors.Is(err, protocol.ENODEV) {
			t.Errorf("the device sees %v", err)
		}
	}
	faults, err := f.Faults()
	if err != nil || len(faults) != 2 || faults[0].IOVA != 0xBAD000 || faults[0].Size != 64 || faults[0].Write ||
		faults[1].IOVA != 0xBAD040 || faults[1].Size != 16 || !faults[1].Write || faults[0].Time.Before(before) {
		t.Errorf("faults %+v, error %v", faults, err)
	}
}

// TestSlowServer: a server that does not answer in time is a device that has gone,
// and whoever waits for it is told.
func TestSlowServer(t *testing.T) {
	c := newCard()
	release := make(chan struct{})
	c.onRead = func(*server.Host, uint64) { <-release }
	path := serve(t, c)
	f := open(t, path, vfiouser.Options{Timeout: 300 * time.Millisecond})
	defer close(release)
	if err := f.SetVectors(1); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() {
		_, err := f.WaitInterrupt(context.Background(), 0)
		waited <- err
	}()
	bar, err := f.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = bar.Read32(0)
	if !errors.Is(err, pcie.ErrTimeout) || !errors.Is(err, pcie.ErrRemoved) {
		t.Errorf("read: %v", err)
	}
	select {
	case err := <-waited:
		if !errors.Is(err, pcie.ErrRemoved) {
			t.Errorf("wait: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("WaitInterrupt does not return")
	}
	if _, err := f.ConfigRead(0, 4); !errors.Is(err, pcie.ErrRemoved) {
		t.Errorf("configuration space: %v", err)
	}
}
