// SPDX-License-Identifier: Apache-2.0

package firmware

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espalier-nic/espalier/regs"
)

// program is a header of major version 1 and some words.
func program(t testing.TB) []byte {
	t.Helper()
	b := make([]byte, 100)
	for i, w := range []uint32{0x0200006f, Magic, 0, 1<<24 | 2<<16 | 3, 0xdecade01, 8192} {
		binary.LittleEndian.PutUint32(b[i*4:], w)
	}
	return b
}

func sealed(t testing.TB) []byte {
	t.Helper()
	b, err := Seal(program(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	b := sealed(t)
	image, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if image.Version.Major() != 1 || image.Version.Minor() != 2 || image.Version.Patch() != 3 || image.Build != 0xdecade01 ||
		image.Memory != 8192 || !bytes.Equal(image.Bytes, b) || image.String() != "1.2.3 build decade01" {
		t.Errorf("parsed as %s, %+v", image, image)
	}
	// What CP_LOAD_CRC reads after an image that ends in its CRC: the remainder, not inverted.
	if got := ^crc32.ChecksumIEEE(b); got != 0xDEBB20E3 {
		t.Errorf("remainder %08x", got)
	}
}

// Every refusal with its type and a sentence that names what was found.
func TestParseRefuses(t *testing.T) {
	set := func(n int, v uint32) func([]byte) []byte { // with a good CRC
		return func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[n*4:], v)
			binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.ChecksumIEEE(b[:len(b)-4]))
			return b
		}
	}
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		reason error
		text   string
	}{
		{"nothing", func([]byte) []byte { return nil }, ErrTruncated, "0 bytes"},
		{"first word only", func(b []byte) []byte { return b[:7] }, ErrTruncated, "7 bytes"},
		{"header only", func(b []byte) []byte { return b[:32] }, ErrTruncated, "32 bytes"},
		{"last byte missing", func(b []byte) []byte { return b[:len(b)-1] }, ErrTruncated, "103 of 104"},
		{"another file", func([]byte) []byte { return []byte("\x7fELF\x01\x01\x01\x00 and so on") }, ErrForeign, "0x00010101"},
		{"magic", set(wordMagic, Magic+1), ErrForeign, "0x57465346"},
		{"longer", func(b []byte) []byte { return append(b, 0) }, ErrDamaged, "1 bytes follow"},
		{"length 0", set(wordLength, 0), ErrDamaged, "length of 0"},
		{"length not in words", set(wordLength, 102), ErrDamaged, "length of 102"},
		{"length beyond the address", set(wordLength, MaxBytes+4), ErrDamaged, "length of 16777220"},
		{"length all ones", set(wordLength, 0xFFFFFFFC), ErrDamaged, "length of 4294967292"},
		{"version 0", set(wordVersion, 0x00FFFFFF), ErrVersion, "0.255.65535"},
		{"version 2", set(wordVersion, 2<<24), ErrVersion, "2.0.0"},
		{"memory", set(wordMemory, 103), ErrDamaged, "103"},
		{"word 6", set(6, 1), ErrDamaged, "words 6 and 7"},
		{"word 7", set(7, 1), ErrDamaged, "words 6 and 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			image, err := Parse(c.change(sealed(t)))
			var typed *ImageError
			if !errors.Is(err, c.reason) || !errors.As(err, &typed) || image != nil {
				t.Fatalf("%v, want %v", err, c.reason)
			}
			if !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q does not say %q", err, c.text)
			}
		})
	}
}

// No bit may differ.
func TestParseFindsEveryFlippedBit(t *testing.T) {
	whole := sealed(t)
	for i := 0; i < len(whole)*8; i++ {
		b := append([]byte(nil), whole...)
		b[i/8] ^= 1 << (i % 8)
		if _, err := Parse(b); err == nil {
			t.Errorf("bit %d of byte %d inverted: accepted", i%8, i/8)
		}
	}
}

func TestSeal(t *testing.T) {
	short := program(t)[:headerWords*4]
	b, err := Seal(short)
	if err != nil || len(b) != MinBytes {
		t.Errorf("shortest program: %d bytes, %v", len(b), err)
	}
	odd, err := Seal(append(program(t), 1))
	if err != nil || len(odd) != 108 || odd[100] != 1 || odd[101]|odd[102]|odd[103] != 0 {
		t.Errorf("odd program: %x, %v", odd, err)
	}
	if _, err := Seal(short[:31]); err == nil {
		t.Error("31 bytes: sealed")
	}
	short[wordVersion*4+3] = 9
	if _, err := Seal(short); !errors.Is(err, ErrVersion) {
		t.Errorf("version 9: %v", err)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	b := sealed(t)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if image, err := Load(path); err != nil || !bytes.Equal(image.Bytes, b) {
		t.Errorf("%v, %v", image, err)
	}
	if err := os.Truncate(path, 50); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, ErrTruncated) || !strings.Contains(err.Error(), path) {
		t.Errorf("cut: %v", err)
	}
	if err := os.Truncate(path, MaxBytes+400); err != nil { // zeros
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("large: loaded")
	}
}

// Whatever Parse takes is what it says it is, and it never panics.
func FuzzParse(f *testing.F) {
	whole := sealed(f)
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(whole[:32])
	f.Add([]byte{})
	f.Add([]byte("\x7fELF\x01\x01\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		image, err := Parse(b)
		var typed *ImageError
		switch {
		case err != nil && (image != nil || !errors.As(err, &typed)):
			t.Errorf("%v: not a plain refusal", err)
		case err == nil && (len(image.Bytes)%4 != 0 || image.Memory < len(b) || image.Version.Major() != regs.VersionMajor ||
			^crc32.ChecksumIEEE(b) != 0xDEBB20E3):
			t.Errorf("accepted %+v", image)
		}
		if again, err := Seal(b); err == nil {
			if _, err := Parse(again); err != nil {
				t.Errorf("sealed and refused: %v", err)
			}
		}
	})
}
