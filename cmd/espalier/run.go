// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/regress"
)

// Keys of the settings of `espalier run`.
const (
	keyOut      = "out"
	keyForce    = "force"
	keyESPSA    = "esp-sa"
	keyMode     = "mode"
	keyKeys     = "keys"
	keyESN      = "esn"
	keyMaxSAs   = "max-sas"
	keyQueues   = "queues"
	keyWave     = "wave"
	keyWireTap  = "wire-tap"
	keyLoopback = "loopback"
	keyCaptures = "captures"
)

// Names of the files that a run leaves in its folder.
const (
	wireFile   = "wire.pcapng"
	resultFile = "result.json"
)

func newRunCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [CAPTURE ...]",
		Short: "Push captures through two NICs, or one in loopback, and judge every packet",
		Long: `Reads captures (pcap or pcapng), frames each IP packet as ESP, has one NIC encrypt it,
carries the frame to a second NIC that decrypts it, and compares what the golden model says
with every frame on the wire, every frame handed up, every result word, and the packet
that comes out in the end.

Cards: --device 0000:03:00.0,0000:04:00.0 sends from the first and receives at the second, which
a cable joins (or the wire of ` + "`espalier serve --wire join`" + `); frames on the cable are judged where --wire-tap shows them. One
card alone, --device 0000:03:00.0, is judged in its internal loopback, in two passes: what it
encrypts comes back as it would be on the wire; the same frames are then sent again and decrypted.
The result says what could not be seen.

SAs are made up from the seed, of every kind that --mode, --keys and --esn allow, unless the
configuration file lists them under "sas".

Writes ` + wireFile + ` and ` + resultFile + ` to the folder of --out.`,
		Example: `  espalier run tests/captures/http.pcap
  espalier run --device gonic --mode tunnel --keys 256 my.pcapng
  espalier run --device 0000:03:00.0 tests/captures/http.pcap
  espalier run --device 0000:03:00.0,0000:04:00.0 --wire-tap eth1 tests/captures/http.pcap
  espalier run --seed 7 --wave waves.fst --esp-sa esp_sa tests/captures/dns.pcap`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.load(cmd); err != nil {
				return err
			}
			return runRun(cmd, s, args)
		},
	}
	flags := cmd.Flags()
	flags.String(keyOut, "out/run", "folder for the results")
	flags.Bool(keyForce, false, "overwrite results in that folder")
	flags.String(keyESPSA, "", "also write the keys, as a Wireshark esp_sa file of mode 0600")
	flags.String(keyMode, "mixed", "mode of the SAs: transport, tunnel, mixed")
	flags.String(keyKeys, "mixed", "AES key bits of the SAs: 128, 192, 256, mixed")
	flags.String(keyESN, "mixed", "extended sequence numbers: on, off, mixed")
	flags.Int(keyMaxSAs, 256, "most SAs to make")
	flags.Int(keyQueues, 0, "queue pairs to use, 0 for all")
	flags.String(keyWave, "", "record waveforms of the sending NIC to this .fst file (simulator only, slow)")
	flags.String(keyWireTap, "", "`WIRE` that shows the frames between two cards: an interface of this machine on a mirror port (packet socket), or stream:PATH, where espalier serve has its --wire-mirror")
	flags.Bool(keyLoopback, false, "judge one NIC in its internal loopback also with --device sim or gonic; one card alone always is")
	flags.StringSlice(keyCaptures, nil, "captures to run when none is named as an argument")
	s.learn(flags)
	return cmd
}

