// SPDX-License-Identifier: Apache-2.0

package rtlbridge

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// Results of simulator calls; SimError wraps them.
var (
	// ErrInvalid: a bad argument.
	ErrInvalid = errors.New("invalid argument")
	// ErrNotSupported: the library was built without it.
	ErrNotSupported = errors.New("not supported by this library")
	// ErrModel: the design stopped ($fatal, assertion, broken bus protocol).
	ErrModel = errors.New("the simulated design stopped")
	// ErrBus: a BAR access was answered with a bus error.
	ErrBus = errors.New("bus error")
	// ErrAgain: nothing there yet, or no room.
	ErrAgain = errors.New("not now")
	// ErrIO: a file could not be written.
	ErrIO = errors.New("file cannot be written")
)

// codes are the ESPALIER_SIM_E* values.
var codes = map[int]error{
	-1: ErrInvalid, -2: ErrNotSupported, -3: ErrModel, -4: pcie.ErrTimeout, -5: ErrBus, -6: ErrAgain, -7: ErrIO,
}

// SimError is a failed simulator call: the library's sentence and, through
// Unwrap, one of the errors above or pcie.ErrTimeout.
type SimError struct {
	Operation string
	Message   string
	kind      error
}

// Error returns operation and sentence.
func (e *SimError) Error() string {
	if e.Message == "" {
		return e.Operation + ": " + e.kind.Error()
	}
	if errors.Is(e.kind, ErrModel) {
		return e.Operation + ": " + e.kind.Error() + ": " + e.Message
	}
	return e.Operation + ": " + e.Message
}

// Unwrap returns the kind of error.
func (e *SimError) Unwrap() error { return e.kind }

// Event is a set of things that Sim.Advance may stop for.
type Event uint32

// Events, as ESPALIER_SIM_UNTIL_*.
const (
	EventInterrupt Event = 1 << iota
	// EventFrame: a whole frame left the NIC.
	EventFrame
	// EventFault: an access to host memory was refused.
	EventFault
	// EventWrite: a write to host memory was performed.
	EventWrite
	// EventRequest: there is a request for remote memory.
	EventRequest
)

// Access says what the device may do with a range of memory.
type Access uint32

// Kinds of access.
const (
	ReadAccess Access = 1 << iota
	WriteAccess
)

// FrameInfo describes a frame at the MAC. Its layout is espalier_sim_frame's.
type FrameInfo struct {
	// FirstCycle and LastCycle are when its first and last beat were transferred.
	FirstCycle, LastCycle uint64
	// Size in bytes, no FCS.
	Size uint32
	flag uint32
}

// Bad says whether the sender marked the frame bad.
func (f FrameInfo) Bad() bool { return f.flag&1 != 0 }

// Request is an access of the device to remote memory that waits for its answer.
type Request struct {
	// ID is for Sim.MemAnswer; no instance uses one twice.
	ID uint64
	// IOVA and Size, 1 to 4096, are what is accessed.
	IOVA uint64
	Size int
	// Cycle is when the request was made.
	Cycle uint64
	// Write says that Data, of Size bytes, is to be written; else Data is nil.
	Write bool
	Data  []byte
}

// simRequest's layout is espalier_sim_request's.
type simRequest struct {
	id, iova, cycle uint64
	size, write     uint32
	data            unsafe.Pointer
}

// simFault's layout is espalier_sim_fault's.
type simFault struct {
	iova, cycle uint64
	size, write uint32
}

// Options are the options of espalier_sim_create by name; unset ones have the
// defaults stated in espalier_sim.h.
type Options map[string]uint64

// text returns the options as the C interface takes them, in a fixed order.
func (o Options) text() string {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s=%d\n", name, o[name])
	}
	return b.String()
}

// Sim is one simulated NIC. One goroutine at a time may use it; after Close no
// method may be called. Memory given to MemAdd must not be Go-heap memory.
type Sim struct {
	lib    *Library
	handle uintptr

	// What calls write to. Part of the Sim so that a call allocates nothing.
	value  uint64
	ran    uint64
	events uint32
	info   FrameInfo
	fault  [16]simFault
	// asked is what MemRequests takes, made when it is first used.
	asked []simRequest

	args [8]uintptr
	// passed keeps a buffer of the caller's alive, and on the heap, where it
	// does not move, while C has its address.
	passed unsafe.Pointer
}

// call calls a function of the library with the instance as first argument.
// Addresses among args must be of memory that does not move: the Sim's own, or
// what address returned.
func (s *Sim) call(fn uintptr, args ...uintptr) uintptr {
	s.args[0] = s.handle
	n := 1 + copy(s.args[1:], args)
	// A slice that is on the heap already: SyscallN would allocate another.
	r, _, _ := purego.SyscallN(fn, s.args[:n]...)
	s.passed = nil
	return r
}

// address returns the address of a buffer for the next call.
func (s *Sim) address(buffer []byte) uintptr {
	s.passed = unsafe.Pointer(unsafe.SliceData(buffer))
	return uintptr(s.passed)
}

