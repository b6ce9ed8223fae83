// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// FuzzServer gives a client all that a server sends in one go. Whatever it is, no
// call hangs, memory that is not the device's stays as it is, and no descriptor is
// left open. Replies are found by their identifiers, which count from 1.
func FuzzServer(f *testing.F) {
	for _, name := range []string{"libvfio-user.txt", "vfio_user-crate.txt"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		var stream []byte
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if !strings.HasPrefix(line, "< ") {
				continue
			}
			body := line[strings.LastIndex(line, "]")+1:]
			b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimPrefix(body, "< "), " ", ""))
			if err != nil {
				f.Fatal(err)
			}
			stream = append(stream, b...)
		}
		f.Add(stream)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		pages, fd := memory(t, 3*4096)
		for i := range pages {
			pages[i] = 0x5A
		}
		guard := bytes.Clone(pages[:4096])
		event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		ok(t, err)
		defer unix.Close(event)
		end, p := pair(t)
		before := openFDs(t)
		if len(stream) > 100_000 {
			stream = stream[:100_000] // what a socket holds
		}
		p.send(stream, fd)
		ok(t, p.conn.CloseWrite())
		began := time.Now()
		c, err := New(end, Options{Timeout: 5 * time.Second, ConnectTimeout: 5 * time.Second})
		if err == nil {
			var value [4]byte
			_ = c.Read(protocol.RegionConfig, 0, value[:])
			if _, err := c.Region(1); err == nil {
				if m, err := c.Map(1, Area{Offset: 8192, Size: 4096}); err == nil {
					ok(t, c.Unmap(m))
				}
			}
			_, _ = c.Region(3)
			_, _ = c.IRQ(protocol.IRQMSIX)
			_ = c.SetEventFDs(protocol.IRQMSIX, 0, repeat(event, 10))
			_ = c.MapDMA(Mapping{Address: 0x100000000, Memory: pages[4096:8192], FD: fd, Offset: 4096, Readable: true, Writable: true})
			_ = c.MapDMA(Mapping{Address: 0x200000000, Memory: pages[4096:8192], FD: -1, Readable: true, Writable: true})
			_ = c.Post(0, 8, value[:])
			_ = c.Write(protocol.RegionConfig, 4, value[:2])
			_ = c.Read(0, 0, value[:])
			_ = c.Read(0, 0, value[:])
			_ = c.UnmapDMA(0x100000000, 4096)
			_ = c.DisableIRQ(protocol.IRQMSIX)
			_ = c.Reset()
			<-c.Gone()
			c.TakeFaults()
			ok(t, c.Close())
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
		if !bytes.Equal(pages[:4096], guard) || !bytes.Equal(pages[8192:], guard) {
			t.Error("memory that is not the device's was written")
		}
		if after := openFDs(t); after > before {
			t.Errorf("%d descriptors are open, %d before", after, before)
		}
	})
}
