// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/client"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
)

// dmaMemory is the client's memory: more than the caches that are one core's own.
const dmaMemory = 32 << 20

// MeasureDMA measures a vfio-user server's accesses to memory that the client
// shares by descriptor, and memcpy between the same memory and the same buffer.
func MeasureDMA(ctx context.Context, quick bool) (_ []DMASpeed, err error) {
	rounds, span := 15, 20*time.Millisecond
	if quick {
		rounds, span = 5, 4*time.Millisecond
	}
	m, err := newSharedMemory(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	var list []DMASpeed
	for _, block := range []int{2048, 64 << 10, 1 << 20} {
		d, err := m.measure(ctx, block, rounds, span)
		if err != nil {
			return nil, fmt.Errorf("DMA in blocks of %d bytes: %w", block, err)
		}
		list = append(list, d)
	}
	return list, nil
}

// dmaDevice is a device without anything, for its Host.
type dmaDevice struct{ host chan *server.Host }

func (d *dmaDevice) Describe() server.Description                { return server.Description{} }
func (d *dmaDevice) Connect(h *server.Host) error                { d.host <- h; return nil }
func (d *dmaDevice) Disconnect()                                 {}
func (d *dmaDevice) ReadRegion(_ int, _ uint64, _ []byte) error  { return os.ErrInvalid }
func (d *dmaDevice) WriteRegion(_ int, _ uint64, _ []byte) error { return os.ErrInvalid }
func (d *dmaDevice) Map(server.Mapping) error                    { return nil }
func (d *dmaDevice) Unmap(server.Mapping) error                  { return nil }
func (d *dmaDevice) SetVector(_, _ int, _, _ bool)               {}
func (d *dmaDevice) Reset() error                                { return nil }

// sharedMemory is memory of a client that a server reaches.
type sharedMemory struct {
	host   *server.Host
	memory []byte
	undo   []func() error // last first
}

// newSharedMemory connects a client and a server by a socket pair.
func newSharedMemory(ctx context.Context) (_ *sharedMemory, err error) {
	m := &sharedMemory{}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	near, far, err := socketPair()
	if err != nil {
		return nil, err
	}
	device := &dmaDevice{host: make(chan *server.Host, 1)}
	s, err := server.New(device, server.Options{})
	if err != nil {
		return nil, errors.Join(err, near.Close(), far.Close())
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.ServeConn(serving, far)
	}()
	m.undo = append(m.undo, func() error { stop(); <-served; return nil })
	c, err := client.New(near, client.Options{})
	if err = errors.Join(err, near.Close()); err != nil {
		return nil, err
	}
	m.undo = append(m.undo, c.Close)
	m.host = <-device.host
	fd, err := unix.MemfdCreate("espalier-bench", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	m.undo = append(m.undo, func() error { return unix.Close(fd) })
	if err := unix.Ftruncate(fd, dmaMemory); err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	if m.memory, err = unix.Mmap(fd, 0, dmaMemory, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE); err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	m.undo = append(m.undo, func() error { return unix.Munmap(m.memory) })
	for i := range m.memory {
		m.memory[i] = byte(i * i >> 4)
	}
	return m, c.MapDMA(client.Mapping{Address: dmaMemory, Memory: m.memory, FD: fd, Readable: true, Writable: true})
}

func socketPair() (near, far *net.UnixConn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "vfio-user")
		c, failed := net.FileConn(file)
		conns[i], err = c, errors.Join(err, failed, file.Close())
	}
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	return conns[0].(*net.UnixConn), conns[1].(*net.UnixConn), nil
}

// close ends everything.
func (m *sharedMemory) close() error {
	var errs []error
	for i := len(m.undo) - 1; i >= 0; i-- {
		errs = append(errs, m.undo[i]())
	}
	return errors.Join(errs...)
}

// measure walks through the memory in blocks.
func (m *sharedMemory) measure(ctx context.Context, block, rounds int, span time.Duration) (DMASpeed, error) {
	buffer := make([]byte, block)
	at := 0
	next := func() int {
		here := at
		if at += block; at+block > len(m.memory) {
			at = 0
		}
		return here
	}
	ways := []func() error{
		func() error { return m.host.ReadDMA(ctx, dmaMemory+uint64(next()), buffer) },
		func() error { copy(buffer, m.memory[next():]); return nil },
		func() error { return m.host.WriteDMA(ctx, dmaMemory+uint64(next()), buffer) },
		func() error { copy(m.memory[next():], buffer); return nil },
	}
	rates := make([][]float64, len(ways))
	for range rounds + 1 {
		for i, move := range ways {
			at = 0
			moved, start := 0, time.Now()
			for time.Since(start) < span {
				for range 16 {
					if err := move(); err != nil {
						return DMASpeed{}, err
					}
					moved += block
				}
			}
			rates[i] = append(rates[i], float64(moved)/time.Since(start).Seconds())
		}
	}
	var ratios [2][]float64
	for r := 1; r <= rounds; r++ { // the first warms up
		ratios[0] = append(ratios[0], rates[0][r]/rates[1][r])
		ratios[1] = append(ratios[1], rates[2][r]/rates[3][r])
	}
	d := DMASpeed{
		Block: block, Read: median(rates[0][1:]), ReadCopy: median(rates[1][1:]), Write: median(rates[2][1:]), WriteCopy: median(rates[3][1:]),
		ReadRatio: median(ratios[0]), WriteRatio: median(ratios[1]),
	}
	if block >= dmaGoalBlock {
		d.Goal = dmaGoal
		d.Verdict = verdict(min(d.ReadRatio, d.WriteRatio) >= d.Goal)
	}
	return d, nil
}
