// SPDX-License-Identifier: Apache-2.0

// Package rtlbridge presents a Verilated NIC, loaded from a shared library with
// the C interface of verilator/espalier_sim.h, as a pcie.Function, and gives
// access to its wire. No cgo, no compiler: the library is data.
//
// Library and Sim are the C interface, function by function. Function is the
// device behind PCIe that a driver opens. Port is its wire; Cluster lets several
// Functions share one time so that their wires can be joined.
package rtlbridge

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// ABI is the version of verilator/espalier_sim.h that this package speaks.
const ABI = 1

// Why a library cannot be used; Load wraps them in a sentence with the path.
var (
	ErrMissing      = errors.New("file does not exist")
	ErrNotLibrary   = errors.New("not a shared library for this machine")
	ErrNotSimulator = errors.New("not an Espalier simulator")
	ErrABI          = errors.New("other version of the simulator interface")
	ErrReplaced     = errors.New("file was replaced after this process loaded it; start anew or give it another name")
)

// LibraryInfo is what a library says about itself.
type LibraryInfo struct {
	// Design is the name of the Verilated top module.
	Design string `json:"design"`
	// BuildID is the hash of RTL sources and parameters, in hexadecimal.
	BuildID string `json:"build_id"`
	// Lanes of 128 bits in the data path.
	Lanes int `json:"lanes"`
	// BARs that the design answers on.
	BARs []struct {
		Index int    `json:"index"`
		Size  uint64 `json:"size"`
	} `json:"bars"`
	// Vectors is the number of interrupt vectors.
	Vectors int `json:"vectors"`
	// MACPorts is the number of wires.
	MACPorts int `json:"mac_ports"`
	// Trace, Coverage and Assertions say what was compiled in.
	Trace      bool `json:"trace"`
	Coverage   bool `json:"coverage"`
	Assertions bool `json:"assertions"`
	// Simulator is the tool that made it, with its version.
	Simulator string `json:"simulator"`
}

// Library is a loaded simulator. It stays loaded until the process ends: code
// of a design that is unloaded while a thread remembers it would be worse than
// the few megabytes.
type Library struct {
	path string
	info LibraryInfo

	create, destroy, hardReset, lastError, cycle, advance uintptr
	barRead, barWrite, memAdd, memAddFD, memRemove        uintptr
	faults, macSend, macRecv, macSent, interrupts         uintptr
	trace, coverage, peek                                 uintptr
	// Optional; 0: the library has none. Of the three for remote memory it has
	// all or none.
	record, attention, memRemote, memRequests, memAnswer uintptr
}

// Load loads the library at path. Errors satisfy errors.Is with one of
// ErrMissing, ErrNotLibrary, ErrNotSimulator, ErrABI and ErrReplaced.
func Load(path string) (*Library, error) {
	absolute, err := filepath.Abs(path) // without a slash dlopen would search the system's folders
	if err != nil {
		return nil, fmt.Errorf("simulator %s: %w", path, err)
	}
	if err := checkFile(absolute); err != nil {
		return nil, fmt.Errorf("simulator %s: %w", path, err)
	}
	if err := remember(absolute); err != nil {
		return nil, fmt.Errorf("simulator %s: %w", path, err)
	}
	handle, err := openLibrary(absolute)
	if err != nil {
		return nil, fmt.Errorf("simulator %s: %w: %w", path, ErrNotLibrary, err)
	}
	l := &Library{path: path}
	if err := l.bind(handle); err != nil {
		return nil, fmt.Errorf("simulator %s: %w", path, err)
	}
	return l, nil
}

// checkFile finds what is wrong with a file that dlopen would refuse in words
// that only a linker's author likes.
func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ErrMissing
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotLibrary, errors.Unwrap(err))
	case info.IsDir():
		return fmt.Errorf("%w: it is a folder", ErrNotLibrary)
	case runtime.GOOS != "linux":
		return nil // another object format; dlopen judges alone
	}
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%w: it has no ELF header", ErrNotLibrary)
	}
	defer f.Close()
	if f.Type != elf.ET_DYN {
		return fmt.Errorf("%w: ELF type %v", ErrNotLibrary, f.Type)
	}
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "riscv64": elf.EM_RISCV}
	if want, known := machines[runtime.GOARCH]; known && f.Machine != want {
		return fmt.Errorf("%w: it is for %v, this program runs on %v", ErrNotLibrary, f.Machine, want)
	}
	return nil
}

