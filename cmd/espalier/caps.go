// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/espalier-nic/espalier/driver"
)

func newCapsCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "caps",
		Short:   "Show what the NIC can do, as its capability registers state it",
		Example: "  espalier caps\n  espalier caps --device gonic --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			device, err := s.openDevice(cmd.Context())
			if err != nil {
				return err
			}
			defer device.Close()
			caps, err := driver.ReadCapabilities(device.Function)
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(caps)
			}
			t := newTable(cmd)
			t.AppendHeader(table.Row{"device", device.Name})
			for _, row := range capsRows(caps) {
				t.AppendRow(table.Row{row[0], row[1]})
			}
			t.Render()
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func capsRows(c driver.Capabilities) [][2]string {
	var bits []string
	for _, length := range c.KeyLengths() {
		bits = append(bits, fmt.Sprint(8*length))
	}
	var features []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"IPv4", c.IPv4}, {"IPv6", c.IPv6}, {"IPv4 options", c.IPv4Options}, {"IPv6 extension headers", c.IPv6ExtHeaders},
		{"AH", c.AH}, {"ESP", c.ESP}, {"AH with ESP", c.AHESP}, {"transport", c.Transport}, {"tunnel", c.Tunnel},
		{"transport in tunnel", c.TransportTunnel}, {"LSO", c.LSO}, {"ESN", c.ESN}, {"loopback", c.Loopback},
		{"control processor", c.ControlProcessor},
	} {
		if f.has {
			features = append(features, f.name)
		}
	}
	through := "the host, through the SA window"
	if c.ControlProcessor {
		through = "firmware on the control processor, through its mailbox"
	}
	return [][2]string{
		{"register interface", fmt.Sprintf("%d.%d.%d", c.Version.Major(), c.Version.Minor(), c.Version.Patch())},
		{"build", fmt.Sprintf("%08x", c.BuildID)},
		{"TX, RX queues", fmt.Sprintf("%d, %d", c.TXQueues, c.RXQueues)},
		{"ring entries", fmt.Sprintf("%d to %d", c.MinRing, c.MaxRing)},
		{"interrupt vectors", fmt.Sprint(c.Vectors)},
		{"SA slots", fmt.Sprint(c.SACapacity)},
		{"SAs are managed by", through},
		{"AES-GCM key bits", strings.Join(bits, ", ")},
		{"ICV bytes", strings.Trim(fmt.Sprint(c.ICVLengths), "[]")},
		{"features", strings.Join(features, ", ")},
		{"longest frame", fmt.Sprintf("%d bytes", c.MaxFrame)},
		{"lanes of 128 bits", fmt.Sprint(c.Lanes)},
		{"clock", fmt.Sprintf("%d MHz", c.ClockMHz)},
	}
}

// newTable returns a table in the style of all commands.
func newTable(cmd *cobra.Command) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(cmd.OutOrStdout())
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = 0
	return t
}
