// SPDX-License-Identifier: Apache-2.0

package esp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"testing"

	"github.com/c2sp/wycheproof"
)

// hexBytes is a byte string that is hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// newSA makes an SA whose addresses do not matter.
func newSA(t testing.TB, p Params) *SA {
	t.Helper()
	if !p.Dst.IsValid() {
		p.Dst = netip.MustParseAddr("192.0.2.1")
	}
	sa, err := NewSA(p)
	if err != nil {
		t.Fatal(err)
	}
	return sa
}

// ipv4Frame puts an ESP packet behind Ethernet and IPv4 headers.
func ipv4Frame(packet []byte) []byte {
	frame := append(make([]byte, 12), 0x08, 0x00,
		0x45, 0, 0, 0, 0, 0, 0, 0, 64, ProtocolESP, 0, 0, 198, 51, 100, 7, 192, 0, 2, 1)
	setIPLength(frame[ethernetHeaderLen:], false, ipv4HeaderLen+len(packet))
	return append(frame, packet...)
}

// TestPublishedPackets checks the AES-GCM packets of draft-mcgrew-gcm-test-01:
// encryption of each with the published IV, and Open of each on the wire.
func TestPublishedPackets(t *testing.T) {
	text, err := os.ReadFile("testdata/draft-mcgrew-gcm-test-01.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Case                                              int
			Key, SPI, Sequence, Nonce, Plaintext, AAD, Packet hexBytes
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 14 {
		t.Fatalf("the draft has 14 AES-GCM cases, the file %d", len(file.Cases))
	}
	for _, c := range file.Cases {
		t.Run(fmt.Sprint(c.Case), func(t *testing.T) {
			esn := len(c.Sequence) == 8
			p := Params{SPI: binary.BigEndian.Uint32(c.SPI), ESN: esn, Key: c.Key, Salt: [4]byte(c.Nonce)}
			if esn {
				p.ESNHi = binary.BigEndian.Uint32(c.Sequence)
			}
			if p.SPI == 0 { // case 4: NewSA rightly refuses it, packets carry their SPI themselves
				p.SPI = 1
			}
			sa := newSA(t, p)

			packet := append([]byte{}, c.SPI...)
			packet = append(packet, c.Sequence[len(c.Sequence)-4:]...)
			packet = append(packet, c.Nonce[SaltLen:]...)
			if aad := new(scratch).fill(sa, packet, sa.esnHi); !bytes.Equal(aad, c.AAD) {
				t.Errorf("AAD %x, published %x", aad, c.AAD)
			}
			packet = append(packet, c.Plaintext...)
			packet = append(packet, make([]byte, ICVLen)...)
			sa.seal(packet, sa.esnHi)
			if !bytes.Equal(packet, c.Packet) {
				t.Errorf("sealed %x, published %x", packet, c.Packet)
			}

			frame := ipv4Frame(c.Packet)
			got, v := Open(nil, frame, func(*Selector) *SA { return sa })
			if v.Class != Decrypted {
				t.Fatalf("verdict %s", v.Class)
			}
			if plain := got[v.Offset+HeaderLen+IVLen:][:v.Payload]; !bytes.Equal(plain, c.Plaintext) {
				t.Errorf("opened %x, published %x", plain, c.Plaintext)
			}
			if n := len(c.Plaintext); v.NextHeader != c.Plaintext[n-1] || v.PadLength != c.Plaintext[n-2] {
				t.Errorf("trailer %d %d, published %d %d", v.PadLength, v.NextHeader, c.Plaintext[n-2], c.Plaintext[n-1])
			}
		})
	}
}

// TestWycheproof runs every AES-GCM case with a 96-bit IV and a 128-bit tag
// through the AEAD that SAs use.
func TestWycheproof(t *testing.T) {
	text, err := fs.ReadFile(wycheproof.TestVectors, "aes_gcm_test.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct {
			IVSize, KeySize, TagSize int
			Tests                    []struct {
				TCID                       int
				Comment                    string
				Key, IV, AAD, Msg, CT, Tag hexBytes
				Result                     string
			}
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	cases, bad := 0, 0
	for _, g := range file.TestGroups {
		if g.IVSize != 96 || g.TagSize != 128 {
			continue
		}
		for _, c := range g.Tests {
			cases++
			sa := newSA(t, Params{SPI: 1, Key: c.Key, Salt: [4]byte(c.IV)})
			sealed := append(append([]byte{}, c.CT...), c.Tag...)
			nonce := append(append([]byte{}, sa.salt[:]...), c.IV[SaltLen:]...)
			got, err := sa.aead.Open(nil, nonce, sealed, c.AAD)
			switch c.Result {
			case "valid":
				if err != nil || !bytes.Equal(got, c.Msg) {
					t.Errorf("case %d (%s): opened %x, %v", c.TCID, c.Comment, got, err)
				}
				if got := sa.aead.Seal(nil, nonce, c.Msg, c.AAD); !bytes.Equal(got, sealed) {
					t.Errorf("case %d (%s): sealed %x, published %x", c.TCID, c.Comment, got, sealed)
				}
			case "invalid":
				bad++
				if err == nil {
					t.Errorf("case %d (%s): a forgery was accepted", c.TCID, c.Comment)
				}
			default:
				t.Errorf("case %d has result %q", c.TCID, c.Result)
			}
		}
	}
	if cases < 100 || bad == 0 {
		t.Errorf("%d cases, %d of them forgeries: the file is not what this test is for", cases, bad)
	}
	t.Logf("%d cases, %d of them forgeries", cases, bad)
}
