// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// published is an ESP packet of draft-mcgrew-gcm-test-01, in hexadecimal.
type published struct {
	number        int
	key, salt     string
	hi            uint32 // upper half of the sequence number
	esn           bool
	packet, plain string // SPI to ICV; the payload with its trailer
}

// publishedPackets has each key length, with and without ESN, and each length of
// padding that the draft has.
var publishedPackets = []published{
	{2, "feffe9928665731c6d6a8f9467308308", "cafebabe", 0x0, false,
		"0000a5f80000000afacedbaddecaf888deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4ec3b9ba95d918bd183b70d3aa8bc6ee4c309e9d85a41ad4a",
		"4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d001000001000000000000037369700963796265726369747902646b00000100010001"},
	{3, "abbccddef00112233445566778899aababbccddef00112233445566778899aab", "11223344", 0x0, false,
		"4a2cbfe3000000020102030405060708ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8eb335f4eecfdbf831824b4c4915956c96",
		"4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b40101040201020201"},
	{7, "feffe9928665731c6d6a8f9467308308feffe9928665731c", "cafebabe", 0x0, false,
		"0000a5f80000000afacedbaddecaf888a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc7795457b9652037f5318027b5b4cd7a636",
		"45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001"},
	{8, "abbccddef00112233445566778899aab", "decaf888", 0x0, true,
		"0000010000000001cafedebaceface7418a6fd42f72cbf4ab2a2ea901f73d814e3e7f243d95412e1c349c1d2fbec168f9190feebaf2cb01984e65863965d7472b79da345e0e780191f0d2f0e0f496c226f2127b27db35724e7845d68651f57e65f354f75ff17015769623436",
		"4500004933ba00007f119106c3fb1d10c2b1d326c02831ce0035dd7b800302d500004e20001e8c18d75b81dc91baa0476b91b924b280389d92c963bac046ec959b6266c04722b14923010101"},
	{9, "abbccddef00112233445566778899aababbccddef00112233445566778899aab", "73616c74", 0x156f3126, true,
		"17405e67dd0db99b616e640169766563f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57ff4d3a31ce673119e451626c2415771e3b7eebca614c89b35",
		"45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb71260250101f646d540001"},
	{11, "abbccddef00112233445566778899aababbccddef00112233445566778899aab", "73616c74", 0x156f3126, true,
		"17405e67dd0db99b616e640169766563d4b7ed86a1777f2ea13d6973d324c69e7b43f826fb56831226508bebd2dceb18d0a6df10e5487df074113e14c641024e3e6773d91a62ee429b043a10e3efe6b012a49363412364f8c0cac587f249e56b11e24f30e44ccc76",
		"636973636f0172756c657301746865016e6574776501646566696e6501746865746563686e6f6c6f67696573017468617477696c6c01646566696e65746f6d6f72726f7701020201"},
	{12, "7d773d00c144c525ac619d18c84a3f47", "d9664267", 0x0, false,
		"335467aeffffffff43457e9182443bc6437f866bcb3f699fe9b0822bac961c4504bef270",
		"01020201"},
	{14, "6c6567616c697a656d6172696a75616e61616e64646f69746265666f72656961", "7475726e", 0xffffffff, true,
		"796b6963ffffffff333021696765746df97ab2aa356d8edce17644ac8c78e25dd24dedbb29ebf1b64a274b39b49c3a864cd3d78ca4ae68a32b42458fb57dbe821dcc63b9d0937ba2945f669368661a329fb4c053",
		"45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f707172737401020201"},
}

// publishedVectors hands published packets to the NIC over IPv4 and IPv6 and
// compares what it makes of them with the publication.
func publishedVectors(ctx context.Context, b *Bench) error {
	h, err := b.open(ctx, driver.Options{})
	if err != nil {
		return err
	}
	caps := h.Capabilities()
	checked := map[int]bool{}
	for _, p := range publishedPackets {
		err := bothFamilies(func(ipv6 bool) error {
			if p.esn && !caps.ESN {
				return nil
			}
			keyLen, err := h.receivePublished(ctx, p, ipv6)
			checked[keyLen] = true
			return err
		})
		if err != nil {
			return fmt.Errorf("case %d of the draft: %w", p.number, err)
		}
	}
	for _, keyLen := range caps.KeyLengths() {
		if !checked[keyLen] {
			return fmt.Errorf("AES-GCM-%d is stated and no published packet was tried", 8*keyLen)
		}
	}
	return nil
}

// receivePublished hands one published packet to the NIC.
func (h *host) receivePublished(ctx context.Context, p published, ipv6 bool) (keyLen int, err error) {
	var raw [4][]byte
	for i, text := range []string{p.key, p.salt, p.packet, p.plain} {
		if raw[i], err = hex.DecodeString(text); err != nil {
			return 0, err
		}
	}
	packet, plain := raw[2], raw[3]
	f := newFlow(esp.SPI(packet), true, ipv6, len(raw[0]))
	f.key, f.salt, f.esn, f.hi = raw[0], [4]byte(raw[1]), p.esn, p.hi
	t, err := h.start(ctx, f)
	if err != nil {
		return 0, err
	}
	frame := append(header(f.src, f.dst, esp.ProtocolESP, len(packet)), packet...)
	r, err := h.receiveOne(ctx, frame)
	if err != nil {
		return 0, err
	}
	first := len(frame) - len(packet) + esp.HeaderLen + esp.IVLen
	right := bytes.Clone(frame)
	copy(right[first:], plain)
	switch {
	case r.slot1 != 0x2:
		return 0, fmt.Errorf("slot 1 is %#08x, right is 0x00000002", r.slot1)
	case r.SA != t.handle:
		return 0, fmt.Errorf("the packet is said to belong to SA %v, right is %v", r.SA, t.handle)
	case !bytes.Equal(r.frame, right):
		return 0, fmt.Errorf("byte %d of the payload is not as published", firstDifference(r.frame, right)-first)
	}
	return len(f.key), h.DeleteSA(ctx, t.handle)
}
