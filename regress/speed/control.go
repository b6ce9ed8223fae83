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

// besideLoad leaves room in the table for the SAs that come and go.
var besideLoad = Load{512, 1}

// MeasureBeside measures what SA operations cost the traffic.
func MeasureBeside(ctx context.Context, sim Target, quick bool) ([]Beside, error) {
	var list []Beside
	for _, mix := range Mixes() {
		if mix.Name != "64" && mix.Name != "1518" && mix.Name != "IMIX" {
			continue
		}
		c := RateCase{Mix: mix, Traffic: Both, Load: besideLoad, Memory: nearMemory, Window: mix.window(quick)}
		alone, _, err := c.besideRates(ctx, sim, nil)
		if err != nil {
			return nil, err
		}
		churn, err := newChurn()
		if err != nil {
			return nil, err
		}
		with, took, err := c.besideRates(ctx, sim, churn)
		if err != nil {
			return nil, err
		}
		for i, direction := range []Traffic{SendOnly, ReceiveOnly} {
			b := Beside{Inner: mix.Name, Direction: direction, Alone: alone[i], Cycles: with[i], Ratio: with[i] / alone[i],
				Pairs: churn.pairs, Pace: float64(took) / float64(max(1, churn.pairs)), Goal: besideLimit}
			b.Verdict = verdict(b.Ratio <= besideLimit && churn.pairs > 0)
			list = append(list, b)
		}
	}
	return list, nil
}

// besideRates returns the cycles per packet at the MAC, sent and received, and
// how many cycles all packets took.
func (c RateCase) besideRates(ctx context.Context, sim Target, churn *churn) (perPacket [2]float64, took uint64, err error) {
	s, err := openStation(ctx, sim, c.station())
	if err != nil {
		return perPacket, 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.churn = churn
	start := s.fn.Cycle()
	rates, err := s.measure(ctx, c)
	if err != nil {
		return perPacket, 0, fmt.Errorf("%s beside SA operations: %w", c.Mix.Name, err)
	}
	for _, r := range rates {
		if r.Direction == SendOnly {
			perPacket[0] = r.Cycles
		} else {
			perPacket[1] = r.AtMAC
		}
	}
	return perPacket, s.fn.Cycle() - start, nil
}

// churn adds and deletes SAs while packets move.
type churn struct {
	sas   []driver.SA
	due   uint64
	pairs int
}

func newChurn() (*churn, error) {
	sas, err := controlSAs(16)
	for i := range sas {
		sas[i].SPI += 1 << 20 // none of the traffic's
	}
	return &churn{sas: sas}, err
}

// step does the next pair if it is due.
func (c *churn) step(ctx context.Context, nic *driver.NIC, fn *rtlbridge.Function) error {
	if fn.Cycle() < c.due {
		return nil
	}
	c.due = max(c.due, fn.Cycle()) + churnCycles
	h, err := nic.AddSA(ctx, c.sas[c.pairs%len(c.sas)])
	if err != nil {
		return err
	}
	c.pairs++
	return nic.DeleteSA(ctx, h)
}
