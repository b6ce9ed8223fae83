// SPDX-License-Identifier: Apache-2.0

package speed

// Goal of the descriptor path: the part of memcpy's speed that it must reach in
// blocks of so many bytes or more. "At memory speed" is what was set; the figure
// is this project's own.
const (
	dmaGoal      = 0.5
	dmaGoalBlock = 64 << 10
)

// DMASpeed is how fast a vfio-user server moves a client's memory that came with a
// descriptor, in bytes a second, beside memcpy.
type DMASpeed struct {
	// Block is the bytes of one access.
	Block      int     `json:"block"`
	Read       float64 `json:"read_bytes_per_second"`
	ReadCopy   float64 `json:"read_memcpy_bytes_per_second"`
	Write      float64 `json:"write_bytes_per_second"`
	WriteCopy  float64 `json:"write_memcpy_bytes_per_second"`
	ReadRatio  float64 `json:"read_ratio"`
	WriteRatio float64 `json:"write_ratio"`
	Goal       float64 `json:"ratio_goal,omitempty"`
	Verdict    Verdict `json:"verdict,omitempty"`
}