// loaded are the files behind the paths that were loaded.
var loaded = struct {
	sync.Mutex
	files map[string]fs.FileInfo
}{files: make(map[string]fs.FileInfo)}

// remember refuses a file that has come to a path since another was loaded from
// there: dlopen would go by the name and give the old one again.
func remember(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	loaded.Lock()
	defer loaded.Unlock()
	before, known := loaded.files[path]
	if known && !os.SameFile(before, info) {
		return ErrReplaced
	}
	loaded.files[path] = info
	return nil
}

// bind checks the version before it looks for anything else.
func (l *Library) bind(handle uintptr) error {
	symbol := func(name string) (uintptr, error) {
		at, err := findSymbol(handle, name)
		if err != nil || at == 0 {
			return 0, fmt.Errorf("%w: it has no symbol %s", ErrNotSimulator, name)
		}
		return at, nil
	}
	abi, err := symbol("espalier_sim_abi")
	if err != nil {
		return err
	}
	version, _, _ := purego.SyscallN(abi)
	if uint32(version) != ABI {
		return fmt.Errorf("%w: it has version %d, this program speaks version %d", ErrABI, uint32(version), ABI)
	}
	var info uintptr
	for _, s := range []struct {
		at   *uintptr
		name string
	}{
		{&info, "info"}, {&l.create, "create"}, {&l.destroy, "destroy"}, {&l.hardReset, "hard_reset"},
		{&l.lastError, "last_error"}, {&l.cycle, "cycle"}, {&l.advance, "advance"},
		{&l.barRead, "bar_read"}, {&l.barWrite, "bar_write"},
		{&l.memAdd, "mem_add"}, {&l.memAddFD, "mem_add_fd"}, {&l.memRemove, "mem_remove"}, {&l.faults, "faults"},
		{&l.macSend, "mac_send"}, {&l.macRecv, "mac_recv"}, {&l.macSent, "mac_sent"},
		{&l.interrupts, "interrupts"}, {&l.trace, "trace"}, {&l.coverage, "coverage"}, {&l.peek, "peek"},
	} {
		if *s.at, err = symbol("espalier_sim_" + s.name); err != nil {
			return err
		}
	}
	l.record, _ = symbol("espalier_sim_record")
	l.attention, _ = symbol("espalier_sim_attention")
	l.memRemote, _ = symbol("espalier_sim_mem_remote")
	l.memRequests, _ = symbol("espalier_sim_mem_requests")
	l.memAnswer, _ = symbol("espalier_sim_mem_answer")
	if l.memRequests == 0 || l.memAnswer == 0 {
		l.memRemote = 0
	}
	text, _, _ := purego.SyscallN(info)
	if err := json.Unmarshal([]byte(goString(text)), &l.info); err != nil {
		return fmt.Errorf("%w: its description is not JSON: %w", ErrNotSimulator, err)
	}
	return l.check()
}

// check refuses descriptions that this package could not work with.
func (l *Library) check() error {
	for _, bar := range l.info.BARs {
		if bar.Index == 0 && bar.Size >= 4096 && bar.Size&(bar.Size-1) == 0 && l.info.Vectors >= 1 && l.info.MACPorts >= 1 {
			return nil
		}
	}
	return fmt.Errorf("%w: its description has no usable BAR 0, vectors or MAC port", ErrNotSimulator)
}

// Path is where the library was loaded from.
func (l *Library) Path() string { return l.path }

// Info is what the library says about itself.
func (l *Library) Info() LibraryInfo { return l.info }

// barSize returns the size of BAR 0.
func (l *Library) barSize() uint64 {
	for _, bar := range l.info.BARs {
		if bar.Index == 0 {
			return bar.Size
		}
	}
	return 0
}

// goString copies a C string at an address that the library returned.
func goString(at uintptr) string {
	if at == 0 {
		return ""
	}
	// The address comes from C, so the memory is not Go's to move; going
	// through its own address says so to vet.
	p := *(*unsafe.Pointer)(unsafe.Pointer(&at))
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}
