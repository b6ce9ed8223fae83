// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"encoding/binary"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
)

// Slots of NetBufferListInfo (NDIS 6.30 on a 64-bit host). Some have one meaning
// for packets sent and another for packets received.
const (
	SlotChecksum         = 0
	SlotIPsec            = 1 // handle on send, result on receive
	SlotLargeSend        = 2
	SlotReceiveNoPush    = 2
	SlotClassification   = 3
	SlotVLAN             = 4 // IEEE 802.1Q
	SlotCancelID         = 5
	SlotMediaSpecific    = 6
	SlotFrameType        = 7
	SlotProtocolID       = 7
	SlotHashValue        = 8
	SlotHashInfo         = 9
	SlotWFP              = 10
	SlotIPsecTunnel      = 11 // tunnel handle, send only
	SlotIPsecHeader      = 12
	SlotCorrelationID    = 13
	SlotFiltering        = 14
	SlotMediaSpecificEx  = 15
	SlotOriginalIfIndex  = 16
	SlotReceiveBytes     = 17
	SlotSwitchReserved   = 18
	SlotSwitchForwarding = 19
	SlotVirtualSubnet    = 20
	SlotIMReserved       = 21
	SlotReceiveCoalesce  = 22
	SlotRSCTimestamp     = 23

	netBufferListSlots = 24
)

// NetBufferListInfo is the out-of-band words of a packet, or of a list of
// packets that have them in common.
type NetBufferListInfo [netBufferListSlots]uint64

// copiedOnSend and copiedOnReceive are the slots that the copy functions of NDIS
// are documented to copy.
var (
	copiedOnSend = []int{
		SlotChecksum, SlotIPsec, SlotLargeSend, SlotVLAN, SlotMediaSpecific, SlotCancelID, SlotProtocolID,
		SlotIPsecTunnel, SlotIPsecHeader, SlotVirtualSubnet, SlotFiltering,
	}
	copiedOnReceive = []int{
		SlotChecksum, SlotIPsec, SlotReceiveNoPush, SlotVLAN, SlotMediaSpecific, SlotFrameType, SlotHashValue, SlotHashInfo,
		SlotIPsecTunnel, SlotIPsecHeader, SlotVirtualSubnet, SlotFiltering,
	}
)

// CopySendInfo copies to dst what a filter that clones a packet to be sent must
// copy, as NdisCopySendNetBufferListInfo does, and nothing else (MUX-2).
func CopySendInfo(dst, src *NetBufferListInfo) { copySlots(dst, src, copiedOnSend) }

// CopyReceiveInfo is CopySendInfo for packets received
// (NdisCopyReceiveNetBufferListInfo).
func CopyReceiveInfo(dst, src *NetBufferListInfo) { copySlots(dst, src, copiedOnReceive) }

func copySlots(dst, src *NetBufferListInfo, slots []int) {
	for _, s := range slots {
		dst[s] = src[s]
	}
}

// SendHeader is slot 12 of a packet to be sent.
type SendHeader struct {
	// NextHeader and PadLength are those of the ESP trailer.
	NextHeader, PadLength uint8
	// AHOffset and ESPOffset count from the start of the IP header, in units
	// of 4 bytes (TX-8).
	AHOffset, ESPOffset uint8
}

// Word returns the packed form.
func (h SendHeader) Word() uint32 {
	return uint32(h.NextHeader) | uint32(h.PadLength)<<8 | uint32(h.AHOffset)<<16 | uint32(h.ESPOffset)<<24
}

// SendHeaderOf unpacks slot 12 of a packet to be sent.
func SendHeaderOf(word uint32) SendHeader {
	return SendHeader{uint8(word), uint8(word >> 8), uint8(word >> 16), uint8(word >> 24)}
}

// ReceiveResult is slot 1 of a received packet.
type ReceiveResult struct {
	SADeleteReq                bool
	CryptoDone, NextCryptoDone bool
	CryptoStatus               uint16
}

