// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

func TestDevice(t *testing.T) {
	c, _ := connect(t, Options{}, nil)
	if d := c.Device(); d != (DeviceInfo{Regions: 9, IRQs: 5, PCI: true, Resettable: true}) {
		t.Errorf("device %+v", d)
	}
	if v := c.Version(); v.Major != 0 || v.Minor != protocol.VersionMinor || v.Capabilities.MaxMsgFDs != testFDs {
		t.Errorf("version %+v", v)
	}
	r, err := c.Region(protocol.RegionBAR0)
	ok(t, err)
	if r.Size != barSize || !r.Readable || !r.Writable || len(r.Areas) != 0 {
		t.Errorf("region %+v", r)
	}
	i, err := c.IRQ(protocol.IRQMSIX)
	ok(t, err)
	if i != (IRQ{Count: 4, EventFD: true, Maskable: true}) {
		t.Errorf("interrupts %+v", i)
	}
	ok(t, c.Reset())
	for _, index := range []int{-1, 9} {
		_, err := c.Region(index)
		wants(t, "region", err, ErrRange)
		_, err = c.IRQ(index)
		wants(t, "interrupt index", err, ErrRange)
		wants(t, "read", c.Read(index, 0, make([]byte, 4)), ErrRange)
		wants(t, "post", c.Post(index, 0, make([]byte, 4)), ErrRange)
	}
	wants(t, "read of nothing", c.Read(0, 0, nil), ErrRange)
	wants(t, "read beyond the end of addresses", c.Read(0, ^uint64(0), make([]byte, 4)), ErrRange)
}

