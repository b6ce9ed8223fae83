// SPDX-License-Identifier: Apache-2.0

// Command mkimage makes an image from a linked program: mkimage PROGRAM IMAGE.
// The program is the memory from address 0 (objcopy -O binary), header included;
// its length and the CRC are filled in.
package main

import (
	"fmt"
	"os"

	"github.com/espalier-nic/espalier/firmware"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mkimage:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%d arguments instead of PROGRAM and IMAGE", len(args))
	}
	program, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	image, err := firmware.Seal(program)
	if err != nil {
		return err
	}
	return os.WriteFile(args[1], image, 0o644)
}
