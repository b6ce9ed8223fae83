// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"crypto/aes"
	"encoding/binary"
	"net/netip"

	"github.com/espalier-nic/espalier/hwmodel/esp"
	"github.com/espalier-nic/espalier/regs"
)

// Limits are the properties of the NIC that a State stands for.
type Limits struct {
	Slots    int // SA slots
	Queues   int // RX queues
	MaxFrame int // bytes
}

// State is what a correct NIC must hold: its SAs, the generations of its slots
// and its statistics. Each method is one operation on the NIC or one frame
// through it and returns the only right outcome, so that a judge finds the first
// one at which a device goes wrong. It is plain on purpose: SAs are searched one
// by one, nothing is cached.
//
// It is not for use by several goroutines at once: operations have an order.
type State struct {
	// IPsecEnable and RXDefault are the control registers' fields.
	IPsecEnable bool
	RXDefault   int
	// Nonce is SA_NONCE.
	Nonce [regs.SANonceCount]uint32
	// Counters are the statistics.
	Counters Counters

	limits Limits
	slots  []stateSlot
	window [regs.SACountersCount]uint32 // SA_COUNTERS
}

// Counters are the statistics page's.
type Counters struct {
	TXFrames, TXBytes, TXESP, TXErrHandle, TXErrDesc, TXErrDMA uint64
	RXFrames, RXBytes, RXESPOK, RXAuthFailed, RXSyntax, RXNoSA uint64
	RXUntouched, RXDropNoDesc, RXDropBad, RXErrDMA             uint64
}

type stateSlot struct {
	generation uint16
	sa         *esp.SA // nil: empty
	record     regs.SARecord
	usage      Usage
}

// Usage is what SA_COUNTERS says of an SA.
type Usage struct {
	// Frames counts what was encrypted, or decrypted with success; Bytes are
	// theirs, from the Ethernet header to the last byte, no FCS.
	Frames, Bytes uint64
	// AuthFailed and Syntax count frames of an inbound SA with a wrong ICV and
	// with impossible lengths.
	AuthFailed, Syntax uint32
	// Fingerprint is the first 8 bytes of the encryption of Nonce || 0 under
	// the SA's key, first byte most significant; 0 if Nonce was 0.
	Fingerprint uint64
}

// Words returns the words of SA_COUNTERS.
func (u Usage) Words() (w [regs.SACountersCount]uint32) {
	w[0], w[1] = uint32(u.Frames), uint32(u.Frames>>32)
	w[2], w[3] = uint32(u.Bytes), uint32(u.Bytes>>32)
	w[4], w[5] = u.AuthFailed, u.Syntax
	w[6], w[7] = uint32(u.Fingerprint>>32), uint32(u.Fingerprint)
	return w
}

// ReadBack is all that can be read of an SA: READ in the window, READ_SA and
// NEXT_SA in the mailbox. Record has no key and no salt.
type ReadBack struct {
	Handle uint32
	Record regs.SARecord
	Usage  Usage
}

// ReadBack returns what a handle's SA reads back as, if there is one.
func (s *State) ReadBack(handle uint32) (r ReadBack, ok bool) {
	if s.SA(handle) == nil {
		return r, false
	}
	return s.NextSA(int(regs.SAHandle(handle).Index()))
}

// NextSA returns the SA in the lowest slot in use that is not below first, if
// there is one.
func (s *State) NextSA(first int) (r ReadBack, ok bool) {
	for i := max(first, 0); i < len(s.slots); i++ {
		if slot := &s.slots[i]; slot.sa != nil {
			handle := regs.SAHandle(0).WithIndex(uint16(i)).WithGeneration(slot.generation)
			return ReadBack{Handle: uint32(handle), Record: slot.record, Usage: slot.usage}, true
		}
	}
	return r, false
}

// fingerprint is Usage.Fingerprint of a key.
func (s *State) fingerprint(key []byte) uint64 {
	b, err := aes.NewCipher(key)
	if err != nil || s.Nonce[0]|s.Nonce[1] == 0 {
		return 0
	}
	block := binary.BigEndian.AppendUint32(nil, s.Nonce[0])
	block = binary.BigEndian.AppendUint32(block, s.Nonce[1])
	block = append(block, make([]byte, 8)...)
	b.Encrypt(block, block)
	return binary.BigEndian.Uint64(block)
}

