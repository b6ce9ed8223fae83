// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// raw is a handler that sends bytes made of a good reply.
func raw(change func(reply []byte) []byte) func(*peer, message) {
	return func(p *peer, m message) {
		a, err := protocol.ParseRegionAccess(m.payload)
		if err != nil {
			p.t.Error(err)
		}
		a.Data = make([]byte, a.Count)
		p.send(change(m.reply(a.Append(nil)...)))
	}
}

// poke is raw with one 32-bit word of the message changed.
func poke(offset int, value uint32) func(*peer, message) {
	return raw(func(b []byte) []byte {
		binary.LittleEndian.PutUint32(b[offset:], value)
		return b
	})
}

// TestMisbehaviour: a server that breaks the protocol in its reply to a read is
// given up, at once where it can be seen at once, and whoever else waits too.
func TestMisbehaviour(t *testing.T) {
	hangUp := func(n int) func(*peer, message) {
		return func(p *peer, m message) {
			raw(func(b []byte) []byte { return b[:n] })(p, m)
			p.conn.Close()
		}
	}
	stall := func(n int) func(*peer, message) { return raw(func(b []byte) []byte { return b[:n] }) }
	for _, c := range []struct {
		name   string
		answer func(*peer, message)
		want   error
	}{
		{"another identifier", raw(func(b []byte) []byte { b[0] ^= 0x55; return b }), protocol.ErrProtocol},
		{"another command", raw(func(b []byte) []byte { b[2]++; return b }), protocol.ErrProtocol},
		{"no command at all", raw(func(b []byte) []byte { b[2] = 99; return b }), protocol.ErrProtocol},
		{"a size below the header's", poke(4, 15), protocol.ErrProtocol},
		{"size 0", poke(4, 0), protocol.ErrProtocol},
		{"a size beyond all bounds", poke(4, 0xFFFFFFFF), protocol.ErrProtocol},
		{"one byte too many", raw(func(b []byte) []byte { b[4]++; return append(b, 0) }), protocol.ErrProtocol},
		{"one byte too few", raw(func(b []byte) []byte { b[4]--; return b[:len(b)-1] }), protocol.ErrProtocol},
		{"no payload", raw(func(b []byte) []byte { b[4] = 16; return b[:16] }), protocol.ErrProtocol},
		{"neither command nor reply", poke(8, 2), protocol.ErrProtocol},
		{"another offset", raw(func(b []byte) []byte { b[16]++; return b }), protocol.ErrProtocol},
		{"another region", raw(func(b []byte) []byte { b[24]++; return b }), protocol.ErrProtocol},
		{"another count", raw(func(b []byte) []byte { b[28]++; return b }), protocol.ErrProtocol},
		{"an error with a long text", raw(func(b []byte) []byte {
			b = append(b, make([]byte, 1000)...)
			binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
			b[8] |= byte(protocol.FlagError)
			return b
		}), protocol.ErrProtocol},
		{"end inside the header", hangUp(7), ErrHangUp},
		{"end after the header", hangUp(16), ErrHangUp},
		{"end inside the data", hangUp(34), ErrHangUp},
		{"end without a reply", hangUp(0), ErrHangUp},
		{"silence inside the header", stall(7), ErrTimeout},
		{"silence inside the data", stall(34), ErrTimeout},
		{"a DMA_WRITE of more than was agreed", func(p *peer, _ message) {
			p.send(command(1, protocol.CommandDMAWrite, 0, make([]byte, DefaultMaxTransfer+17)))
		}, protocol.ErrProtocol},
		{"a DMA_WRITE whose count is another", func(p *peer, _ message) {
			p.send(command(1, protocol.CommandDMAWrite, 0, protocol.DMAAccess{Count: 9, Data: make([]byte, 8)}.Append(nil)))
		}, protocol.ErrProtocol},
		{"a DMA_READ with data", func(p *peer, _ message) { p.send(command(1, protocol.CommandDMARead, 0, make([]byte, 24))) }, protocol.ErrProtocol},
		{"a short DMA_READ", func(p *peer, _ message) { p.send(command(1, protocol.CommandDMARead, 0, make([]byte, 15))) }, protocol.ErrProtocol},
		{"a command without an end", func(p *peer, _ message) {
			p.send(protocol.Header{Command: protocol.CommandDMAWrite, Size: 0xFFFFFFF0}.Append(nil))
		}, protocol.ErrProtocol},
		{"noise", func(p *peer, _ message) { p.send(bytes.Repeat([]byte("HTTP/1.1 400 Bad Request\r\n"), 100)) }, protocol.ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := Options{}
			if c.want == ErrTimeout {
				opts = quick
			}
			_, fd := memory(t, 4096)
			before := openFDs(t)
			waits := make(chan message, 1)
			client, p := connect(t, opts, handlers{
				protocol.CommandRegionRead:  c.answer,
				protocol.CommandDeviceReset: func(_ *peer, m message) { waits <- m },
			})
			other := make(chan error, 1)
			go func() { other <- client.Reset() }()
			<-waits
			within(t, "Read", func() {
				value := make([]byte, 4)
				err := client.Read(2, 8, value)
				wants(t, "read", err, c.want)
				wants(t, "read", err, ErrGone)
				err = <-other
				wants(t, "other caller", err, c.want)
				wants(t, "other caller", err, ErrGone)
			})
			p.send([]byte{1}, fd) // may arrive or not
			ok(t, client.Close())
			p.conn.Close()
			if after := openFDs(t); after != before {
				t.Errorf("%d descriptors are open, %d before", after, before)
			}
		})
	}
}

