// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// Registers of verilator/testdata/tiny_nic.sv.
const (
	tinyID        = 0x00
	tinyMisbehave = 0x08
	tinySource    = 0x10
	tinyTarget    = 0x18
	tinyChunks    = 0x20
	tinyResult    = 0x28
	tinyVector    = 0x30

	tinyIDValue = 0x594E4954
	misFatal    = 1
)

// Where the guest's memory is in these tests.
const (
	sourceIOVA = 0x4000_0000
	targetIOVA = 0x5000_0000
	memorySize = 16384
)

// openTiny starts a tiny_nic that runs by itself, with memory of that latency in
// cycles; 0 for the default.
func openTiny(t testing.TB, log *lines, latency uint64) *RTL {
	t.Helper()
	lib, err := rtlbridge.Load(simbuild.Library(t, simbuild.Tiny()))
	ok(t, err)
	options := rtlbridge.Options{}
	if latency != 0 {
		options["mem_read_latency_min"], options["mem_read_latency_max"] = latency, latency
	}
	r, err := NewRTL(lib, RTLConfig{Options: options, Seed: 1, Log: log.add})
	ok(t, err)
	runner, err := rtlbridge.Start(r.Device())
	ok(t, err)
	t.Cleanup(func() {
		runner.Close()
		ok(t, r.Close())
	})
	return r
}

// start has tiny_nic copy chunks of 64 bytes.
func (m *monitor) start(from, to uint64, chunks int) {
	m.t.Helper()
	m.write(0, tinySource, 8, from)
	m.write(0, tinyTarget, 8, to)
	m.write(0, tinyChunks, 4, uint64(chunks))
}

func fill(p []byte, n int) {
	for i := range p {
		p[i] = byte(n + i*3)
	}
}

// TestOrder: what the device wrote is in memory when its interrupt comes, by
// descriptor and by message, and by descriptor also when a register says that it
// is done; and no read hangs.
func TestOrder(t *testing.T) {
	const tries = 200
	for name, shared := range map[string]bool{"descriptor": true, "message": false} {
		t.Run(name, func(t *testing.T) {
			m := serve(t, openTiny(t, &lines{}, 0))
			event := m.enable(3)
			m.write(0, tinyVector, 4, 3)
			_, source := m.mapMemory(sourceIOVA, memorySize, shared)
			_, target := m.mapMemory(targetIOVA, memorySize, shared)
			stale := 0
			for n := range tries {
				fill(source[:256], n)
				m.start(sourceIOVA, targetIOVA, 4)
				// In message mode a read of a register while memory is on its
				// way is what hung the session of a careless server.
				for m.read(0, tinyChunks, 4) != 0 {
				}
				if shared && !bytes.Equal(target[:256], source[:256]) {
					stale++
				}
				wait(t, event)
				if !bytes.Equal(target[:256], source[:256]) {
					stale++
				}
				if result := m.read(0, tinyResult, 4); result != 0 {
					t.Fatalf("try %d: result %d", n, result)
				}
			}
			if stale != 0 {
				t.Errorf("memory was stale %d times of %d", stale, tries)
			}
			if m.slowest > 2*time.Second {
				t.Errorf("a read took %v", m.slowest)
			}
			if (m.asked() == 0) != shared {
				t.Errorf("%d messages", m.asked())
			}
			t.Logf("slowest read %v, %d messages", m.slowest, m.asked())
		})
	}
}

// TestUnmapInTraffic: when a range was unmapped the device does not write there
// any more, sees an error, and goes on with the rest.
func TestUnmapInTraffic(t *testing.T) {
	for name, shared := range map[string]bool{"descriptor": true, "message": false} {
		t.Run(name, func(t *testing.T) {
			log := &lines{}
			m := serve(t, openTiny(t, log, 5000)) // so that a copy takes longer than to unmap
			event := m.enable(0)
			_, source := m.mapMemory(sourceIOVA, memorySize, shared)
			for try := range 20 {
				_, target := m.mapMemory(targetIOVA, memorySize, shared)
				fill(source, try)
				m.start(sourceIOVA, targetIOVA, memorySize/64)
				if try%2 == 0 {
					m.read(0, tinyID, 4)
				}
				m.unmap(targetIOVA, memorySize)
				clear(target) // whoever has it now
				wait(t, event)
				if result := m.read(0, tinyResult, 4); result != 2 {
					t.Errorf("try %d: result %d, want a failed write", try, result)
				}
				if i := bytes.IndexFunc(target, func(r rune) bool { return r != 0 }); i >= 0 {
					t.Fatalf("try %d: byte %d was written after the range was unmapped", try, i)
				}
			}
			if !strings.Contains(log.String(), "DMA refused: write of 64 bytes at IOVA 0x5000") {
				t.Errorf("log %v", log)
			}
			_, target := m.mapMemory(targetIOVA, memorySize, shared)
			m.start(sourceIOVA, targetIOVA, memorySize/64)
			wait(t, event)
			if result := m.read(0, tinyResult, 4); result != 0 || !bytes.Equal(target, source) {
				t.Errorf("result %d afterwards", result)
			}
		})
	}
}

