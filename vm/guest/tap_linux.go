// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/vm/job"
)

// interfaceRequest is the kernel's struct ifreq.
type interfaceRequest struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

// tapPatience is how long the tap's interface may take to appear.
const tapPatience = 10 * time.Second

// openTap makes the interface with the tap's address the one that is called
// job.Tap: up, taking every frame as it comes, and silent: no protocol has an
// address on it.
func openTap() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("interface %s: %w", job.Tap, err)
	}
	defer unix.Close(fd)
	name, err := awaitInterface(job.TapAddress)
	if err != nil {
		return err
	}
	ask := func(request uintptr, r *interfaceRequest) error {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(r))); errno != 0 {
			return fmt.Errorf("interface %s: %w", name, errno)
		}
		return nil
	}
	var rename, merge, up interfaceRequest
	copy(rename.name[:], name)
	copy(rename.data[:], job.Tap)
	if err := ask(unix.SIOCSIFNAME, &rename); err != nil {
		return err
	}
	name = job.Tap
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("interface %s: IPv6: %w", name, err)
	}
	// Merged frames are not those of the wire.
	off := struct{ command, value uint32 }{unix.ETHTOOL_SGRO, 0}
	copy(merge.name[:], name)
	binary.NativeEndian.PutUint64(merge.data[:], uint64(uintptr(unsafe.Pointer(&off))))
	err = ask(unix.SIOCETHTOOL, &merge)
	runtime.KeepAlive(&off)
	if err != nil {
		return err
	}
	copy(up.name[:], name)
	binary.NativeEndian.PutUint16(up.data[:], unix.IFF_UP|unix.IFF_RUNNING|unix.IFF_PROMISC|unix.IFF_NOARP)
	return ask(unix.SIOCSIFFLAGS, &up)
}

// awaitInterface waits for the interface with a hardware address and returns its
// name: a driver makes it a moment after it is loaded.
func awaitInterface(address string) (string, error) {
	const folder = "/sys/class/net"
	for deadline := time.Now().Add(tapPatience); ; time.Sleep(2 * time.Millisecond) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return "", fmt.Errorf("network interfaces: %w", err)
		}
		for _, e := range entries {
			if has, err := os.ReadFile(folder + "/" + e.Name() + "/address"); err == nil && string(has) == address+"\n" {
				return e.Name(), nil
			}
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("network interface with the address %s has not appeared", address)
		}
	}
}
