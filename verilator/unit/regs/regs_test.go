// SPDX-License-Identifier: Apache-2.0

package regs

import (
	"fmt"
	"math/big"
	"math/rand"
	"os"
	"regexp"
	"strings"
	"testing"

	table "github.com/espalier-nic/espalier/regs"
)

// Addresses, as in the register source; written out so that the block is not judged by its own generator's constants.
const (
	ctrl          = 0x040
	rxDefault     = 0x048
	scratch       = 0x04c
	cyclesLo      = 0x050
	intCause      = 0x080
	intMask       = 0x084
	intArm        = 0x088
	intSet        = 0x08c
	intModeration = 0x100
	saCmd         = 0x1000
	saStatus      = 0x1004
	saHandle      = 0x1008
	saNonce       = 0x1010
	saSPI         = 0x1040
	saFlags       = 0x1044
	saESNHi       = 0x1048
	saSalt        = 0x104c
	saDst         = 0x1050
	saSrc         = 0x1060
	saKey         = 0x1070
	saCounters    = 0x10a0
	statTxFrames  = 0x2000
	txq2Tail      = 0x12018
	rxq15Status   = 0x2f004
	txq15Ctrl     = 0x1f000 // the bench's unit answers this page with an error
)

// The bench knows every port, so that no output can change unseen.
func TestPortList(t *testing.T) {
	names := func(file, pattern string) map[string]bool {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = true
		}
		return found
	}
	listed := names("testdata/ports.h", `(?m)^(?:INPUT|OUTPUT|EVENT)\((\w+)\);$`)
	ports := names("../../../rtl/espalier_regs.sv", `(?m)^    (?:input  wire|output     ) logic (?:\[[0-9:]+\] )?(\w+)`)
	if len(ports) < 50 {
		t.Fatalf("only %d ports found in the source", len(ports))
	}
	for port := range ports {
		if port != "clk_i" && !strings.HasPrefix(port, "s_axil_") && !strings.HasPrefix(port, "ext_") && !listed[port] {
			t.Errorf("%s is not in testdata/ports.h", port)
		}
	}
	for port := range listed {
		if !ports[port] {
			t.Errorf("testdata/ports.h has %s, the block has not", port)
		}
	}
}

// Every word of the BAR: those in the table that Go software uses are answered, all others are errors; the external
// ones, and no others, go out on the register bus. Writing to an address that is no register changes nothing.
func TestAddressSpace(t *testing.T) {
	known := map[uint32]bool{}
	for i := range table.Map {
		reg := &table.Map[i]
		for index := range max(reg.Count, 1) {
			known[uint32(table.Ref{Register: reg, Index: index}.Offset())] = true
		}
	}
	isExternal := func(addr uint32) bool { return addr == cyclesLo || addr == cyclesLo+4 || addr >= 0x2000 }

	var s script
	s.show()
	for addr := uint32(0); addr < table.BarSize; addr += 4 {
		s.read(addr + addr>>2&3) // the two lowest bits have no meaning
	}
	for addr := uint32(0); addr < table.BarSize; addr += 4 {
		if !known[addr] {
			s.write(addr, 0xffffffff)
		}
	}
	s.show()
	r := run(t, &s)

	want := 0
	for i, a := range r.accesses[:table.BarSize/4] {
		addr := uint32(4 * i)
		resp := decErr
		if known[addr] && addr>>12 != 0x1f {
			resp = okay
		}
		if a.resp != resp {
			t.Errorf("read of %#x: response %d, want %d", addr, a.resp, resp)
		}
		if resp == decErr && a.data != 0 {
			t.Errorf("read of %#x: an error with data %#x", addr, a.data)
		}
		if known[addr] && isExternal(addr) {
			if want < len(r.externals) && r.externals[want].addr != addr {
				t.Errorf("the register bus saw %#x, want %#x", r.externals[want].addr, addr)
			}
			want++
		}
	}
	for _, a := range r.accesses[table.BarSize/4:] {
		if a.resp != decErr {
			t.Errorf("a write outside every register: response %d", a.resp)
		}
	}
	if len(r.externals) != want {
		t.Errorf("%d accesses on the register bus, want %d", len(r.externals), want)
	}
	if len(r.events) != 0 {
		t.Errorf("events %+v", r.events)
	}
	for port, before := range r.shown[0] {
		if after := r.shown[1][port]; before.Cmp(after) != 0 {
			t.Errorf("%s went from %#x to %#x", port, before, after)
		}
	}
}

