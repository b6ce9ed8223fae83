// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
)

// Who does the IPsec in B.
const (
	peerKernel  = "kernel"
	peerGateway = "gateway"
)

// Interfaces of the plain sides, and of the wire of a NIC in the gateway's own
// program.
const (
	tapA     = "esp0"
	tapB     = "esp1"
	vethA    = "wire0"
	vethB    = "wire1"
	inMemory = "gonic"
)

// lab is the two namespaces.
type lab struct {
	options
	a, b *namespace
	// linkB is B's interface at the other end of the NIC's wire; "" if a
	// gateway makes it.
	linkB string
	// wireA and wireB are what gateways in A and B have as --wire; "": a card.
	wireA, wireB string
	// turn counts the kinds tried: where not all sizes are pinged, those of the
	// next kind are others.
	turn int
	// longest is the most data of a ping that fits, for the SA of now.
	longest int
}

func newLab(o options) (l *lab, err error) {
	l = &lab{options: o}
	if o.device == "" {
		return nil, errors.New("no NIC is named; --device names one, such as gonic")
	}
	if l.a, err = newNamespace("A"); err != nil {
		return nil, err
	}
	if l.b, err = newNamespace("B"); err != nil {
		return nil, err
	}
	kind, _, _ := strings.Cut(o.device, ":")
	inProcess := kind == inMemory || kind == "sim"
	switch {
	case o.peer == peerGateway && inProcess:
		socket := filepath.Join(o.folder, "wire")
		l.wireA, l.wireB = "stream-listen:"+socket, "stream:"+socket
	case o.peer == peerGateway:
		return l, l.takeLink(func() { l.wireB, l.linkB = "packet:"+o.link, "" })
	case inProcess:
		l.wireA, l.linkB = "packet:"+vethA, vethB
		return l, l.makeVeth()
	default:
		return l, l.takeLink(func() { l.linkB = o.link })
	}
	return l, nil
}

// makeVeth joins A and B.
func (l *lab) makeVeth() error {
	return l.a.do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = vethA
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: vethB, PeerNamespace: netlink.NsFd(int(l.b.file.Fd()))}); err != nil {
			return fmt.Errorf("make veth: %w", err)
		}
		return up(vethA)
	})
}

// takeLink moves the interface at the other end of the card's wire to B.
func (l *lab) takeLink(done func()) error {
	link, err := netlink.LinkByName(l.link)
	if err == nil {
		err = netlink.LinkSetNsFd(link, int(l.b.file.Fd()))
	}
	if err != nil {
		return fmt.Errorf("move interface %s to B: %w; --link names the interface at the other end of the card's wire", l.link, err)
	}
	done()
	if l.wireB == "" {
		return nil
	}
	return l.b.do(func() error { return up(l.link) }) // for a packet socket
}

func (l *lab) close() {
	for _, ns := range []*namespace{l.a, l.b} {
		ns.file.Close()
	}
}

// try does everything with one kind of SA.
func (l *lab) try(k kind) (summary string, err error) {
	a, b := k.sides()
	gwA, err := startGateway(l.a, l.options, "gateway-A", k.configuration(false), tapA, l.device, l.wireA)
	if err != nil {
		return "", err
	}
	running := []*gatewayProcess{gwA}
	defer func() {
		for _, g := range running {
			g.kill()
		}
		err = errors.Join(err, l.tidy())
	}()
	link := l.linkB
	if l.peer == peerGateway {
		gwB, err := startGateway(l.b, l.options, "gateway-B", k.configuration(true), tapB, inMemory, l.wireB)
		if err != nil {
			return "", err
		}
		running, link = append(running, gwB), tapB
	} else if err := l.b.do(func() error { return setKernel(k) }); err != nil {
		return "", err
	}
	if err := l.a.do(func() error { return connect(k, tapA, a, b) }); err != nil {
		return "", err
	}
	if err := l.b.do(func() error { return connect(k, link, b, a) }); err != nil {
		return "", err
	}
	carried, err := l.traffic(a, b)
	if err != nil {
		return "", fmt.Errorf("%w%s", err, l.clues(running))
	}
	counted, err := l.compare(&running)
	if err != nil {
		return "", err
	}
	if l.peer == peerKernel {
		if err := l.b.do(func() error { return refuses(b.inner, a.inner, l.longest+1) }); err != nil {
			return "", err
		}
	}
	return carried + ", " + counted, nil
}

// clues are what gateways and kernel have to say when something does not work.
func (l *lab) clues(running []*gatewayProcess) string {
	var text strings.Builder
	for _, g := range running {
		if said := strings.TrimSpace(g.said()); said != "" {
			fmt.Fprintf(&text, "; %s says: %s", g.name, said)
		}
	}
	if l.peer == peerKernel {
		_ = l.b.do(func() error { // what cannot be read is no clue
			wrong, err := kernelErrors()
			counts, _ := kernelTraffic()
			fmt.Fprintf(&text, "; kernel: %v %v %v", wrong, err, counts)
			return nil
		})
	}
	return text.String()
}

