// SPDX-License-Identifier: Apache-2.0

package endpoint

import "encoding/binary"

// configSize is the size of a PCI Express function's configuration space.
const configSize = 4096

// OffsetMSIXControl is the offset in configuration space of the 16-bit control
// word of the MSI-X capability.
const OffsetMSIXControl = offsetMSIXMC

// Offsets in configuration space. The capabilities come after the header in
// the order power management, MSI-X, PCI Express.
const (
	offsetVendor        = 0x00
	offsetDevice        = 0x02
	offsetCommand       = 0x04
	offsetStatus        = 0x06
	offsetRevision      = 0x08
	offsetClass         = 0x09
	offsetCacheLine     = 0x0C
	offsetBAR0          = 0x10
	offsetSubVendor     = 0x2C
	offsetSubsystem     = 0x2E
	offsetCapabilities  = 0x34
	offsetInterruptLine = 0x3C

	offsetPM     = 0x40
	offsetPMCSR  = offsetPM + 4
	offsetMSIX   = 0x50
	offsetMSIXMC = offsetMSIX + 2

	offsetPCIe       = 0x60
	offsetDevControl = offsetPCIe + 0x08
)

const (
	commandMemory      = 1 << 1
	commandMaster      = 1 << 2
	commandParity      = 1 << 6
	commandSERR        = 1 << 8
	commandINTxDisable = 1 << 10

	statusCapabilities = 1 << 4
	statusErrors       = 0xF900 // write 1 to clear

	capabilityPM   = 0x01
	capabilityPCIe = 0x10
	capabilityMSIX = 0x11

	pmVersion     = 3      // power management specification 1.2
	pmNoSoftReset = 1 << 3 // D3hot keeps the function's state
	pmState       = 3

	barMemory64 = 4 // memory, 64-bit, not prefetchable

	msixEnable       = 1 << 15
	msixFunctionMask = 1 << 14

	pcieVersion      = 2
	pcieEndpoint     = 0 << 4
	deviceRoleBased  = 1 << 15
	deviceFLR        = 1 << 28
	devicePayload256 = 1
	controlFLR       = 1 << 15
	controlErrors    = 0x000F // error reporting enables
	controlRelaxed   = 1 << 4
	controlPayload   = 7 << 5
	controlNoSnoop   = 1 << 11
	controlReadSize  = 7 << 12
	controlRead512   = 2 << 12
	deviceErrors     = 0x000F // write 1 to clear

	linkSpeed8GT       = 3
	linkWidth8         = 8 << 4
	linkASPM           = 3
	linkReadBoundary   = 1 << 3
	linkCommonClock    = 1 << 6
	linkExtendedSynch  = 1 << 7
	timeoutDisableable = 1 << 4
	timeoutDisable     = 1 << 4
)

// configSpace is the bytes of configuration space with, for each bit, whether
// a write changes it or a written 1 clears it. All other bits are read-only.
type configSpace struct {
	value, writable, clearable [configSize]byte
}

func newConfigSpace(config *Config, msix msixLayout) configSpace {
	var s configSpace
	s.set16(offsetVendor, config.VendorID)
	s.set16(offsetDevice, config.DeviceID)
	s.allow16(offsetCommand, commandMemory|commandMaster|commandParity|commandSERR|commandINTxDisable)
	s.set16(offsetStatus, statusCapabilities)
	binary.LittleEndian.PutUint16(s.clearable[offsetStatus:], statusErrors)
	s.value[offsetRevision] = config.Revision
	s.value[offsetClass] = byte(config.Class)
	s.set16(offsetClass+1, uint16(config.Class>>8))
	s.writable[offsetCacheLine] = 0xFF // kept for software's sake, no effect (7.5.1.1.7)
	for number, size := range map[int]uint64{0: config.BAR0, 2: config.BAR2, MSIXBAR: msix.size} {
		s.addBAR(number, size)
	}
	s.set16(offsetSubVendor, config.SubsystemVendorID)
	s.set16(offsetSubsystem, config.SubsystemID)
	s.value[offsetCapabilities] = offsetPM
	s.writable[offsetInterruptLine] = 0xFF

	s.value[offsetPM] = capabilityPM
	s.value[offsetPM+1] = offsetMSIX
	s.set16(offsetPM+2, pmVersion)
	s.set16(offsetPMCSR, pmNoSoftReset)
	s.allow16(offsetPMCSR, pmState)

	s.value[offsetMSIX] = capabilityMSIX
	s.value[offsetMSIX+1] = offsetPCIe
	s.set16(offsetMSIXMC, uint16(config.Vectors-1))
	s.allow16(offsetMSIXMC, msixEnable|msixFunctionMask)
	s.set32(offsetMSIX+4, MSIXBAR)
	s.set32(offsetMSIX+8, uint32(msix.pbaOffset)|MSIXBAR)

	s.addPCIe()
	return s
}