// NewState is a NIC after power-up.
func NewState(l Limits) *State {
	return &State{limits: l, slots: make([]stateSlot, l.Slots)}
}

// Reset is CTRL.RESET: all is forgotten but the generations.
func (s *State) Reset() {
	for i := range s.slots {
		s.slots[i] = stateSlot{generation: s.slots[i].generation}
	}
	s.IPsecEnable, s.RXDefault, s.Counters = false, 0, Counters{}
	s.Nonce, s.window = [regs.SANonceCount]uint32{}, [regs.SACountersCount]uint32{}
}

// SAs is the number of slots in use.
func (s *State) SAs() (count int) {
	for i := range s.slots {
		if s.slots[i].sa != nil {
			count++
		}
	}
	return count
}

// Outcome is what an SA operation leaves behind.
type Outcome struct {
	Result regs.SAResult
	// Handle is SA_HANDLE afterwards.
	Handle regs.SAHandle
	// Record is the window afterwards, key and salt always zero.
	Record regs.SARecord
	// Counters is SA_COUNTERS afterwards.
	Counters [regs.SACountersCount]uint32
}

// Operate performs an operation on the SA window, which holds record, and
// SA_HANDLE. Whether a NIC's lookup has room is its own affair: where it answers
// ADD or RESTORE with LOOKUP_FULL, do not call Operate for that operation.
func (s *State) Operate(op regs.SAOp, handle regs.SAHandle, record regs.SARecord) Outcome {
	o := Outcome{Handle: handle, Record: record}
	o.Result = s.operate(op, &o)
	o.Record.Salt, o.Record.Key = 0, [8]uint32{}
	o.Counters = s.window
	return o
}

func (s *State) operate(op regs.SAOp, o *Outcome) regs.SAResult {
	if op == regs.SAOpNOP {
		return regs.SAResultOK
	}
	if op > regs.SAOpRestore {
		return regs.SAResultBadOp
	}
	if int(o.Handle.Index()) >= len(s.slots) {
		return regs.SAResultBadIndex
	}
	slot := &s.slots[o.Handle.Index()]
	named := slot.sa != nil && slot.generation == o.Handle.Generation()
	switch op {
	case regs.SAOpAdd, regs.SAOpRestore:
		return s.add(slot, op == regs.SAOpRestore, o)
	case regs.SAOpRead:
		if slot.sa == nil {
			return regs.SAResultEmptySlot
		}
		o.Record, o.Handle = slot.record, o.Handle.WithGeneration(slot.generation)
		s.window = slot.usage.Words()
	case regs.SAOpUpdate:
		if !named {
			return regs.SAResultStaleHandle
		}
		slot.record.ESNHi = o.Record.ESNHi
		slot.sa = slot.sa.WithESNHi(o.Record.ESNHi)
	case regs.SAOpDelete:
		if !named {
			return regs.SAResultStaleHandle
		}
		*slot = stateSlot{generation: slot.generation}
	}
	return regs.SAResultOK
}

func (s *State) add(slot *stateSlot, restore bool, o *Outcome) regs.SAResult {
	r := &o.Record
	p := esp.Params{
		SPI: r.SPI, Inbound: r.Flags.Inbound(), Tunnel: r.Flags.Tunnel(), ESN: r.Flags.ESN(),
	}
	var okDst, okSrc bool
	p.Dst, okDst = recordAddr(r.Flags.IPv6(), r.Dst)
	p.Src, okSrc = recordAddr(r.Flags.IPv6(), r.Src)
	if p.ESN {
		p.ESNHi = r.ESNHi
	}
	binary.BigEndian.PutUint32(p.Salt[:], r.Salt)
	for _, word := range r.Key {
		p.Key = binary.BigEndian.AppendUint32(p.Key, word)
	}
	switch r.Flags.KeyLen() {
	case regs.KeyLenAES128:
		p.Key = p.Key[:16]
	case regs.KeyLenAES192:
		p.Key = p.Key[:24]
	case regs.KeyLenAES256:
	default:
		return regs.SAResultBadRecord
	}
	if r.SPI == 0 || !okDst || !okSrc || int(r.Flags.RxQueue()) >= s.limits.Queues {
		return regs.SAResultBadRecord
	}
	if slot.sa != nil {
		return regs.SAResultSlotInUse
	}
	if restore && o.Handle.Generation() != slot.generation {
		return regs.SAResultStaleHandle
	}
	if p.Inbound {
		for i := range s.slots {
			if sa := s.slots[i].sa; sa != nil && sa.Inbound() && sa.SPI() == p.SPI && sa.Dst() == p.Dst {
				return regs.SAResultDuplicate
			}
		}
	}
	sa, err := esp.NewSA(p)
	if err != nil { // everything that NewSA refuses was refused above
		return regs.SAResultBadRecord
	}
	slot.sa, slot.record = sa, *r
	slot.record.Salt, slot.record.Key = 0, [8]uint32{}
	slot.usage = Usage{Fingerprint: s.fingerprint(p.Key)}
	if !restore {
		slot.generation = max(1, slot.generation+1)
	}
	o.Handle = o.Handle.WithGeneration(slot.generation)
	return regs.SAResultOK
}

