// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package guest

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/espalier-nic/espalier/hwmodel/nic"
	served "github.com/espalier-nic/espalier/rtl-bridge/vfiouser"
	"github.com/espalier-nic/espalier/rtl-bridge/vfiouser/server"
	"github.com/espalier-nic/espalier/vm"
	"github.com/espalier-nic/espalier/vm/vmtest"
)

// pullable is a card that can be pulled out: nothing answers any more then, which
// on PCIe reads as ones. Its server goes on, for QEMU does not live on without it.
type pullable struct {
	*served.GoNIC
	gone atomic.Bool
}

func (p *pullable) ReadRegion(index int, offset uint64, b []byte) error {
	if !p.gone.Load() {
		return p.GoNIC.ReadRegion(index, offset, b)
	}
	copy(b, bytes.Repeat([]byte{0xFF}, len(b)))
	return nil
}

func (p *pullable) WriteRegion(index int, offset uint64, b []byte) error {
	if !p.gone.Load() {
		return p.GoNIC.WriteRegion(index, offset, b)
	}
	return nil
}

// serve serves a pullable card until the test ends.
func serve(t *testing.T, socket string) *pullable {
	t.Helper()
	g, err := served.NewGoNIC(nic.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &pullable{GoNIC: g}
	s, err := server.Listen(socket, p, server.Options{ResetOnDisconnect: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// puller pulls out the cards that the guest's output says to pull, and puts back
// those that it says to push.
type puller struct {
	cards map[string]*pullable

	mu   sync.Mutex
	text bytes.Buffer
	line []byte
}

func (p *puller) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(b)
	p.line = append(p.line, b...)
	for {
		line, rest, whole := bytes.Cut(p.line, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		p.line = rest
		what, address, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if card := p.cards[address]; card != nil {
			card.gone.Store(what == "pull")
		}
	}
}

// TestPulled: cards that are pulled out while drivers have them, one by VFIO and
// one by sysfs.
func TestPulled(t *testing.T) {
	t.Parallel()
	vmtest.QEMU(t)
	vmtest.Kernel(t)
	dir, remove, err := vm.Folder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove() })
	p := &puller{cards: map[string]*pullable{}}
	config := vm.Config{
		Dir: t.TempDir(), HugePages: 16, Timeout: limit, Stdout: p, Stderr: p,
		Command: []string{"sh", "-c", prelude + fmt.Sprintf(`
echo $B > $S/$B/driver/unbind || exit 1
%s -test.v -test.run '^TestCardPulled$' -pull -device=vfio:$A,sysfs:$B`, suites)},
	}
	for i := range 2 {
		socket := filepath.Join(dir, fmt.Sprintf("nic%d.sock", i))
		p.cards[vm.CardAddress(i)] = serve(t, socket)
		config.Cards = append(config.Cards, socket)
	}
	result, err := vm.Run(t.Context(), config)
	output := p.text.String()
	if err != nil || result.ExitCode != 0 {
		t.Fatalf("%+v, error %v\n%s", result, err, output)
	}
	for _, want := range []string{"--- PASS: TestCardPulled/vfio:" + a, "--- PASS: TestCardPulled/sysfs:" + b} {
		if !strings.Contains(output, want) {
			t.Errorf("it does not say %q:\n%s", want, output)
		}
	}
}
