// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/espframe"
	"github.com/espalier-nic/espalier/regress"
)

func newSACommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sa",
		Short: "Add, list and delete security associations",
		Long: `Works on the SAs of a NIC. The SAs in the configuration file's list "sas" are installed
first, so that a simulated NIC, which begins empty with every command, has some.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSAAddCommand(s), newSAListCommand(s), newSADelCommand(s))
	return cmd
}

// openWithSAs opens the device, keeping SAs it holds, and installs those of the
// configuration file.
func (s *settings) openWithSAs(ctx context.Context) (*regress.Device, *driver.NIC, error) {
	sas, err := parseSAs(s.sas)
	if err != nil {
		return nil, nil, err
	}
	device, err := s.openDevice(ctx)
	if err != nil {
		return nil, nil, err
	}
	opts := device.Options
	opts.KeepSAs = true
	nic, err := driver.Open(ctx, device.Function, opts)
	if err != nil {
		return nil, nil, errors.Join(err, device.Close())
	}
	if err := regress.CheckSAs(sas, nic.Capabilities().SACapacity); err != nil {
		return nil, nil, errors.Join(err, nic.Close(), device.Close())
	}
	for i, sa := range sas {
		if _, err := nic.AddSA(ctx, driverSA(sa, true)); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("SA %d of %s: %w", i+1, s.path, err), nic.Close(), device.Close())
		}
	}
	return device, nic, nil
}

func driverSA(sa regress.SA, inbound bool) driver.SA {
	return driver.SA{
		SPI: sa.SPI, Inbound: inbound, Tunnel: sa.Mode == espframe.Tunnel, Src: sa.Src, Dst: sa.Dst, ESN: sa.ESN,
		SequenceHi: uint32(sa.LastSequence >> 32), Key: sa.Key, Salt: driver.Salt(sa.Salt),
	}
}

func newSAAddCommand(s *settings) *cobra.Command {
	var c saConfig
	var esn, outbound bool
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Install an SA and print its handle",
		Long: `Installs an SA, reads it back and prints it with its handle. Key and salt are read
from standard input as one line of hexadecimal digits, key first: what stands on a command
line can be seen by every user of the machine.`,
		Example: `  openssl rand -hex 20 | espalier sa add --spi 0x1001 --sa-mode tunnel --src 192.0.2.1 --dst 192.0.2.2 --algorithm aes-gcm-128`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			c.ESN = strconv.FormatBool(esn)
			if err := c.readSecret(cmd); err != nil {
				return err
			}
			sa, err := c.parse(1)
			if err != nil {
				return err
			}
			device, nic, err := s.openWithSAs(cmd.Context())
			if err != nil {
				return err
			}
			defer device.Close()
			defer nic.Close()
			handle, err := nic.AddSA(cmd.Context(), driverSA(sa, !outbound))
			if err != nil {
				return err
			}
			back, err := nic.ReadSA(cmd.Context(), handle)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%#08x  slot %s  %v\n", uint32(handle), handle, back)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.SPI, "spi", "", "SPI, 1 to 0xffffffff")
	flags.StringVar(&c.Mode, "sa-mode", "transport", "transport or tunnel")
	flags.StringVar(&c.Src, "src", "", "source address")
	flags.StringVar(&c.Dst, "dst", "", "destination address")
	flags.StringVar(&c.Algorithm, "algorithm", "aes-gcm-128", "aes-gcm-128, aes-gcm-192 or aes-gcm-256")
	flags.BoolVar(&esn, "extended", false, "64-bit sequence numbers")
	flags.BoolVar(&outbound, "outbound", false, "an SA for sending; otherwise for receiving")
	return cmd
}

// readSecret reads key and salt from standard input.
func (c *saConfig) readSecret(cmd *cobra.Command) error {
	if f, ok := cmd.InOrStdin().(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprint(cmd.ErrOrStderr(), "key and salt (hexadecimal): ")
		}
	}
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	line = strings.TrimSpace(line)
	if err != nil && line == "" {
		return errors.New("no key on standard input; give key and salt as one line of hexadecimal digits, as `openssl rand -hex 20` prints for aes-gcm-128")
	}
	const saltDigits = 8
	if len(line) < saltDigits {
		return fmt.Errorf("key and salt on standard input have %d digits; allowed are 40, 56 and 72, the salt's 8 at the end", len(line))
	}
	c.Key, c.Salt = line[:len(line)-saltDigits], line[len(line)-saltDigits:]
	return nil
}

func newSAListCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the SAs as the NIC holds them, keys excepted",
		Long: `Reads every SA back from the NIC and prints what it holds: everything but keys and salts.

