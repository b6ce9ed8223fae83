// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// rawPeer is the other end of a Conn, written and read by hand.
type rawPeer struct {
	t testing.TB
	*net.UnixConn
}

func newRawPeer(t testing.TB, options Options) (*Conn, rawPeer) {
	t.Helper()
	a, b := socketPair(t)
	c := NewConn(a, options)
	t.Cleanup(func() {
		c.Close()
		<-c.Handled()
	})
	return c, rawPeer{t, b}
}

func (p rawPeer) send(h Header, payload []byte, fds ...int) {
	p.t.Helper()
	h.Size = uint32(HeaderSize + len(payload))
	var control []byte
	if len(fds) > 0 {
		control = unix.UnixRights(fds...)
	}
	if _, _, err := p.WriteMsgUnix(append(h.Append(nil), payload...), control, nil); err != nil {
		p.t.Error(err)
	}
}

func (p rawPeer) receive() (Header, []byte) {
	p.t.Helper()
	buf := make([]byte, HeaderSize)
	if _, err := io.ReadFull(p, buf); err != nil {
		p.t.Error(err)
		return Header{}, nil
	}
	h, err := ParseHeader(buf)
	if err != nil {
		p.t.Error(err)
		return Header{}, nil
	}
	payload := make([]byte, h.Size-HeaderSize)
	if _, err := io.ReadFull(p, payload); err != nil {
		p.t.Error(err)
	}
	return h, payload
}

// ends checks that the connection ends for a reason.
func ends(t *testing.T, c *Conn, want error) {
	t.Helper()
	select {
	case <-c.Ended():
	case <-timeout(t).Done():
		t.Fatal("connection did not end")
	}
	if !errors.Is(c.Err(), want) {
		t.Errorf("connection ended with %v, want %v", c.Err(), want)
	}
}

func TestSizes(t *testing.T) {
	for _, test := range []struct {
		name string
		size uint32
		good bool
	}{
		{"0", 0, false},
		{"15", 15, false},
		{"16", 16, true},
		{"largest", 1000 + 32, true},
		{"one more", 1000 + 33, false},
		{"4 GiB", 0xffffffff, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, peer := newRawPeer(t, Options{MaxDataXferSize: 1000, Handle: echo})
			b := Header{Command: CommandRegionWrite, Size: test.size}.Append(nil)
			if test.good {
				b = append(b, make([]byte, test.size-HeaderSize)...)
			}
			if _, err := peer.Write(b); err != nil {
				t.Fatal(err)
			}
			if test.good {
				if h, _ := peer.receive(); h.Size != test.size {
					t.Errorf("reply is %+v", h)
				}
				return
			}
			ends(t, c, ErrProtocol)
			var size *SizeError
			if !errors.As(c.Err(), &size) || size.Size != uint64(test.size) {
				t.Errorf("reason is %v", c.Err())
			}
			if _, err := peer.Read(make([]byte, 1)); err == nil {
				t.Error("connection is still open for the peer")
			}
		})
	}
}

func TestTruncated(t *testing.T) {
	whole := append(Header{Command: CommandRegionWrite, Size: 36}.Append(nil), make([]byte, 20)...)
	for n := range whole {
		c, peer := newRawPeer(t, Options{Handle: func(*Request) { t.Error("truncated command was handled") }})
		if _, err := peer.Write(whole[:n]); err != nil {
			t.Fatal(err)
		}
		peer.Close()
		want := ErrProtocol
		if n == 0 {
			want = io.EOF
		}
		ends(t, c, want)
	}
}

// TestSlowly sends a message byte by byte, with descriptors on its first.
func TestSlowly(t *testing.T) {
	got := make(chan []int, 1)
	_, peer := newRawPeer(t, Options{Handle: func(r *Request) { got <- append([]int(nil), r.FDs...) }})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	whole := append(Header{Command: CommandDMAUnmap, Size: 20}.Append(nil), 1, 2, 3, 4)
	for i := range whole {
		var control []byte
		if i == 0 {
			control = unix.UnixRights(int(r.Fd()), int(w.Fd()))
		}
		if _, _, err := peer.WriteMsgUnix(whole[i:i+1], control, nil); err != nil {
			t.Fatal(err)
		}
	}
	if fds := <-got; len(fds) != 2 || fds[0] < 0 || fds[1] < 0 {
		t.Errorf("descriptors are %v", fds)
	}
}

