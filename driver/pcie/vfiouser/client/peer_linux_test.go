// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// quick are options for tests in which a server does not answer.
var quick = Options{Timeout: 300 * time.Millisecond, ConnectTimeout: 300 * time.Millisecond}

// peer is the server's end of a connection, driven by the test message by message.
type peer struct {
	t    testing.TB
	conn *net.UnixConn
}

// pair returns both ends of a connection.
func pair(t testing.TB) (*net.UnixConn, *peer) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
		t.Cleanup(func() { c.Close() })
	}
	return ends[0], &peer{t, ends[1]}
}

// message is one message as the peer got it.
type message struct {
	protocol.Header
	payload []byte
	fds     []int
}

// next reads one message; io.EOF when there are no more.
func (p *peer) next() (message, error) {
	var m message
	var head [protocol.HeaderSize]byte
	control := make([]byte, 256)
	n, nc, _, _, err := p.conn.ReadMsgUnix(head[:], control)
	if err != nil || n == 0 {
		return m, io.EOF
	}
	m.fds = rights(control[:nc])
	if _, err := io.ReadFull(p.conn, head[n:]); err != nil {
		return m, err
	}
	if m.Header, err = protocol.ParseHeader(head[:]); err != nil {
		return m, err
	}
	m.payload = make([]byte, m.Size-protocol.HeaderSize)
	_, err = io.ReadFull(p.conn, m.payload)
	return m, err
}

// send writes bytes as they are.
func (p *peer) send(b []byte, fds ...int) {
	var control []byte
	if len(fds) > 0 {
		control = unix.UnixRights(fds...)
	}
	n, _, err := p.conn.WriteMsgUnix(b, control, nil)
	if err == nil && n < len(b) {
		_, err = p.conn.Write(b[n:])
	}
	if err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, net.ErrClosed) {
		p.t.Errorf("peer: %v", err)
	}
}

// reply encodes a reply to m.
func (m message) reply(payload ...byte) []byte {
	h := protocol.Header{ID: m.ID, Command: m.Command, Flags: protocol.FlagReply, Size: uint32(protocol.HeaderSize + len(payload))}
	return append(h.Append(nil), payload...)
}

// refuse encodes an error reply to m.
func (m message) refuse(errno protocol.Errno) []byte {
	return protocol.Header{ID: m.ID, Command: m.Command, Flags: protocol.FlagReply | protocol.FlagError, Errno: errno, Size: protocol.HeaderSize}.Append(nil)
}

// command encodes a command of the server's.
func command(id uint16, c protocol.Command, flags protocol.Flags, payload []byte) []byte {
	h := protocol.Header{ID: id, Command: c, Flags: flags, Size: uint32(protocol.HeaderSize + len(payload))}
	return append(h.Append(nil), payload...)
}

// handlers are what a server does about commands; nil: what a good one does.
type handlers map[protocol.Command]func(p *peer, m message)

const (
	barSize   = 0x1000
	testFDs   = 8
	testPages = 4096
)

// good is what a good server with one memory BAR does. The BAR reads as the bytes
// of its offsets.
func good(p *peer, m message) {
	switch m.Command {
	case protocol.CommandVersion:
		p.send(m.reply(protocol.Version{Minor: protocol.VersionMinor, Capabilities: protocol.Capabilities{
			MaxMsgFDs: testFDs, MaxDataXferSize: 1 << 20, MaxDMAMaps: 16, PageSizes: testPages, WriteMultiple: true,
		}}.Append(nil)...))
	case protocol.CommandDeviceInfo:
		p.send(m.reply(protocol.DeviceInfo{ArgSize: 16, Flags: protocol.DeviceReset | protocol.DevicePCI, Regions: protocol.PCIRegions, IRQs: protocol.PCIIRQs}.Append(nil)...))
	case protocol.CommandRegionInfo:
		i, err := protocol.ParseRegionInfo(m.payload)
		if err != nil {
			p.t.Error(err)
		}
		p.send(m.reply(protocol.RegionInfo{ArgSize: 32, Flags: protocol.RegionRead | protocol.RegionWrite, Index: i.Index, Size: barSize}.Append(nil)...))
	case protocol.CommandIRQInfo:
		i, err := protocol.ParseIRQInfo(m.payload)
		if err != nil {
			p.t.Error(err)
		}
		p.send(m.reply(protocol.IRQInfo{ArgSize: 16, Flags: protocol.IRQEventFD | protocol.IRQMaskable, Index: i.Index, Count: 4}.Append(nil)...))
	case protocol.CommandRegionRead:
		a, err := protocol.ParseRegionAccess(m.payload)
		if err != nil {
			p.t.Error(err)
		}
		for i := range a.Count {
			a.Data = append(a.Data, byte(a.Offset)+byte(i))
		}
		p.send(m.reply(a.Append(nil)...))
	case protocol.CommandRegionWrite:
		if !m.Posted() {
			p.send(m.reply(m.payload[:protocol.RegionAccessSize]...))
		}
	case protocol.CommandDMAUnmap:
		p.send(m.reply(m.payload...))
	case protocol.CommandWriteMulti:
	default:
		p.send(m.reply())
	}
}

// serve answers until the client has gone.
func (p *peer) serve(own handlers) {
	for {
		m, err := p.next()
		if err != nil {
			return
		}
		if h := own[m.Command]; h != nil {
			h(p, m)
		} else {
			good(p, m)
		}
		closeFDs(m.fds)
	}
}

// connect returns a client of a server with these handlers. Both end with the test.
func connect(t testing.TB, opts Options, own handlers) (*Client, *peer) {
	t.Helper()
	c, p, err := try(t, opts, own)
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

func try(t testing.TB, opts Options, own handlers) (*Client, *peer, error) {
	t.Helper()
	end, p := pair(t)
	served := make(chan struct{})
	go func() {
		defer close(served)
		p.serve(own)
	}()
	c, err := New(end, opts)
	end.Close()
	t.Cleanup(func() {
		if c != nil {
			if err := c.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		p.conn.Close()
		<-served
	})
	return c, p, err
}

// memory returns memory of a file, and the file.
func memory(t testing.TB, size int) ([]byte, int) {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err == nil {
		err = unix.Ftruncate(fd, int64(size))
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(unix.Munmap(m), unix.Close(fd)); err != nil {
			t.Error(err)
		}
	})
	return m, fd
}

// openFDs counts this process's descriptors.
func openFDs(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

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

// within fails if f does not return soon.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not return", what)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t testing.TB, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: error is %v, want %v", what, err, kind)
	}
}

func u64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
