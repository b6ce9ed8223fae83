// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/espalier-nic/espalier/driver"
)

// Defaults and limits of Config.
const (
	DefaultMTU    = 1500
	MinMTU        = 576
	MaxMTU        = 16000
	DefaultWindow = 64
	MinWindow     = 64
	MaxWindow     = 4096
)

// ErrConfig is wrapped by errors about a Config.
var ErrConfig = errors.New("invalid gateway configuration")

// Action is what a policy does with a packet.
type Action uint8

// The three actions of RFC 4301, section 4.4.1.
const (
	Discard Action = iota
	Bypass
	Protect
)

// String returns the action's word.
func (a Action) String() string {
	if names := [...]string{"discard", "bypass", "protect"}; int(a) < len(names) {
		return names[a]
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// SA is one security association, for one direction.
type SA struct {
	// SPI, not 0.
	SPI uint32
	// Inbound SAs take packets from the wire, others send.
	Inbound bool
	// Tunnel mode, else transport mode.
	Tunnel bool
	// Src and Dst are the addresses of the IP header before ESP, of one IP
	// version: the tunnel's ends, or those of the packets themselves.
	Src, Dst netip.Addr
	// Key is an AES key of 16, 24 or 32 bytes, Salt the implicit part of the
	// nonce (RFC 4106).
	Key  driver.Key
	Salt driver.Salt
	// ESN selects 64-bit sequence numbers.
	ESN bool
	// LastSequence is the last sequence number used, or the highest received.
	LastSequence uint64
}

// Policy says what happens to the packets that it matches.
type Policy struct {
	// Inbound policies are for packets from the wire, after decryption.
	Inbound bool
	// Src and Dst are the packet's addresses; the zero Prefix matches any.
	Src, Dst netip.Prefix
	// Protocol is the packet's upper-layer protocol (IANA), 0 for any.
	Protocol uint8
	Action   Action
	// SA is the index in Config.SAs of a Protect policy's SA.
	SA int
}

// Config says what a gateway does.
type Config struct {
	SAs []SA
	// Policies, the first that matches decides.
	Policies []Policy
	// Default is for IP packets that no policy matches: Discard or Bypass.
	Default Action
	// NoResolution discards ARP and IPv6 neighbour discovery (RFC 4861) unless
	// a policy says otherwise of the latter; otherwise both pass unprotected.
	NoResolution bool
	// MTU is the longest IP packet in bytes on the NIC's wire; 0: DefaultMTU.
	MTU int
	// Window is the size of the anti-replay window in packets, a multiple of
	// 64 from MinWindow to MaxWindow; 0: DefaultWindow.
	Window int
	// Check compares what the NIC does with the golden model: what it receives,
	// and, if WireShown promises that every frame on its wire is shown to
	// Gateway.ObserveWire, what it sends.
	Check, WireShown bool
	// Event is called with a sentence when something happens that its owner
	// should know of. nil: nobody wants to know.
	Event func(string)
}

// complete checks c and fills in defaults.
func (c Config) complete() (Config, error) {
	if c.MTU == 0 {
		c.MTU = DefaultMTU
	}
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	if c.Event == nil {
		c.Event = func(string) {}
	}
	switch {
	case c.MTU < MinMTU || c.MTU > MaxMTU:
		return c, fmt.Errorf("MTU is %d; allowed are %d to %d bytes: %w", c.MTU, MinMTU, MaxMTU, ErrConfig)
	case c.Window < MinWindow || c.Window > MaxWindow || c.Window%64 != 0:
		return c, fmt.Errorf("replay window is %d packets; allowed are the multiples of 64 from %d to %d: %w", c.Window, MinWindow, MaxWindow, ErrConfig)
	case c.Default != Discard && c.Default != Bypass:
		return c, fmt.Errorf("default action is %v; allowed are discard and bypass: %w", c.Default, ErrConfig)
	}
	seen := map[uint32]int{}
	for i, sa := range c.SAs {
		if err := sa.check(i); err != nil {
			return c, err
		}
		if first, ok := seen[sa.SPI]; ok {
			return c, fmt.Errorf("SAs %d and %d both have the SPI %#08x; policies name SAs by it, so each needs its own: %w", first, i+1, sa.SPI, ErrConfig)
		}
		seen[sa.SPI] = i + 1
	}
	used := make([]bool, len(c.SAs))
	for i, p := range c.Policies {
		if err := p.check(i, c.SAs); err != nil {
			return c, err
		}
		if p.Action == Protect {
			used[p.SA] = true
		}
	}
	for i, u := range used {
		if !u {
			return c, fmt.Errorf("SA %d (SPI %#08x) is used by no policy; name it in one, or leave it out: %w", i+1, c.SAs[i].SPI, ErrConfig)
		}
	}
	return c, nil
}

func (sa SA) check(i int) error {
	switch {
	case sa.SPI == 0:
		return fmt.Errorf("SA %d has SPI 0, which is reserved; allowed are 1 to 0xffffffff: %w", i+1, ErrConfig)
	case !sa.Src.IsValid() || !sa.Dst.IsValid() || sa.Src.Is4() != sa.Dst.Is4() || sa.Src.Is4In6() || sa.Dst.Is4In6():
		return fmt.Errorf("SA %d (SPI %#08x) goes from %v to %v; both addresses must be given and be of one IP version: %w", i+1, sa.SPI, sa.Src, sa.Dst, ErrConfig)
	case sa.Src.IsUnspecified() || sa.Dst.IsUnspecified():
		return fmt.Errorf("SA %d (SPI %#08x) goes from %v to %v; neither may be the unspecified address: %w", i+1, sa.SPI, sa.Src, sa.Dst, ErrConfig)
	case !sa.ESN && sa.LastSequence > 1<<32-1:
		return fmt.Errorf("SA %d (SPI %#08x) has the sequence number %d; without ESN at most %d is allowed: %w", i+1, sa.SPI, sa.LastSequence, uint32(1<<32-1), ErrConfig)
	}
	return nil
}

func (p Policy) check(i int, sas []SA) error {
	direction := map[bool]string{false: "out", true: "in"}
	if p.Src.IsValid() && p.Dst.IsValid() && p.Src.Addr().Is4() != p.Dst.Addr().Is4() {
		return fmt.Errorf("policy %d is for packets from %v to %v; both must be of one IP version: %w", i+1, p.Src, p.Dst, ErrConfig)
	}
	switch p.Action {
	case Bypass, Discard:
		return nil
	case Protect:
	default:
		return fmt.Errorf("policy %d has %v; allowed are protect, bypass and discard: %w", i+1, p.Action, ErrConfig)
	}
	if p.SA < 0 || p.SA >= len(sas) {
		return fmt.Errorf("policy %d names SA %d of %d: %w", i+1, p.SA+1, len(sas), ErrConfig)
	}
	sa := sas[p.SA]
	if sa.Inbound != p.Inbound {
		return fmt.Errorf("policy %d (direction %s) names the SA with SPI %#08x, which is for the other direction; an SA serves one: %w", i+1, direction[p.Inbound], sa.SPI, ErrConfig)
	}
	if sa.Tunnel {
		return nil
	}
	for _, end := range []struct {
		name   string
		prefix netip.Prefix
		addr   netip.Addr
	}{{"src", p.Src, sa.Src}, {"dst", p.Dst, sa.Dst}} {
		if end.prefix.IsValid() && end.prefix != netip.PrefixFrom(end.addr, end.addr.BitLen()) {
			return fmt.Errorf("policy %d has %s %v, and its SA is in transport mode; allowed is the SA's %v: %w", i+1, end.name, end.prefix, end.addr, ErrConfig)
		}
	}
	return nil
}
