// SPDX-License-Identifier: Apache-2.0

package regs

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// One field at a time at its largest value, against bytes worked out by hand from the layout in espalier.rdl.
var recordVectors = []struct {
	name   string
	record any
	bytes  string
}{
	{"tx addr", TxDescriptor{Addr: 0x0807060504030201}, "01020304050607080000000000000000"},
	{"tx length", TxDescriptor{Length: 0x2589}, "00000000000000008925000000000000"},
	{"tx esp_offset", TxDescriptor{ESPOffset: 0x7ff}, "00000000000000000000ff0700000000"},
	{"tx ipsec", TxDescriptor{IPsec: true}, "00000000000000000000000800000000"},
	{"tx report", TxDescriptor{Report: true}, "00000000000000000000001000000000"},
	{"tx esn_lsb", TxDescriptor{ESNLSB: true}, "00000000000000000000002000000000"},
	{"tx handle", TxDescriptor{Handle: 0xa1b2c3d4}, "000000000000000000000000d4c3b2a1"},
	{"tx all", TxDescriptor{Addr: 0x1122334455667788, Length: 1518, ESPOffset: 34, IPsec: true, Report: true, Handle: 0x00010003},
		"8877665544332211ee05221803000100"},
	{"rx addr", RxDescriptor{Addr: 0xfffffffffffffff0}, "f0ffffffffffffff0000000000000000"},
	{"rx length", RxDescriptor{Length: 0xffff}, "0000000000000000ffff000000000000"},
	{"cpl length", Completion{Length: 0x1234}, "34120000000000000000000000000000"},
	{"cpl index", Completion{Index: 0x1234}, "00003412000000000000000000000000"},
	{"cpl handle", Completion{Handle: 0x12345678}, "00000000785634120000000000000000"},
	{"cpl sa_delete_req", Completion{SADeleteReq: true}, "00000000000000000100000000000000"},
	{"cpl crypto_done", Completion{CryptoDone: true}, "00000000000000000200000000000000"},
	{"cpl next_crypto_done", Completion{NextCryptoDone: true}, "00000000000000000400000000000000"},
	{"cpl crypto_status", Completion{CryptoStatus: CryptoStatusTunnelESPAuthFailed}, "00000000000000000000050000000000"},
	{"cpl crypto_status, all bits", Completion{CryptoStatus: 0xffff}, "00000000000000000000ffff00000000"},
	{"cpl next_header", Completion{NextHeader: 41}, "00000000000000000000000029000000"},
	{"cpl pad_length", Completion{PadLength: 255}, "00000000000000000000000000ff0000"},
	{"cpl header_info_set", Completion{HeaderInfoSet: true}, "00000000000000000000000000000100"},
	{"cpl status", Completion{Status: CompletionStatusTruncated}, "00000000000000000000000000000007"},
	{"cpl status, all bits", Completion{Status: 0x7f}, "0000000000000000000000000000007f"},
	{"cpl phase", Completion{Phase: true}, "00000000000000000000000000000080"},
	{"cpl all", Completion{Length: 0x5dc, Index: 7, Handle: 0x00020011, CryptoDone: true, NextHeader: 4, PadLength: 2, HeaderInfoSet: true, Phase: true},
		"dc050700110002000200000004020180"},
}

func TestRecordBytes(t *testing.T) {
	for _, v := range recordVectors {
		want := fromHex(t, v.bytes)
		got := bytes.Repeat([]byte{0xa5}, 20)
		var back any
		switch r := v.record.(type) {
		case TxDescriptor:
			r.Pack(got)
			r.Unpack(want)
			back = r
		case RxDescriptor:
			r.Pack(got)
			r.Unpack(want)
			back = r
		case Completion:
			r.Pack(got)
			r.Unpack(want)
			back = r
		}
		if !bytes.Equal(got[:16], want) {
			t.Errorf("%s: packed %x, want %x", v.name, got[:16], want)
		}
		if !bytes.Equal(got[16:], []byte{0xa5, 0xa5, 0xa5, 0xa5}) {
			t.Errorf("%s: Pack wrote beyond the record", v.name)
		}
		if back != v.record {
			t.Errorf("%s: unpacked %+v, want %+v", v.name, back, v.record)
		}
	}
}

// Each vector's view must read what the struct holds and write the same bytes over any others.
func TestRecordViews(t *testing.T) {
	for _, v := range recordVectors {
		for _, background := range []byte{0, 0xff} {
			got := bytes.Repeat([]byte{background}, 16)
			want := bytes.Repeat([]byte{background}, 16)
			record, view := reflect.ValueOf(v.record), viewOf(t, v.record, got)
			clearUnused := viewOf(t, v.record, want)
			for i := range record.NumField() {
				name := record.Type().Field(i).Name
				view.MethodByName("Set" + name).Call([]reflect.Value{record.Field(i)})
				clearUnused.MethodByName("Set" + name).Call([]reflect.Value{reflect.Zero(record.Field(i).Type())})
				if read := view.MethodByName(name).Call(nil)[0].Interface(); read != record.Field(i).Interface() {
					t.Errorf("%s: view reads %s as %v, want %v", v.name, name, read, record.Field(i))
				}
			}
			// Bits of no field keep the background; the others are the vector's.
			for i, b := range fromHex(t, v.bytes) {
				want[i] |= b
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s over %#x: view wrote %x, want %x", v.name, background, got, want)
			}
		}
	}
}

