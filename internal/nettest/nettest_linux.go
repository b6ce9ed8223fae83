// SPDX-License-Identifier: Apache-2.0

// Package nettest gives tests network namespaces of their own.
package nettest

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace, empty at first but for a loopback interface
// that is up.
type Namespace struct {
	t    testing.TB
	file *os.File
}

// New makes a namespace that lives until the test ends. Without the right to do
// so (CAP_SYS_ADMIN) the test fails, or is skipped if ALLOW_SKIP is 1.
func New(t testing.TB) *Namespace {
	t.Helper()
	ns := &Namespace{t: t}
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		if ns.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	if err != nil {
		Unavailable(t, fmt.Sprintf("this test needs the rights of root: %v", err))
	}
	t.Cleanup(func() { ns.file.Close() })
	return ns
}

// Unavailable fails the test because something that it needs is not there, or
// skips it if ALLOW_SKIP is 1.
func Unavailable(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("ALLOW_SKIP") == "1" {
		t.Skipf("SKIPPED, NOT TESTED (ALLOW_SKIP=1): %s", why)
	}
	t.Fatalf("CANNOT TEST: %s (ALLOW_SKIP=1 in the environment skips such tests)", why)
}

// Do calls f with the namespace as the current one, and fails the test if f
// returns an error. What f opens stays in the namespace; goroutines that it
// starts are outside.
func (ns *Namespace) Do(f func() error) {
	ns.t.Helper()
	if err := ns.Try(f); err != nil {
		ns.t.Fatal(err)
	}
}

// Try is Do for callers that look at the error themselves, in any goroutine.
func (ns *Namespace) Try(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		return f()
	})
}

// File is the namespace as a file, for moving interfaces to it.
func (ns *Namespace) File() *os.File { return ns.file }

// onThread calls f on a thread of its own, which ends with it.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: nobody else gets this thread
		done <- f()
	}()
	return <-done
}

// Address gives an interface of the current namespace an address, such as
// "192.0.2.1/24", and brings it up. IPv6 addresses can be used at once.
func Address(name string, addresses ...string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("interface %s: bring it up: %w", name, err)
	}
	for _, text := range addresses {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		a.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrReplace(link, a); err != nil {
			return fmt.Errorf("interface %s: address %s: %w", name, text, err)
		}
	}
	return nil
}

// Veth makes two interfaces joined by a wire, each in its namespace.
func Veth(t testing.TB, a *Namespace, nameA string, b *Namespace, nameB string) {
	t.Helper()
	a.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = nameA
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: nameB, PeerNamespace: netlink.NsFd(int(b.file.Fd()))}); err != nil {
			return fmt.Errorf("make veth %s: %w", nameA, err)
		}
		return Address(nameA)
	})
	b.Do(func() error { return Address(nameB) })
	a.Do(func() error { return awaitCarrier(nameA) })
	b.Do(func() error { return awaitCarrier(nameB) })
}

// awaitCarrier waits until the kernel sends through an interface: it notices a
// wire some time after both ends are up, and loses what is sent before.
func awaitCarrier(name string) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("interface %s: %w", name, err)
		}
		if link.Attrs().OperState == netlink.OperUp {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("interface %s is %v, though both ends are up", name, link.Attrs().OperState)
		}
	}
}
