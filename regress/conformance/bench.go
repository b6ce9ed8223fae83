// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/regress"
)

// Target is one kind of NIC under test.
type Target struct {
	// Name is what reports call it.
	Name string
	// Open returns a NIC in its power-up state, each call another, independent
	// one. number counts the NICs of one check.
	Open func(ctx context.Context, number int) (*regress.Port, error)
}

// Check shows one thing. It returns nil if the NIC does what is required.
type Check func(ctx context.Context, b *Bench) error

// Scale says that a check did fewer than the table asks for.
type Scale struct {
	Done  int `json:"done"`
	Whole int `json:"whole"`
}

// Bench is what a check works with: NICs under test, and how much to do.
type Bench struct {
	target Target
	full   bool
	quick  bool

	mu     sync.Mutex
	ports  []*regress.Port
	undo   []func() error
	build  string
	scales []Scale
}

// port opens another NIC under test. The bench closes it.
func (b *Bench) port(ctx context.Context) (*regress.Port, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, err := b.target.Open(ctx, len(b.ports))
	if err != nil {
		return nil, err
	}
	b.ports = append(b.ports, p)
	b.build = p.Build
	b.undo = append(b.undo, func() error { return errors.Join(trespass(p), p.Close()) })
	return p, nil
}

// trespass says whether the NIC has reached for memory that it may not.
func trespass(p *regress.Port) error {
	faults, err := p.Function.Faults()
	if err == nil && len(faults) > 0 {
		err = fmt.Errorf("the NIC reached for %d bytes at %#x, which it may not (%d such faults)", faults[0].Size, faults[0].IOVA, len(faults))
	}
	return err
}

// atEnd has f called when the check is over, before what was opened earlier is
// closed.
func (b *Bench) atEnd(f func() error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.undo = append(b.undo, f)
}

// close closes everything, last first.
func (b *Bench) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for i := len(b.undo) - 1; i >= 0; i-- {
		errs = append(errs, b.undo[i]())
	}
	b.ports, b.undo = nil, nil
	return errors.Join(errs...)
}

// count is how often to do what the table asks for whole times: model times on
// a NIC that is a model, rtl times on simulated RTL or if in a hurry, and whole
// times if everything is asked for.
func (b *Bench) count(whole, model, rtl int) int {
	n := model
	if b.quick || b.slow() {
		n = rtl
	}
	if b.full || n > whole {
		n = whole
	}
	if n < whole {
		b.mu.Lock()
		b.scales = append(b.scales, Scale{n, whole})
		b.mu.Unlock()
	}
	return n
}

// slow says that the NIC under test is simulated RTL.
func (b *Bench) slow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ports) > 0 && b.ports[0].Simulated
}

// capabilities reads what the NIC under test states.
func (b *Bench) capabilities(ctx context.Context) (driver.Capabilities, error) {
	p, err := b.port(ctx)
	if err != nil {
		return driver.Capabilities{}, err
	}
	opts := p.Options
	opts.Polling = true
	n, err := driver.Open(ctx, p.Function, opts)
	if err != nil {
		return driver.Capabilities{}, err
	}
	return n.Capabilities(), n.Close()
}
