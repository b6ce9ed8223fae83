// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
)

// The kernel's IPsec in B, set up through netlink; all of these work on the
// current namespace.

// What a policy of B is for: icvBits of AES-GCM, the request that ties policy and
// state, and policies for neighbour discovery before that for all traffic.
const (
	icvBits          = 128
	request          = 1
	priorityExcept   = 1
	priorityProtect  = 2
	firstNeighbour   = 133
	lastNeighbour    = 137
	protocolICMPv6   = 58
	replayWindow     = 64
	statisticsOfXfrm = "/proc/thread-self/net/xfrm_stat"
)

// setKernel gives the kernel both SAs and the policies of B.
func setKernel(k kind) error {
	a, b := k.sides()
	mode := netlink.XFRM_MODE_TRANSPORT
	if k.tunnel {
		mode = netlink.XFRM_MODE_TUNNEL
	}
	for _, one := range []struct {
		spi      uint32
		from, to side
		dir      netlink.Dir
	}{{spiAtoB, a, b, netlink.XFRM_DIR_IN}, {spiBtoA, b, a, netlink.XFRM_DIR_OUT}} {
		key, salt := k.secret(one.spi)
		state := &netlink.XfrmState{
			Src: one.from.wire.AsSlice(), Dst: one.to.wire.AsSlice(), Proto: netlink.XFRM_PROTO_ESP, Mode: mode, Spi: int(one.spi), Reqid: request,
			ReplayWindow: replayWindow, ESN: k.esn,
			Aead: &netlink.XfrmStateAlgo{Name: "rfc4106(gcm(aes))", Key: append(slices.Clone(key), salt...), ICVLen: icvBits},
		}
		if !k.esn {
			state.ReplayWindow = 32 // the bitmap of RFC 2401's kind has no more
		}
		if err := netlink.XfrmStateAdd(state); err != nil {
			return fmt.Errorf("give the kernel the SA %#x: %w", one.spi, err)
		}
		policy := &netlink.XfrmPolicy{
			Src: host(one.from.inner), Dst: host(one.to.inner), Dir: one.dir, Priority: priorityProtect,
			Tmpls: []netlink.XfrmPolicyTmpl{{Src: one.from.wire.AsSlice(), Dst: one.to.wire.AsSlice(), Proto: netlink.XFRM_PROTO_ESP, Mode: mode, Reqid: request}},
		}
		if err := netlink.XfrmPolicyAdd(policy); err != nil {
			return fmt.Errorf("give the kernel the policy for SA %#x: %w", one.spi, err)
		}
		if k.version != 6 {
			continue
		}
		// Neighbour discovery between the two hosts is not for ESP, as with the gateway.
		for kind := firstNeighbour; kind <= lastNeighbour; kind++ {
			except := &netlink.XfrmPolicy{
				Src: host(one.from.wire), Dst: host(one.to.wire), Dir: one.dir, Priority: priorityExcept,
				Proto: protocolICMPv6, SrcPort: kind, // where the kernel has the ICMP type
			}
			if err := netlink.XfrmPolicyAdd(except); err != nil {
				return fmt.Errorf("give the kernel an exception for ICMPv6 type %d: %w", kind, err)
			}
		}
	}
	return nil
}

func host(a netip.Addr) *net.IPNet { return netlink.NewIPNet(a.AsSlice()) }

// clearKernel takes all SAs and policies away.
func clearKernel() error {
	if err := netlink.XfrmPolicyFlush(); err != nil {
		return fmt.Errorf("flush the kernel's policies: %w", err)
	}
	if err := netlink.XfrmStateFlush(0); err != nil {
		return fmt.Errorf("flush the kernel's SAs: %w", err)
	}
	return nil
}

// traffic is what one SA has carried.
type traffic struct{ packets, bytes uint64 }

// kernelTraffic reads what the kernel has counted, by SPI.
func kernelTraffic() (map[uint32]traffic, error) {
	states, err := netlink.XfrmStateList(netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("read the kernel's SAs: %w", err)
	}
	all := map[uint32]traffic{}
	for _, s := range states {
		all[uint32(s.Spi)] = traffic{s.Statistics.Packets, s.Statistics.Bytes}
	}
	return all, nil
}

// kernelErrors reads the kernel's counters of IPsec errors and names those that
// are not 0.
func kernelErrors() (names []string, err error) {
	raw, err := os.ReadFile(statisticsOfXfrm)
	if err != nil {
		return nil, err
	}
	lines := 0
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			return nil, fmt.Errorf("%s has the line %q", statisticsOfXfrm, line)
		}
		n, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s has the line %q", statisticsOfXfrm, line)
		}
		lines++
		if n > 0 {
			names = append(names, fmt.Sprintf("%s is %d", fields[0], n))
		}
	}
	if lines == 0 {
		return nil, fmt.Errorf("%s is empty", statisticsOfXfrm)
	}
	return names, nil
}
