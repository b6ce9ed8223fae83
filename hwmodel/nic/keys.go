// SPDX-License-Identifier: Apache-2.0

package nic

import "github.com/espalier-nic/espalier/regs"

// KeySlots returns in how many places the NIC holds key material: SA slots, the
// SA window and the mailbox's command slots. It is what a back-door peek is for
// RTL: the NIC's own state, also after Close.
func (n *NIC) KeySlots() (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.sa.slots {
		if n.sa.slots[i].sa != nil {
			count++
		}
	}
	if secret(n.sa.record[regs.SARecordSaltWord], n.sa.record[regs.SARecordKeyWord:]) {
		count++
	}
	if n.cp == nil {
		return count
	}
	for i := range n.cp.mailbox.commands {
		command := &n.cp.mailbox.commands[i]
		if secret(command[regs.MailboxCommandSaltWord], command[regs.MailboxCommandKeyWord:regs.MailboxCommandUnusedWord]) {
			count++
		}
	}
	return count
}

// secret says whether a salt and a key are not all zero.
func secret(salt uint32, key []uint32) bool {
	for _, w := range key {
		salt |= w
	}
	return salt != 0
}
