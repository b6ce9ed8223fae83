// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/espalier-nic/espalier/driver/pcie/vfiouser/protocol"
)

// serverPath in the environment makes the test program a server at that path, for
// benchmarks between two processes.
const serverPath = "VFIO_USER_BENCH_SERVER"

func TestMain(m *testing.M) {
	if path := os.Getenv(serverPath); path != "" {
		if err := benchServer(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// benchServer serves until standard input ends.
func benchServer(path string) error {
	c := &card{quiet: true, description: Description{Regions: []Region{{Size: 4096, Readable: true, Writable: true}}}}
	c.memory[0] = make([]byte, 4096)
	s, err := Listen(path, c, Options{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		cancel()
	}()
	fmt.Println("ready")
	return s.Serve(ctx)
}

// otherProcess starts a server in a process of its own and connects to it.
func otherProcess(b *testing.B) *protocol.Conn {
	b.Helper()
	path := socketPath(b)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverPath+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	if _, err := out.Read(make([]byte, 16)); err != nil {
		b.Fatal(err)
	}
	client := protocol.NewConn(dial(b, path).UnixConn, protocol.Options{})
	b.Cleanup(func() { client.Close() })
	call(b, client, protocol.CommandVersion, protocol.Version{Capabilities: protocol.DefaultCapabilities()}.Append(nil))
	return client
}

func call(b *testing.B, c *protocol.Conn, command protocol.Command, payload []byte) {
	b.Helper()
	reply, err := c.Call(context.Background(), command, payload, nil)
	if err != nil {
		b.Fatal(err)
	}
	reply.Release()
}

// BenchmarkRegion measures register accesses between two processes.
func BenchmarkRegion(b *testing.B) {
	read, write := regionRead(0, 0, 4), regionWrite(0, 0, 1, 2, 3, 4)
	b.Run("read", func(b *testing.B) {
		c := otherProcess(b)
		b.ReportAllocs()
		for b.Loop() {
			call(b, c, protocol.CommandRegionRead, read)
		}
	})
	b.Run("write", func(b *testing.B) {
		c := otherProcess(b)
		b.ReportAllocs()
		for b.Loop() {
			call(b, c, protocol.CommandRegionWrite, write)
		}
	})
	b.Run("posted", func(b *testing.B) {
		c := otherProcess(b)
		b.ReportAllocs()
		for b.Loop() {
			if err := c.Post(protocol.CommandRegionWrite, write, nil); err != nil {
				b.Fatal(err)
			}
		}
		call(b, c, protocol.CommandRegionRead, read) // all are carried out
	})
}

// BenchmarkDMA measures the device's accesses to shared memory against memcpy: in one
// large mapping, and in mappings of a page each, as a guest with an IOMMU makes them.
func BenchmarkDMA(b *testing.B) {
	const size, paged = 64 << 20, 1 << 32
	f := memfd(b, size)
	c := newCard(b)
	c.quiet = true
	_, client, _ := serveOn(b, c, Options{})
	client.negotiate()
	client.must(protocol.CommandDMAMap, dmaMap(0, size, 0), int(f.Fd()))
	for at := uint64(0); at < size/2; at += 4096 {
		client.must(protocol.CommandDMAMap, dmaMap(paged+at, 4096, at), int(f.Fd()))
	}
	memory, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Munmap(memory) })
	for i := 0; i < size; i += 4096 {
		memory[i] = 1
	}
	h := c.client()
	ctx := context.Background()
	for n := 64; n <= 1<<20; n *= 4 {
		p := make([]byte, n)
		for _, way := range []struct {
			name string
			do   func(at uint64) error
		}{
			{"memcpy", func(at uint64) error { copy(memory[at:], p); return nil }},
			{"read", func(at uint64) error { return h.ReadDMA(ctx, at, p) }},
			{"write", func(at uint64) error { return h.WriteDMA(ctx, at, p) }},
			{"read-pages", func(at uint64) error { return h.ReadDMA(ctx, paged+at, p) }},
			{"write-pages", func(at uint64) error { return h.WriteDMA(ctx, paged+at, p) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", way.name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := way.do(uint64(i*n) % (size / 4)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
