// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "kernelpeer: network namespaces and the kernel's IPsec need Linux")
	os.Exit(2)
}