// TestReadWrite: accesses of all sizes, split where the server moves less at once.
func TestReadWrite(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	log := func(p *peer, m message) {
		a, err := protocol.ParseRegionAccess(m.payload)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		seen = append(seen, fmt.Sprintf("%v %v %d %#x % x", m.Command, m.Posted(), a.Region, a.Offset, m.payload[protocol.RegionAccessSize:]))
		mu.Unlock()
		good(p, m)
	}
	c, _ := connect(t, Options{}, handlers{
		protocol.CommandRegionRead: log, protocol.CommandRegionWrite: log,
		protocol.CommandVersion: func(p *peer, m message) {
			p.send(m.reply(protocol.Version{Capabilities: protocol.Capabilities{MaxMsgFDs: 1, MaxDataXferSize: 10, MaxDMAMaps: 1, PageSizes: 4096}}.Append(nil)...))
		},
	})
	for _, size := range []int{1, 2, 4, 8, 10, 11, 25} {
		p := make([]byte, size)
		ok(t, c.Read(2, 16, p))
		for i := range p {
			if p[i] != byte(16+i) {
				t.Fatalf("%d bytes read as % x", size, p)
			}
		}
	}
	mu.Lock()
	seen = nil
	mu.Unlock()
	ok(t, c.Post(1, 8, []byte{1, 2, 3, 4}))
	ok(t, c.Write(7, 4, []byte{5, 6}))
	ok(t, c.Write(0, 0, bytes.Repeat([]byte{9}, 11)))
	ok(t, c.PostAll([]RegionWrite{{0, 1, []byte{7}}, {0, 2, []byte{8}}})) // not as one message: not offered
	ok(t, c.Read(0, 0, make([]byte, 1)))
	mu.Lock()
	defer mu.Unlock()
	want := []string{
		"REGION_WRITE true 1 0x8 01 02 03 04",
		"REGION_WRITE false 7 0x4 05 06",
		"REGION_WRITE false 0 0x0 09 09 09 09 09 09 09 09 09 09",
		"REGION_WRITE false 0 0xa 09",
		"REGION_WRITE true 0 0x1 07",
		"REGION_WRITE true 0 0x2 08",
		"REGION_READ false 0 0x0 ",
	}
	if strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("server saw\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
}

// TestPostAll: small writes in one message where the server offers it.
func TestPostAll(t *testing.T) {
	got := make(chan message, 10)
	c, _ := connect(t, Options{}, handlers{protocol.CommandWriteMulti: func(_ *peer, m message) { got <- m }})
	ok(t, c.PostAll([]RegionWrite{{0, 16, []byte{1, 2, 3, 4}}, {2, 8, []byte{5}}}))
	m := <-got
	writes, err := protocol.ParseWriteMulti(m.payload, nil)
	ok(t, err)
	if !m.Posted() || len(writes) != 2 || writes[0].Offset != 16 || writes[1].Region != 2 || !bytes.Equal(writes[1].Data, []byte{5}) {
		t.Errorf("posted %v: %+v", m.Posted(), writes)
	}
	wants(t, "long write", c.PostAll([]RegionWrite{{0, 0, make([]byte, 9)}}), ErrRange)
	wants(t, "empty write", c.PostAll([]RegionWrite{{0, 0, nil}}), ErrRange)
}

// TestNoPostedWrites: then every write is answered.
func TestNoPostedWrites(t *testing.T) {
	posted := make(chan bool, 1)
	c, _ := connect(t, Options{NoPostedWrites: true}, handlers{protocol.CommandRegionWrite: func(p *peer, m message) {
		posted <- m.Posted()
		good(p, m)
	}})
	ok(t, c.Post(0, 0, []byte{1}))
	if <-posted {
		t.Error("write was posted")
	}
}

// TestSetEventFDs: as many descriptors in a message as the server takes; a vector
// is unbound by a command without one.
func TestSetEventFDs(t *testing.T) {
	type set struct {
		flags, index, start, count uint32
		fds                        int
	}
	var mu sync.Mutex
	var got []set
	c, _ := connect(t, Options{}, handlers{protocol.CommandSetIRQs: func(p *peer, m message) {
		s, err := protocol.ParseIRQSet(m.payload)
		if err != nil || len(s.Data) != 0 || s.ArgSize != protocol.IRQSetSize {
			t.Errorf("%+v, error %v", s, err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, set{s.Flags, s.Index, s.Start, s.Count, len(m.fds)})
		p.send(m.reply())
	}})
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	ok(t, err)
	defer unix.Close(event)
	fds := make([]int, testFDs+3)
	for i := range fds {
		fds[i] = event
	}
	fds[1] = -1
	ok(t, c.SetEventFDs(2, 5, fds))
	ok(t, c.Mask(2, 3, true))
	ok(t, c.Mask(2, 3, false))
	ok(t, c.Trigger(2, 4))
	ok(t, c.DisableIRQ(2))
	want := []set{
		{0x24, 2, 5, 1, 1}, {0x24, 2, 6, 1, 0}, {0x24, 2, 7, 8, 8}, {0x24, 2, 15, 1, 1},
		{0x09, 2, 3, 1, 0}, {0x11, 2, 3, 1, 0}, {0x21, 2, 4, 1, 0}, {0x21, 2, 0, 0, 0},
	}
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("server saw\n%v\nwant\n%v", got, want)
	}
}

// TestMap: a region's file is mapped where the server allows it, and only there.
func TestMap(t *testing.T) {
	file, fd := memory(t, 8*4096)
	var asked atomic.Int32
	c, _ := connect(t, Options{}, handlers{protocol.CommandRegionInfo: func(p *peer, m message) {
		i, err := protocol.ParseRegionInfo(m.payload)
		if err != nil {
			t.Error(err)
		}
		answer := protocol.RegionInfo{Flags: protocol.RegionRead | protocol.RegionWrite | protocol.RegionMmap, Index: i.Index, Size: 6 * 4096, Offset: 4096}
		switch i.Index {
		case 0: // with areas, for which the client must ask again
			answer.Areas = []protocol.Area{{Offset: 2 * 4096, Size: 2 * 4096}, {Offset: 0, Size: 4096}}
			answer.ArgSize = uint32(answer.FullSize())
			asked.Add(1)
			b := answer.Append(nil)
			if i.ArgSize < answer.ArgSize {
				b = b[:protocol.RegionInfoSize]
			}
			p.send(m.reply(b...), fd)
		case 1: // all of it, but the file is too short
			answer.ArgSize, answer.Size = 32, 8*4096
			p.send(m.reply(answer.Append(nil)...), fd)
		case 2: // two descriptors: one is enough
			answer.ArgSize = 32
			p.send(m.reply(answer.Append(nil)...), fd, fd)
		default:
			answer.ArgSize = 32
			p.send(m.reply(answer.Append(nil)...))
		}
	}})
	r, err := c.Region(0)
	ok(t, err)
	if asked.Load() != 2 || fmt.Sprint(r.Areas) != "[{0 4096} {8192 8192}]" {
		t.Fatalf("asked %d times: %+v", asked.Load(), r)
	}
	m, err := c.Map(0, Area{Offset: 3 * 4096, Size: 4096})
	ok(t, err)
	m[5] = 77
	if file[4*4096+5] != 77 {
		t.Error("another page was mapped")
	}
	ok(t, c.Unmap(m))
	for _, a := range []Area{{4096, 4096}, {0, 2 * 4096}, {0, 0}, {100, 4096}, {0, 100}, {4 * 4096, 4096}, {^uint64(4095), 4096}, {2 * 4096, ^uint64(4095)}} {
		_, err := c.Map(0, a)
		wants(t, fmt.Sprint("map ", a), err, ErrNotMappable)
	}
	_, err = c.Map(1, Area{0, 8 * 4096})
	wants(t, "map beyond the end of the file", err, ErrNotMappable)
	m, err = c.Map(2, Area{0, 6 * 4096})
	ok(t, err)
	ok(t, c.Unmap(m))
	_, err = c.Map(3, Area{0, 4096})
	wants(t, "map without a file", err, ErrNotMappable)
}

// TestDialErrors: what is wrong with a socket is told apart.
func TestDialErrors(t *testing.T) {
	path := socketPath(t)
	_, err := Dial(path, quick)
	wants(t, "no such file", err, os.ErrNotExist)
	ok(t, os.WriteFile(path, nil, 0o600))
	_, err = Dial(path, quick)
	wants(t, "a file", err, ErrNotSocket)
	ok(t, os.Remove(path))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	ok(t, err)
	l.SetUnlinkOnClose(false)
	_, err = Dial(path, quick) // nobody accepts
	wants(t, "silence", err, ErrTimeout)
	ok(t, l.Close())
	_, err = Dial(path, quick)
	wants(t, "nobody listens", err, ErrStale)
	_, err = Dial("/tmp/"+strings.Repeat("x", 200), quick)
	wants(t, "long path", err, unix.EINVAL)
	for _, opts := range []Options{{Timeout: -1}, {ConnectTimeout: -1}, {MaxTransfer: -1}, {MaxTransfer: 1 << 30}} {
		_, err := Dial(path, opts)
		wants(t, fmt.Sprintf("%+v", opts), err, ErrRange)
	}
}

// TestCloseEndsCalls: calls under way and later ones return at once.
func TestCloseEndsCalls(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(c *Client, p *peer)
		want error
	}{
		"close":   {func(c *Client, _ *peer) { ok(t, c.Close()) }, ErrClosed},
		"hang up": {func(_ *Client, p *peer) { p.conn.Close() }, ErrHangUp},
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan bool, 9)
			c, p := connect(t, Options{Timeout: time.Hour}, handlers{protocol.CommandRegionRead: func(*peer, message) { asked <- true }})
			const callers = 4
			errs := make(chan error, callers)
			for range callers {
				go func() { errs <- c.Read(0, 0, make([]byte, 4)) }()
			}
			for range callers {
				<-asked
			}
			end.do(c, p)
			within(t, "Read", func() {
				for range callers {
					wants(t, "read", <-errs, end.want)
				}
				<-c.Gone()
			})
			wants(t, "later read", c.Read(0, 0, make([]byte, 4)), end.want)
			wants(t, "later post", c.Post(0, 0, make([]byte, 4)), end.want)
			wants(t, "later map", c.MapDMA(Mapping{Address: 4096, Memory: make([]byte, 4096), FD: -1}), end.want)
			_, err := c.Region(3)
			wants(t, "later region", err, end.want)
			wants(t, "reason", c.Err(), end.want)
			if name != "close" {
				wants(t, "read", c.Read(0, 0, make([]byte, 4)), ErrGone)
			}
			ok(t, c.Close())
			ok(t, c.Close())
			wants(t, "closed", c.Reset(), ErrClosed)
		})
	}
}

