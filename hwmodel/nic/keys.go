// SPDX-License-Identifier: Apache-2.0

package nic

import "github.com/espalier-nic/espalier/regs"

// KeySlots returns how many SA slots hold key material, counting the SA window
// as one while a key or salt is in it. It is what a back-door peek is for RTL:
// the NIC's own state, also after Close.
func (n *NIC) KeySlots() (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.sa.slots {
		if n.sa.slots[i].sa != nil {
			count++
		}
	}
	secret := n.sa.record[regs.SARecordSaltWord]
	for _, w := range n.sa.record[regs.SARecordKeyWord:] {
		secret |= w
	}
	if secret != 0 {
		count++
	}
	return count
}
