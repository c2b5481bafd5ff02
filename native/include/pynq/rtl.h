/* SPDX-License-Identifier: BSD-3-Clause
 * What the library of one verilated design gives to the simulation engine, and the engine to it: plain C, so that a
 * design that was built once goes on with every engine of the same ABI number.
 *
 * A library exports one symbol, `const pynq_rtl_design pynq_rtl_design_v1`. It holds the verilated module, a table of its
 * ports and one of its signals; bus models, time, waves and scheduling are the engine's. All functions are called from
 * one thread at a time. None of them lets a C++ exception out.
 */
#ifndef PYNQ_RTL_H
#define PYNQ_RTL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PYNQ_RTL_ABI 1
#define PYNQ_RTL_SYMBOL "pynq_rtl_design_v1"

/* A port of the top module, under its name in the source (a port that Verilator renames has its own name here). */
typedef struct pynq_rtl_port {
    const char *name;
    uint32_t bits;
    uint8_t direction; /* 'i' in, 'o' out, 'b' both */
    uint8_t bytes;     /* of its storage: 1, 2, 4 or 8; 0: an array of 32-bit words, least significant first */
} pynq_rtl_port;

/* A signal inside, for reading by name and for waves. `scope` is the path of instances below the top module, "/" between
 * them, "" for the top module itself. An element of an unpacked array and a member of a struct are signals of their own:
 * name "mem[3]", "state.count". */
typedef struct pynq_rtl_signal {
    const char *scope;
    const char *name;
    uint32_t code; /* place of its value in the array of `sample`, in 32-bit words */
    uint32_t bits;
    int32_t msb, lsb;
    uint8_t kind; /* 'w' wire, 'r' variable, 'p' parameter, 'f' real (64 bits), 'e' event */
} pynq_rtl_signal;

/* What the user's RTL says or does that is no signal. */
typedef enum {
    PYNQ_RTL_OK = 0,
    PYNQ_RTL_FINISH = 1, /* $finish */
    PYNQ_RTL_STOP = 2,   /* $stop, or a failed assertion */
    PYNQ_RTL_FATAL = 3,  /* $fatal, or an error of Verilator's runtime (did not converge, ...) */
    PYNQ_RTL_REFUSED = 4 /* $system, a file outside of the folders: not allowed */
} pynq_rtl_status;

typedef struct pynq_rtl_event {
    const char *file; /* of the RTL; "" where unknown */
    int line;
    const char *scope; /* instance, "" where unknown */
    const char *text;
} pynq_rtl_event;

/* Given by the engine to `create`; lives as long as the model. */
typedef struct pynq_rtl_host {
    void *context;
    /* A line (or a part of one, without its newline) of $display, $write, $info, $warning, $error; file "" and line 0
     * where the place is not known. */
    void (*print)(void *context, const char *file, int line, const char *text, size_t length);
} pynq_rtl_host;

/* Things the fixed-point test (see docs/design/rtl.md) must know: with one of them, `state` gives size 0. */
#define PYNQ_RTL_HEAP 1u     /* queues, strings, associative arrays, classes: state outside of the object */
#define PYNQ_RTL_TIME 2u     /* reads $time: the result of a cycle depends on more than the state */
#define PYNQ_RTL_RANDOM 4u   /* $random, $urandom */
#define PYNQ_RTL_FILES 8u    /* $fopen and its sisters, beyond $readmem */
#define PYNQ_RTL_DPI 16u     /* foreign functions */
/* And what was built in. */
#define PYNQ_RTL_SIGNALS 256u  /* signals can be sampled */
#define PYNQ_RTL_COVERAGE 512u /* counts lines and toggles */

typedef struct pynq_rtl_design {
    uint32_t abi;  /* PYNQ_RTL_ABI */
    uint32_t size; /* sizeof(pynq_rtl_design) */
    uint32_t flags;
    const char *top;
    const pynq_rtl_port *ports;
    uint32_t port_count;

    /* A new model in its initial state, before the first eval; null on failure, with the reason in `error`. `folders`
     * (null-terminated) is where $readmem and $fopen look for files, in this order. `seed` is of $random. */
    void *(*create)(const pynq_rtl_host *host, const char *const *folders, uint64_t seed, char *error, size_t error_size);
    void (*destroy)(void *model); /* runs final blocks */
    void *(*port)(void *model, uint32_t index); /* address of a port's value; fixed for the model's life */

    /* Evaluate after inputs changed. A pynq_rtl_status; except for OK `event` tells more, and the model is not evaluated
     * again. */
    int (*eval)(void *model);
    void (*event)(void *model, pynq_rtl_event *event);
    void (*set_time)(void *model, uint64_t picoseconds); /* of $time; cheap, but needed only with PYNQ_RTL_TIME or prints */
    uint64_t (*prints)(void *model); /* how many times something was printed so far */

    /* The whole state as bytes; size 0 where comparing it proves nothing (see flags). */
    void *(*state)(void *model, size_t *size);

    /* Signals. `signals` fills the table on its first call, and may take a while. `sample` writes the values of all of
     * them into `values` (`words` 32-bit words; least significant word first; unused bits 0); `changes` writes those that
     * may have changed since the last call into the same array, and appends the code of each that did to `codes` (at most
     * `words` of them); returns their number. `sample` first. */
    const pynq_rtl_signal *(*signals)(void *model, uint32_t *count, uint32_t *words);
    void (*sample)(void *model, uint32_t *values);
    uint32_t (*changes)(void *model, uint32_t *values, uint32_t *codes);

    /* Write the counts so far, in the format of Verilator's coverage.dat; 0, or an errno. */
    int (*write_coverage)(void *model, const char *path);
} pynq_rtl_design;

#ifdef __cplusplus
}
#endif
#endif
