// SPDX-License-Identifier: Apache-2.0

package job

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestFrames(t *testing.T) {
	var wire bytes.Buffer
	w := NewWriter(&wire)
	big := bytes.Repeat([]byte("0123456789abcdef"), 2*MaxPayload/16+1)
	if err := w.Write(Ready, nil); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Stream(Stdout).Write(big); n != len(big) || err != nil {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(big), err)
	}
	if n, err := w.Stream(Stderr).Write(nil); n != 0 || err != nil {
		t.Fatalf("empty write: %d, %v", n, err)
	}
	if err := w.Write(Stdin, big); err == nil {
		t.Error("a payload above the limit was written")
	}
	if kind, payload, err := Read(&wire); kind != Ready || len(payload) != 0 || err != nil {
		t.Fatalf("frame %d % x, %v", kind, payload, err)
	}
	var got []byte
	for {
		kind, payload, err := Read(&wire)
		if err == io.EOF {
			break
		}
		if err != nil || kind != Stdout {
			t.Fatalf("frame %d, %v", kind, err)
		}
		got = append(got, payload...)
	}
	if !bytes.Equal(got, big) {
		t.Error("the bytes of a stream came back changed")
	}
}

func TestReadRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		wire string
		want error // nil: any
	}{
		"end":               {"", io.EOF},
		"cut in the header": {"\x02\x01\x00", io.ErrUnexpectedEOF},
		"cut before data":   {"\x02\x01\x00\x00\x00", io.ErrUnexpectedEOF},
		"cut in the data":   {"\x02\x02\x00\x00\x00a", io.ErrUnexpectedEOF},
		"kind 0":            {"\x00\x00\x00\x00\x00", nil},
		"kind above":        {"\x08\x00\x00\x00\x00", nil},
		"too large":         {"\x02\x01\x00\x01\x00", nil},
	} {
		if _, _, err := Read(bytes.NewReader([]byte(test.wire))); err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("\x02\x03\x00\x00\x00abc\x04\x00\x00\x00\x00"))
	f.Add([]byte("\x09\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		src := bytes.NewReader(wire)
		for {
			before := src.Len()
			kind, payload, err := Read(src)
			if err != nil {
				return
			}
			var again bytes.Buffer
			if err := NewWriter(&again).Write(kind, payload); err != nil {
				t.Fatal(err)
			}
			at := len(wire) - before
			if !bytes.Equal(again.Bytes(), wire[at:len(wire)-src.Len()]) {
				t.Fatalf("frame % x was read as kind %d % x", wire[at:len(wire)-src.Len()], kind, payload)
			}
		}
	})
}
