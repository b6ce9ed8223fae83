// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestMirrorFor(t *testing.T) {
	for _, c := range []struct {
		asked string
		nics  int
		wires []string
		want  string
	}{
		{"", 2, nil, "guest"},
		{"", 2, []string{"join"}, "guest"},
		{"", 2, []string{"join", "join"}, "guest"},
		{"", 2, []string{"loop"}, ""},
		{"", 2, []string{"guest", "guest"}, ""},
		{"", 1, nil, ""},
		{"", 3, nil, ""},
		{"none", 2, nil, ""},
		{"guest", 1, []string{"tap:x"}, "guest"},
		{"stream:m.sock", 2, nil, "stream:m.sock"},
	} {
		if got := mirrorFor(c.asked, c.nics, c.wires); got != c.want {
			t.Errorf("--wire-mirror %q, %d cards, wires %q: %q, want %q", c.asked, c.nics, c.wires, got, c.want)
		}
	}
}
