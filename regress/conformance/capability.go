// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/offload"
)

// expected is what a setting of AH and ESP leaves of a hardware record, worked
// out here from the rules and not by the adapter.
func expected(hardware offload.Capabilities, ah, esp bool) func(offload.Capabilities) error {
	ah, esp = ah && hardware.AH, esp && hardware.ESP
	return func(got offload.Capabilities) error {
		switch {
		case !ah && !esp:
			if got != (offload.Capabilities{}) {
				return errors.New("the record is not all zero although nothing is on")
			}
		case got.AH != ah || got.ESP != esp:
			return fmt.Errorf("the record says AH %v and ESP %v, right are %v and %v", got.AH, got.ESP, ah, esp)
		case ah == hardware.AH && esp == hardware.ESP && got != hardware:
			return errors.New("everything is on and the record is not the hardware's")
		case got.SAOffloadCapacity != hardware.SAOffloadCapacity || got.Encapsulation != hardware.Encapsulation || got.IPv6Supported != hardware.IPv6Supported:
			return errors.New("the record lost what has nothing to do with the setting")
		}
		return contradictions(got)
	}
}

// threeViews initialises with each value of the keyword.
func threeViews(ctx context.Context, b *Bench) error {
	var hardware offload.Offload
	for value := range 4 {
		keywords := offload.DefaultKeywords()
		keywords.IPsecOffloadV2 = offload.IPsecSetting(value)
		c, err := b.insert(ctx, offload.Options{Keywords: &keywords})
		if err != nil {
			return err
		}
		if value == 0 {
			hardware = c.a.HardwareCapabilities()
			if !hardware.IPsecV2.ESP {
				return errors.New("the hardware record is empty: there is nothing to compare")
			}
		}
		initial := c.a.DefaultConfiguration()
		switch {
		case c.a.HardwareCapabilities() != hardware:
			return fmt.Errorf("*IPsecOffloadV2 = %d: the hardware record has changed", value)
		case c.a.CurrentConfiguration() != initial:
			return fmt.Errorf("*IPsecOffloadV2 = %d: the current configuration is not the default one", value)
		}
		if err := expected(hardware.IPsecV2, value&1 != 0, value&2 != 0)(initial.IPsecV2); err != nil {
			return fmt.Errorf("*IPsecOffloadV2 = %d: %w", value, err)
		}
	}
	return nil
}

// mandatoryCapabilities reads the record.
func mandatoryCapabilities(ctx context.Context, b *Bench) error {
	c, err := b.insert(ctx, offload.Options{})
	if err != nil {
		return err
	}
	r := c.a.HardwareCapabilities().IPsecV2
	for _, v := range []struct {
		what string
		ok   bool
	}{
		{"Ethernet framing", r.Encapsulation&offload.EncapsulationEthernet != 0}, {"tunnel mode", r.Tunnel}, {"transport mode", r.Transport},
		{"ESP", r.ESP}, {"IPv6", r.IPv6Supported}, {"AES-GCM", r.EncryptionAlgorithms&0x38 != 0}, {"room for SAs", r.SAOffloadCapacity > 0},
	} {
		if !v.ok {
			return fmt.Errorf("the record does not state %s", v.what)
		}
	}
	return nil
}

// recordLayout encodes records whose bytes are all different.
func recordLayout(context.Context, *Bench) error {
	all := offload.Capabilities{
		Encapsulation: 0x04030201, IPv6Supported: true, IPv6NonIPsecExtensionHeaders: true, ESP: true, Transport: true,
		TransportTunnelCombined: true, ExtendedSequenceNumbers: true,
		UDPESP: 0x08070605, AuthenticationAlgorithms: 0x0C0B0A09, EncryptionAlgorithms: 0x100F0E0D, SAOffloadCapacity: 0x14131211,
	}
	vector := []byte{
		1, 2, 3, 4, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0,
		5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
	}
	if err := encodesAs(all, vector); err != nil {
		return err
	}
	// Each boolean by itself, by its offset in the header.
	for offset, set := range []func(*offload.Capabilities){
		func(c *offload.Capabilities) { c.IPv6Supported = true }, func(c *offload.Capabilities) { c.IPv4Options = true },
		func(c *offload.Capabilities) { c.IPv6NonIPsecExtensionHeaders = true }, func(c *offload.Capabilities) { c.AH = true },
		func(c *offload.Capabilities) { c.ESP = true }, func(c *offload.Capabilities) { c.AHESPCombined = true },
		func(c *offload.Capabilities) { c.Transport = true }, func(c *offload.Capabilities) { c.Tunnel = true },
		func(c *offload.Capabilities) { c.TransportTunnelCombined = true }, func(c *offload.Capabilities) { c.LSOSupported = true },
		func(c *offload.Capabilities) { c.ExtendedSequenceNumbers = true },
	} {
		var c offload.Capabilities
		set(&c)
		vector := make([]byte, 32)
		vector[4+offset] = 1
		if err := encodesAs(c, vector); err != nil {
			return fmt.Errorf("boolean %d: %w", offset, err)
		}
	}
	// Values of 1.3 of the header, by number.
	for _, v := range []struct{ got, want uint32 }{
		{uint32(offload.EncapsulationEthernet), 2}, {uint32(offload.EncapsulationLLCSNAP), 0x10},
		{uint32(offload.EncapsulationVLANInData), 4}, {uint32(offload.EncapsulationVLANOutOfBand), 8},
		{uint32(offload.AuthenticationSHA256), 4}, {uint32(offload.AuthenticationGMAC256), 0x20},
		{uint32(offload.EncryptionAESGCM128), 8}, {uint32(offload.EncryptionAESGCM192), 0x10}, {uint32(offload.EncryptionAESGCM256), 0x20},
		{uint32(offload.EncryptionAESCBC256), 0x100}, {uint32(offload.UDPTransportInTunnel), 8},
		{uint32(offload.OIDAddSA), 0xFC030202}, {uint32(offload.OIDDeleteSA), 0xFC030203}, {uint32(offload.OIDUpdateSA), 0xFC030204},
		{uint32(offload.OIDAddSAEx), 0xFC030205}, {uint32(offload.OIDTCPOffloadParameters), 0xFC01020C},
		{uint32(offload.OIDOffloadEncapsulation), 0x0101010A}, {uint32(offload.StatusTaskOffloadCurrentConfig), 0x40020006},
		{uint32(offload.StatusTaskOffloadHardwareCapabilities), 0x40020007}, {uint32(offload.StatusInvalidData), 0xC0010015},
		{uint32(offload.StatusNotAccepted), 0x00010003}, {uint32(offload.StatusRequestAborted), 0xC001000C},
		{uint32(offload.StatusInvalidParameter), 0xC000000D}, {uint32(offload.StatusNotSupported), 0xC00000BB},
		{uint32(offload.StatusResources), 0xC000009A}, {uint32(offload.StatusFailure), 0xC0000001},
	} {
		if v.got != v.want {
			return fmt.Errorf("a constant is %#x, the header has %#x", v.got, v.want)
		}
	}
	return nil
}

