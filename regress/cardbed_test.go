// SPDX-License-Identifier: Apache-2.0

package regress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/discover"
	"github.com/espalier-nic/espalier/hwmodel/nic"
	"github.com/espalier-nic/espalier/regs"
	"github.com/espalier-nic/espalier/rtl-bridge/wireport"
)

// cable is two Go NICs that answer at the addresses of two cards, and the cable
// between them, with a MAC at each end that pads short frames.
type cable struct {
	nics [2]*nic.NIC
	// tap, if not nil, shows what goes from card A to card B. It is asked to
	// show a frame before (false) and after (true) B has it.
	tap func(frame []byte, after bool)
	// carry changes a frame on its way; nil loses it.
	carry func(frame []byte) []byte
	// wrong changes what is written to the registers of both cards.
	wrong func(offset uint64, v uint32) uint32
	open  int
}

const cardA, cardB = "0000:03:00.0", "0000:04:00.0"

// plug puts the cable's cards where VFIO looks for them.
func plug(t *testing.T, presence nic.Presence) *cable {
	t.Helper()
	c := &cable{}
	for i := range c.nics {
		n, err := nic.New(nic.Options{ControlProcessor: presence})
		if err != nil {
			t.Fatal(err)
		}
		c.nics[i] = n
	}
	c.nics[0].Connect(func(frame []byte) {
		frame = bytes.Clone(frame)
		for len(frame) < 60 {
			frame = append(frame, 0xEE) // a MAC may pad with anything
		}
		if c.carry != nil {
			if frame = c.carry(frame); frame == nil {
				return
			}
		}
		if c.tap != nil {
			c.tap(frame, false)
		}
		c.nics[1].Inject(frame, false)
		if c.tap != nil {
			c.tap(frame, true)
		}
	})
	before := openVFIO
	t.Cleanup(func() { openVFIO = before })
	openVFIO = func(_ context.Context, address string, ids []discover.ID) (pcie.Function, error) {
		if len(ids) != 1 || ids[0] != discover.Espalier() {
			t.Errorf("IDs are %v", ids)
		}
		for i, a := range []string{cardA, cardB} {
			if a != address {
				continue
			}
			c.open++
			fn := pcie.Function(&card{NIC: c.nics[i], open: &c.open})
			if c.wrong != nil {
				fn = &wrongNIC{fn, c.wrong}
			}
			return fn, nil
		}
		return nil, fmt.Errorf("PCI function %s: there is none at this address", address)
	}
	return c
}

// card is a Go NIC as a function for which time passes by itself, and whose
// writes are posted: they arrive only when a read pushes them, or time passes.
type card struct {
	*nic.NIC
	open   *int
	posted []func() error
}

func (c *card) push() (err error) {
	for _, write := range c.posted {
		err = errors.Join(err, write())
	}
	c.posted = nil
	return err
}

func (c *card) Relax(ctx context.Context, max uint64) error {
	return errors.Join(c.push(), c.NIC.Relax(ctx, max))
}

func (c *card) BAR(n int) (pcie.BAR, error) {
	bar, err := c.NIC.BAR(n)
	return &postedBAR{bar, c}, err
}

type postedBAR struct {
	pcie.BAR
	card *card
}

func (b *postedBAR) Write32(offset uint64, v uint32) error {
	b.card.posted = append(b.card.posted, func() error { return b.BAR.Write32(offset, v) })
	return nil
}

func (b *postedBAR) Read32(offset uint64) (uint32, error) {
	if err := b.card.push(); err != nil {
		return 0, err
	}
	return b.BAR.Read32(offset)
}

func (c *card) Info() pcie.Info {
	info := c.NIC.Info()
	info.Simulated = false
	return info
}

func (c *card) Close() error {
	*c.open--
	return errors.Join(c.push(), c.NIC.Close())
}

