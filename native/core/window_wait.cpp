// SPDX-License-Identifier: BSD-3-Clause
// Waiting for a register to have a value.

#include "window.hpp"

#include <time.h>

namespace pynq {
namespace {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    asm volatile("yield");
#endif
}

}  // namespace

int64_t now_ns() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<int64_t>(t.tv_sec) * 1000000000 + t.tv_nsec;
}

// Spin for 20 us, then sleep ever longer, up to 1 ms.
int host_poll(Window *w, uint64_t offset, uint32_t width, uint64_t mask, uint64_t match, int64_t timeout_ns,
              uint64_t *last) {
    constexpr int64_t spinning = 20'000, signals = 20'000'000;
    const int64_t start = now_ns();
    int64_t next_signals = start + signals;
    long pause = 10'000;
    for (;;) {
        const bool split_beats = split(w, offset, width);
        uint64_t value = 0, high = 0;
        int status = beat_read(w, offset, split_beats ? 4 : width, &value);
        if (split_beats && status == PYNQ_OK) status = beat_read(w, offset + 4, 4, &high);
        if (status != PYNQ_OK) return status;
        *last = value | (split_beats ? high << 32 : 0);
        if ((*last & mask) == match) return PYNQ_OK;
        if (w->port->reason) return PYNQ_EGONE;
        const int64_t now = now_ns();
        if (timeout_ns >= 0 && now - start >= timeout_ns) return PYNQ_ETIMEDOUT;
        if (now >= next_signals) {
            next_signals = now + signals;
            const PyGILState_STATE state = PyGILState_Ensure();
            const int interrupted = PyErr_CheckSignals();
            PyGILState_Release(state);
            if (interrupted) return PYNQ_EINTERRUPTED;
        }
        if (now - start < spinning) {
            relax();
            continue;
        }
        int64_t rest = pause;
        if (timeout_ns >= 0) rest = std::min<int64_t>(rest, timeout_ns - (now - start));
        timespec nap = {0, static_cast<long>(std::max<int64_t>(rest, 1))};
        nanosleep(&nap, nullptr);
        pause = std::min(pause * 5 / 4, 1'000'000L);
    }
}

PyObject *window_poll(Window *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"offset", "mask", "value", "timeout", "width"};
    PyObject *given[5];
    if (!parse_arguments("wait_until", args, nargs, kwnames, names, 5, 3, given)) return nullptr;
    uint64_t offset, mask, match, last = 0;
    uint32_t width = 4;
    if (!to_offset(self, given[0], &offset) || !to_width(self, given[4], "wait", &width) ||
        !to_unsigned(given[1], width, "mask", &mask) || !to_unsigned(given[2], width, "value", &match)) {
        return nullptr;
    }
    double seconds = -1;
    if (given[3] && given[3] != Py_None) {
        seconds = PyFloat_AsDouble(given[3]);
        if (seconds == -1 && PyErr_Occurred()) return nullptr;
        if (!(seconds >= 0)) {
            PyErr_Format(PyExc_ValueError, "timeout is %R; it must be 0 or more seconds, or None", given[3]);
            return nullptr;
        }
    }
    if (match & ~mask) {
        return raise("FieldValueError", "%s: waiting for 0x%llX under the mask 0x%llX can never end", label(self).c_str(),
                     static_cast<ull>(match), static_cast<ull>(mask));
    }
    if (!check(self, "wait", offset, width, std::min(width, 4u))) return nullptr;
    const int64_t timeout_ns = seconds < 0 || seconds > 9e9 ? -1 : static_cast<int64_t>(seconds * 1e9);
    Aim aim(self);
    self = &aim.window;
    Failure failure;
    int status;
    Port *port = self->port;
    if (port->kind == Kind::functions) {
        // Python functions are called with the lock; the sleeps between give it away.
        const int64_t start = now_ns();
        long pause = 10'000;
        for (;;) {
            status = window_read(self, offset, width, false, &last) ? PYNQ_OK : PYNQ_EPYTHON;
            if (status != PYNQ_OK || (last & mask) == match) break;
            const int64_t spent = now_ns() - start;
            if (timeout_ns >= 0 && spent >= timeout_ns) {
                status = PYNQ_ETIMEDOUT;
                break;
            }
            if (PyErr_CheckSignals() != 0) {
                status = PYNQ_EPYTHON;
                break;
            }
            const int64_t rest = timeout_ns >= 0 ? std::min<int64_t>(pause, timeout_ns - spent) : pause;
            timespec nap = {0, static_cast<long>(std::max<int64_t>(rest, 1))};
            Py_BEGIN_ALLOW_THREADS
            nanosleep(&nap, nullptr);
            Py_END_ALLOW_THREADS
            pause = std::min(pause * 5 / 4, 1'000'000L);
        }
    } else {
        Py_BEGIN_ALLOW_THREADS
        if (port->kind == Kind::bus && port->bus->poll && !split(self, offset, width)) {
            status = port->bus->poll(port->bus->ctx, self->base + offset, width, mask, match, timeout_ns, &last);
            failure.text[0] = 0;
            note_bus_error(self, status, &failure);
        } else {
            status = host_poll(self, offset, width, mask, match, timeout_ns, &last);
            failure.text[0] = 0;
        }
        Py_END_ALLOW_THREADS
    }
    PyObject *result = nullptr;
    if (status == PYNQ_OK) {
        result = PyLong_FromUnsignedLongLong(last);
    } else if (PyErr_Occurred()) {
        // set by a Python function, or by a signal handler
    } else if (status == PYNQ_ETIMEDOUT) {
        raise("WaitTimeoutError",
              "%s: offset 0x%llX still reads 0x%llX after %g s; waited for 0x%llX under the mask 0x%llX%s%s",
              label(self).c_str(), static_cast<ull>(offset), static_cast<ull>(last), seconds, static_cast<ull>(match),
              static_cast<ull>(mask), port->kind == Kind::bus && failure.text[0] ? ": " : "",
              port->kind == Kind::bus ? failure.text : "");
    } else if (port->reason) {
        usable(self);
    } else {
        refuse_status(self, "wait", offset, width, status);
    }
    return result;
}

}  // namespace pynq
