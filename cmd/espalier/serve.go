// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
	"github.com/espalier-nic/espalier/vm"
)

// Keys of the settings of `espalier serve`.
const (
	keySocket     = "socket"
	keyWire       = "wire"
	keyWireMirror = "wire-mirror"
	keyPcapng     = "pcapng"
)

func newServeCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "serve --socket PATH [--socket PATH ...]",
		Short: "Make the NIC a PCIe card on a vfio-user socket",
		Long: `Presents NICs, simulated RTL or the model in Go, as PCIe cards on vfio-user sockets: one card
per socket, for QEMU 10.1 or later (-device vfio-user-pci), for other virtual machine monitors
and userspace drivers, and for this program itself (--device vfio-user:PATH). Clients come one
after another; when one has left its card is reset.

--wire says what is at the other end of each card's Ethernet wire:
  join               two sockets: each other (the default for two)
  loop               itself
  none               nothing (the default otherwise)
  tap:NAME           a TAP device of this machine
  packet:INTERFACE   an interface of this machine, through a packet socket
  stream:PATH        QEMU's -netdev stream protocol, connecting to a socket
  stream-listen:PATH the same, listening
With several sockets give one --wire for all or one for each, in the sockets' order.

--wire-mirror copies every frame that crosses any of these wires to one of those ports as well (tap,
packet, stream, stream-listen); what comes from there is dropped. Over a stream no frame is lost: the
simulated wire waits for whoever reads it. Where a port takes frames too slowly the next frame says
how many are missing, so that "espalier run --wire-tap" does not judge what it has not seen.

The clock of simulated RTL runs by itself, as fast as the machine allows. Cards whose wires are
joined share one. Clients should give a command a minute (QEMU: x-msg-timeout): RTL answers
thousands of times later than hardware.

Ends with Ctrl-C or SIGTERM and leaves no socket behind. When the simulated design stops ($fatal,
a failed assertion) its cards are gone, as if pulled out, and the command fails.`,
		Example: `  espalier serve --socket nic.sock
  espalier serve --socket a.sock --socket b.sock --pcapng wire.pcapng
  espalier serve --socket nic.sock --device gonic --wire tap:esp0
  espalier serve --socket nic.sock --wave waves.fst --seed 7 --sim-options mem_read_latency_max=200
  espalier run --device vfio-user:a.sock,vfio-user:b.sock tests/captures/http.pcap   # another terminal`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			return runServe(cmd, s, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.StringSlice(keySocket, nil, "path of a socket to make, for one card; again for another card")
	flags.StringSlice(keyWire, nil, "other end of the cards' wires: join, loop, none, "+wireport.Kinds)
	flags.String(keyWireMirror, "", "copy the frames on the wires to this port: "+wireport.Kinds)
	flags.String(keyPcapng, "", "record the frames on the wires to this file, with simulated times")
	flags.String(keyWave, "", "record waveforms of the first card to this .fst file (simulator only, slow)")
	s.learn(flags)
	flags.BoolVar(&asJSON, "json", false, "print one line of JSON when ready, for programs, and no other")
	_ = cmd.RegisterFlagCompletionFunc(keyWire, cobra.FixedCompletions( // the flag exists
		[]string{"join", "loop", "none", "tap:", "packet:", "stream:", "stream-listen:"}, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc(keyWireMirror, cobra.FixedCompletions(
		[]string{"tap:", "packet:", "stream:", "stream-listen:"}, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagFilename(keyPcapng, "pcapng")
	_ = cmd.MarkFlagFilename(keyWave, "fst")
	return cmd
}

// servedCard is a card as the line of JSON describes it.
type servedCard struct {
	Socket string `json:"socket"`
	Device string `json:"device"`
	Build  string `json:"build,omitempty"`
	Wire   string `json:"wire"`
	QEMU   string `json:"qemu"`
	Driver string `json:"driver"`
}

func runServe(cmd *cobra.Command, s *settings, asJSON bool) error {
	sockets, err := socketPaths(s.viper.GetStringSlice(keySocket))
	if err != nil {
		return err
	}
	wires, err := wireSpecs(s.viper.GetStringSlice(keyWire), len(sockets))
	if err != nil {
		return err
	}
	status := newStatusLine(cmd.ErrOrStderr())
	bench, err := openServeBench(s, sockets, wires, status)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	servers, err := listenAll(sockets, bench, status)
	if err != nil {
		return errors.Join(err, bench.close())
	}
	bench.start()
	announce(cmd, bench, sockets, wires, asJSON)
	status.watch(bench.status(servers))
	err = serveAll(ctx, cancel, servers, bench)
	status.end()
	return errors.Join(err, bench.close())
}

// listenAll makes the sockets, all or none.
func listenAll(sockets []string, bench *serveBench, status *statusLine) ([]*server.Server, error) {
	var servers []*server.Server
	for i, path := range sockets {
		// A card whose owner has gone is reset, as VFIO does it: it must not go
		// on with memory that is somebody else's by then.
		srv, err := server.Listen(path, bench.nics[i].device(), server.Options{Log: status.line, ResetOnDisconnect: true})
		if err != nil {
			for _, s := range servers {
				err = errors.Join(err, s.Close())
			}
			return nil, err
		}
		servers = append(servers, srv)
	}
	return servers, nil
}

// serveAll serves until the context ends, which is no error, or until something
// goes wrong.
func serveAll(ctx context.Context, cancel context.CancelFunc, servers []*server.Server, bench *serveBench) error {
	results := make(chan error, len(servers))
	for _, srv := range servers {
		go func() { results <- srv.Serve(ctx) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-bench.failed:
	case err = <-results:
		results <- nil
	}
	cancel()
	for range servers {
		err = errors.Join(err, <-results)
	}
	return err
}

// announce says that all is ready and how to use it.
func announce(cmd *cobra.Command, bench *serveBench, sockets, wires []string, asJSON bool) {
	cards := make([]servedCard, len(sockets))
	for i, path := range sockets {
		absolute, err := filepath.Abs(path)
		if err != nil {
			absolute = path
		}
		cards[i] = servedCard{
			Socket: absolute, Device: bench.name, Build: bench.build, Wire: wires[i],
			QEMU:   qemuArguments(absolute),
			Driver: "--device vfio-user:" + absolute,
		}
	}
	out := cmd.OutOrStdout()
	if asJSON {
		_ = json.NewEncoder(out).Encode(struct {
			Ready bool         `json:"ready"`
			PID   int          `json:"pid"`
			Cards []servedCard `json:"cards"`
		}{true, os.Getpid(), cards})
		return
	}
	build := ""
	if bench.build != "" {
		build = ", build " + bench.build
	}
	for i, c := range cards {
		fmt.Fprintf(out, "%s: %s%s, wire %s\n", sockets[i], c.Device, build, c.Wire)
	}
	var qemu, drivers []string
	for _, c := range cards {
		qemu = append(qemu, c.QEMU)
		drivers = append(drivers, "vfio-user:"+c.Socket)
	}
	fmt.Fprintf(out, `
QEMU 10.1 or later, guest memory shared so that the card reaches it at full speed:
  qemu-system-x86_64 -machine q35,memory-backend=mem -object memory-backend-memfd,id=mem,size=1G,share=on \
    %s
This program:
  espalier run --device %s CAPTURE
ready; Ctrl-C ends it
`, strings.Join(qemu, " \\\n    "), strings.Join(drivers, ","))
}

// qemuArguments are QEMU's for one card, as a shell takes them.
func qemuArguments(socket string) string {
	args := vm.CardArguments(socket, "")
	return fmt.Sprintf("%s '%s'", args[0], strings.ReplaceAll(args[1], "'", `'\''`))
}

// socketPaths checks the sockets' paths.
func socketPaths(paths []string) ([]string, error) {
	if len(paths) == 0 {
		return nil, errors.New("no socket is named; give at least one path, as in `espalier serve --socket nic.sock`")
	}
	seen := map[string]bool{}
	for _, path := range paths {
		if path == "" {
			return nil, errors.New("a socket's path is empty; give one, as in `espalier serve --socket nic.sock`")
		}
		clean := filepath.Clean(path)
		if seen[clean] {
			return nil, fmt.Errorf("socket %s is named twice; each card has its own", path)
		}
		seen[clean] = true
	}
	return paths, nil
}

// Wires that are no port.
const (
	wireJoin = "join"
	wireLoop = "loop"
	wireNone = "none"
)

// wireSpecs gives each of n cards its wire.
func wireSpecs(specs []string, n int) ([]string, error) {
	if len(specs) == 0 {
		specs = []string{wireNone}
		if n == 2 {
			specs = []string{wireJoin}
		}
	}
	if len(specs) != 1 && len(specs) != n {
		return nil, fmt.Errorf("%d wires for %d sockets; give one for all or one for each", len(specs), n)
	}
	all := make([]string, n)
	for i := range all {
		all[i] = specs[min(i, len(specs)-1)]
		kind, _, isPort := strings.Cut(all[i], ":")
		switch {
		case all[i] == wireJoin && n != 2:
			return nil, fmt.Errorf("wire is %q, which joins two cards, and there are %d sockets; allowed for any number are loop, none, %s", wireJoin, n, wireport.Kinds)
		case isPort && len(specs) == 1 && n > 1:
			return nil, fmt.Errorf("wire is %q for %d sockets; give each its own --wire", all[i], n)
		case !isPort && kind != wireJoin && kind != wireLoop && kind != wireNone:
			return nil, fmt.Errorf("wire is %q; allowed are join, loop, none, %s", all[i], wireport.Kinds)
		}
	}
	if n == 2 && (all[0] == wireJoin) != (all[1] == wireJoin) {
		return nil, errors.New("wire is \"join\" for one card only; it joins both")
	}
	return all, nil
}