// bed opens the bed of both cards.
func (c *cable) bed(t *testing.T, config DeviceConfig) *Bed {
	t.Helper()
	config.Device = cardA + ", " + cardB
	bed, err := OpenBed(context.Background(), config, driver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
		if c.open != 0 {
			t.Errorf("%d cards are left open", c.open)
		}
	})
	return bed
}

// withPlain makes some of a plan's packets travel in the clear, one of them
// shorter than Ethernet's shortest frame.
func withPlain(plan *Plan) *Plan {
	for i := range plan.Packets {
		if i%7 == 3 {
			plan.Choice[i] = noSA
		}
	}
	plan.Packets[3].Frame = plan.Packets[3].Frame[:minFrame+20]
	return plan
}

func runCards(t *testing.T, bed *Bed, plan *Plan) *Result {
	t.Helper()
	r, err := Run(context.Background(), bed, plan, RunOptions{MaxMismatches: 5, StallTime: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTwoCardsWithoutATap(t *testing.T) {
	for _, capture := range []string{"dns.pcap", "http.pcap", "iperf.pcap", "ping.pcap", "ssh.pcap", "tls.pcap"} {
		t.Run(capture, func(t *testing.T) {
			bed, plan := plug(t, nic.Present).bed(t, DeviceConfig{}), withPlain(planOf(t, capture, 1))
			r := runCards(t, bed, plan)
			for _, m := range r.Mismatches {
				t.Errorf("%v", m)
			}
			n := len(plan.Packets)
			if r.Packets != n || r.OnWire != 0 || r.WireBytes != 0 || r.Delivered != n || r.Decrypted != r.Protected || r.Protected < n/2 {
				t.Errorf("of %d packets: %+v", n, r.Counts)
			}
			if len(r.NotSeen) != 1 || !strings.Contains(r.NotSeen[0], "frames on the wire") || bed.Device != cardA+" to "+cardB {
				t.Errorf("%s, not seen: %q", bed.Device, r.NotSeen)
			}
		})
	}
}

// pipeTap makes a tap of a pipe and returns its other end.
func pipeTap(t *testing.T) wireport.Port {
	t.Helper()
	near, far := wireport.Pipe("mirror")
	before := openTapPort
	t.Cleanup(func() { openTapPort = before; near.Close() })
	openTapPort = func(spec string) (wireport.Port, error) {
		if spec != "packet:mirror0" {
			t.Errorf("tap is %q", spec)
		}
		return near, nil
	}
	return far
}

// TestTwoCardsWithATap: the tap shows each frame before, or after, or long after
// it was delivered.
func TestTwoCardsWithATap(t *testing.T) {
	for name, after := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			cable, mirror := plug(t, nic.Present), pipeTap(t)
			cable.tap = func(frame []byte, now bool) {
				if now == after {
					if err := mirror.Send(frame); err != nil {
						t.Error(err)
					}
				}
			}
			plan, frames, stamp := withPlain(planOf(t, "http.pcap", 1)), 0, uint64(0)
			r, err := Run(context.Background(), cable.bed(t, DeviceConfig{WireTap: "mirror0"}), plan, RunOptions{
				MaxMismatches: 5, StallTime: 5 * time.Second,
				OnFrame: func(f WireFrame) error {
					if frames++; f.Last < stamp {
						t.Errorf("frame %d at %d after one at %d", frames, f.Last, stamp)
					}
					stamp = f.Last
					return nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range r.Mismatches {
				t.Errorf("%v", m)
			}
			n := len(plan.Packets)
			if r.OnWire != n || frames != n || r.Delivered != n || r.Decrypted != r.Protected || len(r.NotSeen) != 0 {
				t.Errorf("of %d packets, %d frames shown: %+v, not seen %q", n, frames, r.Counts, r.NotSeen)
			}
		})
	}
}

// TestTwoCardsCatch: what is wrong is found at the first stage that is seen.
func TestTwoCardsCatch(t *testing.T) {
	nth := func(n int, change func([]byte) []byte) func([]byte) []byte {
		return func(frame []byte) []byte {
			if n--; n == 0 {
				return change(frame)
			}
			return frame
		}
	}
	damage := func(f []byte) []byte { f[len(f)-3] ^= 0x10; return f }
	lose := func([]byte) []byte { return nil }
	for name, c := range map[string]struct {
		carry         func() func([]byte) []byte
		unseen, stage Stage // with no tap, with one
		field         string
		count         int // mismatches with no tap; 0: any
	}{
		"damaged": {func() func([]byte) []byte { return nth(40, damage) }, Delivered, Wire, "ESP", 3},
		"lost":    {func() func([]byte) []byte { return nth(40, lose) }, Delivered, Wire, "missing", 1},
		"last lost": {func() func([]byte) []byte {
			return nth(129, lose)
		}, Delivered, Wire, "missing", 1},
	} {
		for _, tapped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, tap %v", name, tapped), func(t *testing.T) {
				cable, config, stage := plug(t, nic.Present), DeviceConfig{}, c.unseen
				if tapped {
					mirror := pipeTap(t)
					config.WireTap, stage = "mirror0", c.stage
					cable.tap = func(frame []byte, after bool) {
						if after {
							_ = mirror.Send(frame)
						}
					}
				}
				cable.carry = c.carry()
				r := runCards(t, cable.bed(t, config), planOf(t, "dns.pcap", 1))
				if len(r.Mismatches) == 0 {
					t.Fatalf("not caught: %+v", r.Counts)
				}
				if first := r.Mismatches[0]; first.Stage != stage || !strings.Contains(first.Field, c.field) {
					t.Errorf("first report is %q %s, wanted is %q %q", first.Stage, first.Field, stage, c.field)
				}
				if !tapped && c.count > 0 && r.Counts.Mismatches != c.count {
					t.Errorf("%d mismatches, wanted are %d: %v", r.Counts.Mismatches, c.count, r.Mismatches)
				}
			})
		}
	}
}

