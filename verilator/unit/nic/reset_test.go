// SPDX-License-Identifier: Apache-2.0

package nic

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand"
	"testing"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// TestReset resets the NIC in the middle of traffic in both directions, at
// random moments, on kind and unkind buses.
func TestReset(t *testing.T) {
	kinds := map[string]rtlbridge.Options{
		"kind": nil, "stressed": stressed(),
		// Descriptors come late: receive waits for them when the reset comes.
		"slow memory": {"mem_read_latency_min": 3000, "mem_read_latency_max": 3000},
		"slow MAC":    {"mac_tx_stall_percent": 90},
	}
	for name, options := range kinds {
		for seed := int64(1); seed <= 6; seed++ {
			for _, loopback := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, seed %d, loopback %v", name, seed, loopback), func(t *testing.T) {
					resetInTraffic(t, maps.Clone(options), seed, loopback)
				})
			}
		}
	}
}

func resetInTraffic(t *testing.T, options rtlbridge.Options, seed int64, loopback bool) {
	rng := rand.New(rand.NewSource(seed))
	r := newRig(t, options, uint64(seed))
	out := randomSA(rng, false)
	in := *out
	in.inbound = true
	r.addSA(3, out)
	r.addSA(4, &in)
	firstHandle := out.handle

	var memory []*pcie.Memory
	buffers := r.alloc(1 << 20)
	var txq, rxq []*queue
	for q := 0; q < 2; q++ {
		txq = append(txq, r.startQueue(regs.TxqOffset(q), 7, q, 4, 64))
		rxq = append(rxq, r.startQueue(regs.RxqOffset(q), 7, q, 4, 64))
		memory = append(memory, txq[q].ring, txq[q].cpl, rxq[q].ring, rxq[q].cpl)
	}
	memory = append(memory, buffers)
	ctrl := uint32(ctrlRun)
	if loopback {
		ctrl |= ctrlLoopback
	}
	r.write(regs.CtrlOffset, ctrl)
	for q := range rxq {
		for i := 0; i < 127; i++ {
			rxq[q].give(buffers.IOVA+512<<10+uint64(q*127+i)*2048, 2048)
		}
		rxq[q].doorbell()
	}
	var wire [2][][]byte // what each queue sends
	for i := 0; i < 200; i++ {
		plain := make([]byte, 4*(3+rng.Intn(300)))
		rng.Read(plain)
		plain[len(plain)-2] = 0
		f := out.frame(plain, uint32(i+1))
		at := uint64(i) * 2048
		copy(buffers.Bytes[at:], f)
		txq[i%2].send(buffers.IOVA+at, len(f), out, out.esnHi, true)
		out.seal(f, out.esnHi)
		wire[i%2] = append(wire[i%2], f)
		if !loopback {
			if err := r.sim.MACSend(f, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	txq[0].doorbell()
	txq[1].doorbell()
	r.advance(uint64(rng.Intn(6000)))

	r.write(regs.CtrlOffset, ctrl|1)
	if !regs.Ctrl(r.read(regs.CtrlOffset)).Reset() || !regs.Status(r.read(regs.StatusOffset)).ResetBusy() {
		t.Error("CTRL.RESET or STATUS.RESET_BUSY does not read 1 during the reset")
	}
	for i := 0; regs.Ctrl(r.read(regs.CtrlOffset)).Reset(); i++ {
		if i == 2000 {
			t.Fatalf("the reset does not end; STATUS %#x", r.read(regs.StatusOffset))
		}
		r.advance(50)
	}

	// From here on the NIC touches no memory.
	var before [][]byte
	for _, m := range memory {
		before = append(before, bytes.Clone(m.Bytes))
	}
	if s := regs.Status(r.read(regs.StatusOffset)); !s.Ready() || !s.Zeroised() || !s.TxIdle() {
		t.Errorf("STATUS %#x after the reset", uint32(s))
	}
	for _, at := range []uint64{regs.CtrlOffset, regs.RxDefaultOffset, regs.IntCauseOffset, regs.TxqOffset(0), regs.RxqOffset(1) + regs.QueueTailOffset,
		regs.TxqOffset(1) + regs.QueueStatusOffset, regs.StatTxFramesLoOffset, regs.StatRxFramesLoOffset, regs.SASPIOffset} {
		if v := r.read(at); v != 0 {
			t.Errorf("register %#x is %#x after the reset", at, v)
		}
	}
	// What still comes from the wire is ignored, but it is there.
	for i := 0; !regs.Status(r.read(regs.StatusOffset)).RxIdle(); i++ {
		if i == 2000 {
			t.Fatalf("STATUS %#x long after the reset", r.read(regs.StatusOffset))
		}
		r.advance(50)
	}
	r.advance(5000)
	for i, m := range memory {
		if !bytes.Equal(before[i], m.Bytes) {
			t.Errorf("memory block %d changed after the reset", i)
		}
		if err := r.sim.MemRemove(m.IOVA, uint64(len(m.Bytes))); err != nil {
			t.Fatal(err)
		}
	}

	// Every frame on the wire is whole and right, and whatever was completed was sent.
	var sent [2]int
	buf := make([]byte, 16384)
	for {
		info, err := r.sim.MACRecv(buf)
		if err != nil {
			break
		}
		if loopback {
			t.Fatal("a frame on the wire in loopback")
		}
		got := buf[:info.Size]
		switch {
		case sent[0] < 100 && bytes.Equal(got, wire[0][sent[0]]):
			sent[0]++
		case sent[1] < 100 && bytes.Equal(got, wire[1][sent[1]]):
			sent[1]++
		default:
			t.Fatalf("a frame on the wire that is not next on any queue: %x", got)
		}
	}
	for q := range txq {
		done := 0
		for _, ok := txq[q].poll(); ok; _, ok = txq[q].poll() {
			done++
		}
		if !loopback && done > sent[q] {
			t.Errorf("TX queue %d: %d completions, %d frames on the wire", q, done, sent[q])
		}
		for i := 0; ; i++ {
			c, ok := rxq[q].poll()
			if !ok {
				break
			}
			at := 512<<10 + (q*127+i)*2048
			if c.Status != regs.CompletionStatusOK || !c.CryptoDone || c.CryptoStatus != regs.CryptoStatusSuccess {
				t.Errorf("RX queue %d, completion %d: %+v", q, i, c)
			}
			off := in.espOffset()
			seq := int(buffers.Bytes[at+off+6])<<8 | int(buffers.Bytes[at+off+7])
			src := (seq - 1) * 2048
			if n := int(c.Length); !bytes.Equal(buffers.Bytes[at+off+16:at+n-16], buffers.Bytes[src+off+16:src+n-16]) {
				t.Errorf("RX queue %d, completion %d does not hold its frame", q, i)
			}
		}
	}
	if faults, err := r.sim.Faults(); err != nil || len(faults) != 0 {
		t.Errorf("faults %v, %v", faults, err)
	}

	// Slots are empty, generations go on, and the NIC works again. Frames that
	// the MAC still had for it are received or missed as a whole.
	r.addSA(3, out)
	r.addSA(4, &in)
	if out.handle == firstHandle || out.handle>>16 == 0 {
		t.Errorf("handle %#x after the reset, %#x before", out.handle, firstHandle)
	}
	buffers = r.alloc(1 << 20)
	tx := r.startQueue(regs.TxqOffset(1), 5, 1, 1, 0)
	rx := r.startQueue(regs.RxqOffset(in.queue), 9, 1, 1, 0)
	for i := 0; i < 400; i++ {
		rx.give(buffers.IOVA+uint64(1+i)*2048, 2048)
	}
	rx.doorbell()
	r.write(regs.CtrlOffset, ctrl)
	plain := make([]byte, 64)
	rng.Read(plain)
	plain[62], plain[63] = 0, 4
	f := out.frame(plain, 1000)
	copy(buffers.Bytes, f)
	tx.send(buffers.IOVA, len(f), out, out.esnHi, true)
	tx.doorbell()
	if c := tx.wait(); c.Status != regs.CompletionStatusOK {
		t.Errorf("send after the reset: %+v", c)
	}
	out.seal(f, out.esnHi)
	if !loopback {
		got, _ := r.fromWire()
		if !bytes.Equal(got, f) {
			t.Errorf("sent after the reset:\n got %x\nwant %x", got, f)
		}
		r.toWire(f, false)
	}
	for i := 0; ; i++ {
		c := rx.wait()
		if !c.CryptoDone || c.CryptoStatus != regs.CryptoStatusSuccess {
			t.Fatalf("received after the reset: %+v", c)
		}
		at := (1 + i) * 2048
		off := out.espOffset()
		if int(c.Length) == len(f) && bytes.Equal(buffers.Bytes[at+off:at+off+8], f[off:off+8]) {
			if !bytes.Equal(buffers.Bytes[at+off+16:at+off+80], plain) {
				t.Errorf("received after the reset: %x", buffers.Bytes[at:at+len(f)])
			}
			break
		}
	}
	if n := r.read64(regs.StatRxDropBadLoOffset) + r.read64(regs.StatRxNoSALoOffset) + r.read64(regs.StatRxUntouchedLoOffset); n != 0 {
		t.Errorf("%d frames that nobody sent", n)
	}
	// No use of an SA is still counted from before: DELETE ends.
	for _, a := range []*sa{out, &in} {
		r.write(regs.SAHandleOffset, a.handle)
		if status := r.saCommand(regs.SAOpDelete); status.Result() != regs.SAResultOK {
			t.Errorf("DELETE after the reset: %v", status.Result())
		}
	}
}
