// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// dmaMap handles DMA_MAP.
func (s *session) dmaMap(r *protocol.Request) error {
	p, err := protocol.ParseDMAMap(r.Payload)
	if err != nil {
		return err
	}
	if len(r.FDs) > 1 {
		return refusal(protocol.EINVAL, "DMA_MAP with %d descriptors", len(r.FDs))
	}
	if _, ok := lastOf(p.Address, p.Size); !ok {
		return refusal(protocol.EINVAL, "map %#x bytes at IOVA %#x: no such range", p.Size, p.Address)
	}
	m := &mapping{Mapping: Mapping{
		IOVA: p.Address, Size: p.Size,
		Readable: p.Flags&protocol.DMAMapRead != 0,
		Writable: p.Flags&protocol.DMAMapWrite != 0,
	}}
	if file := r.FDs.TakeFile(0, "client memory"); file != nil {
		m.File, m.Offset = file, int64(p.Offset)
		if m.memory, err = openMemory(file, p.Offset, p.Size, m.Writable); err != nil {
			file.Close()
			return err
		}
	}
	if err := s.maps.add(m); err != nil {
		m.close()
		return err
	}
	if err := s.device.Map(m.Mapping); err != nil {
		_, _ = s.maps.remove(m.IOVA, m.Size)
		m.users.Wait()
		m.close()
		return err
	}
	s.counts.maps.Add(1)
	if m.File == nil && m.Writable && !s.maps.anyShared() {
		s.warnMessageMode("the client maps its memory")
	}
	return r.Reply(nil, nil)
}

// close gives up the mapping's memory and file.
func (m *mapping) close() {
	if m.memory != nil {
		m.memory.close()
	}
	if m.File != nil {
		m.File.Close()
	}
}

// dmaUnmap handles DMA_UNMAP. All mappings inside the range go, as in Linux's VFIO:
// when a guest's IOMMU is switched, QEMU unmaps the whole address space in large
// powers of two. A range without mappings is answered well, since there is nothing
// left to reach; some clients cannot take an error here.
func (s *session) dmaUnmap(r *protocol.Request) error {
	p, err := protocol.ParseDMAUnmap(r.Payload)
	if err != nil {
		return err
	}
	if p.Flags&^protocol.DMAUnmapAll != 0 {
		return refusal(protocol.EINVAL, "DMA_UNMAP with flags %#x", p.Flags)
	}
	var removed []*mapping
	if p.Flags&protocol.DMAUnmapAll != 0 {
		if p.Address != 0 || p.Size != 0 {
			return refusal(protocol.EINVAL, "DMA_UNMAP of everything with IOVA %#x and size %#x instead of 0", p.Address, p.Size)
		}
		removed = s.maps.removeAll()
	} else if removed, err = s.maps.remove(p.Address, p.Size); err != nil {
		return err
	}
	if len(removed) == 0 {
		s.counts.emptyUnmaps.Add(1)
	}
	var failed error
	for _, m := range removed {
		failed = errors.Join(failed, s.withdraw(m))
	}
	if failed != nil {
		return failed
	}
	s.reply = p.Append(s.reply[:0])
	return r.Reply(s.reply, nil)
}

// withdraw ends the device's access to a mapping that is not in the table any more.
func (s *session) withdraw(m *mapping) error {
	err := s.device.Unmap(m.Mapping)
	m.users.Wait()
	m.close()
	s.counts.unmaps.Add(1)
	return err
}

// access is one access of the device to client memory.
type access struct {
	iova  uint64
	data  []byte
	write bool
}

// part is n bytes of it from offset done.
func (a access) part(done, n int) access {
	return access{a.iova + uint64(done), a.data[done : done+n], a.write}
}

// caller is how a message is sent, a method of protocol.Conn.
type caller func(c *protocol.Conn, ctx context.Context, command protocol.Command, payload []byte, fds []int) (*protocol.Reply, error)

// dma carries out an access, range by range.
func (s *session) dma(ctx context.Context, a access, call caller) error {
	err := s.transfer(ctx, a, call)
	if err == nil {
		return nil
	}
	s.counts.dmaErrors.Add(1)
	if errors.Is(err, protocol.ErrClosed) {
		err = ErrDisconnected
	}
	return &DMAError{IOVA: a.iova, Size: len(a.data), Write: a.write, Err: err}
}

func (s *session) transfer(ctx context.Context, a access, call caller) error {
	if len(a.data) == 0 {
		return nil
	}
	if _, ok := lastOf(a.iova, uint64(len(a.data))); !ok {
		return protocol.EFAULT
	}
	for done := 0; done < len(a.data); {
		m, n := s.maps.find(a.iova+uint64(done), len(a.data)-done)
		part := a.part(done, n)
		var err error
		switch {
		case m != nil && m.memory != nil:
			err = s.direct(m, part)
			m.users.Done()
		case m != nil && !m.allows(a.write):
			err = protocol.EACCES
		default:
			if m != nil {
				s.warnMessageMode("the device uses memory that the client maps")
			}
			err = s.byMessage(ctx, part, call)
		}
		if err != nil {
			return err
		}
		done += n
	}
	return nil
}

func (m *mapping) allows(write bool) bool {
	if write {
		return m.Writable
	}
	return m.Readable
}

// direct reaches shared memory.
func (s *session) direct(m *mapping, a access) error {
	if !m.allows(a.write) {
		return protocol.EACCES
	}
	offset := a.iova - m.IOVA
	if a.write {
		if err := m.memory.write(offset, a.data); err != nil {
			return err
		}
		s.counts.descriptorWritten.Add(uint64(len(a.data)))
		return nil
	}
	if err := m.memory.read(offset, a.data); err != nil {
		return err
	}
	s.counts.descriptorRead.Add(uint64(len(a.data)))
	return nil
}

// byMessage asks the client, in pieces that it takes.
func (s *session) byMessage(ctx context.Context, a access, call caller) error {
	ctx, cancel := context.WithTimeout(ctx, s.server.options.DMATimeout)
	defer cancel()
	if s.whileWaiting {
		call = (*protocol.Conn).Call
	}
	for done := 0; done < len(a.data); {
		n := min(len(a.data)-done, s.maxMessage)
		if err := s.message(ctx, a.part(done, n), call); err != nil {
			return err
		}
		done += n
	}
	return nil
}

// message does one DMA_READ or DMA_WRITE and waits for the answer.
func (s *session) message(ctx context.Context, a access, call caller) error {
	request := protocol.DMAAccess{Address: a.iova, Count: uint64(len(a.data))}
	command := protocol.CommandDMARead
	if a.write {
		command, request.Data = protocol.CommandDMAWrite, a.data
	}
	reply, err := call(s.conn, ctx, command, request.Append(nil), nil)
	if err != nil {
		return err
	}
	defer reply.Release()
	if a.write {
		if err := protocol.CheckDMAWriteReply(reply.Payload, request.Address, request.Count); err != nil {
			return err
		}
		s.counts.messageWritten.Add(request.Count)
		return nil
	}
	answer, err := protocol.ParseDMAData(reply.Payload)
	if err != nil {
		return err
	}
	if answer.Address != request.Address || answer.Count != request.Count {
		return refusal(protocol.EIO, "reply to DMA_READ of %d bytes at %#x has %d bytes at %#x", request.Count, request.Address, answer.Count, answer.Address)
	}
	copy(a.data, answer.Data)
	s.counts.messageRead.Add(request.Count)
	return nil
}
