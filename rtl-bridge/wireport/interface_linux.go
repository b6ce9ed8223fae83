// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// maxInterfaceName is the longest name of an interface in bytes.
const maxInterfaceName = unix.IFNAMSIZ - 1

// interfaceRequest checks an interface's name.
func interfaceRequest(kind, name string) (*unix.Ifreq, error) {
	ifreq, err := unix.NewIfreq(name)
	if err != nil || name == "" {
		return nil, fmt.Errorf("wire %s:%s: the interface's name has %d bytes, 1 to %d are allowed", kind, name, len(name), maxInterfaceName)
	}
	return ifreq, nil
}

// withInterface calls do with a socket for requests about an interface.
func withInterface(name string, do func(fd int, ifreq *unix.Ifreq) error) error {
	ifreq, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return do(fd, ifreq)
}

// setUp brings an interface up.
func setUp(name string) error {
	return withInterface(name, func(fd int, ifreq *unix.Ifreq) error {
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifreq); err != nil {
			return err
		}
		if ifreq.Uint16()&unix.IFF_UP != 0 {
			return nil
		}
		ifreq.SetUint16(ifreq.Uint16() | unix.IFF_UP)
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifreq)
	})
}

// isUp says whether an interface is up.
func isUp(name string) (up bool, err error) {
	err = withInterface(name, func(fd int, ifreq *unix.Ifreq) error {
		err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifreq)
		up = ifreq.Uint16()&unix.IFF_UP != 0
		return err
	})
	return up, err
}
