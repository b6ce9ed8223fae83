// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// Ways by which a host reaches the SAs of a NIC.
const (
	byMailbox = "mailbox"
	byWindow  = "SA window"
)

// controlGoal is the most clock cycles per SA operation with many under way:
// 100,000 a second at 250 MHz.
const controlGoal = 2500

// Control is what one kind of SA operation costs.
type Control struct {
	// Way is the mailbox or the SA window.
	Way       string `json:"way"`
	Operation string `json:"operation"`
	// Count operations were asked for at once.
	Count int `json:"count"`
	// Cycles per operation, all included: the host's register accesses, the
	// firmware, the SA engine.
	Cycles float64 `json:"cycles_per_operation"`
	// PerSecond is the same at the clock that the NIC is meant for.
	PerSecond float64 `json:"per_second"`
	// Alone is one operation with nothing else under way: cycles from the
	// driver's first register access to its last.
	Alone   uint64  `json:"cycles_alone"`
	Goal    float64 `json:"goal,omitempty"`
	Verdict Verdict `json:"verdict,omitempty"`
}

// MeasureControl measures ADD_SA, UPDATE_SA and DELETE_SA. Which way they go is
// the NIC's choice.
func MeasureControl(ctx context.Context, sim Target, quick bool) (_ []Control, err error) {
	fn, err := sim.open(nearMemory, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, fn.Close()) }()
	nic, err := driver.Open(ctx, fn, driver.Options{Polling: true, Firmware: sim.Firmware})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, nic.Close()) }()
	count := 512
	if quick {
		count = 96
	}
	sas, err := controlSAs(count)
	if err != nil {
		return nil, err
	}
	// Once through without looking, so that the firmware's table is in the state
	// in which it stays: slots are used again.
	c := controlRun{nic: nic, fn: fn}
	for range 2 {
		if err := c.all(ctx, sas); err != nil {
			return nil, err
		}
	}
	if err := c.one(ctx, sas[0]); err != nil {
		return nil, err
	}
	way := byWindow
	if nic.Capabilities().ControlProcessor {
		way = byMailbox
	}
	list := make([]Control, 0, len(controlOperations))
	for i, name := range controlOperations {
		k := Control{Way: way, Operation: name, Count: count, Cycles: float64(c.cycles[i]) / float64(count), Alone: c.alone[i]}
		k.PerSecond = float64(nic.Capabilities().ClockMHz) * 1e6 / k.Cycles
		if way == byMailbox {
			k.Goal, k.Verdict = controlGoal, verdict(k.Cycles <= controlGoal)
		}
		list = append(list, k)
	}
	return list, nil
}

// controlOperations name what is measured, in the order of the arrays below.
var controlOperations = [...]string{"ADD_SA", "UPDATE_SA", "DELETE_SA"}

// controlSAs are SAs of every key length, both directions and IP versions.
func controlSAs(count int) ([]driver.SA, error) {
	rng := rand.New(rand.NewPCG(3, 0))
	sas := make([]driver.SA, count)
	for i := range sas {
		a, err := newAssociation(rng, i, i%2 == 0, 16+8*(i%3), 0)
		if err != nil {
			return nil, err
		}
		if i%4 >= 2 {
			a.spec.Src, a.spec.Dst = mapped(a.spec.Src), mapped(a.spec.Dst)
		}
		a.spec.ESN = true
		sas[i] = a.spec
	}
	return sas, nil
}

// controlRun is one NIC and the cycles of the latest operations on it.
type controlRun struct {
	nic    *driver.NIC
	fn     pcie.Clocked
	cycles [len(controlOperations)]uint64 // all of them together
	alone  [len(controlOperations)]uint64 // one by itself
}

// all adds, updates and deletes the SAs, as many at a time as the NIC takes.
func (c *controlRun) all(ctx context.Context, sas []driver.SA) error {
	start := c.fn.Cycle()
	handles, errs := c.nic.AddSAs(ctx, sas)
	c.cycles[0] = c.fn.Cycle() - start
	if err := errors.Join(errs...); err != nil {
		return err
	}
	updates := make([]driver.SAUpdate, len(handles))
	for i, h := range handles {
		updates[i] = driver.SAUpdate{Handle: h, SequenceHi: uint32(i + 1)}
	}
	start = c.fn.Cycle()
	errs = c.nic.UpdateSAs(ctx, updates)
	c.cycles[1] = c.fn.Cycle() - start
	if err := errors.Join(errs...); err != nil {
		return err
	}
	start = c.fn.Cycle()
	errs = c.nic.DeleteSAs(ctx, handles)
	c.cycles[2] = c.fn.Cycle() - start
	return errors.Join(errs...)
}

