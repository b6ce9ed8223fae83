// SPDX-License-Identifier: Apache-2.0

// Package gcmref is what benches of AES-GCM hardware need beside Go's crypto
// packages, which keep these values to themselves: AES round keys, and products
// in GHASH's field. It follows the standards' definitions step by step and is
// slow; nothing but tests may use it.
package gcmref

import (
	"crypto/aes"
	"encoding/binary"
	"math/bits"
)

// A Block is 16 bytes as GHASH sees them: bit 0 is the most significant bit of
// byte 0.
type Block [16]byte

// Xor returns the sum of two blocks.
func Xor(a, b Block) Block {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}

// Times returns the product of two blocks: algorithm 1 of SP 800-38D.
func Times(x, y Block) (z Block) {
	v := y
	for i := range 128 {
		if x[i/8]>>(7-i%8)&1 == 1 {
			z = Xor(z, v)
		}
		low := v[15]&1 == 1
		for j := 15; j > 0; j-- {
			v[j] = v[j]>>1 | v[j-1]<<7
		}
		v[0] >>= 1
		if low {
			v[0] ^= 0xe1
		}
	}
	return z
}

// Hash is GHASH under the hash key h (SP 800-38D, section 6.4).
func Hash(h Block, blocks []Block) (y Block) {
	for _, b := range blocks {
		y = Times(Xor(y, b), h)
	}
	return y
}

// HashKeyPowers returns H, H^2, ..., H^n of an AES key of 16, 24 or 32 bytes.
// Any other length is a mistake of the caller and panics.
func HashKeyPowers(key []byte, n int) []Block {
	c, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	var h Block
	c.Encrypt(h[:], h[:])
	powers := []Block{h}
	for len(powers) < n {
		powers = append(powers, Times(powers[len(powers)-1], h))
	}
	return powers
}

// RoundKeys is the key expansion of FIPS 197, section 5.2.
func RoundKeys(key []byte) [][]byte {
	nk := len(key) / 4
	w := make([]uint32, 4*(nk+7))
	rcon := uint32(1) << 24
	for i := range w {
		if i < nk {
			w[i] = binary.BigEndian.Uint32(key[4*i:])
			continue
		}
		t := w[i-1]
		switch {
		case i%nk == 0:
			t = subWord(bits.RotateLeft32(t, 8)) ^ rcon
			rcon = uint32(double(byte(rcon>>24))) << 24
		case nk > 6 && i%nk == 4:
			t = subWord(t)
		}
		w[i] = w[i-nk] ^ t
	}
	keys := make([][]byte, len(w)/4)
	for r := range keys {
		for c := range 4 {
			keys[r] = binary.BigEndian.AppendUint32(keys[r], w[4*r+c])
		}
	}
	return keys
}

func subWord(w uint32) uint32 {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], w)
	for i := range b {
		b[i] = sbox(b[i])
	}
	return binary.BigEndian.Uint32(b[:])
}

// sbox follows the definition in FIPS 197, 5.1.1: inverse, then affine map.
func sbox(a byte) byte {
	inv := byte(0)
	for x := 1; x < 256; x++ {
		if byteTimes(a, byte(x)) == 1 {
			inv = byte(x)
			break
		}
	}
	r := byte(0x63)
	for i := range 5 {
		r ^= bits.RotateLeft8(inv, i)
	}
	return r
}

func byteTimes(a, b byte) (r byte) {
	for ; b != 0; b >>= 1 {
		if b&1 != 0 {
			r ^= a
		}
		a = double(a)
	}
	return r
}

func double(a byte) byte {
	if a&0x80 != 0 {
		return a<<1 ^ 0x1b
	}
	return a << 1
}
