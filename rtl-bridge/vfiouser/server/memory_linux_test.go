// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// TestMemory reads and writes a client's file by both ways, from an offset that is no
// page's beginning, and past the end of one that became shorter.
func TestMemory(t *testing.T) {
	const offset, size, left = 0x1010, 0x40000, 0x20000
	for _, test := range []struct {
		name string
		open func(f *os.File) (memory, error)
	}{
		{"file", func(f *os.File) (memory, error) { return &fileMemory{fd: int(f.Fd()), offset: offset}, nil }},
		{"mapped", func(f *os.File) (memory, error) { return openMapped(int(f.Fd()), offset, size, true) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := memfd(t, 0x80000)
			m, err := test.open(f)
			if err != nil {
				t.Fatal(err)
			}
			defer m.close()
			want := []byte("espalier")
			if err := m.write(0x20, want); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want))
			if _, err := f.ReadAt(got, offset+0x20); err != nil || !bytes.Equal(got, want) {
				t.Errorf("the file has %q, %v", got, err)
			}
			if _, err := f.WriteAt([]byte("NIC"), offset+size-3); err != nil {
				t.Fatal(err)
			}
			if err := m.read(size-3, got[:3]); err != nil || string(got[:3]) != "NIC" {
				t.Errorf("memory has %q, %v", got[:3], err)
			}

			if err := f.Truncate(left); err != nil {
				t.Fatal(err)
			}
			if err := m.read(0x20, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("what is left of the file: %q, %v", got, err)
			}
			for _, n := range []int{1, 2, 7, 16, 33, 64, 100, 255, 257, 1000, 2049, 5000, 70000} {
				// From the last byte that there is on, after the end, and all in it but
				// the last byte.
				for _, at := range []uint64{left - offset - 1, left, left - offset - uint64(n) + 1} {
					if n == 1 && at != left {
						continue
					}
					if err := m.read(at, make([]byte, n)); !errors.Is(err, protocol.EFAULT) {
						t.Errorf("read %d bytes past the end at %#x: %v", n, at, err)
					}
					if err := m.write(at, make([]byte, n)); !errors.Is(err, protocol.EFAULT) {
						t.Errorf("write %d bytes past the end at %#x: %v", n, at, err)
					}
				}
			}
			if info, err := f.Stat(); err != nil || info.Size() != left {
				t.Errorf("the file has %d bytes now, %v", info.Size(), err)
			}
		})
	}
}

// TestWayToMemory: small ranges are not mapped, since there may be very many of them.
func TestWayToMemory(t *testing.T) {
	f := memfd(t, 1<<20)
	for size, want := range map[uint64]memory{
		4096: &fileMemory{}, mappedFrom - 1: &fileMemory{}, mappedFrom: &mappedMemory{}, 1 << 20: &mappedMemory{},
	} {
		m, err := openMemory(f, 0, size, true)
		if err != nil {
			t.Fatal(err)
		}
		if reflect.TypeOf(m) != reflect.TypeOf(want) {
			t.Errorf("%d bytes are a %T", size, m)
		}
		m.close()
	}
}

