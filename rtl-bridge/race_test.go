// SPDX-License-Identifier: Apache-2.0

//go:build race

package rtlbridge

// raceEnabled: the race detector is on, under which sync.Pool, and so a call
// through purego, now and then allocates.
const raceEnabled = true
