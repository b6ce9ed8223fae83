// SPDX-License-Identifier: Apache-2.0

package mmio

// Device memory is mapped uncached: the processor keeps loads and stores to it
// in order with all others (Intel SDM volume 3, 12.2 and 12.3).

func beforeStore() {}

func afterLoad() {}
