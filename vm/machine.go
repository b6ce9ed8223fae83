// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/espalier-nic/espalier/vm/job"
)

// messageTimeout is how long QEMU waits for a card's answer, in ms. After it QEMU
// drops the connection for good, so it is longer than any card takes.
const messageTimeout = 60_000

// CardArguments are QEMU's arguments for a card that is served over vfio-user at
// the socket, for a command line that a person writes too. An address ("10.0")
// is its place on the root bus; empty leaves it to QEMU.
func CardArguments(socket, address string) []string {
	type socketAddress struct {
		Type string `json:"type"`
		Path string `json:"path"`
	}
	device := struct {
		Driver  string        `json:"driver"`
		Socket  socketAddress `json:"socket"`
		Timeout int           `json:"x-msg-timeout"`
		Address string        `json:"addr,omitempty"`
	}{"vfio-user-pci", socketAddress{"unix", socket}, messageTimeout, address}
	text, err := json.Marshal(device)
	if err != nil {
		panic(err) // strings and numbers
	}
	return []string{"-device", string(text)}
}

// processor is the guest's: all that QEMU can emulate, but for what makes page
// faults and system calls slow and matters only to a guest with enemies.
const processor = "max,la57=off,smap=off,smep=off,pku=off,pcid=off,umip=off"

// machine are QEMU's arguments, with descriptors by the numbers they have there.
func (c *Config) machine(kernel, initramfs string, jobFD int, shares []job.Share, shareFDs []int) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
		"-machine", "q35,memory-backend=memory,hpet=off,vmport=off,smbus=off,sata=off,usb=off",
		"-accel", "tcg,thread=multi", "-cpu", processor, "-smp", fmt.Sprint(c.CPUs),
		"-m", fmt.Sprintf("%dM", c.Memory),
		// Shared and with a descriptor, so that cards and the file server reach it.
		"-object", fmt.Sprintf("memory-backend-memfd,id=memory,size=%dM,share=on", c.Memory),
	}
	line := []string{
		"console=ttyS0", "panic=-1", "rdinit=" + job.Init, "net.ifnames=0",
		// The time stamp counter's frequency is a guess that goes wrong on a busy host,
		// by a factor; this timer's is known.
		"clocksource=acpi_pm",
		// What follows saves a third of the time to boot: nobody attacks this guest.
		"no_timer_check", "random.trust_cpu=on", "nokaslr", "mitigations=off",
	}
	if c.Console != nil {
		line = append(line, "loglevel=7")
	} else {
		line = append(line, "loglevel=5") // warnings and worse; each byte takes its time
	}
	if !c.NoIOMMU {
		// caching-mode makes the guest tell of new mappings; without it QEMU could
		// not pass them on.
		args = append(args, "-device", "intel-iommu,caching-mode=on,intremap=off")
		line = append(line, "intel_iommu=on", "iommu=pt")
	}
	args = append(args,
		"-kernel", kernel, "-initrd", initramfs, "-append", strings.Join(append(line, "--", job.Argument), " "),
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-device", "virtio-serial-pci",
		"-chardev", fmt.Sprintf("socket,id=job,fd=%d", jobFD), "-device", "virtserialport,chardev=job,name="+job.Port,
	)
	for i, share := range shares {
		args = append(args,
			"-chardev", fmt.Sprintf("socket,id=share%d,fd=%d", i, shareFDs[i]),
			"-device", fmt.Sprintf("vhost-user-fs-pci,chardev=share%d,tag=%s", i, share.Tag))
	}
	for i, network := range c.Networks {
		args = append(args,
			"-netdev", fmt.Sprintf(`{"type":"stream","id":"net%d","addr":{"type":"unix","path":%s}}`, i, quote(network)),
			"-device", fmt.Sprintf("virtio-net-pci,netdev=net%d,romfile=,mac=52:54:00:65:73:%02x", i, i+1))
	}
	if c.Mirror != "" {
		args = append(args,
			"-netdev", fmt.Sprintf(`{"type":"stream","id":"mirror","addr":{"type":"unix","path":%s}}`, quote(c.Mirror)),
			"-device", "virtio-net-pci,netdev=mirror,romfile=,mac="+job.TapAddress)
	}
	for i, socket := range c.Cards {
		args = append(args, CardArguments(socket, fmt.Sprintf("%02x.0", firstSlot+i))...)
	}
	return args
}

// quote is text as a JSON string.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string
	}
	return string(quoted)
}
