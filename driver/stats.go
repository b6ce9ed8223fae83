// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"fmt"

	"github.com/espalier-nic/espalier/regs"
)

// Statistics are the NIC's counters since its last reset. Bytes are without FCS.
type Statistics struct {
	TXFrames        uint64 // sent to the wire
	TXBytes         uint64
	TXESP           uint64 // encrypted and sent
	TXStaleHandle   uint64 // sends failed with StaleHandle
	TXBadDescriptor uint64 // sends failed with BadLength, BadOffset or OffloadOff
	TXDMAError      uint64 // sends failed with DMARead
	RXFrames        uint64 // accepted from the wire, dropped ones included
	RXBytes         uint64
	RXESPOK         uint64 // ESP delivered with SUCCESS
	RXAuthFailed    uint64 // ESP delivered with an authentication failure
	RXInvalidSyntax uint64 // ESP delivered with INVALID_PACKET_SYNTAX
	RXNoSA          uint64 // ESP delivered untouched because no SA matched
	RXUntouched     uint64 // other frames delivered untouched
	RXDropNoBuffer  uint64 // dropped: no descriptor, or queue not enabled
	RXDropBad       uint64 // dropped: flagged by the MAC, too long or too short
	RXDMAError      uint64 // lost with DMAWrite
}

// Statistics reads the counters. Each is consistent in itself; they are read one
// after another while traffic goes on.
func (n *NIC) Statistics() (Statistics, error) {
	var s Statistics
	if n.closed.Load() {
		return s, ErrClosed
	}
	for _, c := range []struct {
		lo, hi uint64
		value  *uint64
	}{
		{regs.StatTxFramesLoOffset, regs.StatTxFramesHiOffset, &s.TXFrames},
		{regs.StatTxBytesLoOffset, regs.StatTxBytesHiOffset, &s.TXBytes},
		{regs.StatTxESPLoOffset, regs.StatTxESPHiOffset, &s.TXESP},
		{regs.StatTxErrHandleLoOffset, regs.StatTxErrHandleHiOffset, &s.TXStaleHandle},
		{regs.StatTxErrDescLoOffset, regs.StatTxErrDescHiOffset, &s.TXBadDescriptor},
		{regs.StatTxErrDMALoOffset, regs.StatTxErrDMAHiOffset, &s.TXDMAError},
		{regs.StatRxFramesLoOffset, regs.StatRxFramesHiOffset, &s.RXFrames},
		{regs.StatRxBytesLoOffset, regs.StatRxBytesHiOffset, &s.RXBytes},
		{regs.StatRxESPOKLoOffset, regs.StatRxESPOKHiOffset, &s.RXESPOK},
		{regs.StatRxAuthFailedLoOffset, regs.StatRxAuthFailedHiOffset, &s.RXAuthFailed},
		{regs.StatRxSyntaxLoOffset, regs.StatRxSyntaxHiOffset, &s.RXInvalidSyntax},
		{regs.StatRxNoSALoOffset, regs.StatRxNoSAHiOffset, &s.RXNoSA},
		{regs.StatRxUntouchedLoOffset, regs.StatRxUntouchedHiOffset, &s.RXUntouched},
		{regs.StatRxDropNoDescLoOffset, regs.StatRxDropNoDescHiOffset, &s.RXDropNoBuffer},
		{regs.StatRxDropBadLoOffset, regs.StatRxDropBadHiOffset, &s.RXDropBad},
		{regs.StatRxErrDMALoOffset, regs.StatRxErrDMAHiOffset, &s.RXDMAError},
	} {
		v, err := n.readPair(c.lo, c.hi)
		if err != nil {
			return s, fmt.Errorf("statistics: %w", err)
		}
		*c.value = v
	}
	return s, nil
}
