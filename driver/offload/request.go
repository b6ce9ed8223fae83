// SPDX-License-Identifier: Apache-2.0

package offload

import "context"

// Request carries out a set request as a host has sent it: buf holds the
// structures, base is the address of its first byte, to which the Next fields
// refer. ADD_SA and ADD_SA_EX write the handles into buf, null for an SA that
// was not offloaded; nothing else in buf is changed. The status is that of the
// error, which says more. Requests that version 2 does not have, and queries,
// which NDIS answers itself, are NOT_SUPPORTED.
func (a *Adapter) Request(ctx context.Context, oid OID, buf []byte, base uint64) (Status, error) {
	err := a.request(ctx, oid, buf, base)
	return StatusOf(err), err
}

func (a *Adapter) request(ctx context.Context, oid OID, buf []byte, base uint64) error {
	order := spiOrder(a.opts.SPINetworkOrder)
	switch oid {
	case OIDTCPOffloadParameters:
		p, err := DecodeParameters(buf)
		if err != nil {
			return err
		}
		return a.SetParameters(ctx, p)
	case OIDOffloadEncapsulation:
		s, err := DecodeEncapsulation(buf)
		if err != nil {
			return err
		}
		return a.SetEncapsulation(ctx, s)
	case OIDAddSA:
		entries, at, err := decodeAddSA(buf, base, order)
		for _, pos := range at {
			little.PutUint64(buf[pos+addHandleAt:], 0)
		}
		if err != nil {
			return err
		}
		defer zeroKeys(entries...)
		err = a.AddSA(ctx, entries...)
		for i, pos := range at {
			little.PutUint64(buf[pos+addHandleAt:], uint64(entries[i].OffloadHandle))
		}
		return err
	case OIDAddSAEx:
		if len(buf) >= exHandleAt+8 {
			little.PutUint64(buf[exHandleAt:], 0)
		}
		e, err := decodeAddSAEx(buf, order)
		if err != nil {
			return err
		}
		defer zeroKeys(&e.AddSA)
		err = a.AddSAEx(ctx, e)
		little.PutUint64(buf[exHandleAt:], uint64(e.OffloadHandle))
		return err
	case OIDUpdateSA:
		u, err := decodeUpdateSA(buf, order)
		if err != nil {
			return err
		}
		return a.UpdateSA(ctx, u)
	case OIDDeleteSA:
		handles, err := DecodeDeleteSA(buf, base)
		if err != nil {
			return err
		}
		return a.DeleteSA(ctx, handles...)
	}
	return withOp("request", refuse(StatusNotSupported, "OID", oid, "the set requests of IPsecOV2"))
}
