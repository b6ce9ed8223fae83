// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/espalier-nic/espalier/driver/offload"
)

// The structures of requests are built here from the public header's layout for
// 64-bit hosts, not by package offload, which is what they test.

var little = binary.LittleEndian

// bufferBase is the address that the host says its buffers have.
const bufferBase = 0xFFFF_8000_0012_3000

// objectHeader is type, revision and size of a structure.
func objectHeader(b []byte, revision byte, size int) {
	b[0], b[1] = 0x80, revision
	little.PutUint16(b[2:], uint16(size))
}

// rawAssociation writes the 48 bytes of a security association of an ESP SA with
// AES-GCM whose key is at the beginning of the key area.
func (f *flow) rawAssociation(b []byte) {
	if f.esn {
		little.PutUint32(b, 1)
		little.PutUint32(b[44:], f.hi)
	}
	little.PutUint32(b[4:], 2)
	little.PutUint32(b[8:], f.spi)
	little.PutUint32(b[28:], map[int]uint32{16: 8, 24: 0x10, 32: 0x20}[len(f.key)])
	little.PutUint32(b[32:], uint32(len(f.key)+4))
	little.PutUint32(b[40:], 16)
}

// rawFlags are direction and IP version.
func (f *flow) rawFlags() (flags uint32) {
	if f.inbound {
		flags |= 1
	}
	if f.ipv6 {
		flags |= 0x10
	}
	return flags
}

// rawAddSA is an ADD_SA list of the flows at bufferBase.
func rawAddSA(flows ...flow) []byte {
	var list []byte
	for i := range flows {
		f := &flows[i]
		size := (168 + len(f.key) + 4 + 7) / 8 * 8
		b := make([]byte, size)
		objectHeader(b, 1, 176)
		if i < len(flows)-1 {
			little.PutUint64(b[8:], bufferBase+uint64(len(list)+size))
		}
		little.PutUint32(b[16:], 1)
		little.PutUint32(b[20:], f.rawFlags())
		copy(b[24:], append(f.src.AsSlice(), f.dst.AsSlice()...))
		f.rawAssociation(b[68:])
		little.PutUint32(b[164:], uint32(len(f.key)+4))
		copy(b[168:], append(bytes.Clone(f.key), f.salt[:]...))
		list = append(list, b...)
	}
	return list
}

// rawAddSAEx is an ADD_SA_EX structure with gap bytes in front of the key.
func rawAddSAEx(f *flow, gap int) []byte {
	b := bytes.Repeat([]byte{0xEE}, 176+gap)
	clear(b[:176])
	objectHeader(b, 1, 176)
	little.PutUint32(b[4:], 1)
	little.PutUint32(b[8:], f.rawFlags())
	copy(b[12:], append(f.src.AsSlice(), f.dst.AsSlice()...))
	f.rawAssociation(b[60:])
	little.PutUint32(b[156:], uint32(len(f.key)+4))
	little.PutUint32(b[160:], uint32(176+gap))
	return append(append(b, f.key...), f.salt[:]...)
}

// rawUpdateSA is an UPDATE_SA structure.
func rawUpdateSA(handle offload.OffloadHandle, spi, hi uint32) []byte {
	b := make([]byte, 32)
	objectHeader(b, 1, 32)
	little.PutUint64(b[8:], uint64(handle))
	little.PutUint32(b[16:], 2)
	little.PutUint32(b[20:], spi)
	little.PutUint32(b[24:], hi)
	return b
}

// rawDeleteSA is a DELETE_SA list at bufferBase.
func rawDeleteSA(handles ...offload.OffloadHandle) []byte {
	b := make([]byte, 24*len(handles))
	for i, handle := range handles {
		objectHeader(b[24*i:], 1, 24)
		if i < len(handles)-1 {
			little.PutUint64(b[24*i+8:], bufferBase+uint64(24*(i+1)))
		}
		little.PutUint64(b[24*i+16:], uint64(handle))
	}
	return b
}

