// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/offload"
)

// resume collects what a reset has left in the queues and starts them again.
func (c *card) resume(ctx context.Context) error {
	done := make([]driver.TXDone, window)
	for {
		n, err := c.tx.Poll(done)
		if err != nil && !errors.Is(err, driver.ErrStopped) {
			return err
		}
		if n == 0 {
			break
		}
		for _, d := range done[:n] {
			if err := c.pool.Put(d.Buffer); err != nil {
				return err
			}
		}
	}
	packets := make([]driver.RXPacket, window)
	for {
		n, err := c.rx.Poll(packets)
		if err != nil && !errors.Is(err, driver.ErrStopped) {
			return err
		}
		if n == 0 {
			break
		}
		for _, p := range packets[:n] {
			if err := c.pool.Put(p.Buffer); err != nil {
				return err
			}
		}
	}
	if err := c.StartQueues(ctx); err != nil {
		return err
	}
	return c.refill()
}

// hundred adds 100 SAs of all kinds.
func (c *card) hundred(ctx context.Context) ([]*traffic, error) {
	var flows []flow
	for i := range 100 {
		f := newFlow(0x800+uint32(i), i%2 == 0, i%4 < 2, 16+8*(i%3))
		f.esn = i%5 == 0
		if f.esn {
			f.hi = uint32(i)
		}
		flows = append(flows, f)
	}
	all, err := c.addAll(ctx, flows)
	if err != nil {
		return nil, err
	}
	return all, c.works(ctx, all...)
}

// survives checks that SAs live on under their handles, with what UPDATE has
// made of them, after something was done to the NIC.
func (c *card) survives(ctx context.Context, all []*traffic, what func() (offload.ResetReport, error)) error {
	for _, t := range all {
		if t.esn {
			if err := c.update(ctx, t, t.hi+7); err != nil {
				return err
			}
		}
	}
	// Sends under way: each must come back, whatever became of it.
	underWay := 0
	for i := range 50 {
		t := all[1]
		out, err := t.framed(t.plain(500, uint32(i)))
		if err != nil {
			return err
		}
		refusals, posted, err := c.post(out)
		if err != nil || refusals[0] != nil {
			return errors.Join(err, refusals[0])
		}
		underWay += posted
	}
	report, err := what()
	if err != nil {
		return err
	}
	if report.Restored != len(all) || len(report.Differences) != 0 {
		return fmt.Errorf("%d of %d SAs were restored, with %d differences", report.Restored, len(all), len(report.Differences))
	}
	if err := c.resume(ctx); err != nil {
		return err
	}
	if free := c.pool.Free(); free != hostBuffers-c.rx.Outstanding() {
		return fmt.Errorf("%d of the host's buffers are missing", hostBuffers-c.rx.Outstanding()-free)
	}
	// What left before is of no interest here.
	for {
		frame, err := c.port.Receive()
		if err != nil {
			return err
		}
		if frame == nil {
			break
		}
	}
	if err := c.holds(len(all)); err != nil {
		return err
	}
	differences, err := c.a.Compare(ctx)
	if err != nil {
		return err
	}
	if len(differences) != 0 {
		return fmt.Errorf("the NIC has another SA than the adapter: %+v", differences[0])
	}
	return nil
}

// requestsWhileDown checks that a request is not accepted while the NIC is away.
func (c *card) requestsWhileDown(ctx context.Context, t *traffic) error {
	f := newFlow(0xF0003, true, false, 16)
	if err := c.a.AddSA(ctx, f.entry()); offload.StatusOf(err) != offload.StatusNotAccepted {
		return fmt.Errorf("an ADD in standby ended with %v, right is %v", offload.StatusOf(err), offload.StatusNotAccepted)
	}
	if err := c.a.DeleteSA(ctx, t.offload); offload.StatusOf(err) != offload.StatusNotAccepted {
		return fmt.Errorf("a DELETE in standby ended with %v, right is %v", offload.StatusOf(err), offload.StatusNotAccepted)
	}
	return nil
}

