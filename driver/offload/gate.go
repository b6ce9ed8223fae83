// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"context"
	"sync"
)

// phase is where an adapter is in its life.
type phase uint8

const (
	running phase = iota
	resetting
	standby
	failed // a reset or resume did not succeed
	halted
)

func (p phase) String() string {
	return [...]string{"running", "being reset", "in standby", "failed: its last reset did not succeed", "halted"}[p]
}

// gate lets requests in while the adapter runs. Shutting it aborts those inside
// and waits for them.
type gate struct {
	mu     sync.Mutex
	phase  phase
	inside int
	empty  chan struct{} // closed when the last one leaves a shut gate
	abort  context.Context
	cancel context.CancelFunc
}

func (g *gate) init() { g.abort, g.cancel = context.WithCancel(context.Background()) }

// notAccepted refuses what comes while the adapter does not run.
func notAccepted(p phase) error {
	return refuse(StatusNotAccepted, "adapter", p, "a running adapter")
}

// enter lets a request in; it calls leave when it is done. The context returned
// ends with ctx and when the gate is shut.
func (g *gate) enter(ctx context.Context) (_ context.Context, leave func(), _ error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.phase != running {
		return nil, nil, notAccepted(g.phase)
	}
	g.inside++
	inner, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.abort, cancel)
	return inner, func() {
		stop()
		cancel()
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.inside--; g.inside == 0 && g.empty != nil {
			close(g.empty)
			g.empty = nil
		}
	}, nil
}

// now returns the phase.
func (g *gate) now() phase {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.phase
}

// shut keeps requests out from now on, aborts those inside and waits until they
// have left. If ctx ends first, the gate stays shut.
func (g *gate) shut(ctx context.Context, why phase) error {
	g.mu.Lock()
	if g.phase == halted {
		g.mu.Unlock()
		return notAccepted(halted)
	}
	g.phase = why
	g.cancel()
	var empty chan struct{}
	if g.inside > 0 {
		if g.empty == nil {
			g.empty = make(chan struct{})
		}
		empty = g.empty
	}
	g.mu.Unlock()
	if empty == nil {
		return nil
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// set changes the phase; running opens the gate.
func (g *gate) set(p phase) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.phase == halted {
		return
	}
	if g.phase = p; p == running {
		g.init()
	}
}
