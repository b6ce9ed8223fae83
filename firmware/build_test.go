// SPDX-License-Identifier: Apache-2.0

package firmware

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

// Memory of the control processor of a NIC with the default parameters.
const defaultRAM = 32 << 10

func TestBuild(t *testing.T) {
	want := strings.TrimSpace(readFile(t, "VERSION"))
	builds := make(map[uint32]Variant)
	for _, v := range []Variant{Standard, WithFaults} {
		path, err := Build(v)
		if err != nil {
			t.Fatal(err)
		}
		image, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := version(image.Version); got != want {
			t.Errorf("%s: version %s, VERSION says %s", v, got, want)
		}
		if image.Memory > defaultRAM || image.Memory < len(image.Bytes)+1024 {
			t.Errorf("%s: needs %d bytes of memory, the image has %d", v, image.Memory, len(image.Bytes))
		}
		if other, ok := builds[image.Build]; ok || image.Build == 0 {
			t.Errorf("%s: build id %08x, as %q", v, image.Build, other)
		}
		builds[image.Build] = v
		// What hangs on request is in no image that a NIC gets: mailbox.c compares
		// the operation with 0xF0, "addi rd, x0, 240".
		fails := false
		for i := 0; i < len(image.Bytes); i += 4 {
			fails = fails || binary.LittleEndian.Uint32(image.Bytes[i:])&^0xF80 == 0x0F000013
		}
		if fails != (v == WithFaults) {
			t.Errorf("%s: has operation 0xF0: %v", v, fails)
		}
		// Nothing is built twice.
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Build(v); err != nil {
			t.Fatal(err)
		}
		if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: built again (%v)", v, err)
		}
	}
	path, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
}
