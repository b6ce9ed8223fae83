// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// shrunk is a device that has less than the one below.
type shrunk struct {
	device
	change func(*driver.Capabilities)
}

func (d *shrunk) Capabilities() driver.Capabilities {
	c := d.device.Capabilities()
	d.change(&c)
	return c
}

// shrunkBench is a bench whose hardware is changed.
func shrunkBench(t *testing.T, slots int, change func(*driver.Capabilities)) *bench {
	t.Helper()
	b := newBenchOn(t, Options{}, nic.Options{Slots: slots})
	a, err := newAdapter(b.ctx, &shrunk{b.nic, change}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b.Adapter = a
	return b
}

// TestMux is MUX-1: common capabilities, fail-over with both indications in
// order, and no handle of one NIC accepted by another.
func TestMux(t *testing.T) {
	first := newBench(t, Options{})
	second := shrunkBench(t, 4, func(c *driver.Capabilities) { c.Encryption, c.ESN = 0x08, false })
	third := shrunkBench(t, 16, func(c *driver.Capabilities) { c.ESP = false })
	m, err := NewMux(ActiveStandby, first.Adapter, second.Adapter)
	if err != nil {
		t.Fatal(err)
	}
	ctx := first.ctx
	common := m.HardwareCapabilities().IPsecV2
	if common.EncryptionAlgorithms != EncryptionAESGCM128 || common.ExtendedSequenceNumbers || common.SAOffloadCapacity != 4 {
		t.Errorf("common record %+v", common)
	}
	var got []Indication
	defer m.Subscribe(func(i Indication) { got = append(got, i) })()
	if err := m.SetEncapsulation(ctx, EthernetOn); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Status != StatusTaskOffloadCurrentConfig || got[0].Offload.IPsecV2 != common {
		t.Fatalf("indications %+v", got)
	}
	// What only the active one has is refused, one over the smaller capacity too.
	refusedAs(t, m.AddSA(ctx, esn(gcm(9, 0), 1)), StatusNotSupported, "SecAssoc[0].Flags")
	var handles []OffloadHandle
	for i := range 4 {
		e := gcm(uint32(i+1), 0)
		if err := m.AddSA(ctx, e); err != nil {
			t.Fatal(err)
		}
		handles = append(handles, e.OffloadHandle)
	}
	refusedAs(t, m.AddSA(ctx, gcm(9, 0)), StatusResources, "SA")
	old := handles[0]

	if err := m.FailOver(); err != nil || m.Active() != 1 {
		t.Fatalf("fail-over: %v, active %d", err, m.Active())
	}
	if len(got) != 3 || got[1].Status != StatusTaskOffloadHardwareCapabilities || got[2].Status != StatusTaskOffloadCurrentConfig ||
		got[1].Offload != second.HardwareCapabilities() || got[2].Offload != second.CurrentConfiguration() {
		t.Fatalf("indications after fail-over: %+v", got[1:])
	}
	s := second.sendOf(t, old, framed(t, 1, 1, false, "x"))
	_, _, err = m.PrepareSend(s)
	refusedAs(t, err, StatusFailure, "slot 1")
	refusedAs(t, m.UpdateSA(ctx, UpdateSA{old, OperationESP, 1, 1}), StatusInvalidParameter, "OffloadHandle")
	refusedAs(t, second.DeleteSA(ctx, old), StatusInvalidParameter, "OffloadHandle")
	renewed := gcm(1, 0)
	if err := m.AddSA(ctx, renewed); err != nil {
		t.Fatal(err)
	}
	s.Info[SlotIPsec] = uint64(renewed.OffloadHandle)
	if p, member, err := m.PrepareSend(s); err != nil || member != 1 || p.SA == 0 {
		t.Errorf("send on the new member: member %d, SA %v, %v", member, p.SA, err)
	}
	second.put(t, s)
	// The host deletes the old SAs when they expire.
	if err := m.DeleteSA(ctx, append(handles, renewed.OffloadHandle)...); err != nil {
		t.Error(err)
	}
	refusedAs(t, m.DeleteSA(ctx, 5), StatusInvalidParameter, "OffloadHandle")
	if len(first.ListSAs())+len(second.ListSAs()) != 0 {
		t.Error("SAs are left")
	}

	// The first comes back configured as the second.
	if err := m.SetParameters(ctx, Parameters{IPsecV2: 1}); err != nil {
		t.Fatal(err)
	}
	if err := m.Rejoin(ctx, 0); err != nil || first.CurrentConfiguration() != (Offload{}) || m.HardwareCapabilities().IPsecV2 != common {
		t.Errorf("rejoin: %v, member %+v", err, first.CurrentConfiguration())
	}
	refusedAs(t, m.Rejoin(ctx, 0), StatusInvalidParameter, "member")

	// Load balance: nothing is offered, nothing that names an SA is sent.
	if err := m.SetParameters(ctx, Parameters{IPsecV2: 3}); err != nil {
		t.Fatal(err)
	}
	n := len(got)
	if err := m.SetMode(LoadBalance); err != nil || len(got) != n+2 || got[n].Offload != (Offload{}) || got[n+1].Offload != (Offload{}) {
		t.Errorf("load balance: %v, indications %+v", err, got[n:])
	}
	refusedAs(t, m.AddSA(ctx, gcm(1, 0)), StatusNotSupported, "team")
	s = first.sendOf(t, old, framed(t, 1, 1, false, "x"))
	_, _, err = m.PrepareSend(s)
	refusedAs(t, err, StatusFailure, "slot 1")
	s.Info = NetBufferListInfo{}
	if _, member, err := m.PrepareSend(s); err != nil || member != -1 {
		t.Errorf("plain packet under load balance: member %d, %v", member, err)
	}
	first.put(t, s)

	// A member without offload: the team has none.
	none, err := NewMux(ActiveStandby, first.Adapter, third.Adapter)
	if err != nil || none.HardwareCapabilities() != (Offload{}) {
		t.Errorf("with a member that has no IPsec: %+v, %v", none.HardwareCapabilities(), err)
	}
	_, err = NewMux(ActiveStandby, first.Adapter)
	refusedAs(t, err, StatusInvalidParameter, "members")
	_, err = NewMux(ActiveStandby, first.Adapter, first.Adapter)
	refusedAs(t, err, StatusInvalidParameter, "member 1")
}

// TestMuxCapacity: goroutines that add at once get no more SAs than the smaller
// member has room for.
func TestMuxCapacity(t *testing.T) {
	first, second := newBenchOn(t, Options{}, nic.Options{Slots: 64}), newBenchOn(t, Options{}, nic.Options{Slots: 10})
	m, err := NewMux(ActiveStandby, first.Adapter, second.Adapter)
	if err != nil {
		t.Fatal(err)
	}
	var added atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			list := []*AddSA{gcm(uint32(2*g+1), 0), gcm(uint32(2*g+2), 0)}
			err := m.AddSA(first.ctx, list...)
			for _, e := range list {
				if e.OffloadHandle != 0 {
					added.Add(1)
				} else if StatusOf(e.Refused) != StatusResources {
					t.Error(e.Refused)
				}
			}
			if err != nil && StatusOf(err) != StatusResources {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if added.Load() > 10 {
		t.Errorf("%d SAs were added, the team has room for 10", added.Load())
	}
	// What was set aside is free again.
	for n := added.Load(); n < 10; n++ {
		if err := m.AddSA(first.ctx, gcm(uint32(100+n), 0)); err != nil {
			t.Error(err)
		}
	}
	refusedAs(t, m.AddSA(first.ctx, gcm(99, 0)), StatusResources, "SA")

	// Nor does one that comes while the last are being added.
	held := first.ListSAs()
	if err := m.DeleteSA(first.ctx, held[0].Handle, held[1].Handle); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	first.nic = &hookedDevice{device: first.nic, afterAdd: func() {
		once.Do(func() { refusedAs(t, m.AddSA(first.ctx, gcm(202, 0)), StatusResources, "SA") })
	}}
	if err := m.AddSA(first.ctx, gcm(200, 0), gcm(201, 0)); err != nil {
		t.Error(err)
	}
}

// TestCopyInfo is MUX-2: exactly the slots that NDIS documents are copied.
func TestCopyInfo(t *testing.T) {
	var src NetBufferListInfo
	for i := range src {
		src[i] = uint64(i + 1)
	}
	for _, c := range []struct {
		name string
		copy func(dst, src *NetBufferListInfo)
		want map[int]bool
	}{
		{"send", CopySendInfo, map[int]bool{0: true, 1: true, 2: true, 4: true, 5: true, 6: true, 7: true, 11: true, 12: true, 14: true, 20: true}},
		{"receive", CopyReceiveInfo, map[int]bool{0: true, 1: true, 2: true, 4: true, 6: true, 7: true, 8: true, 9: true, 11: true, 12: true, 14: true, 20: true}},
	} {
		var dst NetBufferListInfo
		for i := range dst {
			dst[i] = 1000
		}
		c.copy(&dst, &src)
		for i := range dst {
			if copied := dst[i] == src[i]; copied != c.want[i] {
				t.Errorf("%s: slot %d copied: %v", c.name, i, copied)
			}
		}
	}
}

// TestWords: the packed words have their fields where IPsecOV2 says.
func TestWords(t *testing.T) {
	h := SendHeader{NextHeader: 6, PadLength: 3, AHOffset: 5, ESPOffset: 10}
	if h.Word() != 0x0A050306 || SendHeaderOf(0x0A050306) != h {
		t.Errorf("header word %#08x, back %+v", h.Word(), SendHeaderOf(0x0A050306))
	}
	if got := ReceiveResultOf(0x00050007); got != (ReceiveResult{true, true, true, 5}) {
		t.Errorf("receive word %+v", got)
	}
}
