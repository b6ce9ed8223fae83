// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
)

// patience bounds what must happen.
const patience = 30 * time.Second

// monitor is a client with QEMU's habits: writes to BARs are posted, and it acts
// on the device's commands only while its processor waits for no read.
type monitor struct {
	t    testing.TB
	conn *protocol.Conn
	// processor is held while a read is unanswered, as QEMU's big lock is.
	processor sync.Mutex
	slowest   time.Duration
	done      chan struct{} // the server has done with it

	mu       sync.Mutex
	memory   []guestMemory
	messages int // of the device, about memory
	deaf     bool
}

// guestMemory is a range that is mapped.
type guestMemory struct {
	iova  uint64
	bytes []byte
}

// serve has a server present device to a new monitor.
func serve(t testing.TB, device server.Device) *monitor {
	t.Helper()
	srv, err := server.New(device, server.Options{Log: func(s string) { t.Log(s) }, ResetOnDisconnect: true})
	ok(t, err)
	return connect(t, srv)
}

func connect(t testing.TB, srv *server.Server) *monitor {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	ok(t, err)
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		ok(t, errors.Join(err, f.Close()))
		ends[i] = c.(*net.UnixConn)
	}
	m := &monitor{t: t, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(m.done)
		srv.ServeConn(ctx, ends[0])
	}()
	m.conn = protocol.NewConn(ends[1], protocol.Options{Handle: m.handle})
	t.Cleanup(func() {
		m.leave()
		cancel()
	})
	capabilities := protocol.DefaultCapabilities()
	capabilities.MaxMsgFDs, capabilities.WriteMultiple = 16, true
	m.call(protocol.CommandVersion, protocol.Version{Major: protocol.VersionMajor, Capabilities: capabilities}.Append(nil))
	return m
}

// leave ends the connection and waits until the server has done with it.
func (m *monitor) leave() {
	m.conn.Close()
	<-m.done
}

func (m *monitor) call(command protocol.Command, payload []byte, fds ...int) []byte {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reply, err := m.conn.Call(ctx, command, payload, fds)
	if err != nil {
		m.t.Fatalf("%v: %v", command, err)
	}
	defer reply.Release()
	return append([]byte(nil), reply.Payload...)
}

// handle is a command of the device.
func (m *monitor) handle(r *protocol.Request) {
	m.processor.Lock()
	defer m.processor.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages++
	if m.deaf {
		return
	}
	write := r.Header.Command == protocol.CommandDMAWrite
	parse := protocol.ParseDMAAccess
	if write {
		parse = protocol.ParseDMAData
	}
	a, err := parse(r.Payload)
	if err != nil {
		m.t.Error(err)
		return
	}
	here := m.find(a.Address, a.Count)
	if here == nil {
		_ = r.ReplyError(protocol.ENODEV)
		return
	}
	if write {
		copy(here, a.Data)
		_ = r.Reply(protocol.DMAAccess{Address: a.Address, Count: a.Count}.Append(nil), nil)
		return
	}
	_ = r.Reply(protocol.DMAAccess{Address: a.Address, Count: a.Count, Data: here}.Append(nil), nil)
}

func (m *monitor) find(iova, size uint64) []byte {
	for _, g := range m.memory {
		if iova >= g.iova && iova-g.iova <= uint64(len(g.bytes)) && uint64(len(g.bytes))-(iova-g.iova) >= size {
			return g.bytes[iova-g.iova:][:size]
		}
	}
	return nil
}

// asked returns how many messages about memory there were.
func (m *monitor) asked() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.messages
}

// memfd is memory that can be shared: the file and what is mapped of it.
func memfd(t testing.TB, size int) (*os.File, []byte) {
	t.Helper()
	fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
	ok(t, err)
	f := os.NewFile(uintptr(fd), "guest")
	t.Cleanup(func() { f.Close() })
	ok(t, f.Truncate(int64(size)))
	bytes, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	ok(t, err)
	t.Cleanup(func() { ok(t, unix.Munmap(bytes)) })
	return f, bytes
}

// mapMemory maps size bytes at iova, shared by descriptor or not, and returns them.
func (m *monitor) mapMemory(iova uint64, size int, shared bool) (*os.File, []byte) {
	m.t.Helper()
	f, bytes := memfd(m.t, size)
	var fds []int
	if shared {
		fds = []int{int(f.Fd())}
	}
	m.mu.Lock()
	m.memory = append(m.memory, guestMemory{iova, bytes})
	m.mu.Unlock()
	m.call(protocol.CommandDMAMap, protocol.DMAMap{Flags: protocol.DMAMapRead | protocol.DMAMapWrite, Address: iova, Size: uint64(size)}.Append(nil), fds...)
	return f, bytes
}

func (m *monitor) unmap(iova uint64, size int) {
	m.t.Helper()
	m.mu.Lock()
	for i, g := range m.memory {
		if g.iova == iova {
			m.memory = append(m.memory[:i], m.memory[i+1:]...)
			break
		}
	}
	m.mu.Unlock()
	m.call(protocol.CommandDMAUnmap, protocol.DMAUnmap{Address: iova, Size: uint64(size)}.Append(nil))
}

func (m *monitor) read(region uint32, offset uint64, size int) uint64 {
	m.t.Helper()
	m.processor.Lock()
	defer m.processor.Unlock()
	start := time.Now()
	payload := m.call(protocol.CommandRegionRead, protocol.RegionAccess{Offset: offset, Region: region, Count: uint32(size)}.Append(nil))
	m.slowest = max(m.slowest, time.Since(start))
	a, err := protocol.ParseRegionData(payload)
	ok(m.t, err)
	return get(a.Data)
}

func (m *monitor) write(region uint32, offset uint64, size int, value uint64) {
	m.t.Helper()
	p := make([]byte, size)
	put(p, value)
	a := protocol.RegionAccess{Offset: offset, Region: region, Count: uint32(size), Data: p}.Append(nil)
	if region == configRegion {
		m.processor.Lock()
		defer m.processor.Unlock()
		m.call(protocol.CommandRegionWrite, a)
		return
	}
	ok(m.t, m.conn.Post(protocol.CommandRegionWrite, a, nil))
}

// enable is what an operating system does when it takes a device: memory, bus
// mastering, and an eventfd for vector v, by which interrupts come.
func (m *monitor) enable(v int) *os.File {
	m.t.Helper()
	m.write(configRegion, pcie.ConfigCommand, 2, pcie.CommandMemory|pcie.CommandBusMaster)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	ok(m.t, err)
	event := os.NewFile(uintptr(fd), "eventfd")
	m.t.Cleanup(func() { event.Close() })
	m.call(protocol.CommandSetIRQs, protocol.IRQSet{
		Flags: protocol.IRQDataEventFD | protocol.IRQActionTrigger, Index: msixIndex, Start: uint32(v), Count: 1,
	}.Append(nil), fd)
	return event
}

// wait waits for an interrupt.
func wait(t testing.TB, event *os.File) {
	t.Helper()
	ok(t, event.SetReadDeadline(time.Now().Add(patience)))
	var count [8]byte
	if _, err := event.Read(count[:]); err != nil {
		t.Fatalf("waiting for an interrupt: %v", err)
	}
	if binary.NativeEndian.Uint64(count[:]) == 0 {
		t.Fatal("no interrupt")
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines collects a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%q", l.all)
}
