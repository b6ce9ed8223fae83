// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

// Package qtest tests the vfio-user server against QEMU's own client, without a guest:
// under -accel qtest the test is the processor and makes each access by itself.
package qtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/vm"
	"github.com/espalier-nic/espalier/vm/vmtest"
)

// machine is one QEMU with a card at a socket.
type machine struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errors *bytes.Buffer
	once   sync.Once
}

// memorySize is the machine's memory in MiB.
const memorySize = 32

// slot is where the card sits on the root bus, in QEMU's words and as a device number.
const (
	slot       = "10.0"
	slotNumber = 0x10
)

// hang is how long an access may take before the device counts as hanging.
const hang = 30 * time.Second

// start starts a machine; shared says whether it shares its memory.
func start(t *testing.T, socket string, shared bool) *machine {
	t.Helper()
	q := vmtest.QEMU(t)
	args := []string{"-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none",
		"-accel", "qtest", "-qtest", "stdio", "-qtest-log", "none", "-m", fmt.Sprint(memorySize)}
	if shared {
		args = append(args, "-object", fmt.Sprintf("memory-backend-memfd,id=mem,size=%dM,share=on", memorySize),
			"-machine", "q35,memory-backend=mem")
	} else {
		args = append(args, "-machine", "q35")
	}
	m := &machine{t: t, errors: new(bytes.Buffer)}
	m.cmd = q.Command(context.Background(), append(args, vm.CardArguments(socket, slot)...)...)
	m.cmd.Stderr = m.errors
	var err error
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	m.out = bufio.NewReader(out)
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.kill)
	return m
}

// kill ends QEMU without giving it time for anything.
func (m *machine) kill() {
	m.once.Do(func() {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
		if m.t.Failed() && m.errors.Len() > 0 {
			m.t.Logf("QEMU said: %s", m.errors)
		}
	})
}

// do sends one command and returns what follows OK.
func (m *machine) do(format string, args ...any) string {
	m.t.Helper()
	timer := time.AfterFunc(hang, func() { _ = m.cmd.Process.Kill() })
	defer timer.Stop()
	command := fmt.Sprintf(format, args...)
	if _, err := fmt.Fprintln(m.in, command); err != nil {
		m.fail(command, err)
	}
	line, err := m.out.ReadString('\n')
	if err != nil {
		m.fail(command, err)
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "OK")
	if !ok {
		m.t.Fatalf("QEMU answers %q to %q", line, command)
	}
	return strings.TrimSpace(rest)
}

func (m *machine) fail(command string, err error) {
	m.t.Helper()
	m.kill()
	m.t.Fatalf("%s: %v; QEMU said: %s", command, err, m.errors)
}

// number is do for commands that answer a number.
func (m *machine) number(format string, args ...any) uint64 {
	m.t.Helper()
	text := m.do(format, args...)
	v, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		m.t.Fatalf("%s: answer %q", fmt.Sprintf(format, args...), text)
	}
	return v
}

// memory reads the machine's memory.
func (m *machine) memory(address uint64, size int) []byte {
	m.t.Helper()
	text := m.do("read %#x %#x", address, size)
	b, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil || len(b) != size {
		m.t.Fatalf("read %#x: answer %q", address, text)
	}
	return b
}

// setMemory writes it.
func (m *machine) setMemory(address uint64, data []byte) {
	m.t.Helper()
	m.do("write %#x %#x 0x%x", address, len(data), data)
}

// The card's configuration space by ports 0xcf8 and 0xcfc.

func (m *machine) selectConfig(offset int) {
	m.t.Helper()
	m.do("outl 0xcf8 %#x", 1<<31|slotNumber<<11|offset&^3)
}

func (m *machine) config32(offset int) uint32 {
	m.t.Helper()
	m.selectConfig(offset)
	return uint32(m.number("inl 0xcfc"))
}

func (m *machine) config16(offset int) uint16 {
	m.t.Helper()
	m.selectConfig(offset)
	return uint16(m.number("inw %#x", 0xcfc+offset&3))
}

func (m *machine) config8(offset int) uint8 {
	m.t.Helper()
	m.selectConfig(offset)
	return uint8(m.number("inb %#x", 0xcfc+offset&3))
}

func (m *machine) setConfig32(offset int, v uint32) {
	m.t.Helper()
	m.selectConfig(offset)
	m.do("outl 0xcfc %#x", v)
}

func (m *machine) setConfig16(offset int, v uint16) {
	m.t.Helper()
	m.selectConfig(offset)
	m.do("outw %#x %#x", 0xcfc+offset&3, v)
}

// Where the test, which is the firmware too, puts the card's BARs.
const (
	bar0 = 0xe000_0000
	bar4 = 0xe001_0000
)

// Offsets and bits of configuration space.
const (
	offsetCommand = 0x04
	offsetBAR0    = 0x10
	offsetBAR4    = 0x20
	offsetCaps    = 0x34

	commandMemory = 1 << 1
	commandMaster = 1 << 2

	capMSIX = 0x11
)

// enable places the BARs and enables memory and bus mastering.
func (m *machine) enable() {
	m.t.Helper()
	m.setConfig32(offsetBAR0, bar0)
	m.setConfig32(offsetBAR0+4, 0)
	m.setConfig32(offsetBAR4, bar4)
	m.setConfig32(offsetBAR4+4, 0)
	m.setConfig16(offsetCommand, commandMemory|commandMaster)
}

// capability finds a capability.
func (m *machine) capability(id uint8) int {
	m.t.Helper()
	for at := int(m.config8(offsetCaps)); at != 0; at = int(m.config8(at + 1)) {
		if m.config8(at) == id {
			return at
		}
	}
	m.t.Fatalf("there is no capability %#x", id)
	return 0
}

func (m *machine) register(offset uint64) uint64 {
	m.t.Helper()
	return m.number("readq %#x", bar0+offset)
}

func (m *machine) setRegister(offset, v uint64) {
	m.t.Helper()
	m.do("writeq %#x %#x", bar0+offset, v)
}

// eventually waits until a condition that QEMU's main loop or the card brings about
// holds.
func (m *machine) eventually(what string, holds func() bool) {
	m.t.Helper()
	for end := time.Now().Add(hang); !holds(); {
		if time.Now().After(end) {
			m.t.Fatalf("%s does not happen", what)
		}
	}
}
