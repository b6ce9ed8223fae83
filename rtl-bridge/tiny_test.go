// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"testing"

	"github.com/espalier-nic/espalier/verilator/simbuild"
)

// Registers of verilator/testdata/tiny_nic.sv.
const (
	tinyID          = 0x00
	tinyScratch     = 0x04
	tinyMisbehave   = 0x08
	tinyInterrupt   = 0x0C
	tinySource      = 0x10
	tinyTarget      = 0x18
	tinyChunks      = 0x20
	tinyStrobe      = 0x24
	tinyResult      = 0x28
	tinyFrames      = 0x2C
	tinyVector      = 0x30
	tinyBuildID     = 0x34
	tinyInterleaved = 0x38
	tinyOvertaken   = 0x3C
	tinyBank        = 0x40

	tinyIDValue = 0x594E4954 // "TINY"
)

// Values of MISBEHAVE.
const (
	misFatal = iota + 1
	misAssert
	misStop
	misFinish
	misHang
	misAXI4K
	misAXIWithdraw
	misAXIChange
	misAXINarrow
	misWLast
	misMACGap
	misMACKeep
	misNoAssert
	misDisplay
)

func loadTiny(t testing.TB) *Library {
	t.Helper()
	return load(t, simbuild.Tiny())
}

func load(t testing.TB, d simbuild.Design) *Library {
	t.Helper()
	lib, err := Load(simbuild.Library(t, d))
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// tinySim creates an instance of tiny_nic that the test closes.
func tinySim(t testing.TB, options Options, seed uint64) *Sim {
	t.Helper()
	sim, err := loadTiny(t).Create(options, seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return sim
}

func mustRead(t testing.TB, s *Sim, offset uint64) uint32 {
	t.Helper()
	v, err := s.BARRead(0, offset, 4)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(v)
}

func mustWrite(t testing.TB, s *Sim, offset uint64, v uint64, width int) {
	t.Helper()
	if err := s.BARWrite(0, offset, width, v); err != nil {
		t.Fatal(err)
	}
}

// startCopy makes tiny_nic copy 64-byte chunks.
func startCopy(t testing.TB, s *Sim, from, to uint64, chunks uint32) {
	t.Helper()
	mustWrite(t, s, tinySource, from, 8)
	mustWrite(t, s, tinyTarget, to, 8)
	mustWrite(t, s, tinyChunks, uint64(chunks), 4)
}

// finishCopy runs until the copy is done and returns RESULT and the cycles.
func finishCopy(t testing.TB, s *Sim) (result uint32, cycles uint64) {
	t.Helper()
	before := s.Cycle()
	events, _, err := s.Advance(100000, EventInterrupt)
	if err != nil {
		t.Fatal(err)
	}
	if events&EventInterrupt == 0 {
		t.Fatal("the copy does not end")
	}
	return mustRead(t, s, tinyResult), s.Cycle() - before
}
