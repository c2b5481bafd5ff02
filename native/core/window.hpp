// SPDX-License-Identifier: BSD-3-Clause
// What the files of register windows share: what refuses, and the accesses after everything was checked.
#pragma once

#include "core.hpp"

#include <algorithm>
#include <string>

namespace pynq {

using ull = unsigned long long;

// ---- refusals (window_refuse.cpp): each sets an exception and returns false ------------------------------------------

// The name and address of a window, for messages.
std::string label(const Window *w);

bool refuse_range(const Window *w, const char *what, uint64_t offset, uint64_t nbytes);
bool refuse_alignment(const Window *w, const char *what, uint64_t offset, uint32_t width);
bool refuse_width(const Window *w, const char *what, long long width);
bool refuse_unusable(const Window *w);
// What a bus answered, with its text; an exception that is set already stays.
bool refuse_status(const Window *w, const char *what, uint64_t offset, uint32_t width, int status);

// The window can be used at all.
inline bool usable(const Window *w) { return (w->port && !w->port->reason) || refuse_unusable(w); }

// An access of `width` bytes whose offset must be a multiple of `alignment`.
inline bool check(const Window *w, const char *what, uint64_t offset, uint32_t width, uint32_t alignment) {
    if (!usable(w)) return false;
    if (offset & (alignment - 1)) return refuse_alignment(w, what, offset, alignment);
    if (!inside(w, offset, width)) return refuse_range(w, what, offset, width);
    return true;
}

// A window as it was when an access or a wait began: while a bus or a Python function is at it, __init__ may aim the
// window elsewhere (the same design is downloaded again), and what began goes on with what was checked, which stays
// alive. Made and ended with the interpreter's lock.
struct Aim {
    explicit Aim(const Window *w) : window(*w) {
        Py_INCREF(window.port);
        Py_XINCREF(window.name);
    }
    ~Aim() {
        Py_XDECREF(window.name);
        Py_DECREF(window.port);
    }
    Aim(const Aim &) = delete;
    Aim &operator=(const Aim &) = delete;
    Window window;
};

// ---- accesses that were checked (window_access.cpp) ------------------------------------------------------------------

// 8 bytes need two beats unless the window does 64 bits and the offset allows it.
inline bool split(const Window *w, uint64_t offset, uint32_t width) {
    return width == 8 && (w->port->widest < 8 || (offset & 7));
}

inline uint32_t block_width(const Window *w, uint64_t offset, uint32_t width) { return split(w, offset, width) ? 4 : width; }

// One beat. PYNQ_EPYTHON comes with an exception set.
int beat_read(Window *w, uint64_t offset, uint32_t width, uint64_t *value);
int beat_write(Window *w, uint64_t offset, uint32_t width, uint64_t value);

// Blocks in beats that the window can do. `done` counts the bytes that went well.
int move_from(Window *w, uint64_t offset, uint32_t width, uint8_t *data, uint64_t nbytes, uint64_t *done);
int move_to(Window *w, uint64_t offset, uint32_t width, const uint8_t *data, uint64_t nbytes, uint64_t *done);

// ---- blocks, checked here (window_access.cpp): false with an exception set -------------------------------------------

bool block_read(Window *w, uint64_t offset, uint32_t width, uint8_t *data, uint64_t nbytes);
bool block_write(Window *w, uint64_t offset, uint32_t width, const uint8_t *data, uint64_t nbytes);

// ---- waiting (window_wait.cpp) ----------------------------------------------------------------------------------------

int64_t now_ns();  // of a clock that never goes back

// Poll against the host's clock, called without the lock on an Aim's window. Signals are looked for every 20 ms; a Ctrl-C
// ends the wait with PYNQ_EINTERRUPTED and the exception set.
int host_poll(Window *w, uint64_t offset, uint32_t width, uint64_t mask, uint64_t match, int64_t timeout_ns,
              uint64_t *last);

// Window.wait_until().
PyObject *window_poll(Window *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);

// ---- for C drivers (window_driver.cpp) --------------------------------------------------------------------------------

// The bus's text of a failure, after PYNQ_OK nothing.
void note_bus_error(const Window *w, int status, Failure *failure);

// ---- Python values and the bits of registers (window_values.cpp) ------------------------------------------------------

// Arguments; nullptr: the default, which stays in `width`. False with an exception set.
bool to_offset(const Window *w, PyObject *value, uint64_t *offset);
bool to_width(const Window *w, PyObject *value, const char *what, uint32_t *width);
bool to_order(PyObject *value, bool *big);
// numpy.dtype(value): its kind and size, and whether it has this machine's byte order. Keeps a reference in `*dtype`.
bool to_dtype(PyObject *value, PyObject **dtype, char *kind, Py_ssize_t *size, bool *native);
// The bits of a register as a Python number of that type.
PyObject *from_bits(uint64_t value, PyObject *dtype, char kind, Py_ssize_t size, bool native);
// Write what a program may give: int, float, bytes, arrays. `width` 0: as the data has it. `type`: convert it first.
bool write_any(Window *w, uint64_t offset, PyObject *data, uint32_t width, bool big);
bool write_as(Window *w, uint64_t offset, PyObject *data, PyObject *type, bool big);

// ---- what is behind windows (port.cpp) --------------------------------------------------------------------------------

bool add_port_type(PyObject *module);
Port *new_port(Kind kind, uint8_t widest);
PyObject *port_invalidate(Port *self, PyObject *reason);

}  // namespace pynq
