// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/offload"
)

// team is two NICs under test as the members of one team.
type team struct {
	*offload.Mux
	members     [2]*card
	indications []offload.Indication
}

// assemble makes a team whose members all send through it.
func (b *Bench) assemble(ctx context.Context) (*team, error) {
	t := &team{}
	for i := range t.members {
		c, err := b.insert(ctx, offload.Options{})
		if err != nil {
			return nil, err
		}
		t.members[i] = c
	}
	var err error
	if t.Mux, err = offload.NewMux(offload.ActiveStandby, t.members[0].a, t.members[1].a); err != nil {
		return nil, err
	}
	for i, c := range t.members {
		adapters := c.prepare
		c.prepare = func(buffer *driver.Buffer, f *outgoing) (driver.TXPacket, error) {
			if _, err := adapters(buffer, f); err != nil {
				return driver.TXPacket{}, err
			}
			send := offload.Send{Buffer: buffer, Length: len(f.frame), Info: f.words()}
			packet, member, err := t.PrepareSend(&send)
			if err == nil && member != i {
				err = fmt.Errorf("the team sends through member %d, right is %d", member, i)
			}
			return packet, err
		}
	}
	t.Subscribe(func(i offload.Indication) { t.indications = append(t.indications, i) })
	return t, t.SetEncapsulation(ctx, offload.EthernetOn)
}

// add offloads a flow's SA through the team.
func (t *team) add(ctx context.Context, f flow) (*traffic, error) {
	e := f.entry()
	if err := t.AddSA(ctx, e); err != nil {
		return nil, err
	}
	return f.accepted(e)
}

// failOver has the active member lose IPsec and leave the team.
func failOver(ctx context.Context, b *Bench) error {
	t, err := b.assemble(ctx)
	if err != nil {
		return err
	}
	if common := t.CurrentConfiguration().IPsecV2; !common.ESP || !common.SubsetOf(t.members[0].a.CurrentConfiguration().IPsecV2) {
		return errors.New("the team does not offer what its members have in common")
	}
	out, err := t.add(ctx, esnFlow(spiOut, false, false, 1))
	if err != nil {
		return err
	}
	in, err := t.add(ctx, newFlow(spiIn, true, false, 16))
	if err != nil {
		return err
	}
	if err := t.members[0].works(ctx, out, in); err != nil {
		return err
	}
	t.indications = nil
	if err := t.FailOver(); err != nil {
		return err
	}
	if err := t.indicated(); err != nil {
		return fmt.Errorf("fail-over: %w", err)
	}
	next := t.members[1]
	if err := t.foreign(ctx, out); err != nil {
		return err
	}
	// Until the host adds the SAs anew, the second member knows nothing of them.
	if err := next.idle(ctx, in); err != nil {
		return err
	}
	sends, err := t.add(ctx, esnFlow(spiOut, false, false, 1))
	if err != nil {
		return fmt.Errorf("ADD after fail-over: %w", err)
	}
	again, err := t.add(ctx, newFlow(spiIn, true, false, 16))
	if err != nil {
		return fmt.Errorf("ADD after fail-over: %w", err)
	}
	if sends.handle != out.handle || sends.offload == out.offload {
		return fmt.Errorf("SAs in the same place of two NICs have the handles %v and %v", out.offload, sends.offload)
	}
	// Nor now that the second has an SA in the same place.
	if err := t.foreign(ctx, out); err != nil {
		return err
	}
	if err := next.works(ctx, again, sends); err != nil {
		return err
	}
	// The host deletes the old ones when they expire.
	if err := t.DeleteSA(ctx, out.offload, in.offload); err != nil {
		return fmt.Errorf("DELETE of SAs of the first member: %w", err)
	}
	if err := errors.Join(t.members[0].holds(0), next.holds(2)); err != nil {
		return err
	}
	return t.withoutIPsec(ctx)
}

// foreign checks that nothing of the first member's is accepted for the second.
func (t *team) foreign(ctx context.Context, out *traffic) error {
	next := t.members[1]
	if err := next.refusesSend(ctx, out); err != nil {
		return fmt.Errorf("after fail-over: %w", err)
	}
	u := offload.UpdateSA{OffloadHandle: out.offload, Operation: offload.OperationESP, SPI: out.spi, SequenceNumberHighOrder: 2}
	for what, err := range map[string]error{"team": t.UpdateSA(ctx, u), "second member": next.a.UpdateSA(ctx, u)} {
		if err := refused(err, offload.StatusInvalidParameter, "OffloadHandle"); err != nil {
			return fmt.Errorf("UPDATE of an SA of the first member, to the %s: %w", what, err)
		}
	}
	if err := refused(next.a.DeleteSA(ctx, out.offload), offload.StatusInvalidParameter, "OffloadHandle"); err != nil {
		return fmt.Errorf("DELETE of an SA of the first member, to the second: %w", err)
	}
	return nil
}

// indicated checks that the hardware's capabilities and then the configuration
// were indicated since the last time, as they are now.
func (t *team) indicated() error {
	all := t.indications
	t.indications = nil
	switch {
	case len(all) != 2:
		return fmt.Errorf("%d indications, right are 2", len(all))
	case all[0].Status != offload.StatusTaskOffloadHardwareCapabilities || all[1].Status != offload.StatusTaskOffloadCurrentConfig:
		return fmt.Errorf("indicated were %v, then %v", all[0].Status, all[1].Status)
	case all[0].Offload != t.HardwareCapabilities() || all[1].Offload != t.CurrentConfiguration():
		return errors.New("something else was indicated than holds")
	}
	return nil
}

// withoutIPsec switches IPsec off in the only member that is left, as if it had
// none: the team then offers nothing.
func (t *team) withoutIPsec(ctx context.Context) error {
	if err := t.SetParameters(ctx, offload.Parameters{IPsecV2: 1}); err != nil {
		return err
	}
	if t.CurrentConfiguration().IPsecV2 != (offload.Capabilities{}) {
		return errors.New("the team offers IPsec although its only member has it off")
	}
	f := newFlow(0x900, true, false, 16)
	if err := t.AddSA(ctx, f.entry()); err == nil {
		return errors.New("an SA was added to a team without IPsec")
	}
	return nil
}
