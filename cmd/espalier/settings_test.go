// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// FuzzConfiguration: whatever a file holds, it is taken or refused in one line.
func FuzzConfiguration(f *testing.F) {
	f.Add("device: gonic\nseed: 7\n")
	f.Add("devise: gonic\n")
	f.Add(saYAML(nil))
	f.Add(saYAML(map[string]string{"spi": "0x100000000", "esn": "perhaps"}))
	f.Add("sas: [1, {spi: 2}]\n")
	f.Add("sas:\n  - &a {spi: 1}\n  - *a\n")
	f.Add("a: [\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := newSettings()
		s.addFlags(pflag.NewFlagSet("", pflag.ContinueOnError))
		err := s.check("fuzz.yaml", []byte(text))
		if err == nil {
			_, err = parseSAs(s.sas)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("message has several lines: %q", err)
		}
	})
}

func TestCompletionOffersRegisters(t *testing.T) {
	folder := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"__complete", "regs", "peek", "cap_"}, "cap_size\n"},
		{[]string{"__complete", "regs", "dump", "ctrl."}, "ctrl.loopback\n"},
		{[]string{"__complete", "regs", "poke", "txq"}, "txq[0].tail\n"},
	} {
		if out, _, err := espalier(t, folder, "", c.args...); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%v: %v, wanted is %q in\n%s", c.args, err, c.want, out)
		}
	}
}
