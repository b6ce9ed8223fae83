// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// lastPage is the address of the last page there is.
const lastPage = ^uint64(0xFFF)

// deviceRead and deviceWrite are the server's commands.
func deviceRead(id uint16, address, count uint64) []byte {
	return command(id, protocol.CommandDMARead, 0, protocol.DMAAccess{Address: address, Count: count}.Append(nil))
}

func deviceWrite(id uint16, flags protocol.Flags, address uint64, data []byte) []byte {
	return command(id, protocol.CommandDMAWrite, flags, protocol.DMAAccess{Address: address, Count: uint64(len(data)), Data: data}.Append(nil))
}

// dmaServer is a server that lets the test do DMA: replies of the client's go to a
// channel.
func dmaServer(t testing.TB, opts Options, own handlers) (*Client, *peer, <-chan message) {
	t.Helper()
	replies := make(chan message, 100)
	all := handlers{}
	for c, h := range own {
		all[c] = h
	}
	for _, c := range []protocol.Command{protocol.CommandDMARead, protocol.CommandDMAWrite} {
		if all[c] == nil {
			all[c] = func(_ *peer, m message) {
				select {
				case replies <- m:
				default: // nobody looks at them
				}
			}
		}
	}
	c, p := connect(t, opts, all)
	return c, p, replies
}

func soon(t testing.TB, replies <-chan message) message {
	t.Helper()
	select {
	case m := <-replies:
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("no reply")
		return message{}
	}
}

// TestMapDMA: what the server is told, and what is refused before it is.
func TestMapDMA(t *testing.T) {
	type seen struct {
		protocol.DMAMap
		fds int
	}
	got := make(chan seen, 100)
	c, _ := connect(t, Options{}, handlers{protocol.CommandDMAMap: func(p *peer, m message) {
		d, err := protocol.ParseDMAMap(m.payload)
		if err != nil {
			t.Error(err)
		}
		got <- seen{d, len(m.fds)}
		if d.Address == 0xBAD000 {
			p.send(m.refuse(protocol.ENOMEM))
			return
		}
		p.send(m.reply())
	}})
	bytes, fd := memory(t, 4*4096)
	ok(t, c.MapDMA(Mapping{Address: 0x10000, Memory: bytes[4096:], FD: fd, Offset: 4096, Readable: true, Writable: true}))
	ok(t, c.MapDMA(Mapping{Address: 0x13000, Memory: bytes[:4096], FD: -1, Readable: true}))
	ok(t, c.MapDMA(Mapping{Address: lastPage, Memory: bytes[:4096], FD: -1, Writable: true})) // the last page
	for _, want := range []seen{
		{protocol.DMAMap{ArgSize: 32, Flags: 3, Offset: 4096, Address: 0x10000, Size: 0x3000}, 1},
		{protocol.DMAMap{ArgSize: 32, Flags: 1, Address: 0x13000, Size: 0x1000}, 0},
		{protocol.DMAMap{ArgSize: 32, Flags: 2, Address: lastPage, Size: 0x1000}, 0},
	} {
		if m := <-got; m != want {
			t.Errorf("server saw %+v, want %+v", m, want)
		}
	}
	for _, address := range []uint64{0x10000, 0xF000, 0x12000, 0x13000} {
		wants(t, fmt.Sprintf("map at %#x", address), c.MapDMA(Mapping{Address: address, Memory: bytes[:0x2000], FD: -1}), ErrOverlap)
	}
	for _, m := range []Mapping{
		{Address: 0x20001, Memory: bytes}, {Address: 0x20000, Memory: bytes[:100]}, {Address: 0x20000},
		{Address: 0x20000, Memory: bytes, FD: fd, Offset: 1}, {Address: lastPage, Memory: bytes},
	} {
		wants(t, fmt.Sprintf("map of %d bytes at %#x", len(m.Memory), m.Address), c.MapDMA(m), ErrRange)
	}
	wants(t, "map that the server refuses", c.MapDMA(Mapping{Address: 0xBAD000, Memory: bytes, FD: fd}), protocol.ENOMEM)
	wants(t, "unmap of it", c.UnmapDMA(0xBAD000, 0x4000), ErrNotMapped)
	wants(t, "unmap of a part", c.UnmapDMA(0x10000, 0x1000), ErrNotMapped)
	wants(t, "unmap of too much", c.UnmapDMA(0x10000, 0x4000), ErrNotMapped)
	ok(t, c.UnmapDMA(0x10000, 0x3000))
	wants(t, "unmap twice", c.UnmapDMA(0x10000, 0x3000), ErrNotMapped)
	ok(t, c.MapDMA(Mapping{Address: 0x10000, Memory: bytes[:4096], FD: fd}))
	for i := range 13 { // 16 are allowed
		ok(t, c.MapDMA(Mapping{Address: 0x100000 + uint64(i)*0x1000, Memory: bytes[:4096], FD: -1}))
	}
	wants(t, "one too many", c.MapDMA(Mapping{Address: 0x200000, Memory: bytes[:4096], FD: -1}), ErrLimit)
}

