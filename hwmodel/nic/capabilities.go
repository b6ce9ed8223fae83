// SPDX-License-Identifier: Apache-2.0

package nic

import "github.com/espalier-nic/espalier/regs"

// Bits of the IPsecOV2 capability masks that the NIC has.
const (
	encryptionGCM         = 0x08 | 0x10 | 0x20 // AES-GCM-128, -192, -256
	icv16                 = 1 << 0
	encapsulationEthernet = 2
)

// composed are read-only registers whose fields say what the NIC is.
func composed(fields map[string]uint32) (v uint32) {
	for name, value := range fields {
		f := field(name)
		v = f.Insert(v, value)
	}
	return v
}

// capability reads the identity and capability registers.
func (n *NIC) capability(offset uint64) uint32 {
	switch offset {
	case regs.IDOffset, regs.VersionOffset, regs.LayoutOffset, regs.LayoutCpOffset:
		return constants[offset]
	case regs.BuildIDOffset:
		return 0
	case regs.CapSizeOffset:
		return composed(map[string]uint32{
			"cap_size.num_txq": uint32(len(n.tx)), "cap_size.num_rxq": uint32(len(n.rx)),
			"cap_size.num_vectors": uint32(len(n.vectors)), "cap_size.lanes": 1,
		})
	case regs.CapSAOffset:
		return composed(map[string]uint32{"cap_sa.capacity": uint32(len(n.sa.slots))})
	case regs.CapAlgOffset:
		return composed(map[string]uint32{"cap_alg.encryption": encryptionGCM, "cap_alg.icv": icv16})
	case regs.CapFeatureOffset:
		return composed(map[string]uint32{
			"cap_feature.ipv4": 1, "cap_feature.ipv6": 1, "cap_feature.esp": 1, "cap_feature.transport": 1, "cap_feature.tunnel": 1,
			"cap_feature.esn": 1, "cap_feature.encapsulation": encapsulationEthernet, "cap_feature.loopback": 1,
			"cap_feature.control_processor": bit(n.cp != nil),
		})
	case regs.CapRingOffset:
		return composed(map[string]uint32{"cap_ring.min_log2": minRingLog2, "cap_ring.max_log2": maxRingLog2, "cap_ring.prefetch": prefetch})
	case regs.CapFrameOffset:
		return composed(map[string]uint32{"cap_frame.max_frame": uint32(n.opts.MaxFrame)})
	case regs.CapClockOffset:
		return composed(map[string]uint32{"cap_clock.mhz": clockMHz})
	}
	return busError
}

// constants are the registers that are the same in every NIC.
var constants = func() map[uint64]uint32 {
	values := make(map[uint64]uint32)
	for _, name := range []string{"id", "version", "layout", "layout_cp"} {
		ref := lookup(name)
		values[ref.Offset()], _ = ref.Register.Reset()
	}
	return values
}()
