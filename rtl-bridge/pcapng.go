// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// Recorder writes the frames on wires to a pcapng file, an interface per port.
// A frame's time is that of its last beat, in simulated nanoseconds since
// power-up; so the same run gives the same file.
type Recorder struct {
	mu      sync.Mutex
	out     *bufio.Writer
	writer  *pcapgo.NgWriter
	mhz     uint64
	removes []func()
	err     error // the first failure; nothing is written after it
}

// NewRecorder returns a recorder for ports whose clock runs at mhz (250 for
// the nominal clock). Close must be called before what it wrote is complete.
func NewRecorder(w io.Writer, mhz uint64) (*Recorder, error) {
	if mhz == 0 {
		return nil, errors.New("recorder: clock of 0 MHz")
	}
	return &Recorder{out: bufio.NewWriterSize(w, 1<<16), mhz: mhz}, nil
}

// Add records the frames that the port's NIC sends, as interface name.
func (r *Recorder) Add(port *Port, name string) error {
	return r.add(port, name, true)
}

// AddReceived records the frames that go toward the port's NIC. On connected
// ports they are those that the peer sends.
func (r *Recorder) AddReceived(port *Port, name string) error {
	return r.add(port, name, false)
}

func (r *Recorder) add(port *Port, name string, fromNIC bool) error {
	id, err := r.AddInterface(name)
	if err != nil {
		return err
	}
	remove := port.Tap(func(f *WireFrame) {
		if f.FromNIC == fromNIC {
			_ = r.Record(id, f) // Close returns it
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removes = append(r.removes, remove)
	return nil
}

// AddInterface describes an interface in the file, for frames that are given to
// Record, and returns its number.
func (r *Recorder) AddInterface(name string) (int, error) {
	id, err := r.describe(name)
	if err != nil {
		return 0, fmt.Errorf("recorder: interface %s: %w", name, err)
	}
	return id, nil
}

// describe writes an interface's block; the first one begins the file.
func (r *Recorder) describe(name string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wire := pcapgo.NgInterface{Name: name, LinkType: layers.LinkTypeEthernet, TimestampResolution: 9}
	if r.writer != nil {
		return r.writer.AddInterface(wire)
	}
	var err error
	r.writer, err = pcapgo.NewNgWriterInterface(r.out, wire, pcapgo.NgWriterOptions{
		SectionInfo: pcapgo.NgSectionInfo{Application: "espalier"},
	})
	return 0, err
}

// Record writes a frame of interface id. After an error nothing more is written.
func (r *Recorder) Record(id int, f *WireFrame) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	// Whole seconds apart, so that a long run does not overflow.
	perSecond := r.mhz * 1_000_000
	at := time.Unix(int64(f.LastCycle/perSecond), int64(f.LastCycle%perSecond*1000/r.mhz))
	r.err = r.writer.WritePacket(gopacket.CaptureInfo{
		Timestamp: at, CaptureLength: len(f.Data), Length: len(f.Data), InterfaceIndex: id,
	}, f.Data)
	return r.err
}

// Close ends the recording and returns the first error of all.
func (r *Recorder) Close() error {
	r.mu.Lock()
	removes := r.removes
	r.removes = nil
	r.mu.Unlock()
	for _, remove := range removes {
		remove()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && r.writer != nil {
		r.err = r.writer.Flush()
	}
	if r.err == nil {
		r.err = r.out.Flush()
	}
	if r.err != nil {
		return fmt.Errorf("recorder: %w", r.err)
	}
	return nil
}

// Replay sends the frames of a pcapng file toward a NIC, back to back, and
// returns how many. The file's times have no effect. A file that is cut short
// or not pcapng sends nothing.
func Replay(r io.Reader, port *Port) (int, error) {
	file, err := io.ReadAll(r)
	if err != nil {
		return 0, fmt.Errorf("replay: %w", err)
	}
	if err := checkBlocks(file); err != nil {
		return 0, fmt.Errorf("replay: %w", err)
	}
	reader, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		return 0, fmt.Errorf("replay: damaged pcapng file: %w", err)
	}
	for n := 0; ; n++ {
		data, info, err := reader.ZeroCopyReadPacketData()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("replay: frame %d: %w", n+1, err)
		}
		wire, err := reader.Interface(info.InterfaceIndex)
		if err != nil {
			return n, fmt.Errorf("replay: frame %d: %w", n+1, err)
		}
		if wire.LinkType != layers.LinkTypeEthernet {
			return n, fmt.Errorf("replay: frame %d has link type %v, only Ethernet can be sent", n+1, wire.LinkType)
		}
		if info.CaptureLength != info.Length {
			return n, fmt.Errorf("replay: frame %d is cut to %d of %d bytes", n+1, info.CaptureLength, info.Length)
		}
		if err := port.Send(data, false); err != nil {
			return n, fmt.Errorf("replay: frame %d: %w", n+1, err)
		}
	}
}

// checkBlocks walks the blocks of a pcapng file. The reader takes a file that
// ends inside a block for one that ends before it.
func checkBlocks(file []byte) error {
	const sectionHeader, byteOrderMagic, smallest = 0x0A0D0D0A, 0x1A2B3C4D, 12
	var order binary.ByteOrder
	for at := 0; at < len(file); {
		rest := file[at:]
		if len(rest) >= smallest && binary.LittleEndian.Uint32(rest) == sectionHeader { // the same in either order
			order = binary.LittleEndian
			if binary.LittleEndian.Uint32(rest[8:]) != byteOrderMagic {
				order = binary.BigEndian
			}
		}
		if order == nil {
			break
		}
		if len(rest) < smallest {
			return fmt.Errorf("pcapng file ends inside a block at byte %d", at)
		}
		length := int64(order.Uint32(rest[4:]))
		if length < smallest || length%4 != 0 {
			return fmt.Errorf("pcapng block at byte %d has length %d", at, length)
		}
		if length > int64(len(rest)) {
			return fmt.Errorf("pcapng file ends inside a block at byte %d", at)
		}
		at += int(length)
	}
	if order == nil {
		return errors.New("not a pcapng file")
	}
	return nil
}
