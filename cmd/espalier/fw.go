// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regs"
)

func newFirmwareCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fw",
		Short: "Show, follow and load the firmware of the NIC's control processor",
		Long: `Works on the firmware that manages the SAs of a NIC with a control processor; ` + "`espalier caps`" + `
says whether a NIC has one. A simulated NIC begins without firmware with every command: it is
given the image of --firmware first.`,
		Example: `  espalier fw info
  espalier fw log
  espalier fw load build/firmware/espalier_fw.bin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFirmwareInfoCommand(s), newFirmwareLogCommand(s), newFirmwareLoadCommand(s))
	return cmd
}

// firmwareState is what there is to see of the firmware.
type firmwareState struct {
	device string
	info   driver.FirmwareInfo
	log    string
}

// readFirmware reads the state of the firmware. One that takes commands or has
// stopped with a fault is left alone; otherwise the driver starts it first, and
// if it cannot, its error comes with the state.
func (s *settings) readFirmware(ctx context.Context) (state firmwareState, err error) {
	device, err := s.openDevice(ctx)
	if err != nil {
		return state, err
	}
	defer device.Close()
	state.device = device.Name
	state.info, state.log, err = driver.InspectFirmware(device.Function)
	if err != nil || state.info.Ready || state.info.Fault != regs.CpFaultNone {
		return state, err
	}
	opts := device.Options
	opts.KeepSAs = true
	nic, openErr := driver.Open(ctx, device.Function, opts)
	if openErr != nil {
		if state.info, state.log, err = driver.InspectFirmware(device.Function); err != nil {
			return state, errors.Join(openErr, err)
		}
		return state, openErr
	}
	defer nic.Close()
	if state.info, err = nic.FirmwareInfo(); err == nil {
		state.log, err = nic.FirmwareLog()
	}
	return state, err
}

// firmwareJSON is FirmwareInfo as it is printed.
type firmwareJSON struct {
	Device         string `json:"device"`
	Version        string `json:"version"`
	Build          string `json:"build"`
	State          string `json:"state"`
	Fault          string `json:"fault,omitempty"`
	PC             string `json:"pc,omitempty"`
	ImageOK        bool   `json:"image_ok"`
	SelfTestPassed bool   `json:"selftest_passed"`
	SelfTestFailed bool   `json:"selftest_failed"`
	Heartbeat      uint32 `json:"heartbeat"`
	Watchdog       uint32 `json:"watchdog_cycles"`
	Uptime         uint64 `json:"uptime_cycles"`
	Memory         uint32 `json:"memory_bytes"`
}

func newFirmwareJSON(s *firmwareState) firmwareJSON {
	i := &s.info
	j := firmwareJSON{
		Device: s.device, Version: i.VersionString(), Build: fmt.Sprintf("%08x", i.Build), State: "not started", ImageOK: i.ImageOK,
		SelfTestPassed: i.SelfTestPassed, SelfTestFailed: i.SelfTestFailed,
		Heartbeat: i.Heartbeat, Watchdog: i.Watchdog, Uptime: i.Uptime, Memory: i.Memory,
	}
	switch {
	case i.Fault != regs.CpFaultNone:
		j.State, j.Fault, j.PC = "stopped by a fault", i.Fault.String(), fmt.Sprintf("%#08x", i.PC)
	case i.SelfTestFailed:
		j.State = "self-tests failed"
	case i.Ready:
		j.State = "ready"
	case i.Running:
		j.State = "starting"
	}
	return j
}

func newFirmwareInfoCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "info",
		Short:   "Show which firmware runs and how it fares",
		Example: "  espalier fw info\n  espalier fw info --firmware my_fw.bin --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			state, err := s.readFirmware(cmd.Context())
			if state.info.Memory != 0 { // there is a processor
				err = errors.Join(printFirmware(cmd, &state, asJSON), err)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printFirmware(cmd *cobra.Command, state *firmwareState, asJSON bool) error {
	j := newFirmwareJSON(state)
	if asJSON {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		return encoder.Encode(j)
	}
	tests := "not run"
	switch {
	case j.SelfTestFailed:
		tests = "failed"
	case j.SelfTestPassed:
		tests = "passed"
	}
	t := newTable(cmd)
	t.AppendHeader(table.Row{"device", j.Device})
	t.AppendRow(table.Row{"firmware", j.Version + " build " + j.Build})
	t.AppendRow(table.Row{"state", j.State})
	if j.Fault != "" {
		t.AppendRow(table.Row{"fault", j.Fault + " at " + j.PC})
	}
	t.AppendRow(table.Row{"self-tests", tests})
	t.AppendRow(table.Row{"heartbeat", j.Heartbeat})
	t.AppendRow(table.Row{"watchdog", fmt.Sprintf("%d cycles", j.Watchdog)})
	if j.Uptime != 0 {
		t.AppendRow(table.Row{"uptime", fmt.Sprintf("%d cycles", j.Uptime)})
	}
	t.AppendRow(table.Row{"memory", fmt.Sprintf("%d bytes", j.Memory)})
	t.Render()
	return nil
}

func newFirmwareLogCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "log",
		Short:   "Print what the firmware has logged since it was started",
		Long:    "Prints the firmware's log, the last 4096 bytes of it. It can be read also after the firmware has stopped.",
		Example: "  espalier fw log\n  espalier fw log --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			state, err := s.readFirmware(cmd.Context())
			if state.log == "" && err != nil {
				return err
			}
			return errors.Join(printLog(cmd.OutOrStdout(), state.log, asJSON), err)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON list of lines")
	return cmd
}

func printLog(w io.Writer, text string, asJSON bool) error {
	text = strings.TrimSuffix(text, "\n")
	if asJSON {
		lines := []string{}
		if text != "" {
			lines = strings.Split(text, "\n")
		}
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(lines)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func newFirmwareLoadCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "load FILE",
		Short: "Give the control processor new firmware, or restart one that has stopped",
		Long: `Checks the image (magic, length, version, CRC), loads it, starts it and waits until it takes
commands. SAs in the NIC stay and traffic goes on meanwhile. An image that is damaged or of
another major version is refused before the NIC is touched.`,
		Example: "  espalier fw load build/firmware/espalier_fw.bin",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%d files are given, wanted is 1, such as build/firmware/%s", len(args), firmware.Standard)
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []string{"bin"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			image, err := firmware.Load(args[0])
			if err != nil {
				return err
			}
			device, err := s.openDevice(cmd.Context())
			if err != nil {
				return err
			}
			defer device.Close()
			opts := device.Options
			opts.KeepSAs, opts.Firmware = true, image.Bytes
			nic, err := driver.Open(cmd.Context(), device.Function, opts)
			if err != nil {
				return err
			}
			defer nic.Close()
			if err := nic.LoadFirmware(cmd.Context(), image.Bytes); err != nil {
				return err
			}
			info, err := nic.FirmwareInfo()
			if err != nil {
				return err
			}
			return printFirmware(cmd, &firmwareState{device: device.Name, info: info}, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
