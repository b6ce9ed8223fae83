// SPDX-License-Identifier: Apache-2.0

package server

import "sync/atomic"

// warnings are those that were given, each once per client.
type warnings struct {
	messageMode, postedError once
}

type once struct{ done atomic.Bool }

// first is true the first time.
func (o *once) first() bool { return !o.done.Swap(true) }

// warnMessageMode says what a client loses that does not share its memory.
func (s *session) warnMessageMode(what string) {
	if s.warnings.messageMode.first() {
		s.server.logf("%s without a file descriptor, so the device reaches it by slow messages, and a register read "+
			"does not wait for the device's earlier writes; with QEMU add "+
			"-object memory-backend-memfd,id=mem,size=SIZE,share=on -machine memory-backend=mem (SIZE as in -m)", what)
	}
}