// encodesAs compares a record with its bytes, both ways.
func encodesAs(c offload.Capabilities, vector []byte) error {
	got, err := c.MarshalBinary()
	if err != nil {
		return err
	}
	if !bytes.Equal(got, vector) {
		return fmt.Errorf("the record is % x, right is % x", got, vector)
	}
	var back offload.Capabilities
	if err := back.UnmarshalBinary(vector); err != nil {
		return err
	}
	if back != c {
		return errors.New("the record reads back as another")
	}
	return nil
}

// contradictions are the rules of consistency, written once more.
func contradictions(c offload.Capabilities) error {
	gmac := c.AuthenticationAlgorithms&0x38 != 0
	nested := c.UDPESP&0xC != 0
	for _, rule := range []struct {
		broken bool
		what   string
	}{
		{!c.ESP && c.EncryptionAlgorithms != 0, "ciphers without ESP"},
		{!c.ESP && c.UDPESP != 0, "UDP-ESP without ESP"},
		{c.AHESPCombined && (!c.AH || !c.ESP), "AH with ESP without one of them"},
		{c.TransportTunnelCombined && (!c.Transport || !c.Tunnel), "transport in tunnel without one of them"},
		{c.UDPESP&1 != 0 && !c.Transport, "UDP-ESP transport without transport mode"},
		{c.UDPESP&2 != 0 && !c.Tunnel, "UDP-ESP tunnel without tunnel mode"},
		{nested && !c.TransportTunnelCombined, "nested UDP-ESP without transport in tunnel"},
		{gmac && c.ESP && c.EncryptionAlgorithms&1 == 0, "GMAC with ESP without the cipher NULL"},
		{c != (offload.Capabilities{}) && c.SAOffloadCapacity == 0, "no capacity"},
		{c != (offload.Capabilities{}) && c.Encapsulation&2 == 0, "no Ethernet"},
		{c != (offload.Capabilities{}) && !c.AH && !c.ESP, "neither AH nor ESP"},
	} {
		if rule.broken {
			return fmt.Errorf("the record contradicts itself: %s", rule.what)
		}
	}
	return nil
}

// recordConsistency makes records of random hardware and random keywords.
func recordConsistency(_ context.Context, _ *Bench) error {
	rng := rand.New(rand.NewPCG(3, 4))
	coin := func() bool { return rng.IntN(4) != 0 }
	empty := 0
	const n = 100_000
	for range n {
		hw := driver.Capabilities{
			SACapacity: rng.IntN(3) * 512, Encryption: uint16(rng.IntN(0x200)), Authentication: uint8(rng.IntN(0x40)), ICVLengths: []int{16},
			IPv4: coin(), IPv6: coin(), IPv4Options: coin(), IPv6ExtHeaders: coin(), AH: coin(), ESP: coin(), AHESP: coin(),
			Transport: coin(), Tunnel: coin(), TransportTunnel: coin(), LSO: coin(), ESN: coin(),
			UDPESP: uint8(rng.IntN(16)), EncapsulationMask: uint8(rng.IntN(32)),
		}
		whole := offload.HardwareRecord(&hw)
		keywords := offload.DefaultKeywords()
		keywords.IPsecOffloadV2 = offload.IPsecSetting(rng.IntN(4))
		keywords.IPsecOffloadV2IPv4 = offload.IPsecSetting(rng.IntN(4))
		keywords.LSOV2IPv4, keywords.LSOV2IPv6 = coin(), coin()
		part := whole.Filtered(keywords)
		if whole == (offload.Capabilities{}) {
			empty++
		}
		for what, record := range map[string]offload.Capabilities{"hardware": whole, "default": part, "common subset": whole.Intersect(part)} {
			if err := contradictions(record); err != nil {
				return fmt.Errorf("%s record of %+v: %w", what, hw, err)
			}
			if err := record.Check(); err != nil {
				return fmt.Errorf("%s record of %+v: %w", what, hw, err)
			}
		}
		if !part.SubsetOf(whole) {
			return fmt.Errorf("the default record of %+v has more than the hardware's", hw)
		}
	}
	if empty > n*9/10 {
		return errors.New("nearly all records are empty: nothing was shown")
	}
	return nil
}
