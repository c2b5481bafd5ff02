// SPDX-License-Identifier: BSD-3-Clause
// Register windows for C drivers: with the interpreter's lock or without it, a status instead of an exception.

#include "window.hpp"

#include <time.h>

#include <cstdio>
#include <optional>

namespace pynq {

void note_bus_error(const Window *w, int status, Failure *failure) {
    if (status == PYNQ_OK || w->port->kind != Kind::bus || !w->port->bus->error) return;
    const char *text = w->port->bus->error(w->port->bus->ctx);
    std::snprintf(failure->text, sizeof failure->text, "%s", text ? text : "");
}

namespace {

// A status for an access of a C driver; PYNQ_OK: go on.
int admit(const Window *w, uint64_t offset, uint32_t width, uint64_t count, Failure *failure) {
    failure->text[0] = 0;
    if (!w->port || w->port->reason) {
        std::snprintf(failure->text, sizeof failure->text, "the window at 0x%llX can't be used any more",
                      static_cast<ull>(w->base));
        return PYNQ_EGONE;
    }
    int status = PYNQ_OK;
    if (width != 1 && width != 2 && width != 4 && width != 8) status = PYNQ_EWIDTH;
    else if (offset & (std::min(width, 4u) - 1)) status = PYNQ_EALIGN;
    else if (count > w->length / width || !inside(w, offset, width * count)) status = PYNQ_ERANGE;
    if (status != PYNQ_OK) {
        std::snprintf(failure->text, sizeof failure->text,
                      "%llu accesses of %u bytes from offset 0x%llX of the window at 0x%llX, which is 0x%llX bytes long: %s",
                      static_cast<ull>(count), width, static_cast<ull>(offset), static_cast<ull>(w->base), static_cast<ull>(w->length),
                      status == PYNQ_EWIDTH   ? "the width must be 1, 2, 4 or 8"
                      : status == PYNQ_EALIGN ? "the offset must be a multiple of the width"
                                              : "it leaves the window");
    }
    return status;
}

// Run `action` with the interpreter's lock, whoever holds it now; turn an exception into a status.
template <class Action> int with_lock(Failure *failure, Action action) {
    const bool held = PyGILState_Check();
    const PyGILState_STATE state = PyGILState_Ensure();
    PyObject *earlier = take_exception();  // of a failure that the driver has not returned with yet
    int status = action();
    if (PyErr_Occurred()) status = status_of_exception(failure, held && !earlier);
    if (earlier) put_exception(earlier);
    PyGILState_Release(state);
    return status;
}

// An access of a C driver: check it, then let `action` do it on the window that was checked. Python functions are called
// with the interpreter's lock, which may have been waited for: what was checked before counts no more.
template <class Action>
int try_access(Window *w, uint64_t offset, uint32_t width, uint64_t count, Failure *failure, Action action) {
    int status = admit(w, offset, width, count, failure);
    if (status != PYNQ_OK) return status;
    if (w->port->kind == Kind::functions) {
        return with_lock(failure, [&]() -> int {
            Aim aim(w);
            const int again = admit(&aim.window, offset, width, count, failure);
            return again == PYNQ_OK ? action(&aim.window) : again;
        });
    }
    status = action(w);
    note_bus_error(w, status, failure);
    return status;
}

template <class Beat> int try_beats(Window *w, uint64_t offset, uint32_t width, Failure *failure, Beat beat) {
    return try_access(w, offset, width, 1, failure, [&](Window *now) -> int {
        if (!split(now, offset, width)) return beat(now, offset, width, 0u);
        const int first = beat(now, offset, 4u, 0u);
        return first != PYNQ_OK ? first : beat(now, offset + 4, 4u, 32u);
    });
}

}  // namespace

int window_try_read(Window *w, uint64_t offset, uint32_t width, uint64_t *value, Failure *failure) {
    uint64_t result = 0;
    const int status = try_beats(w, offset, width, failure, [&](Window *now, uint64_t at, uint32_t beat, unsigned shift) {
        uint64_t part = 0;
        const int s = beat_read(now, at, beat, &part);
        result |= part << shift;
        return s;
    });
    if (status == PYNQ_OK) *value = result;
    return status;
}

int window_try_write(Window *w, uint64_t offset, uint32_t width, uint64_t value, Failure *failure) {
    return try_beats(w, offset, width, failure, [&](Window *now, uint64_t at, uint32_t beat, unsigned shift) {
        const uint64_t part = value >> shift;
        return beat_write(now, at, beat, beat == 8 ? part : part & ((uint64_t{1} << (8 * beat)) - 1));
    });
}

int window_try_read_block(Window *w, uint64_t offset, uint32_t width, void *data, uint64_t count, Failure *failure) {
    return try_access(w, offset, width, count, failure, [&](Window *now) {
        uint64_t done;
        return move_from(now, offset, block_width(now, offset, width), static_cast<uint8_t *>(data), width * count,
                         &done);
    });
}

int window_try_write_block(Window *w, uint64_t offset, uint32_t width, const void *data, uint64_t count,
                           Failure *failure) {
    return try_access(w, offset, width, count, failure, [&](Window *now) {
        uint64_t done;
        return move_to(now, offset, block_width(now, offset, width), static_cast<const uint8_t *>(data), width * count,
                         &done);
    });
}

int window_try_poll(Window *w, uint64_t offset, uint32_t width, uint64_t mask, uint64_t match, int64_t timeout_ns,
                    uint64_t *last, Failure *failure) {
    uint64_t ignored;
    if (!last) last = &ignored;
    *last = 0;
    const bool held = PyGILState_Check();
    int status = PYNQ_OK;
    std::optional<Aim> aim;
    const auto with_interpreter = [&](auto work) {
        const PyGILState_STATE state = PyGILState_Ensure();
        work();
        PyGILState_Release(state);
    };
    with_interpreter([&] {
        status = admit(w, offset, width, 1, failure);
        if (status == PYNQ_OK) aim.emplace(w);
    });
    if (status != PYNQ_OK) return status;
    w = &aim->window;
    Port *port = w->port;
    if (port->kind == Kind::functions) {
        status = with_lock(failure, [&]() -> int {
            const int64_t start = now_ns();
            for (;;) {
                if (!window_read(w, offset, width, false, last)) return PYNQ_EPYTHON;
                if ((*last & mask) == match) return PYNQ_OK;
                if (timeout_ns >= 0 && now_ns() - start >= timeout_ns) return PYNQ_ETIMEDOUT;
                if (PyErr_CheckSignals() != 0) return PYNQ_EINTERRUPTED;
                timespec nap = {0, 50'000};
                Py_BEGIN_ALLOW_THREADS
                nanosleep(&nap, nullptr);
                Py_END_ALLOW_THREADS
            }
        });
        with_interpreter([&] { aim.reset(); });
        return status;
    }
    PyThreadState *saved = held ? PyEval_SaveThread() : nullptr;
    if (port->kind == Kind::bus && port->bus->poll && !split(w, offset, width)) {
        status = port->bus->poll(port->bus->ctx, w->base + offset, width, mask, match, timeout_ns, last);
    } else {
        status = host_poll(w, offset, width, mask, match, timeout_ns, last);
        if (status == PYNQ_EINTERRUPTED) {
            const PyGILState_STATE state = PyGILState_Ensure();
            status = status_of_exception(failure, false);
            PyGILState_Release(state);
        }
    }
    note_bus_error(w, status, failure);
    if (saved) PyEval_RestoreThread(saved);
    with_interpreter([&] { aim.reset(); });
    return status;
}

}  // namespace pynq
