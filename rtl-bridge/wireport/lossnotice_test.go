// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestLossNotice(t *testing.T) {
	notice := LossNotice(0x0102030405060708)
	want, err := hex.DecodeString("ffffffffffff" + "02657370616c" + "88b5" +
		hex.EncodeToString([]byte("espalier mirror: frames lost")) + "0102030405060708" + "00000000000000000000")
	if err != nil || !bytes.Equal(notice, want) {
		t.Errorf("notice is\n%x, want\n%x", notice, want)
	}
	if n, is := ParseLossNotice(notice); !is || n != 0x0102030405060708 {
		t.Errorf("%#x %v", n, is)
	}
	for i := range notice {
		other := bytes.Clone(notice)
		other[i] ^= 0x10
		if _, is := ParseLossNotice(other); is && (i < lossCount || i >= lossCount+8) {
			t.Errorf("taken for a notice with byte %d changed", i)
		}
	}
	for _, other := range [][]byte{nil, notice[:59], append(bytes.Clone(notice), 0), make([]byte, 60)} {
		if _, is := ParseLossNotice(other); is {
			t.Errorf("% x is taken for a notice", other)
		}
	}
}

func FuzzLossNotice(f *testing.F) {
	f.Add(LossNotice(1))
	f.Add(LossNotice(1)[:50])
	f.Add(make([]byte, 60))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if n, is := ParseLossNotice(frame); is && !bytes.Equal(LossNotice(n), frame) {
			t.Errorf("% x is taken for a notice of %d frames", frame, n)
		}
	})
}
