// SPDX-License-Identifier: Apache-2.0

// A program that the tests build without a dynamic loader and run in the guest:
// it says on both outputs, byte by byte, what it was told, and exits as told.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
)

func main() {
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