// one does each operation by itself.
func (c *controlRun) one(ctx context.Context, sa driver.SA) error {
	start := c.fn.Cycle()
	h, err := c.nic.AddSA(ctx, sa)
	c.alone[0] = c.fn.Cycle() - start
	if err != nil {
		return err
	}
	start = c.fn.Cycle()
	err = c.nic.UpdateSA(ctx, h, 1)
	c.alone[1] = c.fn.Cycle() - start
	if err != nil {
		return err
	}
	start = c.fn.Cycle()
	err = c.nic.DeleteSA(ctx, h)
	c.alone[2] = c.fn.Cycle() - start
	return err
}

// churnCycles is the pace of SAs that come and go beside the traffic: 1,000 in
// 10 ms at 250 MHz.
const churnCycles = 2500

// churnBatch is how many SAs come, and then go, together.
const churnBatch = 8

// besideLimit is how many times the cycles per packet they may cost.
const besideLimit = 1.01

// Beside is traffic while SAs come and go, against the same traffic alone.
type Beside struct {
	Inner     string  `json:"inner_frame"`
	Direction Traffic `json:"direction"`
	// Alone and Cycles are cycles per packet at the MAC, both directions under
	// way, without and with SAs added and deleted.
	Alone  float64 `json:"cycles_per_packet_alone"`
	Cycles float64 `json:"cycles_per_packet"`
	Ratio  float64 `json:"ratio"`
	// Pairs of an ADD_SA and a DELETE_SA during all of the traffic, one every
	// Pace cycles.
	Pairs   int     `json:"pairs"`
	Pace    float64 `json:"cycles_per_pair"`
	Goal    float64 `json:"goal"`
	Verdict Verdict `json:"verdict"`
}

// besideWindow is the most packets that fit the rings with those around them.
const besideWindow = 7000

// besideLoad leaves room in the table for the SAs that come and go.
var besideLoad = Load{512, 1}

// MeasureBeside measures what SA operations cost the traffic.
func MeasureBeside(ctx context.Context, sim Target, quick bool) ([]Beside, error) {
	var list []Beside
	for _, mix := range Mixes() {
		if mix.Name != "64" && mix.Name != "1518" && mix.Name != "IMIX" {
			continue
		}
		c := RateCase{Mix: mix, Traffic: Both, Load: besideLoad, Memory: nearMemory, Window: min(2*mix.window(quick), besideWindow), atMAC: true}
		alone, err := c.besideRates(ctx, sim, nil)
		if err != nil {
			return nil, err
		}
		churn, err := newChurn()
		if err != nil {
			return nil, err
		}
		with, err := c.besideRates(ctx, sim, churn)
		if err != nil {
			return nil, err
		}
		for i, direction := range []Traffic{SendOnly, ReceiveOnly} {
			b := Beside{Inner: mix.Name, Direction: direction, Alone: alone[i], Cycles: with[i], Ratio: with[i] / alone[i],
				Pairs: churn.pairs, Pace: churn.pace(), Goal: besideLimit}
			b.Verdict = verdict(b.Ratio <= besideLimit && churn.pairs > churnBatch)
			list = append(list, b)
		}
	}
	return list, nil
}

// besideRates returns the cycles per packet at the MAC, sent and received.
func (c RateCase) besideRates(ctx context.Context, sim Target, churn *churn) (perPacket [2]float64, err error) {
	s, err := openStation(ctx, sim, c.station())
	if err != nil {
		return perPacket, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.churn = churn
	rates, err := s.measure(ctx, c)
	if err != nil {
		return perPacket, fmt.Errorf("%s beside SA operations: %w", c.Mix.Name, err)
	}
	for i, r := range rates { // sending first
		perPacket[i] = r.Cycles
	}
	return perPacket, nil
}

// churn adds and deletes SAs while packets move.
type churn struct {
	sas         []driver.SA
	first, last uint64 // when the first and the latest batch began, in cycles
	pairs       int
}

// pace is the mean number of cycles from pair to pair.
func (c *churn) pace() float64 {
	return float64(c.last-c.first) / float64(max(1, c.pairs-churnBatch))
}

func newChurn() (*churn, error) {
	sas, err := controlSAs(16)
	for i := range sas {
		sas[i].SPI += 1 << 20 // none of the traffic's
	}
	return &churn{sas: sas}, err
}

// step does the next batch of pairs if it is due.
func (c *churn) step(ctx context.Context, nic *driver.NIC, fn *rtlbridge.Function) error {
	now := fn.Cycle()
	switch {
	case c.pairs == 0:
		c.first = now
	case now < c.first+uint64(c.pairs)*churnCycles:
		return nil
	}
	c.last = now
	first := c.pairs % len(c.sas)
	handles, errs := nic.AddSAs(ctx, c.sas[first:first+churnBatch])
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c.pairs += churnBatch
	return errors.Join(nic.DeleteSAs(ctx, handles)...)
}