// recordAddr returns the address in four words of a record; an IPv4 address has
// nothing but zeros behind its first word.
func recordAddr(ipv6 bool, w [4]uint32) (netip.Addr, bool) {
	var b []byte
	for _, word := range w {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	if ipv6 {
		return netip.AddrFrom16([16]byte(b)), true
	}
	return netip.AddrFrom4([4]byte(b)), w[1]|w[2]|w[3] == 0
}

// Sent is what becomes of a TX descriptor.
type Sent struct {
	// Wire is the frame as it leaves, nil if it does not.
	Wire []byte
	// Completion is the completion but for index and phase; it is written if
	// the descriptor asked for one or Status is not OK.
	Completion regs.Completion
	// SA encrypted the frame, nil if none did.
	SA *esp.SA
}

// Send is a TX descriptor and the bytes of the frame it points to; a nil frame
// says that the NIC cannot read them.
func (s *State) Send(d regs.TxDescriptor, frame []byte) Sent {
	sent := Sent{Completion: regs.Completion{Length: d.Length}}
	if d.IPsec {
		sent.Completion.Handle = d.Handle
	}
	sa, status := s.checkSend(d)
	if status == regs.CompletionStatusOK && frame == nil {
		status = regs.CompletionStatusDMARead
	}
	sent.Completion.Status = status
	switch status {
	case regs.CompletionStatusOK:
	case regs.CompletionStatusStaleHandle:
		s.Counters.TXErrHandle++
		return sent
	case regs.CompletionStatusDMARead:
		s.Counters.TXErrDMA++
		return sent
	default:
		s.Counters.TXErrDesc++
		return sent
	}
	sent.Wire = append([]byte{}, frame...)
	if sa != nil {
		hi := sa.ESNHi()
		if d.ESNLSB != (hi%2 == 1) {
			hi--
		}
		if err := sa.SealInPlace(sent.Wire, int(d.ESPOffset), hi); err != nil {
			return sent // frame is not as long as the descriptor says: the caller's error
		}
		s.Counters.TXESP++
		u := &s.slots[regs.SAHandle(d.Handle).Index()].usage
		u.Frames++
		u.Bytes += uint64(len(frame))
		sent.SA = sa
	}
	s.Counters.TXFrames++
	s.Counters.TXBytes += uint64(len(frame))
	return sent
}

// checkSend are the contract's checks, in order.
func (s *State) checkSend(d regs.TxDescriptor) (*esp.SA, regs.CompletionStatus) {
	length, offset := int(d.Length), int(d.ESPOffset)
	if length < 14 || length > s.limits.MaxFrame {
		return nil, regs.CompletionStatusBadLength
	}
	if !d.IPsec {
		return nil, regs.CompletionStatusOK
	}
	if !s.IPsecEnable {
		return nil, regs.CompletionStatusOffloadOff
	}
	sa := s.SA(d.Handle)
	if sa == nil || sa.Inbound() {
		return nil, regs.CompletionStatusStaleHandle
	}
	if offset < 34 {
		return nil, regs.CompletionStatusBadOffset
	}
	if p := length - offset - 32; p < 4 || p%4 != 0 {
		return nil, regs.CompletionStatusBadLength
	}
	return sa, regs.CompletionStatusOK
}

// SA returns the SA that a handle names, or nil.
func (s *State) SA(handle uint32) *esp.SA {
	h := regs.SAHandle(handle)
	if int(h.Index()) >= len(s.slots) || s.slots[h.Index()].generation != h.Generation() {
		return nil
	}
	return s.slots[h.Index()].sa
}

// Received is what becomes of a frame from the wire.
type Received struct {
	// Dropped says that nothing is delivered.
	Dropped bool
	// Queue is the RX queue that gets the frame or would have.
	Queue int
	// Data is what the buffer's beginning holds afterwards.
	Data []byte
	// Completion is the completion but for index and phase.
	Completion regs.Completion
	// Verdict is the judgement of the frame; zero for frames that were not looked at.
	Verdict esp.Verdict
}

// Receive is a frame that comes from the wire while RX_ENABLE is 1. buffer
// returns the length of the next buffer of a queue, -1 if the NIC cannot write
// to it, and whether there is one.
func (s *State) Receive(frame []byte, bad bool, buffer func(queue int) (length int, ok bool)) Received {
	s.Counters.RXFrames++
	s.Counters.RXBytes += uint64(len(frame))
	if bad || len(frame) < 14 || len(frame) > s.limits.MaxFrame {
		s.Counters.RXDropBad++
		return Received{Dropped: true}
	}
	r := Received{Queue: s.RXDefault, Data: frame, Completion: regs.Completion{Length: uint16(len(frame))}}
	if s.IPsecEnable {
		var slot int
		r.Data, r.Verdict = esp.Open(nil, frame, func(sel *esp.Selector) *esp.SA {
			slot = s.find(sel)
			if slot < 0 {
				return nil
			}
			return s.slots[slot].sa
		})
		if v := &r.Verdict; v.SA != nil {
			r.Queue = int(s.slots[slot].record.Flags.RxQueue())
			r.Completion.Handle = uint32(regs.SAHandle(0).WithIndex(uint16(slot)).WithGeneration(s.slots[slot].generation))
			r.Completion.CryptoDone, r.Completion.CryptoStatus = true, regs.CryptoStatus(v.Status)
			u := &s.slots[slot].usage
			switch v.Class {
			case esp.AuthFailed:
				u.AuthFailed++
			case esp.BadSyntax:
				u.Syntax++
			case esp.Decrypted:
				u.Frames++
				u.Bytes += uint64(len(frame))
				r.Completion.HeaderInfoSet, r.Completion.NextHeader, r.Completion.PadLength = true, v.NextHeader, v.PadLength
			}
		}
	}
	length, ok := 0, false
	if r.Queue < s.limits.Queues {
		length, ok = buffer(r.Queue)
	}
	if !ok {
		s.Counters.RXDropNoDesc++
		r.Dropped, r.Data = true, nil
		return r
	}
	if length < 0 {
		s.Counters.RXErrDMA++
		r.Data, r.Completion.Status = nil, regs.CompletionStatusDMAWrite
		return r
	}
	if length < len(r.Data) {
		r.Data, r.Completion.Status = r.Data[:length], regs.CompletionStatusTruncated
	}
	switch r.Verdict.Class {
	case esp.Untouched:
		s.Counters.RXUntouched++
	case esp.NoSA:
		s.Counters.RXNoSA++
	case esp.BadSyntax:
		s.Counters.RXSyntax++
	case esp.AuthFailed:
		s.Counters.RXAuthFailed++
	case esp.Decrypted:
		s.Counters.RXESPOK++
	}
	return r
}

// find returns the slot of the inbound SA for a packet, or -1: an exact
// destination before any, and then the source must fit.
func (s *State) find(sel *esp.Selector) int {
	dst, src := netip.AddrFrom16(sel.Dst), netip.AddrFrom16(sel.Src)
	anyDst := netip.IPv6Unspecified()
	if !sel.IPv6 {
		dst, src = netip.AddrFrom4([4]byte(sel.Dst[:4])), netip.AddrFrom4([4]byte(sel.Src[:4]))
		anyDst = netip.IPv4Unspecified()
	}
	for _, want := range []netip.Addr{dst, anyDst} {
		for i := range s.slots {
			sa := s.slots[i].sa
			if sa == nil || !sa.Inbound() || sa.SPI() != sel.SPI || sa.Dst() != want {
				continue
			}
			if sa.Src().IsUnspecified() || sa.Src() == src {
				return i
			}
			return -1
		}
	}
	return -1
}