// rawParameters is OID_TCP_OFFLOAD_PARAMETERS of revision 2.
func rawParameters(ipsecV2, ipsecV2IPv4 byte) []byte {
	b := make([]byte, 24)
	objectHeader(b, 2, 24)
	b[20], b[21] = ipsecV2, ipsecV2IPv4
	return b
}

// addEx adds one SA as ADD_SA and, with bytes in front of the key, as ADD_SA_EX.
func addEx(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	for _, keyLen := range []int{16, 24, 32} {
		f := newFlow(spiOut+uint32(keyLen), false, keyLen == 24, keyLen)
		list, ex := rawAddSA(f), rawAddSAEx(&f, 13)
		var frames [2][]byte
		for i, request := range []struct {
			oid      offload.OID
			buffer   []byte
			handleAt int
		}{{offload.OIDAddSA, list, 56}, {offload.OIDAddSAEx, ex, 48}} {
			if status, err := c.a.Request(ctx, request.oid, request.buffer, bufferBase); status != offload.StatusSuccess {
				return fmt.Errorf("%v ended with %v: %w", request.oid, status, err)
			}
			t, err := f.accepted(&offload.AddSA{OffloadHandle: offload.OffloadHandle(little.Uint64(request.buffer[request.handleAt:]))})
			if err != nil {
				return fmt.Errorf("%v: %w", request.oid, err)
			}
			plain := t.plain(100, 1)
			out, err := t.framed(plain)
			if err != nil {
				return err
			}
			left, err := c.sendGood(ctx, out)
			if err != nil {
				return err
			}
			if err := t.accept(left[0], out, plain); err != nil {
				return fmt.Errorf("%v: %w", request.oid, err)
			}
			frames[i] = left[0]
		}
		if !bytes.Equal(frames[0], frames[1]) {
			return fmt.Errorf("ADD_SA and ADD_SA_EX differ on the wire at byte %d", firstDifference(frames[0], frames[1]))
		}
	}
	// The others as binary requests, for once.
	in := esnFlow(spiIn, true, false, 5)
	buffer := rawAddSA(in)
	if status, err := c.a.Request(ctx, offload.OIDAddSA, buffer, bufferBase); status != offload.StatusSuccess {
		return fmt.Errorf("ADD_SA ended with %v: %w", status, err)
	}
	t, err := in.accepted(&offload.AddSA{OffloadHandle: offload.OffloadHandle(little.Uint64(buffer[56:]))})
	if err != nil {
		return err
	}
	if status, err := c.a.Request(ctx, offload.OIDUpdateSA, rawUpdateSA(t.offload, in.spi, 6), bufferBase); status != offload.StatusSuccess {
		return fmt.Errorf("UPDATE_SA ended with %v: %w", status, err)
	}
	t.peer, t.last = t.peer.WithESNHi(6), 6<<32
	if err := c.works(ctx, t); err != nil {
		return err
	}
	if status, err := c.a.Request(ctx, offload.OIDDeleteSA, rawDeleteSA(t.offload), bufferBase); status != offload.StatusSuccess {
		return fmt.Errorf("DELETE_SA ended with %v: %w", status, err)
	}
	return c.idle(ctx, t)
}