// ReceiveResultOf unpacks slot 1 of a received packet.
func ReceiveResultOf(word uint32) ReceiveResult {
	return ReceiveResult{word&1 != 0, word&2 != 0, word&4 != 0, uint16(word >> 16)}
}

// Send is one packet to be sent, with its words.
type Send struct {
	Info NetBufferListInfo
	// Buffer holds a whole Ethernet frame: Length bytes from Offset on.
	Buffer         *driver.Buffer
	Offset, Length int
	// Cookie comes back in driver.TXDone.
	Cookie uint64
}

// Positions in an Ethernet frame, in bytes.
const (
	ethernetHeader = 14
	etherTypeAt    = 12
	ivLength       = 8
	espHeader      = 8
	// espMinimum is what a frame has from the ESP header on at least: header,
	// IV, one block of payload with trailer, ICV.
	espMinimum = espHeader + ivLength + 4 + icvLength
)

// PrepareSend judges a send and returns the packet for driver.TXQueue.Post, or
// a refusal with the status with which the send is completed. The checks are, in
// order: the adapter runs and is not paused; the offloads asked are there; IPsec
// is active; the handle names an outbound SA; the header word fits the frame
// (TX-8). The upper half of the sequence number is that of this moment: an
// UPDATE_SA that comes later does not touch it (UPD-4) [G].
//
// A packet that names an SA is never returned without it, whatever is wrong: it
// fails (TX-12), unless Options.SpecLiteralSend.
func (a *Adapter) PrepareSend(s *Send) (driver.TXPacket, error) {
	const op = "send"
	p, err := a.prepareSend(s)
	if err != nil {
		return driver.TXPacket{}, withOp(op, err)
	}
	return p, nil
}

func (a *Adapter) prepareSend(s *Send) (driver.TXPacket, error) {
	packet := driver.TXPacket{Buffer: s.Buffer, Offset: s.Offset, Length: s.Length, Cookie: s.Cookie}
	handle, tunnel := OffloadHandle(s.Info[SlotIPsec]), OffloadHandle(s.Info[SlotIPsecTunnel])
	if p := a.gate.now(); p != running {
		return packet, notAccepted(p)
	}
	if a.paused.Load() {
		return packet, refuse(StatusPaused, "adapter", "paused", "a running adapter")
	}
	if s.Info[SlotLargeSend] != 0 {
		// LSO-7, LSO-8. No NIC of this project segments.
		return packet, refuse(StatusFailure, "slot 2", "a large send", "packets that need no segmentation: LsoSupported is FALSE")
	}
	switch {
	case tunnel != 0 && handle == 0:
		return packet, refuse(StatusFailure, "slot 11", "a tunnel handle without a handle in slot 1", "one SA in slot 1") // [G]
	case tunnel != 0:
		return packet, refuse(StatusFailure, "slot 11", "transport nested in tunnel", "one SA in slot 1: TransportTunnelCombined is FALSE")
	case handle == 0:
		return packet, nil // TX-5
	}
	config := a.config.Load()
	e, err := a.find(handle)
	if !config.active() || err == nil && !config.activeFor(e.ipv6) || err == nil && !config.current.IPsecV2.ESP {
		if a.opts.SpecLiteralSend {
			return packet, nil
		}
		return packet, refuse(StatusFailure, "slot 1", fmt.Sprintf("SA %v", handle), "0 while IPsec is off")
	}
	if err != nil {
		return packet, refuse(StatusFailure, "slot 1", fmt.Sprintf("SA %v", handle), "SAs that this adapter has") // TX-7
	}
	if e.inbound {
		return packet, refuse(StatusFailure, "slot 1", fmt.Sprintf("inbound SA %v", handle), "outbound SAs")
	}
	frame, err := s.frame()
	if err != nil {
		return packet, err
	}
	offset, err := espOffset(frame, SendHeaderOf(uint32(s.Info[SlotIPsecHeader])), e)
	if err != nil {
		return packet, err
	}
	low := binary.BigEndian.Uint32(frame[offset+4:])
	packet.SA, packet.ESPOffset = e.handle, offset
	packet.Sequence = uint64(e.high.Load())<<32 | uint64(low)
	return packet, nil
}

