// SPDX-License-Identifier: Apache-2.0

package protocol

import "sync"

// message is one received message.
type message struct {
	header  Header
	payload []byte
	fds     Descriptors
}

var messages = sync.Pool{New: func() any { return new(message) }}

// newMessage returns a message with room for the payload that h announces.
func newMessage(h Header, fds Descriptors) *message {
	m := messages.Get().(*message)
	size := int(h.Size) - HeaderSize
	if cap(m.payload) < size {
		m.payload = make([]byte, size)
	}
	m.header, m.payload, m.fds = h, m.payload[:size], fds
	return m
}

// release closes descriptors that were not taken and gives back the memory.
func (m *message) release() {
	m.fds.Close()
	m.fds = nil
	messages.Put(m)
}

// Reply is the peer's answer to a command.
type Reply struct {
	// Payload is what follows the header. FDs are those that came with it.
	Payload []byte
	FDs     Descriptors

	message *message
}

// Release closes descriptors that were not taken and lets the memory of the
// payload be used again. It must be called once where descriptors may have come.
func (r *Reply) Release() {
	if r.message != nil {
		r.message.release()
		r.message, r.Payload, r.FDs = nil, nil, nil
	}
}

// Request is one command of the peer, valid until the handler returns.
type Request struct {
	Header Header
	// Payload is what follows the header.
	Payload []byte
	// FDs came with the command. Those that the handler does not take are
	// closed when it answers or returns.
	FDs Descriptors

	conn     *Conn
	message  *message
	answered bool
}

// Reply answers the command. The descriptors stay the caller's. Nothing is sent for
// a posted command, nor by a second answer. A command that the handler does not
// answer is refused with EINVAL.
func (r *Request) Reply(payload []byte, fds []int) error {
	return r.answer(FlagReply, 0, payload, fds)
}

// ReplyError refuses the command.
func (r *Request) ReplyError(reason Errno) error {
	return r.answer(FlagReply|FlagError, reason, nil, nil)
}

func (r *Request) answer(flags Flags, errno Errno, payload []byte, fds []int) error {
	if r.answered {
		return nil
	}
	r.answered = true
	r.FDs.Close() // before the peer knows that the command is done
	if r.Header.Posted() {
		return nil
	}
	return r.conn.sendAnswer(Header{ID: r.Header.ID, Command: r.Header.Command, Flags: flags, Errno: errno}, payload, fds)
}
