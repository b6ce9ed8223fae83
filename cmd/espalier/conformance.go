// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/espalier-nic/espalier/regress"
	"github.com/espalier-nic/espalier/regress/conformance"
)

// Keys of the settings of `espalier conformance` that are not those of others.
const (
	keyRow  = "row"
	keyJSON = "json"
	keyFull = "full"
)

func newConformanceCommand(s *settings) *cobra.Command {
	var rows []string
	var out string
	var asJSON, full bool
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Hold a NIC to each requirement of NDIS IPsec Offload Version 2",
		Long: `Checks the 98 requirements of NDIS IPsec Offload Version 2, one row each, on NICs of its
own, and says for each whether it holds. Requirements that come from Microsoft and those
that Espalier decided where Microsoft says nothing are counted apart.

Checks that repeat something very often do so as often as the device can bear; the table
says how often, and --full does it all.

--device may name several devices with commas between them.`,
		Example: `  espalier conformance
  espalier conformance --device gonic --row ADD-4 --row DEL-1
  espalier conformance --device gonic,sim --out docs/conformance.md`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			opts := conformance.Options{Rows: rows, Full: full, Jobs: runtime.GOMAXPROCS(0)}
			reports, err := runConformance(cmd, s, opts)
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				if err := encoder.Encode(reports); err != nil {
					return err
				}
			} else {
				printConformance(cmd.OutOrStdout(), reports)
			}
			if out != "" {
				page := conformance.Markdown(reports)
				if err := regress.WriteFile(out, func(w io.Writer) error {
					_, err := io.WriteString(w, page)
					return err
				}); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s\n", out)
			}
			return conformant(reports)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&rows, keyRow, nil, "check this row only; may be given several times")
	flags.StringVar(&out, keyOut, "", "also write the results as Markdown to this file")
	flags.BoolVar(&asJSON, keyJSON, false, "print JSON")
	flags.BoolVar(&full, keyFull, false, "repeat everything as often as the table asks for (hours on simulated RTL)")
	return cmd
}

// conformant is errMismatch if a row of a report has failed.
func conformant(reports []*conformance.Report) error {
	for _, r := range reports {
		if r.Count("", conformance.Fail) > 0 {
			return errMismatch
		}
	}
	return nil
}

// runConformance checks each device that the settings name.
func runConformance(cmd *cobra.Command, s *settings, opts conformance.Options) ([]*conformance.Report, error) {
	var reports []*conformance.Report
	for _, device := range strings.Split(s.device(), ",") {
		config := s.deviceConfig("")
		config.Device = strings.TrimSpace(device)
		name := config.Device
		if strings.HasPrefix(name, "sim:") { // a library, whose path says nothing
			name = "sim"
		}
		target := conformance.Target{Name: name, Open: func(ctx context.Context, number int) (*regress.Port, error) {
			return regress.OpenPort(ctx, config, number)
		}}
		finish := watchConformance(cmd.ErrOrStderr(), conformance.DeviceTitle(name), &opts)
		report, err := conformance.Run(cmd.Context(), target, opts)
		finish()
		if err != nil {
			return nil, err
		}
		reports = append(reports, report)
	}
	return reports, nil
}

// watchConformance shows a live line where somebody watches.
func watchConformance(w io.Writer, name string, opts *conformance.Options) (finish func()) {
	opts.Progress = nil
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	var bar *progressbar.ProgressBar
	failed := 0
	opts.Progress = func(done, of int, r *conformance.Result) {
		if bar == nil {
			bar = progressbar.NewOptions(of, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(20), progressbar.OptionShowCount(),
				progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false))
		}
		if r.Status == conformance.Fail {
			failed++
		}
		bar.Describe(fmt.Sprintf("%s: %s, %d failed", name, r.ID, failed))
		_ = bar.Set(done) // a line that cannot be drawn is no reason to stop
	}
	return func() {
		if bar != nil {
			_ = bar.Finish()
		}
	}
}

// printConformance prints one row for each requirement, the totals, and what was
// wrong in full.
func printConformance(w io.Writer, reports []*conformance.Report) {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	head := table.Row{"row", "feature", "tags"}
	for _, r := range reports {
		head = append(head, conformance.DeviceTitle(r.Device), "s", "n of N")
	}
	t.AppendHeader(head)
	for i := range reports[0].Results {
		first := &reports[0].Results[i]
		row := table.Row{first.ID, first.Feature, first.TagText()}
		for _, r := range reports {
			result := &r.Results[i]
			status := string(result.Status)
			if result.Status == conformance.Fail {
				status = "FAIL"
			}
			row = append(row, status, fmt.Sprintf("%.1f", result.Seconds), result.ScaleText())
		}
		t.AppendRow(row)
	}
	t.Render()

	totals := table.NewWriter()
	totals.SetOutputMirror(w)
	totals.SetStyle(table.StyleLight)
	totals.Style().Format.Header = text.FormatDefault
	head = table.Row{"device", "requirements"}
	for _, status := range conformance.Statuses {
		head = append(head, string(status))
	}
	totals.AppendHeader(head)
	for _, r := range reports {
		for _, origin := range append([]conformance.Origin{""}, conformance.Origins...) {
			row := table.Row{conformance.DeviceTitle(r.Device), conformance.OriginTitle(origin)}
			for _, status := range conformance.Statuses {
				row = append(row, r.Count(origin, status))
			}
			totals.AppendRow(row)
		}
	}
	totals.Render()
	for _, r := range reports {
		for i := range r.Results {
			if f := &r.Results[i]; f.Status == conformance.Fail {
				fmt.Fprintf(w, "%s: %s %s: %s\n", conformance.DeviceTitle(r.Device), f.ID, f.Feature, f.Failure)
			}
		}
	}
}
