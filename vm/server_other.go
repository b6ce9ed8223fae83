// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package vm

import (
	"context"
	"io"

	"github.com/espalier-nic/espalier/vm/debian"
)

// Server is a program that serves cards over vfio-user while a guest runs.
type Server struct{}

// StartServer needs Linux: its error is debian.ErrUnavailable.
func StartServer(context.Context, []string, io.Writer) (*Server, error) {
	return nil, debian.ErrUnavailable
}

// Ended is closed when the server has ended.
func (s *Server) Ended() <-chan struct{} { return nil }

// Err is the sentence about a server that has ended.
func (s *Server) Err() error { return nil }

// Stop ends the server.
func (s *Server) Stop() error { return nil }
