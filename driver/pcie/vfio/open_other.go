// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package vfio

import (
	"fmt"

	"github.com/espalier-nic/espalier/driver/pcie"
	"github.com/espalier-nic/espalier/driver/pcie/internal/sentence"
)

// Open opens nothing: VFIO is Linux's.
func Open(address string, _ Options) (pcie.Function, error) {
	return nil, &sentence.Error{
		Text:  fmt.Sprintf("%s: VFIO needs Linux; elsewhere use --device vfio-user:SOCKET", address),
		Kinds: []error{ErrUnsupported},
	}
}

// Binding is a function that was bound to vfio-pci.
type Binding struct{}

// Bind binds nothing: VFIO is Linux's.
func Bind(address string) (*Binding, error) {
	return nil, fmt.Errorf("bind %s to vfio-pci: %w", address, ErrUnsupported)
}

// Restore does nothing.
func (b *Binding) Restore() error { return nil }

// Unbind unbinds nothing.
func Unbind(address string) error {
	return fmt.Errorf("unbind %s from vfio-pci: %w", address, ErrUnsupported)
}
