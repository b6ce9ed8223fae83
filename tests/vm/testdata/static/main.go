// SPDX-License-Identifier: Apache-2.0

// A program that the tests build without a dynamic loader and run in the guest:
// it says on both outputs, byte by byte, what it was told, and exits as told; or
// sends a frame on a network interface.
package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Args[1] == "send" {
		frame, err := hex.DecodeString(os.Args[3])
		if err == nil {
			err = send(os.Args[2], frame)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(input)
	for i := range 256 {
		os.Stderr.Write([]byte{byte(i)})
	}
	for name, text := range map[string]string{"back": "written in the guest\n", "/usr/espalier-test": "never seen here\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 99
		}
	}
	if os.Getenv("ESPALIER_VM") != "1" || os.Getenv("EXTRA") != "a b" {
		fmt.Fprintln(os.Stderr, "environment:", os.Environ())
		code = 98
	}
	os.Exit(code)
}

// send sends a frame on the interface, which it sets up.
func send(name string, frame []byte) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return err
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	index := int(request.Uint32())
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: index})
}
