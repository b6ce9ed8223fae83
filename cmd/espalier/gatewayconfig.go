// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
	"github.com/espalier-nic/espalier/gateway"
	"github.com/espalier-nic/espalier/internal/nearest"
)

// gatewayFile is the section `gateway` of the YAML file, as a user writes it.
type gatewayFile struct {
	MTU, ReplayWindow, Default, Resolution string
	Policies                               []policyFile
}

// policyFile is one entry of its list `policies`.
type policyFile struct {
	Direction, Src, Dst, Protocol, Action, SA string
}

// ipProtocols are the names allowed for a policy's protocol, beside numbers.
var ipProtocols = map[string]uint8{"icmp": 1, "ipip": 4, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "sctp": 132}

// scalars reads a mapping of texts into fields, refusing keys that are not in
// it. lists takes the others that may be there.
func scalars(node *yaml.Node, what string, fields map[string]*string, lists map[string]func(*yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("%s (line %d) must be a mapping", what, node.Line)
	}
	known := append(slices.Collect(maps.Keys(fields)), slices.Collect(maps.Keys(lists))...)
	slices.Sort(known)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if list, ok := lists[key.Value]; ok {
			if err := list(value); err != nil {
				return err
			}
			continue
		}
		field, ok := fields[key.Value]
		if !ok {
			return fmt.Errorf("%s (line %d) has the unknown key %q; nearest is %q", what, key.Line, key.Value, nearest.Name(key.Value, known))
		}
		if value.Kind != yaml.ScalarNode {
			return fmt.Errorf("%s (line %d): %s must be a single value", what, value.Line, key.Value)
		}
		*field = value.Value // the text as written, so that 0x10 survives
	}
	return nil
}

// decodeGateway reads the section.
func decodeGateway(node *yaml.Node) (*gatewayFile, error) {
	g := &gatewayFile{}
	fields := map[string]*string{"mtu": &g.MTU, "replay-window": &g.ReplayWindow, "default": &g.Default, "address-resolution": &g.Resolution}
	err := scalars(node, "gateway", fields, map[string]func(*yaml.Node) error{"policies": func(list *yaml.Node) error {
		if list.Kind != yaml.SequenceNode {
			return fmt.Errorf("gateway: policies (line %d) must be a list", list.Line)
		}
		for i, entry := range list.Content {
			var p policyFile
			fields := map[string]*string{"direction": &p.Direction, "src": &p.Src, "dst": &p.Dst, "protocol": &p.Protocol, "action": &p.Action, "sa": &p.SA}
			if err := scalars(entry, fmt.Sprintf("policy %d", i+1), fields, nil); err != nil {
				return err
			}
			g.Policies = append(g.Policies, p)
		}
		return nil
	}})
	return g, err
}

// gatewayConfig makes a gateway's configuration of the file.
func (s *settings) gatewayConfig() (gateway.Config, error) {
	var c gateway.Config
	if s.gateway == nil {
		return c, errors.New("the configuration has no section \"gateway\", which holds the policies; --config names a file that has one, and docs/gateway.md shows it")
	}
	if err := s.gateway.fill(&c); err != nil {
		return c, fmt.Errorf("configuration %s: %w", s.path, err)
	}
	sas, err := parseSAs(s.sas)
	if err != nil {
		return c, fmt.Errorf("configuration %s: %w", s.path, err)
	}
	bySPI := map[uint32]int{}
	for i, sa := range sas {
		c.SAs = append(c.SAs, gateway.SA{
			SPI: sa.SPI, Tunnel: sa.Mode == espframe.Tunnel, Src: sa.Src, Dst: sa.Dst,
			Key: sa.Key, Salt: driver.Salt(sa.Salt), ESN: sa.ESN, LastSequence: sa.LastSequence,
		})
		bySPI[sa.SPI] = i
	}
	for i, file := range s.gateway.Policies {
		p, err := file.parse(i+1, bySPI)
		if err != nil {
			return c, fmt.Errorf("configuration %s: %w", s.path, err)
		}
		if p.Action == gateway.Protect && p.Inbound {
			c.SAs[p.SA].Inbound = true
		}
		c.Policies = append(c.Policies, p)
	}
	return c, nil
}

// fill reads everything but the policies. Absent keys leave the defaults.
func (g *gatewayFile) fill(c *gateway.Config) (err error) {
	for _, n := range []struct {
		key, text string
		value     *int
	}{{"mtu", g.MTU, &c.MTU}, {"replay-window", g.ReplayWindow, &c.Window}} {
		if n.text == "" {
			continue
		}
		if *n.value, err = strconv.Atoi(n.text); err != nil || *n.value < 1 {
			return fmt.Errorf("gateway: %s is %q; allowed is a number", n.key, n.text)
		}
	}
	switch g.Default {
	case "", "discard":
	case "bypass":
		c.Default = gateway.Bypass
	default:
		return fmt.Errorf("gateway: default is %q; allowed are discard and bypass", g.Default)
	}
	switch g.Resolution {
	case "", "bypass":
	case "discard":
		c.NoResolution = true
	default:
		return fmt.Errorf("gateway: address-resolution is %q; allowed are bypass and discard", g.Resolution)
	}
	return nil
}

// parse checks one policy. number is its place in the list, for messages.
func (f policyFile) parse(number int, bySPI map[uint32]int) (p gateway.Policy, err error) {
	fail := func(field, value, allowed string) (gateway.Policy, error) {
		return p, fmt.Errorf("policy %d: %s is %q; allowed: %s", number, field, value, allowed)
	}
	switch f.Direction {
	case "out":
	case "in":
		p.Inbound = true
	default:
		return fail("direction", f.Direction, "out, in")
	}
	switch f.Action {
	case "protect":
		p.Action = gateway.Protect
	case "bypass":
		p.Action = gateway.Bypass
	case "discard":
		p.Action = gateway.Discard
	default:
		return fail("action", f.Action, "protect, bypass, discard")
	}
	for _, end := range []struct {
		field, text string
		prefix      *netip.Prefix
	}{{"src", f.Src, &p.Src}, {"dst", f.Dst, &p.Dst}} {
		if end.text == "" {
			continue
		}
		if *end.prefix, err = parsePrefix(end.text); err != nil {
			return fail(end.field, end.text, "an IPv4 or IPv6 prefix or address, such as 10.0.1.0/24")
		}
	}
	if f.Protocol != "" {
		n, err := strconv.ParseUint(f.Protocol, 0, 8)
		known, named := ipProtocols[strings.ToLower(f.Protocol)]
		switch {
		case named:
			p.Protocol = known
		case err == nil && n > 0:
			p.Protocol = uint8(n)
		default:
			return fail("protocol", f.Protocol, strings.Join(slices.Sorted(maps.Keys(ipProtocols)), ", ")+", or a number from 1 to 255")
		}
	}
	if p.Action != gateway.Protect {
		if f.SA != "" {
			return p, fmt.Errorf("policy %d: sa is given, and its action is %s; only protect uses an SA", number, f.Action)
		}
		return p, nil
	}
	spi, err := strconv.ParseUint(f.SA, 0, 32)
	index, known := bySPI[uint32(spi)]
	if err != nil || !known {
		return fail("sa", f.SA, "the spi of an SA in the list sas")
	}
	p.SA = index
	return p, nil
}

// parsePrefix reads a prefix, or an address for itself alone.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
	}
	return netip.ParsePrefix(text)
}