func TestConstants(t *testing.T) {
	var s script
	s.read(0x0)
	s.read(0x4)
	s.read(0xc)
	s.read(0x2c)
	r := run(t, &s)
	r.expectReads(t, 0x4c505345, 0x01010000, 0x20100201, 0x06050403)
}

// Each input shows in its own bits and nowhere else.
func TestInputs(t *testing.T) {
	for _, c := range []struct {
		port string
		addr uint32
		mask uint32
	}{
		{"build_id_value_i", 0x008, 0xffffffff},
		{"cap_size_num_txq_i", 0x010, 0x000000ff}, {"cap_size_num_rxq_i", 0x010, 0x0000ff00},
		{"cap_size_num_vectors_i", 0x010, 0x00ff0000}, {"cap_size_lanes_i", 0x010, 0x0f000000},
		{"cap_sa_capacity_i", 0x014, 0x00ffffff},
		{"cap_alg_encryption_i", 0x018, 0x000001ff}, {"cap_alg_authentication_i", 0x018, 0x003f0000}, {"cap_alg_icv_i", 0x018, 0x07000000},
		{"cap_feature_ipv4_i", 0x01c, 1 << 0}, {"cap_feature_ipv6_i", 0x01c, 1 << 1}, {"cap_feature_ipv4_options_i", 0x01c, 1 << 2},
		{"cap_feature_ipv6_ext_headers_i", 0x01c, 1 << 3}, {"cap_feature_ah_i", 0x01c, 1 << 4}, {"cap_feature_esp_i", 0x01c, 1 << 5},
		{"cap_feature_ah_esp_i", 0x01c, 1 << 6}, {"cap_feature_transport_i", 0x01c, 1 << 7}, {"cap_feature_tunnel_i", 0x01c, 1 << 8},
		{"cap_feature_transport_tunnel_i", 0x01c, 1 << 9}, {"cap_feature_lso_i", 0x01c, 1 << 10}, {"cap_feature_esn_i", 0x01c, 1 << 11},
		{"cap_feature_udp_esp_i", 0x01c, 0xf << 12}, {"cap_feature_encapsulation_i", 0x01c, 0x1f << 16}, {"cap_feature_loopback_i", 0x01c, 1 << 24},
		{"cap_feature_control_processor_i", 0x01c, 1 << 25},
		{"cap_ring_min_log2_i", 0x020, 0x0f}, {"cap_ring_max_log2_i", 0x020, 0xf0}, {"cap_ring_prefetch_i", 0x020, 0xff00},
		{"cap_frame_max_frame_i", 0x024, 0xffff}, {"cap_clock_mhz_i", 0x028, 0xffff},
		{"ctrl_reset_i", ctrl, 1},
		{"status_ready_i", 0x044, 1}, {"status_reset_busy_i", 0x044, 2}, {"status_zeroised_i", 0x044, 4}, {"status_tx_idle_i", 0x044, 8}, {"status_rx_idle_i", 0x044, 16},
		{"int_cause_vector_i", intCause, 0xffffffff},
		{"sa_status_busy_i", saStatus, 1}, {"sa_status_result_i", saStatus, 0xf0}, {"sa_status_cycles_i", saStatus, 0xffff0000},
	} {
		var s script
		s.set(c.port, c.mask/(c.mask&-c.mask))
		for _, addr := range inputRegisters {
			s.read(addr)
		}
		r := run(t, &s)
		for i, addr := range inputRegisters {
			want := uint32(0)
			if addr == c.addr {
				want = c.mask
			}
			if r.reads[i] != want {
				t.Errorf("%s: %#x reads %#x, want %#x", c.port, addr, r.reads[i], want)
			}
		}
	}
}

