// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// vectors are the MSI-X vectors of a function. Each that is enabled has an
// eventfd, which WaitInterrupt reads itself. Enabling makes new ones: whoever
// still reads an old one takes nothing that came later.
type vectors struct {
	dev   Device
	count int
	// byDevice: the device masks vectors. Linux's VFIO does not for MSI-X; then
	// it is done here.
	byDevice bool

	mu      sync.Mutex
	enabled int
	lines   []line
}

// line is one vector.
type line struct {
	event *event // nil: not enabled
	// masked: nothing is to be told. Where the device masks, nothing comes.
	masked bool
	// early is what arrived before the vector was masked; it may be told.
	// pending says that something came while it was masked here.
	early   uint64
	pending bool
}

// init finds out how many vectors can be bound to eventfds: none on a device that
// does not have the index.
func (s *vectors) init(dev Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dev = dev
	if info, err := dev.IRQInfo(IRQMSIX); err == nil && info.EventFD {
		s.count, s.byDevice = info.Count, info.Maskable
	}
	s.lines = make([]line, s.count)
}

// set enables vectors 0 to n-1, unmasked; what has come before is forgotten.
func (s *vectors) set(n int) error {
	if s.count == 0 && n > 0 {
		return pcie.ErrNoInterrupts
	}
	if n < 0 || n > s.count {
		return fmt.Errorf("%d interrupt vectors, the function has %d: %w", n, s.count, pcie.ErrRange)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.disable(); err != nil || n == 0 {
		return err
	}
	fds := make([]int, n)
	for v := range fds {
		e, err := newEvent()
		if err != nil {
			return errors.Join(fmt.Errorf("interrupt vector %d: %w", v, err), s.clear())
		}
		s.lines[v].event, fds[v] = e, e.fd
	}
	if err := s.dev.SetTriggers(IRQMSIX, 0, fds); err != nil {
		return errors.Join(fmt.Errorf("enable %d interrupt vectors: %w", n, err), s.clear())
	}
	s.enabled = n
	return nil
}

// clear forgets all vectors' state and closes their eventfds, which wakes who
// waits. s.mu is held.
func (s *vectors) clear() error {
	var errs []error
	for v := range s.lines {
		if e := s.lines[v].event; e != nil {
			errs = append(errs, e.close())
		}
		s.lines[v] = line{}
	}
	s.enabled = 0
	return errors.Join(errs...)
}

// disable disables all vectors. s.mu is held.
func (s *vectors) disable() error {
	if s.enabled == 0 {
		return nil
	}
	if s.byDevice { // else a pending one would be delivered after the next set
		for v := range s.enabled {
			if s.lines[v].masked {
				if err := s.dev.MaskIRQ(IRQMSIX, v, false); err != nil {
					return fmt.Errorf("unmask interrupt vector %d: %w", v, err)
				}
			}
		}
	}
	if err := s.dev.DisableIRQ(IRQMSIX); err != nil {
		return fmt.Errorf("disable interrupts: %w", err)
	}
	return s.clear()
}

// mask masks or unmasks vector v. A vector that is not enabled has nothing to
// mask, and is unmasked when it becomes so.
func (s *vectors) mask(v int, masked bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 {
		return pcie.ErrNoInterrupts
	}
	if v < 0 || v >= s.count {
		return fmt.Errorf("interrupt vector %d, the function has %d: %w", v, s.count, pcie.ErrRange)
	}
	l := &s.lines[v]
	if v >= s.enabled || l.masked == masked {
		return nil
	}
	if s.byDevice {
		if err := s.dev.MaskIRQ(IRQMSIX, v, masked); err != nil {
			return fmt.Errorf("mask interrupt vector %d: %w", v, err)
		}
		l.masked = masked
		return nil
	}
	came := l.event.take()
	if masked {
		l.early += came
	} else if l.pending || came > 0 {
		l.pending = false
		if err := l.event.raise(); err != nil {
			return fmt.Errorf("unmask interrupt vector %d: %w", v, err)
		}
	}
	l.masked = masked
	return nil
}

// wait waits for vector v as WaitInterrupt does. usable is asked whenever
// something has changed.
func (s *vectors) wait(ctx context.Context, v int, usable func() error) (uint64, error) {
	var watched *event
	stop := func() bool { return true }
	defer func() { stop() }()
	for {
		e, count, err := s.poll(v, usable)
		if err == nil && count == 0 {
			err = ctx.Err()
		}
		if err != nil || count > 0 {
			return count, err
		}
		if e != watched {
			stop()
			stop = context.AfterFunc(ctx, e.interrupt)
			watched = e
			continue // the context may have ended before
		}
		count, err = e.wait()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			// Whoever interrupts has changed the state before: resume first,
			// then look.
			e.resume()
		case errors.Is(err, os.ErrClosed): // look why
		case err != nil:
			return 0, fmt.Errorf("wait for interrupt vector %d: %w", v, err)
		default:
			if count = s.arrived(v, e, count); count > 0 {
				return count, nil
			}
		}
	}
}

// poll takes what has arrived on vector v, or returns the event to wait for.
func (s *vectors) poll(v int, usable func() error) (*event, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := usable(); err != nil {
		return nil, 0, err
	}
	if s.count == 0 {
		return nil, 0, pcie.ErrNoInterrupts
	}
	if v < 0 || v >= s.enabled {
		return nil, 0, fmt.Errorf("interrupt vector %d, %d are enabled: %w", v, s.enabled, pcie.ErrRange)
	}
	l := &s.lines[v]
	count := l.early
	l.early = 0
	if !l.masked || s.byDevice {
		count += l.event.take()
	}
	return l.event, count, nil
}

// arrived says how much of count, taken from an event of vector v, may be told
// now.
func (s *vectors) arrived(v int, e *event, count uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.lines[v]
	if l.event != e {
		return 0 // disabled meanwhile: forgotten
	}
	if l.masked && !s.byDevice {
		l.pending = true
		return 0
	}
	return count
}

// wake makes everyone who waits look again.
func (s *vectors) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if l.event != nil {
			l.event.interrupt()
		}
	}
}

// close disables all vectors, and forgets them also if the device does not
// answer.
func (s *vectors) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.disable(), s.clear())
}
