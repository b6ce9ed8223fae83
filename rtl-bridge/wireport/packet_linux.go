// SPDX-License-Identifier: Apache-2.0

package wireport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// packetBatch is how many packets one system call takes.
	packetBatch = 16
	// packetRoom holds the longest packet that the kernel merges, its
	// Ethernet header and a VLAN tag.
	packetRoom = 1<<16 + 64
	// socketRoom is the bytes that the kernel may keep for us.
	socketRoom = 4 << 20
)

// packetPort is a Port that shares an interface: it receives what arrives there
// and sends through it. What this machine itself sends through the interface is
// not received: that is on the other side of the wire.
//
// The kernel hands over packets as it has them: merged ones that are longer than
// any frame, checksums left to hardware, VLAN tags taken off. All that is undone,
// so that frames are those of the wire.
type packetPort struct {
	counters
	name string
	file *os.File // receives
	send *os.File
	raw  syscall.RawConn
	out  syscall.RawConn
	done atomic.Bool // closed

	sending sync.Mutex
	writer  deviceWriter

	receiving sync.Mutex
	batch     receiveBatch
	segments  segmenter // what is left of a merged packet
}

// OpenPacket opens the interface called name through a packet socket and makes
// it promiscuous while the port is open. The interface must be up. It needs
// CAP_NET_RAW.
func OpenPacket(name string) (Port, error) {
	if _, err := interfaceRequest(kindPacket, name); err != nil {
		return nil, err
	}
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("wire packet:%s: there is no such interface; `ip link` lists them", name)
	}
	if up, err := isUp(name); err != nil || !up {
		return nil, fmt.Errorf("wire packet:%s: the interface is down; `ip link set %s up` brings it up", name, name)
	}
	receive, err := packetSocket(link.Index, true)
	if err != nil {
		return nil, packetRefused(name, err)
	}
	send, err := packetSocket(link.Index, false)
	if err != nil {
		unix.Close(receive)
		return nil, packetRefused(name, err)
	}
	p := &packetPort{name: name, file: os.NewFile(uintptr(receive), name), send: os.NewFile(uintptr(send), name)}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		p.out, err = p.send.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("wire packet:%s: %w", name, err), p.Close())
	}
	p.connection.Store(1)
	p.batch.prepare()
	p.writer.prepare()
	return p, nil
}

func packetRefused(name string, err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("wire packet:%s: a packet socket needs CAP_NET_RAW; run as root, or `setcap cap_net_raw+ep` the program", name)
	}
	return fmt.Errorf("wire packet:%s: %w", name, err)
}

// packetSocket opens a packet socket bound to an interface, to receive from it
// or only to send through it.
func packetSocket(index int, receive bool) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	address := &unix.SockaddrLinklayer{Ifindex: index}
	if receive {
		for _, option := range []int{unix.PACKET_AUXDATA, unix.PACKET_VNET_HDR, unix.PACKET_IGNORE_OUTGOING} {
			if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, option, 1); err != nil {
				return -1, fmt.Errorf("packet socket option %d: %w", option, err)
			}
		}
		// Forcing needs CAP_NET_ADMIN; without it, what is allowed must do.
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketRoom) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketRoom)
		}
		mreq := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq); err != nil {
			return -1, fmt.Errorf("make the interface promiscuous: %w", err)
		}
		address.Protocol = networkOrder(unix.ETH_P_ALL)
	}
	return fd, unix.Bind(fd, address)
}

func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// Send implements Port.
func (p *packetPort) Send(frame []byte) error {
	if err := checkFrame(p, frame); err != nil {
		return err
	}
	p.sending.Lock()
	err := p.writer.write(p.out, frame)
	p.sending.Unlock()
	switch {
	case err == nil:
		p.countSent(len(frame))
	case p.done.Load():
		return closed(p)
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%s: the interface is gone: %w", p, err)
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENETDOWN):
		p.sendDropped.Add(1)
	default:
		p.sendErrors.Add(1) // EMSGSIZE: longer than the interface's MTU
	}
	return nil
}

// Receive implements Port.
func (p *packetPort) Receive(frames [][]byte, sizes []int) (n int, err error) {
	p.receiving.Lock()
	defer p.receiving.Unlock()
	for n == 0 {
		if !p.segments.more() && !p.batch.more() {
			err := p.batch.receive(p.raw)
			switch {
			case err != nil && p.done.Load():
				return 0, closed(p)
			case errors.Is(err, unix.ENETDOWN):
				continue // the interface went down; it may come back
			case err != nil:
				return 0, fmt.Errorf("receive from %s: %w", p, err)
			}
		}
		n = p.hand(frames, sizes)
		if len(frames) == 0 {
			return 0, nil
		}
	}
	return n, nil
}

// hand gives out frames that are here already.
func (p *packetPort) hand(frames [][]byte, sizes []int) (n int) {
	for n < min(len(frames), len(sizes)) {
		switch {
		case p.segments.more():
			size, ok := p.segments.next(frames[n])
			if !ok {
				p.receiveDropped.Add(1)
				continue
			}
			sizes[n] = size
		case p.batch.more():
			packet, header := p.batch.next()
			if header.gso != 0 {
				if !p.segments.start(packet, header) {
					p.receiveDropped.Add(1)
				}
				continue
			}
			if len(packet) < MinFrame || len(packet) > min(MaxFrame, len(frames[n])) || !header.complete(packet) {
				p.receiveDropped.Add(1)
				continue
			}
			sizes[n] = copy(frames[n], packet)
		default:
			return n
		}
		p.countReceived(sizes[n])
		n++
	}
	return n
}

