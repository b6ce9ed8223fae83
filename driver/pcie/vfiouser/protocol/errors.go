// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"errors"
	"fmt"
)

// ErrProtocol is in every error about a peer that does not keep to the protocol.
var ErrProtocol = errors.New("not the vfio-user protocol")

// ErrClosed: the connection has ended. Conn.Err says why.
var ErrClosed = errors.New("vfio-user connection is closed")

// ErrPeerWaiting: the peer waits for a reply, and a command that may only be sent
// while it does not was given up; see Conn.TryCall.
var ErrPeerWaiting = errors.New("peer waits for a reply")

// ErrGaveWay is an ErrPeerWaiting where the command was sent all the same: the peer
// carries it out when it comes to it.
var ErrGaveWay = fmt.Errorf("%w before it answers", ErrPeerWaiting)

// SizeError is about an item whose size cannot be right. It is an ErrProtocol.
type SizeError struct {
	// Item names what has the size.
	Item string
	// Size is what it is, Min and Max are the sizes allowed, in bytes; Max is 0
	// where there is no upper limit.
	Size, Min, Max uint64
}

// Error implements error.
func (e *SizeError) Error() string {
	switch {
	case e.Max == 0:
		return fmt.Sprintf("%s has %d bytes, needs at least %d", e.Item, e.Size, e.Min)
	case e.Min == e.Max:
		return fmt.Sprintf("%s has %d bytes, must have %d", e.Item, e.Size, e.Min)
	default:
		return fmt.Sprintf("%s has %d bytes, allowed are %d to %d", e.Item, e.Size, e.Min, e.Max)
	}
}

// Unwrap makes errors.Is find ErrProtocol.
func (e *SizeError) Unwrap() error { return ErrProtocol }

// VersionError is about a version that cannot be spoken. It is an ErrProtocol.
type VersionError struct{ Major, Minor uint16 }

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("peer speaks vfio-user %d.%d, this program 0.0 to %d.%d", e.Major, e.Minor, VersionMajor, VersionMinor)
}

// Unwrap makes errors.Is find ErrProtocol.
func (e *VersionError) Unwrap() error { return ErrProtocol }

// RemoteError is a command that the peer answered with an error.
type RemoteError struct {
	Command Command
	// Errno is the reason it gave; 0 where it gave none.
	Errno Errno
}

// Error implements error.
func (e *RemoteError) Error() string {
	if e.Errno == 0 {
		return fmt.Sprintf("peer refused %s without a reason", e.Command)
	}
	return fmt.Sprintf("peer refused %s: %v", e.Command, e.Errno)
}

// Unwrap returns the Errno, where there is one.
func (e *RemoteError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

func violation(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}
