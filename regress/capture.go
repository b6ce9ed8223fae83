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
	return readCapture(filepath.Base(path), bufio.NewReaderSize(file, 1<<20))
}

// readCapture is LoadCapture for an open file called name.
func readCapture(name string, in *bufio.Reader) ([]Packet, error) {
	head, err := in.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("capture %s has %d bytes, which is no capture; wanted is pcap or pcapng", name, len(head))
	}
	reader, err := openReader(head, in)
	if errors.Is(err, errForeign) {
		return nil, fmt.Errorf("capture %s begins with % x, which is neither pcap nor pcapng; `file %s` tells what it is", name, head, name)
	}
	if err != nil {
		return nil, fmt.Errorf("capture %s has a damaged file header (%v); `capinfos %s` tells more", name, err, name)
	}
	if link := reader.LinkType(); link != layers.LinkTypeEthernet {
		return nil, fmt.Errorf("capture %s has link type %v; wanted is Ethernet, as `tcpdump -i INTERFACE -w FILE` records it", name, link)
	}
	var packets []Packet
	for {
		data, info, err := reader.ReadPacketData()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		number := len(packets) + 1
		if err != nil {
			return nil, fmt.Errorf("capture %s is damaged or cut off at packet %d (%v); `editcap -r %s OUT 1-%d` keeps what is whole", name, number, err, name, number-1)
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

var errForeign = errors.New("not a capture")

func openReader(head []byte, in io.Reader) (packetReader, error) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(head) {
		case magicPcap, magicPcapNano:
			return pcapgo.NewReader(in)
		case magicPcapNg:
			return pcapgo.NewNgReader(in, pcapgo.DefaultNgReaderOptions)
		}
	}
	if bytes.Equal(head[:2], []byte{0x1f, 0x8b}) {
		return nil, fmt.Errorf("it is compressed; unpack it with gunzip first")
	}
	return nil, errForeign
}
