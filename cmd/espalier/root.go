// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// newRootCommand builds the whole command tree.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "espalier",
		Short: "Drive an IPsec NIC, real or simulated, and judge every packet",
		Long: `Espalier drives an IPsec NIC through one driver, whatever is behind it: RTL under
Verilator in this process, a model in Go, a PCIe card, or a vfio-user server that shows one.
Every packet the NIC makes or takes is compared with a golden model.

Settings come from flags, then the environment (ESPALIER_DEVICE, ...), then a YAML
file (--config, or espalier.yaml in this folder), in that order of strength.

Exit codes: 0 all is well, 1 the NIC was wrong, 2 the request could not be carried out.`,
		Example: `  espalier run tests/captures/http.pcap
  espalier run --device gonic --seed 7 my.pcapng
  espalier regs dump ctrl status`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	settings := newSettings()
	settings.addFlags(root.PersistentFlags())
	_ = root.MarkPersistentFlagFilename(keyFirmware, "bin") // for the shell; the flag exists
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; `%s --help` lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(
		newRunCommand(settings),
		newGatewayCommand(settings),
		newServeCommand(settings),
		newVMCommand(settings),
		newRegsCommand(settings),
		newCapsCommand(settings),
		newSACommand(settings),
		newFirmwareCommand(settings),
		newBenchCommand(settings),
		newConformanceCommand(settings),
		newDevicesCommand(settings),
		newDoctorCommand(settings),
		newVersionCommand(),
	)
	return root
}
