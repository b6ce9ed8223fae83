// SPDX-License-Identifier: Apache-2.0

package hostmem

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
)

func TestAllocReadWriteFree(t *testing.T) {
	p := NewPool()
	defer p.Close()
	a, err := p.Alloc(1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Alloc(3 * os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Bytes) != os.Getpagesize() || a.IOVA != FirstIOVA {
		t.Errorf("first block: %d bytes at %#x", len(a.Bytes), a.IOVA)
	}
	if !p.Write(b.IOVA+5, []byte("hello")) || !bytes.Equal(b.Bytes[5:10], []byte("hello")) {
		t.Error("write did not reach the memory")
	}
	got := make([]byte, 5)
	if !p.Read(b.IOVA+5, got) || string(got) != "hello" {
		t.Errorf("read gave %q", got)
	}

	end := a.IOVA + uint64(len(a.Bytes))
	for _, at := range []uint64{0, FirstIOVA - 1, end - 4, end, b.IOVA - 1, b.IOVA + uint64(len(b.Bytes)) - 4, ^uint64(0)} {
		if p.Read(at, got) || p.Write(at, got) {
			t.Errorf("access of 5 bytes at %#x was allowed", at)
		}
	}

	freed := a.IOVA
	a.Bytes = a.Bytes[:10] // the user may do this; the whole block must go nevertheless
	if err := p.Free(a); err != nil {
		t.Fatal(err)
	}
	if a.Bytes != nil || p.Owns(a) || !p.Owns(b) {
		t.Error("freed block is still there")
	}
	if p.Read(freed, got) {
		t.Error("freed block can be read")
	}
	if err := p.Free(a); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("second Free: %v", err)
	}
	c, err := p.Alloc(1)
	if err != nil {
		t.Fatal(err)
	}
	if c.IOVA <= b.IOVA {
		t.Errorf("address %#x was used again", c.IOVA)
	}
}

func TestAllocRefusesImpossibleSizes(t *testing.T) {
	p := NewPool()
	defer p.Close()
	for _, size := range []int{0, -1, int(^uint(0) >> 1), 1 << 60} {
		if _, err := p.Alloc(size); !errors.Is(err, pcie.ErrNoMemory) {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

func TestCloseFreesAll(t *testing.T) {
	p := NewPool()
	m, err := p.Alloc(4096)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if m.Bytes != nil || p.Owns(m) {
		t.Error("block outlived Close")
	}
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