Packets and bytes count what was encrypted, or decrypted with success. A fingerprint tells
keys apart without showing them: the first 8 bytes of the AES encryption of a nonce under
the key. It is 0 where a NIC makes none.`,
		Example: "  espalier sa list --config my.yaml\n  espalier sa list --config my.yaml --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			device, nic, err := s.openWithSAs(cmd.Context())
			if err != nil {
				return err
			}
			defer device.Close()
			defer nic.Close()
			return printSAs(cmd, nic, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// saRow is one SA as it is listed.
type saRow struct {
	Handle       string `json:"handle"`
	Direction    string `json:"direction"`
	Mode         string `json:"mode"`
	Src          string `json:"src"`
	Dst          string `json:"dst"`
	SPI          string `json:"spi"`
	Algorithm    string `json:"algorithm"`
	ESN          string `json:"esn"`
	RXQueue      int    `json:"rx_queue"`
	Packets      uint64 `json:"packets"`
	Bytes        uint64 `json:"bytes"`
	AuthFailed   uint32 `json:"auth_failed"`
	SyntaxErrors uint32 `json:"syntax_errors"`
	Fingerprint  string `json:"fingerprint"`
}

func newSARow(s *driver.SAState) saRow {
	row := saRow{
		Handle: fmt.Sprintf("%#08x", uint32(s.Handle)), Direction: "out", Mode: "transport", Src: address(s.SA.Src), Dst: address(s.SA.Dst),
		SPI: fmt.Sprintf("%#08x", s.SA.SPI), Algorithm: fmt.Sprintf("aes-gcm-%d", 8*s.KeyBytes), ESN: "-", RXQueue: s.SA.RXQueue,
		Packets: s.Frames, Bytes: s.Bytes, AuthFailed: s.AuthFailed, SyntaxErrors: s.SyntaxErrors, Fingerprint: hex.EncodeToString(s.Fingerprint[:]),
	}
	if s.SA.Inbound {
		row.Direction = "in"
	}
	if s.SA.Tunnel {
		row.Mode = "tunnel"
	}
	if s.SA.ESN {
		row.ESN = fmt.Sprintf("%#x", s.SA.SequenceHi)
	}
	return row
}

// address is an address of an SA, "any" if it matches all.
func address(a netip.Addr) string {
	if !a.IsValid() || a.IsUnspecified() {
		return "any"
	}
	return a.String()
}

func printSAs(cmd *cobra.Command, nic *driver.NIC, asJSON bool) error {
	rows := []saRow{}
	for s, err := range nic.SAStates(cmd.Context()) {
		if err != nil {
			return err
		}
		rows = append(rows, newSARow(&s))
	}
	if asJSON {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		return encoder.Encode(rows)
	}
	t := newTable(cmd)
	t.AppendHeader(table.Row{"handle", "direction", "mode", "source", "destination", "SPI", "algorithm", "ESN upper half", "RX queue",
		"packets", "bytes", "bad ICV", "bad lengths", "key fingerprint"})
	for _, r := range rows {
		t.AppendRow(table.Row{r.Handle, r.Direction, r.Mode, r.Src, r.Dst, r.SPI, r.Algorithm, r.ESN, r.RXQueue,
			r.Packets, r.Bytes, r.AuthFailed, r.SyntaxErrors, r.Fingerprint})
	}
	t.Render()
	fmt.Fprintf(cmd.OutOrStdout(), "%d of %d slots in use, nonce of the fingerprints %x\n", len(rows), nic.Capabilities().SACapacity, nic.Nonce())
	return nil
}

func newSADelCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "del HANDLE",
		Short:   "Delete an SA; the NIC zeroises its keys",
		Example: "  espalier sa del 0x00010002",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%d handles are given, wanted is 1; `espalier sa list` shows them", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			handle, err := strconv.ParseUint(args[0], 0, 32)
			if err != nil {
				return fmt.Errorf("handle is %q; allowed is a number such as 0x00010002, `espalier sa list` shows them", args[0])
			}
			device, nic, err := s.openWithSAs(cmd.Context())
			if err != nil {
				return err
			}
			defer device.Close()
			defer nic.Close()
			if err := nic.DeleteSA(cmd.Context(), driver.Handle(handle)); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "deleted %#08x\n", handle)
			return nil
		},
	}
}
