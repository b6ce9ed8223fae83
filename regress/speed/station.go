// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/hwmodel/esp"
	rtlbridge "github.com/espalier-nic/espalier/rtl-bridge"
)

// simSeed is the seed of all simulators here. The bus models of the benchmark
// make no random choice.
const simSeed = 1

// ringEntries of every ring: all packets of a measurement are posted before it
// begins, so that the host is never what is waited for.
const ringEntries = 8192

// busOptions are the simulator's options for a host memory that answers every
// access after latency cycles and never pauses.
func busOptions(latency uint64) rtlbridge.Options {
	return rtlbridge.Options{
		"mem_read_latency_min": latency, "mem_read_latency_max": latency,
		"mem_write_latency_min": latency, "mem_write_latency_max": latency,
	}
}

// station is one simulated NIC with its driver and SAs.
type station struct {
	fn       *rtlbridge.Function
	firmware []byte
	nic      *driver.NIC
	tx       []*driver.TXQueue
	rx       []*driver.RXQueue
	out, in  []*association
	bySPI    map[uint32]*association
	rng      *rand.Rand
	scratch  []byte
	// churn, if not nil, adds and deletes SAs while packets move.
	churn *churn
	// received is the memory of all receive buffers.
	received *pcie.Memory
}

// stationConfig says what to open.
type stationConfig struct {
	latency           uint64 // of host memory, cycles
	quantum           uint64 // cycles between two looks at the NIC
	queues            int    // pairs to use
	outbound, inbound int    // SAs
	batch, timer      int    // completions per write, cycles to wait for them; 0 for the driver's choice
}

// openStation opens a NIC and installs its SAs. Keys are of all lengths; the SAs
// of the receiving side are spread over all queues.
func openStation(ctx context.Context, sim Target, c stationConfig) (_ *station, err error) {
	fn, err := sim.open(c.latency, c.quantum)
	if err != nil {
		return nil, err
	}
	s := newStation(fn, sim.Firmware)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	return s, s.init(ctx, fn, c)
}

func newStation(fn *rtlbridge.Function, firmware []byte) *station {
	return &station{fn: fn, firmware: firmware, bySPI: make(map[uint32]*association), rng: rand.New(rand.NewPCG(1, 0)), scratch: make([]byte, 1<<14)}
}

