// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// Packet is one Ethernet frame of a capture, without FCS.
type Packet struct {
	// Capture is the file's base name, Number the packet's place in it, from 1.
	Capture string
	Number  int
	Frame   []byte
}

// Name identifies the packet to a user: "http.pcap packet 17".
func (p Packet) Name() string { return fmt.Sprintf("%s packet %d", p.Capture, p.Number) }

// The first four bytes of the files that LoadCapture takes, as they read in
// either byte order.
const (
	magicPcap     = 0xA1B2C3D4
	magicPcapNano = 0xA1B23C4D
	magicPcapNg   = 0x0A0D0D0A
)

// packetReader is what pcapgo's readers for both formats have in common.
type packetReader interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	LinkType() layers.LinkType
}

// LoadCapture reads all packets of a pcap or pcapng file of Ethernet frames.
// Errors are one sentence that names the file, the packet and what is allowed.
func LoadCapture(path string) ([]Packet, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("capture %s cannot be read: %w", path, errors.Unwrap(err))
	}
	defer file.Close()
	return readCapture(filepath.Base(path), file)
}

// readCapture is LoadCapture for an open file called name.
func readCapture(name string, file io.ReadSeeker) ([]Packet, error) {
	in := bufio.NewReaderSize(file, 1<<20)
	head, err := in.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("capture %s has %d bytes, which is no capture; wanted is pcap or pcapng", name, len(head))
	}
	head = bytes.Clone(head)
	format, order := formatOf(head)
	if format == nil {
		return nil, fmt.Errorf("capture %s begins with % x, which is neither pcap nor pcapng; `file %s` tells what it is", name, head, name)
	}
	// The readers trust the lengths in a file, and take one that ends inside a
	// block for one that ends before it; so these are checked first.
	if whole, err := format.walk(file, order); err != nil {
		return nil, fmt.Errorf("capture %s is damaged or cut off behind packet %d (%v); `editcap %s OUT` keeps what is whole", name, whole, err, name)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("capture %s cannot be read: %w", name, err)
	}
	in.Reset(file)
	reader, err := format.open(in)
	if err != nil {
		return nil, fmt.Errorf("capture %s has a damaged file header (%v); `capinfos %s` tells more", name, err, name)
	}
	if link := reader.LinkType(); link != layers.LinkTypeEthernet {
		return nil, fmt.Errorf("capture %s has link type %v; wanted is Ethernet, as `tcpdump -i INTERFACE -w FILE` records it", name, link)
	}
	var packets []Packet
	for {
		data, info, err := reader.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		number := len(packets) + 1
		if err != nil {
			return nil, fmt.Errorf("capture %s is damaged at packet %d (%v); `editcap -r %s OUT 1-%d` keeps what is whole", name, number, err, name, number-1)
		}
		if info.CaptureLength != info.Length {
			return nil, fmt.Errorf("capture %s holds only %d of the %d bytes of packet %d; record whole packets, as with `tcpdump -s 0`", name, info.CaptureLength, info.Length, number)
		}
		packets = append(packets, Packet{Capture: name, Number: number, Frame: data})
	}
	if len(packets) == 0 {
		return nil, fmt.Errorf("capture %s holds no packets", name)
	}
	return packets, nil
}

// captureFormat is one of the two formats.
type captureFormat struct {
	open func(io.Reader) (packetReader, error)
	// fileHeader is the length of what comes before the first record.
	fileHeader int64
	// recordHeader is the length of a record's header; length finds the whole
	// record's length in it, packet says whether it holds a packet.
	recordHeader int
	length       func(header []byte, order binary.ByteOrder) int64
	packet       func(header []byte, order binary.ByteOrder) bool
}

var (
	pcapFormat = captureFormat{
		open:         func(in io.Reader) (packetReader, error) { return pcapgo.NewReader(in) },
		fileHeader:   24,
		recordHeader: 16,
		length:       func(h []byte, order binary.ByteOrder) int64 { return 16 + int64(order.Uint32(h[8:])) },
		packet:       func([]byte, binary.ByteOrder) bool { return true },
	}
	// The shortest pcapng block has type, length and length again. Blocks of
	// types 3 and 6 hold a packet each.
	pcapngFormat = captureFormat{
		open: func(in io.Reader) (packetReader, error) {
			return pcapgo.NewNgReader(in, pcapgo.DefaultNgReaderOptions)
		},
		recordHeader: 12,
		length:       func(h []byte, order binary.ByteOrder) int64 { return max(int64(order.Uint32(h[4:])), 12) },
		packet: func(h []byte, order binary.ByteOrder) bool {
			kind := order.Uint32(h)
			return kind == 3 || kind == 6
		},
	}
)

// formatOf tells a file's format and byte order from its first four bytes; a
// pcapng file's order is found in its first block.
func formatOf(head []byte) (*captureFormat, binary.ByteOrder) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(head) {
		case magicPcap, magicPcapNano:
			return &pcapFormat, order
		case magicPcapNg:
			return &pcapngFormat, order
		}
	}
	return nil, nil
}

// walk steps over all records and returns how many packets are whole.
func (f *captureFormat) walk(file io.ReadSeeker, order binary.ByteOrder) (whole int, err error) {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if f.fileHeader > end {
		return 0, fmt.Errorf("its header has %d of %d bytes", end, f.fileHeader)
	}
	at, err := file.Seek(f.fileHeader, io.SeekStart)
	if err != nil {
		return 0, err
	}
	in := bufio.NewReaderSize(file, 1<<20)
	for at < end {
		header, err := in.Peek(f.recordHeader)
		if err != nil {
			return whole, fmt.Errorf("%d bytes are left over", end-at)
		}
		if binary.LittleEndian.Uint32(header) == magicPcapNg && f == &pcapngFormat {
			const byteOrderMagic = 0x1A2B3C4D
			order = binary.LittleEndian
			if binary.BigEndian.Uint32(header[8:]) == byteOrderMagic {
				order = binary.BigEndian
			}
		}
		length, packet := f.length(header, order), f.packet(header, order)
		if at+length > end {
			return whole, fmt.Errorf("a record claims %d bytes where %d are left", length, end-at)
		}
		if _, err := in.Discard(int(length)); err != nil {
			return whole, err
		}
		at += length
		if packet {
			whole++
		}
	}
	return whole, nil
}
