// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
)

// Errno is an error number as it is on the wire: Linux's, whatever this program
// runs on.
type Errno uint32

// The numbers that the protocol's parties use.
const (
	EPERM      Errno = 1
	ENOENT     Errno = 2
	EIO        Errno = 5
	E2BIG      Errno = 7
	EAGAIN     Errno = 11
	ENOMEM     Errno = 12
	EACCES     Errno = 13
	EFAULT     Errno = 14
	EBUSY      Errno = 16
	EEXIST     Errno = 17
	ENODEV     Errno = 19
	EINVAL     Errno = 22
	ENFILE     Errno = 23
	EMFILE     Errno = 24
	ENOTTY     Errno = 25
	ENOSPC     Errno = 28
	ERANGE     Errno = 34
	EOVERFLOW  Errno = 75
	EOPNOTSUPP Errno = 95
	ETIMEDOUT  Errno = 110
)

var errnoTexts = map[Errno]string{
	EPERM:      "EPERM",
	ENOENT:     "ENOENT",
	EIO:        "EIO",
	E2BIG:      "E2BIG",
	EAGAIN:     "EAGAIN",
	ENOMEM:     "ENOMEM",
	EACCES:     "EACCES",
	EFAULT:     "EFAULT",
	EBUSY:      "EBUSY",
	EEXIST:     "EEXIST",
	ENODEV:     "ENODEV",
	EINVAL:     "EINVAL",
	ENFILE:     "ENFILE",
	EMFILE:     "EMFILE",
	ENOTTY:     "ENOTTY",
	ENOSPC:     "ENOSPC",
	ERANGE:     "ERANGE",
	EOVERFLOW:  "EOVERFLOW",
	EOPNOTSUPP: "EOPNOTSUPP",
	ETIMEDOUT:  "ETIMEDOUT",
}

// Error implements error.
func (e Errno) Error() string {
	if text, ok := errnoTexts[e]; ok {
		return fmt.Sprintf("%s (errno %d)", text, uint32(e))
	}
	return fmt.Sprintf("errno %d", uint32(e))
}

// ErrnoOf returns the number to tell the peer for err: the Errno in it, or the
// system's error number where this program runs on Linux, else EIO.
func ErrnoOf(err error) Errno {
	var e Errno
	if errors.As(err, &e) && e != 0 {
		return e
	}
	var s syscall.Errno
	if runtime.GOOS == "linux" && errors.As(err, &s) && s != 0 {
		return Errno(s)
	}
	return EIO
}
