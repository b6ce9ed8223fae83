// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package protocol

// Descriptors do not travel here; a connection can carry messages only.
const (
	controlSize      = 0
	controlTruncated = 0
)

func appendDescriptors(fds Descriptors, _ []byte) (Descriptors, error) { return fds, nil }

func controlMessage([]int) []byte { return nil }

func closeDescriptor(int) {}
