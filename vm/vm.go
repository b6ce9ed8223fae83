// SPDX-License-Identifier: Apache-2.0

// Package vm runs a command in a small Linux guest in which NICs that are served
// over vfio-user are PCIe cards behind an IOMMU. The guest is QEMU's software
// emulation with a Debian kernel (package debian gets both); it has no disk. Its
// file system is the host's own, where whatever it writes is forgotten when it
// ends, except in the folders that are shared for writing.
//
// The program that calls Run is also the guest's first process: its main, or a
// test's TestMain, calls guest.Main before anything else.
package vm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/espalier-nic/espalier/vm/debian"
	"github.com/espalier-nic/espalier/vm/job"
)

// Config says what to run, and in what machine. Command is needed; the zero
// value of everything else is a good default.
type Config struct {
	// Command is the program and its arguments. A program without a slash is
	// looked for in the guest's PATH.
	Command []string
	// Dir is the folder to run it in, shared for writing; empty means the current one.
	Dir string
	// Env is added to the command's environment, as NAME=VALUE. Beside it the
	// command has PATH, HOME, LANG, TERM, TMPDIR, TZ and ESPALIER_* as they are
	// here, and from the guest ESPALIER_VM=1 and ESPALIER_CARDS, the cards'
	// addresses with commas between.
	Env []string
	// Shares are more folders that the command can write to.
	Shares []string

	// Cards are the vfio-user sockets of the cards, whose servers must be ready.
	// The first one is at 0000:00:10.0, the next at 0000:00:11.0, and so on.
	Cards []string
	// Networks are Unix sockets that speak QEMU's stream protocol. The guest has a
	// network interface on each: eth0, eth1, ...
	Networks []string
	// Mirror is a Unix socket that speaks QEMU's stream protocol, and whose frames
	// the guest has on the interface TapInterface: up and promiscuous, without any
	// address, its frames never merged. Empty means that there is none.
	Mirror string

	// NoIOMMU leaves the IOMMU away. With it, a card that VFIO has taken reaches
	// only what is mapped for it, and any other reaches all of memory at physical
	// addresses (the kernel's iommu=pt). Without it VFIO takes no card, so that
	// they are left without a driver, for sysfs.
	NoIOMMU bool
	// Memory is the guest's, in MiB; 0 means DefaultMemory.
	Memory int
	// CPUs is the number of the guest's processors; 0 means DefaultCPUs.
	CPUs int
	// HugePages is how many of 2 MiB the guest sets aside.
	HugePages int
	// Modules are more kernel modules to load.
	Modules []string

	// Stdin is the command's input; nil means an empty one. A Read under way when
	// Run returns is left to end by itself.
	Stdin io.Reader
	// Stdout and Stderr take the command's output; nil means nobody does.
	Stdout, Stderr io.Writer
	// Console takes the guest's kernel log; nil means that only warnings are
	// kept, for an error to show.
	Console io.Writer
	// Timeout is how long the command may run; 0 means as long as it likes.
	Timeout time.Duration
	// BootTimeout is how long the guest may take to start; 0 means DefaultBootTimeout.
	BootTimeout time.Duration

	// Prepare says where QEMU and the guest's kernel are found or put.
	Prepare debian.Options
	// Log takes lines about what is done. Nil means nobody listens.
	Log func(line string)
}

// Defaults of Config.
const (
	DefaultMemory      = 1024 // MiB
	DefaultCPUs        = 1
	DefaultBootTimeout = 2 * time.Minute
)

// Limits of Config: a root bus has 32 places, and the machine's own devices are
// in the lower half.
const (
	MaxCards    = 14
	MaxNetworks = 4
	minMemory   = 256 // MiB
	maxMemory   = 1 << 20
	maxCPUs     = 64
)

// TapInterface is the guest's interface with the frames of Config.Mirror.
const TapInterface = job.Tap

// firstSlot is the first card's place on the root bus.
const firstSlot = 0x10

// CardAddress is the PCI address that the guest has the card with this index at.
func CardAddress(index int) string { return fmt.Sprintf("0000:00:%02x.0", firstSlot+index) }

// Result is how a run went.
type Result struct {
	// ExitCode is the command's; if a signal ended it, 128 and the signal's number.
	ExitCode int
	// Signal is the signal's name (SIGSEGV), else empty.
	Signal string
	// Prepare is how long it took until QEMU was started, Boot from there until
	// the command started, Run until it had ended, Stop until everything was gone.
	Prepare, Boot, Run, Stop time.Duration
}

// ErrTimeout is in the chain of the error that ends a run after Config.Timeout
// or Config.BootTimeout.
var ErrTimeout = errors.New("timeout")

// ErrNotFound is in the chain of the error that says that the guest has no such
// command.
var ErrNotFound = errors.New("command not found")

// GuestError is an error of the guest: it died, it did not start, it took too
// long. Its text is one sentence.
type GuestError struct {
	Err error
	// Console is the end of the guest's kernel log.
	Console string
}

