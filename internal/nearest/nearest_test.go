// SPDX-License-Identifier: Apache-2.0

package nearest

import "testing"

func TestName(t *testing.T) {
	candidates := []string{"device", "seed", "sim-library"}
	for name, want := range map[string]string{"devise": "device", "sed": "seed", "simlibrary": "sim-library", "": "seed"} {
		if got := Name(name, candidates); got != want {
			t.Errorf("Name(%q) = %q, want %q", name, got, want)
		}
	}
	if got := Name("x", nil); got != "" {
		t.Errorf("Name without candidates = %q, want none", got)
	}
}

func TestWithin(t *testing.T) {
	candidates := []string{"ctrl", "status", "tail"}
	for _, c := range []struct {
		name  string
		limit int
		want  string
	}{
		{"ctrl", 0, "ctrl"}, {"ctrk", 0, ""}, {"ctrk", 1, "ctrl"}, {"stat", 1, ""}, {"stat", 2, "status"}, {"tai", 2, "tail"},
		{"completely different", 3, ""}, {"", 3, ""}, {"", 4, "ctrl"},
	} {
		if got := Within(c.name, candidates, c.limit); got != c.want {
			t.Errorf("Within(%q, %d) = %q, want %q", c.name, c.limit, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
