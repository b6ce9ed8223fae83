// SPDX-License-Identifier: Apache-2.0

//go:build race

package gateway

// raceEnabled: the race detector is on, under which the rest of the program
// allocates more.
const raceEnabled = true
