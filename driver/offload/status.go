// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"context"
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
)

// Status is an NDIS status code.
type Status uint32

// Status codes of requests and sends.
const (
	StatusSuccess     Status = 0x00000000
	StatusNotAccepted Status = 0x00010003
	// StatusPaused: a send while the adapter is paused.
	StatusPaused           Status = 0xC023002A
	StatusFailure          Status = 0xC0000001
	StatusInvalidParameter Status = 0xC000000D
	StatusResources        Status = 0xC000009A
	StatusNotSupported     Status = 0xC00000BB
	StatusRequestAborted   Status = 0xC001000C
	StatusInvalidLength    Status = 0xC0010014
	StatusInvalidData      Status = 0xC0010015
	StatusBufferTooShort   Status = 0xC0010016
	StatusInvalidOID       Status = 0xC0010017
)

// Status codes of indications.
const (
	StatusTaskOffloadCurrentConfig        Status = 0x40020006
	StatusTaskOffloadHardwareCapabilities Status = 0x40020007
)

var statusNames = map[Status]string{
	StatusSuccess:          "NDIS_STATUS_SUCCESS",
	StatusNotAccepted:      "NDIS_STATUS_NOT_ACCEPTED",
	StatusPaused:           "NDIS_STATUS_PAUSED",
	StatusFailure:          "NDIS_STATUS_FAILURE",
	StatusInvalidParameter: "NDIS_STATUS_INVALID_PARAMETER",
	StatusResources:        "NDIS_STATUS_RESOURCES",
	StatusNotSupported:     "NDIS_STATUS_NOT_SUPPORTED",
	StatusRequestAborted:   "NDIS_STATUS_REQUEST_ABORTED",
	StatusInvalidLength:    "NDIS_STATUS_INVALID_LENGTH",
	StatusInvalidData:      "NDIS_STATUS_INVALID_DATA",
	StatusBufferTooShort:   "NDIS_STATUS_BUFFER_TOO_SHORT",
	StatusInvalidOID:       "NDIS_STATUS_INVALID_OID",

	StatusTaskOffloadCurrentConfig:        "NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG",
	StatusTaskOffloadHardwareCapabilities: "NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES",
}

// String returns the name in the NDIS headers, or the number.
func (s Status) String() string {
	if name, ok := statusNames[s]; ok {
		return name
	}
	return fmt.Sprintf("NDIS status %#08x", uint32(s))
}

// RefusedError says that a request was refused and why: which field, what was
// asked, what is allowed. It never holds key material.
type RefusedError struct {
	Op      string // "add SA"
	Field   string // "SecAssoc[0].EncryptionAlgorithm.KeyLength"
	Asked   string // "16 bytes"
	Allowed string // "20 bytes: a key of 16 and a salt of 4"
	Status  Status
	// Err is the error underneath, if the driver or the NIC refused.
	Err error
}

// Error is one sentence.
func (e *RefusedError) Error() string {
	s := fmt.Sprintf("%s %s is refused", e.Field, e.Asked)
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Allowed != "" {
		s += ", allowed: " + e.Allowed
	}
	s += fmt.Sprintf(" (%v)", e.Status)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the error underneath.
func (e *RefusedError) Unwrap() error { return e.Err }

// refuse makes a RefusedError without Op, which the request fills in.
func refuse(status Status, field string, asked any, allowed string) *RefusedError {
	return &RefusedError{Field: field, Asked: fmt.Sprint(asked), Allowed: allowed, Status: status}
}

// StatusOf returns the NDIS status code that tells err; StatusSuccess for nil.
func StatusOf(err error) Status {
	var refused *RefusedError
	switch {
	case err == nil:
		return StatusSuccess
	case errors.As(err, &refused):
		return refused.Status
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return StatusRequestAborted
	case errors.Is(err, driver.ErrClosed), errors.Is(err, pcie.ErrRemoved):
		return StatusNotAccepted
	case errors.Is(err, driver.ErrNotSupported):
		return StatusNotSupported
	case errors.Is(err, driver.ErrResources):
		return StatusResources
	case errors.Is(err, driver.ErrStaleHandle):
		return StatusInvalidParameter
	case errors.Is(err, driver.ErrInvalid):
		return StatusInvalidData
	}
	return StatusFailure
}

// fromDriver is err, which the driver returned, as the answer to a request.
func fromDriver(op string, err error) error {
	if err == nil {
		return nil
	}
	var refused *driver.RefusedError
	if errors.As(err, &refused) {
		return &RefusedError{Op: op, Field: refused.Field, Asked: refused.Asked, Allowed: refused.Allowed, Status: StatusOf(err), Err: err}
	}
	return fmt.Errorf("%s: %w", op, err)
}
