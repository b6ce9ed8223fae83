// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxPath is the longest path of a Unix socket (sun_path without its NUL).
const maxPath = 107

// backlog is how many clients the kernel lets wait.
const backlog = 16

// listen makes a listening socket at path with mode 0600.
func listen(path string, log func(string)) (*socket, error) {
	if path == "" || len(path) > maxPath {
		return nil, fmt.Errorf("socket path %q has %d characters, allowed are 1 to %d", path, len(path), maxPath)
	}
	// Servers that start at the same moment must not replace each other's
	// sockets: the folder is locked from the look at the old file to the new one.
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	defer folder.Close()
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("listen on %s: lock its folder: %w", path, err)
	}
	if err := removeStale(path, log); err != nil {
		return nil, err
	}
	fd, err := bindPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	s := &socket{path: path, closed: make(chan struct{})}
	if s.file, err = os.Lstat(path); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), os.Remove(path))
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), os.Remove(path))
	}
	s.listener = l.(*net.UnixListener)
	return s, nil
}

// removeStale makes way for a socket at path: a socket file that nobody listens on
// is removed, all else that is there is an error.
func removeStale(path string, log func(string)) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("listen on %s: %w", path, err)
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("listen on %s: a file that is not a socket is there; choose another name or remove it (rm %s)", path, path)
	}
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	switch {
	case err == nil:
		c.Close()
		return fmt.Errorf("listen on %s: another server is listening there; choose another name or end it (fuser %s shows it)", path, path)
	case errors.Is(err, unix.EAGAIN):
		// Its queue of waiting clients is full, so somebody listens.
		return fmt.Errorf("listen on %s: another server is listening there; choose another name or end it (fuser %s shows it)", path, path)
	case !errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("listen on %s: a socket is there already: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("listen on %s: remove the socket that a server left behind: %w", path, err)
	}
	log(fmt.Sprintf("%s: replaced the socket of a server that has ended", path))
	return nil
}

// bindPrivate returns a listening socket whose file has never had another mode than
// 0600: Linux gives the file the mode of the socket's inode.
func bindPrivate(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("make a socket: %w", err)
	}
	if err := unix.Fchmod(fd, 0o600); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("set the socket's mode: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return -1, errors.Join(fmt.Errorf("listen: %w", err), unix.Close(fd), os.Remove(path))
	}
	return fd, nil
}
