/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The plain C interface of pynq-anywhere.
 *
 * pynq_bus  what a device's backend gives for register windows that are not memory: one call a bus access.
 * pynq_ip   what `ip.native` gives a driver written in C or C++: the registers and interrupts of one IP.
 * pynq_buffer  what `buffer.native` gives: where a buffer is, seen from the program and from the PL.
 *
 * Rules: every structure starts with `abi` and `size`; a reader checks `abi == PYNQ_ABI` and may use a member only if
 * it lies inside `size`. Functions return PYNQ_OK or a negative pynq_status; the text of the last failure on the
 * calling thread is given by `error`. Functions are safe to call from any thread, with or without the interpreter's
 * lock, unless they say otherwise. Pointers stay valid as long as the Python object that gave them is alive.
 */
#ifndef PYNQ_NATIVE_H
#define PYNQ_NATIVE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PYNQ_ABI 1u

typedef enum pynq_status {
    PYNQ_OK = 0,
    PYNQ_EBUS = -1,         /* the bus answered SLVERR or DECERR, or nobody answered */
    PYNQ_ERANGE = -2,       /* offset and width leave the window */
    PYNQ_EALIGN = -3,       /* offset is no multiple of the width */
    PYNQ_EWIDTH = -4,       /* width is not 1, 2, 4 or 8 bytes, or the window can't do it */
    PYNQ_ETIMEDOUT = -5,    /* the time given to a wait is over */
    PYNQ_EDEADLOCK = -6,    /* what is waited for can never come (simulated devices) */
    PYNQ_EINTERRUPTED = -7, /* Ctrl-C during a wait; the interpreter has the signal pending */
    PYNQ_EUNSUPPORTED = -8, /* the device has no such capability */
    PYNQ_EGONE = -9,        /* the overlay is no longer loaded, or the object was closed */
    PYNQ_EPYTHON = -10      /* a Python model or device raised; the exception is set when the lock is held */
} pynq_status;

/* A bus that carries single-beat accesses. `address` is absolute, in bytes; `width` is 1, 2, 4 or 8 bytes and
 * `address` is a multiple of it (the caller checks). */
typedef struct pynq_bus {
    uint32_t abi;
    uint32_t size;
    void *ctx;
    int (*read)(void *ctx, uint64_t address, uint32_t width, uint64_t *value);
    int (*write)(void *ctx, uint64_t address, uint32_t width, uint64_t value);
    /* `count` beats of `width` bytes to or from consecutive addresses; may be NULL (then single beats are used). */
    int (*read_block)(void *ctx, uint64_t address, uint32_t width, void *data, uint64_t count);
    int (*write_block)(void *ctx, uint64_t address, uint32_t width, const void *data, uint64_t count);
    /* Poll until (value & mask) == match, at most `timeout_ns` of the device's time (negative: no limit). The last
     * value read goes to `last`. May be NULL (then the window polls by `read` against the host's clock). Called
     * without the interpreter's lock. */
    int (*poll)(void *ctx, uint64_t address, uint32_t width, uint64_t mask, uint64_t match, int64_t timeout_ns,
                uint64_t *last);
    /* Text of the last failure on this thread, UTF-8, valid until the next call on this thread. Never NULL. */
    const char *(*error)(void *ctx);
} pynq_bus;

#define PYNQ_BUS_CAPSULE "pynq.bus"

/* The registers and interrupts of one IP. `offset` counts bytes from the IP's base address. */
typedef struct pynq_ip {
    uint32_t abi;
    uint32_t size;
    void *ctx;
    uint64_t physical_address; /* base address as the PS sees it */
    uint64_t range;            /* bytes */
    int (*read)(void *ctx, uint64_t offset, uint32_t width, uint64_t *value);
    int (*write)(void *ctx, uint64_t offset, uint32_t width, uint64_t value);
    int (*poll)(void *ctx, uint64_t offset, uint32_t width, uint64_t mask, uint64_t match, int64_t timeout_ns,
                uint64_t *last);
    /* Wait for the interrupt pin of that name ("introut"); `timeout_ns` negative: no limit. */
    int (*wait)(void *ctx, const char *pin, int64_t timeout_ns);
    const char *(*error)(void *ctx);
    /* `count` beats of `width` bytes (8 become pairs of 4 where the window can't do 64 bits) to or from rising
     * offsets. */
    int (*read_block)(void *ctx, uint64_t offset, uint32_t width, void *data, uint64_t count);
    int (*write_block)(void *ctx, uint64_t offset, uint32_t width, const void *data, uint64_t count);
} pynq_ip;

#define PYNQ_IP_CAPSULE "pynq.ip"

typedef struct pynq_buffer {
    uint32_t abi;
    uint32_t size;
    void *data;                /* in this process */
    uint64_t physical_address; /* as the PL sees it */
    uint64_t nbytes;
} pynq_buffer;

#define PYNQ_BUFFER_CAPSULE "pynq.buffer"

#ifdef __cplusplus
}
#endif
#endif
