// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/espalier-nic/espalier/driver/offload"
)

// parameters sets each value of OID_TCP_OFFLOAD_PARAMETERS.
func parameters(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	_ = c.indicated()
	hardware := c.a.HardwareCapabilities().IPsecV2
	for _, value := range []uint8{1, 2, 3, 4} {
		if err := c.a.SetParameters(ctx, offload.Parameters{IPsecV2: value}); err != nil {
			return fmt.Errorf("value %d: %w", value, err)
		}
		now, err := c.current()
		if err == nil {
			err = expected(hardware, (value-1)&1 != 0, (value-1)&2 != 0)(now)
		}
		if err != nil {
			return fmt.Errorf("value %d: %w", value, err)
		}
		// The record is not all: what it says must be so.
		_, err = c.add(ctx, newFlow(spiOut+uint32(value), false, false, 16))
		if now.ESP != (err == nil) {
			return fmt.Errorf("value %d: ESP is %v in the record and an ADD of an ESP SA ended with %v", value, now.ESP, err)
		}
	}
	for _, last := range []uint8{3, 1} {
		if err := c.a.SetParameters(ctx, offload.Parameters{IPsecV2: last}); err != nil {
			return err
		}
		before, err := c.current()
		if err != nil {
			return err
		}
		if err := c.a.SetParameters(ctx, offload.Parameters{IPsecV2: 0}); err != nil {
			return fmt.Errorf("value 0: %w", err)
		}
		now, err := c.current()
		if err != nil {
			return fmt.Errorf("value 0: %w", err)
		}
		if now != before {
			return fmt.Errorf("value 0 after %d has changed the record", last)
		}
	}
	return nil
}

// badParameters sets what is not defined.
func badParameters(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	_ = c.indicated()
	before := c.a.CurrentConfiguration().IPsecV2
	for _, v := range []struct {
		p     offload.Parameters
		field string
	}{
		{offload.Parameters{IPsecV2: 5}, "IPsecV2"}, {offload.Parameters{IPsecV2: 255}, "IPsecV2"},
		{offload.Parameters{IPsecV2IPv4: 5}, "IPsecV2IPv4"}, {offload.Parameters{IPsecV2: 1, LSOV2IPv4: 3}, "LsoV2IPv4"},
		{offload.Parameters{IPsecV2: 1, Flags: 0x80}, "Flags"},
	} {
		if err := refused(c.a.SetParameters(ctx, v.p), offload.StatusInvalidData, v.field); err != nil {
			return fmt.Errorf("%+v: %w", v.p, err)
		}
		if err := c.unchanged(before); err != nil {
			return fmt.Errorf("%+v: %w", v.p, err)
		}
	}
	return nil
}

// ipv4OnlyByte sets the byte that is for adapters without IPv6.
func ipv4OnlyByte(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	before := c.a.CurrentConfiguration().IPsecV2
	if !before.IPv6Supported || !before.ESP {
		return errors.New("the NIC has no IPv6 or no ESP: the row is not for it")
	}
	_, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	for value := uint8(1); value <= 4; value++ {
		if err := c.a.SetParameters(ctx, offload.Parameters{IPsecV2IPv4: value}); err != nil {
			return err
		}
		if now := c.a.CurrentConfiguration().IPsecV2; now != before {
			return fmt.Errorf("value %d of the IPv4-only byte has changed the record", value)
		}
	}
	return c.works(ctx, in)
}

// activationGate receives ESP before and after the encapsulation is set.
func activationGate(ctx context.Context, b *Bench) error {
	c, err := b.insert(ctx, offload.Options{})
	if err != nil {
		return err
	}
	out, in, err := c.pair(ctx)
	if err != nil {
		return fmt.Errorf("add before activation: %w", err)
	}
	if err := c.idle(ctx, in); err != nil {
		return fmt.Errorf("before activation: %w", err)
	}
	if err := c.refusesSend(ctx, out); err != nil {
		return fmt.Errorf("before activation: %w", err)
	}
	if n := len(c.indicated()); n != 0 {
		return fmt.Errorf("%d indications before activation", n)
	}
	if err := c.a.SetEncapsulation(ctx, offload.EthernetOn); err != nil {
		return err
	}
	if _, err := c.current(); err != nil {
		return err
	}
	return c.works(ctx, in, out)
}

