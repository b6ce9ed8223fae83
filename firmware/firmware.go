// SPDX-License-Identifier: Apache-2.0

// Package firmware knows the images of the NIC's control processor: what one
// looks like, whether one can be trusted, where the one of this build is and how
// it is built. The program itself is C, in src/.
package firmware

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/espalier-nic/espalier/regs"
)

// The header of an image, in words of 32 bits (docs/nic-contract.md, "The
// control processor").
const (
	wordJump    = iota // an instruction: jump over the header
	wordMagic          // Magic
	wordLength         // bytes of the image with its CRC
	wordVersion        // as CP_FW_VERSION
	wordBuild          // as CP_FW_BUILD
	wordMemory         // bytes of memory needed
	wordZero6
	wordZero7
	headerWords
)

const (
	// Magic is the second word of every image: the letters ESFW.
	Magic = 0x57465345
	// MinBytes is the length of the shortest image that a NIC takes.
	MinBytes = 16 * 4
	// MaxBytes is how far CP_LOAD_ADDR reaches.
	MaxBytes = 1 << 24
)

// Image is an image that has been checked.
type Image struct {
	Version regs.CpFwVersion
	Build   uint32 // build id: a hash of the sources
	Memory  int    // bytes of processor memory that it needs, at least len(Bytes)
	Bytes   []byte // what is loaded, header and CRC included
}

// String names the version and the build id, as in "1.0.0 build 0123abcd".
func (i *Image) String() string {
	return fmt.Sprintf("%s build %08x", version(i.Version), i.Build)
}

func version(v regs.CpFwVersion) string {
	return fmt.Sprintf("%d.%d.%d", v.Major(), v.Minor(), v.Patch())
}

// What may be wrong with an image; errors.Is tells which.
var (
	// ErrTruncated: bytes are missing at the end.
	ErrTruncated = errors.New("truncated")
	// ErrForeign: this is something else.
	ErrForeign = errors.New("not a firmware image")
	// ErrDamaged: an image whose bytes have changed.
	ErrDamaged = errors.New("damaged")
	// ErrVersion: a sound image for another major version of the interface.
	ErrVersion = errors.New("other major version")
)

// ImageError is what Parse returns.
type ImageError struct {
	Reason error // ErrTruncated, ErrForeign, ErrDamaged or ErrVersion
	text   string
}

func (e *ImageError) Error() string { return "firmware image: " + e.text }

// Unwrap returns Reason.
func (e *ImageError) Unwrap() error { return e.Reason }

func refuse(reason error, format string, args ...any) (*Image, error) {
	return nil, &ImageError{Reason: reason, text: fmt.Sprintf(format, args...)}
}

// Parse checks an image. The result's Bytes are b itself. Every error is an *ImageError.
func Parse(b []byte) (*Image, error) {
	if len(b) >= (wordMagic+1)*4 && word(b, wordMagic) != Magic {
		return refuse(ErrForeign, "word 1 is %#08x, not %#08x (ESFW): this is no firmware of an Espalier NIC", word(b, wordMagic), uint32(Magic))
	}
	if len(b) < MinBytes {
		return refuse(ErrTruncated, "truncated: %d bytes; the shortest has %d", len(b), MinBytes)
	}
	length := word(b, wordLength)
	switch {
	case length%4 != 0 || length < MinBytes || length > MaxBytes:
		return refuse(ErrDamaged, "damaged: its header states a length of %d bytes; allowed are multiples of 4 from %d to %d", length, MinBytes, MaxBytes)
	case uint64(len(b)) < uint64(length):
		return refuse(ErrTruncated, "truncated: %d of %d bytes are there", len(b), length)
	case uint64(len(b)) > uint64(length):
		return refuse(ErrDamaged, "damaged: %d bytes follow the %d that its header states", uint64(len(b))-uint64(length), length)
	}
	stated := binary.LittleEndian.Uint32(b[length-4:])
	if sum := crc32.ChecksumIEEE(b[:length-4]); sum != stated {
		return refuse(ErrDamaged, "damaged: the CRC-32 of its bytes is %08x, its last word says %08x", sum, stated)
	}
	image := &Image{
		Version: regs.CpFwVersion(word(b, wordVersion)),
		Build:   word(b, wordBuild),
		Memory:  int(word(b, wordMemory)),
		Bytes:   b,
	}
	if image.Version.Major() != regs.VersionMajor {
		return refuse(ErrVersion, "version %s is for another interface; major version %d is needed", version(image.Version), regs.VersionMajor)
	}
	if image.Memory < len(b) {
		return refuse(ErrDamaged, "damaged: it states a need of %d bytes of memory and has %d itself", image.Memory, len(b))
	}
	if z := word(b, wordZero6) | word(b, wordZero7); z != 0 {
		return refuse(ErrDamaged, "damaged: words 6 and 7 of its header are %#x and %#x, not 0", word(b, wordZero6), word(b, wordZero7))
	}
	return image, nil
}

// Seal completes a program that begins with a header to an image: it fills it up
// to whole words, states the length and appends the CRC. What Parse would refuse
// is refused with its error.
func Seal(program []byte) ([]byte, error) {
	if len(program) < headerWords*4 {
		return nil, fmt.Errorf("firmware image: a program of %d bytes has no room for the header of %d", len(program), headerWords*4)
	}
	b := append([]byte(nil), program...)
	for len(b)%4 != 0 || len(b) < MinBytes-4 {
		b = append(b, 0)
	}
	binary.LittleEndian.PutUint32(b[wordLength*4:], uint32(len(b)+4))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	if _, err := Parse(b); err != nil {
		return nil, err
	}
	return b, nil
}

func word(b []byte, n int) uint32 { return binary.LittleEndian.Uint32(b[n*4:]) }