// TestDMA: the device reads and writes memory by messages, when nobody calls.
func TestDMA(t *testing.T) {
	c, p, replies := dmaServer(t, Options{}, nil)
	m, _ := memory(t, 4*4096)
	ok(t, c.MapDMA(Mapping{Address: 0x10000, Memory: m[:4096], FD: -1, Readable: true, Writable: true}))
	ok(t, c.MapDMA(Mapping{Address: 0x11000, Memory: m[4096:8192], FD: -1, Readable: true, Writable: true}))
	ok(t, c.MapDMA(Mapping{Address: 0x12000, Memory: m[8192:], FD: -1, Readable: true}))
	for i := range m {
		m[i] = byte(i / 256)
	}
	p.send(deviceRead(7, 0x10FFE, 4)) // across two mappings
	r := soon(t, replies)
	if want := append(protocol.DMAAccess{Address: 0x10FFE, Count: 4}.Append(nil), 15, 15, 16, 16); r.ID != 7 || r.Flags != protocol.FlagReply || r.Errno != 0 || !bytes.Equal(r.payload, want) {
		t.Errorf("reply %+v, want % x", r, want)
	}
	p.send(deviceWrite(8, 0, 0x10FFF, []byte{1, 2}))
	r = soon(t, replies)
	if want := (protocol.DMAAccess{Address: 0x10FFF, Count: 2}).Append(nil); r.ID != 8 || r.Flags != protocol.FlagReply || !bytes.Equal(r.payload, want) {
		t.Errorf("reply %+v, want % x", r, want)
	}
	if m[4095] != 1 || m[4096] != 2 {
		t.Error("nothing was written")
	}
	// Posted: no reply, but it happens before what comes after.
	p.send(deviceWrite(9, protocol.FlagNoReply, 0x10000, []byte{3}))
	p.send(deviceRead(10, 0x10000, 1))
	if r = soon(t, replies); r.ID != 10 || r.payload[16] != 3 {
		t.Errorf("reply %+v", r)
	}
	if faults := c.TakeFaults(); len(faults) != 0 {
		t.Errorf("faults %+v", faults)
	}
}

