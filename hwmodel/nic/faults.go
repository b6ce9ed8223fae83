// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/regs"
)

// ProcessorFault is something that goes wrong with the control processor.
type ProcessorFault int

// Values of ProcessorFault.
const (
	// FaultTrap: an illegal instruction, now. A command under way is carried
	// out and never answered, those behind it are not even taken.
	FaultTrap ProcessorFault = iota
	// FaultBus: an access to nothing, now; else as FaultTrap.
	FaultBus
	// FaultHang: from now on the firmware does nothing; the watchdog stops the
	// processor CP_WATCHDOG cycles after its last heartbeat.
	FaultHang
	// FaultAnswerTwice: the next answer comes again, 400 cycles later, as
	// the firmware would give it: response, MBOX_DONE, event.
	FaultAnswerTwice
	// FaultAnswerNever: the next command taken stays pending, and nothing is
	// done; those behind it are served.
	FaultAnswerNever
	// FaultAnswerTag: the next answer has another tag, all bits inverted.
	FaultAnswerTag
	// FaultSelfTest: the self-tests fail when they are next run.
	FaultSelfTest
)

// repeatCycles is the time from an answer to the same again.
const repeatCycles = 400

// injected is the faults that wait for their occasion. A reset does not change them.
type injected struct{ twice, never, tag, selfTest bool }

// InjectFault makes the control processor go wrong, once, for tests of drivers.
// It is an error if the NIC has none, or for the first three if it does not run.
func (n *NIC) InjectFault(f ProcessorFault) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.usable(); err != nil {
		return err
	}
	p := n.cp
	if p == nil {
		return errors.New("fault of the control processor: this NIC has none")
	}
	if f < FaultTrap || f > FaultSelfTest {
		return fmt.Errorf("fault %d of the control processor, allowed are %d to %d", f, FaultTrap, FaultSelfTest)
	}
	if f <= FaultHang && !p.run {
		return errors.New("fault of the control processor: it does not run")
	}
	defer n.settled()
	switch f {
	case FaultTrap:
		n.faultProcessor(regs.CpFaultTrap, p.pc)
	case FaultBus:
		n.faultProcessor(regs.CpFaultBus, p.pc)
	case FaultHang:
		last := max(n.clock.cycle, p.started)
		last -= (last - p.started) % beatCycles
		p.beats, p.beating, p.due = n.heartbeat(), false, never
		p.watchdog = last + watchdogCycles
		n.clock.wakeAt(p.watchdog)
	case FaultAnswerTwice:
		p.inject.twice = true
	case FaultAnswerNever:
		p.inject.never = true
	case FaultAnswerTag:
		p.inject.tag = true
	case FaultSelfTest:
		p.inject.selfTest = true
	}
	return nil
}
