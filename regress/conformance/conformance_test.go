// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/regress"
)

// goNIC is the Go NIC under test.
var goNIC = Target{Name: "gonic", Open: func(ctx context.Context, number int) (*regress.Port, error) {
	return regress.OpenPort(ctx, regress.DeviceConfig{Device: "gonic", Seed: 1}, number)
}}

// TestRows has one subtest for each row of the table, on the Go NIC. A row
// without checks is no failure here; that rows do not lose their checks is
// TestDocument's business.
func TestRows(t *testing.T) {
	rows, err := Rows()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		t.Run(row.ID, func(t *testing.T) {
			t.Parallel()
			report, err := Run(context.Background(), goNIC, Options{Rows: []string{row.ID}, Quick: testing.Short(), Timeout: 2 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if r := report.Results[0]; r.Status == Fail {
				t.Errorf("%s, %s: %s", r.ID, r.Feature, r.Failure)
			}
			t.Logf("%s %s %.2f s", report.Results[0].Status, report.Results[0].ScaleText(), report.Results[0].Seconds)
		})
	}
}

// TestTable holds the data to its form.
func TestTable(t *testing.T) {
	rows, err := Rows() // checks tags, features, names of checks
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for _, group := range []struct {
		prefix string
		count  int
	}{
		{"CAP", 6}, {"CFG", 7}, {"ADD", 14}, {"UPD", 4}, {"DEL", 5}, {"TX", 12}, {"LSO", 9}, {"RX", 15},
		{"TUN", 5}, {"UDP", 4}, {"ESN", 2}, {"INT", 7}, {"LIFE", 6}, {"MUX", 2},
	} {
		for i := range group.count {
			id := fmt.Sprintf("%s-%d", group.prefix, i+1)
			if next >= len(rows) || rows[next].ID != id {
				t.Fatalf("row %d is not %s", next+1, id)
			}
			next++
		}
	}
	if next != 98 || len(rows) != 98 {
		t.Errorf("%d rows, the table has 98", len(rows))
	}
	named := map[string]bool{}
	for _, r := range rows {
		for _, name := range append(r.Checks, r.Otherwise...) {
			named[name] = true
		}
	}
	for name := range checks {
		if !named[name] {
			t.Errorf("no row names the check %q", name)
		}
	}
}
