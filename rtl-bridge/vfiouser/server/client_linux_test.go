// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// rawClient is a client written by hand: it sends and receives bytes.
type rawClient struct {
	t testing.TB
	*net.UnixConn
}

// deadline is how long a test may take before it counts as hanging.
const deadline = 20 * time.Second

// sentences collects what a server says.
type sentences struct {
	mu   sync.Mutex
	list []string
}

func (s *sentences) log(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, text)
}

func (s *sentences) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.list...)
}

// has says how many sentences have all the parts.
func (s *sentences) has(parts ...string) int {
	n := 0
	for _, text := range s.all() {
		found := true
		for _, part := range parts {
			found = found && strings.Contains(text, part)
		}
		if found {
			n++
		}
	}
	return n
}

// serveOn serves one client on a socket pair. Stop ends it and waits.
func serveOn(t testing.TB, device Device, options Options) (s *Server, c rawClient, stop func()) {
	t.Helper()
	s, err := New(device, options)
	if err != nil {
		t.Fatal(err)
	}
	c, stop = connectTo(t, s)
	return s, c, stop
}

func connectTo(t testing.TB, s *Server) (rawClient, func()) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	client, server := unixConn(t, fds[0]), unixConn(t, fds[1])
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeConn(context.Background(), server)
	}()
	stop := sync.OnceFunc(func() {
		client.Close()
		select {
		case <-done:
		case <-time.After(deadline):
			t.Error("server does not notice that its client has gone")
		}
	})
	t.Cleanup(stop)
	return rawClient{t, client}, stop
}

func unixConn(t testing.TB, fd int) *net.UnixConn {
	t.Helper()
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.UnixConn)
}

// write sends bytes with descriptors on the first.
func (c rawClient) write(b []byte, fds ...int) {
	c.t.Helper()
	var control []byte
	if len(fds) > 0 {
		control = unix.UnixRights(fds...)
	}
	if _, _, err := c.WriteMsgUnix(b, control, nil); err != nil {
		c.t.Fatal(err)
	}
}

// read receives one message and its descriptors.
func (c rawClient) read() ([]byte, []int, error) {
	_ = c.SetReadDeadline(time.Now().Add(deadline))
	head := make([]byte, protocol.HeaderSize)
	control := make([]byte, unix.CmsgSpace(64))
	n, nc, _, _, err := c.ReadMsgUnix(head, control)
	if err != nil {
		return nil, nil, err
	}
	var fds []int
	if nc > 0 {
		messages, err := unix.ParseSocketControlMessage(control[:nc])
		if err != nil {
			return nil, nil, err
		}
		for i := range messages {
			more, err := unix.ParseUnixRights(&messages[i])
			if err != nil {
				return nil, nil, err
			}
			fds = append(fds, more...)
		}
	}
	if _, err := io.ReadFull(c, head[n:]); err != nil {
		return head[:n], fds, err
	}
	size := binary.LittleEndian.Uint32(head[4:])
	if size < protocol.HeaderSize || size > 2<<20 {
		return head, fds, fmt.Errorf("message of %d bytes", size)
	}
	b := append(head, make([]byte, size-protocol.HeaderSize)...)
	_, err = io.ReadFull(c, b[protocol.HeaderSize:])
	return b, fds, err
}

// message encodes a command.
func message(id uint16, command protocol.Command, flags protocol.Flags, payload []byte) []byte {
	h := protocol.Header{ID: id, Command: command, Flags: flags, Size: uint32(protocol.HeaderSize + len(payload))}
	return append(h.Append(nil), payload...)
}

// call sends a command and returns its reply's payload. Other messages that come
// before are an error.
func (c rawClient) call(command protocol.Command, payload []byte, fds ...int) ([]byte, error) {
	c.t.Helper()
	c.write(message(1, command, 0, payload), fds...)
	return c.answer(1, command)
}

// answer receives the reply to a command.
func (c rawClient) answer(id uint16, command protocol.Command) ([]byte, error) {
	c.t.Helper()
	b, got, err := c.read()
	if err != nil {
		return nil, err
	}
	for _, fd := range got {
		unix.Close(fd)
	}
	h, err := protocol.ParseHeader(b)
	if err != nil {
		return nil, err
	}
	if !h.Reply() || h.ID != id || h.Command != command {
		return nil, fmt.Errorf("message %+v instead of the reply to %v", h, command)
	}
	if h.Flags&protocol.FlagError != 0 {
		return nil, &protocol.RemoteError{Command: command, Errno: h.Errno}
	}
	return b[protocol.HeaderSize:], nil
}

// must is call for commands that have to succeed.
func (c rawClient) must(command protocol.Command, payload []byte, fds ...int) []byte {
	c.t.Helper()
	b, err := c.call(command, payload, fds...)
	if err != nil {
		c.t.Fatalf("%v: %v", command, err)
	}
	return b
}

// negotiate does what every client does first.
func (c rawClient) negotiate() {
	c.t.Helper()
	v := protocol.Version{Minor: 1, Capabilities: protocol.DefaultCapabilities()}
	c.must(protocol.CommandVersion, v.Append(nil))
}

// dmaMap is the payload of a DMA_MAP for reading and writing.
func dmaMap(iova, size, offset uint64) []byte {
	return protocol.DMAMap{Flags: protocol.DMAMapRead | protocol.DMAMapWrite, Address: iova, Size: size, Offset: offset}.Append(nil)
}

func dmaUnmap(iova, size uint64) []byte {
	return protocol.DMAUnmap{Address: iova, Size: size}.Append(nil)
}

func regionRead(region uint32, offset uint64, count int) []byte {
	return protocol.RegionAccess{Region: region, Offset: offset, Count: uint32(count)}.Append(nil)
}

func regionWrite(region uint32, offset uint64, data ...byte) []byte {
	return protocol.RegionAccess{Region: region, Offset: offset, Count: uint32(len(data)), Data: data}.Append(nil)
}

// bind is the payload that binds vectors to the eventfds that come with it.
func bind(index, start, count int) []byte {
	return protocol.IRQSet{Flags: protocol.IRQDataEventFD | protocol.IRQActionTrigger,
		Index: uint32(index), Start: uint32(start), Count: uint32(count)}.Append(nil)
}

// eventfd returns a new eventfd that does not block.
func eventfd(t testing.TB) int {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// counter reads an eventfd: 0 when nothing was written to it.
func counter(t testing.TB, fd int) uint64 {
	t.Helper()
	var b [8]byte
	switch _, err := unix.Read(fd, b[:]); err {
	case nil:
		return binary.NativeEndian.Uint64(b[:])
	case unix.EAGAIN:
		return 0
	default:
		t.Fatal(err)
		return 0
	}
}

// openDescriptors counts this process's descriptors.
func openDescriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
