// SPDX-License-Identifier: Apache-2.0

// Package job is what the host and the guest of the virtual machine say to each
// other: the job that the guest finds in its initial file system, and the frames
// that pass between them on a virtio-serial port while it is done.
package job

// File is where the guest finds the job, as JSON.
const File = "/espalier/job.json"

// Init is the guest's first process, and Argument an argument of it, by which a
// program knows that it has been started as that.
const (
	Init     = "/espalier/init"
	Argument = "espalier-guest"
)

// Port is the name of the virtio-serial port for the frames.
const Port = "espalier.job"

// Tap is the name of the guest's interface that shows a mirror's frames, and
// TapAddress its hardware address, by which the guest finds it.
const (
	Tap        = "wiretap0"
	TapAddress = "52:54:00:65:74:01"
)

// Job is what the guest is to do.
type Job struct {
	// Modules are the kernel modules to load, in this order.
	Modules []Module
	// Shares are the host's folders, outermost first. The first one is the root.
	Shares []Share
	// HugePages is how many huge pages of 2 MiB to set aside.
	HugePages int
	// Cards are the PCI addresses of the functions to bind to vfio-pci.
	Cards []string
	// Tap: there is an interface with TapAddress, which becomes Tap.
	Tap bool
	// Command and its arguments, run in the folder Dir with the environment Env.
	Command []string
	Dir     string
	Env     []string
}

// Module is one kernel module.
type Module struct {
	// Path is the module's file in the initial file system.
	Path string
	// Parameters are as on modprobe's command line.
	Parameters string
}

// Share is a folder of the host that the guest has at the same path.
type Share struct {
	// Tag names the virtio file system.
	Tag string
	// Path is the folder's, absolute.
	Path string
	// Writable says that what the guest writes there is written on the host. What
	// it writes anywhere else is forgotten when it ends.
	Writable bool
}

// Result is how the job ended.
type Result struct {
	// Error says in one sentence why the command was not run; else it is empty.
	Error string
	// NotFound says that there is no such command.
	NotFound bool
	// ExitCode is the command's, or 128 and the signal's number.
	ExitCode int
	// Signal is the name of the signal that ended the command, if one did.
	Signal string
}
