// SPDX-License-Identifier: Apache-2.0

package protocol

import "fmt"

// Command says what a message asks for, or which command it answers.
type Command uint16

// The commands. All are the client's but DMARead and DMAWrite, which are the
// server's. 14 is retired.
const (
	CommandVersion        Command = 1
	CommandDMAMap         Command = 2
	CommandDMAUnmap       Command = 3
	CommandDeviceInfo     Command = 4
	CommandRegionInfo     Command = 5
	CommandRegionIOFDs    Command = 6
	CommandIRQInfo        Command = 7
	CommandSetIRQs        Command = 8
	CommandRegionRead     Command = 9
	CommandRegionWrite    Command = 10
	CommandDMARead        Command = 11
	CommandDMAWrite       Command = 12
	CommandDeviceReset    Command = 13
	CommandWriteMulti     Command = 15
	CommandDeviceFeature  Command = 16
	CommandMigrationRead  Command = 17
	CommandMigrationWrite Command = 18
)

var commandNames = map[Command]string{
	CommandVersion:        "VERSION",
	CommandDMAMap:         "DMA_MAP",
	CommandDMAUnmap:       "DMA_UNMAP",
	CommandDeviceInfo:     "DEVICE_GET_INFO",
	CommandRegionInfo:     "DEVICE_GET_REGION_INFO",
	CommandRegionIOFDs:    "DEVICE_GET_REGION_IO_FDS",
	CommandIRQInfo:        "DEVICE_GET_IRQ_INFO",
	CommandSetIRQs:        "DEVICE_SET_IRQS",
	CommandRegionRead:     "REGION_READ",
	CommandRegionWrite:    "REGION_WRITE",
	CommandDMARead:        "DMA_READ",
	CommandDMAWrite:       "DMA_WRITE",
	CommandDeviceReset:    "DEVICE_RESET",
	CommandWriteMulti:     "REGION_WRITE_MULTI",
	CommandDeviceFeature:  "DEVICE_FEATURE",
	CommandMigrationRead:  "MIG_DATA_READ",
	CommandMigrationWrite: "MIG_DATA_WRITE",
}

// String returns the protocol's name of the command.
func (c Command) String() string {
	if name, ok := commandNames[c]; ok {
		return name
	}
	return fmt.Sprintf("command %d", uint16(c))
}

// PCI devices number their regions as VFIO does.
const (
	RegionBAR0   = 0
	RegionBAR5   = 5
	RegionROM    = 6
	RegionConfig = 7
	RegionVGA    = 8
	// PCIRegions is the number of regions that every PCI device has.
	PCIRegions = 9
)

// PCI devices number their interrupt indices as VFIO does.
const (
	IRQIntx    = 0
	IRQMSI     = 1
	IRQMSIX    = 2
	IRQError   = 3
	IRQRequest = 4
	// PCIIRQs is the number of interrupt indices that every PCI device has.
	PCIIRQs = 5
)
