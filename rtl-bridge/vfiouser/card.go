// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/endpoint"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
)

// Regions and interrupt indices by VFIO's numbers.
const (
	configRegion = 7
	regions      = 9
	configSize   = 4096

	msixIndex    = 2
	errorIndex   = 3
	requestIndex = 4
	irqIndices   = 5
)

// host is a client as a NIC needs it; a *server.Host.
type host interface {
	Trigger(index, vector int) error
	ReadDMA(ctx context.Context, iova uint64, p []byte) error
	WriteDMA(ctx context.Context, iova uint64, p []byte) error
	TryReadDMA(ctx context.Context, iova uint64, p []byte) error
	TryWriteDMA(ctx context.Context, iova uint64, p []byte) error
}

// function is the NIC behind a card.
type function interface {
	BAR(n int) (pcie.BAR, error)
	ConfigRead(offset, width int) (uint32, error)
	ConfigWrite(offset, width int, value uint32) error
	Endpoint() *endpoint.Endpoint
	Info() pcie.Info
}

// card is what both kinds of NIC are to a server: configuration space, BARs and
// interrupts.
type card struct {
	fn  function
	ep  *endpoint.Endpoint
	log func(format string, args ...any)

	// client is the present one, nil if there is none.
	client atomic.Pointer[client]
	faults atomic.Uint64 // accesses refused since the client came

	irqs    sync.Mutex // guards what follows
	vectors []vector
	// forced: MSI-X was enabled because a vector has an eventfd.
	forced bool
}

// vector is what the client has said of one vector by SET_IRQS.
type vector struct{ bound, masked bool }

// client is one client, from Connect to Disconnect.
type client struct {
	host   host
	ctx    context.Context
	cancel context.CancelFunc
}

func (c *card) init(fn function) {
	c.fn, c.ep = fn, fn.Endpoint()
	c.vectors = make([]vector, fn.Info().Vectors)
}

// logTo returns a function that formats lines for log, which may be nil.
func logTo(log func(string)) func(format string, args ...any) {
	return func(format string, args ...any) {
		if log != nil {
			log(fmt.Sprintf(format, args...))
		}
	}
}

// Describe implements server.Device.
func (c *card) Describe() server.Description {
	d := server.Description{Regions: make([]server.Region, regions), IRQs: make([]server.IRQ, irqIndices), CanReset: true}
	for n, size := range c.fn.Info().BARs {
		if size > 0 {
			d.Regions[n] = server.Region{Size: size, Readable: true, Writable: true}
		}
	}
	d.Regions[configRegion] = server.Region{Size: configSize, Readable: true, Writable: true}
	d.IRQs[msixIndex] = server.IRQ{Count: len(c.vectors), Maskable: true}
	d.IRQs[errorIndex] = server.IRQ{Count: 1}
	d.IRQs[requestIndex] = server.IRQ{Count: 1}
	return d
}

func (c *card) connect(h host) *client {
	ctx, cancel := context.WithCancel(context.Background())
	now := &client{host: h, ctx: ctx, cancel: cancel}
	c.faults.Store(0)
	c.client.Store(now)
	return now
}

func (c *card) disconnect() {
	if was := c.client.Swap(nil); was != nil {
		was.cancel()
	}
}

// deliver sends an MSI-X message to the client. It may be called with the NIC's
// lock held.
func (c *card) deliver(m endpoint.Message) {
	if now := c.client.Load(); now != nil {
		// Without an eventfd the interrupt is lost, as one to nowhere is; with
		// the client gone too.
		_ = now.host.Trigger(msixIndex, m.Vector)
	}
}

// toldFaults is how many refused accesses of one client are worth a line.
const toldFaults = 16

// refused takes note of an access to host memory that was refused.
func (c *card) refused(f pcie.Fault, why error) {
	n := c.faults.Add(1)
	if n > toldFaults {
		return
	}
	direction, reason, more := "read of", "", ""
	if f.Write {
		direction = "write of"
	}
	if why != nil {
		reason = ": " + why.Error()
	}
	if n == toldFaults {
		more = "; further ones are not listed"
	}
	c.log("DMA refused: %s %d bytes at IOVA %#x%s%s", direction, f.Size, f.IOVA, reason, more)
}