// openDescriptors counts this process's descriptors.
func openDescriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestDescriptorsNotTaken sends descriptors with commands that nobody takes them of,
// handled or not, and with replies that come too late.
func TestDescriptorsNotTaken(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fd := int(file.Fd())
	before := openDescriptors(t)
	for range 50 {
		a, b := socketPair(t)
		c := NewConn(a, Options{})
		peer := rawPeer{t, b}
		peer.send(Header{Command: CommandDMAUnmap}, nil, fd, fd, fd)
		peer.receive()
		peer.send(Header{Command: CommandDMAUnmap, Flags: FlagNoReply}, nil, fd)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = c.Call(ctx, CommandDMARead, nil, nil)
		}()
		h, _ := peer.receive()
		cancel()
		<-done
		peer.send(Header{ID: h.ID, Command: h.Command, Flags: FlagReply}, nil, fd)
		peer.send(Header{Command: CommandVersion}, nil)
		peer.receive()
		peer.send(Header{Command: CommandVersion, Flags: 7}, nil, fd)
		<-c.Handled()
		c.Close()
		b.Close()
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors are open, before there were %d", after, before)
	}
}

func TestTooManyDescriptors(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	before := openDescriptors(t)
	for _, n := range []int{3, 4, 253} {
		a, b := socketPair(t)
		c := NewConn(a, Options{MaxFDs: 3, Handle: echo})
		fds := make([]int, n)
		for i := range fds {
			fds[i] = int(file.Fd())
		}
		peer := rawPeer{t, b}
		peer.send(Header{Command: CommandSetIRQs}, nil, fds...)
		if n == 3 {
			peer.receive()
		} else {
			ends(t, c, ErrProtocol)
		}
		c.Close()
		<-c.Handled()
		b.Close()
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors are open, before there were %d", after, before)
	}
}