// TestTruncated: a client that shortens the memory it has shared harms its own
// transfers only.
func TestTruncated(t *testing.T) {
	m := serve(t, openTiny(t, &lines{}, 0))
	event := m.enable(0)
	file, _ := m.mapMemory(sourceIOVA, memorySize, true)
	m.mapMemory(targetIOVA, memorySize, true)
	ok(t, file.Truncate(4096))
	m.start(sourceIOVA+4096-64, targetIOVA, 2)
	wait(t, event)
	if result := m.read(0, tinyResult, 4); result != 1 {
		t.Errorf("result %d, want a failed read", result)
	}
	m.start(sourceIOVA, targetIOVA, 2)
	wait(t, event)
	if result := m.read(0, tinyResult, 4); result != 0 {
		t.Errorf("result %d with what is left", result)
	}
}

// TestClients: one that leaves while the device waits for its memory leaves
// nothing behind for the next.
func TestClients(t *testing.T) {
	r := openTiny(t, &lines{}, 0)
	srv, err := server.New(r, server.Options{ResetOnDisconnect: true})
	ok(t, err)
	for range 5 {
		m := connect(t, srv)
		event := m.enable(0)
		m.mapMemory(sourceIOVA, memorySize, false)
		_, target := m.mapMemory(targetIOVA, memorySize, true)
		m.start(sourceIOVA, targetIOVA, 1)
		wait(t, event)
		if result := m.read(0, tinyResult, 4); result != 0 || target[5] != 0 {
			t.Errorf("result %d", result)
		}
		m.mu.Lock()
		m.deaf = true
		asked := m.messages
		m.mu.Unlock()
		m.start(sourceIOVA, targetIOVA, 4)
		for m.asked() == asked {
			time.Sleep(time.Millisecond)
		}
		m.leave()
	}
}

// TestRegionsOfRTL: a bus's view of registers: sizes, disabled memory space, what
// does not answer, and a design that has stopped.
func TestRegionsOfRTL(t *testing.T) {
	log := &lines{}
	r := openTiny(t, log, 0)
	m := serve(t, r)
	if v := m.read(0, tinyID, 4); v != 0xFFFFFFFF {
		t.Errorf("register reads %#x while memory space is off", v)
	}
	m.enable(0)
	if v := m.read(0, tinyID, 8); v&0xFFFFFFFF != tinyIDValue {
		t.Errorf("registers read %#x", v)
	}
	if v := m.read(0, tinyID+1, 3); v != tinyIDValue>>8 {
		t.Errorf("three bytes of a register are %#x", v)
	}
	if v := m.read(0, 0x3000, 4); v != 0xFFFFFFFF {
		t.Errorf("nothing reads %#x", v)
	}
	m.call(13, nil) // DEVICE_RESET
	if v := m.read(configRegion, pcie.ConfigCommand, 2); v != 0 {
		t.Errorf("command register %#x after a reset", v)
	}
	m.enable(0)
	m.write(0, tinyMisbehave, 4, misFatal)
	select {
	case <-r.Device().Failed():
	case <-time.After(patience):
		t.Fatal("the design has not stopped")
	}
	if v := m.read(0, tinyID, 4); v != 0xFFFFFFFF {
		t.Errorf("register of a design that has stopped reads %#x", v)
	}
	if v := m.read(configRegion, 0, 4); v != 0xFFFFFFFF {
		t.Errorf("its IDs read %#x", v)
	}
	if !strings.Contains(log.String(), "fatal on request") {
		t.Errorf("log %v", log)
	}
}

// TestHugeFiles: memory on hugetlbfs cannot be written with pwrite.
func TestHugeFiles(t *testing.T) {
	plain, _ := memfd(t, 4096)
	if refusesWrites(plain) {
		t.Error("a plain file is taken for one on hugetlbfs")
	}
	fd, err := unix.MemfdCreate("huge", unix.MFD_CLOEXEC|unix.MFD_HUGETLB)
	ok(t, err)
	huge := os.NewFile(uintptr(fd), "huge")
	defer huge.Close()
	if _, err := unix.Pwrite(fd, []byte{1}, 0); err != unix.EINVAL {
		t.Errorf("pwrite: %v", err)
	}
	if !refusesWrites(huge) {
		t.Error("a file on hugetlbfs is not known as one")
	}
}
