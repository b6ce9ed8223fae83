// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package passthrough

import (
	"errors"
	"fmt"
)

// event is an eventfd, which only Linux has.
type event struct{ fd int }

func newEvent() (*event, error) {
	return nil, fmt.Errorf("make an eventfd: %w", errors.ErrUnsupported)
}

func (e *event) wait() (uint64, error) { return 0, errors.ErrUnsupported }
func (e *event) take() uint64          { return 0 }
func (e *event) raise() error          { return errors.ErrUnsupported }
func (e *event) interrupt()            {}
func (e *event) resume()               {}
func (e *event) close() error          { return nil }