// TestDMARefused: memory that is not the device's stays out of its reach, and the
// attempt is recorded.
func TestDMARefused(t *testing.T) {
	c, p, replies := dmaServer(t, Options{MaxTransfer: 8192}, nil)
	m, _ := memory(t, 4*4096)
	ok(t, c.MapDMA(Mapping{Address: 0x10000, Memory: m[:4096], FD: -1, Readable: true, Writable: true}))
	ok(t, c.MapDMA(Mapping{Address: 0x11000, Memory: m[4096:8192], FD: -1, Readable: true}))
	ok(t, c.MapDMA(Mapping{Address: lastPage, Memory: m[8192:12288], FD: -1, Readable: true, Writable: true}))
	ok(t, c.MapDMA(Mapping{Address: 0x20000, Memory: m[12288:], FD: -1, Readable: true, Writable: true}))
	ok(t, c.UnmapDMA(0x20000, 4096))
	before := time.Now()
	for i, a := range []struct {
		address, count uint64
		write          bool
		want           protocol.Errno
	}{
		{0xFFFF, 1, true, protocol.ENODEV},
		{0xFFFF, 2, true, protocol.ENODEV},
		{0x10000, 4097, true, protocol.EACCES},
		{0x11000, 1, true, protocol.EACCES},
		{0x11FFF, 2, false, protocol.ENODEV},
		{0x20000, 64, false, protocol.ENODEV},
		{0x20000, 64, true, protocol.ENODEV},
		{^uint64(0), 2, false, protocol.ENODEV},
		{^uint64(0), 2, true, protocol.ENODEV},
		{0x10000, 8193, false, protocol.E2BIG},
		{0x10000, ^uint64(0), false, protocol.E2BIG},
	} {
		if a.write {
			p.send(deviceWrite(uint16(i), 0, a.address, bytes.Repeat([]byte{0xAA}, int(a.count))))
		} else {
			p.send(deviceRead(uint16(i), a.address, a.count))
		}
		r := soon(t, replies)
		if r.ID != uint16(i) || r.Flags != protocol.FlagReply|protocol.FlagError || r.Errno != a.want || len(r.payload) != 0 {
			t.Errorf("%d bytes at %#x, write %v: reply %+v, want %v", a.count, a.address, a.write, r, a.want)
		}
		faults := c.TakeFaults()
		if len(faults) != 1 || faults[0].Address != a.address || faults[0].Size != a.count || faults[0].Write != a.write || faults[0].Time.Before(before) {
			t.Errorf("%d bytes at %#x, write %v: faults %+v", a.count, a.address, a.write, faults)
		}
	}
	if !bytes.Equal(m, make([]byte, len(m))) {
		t.Error("memory was written")
	}
	// Nothing of it has harmed the connection.
	p.send(deviceRead(99, 0x10000, 4))
	if r := soon(t, replies); r.Errno != 0 {
		t.Errorf("reply %+v", r)
	}
	// A flood of faults does not take the memory.
	for range 2 * maxFaults {
		p.send(deviceWrite(1, protocol.FlagNoReply, 0, []byte{1}))
	}
	p.send(deviceRead(99, 0x10000, 4))
	soon(t, replies)
	if n := len(c.TakeFaults()); n != maxFaults {
		t.Errorf("%d faults are kept, want %d", n, maxFaults)
	}
}

