// SPDX-License-Identifier: Apache-2.0

// Package fifo tests espalier_fifo.
package fifo

import (
	"bytes"
	"fmt"
	"math/rand"
	"testing"

	"github.com/espalier-nic/espalier/verilator/unit/bench"
)

func TestOrderAndCount(t *testing.T) {
	for _, depth := range []int{3, 16} {
		exe := bench.Build(t, bench.Unit{
			Name:    "fifo",
			Top:     "espalier_fifo",
			Bench:   "testdata/tb.cpp",
			Sources: []string{"rtl/espalier_fifo.sv"},
			Params:  map[string]string{"DEPTH": fmt.Sprint(depth)},
		})
		for _, rates := range [][2]int{{100, 100}, {100, 30}, {30, 100}, {50, 50}} {
			t.Run(fmt.Sprintf("depth %d, %d%% valid, %d%% ready", depth, rates[0], rates[1]), func(t *testing.T) {
				in := make([]byte, 5000)
				rand.New(rand.NewSource(1)).Read(in)
				out := bench.Run(t, exe, in, "1", fmt.Sprint(rates[0]), fmt.Sprint(rates[1]))
				if !bytes.Equal(in, out) {
					t.Errorf("%d bytes in, %d out, not the same", len(in), len(out))
				}
			})
		}
	}
}
