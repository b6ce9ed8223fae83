// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package server

import "errors"

// eventFD exists on Linux only.
type eventFD struct{}

func newEventFD(int) (eventFD, error) { return eventFD{}, errors.ErrUnsupported }
func (e *eventFD) bound() bool        { return false }
func (e *eventFD) close()             {}
func (e *eventFD) signal() error      { return nil }