// init opens the driver on fn, which is s.fn or a wrapper of it.
func (s *station) init(ctx context.Context, fn pcie.Function, c stationConfig) (err error) {
	s.nic, err = driver.Open(ctx, fn, driver.Options{
		TXQueues: c.queues, RXQueues: c.queues, TXRing: ringEntries, RXRing: ringEntries, CompletionBatch: c.batch, CompletionTimer: c.timer, Polling: true, Firmware: s.firmware,
	})
	if err != nil {
		return err
	}
	for q := range c.queues {
		tx, txErr := s.nic.TX(q)
		rx, rxErr := s.nic.RX(q)
		if err := errors.Join(txErr, rxErr); err != nil {
			return err
		}
		s.tx, s.rx = append(s.tx, tx), append(s.rx, rx)
	}
	for i := range c.outbound + c.inbound {
		inbound := i >= c.outbound
		a, err := newAssociation(s.rng, i, inbound, 32-8*(i%3), i%c.queues)
		if err != nil {
			return err
		}
		if err := s.add(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// add installs an SA.
func (s *station) add(ctx context.Context, a *association) (err error) {
	if a.handle, err = s.nic.AddSA(ctx, a.spec); err != nil {
		return err
	}
	s.bySPI[a.spec.SPI] = a
	if a.spec.Inbound {
		s.in = append(s.in, a)
	} else {
		s.out = append(s.out, a)
	}
	return nil
}

func (s *station) close() error {
	var err error
	if s.nic != nil {
		err = s.nic.Close()
	}
	return errors.Join(err, s.fn.Close())
}

// pick returns one of the SAs at random.
func (s *station) pick(from []*association) *association { return from[s.rng.IntN(len(from))] }

// pickInbound returns one of the inbound SAs of a queue at random, or any if
// none has that queue.
func (s *station) pickInbound(queue int) *association {
	// SA i of those has queue (first + i) modulo the number of queues.
	queues := len(s.rx)
	offset := (queue - s.in[0].spec.RXQueue + queues) % queues
	if offset >= len(s.in) {
		return s.pick(s.in)
	}
	return s.in[offset+queues*s.rng.IntN((len(s.in)-offset+queues-1)/queues)]
}

// receiveSize holds the longest frame.
const receiveSize = 1 << 14

// postReceive gives the NIC buffers until count are posted on every queue. All
// lie in the same memory: nobody reads what is received.
func (s *station) postReceive(fn pcie.Function, count int) (err error) {
	if s.received == nil {
		if s.received, err = fn.AllocDMA(receiveSize); err != nil {
			return err
		}
	}
	buffers := make([]*driver.Buffer, count)
	for _, q := range s.rx {
		need := max(0, count-q.Outstanding())
		for i := range need {
			buffers[i] = driver.NewBuffer(s.received.Bytes[:receiveSize], s.received.IOVA)
		}
		if n, err := q.Post(buffers[:need]); n != need || err != nil {
			return because(err, "%d of %d buffers posted on %v", n, need, q)
		}
	}
	return nil
}

// prepareSend writes count frames of the mix, each under an SA chosen at
// random, one behind the other on 64-byte boundaries, and returns them by queue.
func (s *station) prepareSend(fn pcie.Function, mix Mix, count int) ([][]driver.TXPacket, *pcie.Memory, error) {
	if count == 0 {
		return nil, nil, nil
	}
	stride := (mix.longest() + 63) &^ 63
	memory, err := fn.AllocDMA(count * stride)
	if err != nil {
		return nil, nil, err
	}
	packets := make([][]driver.TXPacket, len(s.tx))
	for i := range count {
		a := s.pick(s.out)
		at := memory.Bytes[i*stride : (i+1)*stride : (i+1)*stride]
		n := a.write(at, mix.sizes[i%len(mix.sizes)])
		q := i % len(s.tx)
		packets[q] = append(packets[q], driver.TXPacket{
			Buffer: driver.NewBuffer(at, memory.IOVA+uint64(i*stride)), Length: n, SA: a.handle, ESPOffset: espOffset,
		})
	}
	return packets, memory, nil
}

// send posts the packets.
func (s *station) send(packets [][]driver.TXPacket) error {
	for q, list := range packets {
		if n, err := s.tx[q].Post(list); n != len(list) {
			return because(err, "%d of %d packets posted on %v", n, len(list), s.tx[q])
		}
	}
	return nil
}

// inject queues count frames of the mix on the wire toward the NIC, each under an
// SA chosen at random among those of the next queue in turn: a random choice of
// the queue would add the noise of filling batches of completions unevenly.
func (s *station) inject(mix Mix, count int) error {
	for i := range count {
		a := s.pickInbound(i % len(s.rx))
		f := s.scratch[:a.write(s.scratch, mix.sizes[i%len(mix.sizes)])]
		if err := a.model.SealInPlace(f, espOffset, 0); err != nil {
			return err
		}
		if err := s.fn.Port().Send(f, false); err != nil {
			return err
		}
	}
	return nil
}

// checkSent says what is wrong with a frame that the NIC sent.
func (s *station) checkSent(frame []byte) error {
	if len(frame) < espOffset+esp.HeaderLen {
		return fmt.Errorf("the NIC sent a frame of %d bytes", len(frame))
	}
	a := s.bySPI[esp.SPI(frame[espOffset:])]
	if a == nil {
		return fmt.Errorf("the NIC sent a frame with SPI %#08x, which no SA has", esp.SPI(frame[espOffset:]))
	}
	_, v := esp.Open(s.scratch[:0], frame, func(*esp.Selector) *esp.SA { return a.model })
	if v.Class != esp.Decrypted {
		return fmt.Errorf("the NIC sent a frame that the golden model finds to be %v", v.Class)
	}
	return nil
}

// because makes an error of what went wrong and of its cause, which may be nil.
func because(cause error, format string, args ...any) error {
	if cause == nil {
		return fmt.Errorf(format, args...)
	}
	return fmt.Errorf(format+": %w", append(args, cause)...)
}