// TestIdleHangUp: an end is noticed also when nobody calls.
func TestIdleHangUp(t *testing.T) {
	c, p := connect(t, Options{}, nil)
	p.conn.Close()
	within(t, "Gone", func() { <-c.Gone() })
	wants(t, "reason", c.Err(), ErrGone)
}

// TestTimeout: a server that does not answer has gone; so it is for all callers.
func TestTimeout(t *testing.T) {
	silent := handlers{protocol.CommandRegionRead: func(*peer, message) {}}
	c, _ := connect(t, quick, silent)
	errs := make(chan error, 3)
	for range 3 {
		go func() { errs <- c.Read(0, 0, make([]byte, 4)) }()
	}
	within(t, "Read", func() {
		for range 3 {
			err := <-errs
			wants(t, "read", err, ErrTimeout)
			wants(t, "read", err, ErrGone)
		}
	})
	wants(t, "later call", c.Reset(), ErrTimeout)
}

// TestConcurrency: many callers, each gets its own replies.
func TestConcurrency(t *testing.T) {
	c, _ := connect(t, Options{}, nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 300 {
				offset := uint64((i*31 + j) % 200)
				p := make([]byte, 1+j%8)
				if err := c.Read(0, offset, p); err != nil {
					t.Error(err)
					return
				}
				for k := range p {
					if p[k] != byte(offset)+byte(k) {
						t.Errorf("offset %d reads % x", offset, p)
						return
					}
				}
				if err := c.Post(1, offset, p); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2 { // between calls of others
		wg.Go(func() {
			for range 500 {
				c.TakeFaults()
			}
		})
	}
	wg.Wait()
}

// TestNoAllocations: an access takes no memory.
func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		return // the race detector makes sync.Pool forget
	}
	// A server that takes none either.
	end, p := pair(t)
	go func() {
		for range 2 {
			m, err := p.next()
			if err != nil {
				return
			}
			good(p, m)
		}
		buffer := make([]byte, 64)
		fd, err := duplicate(p.conn)
		if err != nil {
			t.Error(err)
			return
		}
		defer fd.close()
		for {
			n, _, err := fd.recv(buffer, true)
			if err == errAgain {
				continue
			}
			if err != nil || n == 0 {
				return
			}
			if n > 32 || buffer[2] != byte(protocol.CommandRegionRead) {
				continue // a write
			}
			buffer[4], buffer[8] = 36, 1
			if _, err := fd.send(buffer[:36], nil, nil, true); err != nil {
				return
			}
		}
	}()
	c, err := New(end, Options{})
	ok(t, err)
	defer c.Close()
	value := make([]byte, 4)
	if n := testing.AllocsPerRun(200, func() { err = c.Read(0, 8, value) }); n != 0 || err != nil {
		t.Errorf("a read takes %v allocations, error %v", n, err)
	}
	if n := testing.AllocsPerRun(1, func() { err = c.Post(0, 8, value) }); n != 0 || err != nil {
		t.Errorf("a posted write takes %v allocations, error %v", n, err)
	}
}

