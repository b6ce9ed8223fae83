// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// listen opens a listening socket. That of a Unix socket has the mode 0600 from
// the first moment on.
func listen(network, target string) (net.Listener, error) {
	if network != "unix" {
		listener, err := net.Listen(network, target)
		if err != nil {
			return nil, fmt.Errorf("listen on tcp:%s: %w", target, cause(err))
		}
		return listener, nil
	}
	if err := removeStale(target); err != nil {
		return nil, err
	}
	// Made in a folder that nobody else can enter, then moved into place.
	folder, err := os.MkdirTemp(filepath.Dir(target), ".w")
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", target, cause(err))
	}
	defer os.RemoveAll(folder)
	private := filepath.Join(folder, "s")
	inner, err := net.ListenUnix(network, &net.UnixAddr{Name: private, Net: network})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", target, cause(err))
	}
	inner.SetUnlinkOnClose(false)
	l := &unixListener{UnixListener: inner, path: target}
	if err = os.Chmod(private, 0o600); err == nil {
		l.info, err = os.Lstat(private)
	}
	if err == nil {
		err = os.Rename(private, target)
	}
	if err != nil {
		inner.Close()
		return nil, fmt.Errorf("listen on %s: %w", target, cause(err))
	}
	return l, nil
}

// removeStale removes a socket that nobody listens on any more.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", path, cause(err))
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen on %s: the file exists and is no socket; choose another path", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("listen on %s: another program listens there; end it or choose another path", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("listen on %s: %w", path, cause(err))
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("listen on %s: a socket left behind cannot be removed: %w", path, cause(err))
	}
	return nil
}

// unixListener removes its socket when it is closed, if it is there still.
type unixListener struct {
	*net.UnixListener
	path string
	info os.FileInfo
}

// Close implements net.Listener.
func (l *unixListener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.info) {
		_ = os.Remove(l.path)
	}
	return l.UnixListener.Close()
}

// cause strips an error of a system call down to why it failed; what was tried
// on which path is said by the caller.
func cause(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}
