// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
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
	start time.Time

	mu        sync.Mutex // guards the recording
	recorder  *rtlbridge.Recorder
	sent, got int // interfaces of the recording; -1: none
}

func openServedGoNIC(options nic.Options, log func(string)) (servedNIC, error) {
	card, err := vfiouser.NewGoNIC(options, log)
	if err != nil {
		return nil, err
	}
	n := &servedGoNIC{card: card, start: time.Now(), sent: -1, got: -1}
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

// take records a frame on one of the interfaces, if it is recorded.
func (n *servedGoNIC) take(frame []byte, fromNIC bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
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

func (n *servedGoNIC) join(peer servedNIC) error {
	other, ok := peer.(*servedGoNIC)
	if !ok {
		return errors.New("wires of the NIC in Go and of another kind of NIC cannot be joined")
	}
	n.to(other.inject)
	other.to(n.inject)
	return nil
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

func (n *servedGoNIC) close() error { return n.card.Close() }
