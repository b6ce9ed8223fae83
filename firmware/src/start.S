/* SPDX-License-Identifier: Apache-2.0
 *
 * The beginning of the image: a jump, the header (docs/nic-contract.md, "The control
 * processor") and what C needs before main. Word 2 and the CRC behind the program come
 * from firmware/mkimage.
 */
    .section .start, "ax"
    .global _start
_start:
    jal     x0, begin
    .word   0x57465345              /* "ESFW" */
    .word   0                       /* bytes of the image */
    .word   FW_VERSION
    .word   FW_BUILD
    .word   fw_memory_needed
    .word   0
    .word   0

    .text
begin:
    la      sp, fw_stack_end
    la      t0, fw_bss
    la      t1, fw_bss_end
1:  bgeu    t0, t1, 2f
    sw      zero, 0(t0)
    addi    t0, t0, 4
    j       1b
2:  call    main
3:  j       3b                      /* main does not return */
