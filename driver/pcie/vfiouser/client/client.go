// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// Defaults of Options.
const (
	DefaultTimeout        = 10 * time.Second
	DefaultConnectTimeout = 5 * time.Second
	DefaultMaxTransfer    = protocol.DefaultMaxDataXferSize
)

// Options say how to talk to a server. The zero value is usable.
type Options struct {
	// Timeout is how long a command may go unanswered before the connection is
	// given up; 0 for DefaultTimeout. The precision is about 0.1 s.
	Timeout time.Duration
	// ConnectTimeout is the same for connecting and negotiating, where silence
	// often means that the other side speaks something else or is busy with
	// another client; 0 for DefaultConnectTimeout.
	ConnectTimeout time.Duration
	// MaxTransfer is the most bytes that the server may move with one message
	// of its own, 1 to 16 MiB; 0 for DefaultMaxTransfer.
	MaxTransfer int
	// NoPostedWrites makes Post wait for the server's reply as Write does.
	NoPostedWrites bool
}

const maxMaxTransfer = 16 << 20

// complete fills in defaults and checks.
func (o Options) complete() (Options, error) {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = DefaultConnectTimeout
	}
	if o.MaxTransfer == 0 {
		o.MaxTransfer = DefaultMaxTransfer
	}
	if o.Timeout < 0 || o.ConnectTimeout < 0 {
		return o, fmt.Errorf("vfio-user: timeouts of %v and %v: %w", o.Timeout, o.ConnectTimeout, ErrRange)
	}
	if o.MaxTransfer < 1 || o.MaxTransfer > maxMaxTransfer {
		return o, fmt.Errorf("vfio-user: transfers of %d bytes, allowed are 1 to %d: %w", o.MaxTransfer, maxMaxTransfer, ErrRange)
	}
	return o, nil
}

// Client is a connection to a server, which has one device. Its methods may be
// called from several goroutines at once. Commands of one goroutine reach the
// server in their order. After Close methods return ErrClosed, and ErrGone after
// the connection has ended otherwise; calls under way return promptly.
type Client struct {
	opts Options
	sock *socket
	gone chan struct{}
	// server is what was negotiated; info is the device. Fixed after open.
	server protocol.Version
	info   DeviceInfo

	mu sync.Mutex
	// dead is why the connection has ended; nil while it has not.
	dead error
	// users are those who use sock; it is closed when the last has left.
	users   int
	left    sync.Cond // users is 0
	pending map[uint16]*call
	lastID  uint16
	posted  idSet // commands that wanted no reply
	// reading: somebody reads the socket. catching is how many wait for their turn
	// to do so in catchUp, and passed that it is the turn of one of them.
	reading  bool
	catching atomic.Int32
	passed   bool
	pass     sync.Cond // passed
	// calls is how many commands were waited for.
	calls uint64
	// regions are those that were asked for.
	regions map[int]*region

	out  transmitter
	in   receiver // belongs to who reads
	maps dmaTable
	log  faultLog
}

// Dial connects to the server that listens on the Unix socket at path, agrees with
// it on version and limits and asks what device it has.
func Dial(path string, opts Options) (*Client, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	sock, err := dial(path, opts.ConnectTimeout)
	if err != nil {
		return nil, fmt.Errorf("vfio-user: %w", err)
	}
	return open(sock, opts)
}

// New is Dial on a connection that there is already. It uses a duplicate of the
// descriptor, and the caller closes conn whenever it likes.
func New(conn *net.UnixConn, opts Options) (*Client, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	sock, err := duplicate(conn)
	if err != nil {
		return nil, fmt.Errorf("vfio-user: %w", err)
	}
	return open(sock, opts)
}

// open makes a client of a connected socket.
func open(sock *socket, opts Options) (*Client, error) {
	c := &Client{
		opts:    opts,
		sock:    sock,
		gone:    make(chan struct{}),
		pending: make(map[uint16]*call),
		regions: make(map[int]*region),
		users:   1, // listen
	}
	c.left.L, c.pass.L = &c.mu, &c.mu
	c.in.init()
	go c.listen()
	err := c.negotiate()
	if err == nil {
		c.info, err = c.deviceInfo()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// negotiate sends VERSION.
func (c *Client) negotiate() error {
	proposal := protocol.Version{
		Major: protocol.VersionMajor,
		Minor: protocol.VersionMinor,
		Capabilities: protocol.Capabilities{
			MaxMsgFDs:       maxFDs,
			MaxDataXferSize: uint64(c.opts.MaxTransfer),
			MaxDMAMaps:      protocol.DefaultMaxDMAMaps,
			PageSizes:       protocol.DefaultPageSizes,
			WriteMultiple:   true,
			WhileWaiting:    true,
			TwinSocketFD:    -1,
		},
	}
	cl := newCall(protocol.CommandVersion)
	defer cl.free()
	cl.request = proposal.Append(cl.request)
	reply := make([]byte, maxVersionSize)
	cl.reply = reply
	if err := c.do(cl, c.opts.ConnectTimeout); err != nil {
		return err
	}
	answer, err := protocol.ParseVersion(reply[:cl.got])
	if err == nil {
		err = protocol.Accept(proposal, answer)
	}
	if err != nil {
		return fmt.Errorf("vfio-user: VERSION: %w", err)
	}
	c.server = answer
	return nil
}

// maxVersionSize is the most bytes of a VERSION reply.
const maxVersionSize = 64 << 10

// Version returns the version agreed on and the server's limits.
func (c *Client) Version() protocol.Version { return c.server }

// Gone is closed when the connection has ended, by Close or otherwise.
func (c *Client) Gone() <-chan struct{} { return c.gone }

// Err returns why the connection has ended, nil while it has not.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// Close ends the connection, which makes the server forget all mappings and
// interrupts. Memory that the device could reach through a descriptor is out of its
// reach only once the server has noticed; who cannot wait for that unmaps first.
// Mappings of regions stay until they are unmapped. Further calls do nothing.
func (c *Client) Close() error {
	c.end(ErrClosed)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sock == nil {
		return nil
	}
	for c.users > 0 {
		c.left.Wait()
	}
	if c.sock == nil { // another Close was faster
		return nil
	}
	for _, r := range c.regions {
		r.close()
	}
	clear(c.regions)
	c.in.drop()
	c.sock.close()
	c.sock = nil
	return nil
}

// end ends the connection for a reason. Only the first counts, but ErrClosed
// replaces others.
func (c *Client) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead != nil {
		if cause == ErrClosed {
			c.dead = cause
		}
		return
	}
	c.dead = cause
	if cause != ErrClosed {
		c.dead = fmt.Errorf("vfio-user: %w: %w", ErrGone, cause)
	}
	for id, cl := range c.pending {
		cl.finish(c.dead)
		delete(c.pending, id)
	}
	close(c.gone)
	c.sock.shutdown()
}

// enter lets the caller use the socket until leave. c.mu is held.
func (c *Client) enter() error {
	if c.dead != nil {
		return c.dead
	}
	c.users++
	return nil
}

// leave ends what enter began. c.mu is held.
func (c *Client) leave() {
	if c.users--; c.users == 0 {
		c.left.Broadcast()
	}
}
