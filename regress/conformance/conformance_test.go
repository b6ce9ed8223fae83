// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/regress"
)

// goNIC is the Go NIC under test.
var goNIC = Target{Name: "gonic", Open: func(ctx context.Context, number int) (*regress.Port, error) {
	return regress.OpenPort(ctx, regress.DeviceConfig{Device: "gonic", Seed: 1}, number)
}}

var rowsFlag = flag.String("rows", "", "check only these rows, ids with commas between them")

// checked is the one run that all tests here look at.
var checked = sync.OnceValues(func() (*Report, error) {
	opts := Options{Quick: testing.Short(), Jobs: runtime.GOMAXPROCS(0), Timeout: 2 * time.Minute}
	if *rowsFlag != "" {
		opts.Rows = strings.Split(*rowsFlag, ",")
	}
	return Run(context.Background(), goNIC, opts)
})

// TestRows has one subtest for each row of the table, on the Go NIC. A row
// without checks is no failure here; that rows do not lose their checks is
// TestDocument's business.
func TestRows(t *testing.T) {
	report, err := checked()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		t.Run(r.ID, func(t *testing.T) {
			if r.Status == Fail {
				t.Errorf("%s: %s", r.Feature, r.Failure)
			}
			t.Logf("%s %s, %.2f s", r.Status, r.ScaleText(), r.Seconds)
		})
	}
}

// TestDocument: docs/conformance.md says of the Go NIC what is the case.
func TestDocument(t *testing.T) {
	report, err := checked()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range Outdated(string(page), report) {
		t.Errorf("docs/conformance.md: %s; `make conformance` writes it anew", wrong)
	}
	// And it would say so if it were not.
	if len(report.Results) > 0 {
		broken := *report
		broken.Results = append([]Result(nil), report.Results...)
		broken.Results[0].Status = Fail
		if len(Outdated(string(page), &broken)) == 0 {
			t.Error("a page with another status passes")
		}
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
