// SPDX-License-Identifier: Apache-2.0

// Package wireport plugs a NIC's Ethernet wire into something outside the
// program: a TAP device of this machine, an interface through a packet socket,
// or QEMU's `-netdev stream` protocol, which any other program can speak too.
//
// Open opens a Port by its description. Pump carries frames from it to a NIC;
// the NIC's frames go to Port.Send.
package wireport

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/espalier-nic/espalier/internal/nearest"
)

// Lengths of frames in bytes, without FCS.
const (
	MinFrame = 14
	MaxFrame = 16383
)

// ErrFrame is returned by Send for a frame that is shorter than MinFrame or
// longer than MaxFrame.
var ErrFrame = errors.New("frame of impossible length")

// Port is one end of an Ethernet wire. It carries whole frames without FCS.
// Methods may be called from several goroutines at once.
//
// A Port is a wire: it has little room, and loses what the other end does not
// take. Every frame lost is counted.
type Port interface {
	// Send puts a frame on the wire. It never waits for the other end and
	// does not keep frame. An error (ErrFrame, net.ErrClosed, a device that is
	// gone) says that the frame can never be sent; a frame that is lost for
	// want of room or of somebody at the other end is no error.
	Send(frame []byte) error

	// Receive waits for a frame and takes as many as have arrived, at most
	// len(frames) of them: frame i is frames[i][:sizes[i]]. Frames longer than
	// their slice are lost. It fails with an error that wraps net.ErrClosed
	// once the port is closed.
	Receive(frames [][]byte, sizes []int) (int, error)

	// Counters returns what has passed so far.
	Counters() Counters

	// Close ends Send and Receive, also those under way, and removes what Open
	// has created.
	Close() error

	// String describes the port as Open takes it, such as "tap:esp0".
	String() string
}

// Waiter is a Port that can wait for the other end instead of losing frames, as a
// simulated wire may: the stream ports.
type Waiter interface {
	Port
	// SendWaiting is Send, but waits for room as long as somebody is at the other
	// end. Close ends it.
	SendWaiting(frame []byte) error
}

// Counters count frames and bytes (no FCS) since a port was opened.
type Counters struct {
	Sent          uint64 `json:"sent"`
	SentBytes     uint64 `json:"sent_bytes"`
	Received      uint64 `json:"received"`
	ReceivedBytes uint64 `json:"received_bytes"`
	// SendDropped are frames for which there was no room, or nobody at the
	// other end; SendErrors those that the system refused.
	SendDropped uint64 `json:"send_dropped"`
	SendErrors  uint64 `json:"send_errors"`
	// ReceiveDropped are frames that came and were lost here: too short, too
	// long, or more than there was room for.
	ReceiveDropped uint64 `json:"receive_dropped"`
	// Connections is how often the other end of a stream came; 1 for others.
	Connections uint64 `json:"connections"`
}

// counters is Counters while they count.
type counters struct {
	sent, sentBytes, received, receivedBytes            atomic.Uint64
	sendDropped, sendErrors, receiveDropped, connection atomic.Uint64
}

func (c *counters) read() Counters {
	return Counters{
		Sent: c.sent.Load(), SentBytes: c.sentBytes.Load(), Received: c.received.Load(), ReceivedBytes: c.receivedBytes.Load(),
		SendDropped: c.sendDropped.Load(), SendErrors: c.sendErrors.Load(), ReceiveDropped: c.receiveDropped.Load(), Connections: c.connection.Load(),
	}
}

func (c *counters) countSent(n int) {
	c.sent.Add(1)
	c.sentBytes.Add(uint64(n))
}

func (c *counters) countReceived(n int) {
	c.received.Add(1)
	c.receivedBytes.Add(uint64(n))
}

// checkFrame refuses what no wire carries.
func checkFrame(port Port, frame []byte) error {
	if len(frame) < MinFrame || len(frame) > MaxFrame {
		return fmt.Errorf("send to %s: frame has %d bytes, %d to %d are allowed: %w", port, len(frame), MinFrame, MaxFrame, ErrFrame)
	}
	return nil
}

// closed is what Receive and Send say after Close.
func closed(port Port) error { return fmt.Errorf("%s: %w", port, net.ErrClosed) }

// Kinds of port, as Open takes them.
const (
	kindTAP          = "tap"
	kindPacket       = "packet"
	kindStream       = "stream"
	kindStreamListen = "stream-listen"
)

// Kinds are the words that a description begins with, and what follows them.
const Kinds = "tap:NAME, packet:INTERFACE, stream:PATH, stream-listen:PATH (PATH of a Unix socket, or tcp:127.0.0.1:PORT)"

// Open opens a port:
//
//	tap:NAME            a TAP device, made if it does not exist and brought up
//	packet:INTERFACE    an interface through a packet socket, promiscuous
//	stream:PATH         QEMU's -netdev stream protocol, connecting to PATH again and again
//	stream-listen:PATH  the same, waiting for connections, one at a time
//
// PATH is that of a Unix socket, or tcp:ADDRESS:PORT with a loopback address.
func Open(spec string) (Port, error) {
	kind, rest, found := strings.Cut(spec, ":")
	known := []string{kindTAP, kindPacket, kindStream, kindStreamListen}
	if !slices.Contains(known, kind) {
		return nil, fmt.Errorf("wire is %q, nearest is %q; allowed are %s", spec, nearest.Name(kind, known), Kinds)
	}
	if !found || rest == "" {
		return nil, fmt.Errorf("wire is %q, and nothing follows its kind; allowed are %s", spec, Kinds)
	}
	switch kind {
	case kindTAP:
		t, err := OpenTAP(rest)
		if err != nil {
			return nil, err // a nil *TAP would be a Port
		}
		return t, nil
	case kindPacket:
		return OpenPacket(rest)
	case kindStream:
		return OpenStream(rest)
	}
	return ListenStream(rest)
}
