// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

// resetHardware resets the NIC and waits until it is ready: no SA, no key, no
// running queue, no access to host memory.
func (n *NIC) resetHardware(ctx context.Context) error {
	if err := n.write(regs.CtrlOffset, uint32(regs.Ctrl(0).WithReset(true))); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return n.awaitReady(ctx)
}

// startEmpty readies a NIC that was reset for SAs: firmware runs, and
// fingerprints can be made.
func (n *NIC) startEmpty(ctx context.Context) error {
	n.forgetSAs()
	if m, ok := n.port.(*mailbox); ok {
		if err := n.startFirmware(ctx); err != nil {
			return m.fail(err)
		}
	}
	return n.writeNonce()
}

// writeNonce gives the NIC its nonce. There is no SA in it.
func (n *NIC) writeNonce() error {
	if n.nonce == [8]byte{} {
		n.nonce = n.opts.Nonce
	}
	for n.nonce == [8]byte{} {
		_, _ = rand.Read(n.nonce[:]) // it never fails
	}
	for i := range regs.SANonceCount {
		if err := n.write(regs.SANonceOffset(i), binary.BigEndian.Uint32(n.nonce[4*i:])); err != nil {
			return err
		}
	}
	return nil
}

// readNonce takes over the nonce of the SAs in the NIC.
func (n *NIC) readNonce() error {
	for i := range regs.SANonceCount {
		v, err := n.read(regs.SANonceOffset(i))
		if err != nil {
			return err
		}
		binary.BigEndian.PutUint32(n.nonce[4*i:], v)
	}
	return nil
}

// Nonce returns what the NIC makes fingerprints with; it stays the same from
// Open to Close.
func (n *NIC) Nonce() [8]byte { return n.nonce }

func (n *NIC) awaitReady(ctx context.Context) error {
	return n.await(ctx, "reset", func() (bool, error) {
		s, err := n.read(regs.StatusOffset)
		return regs.Status(s).Ready() && !regs.Status(s).ResetBusy(), err
	})
}

// takeOver readies a NIC without a reset: its SAs stay.
func (n *NIC) takeOver(ctx context.Context) error {
	if err := n.awaitReady(ctx); err != nil {
		return err
	}
	if err := n.write(regs.CtrlOffset, 0); err != nil {
		return err
	}
	for q := range n.caps.TXQueues {
		if err := n.disable(ctx, fmt.Sprintf("TX queue %d", q), regs.TxqOffset(q)); err != nil {
			return err
		}
	}
	for q := range n.caps.RXQueues {
		if err := n.disable(ctx, fmt.Sprintf("RX queue %d", q), regs.RxqOffset(q)); err != nil {
			return err
		}
	}
	if n.caps.ControlProcessor {
		if err := n.startFirmware(ctx); err != nil {
			return err
		}
	}
	held, err := n.readAll(ctx)
	if err != nil {
		return fmt.Errorf("take over SAs: %w", err)
	}
	for _, s := range held {
		n.sas.insert(s.Handle, s.SA)
	}
	n.port.reset(func(slot int) bool { return n.sas.inSlot(slot) != 0 })
	if len(held) == 0 {
		return n.writeNonce()
	}
	return n.readNonce()
}

// abandonCommands clears the keys of commands that callers have given up and the
// firmware may not have taken. A reset follows. n.sas.use is held for writing.
func (n *NIC) abandonCommands() {
	if m, ok := n.port.(*mailbox); ok {
		_ = m.fail(ErrClosed)
	}
}

// forgetSAs is for when the NIC holds none.
func (n *NIC) forgetSAs() {
	n.sas.init(n.caps.SACapacity)
	n.port.reset(func(int) bool { return false })
}

// configure writes the registers that a reset clears, queues excepted.
func (n *NIC) configure() error {
	if err := n.write(regs.RxDefaultOffset, uint32(regs.RxDefault(0).WithQueue(uint8(n.opts.DefaultRXQueue)))); err != nil {
		return err
	}
	if err := n.configureVectors(); err != nil {
		return err
	}
	// LOOPBACK may change only while both directions are off.
	if err := n.write(regs.CtrlOffset, uint32(n.ctrl.WithTxEnable(false).WithRxEnable(false))); err != nil {
		return err
	}
	return n.write(regs.CtrlOffset, uint32(n.ctrl))
}

// Reset resets the NIC: all SAs are gone and zeroised, statistics are zero,
// handles from before are stale; RestoreSA brings an SA back under its own.
// Firmware is started again. Control settings are written again. Queues are
// left stopped: completions that the NIC wrote before the reset are still
// delivered by Poll, then every other buffer the queue held, with the status
// Aborted. When all are collected, Start (or StartQueues) brings a queue back.
func (n *NIC) Reset(ctx context.Context) error {
	n.control.Lock()
	defer n.control.Unlock()
	if n.closed.Load() {
		return ErrClosed
	}
	n.sas.use.Lock()
	defer n.sas.use.Unlock()
	for _, q := range n.queues() {
		q.halt()
	}
	n.abandonCommands()
	if err := n.resetHardware(ctx); err != nil {
		return err
	}
	for _, q := range n.queues() {
		q.settled.Store(true)
	}
	if err := n.startEmpty(ctx); err != nil {
		return err
	}
	return n.configure()
}

// StartQueues starts all queues that are stopped. It fails with ErrUncollected
// if one still holds buffers.
func (n *NIC) StartQueues(ctx context.Context) error {
	for _, q := range n.queues() {
		if err := q.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// queues returns what all queues have in common, TX first.
func (n *NIC) queues() []*queue {
	all := make([]*queue, 0, len(n.tx)+len(n.rx))
	for _, q := range n.tx {
		all = append(all, &q.queue)
	}
	for _, q := range n.rx {
		all = append(all, &q.queue)
	}
	return all
}

// Close stops the queues, waits until the NIC has finished with them, removes
// all SAs and keys from the NIC, and frees the rings. Waiting calls return
// ErrClosed. Buffers still in a queue go back to nobody: stop the queues and
// Poll them first to have them all. Close does everything it can and returns
// all errors; further calls do nothing.
func (n *NIC) Close() error {
	n.control.Lock()
	defer n.control.Unlock()
	if n.closed.Swap(true) {
		return nil
	}
	ctx := context.Background()
	n.sas.use.Lock()
	defer n.sas.use.Unlock()
	n.abandonCommands()
	var errs []error
	for _, q := range n.queues() {
		q.halt()
		if err := n.disable(ctx, q.name, q.page); err != nil {
			errs = append(errs, err)
			break // what comes would fail alike; the reset below stops everything
		}
	}
	// The reset zeroises all SAs and ends all access to host memory.
	errs = append(errs, n.resetHardware(ctx))
	if len(n.vectors) > 0 {
		errs = append(errs, n.fn.SetVectors(0))
	}
	errs = append(errs, n.setCommand(0, pcie.CommandBusMaster), n.freeQueues())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close %s: %w", n.fn.Info().Location, err)
	}
	return nil
}