// TestTwice: a second reply to the same command is one to none.
func TestTwice(t *testing.T) {
	c, _ := connect(t, Options{}, handlers{protocol.CommandDeviceReset: func(p *peer, m message) {
		p.send(slices.Concat(m.reply(), m.reply()))
	}})
	ok(t, c.Reset())
	within(t, "Gone", func() { <-c.Gone() })
	wants(t, "reason", c.Err(), protocol.ErrProtocol)
}

// TestPostedAnswered: a server that answers what wants no answer is borne with,
// unless the answer is about something else.
func TestPostedAnswered(t *testing.T) {
	c, _ := connect(t, Options{}, handlers{protocol.CommandRegionWrite: func(p *peer, m message) {
		if m.payload[0] == 0 {
			p.send(m.reply(m.payload[:16]...))
		} else {
			p.send(m.refuse(protocol.EINVAL))
		}
	}})
	for i := range 100 {
		ok(t, c.Post(0, uint64(i%2), []byte{1}))
		ok(t, c.Read(0, 0, make([]byte, 4)))
	}
	for name, answer := range map[string]func(m message) []byte{
		"another command": func(m message) []byte { m.Command = protocol.CommandRegionRead; return m.reply(m.payload[:16]...) },
		"too long":        func(m message) []byte { return m.reply(make([]byte, 17)...) },
		"a second time":   func(m message) []byte { return slices.Concat(m.reply(), m.reply()) },
	} {
		c, _ := connect(t, Options{}, handlers{protocol.CommandRegionWrite: func(p *peer, m message) { p.send(answer(m)) }})
		ok(t, c.Post(0, 0, []byte{1}))
		within(t, name, func() { <-c.Gone() })
		wants(t, name, c.Err(), protocol.ErrProtocol)
	}
}

// TestRefusals: the server's reasons reach the caller, and the connection lives.
func TestRefusals(t *testing.T) {
	refuse := func(p *peer, m message) { p.send(m.refuse(protocol.Errno(m.Command) + 1000)) }
	own := handlers{}
	for _, c := range []protocol.Command{
		protocol.CommandRegionInfo, protocol.CommandIRQInfo, protocol.CommandSetIRQs, protocol.CommandRegionRead, protocol.CommandRegionWrite,
		protocol.CommandDMAMap, protocol.CommandDMAUnmap, protocol.CommandDeviceReset,
	} {
		own[c] = refuse
	}
	c, _ := connect(t, Options{}, own)
	m, _ := memory(t, 4096)
	for command, call := range map[protocol.Command]func() error{
		protocol.CommandRegionInfo:  func() error { _, err := c.Region(0); return err },
		protocol.CommandIRQInfo:     func() error { _, err := c.IRQ(2); return err },
		protocol.CommandSetIRQs:     func() error { return c.DisableIRQ(2) },
		protocol.CommandRegionRead:  func() error { return c.Read(0, 0, make([]byte, 4)) },
		protocol.CommandRegionWrite: func() error { return c.Write(0, 0, make([]byte, 4)) },
		protocol.CommandDMAMap:      func() error { return c.MapDMA(Mapping{Address: 4096, Memory: m, FD: -1}) },
		protocol.CommandDeviceReset: c.Reset,
	} {
		var refused *protocol.RemoteError
		if err := call(); !errors.As(err, &refused) || refused.Command != command || refused.Errno != protocol.Errno(command)+1000 {
			t.Errorf("%v: error is %v", command, err)
		}
	}
	ok(t, c.Err())
	_, _, err := try(t, Options{}, handlers{protocol.CommandVersion: refuse})
	wants(t, "VERSION", err, protocol.Errno(protocol.CommandVersion)+1000)
	_, _, err = try(t, Options{}, handlers{protocol.CommandDeviceInfo: refuse})
	wants(t, "DEVICE_GET_INFO", err, protocol.Errno(protocol.CommandDeviceInfo)+1000)
}

