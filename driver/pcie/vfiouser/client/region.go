// SPDX-License-Identifier: Apache-2.0

package client

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// Region describes a region of the device.
type Region struct {
	// Size is in bytes; 0: the device does not have it.
	Size uint64
	// Readable and Writable say which accesses it takes.
	Readable, Writable bool
	// Areas are the parts that can be mapped, ascending and apart.
	Areas []Area
}

// Area is a part of a region, in bytes.
type Area struct{ Offset, Size uint64 }

// region is a Region with the file that it is mapped from.
type region struct {
	Region
	fd     int // -1: none
	offset uint64
}

func (r *region) close() {
	if r.fd >= 0 {
		closeFDs([]int{r.fd})
	}
}

// maxRegionInfo is the most bytes of one region's description: its areas.
const maxRegionInfo = 64 << 10

// Region describes a region. The server is asked once.
func (c *Client) Region(index int) (Region, error) {
	r, err := c.region(index)
	if err != nil {
		return Region{}, err
	}
	described := r.Region
	described.Areas = slices.Clone(r.Areas)
	return described, nil
}

// region returns what is known about a region, and asks for it if nothing is.
func (c *Client) region(index int) (*region, error) {
	if index < 0 || index >= c.info.Regions {
		return nil, fmt.Errorf("vfio-user: region %d of %d: %w", index, c.info.Regions, ErrRange)
	}
	c.mu.Lock()
	err, known := c.dead, c.regions[index]
	c.mu.Unlock()
	if err != nil || known != nil {
		return known, err
	}
	r, err := c.askRegion(index)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead != nil {
		r.close()
		return nil, c.dead
	}
	if known := c.regions[index]; known != nil { // asked twice at once
		r.close()
		return known, nil
	}
	c.regions[index] = r
	return r, nil
}

// askRegion sends DEVICE_GET_REGION_INFO, once more if the answer needs more room.
func (c *Client) askRegion(index int) (*region, error) {
	info, fds, err := c.regionInfo(index, protocol.RegionInfoSize)
	if err == nil && info.ArgSize > protocol.RegionInfoSize {
		closeFDs(fds)
		info, fds, err = c.regionInfo(index, info.ArgSize)
	}
	if err == nil && info.Index != uint32(index) {
		closeFDs(fds)
		err = fmt.Errorf("vfio-user: %s: %w: region %d is described as region %d", protocol.CommandRegionInfo, protocol.ErrProtocol, index, info.Index)
	}
	if err != nil {
		return nil, err
	}
	r := &region{
		Region: Region{
			Size:     info.Size,
			Readable: info.Flags&protocol.RegionRead != 0,
			Writable: info.Flags&protocol.RegionWrite != 0,
		},
		fd:     -1,
		offset: info.Offset,
	}
	if len(fds) > 0 && info.Flags&protocol.RegionMmap != 0 {
		r.fd, fds = fds[0], fds[1:]
		r.Areas, err = areas(info)
		if err != nil {
			r.close()
		}
	}
	closeFDs(fds)
	if err != nil {
		return nil, fmt.Errorf("vfio-user: %s: %w", protocol.CommandRegionInfo, err)
	}
	return r, nil
}

// regionInfo sends DEVICE_GET_REGION_INFO with room for a reply of size bytes. The
// descriptors that it returns are the caller's.
func (c *Client) regionInfo(index int, size uint32) (protocol.RegionInfo, []int, error) {
	if size > maxRegionInfo {
		return protocol.RegionInfo{}, nil, fmt.Errorf("vfio-user: %s: %w", protocol.CommandRegionInfo,
			&protocol.SizeError{Item: fmt.Sprintf("description of region %d", index), Size: uint64(size), Min: protocol.RegionInfoSize, Max: maxRegionInfo})
	}
	cl := newCall(protocol.CommandRegionInfo)
	defer cl.free()
	cl.request = protocol.RegionInfo{ArgSize: size, Index: uint32(index)}.Append(cl.request)
	reply := make([]byte, size)
	cl.reply = reply
	cl.wantFDs = true
	if err := c.do(cl, c.opts.Timeout); err != nil {
		return protocol.RegionInfo{}, nil, err
	}
	reply = reply[:cl.got]
	if size == protocol.RegionInfoSize && len(reply) == protocol.RegionInfoSize {
		// Capabilities that did not find room are not there, whatever the
		// flags say, and are asked for.
		info, err := protocol.ParseRegionInfo(reply)
		if err != nil && info.ArgSize > size {
			err = nil
		}
		if err == nil {
			return info, cl.replyFDs, nil
		}
		closeFDs(cl.replyFDs)
		return info, nil, fmt.Errorf("vfio-user: %s: %w", cl.command, err)
	}
	info, err := protocol.ParseRegionInfo(reply)
	if err != nil {
		closeFDs(cl.replyFDs)
		return info, nil, fmt.Errorf("vfio-user: %s: %w", cl.command, err)
	}
	return info, cl.replyFDs, nil
}

