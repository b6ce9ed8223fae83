// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// replay is the server's side of a conversation in testdata: what the client must
// send to the byte, and what it gets.
func replay(t *testing.T, p *peer, name string, memory int) {
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Error(err)
		return
	}
	for number, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		fds := 0
		body := line[2:]
		if body[0] == '[' {
			if _, err := fmt.Sscanf(body, "[%d]", &fds); err != nil {
				t.Errorf("%s:%d: %v", name, number+1, err)
				return
			}
			_, body, _ = strings.Cut(body, "] ")
		}
		want, err := hex.DecodeString(strings.ReplaceAll(body, " ", ""))
		if err != nil {
			t.Errorf("%s:%d: %v", name, number+1, err)
			return
		}
		if line[0] == '<' {
			p.send(want, repeat(memory, fds)...)
			continue
		}
		m, err := p.next()
		got := append(m.Append(nil), m.payload...)
		closeFDs(m.fds)
		if err != nil || !bytes.Equal(got, want) || len(m.fds) != fds {
			t.Errorf("%s:%d: client sends\n%x with %d descriptors, error %v, want\n%x with %d", name, number+1, got, len(m.fds), err, want, fds)
			p.conn.Close()
			return
		}
	}
}

func repeat(fd, n int) []int {
	var fds []int
	for range n {
		fds = append(fds, fd)
	}
	return fds
}

// conversation runs a session against a replayed server.
func conversation(t *testing.T, name string, session func(c *Client, memory []byte, fd, event int)) {
	bytes, fd := memory(t, 4*4096)
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	ok(t, err)
	defer unix.Close(event)
	end, p := pair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		replay(t, p, name, fd)
	}()
	c, err := New(end, Options{})
	ok(t, err)
	session(c, bytes, fd, event)
	<-done
	ok(t, c.Err())
	ok(t, c.Close())
}

func TestGoldenLibvfioUser(t *testing.T) {
	conversation(t, "libvfio-user.txt", func(c *Client, memory []byte, fd, event int) {
		var id [4]byte
		ok(t, c.Read(protocol.RegionConfig, 0, id[:]))
		if id != [4]byte{0xad, 0xde, 0xef, 0xbe} {
			t.Errorf("identity % x", id)
		}
		r, err := c.Region(1)
		ok(t, err)
		if fmt.Sprint(r) != "{12288 true true [{0 4096} {8192 4096}]}" {
			t.Errorf("BAR 1 is %v", r)
		}
		m, err := c.Map(1, Area{Offset: 8192, Size: 4096})
		ok(t, err)
		memory[8192] = 42
		if m[0] != 42 {
			t.Error("another page was mapped")
		}
		ok(t, c.Unmap(m))
		if r, err = c.Region(3); err != nil || r.Size != 0 {
			t.Errorf("BAR 3 is %v, error %v", r, err)
		}
		i, err := c.IRQ(protocol.IRQMSIX)
		ok(t, err)
		if i != (IRQ{Count: 16, EventFD: true}) {
			t.Errorf("MSI-X is %+v", i)
		}
		ok(t, c.SetEventFDs(protocol.IRQMSIX, 0, repeat(event, 10)))
		ok(t, c.MapDMA(Mapping{Address: 0x100000000, Memory: memory[4096:12288], FD: fd, Offset: 4096, Readable: true, Writable: true}))
		copy(memory, []byte{0x11, 0x12, 0x13, 0x14})
		ok(t, c.MapDMA(Mapping{Address: 0x200000000, Memory: memory[:4096], FD: -1, Readable: true, Writable: true}))
		ok(t, c.Post(0, 8, []byte{0x78, 0x56, 0x34, 0x12}))
		ok(t, c.Write(protocol.RegionConfig, 4, []byte{6, 0}))
		var value [4]byte
		wants(t, "read beyond the BAR", c.Read(0, 0x1000, value[:]), protocol.EINVAL)
		ok(t, c.Read(0, 0, value[:]))
		if value != [4]byte{0x0d, 0xf0, 0xad, 0x0b} || !bytes.Equal(memory[4092:4096], []byte{0x21, 0x22, 0x23, 0x24}) {
			t.Errorf("register is % x, memory % x", value, memory[4092:4096])
		}
		if faults := c.TakeFaults(); len(faults) != 1 || faults[0].Address != 0x200001000 || faults[0].Size != 4 || faults[0].Write {
			t.Errorf("faults %+v", faults)
		}
		ok(t, c.UnmapDMA(0x100000000, 0x2000))
		ok(t, c.DisableIRQ(protocol.IRQMSIX))
		ok(t, c.Reset())
	})
}

func TestGoldenRustCrate(t *testing.T) {
	conversation(t, "vfio_user-crate.txt", func(c *Client, memory []byte, fd, event int) {
		ok(t, c.SetEventFDs(protocol.IRQMSIX, 0, []int{event, event}))
		ok(t, c.Post(0, 8, []byte{1, 2, 3, 4}))
		var value [4]byte
		ok(t, c.Read(0, 8, value[:]))
		if value != [4]byte{1, 2, 3, 4} {
			t.Errorf("register is % x", value)
		}
		ok(t, c.MapDMA(Mapping{Address: 0x100000000, Memory: memory[:4096], FD: fd, Readable: true, Writable: true}))
		ok(t, c.UnmapDMA(0x100000000, 4096))
	})
}
