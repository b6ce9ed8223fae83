// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"testing"

	"github.com/spf13/cobra"
)

// The simulator's options are the same by every way that settings come.
func TestSimOptions(t *testing.T) {
	for _, c := range []struct {
		name, file, environment string
		args                    []string
		want                    map[string]string
	}{
		{name: "none", want: map[string]string{}},
		{name: "file", file: "sim-options:\n  a: 1\n  b: 2\n", want: map[string]string{"a": "1", "b": "2"}},
		{name: "environment", environment: "a=1, b=2", want: map[string]string{"a": "1", "b": "2"}},
		{name: "flag", args: []string{"--sim-options", "a=1,b=2"}, want: map[string]string{"a": "1", "b": "2"}},
		{name: "flag over environment", environment: "a=1", args: []string{"--sim-options", "a=2"}, want: map[string]string{"a": "2"}},
		{name: "environment over file", file: "sim-options:\n  a: 1\n", environment: "b=2", want: map[string]string{"b": "2"}},
		{name: "no value", environment: "a", want: map[string]string{"a": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if c.file != "" {
				write(t, ".", defaultConfig, c.file)
			}
			if c.environment != "" {
				t.Setenv("ESPALIER_SIM_OPTIONS", c.environment)
			}
			s, cmd := newSettings(), &cobra.Command{}
			s.addFlags(cmd.Flags())
			if err := cmd.ParseFlags(c.args); err != nil {
				t.Fatal(err)
			}
			if err := s.load(cmd); err != nil {
				t.Fatal(err)
			}
			if got := s.simOptions(); !maps.Equal(got, c.want) {
				t.Errorf("options are %v, want %v", got, c.want)
			}
		})
	}
}
