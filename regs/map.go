// SPDX-License-Identifier: Apache-2.0

// Package regs is the NIC's register interface in Go: offsets and fields of the registers in BAR 0, the
// records in host memory, and the same as data for tools that name a register at run time.
//
// Files that end in _gen.go are generated from espalier.rdl, as are the register block in rtl/, the C
// header in c/ and the reference in html/. What the registers do is told in docs/nic-contract.md.
package regs

import "strconv"

// Access says what software may do with a register or field.
type Access uint8

// Values of Access.
const (
	ReadOnly        Access = iota // a write changes nothing
	WriteOnly                     // reads as zero
	ReadWrite                     // reads as written
	WriteOneToSet                 // writing 1 sets the bit, writing 0 changes nothing
	WriteOneToClear               // writing 1 clears the bit, writing 0 changes nothing
)

// String returns the usual short form, such as "ro" or "rw1c".
func (a Access) String() string {
	switch a {
	case ReadOnly:
		return "ro"
	case WriteOnly:
		return "wo"
	case ReadWrite:
		return "rw"
	case WriteOneToSet:
		return "rw1s"
	case WriteOneToClear:
		return "rw1c"
	}
	return unknown("Access", uint64(a))
}

// Register describes one 32-bit register, or one array of them.
type Register struct {
	Name   string  // "ctrl", "sa.key[]", "txq[].tail": [] marks where an array's index goes
	Offset uint32  // byte offset in BAR 0, of element 0 if it is an array
	Count  int     // elements of an array, 0 if it is none
	Stride uint32  // bytes from one element to the next, 0 if it is no array
	Access Access  // ReadOnly or WriteOnly if all fields are, else ReadWrite
	Desc   string  // one sentence or more
	Fields []Field // from the lowest bit up
}

// Field describes one field of a register.
type Field struct {
	Name     string
	LSB      uint // lowest bit
	Width    uint // bits
	Access   Access
	HasReset bool   // the value after reset is Reset; if false the hardware decides
	Reset    uint32 // in the field's own bits
	Enum     *Enum  // names of the values, or nil
	Desc     string
}

// Enum names the values of a field.
type Enum struct {
	Name   string
	Values []EnumValue
}

// EnumValue is one named value.
type EnumValue struct {
	Name  string
	Value uint32
	Desc  string
}

// Mask returns the field's bits in its register.
func (f *Field) Mask() uint32 { return (1<<f.Width - 1) << f.LSB }

// Extract returns the field's value in the register's value.
func (f *Field) Extract(register uint32) uint32 { return register & f.Mask() >> f.LSB }

// Insert returns the register's value with the field set to value, whose bits above the width are dropped.
func (f *Field) Insert(register, value uint32) uint32 {
	return register&^f.Mask() | value<<f.LSB&f.Mask()
}

// ValueName returns the name of a value of the field, or "" if it has none.
func (f *Field) ValueName(value uint32) string {
	if f.Enum == nil {
		return ""
	}
	for i := range f.Enum.Values {
		if f.Enum.Values[i].Value == value {
			return f.Enum.Values[i].Name
		}
	}
	return ""
}

// Reset returns the register's value after a reset and a mask of the bits for which that is known.
func (r *Register) Reset() (value, known uint32) {
	for i := range r.Fields {
		if f := &r.Fields[i]; f.HasReset {
			value = f.Insert(value, f.Reset)
			known |= f.Mask()
		}
	}
	return value, known
}

func unknown(kind string, value uint64) string {
	return kind + "(" + strconv.FormatUint(value, 10) + ")"
}
