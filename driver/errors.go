// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/regs"
)

// Errors that callers decide on; returned errors wrap them.
var (
	// ErrNotEspalier: the function answers, but not as an Espalier NIC.
	ErrNotEspalier = errors.New("not an Espalier NIC")
	// ErrVersion: the register interface has another major version.
	ErrVersion = errors.New("register interface of another version")
	// ErrCapabilities: the capability registers contradict themselves.
	ErrCapabilities = errors.New("impossible capabilities")
	// ErrClosed: the NIC was closed.
	ErrClosed = errors.New("NIC is closed")
	// ErrStopped: the queue does not run: it was stopped, reset or has failed.
	ErrStopped = errors.New("queue is stopped")
	// ErrUncollected: the queue cannot start before all buffers it held were
	// taken back with Poll.
	ErrUncollected = errors.New("buffers not collected")
	// ErrDMA: the NIC was refused an access to host memory, by the IOMMU or on the
	// way there. It is what a QueueError wraps where that was a ring's memory, and
	// Status.Err where it was a frame's.
	ErrDMA = errors.New("access to host memory was refused")
	// ErrBuffer: a buffer that the caller does not own or that does not fit.
	ErrBuffer = errors.New("unusable buffer")

	// The reasons for which a request is refused; see RefusedError.

	// ErrInvalid: the request is malformed (IPsecOV2: INVALID_DATA).
	ErrInvalid = errors.New("invalid value")
	// ErrNotSupported: the NIC does not have the feature (NOT_SUPPORTED).
	ErrNotSupported = errors.New("not supported by this NIC")
	// ErrResources: no room for another SA (RESOURCES).
	ErrResources = errors.New("no room")
	// ErrDuplicate: an inbound SA with that SPI, destination and IP version
	// exists already.
	ErrDuplicate = errors.New("already present")
	// ErrStaleHandle: the handle names no SA (INVALID_PARAMETER).
	ErrStaleHandle = errors.New("handle names no SA")
	// ErrHardware: the NIC refused what the driver had found good.
	ErrHardware = errors.New("refused by the NIC")

	// ErrFirmware: the firmware of the control processor is missing, has
	// stopped, or is not of use; see FirmwareError.
	ErrFirmware = errors.New("control processor")
	// ErrMailbox: the firmware has answered what was not asked, or twice. The
	// mailbox is not believed any more until LoadFirmware or Reset.
	ErrMailbox = errors.New("mailbox out of order; `espalier fw load` restarts the firmware")
)

// FirmwareError says that the control processor does not do its duty. SAs and
// queues are not touched by that: traffic goes on. Operations on SAs fail with
// it until LoadFirmware or Reset has started the firmware anew.
type FirmwareError struct {
	Fault    regs.CpFault // what the NIC has seen, CpFaultNone if nothing
	PC       uint32       // address of the last instruction
	Running  bool         // the processor runs nevertheless
	SelfTest bool         // its start-up self-tests have failed
	Detail   string       // what else there is to say
}

// faultTexts are the faults in words.
var faultTexts = map[regs.CpFault]string{
	regs.CpFaultTrap:     "illegal instruction or misaligned access",
	regs.CpFaultBus:      "access to an address where nothing is",
	regs.CpFaultWatchdog: "the watchdog found it hung",
}

// Error is one sentence.
func (e *FirmwareError) Error() string {
	fault, ok := faultTexts[e.Fault]
	switch {
	case e.Fault != regs.CpFaultNone && !ok:
		fault = e.Fault.String()
	case ok:
	case e.Detail != "":
		return fmt.Sprintf("%v: %s", ErrFirmware, e.Detail)
	default:
		return "the " + ErrFirmware.Error() + " was stopped; traffic goes on; `espalier fw load` restarts it"
	}
	return fmt.Sprintf("the %v stopped: %s at %#08x; traffic goes on; `espalier fw load` restarts it", ErrFirmware, fault, e.PC)
}

