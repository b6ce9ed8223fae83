// SPDX-License-Identifier: Apache-2.0

package conformance

// checks are all checks by the names that ipsecov2.yaml uses. Each is used there.
var checks = map[string]Check{
	"unstated-shapes-untouched": unstatedShapesUntouched,
	"no-software-crypto":        noSoftwareCrypto,

	"send-transport":      sendTransport,
	"published-vectors":   publishedVectors,
	"send-algorithms":     sendAlgorithms,
	"send-unprotected":    sendUnprotected,
	"send-list":           sendList,
	"send-unknown-handle": sendUnknownHandle,
	"send-offsets":        sendOffsets,
	"send-order":          sendOrder,
	"send-sequence":       sendSequence,
	"send-unique-iv":      sendUniqueIV,
	"send-fail-closed":    sendFailClosed,

	"receive-good":          receiveGood,
	"receive-bit-flips":     receiveBitFlips,
	"receive-no-sa":         receiveNoSA,
	"receive-syntax":        receiveSyntax,
	"receive-fragments":     receiveFragments,
	"receive-all":           receiveAll,
	"receive-corrupted":     receiveCorrupted,
	"receive-replayed":      receiveReplayed,
	"receive-reserved-bits": receiveReservedBits,
	"receive-hygiene":       receiveHygiene,

	"tunnel":            tunnel,
	"single-layer":      singleLayer,
	"nested-outer-only": nestedOuterOnly,
	"esn-authenticated": esnAuthenticated,
	"esn-wrap":          esnWrap,
	"ip-parity":         ipParity,
	"never-coalesced":   neverCoalesced,
	"options-untouched": optionsUntouched,
	"vlan-untouched":    vlanUntouched,
	"udp-untouched":     udpUntouched,
	"ah-untouched":      ahUntouched,
}
