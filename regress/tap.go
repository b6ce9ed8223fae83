// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

// openTapPort opens a tap's port. A variable, so that a test can listen to a wire
// in this process.
var openTapPort = wireport.Open

// wireTap listens beside the wire between two cards.
type wireTap struct {
	port  wireport.Port
	queue frameQueue

	done sync.WaitGroup
	mu   sync.Mutex
	err  error // why it hears nothing any more
}

// Frames that a tap takes at once.
const tapBatch = 64

// openWireTap opens the tap: an interface of this machine, or what
// wireport.Open takes.
func openWireTap(spec string) (*wireTap, error) {
	if !strings.Contains(spec, ":") {
		spec = "packet:" + spec
	}
	port, err := openTapPort(spec)
	if err != nil {
		return nil, fmt.Errorf("--wire-tap: %w", err)
	}
	// The other end of a stream comes by itself, and shows nothing before.
	for deadline := time.Now().Add(tapPatience); port.Counters().Connections == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("--wire-tap: nobody is at the other end of %v; `espalier serve --wire-mirror` is, when it is given the other end's name", port), port.Close())
		}
	}
	return &wireTap{port: port}, nil
}

// tapPatience is how long the other end of a tap may take to come.
var tapPatience = 10 * time.Second

// start begins to listen. stamp is the time of a frame that comes now.
func (t *wireTap) start(stamp func() uint64) {
	frames, sizes := make([][]byte, tapBatch), make([]int, tapBatch)
	for i := range frames {
		frames[i] = make([]byte, longestFrame)
	}
	t.done.Go(func() {
		for {
			n, err := t.port.Receive(frames, sizes)
			if err != nil {
				t.mu.Lock()
				t.err = err
				t.mu.Unlock()
				return
			}
			now := stamp()
			for i, size := range sizes[:n] {
				frame := frames[i][:size]
				if missing, is := wireport.ParseLossNotice(frame); is {
					t.mu.Lock()
					t.err = fmt.Errorf("the mirror that feeds %v has lost %d frames, so the wire cannot be judged; it was too slow, and --queues 1 sends more slowly", t.port, missing)
					t.mu.Unlock()
					return
				}
				t.queue.put(WireFrame{Frame: frame, First: now, Last: now})
			}
		}
	})
}

// take is Bed.TakeFrames.
func (t *wireTap) take(yield func(WireFrame)) error {
	t.mu.Lock()
	err := t.err
	t.mu.Unlock()
	if err != nil {
		return fmt.Errorf("--wire-tap: %w", err)
	}
	if lost := t.port.Counters().ReceiveDropped; lost > 0 {
		return fmt.Errorf("--wire-tap: %v has lost %d frames, so the wire cannot be judged; --queues 1 sends more slowly", t.port, lost)
	}
	return t.queue.take(yield)
}

// close stops listening.
func (t *wireTap) close() error {
	err := t.port.Close()
	t.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}
