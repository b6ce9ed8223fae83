// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// ICMP echo (RFC 792, RFC 4443).
const (
	icmpHeaderLen = 8
	pingWindow    = 16 // pings under way at once
)

// pinger sends echo requests with raw sockets: ICMP's data of any length from 0.
type pinger struct {
	fd            int
	ipv6          bool
	id            uint16
	to            unix.Sockaddr
	request, echo byte
}

// newPinger makes one in the current namespace.
func newPinger(from, to netip.Addr, id uint16) (*pinger, error) {
	p := &pinger{ipv6: from.Is6(), id: id, request: 8, echo: 0}
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	var local unix.Sockaddr = &unix.SockaddrInet4{}
	if p.ipv6 {
		family, protocol, p.request, p.echo = unix.AF_INET6, unix.IPPROTO_ICMPV6, 128, 129
		local = &unix.SockaddrInet6{Addr: from.As16()}
		p.to = &unix.SockaddrInet6{Addr: to.As16()}
	} else {
		local = &unix.SockaddrInet4{Addr: from.As4()}
		p.to = &unix.SockaddrInet4{Addr: to.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("ping socket: %w", err)
	}
	p.fd = fd
	if err := errors.Join(unix.Bind(fd, local), unix.Connect(fd, p.to), p.dontFragment(),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000})); err != nil {
		p.close()
		return nil, fmt.Errorf("ping from %v to %v: %w", from, to, err)
	}
	return p, nil
}

// dontFragment has the kernel refuse packets that do not fit.
func (p *pinger) dontFragment() error {
	if p.ipv6 {
		return unix.SetsockoptInt(p.fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO)
	}
	return unix.SetsockoptInt(p.fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
}

func (p *pinger) close() { unix.Close(p.fd) }

// fill is the data of a ping, which tells it from others.
func fill(size int, seq uint16) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i*7) + byte(seq)
	}
	return data
}

func (p *pinger) send(size int, seq uint16) error {
	packet := append([]byte{p.request, 0, 0, 0, byte(p.id >> 8), byte(p.id), byte(seq >> 8), byte(seq)}, fill(size, seq)...)
	if !p.ipv6 { // there the kernel does it
		binary.BigEndian.PutUint16(packet[2:], checksum(packet))
	}
	_, err := unix.Write(p.fd, packet)
	return err
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xFFFF + sum>>16
	}
	return ^uint16(sum)
}

// receive takes one answer to our pings.
func (p *pinger) receive(buffer []byte) (seq uint16, data []byte, err error) {
	n, err := unix.Read(p.fd, buffer)
	if err != nil {
		return 0, nil, err
	}
	packet := buffer[:n]
	if !p.ipv6 { // raw IPv4 sockets see the IP header
		if n < 20 || n < int(packet[0]&15)*4 {
			return 0, nil, unix.EAGAIN
		}
		packet = packet[int(packet[0]&15)*4:]
	}
	if len(packet) < icmpHeaderLen || packet[0] != p.echo || binary.BigEndian.Uint16(packet[4:]) != p.id {
		return 0, nil, unix.EAGAIN // somebody else's
	}
	return binary.BigEndian.Uint16(packet[6:]), packet[icmpHeaderLen:], nil
}

// all pings once with each size and waits for each answer, which must come back
// as it was sent.
func (p *pinger) all(sizes []int, wait time.Duration) error {
	under := map[uint16]int{} // way
	buffer := make([]byte, 1<<16)
	next := 0
	for last := time.Now(); next < len(sizes) || len(under) > 0; {
		for next < len(sizes) && len(under) < pingWindow {
			if err := p.send(sizes[next], uint16(next)); err != nil {
				return fmt.Errorf("ping with %d bytes: %w", sizes[next], err)
			}
			under[uint16(next)] = sizes[next]
			next++
		}
		seq, data, err := p.receive(buffer)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			if time.Since(last) > wait {
				for _, size := range under {
					return fmt.Errorf("ping with %d bytes: no answer after %v; %d of %d are missing", size, wait, len(under), next)
				}
			}
			continue
		case err != nil:
			return fmt.Errorf("ping: %w", err)
		}
		size, ours := under[seq]
		if !ours {
			return fmt.Errorf("ping: answer %d came twice or was not asked for", seq)
		}
		if !bytes.Equal(data, fill(size, seq)) {
			return fmt.Errorf("ping with %d bytes: the answer has other data, %d bytes", size, len(data))
		}
		delete(under, seq)
		last = time.Now()
	}
	return nil
}

// longest finds the most data that fits a packet on the way: with one byte more
// the kernel refuses.
func (p *pinger) longest(wait time.Duration) (int, error) {
	for size := 1500; size > 1000; size-- {
		if err := p.all([]int{size}, wait); !errors.Is(err, unix.EMSGSIZE) {
			return size, err
		}
	}
	return 0, errors.New("not even pings with 1000 bytes fit")
}

// refuses says whether the kernel finds a ping with so much data too long. Over
// IPv6 in transport mode the kernel counts such a packet as carried by the SA all
// the same, so this comes when the counts have been read.
func refuses(from, to netip.Addr, size int) error {
	p, err := newPinger(from, to, 0)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.send(size, 0); !errors.Is(err, unix.EMSGSIZE) {
		return fmt.Errorf("ping with %d bytes, which is too long for the gateway: %v, want %w", size, err, unix.EMSGSIZE)
	}
	return nil
}
