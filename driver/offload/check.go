// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"

	"github.com/espalier-nic/espalier/driver"
)

// check judges an entry: first its form (INVALID_DATA), then whether c, the
// current configuration, offers it (NOT_SUPPORTED). It returns the SA as the
// driver takes it, with a copy of the key.
func (e *AddSA) check(c *configuration, icvs []int, opts *Options) (driver.SA, error) {
	if err := e.checkForm(opts); err != nil {
		return driver.SA{}, err
	}
	if err := e.checkOffered(c, icvs, opts); err != nil {
		return driver.SA{}, err
	}
	assoc := &e.SecAssoc[0]
	key, salt, err := e.gcmKey("SecAssoc[0].EncryptionAlgorithm", assoc, opts)
	if err != nil {
		return driver.SA{}, err
	}
	return driver.SA{
		SPI:        assoc.SPI,
		Inbound:    e.Flags&FlagInbound != 0,
		Tunnel:     e.tunnel(),
		IPv6:       e.Flags&FlagIPv6 != 0,
		Src:        e.Src,
		Dst:        e.Dst,
		ESN:        assoc.Flags&SAExtendedSequenceNumbers != 0,
		SequenceHi: assoc.SequenceNumberHighOrder,
		Key:        bytes.Clone(key),
		Salt:       salt,
	}, nil
}

// tunnel says whether the SA is in tunnel mode, see FlagTunnel.
func (e *AddSA) tunnel() bool {
	return e.Flags&FlagTunnel != 0 || e.UDPESP&(UDPTunnel|TransportInUDPTunnel) != 0
}

// used are the operations of the entry. checkForm has seen NumExtHdrs.
func (e *AddSA) used() []SecurityAssociation { return e.SecAssoc[:e.NumExtHdrs] }

// checkForm refuses what no hardware could do.
func (e *AddSA) checkForm(opts *Options) error {
	if e.NumExtHdrs != 1 && e.NumExtHdrs != 2 {
		return refuse(StatusInvalidData, "NumExtHdrs", e.NumExtHdrs, "1, and 2 for ESP and AH")
	}
	if e.Flags&^flagsAll != 0 {
		return refuse(StatusInvalidData, "Flags", fmt.Sprintf("%#x", uint32(e.Flags)), "0x1 (inbound) and 0x10 (IPv6)")
	}
	for _, v := range []struct {
		field string
		addr  netip.Addr
	}{{"Src", e.Src}, {"Dst", e.Dst}} {
		if ipv6 := e.Flags&FlagIPv6 != 0; v.addr.IsValid() && (v.addr.Is4() == ipv6 || v.addr.Zone() != "") {
			return refuse(StatusInvalidData, v.field, v.addr, fmt.Sprintf("addresses of %s without a zone, as Flags %#x say", version(ipv6), uint32(e.Flags)))
		}
	}
	switch e.UDPESP {
	case 0, UDPTransport, UDPTunnel, TransportInUDPTunnel, UDPTransportInTunnel:
	default:
		return refuse(StatusInvalidData, "UdpEspEncapsulation", fmt.Sprintf("%#x", uint32(e.UDPESP)), "one of 0, 1, 2, 4 and 8")
	}
	for i := range e.used() {
		if err := e.checkAssoc(i, opts); err != nil {
			return err
		}
	}
	// The only pair is ESP first, then AH (ADD-9).
	if e.NumExtHdrs == 2 && (e.SecAssoc[0].Operation != OperationESP || e.SecAssoc[1].Operation != OperationAH) {
		return refuse(StatusInvalidData, "SecAssoc", fmt.Sprintf("%v, then %v", e.SecAssoc[0].Operation, e.SecAssoc[1].Operation), "ESP, then AH")
	}
	return nil
}

