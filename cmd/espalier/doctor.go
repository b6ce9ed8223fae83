// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/driver/pcie/doctor"
	"github.com/espalier-nic/espalier/driver/pcie/vfio"
)

// doctorRoot is the root folder of the host that is examined; tests have another.
var doctorRoot = "/"

// errUnfit ends `espalier doctor` on a host where no card can be used; the
// findings have been printed by then.
var errUnfit = errors.New("not usable yet; each line marked fail has the command that mends it")

func newDoctorCommand(s *settings) *cobra.Command {
	var asJSON, bind bool
	cmd := &cobra.Command{
		Use:   "doctor [ADDRESS]",
		Short: "Check this host for driving a card: IOMMU, drivers, rights, memory, link",
		Long: `Examines this host and one card, or every NIC of ours: the IOMMU and the card's group, vfio-pci,
hugepages, locked memory, rights, MSI-X vectors, PCIe link, bus mastering, lockdown. Each
finding is ok, warn or fail, with the command that mends it. It opens no device and, without
--bind, changes nothing.

ADDRESS is a PCI address as --device takes it; sysfs:ADDRESS examines for driving the card
without VFIO.

Exit codes: 0 the host and the cards examined are fit, 2 not.`,
		Example: `  espalier doctor
  espalier doctor 0000:03:00.0
  sudo espalier doctor --bind 0000:03:00.0
  espalier doctor --json sysfs:0000:03:00.0`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			opts := doctor.Options{Root: doctorRoot, IDs: s.ids}
			if len(args) > 0 {
				var err error
				if opts.Way, opts.Address, err = parseCard(args[0]); err != nil {
					return err
				}
			}
			if bind {
				if err := s.bindCard(opts); err != nil {
					return err
				}
			}
			report, err := doctor.Examine(opts)
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				if err := encoder.Encode(report); err != nil {
					return err
				}
			} else {
				printReport(cmd, report)
			}
			if !report.Usable {
				return errUnfit
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&bind, "bind", false, "first take the card at ADDRESS from its kernel driver and bind vfio-pci to it (needs root)")
	return cmd
}

// bindVFIO binds vfio-pci; tests have another.
var bindVFIO = func(address string) error {
	_, err := vfio.Bind(address)
	return err
}

// bindCard binds vfio-pci to the card, if it is one of ours, and says so before.
func (s *settings) bindCard(opts doctor.Options) error {
	if opts.Address == "" || opts.Way == doctor.Sysfs {
		return errors.New("--bind needs the ADDRESS of one card, as in `espalier doctor --bind 0000:03:00.0`; `espalier devices` lists them")
	}
	card, err := discover.LookupIn(devicesFolder, opts.Address)
	if err != nil {
		return err
	}
	if !slices.Contains(opts.IDs, card.ID) {
		return fmt.Errorf("%s is %v, which is no NIC of ours, so its driver is not taken away; --%s %v makes it one", card.Address, card.ID, keyPCIID, card.ID)
	}
	switch card.Driver {
	case "vfio-pci":
		return nil
	case "":
		fmt.Fprintf(s.warnings, "espalier doctor: binding vfio-pci to %s\n", card.Address)
	default:
		fmt.Fprintf(s.warnings, "espalier doctor: taking %s from the driver %s, and binding vfio-pci\n", card.Address, card.Driver)
	}
	return bindVFIO(card.Address)
}

// parseCard reads a card's name as --device takes it.
func parseCard(name string) (doctor.Way, string, error) {
	way, rest := doctor.VFIO, name
	if kind, address, ok := strings.Cut(name, ":"); ok && (kind == string(doctor.VFIO) || kind == string(doctor.Sysfs)) {
		way, rest = doctor.Way(kind), address
	}
	address, err := discover.ParseAddress(rest)
	if err != nil {
		return way, "", fmt.Errorf("card is %q; allowed are a PCI address such as 0000:03:00.0 and sysfs:ADDRESS, and `espalier devices` lists them", name)
	}
	return way, address, nil
}

// printReport prints a table for the host and one for each card.
func printReport(cmd *cobra.Command, r *doctor.Report) {
	printFindings(cmd, fmt.Sprintf("host, for %s", r.Way), r.Host)
	for _, c := range r.Cards {
		printFindings(cmd, c.Address, c.Findings)
	}
	if r.Usable {
		fmt.Fprintf(cmd.OutOrStdout(), "usable: espalier run --device %s\n", deviceArgument(r))
	}
}

// deviceArgument is the --device for the first card of a report.
func deviceArgument(r *doctor.Report) string {
	if r.Way == doctor.Sysfs {
		return string(doctor.Sysfs) + ":" + r.Cards[0].Address
	}
	return r.Cards[0].Address
}

// findingWidth is how wide a column of text may be.
const findingWidth = 60

func printFindings(cmd *cobra.Command, title string, findings []doctor.Finding) {
	t := newTable(cmd)
	t.AppendHeader(table.Row{title, "", "found"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 3, WidthMax: findingWidth, WidthMaxEnforcer: text.WrapSoft}})
	var fixes []string
	for _, f := range findings {
		level := string(f.Level)
		if f.Level == doctor.Fail {
			level = "FAIL"
		}
		t.AppendRow(table.Row{f.Subject, level, f.Text})
		if f.Fix != "" {
			fixes = append(fixes, fmt.Sprintf("%s: %s", f.Subject, f.Fix))
		}
	}
	t.Render()
	for _, fix := range fixes { // outside the table, to be copied whole
		fmt.Fprintf(cmd.OutOrStdout(), "  %s\n", fix)
	}
}
