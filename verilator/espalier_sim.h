/* SPDX-License-Identifier: Apache-2.0
 *
 * The C interface of a loadable simulator: one shared library, any number of
 * independent NIC instances. Espalier's own RTL implements it through
 * verilator/; wrap another NIC's RTL with these functions and the bridge, the
 * PCIe seam and the regression engine work with it unchanged.
 *
 * Rules
 *  - An instance is used by one thread at a time; different instances may be
 *    used by different threads at once.
 *  - Nothing crosses this interface per clock. Simulated time moves only inside
 *    advance, bar_read, bar_write and hard_reset.
 *  - Functions return ESPALIER_SIM_OK or a negative ESPALIER_SIM_E*. After an
 *    error espalier_sim_last_error gives one sentence. $fatal, failed
 *    assertions and internal errors return ESPALIER_SIM_EMODEL with simulated
 *    time and message and leave the instance usable only for destroy, trace
 *    close, peek and last_error; they never end the process.
 *  - What a design prints ($display) goes to standard error.
 *  - The same library, options, seed and sequence of calls give the same cycle
 *    counts and bytes on any machine.
 */
#ifndef ESPALIER_SIM_H
#define ESPALIER_SIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bumped on every incompatible change of this file. */
#define ESPALIER_SIM_ABI 1u

#define ESPALIER_SIM_OK 0
#define ESPALIER_SIM_EINVAL (-1)  /* a bad argument */
#define ESPALIER_SIM_ENOTSUP (-2) /* this library cannot (no trace compiled in, ...) */
#define ESPALIER_SIM_EMODEL (-3)  /* the model stopped: $fatal, assertion, internal error */
#define ESPALIER_SIM_ETIMEOUT (-4) /* a BAR access got no answer within bar_timeout cycles */
#define ESPALIER_SIM_EBUS (-5)    /* a BAR access was answered with a bus error (PCIe: all ones) */
#define ESPALIER_SIM_EAGAIN (-6)  /* nothing there yet, or no room */
#define ESPALIER_SIM_EIO (-7)     /* a file could not be written */

typedef struct espalier_sim espalier_sim;

/* ESPALIER_SIM_ABI of the library; check before anything else. */
uint32_t espalier_sim_abi(void);

/* One JSON object describing the library: "design" (string), "build_id"
 * (hex string, hash of the RTL sources and parameters), "lanes", "bars" (array
 * of {"index","size"}), "vectors", "mac_ports", "trace", "coverage" and "assertions"
 * (bool: compiled in), "simulator" (name and version). Static storage. */
const char *espalier_sim_info(void);

/* Creates an instance and holds it in hard reset for a few cycles. options is a
 * list of key=value lines, NULL for defaults; unknown keys are an error that
 * names the key. Keys (all counts in cycles unless stated):
 *   mem_read_latency_min, mem_read_latency_max     default 40, 40
 *   mem_write_latency_min, mem_write_latency_max   default 20, 20
 *   mem_stall_percent   chance per beat and channel of a pause, default 0
 *   mem_reorder         0 or 1: reorder and interleave across IDs as AXI allows, default 0
 *   mac_rx_gap_min, mac_rx_gap_max  idle cycles before each frame to the NIC, default 0, 0
 *   mac_rx_stall_percent            chance per beat that a frame to the NIC pauses, default 0
 *   mac_tx_stall_percent            chance per beat that the MAC does not take one, default 0
 *   bar_latency         cycles added to each BAR access, default 4
 *   bar_timeout         default 100000
 * On failure returns NULL and writes a sentence to err. */
espalier_sim *espalier_sim_create(const char *options, uint64_t seed, char *err, size_t err_size);
void espalier_sim_destroy(espalier_sim *s);

/* Asserts the hard reset, as power-up does. Undelivered MAC frames are lost. */
int espalier_sim_hard_reset(espalier_sim *s);

/* Sentence for the last error of this instance; valid until the next call. */
const char *espalier_sim_last_error(espalier_sim *s);

/* Current cycle, counted from create. */
uint64_t espalier_sim_cycle(espalier_sim *s);

/* What advance may stop for, and what it reports. */
#define ESPALIER_SIM_UNTIL_INTERRUPT 1u
#define ESPALIER_SIM_UNTIL_FRAME 2u /* a whole frame left the NIC */
#define ESPALIER_SIM_UNTIL_FAULT 4u
#define ESPALIER_SIM_UNTIL_WRITE 8u /* the NIC's write to host memory was performed */
#define ESPALIER_SIM_UNTIL_REQUEST 16u /* a request for remote memory; see espalier_sim_mem_remote */

/* Runs up to cycles clocks; stops early after a clock in which one of the
 * until events happened. *events gets all events that happened (also those not
 * asked for), *ran the clocks run. Either pointer may be NULL. */
int espalier_sim_advance(espalier_sim *s, uint64_t cycles, uint32_t until, uint32_t *events, uint64_t *ran);

/* Optional; a library need not have this function. For an instance that one thread
 * advances all the time and others want to use in between: advance stops after the
 * clock under way while *word is not 0. It is looked at after each clock, may be
 * changed by any thread at any time, and must stay valid until a call with another
 * word or NULL, or destroy. */
int espalier_sim_attention(espalier_sim *s, const uint32_t *word);

