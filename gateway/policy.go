// SPDX-License-Identifier: Apache-2.0

package gateway

import "net/netip"

// rule is a policy ready for use.
type rule struct {
	src, dst netip.Prefix // valid
	anySrc   bool
	anyDst   bool
	protocol uint8
	action   Action
	sa       *association
}

// rules of one direction, in order.
type rules struct {
	list     []rule
	fallback rule
}

func newRules(policies []Policy, inbound bool, fallback Action, sas []*association) *rules {
	r := &rules{fallback: rule{action: fallback}}
	for _, p := range policies {
		if p.Inbound != inbound {
			continue
		}
		one := rule{src: p.Src.Masked(), dst: p.Dst.Masked(), anySrc: !p.Src.IsValid(), anyDst: !p.Dst.IsValid(), protocol: p.Protocol, action: p.Action}
		if p.Action == Protect {
			one.sa = sas[p.SA]
			if sa := one.sa.config; !sa.Tunnel {
				// Transport mode carries the packets of its two ends only.
				one.src, one.dst = netip.PrefixFrom(sa.Src, sa.Src.BitLen()), netip.PrefixFrom(sa.Dst, sa.Dst.BitLen())
				one.anySrc, one.anyDst = false, false
			}
		}
		r.list = append(r.list, one)
	}
	return r
}

// find returns the first rule that matches, and whether there is one.
func (r *rules) find(h *headers) (match *rule, found bool) {
	for i := range r.list {
		one := &r.list[i]
		if (one.anySrc || one.src.Contains(h.src)) && (one.anyDst || one.dst.Contains(h.dst)) && (one.protocol == 0 || one.protocol == h.protocol) {
			return one, true
		}
	}
	return &r.fallback, false
}
