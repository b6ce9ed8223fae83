// SPDX-License-Identifier: Apache-2.0

package vfio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
	"github.com/espalier-nic/espalier/driver/pcie/passthrough"
)

// session is what functions of one IOMMU group share while this program has any
// of them open: the kernel opens a group once, and its functions see the same
// mappings. Groups do not share a session, so that their functions are kept
// apart.
type session struct {
	k   kernel
	key sessionKey
	// users and locked, the bytes mapped, are guarded by sessions.
	users  int
	locked uint64

	domain domain
	space  *passthrough.AddressSpace
	ranges []passthrough.Range
	limit  int
	undo   cleanups
}

// domain is one of the kernel's interfaces as far as mappings are concerned.
type domain interface {
	// openDevice opens a function of the group and says how to undo that.
	openDevice(f *discover.Function) (fd int, undo cleanups, err error)
	mapDMA(iova uint64, memory []byte) error
	// unmapDMA returns how much was unmapped.
	unmapDMA(iova, size uint64) (uint64, error)
}

type sessionKey struct {
	k     kernel
	group int
}

// sessions are those in use.
var sessions = struct {
	sync.Mutex
	all map[sessionKey]*session
}{all: make(map[sessionKey]*session)}

// join opens a function in its group's session, which it makes if there is none.
func join(k kernel, f *discover.Function, way Interface) (_ *session, fd int, undo cleanups, err error) {
	sessions.Lock()
	defer sessions.Unlock()
	key := sessionKey{k, f.IOMMUGroup}
	if s := sessions.all[key]; s != nil {
		fd, undo, err := s.domain.openDevice(f)
		if err != nil {
			return nil, -1, nil, errors.Join(err, undo.run())
		}
		s.users++
		return s, fd, undo, nil
	}
	s := &session{k: k, key: key, users: 1}
	fd, undo, err = s.begin(f, way)
	if err != nil {
		return nil, -1, nil, errors.Join(err, undo.run(), s.undo.run())
	}
	s.space = passthrough.NewAddressSpace(s.ranges, s.limit)
	sessions.all[key] = s
	return s, fd, undo, nil
}

// begin opens the first function by the interface that is to be used.
func (s *session) begin(f *discover.Function, way Interface) (int, cleanups, error) {
	node := cdev(s.k, f)
	_, err := os.Stat(s.k.path(iommufdNode))
	possible := node != "" && err == nil
	switch {
	case way == IOMMUFD && !possible:
		return -1, nil, &sentence.Error{
			Text:  fmt.Sprintf("%s: this kernel has no iommufd for it (%s and /dev/vfio/devices, Linux 6.6 with CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV; modprobe iommufd); use VFIO groups instead", f.Address, iommufdNode),
			Kinds: []error{ErrUnsupported, errors.ErrUnsupported},
		}
	case way == IOMMUFD:
		return s.beginIOMMUFD(f)
	case way == Automatic && possible:
		fd, undo, err := s.beginIOMMUFD(f)
		if !errors.Is(err, fs.ErrPermission) {
			return fd, undo, err
		}
		// Hosts of old have given rights on the group alone.
		if err := errors.Join(undo.run(), s.undo.run()); err != nil {
			return -1, nil, err
		}
	}
	return s.beginGroup(f)
}

// leave ends a function's part in the session; the last one ends it.
func (s *session) leave(undo cleanups) error {
	sessions.Lock()
	defer sessions.Unlock()
	err := undo.run()
	if s.users--; s.users > 0 {
		return err
	}
	delete(sessions.all, s.key)
	return errors.Join(err, s.undo.run())
}

// mapDMA maps memory and keeps account of how much.
func (s *session) mapDMA(iova uint64, memory []byte) error {
	if err := s.domain.mapDMA(iova, memory); err != nil {
		return err
	}
	sessions.Lock()
	s.locked += uint64(len(memory))
	sessions.Unlock()
	return nil
}

func (s *session) unmapDMA(iova, size uint64) error {
	unmapped, err := s.domain.unmapDMA(iova, size)
	if err != nil {
		return err
	}
	if unmapped != size {
		return fmt.Errorf("unmap %#x bytes at I/O address %#x: the kernel unmapped %#x", size, iova, unmapped)
	}
	sessions.Lock()
	s.locked -= size
	sessions.Unlock()
	return nil
}

// lockedBytes returns how much memory is mapped.
func (s *session) lockedBytes() uint64 {
	sessions.Lock()
	defer sessions.Unlock()
	return s.locked
}

// cleanups undo acquisitions in reverse.
type cleanups []func() error

func (c *cleanups) add(undo func() error) { *c = append(*c, undo) }

func (c *cleanups) run() error {
	var errs []error
	for _, undo := range slices.Backward(*c) {
		errs = append(errs, undo())
	}
	*c = nil
	return errors.Join(errs...)
}

// open opens a device node and has it closed at the end.
func (c *cleanups) open(k kernel, f *discover.Function, node string) (int, error) {
	fd, err := k.open(k.path(node))
	if err != nil {
		return -1, nodeError(f, node, err)
	}
	c.add(func() error { return k.close(fd) })
	return fd, nil
}