func viewOf(t *testing.T, record any, b []byte) reflect.Value {
	t.Helper()
	switch record.(type) {
	case TxDescriptor:
		return reflect.ValueOf(TxDescriptorView(b))
	case RxDescriptor:
		return reflect.ValueOf(RxDescriptorView(b))
	case Completion:
		return reflect.ValueOf(CompletionView(b))
	}
	t.Fatalf("no view of %T", record)
	return reflect.Value{}
}

func TestRecordSizes(t *testing.T) {
	if TxDescriptorSize != 16 || RxDescriptorSize != 16 || CompletionSize != 16 || SARecordWords != 20 {
		t.Errorf("sizes %d, %d, %d bytes and %d words", TxDescriptorSize, RxDescriptorSize, CompletionSize, SARecordWords)
	}
	for name, pack := range map[string]func(){
		"TxDescriptor.Pack": func() { TxDescriptor{}.Pack(make([]byte, 15)) },
		"Completion.Unpack": func() { new(Completion).Unpack(make([]byte, 15)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of 15 bytes did not panic", name)
				}
			}()
			pack()
		}()
	}
}

func TestSARecordWords(t *testing.T) {
	r := SARecord{
		SPI:   0x11223344,
		Flags: SAFlags(0).WithInbound(true).WithIPv6(true).WithTunnel(true).WithESN(true).WithKeyLen(KeyLenAES256).WithRxQueue(5),
		ESNHi: 7, Salt: 0xdeadbeef,
		Dst: [4]uint32{1, 2, 3, 4}, Src: [4]uint32{5, 6, 7, 8}, Key: [8]uint32{9, 10, 11, 12, 13, 14, 15, 16},
	}
	want := [20]uint32{0x11223344, 0x52f, 7, 0xdeadbeef, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	words := r.Words()
	if words != want {
		t.Errorf("words %#x, want %#x", words, want)
	}
	var back SARecord
	if back.SetWords(&words); back != r {
		t.Errorf("back %+v, want %+v", back, r)
	}
	// The window's registers and the words must be the same thing.
	for word, offset := range map[int]uint64{
		SARecordSPIWord: SASPIOffset, SARecordFlagsWord: SAFlagsOffset, SARecordESNHiWord: SAESNHiOffset, SARecordSaltWord: SASaltOffset,
		SARecordDstWord + 3: SADstOffset(3), SARecordSrcWord + 1: SASrcOffset(1), SARecordKeyWord + 7: SAKeyOffset(7),
	} {
		if SARecordOffset+4*uint64(word) != offset {
			t.Errorf("word %d is at %#x, its register at %#x", word, SARecordOffset+4*word, offset)
		}
	}
}

func TestRecordProperties(t *testing.T) {
	t.Run("pack then unpack", rapid.MakeCheck(func(t *rapid.T) {
		c := Completion{
			Length: rapid.Uint16().Draw(t, "length"), Index: rapid.Uint16().Draw(t, "index"), Handle: rapid.Uint32().Draw(t, "handle"),
			SADeleteReq: rapid.Bool().Draw(t, "sa_delete_req"), CryptoDone: rapid.Bool().Draw(t, "crypto_done"),
			NextCryptoDone: rapid.Bool().Draw(t, "next_crypto_done"), CryptoStatus: CryptoStatus(rapid.Uint16().Draw(t, "crypto_status")),
			NextHeader: rapid.Uint8().Draw(t, "next_header"), PadLength: rapid.Uint8().Draw(t, "pad_length"),
			HeaderInfoSet: rapid.Bool().Draw(t, "header_info_set"), Status: CompletionStatus(rapid.Uint8Range(0, 0x7f).Draw(t, "status")),
			Phase: rapid.Bool().Draw(t, "phase"),
		}
		b := make([]byte, CompletionSize)
		c.Pack(b)
		var back Completion
		if back.Unpack(b); back != c {
			t.Fatalf("%+v came back as %+v", c, back)
		}
		if CompletionView(b).Phase() != c.Phase || CompletionView(b).Status() != c.Status {
			t.Fatalf("view differs from %+v", c)
		}
	}))
	t.Run("values too wide do not spill", rapid.MakeCheck(func(t *rapid.T) {
		d := TxDescriptor{ESPOffset: rapid.Uint16().Draw(t, "esp_offset"), Length: rapid.Uint16().Draw(t, "length")}
		b := make([]byte, TxDescriptorSize)
		d.Pack(b)
		var back TxDescriptor
		back.Unpack(b)
		if d.ESPOffset &= 0x7ff; back != d {
			t.Fatalf("%+v came back as %+v", d, back)
		}
	}))
	t.Run("unpack then pack", rapid.MakeCheck(func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")
		var d TxDescriptor
		d.Unpack(b)
		again := make([]byte, 16)
		d.Pack(again)
		b[11] &= 0x3f // bits 94 and 95 belong to no field
		if !bytes.Equal(b, again) {
			t.Fatalf("%x came back as %x", b, again)
		}
	}))
}

func TestPackDoesNotAllocate(t *testing.T) {
	b := make([]byte, 16)
	c := Completion{Length: 64, Phase: true}
	if n := testing.AllocsPerRun(100, func() {
		c.Pack(b)
		c.Unpack(b)
		CompletionView(b).SetPhase(!CompletionView(b).Phase())
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCompletionUnpack(b *testing.B) {
	buf := make([]byte, CompletionSize)
	Completion{Length: 1500, Index: 3, CryptoDone: true, Phase: true}.Pack(buf)
	var c Completion
	for b.Loop() {
		c.Unpack(buf)
	}
	if !c.Phase {
		b.Fatal("phase lost")
	}
}
