// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package client

import (
	"errors"
	"net"
	"time"
)

// maxFDs is how many descriptors one message from the server may carry.
const maxFDs = 16

var (
	errAgain       = errors.New("would block")
	errUnsupported = errors.New("vfio-user clients run on Linux only")
)

// socket cannot be had on this operating system.
type socket struct{}

func dial(string, time.Duration) (*socket, error) { return nil, errUnsupported }

func duplicate(*net.UnixConn) (*socket, error) { return nil, errUnsupported }

func (*socket) send(_, _ []byte, _ []int, _ bool) (int, error) { return 0, errUnsupported }

func (*socket) recv([]byte, bool) (int, []int, error) { return 0, nil, errUnsupported }

func (*socket) await() error { return errUnsupported }

func (*socket) shutdown() {}

func (*socket) close() {}

func closeFDs([]int) {}

func mapShared(int, uint64, uint64, bool, bool) ([]byte, error) { return nil, errUnsupported }

func unmap([]byte) error { return errUnsupported }
