// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// Port is one device with the far end of its wire in the caller's hands.
type Port struct {
	Device
	// Simulated: simulated RTL, which is thousands of times slower than a model.
	Simulated bool
	// Send queues a frame (no FCS) toward the NIC. It reports false when the
	// wire has no room until time has passed.
	Send func(frame []byte) (bool, error)
	// Receive takes the oldest frame that the NIC has sent; nil if there is
	// none. It does not wait.
	Receive func() ([]byte, error)
	// Secrets counts what is left of keys and salts in the NIC, by the back
	// door: words of memory in RTL, SA slots in the Go NIC. It works until
	// Close, also when no driver has the device.
	Secrets func() (int, error)
	// ProcessorMemory is all that the control processor can have written down:
	// its memory and the mailbox's commands, least significant byte of each word
	// first. Empty where there is none to look into.
	ProcessorMemory func() ([]byte, error)
}

// OpenPort opens one device of a kind that has its wire in this process. number
// tells several of one run apart.
func OpenPort(_ context.Context, c DeviceConfig, number int) (*Port, error) {
	t, err := c.target()
	if err != nil {
		return nil, err
	}
	switch t.kind {
	case kindGoNIC:
		return c.openGoPort(t, number)
	case kindSim:
		lib, err := c.library(t.rest)
		if err != nil {
			return nil, err
		}
		return c.openSimPort(lib, number)
	}
	return nil, fmt.Errorf("device %v has its wire outside this program, which cannot put frames on it; allowed here are sim and gonic, and `espalier run` judges cards", t)
}

func (c DeviceConfig) openGoPort(t target, number int) (*Port, error) {
	n, device, err := c.openGoNIC(t, number)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var sent [][]byte
	n.Connect(func(frame []byte) {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, bytes.Clone(frame))
	})
	return &Port{
		Device: *device,
		Send: func(frame []byte) (bool, error) {
			n.Inject(frame, false)
			return true, nil
		},
		Receive: func() ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			if len(sent) == 0 {
				return nil, nil
			}
			first := sent[0]
			sent = sent[1:]
			return first, nil
		},
		Secrets:         func() (int, error) { return n.KeySlots(), nil },
		ProcessorMemory: func() ([]byte, error) { return nil, nil }, // KeySlots looks into the mailbox
	}, nil
}

func (c DeviceConfig) openSimPort(lib *rtlbridge.Library, number int) (*Port, error) {
	fn, device, err := c.openSim(lib, uint64(number))
	if err != nil {
		return nil, err
	}
	device.Name = string(kindSim)
	if c.Wave != "" && number == 0 {
		if err := fn.Trace(c.Wave); err != nil {
			return nil, errors.Join(err, fn.Close())
		}
	}
	buffer := make([]byte, longestFrame)
	return &Port{
		Device:    *device,
		Simulated: true,
		Send: func(frame []byte) (bool, error) {
			err := fn.Port().Send(frame, false)
			if errors.Is(err, rtlbridge.ErrAgain) {
				return false, nil
			}
			return err == nil, err
		},
		Receive: func() ([]byte, error) {
			info, err := fn.Port().Recv(buffer)
			switch {
			case errors.Is(err, rtlbridge.ErrAgain):
				return nil, nil
			case err != nil:
				return nil, err
			case info.Bad():
				return nil, fmt.Errorf("the NIC has marked a frame of %d bytes as bad", info.Size)
			}
			return bytes.Clone(buffer[:info.Size]), nil
		},
		Secrets: func() (int, error) { return secrets(fn) },
		ProcessorMemory: func() ([]byte, error) {
			if with, err := hasProcessor(fn); err != nil || !with {
				return nil, err
			}
			return peekAll(fn, processorMemories...)
		},
	}, nil
}

// longestFrame is what the field for a frame's length can say.
const longestFrame = 1 << 16

// secretMemories are the back door's names for what must be zero when no SA is
// left; see docs/rtl.md.
var secretMemories = []string{"tx_key", "rx_key", "tx_hpow", "rx_hpow", "tx_salt", "rx_salt"}

// processorMemories are those of ProcessorMemory.
var processorMemories = []string{"cp_ram", "espalier_nic.g_cp.u_cp.u_commands.mem"}

// hasProcessor reads whether the design has a control processor.
func hasProcessor(fn *rtlbridge.Function) (bool, error) {
	bar, err := fn.BAR(pcie.RegisterBAR)
	if err != nil {
		return false, err
	}
	v, err := bar.Read32(regs.CapFeatureOffset)
	return regs.CapFeature(v).ControlProcessor(), err
}

// secrets counts the words of secretMemories that are not zero.
func secrets(fn *rtlbridge.Function) (count int, err error) {
	for _, name := range secretMemories {
		err := peekEach(fn, name, func(word []byte) {
			for _, b := range word {
				if b != 0 {
					count++
					break
				}
			}
		})
		if err != nil {
			return 0, err
		}
	}
	return count, nil
}

// peekAll returns the words of memories, one behind the other.
func peekAll(fn *rtlbridge.Function, names ...string) (all []byte, err error) {
	for _, name := range names {
		if err := peekEach(fn, name, func(word []byte) { all = append(all, word...) }); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// peekEach calls f for each word of a memory.
func peekEach(fn *rtlbridge.Function, name string, f func(word []byte)) error {
	buffer := make([]byte, 16)
	for index := uint64(0); ; index++ {
		n, err := fn.Peek(name, index, buffer)
		if err != nil {
			if index > 0 && errors.Is(err, rtlbridge.ErrInvalid) {
				return nil // behind the last word
			}
			return fmt.Errorf("peek at %s[%d]: %w", name, index, err)
		}
		f(buffer[:n])
	}
}