// areas returns the parts of a region that can be mapped.
func areas(info protocol.RegionInfo) ([]Area, error) {
	var all []Area
	for _, a := range info.Areas {
		all = append(all, Area(a))
	}
	if info.Flags&protocol.RegionCaps == 0 && info.Size > 0 {
		all = []Area{{Size: info.Size}}
	}
	page := uint64(os.Getpagesize())
	slices.SortFunc(all, func(a, b Area) int { return cmp.Compare(a.Offset, b.Offset) })
	var end uint64
	for _, a := range all {
		if a.Offset%page != 0 || a.Size%page != 0 || a.Size == 0 || a.Offset < end {
			return nil, fmt.Errorf("%w: region %d: an area of %#x bytes at %#x that can be mapped: not whole pages, or areas overlap", protocol.ErrProtocol, info.Index, a.Size, a.Offset)
		}
		end = a.Offset + a.Size
	}
	return all, nil
}

// access checks an access and returns an error for what cannot be.
func (c *Client) access(index int, offset uint64, size int) error {
	if index < 0 || index >= c.info.Regions {
		return fmt.Errorf("vfio-user: region %d of %d: %w", index, c.info.Regions, ErrRange)
	}
	if size == 0 || offset+uint64(size) < offset {
		return fmt.Errorf("vfio-user: access of %d bytes at %#x: %w", size, offset, ErrRange)
	}
	return nil
}

// most is how many bytes of a region are read or written by one command.
func (c *Client) most() int {
	return int(min(c.server.Capabilities.MaxDataXferSize, maxMaxTransfer))
}

// Read reads len(p) bytes of a region at offset: with one command unless they are
// more than the server moves at once.
func (c *Client) Read(index int, offset uint64, p []byte) error {
	if err := c.access(index, offset, len(p)); err != nil {
		return err
	}
	for most := c.most(); len(p) > 0; {
		n := min(len(p), most)
		if err := c.read(index, offset, p[:n]); err != nil {
			return err
		}
		offset, p = offset+uint64(n), p[n:]
	}
	return nil
}

func (c *Client) read(index int, offset uint64, p []byte) error {
	cl := newCall(protocol.CommandRegionRead)
	defer cl.free()
	asked := protocol.RegionAccess{Offset: offset, Region: uint32(index), Count: uint32(len(p))}
	cl.request = asked.Append(cl.request)
	cl.reply = cl.scratch[len(cl.request):][:protocol.RegionAccessSize]
	cl.into = p
	if err := c.do(cl, c.opts.Timeout); err != nil {
		return err
	}
	if cl.got != protocol.RegionAccessSize+len(p) {
		return c.breach(&protocol.SizeError{Item: "REGION_READ reply", Size: uint64(cl.got), Min: protocol.RegionAccessSize + uint64(len(p)), Max: protocol.RegionAccessSize + uint64(len(p))})
	}
	return c.echo(cl, asked)
}

// echo checks that a reply is about the access that was asked for.
func (c *Client) echo(cl *call, asked protocol.RegionAccess) error {
	got, err := protocol.ParseRegionAccess(cl.reply[:min(cl.got, len(cl.reply))])
	if err != nil {
		return c.breach(err)
	}
	if got.Offset != asked.Offset || got.Region != asked.Region || got.Count != asked.Count {
		return c.breach(fmt.Errorf("%w: %s of %d bytes at %#x of region %d is answered as %d bytes at %#x of region %d", protocol.ErrProtocol, cl.command,
			asked.Count, asked.Offset, asked.Region, got.Count, got.Offset, got.Region))
	}
	return nil
}

// breach ends the connection for what a server did against the protocol.
func (c *Client) breach(err error) error {
	c.end(err)
	return c.Err()
}

