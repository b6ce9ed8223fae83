// SPDX-License-Identifier: Apache-2.0

//go:build unix

package protocol

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// maxKernelFDs is the most descriptors that Linux passes with one message
// (SCM_MAX_FD); room for all, so that none is dropped unseen.
const maxKernelFDs = 253

// controlSize is the room for the control message that carries descriptors.
var controlSize = unix.CmsgSpace(maxKernelFDs * 4)

// controlTruncated is the flag for a control message that did not fit, or whose
// descriptors this process has no room for.
const controlTruncated = unix.MSG_CTRUNC

// appendDescriptors appends the descriptors in a control message to fds. On an
// error they are closed, those in fds too.
func appendDescriptors(fds Descriptors, control []byte) (Descriptors, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		fds.Close()
		return nil, fmt.Errorf("parse control message: %w", err)
	}
	for i := range messages {
		m := &messages[i]
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_RIGHTS {
			continue
		}
		more, err := unix.ParseUnixRights(m)
		if err != nil {
			fds.Close()
			return nil, fmt.Errorf("parse descriptors: %w", err)
		}
		fds = append(fds, more...)
	}
	return fds, nil
}

func controlMessage(fds []int) []byte { return unix.UnixRights(fds...) }

func closeDescriptor(fd int) { _ = unix.Close(fd) }
