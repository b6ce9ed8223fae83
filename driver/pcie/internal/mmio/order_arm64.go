// SPDX-License-Identifier: Apache-2.0

package mmio

// beforeStore makes earlier stores visible to devices (DMB OSHST).
func beforeStore()

// afterLoad keeps later loads behind earlier ones from devices (DMB OSHLD).
func afterLoad()
