// SPDX-License-Identifier: Apache-2.0

package sa

import (
	"crypto/aes"
	"encoding/binary"
	"math/bits"
	"math/rand"
	"testing"
)

// sbox is SubBytes as FIPS 197, 5.1.1 defines it: the inverse in GF(2^8) and
// an affine map.
func sbox(b byte) byte {
	mul := func(x, y byte) byte {
		var p byte
		for ; y != 0; y >>= 1 {
			if y&1 != 0 {
				p ^= x
			}
			carry := x & 0x80
			x <<= 1
			if carry != 0 {
				x ^= 0x1b
			}
		}
		return p
	}
	inverse := byte(1)
	for i := 0; i < 254; i++ {
		inverse = mul(inverse, b)
	}
	r := func(n int) byte { return bits.RotateLeft8(inverse, n) }
	return inverse ^ r(1) ^ r(2) ^ r(3) ^ r(4) ^ 0x63
}

// roundKeys is KeyExpansion of FIPS 197, 5.2, with four words to a round key.
func roundKeys(key []byte) [][16]byte {
	nk := len(key) / 4
	words := make([][4]byte, 4*(nk+7))
	rcon := byte(1)
	for i := range words {
		if i < nk {
			copy(words[i][:], key[4*i:])
			continue
		}
		t := words[i-1]
		switch {
		case i%nk == 0:
			t = [4]byte{sbox(t[1]) ^ rcon, sbox(t[2]), sbox(t[3]), sbox(t[0])}
			if rcon >= 0x80 {
				rcon = rcon<<1 ^ 0x1b
			} else {
				rcon <<= 1
			}
		case nk == 8 && i%nk == 4:
			t = [4]byte{sbox(t[0]), sbox(t[1]), sbox(t[2]), sbox(t[3])}
		}
		for j := range t {
			words[i][j] = words[i-nk][j] ^ t[j]
		}
	}
	keys := make([][16]byte, len(words)/4)
	for i, w := range words {
		copy(keys[i/4][4*(i%4):], w[:])
	}
	return keys
}

// hashKey is H of GCM, from crypto/aes.
func hashKey(key []byte) [16]byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	var h [16]byte
	block.Encrypt(h[:], h[:])
	return h
}

// gfMul is the product of SP 800-38D, 6.3, bit by bit.
func gfMul(x, y [16]byte) [16]byte {
	zh, zl := uint64(0), uint64(0)
	vh, vl := binary.BigEndian.Uint64(y[:8]), binary.BigEndian.Uint64(y[8:])
	for i := 0; i < 128; i++ {
		if x[i/8]&(0x80>>(i%8)) != 0 {
			zh, zl = zh^vh, zl^vl
		}
		lsb := vl & 1
		vl = vl>>1 | vh<<63
		vh >>= 1
		if lsb != 0 {
			vh ^= 0xE1 << 56
		}
	}
	var z [16]byte
	binary.BigEndian.PutUint64(z[:8], zh)
	binary.BigEndian.PutUint64(z[8:], zl)
	return z
}

// powersOf returns H^1 to H^n.
func powersOf(h [16]byte, n int) [][16]byte {
	p := [][16]byte{h}
	for len(p) < n {
		p = append(p, gfMul(p[len(p)-1], h))
	}
	return p
}

// TestKeyModel ties this file's key expansion to crypto/aes: encrypting with
// these round keys gives what crypto/aes gives.
func TestKeyModel(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	double := func(b byte) byte {
		if b&0x80 != 0 {
			return b<<1 ^ 0x1b
		}
		return b << 1
	}
	for _, size := range []int{16, 24, 32} {
		for n := 0; n < 5; n++ {
			key := make([]byte, size)
			rng.Read(key)
			keys := roundKeys(key)
			var s [16]byte
			for r, k := range keys {
				if r > 0 {
					var shifted [16]byte
					for i := range shifted {
						shifted[i] = sbox(s[(i+4*(i%4))%16])
					}
					s = shifted
					if r < len(keys)-1 {
						for c := 0; c < 16; c += 4 {
							a, b, d, e := shifted[c], shifted[c+1], shifted[c+2], shifted[c+3]
							s[c] = double(a) ^ double(b) ^ b ^ d ^ e
							s[c+1] = a ^ double(b) ^ double(d) ^ d ^ e
							s[c+2] = a ^ b ^ double(d) ^ double(e) ^ e
							s[c+3] = double(a) ^ a ^ b ^ d ^ double(e)
						}
					}
				}
				for i := range s {
					s[i] ^= k[i]
				}
			}
			if s != hashKey(key) {
				t.Fatalf("%d-byte key: this model encrypts zero to %x, crypto/aes to %x", size, s, hashKey(key))
			}
		}
	}
}
