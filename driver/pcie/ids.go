// SPDX-License-Identifier: Apache-2.0

package pcie

// Identity of an Espalier NIC in configuration space. Vendor 0x1234 is not
// assigned by the PCI-SIG and is what several emulated and open designs use;
// who builds a product puts an assigned pair into the FPGA's PCIe block and
// names it in the driver's options.
const (
	// VendorID is the default vendor and subsystem vendor.
	VendorID uint16 = 0x1234
	// DeviceID is the default device and subsystem ID: "EP".
	DeviceID uint16 = 0x4550
	// ClassCode is base class 02 (network), subclass 00 (Ethernet).
	ClassCode uint32 = 0x020000
	// RegisterBAR is the BAR that holds the registers of regs/espalier.rdl.
	RegisterBAR = 0
	// RegisterBARSize is the size of that BAR in bytes.
	RegisterBARSize uint64 = 256 << 10
)

// Offsets and values of configuration space that software needs (PCI Local Bus
// Specification 3.0, section 6.1 and appendix H; PCI Express Base 5.0, 7.5).
const (
	ConfigVendorID          = 0x00 // 16 bits
	ConfigDeviceID          = 0x02 // 16 bits
	ConfigCommand           = 0x04 // 16 bits
	ConfigStatus            = 0x06 // 16 bits
	ConfigRevision          = 0x08 // 8 bits
	ConfigClass             = 0x09 // 24 bits
	ConfigHeaderType        = 0x0E // 8 bits
	ConfigBAR0              = 0x10 // six of 32 bits
	ConfigSubsystemVendorID = 0x2C // 16 bits
	ConfigSubsystemID       = 0x2E // 16 bits
	ConfigCapabilities      = 0x34 // 8 bits: offset of the first capability

	// CommandMemory lets BARs answer, CommandBusMaster lets the device access
	// host memory and send MSI-X messages.
	CommandMemory    = 1 << 1
	CommandBusMaster = 1 << 2
	// StatusCapabilities says that ConfigCapabilities is meaningful.
	StatusCapabilities = 1 << 4

	// Capability identifiers.
	CapabilityPowerManagement = 0x01
	CapabilityMSI             = 0x05
	CapabilityExpress         = 0x10
	CapabilityMSIX            = 0x11
)
