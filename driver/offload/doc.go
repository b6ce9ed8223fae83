// SPDX-License-Identifier: Apache-2.0

// Package offload is IPsec Offload Version 2 (IPsecOV2, the contract of NDIS
// 6.1 to 6.30) over a driver.NIC: what a NIC can do (Capabilities), how it is
// switched on (Keywords, Parameters, EncapsulationSetting), the requests for
// security associations (AddSA, AddSAEx, UpdateSA, DeleteSA) and the words that
// travel with a packet (NetBufferListInfo). Every request exists as a Go type
// and as the exact structure of a 64-bit host, see Adapter.Request.
//
// # Order of things
//
// New reads the keywords and reports what the hardware can do and what is on
// by default. IPsec is inactive until Adapter.SetEncapsulation, the set of
// OID_OFFLOAD_ENCAPSULATION; SAs may be added before.
//
// # Refusals
//
// A request that is refused returns a *RefusedError: which field, what was
// asked, what is allowed, and the NDIS status code. StatusOf gives the code of
// any error. No error holds key material.
//
// # What is Microsoft's and what is ours
//
// Where the documents of IPsecOV2 are silent, the doc comment of the field says
// so with [G] (a gap: the decision is this project's) or [I] (inferred), and
// names the row of the conformance table where there is one. Where another
// reading is possible, Options has a knob.
//
// # Concurrency
//
// All methods may be called from several goroutines at once. Requests do not
// wait for one another, except two for the same SA.
package offload
