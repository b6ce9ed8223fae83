// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// ErrClientWaiting: an access to client memory needs a message, which the client
// does not act on while it waits for an answer itself.
var ErrClientWaiting = protocol.ErrPeerWaiting

// ErrGaveWay is an ErrClientWaiting where the client was asked all the same, and
// does what it was asked when it comes to it. Nobody waits for its answer.
var ErrGaveWay = protocol.ErrGaveWay

// ErrDisconnected: the client has gone.
var ErrDisconnected = errors.New("client is disconnected")

// ErrUnbound: the client has given no eventfd for an interrupt vector.
var ErrUnbound = errors.New("interrupt vector has no eventfd")

// DMAError is an access to client memory that failed. What is inside says why:
// protocol.EACCES where the client does not allow this direction, protocol.EFAULT
// where the memory behind a mapping is missing, the number that the client answered
// a message with (errors.As *protocol.RemoteError), ErrClientWaiting,
// ErrDisconnected, or the context's error. Parts of the access may have been done.
type DMAError struct {
	// IOVA and Size are the access's.
	IOVA  uint64
	Size  int
	Write bool
	Err   error
}

// Error implements error.
func (e *DMAError) Error() string {
	verb := "read"
	if e.Write {
		verb = "write"
	}
	return fmt.Sprintf("%s %d bytes at IOVA %#x: %v", verb, e.Size, e.IOVA, e.Err)
}

// Unwrap returns the reason.
func (e *DMAError) Unwrap() error { return e.Err }

// Host is one client as its device sees it: memory and interrupts. Methods may be
// called from any goroutine, until Device.Disconnect returns; later they fail with
// ErrDisconnected.
type Host struct {
	session *session
}

// Trigger raises an interrupt. It writes the vector's eventfd before it returns; a
// masked vector becomes pending and is raised when it is unmasked. Without an
// eventfd the interrupt is lost and the error ErrUnbound.
func (h *Host) Trigger(index, vector int) error { return h.session.irqs.trigger(index, vector) }

// ReadDMA fills p with client memory at iova. Memory that the client shares is read
// directly. For the rest, and for addresses that are not mapped (so that the
// client's IOMMU can tell its user), the client is asked by message, when it has
// been answered everything. It must not be called where an answer to the client
// depends on it. An error is a *DMAError.
func (h *Host) ReadDMA(ctx context.Context, iova uint64, p []byte) error {
	return h.session.dma(ctx, access{iova: iova, data: p}, (*protocol.Conn).CallIdle)
}

// WriteDMA writes p to client memory at iova, as ReadDMA reads. When it returns the
// client's processors see what was written.
func (h *Host) WriteDMA(ctx context.Context, iova uint64, p []byte) error {
	return h.session.dma(ctx, access{iova: iova, data: p, write: true}, (*protocol.Conn).CallIdle)
}

// TryReadDMA is ReadDMA for devices that reach memory while they answer the client.
// Where a message would be needed while a command of the client is unanswered, or
// one comes before the answer to the message, it fails with ErrClientWaiting, the
// latter with ErrGaveWay.
func (h *Host) TryReadDMA(ctx context.Context, iova uint64, p []byte) error {
	return h.session.dma(ctx, access{iova: iova, data: p}, (*protocol.Conn).TryCall)
}

// TryWriteDMA is WriteDMA in the same way. A write that fails with ErrGaveWay may
// still happen, later.
func (h *Host) TryWriteDMA(ctx context.Context, iova uint64, p []byte) error {
	return h.session.dma(ctx, access{iova: iova, data: p, write: true}, (*protocol.Conn).TryCall)
}
