// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regress"
	"github.com/espalier-nic/espalier/regress/speed"
	"github.com/espalier-nic/espalier/vm"
	"github.com/espalier-nic/espalier/vm/debian"
)

// Names of the NICs that the section pcie measures.
const (
	benchGoNIC = "Go NIC"
	benchRTL   = "RTL"
)

// pcieTargets are what the section pcie measures: all ways to the NIC in Go and to
// the RTL, or the card that --device names.
func (s *settings) pcieTargets(config regress.DeviceConfig, quick bool, log io.Writer) (opts speed.PCIeOptions, err error) {
	kind, _, _ := strings.Cut(config.Device, ":")
	if kind != "sim" && kind != "gonic" {
		opts.Ways = []speed.PCIeTarget{{NIC: config.Device, Way: speed.Card, Open: opener(config)}}
		return opts, nil
	}
	goNIC, rtl := config, config
	goNIC.Device = "gonic"
	if kind == "gonic" {
		goNIC.Device, rtl.Device = config.Device, "sim"
	}
	if _, err := rtl.LoadLibrary(); err != nil { // a sentence now rather than in the middle
		return opts, err
	}
	if config.Firmware == "" {
		if config.Firmware, err = firmware.Find(); err != nil {
			return opts, err
		}
		goNIC.Firmware, rtl.Firmware = config.Firmware, config.Firmware
	}
	clock := [2]speed.PCIeTarget{}
	for _, n := range []struct {
		name   string
		config regress.DeviceConfig
	}{{benchGoNIC, goNIC}, {benchRTL, rtl}} {
		near := speed.PCIeTarget{NIC: n.name, Way: speed.InProcess, Open: opener(n.config)}
		far := speed.PCIeTarget{NIC: n.name, Way: speed.VFIOUser, Goals: n.name == benchGoNIC, Open: servedOpener(n.config)}
		opts.Ways = append(opts.Ways, near, far)
		if n.name == benchRTL {
			clock = [2]speed.PCIeTarget{near, far}
		}
		opts.Guests = append(opts.Guests, speed.PCIeGuest{NIC: n.name, Measure: func(ctx context.Context) (*speed.PCIeWay, error) {
			return benchInGuest(ctx, n.config, quick, log)
		}})
	}
	opts.Clock, opts.DMA = &clock, true
	return opts, nil
}

// opener opens a device.
func opener(config regress.DeviceConfig) func(context.Context) (pcie.Function, driver.Options, error) {
	return func(ctx context.Context) (pcie.Function, driver.Options, error) {
		device, err := regress.OpenDevice(ctx, config)
		if err != nil {
			return nil, driver.Options{}, err
		}
		return device.Function, device.Options, nil
	}
}

// servedOpener starts a server of the device in a process of its own and opens
// what it shows.
func servedOpener(config regress.DeviceConfig) func(context.Context) (pcie.Function, driver.Options, error) {
	return func(ctx context.Context) (_ pcie.Function, opts driver.Options, err error) {
		folder, err := os.MkdirTemp("", "espalier-bench-")
		if err != nil {
			return nil, opts, err
		}
		served := &servedFunction{folder: folder}
		defer func() {
			if err != nil {
				err = errors.Join(err, served.stop())
			}
		}()
		program, err := os.Executable()
		if err != nil {
			return nil, opts, err
		}
		socket := filepath.Join(folder, "nic.sock")
		if served.server, err = vm.StartServer(ctx, append([]string{program, "serve", "--json", "--" + keySocket, socket}, deviceFlags(config)...), nil); err != nil {
			return nil, opts, err
		}
		here := config
		here.Device = "vfio-user:" + socket
		device, err := regress.OpenDevice(ctx, here)
		if err != nil {
			return nil, opts, err
		}
		served.Function = device.Function
		return served, device.Options, nil
	}
}

// deviceFlags name a device in this process to another.
func deviceFlags(config regress.DeviceConfig) []string {
	flags := []string{"--" + keyDevice, config.Device, "--" + keySeed, fmt.Sprint(config.Seed)}
	if config.Library != "" {
		flags = append(flags, "--"+keySimLibrary, config.Library)
	}
	for key, value := range config.Options {
		flags = append(flags, "--"+keySimOptions, key+"="+value)
	}
	return flags
}

// servedFunction is a function whose server ends with it.
type servedFunction struct {
	pcie.Function
	server *vm.Server
	folder string
}

func (f *servedFunction) Close() error { return errors.Join(f.Function.Close(), f.stop()) }

func (f *servedFunction) stop() error {
	var err error
	if f.server != nil {
		err = f.server.Stop()
		f.server = nil
	}
	return errors.Join(err, os.RemoveAll(f.folder))
}

// benchInGuest measures the device as a card of a guest, by this program there.
func benchInGuest(ctx context.Context, config regress.DeviceConfig, quick bool, log io.Writer) (_ *speed.PCIeWay, err error) {
	if err := prepareGuest(ctx, log); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "espalier-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	image, err := filepath.Abs(config.Firmware)
	if err != nil {
		return nil, err
	}
	args := append([]string{"vm", "--nics", "1", "--json"}, deviceFlags(config)...)
	args = append(args, "--", program, "bench", "--only", string(speed.PCIe), "--json", "--out", "bench",
		"--device", vm.CardAddress(0), "--firmware", image, fmt.Sprintf("--quick=%t", quick))
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Dir = folder
	var out, diagnosis bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnosis
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("espalier vm: %w: %s", err, oneLine(errors.New(diagnosis.String())))
	}
	var report speed.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.PCIe == nil || len(report.PCIe.Ways) != 1 {
		return nil, fmt.Errorf("espalier vm: the guest's report makes no sense: %s", out.String())
	}
	var times vmTimes
	lines := strings.Split(strings.TrimSpace(diagnosis.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &times); err != nil {
		return nil, fmt.Errorf("espalier vm: its last line is no JSON: %s", lines[len(lines)-1])
	}
	way := report.PCIe.Ways[0]
	way.Boot = times.Cards + times.Prepare + times.Boot
	return &way, nil
}

// prepareGuest gets what a guest needs, so that it is not measured.
func prepareGuest(ctx context.Context, log io.Writer) error {
	options := vmOptions(log)
	_, err := debian.PrepareQEMU(ctx, options)
	if err == nil {
		_, err = debian.PrepareKernel(ctx, options)
	}
	if errors.Is(err, debian.ErrUnavailable) {
		return fmt.Errorf("%w: %w", speed.ErrNoGuest, err)
	}
	return err
}