// checkAssoc judges the form of one operation.
func (e *AddSA) checkAssoc(i int, opts *Options) error {
	s := &e.SecAssoc[i]
	field := func(name string) string { return fmt.Sprintf("SecAssoc[%d].%s", i, name) }
	switch {
	case s.Flags&^SAExtendedSequenceNumbers != 0:
		return refuse(StatusInvalidData, field("Flags"), fmt.Sprintf("%#x", s.Flags), "0 and 1 (extended sequence numbers)")
	case s.Operation != OperationAH && s.Operation != OperationESP:
		return refuse(StatusInvalidData, field("Operation"), uint32(s.Operation), "1 (AH) and 2 (ESP)")
	case s.SPI == 0:
		return refuse(StatusInvalidData, field("Spi"), s.SPI, "1 to 0xffffffff")
	case s.SequenceNumberHighOrder != 0 && s.Flags == 0:
		return refuse(StatusInvalidData, field("SequenceNumberHighOrder"), s.SequenceNumberHighOrder, "0 without extended sequence numbers")
	}
	if s.Operation == OperationAH {
		if s.Encryption != (AlgorithmInfo{}) {
			return refuse(StatusInvalidData, field("EncryptionAlgorithm"), EncryptionAlgorithms(s.Encryption.Identifier), "all zero in AH")
		}
		return e.checkAuthentication(field, s)
	}
	cipher := s.Encryption.Identifier
	if err := oneAlgorithm(field("EncryptionAlgorithm.Identifier"), cipher, EncryptionAlgorithms(cipher).String()); err != nil {
		return err
	}
	switch c := EncryptionAlgorithms(cipher); {
	case c&^encryptionAll != 0: // not known: checkOffered says so
		return nil
	case c&encryptionGCM != 0:
		if _, _, err := e.gcmKey(field("EncryptionAlgorithm"), s, opts); err != nil {
			return err
		}
		icvs := [3]uint32{16, 12, 8}
		if opts.ICVInBits {
			icvs = [3]uint32{128, 96, 64}
		}
		if !slices.Contains(icvs[:], s.Encryption.AdditionalInfo) {
			return refuse(StatusInvalidData, field("EncryptionAlgorithm.AdditionalInfo"), s.Encryption.AdditionalInfo, fmt.Sprintf("the ICV's length: one of %v", icvs))
		}
		return nil // the authentication slot is not used
	case c != EncryptionNull:
		if err := e.checkKey(field("EncryptionAlgorithm"), &s.Encryption, c.keyLength()); err != nil {
			return err
		}
		if s.Authentication.Identifier == 0 && opts.AllowUnauthenticated {
			return nil
		}
	}
	return e.checkAuthentication(field, s)
}

// checkAuthentication judges the form of a separate integrity algorithm.
func (e *AddSA) checkAuthentication(field func(string) string, s *SecurityAssociation) error {
	id := s.Authentication.Identifier
	if id == 0 && s.Operation == OperationESP {
		return refuse(StatusNotSupported, field("AuthenticationAlgorithm"), "none", "an integrity algorithm: ESP without integrity protection is not allowed")
	}
	if err := oneAlgorithm(field("AuthenticationAlgorithm.Identifier"), id, AuthenticationAlgorithms(id).String()); err != nil {
		return err
	}
	a := AuthenticationAlgorithms(id)
	if a&^authenticationAll != 0 {
		return nil // not known: checkOffered says so
	}
	return e.checkKey(field("AuthenticationAlgorithm"), &s.Authentication, a.keyLength())
}

// oneAlgorithm wants exactly one bit set.
func oneAlgorithm(field string, id uint32, name string) error {
	if id == 0 || id&(id-1) != 0 {
		return refuse(StatusInvalidData, field, fmt.Sprintf("%#x (%s)", id, name), "one algorithm")
	}
	return nil
}

// checkKey checks an algorithm's length of key, and that the key lies within
// the key area (ADD-7, ADD-8).
func (e *AddSA) checkKey(field string, a *AlgorithmInfo, want int) error {
	if int64(a.KeyLength) != int64(want) {
		return refuse(StatusInvalidData, field+".KeyLength", fmt.Sprintf("%d bytes", a.KeyLength), fmt.Sprintf("%d bytes", want))
	}
	return e.checkArea(field, a, uint64(a.KeyLength))
}

// checkArea checks that length bytes from the algorithm's offset are there.
func (e *AddSA) checkArea(field string, a *AlgorithmInfo, length uint64) error {
	if end := uint64(a.KeyOffset) + length; end > uint64(len(e.KeyData)) {
		return refuse(StatusInvalidData, field+".KeyOffsetBytes", fmt.Sprintf("%d with a key of %d bytes", a.KeyOffset, length),
			fmt.Sprintf("keys within the %d bytes of the key area", len(e.KeyData)))
	}
	return nil
}

