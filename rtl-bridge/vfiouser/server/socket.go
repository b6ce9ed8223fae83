// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net"
	"os"
	"sync"
)

// socket is a listening socket and its file.
type socket struct {
	path     string
	listener *net.UnixListener
	// file identifies the socket file, which may have been replaced since.
	file   os.FileInfo
	once   sync.Once
	closed chan struct{}
	err    error
}

// close stops listening and removes the file if it is still this socket's.
func (s *socket) close() error {
	s.once.Do(func() {
		close(s.closed)
		if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.file) {
			s.err = os.Remove(s.path)
		}
		if err := s.listener.Close(); err != nil {
			s.err = err
		}
	})
	return s.err
}
