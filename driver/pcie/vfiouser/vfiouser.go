// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/passthrough"
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/client"
	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// Prefix is what a user puts before a socket's path to name the NIC behind it.
const Prefix = "vfio-user:"

// Options say how to open a NIC. The zero value is usable.
type Options struct {
	// VendorID and DeviceID are those that the device must have; 0 for
	// pcie.VendorID and pcie.DeviceID.
	VendorID, DeviceID uint16
	// AnyID accepts a device whatever its IDs are.
	AnyID bool
	// Timeout is how long the server may leave a command unanswered before the
	// device counts as removed; 0 for client.DefaultTimeout.
	Timeout time.Duration
	// ConnectTimeout is the same while connecting; 0 for
	// client.DefaultConnectTimeout.
	ConnectTimeout time.Duration
	// MessageDMA shares no memory: the server reads and writes it by messages.
	// Slow, and for tests of servers.
	MessageDMA bool
	// Hugepages is as in passthrough.Options.
	Hugepages bool
}

// Open connects to the server that listens on the Unix socket at a path and takes
// its device. The Function's Location is the path after Prefix.
func Open(socket string, opts Options) (pcie.Function, error) {
	socket = strings.TrimPrefix(socket, Prefix)
	if opts.VendorID == 0 {
		opts.VendorID = pcie.VendorID
	}
	if opts.DeviceID == 0 {
		opts.DeviceID = pcie.DeviceID
	}
	c, err := client.Dial(socket, client.Options{Timeout: opts.Timeout, ConnectTimeout: opts.ConnectTimeout})
	if err != nil {
		return nil, explain(socket, opts, err)
	}
	d := &device{Client: c, socket: socket, shared: !opts.MessageDMA}
	if err := check(d, opts); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return passthrough.Open(d, passthrough.Options{Hugepages: opts.Hugepages})
}

// explain says in one sentence why there is no connection, and what helps. The
// cause stays in the error for errors.Is.
func explain(socket string, opts Options, err error) error {
	limit := opts.ConnectTimeout
	if limit == 0 {
		limit = client.DefaultConnectTimeout
	}
	var version *protocol.VersionError
	var refused *protocol.RemoteError
	var text string
	switch {
	case socket == "":
		text = "the path of a vfio-user socket is empty, write vfio-user:PATH"
	case errors.Is(err, os.ErrNotExist):
		text = fmt.Sprintf("socket %s does not exist: \"espalier serve --socket %s\" makes it and puts a NIC behind it", socket, socket)
	case errors.Is(err, os.ErrPermission):
		text = fmt.Sprintf("socket %s may not be opened by this user: run as the user whose server it is", socket)
	case errors.Is(err, client.ErrNotSocket):
		text = fmt.Sprintf("%s is not a socket: name the one that was given to \"espalier serve --socket\"", socket)
	case errors.Is(err, client.ErrStale):
		text = fmt.Sprintf("socket %s is stale, nobody listens on it: \"espalier serve --socket %s\" starts a server there", socket, socket)
	case errors.As(err, &version):
		text = fmt.Sprintf("server on socket %s speaks vfio-user version %d.%d, allowed are %d.0 to %d.%d: start one that does, for example \"espalier serve --socket PATH\"",
			socket, version.Major, version.Minor, protocol.VersionMajor, protocol.VersionMajor, protocol.VersionMinor)
	case errors.As(err, &refused) && refused.Command == protocol.CommandVersion:
		text = fmt.Sprintf("server on socket %s refuses a client that speaks vfio-user version %d.%d (%v): start one that takes it, for example \"espalier serve --socket PATH\"",
			socket, protocol.VersionMajor, protocol.VersionMinor, refused.Errno)
	case errors.Is(err, client.ErrTimeout):
		text = fmt.Sprintf("server on socket %s did not answer within %v: it has another client (allowed is one at a time, close that one) or is not a vfio-user server (\"espalier serve --socket PATH\" is one)", socket, limit)
	case errors.Is(err, protocol.ErrProtocol), errors.Is(err, client.ErrHangUp):
		text = fmt.Sprintf("server on socket %s does not speak vfio-user: name the socket of one that does, \"espalier serve --socket PATH\" for example", socket)
	default:
		return fmt.Errorf("open vfio-user socket %s: %w", socket, translate(err))
	}
	return &openError{text: text, cause: translate(err)}
}

// openError is a sentence for a user with its cause.
type openError struct {
	text  string
	cause error
}

// Error implements error.
func (e *openError) Error() string { return e.text }

// Unwrap returns the cause.
func (e *openError) Unwrap() error { return e.cause }

// Errors about the device that a server has.
var (
	// ErrForeign: it is not the device that was asked for.
	ErrForeign = errors.New("not an Espalier NIC")
	// ErrNoMSIX: it has no MSI-X interrupts.
	ErrNoMSIX = errors.New("no MSI-X interrupts")
)

// check looks whether the device is one that the driver can work with.
func check(d *device, opts Options) error {
	if !d.Client.Device().PCI {
		return &openError{fmt.Sprintf("device on socket %s is not a PCI device: name the socket of an Espalier NIC", d.socket), ErrForeign}
	}
	var id [4]byte
	if err := d.ReadRegion(passthrough.RegionConfig, pcie.ConfigVendorID, id[:]); err != nil {
		return fmt.Errorf("read the identity of the device on socket %s: %w", d.socket, err)
	}
	vendor, dev := uint16(id[0])|uint16(id[1])<<8, uint16(id[2])|uint16(id[3])<<8
	if !opts.AnyID && (vendor != opts.VendorID || dev != opts.DeviceID) {
		return &openError{fmt.Sprintf("device on socket %s is %04x:%04x, allowed is %04x:%04x: name the socket of an Espalier NIC, or the IDs of yours in the options",
			d.socket, vendor, dev, opts.VendorID, opts.DeviceID), ErrForeign}
	}
	irq, err := d.IRQInfo(passthrough.IRQMSIX)
	if errors.Is(err, pcie.ErrRemoved) {
		return fmt.Errorf("interrupts of the device on socket %s: %w", d.socket, err)
	}
	if err != nil || irq.Count == 0 || !irq.EventFD {
		return &openError{fmt.Sprintf("device on socket %s has no MSI-X interrupts: its server must offer some that can be bound to eventfds", d.socket), ErrNoMSIX}
	}
	return nil
}
