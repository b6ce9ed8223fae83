// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/espalier-nic/espalier/driver"
)

// Status is what became of a row.
type Status string

// The values of Status, in the order in which they are reported.
const (
	// Pass: every check of the row passed.
	Pass Status = "pass"
	// Fail: one did not.
	Fail Status = "fail"
	// NotAdvertised: the NIC does not state the feature that the row is about,
	// and was shown to refuse it or to leave it alone.
	NotAdvertised Status = "not advertised"
	// NotYet: no check shows it.
	NotYet Status = "not yet"
)

// Statuses are all of them in the order in which they are reported.
var Statuses = []Status{Pass, Fail, NotAdvertised, NotYet}

// Result is what became of one row.
type Result struct {
	Row
	Status Status `json:"status"`
	// Failure says what was wrong, of the first check that failed.
	Failure string `json:"failure,omitempty"`
	// Scales says where less was done than the row asks for.
	Scales  []Scale `json:"scales,omitempty"`
	Seconds float64 `json:"seconds"`
}

// ScaleText is the result's scales as in "2,000 of 1,000,000".
func (r *Result) ScaleText() string {
	var texts []string
	for _, s := range r.Scales {
		text := fmt.Sprintf("%s of %s", thousands(s.Done), thousands(s.Whole))
		if len(texts) == 0 || texts[len(texts)-1] != text {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "; ")
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Report is what became of all rows on one NIC.
type Report struct {
	Device  string   `json:"device"`
	Build   string   `json:"build,omitempty"`
	Results []Result `json:"rows"`
	Seconds float64  `json:"seconds"`
}

// Count returns how many rows of an origin have a status. The empty origin
// counts all.
func (r *Report) Count(origin Origin, status Status) (count int) {
	for i := range r.Results {
		if r.Results[i].Status == status && (origin == "" || r.Results[i].Origin() == origin) {
			count++
		}
	}
	return count
}

// Options say what Run does.
type Options struct {
	// Rows are the ids of the rows to check, all if empty.
	Rows []string
	// Full does everything as often as the table asks for.
	Full bool
	// Quick does things as seldom on a model as on simulated RTL.
	Quick bool
	// Jobs is how many rows are checked at once, at least 1.
	Jobs int
	// Timeout bounds one check; 0 is none.
	Timeout time.Duration
	// Progress is called when a row is done, by one goroutine at a time.
	Progress func(done, of int, result *Result)
}

// Run checks rows on a NIC. An error means that it could not be done; what is
// wrong with the NIC is in the report.
func Run(ctx context.Context, target Target, opts Options) (*Report, error) {
	rows, err := Rows()
	if err != nil {
		return nil, err
	}
	if rows, err = selectRows(rows, opts.Rows); err != nil {
		return nil, err
	}
	start := time.Now()
	first := &Bench{target: target}
	caps, err := first.capabilities(ctx)
	if err := errors.Join(err, first.close()); err != nil {
		return nil, fmt.Errorf("%s: %w", target.Name, err)
	}
	report := &Report{Device: target.Name, Build: first.build, Results: make([]Result, len(rows))}

	next := make(chan int)
	var workers sync.WaitGroup
	var progress sync.Mutex
	done := 0
	for range max(1, opts.Jobs) {
		workers.Go(func() {
			for i := range next {
				result := runRow(ctx, target, rows[i], &caps, opts)
				progress.Lock()
				report.Results[i] = result
				done++
				if opts.Progress != nil {
					opts.Progress(done, len(rows), &report.Results[i])
				}
				progress.Unlock()
			}
		})
	}
	for i := range rows {
		if ctx.Err() == nil {
			next <- i
		}
	}
	close(next)
	workers.Wait()
	report.Seconds = time.Since(start).Seconds()
	return report, ctx.Err()
}

// runRow runs the checks of one row.
func runRow(ctx context.Context, target Target, row Row, caps *driver.Capabilities, opts Options) Result {
	result := Result{Row: row, Status: NotYet}
	start := time.Now()
	names, good := row.Checks, Pass
	if !stated(row.When, caps) {
		names, good = row.Otherwise, NotAdvertised
	}
	for _, name := range names {
		scales, err := runCheck(ctx, target, name, opts)
		result.Scales = append(result.Scales, scales...)
		if err != nil {
			result.Status, result.Failure = Fail, fmt.Sprintf("%s: %s", name, strings.ReplaceAll(err.Error(), "\n", "; "))
			break
		}
		result.Status = good
	}
	result.Seconds = time.Since(start).Seconds()
	return result
}

// runCheck runs one check on NICs of its own.
func runCheck(ctx context.Context, target Target, name string, opts Options) (scales []Scale, err error) {
	if opts.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opts.Timeout)
		defer cancel()
	}
	b := &Bench{target: target, full: opts.Full, quick: opts.Quick}
	defer func() { scales, err = b.scales, errors.Join(err, b.close()) }()
	defer func() {
		if p := recover(); p != nil { // a driver that panics fails one row, not all
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return nil, checks[name](ctx, b)
}

// features are what rows may depend on, by the words that ipsecov2.yaml uses.
var features = map[string]func(*driver.Capabilities) bool{
	"AH":                        func(c *driver.Capabilities) bool { return c.AH },
	"AH+ESP":                    func(c *driver.Capabilities) bool { return c.AHESP },
	"ESN":                       func(c *driver.Capabilities) bool { return c.ESN },
	"LSO":                       func(c *driver.Capabilities) bool { return c.LSO },
	"UDP-ESP":                   func(c *driver.Capabilities) bool { return c.UDPESP != 0 },
	"VLAN":                      func(c *driver.Capabilities) bool { return c.EncapsulationMask&(4|8) != 0 },
	"options":                   func(c *driver.Capabilities) bool { return c.IPv4Options || c.IPv6ExtHeaders },
	"transport in tunnel":       func(c *driver.Capabilities) bool { return c.TransportTunnel },
	"checksums with IPsec":      func(*driver.Capabilities) bool { return false }, // no register states them
	"large sends without IPsec": func(c *driver.Capabilities) bool { return c.LSO },
}

// stated says whether a row's "when" holds.
func stated(when string, caps *driver.Capabilities) bool {
	if when == "" {
		return true
	}
	name, absent := strings.CutPrefix(when, "no ")
	return features[name](caps) != absent
}
