// SPDX-License-Identifier: Apache-2.0

package seam

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/regs"
)

var pullFlag = flag.Bool("pull", false, "test what happens when a card is pulled out at work: the lines \"pull CARD\" and \"push CARD\" ask for it to be done and undone")

// pullPatience bounds how long it takes somebody to pull a card.
const pullPatience = time.Minute

// TestCardPulled: a card that is pulled out without a word to anybody is noticed by
// the first access, by the driver and by everybody who waits; nothing hangs, and
// everything can be closed.
func TestCardPulled(t *testing.T) {
	if !*pullFlag {
		return
	}
	onCards(t, func(t *testing.T, c *cards) {
		f := c.open(t)
		ctx, cancel := context.WithTimeout(context.Background(), 2*pullPatience)
		defer cancel()
		n, err := driver.Open(ctx, f, driver.Options{})
		if err != nil {
			t.Fatal(err)
		}
		rx, err := n.RX(0)
		if err != nil {
			t.Fatal(err)
		}
		waited := make(chan error, 1)
		go func() { waited <- rx.Wait(ctx) }()
		bar, err := f.BAR(pcie.RegisterBAR)
		if err != nil {
			t.Fatal(err)
		}

		fmt.Printf("pull %s\n", f.card.address)
		for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			v, err := bar.Read32(regs.IDOffset)
			if errors.Is(err, pcie.ErrRemoved) {
				if v != ^uint32(0) {
					t.Errorf("a register of a card that has gone is %#x", v)
				}
				break
			}
			if err != nil || v != regs.IDMagic {
				t.Fatalf("register is %#x, error %v", v, err)
			}
			if time.Since(start) > pullPatience {
				t.Fatal("nobody has pulled the card")
			}
		}

		removed := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, pcie.ErrRemoved) {
				t.Errorf("%s: %v, want %v", what, err, pcie.ErrRemoved)
			}
		}
		select {
		case err := <-waited:
			removed("wait under way", err)
		case <-ctx.Done():
			t.Error("who waited for a frame waits for ever")
		}
		_, err = f.ConfigRead(pcie.ConfigVendorID, 4)
		removed("ConfigRead", err)
		removed("Reset", f.Reset(ctx))
		_, err = f.AllocDMA(4096)
		removed("AllocDMA", err)
		_, err = n.Statistics()
		removed("Statistics", err)
		removed("closing the NIC", n.Close())

		// The kernel resets a function when nobody has it any more, and waits a minute
		// for one that does not answer. One that is back is another card to us.
		fmt.Printf("push %s\n", f.card.address)
		_, err = bar.Read32(regs.IDOffset)
		removed("a register of a card that is back", err)
		if err := f.Function.Close(); err != nil {
			t.Errorf("closing the function: %v", err)
		}
	})
}
