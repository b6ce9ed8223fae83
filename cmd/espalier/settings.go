// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/internal/nearest"
	"github.com/espalier-nic/espalier/regress"
)

// defaultConfig is read when it is there and --config names no other.
const defaultConfig = "espalier.yaml"

// Keys of the settings that every command understands. A key is a flag's name,
// a key of the YAML file, and, in capitals behind ESPALIER_, of the environment.
const (
	keyDevice     = "device"
	keySimLibrary = "sim-library"
	keySimOptions = "sim-options"
	keyFirmware   = "firmware"
	keyPCIID      = "pci-id"
	keySeed       = "seed"
	keyConfig     = "config"
	keySAs        = "sas" // in the YAML file only: a list
)

// settings is the merged view of flags, environment and file.
type settings struct {
	viper *viper.Viper
	// path of the file that was read, "" if none.
	path string
	sas  []saConfig
	// gateway is the file's section of that name, nil if it has none.
	gateway *gatewayFile
	// ids are the vendor and device IDs that a card may have.
	ids []discover.ID
	// known are the keys a file may hold: the flags of all commands, sas and gateway.
	known []string
	// warnings is where warnings go.
	warnings io.Writer
}

func newSettings() *settings {
	v := viper.New()
	v.SetEnvPrefix("espalier")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	return &settings{viper: v, known: []string{keySAs, keyGateway}}
}

// addFlags adds the flags of all commands.
func (s *settings) addFlags(flags *pflag.FlagSet) {
	flags.String(keyDevice, "sim", "`DEVICE` to drive: sim (the RTL), sim:LIBRARY.so, gonic (the model in Go; gonic:mailbox and gonic:window are with and without a control processor), vfio-user:SOCKET (what espalier serve shows), 0000:03:00.0 (a card, through VFIO), or sysfs:0000:03:00.0 (a card without VFIO)")
	flags.String(keySimLibrary, "", "simulator library for --device sim (default: libespalier_sim.so beside the program or in build/sim)")
	flags.StringToString(keySimOptions, nil, "simulator options as KEY=VALUE,..., such as mem_read_latency_max=200; see verilator/espalier_sim.h")
	flags.String(keyFirmware, "", "image for the NIC's control processor (default: espalier_fw.bin beside the simulator library, beside the program or in build/firmware)")
	flags.StringSlice(keyPCIID, []string{discover.Espalier().String()}, "vendor and device IDs, VENDOR:DEVICE, of the cards that are ours")
	flags.Uint64(keySeed, 1, "seed of everything random; the same seed repeats a run exactly")
	flags.String(keyConfig, "", "YAML file with settings (default: "+defaultConfig+" if present)")
	s.learn(flags)
}

// learn makes the flags' names known as keys of the file.
func (s *settings) learn(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != keyConfig && f.Name != "help" {
			s.known = append(s.known, f.Name)
		}
	})
}

// load merges everything for cmd. It is the first thing a command does.
func (s *settings) load(cmd *cobra.Command) (err error) {
	s.warnings = cmd.ErrOrStderr()
	if err := s.viper.BindPFlags(cmd.Flags()); err != nil {
		return err
	}
	if err := s.loadFile(); err != nil {
		return err
	}
	s.ids, err = parsePCIIDs(keyPCIID, s.viper.GetStringSlice(keyPCIID))
	return err
}

// loadFile reads the YAML file, if there is one.
func (s *settings) loadFile() error {
	path := s.viper.GetString(keyConfig)
	if path == "" {
		if _, err := os.Stat(defaultConfig); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		path = defaultConfig
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration %s cannot be read: %w", path, errors.Unwrap(err))
	}
	if err := s.check(path, raw); err != nil {
		return err
	}
	s.viper.SetConfigType("yaml")
	if err := s.viper.ReadConfig(strings.NewReader(string(raw))); err != nil {
		return fmt.Errorf("configuration %s is not valid YAML: %w", path, err)
	}
	s.path = path
	return nil
}

// check refuses keys that no command knows and reads the SA list, strictly.
func (s *settings) check(path string, raw []byte) error {
	var top map[string]yaml.Node
	if err := yaml.Unmarshal(raw, &top); err != nil {
		return fmt.Errorf("configuration %s is not a YAML mapping: %s", path, oneLine(err))
	}
	keys := make([]string, 0, len(top))
	for key := range top {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if !slices.Contains(s.known, key) {
			return fmt.Errorf("configuration %s has the unknown key %q; nearest is %q", path, key, nearest.Name(key, s.known))
		}
	}
	if node, ok := top[keySAs]; ok {
		sas, err := decodeSAs(&node)
		if err != nil {
			return fmt.Errorf("configuration %s: %w", path, err)
		}
		s.sas = sas
	}
	if node, ok := top[keyGateway]; ok {
		gateway, err := decodeGateway(&node)
		if err != nil {
			return fmt.Errorf("configuration %s: %w", path, err)
		}
		s.gateway = gateway
	}
	return nil
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

func (s *settings) device() string     { return s.viper.GetString(keyDevice) }
func (s *settings) simLibrary() string { return s.viper.GetString(keySimLibrary) }
func (s *settings) firmware() string   { return s.viper.GetString(keyFirmware) }
func (s *settings) seed() uint64       { return s.viper.GetUint64(keySeed) }

// parsePCIIDs reads the IDs that a flag names. The environment has them with
// commas or spaces between, in one string.
func parsePCIIDs(flag string, texts []string) (ids []discover.ID, err error) {
	for _, text := range strings.FieldsFunc(strings.Join(texts, ","), func(r rune) bool { return r == ',' || r == ' ' }) {
		id, err := discover.ParseID(text)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w; `lspci -n` shows those of this machine", flag, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// warn prints a warning.
func (s *settings) warn(text string) { fmt.Fprintf(s.warnings, "espalier: warning: %s\n", text) }

// deviceConfig is what the settings say of the device.
func (s *settings) deviceConfig(wave string) regress.DeviceConfig {
	return regress.DeviceConfig{
		Device: s.device(), Library: s.simLibrary(), Options: s.simOptions(), Seed: s.seed(), Wave: wave, Firmware: s.firmware(),
		IDs: s.ids, Warn: s.warn,
	}
}

// openDevice opens the one device that a command works on.
func (s *settings) openDevice(ctx context.Context) (*regress.Device, error) {
	return regress.OpenDevice(ctx, s.deviceConfig(""))
}

// simOptions takes the environment's value in the form of the flag; viper would
// take JSON there, and anything else for nothing.
func (s *settings) simOptions() map[string]string {
	text, ok := s.viper.Get(keySimOptions).(string)
	if !ok {
		return s.viper.GetStringMapString(keySimOptions)
	}
	options := map[string]string{}
	for _, pair := range strings.Split(text, ",") {
		if key, value, _ := strings.Cut(strings.TrimSpace(pair), "="); key != "" {
			options[key] = value
		}
	}
	return options
}
