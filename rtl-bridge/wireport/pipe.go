// SPDX-License-Identifier: Apache-2.0

package wireport

// pipeRoom is the bytes that each direction of a Pipe holds.
const pipeRoom = 1 << 20

// Pipe returns the two ends of a wire within this program. Each direction holds
// a megabyte of frames. Closing one end closes both.
func Pipe(name string) (Port, Port) {
	ab, ba := newFrameQueue(pipeRoom), newFrameQueue(pipeRoom)
	a := &pipeEnd{name: name + " A", out: ab, in: ba}
	b := &pipeEnd{name: name + " B", out: ba, in: ab}
	a.connection.Store(1)
	b.connection.Store(1)
	return a, b
}

type pipeEnd struct {
	counters
	name    string
	out, in *frameQueue
}

// Send implements Port.
func (p *pipeEnd) Send(frame []byte) error {
	if err := checkFrame(p, frame); err != nil {
		return err
	}
	switch put, open := p.out.put(frame); {
	case !open:
		return closed(p)
	case put:
		p.countSent(len(frame))
	default:
		p.sendDropped.Add(1)
	}
	return nil
}

// Receive implements Port.
func (p *pipeEnd) Receive(frames [][]byte, sizes []int) (int, error) {
	return p.in.receive(p, &p.counters, frames, sizes)
}

// Counters implements Port.
func (p *pipeEnd) Counters() Counters { return p.read() }

// Close implements Port.
func (p *pipeEnd) Close() error {
	p.out.close()
	p.in.close()
	return nil
}

// String implements Port.
func (p *pipeEnd) String() string { return p.name }
