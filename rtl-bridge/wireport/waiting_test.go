// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestSendWaiting: a sender that may wait loses nothing to a peer that is slow,
// waits for none that is not there, and no longer than the port is open.
func TestSendWaiting(t *testing.T) {
	path := filepath.Join(shortFolder(t), "s")
	p := openPort(t, "stream-listen:"+path)
	w, ok := p.(Waiter)
	if !ok {
		t.Fatal("a stream cannot wait")
	}
	if err := w.SendWaiting(testFrame(60, 0)); err != nil || p.Counters().SendDropped != 1 {
		t.Errorf("with nobody there: %v, %+v", err, p.Counters())
	}
	if err := w.SendWaiting(make([]byte, 13)); !errors.Is(err, ErrFrame) {
		t.Errorf("13 bytes: %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	eventually(t, "the peer is there", func() bool { return p.Counters().Connections == 1 })

	const frames = 4000 // of 1514 bytes: more than port and socket hold
	sent := make(chan error, 1)
	go func() {
		for i := range frames {
			if err := w.SendWaiting(testFrame(1514, byte(i))); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	select {
	case err := <-sent:
		t.Fatalf("it has waited for nobody: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	d := newDecoder(conn)
	for i := range frames {
		frame, err := d.next()
		if err != nil || len(frame) != 1514 || frame[len(frame)-1] != testFrame(1514, byte(i))[1513] {
			t.Fatalf("frame %d: %d bytes, %v", i, len(frame), err)
		}
	}
	if err := <-sent; err != nil || p.Counters().SendDropped != 1 {
		t.Errorf("%v, %+v", err, p.Counters())
	}

	go func() {
		var err error
		for err == nil {
			err = w.SendWaiting(testFrame(1514, 0))
		}
		sent <- err
	}()
	select {
	case err := <-sent:
		t.Fatalf("it has waited for nobody: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	p.Close()
	if err := <-sent; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}
