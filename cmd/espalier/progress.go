// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/espalier-nic/espalier/regress"
)

// progress is the live line of a run: packets, cycles, cycles/s, mismatches.
// Where nobody watches (no terminal) it is silent.
type progress struct {
	bar   *progressbar.ProgressBar
	start time.Time
	next  time.Time
}

// Time between two updates of the line.
const progressPeriod = 100 * time.Millisecond

func newProgress(w io.Writer, packets int) *progress {
	p := &progress{start: time.Now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(packets,
			progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(20), progressbar.OptionShowCount(),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false), progressbar.OptionThrottle(progressPeriod))
	}
	return p
}

func (p *progress) update(state regress.Progress) {
	now := time.Now()
	if p.bar == nil || now.Before(p.next) {
		return
	}
	p.next = now.Add(progressPeriod)
	text := fmt.Sprintf("%d mismatches", state.Mismatches)
	if state.Cycles > 0 {
		text = fmt.Sprintf("%d cycles, %.0f k/s, %s", state.Cycles, float64(state.Cycles)/1000/now.Sub(p.start).Seconds(), text)
	}
	p.bar.Describe(text)
	_ = p.bar.Set(state.Done) // a line that cannot be drawn is no reason to stop
}

func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
