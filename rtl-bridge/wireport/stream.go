// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Bytes that a stream port holds in each direction, and that it reads and
// writes at once.
const (
	streamRoom  = 1 << 20
	streamBlock = 1 << 16
)

// A connecting port tries again after firstRetry, then after twice as long each
// time, at most lastRetry.
const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = time.Second
)

// tcpPrefix marks the address of a TCP stream, as opposed to a path.
const tcpPrefix = "tcp:"

// stream is a Port over QEMU's protocol, with whoever is at the other end now.
type stream struct {
	counters
	name     string
	next     func(context.Context) (net.Conn, error) // waits for the next peer
	release  func() error
	out, in  *frameQueue
	end      context.CancelFunc
	workers  sync.WaitGroup
	mu       sync.Mutex
	conn     net.Conn // nil: nobody is there
	finished bool
}

// OpenStream opens a port that connects to a listening end of QEMU's `-netdev
// stream` protocol, as with `-netdev stream,server=on`. address is the path of a
// Unix socket, or tcp:ADDRESS:PORT with a loopback address. Nobody needs to
// listen yet: the port tries again until somebody does, also after a loss of
// the connection. Frames sent meanwhile are lost and counted.
func OpenStream(address string) (Port, error) {
	network, target, err := streamAddress(kindStream, address)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	dial := func(ctx context.Context) (net.Conn, error) {
		for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
			conn, err := dialer.DialContext(ctx, network, target)
			if err == nil {
				return conn, nil
			}
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(delay):
			}
		}
	}
	return newStream(kindStream+":"+address, dial, func() error { return nil }), nil
}

// ListenStream opens a port that waits for connections of QEMU's `-netdev stream`
// protocol. One peer is served at a time; others wait until it leaves. address is
// as for OpenStream. A Unix socket has the mode 0600; one that a program left
// behind is replaced, one that is in use is refused.
func ListenStream(address string) (Port, error) {
	network, target, err := streamAddress(kindStreamListen, address)
	if err != nil {
		return nil, err
	}
	listener, err := listen(network, target)
	if err != nil {
		return nil, err
	}
	name := kindStreamListen + ":" + address
	if network == "tcp" {
		name = kindStreamListen + ":" + tcpPrefix + listener.Addr().String() // the port that was chosen for port 0
	}
	return newStream(name, func(context.Context) (net.Conn, error) { return listener.Accept() }, listener.Close), nil
}

// streamAddress reads the address of a stream port.
func streamAddress(kind, address string) (network, target string, err error) {
	target, isTCP := strings.CutPrefix(address, tcpPrefix)
	if !isTCP {
		// sun_path holds 108 bytes with the final zero.
		if len(address) == 0 || len(address) > 107 {
			return "", "", fmt.Errorf("wire %s: the path of a Unix socket has %d bytes, 1 to 107 are allowed", kind, len(address))
		}
		return "unix", address, nil
	}
	at, err := netip.ParseAddrPort(target)
	if err != nil || !at.Addr().IsLoopback() {
		return "", "", fmt.Errorf("wire %s: TCP address is %q; allowed are loopback addresses with a port, such as tcp:127.0.0.1:5555", kind, target)
	}
	return "tcp", target, nil
}

func newStream(name string, next func(context.Context) (net.Conn, error), release func() error) *stream {
	ctx, end := context.WithCancel(context.Background())
	s := &stream{name: name, next: next, release: release, out: newFrameQueue(streamRoom), in: newFrameQueue(streamRoom), end: end}
	s.workers.Go(func() { s.meet(ctx) })
	s.workers.Go(s.write)
	return s
}

// meet serves one peer after another.
func (s *stream) meet(ctx context.Context) {
	for {
		conn, err := s.next(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// Such as too many open files: the listener lives on.
			select {
			case <-ctx.Done():
				return
			case <-time.After(firstRetry):
				continue
			}
		}
		if !s.setConn(conn) {
			return
		}
		s.readFrom(conn)
		s.dropConn(conn)
	}
}

// setConn makes conn the one that frames go to. It closes it and returns false
// after Close.
func (s *stream) setConn(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished {
		conn.Close()
		return false
	}
	s.conn = conn
	s.connection.Add(1)
	return true
}

// dropConn forgets conn and what was to be sent to it.
func (s *stream) dropConn(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn.Close()
	s.conn = nil
	s.sendDropped.Add(uint64(s.out.empty()))
}