// TestTwoCardsWrongAlike: two cards with the same fault restore each packet. What
// gives them away without a tap is the ICV, which is handed up as it came.
func TestTwoCardsWrongAlike(t *testing.T) {
	wrong := func(offset uint64, v uint32) uint32 {
		if offset == regs.SAKeyOffset(1) {
			v ^= 1
		}
		return v
	}
	blind := plug(t, nic.Absent)
	blind.wrong = wrong
	r := runCards(t, blind.bed(t, DeviceConfig{}), planOf(t, "dns.pcap", 1))
	if len(r.Mismatches) == 0 || r.Mismatches[0].Stage != Delivered || !strings.Contains(r.Mismatches[0].Field, "ESP ICV") || r.Decrypted != r.Protected {
		t.Errorf("without a tap: %+v %v", r.Counts, r.Mismatches)
	}
	seen, mirror := plug(t, nic.Absent), pipeTap(t)
	seen.wrong = wrong
	seen.tap = func(frame []byte, after bool) {
		if after {
			_ = mirror.Send(frame)
		}
	}
	r = runCards(t, seen.bed(t, DeviceConfig{WireTap: "mirror0"}), planOf(t, "dns.pcap", 1))
	if len(r.Mismatches) == 0 || r.Mismatches[0].Stage != Wire {
		t.Errorf("with a tap: %+v %v", r.Counts, r.Mismatches)
	}
}

// lossy is a port that says it has lost frames.
type lossy struct{ wireport.Port }

func (p lossy) Counters() wireport.Counters {
	return wireport.Counters{ReceiveDropped: 3, Connections: 1}
}