/* BAR access of width 1, 2, 4 or 8 bytes at a naturally aligned offset. */
int espalier_sim_bar_read(espalier_sim *s, uint32_t bar, uint64_t offset, uint32_t width, uint64_t *value);
int espalier_sim_bar_write(espalier_sim *s, uint32_t bar, uint64_t offset, uint32_t width, uint64_t value);

/* Host memory that the device may reach; anything else is a fault: an AXI
 * error for the RTL, an entry for espalier_sim_faults. Ranges must not overlap.
 * add gives an address in this process, which must stay valid until remove;
 * add_fd a file and offset, accessed with pread and pwrite. Once remove has
 * returned no access to the range is under way, and none comes. */
#define ESPALIER_SIM_MEM_READ 1u
#define ESPALIER_SIM_MEM_WRITE 2u
int espalier_sim_mem_add(espalier_sim *s, uint64_t iova, uint64_t size, void *host, uint32_t flags);
int espalier_sim_mem_add_fd(espalier_sim *s, uint64_t iova, uint64_t size, int fd, uint64_t file_offset, uint32_t flags);
int espalier_sim_mem_remove(espalier_sim *s, uint64_t iova, uint64_t size);

/* Remote memory, for hosts whose memory is behind a connection. Optional: a
 * library has all three functions or none.
 *
 * Off at first. While it is on, accesses to memory that was not added, or not
 * for this kind of access, are no faults but become requests for the program
 * around the simulator, which answers them in any order and when it likes.
 * Simulated time goes on meanwhile; the device waits for the answer as for slow
 * memory, with AXI's order within an ID kept. A burst of writes waits for its
 * turn before it becomes a request, so that it is not performed before an older
 * one of the same ID (of any ID without mem_reorder) was.
 *
 * Turning it off answers everything that waits with an error. The hard reset
 * forgets what waits. Answers that come after either are taken and do nothing. */
int espalier_sim_mem_remote(espalier_sim *s, uint32_t enable);

typedef struct {
    uint64_t id;    /* for the answer; never used twice by an instance */
    uint64_t iova;
    uint64_t cycle; /* when it was made */
    uint32_t size;  /* bytes, 1 to 4096 */
    uint32_t is_write;
    const uint8_t *data; /* of a write; valid until it is answered or forgotten. Null for a read */
} espalier_sim_request;

/* Takes up to max new requests, oldest first; returns how many. */
int espalier_sim_mem_requests(espalier_sim *s, espalier_sim_request *out, uint32_t max);

/* Answers a request that was taken. ok 0 is an AXI error for the device and an
 * entry for espalier_sim_faults, as for memory that was not added. data is what
 * a read gave, size bytes, the request's size; NULL and 0 for everything else.
 * An id that waits for no answer is ESPALIER_SIM_EINVAL. */
int espalier_sim_mem_answer(espalier_sim *s, uint64_t id, uint32_t ok, const uint8_t *data, size_t size);

typedef struct {
    uint64_t iova;
    uint64_t cycle;
    uint32_t size;
    uint32_t is_write;
} espalier_sim_fault;

/* Takes up to max recorded faults, oldest first; returns how many. */
int espalier_sim_faults(espalier_sim *s, espalier_sim_fault *out, uint32_t max);

/* Queues a frame (no FCS) toward the NIC. flags bit 0: the MAC marks it bad. */
int espalier_sim_mac_send(espalier_sim *s, uint32_t port, const uint8_t *data, size_t size, uint32_t flags);

typedef struct {
    uint64_t first_cycle; /* cycle in which the frame's first beat was transferred */
    uint64_t last_cycle;  /* and its last */
    uint32_t size;        /* bytes */
    uint32_t flags;       /* bit 0: the NIC marked it bad */
} espalier_sim_frame;

/* Takes the oldest frame from the NIC, or returns ESPALIER_SIM_EAGAIN. A buffer
 * that is too small is ESPALIER_SIM_EINVAL and takes nothing. */
int espalier_sim_mac_recv(espalier_sim *s, uint32_t port, uint8_t *data, size_t capacity, espalier_sim_frame *frame);

/* For frames sent to the NIC, oldest first: when they were transferred. Returns how many. */
int espalier_sim_mac_sent(espalier_sim *s, uint32_t port, espalier_sim_frame *out, uint32_t max);

/* Takes the interrupts since the last call: counts[v] is increased by the
 * pulses of vector v, for v below n. */
int espalier_sim_interrupts(espalier_sim *s, uint32_t *counts, uint32_t n);

/* Starts a waveform in path (by its ending: .fst or .vcd as the library can);
 * NULL ends it. */
int espalier_sim_trace(espalier_sim *s, const char *path);

/* Writes coverage collected so far. */
int espalier_sim_coverage(espalier_sim *s, const char *path);

/* Back door for tests: reads word index of the memory or register called name
 * (stable names listed in docs/rtl.md) into out, least significant byte first.
 * Returns the number of bytes, or an error. */
int espalier_sim_peek(espalier_sim *s, const char *name, uint64_t index, uint8_t *out, size_t capacity);

/* Optional; a library need not have this function. Starts writing the input
 * pins of each clock to path, for measuring what the design costs by itself
 * (verilator/bench); NULL ends it. */
int espalier_sim_record(espalier_sim *s, const char *path);

#ifdef __cplusplus
}
#endif
#endif
