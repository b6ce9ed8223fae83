// SPDX-License-Identifier: Apache-2.0

package passthrough

import "fmt"

// watchDevice listens for the end of the device and for what it reports by
// itself.
func (f *Function) watchDevice() error {
	f.watch.Go(func() {
		select {
		case <-f.dev.Gone():
			f.remove("it does not answer any more")
		case <-f.done:
		}
	})
	if err := f.watchIRQ(IRQError, func() { f.deviceErrors.Add(1) }); err != nil {
		return err
	}
	return f.watchIRQ(IRQReq, func() { f.remove("its owner asks for it back") })
}

// watchIRQ calls seen whenever an interrupt of an index arrives that has one
// vector at most. An index that the device does not have is left alone.
func (f *Function) watchIRQ(index int, seen func()) error {
	if irq, err := f.dev.IRQInfo(index); err != nil || irq.Count < 1 || !irq.EventFD {
		return nil
	}
	e, err := newEvent()
	if err != nil {
		return err
	}
	f.undo.add(e.close)
	if err := f.dev.SetTriggers(index, 0, []int{e.fd}); err != nil {
		return fmt.Errorf("bind an eventfd to interrupt index %d: %w", index, err)
	}
	f.undo.add(func() error { return f.dev.DisableIRQ(index) })
	f.watch.Go(func() {
		for {
			if _, err := e.wait(); err != nil {
				return // closed
			}
			seen()
		}
	})
	return nil
}