// badParameterBuffers sets parameters in buffers that are not right.
func badParameterBuffers(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	_ = c.indicated()
	before := c.a.CurrentConfiguration().IPsecV2
	for what, change := range map[string]func([]byte) []byte{
		"value 5":           func(b []byte) []byte { b[20] = 5; return b },
		"wrong type":        func(b []byte) []byte { b[0] = 0x81; return b },
		"type 0":            func(b []byte) []byte { b[0] = 0; return b },
		"revision 0":        func(b []byte) []byte { b[1] = 0; return b },
		"size too small":    func(b []byte) []byte { b[2] = 4; return b },
		"buffer of 19":      func(b []byte) []byte { return b[:19] },
		"buffer of 3":       func(b []byte) []byte { return b[:3] },
		"no buffer":         func([]byte) []byte { return nil },
		"checksum value 77": func(b []byte) []byte { b[4] = 77; return b },
	} {
		status, err := c.a.Request(ctx, offload.OIDTCPOffloadParameters, change(rawParameters(1, 0)), bufferBase)
		if status != offload.StatusInvalidData && status != offload.StatusInvalidLength {
			return fmt.Errorf("%s: the set ended with %v: %w", what, status, err)
		}
		if err := c.unchanged(before); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if status, err := c.a.Request(ctx, offload.OIDTCPOffloadParameters, rawParameters(1, 0), bufferBase); status != offload.StatusSuccess {
		return fmt.Errorf("a good set ended with %v: %w", status, err)
	}
	now, err := c.current()
	if err != nil {
		return err
	}
	return expected(c.a.HardwareCapabilities().IPsecV2, false, false)(now)
}

// badAddBuffers adds SAs in buffers with one thing wrong each.
func badAddBuffers(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	flows := []flow{newFlow(0x700, true, false, 16), newFlow(0x701, true, false, 16)}
	second := 168 + 24 // 20 bytes of key, rounded up
	for what, change := range map[string]func([]byte) []byte{
		"loop to itself":         func(b []byte) []byte { little.PutUint64(b[second+8:], bufferBase+uint64(second)); return b },
		"loop to the first":      func(b []byte) []byte { little.PutUint64(b[second+8:], bufferBase); return b },
		"Next below the buffer":  func(b []byte) []byte { little.PutUint64(b[8:], bufferBase-8); return b },
		"Next above the buffer":  func(b []byte) []byte { little.PutUint64(b[8:], bufferBase+1<<20); return b },
		"Next at the end":        func(b []byte) []byte { little.PutUint64(b[8:], bufferBase+uint64(len(b))); return b },
		"Next misaligned":        func(b []byte) []byte { little.PutUint64(b[8:], bufferBase+uint64(second)+4); return b },
		"Next into the first":    func(b []byte) []byte { little.PutUint64(b[8:], bufferBase+64); return b },
		"key over the second":    func(b []byte) []byte { little.PutUint32(b[164:], uint32(len(b)-168)); return b },
		"KeyLength behind":       func(b []byte) []byte { little.PutUint32(b[second+164:], 29); return b },
		"KeyLength 2^32-1":       func(b []byte) []byte { little.PutUint32(b[second+164:], 1<<32-1); return b },
		"wrong type":             func(b []byte) []byte { b[0] = 0x81; return b },
		"revision 0":             func(b []byte) []byte { b[second+1] = 0; return b },
		"both NumExtHdrs 0":      func(b []byte) []byte { b[16], b[second+16] = 0, 0; return b },
		"both NumExtHdrs 3":      func(b []byte) []byte { b[16], b[second+16] = 3, 3; return b },
		"both KeyOffset outside": func(b []byte) []byte { little.PutUint32(b[104:], 1); little.PutUint32(b[second+104:], 1<<31); return b },
	} {
		buffer := change(rawAddSA(flows...))
		status, err := c.a.Request(ctx, offload.OIDAddSA, buffer, bufferBase)
		if status != offload.StatusInvalidData {
			return fmt.Errorf("%s: ADD_SA ended with %v, right is %v: %w", what, status, offload.StatusInvalidData, err)
		}
		if err := c.holds(0); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	f := newFlow(0x700, true, false, 16)
	for what, change := range map[string]func([]byte) []byte{
		"KeyOffset in the structure": func(b []byte) []byte { little.PutUint32(b[160:], 40); return b },
		"KeyOffset behind":           func(b []byte) []byte { little.PutUint32(b[160:], 177); return b },
		"KeyOffset 2^32-1":           func(b []byte) []byte { little.PutUint32(b[160:], 1<<32-1); return b },
		"KeyLength behind":           func(b []byte) []byte { little.PutUint32(b[156:], 21); return b },
	} {
		status, err := c.a.Request(ctx, offload.OIDAddSAEx, change(rawAddSAEx(&f, 0)), bufferBase)
		if status != offload.StatusInvalidData {
			return fmt.Errorf("%s: ADD_SA_EX ended with %v, right is %v: %w", what, status, offload.StatusInvalidData, err)
		}
		if err := c.holds(0); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

// mutate damages a request: bytes, words that matter, and its length.
func mutate(b []byte, rng *rand.Rand) []byte {
	for range 1 + rng.IntN(3) {
		if len(b) == 0 {
			return b
		}
		switch at := rng.IntN(len(b)); rng.IntN(6) {
		case 0:
			b[at] = byte(rng.Uint32())
		case 1:
			b[at] ^= 1 << rng.IntN(8)
		case 2:
			if at = at &^ 3; at+4 <= len(b) {
				few := []uint32{0, 1, 2, 3, 16, 20, 28, 36, 168, 176, 1 << 31, 1<<32 - 1, 1<<32 - 20, uint32(len(b))}
				little.PutUint32(b[at:], few[rng.IntN(len(few))])
			}
		case 3:
			if at = at &^ 7; at+8 <= len(b) {
				little.PutUint64(b[at:], bufferBase+uint64(rng.IntN(2*len(b)))-8)
			}
		case 4:
			b = b[:at]
		case 5:
			b = append(b, make([]byte, rng.IntN(40))...)
		}
	}
	return b
}

// mutatedRequests makes damaged requests: each has an answer, and what is
// refused has changed nothing.
func mutatedRequests(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	out, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	n := b.count(1_000_000, 1_000_000, 1000)
	rng := rand.New(rand.NewPCG(8, 9))
	f, g := esnFlow(0x700, true, false, 7), newFlow(0x701, false, true, 32)
	templates := []struct {
		oid    offload.OID
		buffer []byte
	}{
		{offload.OIDAddSA, rawAddSA(f, g)}, {offload.OIDAddSAEx, rawAddSAEx(&g, 5)},
		{offload.OIDUpdateSA, rawUpdateSA(out.offload, spiOut, 3)}, {offload.OIDDeleteSA, rawDeleteSA(^out.offload, ^in.offload)},
	}
	answered := map[offload.Status]int{}
	scratch := make([]byte, 0, 1024)
	for i := range n {
		template := templates[i%len(templates)]
		buffer := mutate(append(scratch[:0], template.buffer...), rng)
		status, err := c.surely(ctx, template.oid, buffer)
		answered[status]++
		if status != offload.StatusSuccess {
			if offload.StatusOf(err) != status || err == nil {
				return fmt.Errorf("request %d, %v: the status is %v and the error %w", i, template.oid, status, err)
			}
			if i%64 == 0 && len(c.ListSAs()) != 2 {
				return fmt.Errorf("one of %d requests up to number %d was refused and has changed the table", 64, i)
			}
			continue
		}
		for _, s := range c.a.ListSAs() {
			if s.Handle != out.offload && s.Handle != in.offload {
				if err := c.a.DeleteSA(ctx, s.Handle); err != nil {
					return err
				}
			}
		}
		if err := c.holds(2); err != nil {
			return fmt.Errorf("request %d, %v: %w", i, template.oid, err)
		}
	}
	if err := c.holds(2); err != nil {
		return err
	}
	for status, count := range answered {
		switch status {
		case offload.StatusSuccess, offload.StatusInvalidData, offload.StatusInvalidLength, offload.StatusInvalidParameter,
			offload.StatusNotSupported, offload.StatusBufferTooShort, offload.StatusFailure:
		default:
			return fmt.Errorf("%d requests ended with %v", count, status)
		}
	}
	if answered[offload.StatusSuccess] == 0 || answered[offload.StatusInvalidData] == 0 {
		return fmt.Errorf("the answers were %v: nothing was shown", answered)
	}
	return c.works(ctx, out, in)
}

// surely is Request, of which a panic is an error too.
func (c *card) surely(ctx context.Context, oid offload.OID, buffer []byte) (status offload.Status, err error) {
	defer func() {
		if p := recover(); p != nil {
			status, err = 0xFFFFFFFF, fmt.Errorf("%v: panic: %v", oid, p)
		}
	}()
	return c.a.Request(ctx, oid, buffer, bufferBase)
}
