// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/espalier-nic/espalier/hwmodel/nic"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

// servedGoNIC is the NIC in Go.
type servedGoNIC struct {
	frameCounts
	card  *vfiouser.GoNIC
	log   func(string)
	start time.Time
	// unplug ends the cable to the other NIC, if there is one.
	unplug func()

	mu        sync.Mutex // guards recording and mirror
	recorder  *rtlbridge.Recorder
	sent, got int // interfaces of the recording; -1: none
	see       func(frame []byte)
	seeIn     bool
}

func openServedGoNIC(options nic.Options, log func(string)) (servedNIC, error) {
	card, err := vfiouser.NewGoNIC(options, log)
	if err != nil {
		return nil, err
	}
	n := &servedGoNIC{card: card, log: log, start: time.Now(), sent: -1, got: -1}
	n.to(func([]byte) {})
	return n, nil
}

func (n *servedGoNIC) device() server.Device { return n.card }

func (n *servedGoNIC) record(r *rtlbridge.Recorder, name string, received bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var err error
	if n.sent, err = r.AddInterface(name); err != nil {
		return err
	}
	if received {
		if n.got, err = r.AddInterface(name + " in"); err != nil {
			return err
		}
	}
	n.recorder = r
	return nil
}

func (n *servedGoNIC) mirror(see func(frame []byte), received bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.see, n.seeIn = see, received
}

// take shows a frame to the mirror and records it on one of the interfaces, as far
// as there are such.
func (n *servedGoNIC) take(frame []byte, fromNIC bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.see != nil && (fromNIC || n.seeIn) {
		n.see(frame)
	}
	id := n.got
	if fromNIC {
		id = n.sent
	}
	if n.recorder == nil || id < 0 {
		return
	}
	now := uint64(time.Since(n.start).Microseconds()) * nominalMHz
	_ = n.recorder.Record(id, &rtlbridge.WireFrame{Data: frame, FromNIC: fromNIC, FirstCycle: now, LastCycle: now}) // its Close tells
}

// to says where the NIC's frames go.
func (n *servedGoNIC) to(out func(frame []byte)) {
	n.card.NIC().Connect(func(frame []byte) {
		n.out.Add(1)
		n.take(frame, true)
		out(frame)
	})
}

// inject is a frame that comes to the NIC.
func (n *servedGoNIC) inject(frame []byte) {
	n.in.Add(1)
	n.take(frame, false)
	n.card.NIC().Inject(frame, false)
}

// wireRoom is the bytes that may be on the wire between two NICs.
const wireRoom = 64 << 20

func (n *servedGoNIC) join(peer servedNIC) error {
	other, ok := peer.(*servedGoNIC)
	if !ok {
		return errors.New("wires of the NIC in Go and of another kind of NIC cannot be joined")
	}
	n.cable(other)
	other.cable(n)
	return nil
}

// cable carries frames to another NIC, until n is closed. They arrive on a
// goroutine of their own: a NIC sends inside an access of its client, and what the
// other NIC then asks of that client (memory that is not mapped) is not answered
// before the access has ended.
func (n *servedGoNIC) cable(other *servedGoNIC) {
	wire := newFrameBuffer(wireRoom)
	n.to(func(frame []byte) { wire.put(frame) })
	var carrier sync.WaitGroup
	carrier.Go(func() {
		for wire.take(other.inject, func(frames uint64) {
			n.log(fmt.Sprintf("%d frames were lost on the wire: more than %d MiB of them were on it", frames, wireRoom>>20))
		}) {
		}
	})
	n.unplug = func() {
		wire.close()
		carrier.Wait()
	}
}

func (n *servedGoNIC) loop() error {
	n.to(n.inject)
	return nil
}

func (n *servedGoNIC) attach(port wireport.Port) error {
	n.to(func(frame []byte) { _ = port.Send(frame) }) // frames that a wire cannot carry are lost
	go func() {
		_ = wireport.Pump(port, func(frame []byte) error { // ends with the port
			n.inject(frame)
			return nil
		})
	}()
	return nil
}

func (n *servedGoNIC) close() error {
	if n.unplug != nil {
		n.unplug()
	}
	return n.card.Close()
}