// Unwrap makes errors.Is(err, ErrFirmware) hold.
func (e *FirmwareError) Unwrap() error { return ErrFirmware }

// RefusedError says that a request was not carried out and why: which field,
// what was asked, what is allowed. It never holds key material. errors.Is finds
// the reason, one of ErrInvalid, ErrNotSupported, ErrResources, ErrDuplicate,
// ErrStaleHandle and ErrHardware.
type RefusedError struct {
	Op      string             // "add SA"
	Field   string             // "Key"
	Asked   string             // "15 bytes"
	Allowed string             // "16, 24 or 32 bytes"
	Result  regs.SAResult      // the SA window's answer; OK if it was not asked
	Status  regs.MailboxStatus // the control processor's answer; OK if it was not asked
	Reason  error
}

// Error is one sentence.
func (e *RefusedError) Error() string {
	s := fmt.Sprintf("%s: %s %s: %v", e.Op, e.Field, e.Asked, e.Reason)
	if e.Allowed != "" {
		s += ", allowed: " + e.Allowed
	}
	if e.Result != regs.SAResultOK {
		s += fmt.Sprintf(" (NIC's result %v)", e.Result)
	}
	if e.Status != regs.MailboxStatusOK {
		s += fmt.Sprintf(" (NIC's status %v)", e.Status)
	}
	return s
}

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Reason }

// QueueError says that the NIC stopped a queue. Stop, Poll until it returns
// nothing, and Start bring the queue back.
type QueueError struct {
	Queue string // "TX queue 2"
	Code  regs.QueueError
}

// queueCauses are the codes in words; the first two are accesses refused.
var queueCauses = map[regs.QueueError]string{
	regs.QueueErrorDescRead:  "it could not read descriptors",
	regs.QueueErrorCplWrite:  "it could not write a completion",
	regs.QueueErrorBadTail:   "the tail is outside the ring",
	regs.QueueErrorBadConfig: "the ring's size or address is impossible",
}

// DMA says whether the NIC stopped because it was refused access to a ring.
func (e *QueueError) DMA() bool {
	return e.Code == regs.QueueErrorDescRead || e.Code == regs.QueueErrorCplWrite
}

// Error is one sentence.
func (e *QueueError) Error() string {
	text := fmt.Sprintf("%s stopped by the NIC: %v", e.Queue, e.Code)
	if cause, ok := queueCauses[e.Code]; ok {
		text += ", " + cause
	}
	if e.DMA() {
		text += ": " + ErrDMA.Error()
	}
	return text
}

// Unwrap makes errors.Is(err, ErrStopped) hold, and errors.Is(err, ErrDMA) where
// DMA does.
func (e *QueueError) Unwrap() []error {
	if e.DMA() {
		return []error{ErrStopped, ErrDMA}
	}
	return []error{ErrStopped}
}

// DescriptorError says what became of one descriptor that was not carried out. The
// queue goes on.
type DescriptorError struct{ Status Status }

// descriptorCauses are what is wrapped by a status.
var descriptorCauses = map[Status]error{
	DMARead:     ErrDMA,
	DMAWrite:    ErrDMA,
	StaleHandle: ErrStaleHandle,
	Aborted:     ErrStopped,
	BadLength:   ErrInvalid,
	BadOffset:   ErrInvalid,
	Truncated:   ErrBuffer,
}

// Error is one sentence.
func (e *DescriptorError) Error() string {
	text := fmt.Sprintf("descriptor completed with %v", e.Status)
	if cause := descriptorCauses[e.Status]; cause != nil {
		text += ": " + cause.Error()
	}
	return text
}

// Unwrap returns the cause: ErrDMA of DMARead and DMAWrite, ErrStaleHandle,
// ErrStopped of Aborted, ErrInvalid of BadLength and BadOffset, ErrBuffer of
// Truncated, nil of others.
func (e *DescriptorError) Unwrap() error { return descriptorCauses[e.Status] }