// The vector of an array of registers has the first in its lowest bits.
func TestInputVector(t *testing.T) {
	value := new(big.Int)
	var s script
	want := make([]uint32, 8)
	for i := range want {
		want[i] = 0x10203040 * uint32(i+1)
		value.Or(value, new(big.Int).Lsh(big.NewInt(int64(want[i])), uint(32*i)))
	}
	s.set("sa_counters_value_i", value)
	for i := range want {
		s.read(saCounters + 4*uint32(i))
	}
	r := run(t, &s)
	r.expectReads(t, want...)
}

var inputRegisters = []uint32{0x008, 0x010, 0x014, 0x018, 0x01c, 0x020, 0x024, 0x028, ctrl, 0x044, intCause, saStatus}

// field is where a stored field is and which output shows it.
type field struct {
	addr       uint32
	lsb, width uint
	port       string // "" if hardware does not see it
	index      uint   // element, for a vector of an array
	reset      uint32
	writeOnly  bool
}

func storedFields() []field {
	fields := []field{
		{addr: ctrl, lsb: 1, width: 1, port: "ctrl_tx_enable_o"}, {addr: ctrl, lsb: 2, width: 1, port: "ctrl_rx_enable_o"},
		{addr: ctrl, lsb: 3, width: 1, port: "ctrl_ipsec_enable_o"}, {addr: ctrl, lsb: 4, width: 1, port: "ctrl_loopback_o"},
		{addr: rxDefault, width: 4, port: "rx_default_queue_o"},
		{addr: scratch, width: 32},
		{addr: intMask, width: 32, port: "int_mask_vector_o", reset: 0xffffffff},
		{addr: saCmd, width: 3, port: "sa_cmd_op_o"},
		{addr: saHandle, width: 16, port: "sa_handle_index_o"}, {addr: saHandle, lsb: 16, width: 16, port: "sa_handle_generation_o"},
		{addr: saSPI, width: 32, port: "sa_spi_value_o"},
		{addr: saFlags, lsb: 0, width: 1, port: "sa_flags_inbound_o"}, {addr: saFlags, lsb: 1, width: 1, port: "sa_flags_ipv6_o"},
		{addr: saFlags, lsb: 2, width: 1, port: "sa_flags_tunnel_o"}, {addr: saFlags, lsb: 3, width: 1, port: "sa_flags_esn_o"},
		{addr: saFlags, lsb: 4, width: 2, port: "sa_flags_keylen_o"}, {addr: saFlags, lsb: 8, width: 4, port: "sa_flags_rx_queue_o"},
		{addr: saESNHi, width: 32, port: "sa_esn_hi_value_o"},
		{addr: saSalt, width: 32, port: "sa_salt_value_o", writeOnly: true},
	}
	for i := range uint(32) {
		fields = append(fields, field{addr: uint32(intModeration + 4*i), width: 8, port: "int_moderation_count_o", index: i},
			field{addr: uint32(intModeration + 4*i), lsb: 16, width: 16, port: "int_moderation_time_o", index: i})
	}
	for i := range uint(2) {
		fields = append(fields, field{addr: uint32(saNonce + 4*i), width: 32, port: "sa_nonce_value_o", index: i})
	}
	for i := range uint(4) {
		fields = append(fields, field{addr: uint32(saDst + 4*i), width: 32, port: "sa_dst_value_o", index: i},
			field{addr: uint32(saSrc + 4*i), width: 32, port: "sa_src_value_o", index: i})
	}
	for i := range uint(8) {
		fields = append(fields, field{addr: uint32(saKey + 4*i), width: 32, port: "sa_key_value_o", index: i, writeOnly: true})
	}
	return fields
}

// model is a straightforward register file: what every address reads and every output shows.
type model struct{ stored map[uint32]uint32 }

func newModel() *model {
	m := &model{stored: map[uint32]uint32{}}
	for _, f := range storedFields() {
		m.stored[f.addr] |= f.reset << f.lsb
	}
	return m
}

func (m *model) write(addr, data uint32, strobes int) {
	mask := uint32(0)
	for i := range 4 {
		if strobes>>i&1 == 1 {
			mask |= 0xff << (8 * i)
		}
	}
	var known uint32
	for _, f := range storedFields() {
		if f.addr == addr {
			known |= (1<<f.width - 1) << f.lsb
		}
	}
	m.stored[addr] = m.stored[addr]&^(mask&known) | data&mask&known
}

