// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// socketPair returns two connected sockets.
func socketPair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	return socketOf(t, fds[0]), socketOf(t, fds[1])
}

func socketOf(t testing.TB, fd int) *net.UnixConn {
	t.Helper()
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UnixConn)
}

// connPair returns two connected ends.
func connPair(t testing.TB, a, b Options) (*Conn, *Conn) {
	t.Helper()
	sa, sb := socketPair(t)
	ca, cb := NewConn(sa, a), NewConn(sb, b)
	t.Cleanup(func() {
		ca.Close()
		cb.Close()
		<-ca.Handled()
		<-cb.Handled()
	})
	return ca, cb
}

func timeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func echo(r *Request) { _ = r.Reply(r.Payload, nil) }

func TestCallBothWays(t *testing.T) {
	var b *Conn
	ctx := timeout(t)
	ready := make(chan struct{})
	// b answers a read only after it has read from a, whose reader must
	// therefore take in a command while a waits.
	a, b := connPair(t, Options{Handle: echo}, Options{Handle: func(r *Request) {
		<-ready
		reply, err := b.Call(ctx, CommandDMARead, []byte("back"), nil)
		if err != nil {
			t.Error(err)
			return
		}
		_ = r.Reply(append([]byte("got "), reply.Payload...), nil)
		reply.Release()
	}})
	close(ready)
	reply, err := a.Call(ctx, CommandRegionRead, []byte("forth"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(reply.Payload) != "got back" {
		t.Fatalf("reply is %q", reply.Payload)
	}
}

func TestUnansweredIsRefused(t *testing.T) {
	a, _ := connPair(t, Options{}, Options{})
	_, err := a.Call(timeout(t), 99, nil, nil)
	var remote *RemoteError
	if !errors.As(err, &remote) || remote.Errno != EINVAL || !errors.Is(err, EINVAL) {
		t.Fatalf("error is %v", err)
	}
}

func TestPeerCloses(t *testing.T) {
	a, b := connPair(t, Options{}, Options{})
	b.Close()
	<-a.Ended()
	if a.Err() != io.EOF {
		t.Fatalf("reason is %v", a.Err())
	}
	if _, err := a.Call(timeout(t), CommandDeviceReset, nil, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("call: %v", err)
	}
}