// Counters implements Port.
func (p *packetPort) Counters() Counters {
	// Reading the kernel's count of packets it had no room for clears it.
	_ = p.raw.Control(func(fd uintptr) {
		if s, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			p.receiveDropped.Add(uint64(s.Drops))
		}
	})
	return p.counters.read()
}

// Close implements Port.
func (p *packetPort) Close() error {
	if p.done.Swap(true) {
		return nil
	}
	return errors.Join(p.file.Close(), p.send.Close())
}

// String implements Port.
func (p *packetPort) String() string { return kindPacket + ":" + p.name }

// receiveBatch takes several packets with one system call.
type receiveBatch struct {
	messages  [packetBatch]mmsghdr
	vectors   [packetBatch][2]unix.Iovec
	headers   [packetBatch][virtioHeaderSize]byte
	control   [packetBatch][controlSize]byte
	packets   [packetBatch][]byte
	count, at int
	err       unix.Errno
	again     func(fd uintptr) bool
}

// mmsghdr is the kernel's struct mmsghdr.
type mmsghdr struct {
	unix.Msghdr
	length uint32
}

// auxdataSize is the kernel's struct tpacket_auxdata; controlSize the control
// message that holds one.
const auxdataSize = int(unsafe.Sizeof(unix.TpacketAuxdata{}))

var controlSpace = unix.CmsgSpace(auxdataSize)

const controlSize = 64

// vlanRoom is kept free before each packet for its VLAN tag.
const vlanRoom = 4

func (b *receiveBatch) prepare() {
	for i := range b.messages {
		b.packets[i] = make([]byte, vlanRoom+packetRoom)
		b.vectors[i][0].Base = &b.headers[i][0]
		b.vectors[i][0].SetLen(virtioHeaderSize)
		b.vectors[i][1].Base = &b.packets[i][vlanRoom]
		b.vectors[i][1].SetLen(packetRoom)
		m := &b.messages[i].Msghdr
		m.Iov = &b.vectors[i][0]
		m.SetIovlen(2)
		m.Control = &b.control[i][0]
	}
	b.again = func(fd uintptr) bool {
		for i := range b.messages {
			b.messages[i].SetControllen(controlSpace)
			b.messages[i].Flags = 0
		}
		n, _, err := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.messages[0])), packetBatch, unix.MSG_DONTWAIT, 0, 0)
		switch err {
		case 0:
			b.count = int(n)
		case unix.EAGAIN:
			return false
		case unix.EINTR:
			b.count = 0 // the caller tries again
		case unix.EINVAL:
			// A merged packet of a kind that has no description.
			b.count = 0
		default:
			b.err = err
		}
		return true
	}
}

// receive waits for packets. It may return without one.
func (b *receiveBatch) receive(raw syscall.RawConn) error {
	b.count, b.at, b.err = 0, 0, 0
	if err := raw.Read(b.again); err != nil {
		return err
	}
	if b.err != 0 {
		return b.err
	}
	return nil
}

func (b *receiveBatch) more() bool { return b.at < b.count }

// next returns the next packet, valid until receive.
func (b *receiveBatch) next() (packet []byte, header virtioHeader) {
	i := b.at
	b.at++
	size := int(b.messages[i].length) - virtioHeaderSize
	if size < MinFrame || b.messages[i].Flags&unix.MSG_TRUNC != 0 {
		return nil, virtioHeader{}
	}
	header = parseVirtioHeader(&b.headers[i])
	packet = b.packets[i][vlanRoom : vlanRoom+size]
	if tag, protocol, ok := vlanTag(b.control[i][:b.messages[i].Controllen]); ok {
		packet = insertTag(b.packets[i][:vlanRoom+size], protocol, tag)
		header.start += vlanRoom
	}
	return packet, header
}

// insertTag moves the MAC addresses forward and puts a VLAN tag behind them.
func insertTag(room []byte, protocol, tag uint16) []byte {
	copy(room, room[vlanRoom:vlanRoom+12])
	binary.BigEndian.PutUint16(room[12:], protocol)
	binary.BigEndian.PutUint16(room[14:], tag)
	return room
}

// vlanTag finds the VLAN tag in the control message of a packet.
func vlanTag(control []byte) (tag, protocol uint16, ok bool) {
	header := unix.CmsgLen(0)
	if len(control) < header+auxdataSize {
		return 0, 0, false
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	if h.Level != unix.SOL_PACKET || h.Type != unix.PACKET_AUXDATA {
		return 0, 0, false
	}
	aux := (*unix.TpacketAuxdata)(unsafe.Pointer(&control[header]))
	if aux.Status&unix.TP_STATUS_VLAN_VALID == 0 {
		return 0, 0, false
	}
	protocol = unix.ETH_P_8021Q
	if aux.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		protocol = aux.Vlan_tpid
	}
	return aux.Vlan_tci, protocol, true
}