// gcmKey finds key and salt of an AES-GCM cipher in the key area.
func (e *AddSA) gcmKey(field string, s *SecurityAssociation, opts *Options) (driver.Key, driver.Salt, error) {
	var salt driver.Salt
	whole := EncryptionAlgorithms(s.Encryption.Identifier).keyLength()
	key := whole - saltLength
	want, meaning := whole, fmt.Sprintf("%d bytes: a key of %d and a salt of %d", whole, key, saltLength)
	if opts.SaltOutsideKeyLength {
		want, meaning = key, fmt.Sprintf("%d bytes: the key without its salt", key)
	}
	if int64(s.Encryption.KeyLength) != int64(want) {
		return nil, salt, refuse(StatusInvalidData, field+".KeyLength", fmt.Sprintf("%d bytes", s.Encryption.KeyLength), meaning)
	}
	if err := e.checkArea(field, &s.Encryption, uint64(whole)); err != nil {
		return nil, salt, err
	}
	at := e.KeyData[s.Encryption.KeyOffset:]
	copy(salt[:], at[key:whole])
	return at[:key], salt, nil
}

func version(ipv6 bool) string {
	if ipv6 {
		return "IPv6"
	}
	return "IPv4"
}

// checkOffered compares the entry with what is switched on.
func (e *AddSA) checkOffered(c *configuration, icvs []int, opts *Options) error {
	on := &c.current.IPsecV2
	not := func(field string, asked any, allowed string) error {
		return refuse(StatusNotSupported, field, asked, allowed)
	}
	ipv6 := e.Flags&FlagIPv6 != 0
	for i := range e.used() {
		s := &e.SecAssoc[i]
		field := func(name string) string { return fmt.Sprintf("SecAssoc[%d].%s", i, name) }
		offered := fmt.Sprintf("none of AH and ESP, the adapter's setting is %v", c.ipsec)
		switch {
		case on.AH && on.ESP:
			offered = "AH and ESP"
		case on.AH:
			offered = "AH"
		case on.ESP:
			offered = "ESP"
		}
		if s.Operation == OperationAH && !on.AH || s.Operation == OperationESP && !on.ESP {
			return not(field("Operation"), s.Operation, offered)
		}
		gcm := EncryptionAlgorithms(s.Encryption.Identifier)&encryptionGCM != 0
		if s.Operation == OperationESP && EncryptionAlgorithms(s.Encryption.Identifier)&on.EncryptionAlgorithms == 0 {
			return not(field("EncryptionAlgorithm.Identifier"), EncryptionAlgorithms(s.Encryption.Identifier), on.EncryptionAlgorithms.String())
		}
		if !gcm && s.Authentication.Identifier != 0 && AuthenticationAlgorithms(s.Authentication.Identifier)&on.AuthenticationAlgorithms == 0 {
			return not(field("AuthenticationAlgorithm.Identifier"), AuthenticationAlgorithms(s.Authentication.Identifier), on.AuthenticationAlgorithms.String())
		}
		if gcm {
			icv := int(s.Encryption.AdditionalInfo)
			if opts.ICVInBits {
				icv /= 8
			}
			if !slices.Contains(icvs, icv) || icv != icvLength {
				return not(field("EncryptionAlgorithm.AdditionalInfo"), fmt.Sprintf("an ICV of %d bytes", icv), fmt.Sprintf("%d bytes", icvLength))
			}
		}
		if s.Flags&SAExtendedSequenceNumbers != 0 && !on.ExtendedSequenceNumbers {
			return not(field("Flags"), "extended sequence numbers", "32-bit sequence numbers")
		}
	}
	switch {
	case e.NumExtHdrs == 2 && !on.AHESPCombined:
		return not("NumExtHdrs", 2, "1: AH and ESP are not combined")
	case ipv6 && !on.IPv6Supported:
		return not("Flags", "IPv6", "IPv4")
	case e.tunnel() && !on.Tunnel:
		return not("Flags", "tunnel mode", "transport mode")
	case !e.tunnel() && !on.Transport:
		return not("Flags", "transport mode", "tunnel mode")
	case e.UDPESP&^on.UDPESP != 0:
		return not("UdpEspEncapsulation", e.UDPESP, on.UDPESP.String())
	case c.active() && !c.activeFor(ipv6):
		// Before activation any SA may be added; see SetEncapsulation.
		return not("Flags", version(ipv6), version(!ipv6)+": OID_OFFLOAD_ENCAPSULATION has switched "+version(ipv6)+" off")
	}
	return nil
}

// icvLength is the only length of ICV that package driver can ask for, in bytes.
const icvLength = 16