// resetKeepsSAs resets the NIC with 100 SAs, several times.
func resetKeepsSAs(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	all, err := c.hundred(ctx)
	if err != nil {
		return err
	}
	for range b.count(3, 3, 1) {
		err := c.survives(ctx, all, func() (offload.ResetReport, error) { return c.a.Reset(ctx) })
		if err != nil {
			return err
		}
		if err := c.works(ctx, all...); err != nil {
			return fmt.Errorf("after a reset: %w", err)
		}
	}
	// What changes afterwards has effect.
	if err := c.a.DeleteSA(ctx, all[0].offload); err != nil {
		return err
	}
	if err := c.idle(ctx, all[0]); err != nil {
		return err
	}
	return c.works(ctx, all[2])
}

// resetAmongRequests resets the NIC while requests are made from several
// goroutines: each ends, and what is there in the end is what their answers say.
func resetAmongRequests(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	const goroutines = 8
	left := make([]map[offload.OffloadHandle]flow, goroutines)
	errs := make([]error, goroutines)
	var stop atomic.Bool
	var aborted atomic.Int64
	var running sync.WaitGroup
	for g := range goroutines {
		left[g] = map[offload.OffloadHandle]flow{}
		running.Go(func() {
			for i := 0; !stop.Load() && errs[g] == nil; i++ {
				errs[g] = c.requestDuringReset(ctx, newFlow(0x50000+uint32(g)<<12+uint32(i), i%2 == 0, false, 16), left[g], &aborted)
			}
		})
	}
	var trouble error
	for range b.count(20, 20, 3) {
		// Some requests between one reset and the next.
		if trouble = c.relax(ctx, 20_000); trouble == nil {
			_, trouble = c.a.Reset(ctx)
		}
		if trouble != nil {
			break
		}
	}
	stop.Store(true)
	running.Wait()
	if err := errors.Join(append(errs, trouble)...); err != nil {
		return err
	}
	if aborted.Load() == 0 {
		return errors.New("no request was under way during a reset: nothing was shown")
	}
	if err := c.resume(ctx); err != nil {
		return err
	}
	// A request that was aborted is cleared up by the next one.
	last, err := c.add(ctx, newFlow(spiIn, true, false, 16))
	if err != nil {
		return err
	}
	model := map[offload.OffloadHandle]flow{last.offload: last.flow}
	for _, some := range left {
		for handle, f := range some {
			model[handle] = f
		}
	}
	if err := c.matches(ctx, model); err != nil {
		return err
	}
	return c.works(ctx, last)
}

// requestDuringReset adds an SA, or deletes one if there are many, and keeps
// account of it. A reset may abort or refuse either.
func (c *card) requestDuringReset(ctx context.Context, f flow, left map[offload.OffloadHandle]flow, aborted *atomic.Int64) error {
	during := func(err error) bool {
		status := offload.StatusOf(err)
		if status != offload.StatusRequestAborted && status != offload.StatusNotAccepted {
			return false
		}
		aborted.Add(1)
		runtime.Gosched()
		return true
	}
	for handle := range left {
		if len(left) < 20 {
			break
		}
		err := c.a.DeleteSA(ctx, handle)
		if offload.StatusOf(err) != offload.StatusNotAccepted {
			delete(left, handle) // also when aborted: the handle is void
		}
		if err == nil || during(err) {
			return nil
		}
		return fmt.Errorf("DELETE during a reset: %w", err)
	}
	e := f.entry()
	err := c.a.AddSA(ctx, e)
	switch {
	case (err == nil) != (e.OffloadHandle != 0):
		return fmt.Errorf("ADD during a reset ended with %v and the handle %v", err, e.OffloadHandle)
	case err == nil:
		left[e.OffloadHandle] = f
	case !during(err):
		return fmt.Errorf("ADD during a reset: %w", err)
	}
	return nil
}

