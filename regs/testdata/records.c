/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints, one per line in hexadecimal, the bytes of records filled through the generated header, and the
 * register values that its macros make. c_test.go knows what they must be.
 */
#include "espalier_regs.h"

#include <stdio.h>
#include <string.h>

static void print_bytes(const void *record, size_t size)
{
    const unsigned char *bytes = record;
    for (size_t i = 0; i < size; i++) {
        printf("%02x", bytes[i]);
    }
    printf("\n");
}

int main(void)
{
    struct espalier_tx_descriptor tx;
    memset(&tx, 0xff, sizeof tx);
    espalier_tx_descriptor_set_addr(&tx, 0x1122334455667788u);
    espalier_tx_descriptor_set_length(&tx, 1518);
    espalier_tx_descriptor_set_esp_offset(&tx, 34);
    espalier_tx_descriptor_set_ipsec(&tx, 1);
    espalier_tx_descriptor_set_report(&tx, 1);
    espalier_tx_descriptor_set_esn_lsb(&tx, 0);
    espalier_tx_descriptor_set_handle(&tx, 0x00010003u);
    print_bytes(&tx, sizeof tx);
    if (espalier_tx_descriptor_get_addr(&tx) != 0x1122334455667788u || espalier_tx_descriptor_get_length(&tx) != 1518 ||
        espalier_tx_descriptor_get_esp_offset(&tx) != 34 || espalier_tx_descriptor_get_ipsec(&tx) != 1 ||
        espalier_tx_descriptor_get_esn_lsb(&tx) != 0 || espalier_tx_descriptor_get_handle(&tx) != 0x00010003u) {
        return 1;
    }

    struct espalier_completion cpl = {{0}};
    espalier_completion_set_length(&cpl, 0x5dc);
    espalier_completion_set_index(&cpl, 7);
    espalier_completion_set_handle(&cpl, 0x00020011u);
    espalier_completion_set_crypto_done(&cpl, 1);
    espalier_completion_set_crypto_status(&cpl, ESPALIER_CRYPTO_STATUS_TUNNEL_ESP_AUTH_FAILED);
    espalier_completion_set_next_header(&cpl, 4);
    espalier_completion_set_pad_length(&cpl, 2);
    espalier_completion_set_header_info_set(&cpl, 1);
    espalier_completion_set_status(&cpl, ESPALIER_COMPLETION_STATUS_TRUNCATED);
    espalier_completion_set_phase(&cpl, 1);
    print_bytes(&cpl, sizeof cpl);
    if (espalier_completion_get_status(&cpl) != ESPALIER_COMPLETION_STATUS_TRUNCATED ||
        espalier_completion_get_phase(&cpl) != 1 || espalier_completion_get_crypto_status(&cpl) != 5) {
        return 1;
    }

    const struct espalier_sa_record sa = {
        .spi = 0x11223344u,
        .flags = ESPALIER_SET(ESPALIER_SET(0u, ESPALIER_SA_FLAGS_KEYLEN, ESPALIER_KEYLEN_AES256), ESPALIER_SA_FLAGS_INBOUND, 1u),
        .key = {[7] = 0xdeadbeefu},
    };
    print_bytes(&sa, sizeof sa);

    printf("%x\n", ESPALIER_SET(0xffffffffu, ESPALIER_QUEUE_CTRL_RING_LOG2, 9));
    printf("%x\n", ESPALIER_GET(0x00550041u, ESPALIER_SA_STATUS_RESULT));
    printf("%x\n", ESPALIER_TXQ_OFFSET(2) + ESPALIER_QUEUE_TAIL_OFFSET);
    printf("%x\n", ESPALIER_INT_MODERATION_OFFSET(31));
    return 0;
}
