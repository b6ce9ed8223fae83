// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// TestSentAway is what ends a connection, with the sentence that says why, and leaves
// the server ready for the next client.
func TestSentAway(t *testing.T) {
	read := message(1, protocol.CommandRegionRead, 0, regionRead(0, 0, 4))
	with := func(at int, v uint32) []byte {
		b := slices.Clone(read)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	for _, test := range []struct {
		name  string
		bytes []byte
		fds   int
		close bool
		about string
	}{
		{"oversize", with(4, 1<<20+33), 0, false, "1048609 bytes"},
		{"4 GiB", with(4, 0xffffffff), 0, false, "4294967295 bytes"},
		{"undersize", with(4, 15), 0, false, "15 bytes"},
		{"neither command nor reply", with(8, 2), 0, false, "type 2"},
		{"reply to nothing", with(8, 1), 0, false, "never sent"},
		{"too many descriptors", read, 17, false, "17 descriptors"},
		{"flood of descriptors", read, 253, false, "253 descriptors"},
		{"truncated header", read[:9], 0, true, "inside a header"},
		{"truncated header with descriptors", read[:1], 16, true, "inside a header"},
		{"truncated message", read[:20], 0, true, "inside a REGION_READ"},
		{"truncated message with descriptors", message(1, protocol.CommandDMAMap, 0, dmaMap(0, 0x1000, 0))[:40], 1, true, "inside a DMA_MAP"},
		{"gone", nil, 0, true, ""},
		{"gone without reading the answer", read, 0, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCard(t)
			var said sentences
			s, client, stop := serveOn(t, c, Options{Log: said.log})
			client.negotiate()
			client.must(protocol.CommandDMAMap, dmaMap(0x10000, 0x1000, 0), int(c.description.Regions[1].File.Fd()))
			fds := make([]int, test.fds)
			for i := range fds {
				fds[i] = int(c.description.Regions[1].File.Fd())
			}
			if test.bytes != nil {
				client.write(test.bytes, fds...)
			}
			if !test.close {
				if b, _, err := client.read(); err == nil {
					t.Errorf("answer is %x", b)
				}
			}
			stop()
			if test.about == "" && len(said.all()) != 0 || test.about != "" && (said.has("sent away", test.about) != 1 || len(said.all()) != 1) {
				t.Errorf("said %q, want one sentence with %q", said.all(), test.about)
			}
			if told := c.told(); told[len(told)-1] != "disconnect" || told[len(told)-2] != "unmap 0x10000 +0x1000" {
				t.Errorf("the device was told %q", told)
			}
			next, _ := connectTo(t, s)
			next.negotiate()
			next.must(protocol.CommandRegionRead, regionRead(0, 0, 4))
		})
	}
}

// TestWrongDescriptors is about commands that come with too few or wrong descriptors.
func TestWrongDescriptors(t *testing.T) {
	c := newCard(t)
	_, client, stop := serveOn(t, c, Options{})
	client.negotiate()
	before := openDescriptors(t)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		command protocol.Command
		payload []byte
		fds     []int
		want    error
	}{
		{"map with two", protocol.CommandDMAMap, dmaMap(0, 0x1000, 0), []int{pipe[0], pipe[0]}, protocol.EINVAL},
		{"map a pipe", protocol.CommandDMAMap, dmaMap(0, 0x1000, 0), []int{pipe[0]}, protocol.EACCES},
		{"bind three to two", protocol.CommandSetIRQs, bind(2, 0, 2), []int{pipe[1], pipe[1], pipe[1]}, protocol.EINVAL},
		{"read with some", protocol.CommandRegionRead, regionRead(0, 0, 4), []int{pipe[0], pipe[1]}, nil},
		{"map", protocol.CommandDMAMap, dmaMap(0, 0x1000, 0), []int{int(c.description.Regions[1].File.Fd())}, nil},
		{"map again", protocol.CommandDMAMap, dmaMap(0x800, 0x1000, 0), []int{int(c.description.Regions[1].File.Fd())}, protocol.EEXIST},
		{"unmap", protocol.CommandDMAUnmap, dmaUnmap(0, 0x1000), []int{pipe[0]}, nil},
	} {
		if _, err := client.call(test.command, test.payload, test.fds...); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	unix.Close(pipe[0])
	unix.Close(pipe[1])
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors are open, before there were %d", after, before)
	}
	stop()
}

