// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

const (
	maxModerationCount = 255
	// moderationUnit is the clock cycles of one unit of INT_MODERATION.TIME.
	moderationUnit      = 16
	maxModerationCycles = (1<<16 - 1) * moderationUnit
)

// vector is one interrupt vector, shared by the queues that were given it. Of
// the goroutines that wait on it one waits for the interrupt, the others for it.
type vector struct {
	number int

	mu    sync.Mutex
	woken chan struct{} // not nil while someone waits for the interrupt; closed when that ends
	fired bool          // the NIC has disarmed the vector
}

// openVectors enables as many vectors as the NIC and the function have, or none
// where polling is asked for or is all there is.
func (n *NIC) openVectors() error {
	count := min(n.caps.Vectors, n.fn.Info().Vectors, n.opts.TXQueues+n.opts.RXQueues)
	if n.opts.Polling || count == 0 {
		return nil
	}
	if err := n.fn.SetVectors(count); errors.Is(err, pcie.ErrNoInterrupts) {
		return nil
	} else if err != nil {
		return err
	}
	n.vectors = make([]vector, count)
	for v := range n.vectors {
		n.vectors[v].number = v
	}
	return nil
}

// configureVectors writes moderation and masks of the vectors in use.
func (n *NIC) configureVectors() error {
	for v := range n.vectors {
		n.vectors[v].mu.Lock()
		n.vectors[v].fired = true // causes left from before a reset are cleared by the next wait
		n.vectors[v].mu.Unlock()
		if err := n.writeModeration(v, n.opts.Moderation); err != nil {
			return err
		}
	}
	used := uint32(uint64(1)<<len(n.vectors) - 1)
	if err := n.write(regs.IntArmOffset, used); err != nil {
		return err
	}
	return n.write(regs.IntMaskOffset, ^used)
}

// SetModeration changes the moderation of all vectors in use. With Polling it
// does nothing.
func (n *NIC) SetModeration(m Moderation) error {
	if m.Count < 0 || m.Count > maxModerationCount {
		return &RefusedError{Op: "set moderation", Field: "Count", Asked: fmt.Sprint(m.Count), Allowed: fmt.Sprintf("0 to %d", maxModerationCount), Reason: ErrInvalid}
	}
	if m.Cycles < 0 || m.Cycles > maxModerationCycles {
		return &RefusedError{Op: "set moderation", Field: "Cycles", Asked: fmt.Sprint(m.Cycles), Allowed: fmt.Sprintf("0 to %d", maxModerationCycles), Reason: ErrInvalid}
	}
	n.control.Lock()
	defer n.control.Unlock()
	if n.closed.Load() {
		return ErrClosed
	}
	n.opts.Moderation = m
	for v := range n.vectors {
		if err := n.writeModeration(v, m); err != nil {
			return err
		}
	}
	return nil
}

func (n *NIC) writeModeration(v int, m Moderation) error {
	units := (m.Cycles + moderationUnit - 1) / moderationUnit
	value := regs.IntModeration(0).WithCount(uint8(m.Count)).WithTime(uint16(units))
	return n.write(regs.IntModerationOffset(v), uint32(value))
}

// Interrupts says whether Wait uses interrupts; if not, it polls.
func (n *NIC) Interrupts() bool { return len(n.vectors) > 0 }

// wait waits until the vector is raised or ready says that there is no need. It
// may return early; callers look again.
func (v *vector) wait(ctx context.Context, n *NIC, ready func() (bool, error)) error {
	v.mu.Lock()
	if woken := v.woken; woken != nil {
		v.mu.Unlock()
		// The caller looked before it got hold of this channel; an interrupt
		// in between has woken others and will not come again.
		if ok, err := ready(); ok || err != nil {
			return err
		}
		select {
		case <-woken:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	v.woken = make(chan struct{})
	rearm := v.fired
	v.fired = false
	v.mu.Unlock()

	raised := false
	defer func() {
		v.mu.Lock()
		v.fired = v.fired || raised
		close(v.woken)
		v.woken = nil
		v.mu.Unlock()
	}()
	if rearm {
		// Clear first: an event between the two then counts for the new arming.
		if err := n.write(regs.IntCauseOffset, 1<<v.number); err != nil {
			return err
		}
		if err := n.write(regs.IntArmOffset, 1<<v.number); err != nil {
			return err
		}
	}
	// For the same reason, and for events that came before the vector was armed
	// and were too few for its moderation.
	if ok, err := ready(); ok || err != nil {
		return err
	}
	_, err := n.fn.WaitInterrupt(ctx, v.number)
	raised = err == nil
	return err
}
