// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// Bits of CAP_ALG.ENCRYPTION, which are IPsecOV2's.
const (
	encryptionGCM128 = 0x08
	encryptionGCM192 = 0x10
	encryptionGCM256 = 0x20
)

// ICV lengths of CAP_ALG.ICV by bit number.
var icvLengths = [3]int{16, 12, 8}

// Capabilities is what the NIC can do, as its capability registers state it.
type Capabilities struct {
	// Version of the register interface and identification of the build.
	Version regs.Version
	BuildID uint32

	TXQueues, RXQueues int
	Vectors            int // interrupt vectors
	Lanes              int // lanes of 128 bits in the data path
	SACapacity         int // SA slots, inbound and outbound together
	MinRing, MaxRing   int // entries of a ring
	Prefetch           int // descriptors cached per queue
	MaxFrame           int // bytes, no FCS
	ClockMHz           int // clock for which the design is meant

	// Encryption and Authentication are the IPsecOV2 algorithm masks.
	Encryption     uint16
	Authentication uint8
	// ICVLengths are the lengths of ICV in bytes.
	ICVLengths []int

	IPv4, IPv6                  bool
	IPv4Options, IPv6ExtHeaders bool
	AH, ESP, AHESP              bool
	Transport, Tunnel           bool
	TransportTunnel             bool
	LSO                         bool
	ESN                         bool
	UDPESP, EncapsulationMask   uint8 // masks of IPsecOV2
	Loopback                    bool
	// ControlProcessor: firmware in the NIC manages the SAs.
	ControlProcessor bool
}

// KeyLengths returns the lengths of AES-GCM keys in bytes, without salt.
func (c *Capabilities) KeyLengths() []int {
	var lengths []int
	for _, k := range []struct {
		bit    uint16
		length int
	}{{encryptionGCM128, 16}, {encryptionGCM192, 24}, {encryptionGCM256, 32}} {
		if c.Encryption&k.bit != 0 {
			lengths = append(lengths, k.length)
		}
	}
	return lengths
}

// ReadCapabilities returns what a NIC that nobody has opened can do, and changes
// nothing. Errors are those of Open.
func ReadCapabilities(fn pcie.Function) (Capabilities, error) {
	n, err := find(fn)
	if err != nil {
		return Capabilities{}, fmt.Errorf("read capabilities of %s: %w", fn.Info().Location, err)
	}
	return n.caps, nil
}

// readCapabilities reads and checks the capability registers.
func (n *NIC) readCapabilities() (Capabilities, error) {
	var c Capabilities
	var size regs.CapSize
	var sa regs.CapSA
	var alg regs.CapAlg
	var feature regs.CapFeature
	var ring regs.CapRing
	var frame regs.CapFrame
	var clock regs.CapClock
	for _, r := range []struct {
		offset uint64
		value  *uint32
	}{
		{regs.VersionOffset, (*uint32)(&c.Version)},
		{regs.BuildIDOffset, &c.BuildID},
		{regs.CapSizeOffset, (*uint32)(&size)},
		{regs.CapSAOffset, (*uint32)(&sa)},
		{regs.CapAlgOffset, (*uint32)(&alg)},
		{regs.CapFeatureOffset, (*uint32)(&feature)},
		{regs.CapRingOffset, (*uint32)(&ring)},
		{regs.CapFrameOffset, (*uint32)(&frame)},
		{regs.CapClockOffset, (*uint32)(&clock)},
	} {
		v, err := n.read(r.offset)
		if err != nil {
			return c, err
		}
		*r.value = v
	}
	c.TXQueues, c.RXQueues = int(size.NumTxq()), int(size.NumRxq())
	c.Vectors, c.Lanes = int(size.NumVectors()), int(size.Lanes())
	c.SACapacity = int(sa.Capacity())
	c.Encryption, c.Authentication = alg.Encryption(), alg.Authentication()
	for bit, length := range icvLengths {
		if alg.ICV()>>bit&1 != 0 {
			c.ICVLengths = append(c.ICVLengths, length)
		}
	}
	c.IPv4, c.IPv6 = feature.IPv4(), feature.IPv6()
	c.IPv4Options, c.IPv6ExtHeaders = feature.IPv4Options(), feature.IPv6ExtHeaders()
	c.AH, c.ESP, c.AHESP = feature.AH(), feature.ESP(), feature.AHESP()
	c.Transport, c.Tunnel, c.TransportTunnel = feature.Transport(), feature.Tunnel(), feature.TransportTunnel()
	c.LSO, c.ESN, c.Loopback = feature.LSO(), feature.ESN(), feature.Loopback()
	c.ControlProcessor = feature.ControlProcessor()
	c.UDPESP, c.EncapsulationMask = feature.UDPESP(), feature.Encapsulation()
	c.MinRing, c.MaxRing, c.Prefetch = 1<<ring.MinLog2(), 1<<ring.MaxLog2(), int(ring.Prefetch())
	c.MaxFrame, c.ClockMHz = int(frame.MaxFrame()), int(clock.MHz())
	return c, c.check()
}

// check refuses what this interface has no room for: a driver that believed it
// would write outside its registers or rings.
func (c *Capabilities) check() error {
	for _, v := range []struct {
		name          string
		value, lo, hi int
	}{
		{"TX queues", c.TXQueues, 1, regs.TxqCount},
		{"RX queues", c.RXQueues, 1, regs.RxqCount},
		{"interrupt vectors", c.Vectors, 1, regs.IntModerationCount},
		{"SA slots", c.SACapacity, 1, 1 << 16},
		{"smallest ring", c.MinRing, 2, c.MaxRing},
		{"longest frame", c.MaxFrame, minFrame, 1<<16 - 1},
	} {
		if v.value < v.lo || v.value > v.hi {
			return fmt.Errorf("NIC states %d %s, %d to %d are possible: %w", v.value, v.name, v.lo, v.hi, ErrCapabilities)
		}
	}
	return nil
}
