// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package wireport

import (
	"errors"
	"fmt"
)

// OpenTAP opens a TAP device. It works on Linux only.
func OpenTAP(name string) (*TAP, error) {
	return nil, fmt.Errorf("wire tap:%s: TAP devices need Linux: %w", name, errors.ErrUnsupported)
}

// OpenPacket opens an interface through a packet socket. It works on Linux only.
func OpenPacket(name string) (Port, error) {
	return nil, fmt.Errorf("wire packet:%s: packet sockets need Linux: %w", name, errors.ErrUnsupported)
}

// TAP is a TAP device of Linux.
type TAP struct{ Port }

// Interface returns the name of the network interface.
func (*TAP) Interface() string { return "" }

// SetMTU sets the interface's MTU.
func (*TAP) SetMTU(int) error { return errors.ErrUnsupported }
