// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package protocol

import (
	"io"
	"net"
)

// stream is a connected socket.
type stream struct{ *net.UnixConn }

// newStream takes over a socket.
func newStream(socket *net.UnixConn) (*stream, error) { return &stream{socket}, nil }

// readMsg reads bytes and the control message that comes with them.
func (s *stream) readMsg(p, control []byte) (n, nc, flags int, err error) {
	n, nc, flags, _, err = s.ReadMsgUnix(p, control)
	if err == nil && n == 0 {
		err = io.EOF
	}
	return n, nc, flags, err
}

// writeMsg writes all bytes, with a control message on the first.
func (s *stream) writeMsg(p, control []byte) error {
	if len(control) > 0 {
		n, _, err := s.WriteMsgUnix(p, control, nil)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	if len(p) == 0 {
		return nil
	}
	_, err := s.Write(p)
	return err
}
