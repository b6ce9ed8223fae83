// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// IPsecSetting is the value of an IPsec keyword.
type IPsecSetting uint8

// Values of IPsec keywords. OID_TCP_OFFLOAD_PARAMETERS has them plus 1.
const (
	IPsecOff      IPsecSetting = 0
	IPsecAH       IPsecSetting = 1
	IPsecESP      IPsecSetting = 2
	IPsecAHAndESP IPsecSetting = 3
)

func (s IPsecSetting) ah() bool  { return s&IPsecAH != 0 }
func (s IPsecSetting) esp() bool { return s&IPsecESP != 0 }

// String names the protocols.
func (s IPsecSetting) String() string {
	if int(s) < len(ipsecSettings) {
		return ipsecSettings[s]
	}
	return strconv.Itoa(int(s))
}

var ipsecSettings = []string{"off", "AH", "ESP", "AH and ESP"}

// ChecksumSetting is the value of a checksum keyword.
type ChecksumSetting uint8

// Values of checksum keywords.
const (
	ChecksumOff  ChecksumSetting = 0
	ChecksumTx   ChecksumSetting = 1
	ChecksumRx   ChecksumSetting = 2
	ChecksumRxTx ChecksumSetting = 3
)

// Keywords are the standardized keywords that a driver reads when it
// initialises. DefaultKeywords is everything on; the zero value everything off.
type Keywords struct {
	// IPsecOffloadV2 is *IPsecOffloadV2, for NICs with IPv4 and IPv6.
	IPsecOffloadV2 IPsecSetting
	// IPsecOffloadV2IPv4 is *IPsecOffloadV2IPv4, for NICs with IPv4 only.
	IPsecOffloadV2IPv4 IPsecSetting
	// IPsecOffloadV1IPv4 is *IPsecOffloadV1IPv4. It is read and has no effect:
	// no NIC of this project has version 1.
	IPsecOffloadV1IPv4 IPsecSetting
	// LSOV2IPv4 and LSOV2IPv6 are *LsoV2IPv4 and *LsoV2IPv6.
	LSOV2IPv4, LSOV2IPv6 bool
	// The checksum keywords.
	TCPChecksumOffloadIPv4, TCPChecksumOffloadIPv6 ChecksumSetting
	UDPChecksumOffloadIPv4, UDPChecksumOffloadIPv6 ChecksumSetting
	IPChecksumOffloadIPv4                          ChecksumSetting
}

// DefaultKeywords returns the values that hold for a keyword that is absent.
func DefaultKeywords() Keywords {
	return Keywords{
		IPsecOffloadV2: IPsecAHAndESP, IPsecOffloadV2IPv4: IPsecAHAndESP, IPsecOffloadV1IPv4: IPsecAHAndESP,
		LSOV2IPv4: true, LSOV2IPv6: true,
		TCPChecksumOffloadIPv4: ChecksumRxTx, TCPChecksumOffloadIPv6: ChecksumRxTx,
		UDPChecksumOffloadIPv4: ChecksumRxTx, UDPChecksumOffloadIPv6: ChecksumRxTx,
		IPChecksumOffloadIPv4: ChecksumRxTx,
	}
}

// ipsec is the keyword that counts.
func (k Keywords) ipsec(ipv6 bool) IPsecSetting {
	if ipv6 {
		return k.IPsecOffloadV2
	}
	return k.IPsecOffloadV2IPv4
}

// lso says whether any large send is left on.
func (k Keywords) lso(ipv6 bool) bool { return k.LSOV2IPv4 || ipv6 && k.LSOV2IPv6 }

// keyword is one name with its largest value and its setter.
type keyword struct {
	max uint8
	set func(*Keywords, uint8)
}

// ipsecKeyword is a keyword with the values of IPsecSetting.
func ipsecKeyword(at func(*Keywords) *IPsecSetting) keyword {
	return keyword{3, func(k *Keywords, v uint8) { *at(k) = IPsecSetting(v) }}
}

func lsoKeyword(at func(*Keywords) *bool) keyword {
	return keyword{1, func(k *Keywords, v uint8) { *at(k) = v != 0 }}
}

func checksumKeyword(at func(*Keywords) *ChecksumSetting) keyword {
	return keyword{3, func(k *Keywords, v uint8) { *at(k) = ChecksumSetting(v) }}
}

var keywords = map[string]keyword{
	"*IPsecOffloadV2":         ipsecKeyword(func(k *Keywords) *IPsecSetting { return &k.IPsecOffloadV2 }),
	"*IPsecOffloadV2IPv4":     ipsecKeyword(func(k *Keywords) *IPsecSetting { return &k.IPsecOffloadV2IPv4 }),
	"*IPsecOffloadV1IPv4":     ipsecKeyword(func(k *Keywords) *IPsecSetting { return &k.IPsecOffloadV1IPv4 }),
	"*LsoV2IPv4":              lsoKeyword(func(k *Keywords) *bool { return &k.LSOV2IPv4 }),
	"*LsoV2IPv6":              lsoKeyword(func(k *Keywords) *bool { return &k.LSOV2IPv6 }),
	"*TCPChecksumOffloadIPv4": checksumKeyword(func(k *Keywords) *ChecksumSetting { return &k.TCPChecksumOffloadIPv4 }),
	"*TCPChecksumOffloadIPv6": checksumKeyword(func(k *Keywords) *ChecksumSetting { return &k.TCPChecksumOffloadIPv6 }),
	"*UDPChecksumOffloadIPv4": checksumKeyword(func(k *Keywords) *ChecksumSetting { return &k.UDPChecksumOffloadIPv4 }),
	"*UDPChecksumOffloadIPv6": checksumKeyword(func(k *Keywords) *ChecksumSetting { return &k.UDPChecksumOffloadIPv6 }),
	"*IPChecksumOffloadIPv4":  checksumKeyword(func(k *Keywords) *ChecksumSetting { return &k.IPChecksumOffloadIPv4 }),
}

// KeywordNames returns the names that ParseKeywords knows, sorted.
func KeywordNames() []string { return slices.Sorted(maps.Keys(keywords)) }

// ParseKeywords reads keywords as a registry or a section of a configuration
// file has them: names as NDIS spells them, with the asterisk, in any case
// (configuration readers fold it); values are decimal numbers. Absent ones keep
// their default. An unknown name or value is an error that names the nearest
// keyword or the values allowed.
func ParseKeywords(values map[string]string) (Keywords, error) {
	k := DefaultKeywords()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		known := nearest(name)
		word := keywords[known]
		if !strings.EqualFold(known, name) {
			return k, &RefusedError{Op: "keywords", Field: "keyword", Asked: strconv.Quote(name),
				Allowed: fmt.Sprintf("the standardized keywords, of which %s is nearest", known), Status: StatusInvalidData}
		}
		v, err := strconv.ParseUint(strings.TrimSpace(values[name]), 10, 8)
		if err != nil || v > uint64(word.max) {
			return k, &RefusedError{Op: "keywords", Field: known, Asked: strconv.Quote(values[name]),
				Allowed: fmt.Sprintf("0 to %d", word.max), Status: StatusInvalidData}
		}
		word.set(&k, uint8(v))
	}
	return k, nil
}

// nearest is the known keyword that needs the fewest changes to become name.
func nearest(name string) string {
	best, least := "", len(name)+100
	for _, known := range KeywordNames() {
		if d := distance(strings.ToLower(known), strings.ToLower(name)); d < least {
			best, least = known, d
		}
	}
	return best
}

// distance counts the insertions, deletions and substitutions between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
