// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// allOnes is what a read returns when nobody answers.
const allOnes = ^uint32(0)

// read reads a register. All ones are an error if the NIC's identity has gone
// too.
func (n *NIC) read(offset uint64) (uint32, error) {
	v, err := n.bar.Read32(offset)
	if err != nil {
		return 0, fmt.Errorf("read register %#x: %w", offset, err)
	}
	if v == allOnes {
		if id, err := n.bar.Read32(regs.IDOffset); err != nil || id != regs.IDMagic {
			return 0, fmt.Errorf("read register %#x: %w", offset, errors.Join(pcie.ErrRemoved, err))
		}
	}
	return v, nil
}

// write writes a register.
func (n *NIC) write(offset uint64, v uint32) error {
	if err := n.bar.Write32(offset, v); err != nil {
		return fmt.Errorf("write register %#x: %w", offset, err)
	}
	return nil
}

// setCommand sets and clears bits of the configuration space's Command register.
func (n *NIC) setCommand(set, clear uint32) error {
	v, err := n.fn.ConfigRead(pcie.ConfigCommand, 2)
	if err != nil {
		return err
	}
	return n.fn.ConfigWrite(pcie.ConfigCommand, 2, v&^clear|set)
}

// await lets time pass until done, for at most the options' timeout.
func (n *NIC) await(ctx context.Context, what string, done func() (bool, error)) error {
	limited, cancel := context.WithTimeout(ctx, n.opts.Timeout)
	defer cancel()
	for {
		ok, err := done()
		if ok && err == nil {
			return nil
		}
		if err == nil {
			err = limited.Err()
		}
		if err == nil {
			err = n.fn.Relax(limited, 0)
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case limited.Err() != nil:
			return fmt.Errorf("%s: not done after %v: %w", what, n.opts.Timeout, pcie.ErrTimeout)
		default:
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// load64 reads a little-endian word that the device may be writing. b is in
// DMA memory and 8-byte aligned.
func load64(b []byte) uint64 {
	v := atomic.LoadUint64((*uint64)(unsafe.Pointer(unsafe.SliceData(b[:8]))))
	if bigEndian {
		v = bits.ReverseBytes64(v)
	}
	return v
}

// cleanups undo acquisitions in reverse.
type cleanups []func()

func (c *cleanups) add(f func()) { *c = append(*c, f) }

func (c *cleanups) run() {
	for _, f := range slices.Backward(*c) {
		f()
	}
}
