// SPDX-License-Identifier: Apache-2.0

package cp

import (
	"encoding/binary"
	"hash/crc32"
)

// Registers of the processor by their ABI names.
const (
	x0 = 0
	ra = 1
	t0 = 5
	t1 = 6
	t2 = 7
	s0 = 8
	s1 = 9
	a0 = 10
	a1 = 11
	a2 = 12
	a3 = 13
	a4 = 14
	s2 = 18
	t3 = 28
	t4 = 29
	t5 = 30
)

// program is RV32I machine code under construction, from address 0.
type program struct {
	words  []uint32
	labels map[string]int
	fixes  []fix
}

// fix is a jump or branch whose target was not known.
type fix struct {
	at     int
	target string
}

func newProgram() *program { return &program{labels: make(map[string]int)} }

func (p *program) emit(w uint32)     { p.words = append(p.words, w) }
func (p *program) label(name string) { p.labels[name] = 4 * len(p.words) }

func iType(op, f3, rd, rs1 uint32, imm int32) uint32 {
	return uint32(imm)<<20 | rs1<<15 | f3<<12 | rd<<7 | op
}

func (p *program) lui(rd, upper uint32)           { p.emit(upper<<12 | rd<<7 | 0x37) }
func (p *program) addi(rd, rs1 uint32, imm int32) { p.emit(iType(0x13, 0, rd, rs1, imm)) }
func (p *program) andi(rd, rs1 uint32, imm int32) { p.emit(iType(0x13, 7, rd, rs1, imm)) }
func (p *program) slli(rd, rs1, by uint32)        { p.emit(iType(0x13, 1, rd, rs1, int32(by))) }
func (p *program) add(rd, rs1, rs2 uint32)        { p.emit(rs2<<20 | rs1<<15 | rd<<7 | 0x33) }
func (p *program) sub(rd, rs1, rs2 uint32)        { p.emit(0x20<<25 | rs2<<20 | rs1<<15 | rd<<7 | 0x33) }
func (p *program) lw(rd, rs1 uint32, imm int32)   { p.emit(iType(0x03, 2, rd, rs1, imm)) }
func (p *program) jalr(rd, rs1 uint32)            { p.emit(iType(0x67, 0, rd, rs1, 0)) }
func (p *program) store(f3, rs2, rs1, imm uint32) {
	p.emit(imm>>5<<25 | rs2<<20 | rs1<<15 | f3<<12 | imm&31<<7 | 0x23)
}
func (p *program) sw(rs2, rs1, imm uint32)        { p.store(2, rs2, rs1, imm) }
func (p *program) sb(rs2, rs1, imm uint32)        { p.store(0, rs2, rs1, imm) }
func (p *program) j(target string)                { p.jump(0x6F, target) }
func (p *program) bne(rs1, rs2 uint32, to string) { p.jump(rs2<<20|rs1<<15|1<<12|0x63, to) }
func (p *program) bge(rs1, rs2 uint32, to string) { p.jump(rs2<<20|rs1<<15|5<<12|0x63, to) }
func (p *program) jump(insn uint32, target string) {
	p.fixes = append(p.fixes, fix{len(p.words), target})
	p.emit(insn)
}

// image is the program with its jumps and its CRC.
func (p *program) image() []uint32 {
	words := append([]uint32(nil), p.words...)
	for _, f := range p.fixes {
		o := uint32(p.labels[f.target] - 4*f.at)
		if words[f.at]&0x7F == 0x6F {
			words[f.at] |= o>>20&1<<31 | o>>1&0x3FF<<21 | o>>11&1<<20 | o>>12&0xFF<<12
		} else {
			words[f.at] |= o>>12&1<<31 | o>>5&0x3F<<25 | o>>1&0xF<<8 | o>>11&1<<7
		}
	}
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return append(words, crc32.ChecksumIEEE(b))
}

// What the monitor does with a command: its word 1. Word 2 is an address, word 3
// a value.
const (
	monEcho  = iota
	monRead  // answers with the word at the address
	monWrite // writes the value
	monByte  // writes its low byte
	monJump  // goes to the address
	monHang  // beats no more
	monTime  // answers with the cycles of 32 reads of the address
	monBurst // answers with the cycles of 32 writes of the value
)

// Places in the monitor that tests name.
const (
	hangAt = "hang"
	loopAt = "loop"
)

// monitor is a program that does what single commands say. It answers with the
// command's word 0, and a value in word 1.
func monitor() *program {
	p := newProgram()
	p.j("main")
	for len(p.words) < 8 {
		p.emit(0)
	}
	p.label("main")
	p.lui(s0, 0x40003) // page of CP_*
	p.lui(s1, 0x40004) // commands
	p.lui(s2, 0x40005) // responses
	p.lui(a3, 0x40000)
	p.addi(t0, x0, 4)
	p.sw(t0, s0, 0x8C) // CP_REPORT: READY
	p.label("loop")
	p.sw(x0, s0, 0x88) // CP_ALIVE
	p.lw(t0, s0, 0x80) // CP_NEXT
	p.bge(t0, x0, "loop")
	p.andi(t0, t0, 31)
	p.slli(t1, t0, 7)
	p.add(a0, s1, t1)
	p.add(a1, s2, t1)
	p.lw(t2, a0, 4)
	p.lw(a2, a0, 8)
	p.lw(a3, a0, 12)
	p.addi(a4, a3, 1) // answer of what answers nothing else
	next := func(op int32, to string) {
		p.addi(t3, x0, op)
		p.bne(t2, t3, to)
	}
	next(monRead, "not read")
	p.label("read")
	p.lw(a4, a2, 0)
	p.j("answer")
	p.label("not read")
	next(monWrite, "not write")
	p.label("write")
	p.sw(a3, a2, 0)
	p.j("answer")
	p.label("not write")
	next(monByte, "not byte")
	p.sb(a3, a2, 0)
	p.j("answer")
	p.label("not byte")
	next(monJump, "not jump")
	p.label("jump")
	p.jalr(ra, a2)
	p.j("answer")
	p.label("not jump")
	next(monTime, "not time")
	p.lui(t5, 0x40000)
	p.lw(t4, t5, 0x50) // CYCLES_LO
	for range 32 {
		p.lw(t3, a2, 0)
	}
	p.lw(a4, t5, 0x50)
	p.sub(a4, a4, t4)
	p.j("answer")
	p.label("not time")
	next(monBurst, "not burst")
	p.lui(t5, 0x40000)
	p.lw(t4, t5, 0x50)
	for range 32 {
		p.sw(a3, a2, 0)
	}
	p.lw(a4, t5, 0x50)
	p.sub(a4, a4, t4)
	p.j("answer")
	p.label("not burst")
	next(monHang, "answer")
	p.label("hang")
	p.j("hang")
	p.label("answer")
	p.lw(t3, a0, 0)
	p.sw(t3, a1, 0)
	p.sw(a4, a1, 4)
	p.sw(t0, s0, 0x84) // CP_ANSWER
	p.j("loop")
	return p
}