func (m *model) read(addr uint32) uint32 {
	for _, f := range storedFields() {
		if f.addr == addr && f.writeOnly {
			return 0
		}
	}
	return m.stored[addr]
}

func (m *model) check(t *testing.T, what string, outputs map[string]*big.Int) {
	t.Helper()
	want := map[string]*big.Int{}
	for _, f := range storedFields() {
		if f.port == "" {
			continue
		}
		if want[f.port] == nil {
			want[f.port] = new(big.Int)
		}
		value := new(big.Int).SetUint64(uint64(m.stored[f.addr] >> f.lsb & (1<<f.width - 1)))
		want[f.port].Or(want[f.port], value.Lsh(value, f.index*f.width))
	}
	for port, value := range outputs {
		if want[port] == nil {
			want[port] = new(big.Int) // an event
		}
		if value.Cmp(want[port]) != 0 {
			t.Errorf("%s: %s is %#x, want %#x", what, port, value, want[port])
		}
		delete(want, port)
	}
	for port := range want {
		t.Errorf("%s: %s is not an output", what, port)
	}
}

// Random writes with all strobes, to all stored registers, against the model, read back and seen at the outputs; then a
// soft reset.
func TestStoredFields(t *testing.T) {
	rng := rand.New(rand.NewSource(2))
	m := newModel()
	var s script
	var addrs []uint32
	for addr := range m.stored {
		addrs = append(addrs, addr)
	}
	var wantReads []uint32
	var snapshots []*model
	snapshot := func() {
		s.tick(1)
		s.show()
		copied := newModel()
		for addr, value := range m.stored {
			copied.stored[addr] = value
		}
		snapshots = append(snapshots, copied)
	}
	readAll := func() {
		for _, f := range storedFields() {
			s.read(f.addr)
			wantReads = append(wantReads, m.read(f.addr))
		}
	}
	snapshot()
	readAll()
	for range 40 {
		for range 30 {
			addr, data, strobes := addrs[rng.Intn(len(addrs))], rng.Uint32(), rng.Intn(16)
			if addr == ctrl {
				data &^= 1 // CTRL.RESET is an event, tested elsewhere
			}
			s.writeBytes(addr, data, strobes)
			m.write(addr, data, strobes)
		}
		snapshot()
		readAll()
	}
	// A soft reset undoes all, and a write during it is answered and has no effect.
	s.set("soft_rst_i", 1)
	s.write(scratch, 1)
	s.write(saCmd, 1)
	s.set("soft_rst_i", 0)
	m = newModel()
	snapshot()
	readAll()

	r := run(t, &s)
	for i, want := range snapshots {
		want.check(t, fmt.Sprintf("snapshot %d", i), r.shown[i])
	}
	r.expectReads(t, wantReads...)
	for _, a := range r.accesses {
		if a.resp != okay {
			t.Fatalf("response %d to a register", a.resp)
		}
	}
}

// Events are the bits written as 1, in bytes whose strobe is set, for one cycle.
func TestEvents(t *testing.T) {
	var s script
	s.write(ctrl, 0x1f)
	s.writeBytes(ctrl, 0x1, 0xe)
	s.write(intCause, 0xf00000ff)
	s.writeBytes(intCause, 0xffffffff, 0x4)
	s.write(intArm, 0x80000001)
	s.writeBytes(intArm, 0xffffffff, 0)
	s.write(intSet, 0x00ffff00)
	s.writeBytes(intSet, 0x12345678, 0x9)
	s.read(intCause) // stays the hardware's: the bench drives 0
	s.read(intArm)
	s.read(intSet)
	s.read(ctrl)
	r := run(t, &s)
	r.expectEvents(t,
		event{port: "ctrl_reset_set_o", value: 1},
		event{port: "int_cause_vector_clear_o", value: 0xf00000ff},
		event{port: "int_cause_vector_clear_o", value: 0x00ff0000},
		event{port: "int_arm_vector_o", value: 0x80000001},
		event{port: "int_set_vector_o", value: 0x00ffff00},
		event{port: "int_set_vector_o", value: 0x12000078},
	)
	r.expectReads(t, 0, 0, 0, 0x1e)
}

