// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package speed

import (
	"context"
	"errors"
	"fmt"
)

// MeasureDMA needs Linux, whose descriptors of memory it measures.
func MeasureDMA(context.Context, bool) ([]DMASpeed, error) {
	return nil, fmt.Errorf("DMA by descriptor: %w", errors.ErrUnsupported)
}