func (s *stream) peer() net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// readFrom takes frames from conn until it ends or makes no sense.
func (s *stream) readFrom(conn net.Conn) {
	d := newDecoder(conn)
	for {
		frame, err := d.next()
		s.receiveDropped.Add(d.lost)
		d.lost = 0
		if err != nil || !s.in.putWaiting(frame) {
			return
		}
	}
}

// write sends what Send has queued.
func (s *stream) write() {
	block := make([]byte, streamBlock)
	for {
		size, count, ok := s.out.takeBytes(block)
		if !ok {
			return
		}
		conn := s.peer()
		if conn == nil {
			s.sendDropped.Add(uint64(count))
			continue
		}
		// Counted first: who has got a frame finds it counted.
		frames, bytes := uint64(count), uint64(size-count*lengthSize)
		s.sent.Add(frames)
		s.sentBytes.Add(bytes)
		if _, err := conn.Write(block[:size]); err != nil {
			conn.Close() // readFrom notices
			s.sent.Add(-frames)
			s.sentBytes.Add(-bytes)
			s.sendDropped.Add(frames)
		}
	}
}

// Send implements Port.
func (s *stream) Send(frame []byte) error {
	if err := checkFrame(s, frame); err != nil {
		return err
	}
	s.mu.Lock()
	there, finished := s.conn != nil, s.finished
	s.mu.Unlock()
	if finished {
		return closed(s)
	}
	if there {
		if put, _ := s.out.put(frame); put {
			return nil
		}
	}
	s.sendDropped.Add(1)
	return nil
}

// SendWaiting implements Waiter.
func (s *stream) SendWaiting(frame []byte) error {
	if err := checkFrame(s, frame); err != nil {
		return err
	}
	if s.peer() == nil {
		return s.Send(frame) // which knows what to make of that
	}
	if !s.out.putWaiting(frame) { // a peer that leaves makes room
		return closed(s)
	}
	return nil
}

// Receive implements Port.
func (s *stream) Receive(frames [][]byte, sizes []int) (int, error) {
	return s.in.receive(s, &s.counters, frames, sizes)
}

// Counters implements Port.
func (s *stream) Counters() Counters { return s.read() }

// String implements Port.
func (s *stream) String() string { return s.name }

// Close implements Port.
func (s *stream) Close() error {
	s.mu.Lock()
	if s.finished {
		s.mu.Unlock()
		return nil
	}
	s.finished = true
	s.mu.Unlock()
	s.end()
	err := s.release() // first, so that the peer cannot come back to an end that is going
	if conn := s.peer(); conn != nil {
		conn.Close()
	}
	s.in.close()
	s.out.close()
	s.workers.Wait()
	return err
}

// maxStreamLength is the longest frame that QEMU sends (NET_BUFSIZE, net/net.h):
// a longer one says that this is no such stream, or has lost its frames' bounds.
const maxStreamLength = 4096 + 65536

// errNotStream: what came cannot be QEMU's protocol.
var errNotStream = errors.New("not a stream of frames")

// decoder takes frames out of a stream of bytes: each behind its length as 4
// big-endian bytes (QEMU, net/stream.c and net_fill_rstate in net/net.c).
type decoder struct {
	r      *bufio.Reader
	length [lengthSize]byte
	frame  []byte
	lost   uint64 // frames that no wire carries
}

func newDecoder(r io.Reader) *decoder {
	return &decoder{r: bufio.NewReaderSize(r, streamBlock), frame: make([]byte, MaxFrame)}
}

// next returns the next frame, valid until the call after. It skips and counts
// frames that are too short or too long for a wire.
func (d *decoder) next() ([]byte, error) {
	for {
		if _, err := io.ReadFull(d.r, d.length[:]); err != nil {
			return nil, err
		}
		size := int(d.length[0])<<24 | int(d.length[1])<<16 | int(d.length[2])<<8 | int(d.length[3])
		if size > maxStreamLength {
			return nil, fmt.Errorf("frame of %d bytes announced, at most %d are possible: %w", size, maxStreamLength, errNotStream)
		}
		if size < MinFrame || size > MaxFrame {
			if _, err := d.r.Discard(size); err != nil {
				return nil, err
			}
			d.lost++
			continue
		}
		frame := d.frame[:size]
		_, err := io.ReadFull(d.r, frame)
		return frame, err
	}
}