// TestTapThatFails: a wire that was seen in part is not judged.
func TestTapThatFails(t *testing.T) {
	for _, want := range []string{"closed", "lost 3 frames", "has lost 5 frames"} {
		t.Run(want, func(t *testing.T) {
			cable, mirror := plug(t, nic.Present), pipeTap(t)
			switch want {
			case "closed":
				mirror.Close()
			case "has lost 5 frames": // whoever mirrors them says so
				if err := mirror.Send(wireport.LossNotice(5)); err != nil {
					t.Fatal(err)
				}
			default:
				open := openTapPort
				openTapPort = func(spec string) (wireport.Port, error) {
					port, err := open(spec)
					return lossy{port}, err
				}
			}
			_, err := Run(context.Background(), cable.bed(t, DeviceConfig{WireTap: "mirror0"}), planOf(t, "dns.pcap", 1), RunOptions{StallTime: time.Second})
			if err == nil || !strings.Contains(err.Error(), "--wire-tap") || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestTapOfNobody: a stream whose other end does not come.
func TestTapOfNobody(t *testing.T) {
	plug(t, nic.Present)
	before := tapPatience
	t.Cleanup(func() { tapPatience = before })
	tapPatience = 20 * time.Millisecond
	c := DeviceConfig{Device: cardA + "," + cardB, WireTap: "stream:" + t.TempDir() + "/none"}
	if _, err := OpenBed(context.Background(), c, driver.Options{}); err == nil || !strings.Contains(err.Error(), "nobody is at the other end of stream:") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

// TestTapHasRoom: no more frames are on their way than a tap can keep that shows
// none of them.
func TestTapHasRoom(t *testing.T) {
	cable, mirror := plug(t, nic.Present), pipeTap(t)
	plan := planOf(t, "iperf.pcap", 1)
	var mu sync.Mutex
	var kept [][]byte
	shown := 0
	show := func() {
		mu.Lock()
		defer mu.Unlock()
		for _, f := range kept {
			if err := mirror.Send(f); err != nil {
				t.Error(err)
			}
		}
		shown += len(kept)
		kept = nil
	}
	cable.tap = func(frame []byte, after bool) {
		mu.Lock()
		defer mu.Unlock()
		if after {
			return
		}
		kept = append(kept, bytes.Clone(frame))
		switch all := min(lateFrames, len(plan.Packets)-shown); {
		case len(kept) > all:
			t.Errorf("%d frames are on their way that the tap has not shown", len(kept))
		case len(kept) == all:
			time.AfterFunc(20*time.Millisecond, show) // others could come meanwhile
		}
	}
	r, err := Run(context.Background(), cable.bed(t, DeviceConfig{WireTap: "mirror0"}), plan, RunOptions{MaxMismatches: 5})
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if shown <= lateFrames || r.OnWire != len(plan.Packets) || r.Counts.Mismatches != 0 {
		t.Errorf("of %d packets %d shown: %+v %v", len(plan.Packets), shown, r.Counts, r.Mismatches)
	}
}

// TestOneCard: a card alone is judged in loopback.
func TestOneCard(t *testing.T) {
	cable := plug(t, nic.Present)
	bed, err := OpenBed(context.Background(), DeviceConfig{Device: "03:00.0"}, driver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := runCards(t, bed, planOf(t, "ping.pcap", 1))
	if r.Counts.Mismatches != 0 || r.Decrypted != r.Protected || r.OnWire != r.Packets || !bed.RealTime || bed.Clocked || bed.Device != cardA || len(bed.Build) != 8 {
		t.Errorf("%+v, %+v", r.Counts, bed)
	}
	if err := bed.Close(); err != nil || cable.open != 0 {
		t.Errorf("closing: %v, %d cards open", err, cable.open)
	}
}

// TestCardsThatCannotBe: nothing is left open, and one sentence says what is wrong.
func TestCardsThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		config DeviceConfig
		want   []string
	}{
		"second is not there":  {DeviceConfig{Device: cardA + ",0000:09:00.0"}, []string{"0000:09:00.0", "none at this address"}},
		"the same twice":       {DeviceConfig{Device: cardA + ",vfio:03:00.0"}, []string{cardA, "twice"}},
		"the same by sysfs":    {DeviceConfig{Device: cardA + ",sysfs:03:00.0"}, []string{cardA, "twice"}},
		"three":                {DeviceConfig{Device: cardA + "," + cardB + ",05:00.0"}, []string{"3 devices"}},
		"with a simulation":    {DeviceConfig{Device: cardA + ",gonic"}, []string{"gonic", "no wire"}},
		"tap of one":           {DeviceConfig{Device: cardA, WireTap: "eth0"}, []string{`"eth0"`, cardA}},
		"tap of a simulation":  {DeviceConfig{Device: "gonic", WireTap: "eth0"}, []string{`"eth0"`, "gonic"}},
		"tap that is none":     {DeviceConfig{Device: cardA + "," + cardB, WireTap: "tup:x"}, []string{"--wire-tap", `"tup:x"`, `"tap"`}},
		"loopback of two":      {DeviceConfig{Device: cardA + "," + cardB, Loopback: true}, []string{"loopback", "names 2"}},
		"waveforms of a card":  {DeviceConfig{Device: cardA, Wave: "x.fst"}, []string{"waveforms", cardA, "espalier serve --wave"}},
		"no address":           {DeviceConfig{Device: "vfio:3"}, []string{`"vfio:3"`, "0000:03:00.0", "espalier devices"}},
		"no address for sysfs": {DeviceConfig{Device: "sysfs:"}, []string{`"sysfs:"`, "espalier devices"}},
		"no socket":            {DeviceConfig{Device: "vfio-user"}, []string{`"vfio-user"`, "espalier serve"}},
		"nothing like it":      {DeviceConfig{Device: "vfio_user:x"}, []string{`"vfio_user:x"`, `"vfio-user"`, "sysfs:ADDRESS"}},
		"two, one unknown":     {DeviceConfig{Device: cardA + ",gonik"}, []string{`"gonik"`}},
	} {
		t.Run(name, func(t *testing.T) {
			cable := plug(t, nic.Present)
			bed, err := OpenBed(context.Background(), c.config, driver.Options{})
			if err == nil {
				bed.Close()
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("message %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("message has several lines: %q", err)
			}
			if cable.open != 0 {
				t.Errorf("%d cards are left open", cable.open)
			}
		})
	}
}

// TestDeviceThatIsTwo: what works on one device says so.
func TestDeviceThatIsTwo(t *testing.T) {
	config := DeviceConfig{Device: cardA + "," + cardB}
	if _, err := OpenDevice(context.Background(), config); err == nil || !strings.Contains(err.Error(), "works on one") {
		t.Errorf("opening: %v", err)
	}
	if _, err := OpenPort(context.Background(), DeviceConfig{Device: cardA}, 0); err == nil || !strings.Contains(err.Error(), "wire outside this program") {
		t.Errorf("port: %v", err)
	}
	if _, err := config.LoadLibrary(); err == nil {
		t.Error("two cards have a library")
	}
}

// TestSysfsWarns: who opens a card through sysfs is told once what that gives up.
func TestSysfsWarns(t *testing.T) {
	before := openSysfs
	t.Cleanup(func() { openSysfs = before })
	failure := errors.New("no card")
	openSysfs = func(context.Context, string, []discover.ID) (pcie.Function, error) { return nil, failure }
	var warnings []string
	_, err := OpenDevice(context.Background(), DeviceConfig{Device: "sysfs:03:00.0", Warn: func(s string) { warnings = append(warnings, s) }})
	if !errors.Is(err, failure) || len(warnings) != 1 || !strings.Contains(warnings[0], "no IOMMU") || !strings.Contains(warnings[0], "polling") || !strings.Contains(warnings[0], "sysfs:0000:03:00.0") {
		t.Errorf("%v, warnings %q", err, warnings)
	}
}

// TestNamedFirmware: a card gets the image that was named, and one that is none
// is refused before the card is opened.
func TestNamedFirmware(t *testing.T) {
	cable := plug(t, nic.Present)
	_, err := OpenDevice(context.Background(), DeviceConfig{Device: cardA, Firmware: filepath.Join(t.TempDir(), "none.bin")})
	if err == nil || !strings.Contains(err.Error(), "none.bin") || cable.open != 0 {
		t.Errorf("%v, %d cards open", err, cable.open)
	}
}