// tidy makes the namespaces as they were.
func (l *lab) tidy() error {
	return errors.Join(
		l.a.do(func() error { return disconnect(tapA) }),
		l.b.do(func() error {
			if l.peer == peerKernel {
				if err := clearKernel(); err != nil {
					return err
				}
			}
			return disconnect(l.linkB)
		}))
}

// traffic sends everything both ways.
func (l *lab) traffic(a, b side) (summary string, err error) {
	type direction struct {
		from, to *namespace
		src, dst side
	}
	pings, longest := 0, 0
	for i, d := range []direction{{l.a, l.b, a, b}, {l.b, l.a, b, a}} {
		var p *pinger
		if err := d.from.do(func() (err error) { p, err = newPinger(d.src.inner, d.dst.inner, uint16(os.Getpid()+i)); return err }); err != nil {
			return "", err
		}
		defer p.close()
		if err := p.all([]int{0}, l.wait); err != nil { // and who is where gets known
			return "", fmt.Errorf("first ping from %s: %w", d.from.name, err)
		}
		if i == 0 {
			if longest, err = p.longest(l.wait); err != nil {
				return "", fmt.Errorf("from %s: %w", d.from.name, err)
			}
		}
		var sizes []int
		for size := 0; size <= longest; size++ {
			if (size+l.turn)%l.sizes == 0 || size < 16 || size > longest-16 {
				sizes = append(sizes, size)
			}
		}
		if err := p.all(sizes, l.wait); err != nil {
			return "", fmt.Errorf("from %s: %w", d.from.name, err)
		}
		pings += len(sizes) + 1
		if err := transfer(d.from, d.to, d.src.inner, d.dst.inner, l.bytes, 10*l.wait); err != nil {
			return "", fmt.Errorf("from %s: %w", d.from.name, err)
		}
		// The headers of ping and UDP are equally long.
		if err := datagrams(d.from, d.to, d.src.inner, d.dst.inner, []int{0, 1, 2, 3, 4, 5, 100, 512, 999, 1200, longest - 1, longest, 7, longest, 0, 64}, l.wait); err != nil {
			return "", fmt.Errorf("from %s: %w", d.from.name, err)
		}
	}
	l.longest = longest
	l.turn++
	return fmt.Sprintf("%d pings of 0 to %d bytes, 2 TCP transfers of %d bytes, 32 UDP datagrams", pings, longest, l.bytes), nil
}

// settle waits until nothing is under way any more, such as TCP's last
// acknowledgements.
func (l *lab) settle() error {
	const quiet = 40 // looks, 5 ms apart
	var last string
	same := 0
	return eventually(l.wait, "traffic ends", func() (bool, error) {
		now := ""
		for _, end := range []struct {
			ns   *namespace
			link string
		}{{l.a, tapA}, {l.b, l.linkB}} {
			if end.link == "" {
				end.link = tapB
			}
			err := end.ns.do(func() error {
				link, err := netlink.LinkByName(end.link)
				if err == nil {
					s := link.Attrs().Statistics
					now += fmt.Sprintf("%d received, %d sent; ", s.RxPackets, s.TxPackets)
				}
				return err
			})
			if err != nil {
				return false, err
			}
		}
		if same++; now != last {
			last, same = now, 0
		}
		return same == quiet, nil
	})
}

// compare ends the gateways and compares what both sides have counted.
func (l *lab) compare(running *[]*gatewayProcess) (summary string, err error) {
	var theirs map[uint32]traffic
	var wrong []string
	if err := l.settle(); err != nil {
		return "", err
	}
	if l.peer == peerKernel {
		err := l.b.do(func() (err error) {
			if theirs, err = kernelTraffic(); err == nil {
				wrong, err = kernelErrors()
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	var mine map[uint32]traffic
	for len(*running) > 0 {
		g := (*running)[len(*running)-1]
		*running = (*running)[:len(*running)-1]
		stats, err := g.stop()
		if err != nil {
			return "", err
		}
		wrong = append(wrong, faults(g.name, stats)...)
		if len(*running) > 0 {
			theirs = gatewayTraffic(stats)
		} else {
			mine = gatewayTraffic(stats)
		}
	}
	if err := l.a.do(func() error {
		if _, err := netlink.LinkByName(tapA); err == nil {
			return fmt.Errorf("the gateway has left %s behind", tapA)
		}
		return nil
	}); err != nil {
		return "", err
	}
	for _, spi := range []uint32{spiAtoB, spiBtoA} {
		if mine[spi] != theirs[spi] || mine[spi].packets == 0 {
			wrong = append(wrong, fmt.Sprintf("SA %#x: the gateway counts %+v, its peer %+v", spi, mine[spi], theirs[spi]))
		}
	}
	if len(wrong) > 0 {
		return "", errors.New(strings.Join(wrong, "; "))
	}
	return fmt.Sprintf("%d packets to B and %d to A with %d and %d bytes, counted alike", mine[spiAtoB].packets, mine[spiBtoA].packets, mine[spiAtoB].bytes, mine[spiBtoA].bytes), nil
}
