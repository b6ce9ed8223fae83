// SPDX-License-Identifier: Apache-2.0

// Package doctor examines a Linux host for what a userspace driver of a PCIe card
// needs, through VFIO or through sysfs: an IOMMU, groups, drivers, rights, memory,
// the card's own state. It reads sysfs, procfs and the rights of device nodes,
// opens no device and changes nothing. Each finding comes with the command that
// mends it.
package doctor

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/discover"
)

// Level says how bad a finding is.
type Level string

// Levels.
const (
	// OK: as it should be.
	OK Level = "ok"
	// Warn: a card works, but not as well as it could, or it could not be told.
	Warn Level = "warn"
	// Fail: a card cannot be used until this is mended.
	Fail Level = "fail"
)

// Way is a way to drive a card.
type Way string

// Ways.
const (
	// VFIO: the IOMMU keeps the card within what it was given.
	VFIO Way = "vfio"
	// Sysfs: resourceN files, physical addresses, no interrupts.
	Sysfs Way = "sysfs"
)

// Finding is one thing that was looked at.
type Finding struct {
	// Subject is what was looked at, in a word or two.
	Subject string `json:"subject"`
	Level   Level  `json:"level"`
	// Text is what was found.
	Text string `json:"text"`
	// Fix is the command that mends it; "" if nothing needs mending, or a
	// sentence where no command does.
	Fix string `json:"fix,omitempty"`
}

// Card is what was found of one card.
type Card struct {
	Address  string    `json:"address"`
	ID       string    `json:"id"`
	Findings []Finding `json:"findings"`
	// Usable: nothing of the card itself is in the way.
	Usable bool `json:"usable"`
}

// Report is all that was found.
type Report struct {
	Way   Way       `json:"way"`
	Host  []Finding `json:"host"`
	Cards []Card    `json:"cards"`
	// Usable: the host is fit, and so is every card that was examined, of which
	// there is at least one.
	Usable bool `json:"usable"`
}

// Options say what to examine. The zero value examines this machine's NICs for VFIO.
type Options struct {
	// Root is the folder that holds sys, proc, dev, etc and lib; "" for "/".
	Root string
	// Address is the card to examine; "" for every one that has one of IDs.
	Address string
	// Way is how the card is to be driven; "" for VFIO.
	Way Way
	// IDs are those of cards that are ours; none: Espalier's.
	IDs []discover.ID
	// Access says whether this process may read and write the file at path,
	// which is below Root. nil: access(2).
	Access func(path string) error
}

// LockedMemory is the memory in bytes that the driver locks for rings and
// buffers when it uses all queues, rounded up: the least limit of a process that
// is to use VFIO.
const LockedMemory = 32 << 20

// Examine looks at the host and at its cards. An error says that an address is
// none, or that what Linux always has could not be read.
func Examine(opts Options) (*Report, error) {
	if opts.Root == "" {
		opts.Root = "/"
	}
	if opts.Way == "" {
		opts.Way = VFIO
	}
	if len(opts.IDs) == 0 {
		opts.IDs = []discover.ID{discover.Espalier()}
	}
	if opts.Access == nil {
		opts.Access = func(path string) error { return unix.Access(path, unix.R_OK|unix.W_OK) }
	}
	e := &examination{tree: tree(opts.Root), opts: opts}
	report := &Report{Way: opts.Way}
	cards, err := e.cards()
	if err != nil {
		return nil, err
	}
	report.Host = e.host(len(cards))
	report.Usable = fit(report.Host) // which fails without a card
	for i := range cards {
		card := e.card(&cards[i])
		report.Cards = append(report.Cards, card)
		report.Usable = report.Usable && card.Usable
	}
	return report, nil
}

// fit says that no finding is in the way.
func fit(findings []Finding) bool {
	for _, f := range findings {
		if f.Level == Fail {
			return false
		}
	}
	return true
}

// examination is one under way.
type examination struct {
	tree tree
	opts Options
}

// cards finds the cards to examine.
func (e *examination) cards() ([]discover.Function, error) {
	devices := e.tree.path(discover.SysfsDevices)
	if e.opts.Address == "" {
		return discover.FindIn(devices, e.opts.IDs...)
	}
	f, err := discover.LookupIn(devices, e.opts.Address)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; `espalier devices` lists those of this machine, `lspci` all functions", err)
	}
	if err != nil {
		return nil, err
	}
	return []discover.Function{f}, nil
}

// findings collects findings.
type findings []Finding

func (f *findings) ok(subject, format string, args ...any) {
	*f = append(*f, Finding{Subject: subject, Level: OK, Text: fmt.Sprintf(format, args...)})
}

func (f *findings) warn(subject, fix, format string, args ...any) {
	*f = append(*f, Finding{Subject: subject, Level: Warn, Text: fmt.Sprintf(format, args...), Fix: fix})
}

func (f *findings) fail(subject, fix, format string, args ...any) {
	*f = append(*f, Finding{Subject: subject, Level: Fail, Text: fmt.Sprintf(format, args...), Fix: fix})
}
