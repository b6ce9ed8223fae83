// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/offload"
	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// card is one NIC under test as a host with IPsecOV2 sees it: through an
// adapter, whose indications it collects.
type card struct {
	*host
	a *offload.Adapter

	mu          sync.Mutex
	indications []offload.Indication
	onIndicate  func(offload.Indication)
}

// insert opens the driver and an adapter on another NIC under test. Nothing is
// active yet.
func (b *Bench) insert(ctx context.Context, opts offload.Options) (*card, error) {
	return b.insertWith(ctx, opts, driver.Options{})
}

func (b *Bench) insertWith(ctx context.Context, opts offload.Options, nicOpts driver.Options) (*card, error) {
	h, err := b.open(ctx, nicOpts)
	if err != nil {
		return nil, err
	}
	a, err := offload.New(ctx, h.NIC, opts)
	if err != nil {
		return nil, err
	}
	c := &card{host: h, a: a}
	cancel := a.Subscribe(func(i offload.Indication) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.indications = append(c.indications, i)
		if c.onIndicate != nil {
			c.onIndicate(i)
		}
	})
	b.atEnd(func() error { cancel(); return nil })
	h.prepare = func(buffer *driver.Buffer, f *outgoing) (driver.TXPacket, error) {
		send := offload.Send{Buffer: buffer, Length: len(f.frame), Info: f.words()}
		return a.PrepareSend(&send)
	}
	h.words = func(p *driver.RXPacket) (uint32, uint32) {
		info := a.ReceiveInfo(p)
		return uint32(info[offload.SlotIPsec]), uint32(info[offload.SlotIPsecHeader])
	}
	return c, nil
}

// words are the out-of-band words of a frame to send.
func (f *outgoing) words() offload.NetBufferListInfo {
	info := f.info
	info[offload.SlotIPsec] = uint64(f.offload)
	if f.offload != 0 {
		// The trailer's last two bytes are in front of the ICV.
		trailer := f.frame[max(0, len(f.frame)-esp.ICVLen-esp.TrailerLen):]
		header := offload.SendHeader{PadLength: trailer[0], NextHeader: trailer[1], ESPOffset: uint8((f.espOffset - ethernetLen) / 4)}
		info[offload.SlotIPsecHeader] = uint64(header.Word())
	}
	return info
}

// insertActive is insert with the encapsulation set.
func (b *Bench) insertActive(ctx context.Context) (*card, error) {
	c, err := b.insert(ctx, offload.Options{})
	if err != nil {
		return nil, err
	}
	return c, c.a.SetEncapsulation(ctx, offload.EthernetOn)
}

// indicated takes the indications since the last call.
func (c *card) indicated() []offload.Indication {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.indications
	c.indications = nil
	return taken
}

// current takes the indications since the last call, of which there must be one,
// of CURRENT_CONFIG, with what is current.
func (c *card) current() (offload.Capabilities, error) {
	taken := c.indicated()
	now := c.a.CurrentConfiguration()
	switch {
	case len(taken) != 1:
		return now.IPsecV2, fmt.Errorf("%d indications, right is 1", len(taken))
	case taken[0].Status != offload.StatusTaskOffloadCurrentConfig:
		return now.IPsecV2, fmt.Errorf("%v was indicated, right is %v", taken[0].Status, offload.StatusTaskOffloadCurrentConfig)
	case taken[0].Offload != now:
		return now.IPsecV2, errors.New("another configuration was indicated than is current")
	}
	return now.IPsecV2, nil
}

// unchanged checks that nothing was indicated and that the record is still the
// one given.
func (c *card) unchanged(before offload.Capabilities) error {
	if n := len(c.indicated()); n != 0 {
		return fmt.Errorf("%d indications although nothing has changed", n)
	}
	if c.a.CurrentConfiguration().IPsecV2 != before {
		return errors.New("the current configuration has changed")
	}
	return nil
}

// entry is an ADD_SA entry for a flow.
func (f *flow) entry() *offload.AddSA {
	e := &offload.AddSA{NumExtHdrs: 1, Src: f.src, Dst: f.dst}
	if f.inbound {
		e.Flags |= offload.FlagInbound
	}
	if f.ipv6 {
		e.Flags |= offload.FlagIPv6
	}
	if f.tunnel {
		e.Flags |= offload.FlagTunnel
	}
	e.KeyData = append(append(driver.Key(nil), f.key...), f.salt[:]...)
	algorithm := map[int]offload.EncryptionAlgorithms{
		16: offload.EncryptionAESGCM128, 24: offload.EncryptionAESGCM192, 32: offload.EncryptionAESGCM256,
	}[len(f.key)]
	e.SecAssoc[0] = offload.SecurityAssociation{
		Operation: offload.OperationESP, SPI: f.spi,
		Encryption: offload.AlgorithmInfo{Identifier: uint32(algorithm), KeyLength: uint32(len(e.KeyData)), AdditionalInfo: 16},
	}
	if f.esn {
		e.SecAssoc[0].Flags = offload.SAExtendedSequenceNumbers
		e.SecAssoc[0].SequenceNumberHighOrder = f.hi
	}
	return e
}

