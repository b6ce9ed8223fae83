// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

// plugOf returns what plugs the wire of a NIC in this program into a port until
// that is closed, showing what the NIC sends to observe; nil for any other
// function.
func plugOf(fn pcie.Function) func(port wireport.Port, observe func(frame []byte)) error {
	switch f := fn.(type) {
	case *nic.NIC:
		return func(port wireport.Port, observe func(frame []byte)) error {
			f.Connect(func(frame []byte) {
				observe(frame)
				_ = port.Send(frame) // frames that a wire cannot carry are lost
			})
			go func() {
				_ = wireport.Pump(port, func(frame []byte) error { // ends with the port
					f.Inject(frame, false)
					return nil
				})
			}()
			return nil
		}
	case *rtlbridge.Function:
		return func(port wireport.Port, observe func(frame []byte)) error {
			err := f.Port().SetOutput(func(frame *rtlbridge.WireFrame) {
				observe(frame.Data)
				if !frame.Bad { // nobody takes a frame whose FCS is wrong
					_ = port.Send(frame.Data) // frames that a wire cannot carry are lost
				}
			})
			if err != nil {
				return err
			}
			go func() {
				_ = wireport.Pump(port, func(frame []byte) error { // ends with the port
					switch err := f.Port().Send(frame, false); {
					case errors.Is(err, pcie.ErrClosed):
						return err
					case errors.Is(err, rtlbridge.ErrAgain):
						return wireport.ErrBusy
					}
					return nil // if the NIC has stopped the frame is lost
				})
			}()
			return nil
		}
	}
	return nil
}