// frame returns the bytes of the frame.
func (s *Send) frame() ([]byte, error) {
	if s.Buffer == nil {
		return nil, refuse(StatusFailure, "buffer", "none", "a buffer")
	}
	all := s.Buffer.Bytes()
	if s.Offset < 0 || s.Length < 0 || s.Offset > len(all) || s.Length > len(all)-s.Offset {
		return nil, refuse(StatusFailure, "buffer", fmt.Sprintf("%d bytes at offset %d", s.Length, s.Offset), fmt.Sprintf("bytes within the buffer's %d", len(all)))
	}
	return all[s.Offset : s.Offset+s.Length], nil
}

// espOffset checks the header word against the frame (TX-8) and returns where
// ESP begins, in bytes from the frame's start. What is checked is what would
// otherwise encrypt the wrong bytes: the IP version, the protocol, and the SPI
// at that place. The trailer's Next Header and Pad Length in the frame are the
// ones that count [G].
func espOffset(frame []byte, h SendHeader, e *entry) (int, error) {
	bad := func(field string, asked any, allowed string) error {
		return refuse(StatusFailure, field, asked, allowed)
	}
	offset := ethernetHeader + 4*int(h.ESPOffset)
	if len(frame) < offset+espMinimum {
		return 0, bad("slot 12 EspHeaderOffset", fmt.Sprintf("%d (byte %d of the frame)", h.ESPOffset, offset),
			fmt.Sprintf("offsets that leave %d bytes of ESP in a frame of %d", espMinimum, len(frame)))
	}
	if h.AHOffset != 0 {
		return 0, bad("slot 12 AhHeaderOffset", h.AHOffset, "0: the SA has no AH")
	}
	want, minimum := uint16(0x0800), 20
	if e.ipv6 {
		want, minimum = 0x86DD, 40
	}
	if got := binary.BigEndian.Uint16(frame[etherTypeAt:]); got != want {
		return 0, bad("EtherType", fmt.Sprintf("%#04x", got), fmt.Sprintf("%#04x, as the SA is %s", want, version(e.ipv6)))
	}
	ip := frame[ethernetHeader:]
	if !e.ipv6 {
		minimum = int(ip[0]&0xF) * 4
	}
	protocol := ip[9]
	if e.ipv6 {
		protocol = ip[6]
	}
	switch {
	case 4*int(h.ESPOffset) < minimum || minimum < 20:
		return 0, bad("slot 12 EspHeaderOffset", h.ESPOffset, fmt.Sprintf("at least %d, the IP header's end", (minimum+3)/4))
	case protocol == protocolESP && 4*int(h.ESPOffset) != minimum:
		return 0, bad("slot 12 EspHeaderOffset", h.ESPOffset, fmt.Sprintf("%d: ESP follows the IP header", minimum/4))
	case binary.BigEndian.Uint32(frame[offset:]) != e.spi:
		return 0, bad("slot 12 EspHeaderOffset", fmt.Sprintf("%d (where SPI %#08x stands)", h.ESPOffset, binary.BigEndian.Uint32(frame[offset:])),
			fmt.Sprintf("the place of the SA's SPI %#08x", e.spi))
	}
	return offset, nil
}

// protocolESP is ESP's IP protocol number.
const protocolESP = 50

// ReceiveInfo returns the words of a received packet: slot 1 with SaDeleteReq
// if the host is to delete the SA, and slot 12. Both are 0 for a packet that the
// NIC has not processed. Buffers handed back without a frame have none.
func (a *Adapter) ReceiveInfo(p *driver.RXPacket) NetBufferListInfo {
	var info NetBufferListInfo
	if p.Status != driver.OK && p.Status != driver.Truncated {
		return info
	}
	words := p.IPsec
	if p.SA != 0 {
		if e := a.table.find(p.SA); e != nil && e.evict.Load() {
			words.SADeleteRequest = true
		}
	}
	info[SlotIPsec], info[SlotIPsecHeader] = uint64(words.Slot1()), uint64(words.Slot12())
	return info
}
