// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"errors"
	"net"
	"time"
)

// ErrBusy is what a NIC answers Pump that has no room for a frame now. Pump then
// offers it again, and meanwhile takes no other from the port: a stream, unlike a
// real wire, can wait.
var ErrBusy = errors.New("no room for the frame now")

// busyDelay is how long Pump waits before it offers a frame again.
const busyDelay = 200 * time.Microsecond

// pumpBatch is how many frames Pump takes from a port at once.
const pumpBatch = 32

// Pump carries frames from a port to a NIC until the port is closed, and then
// returns nil. toNIC must not keep the frame. An error of toNIC but ErrBusy, or
// of the port, ends Pump too and is returned. It is the caller who sends the NIC's frames to
// p.Send, and who closes p.
//
// For a NIC in Go:
//
//	n.Connect(func(frame []byte) { _ = p.Send(frame) })
//	go wireport.Pump(p, func(frame []byte) error { n.Inject(frame, false); return nil })
func Pump(p Port, toNIC func(frame []byte) error) error {
	frames := make([][]byte, pumpBatch)
	for i := range frames {
		frames[i] = make([]byte, MaxFrame)
	}
	sizes := make([]int, len(frames))
	for {
		n, err := p.Receive(frames, sizes)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range n {
			err := toNIC(frames[i][:sizes[i]])
			for errors.Is(err, ErrBusy) {
				time.Sleep(busyDelay)
				err = toNIC(frames[i][:sizes[i]])
			}
			if err != nil {
				return err
			}
		}
	}
}
