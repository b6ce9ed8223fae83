// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// goNIC is a Go NIC in this process; opened and closed count.
func goNIC(counts *int, wrap func(*nic.NIC) pcie.Function) PCIeTarget {
	return PCIeTarget{NIC: "Go NIC", Way: InProcess, Goals: true, Open: func(context.Context) (pcie.Function, driver.Options, error) {
		n, err := nic.New(nic.Options{})
		if err != nil {
			return nil, driver.Options{}, err
		}
		*counts++
		return wrap(n), driver.Options{}, nil
	}}
}

// counted counts closes.
type counted struct {
	*nic.NIC
	open *int
}

func (c counted) Close() error {
	*c.open--
	return c.NIC.Close()
}

func TestMeasureWay(t *testing.T) {
	open := 0
	target := goNIC(&open, func(n *nic.NIC) pcie.Function { return counted{n, &open} })
	w, err := MeasureWay(context.Background(), target, true)
	if err != nil {
		t.Fatal(err)
	}
	if w.NIC != "Go NIC" || w.Way != InProcess || !(w.Read > 0) || !(w.Write > 0) || !(w.Open > 0) || !(w.Small > 0) || !(w.Large > 0) {
		t.Errorf("%+v", w)
	}
	if w.ReadVerdict != verdict(w.Read < 15) || w.WriteVerdict != verdict(w.Write < 5) || w.ReadGoal != 15 || w.WriteGoal != 5 {
		t.Errorf("goals: %+v", w)
	}
	if open != 0 {
		t.Errorf("%d functions are left open", open)
	}
	c, err := MeasureServedClock(context.Background(), target, target, true)
	if err != nil {
		t.Fatal(err)
	}
	if !(c.Ratio > 0) || c.Verdict != verdict(c.Ratio >= 0.8) || !(c.InProcess > 0) || !(c.Served > 0) || c.Rounds != 5 {
		t.Errorf("%+v", c)
	}
	if open != 0 {
		t.Errorf("%d functions are left open", open)
	}
}

// broken is a NIC whose register does not hold what is written.
type broken struct{ *nic.NIC }

func (b broken) BAR(n int) (pcie.BAR, error) {
	bar, err := b.NIC.BAR(n)
	return brokenBAR{bar}, err
}

type brokenBAR struct{ pcie.BAR }

func (b brokenBAR) Write32(offset uint64, v uint32) error {
	if offset == 0x4C {
		return nil
	}
	return b.BAR.Write32(offset, v)
}

// mute is a NIC without BARs.
type mute struct{ counted }

func (m mute) BAR(int) (pcie.BAR, error) { return nil, errors.New("no BAR") }

// TestWrongWay: a way that loses writes, or cannot be opened, gives no figures.
func TestWrongWay(t *testing.T) {
	open := 0
	if _, err := MeasureWay(context.Background(), goNIC(&open, func(n *nic.NIC) pcie.Function { return broken{n} }), true); err == nil || !strings.Contains(err.Error(), "scratch register") {
		t.Errorf("lost writes: %v", err)
	}
	failure := errors.New("no card")
	none := PCIeTarget{NIC: "card", Way: Card, Open: func(context.Context) (pcie.Function, driver.Options, error) { return nil, driver.Options{}, failure }}
	if _, err := MeasureWay(context.Background(), none, true); !errors.Is(err, failure) || !strings.Contains(err.Error(), "card") {
		t.Errorf("no card: %v", err)
	}
	open = 0
	if _, err := MeasureWay(context.Background(), goNIC(&open, func(n *nic.NIC) pcie.Function { return mute{counted{n, &open}} }), true); err == nil || open != 0 {
		t.Errorf("a NIC without BARs: %v, %d functions are left open", err, open)
	}
	e, err := goNIC(&open, func(n *nic.NIC) pcie.Function { return counted{n, &open} }).open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.run(ctx, 64, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := e.close(); err != nil {
		t.Error(err)
	}
}

func TestMeasureDMA(t *testing.T) {
	list, err := MeasureDMA(context.Background(), true)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 {
		t.Fatalf("%+v", list)
	}
	for _, d := range list {
		if !(d.Read > 0) || !(d.ReadCopy > 0) || !(d.Write > 0) || !(d.WriteCopy > 0) || !(d.ReadRatio > 0) || !(d.WriteRatio > 0) || (d.Goal > 0) != (d.Block >= dmaGoalBlock) {
			t.Errorf("%+v", d)
		}
		t.Logf("%d: read %.2f GB/s of %.2f (%.2f), write %.2f of %.2f (%.2f)", d.Block, d.Read/1e9, d.ReadCopy/1e9, d.ReadRatio, d.Write/1e9, d.WriteCopy/1e9, d.WriteRatio)
	}
}
