// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

const tunDevice = "/dev/net/tun"

// TAP is a Port that is a network interface of this machine: what the kernel
// sends through the interface is received, what is sent arrives there.
type TAP struct {
	counters
	name string
	file *os.File
	raw  syscall.RawConn
	done atomic.Bool // closed

	receiving sync.Mutex
	reader    deviceReader
	sending   sync.Mutex
	writer    deviceWriter
}

// OpenTAP opens the TAP device called name, 1 to 15 bytes long, and brings it up.
// If there is none it is made, and removed again by Close; one that exists must
// be a TAP device that no other program has open. It needs CAP_NET_ADMIN.
func OpenTAP(name string) (*TAP, error) {
	ifreq, err := interfaceRequest(kindTAP, name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("wire tap:%s: %s does not exist; `modprobe tun` makes it", name, tunDevice)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("wire tap:%s: %s may not be opened; run as root, or ask for access to it", name, tunDevice)
	case err != nil:
		return nil, fmt.Errorf("wire tap:%s: open %s: %w", name, tunDevice, err)
	}
	ifreq.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifreq); err != nil {
		unix.Close(fd)
		return nil, tapRefused(name, err)
	}
	if err := setUp(name); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("wire tap:%s: bring the interface up: %w", name, err)
	}
	// Only now: a descriptor without its interface cannot be polled.
	t := &TAP{name: name, file: os.NewFile(uintptr(fd), tunDevice)}
	if t.raw, err = t.file.SyscallConn(); err != nil {
		t.file.Close()
		return nil, fmt.Errorf("wire tap:%s: %w", name, err)
	}
	t.connection.Store(1)
	t.reader.prepare()
	t.writer.prepare()
	return t, nil
}

// tapRefused says in a sentence why there is no TAP device.
func tapRefused(name string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("wire tap:%s: making a TAP device needs CAP_NET_ADMIN; run as root, or `ip tuntap add %s mode tap user $USER` as root first", name, name)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("wire tap:%s: another program has the device open; end it or choose another name", name)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("wire tap:%s: an interface of this name exists and is no TAP device; choose another name", name)
	}
	return fmt.Errorf("wire tap:%s: %w", name, err)
}

// Interface returns the name of the network interface.
func (t *TAP) Interface() string { return t.name }

// SetMTU sets the longest IP packet in bytes that the kernel sends through the
// interface. It needs CAP_NET_ADMIN.
func (t *TAP) SetMTU(mtu int) error {
	err := withInterface(t.name, func(fd int, ifreq *unix.Ifreq) error {
		ifreq.SetUint32(uint32(mtu))
		return unix.IoctlIfreq(fd, unix.SIOCSIFMTU, ifreq)
	})
	if err != nil {
		return fmt.Errorf("interface %s: set the MTU to %d: %w", t.name, mtu, err)
	}
	return nil
}

// Send implements Port.
func (t *TAP) Send(frame []byte) error {
	if err := checkFrame(t, frame); err != nil {
		return err
	}
	t.sending.Lock()
	err := t.writer.write(t.raw, frame)
	t.sending.Unlock()
	switch {
	case err == nil:
		t.countSent(len(frame))
	case t.done.Load():
		return closed(t)
	case errors.Is(err, unix.EBADFD):
		return fmt.Errorf("%s: the interface is gone: %w", t, err)
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EIO):
		t.sendDropped.Add(1) // no room, or the interface is down
	default:
		t.sendErrors.Add(1)
	}
	return nil
}

// Receive implements Port.
func (t *TAP) Receive(frames [][]byte, sizes []int) (int, error) {
	t.receiving.Lock()
	defer t.receiving.Unlock()
	for {
		n, lost, err := t.reader.read(t.raw, frames, sizes)
		t.receiveDropped.Add(uint64(lost))
		switch {
		case err != nil && t.done.Load():
			return 0, closed(t)
		case errors.Is(err, unix.EBADFD):
			return 0, fmt.Errorf("%s: the interface is gone: %w", t, err)
		case err != nil:
			return 0, fmt.Errorf("receive from %s: %w", t, err)
		}
		for _, size := range sizes[:n] {
			t.countReceived(size)
		}
		if n > 0 || len(frames) == 0 {
			return n, nil
		}
	}
}

// Counters implements Port.
func (t *TAP) Counters() Counters { return t.counters.read() }

// Close implements Port. The interface vanishes unless it was there before.
func (t *TAP) Close() error {
	if t.done.Swap(true) {
		return nil
	}
	return t.file.Close()
}

// String implements Port.
func (t *TAP) String() string { return kindTAP + ":" + t.name }

// deviceReader reads frames from a descriptor that gives one for each read. Its
// closure is made once, so that a read allocates nothing.
type deviceReader struct {
	frames  [][]byte
	sizes   []int
	n, lost int
	err     error
	again   func(fd uintptr) bool
}

func (r *deviceReader) prepare() {
	r.again = func(fd uintptr) bool {
		for r.n < min(len(r.frames), len(r.sizes)) {
			buffer := r.frames[r.n]
			size, err := unix.Read(int(fd), buffer)
			switch {
			case err == unix.EINTR:
				continue
			case err == unix.EAGAIN:
				return r.n > 0 || r.lost > 0
			case err != nil:
				if r.n == 0 {
					r.err = err
				}
				return true
			case size < MinFrame || size == len(buffer) && size < MaxFrame:
				// A frame that fills its buffer may have been cut.
				r.lost++
			default:
				r.sizes[r.n] = size
				r.n++
			}
		}
		return true
	}
}

func (r *deviceReader) read(raw syscall.RawConn, frames [][]byte, sizes []int) (n, lost int, err error) {
	r.frames, r.sizes, r.n, r.lost, r.err = frames, sizes, 0, 0, nil
	err = raw.Read(r.again)
	if err == nil {
		err = r.err
	}
	return r.n, r.lost, err
}

// deviceWriter writes one frame at a time, without waiting.
type deviceWriter struct {
	frame []byte
	err   error
	once  func(fd uintptr) bool
}

func (w *deviceWriter) prepare() {
	w.once = func(fd uintptr) bool {
		for {
			_, w.err = unix.Write(int(fd), w.frame)
			if w.err != unix.EINTR {
				return true
			}
		}
	}
}

func (w *deviceWriter) write(raw syscall.RawConn, frame []byte) error {
	w.frame = frame
	if err := raw.Write(w.once); err != nil {
		return err
	}
	return w.err
}