// SA_CMD tells hardware of each write, with the new value already there, and ignores writes while an operation runs.
func TestCommand(t *testing.T) {
	var s script
	s.write(saCmd, 1)
	s.write(saCmd, 1)
	s.writeBytes(saCmd, 3, 0xe) // does not touch OP
	s.set("sa_status_busy_i", 1)
	s.write(saCmd, 3)
	s.read(saCmd)
	s.set("sa_status_busy_i", 0)
	s.write(saCmd, 3)
	s.read(saCmd)
	r := run(t, &s)
	one := event{port: "sa_cmd_wr_o", value: 1}
	r.expectEvents(t, one, one, one)
	r.expectReads(t, 1, 3)

	// In the cycle of the event the operation is the new one.
	s = script{}
	s.add("w %x 4 f 0 0 0", saCmd)
	for range 6 {
		s.tick(1)
		s.show()
	}
	r = run(t, &s)
	seen := false
	for _, shown := range r.shown {
		if shown["sa_cmd_wr_o"].Sign() != 0 {
			seen = true
			if shown["sa_cmd_op_o"].Int64() != 4 {
				t.Errorf("sa_cmd_wr_o with operation %d", shown["sa_cmd_op_o"])
			}
		}
	}
	if !seen {
		t.Error("sa_cmd_wr_o did not come")
	}
}

// Hardware loads what it may, and no more; clearing takes key and salt and nothing else.
func TestHardwareWrites(t *testing.T) {
	key, dst := new(big.Int), new(big.Int)
	var s script
	s.write(saHandle, 0x00010005)
	for i := range uint32(8) {
		s.write(saKey+4*i, 0x11111111*(i+1))
	}
	s.write(saSalt, 0x5a5a5a5a)
	s.set("sa_handle_generation_i", 0xbeef)
	s.set("sa_spi_value_i", 0x01020304)
	s.set("sa_flags_keylen_i", 2)
	s.set("sa_flags_rx_queue_i", 9)
	s.set("sa_flags_tunnel_i", 1)
	s.set("sa_esn_hi_value_i", 0x77)
	dst.SetString("44444444333333332222222211111111", 16)
	s.set("sa_dst_value_i", dst)
	s.set("sa_src_value_i", 3)
	s.tick(3)
	s.read(saHandle) // nothing was loaded yet
	s.read(saSPI)
	for _, port := range []string{"sa_handle", "sa_spi", "sa_flags", "sa_esn_hi", "sa_dst", "sa_src"} {
		s.set(port+"_we_i", 1)
		s.tick(1)
		s.set(port+"_we_i", 0)
	}
	for _, addr := range []uint32{saHandle, saSPI, saFlags, saESNHi, saDst, saDst + 12, saSrc, saSrc + 4} {
		s.read(addr)
	}
	s.show()
	s.set("sa_clear_i", 1)
	s.tick(1)
	s.set("sa_clear_i", 0)
	s.show()
	r := run(t, &s)
	r.expectReads(t, 0x00010005, 0, 0xbeef0005, 0x01020304, 0x924, 0x77, 0x11111111, 0x44444444, 3, 0)
	for i := int64(7); i >= 0; i-- {
		key.Or(key.Lsh(key, 32), big.NewInt(0x11111111*(i+1)))
	}
	if got := r.shown[0]["sa_key_value_o"]; got.Cmp(key) != 0 {
		t.Errorf("key %#x, want %#x", got, key)
	}
	for port, before := range r.shown[0] {
		want := before
		if port == "sa_key_value_o" || port == "sa_salt_value_o" {
			want = new(big.Int)
		}
		if got := r.shown[1][port]; got.Cmp(want) != 0 {
			t.Errorf("after sa_clear_i %s is %#x, want %#x", port, got, want)
		}
	}
}

