// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// serverPatience is how long a server of cards may take to end when asked to:
// it completes recordings.
const serverPatience = 10 * time.Second

// readyPatience is how long it may take to become ready.
const readyPatience = 2 * time.Minute

// Server is a program that serves cards over vfio-user while a guest runs.
type Server struct{ process *process }

// StartServer starts the program of argv, `espalier serve --json ...` or another
// one that says it is ready as that does, with a line {"ready":true,...} on its
// standard output; and waits until it has. If it says something else, or ends,
// the error has its words. What it writes to its standard error goes to log,
// which may be nil.
func StartServer(ctx context.Context, argv []string, log io.Writer) (*Server, error) {
	if len(argv) == 0 {
		return nil, errors.New("server of the cards: no program")
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	output, theirs, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("server of the cards: %w", err)
	}
	cmd.Stdout = theirs
	p, err := start("the cards' server", cmd, log)
	theirs.Close()
	if err != nil {
		output.Close()
		return nil, err
	}
	s := &Server{p}
	ready := make(chan error, 1)
	go func() {
		defer output.Close()
		lines := bufio.NewReader(output)
		line, err := lines.ReadString('\n')
		var said struct{ Ready bool }
		if err == nil && (json.Unmarshal([]byte(line), &said) != nil || !said.Ready) {
			err = fmt.Errorf("it said %q", strings.TrimSpace(line))
		}
		ready <- err
		_, _ = io.Copy(io.Discard, lines) // its end is noticed by itself
	}()
	select {
	case <-ctx.Done():
		s.Stop()
		return nil, context.Cause(ctx)
	case <-time.After(readyPatience):
		s.Stop()
		return nil, fmt.Errorf("the cards' server did not become ready within %v: %w", readyPatience, ErrTimeout)
	case err := <-ready:
		switch {
		case errors.Is(err, io.EOF):
			<-p.done
			return nil, p.ended()
		case err != nil:
			s.Stop()
			return nil, fmt.Errorf("the cards' server did not become ready: %w", err)
		}
	}
	return s, nil
}

// Ended is closed when the server has ended, by itself or stopped.
func (s *Server) Ended() <-chan struct{} { return s.process.done }

// Err is the sentence about a server that has ended.
func (s *Server) Err() error { return s.process.ended() }

// Stop ends the server, and answers when it has ended whether it ended well.
func (s *Server) Stop() error {
	s.process.stop(serverPatience)
	if s.process.err != nil {
		return s.process.ended()
	}
	return nil
}
