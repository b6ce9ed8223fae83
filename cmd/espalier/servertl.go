// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/espalier-nic/espalier/driver/pcie"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

// servedRTL is simulated RTL.
type servedRTL struct {
	frameCounts
	rtl *vfiouser.RTL
}

func (n *servedRTL) device() server.Device { return n.rtl }

func (n *servedRTL) port() *rtlbridge.Port { return n.rtl.Device().Port() }

func (n *servedRTL) record(r *rtlbridge.Recorder, name string, received bool) error {
	if err := r.Add(n.port(), name); err != nil {
		return err
	}
	if !received {
		return nil
	}
	return r.AddReceived(n.port(), name+" in")
}

func (n *servedRTL) mirror(see func(frame []byte), received bool) {
	n.port().Tap(func(f *rtlbridge.WireFrame) {
		if (f.FromNIC || received) && !f.Bad { // no interface takes a frame whose FCS is wrong
			see(f.Data)
		}
	})
}

// count counts what passes, from now on.
func (n *servedRTL) count() {
	n.port().Tap(func(f *rtlbridge.WireFrame) {
		if f.FromNIC {
			n.out.Add(1)
		} else {
			n.in.Add(1)
		}
	})
}

func (n *servedRTL) join(peer servedNIC) error {
	other, ok := peer.(*servedRTL)
	if !ok {
		return errors.New("wires of simulated RTL and of another kind of NIC cannot be joined")
	}
	n.count()
	other.count()
	return n.port().Connect(other.port())
}

func (n *servedRTL) loop() error {
	n.count()
	return n.port().Loopback(true)
}

func (n *servedRTL) attach(port wireport.Port) error {
	n.count()
	err := n.port().SetOutput(func(f *rtlbridge.WireFrame) {
		if !f.Bad { // nobody takes a frame whose FCS is wrong
			_ = port.Send(f.Data) // frames that a wire cannot carry are lost
		}
	})
	if err != nil {
		return err
	}
	go func() {
		_ = wireport.Pump(port, func(frame []byte) error { // ends with the port
			switch err := n.port().Send(frame, false); {
			case errors.Is(err, pcie.ErrClosed):
				return err
			case errors.Is(err, rtlbridge.ErrAgain):
				return wireport.ErrBusy // simulated NICs are slow; who sends may wait
			}
			return nil // if the NIC has stopped the frame is lost
		})
	}()
	return nil
}

func (n *servedRTL) close() error { return n.rtl.Close() }
