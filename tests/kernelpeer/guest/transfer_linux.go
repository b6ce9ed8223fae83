// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// receiveRoom is what a TCP receiver may have waiting: a burst that every queue
// on the way has room for, so that each packet is counted once on both sides.
const receiveRoom = 32 << 10

// small gives a TCP socket that little room, before it offers more.
func small(_, _ string, c syscall.RawConn) (err error) {
	if failed := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveRoom)
	}); failed != nil {
		return failed
	}
	return err
}

// transfer sends count bytes over TCP from one namespace to another and compares
// checksums.
func transfer(from, to *namespace, fromAddr, toAddr netip.Addr, count int, wait time.Duration) error {
	var listener *net.TCPListener
	if err := to.do(func() error {
		l, err := (&net.ListenConfig{Control: small}).Listen(context.Background(), "tcp", netip.AddrPortFrom(toAddr, 0).String())
		if err == nil {
			listener = l.(*net.TCPListener)
		}
		return err
	}); err != nil {
		return err
	}
	defer listener.Close()
	deadline := time.Now().Add(wait)
	type outcome struct {
		sum   [sha256.Size]byte
		count int64
		err   error
	}
	got := make(chan outcome, 1)
	go func() {
		var r outcome
		defer func() { got <- r }()
		_ = listener.SetDeadline(deadline)
		conn, err := listener.Accept()
		if err != nil {
			r.err = err
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(deadline)
		h := sha256.New()
		r.count, r.err = io.Copy(h, conn)
		copy(r.sum[:], h.Sum(nil))
		if r.err == nil {
			_, r.err = conn.Write([]byte("done"))
		}
	}()
	data := make([]byte, count)
	rng := rand.New(rand.NewPCG(uint64(count), 1))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	err := from.do(func() error {
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: fromAddr.AsSlice()}, Deadline: deadline}).Dial("tcp", listener.Addr().String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(deadline)
		if _, err := conn.Write(data); err != nil {
			return err
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			return err
		}
		_, err = io.ReadFull(conn, make([]byte, 4))
		return err
	})
	if err != nil {
		listener.Close()
		return fmt.Errorf("TCP transfer of %d bytes: %w", count, err)
	}
	r := <-got
	if r.err != nil || r.count != int64(count) || r.sum != sha256.Sum256(data) {
		return fmt.Errorf("TCP transfer of %d bytes: %d arrived, checksums agree: %v, error %v", count, r.count, r.sum == sha256.Sum256(data), r.err)
	}
	return nil
}

// datagrams sends UDP datagrams of different sizes, each answered with the same
// before the next but a few.
func datagrams(from, to *namespace, fromAddr, toAddr netip.Addr, sizes []int, wait time.Duration) error {
	var server, client *net.UDPConn
	if err := to.do(func() (err error) {
		server, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(toAddr, 0)))
		return err
	}); err != nil {
		return err
	}
	defer server.Close()
	go func() {
		buffer := make([]byte, 1<<16)
		for {
			n, peer, err := server.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = server.WriteToUDPAddrPort(buffer[:n], peer) // what is lost is missed there
		}
	}()
	if err := from.do(func() (err error) {
		client, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(fromAddr, 0)), server.LocalAddr().(*net.UDPAddr))
		return err
	}); err != nil {
		return err
	}
	defer client.Close()
	const window = 8
	buffer := make([]byte, 1<<16)
	for i := range len(sizes) + window {
		if i < len(sizes) {
			if _, err := client.Write(fill(sizes[i], uint16(i))); err != nil {
				return fmt.Errorf("UDP datagram of %d bytes: %w", sizes[i], err)
			}
		}
		back := i - window
		if back < 0 {
			continue
		}
		_ = client.SetReadDeadline(time.Now().Add(wait))
		n, err := client.Read(buffer)
		if err != nil || !bytes.Equal(buffer[:n], fill(sizes[back], uint16(back))) {
			return fmt.Errorf("UDP datagram %d of %d bytes: %d bytes came back, %v", back, sizes[back], n, err)
		}
	}
	return nil
}