// Create makes an instance, as after power-up.
func (l *Library) Create(options Options, seed uint64) (*Sim, error) {
	text := append([]byte(options.text()), 0)
	message := make([]byte, 512)
	handle, _, _ := purego.SyscallN(l.create, uintptr(unsafe.Pointer(&text[0])), uintptr(seed),
		uintptr(unsafe.Pointer(&message[0])), uintptr(len(message)))
	if handle == 0 {
		end := strings.IndexByte(string(message), 0)
		return nil, &SimError{Operation: "create simulator", Message: string(message[:max(end, 0)]), kind: ErrInvalid}
	}
	return &Sim{lib: l, handle: handle}, nil
}

// Close ends the instance.
func (s *Sim) Close() {
	s.call(s.lib.destroy)
	s.handle = 0
}

// check turns a C result into an error.
func (s *Sim) check(operation string, result uintptr) error {
	code := int(int32(result))
	if code >= 0 {
		return nil
	}
	if code == -6 {
		return ErrAgain // no sentence: not a failure
	}
	message := s.call(s.lib.lastError)
	kind := codes[code]
	if kind == nil {
		kind = fmt.Errorf("unknown result %d", code)
	}
	return &SimError{Operation: operation, Message: goString(message), kind: kind}
}

// HardReset asserts the reset, as power-up does. Frames on their way are lost.
func (s *Sim) HardReset() error {
	r := s.call(s.lib.hardReset)
	return s.check("hard reset", r)
}

// Cycle returns the clock cycles since Create.
func (s *Sim) Cycle() uint64 {
	r := s.call(s.lib.cycle)
	return uint64(r)
}

// Advance runs up to cycles clocks, or until after a clock in which one of the
// until events happened. It returns all events that happened and the clocks run.
func (s *Sim) Advance(cycles uint64, until Event) (Event, uint64, error) {
	r := s.call(s.lib.advance, uintptr(cycles), uintptr(until),
		uintptr(unsafe.Pointer(&s.events)), uintptr(unsafe.Pointer(&s.ran)))
	return Event(s.events), s.ran, s.check("advance", r)
}

// attention has advances stop while a word, which any thread may change, is not 0;
// nil: never. The word must be pinned until another call or Close. It returns whether
// the library can do so.
func (s *Sim) attention(word *atomic.Int32) bool {
	return s.lib.attention != 0 && s.check("attention", s.call(s.lib.attention, uintptr(unsafe.Pointer(word)))) == nil
}

// BARRead reads width (1, 2, 4 or 8) bytes. With ErrBus and pcie.ErrTimeout the
// value is all ones.
func (s *Sim) BARRead(bar int, offset uint64, width int) (uint64, error) {
	r := s.call(s.lib.barRead, uintptr(bar), uintptr(offset), uintptr(width),
		uintptr(unsafe.Pointer(&s.value)))
	return s.value, s.check("BAR read", r)
}

// BARWrite writes width (1, 2, 4 or 8) bytes.
func (s *Sim) BARWrite(bar int, offset uint64, width int, value uint64) error {
	r := s.call(s.lib.barWrite, uintptr(bar), uintptr(offset), uintptr(width), uintptr(value))
	return s.check("BAR write", r)
}

// MemAdd lets the device reach memory at iova. It must stay mapped until MemRemove.
func (s *Sim) MemAdd(iova uint64, memory []byte, access Access) error {
	r := s.call(s.lib.memAdd, uintptr(iova), uintptr(len(memory)),
		uintptr(unsafe.Pointer(unsafe.SliceData(memory))), uintptr(access))
	return s.check("add memory", r)
}

// MemAddFD lets the device reach size bytes of a file, from offset. They are
// read and written with pread and pwrite: a file that became shorter is a fault.
// The descriptor must stay open until MemRemove.
func (s *Sim) MemAddFD(iova, size uint64, fd int, offset uint64, access Access) error {
	r := s.call(s.lib.memAddFD, uintptr(iova), uintptr(size), uintptr(fd), uintptr(offset), uintptr(access))
	return s.check("add file memory", r)
}

// MemRemove withdraws a range that was added.
func (s *Sim) MemRemove(iova, size uint64) error {
	r := s.call(s.lib.memRemove, uintptr(iova), uintptr(size))
	return s.check("remove memory", r)
}

// MemRemote turns remote memory on or off: accesses to memory that was not added
// become requests instead of faults. Turning it off answers what waits with an
// error. ErrNotSupported says that the library cannot.
func (s *Sim) MemRemote(on bool) error {
	if s.lib.memRemote == 0 {
		return &SimError{Operation: "remote memory", Message: "this library has no espalier_sim_mem_remote", kind: ErrNotSupported}
	}
	var enable uintptr
	if on {
		enable = 1
	}
	return s.check("remote memory", s.call(s.lib.memRemote, enable))
}