// TestOpenMemory is about descriptors that cannot be memory.
func TestOpenMemory(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	if err := os.WriteFile(path, make([]byte, 0x2000), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(flags int) *os.File {
		f, err := os.OpenFile(path, flags, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	dir, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, test := range []struct {
		name         string
		file         *os.File
		offset, size uint64
		writable     bool
		good         bool
	}{
		{"whole file", open(os.O_RDWR), 0, 0x2000, true, true},
		{"read-only file for reading", open(os.O_RDONLY), 0, 0x2000, false, true},
		{"read-only file for writing", open(os.O_RDONLY), 0, 0x2000, true, false},
		{"write-only file", open(os.O_WRONLY), 0, 0x2000, true, false},
		{"path only", open(unix.O_PATH), 0, 0x2000, false, false},
		{"past the end", open(os.O_RDWR), 0x1000, 0x1001, true, false},
		{"nothing", open(os.O_RDWR), 0, 0, true, false},
		{"huge offset", open(os.O_RDWR), 1 << 63, 1, true, false},
		{"overflow", open(os.O_RDWR), 1<<63 - 1, 2, true, false},
		{"file to append to", open(os.O_RDWR | os.O_APPEND), 0, 0x1000, true, true}, // by mapping
		{"pipe", r, 0, 0x1000, false, false},
		{"device", null, 0, 0x1000, true, false},
		{"folder", dir, 0, 0x1000, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := openMemory(test.file, test.offset, test.size, test.writable)
			if (err == nil) != test.good {
				t.Fatalf("error is %v", err)
			}
			if err != nil {
				return
			}
			defer m.close()
			if err := m.read(test.size-1, make([]byte, 1)); err != nil {
				t.Error(err)
			}
			if test.writable {
				if err := m.write(test.size-4, []byte("here")); err != nil {
					t.Error(err)
				}
				got := make([]byte, 4)
				if _, err := test.file.ReadAt(got, int64(test.offset+test.size)-4); err != nil || string(got) != "here" {
					t.Errorf("the file has %q, %v", got, err)
				}
			}
		})
	}
}

// TestHugePages uses memory that cannot be written but by mapping. Few machines have
// any set aside: tests/vm runs this test in a guest that has.
func TestHugePages(t *testing.T) {
	fd, err := unix.MemfdCreate("huge", unix.MFD_CLOEXEC|unix.MFD_HUGETLB)
	if err != nil {
		t.Skipf("no huge pages here (%v); tests/vm runs this in a guest", err)
	}
	f := os.NewFile(uintptr(fd), "huge")
	defer f.Close()
	const size = 2 << 20
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	m, err := openMemory(f, 0x1000, 0x1000, true)
	if err != nil {
		t.Skipf("no huge page to be had here (%v); tests/vm runs this in a guest", err)
	}
	defer m.close()
	if _, ok := m.(*mappedMemory); !ok {
		t.Errorf("memory in huge pages is a %T", m)
	}
	want := []byte("across the mapping")
	if err := m.write(0xFE0, want); err != nil {
		if errors.Is(err, protocol.EFAULT) {
			t.Skipf("no huge page is left here (%v); tests/vm runs this in a guest", err)
		}
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if err := m.read(0xFE0, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read back %q, %v, want %q", got, err, want)
	}
	whole, err := unix.Mmap(fd, 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(whole)
	if got := whole[0x1FE0:][:len(want)]; !bytes.Equal(got, want) {
		t.Errorf("the client finds %q at that place, want %q", got, want)
	}
}

// TestUnmapWaits: DMA_UNMAP is answered only when the accesses under way have ended.
func TestUnmapWaits(t *testing.T) {
	c := newCard(t)
	unmapping := make(chan struct{})
	c.onUnmap = func(Mapping) error {
		close(unmapping)
		return nil
	}
	_, client, _ := serveOn(t, c, Options{})
	client.negotiate()
	client.must(protocol.CommandDMAMap, dmaMap(0, 0x1000, 0), int(memfd(t, 0x1000).Fd()))
	m, n := c.client().session.maps.find(0x10, 8) // an access begins
	if m == nil || n != 8 {
		t.Fatal("the mapping is not there")
	}
	var ended atomic.Bool
	go func() {
		<-unmapping
		time.Sleep(20 * time.Millisecond) // for an answer that does not wait
		if err := c.client().ReadDMA(canceled(), 0x10, make([]byte, 8)); !errors.Is(err, context.Canceled) {
			t.Errorf("a new access to the range: %v", err)
		}
		ended.Store(true)
		m.users.Done()
	}()
	client.must(protocol.CommandDMAUnmap, dmaUnmap(0, 0x1000))
	if !ended.Load() {
		t.Error("DMA_UNMAP was answered while an access was under way")
	}
}

// canceled returns a context that has ended: nothing can be done by message.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// TestRights: memory is reached only in the directions that the client allows.
func TestRights(t *testing.T) {
	c := newCard(t)
	_, client, _ := serveOn(t, c, Options{})
	client.negotiate()
	f := memfd(t, 0x1000)
	for i, flags := range []uint32{0, protocol.DMAMapRead, protocol.DMAMapWrite, protocol.DMAMapRead | protocol.DMAMapWrite} {
		shared := protocol.DMAMap{Flags: flags, Address: uint64(i) << 12, Size: 0x1000}
		client.must(protocol.CommandDMAMap, shared.Append(nil), int(f.Fd()))
		plain := protocol.DMAMap{Flags: flags, Address: 0x10000 + uint64(i)<<12, Size: 0x1000}
		client.must(protocol.CommandDMAMap, plain.Append(nil))
		h := c.client()
		for _, m := range []protocol.DMAMap{shared, plain} {
			read := h.ReadDMA(canceled(), m.Address, make([]byte, 8))
			write := h.WriteDMA(canceled(), m.Address, make([]byte, 8))
			// What is allowed works, or is given up only for want of an answer.
			if refused := errors.Is(read, protocol.EACCES); refused == (flags&protocol.DMAMapRead != 0) {
				t.Errorf("flags %d at %#x: read: %v", flags, m.Address, read)
			}
			if refused := errors.Is(write, protocol.EACCES); refused == (flags&protocol.DMAMapWrite != 0) {
				t.Errorf("flags %d at %#x: write: %v", flags, m.Address, write)
			}
		}
	}
}

// TestAcrossMappings is an access over three mappings of two files.
func TestAcrossMappings(t *testing.T) {
	c := newCard(t)
	s, client, _ := serveOn(t, c, Options{})
	client.negotiate()
	f, g := memfd(t, 0x3000), memfd(t, 0x1000)
	client.must(protocol.CommandDMAMap, dmaMap(0x1000, 0x1000, 0x2000), int(f.Fd()))
	client.must(protocol.CommandDMAMap, dmaMap(0x2000, 0x1000, 0), int(g.Fd()))
	client.must(protocol.CommandDMAMap, dmaMap(0x3000, 0x1000, 0), int(f.Fd()))
	want := bytes.Repeat([]byte("0123456789abcdef"), 0x1800/16)
	if err := c.client().WriteDMA(context.Background(), 0x1c00, want); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if err := c.client().TryReadDMA(context.Background(), 0x1c00, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read back: %v", err)
	}
	for _, part := range []struct {
		f        *os.File
		at       int64
		from, to int
	}{{f, 0x2c00, 0, 0x400}, {g, 0, 0x400, 0x1400}, {f, 0, 0x1400, 0x1800}} {
		b := make([]byte, part.to-part.from)
		if _, err := part.f.ReadAt(b, part.at); err != nil || !bytes.Equal(b, want[part.from:part.to]) {
			t.Errorf("bytes %#x to %#x are elsewhere, %v", part.from, part.to, err)
		}
	}
	if st := s.Stats(); st.DescriptorRead != 0x1800 || st.DescriptorWritten != 0x1800 || st.Maps != 3 {
		t.Errorf("statistics: %+v", st)
	}
}