// addBAR makes the register pair of a 64-bit memory BAR; without size it is
// all zeros, no BAR.
func (s *configSpace) addBAR(number int, size uint64) {
	if size == 0 {
		return
	}
	at := offsetBAR0 + 4*number
	s.set32(at, barMemory64)
	binary.LittleEndian.PutUint64(s.writable[at:], ^(size - 1))
}

// addPCIe makes the PCI Express capability (7.5.3): an endpoint on an 8-lane
// 8 GT/s link. The link is a figure only, nothing here takes its time.
func (s *configSpace) addPCIe() {
	s.value[offsetPCIe] = capabilityPCIe
	s.value[offsetPCIe+1] = 0 // last in the list
	s.set16(offsetPCIe+0x02, pcieVersion|pcieEndpoint)
	s.set32(offsetPCIe+0x04, devicePayload256|deviceRoleBased|deviceFLR)
	s.set16(offsetDevControl, controlRelaxed|controlNoSnoop|controlRead512)
	s.allow16(offsetDevControl, controlErrors|controlRelaxed|controlPayload|controlNoSnoop|controlReadSize|controlFLR)
	binary.LittleEndian.PutUint16(s.clearable[offsetPCIe+0x0A:], deviceErrors)
	s.set32(offsetPCIe+0x0C, linkSpeed8GT|linkWidth8)
	s.allow16(offsetPCIe+0x10, linkASPM|linkReadBoundary|linkCommonClock|linkExtendedSynch)
	s.set16(offsetPCIe+0x12, linkSpeed8GT|linkWidth8)
	s.set32(offsetPCIe+0x24, timeoutDisableable)
	s.allow16(offsetPCIe+0x28, timeoutDisable)
	s.set32(offsetPCIe+0x2C, 0b111<<1) // 2.5, 5 and 8 GT/s
	s.set16(offsetPCIe+0x30, linkSpeed8GT)
	s.allow16(offsetPCIe+0x30, 0xF)
}

func (s *configSpace) set16(offset int, v uint16) {
	binary.LittleEndian.PutUint16(s.value[offset:], v)
}

func (s *configSpace) set32(offset int, v uint32) {
	binary.LittleEndian.PutUint32(s.value[offset:], v)
}

func (s *configSpace) get16(offset int) uint16 {
	return binary.LittleEndian.Uint16(s.value[offset:])
}

func (s *configSpace) allow16(offset int, bits uint16) {
	binary.LittleEndian.PutUint16(s.writable[offset:], bits)
}

func (s *configSpace) read(offset, width int) uint32 {
	var v uint32
	for i := range width {
		v |= uint32(s.value[offset+i]) << (8 * i)
	}
	return v
}

func (s *configSpace) write(offset, width int, value uint32) {
	for i := range width {
		at, b := offset+i, byte(value>>(8*i))
		s.value[at] = s.value[at]&^s.writable[at] | b&s.writable[at]
		s.value[at] &^= b & s.clearable[at]
	}
}

// resetRequested says whether Initiate Function Level Reset was written. The
// reset that follows clears it: the bit always reads 0.
func (s *configSpace) resetRequested() bool { return s.get16(offsetDevControl)&controlFLR != 0 }

func (s *configSpace) setCommand(bits uint16) {
	s.set16(offsetCommand, s.get16(offsetCommand)|bits)
}

func (s *configSpace) enableMSIX(on bool) {
	control := s.get16(offsetMSIXMC) &^ (msixEnable | msixFunctionMask)
	if on {
		control |= msixEnable
	}
	s.set16(offsetMSIXMC, control)
}

// operational says whether the power state is D0.
func (s *configSpace) operational() bool { return s.get16(offsetPMCSR)&pmState == 0 }

func (s *configSpace) memoryEnabled() bool {
	return s.get16(offsetCommand)&commandMemory != 0 && s.operational()
}

func (s *configSpace) busMaster() bool {
	return s.get16(offsetCommand)&commandMaster != 0 && s.operational()
}

func (s *configSpace) msixEnabled() bool { return s.get16(offsetMSIXMC)&msixEnable != 0 }

func (s *configSpace) msixMasked() bool { return s.get16(offsetMSIXMC)&msixFunctionMask != 0 }
