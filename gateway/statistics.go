// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// Statistics are what a gateway has done since New.
type Statistics struct {
	SAs []SAStatistics `json:"sas"`
	// BypassedOut and BypassedIn are frames that passed unprotected.
	BypassedOut uint64 `json:"bypassed_out"`
	BypassedIn  uint64 `json:"bypassed_in"`
	// Drops are packets dropped, by Drop's names; without those that are 0.
	Drops map[string]uint64 `json:"drops"`
	// NICDrops are frames from the wire that the NIC has dropped, by the names of
	// its counters: for want of a buffer, bad ones, and those it could not
	// write to memory; without those that are 0.
	NICDrops map[string]uint64 `json:"nic_drops"`
	// CheckedSent and CheckedReceived are frames compared with the golden
	// model, Mismatches those that differed, and the first of them in words.
	CheckedSent     uint64   `json:"checked_sent"`
	CheckedReceived uint64   `json:"checked_received"`
	Mismatches      uint64   `json:"mismatches"`
	MismatchTexts   []string `json:"mismatch_texts,omitempty"`
}

// SAStatistics are one SA's.
type SAStatistics struct {
	SPI     uint32     `json:"spi"`
	Inbound bool       `json:"inbound"`
	Tunnel  bool       `json:"tunnel"`
	Src     netip.Addr `json:"src"`
	Dst     netip.Addr `json:"dst"`
	ESN     bool       `json:"esn"`
	// Sequence is the last number sent or the highest received.
	Sequence uint64 `json:"sequence"`
	// Packets and Bytes were sent, or received and handed up. Bytes are those
	// that ESP protects, as Linux counts them: the IP packet in tunnel mode,
	// what follows the IP header in transport mode.
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	// Software are the packets among them that were decrypted here, because
	// the NIC had another upper half of the sequence number.
	Software uint64            `json:"software"`
	Drops    map[string]uint64 `json:"drops"`
	// NICFrames and NICBytes are the NIC's own counts: whole frames encrypted,
	// or decrypted with success. NICAuthFailed are those with a wrong ICV.
	NICFrames     uint64 `json:"nic_frames"`
	NICBytes      uint64 `json:"nic_bytes"`
	NICAuthFailed uint32 `json:"nic_auth_failed"`
}

// Statistics returns what was done so far. It reads the NIC's own counts until
// Close, and returns what it has if that fails.
func (g *Gateway) Statistics(ctx context.Context) (Statistics, error) {
	s := Statistics{BypassedOut: g.bypassed[0].Load(), BypassedIn: g.bypassed[1].Load(), Drops: map[string]uint64{}, NICDrops: map[string]uint64{}}
	for d := range dropReasons {
		if n := g.drops[d].Load(); n > 0 {
			s.Drops[d.String()] = n
		}
	}
	var errs []error
	for _, a := range g.sas {
		c := a.config
		one := SAStatistics{
			SPI: c.SPI, Inbound: c.Inbound, Tunnel: c.Tunnel, Src: c.Src, Dst: c.Dst, ESN: c.ESN,
			Packets: a.counts.packets.Load(), Bytes: a.counts.bytes.Load(), Software: a.counts.software.Load(), Drops: map[string]uint64{},
			Sequence: a.counts.sequence.Load(),
		}
		if a.framer != nil {
			one.Sequence = a.framer.LastSequence()
		}
		for d := range dropReasons {
			if n := a.counts.drops[d].Load(); n > 0 {
				one.Drops[d.String()] = n
			}
		}
		state, err := g.nic.ReadSAState(ctx, a.handle)
		if err != nil {
			errs = append(errs, err)
		}
		one.NICFrames, one.NICBytes, one.NICAuthFailed = state.Frames, state.Bytes, state.AuthFailed
		s.SAs = append(s.SAs, one)
	}
	hardware, err := g.nic.Statistics()
	if err != nil {
		errs = append(errs, err)
	}
	for _, n := range []struct {
		name  string
		count uint64
	}{{"RXDropNoBuffer", hardware.RXDropNoBuffer}, {"RXDropBad", hardware.RXDropBad}, {"RXDMAError", hardware.RXDMAError}} {
		if n.count > 0 {
			s.NICDrops[n.name] = n.count
		}
	}
	if c := g.checker; c != nil {
		c.mu.Lock()
		s.CheckedSent, s.CheckedReceived, s.Mismatches, s.MismatchTexts = c.sent, c.received, c.count, slices.Clone(c.texts)
		c.mu.Unlock()
	}
	return s, errors.Join(errs...)
}

// unlessGone drops the error of a NIC that is gone: nothing can be left in it.
func unlessGone(err error) error {
	if errors.Is(err, pcie.ErrRemoved) {
		return nil
	}
	return err
}
