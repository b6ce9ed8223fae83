// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver"
)

// Port is the plain side: whole Ethernet frames without FCS, as
// wireport.Port has it.
type Port interface {
	// Send gives a frame to the plain side, without waiting and without
	// keeping it.
	Send(frame []byte) error
	// Receive waits for frames: frame i is frames[i][:sizes[i]]. After Close
	// it fails with an error that wraps net.ErrClosed.
	Receive(frames [][]byte, sizes []int) (int, error)
	// Close ends Send and Receive.
	Close() error
}

// batch is how many packets are moved at once.
const batch = 64

// headroom is what a buffer has beside the longest IP packet: Ethernet header,
// and room for frames that are a little too long to be seen as such.
const headroom = 64

// Gateway carries packets between a plain port and a NIC.
type Gateway struct {
	nic    *driver.NIC
	plain  Port
	config Config
	sas    []*association
	bySlot map[uint16]*association // inbound, by the slot of their handle
	out    *rules
	in     *rules

	tx     *driver.TXQueue
	rx     []*driver.RXQueue
	txPool *driver.Pool
	rxPool *driver.Pool

	drops    [dropReasons]atomic.Uint64
	bypassed [2]atomic.Uint64 // out, in
	checker  *checker         // nil without Config.Check
	closed   sync.Once
	closeErr error
}

// New installs the SAs in nic and prepares everything. The NIC is the caller's
// to close, after the gateway, and nobody else may use its queues meanwhile. The
// port is the gateway's from now on. config's keys may be cleared when New
// returns.
func New(ctx context.Context, nic *driver.NIC, plain Port, config Config) (_ *Gateway, err error) {
	if config, err = config.complete(); err != nil {
		return nil, err
	}
	caps := nic.Capabilities()
	if config.MTU+ethernetLen > caps.MaxFrame {
		return nil, fmt.Errorf("MTU is %d; the NIC's frames have at most %d bytes, which allows %d: %w", config.MTU, caps.MaxFrame, caps.MaxFrame-ethernetLen, ErrConfig)
	}
	g := &Gateway{nic: nic, plain: plain, config: config, bySlot: map[uint16]*association{}}
	if config.Check {
		g.checker = &checker{}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.release())
		}
	}()
	for _, sa := range config.SAs {
		a, err := newAssociation(sa, &config)
		if err != nil {
			return nil, err
		}
		g.sas = append(g.sas, a)
	}
	g.out = newRules(config.Policies, false, config.Default, g.sas)
	g.in = newRules(config.Policies, true, config.Default, g.sas)
	if err := g.openQueues(); err != nil {
		return nil, err
	}
	if err := g.install(ctx); err != nil {
		return nil, err
	}
	g.config.SAs = nil // with their keys
	for _, q := range g.rx {
		if err := g.fill(q); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// fill gives an RX queue all the buffers that it has room for. From then on the
// NIC receives.
func (g *Gateway) fill(q *driver.RXQueue) error {
	buffers := make([]*driver.Buffer, q.Size()-1)
	n := g.rxPool.Fill(buffers)
	posted, err := q.Post(buffers[:n])
	if err == nil && posted < len(buffers) {
		err = fmt.Errorf("%s took %d of %d buffers: %w", q, posted, len(buffers), driver.ErrHardware)
	}
	return err
}

// openQueues finds the NIC's queues and makes buffers for them.
func (g *Gateway) openQueues() (err error) {
	if g.tx, err = g.nic.TX(0); err != nil {
		return err
	}
	slots := 0
	for i := range g.nic.RXQueues() {
		q, err := g.nic.RX(i)
		if err != nil {
			return err
		}
		g.rx = append(g.rx, q)
		slots += q.Size() - 1
	}
	size := (g.config.MTU + headroom + 63) &^ 63
	if g.txPool, err = driver.NewPool(g.nic.Function(), g.tx.Size()-1+batch, size); err != nil {
		return err
	}
	g.rxPool, err = driver.NewPool(g.nic.Function(), slots, size)
	return err
}

// install gives the SAs to the NIC, inbound ones spread over its RX queues.
func (g *Gateway) install(ctx context.Context) error {
	var all []driver.SA
	inbound := 0
	for i, sa := range g.config.SAs {
		queue := 0
		if sa.Inbound {
			queue = inbound % len(g.rx)
			inbound++
		}
		g.sas[i].rxQueue = queue
		all = append(all, sa.driverSA(queue))
	}
	handles, errs := g.nic.AddSAs(ctx, all)
	for i, a := range g.sas {
		if errs[i] != nil {
			return fmt.Errorf("%s: %w", a, errs[i])
		}
		a.handle = handles[i]
		if a.config.Inbound {
			g.bySlot[uint16(a.handle.Slot())] = a
		}
	}
	return nil
}

// PlainMTU is the longest IP packet in bytes that every Protect policy's SA can
// carry: what the plain side's MTU should be.
func (g *Gateway) PlainMTU() int {
	mtu := g.config.MTU
	for _, r := range g.out.list {
		if r.action != Protect {
			continue
		}
		header := ipv4Len
		if r.sa.config.Src.Is6() {
			header = ipv6Len
		}
		mtu = min(mtu, r.sa.framer.MaxPacket(header))
	}
	return mtu
}

// Run carries traffic until ctx ends, which is no error, or until the NIC or the
// plain port fails. It closes the plain port. It can be called once.
func (g *Gateway) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := 1 + len(g.rx)
	results := make(chan error, workers)
	go func() { results <- g.send(ctx) }()
	for i := range g.rx {
		go func() { results <- g.receive(ctx, i) }()
	}
	var errs []error
	finished := 0
	select {
	case <-ctx.Done():
	case err := <-results:
		errs = append(errs, err)
		finished++
	}
	cancel()
	errs = append(errs, g.plain.Close()) // ends its Receive
	for ; finished < workers; finished++ {
		errs = append(errs, <-results)
	}
	var real []error
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, net.ErrClosed) {
			real = append(real, err)
		}
	}
	return errors.Join(real...)
}

// Close takes the SAs out of the NIC, stops its queues and frees all buffers.
// Run must have returned. A NIC that is gone has nothing to be taken back; that
// is no error.
func (g *Gateway) Close() error {
	g.closed.Do(func() { g.closeErr = g.release() })
	return g.closeErr
}

func (g *Gateway) release() error {
	ctx := context.Background()
	var errs []error
	if g.tx != nil {
		errs = append(errs, unlessGone(g.tx.Stop(ctx)))
	}
	for _, q := range g.rx {
		errs = append(errs, unlessGone(q.Stop(ctx)))
	}
	for _, a := range g.sas {
		if a.handle != 0 {
			errs = append(errs, unlessGone(g.nic.DeleteSA(ctx, a.handle)))
		}
	}
	if g.txPool != nil {
		errs = append(errs, g.txPool.Close())
	}
	if g.rxPool != nil {
		errs = append(errs, g.rxPool.Close())
	}
	return errors.Join(append(errs, g.plain.Close())...)
}

// drop counts a packet that is dropped; a may be nil.
func (g *Gateway) drop(reason Drop, a *association) {
	g.drops[reason].Add(1)
	if a != nil {
		a.counts.drops[reason].Add(1)
	}
}
