// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bytes"
	"context"
	"fmt"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
)

// One NIC is judged in two passes through its own loopback. In the first it has
// outbound SAs only: what it encrypts finds no inbound SA when it comes back, so
// it is handed up as it was on the wire, and is judged as the frame on the wire.
// In the second it has inbound SAs only: the very same frames are sent as they
// are, and what is handed up is judged as delivered. Both are held against the
// golden model, never against each other, so a NIC that is wrong in the same way
// both ways is found out in the first.

// unseenMAC says in a result what no loopback passes.
const unseenMAC = "the MAC and the cable: one NIC was judged in its internal loopback"

// loopedFrame is a frame that came back in the first pass.
type loopedFrame struct {
	packet   int // of the plan
	frame    []byte
	sequence uint64 // of its SA; 0 in the clear
}

// OpenLoopback opens the driver on one device, in loopback. Bed.Close closes the
// device, which is closed on an error too.
func OpenLoopback(ctx context.Context, device *Device, opts driver.Options) (_ *Bed, err error) {
	var undo cleanup
	defer undo.onError(&err)
	undo.add(device.Close)
	opts.Loopback, opts.Polling = true, true
	nic, err := driver.Open(ctx, device.Function, device.options(opts))
	if err != nil {
		return nil, err
	}
	undo.add(nic.Close)
	bed := &Bed{
		Sender: nic, Receiver: nic, Device: device.Name, Build: device.Build,
		RealTime: !device.Function.Info().Simulated, Sight: InLoopback, NotSeen: []string{unseenMAC},
		Relax: device.Function.Relax,
	}
	switch clock, ok := device.Function.(pcie.Clocked); {
	case device.Clocked && ok:
		bed.Clocked, bed.Stamp = true, clock.Cycle
	case bed.RealTime:
		bed.Stamp, bed.Build = wallStamp(nic), build(nic)
	}
	bed.closeWith(undo)
	return bed, nil
}

// comeBack judges, in the first pass, a frame that came back, and keeps it for
// the second.
func (r *run) comeBack(queue int, p *driver.RXPacket) error {
	f := WireFrame{Frame: p.Frame()}
	if r.bed.Stamp != nil {
		f.First = r.bed.Stamp()
		f.Last = f.First
	}
	packet := r.judge.wire(f.Frame)
	r.judge.delivered(queue, p) // handed up as it came, with no result words
	if packet >= 0 && len(f.Frame) > 0 {
		r.looped = append(r.looped, loopedFrame{packet, bytes.Clone(f.Frame), r.sequences[packet]})
	}
	return r.show(f)
}

// turn ends the first pass and prepares the second.
func (r *run) turn(ctx context.Context) (err error) {
	r.judge.missing()
	if r.result.Sender, err = r.bed.Sender.Statistics(); err != nil {
		return err
	}
	for i, handle := range r.handles {
		if err := r.bed.Sender.DeleteSA(ctx, handle); err != nil {
			return fmt.Errorf("%v on the sending NIC: %w", r.plan.SAs[i], err)
		}
	}
	r.pass, r.next = inOnly, 0
	counts := r.judge.counts
	r.judge = r.newJudge()
	r.judge.counts = counts
	return r.install(ctx)
}

// resend prepares the next frame that came back.
func (r *run) resend(ctx context.Context, p *driver.TXPacket, buffer *driver.Buffer, queue int) (bool, error) {
	f := r.looped[r.next]
	choice := r.plan.Choice[f.packet]
	if !r.hasRoom(choice) {
		return false, nil
	}
	if choice != noSA {
		if ok, err := r.followESN(ctx, choice, f.sequence); err != nil || !ok {
			return false, err
		}
	}
	*p = driver.TXPacket{Buffer: buffer, Cookie: uint64(f.packet), Length: copy(buffer.Bytes(), f.frame)}
	r.judge.resending(f.packet, queue, f.frame)
	r.next++
	return true, nil
}