func runRun(cmd *cobra.Command, s *settings, captures []string) error {
	ctx := cmd.Context()
	if len(captures) == 0 {
		captures = s.viper.GetStringSlice(keyCaptures)
	}
	if len(captures) == 0 {
		return errors.New("no capture is named; give at least one pcap or pcapng file, as in `espalier run tests/captures/http.pcap`")
	}
	out := s.viper.GetString(keyOut)
	if err := prepareFolder(out, s.viper.GetBool(keyForce)); err != nil {
		return err
	}
	var packets []regress.Packet
	for _, path := range captures {
		more, err := regress.LoadCapture(path)
		if err != nil {
			return err
		}
		packets = append(packets, more...)
	}
	variety, err := regress.ParseVariety(s.viper.GetString(keyMode), s.viper.GetString(keyKeys), s.viper.GetString(keyESN), s.viper.GetInt(keyMaxSAs))
	if err != nil {
		return err
	}
	sas, err := parseSAs(s.sas)
	if err != nil {
		return err
	}

	queues := s.viper.GetInt(keyQueues)
	config := s.deviceConfig(s.viper.GetString(keyWave))
	config.Loopback = s.viper.GetBool(keyLoopback)
	if cmd.Flags().Changed(keyWireTap) || config.HasCable() {
		// What is not said with the command is about the machine: where it shows the
		// cable, if a run uses it.
		config.WireTap = s.viper.GetString(keyWireTap)
	}
	bed, err := regress.OpenBed(ctx, config, driver.Options{TXQueues: queues, RXQueues: queues})
	if err != nil {
		return err
	}
	defer bed.Close()

	rng := rand.New(rand.NewPCG(s.seed(), 0))
	if len(sas) == 0 {
		sas = regress.MakeSAs(packets, variety, rng)
	}
	caps := bed.Sender.Capabilities()
	if err := regress.CheckSAs(sas, caps.SACapacity); err != nil {
		return err
	}
	plan, err := regress.NewPlan(packets, sas, caps.MaxFrame, rng)
	if err != nil {
		return err
	}

	progress := newProgress(cmd.ErrOrStderr(), len(packets))
	opts := regress.RunOptions{MaxMismatches: 10, StallCycles: 200_000, Progress: progress.update}
	var files []string
	var wire *regress.WireFile // nil: there is nothing to write
	if bed.Sight != regress.Unseen {
		path := filepath.Join(out, wireFile)
		if wire, err = regress.CreateWireFile(path, caps.ClockMHz); err != nil {
			return err
		}
		defer wire.Abandon()
		opts.OnFrame, files = wire.Write, append(files, path)
	}
	start := time.Now()
	result, err := regress.Run(ctx, bed, plan, opts)
	progress.done()
	if err != nil {
		return err
	}
	result.Complete = true
	result.Device, result.Build, result.Seed = bed.Device, bed.Build, s.seed()
	for _, c := range captures {
		result.Captures = append(result.Captures, filepath.Base(c))
	}
	result.Timing.Seconds = time.Since(start).Seconds()
	result.Timing.CyclesPerSecond = float64(result.Cycles) / result.Timing.Seconds

	if wire != nil {
		if err := wire.Commit(); err != nil {
			return err
		}
	}
	resultPath := filepath.Join(out, resultFile)
	if err := result.Write(resultPath); err != nil {
		return err
	}
	files = append(files, resultPath)
	if path := s.viper.GetString(keyESPSA); path != "" {
		if err := regress.WriteESPSA(path, sas); err != nil {
			return err
		}
		files = append(files, path)
	}
	for _, m := range result.Mismatches {
		fmt.Fprintf(cmd.OutOrStdout(), "MISMATCH %s\n", m)
	}
	printResult(cmd.OutOrStdout(), result, files)
	if result.Counts.Mismatches > 0 {
		return errMismatch
	}
	return nil
}

// prepareFolder makes the folder, and refuses one that holds results already.
func prepareFolder(folder string, force bool) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("results folder %s cannot be made: %w; --out chooses another", folder, errors.Unwrap(err))
	}
	for _, name := range []string{wireFile, resultFile} {
		path := filepath.Join(folder, name)
		if _, err := os.Lstat(path); err != nil {
			continue
		}
		if !force {
			return fmt.Errorf("%s exists already; --force overwrites it, --out chooses another folder", path)
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("%s cannot be removed: %w", path, errors.Unwrap(err))
		}
	}
	return nil
}

// whereSeen is a figure about the wire, if anything has shown the wire.
func whereSeen(r *regress.Result, figure any) any {
	if !r.WireSeen {
		return "not seen"
	}
	return figure
}

// printResult prints the closing table.
func printResult(w io.Writer, r *regress.Result, files []string) {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.Style().Options.SeparateRows = false
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}})
	verdict := "all as the golden model says"
	if r.Counts.Mismatches > 0 {
		verdict = fmt.Sprintf("%d MISMATCHES", r.Counts.Mismatches)
	}
	t.AppendHeader(table.Row{"device", r.Device})
	t.AppendRow(table.Row{"packets", r.Packets})
	t.AppendRow(table.Row{"  sent as ESP", r.Protected})
	t.AppendRow(table.Row{"  on the wire", whereSeen(r, r.OnWire)})
	t.AppendRow(table.Row{"  delivered", r.Delivered})
	t.AppendRow(table.Row{"  decrypted", r.Decrypted})
	t.AppendRow(table.Row{"SAs", r.SAs})
	t.AppendRow(table.Row{"bytes on the wire", whereSeen(r, r.WireBytes)})
	t.AppendRow(table.Row{"seed", r.Seed})
	if r.Cycles > 0 {
		t.AppendRow(table.Row{"simulated cycles", r.Cycles})
		t.AppendRow(table.Row{"cycles per second", fmt.Sprintf("%.0f", r.Timing.CyclesPerSecond)})
	}
	t.AppendRow(table.Row{"seconds", fmt.Sprintf("%.1f", r.Timing.Seconds)})
	t.AppendFooter(table.Row{"verdict", verdict})
	t.Style().Format.Footer = text.FormatDefault
	t.Style().Format.Header = text.FormatDefault
	t.Render()
	for _, what := range r.NotSeen {
		fmt.Fprintf(w, "not seen: %s\n", what)
	}
	for _, f := range files {
		fmt.Fprintf(w, "wrote %s\n", f)
	}
}