// TestDescriptors: a thousand connections, ended in several ways, leave none.
func TestDescriptors(t *testing.T) {
	path := socketPath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	ok(t, err)
	_, fd := memory(t, 4096)
	served := make(chan struct{})
	go func() {
		defer close(served)
		for i := 0; ; i++ {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			own := handlers{
				protocol.CommandRegionInfo: func(p *peer, m message) {
					p.send(m.reply(protocol.RegionInfo{ArgSize: 32, Flags: protocol.RegionMmap | protocol.RegionRead, Size: 4096}.Append(nil)...), fd, fd)
				},
				protocol.CommandDeviceReset: func(p *peer, m message) {
					switch i % 3 {
					case 0:
						p.send(m.reply(), fd) // not meant for this
					case 1:
						p.send(m.reply(1, 2, 3), fd, fd) // nor these bytes
					default:
						p.conn.Close()
					}
				},
			}
			(&peer{t, conn}).serve(own)
			conn.Close()
		}
	}()
	connections := 1000
	if testing.Short() {
		connections = 100
	}
	before := openFDs(t)
	for i := range connections {
		c, err := Dial(path, Options{})
		ok(t, err)
		if _, err := c.Region(0); err != nil {
			t.Fatal(err)
		}
		if err := c.Reset(); (err == nil) != (i%3 == 0) {
			t.Fatalf("connection %d: %v", i, err)
		}
		ok(t, c.Close())
	}
	ok(t, l.Close())
	<-served
	if after := openFDs(t); after >= before { // the listener has gone
		t.Errorf("%d descriptors are open, %d at first", after, before)
	}
}

// TestVersions: what a server may say about itself.
func TestVersions(t *testing.T) {
	for _, c := range []struct {
		name, text   string
		major, minor uint16
		want         error
	}{
		{name: "no text", minor: 1},
		{name: "empty object", text: "{}\x00"},
		{name: "libvfio-user", text: `{ "capabilities": { "max_msg_fds": 8, "max_data_xfer_size": 1048576, "migration": { "pgsize": 4096 }, "unknown": [1, 2] } }` + "\x00", minor: 2},
		{name: "another major version", major: 1, want: &protocol.VersionError{Major: 1}},
		{name: "a later minor version", minor: 99, want: &protocol.VersionError{Minor: 99}},
		{name: "text without an end", text: "{}", want: protocol.ErrProtocol},
		{name: "no JSON", text: "{\x00", want: protocol.ErrProtocol},
		{name: "capabilities are a list", text: `{"capabilities": [1]}` + "\x00", want: protocol.ErrProtocol},
		{name: "nothing to be moved", text: `{"capabilities": {"max_data_xfer_size": 0}}` + "\x00", want: protocol.ErrProtocol},
		{name: "long text", text: strings.Repeat(" ", maxVersionSize) + "\x00", want: protocol.ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := try(t, Options{}, handlers{protocol.CommandVersion: func(p *peer, m message) {
				p.send(m.reply(append([]byte{byte(c.major), 0, byte(c.minor), 0}, c.text...)...))
			}})
			if version := (*protocol.VersionError)(nil); errors.As(c.want, &version) {
				var got *protocol.VersionError
				if !errors.As(err, &got) || *got != *version {
					t.Errorf("error is %v, want %v", err, c.want)
				}
			} else {
				wants(t, "connect", err, c.want)
			}
		})
	}
}
