// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/espalier-nic/espalier/driver"
)

// Options says how New sets an adapter up. The zero value is every offload that
// the hardware has, and this project's reading of what IPsecOV2 leaves open.
type Options struct {
	// Keywords are the standardized keywords; nil for DefaultKeywords.
	Keywords *Keywords

	// AllowUnauthenticated lets ADD_SA take ESP with a cipher and no
	// integrity algorithm, which version 2 lists and version 1 forbids
	// (ADD-14, defect 7.10). The hardware must have the cipher.
	AllowUnauthenticated bool
	// SaltOutsideKeyLength reads the KeyLength of AES-GCM as the key alone,
	// 16, 24 or 32; the 4-byte salt lies behind it all the same [G].
	SaltOutsideKeyLength bool
	// ICVInBits reads AdditionalInfo of AES-GCM in bits: 128 [G].
	ICVInBits bool
	// SPINetworkOrder reads the SPI in binary requests in network order [G].
	SPINetworkOrder bool
	// SpecLiteralSend is the letter of the documents, and unsafe: while IPsec
	// is off, a packet that names an SA is sent as it is, as plaintext
	// in an ESP frame, instead of failing (TX-12, defect 7.14). For showing
	// what that does, and for nothing else.
	SpecLiteralSend bool
}

// device is what an adapter needs of a driver.NIC.
type device interface {
	Capabilities() driver.Capabilities
	AddSAs(context.Context, []driver.SA) ([]driver.Handle, []error)
	RestoreSAs(context.Context, []driver.SAEntry) []error
	UpdateSA(context.Context, driver.Handle, uint32) error
	DeleteSAs(context.Context, []driver.Handle) []error
	ReadSA(context.Context, driver.Handle) (driver.SA, error)
	SAStates(context.Context) iter.Seq2[driver.SAState, error]
	ListSAs() []driver.SAEntry
	Nonce() [8]byte
	SetIPsec(bool) error
	Reset(context.Context) error
	Close() error
}

// Adapter is a NIC as the host sees it through IPsecOV2.
type Adapter struct {
	nic  device
	opts Options
	tag  uint32 // upper half of its handles

	hardware Offload
	initial  Offload

	indicator indicator
	gate      gate
	paused    atomic.Bool
	life      sync.Mutex // one change of phase at a time

	// configuring: one set of the configuration at a time.
	configuring sync.Mutex
	config      atomic.Pointer[configuration]

	table table
}

// configuration is what is on. It is never changed, only replaced.
type configuration struct {
	ipsec      IPsecSetting
	lso4, lso6 bool
	// ipv4 and ipv6: the encapsulation was set; nothing is active before.
	ipv4, ipv6 bool
	current    Offload
}

// active says whether the NIC processes IPsec at all.
func (c *configuration) active() bool {
	return (c.ipv4 || c.ipv6) && c.current.IPsecV2 != (Capabilities{})
}

// activeFor says so of one IP version.
func (c *configuration) activeFor(ipv6 bool) bool {
	on := c.ipv4
	if ipv6 {
		on = c.ipv6
	}
	return on && c.current.IPsecV2 != (Capabilities{})
}

// adapters counts the adapters of this process: a handle's tag.
var adapters atomic.Uint32

// New makes an adapter of an opened NIC, which from then on is the adapter's:
// its SAs, its IPsec switch, its reset and its end are not used directly any
// more (queues are). IPsec is inactive until SetEncapsulation. A NIC that holds
// SAs is refused: their keys are not known, so they would not survive a reset.
func New(ctx context.Context, n *driver.NIC, opts Options) (*Adapter, error) {
	return newAdapter(ctx, n, opts)
}

func newAdapter(ctx context.Context, n device, opts Options) (*Adapter, error) {
	const op = "new adapter"
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if held := len(n.ListSAs()); held > 0 {
		return nil, &RefusedError{Op: op, Field: "NIC", Asked: fmt.Sprintf("with %d SAs", held), Allowed: "a NIC without SAs", Status: StatusNotAccepted}
	}
	keywords := DefaultKeywords()
	if opts.Keywords != nil {
		keywords = *opts.Keywords
	}
	hw := driven(n.Capabilities())
	a := &Adapter{nic: n, opts: opts, tag: adapters.Add(1), hardware: Offload{IPsecV2: HardwareRecord(&hw)}}
	if err := a.hardware.IPsecV2.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	a.initial = Offload{IPsecV2: a.hardware.IPsecV2.Filtered(keywords)}
	a.table.init()
	a.gate.init()
	a.config.Store(&configuration{
		ipsec: keywords.ipsec(a.hardware.IPsecV2.IPv6Supported), lso4: keywords.LSOV2IPv4, lso6: keywords.LSOV2IPv6,
		current: a.initial,
	})
	if err := n.SetIPsec(false); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return a, nil
}

