// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/espalier-nic/espalier/driver/espframe"
	"github.com/espalier-nic/espalier/hwmodel/esp"
	"github.com/espalier-nic/espalier/internal/nearest"
	"github.com/espalier-nic/espalier/regress"
)

// saConfig is one SA as a user writes it, in the list `sas` of a YAML file or
// as flags of `espalier sa add`.
type saConfig struct {
	SPI       string
	Mode      string
	Src, Dst  string
	Algorithm string
	Key       string // hexadecimal
	Salt      string // hexadecimal
	ESN       string
	Sequence  string
}

// algorithms are the names allowed for an SA's algorithm, with the key's length in bytes.
var algorithms = map[string]int{"aes-gcm-128": 16, "aes-gcm-192": 24, "aes-gcm-256": 32}

// fields maps the keys of the YAML file to the fields.
func (c *saConfig) fields() map[string]*string {
	return map[string]*string{
		"spi": &c.SPI, "mode": &c.Mode, "src": &c.Src, "dst": &c.Dst, "algorithm": &c.Algorithm,
		"key": &c.Key, "salt": &c.Salt, "esn": &c.ESN, "sequence": &c.Sequence,
	}
}

// decodeSAs reads the list, refusing keys that it does not know.
func decodeSAs(node *yaml.Node) ([]saConfig, error) {
	if node.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("sas must be a list, one entry per SA")
	}
	sas := make([]saConfig, len(node.Content))
	for i, entry := range node.Content {
		if entry.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("SA %d (line %d) must be a mapping with spi, mode, src, dst, algorithm, key, salt", i+1, entry.Line)
		}
		fields := sas[i].fields()
		for j := 0; j+1 < len(entry.Content); j += 2 {
			key, value := entry.Content[j], entry.Content[j+1]
			field, ok := fields[key.Value]
			if !ok {
				names := make([]string, 0, len(fields))
				for name := range fields {
					names = append(names, name)
				}
				slices.Sort(names)
				return nil, fmt.Errorf("SA %d (line %d) has the unknown key %q; nearest is %q", i+1, key.Line, key.Value, nearest.Name(key.Value, names))
			}
			// The text as written, so that 0x10 and a key of digits survive.
			*field = value.Value
		}
	}
	return sas, nil
}

// parse checks one SA. number is its place in the list, for messages. No
// message contains key or salt.
func (c saConfig) parse(number int) (regress.SA, error) {
	var sa regress.SA
	fail := func(field, value, allowed string) (regress.SA, error) {
		return regress.SA{}, fmt.Errorf("SA %d: %s is %s; allowed: %s", number, field, value, allowed)
	}
	spi, err := strconv.ParseUint(c.SPI, 0, 32)
	if err != nil {
		return fail("spi", strconv.Quote(c.SPI), "a number from 1 to 0xffffffff")
	}
	sa.SPI = uint32(spi)
	switch c.Mode {
	case "transport":
		sa.Mode = espframe.Transport
	case "tunnel":
		sa.Mode = espframe.Tunnel
	default:
		return fail("mode", strconv.Quote(c.Mode), "transport, tunnel")
	}
	if sa.Src, err = netip.ParseAddr(c.Src); err != nil {
		return fail("src", strconv.Quote(c.Src), "an IPv4 or IPv6 address")
	}
	if sa.Dst, err = netip.ParseAddr(c.Dst); err != nil {
		return fail("dst", strconv.Quote(c.Dst), "an IPv4 or IPv6 address")
	}
	keyLen, ok := algorithms[c.Algorithm]
	if !ok {
		return fail("algorithm", strconv.Quote(c.Algorithm), "aes-gcm-128, aes-gcm-192, aes-gcm-256")
	}
	if sa.Key, err = hex.DecodeString(strings.TrimPrefix(c.Key, "0x")); err != nil {
		return fail("key", fmt.Sprintf("not hexadecimal (%d characters)", len(c.Key)), fmt.Sprintf("%d hexadecimal digits", 2*keyLen))
	}
	if len(sa.Key) != keyLen {
		return fail("key", fmt.Sprintf("%d bytes long", len(sa.Key)), fmt.Sprintf("%d bytes for %s", keyLen, c.Algorithm))
	}
	salt, err := hex.DecodeString(strings.TrimPrefix(c.Salt, "0x"))
	if err != nil || len(salt) != esp.SaltLen {
		return fail("salt", fmt.Sprintf("not right (%d characters)", len(c.Salt)), fmt.Sprintf("%d hexadecimal digits", 2*esp.SaltLen))
	}
	copy(sa.Salt[:], salt)
	if c.ESN != "" {
		if sa.ESN, err = strconv.ParseBool(c.ESN); err != nil {
			return fail("esn", strconv.Quote(c.ESN), "true, false")
		}
	}
	if c.Sequence != "" {
		limit := 32
		if sa.ESN {
			limit = 64
		}
		if sa.LastSequence, err = strconv.ParseUint(c.Sequence, 0, limit); err != nil {
			return fail("sequence", strconv.Quote(c.Sequence), fmt.Sprintf("the last number used, of at most %d bits", limit))
		}
	}
	return sa, nil
}

// parseSAs checks the list.
func parseSAs(list []saConfig) ([]regress.SA, error) {
	sas := make([]regress.SA, len(list))
	for i, c := range list {
		sa, err := c.parse(i + 1)
		if err != nil {
			return nil, err
		}
		sas[i] = sa
	}
	return sas, nil
}
