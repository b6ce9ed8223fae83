// SPDX-License-Identifier: Apache-2.0

package client

import "errors"

// Errors that callers decide on; methods wrap them. A command that the server
// refuses is a *protocol.RemoteError with the server's error number. What a
// server does against the protocol is protocol.ErrProtocol, a version that
// cannot be spoken a *protocol.VersionError.
var (
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("connection is closed")
	// ErrGone: the connection has ended. The cause is in the error, too:
	// ErrHangUp, ErrTimeout, protocol.ErrProtocol or the system's.
	ErrGone = errors.New("connection has ended")
	// ErrHangUp: the server has closed the connection.
	ErrHangUp = errors.New("server has closed it")
	// ErrTimeout: the server has not answered in time. The connection ends
	// with it, because a late answer could be taken for another one.
	ErrTimeout = errors.New("server did not answer in time")
	// ErrNotSocket: the path is not that of a socket.
	ErrNotSocket = errors.New("not a socket")
	// ErrStale: nobody listens on the socket.
	ErrStale = errors.New("nobody listens on the socket")
	// ErrRange: an index, an offset or a size that the device does not have.
	ErrRange = errors.New("out of range")
	// ErrOverlap: a mapping overlaps another.
	ErrOverlap = errors.New("overlaps another mapping")
	// ErrNotMapped: no mapping is exactly this one.
	ErrNotMapped = errors.New("is not mapped")
	// ErrLimit: more than the server takes.
	ErrLimit = errors.New("more than the server takes")
	// ErrNotMappable: that part of the region cannot be mapped.
	ErrNotMappable = errors.New("cannot be mapped")
)
