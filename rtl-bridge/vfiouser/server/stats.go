// SPDX-License-Identifier: Apache-2.0

package server

import "sync/atomic"

// Stats are what a server has done since Listen, over all clients.
type Stats struct {
	// Clients that have negotiated.
	Clients uint64
	// RegionReads and RegionWrites are accesses that were carried out.
	RegionReads, RegionWrites uint64
	// RegionErrors are accesses that the server or the device refused.
	RegionErrors uint64
	// PostedErrors are failed commands whose sender wanted no reply and so was
	// not told.
	PostedErrors uint64
	// Maps and Unmaps are mappings made and removed. EmptyUnmaps are commands
	// to remove mappings from ranges without any.
	Maps, Unmaps, EmptyUnmaps uint64
	// Interrupts are eventfds written.
	Interrupts uint64
	// Bytes that the device has read and written through Host, by descriptor and
	// by message.
	DescriptorRead, DescriptorWritten, MessageRead, MessageWritten uint64
	// DMAErrors are accesses through Host that failed.
	DMAErrors uint64
}

// counters are Stats that several goroutines count.
type counters struct {
	clients, regionReads, regionWrites, regionErrors, postedErrors atomic.Uint64
	maps, unmaps, emptyUnmaps, interrupts                          atomic.Uint64
	descriptorRead, descriptorWritten, messageRead, messageWritten atomic.Uint64
	dmaErrors                                                      atomic.Uint64
}

func (c *counters) stats() Stats {
	return Stats{
		Clients:     c.clients.Load(),
		RegionReads: c.regionReads.Load(), RegionWrites: c.regionWrites.Load(), RegionErrors: c.regionErrors.Load(),
		PostedErrors: c.postedErrors.Load(),
		Maps:         c.maps.Load(), Unmaps: c.unmaps.Load(), EmptyUnmaps: c.emptyUnmaps.Load(),
		Interrupts:     c.interrupts.Load(),
		DescriptorRead: c.descriptorRead.Load(), DescriptorWritten: c.descriptorWritten.Load(),
		MessageRead: c.messageRead.Load(), MessageWritten: c.messageWritten.Load(),
		DMAErrors: c.dmaErrors.Load(),
	}
}