// resetAddressing resets the NIC so that the host has to set the encapsulation.
func resetAddressing(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	all, err := c.hundred(ctx)
	if err != nil {
		return err
	}
	var report offload.ResetReport
	err = c.survives(ctx, all, func() (offload.ResetReport, error) {
		var err error
		report, err = c.a.AddressingReset(ctx)
		return report, err
	})
	if err != nil {
		return err
	}
	if !report.AddressingReset {
		return errors.New("the report does not say that addressing was reset")
	}
	if err := c.idle(ctx, all[0]); err != nil {
		return fmt.Errorf("before the encapsulation was set: %w", err)
	}
	if err := c.refusesSend(ctx, all[1]); err != nil {
		return fmt.Errorf("before the encapsulation was set: %w", err)
	}
	_ = c.indicated()
	if err := c.a.SetEncapsulation(ctx, offload.EthernetOn); err != nil {
		return err
	}
	if _, err := c.current(); err != nil {
		return err
	}
	return c.works(ctx, all...)
}

// standbyKeepsSAs goes to D3 and back to D0.
func standbyKeepsSAs(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	all, err := c.hundred(ctx)
	if err != nil {
		return err
	}
	for range b.count(2, 2, 1) {
		err := c.survives(ctx, all, func() (offload.ResetReport, error) {
			if err := c.a.Standby(ctx); err != nil {
				return offload.ResetReport{}, err
			}
			secrets, err := c.port.Secrets()
			if err != nil {
				return offload.ResetReport{}, err
			}
			if secrets != 0 {
				return offload.ResetReport{}, fmt.Errorf("the back door sees %d secrets in standby", secrets)
			}
			if err := c.requestsWhileDown(ctx, all[0]); err != nil {
				return offload.ResetReport{}, err
			}
			return c.a.Resume(ctx)
		})
		if err != nil {
			return err
		}
		if err := c.works(ctx, all...); err != nil {
			return fmt.Errorf("after standby: %w", err)
		}
	}
	return nil
}

// pause pauses and restarts.
func pause(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	out, in, err := c.pair(ctx)
	if err != nil {
		return err
	}
	if err := c.a.Pause(); err != nil {
		return err
	}
	protected, err := out.framed(out.plain(60, 1))
	if err != nil {
		return err
	}
	for what, frame := range map[string]outgoing{"with an SA": protected, "without": {frame: out.plain(60, 2)}} {
		if err := c.refuses(ctx, frame, offload.StatusPaused); err != nil {
			return fmt.Errorf("a send %s while paused: %w", what, err)
		}
	}
	// Requests are served.
	third, err := c.add(ctx, newFlow(0x800, true, true, 16))
	if err != nil {
		return fmt.Errorf("ADD while paused: %w", err)
	}
	fourth, err := c.add(ctx, newFlow(0x801, true, true, 16))
	if err != nil {
		return err
	}
	if err := c.a.DeleteSA(ctx, fourth.offload); err != nil {
		return fmt.Errorf("DELETE while paused: %w", err)
	}
	if err := c.a.Restart(); err != nil {
		return err
	}
	if err := c.holds(3); err != nil {
		return err
	}
	return c.works(ctx, out, in, third)
}

// haltWipesKeys adds many SAs, halts the NIC and looks for keys by the back door.
func haltWipesKeys(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	var flows []flow
	for i := range b.count(int(c.a.CurrentConfiguration().IPsecV2.SAOffloadCapacity), 1<<16, 200) {
		flows = append(flows, newFlow(0x10000+uint32(i), i%2 == 1, i%4 >= 2, 16+8*(i%3)))
	}
	all, err := c.addAll(ctx, flows)
	if err != nil {
		return err
	}
	if err := c.works(ctx, all[0], all[1]); err != nil {
		return err
	}
	before, err := c.port.Secrets()
	if err != nil {
		return err
	}
	if before < len(all) {
		return fmt.Errorf("the back door sees %d secrets with %d SAs", before, len(all))
	}
	if err := c.a.Halt(ctx); err != nil {
		return err
	}
	after, err := c.port.Secrets()
	if err != nil {
		return err
	}
	if after != 0 {
		return fmt.Errorf("the back door sees %d secrets after Halt", after)
	}
	if err := c.unwritten(all...); err != nil {
		return err
	}
	if n := len(c.a.ListSAs()); n != 0 {
		return fmt.Errorf("the adapter still lists %d SAs after Halt", n)
	}
	f := newFlow(0xF0004, true, false, 16)
	if err := c.a.AddSA(ctx, f.entry()); offload.StatusOf(err) != offload.StatusNotAccepted {
		return fmt.Errorf("an ADD after Halt ended with %v, right is %v", offload.StatusOf(err), offload.StatusNotAccepted)
	}
	return nil
}

