// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
)

// devicesFolder is where the commands look for cards; tests look elsewhere.
var devicesFolder = discover.SysfsDevices

func newDevicesCommand(s *settings) *cobra.Command {
	var ids []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "devices",
		Short: "List the NICs of ours among this machine's PCI functions",
		Long: `Lists the PCI functions that are NICs of ours, by their vendor and device IDs, with what is
needed to use each. It opens none and changes nothing. That there is none is no error.`,
		Example: `  espalier devices
  espalier devices --id 10ee:9038 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			wanted := s.ids
			if len(ids) > 0 {
				var err error
				if wanted, err = parsePCIIDs("id", ids); err != nil {
					return err
				}
			}
			found, err := discover.FindIn(devicesFolder, wanted...)
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(s.deviceRows(found))
			}
			s.printDevices(cmd, found, wanted)
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&ids, "id", nil, "look for these IDs, VENDOR:DEVICE, instead of those of --pci-id")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// deviceRow is a card as `espalier devices --json` prints it.
type deviceRow struct {
	Address  string      `json:"address"`
	ID       string      `json:"id"`
	Revision uint8       `json:"revision"`
	BARs     []deviceBAR `json:"bars"`
	// Vectors is absent where only root can tell.
	Vectors    *int   `json:"vectors,omitempty"`
	Driver     string `json:"driver,omitempty"`
	IOMMUGroup *int   `json:"iommu_group,omitempty"`
	NUMANode   *int   `json:"numa_node,omitempty"`
	// Use is the command to begin with.
	Use string `json:"use"`
}

type deviceBAR struct {
	Number   int    `json:"number"`
	Base     string `json:"base"`
	Size     uint64 `json:"size"`
	IO       bool   `json:"io,omitempty"`
	Wide     bool   `json:"64bit,omitempty"`
	Prefetch bool   `json:"prefetchable,omitempty"`
}

// deviceRows are the cards found; never nil, so that JSON has a list.
func (s *settings) deviceRows(found []discover.Function) []deviceRow {
	rows := make([]deviceRow, 0, len(found))
	for i := range found {
		f := &found[i]
		row := deviceRow{Address: f.Address, ID: f.ID.String(), Revision: f.Revision, Driver: f.Driver, BARs: []deviceBAR{}, Use: s.howToUse(f)}
		for n, b := range f.BARs {
			if b.Size > 0 {
				row.BARs = append(row.BARs, deviceBAR{Number: n, Base: fmt.Sprintf("%#x", b.Base), Size: b.Size, IO: b.IO, Wide: b.Wide, Prefetch: b.Prefetch})
			}
		}
		if f.WholeConfig || f.Vectors > 0 {
			row.Vectors = &f.Vectors
		}
		if f.IOMMUGroup >= 0 {
			row.IOMMUGroup = &f.IOMMUGroup
		}
		if f.NUMANode >= 0 {
			row.NUMANode = &f.NUMANode
		}
		rows = append(rows, row)
	}
	return rows
}

// howToUse is the command that somebody who wants to use the card begins with.
func (s *settings) howToUse(f *discover.Function) string {
	command := "espalier doctor " + f.Address
	if f.Driver == "vfio-pci" && f.IOMMUGroup >= 0 {
		command = "espalier run --device " + f.Address
	}
	if !slices.Contains(s.ids, f.ID) {
		command += " --" + keyPCIID + " " + f.ID.String()
	}
	return command
}

func (s *settings) printDevices(cmd *cobra.Command, found []discover.Function, ids []discover.ID) {
	if len(found) == 0 {
		noneFound(cmd.OutOrStdout(), ids)
		return
	}
	t := newTable(cmd)
	t.AppendHeader(table.Row{"address", "ID", "BARs", "MSI-X", "driver", "IOMMU group", "NUMA node", "to use it"})
	for _, row := range s.deviceRows(found) {
		var bars []string
		for _, b := range row.BARs {
			bars = append(bars, fmt.Sprintf("%d: %s", b.Number, discover.Size(b.Size)))
		}
		t.AppendRow(table.Row{row.Address, fmt.Sprintf("%s rev %02x", row.ID, row.Revision), strings.Join(bars, ", "),
			numberOr(row.Vectors, "ask as root"), textOr(row.Driver, "none"), numberOr(row.IOMMUGroup, "none"), numberOr(row.NUMANode, "-"), row.Use})
	}
	t.Render()
}

// noneFound says what was looked for.
func noneFound(w io.Writer, ids []discover.ID) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	fmt.Fprintf(w, "none found: no PCI function in %s has the ID %s; --id looks for another, `lspci -n` shows all\n", devicesFolder, strings.Join(names, " or "))
}

func numberOr(n *int, otherwise string) string {
	if n == nil {
		return otherwise
	}
	return fmt.Sprint(*n)
}

func textOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
