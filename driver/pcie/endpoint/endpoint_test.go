// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"errors"
	"slices"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
)

// recorder keeps what an endpoint's callbacks were told.
type recorder struct {
	messages []Message
	master   []bool
	resets   int
}

func (r *recorder) vectors() []int {
	var v []int
	for _, m := range r.messages {
		v = append(v, m.Vector)
	}
	return v
}

func newTestEndpoint(t *testing.T) (*Endpoint, *recorder) {
	t.Helper()
	r := &recorder{}
	e, err := New(Config{
		VendorID: 0x1234, DeviceID: 0xE5B1, SubsystemVendorID: 0x1234, SubsystemID: 1,
		Class: 0x020000, Revision: 3, BAR0: 256 << 10, Vectors: 70,
		Deliver:   func(m Message) { r.messages = append(r.messages, m) },
		BusMaster: func(on bool) { r.master = append(r.master, on) },
		Reset:     func() { r.resets++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, r
}

func read(t *testing.T, e *Endpoint, offset, width int) uint32 {
	t.Helper()
	v, err := e.ConfigRead(offset, width)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func write(t *testing.T, e *Endpoint, offset, width int, v uint32) {
	t.Helper()
	if err := e.ConfigWrite(offset, width, v); err != nil {
		t.Fatal(err)
	}
}

// capability finds a capability by walking the list as a host does.
func capability(t *testing.T, e *Endpoint, id uint32) int {
	t.Helper()
	at := int(read(t, e, 0x34, 1))
	for steps := 0; at != 0; steps++ {
		if at < 0x40 || at%4 != 0 || steps > 48 {
			t.Fatalf("capability list is broken at %#x", at)
		}
		if read(t, e, at, 1) == id {
			return at
		}
		at = int(read(t, e, at+1, 1))
	}
	t.Fatalf("no capability %#x", id)
	return 0
}

func TestHeader(t *testing.T) {
	e, _ := newTestEndpoint(t)
	for _, c := range []struct {
		name          string
		offset, width int
		want          uint32
	}{
		{"vendor and device", 0x00, 4, 0xE5B11234},
		{"command", 0x04, 2, 0},
		{"status: capabilities list", 0x06, 2, 0x0010},
		{"revision and class", 0x08, 4, 0x02000003},
		{"header type", 0x0E, 1, 0},
		{"BAR 0", 0x10, 4, 4},
		{"subsystem", 0x2C, 4, 0x00011234},
		{"interrupt pin", 0x3D, 1, 0},
		{"end of extended capabilities", 0x100, 4, 0},
	} {
		if got := read(t, e, c.offset, c.width); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
	write(t, e, 0x00, 4, 0xFFFFFFFF)
	write(t, e, 0x08, 4, 0)
	if read(t, e, 0, 4) != 0xE5B11234 || read(t, e, 8, 4) != 0x02000003 {
		t.Error("read-only registers were written")
	}
	if e.Info().BARs != [6]uint64{0: 256 << 10, 4: 8192} || e.Info().Vectors != 70 {
		t.Errorf("info: %+v", e.Info())
	}
}

func TestCapabilities(t *testing.T) {
	e, _ := newTestEndpoint(t)
	if pm := capability(t, e, 0x01); read(t, e, pm+2, 2)&7 != 3 {
		t.Error("power management version")
	}
	x := capability(t, e, 0x11)
	if got := read(t, e, x+2, 2); got != 69 {
		t.Errorf("MSI-X message control %#x, want table size - 1 = 69", got)
	}
	if table, pba := read(t, e, x+4, 4), read(t, e, x+8, 4); table != 4 || pba != 4096|4 {
		t.Errorf("MSI-X table %#x, PBA %#x", table, pba)
	}
	p := capability(t, e, 0x10)
	if got := read(t, e, p+2, 2); got != 0x0002 {
		t.Errorf("PCIe capability register %#x, want version 2, endpoint", got)
	}
	if read(t, e, p+4, 4)&(1<<28) == 0 {
		t.Error("no function-level reset")
	}
}

func TestBARSizing(t *testing.T) {
	e, _ := newTestEndpoint(t)
	for _, c := range []struct {
		offset    int
		low, high uint32
	}{{0x10, 0xFFFC0004, 0xFFFFFFFF}, {0x18, 0, 0}, {0x20, 0xFFFFE004, 0xFFFFFFFF}} {
		write(t, e, c.offset, 4, 0xFFFFFFFF)
		write(t, e, c.offset+4, 4, 0xFFFFFFFF)
		if low, high := read(t, e, c.offset, 4), read(t, e, c.offset+4, 4); low != c.low || high != c.high {
			t.Errorf("BAR register %#x: %#x %#x, want %#x %#x", c.offset, low, high, c.low, c.high)
		}
		write(t, e, c.offset, 4, 0)
	}
	write(t, e, 0x10, 4, 0xE0000000)
	write(t, e, 0x14, 4, 0x12)
	if read(t, e, 0x10, 4) != 0xE0000004 || read(t, e, 0x14, 4) != 0x12 {
		t.Error("BAR 0 does not keep its address")
	}
}

func TestConfigRange(t *testing.T) {
	e, _ := newTestEndpoint(t)
	for _, c := range [][2]int{{-4, 4}, {4096, 1}, {4094, 4}, {1, 2}, {2, 4}, {0, 3}, {0, 8}} {
		if _, err := e.ConfigRead(c[0], c[1]); !errors.Is(err, pcie.ErrRange) {
			t.Errorf("read %v: %v", c, err)
		}
		if err := e.ConfigWrite(c[0], c[1], 0); !errors.Is(err, pcie.ErrRange) {
			t.Errorf("write %v: %v", c, err)
		}
	}
	if read(t, e, 4092, 4) != 0 {
		t.Error("last word")
	}
}

func TestCommandAndPowerState(t *testing.T) {
	e, r := newTestEndpoint(t)
	if e.MemoryEnabled() || e.BusMaster() {
		t.Error("enabled after power-up")
	}
	write(t, e, 0x04, 2, 0x0006)
	if !e.MemoryEnabled() || !e.BusMaster() {
		t.Error("not enabled")
	}
	pmcsr := capability(t, e, 0x01) + 4
	write(t, e, pmcsr, 2, 3) // D3hot
	if e.MemoryEnabled() || e.BusMaster() {
		t.Error("enabled in D3hot")
	}
	write(t, e, pmcsr, 2, 0)
	write(t, e, 0x04, 2, 0x0002)
	if !e.MemoryEnabled() || e.BusMaster() {
		t.Error("command register has no effect")
	}
	if !slices.Equal(r.master, []bool{true, false, true, false}) {
		t.Errorf("bus master changes %v", r.master)
	}
}

func TestInterruptMasks(t *testing.T) {
	e, r := newTestEndpoint(t)
	e.Interrupt(1, 1)
	e.Enable()
	e.Interrupt(1, 1) // MSI-X is disabled
	if len(r.messages) != 0 {
		t.Fatalf("messages with MSI-X disabled: %v", r.messages)
	}
	if err := e.SetVectors(66); err != nil {
		t.Fatal(err)
	}
	e.Interrupt(65, 2)
	e.Interrupt(66, 1) // its table entry is masked
	e.Interrupt(70, 1) // no such vector
	e.Interrupt(-1, 1)
	want := Message{Vector: 65, Address: 0xFEE00000, Data: 65}
	if !slices.Equal(r.messages, []Message{want, want}) {
		t.Fatalf("messages %v", r.messages)
	}

	pba := func(word uint64) uint32 {
		v, err := e.MSIX().Read32(4096 + 4*word)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if pba(2) != 1<<2 {
		t.Errorf("pending bits %#x, want that of vector 66", pba(2))
	}
	r.messages = nil
	if err := e.MaskVector(3, true); err != nil {
		t.Fatal(err)
	}
	e.Interrupt(3, 5)
	if len(r.messages) != 0 || pba(0) != 1<<3 {
		t.Errorf("masked vector: messages %v, pending %#x", r.messages, pba(0))
	}
	if err := e.MaskVector(3, false); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.vectors(), []int{3}) || pba(0) != 0 {
		t.Errorf("after unmasking: messages %v, pending %#x", r.messages, pba(0))
	}

	// The function mask, bus mastering and the power state hold all vectors back.
	control := capability(t, e, 0x11) + 2
	hold := []struct {
		name             string
		offset           int
		blocked, allowed uint32
	}{
		{"function mask", control, 0xC000, 0x8000},
		{"bus master", 4, 0x0002, 0x0006},
		{"power state", capability(t, e, 0x01) + 4, 3, 0},
	}
	for _, h := range hold {
		r.messages = nil
		write(t, e, h.offset, 2, h.blocked)
		e.Interrupt(7, 1)
		e.Interrupt(9, 3)
		if len(r.messages) != 0 {
			t.Errorf("%s: messages %v", h.name, r.messages)
		}
		write(t, e, h.offset, 2, h.allowed)
		if !slices.Equal(r.vectors(), []int{7, 9}) {
			t.Errorf("%s lifted: vectors %v", h.name, r.vectors())
		}
	}

	if err := e.SetVectors(71); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("SetVectors(71): %v", err)
	}
	if err := e.MaskVector(70, true); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("MaskVector(70): %v", err)
	}
}

// TestMSIXTable programs the table through its BAR, as a guest does.
func TestMSIXTable(t *testing.T) {
	e, r := newTestEndpoint(t)
	bar := e.MSIX()
	if v, err := bar.Read32(12); err != nil || v != 0xFFFFFFFF {
		t.Errorf("read without Memory Space Enable: %#x, %v", v, err)
	}
	e.Enable()
	if v, _ := bar.Read32(12); v != 1 {
		t.Errorf("vector control after power-up %#x, want masked", v)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(bar.Write64(5*16, 0x1_FEE0_1003))
	must(bar.Write32(5*16+8, 0x4021))
	write(t, e, capability(t, e, 0x11)+2, 2, 0x8000)
	e.Interrupt(5, 1)
	if v, _ := bar.Read64(4096); v != 1<<5 {
		t.Errorf("pending bits %#x", v)
	}
	must(bar.Write32(4096, 0xFFFFFFFF)) // read-only
	must(bar.Write32(5*16+12, 0xFFFFFFFE))
	if !slices.Equal(r.messages, []Message{{Vector: 5, Address: 0x1_FEE0_1000, Data: 0x4021}}) {
		t.Errorf("messages %v", r.messages)
	}
	if v, _ := bar.Read32(5*16 + 12); v != 0 {
		t.Errorf("vector control %#x: reserved bits were written", v)
	}
	if v, _ := bar.Read64(5 * 16); v != 0x1_FEE0_1000 {
		t.Errorf("message address %#x", v)
	}
	if v, _ := bar.Read64(4096); v != 0 {
		t.Errorf("pending bits %#x after sending", v)
	}
	if _, err := bar.Read32(8192); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("beyond the BAR: %v", err)
	}
	if _, err := bar.Read64(4); !errors.Is(err, pcie.ErrRange) {
		t.Errorf("unaligned: %v", err)
	}
}

func TestFunctionLevelReset(t *testing.T) {
	e, r := newTestEndpoint(t)
	e.Enable()
	if err := e.SetVectors(2); err != nil {
		t.Fatal(err)
	}
	if err := e.MaskVector(0, true); err != nil {
		t.Fatal(err)
	}
	e.Interrupt(0, 1)
	control := capability(t, e, 0x10) + 8
	write(t, e, control, 2, read(t, e, control, 2)|0x8000)
	if r.resets != 1 || !slices.Equal(r.master, []bool{true, false}) {
		t.Errorf("resets %d, bus master %v", r.resets, r.master)
	}
	if read(t, e, control, 2)&0x8000 != 0 {
		t.Error("Initiate FLR does not read 0")
	}
	if read(t, e, 4, 2) != 0 || read(t, e, capability(t, e, 0x11)+2, 2) != 69 {
		t.Error("command or MSI-X control survived the reset")
	}
	e.Enable()
	write(t, e, capability(t, e, 0x11)+2, 2, 0x8000)
	if err := e.MaskVector(0, false); err != nil {
		t.Fatal(err)
	}
	if len(r.messages) != 0 {
		t.Errorf("interrupt from before the reset: %v", r.messages)
	}
	if read(t, e, control, 2) != 0x2810 {
		t.Errorf("device control %#x", read(t, e, control, 2))
	}
}

func TestNewRefusesBadConfig(t *testing.T) {
	good := Config{BAR0: 4096, Vectors: 1}
	for name, change := range map[string]func(*Config){
		"BAR0 not a power of two": func(c *Config) { c.BAR0 = 5000 },
		"BAR2 too small":          func(c *Config) { c.BAR2 = 2048 },
		"no vectors":              func(c *Config) { c.Vectors = 0 },
		"too many vectors":        func(c *Config) { c.Vectors = 2049 },
		"class too wide":          func(c *Config) { c.Class = 1 << 24 },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}

// TestEnableMSIX: a host that enables interrupts by other means than the control
// word finds the table as it was, and nothing old when it enables them again.
func TestEnableMSIX(t *testing.T) {
	e, r := newTestEndpoint(t)
	e.Enable()
	at := capability(t, e, 0x11)
	if at+2 != OffsetMSIXControl {
		t.Errorf("control word at %#x, OffsetMSIXControl is %#x", at+2, OffsetMSIXControl)
	}
	e.EnableMSIX(true)
	if !e.MSIXEnabled() || read(t, e, OffsetMSIXControl, 2)&0xC000 != 0x8000 {
		t.Error("not enabled")
	}
	if err := e.MaskVector(5, false); err != nil {
		t.Fatal(err)
	}
	e.Interrupt(4, 1)
	e.Interrupt(5, 1)
	if got := r.vectors(); !slices.Equal(got, []int{5}) {
		t.Errorf("messages %v", got)
	}
	e.EnableMSIX(false)
	e.Interrupt(5, 1)
	e.EnableMSIX(true)
	if err := e.MaskVector(4, false); err != nil {
		t.Fatal(err)
	}
	e.Interrupt(5, 1)
	if got := r.vectors(); !slices.Equal(got, []int{5, 5}) {
		t.Errorf("messages %v", got)
	}
	if e.Resets() != 0 {
		t.Errorf("%d resets", e.Resets())
	}
	e.FunctionReset()
	express := capability(t, e, 0x10)
	write(t, e, express+8, 2, 1<<15)
	if e.Resets() != 2 || r.resets != 2 || e.MSIXEnabled() {
		t.Errorf("%d resets, %d told, MSI-X enabled: %v", e.Resets(), r.resets, e.MSIXEnabled())
	}
}
