// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/espalier-nic/espalier/regs"
)

// version of the toolkit; a release build sets it with -ldflags "-X main.version=...".
var version = "development"

func newVersionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of the program and of the register interface it knows",
		Example: "  espalier version --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info := struct {
				Version   string `json:"version"`
				Commit    string `json:"commit,omitempty"`
				Registers string `json:"registers"`
				Go        string `json:"go"`
			}{
				Version:   version,
				Commit:    commit(),
				Registers: fmt.Sprintf("%d.%d.%d", regs.VersionMajor, regs.VersionMinor, regs.VersionPatch),
				Go:        runtime.Version(),
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(info)
			}
			text := "espalier " + info.Version
			if info.Commit != "" {
				text += " (" + info.Commit + ")"
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s, register interface %s, %s\n", text, info.Registers, info.Go)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// commit is the version control revision that Go stamped into the program, if any.
func commit() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return ""
}
