// SPDX-License-Identifier: Apache-2.0

package protocol

import "encoding/binary"

// HeaderSize is the size in bytes of the header in front of every message.
const HeaderSize = 16

// Flags of a header. The low four bits are the message's type.
type Flags uint32

// Bits of Flags. A message with type 0 is a command.
const (
	FlagTypeMask Flags = 0xf
	FlagReply    Flags = 1
	// FlagNoReply in a command: the sender wants no reply (a posted command).
	FlagNoReply Flags = 1 << 4
	// FlagError in a reply: the command failed, and Header.Errno says why.
	FlagError Flags = 1 << 5
)

// Header is in front of every message.
type Header struct {
	// ID belongs to the sender of a command, who may use one several times at
	// once; the reply repeats it.
	ID      uint16
	Command Command
	// Size is the message's in bytes, header included.
	Size  uint32
	Flags Flags
	// Errno is 0 but in replies with FlagError, where it may be 0 too.
	Errno Errno
}

// Reply says that the message is a reply.
func (h Header) Reply() bool { return h.Flags&FlagTypeMask == FlagReply }

// Posted says that the message is a command to which no reply is wanted.
func (h Header) Posted() bool { return !h.Reply() && h.Flags&FlagNoReply != 0 }

// Append appends the 16 encoded bytes to b.
func (h Header) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, h.ID)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.Command))
	b = binary.LittleEndian.AppendUint32(b, h.Size)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.Flags))
	return binary.LittleEndian.AppendUint32(b, uint32(h.Errno))
}

// ParseHeader decodes the header at the beginning of b. A size below HeaderSize or
// a type that is neither command nor reply is an error.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, &SizeError{Item: "header", Size: uint64(len(b)), Min: HeaderSize}
	}
	h := Header{
		ID:      binary.LittleEndian.Uint16(b),
		Command: Command(binary.LittleEndian.Uint16(b[2:])),
		Size:    binary.LittleEndian.Uint32(b[4:]),
		Flags:   Flags(binary.LittleEndian.Uint32(b[8:])),
		Errno:   Errno(binary.LittleEndian.Uint32(b[12:])),
	}
	if h.Size < HeaderSize {
		return h, &SizeError{Item: h.Command.String() + " message", Size: uint64(h.Size), Min: HeaderSize}
	}
	if t := h.Flags & FlagTypeMask; t > FlagReply {
		return h, violation("%s message of type %d, neither command (0) nor reply (1)", h.Command, uint32(t))
	}
	return h, nil
}
