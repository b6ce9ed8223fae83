// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
)

// association is an SA at work.
type association struct {
	config SA // without key material
	handle driver.Handle
	counts counters

	// Outbound: used by the goroutine that sends only.
	framer    *espframe.Framer
	exhausted bool // and its owner knows

	// Inbound: used by the goroutine of rxQueue only.
	rxQueue int
	window  *replayWindow
	soft    *softOpener // with ESN

	// highInNIC is the upper half of sequence numbers that the NIC has (ESN).
	highInNIC uint32
	// oldUntil: among the first so many packets of the RX queue may be some that
	// the NIC has judged with another upper half, that from before UpdateSA.
	oldUntil uint64

	golden *goldenSA // with Config.Check
}

// counters of one SA. Bytes are those that ESP protects: the IP packet in
// tunnel mode, what follows the IP header in transport mode; Linux counts the
// same.
type counters struct {
	packets, bytes atomic.Uint64
	software       atomic.Uint64
	sequence       atomic.Uint64 // inbound: the highest received
	drops          [dropReasons]atomic.Uint64
}

func (c *counters) carried(bytes int) {
	c.packets.Add(1)
	c.bytes.Add(uint64(bytes))
}

// newAssociation prepares an SA. sa's key is the caller's to clear.
func newAssociation(sa SA, c *Config) (*association, error) {
	a := &association{config: sa, highInNIC: uint32(sa.LastSequence >> 32)}
	a.config.Key, a.config.Salt = nil, driver.Salt{}
	var err error
	if sa.Inbound {
		a.window = newReplayWindow(c.Window, sa.LastSequence)
		a.counts.sequence.Store(sa.LastSequence)
		if sa.ESN {
			a.soft, err = newSoftOpener(sa)
		}
	} else {
		mode := espframe.Transport
		if sa.Tunnel {
			mode = espframe.Tunnel
		}
		a.framer, err = espframe.New(espframe.Config{SPI: sa.SPI, Mode: mode, ESN: sa.ESN, LastSequence: sa.LastSequence, MTU: c.MTU, Src: sa.Src, Dst: sa.Dst})
	}
	if err == nil && c.Check {
		a.golden, err = newGoldenSA(sa)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a, err)
	}
	return a, nil
}

// String says what tells the SA from others.
func (a *association) String() string {
	direction, mode := "outbound", "transport"
	if a.config.Inbound {
		direction = "inbound"
	}
	if a.config.Tunnel {
		mode = "tunnel"
	}
	return fmt.Sprintf("%s %s SA %#08x", direction, mode, a.config.SPI)
}

// driverSA is the SA as the NIC takes it.
func (sa SA) driverSA(rxQueue int) driver.SA {
	return driver.SA{
		SPI: sa.SPI, Inbound: sa.Inbound, Tunnel: sa.Tunnel, Src: sa.Src, Dst: sa.Dst, ESN: sa.ESN,
		SequenceHi: uint32(sa.LastSequence >> 32), Key: sa.Key, Salt: sa.Salt, RXQueue: rxQueue,
	}
}

// ESP's parts (RFC 4303, RFC 4106), in bytes.
const (
	espHeaderLen = espframe.HeaderLen
	ivLen        = espframe.IVLen
	icvLen       = espframe.ICVLen
	saltLen      = 4
)

// newAEAD makes the AES-GCM of a key.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// softOpener decrypts packets here. The NIC has one upper half of the sequence
// number for an SA, and near the end of a lower half packets of two arrive: those
// that need the other one come as failed, still encrypted, and are opened here.
type softOpener struct {
	aead   cipher.AEAD
	nonce  [saltLen + ivLen]byte
	aad    [12]byte
	sealed []byte
}

func newSoftOpener(sa SA) (*softOpener, error) {
	aead, err := newAEAD(sa.Key)
	if err != nil {
		return nil, err
	}
	s := &softOpener{aead: aead}
	copy(s.nonce[:saltLen], sa.Salt[:])
	return s, nil
}

// open decrypts an ESP packet in place with the upper half high, and returns its
// trailer. If its ICV is wrong, ok is false and the packet's payload undefined.
func (s *softOpener) open(esp []byte, high uint32) (trailer espframe.Trailer, ok bool) {
	if len(esp) < espHeaderLen+ivLen+icvLen+4 {
		return trailer, false
	}
	s.fill(esp, high)
	sealed := esp[espHeaderLen+ivLen:]
	plain, err := s.aead.Open(sealed[:0], s.nonce[:], sealed, s.aad[:])
	if err != nil {
		return trailer, false
	}
	return espframe.Trailer{PadLength: plain[len(plain)-2], NextHeader: plain[len(plain)-1]}, true
}

// confirm says whether the ICV of a packet that the NIC has decrypted is right
// with the upper half high: the NIC may have used another.
func (s *softOpener) confirm(esp []byte, high uint32) bool {
	s.fill(esp, high)
	plain, icv := esp[espHeaderLen+ivLen:len(esp)-icvLen], esp[len(esp)-icvLen:]
	s.sealed = s.aead.Seal(s.sealed[:0], s.nonce[:], plain, s.aad[:])
	return subtle.ConstantTimeCompare(s.sealed[len(plain):], icv) == 1
}

// fill sets nonce and additional data (RFC 4106, sections 4 and 5).
func (s *softOpener) fill(esp []byte, high uint32) {
	copy(s.nonce[saltLen:], esp[espHeaderLen:espHeaderLen+ivLen])
	copy(s.aad[:4], esp[:4])
	s.aad[4], s.aad[5], s.aad[6], s.aad[7] = byte(high>>24), byte(high>>16), byte(high>>8), byte(high)
	copy(s.aad[8:], esp[4:8])
}

// espPacket finds the ESP packet of a frame that the NIC has found to be one.
func espPacket(frame []byte) (esp []byte, ok bool) {
	h, kind := parseFrame(frame)
	if kind != kindIP || h.protocol != protocolESP || h.length-h.headerLen < espHeaderLen {
		return nil, false
	}
	return frame[ethernetLen+h.headerLen : ethernetLen+h.length], true
}