// TestFullEventFD: neither an eventfd that nobody reads nor a pipe that is full holds
// up the device.
func TestFullEventFD(t *testing.T) {
	c := newCard(t)
	_, client, _ := serveOn(t, c, Options{})
	client.negotiate()
	full, err := unix.Eventfd(0, unix.EFD_CLOEXEC) // blocks
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(full)
	most := ^uint64(0) - 1
	if _, err := unix.Write(full, binary.NativeEndian.AppendUint64(nil, most)); err != nil {
		t.Fatal(err)
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	client.must(protocol.CommandSetIRQs, bind(4, 0, 2), full, pipe[1])
	unix.Close(pipe[1])
	for range 100_000 { // more than a pipe holds
		for v := range 2 {
			if err := c.client().Trigger(4, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := counter(t, full); got != most {
		t.Errorf("the eventfd has %#x", got)
	}
	if err := c.client().Trigger(4, 0); err != nil || counter(t, full) != 1 {
		t.Errorf("after it was read: %v", err)
	}
	for _, v := range [][2]int{{4, 3}, {4, -1}, {5, 0}, {-1, 0}} {
		if err := c.client().Trigger(v[0], v[1]); !errors.Is(err, protocol.EINVAL) {
			t.Errorf("vector %v: %v", v, err)
		}
	}
	unix.Close(pipe[0]) // nobody reads it any more
	pipe[0] = -1
	if err := c.client().Trigger(4, 1); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a pipe without reader: %v", err)
	}
}

// TestDeviceErrors has the device refuse each kind of command.
func TestDeviceErrors(t *testing.T) {
	c := newCard(t)
	var said sentences
	broken := errors.New("broken")
	c.onRead = func(int, uint64, []byte) error { return broken }
	c.onWrite = func(int, uint64, []byte) error { return fmt.Errorf("write: %w", protocol.EBUSY) }
	c.onMap = func(m Mapping) error { return fmt.Errorf("map: %w", syscall.ENOMEM) }
	s, client, _ := serveOn(t, c, Options{Log: said.log})
	client.negotiate()
	for _, test := range []struct {
		command protocol.Command
		payload []byte
		want    protocol.Errno
	}{
		{protocol.CommandRegionRead, regionRead(0, 0, 4), protocol.EIO},
		{protocol.CommandRegionWrite, regionWrite(0, 0, 1), protocol.EBUSY},
		{protocol.CommandDMAMap, dmaMap(0, 0x1000, 0), protocol.ENOMEM},
		{protocol.CommandDMAMap, dmaMap(0, 0x1000, 0), protocol.ENOMEM}, // and not EEXIST
	} {
		if _, err := client.call(test.command, test.payload); !errors.Is(err, test.want) {
			t.Errorf("%v: %v, want %v", test.command, err, test.want)
		}
	}
	for range 3 {
		client.write(message(1, protocol.CommandRegionWrite, protocol.FlagNoReply, regionWrite(0, 0, 1)))
	}
	client.must(protocol.CommandDeviceReset, nil)
	if st := s.Stats(); st.PostedErrors != 3 || st.RegionErrors != 5 || st.RegionReads+st.RegionWrites+st.Maps != 0 {
		t.Errorf("statistics: %+v", st)
	}
	if said.has("EBUSY") != 1 || len(said.all()) != 1 {
		t.Errorf("said %q, want one sentence about posted errors", said.all())
	}
}

// TestNothingOlder: what a device leaves out of an answer is zero, not what was in an
// earlier one.
func TestNothingOlder(t *testing.T) {
	c := newCard(t)
	c.memory[2] = nil // the device fills in nothing
	_, client, _ := serveOn(t, c, Options{})
	client.negotiate()
	client.must(protocol.CommandRegionRead, regionRead(7, 0, 256))
	got := client.must(protocol.CommandRegionRead, regionRead(2, 0, 256))[protocol.RegionAccessSize:]
	if !slices.Equal(got, make([]byte, 256)) {
		t.Errorf("answer is %x", got)
	}
}

// TestDeviceRefusesClient has Connect fail.
func TestDeviceRefusesClient(t *testing.T) {
	c := newCard(t)
	var said sentences
	c.connect = func(*Host) error { return fmt.Errorf("no wire: %w", protocol.ENODEV) }
	_, client, stop := serveOn(t, c, Options{Log: said.log})
	v := protocol.Version{Capabilities: protocol.DefaultCapabilities()}
	if _, err := client.call(protocol.CommandVersion, v.Append(nil)); !errors.Is(err, protocol.ENODEV) {
		t.Errorf("answer is %v", err)
	}
	stop()
	if told := strings.Join(c.told(), ", "); told != "connect" {
		t.Errorf("the device was told %s", told)
	}
	if said.has("no wire") != 1 {
		t.Errorf("said %q", said.all())
	}
}

// TestKilled ends the client while the device is in the middle of each kind of work.
func TestKilled(t *testing.T) {
	t.Run("DMA by message", func(t *testing.T) {
		c := newCard(t)
		_, client, stop := serveOn(t, c, Options{})
		client.negotiate()
		done := make(chan error)
		for _, access := range []func(*Host) error{
			func(h *Host) error { return h.ReadDMA(context.Background(), 0, make([]byte, 8)) },
			func(h *Host) error { return h.WriteDMA(context.Background(), 0, make([]byte, 3<<20)) },
			func(h *Host) error { return h.TryReadDMA(context.Background(), 0, make([]byte, 8)) },
		} {
			h := c.client()
			go func() { done <- access(h) }()
		}
		if _, _, err := client.read(); err != nil { // one has begun
			t.Fatal(err)
		}
		stop()
		for range 3 {
			if err := <-done; !errors.Is(err, ErrDisconnected) {
				t.Errorf("error is %v", err)
			}
		}
	})
	t.Run("DMA that waits for a register read", func(t *testing.T) {
		c := newCard(t)
		reading, release := make(chan struct{}), make(chan struct{})
		c.onRead = func(int, uint64, []byte) error {
			close(reading)
			<-release
			return nil
		}
		_, client, stop := serveOn(t, c, Options{})
		client.negotiate()
		client.write(message(1, protocol.CommandRegionRead, 0, regionRead(0, 0, 4)))
		<-reading
		h := c.client()
		done := make(chan error)
		go func() { done <- h.ReadDMA(context.Background(), 0, make([]byte, 8)) }()
		client.Close()
		if err := <-done; !errors.Is(err, ErrDisconnected) {
			t.Errorf("error is %v", err)
		}
		close(release)
		stop()
		if err := h.Trigger(0, 0); !errors.Is(err, ErrDisconnected) {
			t.Errorf("interrupt after the end: %v", err)
		}
		if err := h.WriteDMA(context.Background(), 0, make([]byte, 8)); !errors.Is(err, ErrDisconnected) {
			t.Errorf("DMA after the end: %v", err)
		}
	})
	t.Run("commands that it has sent", func(t *testing.T) {
		c := newCard(t)
		_, client, stop := serveOn(t, c, Options{})
		client.negotiate()
		for i := range byte(100) {
			client.write(message(1, protocol.CommandRegionWrite, protocol.FlagNoReply, regionWrite(0, 0, i)))
		}
		stop()
		if told := c.told(); len(told) != 102 || told[100] != "write 0 0x0 63" {
			t.Errorf("the device was told %q", told)
		}
	})
	t.Run("while answers pile up", func(t *testing.T) {
		c := newCard(t)
		c.quiet = true
		_, client, stop := serveOn(t, c, Options{})
		client.negotiate()
		b := message(1, protocol.CommandRegionRead, 0, regionRead(0, 0, 4096))
		go func() {
			for { // until nothing goes any more, and then until the end
				if _, err := client.Write(b); err != nil {
					return
				}
			}
		}()
		for c.client() == nil {
		}
		for !c.client().session.conn.Waiting() {
		}
		stop()
	})
}

// TestNoLeak: the number of descriptors that are open is the same for each of 1,000
// clients, which go without goodbye in various states.
func TestNoLeak(t *testing.T) {
	path := socketPath(t)
	c := newCard(t)
	c.quiet = true
	f := memfd(t, 0x10000)
	event := eventfd(t)
	_, stop := serve(t, path, c, Options{})
	before := 0
	for i := range 1000 {
		client := dial(t, path)
		client.negotiate()
		if now := openDescriptors(t); i == 0 {
			before = now
		} else if now != before {
			t.Fatalf("client %d: %d descriptors are open, with the first there were %d", i, now, before)
		}
		for j := range uint64(3) {
			client.must(protocol.CommandDMAMap, dmaMap(j<<16, 0x1000, 0), int(f.Fd()))
		}
		client.must(protocol.CommandSetIRQs, bind(2, 0, 3), event, event, event)
		client.must(protocol.CommandSetIRQs, bind(2, 1, 1), event)
		switch i % 5 {
		case 1:
			client.must(protocol.CommandDMAUnmap, dmaUnmap(0, 0x1000))
		case 2:
			client.write(message(1, protocol.CommandDMAMap, 0, dmaMap(0x100000, 0x1000, 0))[:20], int(f.Fd()))
		case 3:
			client.write(message(1, protocol.CommandDMAMap, 0, dmaMap(0x100000, 0x1000, 0)), int(f.Fd()))
		case 4:
			client.write([]byte("GET / HTTP/1.1\r\n\r\n"), int(f.Fd()))
		}
		client.Close()
	}
	stop()
}

// TestMessageModeWarning: a client that shares no memory is told once what to do;
// one that shares its memory, but not its ROM or some video memory, is not.
func TestMessageModeWarning(t *testing.T) {
	c := newCard(t)
	f := memfd(t, 0x1000)
	var said sentences
	_, client, _ := serveOn(t, c, Options{Log: said.log})
	client.negotiate()
	rom := protocol.DMAMap{Flags: protocol.DMAMapRead, Address: 0xf0000, Size: 0x1000}
	client.must(protocol.CommandDMAMap, rom.Append(nil))
	client.must(protocol.CommandDMAMap, dmaMap(0, 0x1000, 0), int(f.Fd()))
	client.must(protocol.CommandDMAMap, dmaMap(0xa0000, 0x1000, 0))
	if len(said.all()) != 0 {
		t.Errorf("said %q about a client that shares its memory", said.all())
	}
	_ = c.client().TryReadDMA(canceled(), 0xa0000, make([]byte, 1)) // but if it is used
	if said.has("memory-backend-memfd,id=mem,size=SIZE,share=on -machine memory-backend=mem") != 1 {
		t.Errorf("said %q", said.all())
	}

	_, client, _ = serveOn(t, c, Options{Log: said.log})
	client.negotiate()
	client.must(protocol.CommandDMAMap, rom.Append(nil))
	for i := range uint64(3) {
		client.must(protocol.CommandDMAMap, dmaMap(i<<12, 0x1000, 0))
	}
	if said.has("memory-backend-memfd,id=mem,size=SIZE,share=on -machine memory-backend=mem") != 2 || len(said.all()) != 2 {
		t.Errorf("said %q", said.all())
	}
}

// TestDMATimeout is a client that never answers a message.
func TestDMATimeout(t *testing.T) {
	c := newCard(t)
	_, client, _ := serveOn(t, c, Options{DMATimeout: 1})
	client.negotiate()
	if err := c.client().ReadDMA(context.Background(), 0, make([]byte, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	client.must(protocol.CommandDMAMap, dmaMap(0, 0x1000, 0))
}

// TestWrongDMAReplies is a client that answers messages wrongly: the access fails.
func TestWrongDMAReplies(t *testing.T) {
	c := newCard(t)
	_, client, _ := serveOn(t, c, Options{})
	client.negotiate()
	for _, test := range []struct {
		name    string
		write   bool
		payload []byte
		good    bool
	}{
		{"right", false, protocol.DMAAccess{Address: 64, Count: 4, Data: []byte{1, 2, 3, 4}}.Append(nil), true},
		{"too little data", false, protocol.DMAAccess{Address: 64, Count: 4, Data: []byte{1, 2, 3}}.Append(nil), false},
		{"too much data", false, protocol.DMAAccess{Address: 64, Count: 5, Data: []byte{1, 2, 3, 4, 5}}.Append(nil), false},
		{"other address", false, protocol.DMAAccess{Address: 65, Count: 4, Data: []byte{1, 2, 3, 4}}.Append(nil), false},
		{"nothing", false, nil, false},
		{"right", true, protocol.DMAAccess{Address: 64, Count: 4}.Append(nil), true},
		{"header only", true, nil, true},
		{"count of four bytes", true, protocol.DMAAccess{Address: 64, Count: 4}.Append(nil)[:12], true},
		{"other count", true, protocol.DMAAccess{Address: 64, Count: 3}.Append(nil), false},
	} {
		done := make(chan error)
		data := make([]byte, 4)
		go func() {
			if test.write {
				done <- c.client().WriteDMA(context.Background(), 64, data)
			} else {
				done <- c.client().ReadDMA(context.Background(), 64, data)
			}
		}()
		b, _, err := client.read()
		if err != nil {
			t.Fatal(err)
		}
		h, _ := protocol.ParseHeader(b)
		client.write(message(h.ID, h.Command, protocol.FlagReply, test.payload))
		if err := <-done; (err == nil) != test.good {
			t.Errorf("write %v, %s: %v", test.write, test.name, err)
		}
		if test.good && !test.write && string(data) != "\x01\x02\x03\x04" {
			t.Errorf("data is %x", data)
		}
	}
}
