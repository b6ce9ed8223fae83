// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// installGoal is the most cycles from the commit of an SA until it is usable.
const installGoal = 200

// installRepeats is how often each kind of SA is installed; the slowest counts.
const installRepeats = 16

// Install is what installing one SA costs.
type Install struct {
	KeyBits int    `json:"key_bits"`
	IP      string `json:"ip_version"`
	Inbound bool   `json:"inbound"`
	// Cycles from the write of SA_CMD until the SA is usable, as
	// SA_STATUS.CYCLES states them; the most of several.
	Cycles uint64 `json:"cycles"`
	// Writes and Reads are the register accesses of the driver's AddSA, the
	// last of several in a row: it writes only what differs from the SA before.
	// Reads depend on how often it looks for the end.
	Writes int `json:"register_writes"`
	Reads  int `json:"register_reads"`
	// Total are the cycles from the first access to the last.
	Total   uint64  `json:"cycles_with_accesses"`
	Goal    uint64  `json:"goal"`
	Verdict Verdict `json:"verdict"`
}

// counting counts the accesses to BAR 0 of a function.
type counting struct {
	pcie.Function
	reads, writes int
}

// BAR implements pcie.Function.
func (c *counting) BAR(n int) (pcie.BAR, error) {
	bar, err := c.Function.BAR(n)
	if err != nil || n != pcie.RegisterBAR {
		return bar, err
	}
	return &countingBAR{bar, c}, nil
}

// countingBAR counts 32-bit accesses, the only ones that the driver makes.
type countingBAR struct {
	pcie.BAR
	c *counting
}

// Read32 implements pcie.BAR.
func (b *countingBAR) Read32(offset uint64) (uint32, error) {
	b.c.reads++
	return b.BAR.Read32(offset)
}

// Write32 implements pcie.BAR.
func (b *countingBAR) Write32(offset uint64, v uint32) error {
	b.c.writes++
	return b.BAR.Write32(offset, v)
}

// MeasureInstalls measures all kinds of SA, through the SA window: sim is a NIC
// without a control processor.
func MeasureInstalls(ctx context.Context, sim Target) (_ []Install, err error) {
	fn, err := sim.open(nearMemory, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, fn.Close()) }()
	counted := &counting{Function: fn}
	nic, err := driver.Open(ctx, counted, driver.Options{Polling: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, nic.Close()) }()
	bar, err := fn.BAR(pcie.RegisterBAR)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(2, 0))
	number := 0
	var list []Install
	for _, ipv6 := range []bool{false, true} {
		for _, keyBytes := range []int{16, 24, 32} {
			for _, inbound := range []bool{false, true} {
				kind := Install{KeyBits: 8 * keyBytes, IP: "IPv4", Inbound: inbound, Goal: installGoal}
				if ipv6 {
					kind.IP = "IPv6"
				}
				for range installRepeats {
					a, err := newAssociation(rng, number, inbound, keyBytes, 0)
					if err != nil {
						return nil, err
					}
					number++
					if ipv6 {
						a.spec.Src, a.spec.Dst = mapped(a.spec.Src), mapped(a.spec.Dst)
					}
					if err := kind.measure(ctx, nic, counted, bar, fn, a.spec); err != nil {
						return nil, err
					}
				}
				kind.Verdict = verdict(kind.Cycles <= kind.Goal)
				list = append(list, kind)
			}
		}
	}
	return list, nil
}

// mapped makes an IPv6 address of an IPv4 address, in the documentation prefix.
func mapped(a netip.Addr) netip.Addr {
	v4 := a.As4()
	v6 := [16]byte{0x20, 0x01, 0x0d, 0xb8, 4: v4[3], 15: 1}
	copy(v6[8:], v4[:])
	return netip.AddrFrom16(v6)
}

// measure installs one SA and keeps the most that one of its kind has cost.
func (k *Install) measure(ctx context.Context, nic *driver.NIC, counted *counting, bar pcie.BAR, clock pcie.Clocked, sa driver.SA) error {
	reads, writes, start := counted.reads, counted.writes, clock.Cycle()
	if _, err := nic.AddSA(ctx, sa); err != nil {
		return err
	}
	k.Total = max(k.Total, clock.Cycle()-start)
	k.Writes = counted.writes - writes
	k.Reads = max(k.Reads, counted.reads-reads)
	v, err := bar.Read32(regs.SAStatusOffset)
	if err != nil {
		return err
	}
	status := regs.SAStatus(v)
	if status.Busy() || status.Result() != regs.SAResultOK {
		return fmt.Errorf("SA_STATUS is %#x after an ADD", v)
	}
	k.Cycles = max(k.Cycles, uint64(status.Cycles()))
	return nil
}