// ReadRegion implements server.Device.
func (c *card) ReadRegion(index int, offset uint64, p []byte) error {
	if index == configRegion {
		return split(offset, p, 4, func(offset uint64, p []byte) error {
			v, err := c.fn.ConfigRead(int(offset), len(p))
			put(p, uint64(v))
			return err
		})
	}
	b, err := c.fn.BAR(index)
	if err != nil {
		return err
	}
	return split(offset, p, 8, func(offset uint64, p []byte) error {
		v, err := read(b, offset, len(p))
		put(p, v)
		return err
	})
}

// WriteRegion implements server.Device.
func (c *card) WriteRegion(index int, offset uint64, p []byte) error {
	if index == configRegion {
		return split(offset, p, 4, c.writeConfig)
	}
	b, err := c.fn.BAR(index)
	if err != nil {
		return err
	}
	return split(offset, p, 8, func(offset uint64, p []byte) error { return write(b, offset, p) })
}

// writeConfig is one access to configuration space.
func (c *card) writeConfig(offset uint64, p []byte) error {
	resets := c.ep.Resets()
	if err := c.fn.ConfigWrite(int(offset), len(p), uint32(get(p))); err != nil {
		return err
	}
	if c.ep.Resets() != resets {
		c.afterReset()
	}
	const enable = endpoint.OffsetMSIXControl + 1 // the byte with MSI-X Enable
	if offset <= enable && enable < offset+uint64(len(p)) {
		c.irqs.Lock()
		c.forced = false // from now on configuration space says it
		c.irqs.Unlock()
	}
	return nil
}

// SetVector implements server.Device.
func (c *card) SetVector(index, v int, bound, masked bool) {
	if index != msixIndex || v < 0 || v >= len(c.vectors) {
		return
	}
	c.irqs.Lock()
	c.vectors[v] = vector{bound, masked}
	any := false
	for _, x := range c.vectors {
		any = any || x.bound
	}
	enable := any && !c.ep.MSIXEnabled()
	disable := !any && c.forced
	if enable || disable {
		c.forced = enable
	}
	c.irqs.Unlock()
	if enable {
		c.ep.EnableMSIX(true)
	}
	if err := c.ep.MaskVector(v, !bound || masked); err != nil {
		c.log("interrupt vector %d: %v", v, err) // not reached: v is in range
	}
	if disable {
		c.ep.EnableMSIX(false)
	}
}

// Reset implements server.Device.
func (c *card) Reset() error {
	c.ep.FunctionReset()
	c.afterReset()
	return nil
}

// afterReset unmasks the vectors that have eventfds: those outlive the reset.
// MSI-X is off then, and the client enables it as it did at first.
func (c *card) afterReset() {
	c.irqs.Lock()
	c.forced = false
	vectors := append([]vector(nil), c.vectors...)
	c.irqs.Unlock()
	for v, x := range vectors {
		if x.bound && !x.masked {
			_ = c.ep.MaskVector(v, false) // v is in range
		}
	}
}

// split makes naturally aligned accesses of up to widest bytes of one of any
// size and place.
func split(offset uint64, p []byte, widest int, access func(offset uint64, p []byte) error) error {
	for len(p) > 0 {
		width := widest
		for width > len(p) || offset%uint64(width) != 0 {
			width /= 2
		}
		if err := access(offset, p[:width]); err != nil {
			return err
		}
		offset, p = offset+uint64(width), p[width:]
	}
	return nil
}

// put stores the bytes of a little-endian value, get reads them.
func put(p []byte, v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	copy(p, b[:])
}

func get(p []byte) uint64 {
	var b [8]byte
	copy(b[:], p)
	return binary.LittleEndian.Uint64(b[:])
}

func read(b pcie.BAR, offset uint64, width int) (uint64, error) {
	switch width {
	case 1:
		v, err := b.Read8(offset)
		return uint64(v), err
	case 2:
		v, err := b.Read16(offset)
		return uint64(v), err
	case 4:
		v, err := b.Read32(offset)
		return uint64(v), err
	case 8:
		return b.Read64(offset)
	}
	return 0, errors.New("access of impossible width")
}

func write(b pcie.BAR, offset uint64, p []byte) error {
	v := get(p)
	switch len(p) {
	case 1:
		return b.Write8(offset, uint8(v))
	case 2:
		return b.Write16(offset, uint16(v))
	case 4:
		return b.Write32(offset, uint32(v))
	}
	return b.Write64(offset, v)
}
