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
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/espalier-nic/espalier/vm"
	"github.com/espalier-nic/espalier/vm/debian"
)

// Keys of the settings of `espalier vm`, beside those it shares with serve.
const (
	keyNICs      = "nics"
	keyNet       = "net"
	keyIOMMU     = "iommu"
	keyMemory    = "memory"
	keyCPUs      = "cpus"
	keyHugePages = "hugepages"
	keyModules   = "modules"
	keyTimeout   = "timeout"
)

// wireGuest is a card's wire whose other end is a network interface of the guest.
const wireGuest = "guest"

// netStream is how QEMU's end of a network is written, like a wire of serve's.
const netStream = "stream:"

// vmFlags are the flags of `espalier vm` that no file or environment sets.
type vmFlags struct {
	env, out                     []string
	console                      string
	interactive, asJSON, verbose bool
}

func newVMCommand(s *settings) *cobra.Command {
	var f vmFlags
	cmd := &cobra.Command{
		Use:   "vm [flags] -- COMMAND [ARGS ...]",
		Short: "Run a command in a virtual machine that has the NIC as a PCIe card",
		Long: `Boots a small Linux guest in which NICs, simulated RTL or the model in Go, are PCIe cards behind
an IOMMU, binds them to vfio-pci, and runs COMMAND there. Its output and exit code are this
command's. The guest has this machine's files at their own paths; what it writes in the current
folder and in --out folders is written here, and anything else is forgotten when it ends.

The first card is 0000:00:10.0, the second 0000:00:11.0. In the guest ESPALIER_DEVICE names them,
so that this program drives them without a flag.

Needs no KVM and no root rights. QEMU and the guest's kernel come from Debian's archive, by way of
this machine's own mirror, into the cache folder (ESPALIER_CACHE, by default the user's cache
folder); the first use fetches them (65 MB), or "espalier vm prepare".

--wire is as for "espalier serve", or "guest": the other end of each card's Ethernet wire is a
network interface of the guest, eth0 for the first card. Those of --net come after them.

Two cards that are joined have a mirror in the guest: the interface ` + vm.TapInterface + ` shows every frame on the
wire between them, and ESPALIER_WIRE_TAP names it, so that "espalier run" judges those frames as well.
--wire-mirror says otherwise.

When the guest or the card fails, the exit code is 2 and the error says how.`,
		Example: `  espalier vm -- espalier run tests/captures/http.pcap
  espalier vm --device gonic -- espalier caps --device 0000:00:10.0
  espalier vm --nics 1 --wire guest --modules ipsec -- ip -br link
  espalier vm --nics 0 --console kernel.log -- sh -c 'uname -r; dmesg | grep DMAR'
  go test -c ./driver && espalier vm -- ./driver.test -test.v`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			if len(args) == 0 {
				return errors.New("no command to run in the guest; give one behind --, as in `espalier vm -- espalier devices`")
			}
			return runVM(cmd, s, f, args)
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // flags behind the command are the command's
	flags.Int(keyNICs, 2, "number of cards, 0 to "+fmt.Sprint(vm.MaxCards))
	flags.StringSlice(keyWire, nil, "other end of the cards' wires: guest, or as for serve (default: join for two cards)")
	flags.String(keyWireMirror, "", "where the frames on the wires can be seen too: guest, at the guest's interface "+vm.TapInterface+"; none; or as for serve (default: guest for two cards that are joined)")
	flags.StringSlice(keyNet, nil, "network interface of the guest, at a socket of this machine: stream:PATH, QEMU's -netdev stream protocol, connecting")
	flags.String(keyPcapng, "", "record the frames on the wires to this file, with simulated times")
	flags.String(keyWave, "", "record waveforms of the first card to this .fst file (simulator only, slow)")
	flags.String(keyIOMMU, "on", "on: an IOMMU protects the guest's memory from cards that VFIO drives, others reach all of it; off: there is none, so that VFIO takes no card and --device is sysfs:ADDRESS")
	flags.Int(keyMemory, vm.DefaultMemory, "memory of the guest in MiB")
	flags.Int(keyCPUs, vm.DefaultCPUs, "processors of the guest")
	flags.Int(keyHugePages, 0, "huge pages of 2 MiB that the guest sets aside")
	flags.StringSlice(keyModules, nil, "more kernel modules to load; ipsec stands for all of the kernel's IPsec")
	flags.Duration(keyTimeout, 0, "time limit of the command, as in 90s (default: none)")
	s.learn(flags)
	flags.StringArrayVar(&f.env, "env", nil, "environment of the command, NAME=VALUE; again for more")
	flags.StringArrayVar(&f.out, "out", nil, "folder of this machine that the guest can write to, at the same path; made if needed; again for more")
	flags.StringVar(&f.console, "console", "", "write the guest's kernel log to this file")
	flags.BoolVarP(&f.interactive, "interactive", "i", false, "pass this terminal's input to the command (other input always is)")
	flags.BoolVar(&f.asJSON, "json", false, "print times and exit code as the last line of the standard error, as JSON")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say what is done and how long it took")
	_ = cmd.RegisterFlagCompletionFunc(keyWire, cobra.FixedCompletions( // the flag exists
		[]string{wireGuest, "join", "loop", "none", "tap:", "packet:", "stream:", "stream-listen:"}, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc(keyWireMirror, cobra.FixedCompletions(
		[]string{wireGuest, wireNone, "tap:", "packet:", "stream:", "stream-listen:"}, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc(keyIOMMU, cobra.FixedCompletions([]string{"on", "off"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagFilename(keyPcapng, "pcapng")
	_ = cmd.MarkFlagFilename(keyWave, "fst")
	_ = cmd.MarkFlagDirname("out")
	cmd.AddCommand(newVMPrepareCommand())
	return cmd
}

func newVMPrepareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "prepare",
		Short: "Fetch QEMU and the guest's kernel, if they are not there",
		Long: `Fetches what "espalier vm" needs into the cache folder (ESPALIER_CACHE, by default the user's
cache folder): QEMU and virtiofsd of Debian trixie and trixie-backports, and the kernel of
Debian 12. Nothing is installed on this machine. Does nothing when they are there.`,
		Example: `  espalier vm prepare
  ESPALIER_MIRROR=http://deb.debian.org/debian espalier vm prepare`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options := vmOptions(cmd.ErrOrStderr())
			if _, err := debian.PrepareQEMU(cmd.Context(), options); err != nil {
				return err
			}
			_, err := debian.PrepareKernel(cmd.Context(), options)
			return err
		},
	}
}

// vmOptions has preparation tell what it does.
func vmOptions(stderr io.Writer) debian.Options {
	return debian.Options{Log: func(line string) { fmt.Fprintf(stderr, "espalier vm: %s\n", line) }}
}

// vmTimes is the line of JSON about a run, times in seconds.
type vmTimes struct {
	ExitCode int     `json:"exit_code"`
	Signal   string  `json:"signal,omitempty"`
	Cards    float64 `json:"cards"`
	Prepare  float64 `json:"prepare"`
	Boot     float64 `json:"boot"`
	Run      float64 `json:"run"`
	Stop     float64 `json:"stop"`
	Total    float64 `json:"total"`
}

func runVM(cmd *cobra.Command, s *settings, f vmFlags, command []string) (err error) {
	begin := time.Now()
	stderr := cmd.ErrOrStderr()
	config, err := vmConfig(cmd, s, f, command)
	if err != nil {
		return err
	}
	nics := s.viper.GetInt(keyNICs)
	if nics < 0 || nics > vm.MaxCards {
		return fmt.Errorf("--%s is %d; 0 to %d are allowed", keyNICs, nics, vm.MaxCards)
	}
	if err := config.Check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	// Before the cards: a first use spends its time here.
	if _, err := debian.PrepareQEMU(ctx, config.Prepare); err != nil {
		return err
	}
	if _, err := debian.PrepareKernel(ctx, config.Prepare); err != nil {
		return err
	}
	if f.console != "" {
		file, err := os.Create(f.console)
		if err != nil {
			return fmt.Errorf("--console %s: %w", f.console, errors.Unwrap(err))
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		config.Console = file
	}
	var cards time.Duration
	if nics > 0 {
		starting := time.Now()
		stop, err := serveForGuest(ctx, cancel, s, nics, &config)
		if err != nil {
			return err
		}
		cards = time.Since(starting)
		defer func() {
			ended := stop()
			if err == nil || isExit(err) && ended != nil {
				err = ended // recordings are not complete: that is news
			}
		}()
	}
	result, err := vm.Run(ctx, config)
	if err != nil {
		if cmd.Context().Err() != nil {
			return cmd.Context().Err()
		}
		var died *vm.GuestError
		if errors.As(err, &died) && f.console == "" && died.Console != "" {
			fmt.Fprintf(stderr, "espalier vm: the end of the guest's kernel log:\n%s\n", indent(died.Console))
		}
		return err
	}
	times := vmTimes{
		ExitCode: result.ExitCode, Signal: result.Signal, Cards: cards.Seconds(), Prepare: result.Prepare.Seconds(),
		Boot: result.Boot.Seconds(), Run: result.Run.Seconds(), Stop: result.Stop.Seconds(), Total: time.Since(begin).Seconds(),
	}
	if f.verbose {
		fmt.Fprintf(stderr, "espalier vm: cards ready after %.2f s, guest booted in %.2f s, command ran for %.2f s, guest ended in %.2f s; %.2f s in all\n",
			times.Cards, times.Boot, times.Run, times.Stop, times.Total)
		if result.Signal != "" {
			fmt.Fprintf(stderr, "espalier vm: the command was ended by %s\n", result.Signal)
		}
	}
	if f.asJSON {
		if err := json.NewEncoder(stderr).Encode(times); err != nil {
			return err
		}
	}
	if result.ExitCode != 0 {
		return exitError(result.ExitCode)
	}
	return nil
}

// indent sets lines off from others.
func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// vmConfig is what flags and settings say of the guest.
func vmConfig(cmd *cobra.Command, s *settings, f vmFlags, command []string) (vm.Config, error) {
	v := s.viper
	config := vm.Config{
		Command: command, Shares: f.out, Memory: v.GetInt(keyMemory), CPUs: v.GetInt(keyCPUs), HugePages: v.GetInt(keyHugePages),
		Modules: v.GetStringSlice(keyModules), Timeout: v.GetDuration(keyTimeout),
		Stdin: cmd.InOrStdin(), Stdout: cmd.OutOrStdout(), Stderr: cmd.ErrOrStderr(),
		Prepare: vmOptions(cmd.ErrOrStderr()),
	}
	if file, is := config.Stdin.(*os.File); is && term.IsTerminal(int(file.Fd())) && !f.interactive {
		config.Stdin = nil // reading it would stop a job in the background
	}
	if f.verbose {
		config.Log = config.Prepare.Log
	}
	switch iommu := v.GetString(keyIOMMU); iommu {
	case "on":
	case "off":
		config.NoIOMMU = true
	default:
		return config, fmt.Errorf("--%s is %q; on and off are allowed", keyIOMMU, iommu)
	}
	for _, network := range v.GetStringSlice(keyNet) {
		path, is := strings.CutPrefix(network, netStream)
		if !is || path == "" {
			return config, fmt.Errorf("--%s is %q; stream:PATH is allowed", keyNet, network)
		}
		config.Networks = append(config.Networks, path)
	}
	for _, folder := range f.out {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return config, fmt.Errorf("--out %s: %w", folder, errors.Unwrap(err))
		}
	}
	config.Env = f.env
	return config, nil
}

// serveForGuest serves the cards from a process of its own and completes the
// guest's configuration by them. If that process ends too early, it cancels.
func serveForGuest(ctx context.Context, cancel context.CancelCauseFunc, s *settings, nics int, config *vm.Config) (stop func() error, err error) {
	dir, remove, err := vm.Folder()
	if err != nil {
		return nil, fmt.Errorf("sockets of the cards: %w", err)
	}
	defer func() {
		if err != nil {
			_ = remove() // that is not why it failed
		}
	}()
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("server of the cards: %w", err)
	}
	argv := []string{program, "serve", "--json"}
	var names []string
	for i := range nics {
		socket := filepath.Join(dir, fmt.Sprintf("nic%d.sock", i))
		config.Cards = append(config.Cards, socket)
		name := vm.CardAddress(i)
		if config.NoIOMMU {
			name = "sysfs:" + name
		}
		names = append(names, name)
		argv = append(argv, "--"+keySocket, socket)
	}
	wires := slices.Clone(s.viper.GetStringSlice(keyWire))
	if len(wires) == 1 && wires[0] == wireGuest {
		wires = slices.Repeat(wires, nics)
	}
	var ends []string
	for i, wire := range wires {
		if wire == wireGuest {
			socket := filepath.Join(dir, fmt.Sprintf("wire%d.sock", i))
			wire = "stream-listen:" + socket
			ends = append(ends, socket)
		}
		argv = append(argv, "--"+keyWire, wire)
	}
	config.Networks = append(ends, config.Networks...)
	mirror := mirrorFor(s.viper.GetString(keyWireMirror), nics, wires)
	if mirror == wireGuest {
		config.Mirror = filepath.Join(dir, "mirror.sock")
		mirror = "stream-listen:" + config.Mirror
	}
	// Also where there is none: the server looks at the environment too.
	argv = append(argv, "--"+keyWireMirror, mirror)
	argv = append(argv, serveSettings(s)...)
	var log io.Writer
	if config.Log != nil {
		log = config.Stderr
	}
	env := []string{"ESPALIER_DEVICE=" + strings.Join(names, ",")}
	if config.Mirror != "" {
		env = append(env, "ESPALIER_WIRE_TAP="+vm.TapInterface)
	}
	config.Env = append(env, config.Env...)
	server, err := vm.StartServer(ctx, argv, log)
	if err != nil {
		return nil, err
	}
	stopping := make(chan struct{})
	go func() {
		select {
		case <-stopping:
		case <-server.Ended():
			cancel(server.Err())
		}
	}()
	return func() error {
		close(stopping)
		return errors.Join(server.Stop(), remove())
	}, nil
}

// mirrorFor is where the mirror of the wires is, as for serve, or wireGuest. Two
// cards that are joined have it in the guest if nothing else is asked for.
func mirrorFor(asked string, nics int, wires []string) string {
	switch {
	case asked == wireNone:
		return ""
	case asked == "" && nics == 2 && !slices.ContainsFunc(wires, func(w string) bool { return w != wireJoin }):
		return wireGuest
	}
	return asked
}

// serveSettings are the settings that the cards' server takes over from here, as
// its flags: it looks at the same file and environment, but flags are stronger.
func serveSettings(s *settings) []string {
	args := []string{"--" + keyDevice, s.device(), "--" + keySeed, fmt.Sprint(s.seed())}
	for key, value := range map[string]string{
		keySimLibrary: s.simLibrary(), keyFirmware: s.firmware(), keyPcapng: s.viper.GetString(keyPcapng), keyWave: s.viper.GetString(keyWave),
		keyConfig: s.path,
	} {
		if value != "" {
			args = append(args, "--"+key, value)
		}
	}
	for key, value := range s.simOptions() {
		args = append(args, "--"+keySimOptions, key+"="+value)
	}
	return args
}
