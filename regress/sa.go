// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/espalier-nic/espalier/driver/espframe"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// SA is one security association of a run: outbound on the sending NIC and
// inbound, with the same parameters, on the receiving one.
type SA struct {
	SPI  uint32
	Mode espframe.Mode
	// Src and Dst are the tunnel's endpoints, or the addresses of the packets
	// that a transport SA protects.
	Src, Dst netip.Addr
	// Key is an AES key of 16, 24 or 32 bytes, Salt the nonce's implicit part
	// (RFC 4106). Printing an SA shows neither.
	Key  []byte
	Salt [esp.SaltLen]byte
	ESN  bool
	// LastSequence is the sequence number before the first packet's.
	LastSequence uint64
}

// Algorithm names the SA's cipher as users write it: "aes-gcm-128".
func (s SA) Algorithm() string { return fmt.Sprintf("aes-gcm-%d", 8*len(s.Key)) }

// Format implements fmt.Formatter: what identifies the SA, never its key.
func (s SA) Format(f fmt.State, _ rune) {
	esn := ""
	if s.ESN {
		esn = " esn"
	}
	fmt.Fprintf(f, "SPI %#08x %v %s -> %s %s%s", s.SPI, s.Mode, s.Src, s.Dst, s.Algorithm(), esn)
}

// carries says whether the SA can protect a packet with these addresses.
func (s SA) carries(src, dst netip.Addr) bool {
	return s.Mode == espframe.Tunnel || (s.Src == src && s.Dst == dst)
}

// golden returns the SA for the golden model.
func (s SA) golden(inbound bool) (*esp.SA, error) {
	return esp.NewSA(esp.Params{
		SPI: s.SPI, Src: s.Src, Dst: s.Dst, Inbound: inbound, Tunnel: s.Mode == espframe.Tunnel,
		ESN: s.ESN, ESNHi: uint32(s.LastSequence >> 32), Salt: s.Salt, Key: s.Key,
	})
}

// framer returns the host's framer for the SA. mtu is the longest IP packet.
func (s SA) framer(mtu int) (*espframe.Framer, error) {
	return espframe.New(espframe.Config{
		SPI: s.SPI, Mode: s.Mode, ESN: s.ESN, LastSequence: s.LastSequence, MTU: mtu, Src: s.Src, Dst: s.Dst,
	})
}

// CheckSAs says in one sentence what is wrong with a list of SAs, if anything:
// an SPI that is 0 or used twice for a destination, a key of another length,
// addresses of two IP versions, more SAs than the NIC has slots.
func CheckSAs(sas []SA, capacity int) error {
	if len(sas) > capacity {
		return fmt.Errorf("%d SAs are asked for, the NIC has %d slots; `espalier caps` shows its limits", len(sas), capacity)
	}
	type inboundKey struct {
		spi uint32
		dst netip.Addr
	}
	seen := map[inboundKey]int{}
	for i, s := range sas {
		switch {
		case s.SPI == 0:
			return fmt.Errorf("SA %d has SPI 0, which is reserved; allowed are 1 to 0xffffffff (RFC 4303, section 2.1)", i+1)
		case len(s.Key) != 16 && len(s.Key) != 24 && len(s.Key) != 32:
			return fmt.Errorf("SA %d (SPI %#08x) has a key of %d bytes; allowed are 16, 24 and 32", i+1, s.SPI, len(s.Key))
		case !s.Src.IsValid() || !s.Dst.IsValid() || s.Src.Is4() != s.Dst.Is4():
			return fmt.Errorf("SA %d (SPI %#08x) goes from %v to %v; both addresses must be given and be of one IP version", i+1, s.SPI, s.Src, s.Dst)
		}
		key := inboundKey{s.SPI, s.Dst}
		if first, ok := seen[key]; ok {
			return fmt.Errorf("SA %d has the SPI %#08x and destination %v of SA %d; an SPI may occur once per destination", i+1, s.SPI, s.Dst, first)
		}
		seen[key] = i + 1
	}
	return nil
}

// Variety says which kinds of SA a run makes up for itself.
type Variety struct {
	Modes   []espframe.Mode
	KeyBits []int
	ESN     []bool
	// Max is the most SAs to make.
	Max int
}

// ParseVariety reads the words of the command line: mode "transport",
// "tunnel" or "mixed"; keys "128", "192", "256" or "mixed"; esn "on", "off" or
// "mixed".
func ParseVariety(mode, keys, esn string, most int) (Variety, error) {
	v := Variety{Max: most}
	switch strings.ToLower(mode) {
	case "transport":
		v.Modes = []espframe.Mode{espframe.Transport}
	case "tunnel":
		v.Modes = []espframe.Mode{espframe.Tunnel}
	case "mixed":
		v.Modes = []espframe.Mode{espframe.Transport, espframe.Tunnel}
	default:
		return v, fmt.Errorf("mode is %q; allowed are transport, tunnel and mixed", mode)
	}
	switch strings.ToLower(keys) {
	case "128":
		v.KeyBits = []int{128}
	case "192":
		v.KeyBits = []int{192}
	case "256":
		v.KeyBits = []int{256}
	case "mixed":
		v.KeyBits = []int{128, 192, 256}
	default:
		return v, fmt.Errorf("keys is %q; allowed are 128, 192, 256 and mixed", keys)
	}
	switch strings.ToLower(esn) {
	case "on":
		v.ESN = []bool{true}
	case "off":
		v.ESN = []bool{false}
	case "mixed":
		v.ESN = []bool{false, true}
	default:
		return v, fmt.Errorf("esn is %q; allowed are on, off and mixed", esn)
	}
	if most < 1 {
		return v, fmt.Errorf("at most %d SAs leaves none; allowed are 1 and more", most)
	}
	return v, nil
}

// The endpoints of the tunnels that a run makes up: documentation addresses
// (RFC 5737, RFC 3849) that the captures do not use.
var tunnelEnds = [][2]netip.Addr{
	{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")},
	{netip.MustParseAddr("2001:db8:ffff::1"), netip.MustParseAddr("2001:db8:ffff::2")},
}

// firstSPI is the first SPI of SAs made up by a run; those below 256 are reserved.
const firstSPI = 0x1000

// MakeSAs makes SAs of every kind in v for the packets: tunnels over both IP
// versions, and for transport mode one of each kind per pair of addresses, as
// far as v.Max reaches. Keys come from rng, so they are throw-away by nature.
func MakeSAs(packets []Packet, v Variety, rng *rand.Rand) []SA {
	ends := map[espframe.Mode][][2]netip.Addr{espframe.Tunnel: tunnelEnds, espframe.Transport: addressPairs(packets)}
	var sas []SA
	for _, mode := range v.Modes {
		for _, pair := range ends[mode] {
			for _, bits := range v.KeyBits {
				for _, esn := range v.ESN {
					if len(sas) == v.Max {
						return sas
					}
					sa := SA{SPI: firstSPI + uint32(len(sas)), Mode: mode, Src: pair[0], Dst: pair[1], Key: make([]byte, bits/8), ESN: esn}
					fill(rng, sa.Key)
					fill(rng, sa.Salt[:])
					if esn {
						sa.LastSequence = uint64(rng.Uint32()) << 32
					}
					sas = append(sas, sa)
				}
			}
		}
	}
	return sas
}

func fill(rng *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
}
