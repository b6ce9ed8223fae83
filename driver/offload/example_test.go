// SPDX-License-Identifier: Apache-2.0

package offload_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/espalier-nic/espalier/driver"
	"github.com/espalier-nic/espalier/driver/offload"
	"github.com/espalier-nic/espalier/hwmodel/nic"
)

// The life of an SA: the configuration is read, the encapsulation set, an SA
// added, refused, and deleted.
func Example() {
	ctx := context.Background()
	fn, err := nic.New(nic.Options{})
	if err != nil {
		panic(err)
	}
	n, err := driver.Open(ctx, fn, driver.Options{})
	if err != nil {
		panic(err)
	}
	keywords, err := offload.ParseKeywords(map[string]string{"*IPsecOffloadV2": "3"})
	if err != nil {
		panic(err)
	}
	adapter, err := offload.New(ctx, n, offload.Options{Keywords: &keywords})
	if err != nil {
		panic(err)
	}
	defer func() { _ = adapter.Halt(ctx) }()
	adapter.Subscribe(func(i offload.Indication) {
		fmt.Println(i.Status, "capacity", i.Offload.IPsecV2.SAOffloadCapacity)
	})
	fmt.Println(adapter.CurrentConfiguration().IPsecV2.EncryptionAlgorithms)
	if err := adapter.SetEncapsulation(ctx, offload.EthernetOn); err != nil {
		panic(err)
	}

	sa := &offload.AddSA{
		NumExtHdrs: 1,
		Src:        netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"),
		SecAssoc: [2]offload.SecurityAssociation{{
			Operation: offload.OperationESP, SPI: 0x1001,
			Encryption: offload.AlgorithmInfo{Identifier: uint32(offload.EncryptionAESGCM128), KeyLength: 20, AdditionalInfo: 16},
		}},
		KeyData: make(driver.Key, 20), // key and salt
	}
	if err := adapter.AddSA(ctx, sa); err != nil {
		panic(err)
	}
	fmt.Println("offloaded:", sa.OffloadHandle != 0)

	sa.SecAssoc[0].Encryption.KeyLength = 16
	fmt.Println(adapter.AddSA(ctx, sa))

	fmt.Println(offload.StatusOf(adapter.DeleteSA(ctx, 12345)))
	// Output:
	// AES-GCM-128, AES-GCM-192, AES-GCM-256
	// NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG capacity 1024
	// offloaded: true
	// add SA: SecAssoc[0].EncryptionAlgorithm.KeyLength 16 bytes is refused, allowed: 20 bytes: a key of 16 and a salt of 4 (NDIS_STATUS_INVALID_DATA)
	// NDIS_STATUS_INVALID_PARAMETER
}
