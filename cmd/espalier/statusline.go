// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// statusPeriod is the time between two updates of a status line.
const statusPeriod = time.Second

// statusLine is where a command that runs for long says what happens: lines, and
// on a terminal one more below them that changes. Its methods may be called from
// several goroutines at once.
type statusLine struct {
	w        io.Writer
	terminal bool
	stop     chan struct{}
	ended    sync.WaitGroup

	mu    sync.Mutex
	shown bool
}

func newStatusLine(w io.Writer) *statusLine {
	f, ok := w.(*os.File)
	return &statusLine{w: w, terminal: ok && term.IsTerminal(int(f.Fd())), stop: make(chan struct{})}
}

// line prints a line.
func (s *statusLine) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintln(s.w, text)
}

// clear removes the changing line. s.mu is held.
func (s *statusLine) clear() {
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.shown = false
	}
}

// watch shows what text says of the time since it was last asked, until end.
func (s *statusLine) watch(text func(since time.Duration) string) {
	if !s.terminal {
		return
	}
	s.ended.Go(func() {
		ticker := time.NewTicker(statusPeriod)
		defer ticker.Stop()
		last := time.Now()
		for {
			select {
			case <-s.stop:
				return
			case now := <-ticker.C:
				s.mu.Lock()
				s.clear()
				fmt.Fprint(s.w, text(now.Sub(last)))
				s.shown, last = true, now
				s.mu.Unlock()
			}
		}
	})
}

// end removes the changing line for good.
func (s *statusLine) end() {
	close(s.stop)
	s.ended.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}
