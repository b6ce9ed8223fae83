// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/espalier-nic/espalier/regress"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

// nominalMHz is the clock whose cycles recordings show as time.
const nominalMHz = 250

// servedNIC is one NIC that is served, with its wire.
type servedNIC interface {
	// device is what a server presents.
	device() server.Device
	// record has the frames that the NIC sends recorded, and with received those
	// that come to it. Before wire.
	record(r *rtlbridge.Recorder, name string, received bool) error
	// mirror shows see the frames that the NIC sends, and with received those that
	// come to it. see does not wait.
	mirror(see func(frame []byte), received bool)
	// join connects the wire to that of peer, of the same kind, loop to itself,
	// attach to a port, whose frames it takes until the port is closed.
	join(peer servedNIC) error
	loop() error
	attach(port wireport.Port) error
	// frames are those sent and received so far.
	frames() (out, in uint64)
	close() error
}

// serveBench is everything behind the sockets.
type serveBench struct {
	name, build string
	nics        []servedNIC
	runner      *rtlbridge.Runner // nil for Go NICs
	devices     []*rtlbridge.Device
	// failed gets the first failure of a simulated design.
	failed chan error
	// undo ends everything, last first.
	undo []func() error
}

// openServeBench makes one NIC per socket and joins their wires.
func openServeBench(s *settings, sockets, wires []string, status *statusLine) (b *serveBench, err error) {
	b = &serveBench{failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	config := s.deviceConfig(s.viper.GetString(keyWave))
	parts, err := config.InProcess()
	if err != nil {
		return b, err
	}
	b.name = config.Device
	for i, socket := range sockets {
		log := func(line string) { status.line(socket + ": " + line) }
		var n servedNIC
		if parts.Library != nil {
			n, err = b.openRTL(parts, s.seed()+uint64(i), log)
		} else {
			n, err = openServedGoNIC(parts.GoNIC, log)
		}
		if err != nil {
			return b, err
		}
		b.nics = append(b.nics, n)
		b.undo = append(b.undo, n.close)
	}
	if len(b.devices) > 0 {
		// Before the wires: devices whose wires are joined share their time.
		if b.runner, err = rtlbridge.Prepare(b.devices...); err != nil {
			return b, err
		}
		b.undo = append(b.undo, func() error { b.runner.Close(); return nil })
	}
	if config.Wave != "" {
		if err := b.devices[0].Trace(config.Wave); err != nil {
			return b, err
		}
	}
	if path := s.viper.GetString(keyPcapng); path != "" {
		if err := b.recordTo(path, wires); err != nil {
			return b, err
		}
	}
	if spec := s.viper.GetString(keyWireMirror); spec != "" {
		if err := b.mirrorTo(spec, wires, status); err != nil {
			return b, err
		}
	}
	return b, b.connect(wires)
}

func (b *serveBench) openRTL(parts regress.InProcess, seed uint64, log func(string)) (servedNIC, error) {
	rtl, err := vfiouser.NewRTL(parts.Library, vfiouser.RTLConfig{Options: parts.Options, Seed: seed, Log: log})
	if err != nil {
		return nil, err
	}
	b.name, b.build = "sim:"+parts.Library.Path(), parts.Library.Info().BuildID
	b.devices = append(b.devices, rtl.Device())
	return &servedRTL{rtl: rtl}, nil
}

// recordTo records the wires in a file.
func (b *serveBench) recordTo(path string, wires []string) error {
	file, err := os.Create(path)
	if err != nil {
		var why *fs.PathError
		if errors.As(err, &why) {
			err = why.Err
		}
		return fmt.Errorf("recording %s cannot be written: %w; --%s names another", path, err, keyPcapng)
	}
	recorder, err := rtlbridge.NewRecorder(file, nominalMHz)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	b.undo = append(b.undo, func() error {
		if err := errors.Join(recorder.Close(), file.Close()); err != nil {
			return fmt.Errorf("recording %s: %w", path, err)
		}
		return nil
	})
	for i, n := range b.nics {
		if err := n.record(recorder, fmt.Sprintf("nic%d", i), hasOutside(wires[i])); err != nil {
			return err
		}
	}
	return nil
}

// hasOutside says whether frames come from a wire that no NIC here has sent.
func hasOutside(wire string) bool { return wire != wireJoin && wire != wireLoop }

// mirrorTo copies the frames on the wires to a port.
func (b *serveBench) mirrorTo(spec string, wires []string, status *statusLine) error {
	m, err := openMirror(spec, status.line)
	if err != nil {
		return fmt.Errorf("--%s: %w", keyWireMirror, err)
	}
	b.undo = append(b.undo, m.close)
	if b.runner != nil {
		m.holdBy(b.runner.Hold)
	}
	for i, n := range b.nics {
		n.mirror(m.see, hasOutside(wires[i]))
	}
	return nil
}

// connect gives each NIC its wire.
func (b *serveBench) connect(wires []string) error {
	if wires[0] == wireJoin {
		return b.nics[0].join(b.nics[1])
	}
	for i, n := range b.nics {
		switch wires[i] {
		case wireNone:
		case wireLoop:
			if err := n.loop(); err != nil {
				return err
			}
		default:
			port, err := wireport.Open(wires[i])
			if err != nil {
				return err
			}
			b.undo = append(b.undo, port.Close)
			if err := n.attach(port); err != nil {
				return err
			}
		}
	}
	return nil
}

// start lets the clock run and watches the designs.
func (b *serveBench) start() {
	if b.runner == nil {
		return
	}
	b.runner.Run()
	for _, d := range b.devices {
		go func() {
			<-d.Failed()
			select {
			case b.failed <- fmt.Errorf("the card is gone: %w", d.Err()):
			default:
			}
		}()
	}
}

func (b *serveBench) close() error {
	var errs []error
	for _, undo := range slices.Backward(b.undo) {
		errs = append(errs, undo())
	}
	b.undo = nil
	return errors.Join(errs...)
}

// status returns what the status line says.
func (b *serveBench) status(servers []*server.Server) func(time.Duration) string {
	var last uint64
	return func(since time.Duration) string {
		var clients, interrupts, out, in uint64
		for _, s := range servers {
			stats := s.Stats()
			clients += stats.Clients
			interrupts += stats.Interrupts
		}
		for _, n := range b.nics {
			o, i := n.frames()
			out, in = out+o, in+i
		}
		text := fmt.Sprintf("%d clients so far, %d frames sent, %d received, %d interrupts", clients, out, in, interrupts)
		if b.runner != nil {
			now := b.runner.Cycles()
			text = fmt.Sprintf("%.0f k cycles/s, %s", float64(now-last)/1000/since.Seconds(), text)
			last = now
		}
		return text
	}
}

// frameCounts count a wire's frames.
type frameCounts struct{ out, in atomic.Uint64 }

func (c *frameCounts) frames() (out, in uint64) { return c.out.Load(), c.in.Load() }