// accepted makes a flow of an entry that was offloaded.
func (f flow) accepted(e *offload.AddSA) (*traffic, error) {
	if e.OffloadHandle == 0 {
		return nil, fmt.Errorf("SPI %#08x was not offloaded: %v", f.spi, e.Refused)
	}
	// The lower half of an adapter's handle is the driver's.
	t, err := f.begin(driver.Handle(uint32(e.OffloadHandle)))
	if err == nil {
		t.offload = e.OffloadHandle
	}
	return t, err
}

// add offloads the SA of one flow.
func (c *card) add(ctx context.Context, f flow) (*traffic, error) {
	e := f.entry()
	if err := c.a.AddSA(ctx, e); err != nil {
		return nil, err
	}
	return f.accepted(e)
}

// addAll offloads the SAs of many flows, listSize at a time.
func (c *card) addAll(ctx context.Context, flows []flow) ([]*traffic, error) {
	const listSize = 64
	var all []*traffic
	for start := 0; start < len(flows); start += listSize {
		list := flows[start:min(start+listSize, len(flows))]
		entries := make([]*offload.AddSA, len(list))
		for i := range list {
			entries[i] = list[i].entry()
		}
		if err := c.a.AddSA(ctx, entries...); err != nil {
			return nil, err
		}
		for i, e := range entries {
			t, err := list[i].accepted(e)
			if err != nil {
				return nil, err
			}
			all = append(all, t)
		}
	}
	return all, nil
}

// pair adds P0: an SA each way.
func (c *card) pair(ctx context.Context) (out, in *traffic, err error) {
	if out, err = c.add(ctx, newFlow(spiOut, false, false, 16)); err != nil {
		return nil, nil, err
	}
	in, err = c.add(ctx, newFlow(spiIn, true, false, 16))
	return out, in, err
}

// works shows that SAs of either direction carry traffic.
func (c *card) works(ctx context.Context, all ...*traffic) error {
	for _, t := range all {
		err := t.sends
		if t.inbound {
			err = t.carries
		}
		if err := err(ctx, c.host); err != nil {
			return fmt.Errorf("SPI %#08x: %w", t.spi, err)
		}
	}
	return nil
}

// idle shows that good packets of an inbound SA come up untouched.
func (c *card) idle(ctx context.Context, t *traffic) error {
	wire, err := t.sealed(t.plain(60, 1))
	if err != nil {
		return err
	}
	r, err := c.receiveOne(ctx, wire)
	if err != nil {
		return err
	}
	return r.untouched(wire)
}

// refusesSend shows that a send under t's handle ends with FAILURE and that
// nothing leaves.
func (c *card) refusesSend(ctx context.Context, t *traffic) error {
	out, err := t.framed(t.plain(60, 1))
	if err != nil {
		return err
	}
	return c.refuses(ctx, out, offload.StatusFailure)
}

// refuses shows that a send ends with a status and that nothing leaves.
func (c *card) refuses(ctx context.Context, out outgoing, want offload.Status) error {
	outcomes, left, err := c.send(ctx, out)
	switch {
	case err != nil:
		return err
	case outcomes[0] == nil || len(left) > 0:
		return errors.New("a packet was sent that had to be refused")
	case offload.StatusOf(outcomes[0]) != want:
		return fmt.Errorf("the send ended with %v, right is %v: %w", offload.StatusOf(outcomes[0]), want, outcomes[0])
	}
	return nil
}

// refused checks that err is a refusal with a status that names a field.
func refused(err error, want offload.Status, field string) error {
	var r *offload.RefusedError
	switch {
	case err == nil:
		return errors.New("it was carried out, and had to be refused")
	case !errors.As(err, &r):
		return fmt.Errorf("the error is no refusal: %w", err)
	case r.Status != want:
		return fmt.Errorf("refused with %v, right is %v: %w", r.Status, want, err)
	case !strings.Contains(r.Field, field) || r.Asked == "" || r.Op == "":
		return fmt.Errorf("the refusal names the field %q, asked %q in %q; right is the field %q: %w", r.Field, r.Asked, r.Op, field, err)
	}
	return nil
}

// refusesAdd shows that an entry is refused, has no handle, and leaves the table
// as it was.
func (c *card) refusesAdd(ctx context.Context, e *offload.AddSA, want offload.Status, field string) error {
	before := len(c.a.ListSAs())
	e.OffloadHandle = 0x123
	err := c.a.AddSA(ctx, e)
	if err := refused(err, want, field); err != nil {
		return err
	}
	if e.OffloadHandle != 0 {
		return fmt.Errorf("a refused entry has the handle %v", e.OffloadHandle)
	}
	return c.holds(before)
}

// holds checks how many SAs adapter and driver hold.
func (c *card) holds(want int) error {
	if a, n := len(c.a.ListSAs()), len(c.ListSAs()); a != want || n != want {
		return fmt.Errorf("the adapter lists %d SAs and the NIC holds %d, right are %d", a, n, want)
	}
	return nil
}