func (e *GuestError) Error() string { return e.Err.Error() }

// Unwrap answers what has happened.
func (e *GuestError) Unwrap() error { return e.Err }

// passed are the variables of the host's environment that the command has too.
// Their names are complete or end in *.
var passed = []string{"PATH", "HOME", "LANG", "TERM", "TMPDIR", "TZ", "ESPALIER_*"}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is the command's. Of two settings of a name the later one counts.
func (c *Config) environment(host []string) []string {
	set := map[string]string{"PATH": defaultPath, "HOME": "/", "TERM": "dumb"}
	add := func(variable string, wanted func(name string) bool) {
		if name, value, ok := strings.Cut(variable, "="); ok && wanted(name) {
			set[name] = value
		}
	}
	for _, variable := range host {
		add(variable, func(name string) bool {
			return slices.ContainsFunc(passed, func(pattern string) bool {
				prefix, open := strings.CutSuffix(pattern, "*")
				return name == pattern || open && strings.HasPrefix(name, prefix)
			})
		})
	}
	// The program that runs here is found there too, and a user's PATH may lack
	// the folders of the programs that set up networks.
	if own, err := os.Executable(); err == nil {
		set["PATH"] = filepath.Dir(own) + ":" + set["PATH"] + ":/usr/sbin:/sbin"
	}
	var cards []string
	for i := range c.Cards {
		cards = append(cards, CardAddress(i))
	}
	set["ESPALIER_VM"], set["ESPALIER_CARDS"] = "1", strings.Join(cards, ",")
	for _, variable := range c.Env {
		add(variable, func(string) bool { return true })
	}
	var all []string
	for name, value := range set {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return all
}

// Check says whether Run would refuse the configuration; it starts nothing.
func (c Config) Check() error {
	c.Shares = slices.Clone(c.Shares)
	return c.check()
}

// check fills in the defaults and refuses what cannot be.
func (c *Config) check() error {
	if len(c.Command) == 0 || c.Command[0] == "" {
		return errors.New("no command to run in the guest")
	}
	for _, limit := range []struct {
		name              string
		value             *int
		initial           int
		smallest, largest int
	}{
		{"memory of the guest in MiB", &c.Memory, DefaultMemory, minMemory, maxMemory},
		{"processors of the guest", &c.CPUs, DefaultCPUs, 1, maxCPUs},
		{"huge pages of the guest", &c.HugePages, 0, 0, maxMemory / 2},
	} {
		if *limit.value == 0 {
			*limit.value = limit.initial
		}
		if *limit.value < limit.smallest || *limit.value > limit.largest {
			return fmt.Errorf("%s: %d, want %d to %d", limit.name, *limit.value, limit.smallest, limit.largest)
		}
	}
	if need := 2*c.HugePages + minMemory; c.HugePages > 0 && c.Memory < need {
		return fmt.Errorf("huge pages of the guest: %d of 2 MiB do not fit into %d MiB of memory beside the system; it takes %d MiB", c.HugePages, c.Memory, need)
	}
	if len(c.Cards) > MaxCards {
		return fmt.Errorf("cards of the guest: %d, want at most %d", len(c.Cards), MaxCards)
	}
	if len(c.Networks) > MaxNetworks {
		return fmt.Errorf("networks of the guest: %d, want at most %d", len(c.Networks), MaxNetworks)
	}
	for _, variable := range c.Env {
		if name, _, ok := strings.Cut(variable, "="); !ok || name == "" {
			return fmt.Errorf("environment %q: want NAME=VALUE", variable)
		}
	}
	if c.BootTimeout == 0 {
		c.BootTimeout = DefaultBootTimeout
	}
	if c.Dir == "" {
		var err error
		if c.Dir, err = os.Getwd(); err != nil {
			return fmt.Errorf("current folder: %w", err)
		}
	}
	for _, folder := range append([]*string{&c.Dir}, pointers(c.Shares)...) {
		// Symbolic links are the host's business: the guest gets the folder itself,
		// and finds it by the links that it has too.
		real, err := filepath.EvalSymlinks(*folder)
		if err != nil {
			return fmt.Errorf("folder for the guest: %w", err)
		}
		if real, err = filepath.Abs(real); err != nil {
			return fmt.Errorf("folder for the guest: %w", err)
		}
		if info, err := os.Stat(real); err != nil || !info.IsDir() {
			return fmt.Errorf("folder for the guest: %s is not a folder", *folder)
		}
		if real == "/" {
			return errors.New("folder for the guest: / cannot be shared for writing; run in a folder below it")
		}
		*folder = real
	}
	return nil
}

func pointers(values []string) []*string {
	var all []*string
	for i := range values {
		all = append(all, &values[i])
	}
	return all
}

func (c *Config) log(format string, args ...any) {
	if c.Log != nil {
		c.Log(fmt.Sprintf(format, args...))
	}
}