// Write writes p to a region at offset and waits until the device has it: with one
// command unless it is more than the server moves at once.
func (c *Client) Write(index int, offset uint64, p []byte) error {
	return c.write(index, offset, p, false)
}

// Post writes p to a region at offset and does not wait (a posted write): errors
// of the device go unnoticed. Later commands reach the device after it.
func (c *Client) Post(index int, offset uint64, p []byte) error {
	return c.write(index, offset, p, !c.opts.NoPostedWrites)
}

func (c *Client) write(index int, offset uint64, p []byte, posted bool) error {
	if err := c.access(index, offset, len(p)); err != nil {
		return err
	}
	for most := c.most(); len(p) > 0; {
		n := min(len(p), most)
		if err := c.writeOne(index, offset, p[:n], posted); err != nil {
			return err
		}
		offset, p = offset+uint64(n), p[n:]
	}
	return nil
}

func (c *Client) writeOne(index int, offset uint64, p []byte, posted bool) error {
	cl := newCall(protocol.CommandRegionWrite)
	defer cl.free()
	asked := protocol.RegionAccess{Offset: offset, Region: uint32(index), Count: uint32(len(p))}
	cl.request = asked.Append(cl.request)
	if len(p) <= 8 {
		cl.request = append(cl.request, p...)
	} else {
		cl.data = p
	}
	if posted {
		return c.post(cl)
	}
	cl.reply = cl.scratch[len(cl.request):][:protocol.RegionAccessSize]
	if err := c.do(cl, c.opts.Timeout); err != nil {
		return err
	}
	return c.echo(cl, asked)
}

// RegionWrite is one write of PostAll.
type RegionWrite struct {
	Region int
	Offset uint64
	Data   []byte // 1 to 8 bytes
}

// PostAll does several small posted writes, in one message where the server
// understands that.
func (c *Client) PostAll(writes []RegionWrite) error {
	for _, w := range writes {
		if err := c.access(w.Region, w.Offset, len(w.Data)); err != nil {
			return err
		}
		if len(w.Data) > 8 {
			return fmt.Errorf("vfio-user: small write of %d bytes, allowed are 1 to 8: %w", len(w.Data), ErrRange)
		}
	}
	if !c.server.Capabilities.WriteMultiple || c.opts.NoPostedWrites || len(writes) == 1 {
		for _, w := range writes {
			if err := c.Post(w.Region, w.Offset, w.Data); err != nil {
				return err
			}
		}
		return nil
	}
	// Each takes 24 bytes in the message.
	for most := max(1, c.most()/24); len(writes) > 0; {
		n := min(len(writes), most)
		cl := newCall(protocol.CommandWriteMulti)
		all := make([]protocol.RegionAccess, n)
		for i, w := range writes[:n] {
			all[i] = protocol.RegionAccess{Offset: w.Offset, Region: uint32(w.Region), Data: w.Data}
		}
		cl.data = protocol.AppendWriteMulti(nil, all)
		err := c.post(cl)
		cl.free()
		if err != nil {
			return err
		}
		writes = writes[n:]
	}
	return nil
}

// Map maps an area of a region, or whole pages of one, shared with the device. The
// mapping is valid until Unmap, whatever becomes of the connection.
func (c *Client) Map(index int, a Area) ([]byte, error) {
	r, err := c.region(index)
	if err != nil {
		return nil, err
	}
	page := uint64(os.Getpagesize())
	inside := slices.ContainsFunc(r.Areas, func(whole Area) bool {
		return a.Offset >= whole.Offset && a.Size <= whole.Size && a.Offset-whole.Offset <= whole.Size-a.Size
	})
	if !inside || a.Size == 0 || a.Offset%page != 0 || a.Size%page != 0 || r.offset > math.MaxUint64-a.Offset {
		return nil, fmt.Errorf("vfio-user: %#x bytes at %#x of region %d: %w", a.Size, a.Offset, index, ErrNotMappable)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead != nil {
		return nil, c.dead
	}
	m, err := mapShared(r.fd, r.offset+a.Offset, a.Size, r.Readable, r.Writable)
	if err != nil {
		return nil, fmt.Errorf("vfio-user: map %#x bytes at %#x of region %d: %w", a.Size, a.Offset, index, err)
	}
	return m, nil
}

// Unmap unmaps what Map returned.
func (c *Client) Unmap(mapping []byte) error {
	if err := unmap(mapping); err != nil {
		return fmt.Errorf("vfio-user: unmap: %w", err)
	}
	return nil
}
