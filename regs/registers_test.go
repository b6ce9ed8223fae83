// SPDX-License-Identifier: Apache-2.0

package regs

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestOffsets(t *testing.T) {
	for _, c := range []struct {
		name string
		got  uint64
		want uint64
	}{
		{"ID", IDOffset, 0x0}, {"Version", VersionOffset, 0x4}, {"Layout", LayoutOffset, 0xc}, {"Ctrl", CtrlOffset, 0x40},
		{"Status", StatusOffset, 0x44}, {"CyclesLo", CyclesLoOffset, 0x50}, {"IntCause", IntCauseOffset, 0x80},
		{"IntModeration[5]", IntModerationOffset(5), 0x114}, {"SACmd", SACmdOffset, 0x1000}, {"SAHandle", SAHandleOffset, 0x1008},
		{"StatTxFramesLo", StatTxFramesLoOffset, 0x2000}, {"Txq[0]", TxqOffset(0), 0x10000}, {"Txq[15]", TxqOffset(15), 0x1f000},
		{"Rxq[1]", RxqOffset(1), 0x21000}, {"QueueTail", QueueTailOffset, 0x18}, {"QueueCplBatch", QueueCplBatchOffset, 0x20},
		{"TxqCount", TxqCount, 16}, {"IntModerationCount", IntModerationCount, 32}, {"BarSize", BarSize, 0x40000},
		{"IDMagic", IDMagic, 0x4c505345}, {"VersionMajor", VersionMajor, 1}, {"LayoutRxqPage", LayoutRxqPage, 0x20},
	} {
		if c.got != c.want {
			t.Errorf("%s is %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

func TestFields(t *testing.T) {
	ctrl := CtrlReset.WithTxEnable(true).WithIPsecEnable(true)
	if ctrl != 0x0a || !ctrl.TxEnable() || ctrl.RxEnable() || !ctrl.IPsecEnable() || ctrl.WithTxEnable(false) != 0x08 {
		t.Errorf("ctrl %#x", ctrl)
	}
	q := QueueCtrl(0).WithEnable(true).WithRingLog2(9).WithVector(31)
	if q != 0x1f91 || q.RingLog2() != 9 || q.Vector() != 31 {
		t.Errorf("queue ctrl %#x", q)
	}
	if q := QueueCtrl(0).WithRingLog2(0xff); q != 0xf0 {
		t.Errorf("a value too wide spilled: %#x", q)
	}
	if QueueCplBatchReset.Timer() != 64 || QueueCplBatchReset.Count() != 0 {
		t.Errorf("reset of cpl_batch is %#x", QueueCplBatchReset)
	}
	if s := SAStatus(0x00550041); !s.Busy() || s.Result() != SAResultStaleHandle || s.Cycles() != 0x55 {
		t.Errorf("sa_status %#x: %v %v %v", s, s.Busy(), s.Result(), s.Cycles())
	}
	if h := SAHandle(0).WithIndex(3).WithGeneration(2); h != 0x00020003 {
		t.Errorf("sa_handle %#x", h)
	}
}

func TestEnumNames(t *testing.T) {
	for _, c := range []struct {
		value interface{ String() string }
		want  string
	}{
		{SAOpAdd, "ADD"}, {SAOpNOP, "NOP"}, {SAResultLookupFull, "LOOKUP_FULL"}, {CompletionStatusStaleHandle, "STALE_HANDLE"},
		{CompletionStatus(99), "CompletionStatus(99)"}, {CryptoStatusInvalidPacketSyntax, "INVALID_PACKET_SYNTAX"},
		{QueueErrorBadTail, "BAD_TAIL"}, {KeyLenAES192, "AES192"}, {KeyLen(3), "KeyLen(3)"}, {WriteOneToClear, "rw1c"}, {Access(9), "Access(9)"},
	} {
		if got := c.value.String(); got != c.want {
			t.Errorf("%#v is called %s, want %s", c.value, got, c.want)
		}
	}
}

// The run-time table and the generated accessors come from one source by two ways and must agree.
func TestMapAgreesWithAccessors(t *testing.T) {
	types := map[string]reflect.Type{
		"ctrl": reflect.TypeFor[Ctrl](), "status": reflect.TypeFor[Status](), "cap_size": reflect.TypeFor[CapSize](),
		"cap_feature": reflect.TypeFor[CapFeature](), "sa_status": reflect.TypeFor[SAStatus](), "sa_handle": reflect.TypeFor[SAHandle](),
		"sa.flags": reflect.TypeFor[SAFlags](), "txq[].ctrl": reflect.TypeFor[QueueCtrl](), "rxq[].status": reflect.TypeFor[QueueStatus](),
		"int_moderation[]": reflect.TypeFor[IntModeration](), "rxq[].cpl_batch": reflect.TypeFor[QueueCplBatch](),
	}
	for i := range Map {
		typ, ok := types[Map[i].Name]
		if !ok {
			continue
		}
		delete(types, Map[i].Name)
		getters := 0
		for j := range typ.NumMethod() {
			if m := typ.Method(j); m.Type.NumIn() == 1 {
				getters++
			}
		}
		if getters != len(Map[i].Fields) {
			t.Errorf("%s has %d fields, %s %d getters", Map[i].Name, len(Map[i].Fields), typ.Name(), getters)
		}
	}
	for name := range types {
		t.Errorf("%s is not in Map", name)
	}
}

func TestMapFields(t *testing.T) {
	for i := range Map {
		r := &Map[i]
		var used uint32
		for j := range r.Fields {
			f := &r.Fields[j]
			if f.Width == 0 || f.LSB+f.Width > 32 {
				t.Fatalf("%s.%s: bits %d+%d", r.Name, f.Name, f.LSB, f.Width)
			}
			if used&f.Mask() != 0 || used > f.Mask() {
				t.Errorf("%s.%s: overlaps or is out of order", r.Name, f.Name)
			}
			used |= f.Mask()
			if f.Desc == "" || r.Desc == "" {
				t.Errorf("%s.%s: no description", r.Name, f.Name)
			}
		}
	}
	ref, err := Lookup("int_mask")
	if err != nil {
		t.Fatal(err)
	}
	if value, known := ref.Register.Reset(); value != 0xffffffff || known != 0xffffffff {
		t.Errorf("int_mask resets to %#x, known %#x", value, known)
	}
	if ref, err = Lookup("status.ready"); err != nil || ref.Field.HasReset || ref.Field.Access != ReadOnly {
		t.Errorf("status.ready: %+v, %v", ref.Field, err)
	}
	if ref, err = Lookup("sa_cmd.op"); err != nil || ref.Field.ValueName(3) != "DELETE" || ref.Field.ValueName(7) != "" {
		t.Errorf("sa_cmd.op: %+v, %v", ref.Field, err)
	}
	for name, want := range map[string]Access{"ctrl.reset": WriteOneToSet, "int_cause.vector": WriteOneToClear, "int_arm.vector": WriteOnly, "sa.key[0].value": WriteOnly, "ctrl.loopback": ReadWrite} {
		if ref, err := Lookup(name); err != nil || ref.Field.Access != want {
			t.Errorf("%s: access %v, want %v (%v)", name, ref.Field.Access, want, err)
		}
	}
}

func TestFieldInsertExtract(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lsb := rapid.UintRange(0, 31).Draw(t, "lsb")
		f := Field{LSB: lsb, Width: rapid.UintRange(1, 32-lsb).Draw(t, "width")}
		before, value := rapid.Uint32().Draw(t, "before"), rapid.Uint32().Draw(t, "value")
		after := f.Insert(before, value)
		if got, want := f.Extract(after), value&uint32(1<<f.Width-1); got != want {
			t.Fatalf("extracted %#x, want %#x", got, want)
		}
		if (after^before)&^f.Mask() != 0 {
			t.Fatalf("other bits changed: %#x to %#x", before, after)
		}
	})
}
