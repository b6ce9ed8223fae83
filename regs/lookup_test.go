// SPDX-License-Identifier: Apache-2.0

package regs

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		name   string
		offset uint64
		field  string
		mask   uint32
	}{
		{"id", 0x0, "", 0},
		{"ctrl", 0x40, "", 0},
		{"CTRL", 0x40, "", 0},
		{"ctrl.tx_enable", 0x40, "tx_enable", 0x2},
		{"int_moderation[0]", 0x100, "", 0},
		{"int_moderation[3]", 0x10c, "", 0},
		{"int_moderation[31].time", 0x17c, "time", 0xffff0000},
		{"sa.spi", 0x1040, "", 0},
		{"sa.flags.keylen", 0x1044, "keylen", 0x30},
		{"sa.key[7]", 0x108c, "", 0},
		{"stat_tx_frames.lo", 0x2000, "", 0},
		{"stat_rx_err_dma.hi", 0x207c, "", 0},
		{"txq[0].ctrl", 0x10000, "", 0},
		{"txq[2].tail", 0x12018, "", 0},
		{"rxq[15].cpl_batch.timer", 0x2f020, "timer", 0xffff0000},
	} {
		ref, err := Lookup(c.name)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if ref.Offset() != c.offset {
			t.Errorf("%s: offset %#x, want %#x", c.name, ref.Offset(), c.offset)
		}
		if ref.String() != strings.ToLower(c.name) {
			t.Errorf("%s: called %s", c.name, ref)
		}
		switch {
		case c.field == "" && ref.Field != nil:
			t.Errorf("%s: names field %s", c.name, ref.Field.Name)
		case c.field != "" && (ref.Field == nil || ref.Field.Name != c.field || ref.Field.Mask() != c.mask):
			t.Errorf("%s: field %+v, want %s with mask %#x", c.name, ref.Field, c.field, c.mask)
		}
	}
}

func TestLookupErrors(t *testing.T) {
	for _, c := range []struct{ name, problem, suggestion string }{
		{"ctrll", "is unknown", "ctrl"},
		{"crtl", "is unknown", "ctrl"},
		{"ctrl.tx_enabel", "is unknown", "ctrl.tx_enable"},
		{"txq[2].tale", "is unknown", "txq[2].tail"},
		{"txq[99].tale", "is unknown", "txq[15].tail"},
		{"ctrl[0]", "is unknown", "ctrl"},
		{"ctrl.nothing_of_the_kind", "is unknown", ""},
		{"completely different", "is unknown", ""},
		{"", "is unknown", ""},
		{"txq.tail", "is an array and needs an index", "txq[0].tail"},
		{"txq[].tail", "is an array and needs an index", "txq[0].tail"},
		{"sa.key", "is an array and needs an index", "sa.key[0]"},
		{"txq[16].tail", "has an index above 15", "txq[15].tail"},
		{"int_moderation[4294967297]", "has an index that is not a number from 0 up", ""},
		{"txq[-1].tail", "has an index that is not a number from 0 up", ""},
		{"txq[1.tail", "has a [ without a ]", ""},
		{"txq1].tail", "has a ] without a [", ""},
		{"sa.key[1][2]", "has more than one index", ""},
	} {
		_, err := Lookup(c.name)
		var bad *NameError
		if !errors.As(err, &bad) {
			t.Errorf("%q: error %v, want a NameError", c.name, err)
			continue
		}
		if bad.Name != c.name || bad.Problem != c.problem || bad.Suggestion != c.suggestion {
			t.Errorf("%q: %v; want %q, suggesting %q", c.name, bad, c.problem, c.suggestion)
		}
	}
}

// Every name that the map contains is found, and each register has one place.
func TestMapNames(t *testing.T) {
	places := map[uint64]string{}
	for i := range Map {
		reg := &Map[i]
		for index := range max(reg.Count, 1) {
			ref := Ref{Register: reg, Index: index}
			if other, taken := places[ref.Offset()]; taken {
				t.Errorf("%s and %s share offset %#x", other, ref, ref.Offset())
			}
			places[ref.Offset()] = ref.String()
			if ref.Offset()%4 != 0 || ref.Offset() >= BarSize {
				t.Errorf("%s: offset %#x", ref, ref.Offset())
			}
			got, err := Lookup(ref.String())
			if err != nil || got != ref {
				t.Errorf("Lookup(%s) = %v, %v", ref, got, err)
			}
			for j := range reg.Fields {
				ref := Ref{Register: reg, Index: index, Field: &reg.Fields[j]}
				if got, err := Lookup(ref.String()); err != nil || got != ref {
					t.Errorf("Lookup(%s) = %v, %v", ref, got, err)
				}
			}
		}
	}
}

func FuzzLookup(f *testing.F) {
	for _, name := range []string{"ctrl", "txq[2].tail", "txq[2].tial", "sa.key[1][2]", "int_moderation[", "]", "ctrl.reset", "txq[0000000001].head", "é[é]"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ref, err := Lookup(name)
		if err != nil {
			var bad *NameError
			if !errors.As(err, &bad) || bad.Name != name {
				t.Fatalf("Lookup(%q): %v", name, err)
			}
			if bad.Suggestion != "" {
				if _, err := Lookup(bad.Suggestion); err != nil {
					t.Errorf("Lookup(%q) suggests %q, which is unknown", name, bad.Suggestion)
				}
			}
			if strings.ContainsRune(err.Error(), '\n') || !utf8.ValidString(err.Error()) {
				t.Errorf("Lookup(%q): error is not one printable line: %q", name, err)
			}
			return
		}
		again, err := Lookup(ref.String())
		if err != nil || again != ref {
			t.Errorf("Lookup(%q) is %v, Lookup of that is %v, %v", name, ref, again, err)
		}
		if ref.Offset() >= BarSize {
			t.Errorf("Lookup(%q) is at %#x", name, ref.Offset())
		}
	})
}