// TestFaultsAtOnce: what the server has sent is told by TakeFaults at once, whoever
// reads the socket and has perhaps just taken the message from it: the listener, or
// another caller. That one may also wait for long.
func TestFaultsAtOnce(t *testing.T) {
	write := deviceWrite(1, protocol.FlagNoReply, 0x10000, []byte{1})
	release := make(chan bool)
	c, p, _ := dmaServer(t, Options{}, handlers{
		protocol.CommandSetIRQs: func(p *peer, m message) {
			<-release
			good(p, m)
		},
	})
	defer close(release)
	want := func(t *testing.T) {
		t.Helper()
		if n := len(c.TakeFaults()); n != 1 {
			t.Fatalf("%d faults, want 1", n)
		}
	}
	t.Run("idle", func(t *testing.T) {
		for i := range 200 {
			ok(t, c.Reset())
			time.Sleep(time.Duration(i%4) * idle / 2) // the listener waits or does not yet
			p.send(write)
			want(t)
		}
	})
	t.Run("callers", func(t *testing.T) {
		end := make(chan bool)
		var callers sync.WaitGroup
		defer callers.Wait()
		defer close(end)
		for range 3 {
			callers.Go(func() {
				for {
					select {
					case <-end:
						return
					default:
						if err := c.Reset(); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		for range 1000 {
			p.send(write)
			want(t)
		}
	})
	t.Run("unanswered", func(t *testing.T) {
		answered := make(chan error)
		go func() { answered <- c.DisableIRQ(protocol.IRQMSIX) }()
		for range 3 {
			time.Sleep(2 * idle)
			p.send(write)
			want(t)
		}
		select {
		case err := <-answered:
			t.Errorf("answered: %v", err)
		default:
		}
		release <- true
		ok(t, <-answered)
	})
}

// TestDMAWhileWaiting: the server's commands are answered while its reply is
// awaited, also when it answers only after them.
func TestDMAWhileWaiting(t *testing.T) {
	m, _ := memory(t, 4096)
	c, _, _ := dmaServer(t, Options{}, handlers{protocol.CommandRegionRead: func(p *peer, asked message) {
		p.send(deviceRead(1, 0x10000, 8))
		r, err := p.next()
		if err != nil || r.Command != protocol.CommandDMARead || !bytes.Equal(r.payload[16:], []byte("in time!")) {
			t.Errorf("%+v, error %v", r, err)
			return
		}
		p.send(deviceWrite(2, 0, 0x10008, []byte("so this.")))
		if r, err = p.next(); err != nil || r.Command != protocol.CommandDMAWrite || r.Flags&protocol.FlagError != 0 {
			t.Errorf("%+v, error %v", r, err)
			return
		}
		good(p, asked)
	}})
	copy(m, "in time!")
	ok(t, c.MapDMA(Mapping{Address: 0x10000, Memory: m, FD: -1, Readable: true, Writable: true}))
	for range 200 {
		clear(m[8:16])
		ok(t, c.Read(0, 0, make([]byte, 4)))
		if string(m[8:16]) != "so this." {
			t.Fatalf("memory is %q after the read", m[8:16])
		}
	}
}

// TestOrder: what the device writes before it answers a read is there when the read
// returns, 200 times in a row: posted or not, by one caller or beside others.
func TestOrder(t *testing.T) {
	m, _ := memory(t, 4096)
	word := make([]byte, 8)
	n := 0
	c, _, _ := dmaServer(t, Options{}, handlers{protocol.CommandRegionRead: func(p *peer, asked message) {
		if a, err := protocol.ParseRegionAccess(asked.payload); err == nil && a.Region == 0 {
			n++
			copy(word, u64(uint64(n)))
			flags := protocol.Flags(0)
			if n%2 == 0 {
				flags = protocol.FlagNoReply
			}
			p.send(deviceWrite(uint16(n), flags, 0x10000, word))
		}
		good(p, asked)
	}})
	ok(t, c.MapDMA(Mapping{Address: 0x10000, Memory: m, FD: -1, Writable: true}))
	stop := make(chan bool)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for try := range 400 {
		if try == 200 {
			for range 3 {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						if err := c.Read(1, 0, make([]byte, 4)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
		}
		ok(t, c.Read(0, 0, make([]byte, 4)))
		if want := u64(uint64(try + 1)); !bytes.Equal(m[:8], want) {
			t.Fatalf("try %d: memory is % x, want % x", try, m[:8], want)
		}
	}
}

// TestUnmapUnderDMA: after UnmapDMA nothing arrives, whatever is on its way.
func TestUnmapUnderDMA(t *testing.T) {
	m, _ := memory(t, 4096)
	c, _, _ := dmaServer(t, Options{}, handlers{
		protocol.CommandDMARead: func(*peer, message) {}, protocol.CommandDMAWrite: func(*peer, message) {},
		protocol.CommandDMAUnmap: func(p *peer, asked message) {
			p.send(deviceWrite(1, 0, 0x10000, []byte{1})) // may arrive
			good(p, asked)
			p.send(deviceWrite(2, 0, 0x10000, []byte{2})) // may not
			p.send(deviceWrite(3, protocol.FlagNoReply, 0x10000, []byte{3}))
		},
	})
	for range 50 {
		m[0] = 0
		ok(t, c.MapDMA(Mapping{Address: 0x10000, Memory: m, FD: -1, Readable: true, Writable: true}))
		ok(t, c.UnmapDMA(0x10000, 4096))
		if m[0] > 1 {
			t.Fatalf("memory is %d", m[0])
		}
		m[0] = 0
		ok(t, c.Read(0, 0, make([]byte, 4))) // all is read
		if m[0] != 0 {
			t.Fatalf("memory is %d after UnmapDMA", m[0])
		}
		if faults := c.TakeFaults(); len(faults) != 2 {
			t.Fatalf("%d faults, want 2", len(faults))
		}
	}
}

// TestUnmapRefused: memory that the server does not give up stays mapped.
func TestUnmapRefused(t *testing.T) {
	c, p, replies := dmaServer(t, Options{}, handlers{protocol.CommandDMAUnmap: func(p *peer, m message) { p.send(m.refuse(protocol.EBUSY)) }})
	m, _ := memory(t, 4096)
	ok(t, c.MapDMA(Mapping{Address: 0x10000, Memory: m, FD: -1, Readable: true}))
	wants(t, "unmap", c.UnmapDMA(0x10000, 4096), protocol.EBUSY)
	p.send(deviceRead(1, 0x10000, 4))
	if r := soon(t, replies); r.Errno != 0 {
		t.Errorf("reply %+v", r)
	}
	p.conn.Close()
	<-c.Gone()
	wants(t, "unmap", c.UnmapDMA(0x10000, 4096), ErrGone)
	wants(t, "unmap again", c.UnmapDMA(0x10000, 4096), ErrNotMapped)
}

// TestFlood: a server that sends commands and does not read replies is borne with
// until it reads, and given up when the replies become too many.
func TestFlood(t *testing.T) {
	const size = 1 << 20
	m, _ := memory(t, size)
	var flood atomic.Int32
	flood.Store(20)
	done := make(chan bool, 1)
	c, _, _ := dmaServer(t, Options{Timeout: 5 * time.Second}, handlers{protocol.CommandRegionRead: func(p *peer, asked message) {
		commands := int(flood.Load())
		for i := range commands {
			p.send(deviceRead(uint16(i), 0x100000, size))
		}
		if commands > 20 {
			<-done // and reads nothing
			return
		}
		good(p, asked)
		for i := range commands {
			r, err := p.next()
			if err != nil || r.ID != uint16(i) || len(r.payload) != 16+size || r.payload[15+size] != 9 {
				t.Errorf("reply %d: %+v, error %v", i, r.Header, err)
				return
			}
		}
		done <- true
	}})
	m[size-1] = 9
	ok(t, c.MapDMA(Mapping{Address: 0x100000, Memory: m, FD: -1, Readable: true}))
	ok(t, c.Read(0, 0, make([]byte, 4)))
	<-done
	ok(t, c.Read(1, 0, make([]byte, 4)))
	<-done
	flood.Store(2 * maxQueued / size)
	within(t, "Read", func() { wants(t, "read", c.Read(0, 0, make([]byte, 4)), ErrGone) })
	if !errors.Is(c.Err(), protocol.ErrProtocol) {
		t.Errorf("connection ended because of %v", c.Err())
	}
	done <- true
}

// TestLatePosts: a caller that is held up sending does not keep others from
// reading, and nothing gets stuck when both sides write more than the socket holds.
func TestLatePosts(t *testing.T) {
	const size = 1 << 20
	m, _ := memory(t, size)
	c, p, _ := dmaServer(t, Options{}, handlers{
		protocol.CommandRegionWrite: func(p *peer, asked message) {
			// Writes on before it reads on.
			p.send(deviceWrite(1, protocol.FlagNoReply, 0x100000, asked.payload[protocol.RegionAccessSize:]))
		},
	})
	_ = p
	ok(t, c.MapDMA(Mapping{Address: 0x100000, Memory: m, FD: -1, Writable: true}))
	big := bytes.Repeat([]byte{5}, size)
	within(t, "Post", func() {
		for range 20 {
			ok(t, c.Post(0, 0, big))
		}
		ok(t, c.Read(1, 0, make([]byte, 4)))
	})
	if !bytes.Equal(m, big) {
		t.Error("memory was not written")
	}
}

// TestUnknownCommands: what no server may ask is refused, and the connection lives.
func TestUnknownCommands(t *testing.T) {
	got := make(chan message, 1)
	c, p, _ := dmaServer(t, Options{}, handlers{42: func(_ *peer, m message) { got <- m }})
	_, fd := memory(t, 4096)
	before := openFDs(t)
	p.send(command(5, 42, protocol.FlagNoReply, nil), fd)
	p.send(command(6, 42, 0, []byte{1, 2, 3}), fd, fd)
	if m := soon(t, got); m.ID != 6 || m.Errno != protocol.EOPNOTSUPP {
		t.Errorf("reply %+v", m)
	}
	ok(t, c.Reset())
	if after := openFDs(t); after != before {
		t.Errorf("%d descriptors are open, %d before", after, before)
	}
}

// TestEventFDs: what the server signals arrives.
func TestEventFDs(t *testing.T) {
	c, _ := connect(t, Options{}, handlers{protocol.CommandSetIRQs: func(p *peer, m message) {
		for _, fd := range m.fds {
			if _, err := unix.Write(fd, u64(1)); err != nil {
				t.Error(err)
			}
		}
		p.send(m.reply())
	}})
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	ok(t, err)
	defer unix.Close(event)
	ok(t, c.SetEventFDs(protocol.IRQMSIX, 0, []int{event}))
	var value [8]byte
	if _, err := unix.Read(event, value[:]); err != nil || value[0] != 1 {
		t.Errorf("event is % x, error %v", value, err)
	}
}
