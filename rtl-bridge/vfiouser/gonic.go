// SPDX-License-Identifier: Apache-2.0

package vfiouser

import (
	"errors"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
)

// GoNIC is the NIC in Go as a server.Device. It does its work inside the access
// that causes it; so it reaches memory that a client does not share by descriptor
// only while the client waits for nothing, and has a DMA error otherwise.
//
// What is not mapped is asked for by message too, so that the client's IOMMU tells
// its user of an access that should not be. Where the client waits at that moment,
// the access is refused at once, and a read is asked for later, for that reason
// only. A write is not: the memory may be somebody else's by then.
type GoNIC struct {
	card
	model *nic.NIC
	// telling: a read that was refused is asked for.
	telling atomic.Bool
}

var _ server.Device = (*GoNIC)(nil)

// NewGoNIC makes a NIC of options, of which Memory, Deliver and RealTime are
// GoNIC's own. log gets a line about what a person should know; nil: nothing is
// said.
func NewGoNIC(options nic.Options, log func(line string)) (*GoNIC, error) {
	g := &GoNIC{}
	g.log = logTo(log)
	options.Memory, options.Deliver, options.RealTime = (*clientMemory)(g), g.deliver, true
	var err error
	if g.model, err = nic.New(options); err != nil {
		return nil, err
	}
	g.init(g.model)
	g.ep.FunctionReset() // power-up state: the operating system is the client's
	return g, nil
}

// NIC returns the NIC, for its wire.
func (g *GoNIC) NIC() *nic.NIC { return g.model }

// Close ends the NIC, when nothing serves it any more.
func (g *GoNIC) Close() error { return g.model.Close() }

// Connect implements server.Device.
func (g *GoNIC) Connect(h *server.Host) error {
	g.connect(h)
	return nil
}

// Disconnect implements server.Device.
func (g *GoNIC) Disconnect() { g.disconnect() }

// Map implements server.Device: the server knows all mappings.
func (g *GoNIC) Map(server.Mapping) error { return nil }

// Unmap implements server.Device: the server waits for accesses under way.
func (g *GoNIC) Unmap(server.Mapping) error { return nil }

// clientMemory is the client's memory as the NIC reaches it.
type clientMemory GoNIC

// Read implements nic.Memory.
func (m *clientMemory) Read(iova uint64, p []byte) bool {
	now := m.client.Load()
	if now == nil {
		return false
	}
	err := now.host.TryReadDMA(now.ctx, iova, p)
	if errors.Is(err, server.ErrClientWaiting) && !errors.Is(err, server.ErrGaveWay) {
		m.tell(now, iova, len(p))
	}
	return m.done(pcie.Fault{IOVA: iova, Size: len(p)}, err)
}

// tell asks the client for memory that it could not be asked for before, one read
// at a time. Nobody waits for the answer.
func (m *clientMemory) tell(now *client, iova uint64, size int) {
	if m.telling.Swap(true) {
		return
	}
	go func() {
		defer m.telling.Store(false)
		_ = now.host.ReadDMA(now.ctx, iova, make([]byte, size)) // it is about what the client does with it
	}()
}

// Write implements nic.Memory.
func (m *clientMemory) Write(iova uint64, p []byte) bool {
	now := m.client.Load()
	if now == nil {
		return false
	}
	return m.done(pcie.Fault{IOVA: iova, Size: len(p), Write: true}, now.host.TryWriteDMA(now.ctx, iova, p))
}

// done says whether an access was carried out.
func (m *clientMemory) done(f pcie.Fault, err error) bool {
	if err != nil {
		m.refused(f, err)
	}
	return err == nil
}
