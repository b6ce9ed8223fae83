// SPDX-License-Identifier: Apache-2.0

// Package sentence has errors that a user reads: one sentence that names what is in the
// way and the command that helps.
package sentence

import (
	"errors"
	"fmt"
)

// Error is one sentence, and the kinds of error that errors.Is finds in it.
type Error struct {
	Text  string
	Kinds []error
}

// Say returns an Error of one kind. A cause that format has a %w for is a kind too.
func Say(kind error, format string, a ...any) *Error {
	err := fmt.Errorf(format, a...)
	e := &Error{Text: err.Error(), Kinds: []error{kind}}
	if cause := errors.Unwrap(err); cause != nil {
		e.Kinds = append(e.Kinds, cause)
	}
	return e
}

// Error implements error.
func (e *Error) Error() string { return e.Text }

// Unwrap lets errors.Is and errors.As see the kinds.
func (e *Error) Unwrap() []error { return e.Kinds }