// The register bus carries address, data and strobes as they were, and brings back data and errors, at any latency.
func TestRegisterBus(t *testing.T) {
	for _, latency := range []string{"0", "1", "9"} {
		var s script
		s.write(txq2Tail, 0x11223344)
		s.writeBytes(txq2Tail, 0xaabbccdd, 0x6)
		s.read(txq2Tail)
		s.write(txq15Ctrl, 1)
		s.read(txq15Ctrl)
		s.read(rxq15Status)
		s.read(statTxFrames)
		r := run(t, &s, "3", latency)
		want := []external{
			{true, txq2Tail, 0x11223344, 0xf}, {true, txq2Tail, 0xaabbccdd, 0x6}, {false, txq2Tail, 0x11bbcc44, 0},
			{true, txq15Ctrl, 1, 0xf}, {false, txq15Ctrl, 1, 0}, {false, rxq15Status, 0, 0}, {false, statTxFrames, 0, 0},
		}
		if len(r.externals) != len(want) {
			t.Fatalf("latency %s: %+v", latency, r.externals)
		}
		for i, got := range r.externals {
			if !got.write {
				got.strobes = 0 // means nothing in a read
			}
			if got != want[i] {
				t.Errorf("latency %s: access %d is %+v, want %+v", latency, i, got, want[i])
			}
		}
		r.expectReads(t, 0x11bbcc44, 0, 0, 0)
		for i, resp := range []int{okay, okay, okay, decErr, decErr, okay, okay} {
			if r.accesses[i].resp != resp {
				t.Errorf("latency %s: access %d: response %d, want %d", latency, i, r.accesses[i].resp, resp)
			}
		}
	}
}

// Reads and writes at once, with every skew between the channels: nothing is lost, and a read gives a value not
// older than the last write answered before it began and not newer than the writes begun before it was answered.
func TestConcurrentAccesses(t *testing.T) {
	for _, addr := range []uint32{scratch, txq2Tail} {
		for seed := range int64(20) {
			rng := rand.New(rand.NewSource(seed))
			const n = 200
			delay := func() int { return rng.Intn(1 + rng.Intn(6)) }
			var s script
			for i := range n {
				s.add("w %x %x f %x %x %x", addr, i+1, delay(), delay(), delay())
				s.add("r %x %x %x", addr, delay(), delay())
			}
			s.add("wait")
			r := run(t, &s, fmt.Sprint(seed+1), fmt.Sprint(seed%4))

			var writes, reads []access
			for _, a := range r.accesses {
				if a.resp != okay {
					t.Fatalf("seed %d: response %d", seed, a.resp)
				}
				if a.write {
					writes = append(writes, a)
				} else {
					reads = append(reads, a)
				}
			}
			if len(writes) != n || len(reads) != n {
				t.Fatalf("seed %d: %d writes and %d reads of %d each", seed, len(writes), len(reads), n)
			}
			for i, read := range reads {
				oldest, newest := 0, 0
				for j, w := range writes {
					if w.done < read.first {
						oldest = j + 1
					}
					if w.first < read.done {
						newest = j + 1
					}
				}
				if int(read.data) < oldest || int(read.data) > newest {
					t.Errorf("seed %d: read %d (cycles %d to %d) gave %d, want %d to %d", seed, i, read.first, read.done, read.data, oldest, newest)
				}
			}
		}
	}
}

// When both directions always wait, they take turns; neither waits for the other's response to be taken.
func TestFairness(t *testing.T) {
	const n = 50
	var s script
	for i := range n {
		s.add("w %x %x f 0 0 0", scratch, i)
		s.add("r %x 0 0", scratch)
	}
	s.add("wait")
	r := run(t, &s)
	for i := 2; i < len(r.accesses)-2; i++ {
		if r.accesses[i].write == r.accesses[i-1].write && r.accesses[i].write == r.accesses[i-2].write {
			t.Fatalf("accesses %d to %d were all of one direction", i-2, i)
		}
	}

	s = script{}
	s.add("w %x 1 f 0 0 64", scratch) // B is not taken for 100 cycles
	s.add("r %x 0 0", scratch)
	s.add("r %x 0 0", scratch)
	s.add("wait")
	r = run(t, &s)
	if len(r.accesses) != 3 || !r.accesses[2].write {
		t.Errorf("reads waited for a B: %+v", r.accesses)
	}
}

// An access to a register takes a fixed, small number of cycles.
func TestLatency(t *testing.T) {
	var s script
	s.write(scratch, 1)
	s.read(scratch)
	r := run(t, &s)
	for _, a := range r.accesses {
		if a.done-a.first != 2 {
			t.Errorf("%+v took %d cycles from request to response, want 2", a, a.done-a.first)
		}
	}
}