// MemRequests takes the new requests for remote memory, oldest first. Their data
// is the caller's. Only after MemRemote.
func (s *Sim) MemRequests() ([]Request, error) {
	if s.asked == nil {
		s.asked = make([]simRequest, 64)
	}
	var requests []Request
	for {
		r := s.call(s.lib.memRequests, uintptr(unsafe.Pointer(&s.asked[0])), uintptr(len(s.asked)))
		if err := s.check("requests for remote memory", r); err != nil {
			return requests, err
		}
		n := int(r)
		for _, a := range s.asked[:n] {
			q := Request{ID: a.id, IOVA: a.iova, Size: int(a.size), Cycle: a.cycle, Write: a.write != 0}
			if q.Write {
				q.Data = slices.Clone(unsafe.Slice((*byte)(a.data), q.Size))
			}
			requests = append(requests, q)
		}
		if n < len(s.asked) {
			return requests, nil
		}
	}
}

// MemAnswer answers a request: data is what a read gave, of the request's size,
// nil for a write. With ok false the device sees an error, and there is a fault.
// ErrInvalid says that no such request waits; an answer to one that the hard
// reset or MemRemote has ended is none.
func (s *Sim) MemAnswer(id uint64, ok bool, data []byte) error {
	var good uintptr
	if ok {
		good = 1
	} else {
		data = nil
	}
	return s.check("answer for remote memory", s.call(s.lib.memAnswer, uintptr(id), good, s.address(data), uintptr(len(data))))
}

// Faults takes the accesses to host memory that were refused, oldest first.
// The library keeps the first 4096 that nobody has taken.
func (s *Sim) Faults() ([]pcie.Fault, error) {
	var faults []pcie.Fault
	for {
		r := s.call(s.lib.faults, uintptr(unsafe.Pointer(&s.fault[0])), uintptr(len(s.fault)))
		if err := s.check("faults", r); err != nil {
			return faults, err
		}
		n := int(r)
		for _, f := range s.fault[:n] {
			faults = append(faults, pcie.Fault{IOVA: f.iova, Size: int(f.size), Write: f.write != 0, Cycle: f.cycle})
		}
		if n < len(s.fault) {
			return faults, nil
		}
	}
}

// MACSend queues a frame (no FCS) toward the NIC, marked bad if asked for.
// ErrAgain says that the queue is full.
func (s *Sim) MACSend(frame []byte, bad bool) error {
	var flags uintptr
	if bad {
		flags = 1
	}
	r := s.call(s.lib.macSend, 0, s.address(frame), uintptr(len(frame)), flags)
	return s.check("send frame to the NIC", r)
}

// MACRecv takes the oldest frame from the NIC into buffer. ErrAgain says that
// there is none. The description's Size is the frame's.
func (s *Sim) MACRecv(buffer []byte) (FrameInfo, error) {
	r := s.call(s.lib.macRecv, 0, s.address(buffer), uintptr(len(buffer)),
		uintptr(unsafe.Pointer(&s.info)))
	return s.info, s.check("receive frame from the NIC", r)
}

// MACSent takes descriptions of frames that were transferred to the NIC, oldest
// first, and returns how many.
func (s *Sim) MACSent(out []FrameInfo) (int, error) {
	if len(out) == 0 {
		return 0, nil
	}
	s.passed = unsafe.Pointer(&out[0])
	r := s.call(s.lib.macSent, 0, uintptr(s.passed), uintptr(len(out)))
	return int(int32(r)), s.check("frames sent to the NIC", r)
}

// Interrupts adds the pulses of each vector since the last call to counts.
func (s *Sim) Interrupts(counts []uint32) error {
	s.passed = unsafe.Pointer(unsafe.SliceData(counts))
	r := s.call(s.lib.interrupts, uintptr(s.passed), uintptr(len(counts)))
	return s.check("interrupts", r)
}

// Trace starts a waveform in path; "" ends it.
func (s *Sim) Trace(path string) error {
	if path == "" {
		r := s.call(s.lib.trace, 0)
		return s.check("waveform", r)
	}
	r := s.callWithPath(s.lib.trace, path)
	return s.check("waveform", r)
}

// Record starts writing the input pins of each clock to path, for measuring what
// the design costs by itself (verilator/bench); "" ends it.
func (s *Sim) Record(path string) error {
	if s.lib.record == 0 {
		return &SimError{Operation: "record", Message: "this library has no espalier_sim_record", kind: ErrNotSupported}
	}
	if path == "" {
		return s.check("record", s.call(s.lib.record, 0))
	}
	return s.check("record", s.callWithPath(s.lib.record, path))
}

// Coverage writes the coverage collected so far.
func (s *Sim) Coverage(path string) error {
	return s.check("coverage", s.callWithPath(s.lib.coverage, path))
}

func (s *Sim) callWithPath(fn uintptr, path string) uintptr {
	text := append([]byte(path), 0)
	return s.call(fn, s.address(text))
}

// Peek reads word index of the memory or register called name, least
// significant byte first, into out and returns its size. For tests; docs/rtl.md
// lists names.
func (s *Sim) Peek(name string, index uint64, out []byte) (int, error) {
	text := append([]byte(name), 0)
	r, _, _ := purego.SyscallN(s.lib.peek, s.handle, uintptr(unsafe.Pointer(&text[0])), uintptr(index),
		uintptr(unsafe.Pointer(unsafe.SliceData(out))), uintptr(len(out)))
	if err := s.check("peek", r); err != nil {
		return 0, err
	}
	return int(int32(r)), nil
}
