// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/espalier-nic/espalier/firmware"
	"github.com/espalier-nic/espalier/regress"
	"github.com/espalier-nic/espalier/regress/speed"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// Keys of the settings of `espalier bench`.
const (
	keyQuick = "quick"
	keyOnly  = "only"
	keyBare  = "bare"
	// keyWindowLibrary is a library, as keySimLibrary is.
	keyWindowLibrary = "window-library"
)

// Names of the files that a benchmark leaves in its folder.
const (
	benchFile = "bench.json"
	benchPage = "bench.html"
)

func newBenchCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the simulated RTL in clock cycles, and simulator, golden model and driver in time",
		Long: `Measures, and holds against its goals:
  rtl     cycles per packet back to back, sending, receiving and both at once, with 1 and with
          1,024 SAs and two latencies of host memory; latency of one packet
  sa      cycles and register accesses of installing an SA through the SA window, on a NIC
          without a control processor
  control cycles per SA operation through mailbox and firmware, and traffic beside them
  sim     cycles per second through driver and bridge, against a bare loop in C++
  golden  bytes per second of the golden model, against Go's AES-GCM
  driver  time and allocations per packet, against the Go NIC with encryption off
  pcie    register accesses and packets per second of the NIC in Go and of the RTL: in this process,
          behind a vfio-user socket of another, and as a card of a guest ("espalier vm"); the simulated
          clock behind the socket; DMA by descriptor against memcpy. With --device CARD: that card

Cycle figures are exact and the same on every machine. Times are processor time of the thread
that works, medians of alternating rounds; those of pcie, where two processes work, are wall clock time. Goals marked * are this project's own guesses between
those that were set.

Writes ` + benchFile + ` and ` + benchPage + ` to the folder of --out. A goal that is missed is reported, and no failure.`,
		Example: `  espalier bench
  espalier bench --quick --only rtl,sa
  espalier bench --only pcie --device 0000:03:00.0
  espalier bench --json --only golden > golden.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			return runBench(cmd, s, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.String(keyOut, "out/bench", "folder for the results; earlier ones there are replaced")
	flags.Bool(keyQuick, false, "fewer packets and rounds, for a look")
	flags.StringSlice(keyOnly, nil, "only these of rtl, sa, control, sim, golden, driver, pcie")
	flags.String(keyBare, "", "program of `verilator/build.sh --bare` for the same library (default: build it)")
	flags.String(keyWindowLibrary, "", "simulator library without a control processor, for sa (default: build it)")
	s.learn(flags)
	flags.BoolVar(&asJSON, "json", false, "print JSON instead of tables")
	return cmd
}

func runBench(cmd *cobra.Command, s *settings, asJSON bool) error {
	sections, err := speed.ParseSections(s.viper.GetStringSlice(keyOnly))
	if err != nil {
		return err
	}
	opts := speed.Options{Sections: sections, Quick: s.viper.GetBool(keyQuick)}
	opts.Progress = func(what string) { fmt.Fprintf(cmd.ErrOrStderr(), "measuring %s\n", what) }
	if err := s.findSimulator(cmd.Context(), cmd.ErrOrStderr(), &opts); err != nil {
		return err
	}
	out := s.viper.GetString(keyOut)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("results folder %s cannot be made: %w; --out chooses another", out, errors.Unwrap(err))
	}
	report, err := speed.Run(cmd.Context(), opts)
	if err != nil {
		return err
	}
	path, page := filepath.Join(out, benchFile), filepath.Join(out, benchPage)
	if err := regress.WriteJSON(path, report); err != nil {
		return err
	}
	if err := writeBenchPage(page, report); err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	for _, t := range benchTables(report) {
		fmt.Fprintln(cmd.OutOrStdout(), t.Render())
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\nwrote %s\nwrote %s\n", benchVerdict(report), path, page)
	return nil
}

// findSimulator fills in what the sections need: the library, and the bare
// program, which must be of the same design.
func (s *settings) findSimulator(ctx context.Context, log io.Writer, opts *speed.Options) (err error) {
	config := s.deviceConfig("")
	opts.Bare = s.viper.GetString(keyBare)
	needs := func(sections ...speed.Section) bool {
		return slices.ContainsFunc(sections, func(section speed.Section) bool { return slices.Contains(opts.Sections, section) })
	}
	if needs(speed.PCIe) {
		if opts.PCIe, err = s.pcieTargets(config, opts.Quick, log); err != nil {
			return err
		}
	}
	if needs(speed.Simulator) && opts.Bare == "" {
		if config.Library != "" || config.Device != "sim" {
			return fmt.Errorf("section %s compares with a program of the same simulator library, and --%s does not name it", speed.Simulator, keyBare)
		}
		fmt.Fprintln(log, "building the bare loop")
		if config.Library, opts.Bare, err = speed.BuildBare(ctx); err != nil {
			return err
		}
	}
	if needs(speed.RTL, speed.ControlPlane, speed.Simulator) {
		lib, err := config.LoadLibrary()
		if err != nil {
			return err
		}
		if opts.Target, err = speed.NewTarget(lib); err != nil {
			return err
		}
		if file := s.firmware(); file != "" {
			image, err := firmware.Load(file)
			if err != nil {
				return err
			}
			opts.Target.Firmware = image.Bytes
		}
	}
	if needs(speed.SA) {
		path := s.viper.GetString(keyWindowLibrary)
		if path == "" {
			fmt.Fprintln(log, "building the simulator without a control processor")
			if path, err = speed.BuildWindow(ctx); err != nil {
				return err
			}
		}
		opts.Window.Library, err = rtlbridge.Load(path)
	}
	return err
}
