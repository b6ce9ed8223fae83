// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace.
type namespace struct {
	name string
	file *os.File
}

func newNamespace(name string) (*namespace, error) {
	ns := &namespace{name: name}
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make network namespace %s: %w; this needs root", name, err)
		}
		if ns.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		// Addresses are used at once; nobody else has them.
		for _, kind := range []string{"default", "all"} {
			if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+kind+"/accept_dad", []byte("0"), 0); err != nil {
				return err
			}
		}
		return up("lo")
	})
	return ns, err
}

// do calls f with the namespace as the current one. What f opens or starts stays
// in it; goroutines that it starts do not.
func (ns *namespace) do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", ns.name, err)
		}
		if err := f(); err != nil {
			return fmt.Errorf("in %s: %w", ns.name, err)
		}
		return nil
	})
}

// onThread calls f on a thread of its own, which ends with it.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: nobody else gets this thread
		done <- f()
	}()
	return <-done
}

// up brings an interface of the current namespace up.
func up(name string) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	return nil
}

// address gives an interface an address that can be used at once.
func address(name string, addr netip.Addr, bits int) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		a, _ := netlink.ParseAddr(netip.PrefixFrom(addr, bits).String()) // made by ourselves
		a.Flags = unix.IFA_F_NODAD
		err = netlink.AddrReplace(link, a)
	}
	if err != nil {
		return fmt.Errorf("interface %s: address %v: %w", name, addr, err)
	}
	return nil
}

// route sends what goes to dst by way of via, with src as its source.
func route(name string, dst, via, src netip.Addr) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		net := netlink.NewIPNet(dst.AsSlice())
		err = netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: net, Gw: via.AsSlice(), Src: src.AsSlice()})
	}
	if err != nil {
		return fmt.Errorf("route to %v: %w", dst, err)
	}
	return nil
}

// connect gives the current namespace its addresses, and in tunnel mode a route
// to the other side's.
func connect(k kind, name string, mine, theirs side) error {
	if err := up(name); err != nil {
		return err
	}
	if err := address(name, mine.wire, k.linkBits()); err != nil {
		return err
	}
	if !k.tunnel {
		return nil
	}
	if err := address("lo", mine.inner, mine.inner.BitLen()); err != nil {
		return err
	}
	return route(name, theirs.inner, theirs.wire, mine.inner)
}

// disconnect takes the addresses away again, and what the kernel has learnt, and
// takes the interface down.
func disconnect(name string) error {
	for _, name := range []string{"lo", name} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			continue // went with its program
		}
		addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if !a.IP.IsLoopback() && !a.IP.IsLinkLocalUnicast() {
				if err := netlink.AddrDel(link, &a); err != nil {
					return fmt.Errorf("interface %s: remove %v: %w", name, a, err)
				}
			}
		}
		neighbours, err := netlink.NeighList(link.Attrs().Index, netlink.FAMILY_ALL)
		if err != nil {
			return err
		}
		for _, n := range neighbours {
			if n.State&(netlink.NUD_PERMANENT|netlink.NUD_NOARP) == 0 {
				_ = netlink.NeighDel(&n) // it may just have gone
			}
		}
		if name != "lo" {
			return netlink.LinkSetDown(link)
		}
	}
	return nil
}

// eventually waits until condition holds.
func eventually(wait time.Duration, what string, condition func() (bool, error)) error {
	for deadline := time.Now().Add(wait); ; time.Sleep(5 * time.Millisecond) {
		ok, err := condition()
		if err != nil || ok {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v in vain until %s", wait, what)
		}
	}
}