// unwritten checks that the control processor has no key of these SAs written
// down anywhere.
func (c *card) unwritten(all ...*traffic) error {
	memory, err := c.port.ProcessorMemory()
	if err != nil {
		return err
	}
	words := map[uint32]bool{}
	for at := 0; at+4 <= len(memory); at += 4 {
		words[little.Uint32(memory[at:])] = true
	}
	for _, t := range all {
		found := 0
		for at := 0; at < len(t.key); at += 4 {
			if words[binary.BigEndian.Uint32(t.key[at:])] || words[little.Uint32(t.key[at:])] {
				found++
			}
		}
		if found > 1 { // one may be chance
			return fmt.Errorf("%d words of the key of SPI %#08x are in the control processor's memory", found, t.spi)
		}
	}
	return nil
}

// rekeying replaces a pair again and again, with overlap and traffic.
func rekeying(ctx context.Context, b *Bench) error {
	c, err := b.insertActive(ctx)
	if err != nil {
		return err
	}
	n := b.count(3000, 3000, 150) // 10 minutes, every 200 ms
	var old [2]*traffic
	for i := range n {
		var pair [2]*traffic
		for d, inbound := range []bool{false, true} {
			if pair[d], err = c.add(ctx, newFlow(0x10000+2*uint32(i)+uint32(d), inbound, i%2 == 0, 16+8*(i%3))); err != nil {
				return fmt.Errorf("rekeying %d: %w", i, err)
			}
		}
		// Both pairs carry traffic for a while.
		for range 3 {
			if err := c.works(ctx, pair[:]...); err != nil {
				return fmt.Errorf("rekeying %d, new pair: %w", i, err)
			}
			if i == 0 {
				continue
			}
			if err := c.works(ctx, old[:]...); err != nil {
				return fmt.Errorf("rekeying %d, old pair: %w", i, err)
			}
		}
		if i > 0 {
			if err := c.a.DeleteSA(ctx, old[0].offload, old[1].offload); err != nil {
				return fmt.Errorf("rekeying %d: %w", i, err)
			}
		}
		old = pair
	}
	return c.holds(2)
}

// slotCopying copies the words of packets as a filter does.
func slotCopying(context.Context, *Bench) error {
	var source offload.NetBufferListInfo
	for i := range source {
		source[i] = 0x100 + uint64(i)
	}
	for what, copying := range map[string]struct {
		copy  func(dst, src *offload.NetBufferListInfo)
		slots []int
	}{
		// Checksum, IPsec, large send or no push, VLAN, media, cancel or frame
		// type, protocol or hash, tunnel, header, virtual subnet, filtering.
		"send":    {offload.CopySendInfo, []int{0, 1, 2, 4, 5, 6, 7, 11, 12, 14, 20}},
		"receive": {offload.CopyReceiveInfo, []int{0, 1, 2, 4, 6, 7, 8, 9, 11, 12, 14, 20}},
	} {
		var want, got offload.NetBufferListInfo
		for _, slot := range copying.slots {
			want[slot] = source[slot]
		}
		copying.copy(&got, &source)
		if got != want {
			return fmt.Errorf("%s: slots copied are %v, right are %v", what, got, want)
		}
	}
	return nil
}