// deactivation switches everything off and on again.
func deactivation(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	out, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	if err := c.works(ctx, out, in); err != nil {
		return err
	}
	off := map[string]func() error{
		"encapsulation off": func() error { return c.a.SetEncapsulation(ctx, offload.EthernetOff) },
		"parameter 1":       func() error { return c.a.SetParameters(ctx, offload.Parameters{IPsecV2: 1}) },
	}
	on := map[string]func() error{
		"encapsulation off": func() error { return c.a.SetEncapsulation(ctx, offload.EthernetOn) },
		"parameter 1":       func() error { return c.a.SetParameters(ctx, offload.Parameters{IPsecV2: 4}) },
	}
	for how := range off {
		_ = c.indicated()
		if err := off[how](); err != nil {
			return fmt.Errorf("%s: %w", how, err)
		}
		if _, err := c.current(); err != nil {
			return fmt.Errorf("%s: %w", how, err)
		}
		if err := c.idle(ctx, in); err != nil {
			return fmt.Errorf("%s: %w", how, err)
		}
		if err := c.refusesSend(ctx, out); err != nil {
			return fmt.Errorf("%s: %w", how, err)
		}
		if err := on[how](); err != nil {
			return fmt.Errorf("on again after %s: %w", how, err)
		}
		if err := c.works(ctx, out, in); err != nil {
			return fmt.Errorf("on again after %s: %w", how, err)
		}
	}
	return nil
}

// unsupportedFraming asks for framings that the record does not state.
func unsupportedFraming(ctx context.Context, b *Bench) error {
	c, err := b.insert(ctx, offload.Options{})
	if err != nil {
		return err
	}
	before := c.a.CurrentConfiguration().IPsecV2
	_, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	tried := 0
	for _, framing := range []offload.Encapsulation{1, 4, 8, 0x10, 0, 0x40} {
		if before.Encapsulation&framing != 0 {
			continue
		}
		tried++
		p := offload.EncapsulationParameters{Enabled: offload.EncapsulationOn, Type: framing, HeaderSize: 22}
		err := c.a.SetEncapsulation(ctx, offload.EncapsulationSetting{IPv4: p, IPv6: p})
		if err := refused(err, offload.StatusInvalidParameter, "EncapsulationType"); err != nil {
			return fmt.Errorf("framing %#x: %w", uint32(framing), err)
		}
		if err := c.unchanged(before); err != nil {
			return fmt.Errorf("framing %#x: %w", uint32(framing), err)
		}
		if err := c.idle(ctx, in); err != nil {
			return fmt.Errorf("framing %#x: %w", uint32(framing), err)
		}
	}
	if tried == 0 {
		return errors.New("the NIC states every framing: there is nothing to try")
	}
	return nil
}

// patience is how long a race may take to come about.
const patience = 30 * time.Second

// configurationRace adds SAs while ESP is switched off and on.
func configurationRace(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	n := b.count(10_000, 10_000, 600)
	// An odd number while ESP is known to be off: from its indication until
	// somebody begins to switch it on. there is what the table held at that
	// indication.
	state := 0
	var mu sync.Mutex
	var there map[offload.OffloadHandle]bool
	c.mu.Lock()
	c.onIndicate = func(i offload.Indication) {
		if i.Offload.IPsecV2.ESP {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		there = map[offload.OffloadHandle]bool{}
		for _, s := range c.a.ListSAs() {
			there[s.Handle] = true
		}
		state++
	}
	c.mu.Unlock()
	late := func(h offload.OffloadHandle) bool {
		mu.Lock()
		defer mu.Unlock()
		return state%2 == 1 && !there[h]
	}
	racing, stop := context.WithCancel(ctx)
	defer stop()
	var toggler sync.WaitGroup
	var toggling error
	toggler.Go(func() {
		for racing.Err() == nil && toggling == nil {
			toggling = c.a.SetParameters(ctx, offload.Parameters{IPsecV2: 1})
			for range 20 {
				runtime.Gosched()
			}
			mu.Lock()
			if state%2 == 1 {
				state++
			}
			mu.Unlock()
			toggling = errors.Join(toggling, c.a.SetParameters(ctx, offload.Parameters{IPsecV2: 4}))
			_ = c.indicated()
		}
	})
	adding := func() error {
		added, failed := 0, 0
		start := time.Now()
		for i := 0; i < n || added == 0 || failed == 0; i++ {
			if i > n && time.Since(start) > patience {
				return fmt.Errorf("%d of %d ADDs succeeded: there was no race", added, i)
			}
			f := newFlow(spiOut, false, i%2 == 0, 16)
			e := f.entry()
			err := c.a.AddSA(ctx, e)
			switch {
			case (err == nil) != (e.OffloadHandle != 0):
				return fmt.Errorf("ADD %d ended with %v and the handle %v", i, err, e.OffloadHandle)
			case err == nil && late(e.OffloadHandle):
				return fmt.Errorf("ADD %d succeeded after the indication that ESP is off", i)
			case err != nil && offload.StatusOf(err) != offload.StatusNotSupported:
				return fmt.Errorf("ADD %d: %w", i, err)
			}
			if err != nil {
				failed++
				runtime.Gosched() // who switches ESP on again needs a processor too
				continue
			}
			added++
			if err := c.a.DeleteSA(ctx, e.OffloadHandle); err != nil {
				return err
			}
		}
		return nil
	}
	err = adding()
	stop()
	toggler.Wait()
	return errors.Join(err, toggling, c.holds(0))
}
