// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/gateway"
	"github.com/espalier-nic/espalier/regress"
	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

// Keys of the settings of `espalier gateway`, beside those it shares.
const (
	keyPlain   = "plain"
	keyCheck   = "check"
	keyStats   = "stats"
	keyGateway = "gateway" // in the YAML file only: a section
)

func newGatewayCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Be an IPsec gateway whose ESP is done by the NIC",
		Long: `Carries IP packets between a port of this machine, by default a TAP device, and the NIC's
Ethernet wire. Policies in the configuration file say which are protected with which SA; the
NIC encrypts and decrypts. SAs are listed under "sas", as for "espalier run"; policies under
"gateway". docs/gateway.md has an example.

--plain is the side without ESP, and --wire, for a NIC in this program (sim, gonic), what its
Ethernet wire is plugged into; a card's is wherever its cable goes. Both are one of
  tap:NAME            a TAP device, made if it does not exist, and removed in the end
  packet:INTERFACE    an interface of this machine, through a packet socket
  stream:PATH         QEMU's -netdev stream protocol, connecting to a socket
  stream-listen:PATH  the same, listening

--check compares every packet received with the golden model, and with --wire every packet sent.
Ends with Ctrl-C or SIGTERM, prints what passed, and takes the SAs out of the NIC.`,
		Example: `  espalier gateway --config gateway.yaml --device 0000:03:00.0
  espalier gateway --config gateway.yaml --device gonic --wire packet:eth1 --check
  espalier gateway --config gateway.yaml --device sim --plain tap:red0 --wire stream:peer.sock --stats stats.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			return runGateway(cmd, s)
		},
	}
	flags := cmd.Flags()
	flags.String(keyPlain, "tap:esp0", "the side without ESP: "+wireport.Kinds)
	flags.StringSlice(keyWire, nil, "for sim and gonic, what the NIC's wire is plugged into: "+wireport.Kinds)
	flags.Int(keyQueues, 1, "RX queues to use, 0 for all; inbound SAs are spread over them")
	flags.Bool(keyCheck, false, "compare what the NIC does with the golden model; exit code 1 if it was wrong")
	flags.String(keyStats, "", "write what passed to this JSON file in the end")
	s.learn(flags)
	kinds := cobra.FixedCompletions([]string{"tap:", "packet:", "stream:", "stream-listen:"}, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp)
	_ = cmd.RegisterFlagCompletionFunc(keyPlain, kinds) // the flags exist
	_ = cmd.RegisterFlagCompletionFunc(keyWire, kinds)
	_ = cmd.MarkFlagFilename(keyStats, "json")
	return cmd
}

// gatewayRing is the entries of the queues' rings: what may come while this
// program does not get the processor.
const gatewayRing = 1024

// gatewayResult is what --stats writes.
type gatewayResult struct {
	Device     string             `json:"device"`
	Build      string             `json:"build,omitempty"`
	Plain      wireport.Counters  `json:"plain"`
	Wire       *wireport.Counters `json:"wire,omitempty"`
	Statistics gateway.Statistics `json:"statistics"`
}

func runGateway(cmd *cobra.Command, s *settings) (err error) {
	ctx := cmd.Context()
	var undo []func() error
	defer func() {
		for _, f := range slices.Backward(undo) {
			err = errors.Join(err, f())
		}
	}()
	config, err := s.gatewayConfig()
	if err != nil {
		return err
	}
	wires := s.viper.GetStringSlice(keyWire)
	device, err := s.openDevice(ctx)
	if err != nil {
		return err
	}
	undo = append(undo, device.Close)
	nearWire, err := wireOf(device, s.device(), wires)
	if err != nil {
		return err
	}
	caps, err := driver.ReadCapabilities(device.Function)
	if err != nil {
		return err
	}
	opts := device.Options
	opts.TXQueues, opts.RXQueues = 1, s.viper.GetInt(keyQueues)
	opts.TXRing, opts.RXRing = min(gatewayRing, caps.MaxRing), min(gatewayRing, caps.MaxRing)
	nic, err := driver.Open(ctx, device.Function, opts)
	if err != nil {
		return err
	}
	undo = append(undo, nic.Close)
	plain, err := wireport.Open(s.viper.GetString(keyPlain))
	if err != nil {
		return fmt.Errorf("--%s: %w", keyPlain, err)
	}
	undo = append(undo, plain.Close)

	stderr := cmd.ErrOrStderr()
	config.Check, config.WireShown = s.viper.GetBool(keyCheck), nearWire != nil
	config.Event = func(text string) { fmt.Fprintf(stderr, "espalier gateway: %s\n", text) }
	gw, err := gateway.New(ctx, nic, plain, config)
	for i := range config.SAs {
		config.SAs[i].Key.Zero()
	}
	if err != nil {
		return err
	}
	undo = append(undo, gw.Close)
	if err := setPlainMTU(plain, gw.PlainMTU(), s.warn); err != nil {
		return err
	}
	var wire wireport.Port
	if nearWire != nil {
		if wire, err = wireport.Open(wires[0]); err != nil {
			return fmt.Errorf("--%s: %w", keyWire, err)
		}
		undo = append(undo, wire.Close)
		if err := nearWire(wire, gw.ObserveWire); err != nil {
			return err
		}
	}

	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%v to %s, %d SAs, %d policies, MTU %d on the plain side\nready; Ctrl-C ends it\n",
		plain, device.Name, len(config.SAs), len(config.Policies), gw.PlainMTU())
	err = gw.Run(ctx)

	result := gatewayResult{Device: device.Name, Build: device.Build, Plain: plain.Counters()}
	if wire != nil {
		counters := wire.Counters()
		result.Wire = &counters
	}
	var failed error
	result.Statistics, failed = gw.Statistics(context.WithoutCancel(ctx))
	err = errors.Join(err, failed)
	printGateway(out, &result)
	if path := s.viper.GetString(keyStats); path != "" {
		err = errors.Join(err, writeGatewayResult(path, &result))
	}
	if err == nil && result.Statistics.Mismatches > 0 {
		return errMismatch
	}
	return err
}

// setPlainMTU keeps packets off the plain side that would be too long with ESP.
func setPlainMTU(plain wireport.Port, mtu int, warn func(string)) error {
	if tap, ok := plain.(*wireport.TAP); ok {
		return tap.SetMTU(mtu)
	}
	if kind, name, _ := strings.Cut(plain.String(), ":"); kind == "packet" {
		if link, err := net.InterfaceByName(name); err == nil && link.MTU > mtu {
			warn(fmt.Sprintf("the MTU of %s is %d, and packets of more than %d bytes are too long with ESP and will be dropped; `ip link set %s mtu %d` where they come from prevents that", name, link.MTU, mtu, name, mtu))
		}
	}
	return nil
}

func writeGatewayResult(path string, r *gatewayResult) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("statistics %s cannot be written: %w; --%s names another file", path, errors.Unwrap(err), keyStats)
	}
	return nil
}

// printGateway prints the closing tables.
func printGateway(w io.Writer, r *gatewayResult) {
	t := newGatewayTable(w)
	t.AppendHeader(table.Row{"SA", "direction", "mode", "packets", "bytes", "sequence", "dropped"})
	for i := range r.Statistics.SAs {
		sa := &r.Statistics.SAs[i]
		direction, mode := "out", "transport"
		if sa.Inbound {
			direction = "in"
		}
		if sa.Tunnel {
			mode = "tunnel"
		}
		dropped := uint64(0)
		for _, n := range sa.Drops {
			dropped += n
		}
		t.AppendRow(table.Row{fmt.Sprintf("%#08x", sa.SPI), direction, mode, sa.Packets, sa.Bytes, sa.Sequence, dropped})
	}
	t.Render()
	t = newGatewayTable(w)
	t.AppendRow(table.Row{"passed unprotected, out", r.Statistics.BypassedOut})
	t.AppendRow(table.Row{"passed unprotected, in", r.Statistics.BypassedIn})
	for _, drops := range []struct {
		who string
		of  map[string]uint64
	}{{"dropped", r.Statistics.Drops}, {"dropped by the NIC", r.Statistics.NICDrops}} {
		for _, reason := range slices.Sorted(maps.Keys(drops.of)) {
			t.AppendRow(table.Row{drops.who + ": " + reason, drops.of[reason]})
		}
	}
	if n := r.Statistics.CheckedSent + r.Statistics.CheckedReceived; n > 0 {
		t.AppendRow(table.Row{"compared with the golden model", n})
		t.AppendRow(table.Row{"mismatches", r.Statistics.Mismatches})
	}
	t.Render()
	for _, m := range r.Statistics.MismatchTexts {
		fmt.Fprintf(w, "MISMATCH %s\n", m)
	}
}

func newGatewayTable(w io.Writer) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}, {Number: 4, Align: text.AlignRight}, {Number: 5, Align: text.AlignRight}, {Number: 6, Align: text.AlignRight}, {Number: 7, Align: text.AlignRight}})
	return t
}

// wireOf returns what plugs the wire of a NIC in this program into a port, or
// nil for a card, whose wire is outside.
func wireOf(device *regress.Device, name string, wires []string) (func(port wireport.Port, observe func(frame []byte)) error, error) {
	plug := plugOf(device.Function)
	switch {
	case plug == nil && len(wires) > 0:
		return nil, fmt.Errorf("--%s is for NICs in this program (sim, gonic); the wire of %s is where its cable goes", keyWire, name)
	case plug != nil && len(wires) != 1:
		return nil, fmt.Errorf("device %s is in this program, and %d wires are named for it; --%s names one, such as --%s packet:eth1; allowed are %s", name, len(wires), keyWire, keyWire, wireport.Kinds)
	}
	return plug, nil
}