// HardwareCapabilities is everything the hardware can do, also what is switched
// off. It stays the same.
func (a *Adapter) HardwareCapabilities() Offload { return a.hardware }

// DefaultConfiguration is what is on after New: the hardware's capabilities as
// far as the keywords leave them on.
func (a *Adapter) DefaultConfiguration() Offload { return a.initial }

// CurrentConfiguration is what is on now.
func (a *Adapter) CurrentConfiguration() Offload { return a.config.Load().current }

// Active says whether received packets are processed: the encapsulation was
// set and something is on.
func (a *Adapter) Active() bool { return a.config.Load().active() }

// Subscribe has call called for every indication from now on, in order, by one
// goroutine at a time. No lock is held then: call may use the adapter. When a
// set returns, its indication has been delivered, unless another goroutine was
// delivering: then that one delivers it soon. cancel ends it; a call may still
// be under way when cancel returns.
func (a *Adapter) Subscribe(call func(Indication)) (cancel func()) {
	return a.indicator.subscribe(call)
}

// SetParameters carries out OID_TCP_OFFLOAD_PARAMETERS. A success is indicated
// once with the current configuration, also when nothing has changed (CFG-1).
// SAs whose algorithm was switched off stay, with their handles, and are not
// used [G]. Values that are not defined are INVALID_DATA and change nothing.
func (a *Adapter) SetParameters(ctx context.Context, p Parameters) error {
	const op = "set offload parameters"
	if err := p.check(); err != nil {
		return withOp(op, err)
	}
	return a.configure(ctx, op, func(c *configuration) error {
		asked := p.IPsecV2
		if !a.hardware.IPsecV2.IPv6Supported {
			asked = p.IPsecV2IPv4
		}
		if asked != 0 {
			c.ipsec = IPsecSetting(asked - 1)
		}
		for _, v := range []struct {
			on    *bool
			asked uint8
		}{{&c.lso4, p.LSOV2IPv4}, {&c.lso6, p.LSOV2IPv6}} {
			if v.asked != 0 {
				*v.on = v.asked == 2
			}
		}
		return nil
	})
}

// SetEncapsulation carries out OID_OFFLOAD_ENCAPSULATION: it activates or
// deactivates what is configured. A success is indicated once with the current
// configuration. A framing for which no offload works is INVALID_PARAMETER and
// changes nothing (CFG-6). The NIC has one switch for both IP versions: with one
// of them off, its packets are not sent with IPsec and its SAs not added, but
// inbound SAs that were added before remain in use while the other is on.
func (a *Adapter) SetEncapsulation(ctx context.Context, s EncapsulationSetting) error {
	const op = "set offload encapsulation"
	if err := s.check(a.hardware.IPsecV2.Encapsulation); err != nil {
		return withOp(op, err)
	}
	return a.configure(ctx, op, func(c *configuration) error {
		for _, v := range []struct {
			on    *bool
			asked uint32
		}{{&c.ipv4, s.IPv4.Enabled}, {&c.ipv6, s.IPv6.Enabled}} {
			if v.asked != EncapsulationNoChange {
				*v.on = v.asked == EncapsulationOn
			}
		}
		return nil
	})
}

// configure replaces the configuration by a changed copy, sets the NIC's switch
// and indicates it.
func (a *Adapter) configure(ctx context.Context, op string, change func(*configuration) error) error {
	_, leave, err := a.gate.enter(ctx)
	if err != nil {
		return withOp(op, err)
	}
	defer a.indicator.flush() // runs last, without any lock
	defer leave()
	a.configuring.Lock()
	defer a.configuring.Unlock()
	next := *a.config.Load()
	if err := change(&next); err != nil {
		return withOp(op, err)
	}
	hw := a.hardware.IPsecV2
	next.current = Offload{IPsecV2: hw.filtered(next.ipsec, next.lso4 || hw.IPv6Supported && next.lso6), Flags: a.hardware.Flags}
	if err := a.nic.SetIPsec(next.active()); err != nil {
		return fromDriver(op, err)
	}
	// No ADD_SA that the new configuration forbids succeeds after this
	// (CFG-7): see add.
	a.table.mu.Lock()
	a.config.Store(&next)
	a.table.mu.Unlock()
	a.indicator.enqueue(Indication{Status: StatusTaskOffloadCurrentConfig, Offload: next.current})
	return nil
}

// withOp names the request in a refusal.
func withOp(op string, err error) error {
	if r, ok := err.(*RefusedError); ok {
		if r.Op == "" {
			r.Op = op
		}
		return r
	}
	return fmt.Errorf("%s: %w", op, err)
}