// TestAbsurd: descriptions of devices that cannot be.
func TestAbsurd(t *testing.T) {
	info := func(i protocol.DeviceInfo) func(*peer, message) {
		return func(p *peer, m message) { p.send(m.reply(i.Append(nil)...)) }
	}
	for name, h := range map[string]func(*peer, message){
		"regions":    info(protocol.DeviceInfo{ArgSize: 16, Regions: 1 << 31, IRQs: 5}),
		"interrupts": info(protocol.DeviceInfo{ArgSize: 16, Regions: 9, IRQs: 0xFFFFFFFF}),
		"short":      func(p *peer, m message) { p.send(m.reply(make([]byte, 15)...)) },
	} {
		_, _, err := try(t, Options{}, handlers{protocol.CommandDeviceInfo: h})
		wants(t, "device info: "+name, err, protocol.ErrProtocol)
	}
	for name, i := range map[string]protocol.IRQInfo{
		"vectors": {ArgSize: 16, Index: 2, Count: 1 << 30}, "another index": {ArgSize: 16, Index: 3, Count: 1},
	} {
		c, _ := connect(t, Options{}, handlers{protocol.CommandIRQInfo: func(p *peer, m message) { p.send(m.reply(i.Append(nil)...)) }})
		_, err := c.IRQ(2)
		wants(t, "interrupt info: "+name, err, protocol.ErrProtocol)
	}
}

// TestAbsurdRegions: descriptions of regions that cannot be, lists of capabilities
// that do not end among them. No descriptor is left open.
func TestAbsurdRegions(t *testing.T) {
	_, fd := memory(t, 4096)
	const mappable = protocol.RegionRead | protocol.RegionMmap
	sparse := func(areas ...protocol.Area) []byte {
		i := protocol.RegionInfo{Flags: mappable, Size: 1 << 20, Areas: areas}
		i.ArgSize = uint32(i.FullSize())
		return i.Append(nil)
	}
	word := func(b []byte, offset int, v uint32) []byte {
		b = slices.Clone(b)
		binary.LittleEndian.PutUint32(b[offset:], v)
		return b
	}
	one := sparse(protocol.Area{Size: 4096})
	for name, payload := range map[string][]byte{
		"a list that goes in circles":    word(one, 36, 32),
		"a capability before the list":   word(one, 12, 8),
		"a capability behind the end":    word(one, 12, 60),
		"a capability far behind":        word(one, 12, 0xFFFFFFFF),
		"a next capability far behind":   word(one, 36, 0xFFFFFFF0),
		"more areas than there are":      word(one, 40, 0xFFFFFFFF),
		"an area beyond the region":      sparse(protocol.Area{Offset: 1 << 20, Size: 4096}),
		"an area that wraps around":      sparse(protocol.Area{Offset: 1 << 63, Size: 1<<63 + 4096}),
		"areas that overlap":             sparse(protocol.Area{Size: 8192}, protocol.Area{Offset: 4096, Size: 4096}),
		"an area of no whole pages":      sparse(protocol.Area{Size: 100}),
		"an empty area":                  sparse(protocol.Area{}),
		"another index":                  word(one, 8, 1),
		"a description beyond all bound": word(one, 0, 0xFFFFFFFF),
		"short":                          one[:31],
		"shorter than it says":           one[:50],
	} {
		c, _ := connect(t, Options{}, handlers{protocol.CommandRegionInfo: func(p *peer, m message) {
			i, err := protocol.ParseRegionInfo(m.payload)
			if err != nil {
				t.Error(err)
			}
			p.send(m.reply(payload[:min(len(payload), int(i.ArgSize))]...), fd)
		}})
		ok(t, c.Reset()) // both ends are there
		before := openFDs(t)
		_, err := c.Region(0)
		wants(t, name, err, protocol.ErrProtocol)
		ok(t, c.Reset())
		if after := openFDs(t); after != before {
			t.Errorf("%s: %d descriptors are open, %d before", name, after, before)
		}
	}
	// Sizes that are absurd but harm nobody are passed on, and mapping is refused.
	c, _ := connect(t, Options{}, handlers{protocol.CommandRegionInfo: func(p *peer, m message) {
		p.send(m.reply(protocol.RegionInfo{ArgSize: 32, Flags: mappable, Size: ^uint64(4095), Offset: 1 << 63}.Append(nil)...), fd)
	}})
	r, err := c.Region(0)
	ok(t, err)
	if r.Size != ^uint64(4095) {
		t.Errorf("region %+v", r)
	}
	for _, a := range []Area{{Size: ^uint64(4095)}, {Offset: 1 << 62, Size: 4096}, {Offset: 1<<63 - 4096, Size: 1 << 63}} {
		if _, err := c.Map(0, a); !errors.Is(err, ErrRange) && !errors.Is(err, ErrNotMappable) {
			t.Errorf("map %+v: %v", a, err)
		}
	}
}