// TestTake passes a pipe and uses it.
func TestTake(t *testing.T) {
	a, b := connPair(t, Options{Handle: func(r *Request) {
		f := r.FDs.TakeFile(0, "pipe")
		if f == nil || r.FDs.TakeFile(0, "pipe") != nil || r.FDs.Take(1) != -1 || r.FDs.Take(-1) != -1 {
			t.Error("descriptor cannot be taken, or more than once")
			return
		}
		defer f.Close()
		if _, err := f.WriteString("through"); err != nil {
			t.Error(err)
		}
		_ = r.Reply(nil, []int{int(f.Fd())})
	}}, Options{})
	_ = a
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	reply, err := b.Call(timeout(t), CommandDMAMap, nil, []int{int(w.Fd())})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if len(reply.FDs) != 1 {
		t.Fatalf("%d descriptors came with the reply", len(reply.FDs))
	}
	reply.Release()
	text, err := io.ReadAll(r) // ends when every copy of w is closed
	if err != nil || string(text) != "through" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestOrder pipelines commands and checks the order in which they are handled, and
// that each reply has its own number, also where the peer uses the same for all.
func TestOrder(t *testing.T) {
	const n = 5000 // more than the reader takes in before the handler
	var next uint32
	_, peer := newRawPeer(t, Options{Handle: func(r *Request) {
		if got := binary.LittleEndian.Uint32(r.Payload); got != next {
			t.Errorf("command %d is handled after %d others", got, next)
		}
		next++
		_ = r.Reply(r.Payload, nil)
	}})
	go func() {
		for i := range uint32(n) {
			peer.send(Header{Command: CommandRegionRead}, binary.LittleEndian.AppendUint32(nil, i))
		}
	}()
	for i := range uint32(n) {
		h, payload := peer.receive()
		if h.ID != 0 || h.Command != CommandRegionRead || !h.Reply() || binary.LittleEndian.Uint32(payload) != i {
			t.Fatalf("reply %d is %+v %x", i, h, payload)
		}
	}
}

// TestManyCalls has many goroutines call at once in both directions.
func TestManyCalls(t *testing.T) {
	a, b := connPair(t, Options{Handle: echo}, Options{Handle: echo})
	ctx := timeout(t)
	var wg sync.WaitGroup
	for g := range 16 {
		c := []*Conn{a, b}[g%2]
		wg.Go(func() {
			for i := range 200 {
				want := bytes.Repeat([]byte{byte(g), byte(i)}, 1+i*7)
				reply, err := c.Call(ctx, CommandRegionRead, want, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if !bytes.Equal(reply.Payload, want) {
					t.Errorf("goroutine %d got another's reply", g)
				}
				reply.Release()
			}
		})
	}
	wg.Wait()
}

// TestRepliesInAnyOrder has the peer answer in reverse.
func TestRepliesInAnyOrder(t *testing.T) {
	c, peer := newRawPeer(t, Options{})
	const n = 10
	ctx := timeout(t)
	var wg sync.WaitGroup
	for i := range byte(n) {
		wg.Go(func() {
			reply, err := c.Call(ctx, CommandDMARead, []byte{i}, nil)
			if err != nil {
				t.Error(err)
			} else if !bytes.Equal(reply.Payload, []byte{i}) {
				t.Errorf("call %d got %x", i, reply.Payload)
			}
		})
	}
	var headers []Header
	var payloads [][]byte
	for range n {
		h, payload := peer.receive()
		headers, payloads = append(headers, h), append(payloads, payload)
	}
	for i := n - 1; i >= 0; i-- {
		peer.send(Header{ID: headers[i].ID, Command: headers[i].Command, Flags: FlagReply}, payloads[i])
	}
	wg.Wait()
}

func TestPost(t *testing.T) {
	var posted atomic.Int64
	c, _ := connPair(t, Options{}, Options{Handle: func(r *Request) {
		if r.Header.Posted() {
			posted.Add(1)
			if err := r.Reply([]byte("not wanted"), nil); err != nil {
				t.Error(err)
			}
			return
		}
		_ = r.Reply(nil, nil)
	}})
	for range 100 {
		if err := c.Post(CommandRegionWrite, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Call(timeout(t), CommandDeviceReset, nil, nil); err != nil {
		t.Fatal(err)
	}
	if posted.Load() != 100 {
		t.Errorf("%d of 100 posted commands came before the call", posted.Load())
	}
}

// TestPostedAnswered is a peer that answers posted commands as well.
func TestPostedAnswered(t *testing.T) {
	c, peer := newRawPeer(t, Options{})
	ctx := timeout(t)
	for i := range 10 {
		if err := c.Post(CommandRegionWrite, nil, nil); err != nil {
			t.Fatal(err)
		}
		h, _ := peer.receive()
		if !h.Posted() {
			t.Fatalf("posted command is %+v", h)
		}
		done := make(chan error)
		go func() {
			reply, err := c.Call(ctx, CommandRegionWrite, nil, nil)
			if err == nil && string(reply.Payload) != "right" {
				err = errors.New("call got the reply to a posted command")
			}
			done <- err
		}()
		peer.send(Header{ID: h.ID, Command: h.Command, Flags: FlagReply}, []byte("wrong"))
		h, _ = peer.receive()
		peer.send(Header{ID: h.ID, Command: h.Command, Flags: FlagReply}, []byte("right"))
		if err := <-done; err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
}

func TestWrongReplies(t *testing.T) {
	for _, test := range []struct {
		name  string
		reply func(h Header) Header
	}{
		{"other number", func(h Header) Header { h.ID++; return h }},
		{"other command", func(h Header) Header { h.Command++; return h }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, peer := newRawPeer(t, Options{})
			done := make(chan error)
			go func() {
				_, err := c.Call(timeout(t), CommandDMARead, nil, nil)
				done <- err
			}()
			h, _ := peer.receive()
			h = test.reply(h)
			h.Flags = FlagReply
			peer.send(h, nil)
			ends(t, c, ErrProtocol)
			if err := <-done; !errors.Is(err, ErrClosed) || !errors.Is(err, ErrProtocol) {
				t.Errorf("call: %v", err)
			}
		})
	}
}

// TestErrorReplies has errors with and without a number, and with a payload that
// should not be there.
func TestErrorReplies(t *testing.T) {
	c, peer := newRawPeer(t, Options{})
	for _, test := range []struct {
		errno   Errno
		payload []byte
	}{{ENODEV, nil}, {0, nil}, {1234, []byte("junk")}} {
		done := make(chan error)
		go func() {
			_, err := c.Call(timeout(t), CommandDMARead, nil, nil)
			done <- err
		}()
		h, _ := peer.receive()
		peer.send(Header{ID: h.ID, Command: h.Command, Flags: FlagReply | FlagError, Errno: test.errno}, test.payload)
		var remote *RemoteError
		if err := <-done; !errors.As(err, &remote) || remote.Errno != test.errno || remote.Command != CommandDMARead {
			t.Errorf("error is %v, want errno %d", err, test.errno)
		}
	}
}

// TestLateReply is a call whose context ends; its reply is dropped, and its number
// is not used before.
func TestLateReply(t *testing.T) {
	c, peer := newRawPeer(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := c.Call(ctx, CommandDMARead, nil, nil)
		done <- err
	}()
	late, _ := peer.receive()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("call: %v", err)
	}
	seen := 0
	for range firstPostID { // all numbers come round once
		go func() {
			_, err := c.Call(timeout(t), CommandDMARead, nil, nil)
			done <- err
		}()
		h, _ := peer.receive()
		if h.ID == late.ID {
			seen++
		}
		peer.send(Header{ID: h.ID, Command: h.Command, Flags: FlagReply}, nil)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if seen != 0 {
		t.Error("the number of the abandoned call was used again")
	}
	peer.send(Header{ID: late.ID, Command: late.Command, Flags: FlagReply}, []byte("late"))
	go func() {
		_, err := c.Call(timeout(t), CommandDMAWrite, nil, nil)
		done <- err
	}()
	h, _ := peer.receive()
	peer.send(Header{ID: h.ID, Command: h.Command, Flags: FlagReply}, nil)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestTryCall(t *testing.T) {
	release := make(chan struct{})
	c, peer := newRawPeer(t, Options{Handle: func(r *Request) { <-release }})
	ctx := timeout(t)

	// While nothing is unanswered it is a call.
	done := make(chan error)
	try := func() {
		_, err := c.TryCall(ctx, CommandDMARead, nil, nil)
		done <- err
	}
	go try()
	h, _ := peer.receive()
	peer.send(Header{ID: h.ID, Command: h.Command, Flags: FlagReply}, nil)
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	// A posted command is nothing that the peer waits for, a command is.
	go try()
	late, _ := peer.receive()
	peer.send(Header{Command: CommandRegionWrite, Flags: FlagNoReply}, nil)
	select {
	case err := <-done:
		t.Fatalf("gave way to a posted command: %v", err)
	default:
	}
	peer.send(Header{Command: CommandRegionRead}, nil)
	if err := <-done; !errors.Is(err, ErrGaveWay) || !errors.Is(err, ErrPeerWaiting) {
		t.Fatalf("gave way with %v", err)
	}

	// And while it waits nothing is sent.
	if !c.Waiting() {
		t.Error("the peer does not wait")
	}
	if _, err := c.TryCall(ctx, CommandDMARead, nil, nil); !errors.Is(err, ErrPeerWaiting) || errors.Is(err, ErrGaveWay) {
		t.Fatalf("second call: %v", err)
	}
	peer.send(Header{ID: late.ID, Command: late.Command, Flags: FlagReply}, nil)
	close(release)
	if h, _ := peer.receive(); h.Command != CommandRegionRead || !h.Reply() {
		t.Errorf("next message is %+v", h)
	}
}

// TestCallIdle has calls wait until two commands of the peer are answered, and go
// out right behind the second answer.
func TestCallIdle(t *testing.T) {
	seen := make(chan struct{})
	release := make(chan struct{})
	c, peer := newRawPeer(t, Options{Handle: func(r *Request) {
		seen <- struct{}{}
		<-release
		_ = r.Reply(nil, nil)
	}})
	peer.send(Header{Command: CommandRegionRead, ID: 1}, nil)
	<-seen
	peer.send(Header{Command: CommandRegionRead, ID: 2}, nil)
	for {
		c.mu.Lock()
		n := c.unanswered
		c.mu.Unlock()
		if n == 2 {
			break
		}
	}
	const calls = 3
	done := make(chan error, calls)
	for range calls {
		go func() {
			_, err := c.CallIdle(timeout(t), CommandDMAWrite, []byte("x"), nil)
			done <- err
		}()
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancelled := make(chan error)
	go func() {
		_, err := c.CallIdle(ctx, CommandDMARead, nil, nil)
		cancelled <- err
	}()
	for {
		c.mu.Lock()
		n := len(c.whenIdle)
		c.mu.Unlock()
		if n == calls+1 {
			break
		}
	}
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled call: %v", err)
	}
	release <- struct{}{}
	if h, _ := peer.receive(); h.ID != 1 || !h.Reply() {
		t.Fatalf("first message is %+v", h)
	}
	<-seen
	release <- struct{}{}
	if h, _ := peer.receive(); h.ID != 2 || !h.Reply() {
		t.Fatalf("second message is %+v", h)
	}
	for range calls {
		h, _ := peer.receive()
		if h.Reply() || h.Command != CommandDMAWrite {
			t.Fatalf("message is %+v, want DMA_WRITE", h)
		}
		peer.send(Header{ID: h.ID, Command: h.Command, Flags: FlagReply}, nil)
	}
	for range calls {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestCloseWhileWaiting ends the connection under every kind of call.
func TestCloseWhileWaiting(t *testing.T) {
	block := make(chan struct{})
	started := make(chan struct{})
	c, peer := newRawPeer(t, Options{Handle: func(*Request) {
		close(started)
		<-block
	}})
	defer close(block)
	done := make(chan error)
	go func() {
		_, err := c.Call(context.Background(), CommandDMARead, nil, nil)
		done <- err
	}()
	peer.receive()
	peer.send(Header{Command: CommandRegionRead}, nil)
	<-started
	go func() {
		_, err := c.CallIdle(context.Background(), CommandDMARead, nil, nil)
		done <- err
	}()
	c.Close()
	for range 2 {
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("call: %v", err)
		}
	}
	if err := c.Post(CommandRegionWrite, nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("post: %v", err)
	}
}

// TestFloodWhileCalling has the handler wait for a reply that is behind far more
// commands than the reader takes in otherwise.
func TestFloodWhileCalling(t *testing.T) {
	var c *Conn
	ready := make(chan struct{})
	var handled atomic.Int64
	c, peer := newRawPeer(t, Options{Handle: func(r *Request) {
		<-ready
		if handled.Add(1) == 1 {
			if _, err := c.Call(timeout(t), CommandDMARead, nil, nil); err != nil {
				t.Error(err)
			}
		}
	}})
	close(ready)
	peer.send(Header{Command: CommandRegionWrite, Flags: FlagNoReply}, nil)
	h, _ := peer.receive()
	for range 4 * softCommands {
		peer.send(Header{Command: CommandRegionWrite, Flags: FlagNoReply}, nil)
	}
	peer.send(Header{ID: h.ID, Command: h.Command, Flags: FlagReply}, nil)
	peer.send(Header{Command: CommandDeviceReset}, nil)
	peer.receive()
	if n := handled.Load(); n != 4*softCommands+2 {
		t.Errorf("%d commands were handled", n)
	}
}

// TestFlood is a peer that never answers the handler's call and sends on.
func TestFlood(t *testing.T) {
	var c *Conn
	ready := make(chan struct{})
	done := make(chan error, 1)
	c, peer := newRawPeer(t, Options{Handle: func(r *Request) {
		<-ready
		_, err := c.Call(context.Background(), CommandDMARead, nil, nil)
		select {
		case done <- err:
		default:
		}
	}})
	close(ready)
	b := Header{Command: CommandRegionWrite, Flags: FlagNoReply, Size: HeaderSize}.Append(nil)
	for range hardFactor*softCommands + 2 {
		if _, err := peer.Write(b); err != nil {
			break // sent away
		}
	}
	ends(t, c, ErrProtocol)
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("call: %v", err)
	}
}

// TestLastCommands: what a peer sends before it closes is handled.
func TestLastCommands(t *testing.T) {
	var n atomic.Int64
	c, peer := newRawPeer(t, Options{Handle: func(*Request) { n.Add(1) }})
	for range 100 {
		peer.send(Header{Command: CommandRegionWrite, Flags: FlagNoReply}, nil)
	}
	peer.Close()
	<-c.Handled()
	if n.Load() != 100 {
		t.Errorf("%d of 100 commands were handled", n.Load())
	}
}

// TestCloseInHandler closes the connection from inside.
func TestCloseInHandler(t *testing.T) {
	var c *Conn
	ready := make(chan struct{})
	c, peer := newRawPeer(t, Options{Handle: func(r *Request) {
		<-ready
		_ = r.ReplyError(EINVAL)
		c.Close()
	}})
	close(ready)
	peer.send(Header{Command: CommandVersion}, nil)
	if h, _ := peer.receive(); h.Flags != FlagReply|FlagError || h.Errno != EINVAL {
		t.Errorf("answer is %+v", h)
	}
	<-c.Handled()
	if c.Err() != ErrClosed {
		t.Errorf("reason is %v", c.Err())
	}
}
