// SPDX-License-Identifier: Apache-2.0

package job

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// Kind is what a frame is.
type Kind uint8

// Kinds of frames.
const (
	// Ready: everything is set up, the command starts. Guest to host, no payload.
	Ready Kind = iota + 1
	// Stdout and Stderr: what the command wrote. Guest to host.
	Stdout
	Stderr
	// Done: the command has ended, and everything it wrote has been sent before. A
	// Result as JSON. Guest to host.
	Done
	// Stdin: what the command is to read; an empty one is the end of its input.
	// Host to guest.
	Stdin
	// Signal: a signal's number in one byte, for the command and what it started.
	// Host to guest.
	Signal
	// Off: the host has taken the result, the guest can power off. Host to guest,
	// no payload.
	Off

	lastKind = Off
)

// MaxPayload is the largest payload of a frame, in bytes.
const MaxPayload = 1 << 16

// headerSize is the size of a frame's header: its kind, and the number of bytes
// that follow in 4 bytes little-endian.
const headerSize = 5

// Writer writes frames. It may be used by several goroutines.
type Writer struct {
	mu   sync.Mutex
	dst  io.Writer
	text []byte
}

// NewWriter writes frames to dst.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst} }

// Write writes one frame. A payload of more than MaxPayload bytes is an error.
func (w *Writer) Write(kind Kind, payload []byte) error {
	if len(payload) > MaxPayload {
		return fmt.Errorf("write frame of kind %d: payload of %d bytes, at most %d are allowed", kind, len(payload), MaxPayload)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text[:0], byte(kind))
	w.text = binary.LittleEndian.AppendUint32(w.text, uint32(len(payload)))
	w.text = append(w.text, payload...)
	_, err := w.dst.Write(w.text)
	return err
}

// Stream is an io.Writer whose bytes go out as frames of the kind. Empty writes
// make no frame.
func (w *Writer) Stream(kind Kind) io.Writer { return stream{w, kind} }

type stream struct {
	to   *Writer
	kind Kind
}

func (s stream) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), MaxPayload)]
		if err := s.to.Write(s.kind, part); err != nil {
			return n, err
		}
		n, p = n+len(part), p[len(part):]
	}
	return n, nil
}

// Read reads one frame. At the end of src between two frames it answers io.EOF,
// inside one io.ErrUnexpectedEOF.
func Read(src io.Reader) (Kind, []byte, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(src, header[:]); err != nil {
		return 0, nil, err
	}
	kind, size := Kind(header[0]), binary.LittleEndian.Uint32(header[1:])
	if kind == 0 || kind > lastKind || size > MaxPayload {
		return 0, nil, fmt.Errorf("read frame: header % x has an unknown kind or more than %d bytes", header, MaxPayload)
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(src, payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return kind, payload, nil
}
