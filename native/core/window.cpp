// SPDX-License-Identifier: BSD-3-Clause
// Register windows: single-beat volatile accesses to memory of this process, to a pynq_bus or to two Python functions.

#include "core.hpp"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

namespace pynq {

PyTypeObject *window_type;
PyTypeObject *port_type;

namespace {

// ---- messages ----------------------------------------------------------------------------------------------------

std::string label(const Window *w) {
    char text[64];
    std::snprintf(text, sizeof text, "window 0x%08llX", static_cast<unsigned long long>(w->base));
    const char *name = w->name ? PyUnicode_AsUTF8(w->name) : nullptr;
    if (!name) {
        PyErr_Clear();
        return text;
    }
    return *name ? std::string(name) + " (" + text + ")" : text;
}

using ull = unsigned long long;

bool refuse_range(const Window *w, const char *what, uint64_t offset, uint64_t nbytes) {
    raise("AccessError", "%s: %s of %llu bytes at offset 0x%llX leaves the window, which is 0x%llX bytes long",
          label(w).c_str(), what, static_cast<ull>(nbytes), static_cast<ull>(offset), static_cast<ull>(w->length));
    return false;
}

bool refuse_alignment(const Window *w, const char *what, uint64_t offset, uint32_t width) {
    raise("AlignmentError", "%s: %s of %u bytes at offset 0x%llX: the offset must be a multiple of %u", label(w).c_str(),
          what, width, static_cast<ull>(offset), width);
    return false;
}

bool refuse_width(const Window *w, const char *what, long long width) {
    raise("AccessError", "%s: %s of %lld bytes: a register access is 1, 2, 4 or 8 bytes wide", label(w).c_str(), what,
          width);
    return false;
}

// The window can be used at all.
bool usable(const Window *w) {
    if (!w->port) {
        PyErr_SetString(PyExc_TypeError, "this window was never initialised: call super().__init__ with a window");
        return false;
    }
    if (PyObject *reason = w->port->reason) {  // which may be another one when the exception has been made
        raise_text("OverlayNotLoadedError", PyUnicode_FromFormat("%s: %U", label(w).c_str(), reason));
        return false;
    }
    return true;
}

bool refuse_status(const Window *w, const char *what, uint64_t offset, uint32_t width, int status) {
    if (PyErr_Occurred()) return false;
    const char *text = w->port->bus && w->port->bus->error ? w->port->bus->error(w->port->bus->ctx) : "";
    const char *error = "BusError";
    switch (status) {
        case PYNQ_ERANGE: case PYNQ_EWIDTH: error = "AccessError"; break;
        case PYNQ_EALIGN: error = "AlignmentError"; break;
        case PYNQ_ETIMEDOUT: error = "WaitTimeoutError"; break;
        case PYNQ_EDEADLOCK: error = "DeadlockError"; break;
        case PYNQ_EUNSUPPORTED: error = "UnsupportedByDeviceError"; break;
        case PYNQ_EGONE: error = "OverlayNotLoadedError"; break;
        case PYNQ_EPYTHON: error = "ModelError"; break;
        case PYNQ_EINTERRUPTED:
            if (PyErr_CheckSignals() == 0) PyErr_SetNone(PyExc_KeyboardInterrupt);
            return false;
        default: break;
    }
    if (text && *text) {
        raise(error, "%s: %s of %u bytes at offset 0x%llX: %s", label(w).c_str(), what, width, static_cast<ull>(offset),
              text);
    } else {
        raise(error, "%s: %s of %u bytes at offset 0x%llX failed (status %d)", label(w).c_str(), what, width,
              static_cast<ull>(offset), status);
    }
    return false;
}

bool check(const Window *w, const char *what, uint64_t offset, uint32_t width, uint32_t alignment) {
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

// ---- single beats ------------------------------------------------------------------------------------------------

// One beat that was checked. PYNQ_EPYTHON comes with an exception set.
int beat_read(Window *w, uint64_t offset, uint32_t width, uint64_t *value) {
    Port *port = w->port;
    switch (port->kind) {
        case Kind::memory: *value = load(w->pointer + offset, width); return PYNQ_OK;
        case Kind::bus: return port->bus->read(port->bus->ctx, w->base + offset, width, value);
        case Kind::functions: {
            PyObject *result =
                PyObject_CallFunction(port->read_function, "KI", static_cast<ull>(w->base + offset), width);
            if (!result) return PYNQ_EPYTHON;
            PyObject *number = PyNumber_Index(result);
            Py_DECREF(result);
            if (!number) return PYNQ_EPYTHON;
            *value = PyLong_AsUnsignedLongLongMask(number);
            Py_DECREF(number);
            if (width < 8) *value &= (uint64_t{1} << (8 * width)) - 1;
            return PyErr_Occurred() ? PYNQ_EPYTHON : PYNQ_OK;
        }
        default: return PYNQ_EGONE;
    }
}

int beat_write(Window *w, uint64_t offset, uint32_t width, uint64_t value) {
    Port *port = w->port;
    switch (port->kind) {
        case Kind::memory: store(w->pointer + offset, width, value); return PYNQ_OK;
        case Kind::bus: return port->bus->write(port->bus->ctx, w->base + offset, width, value);
        case Kind::functions: {
            PyObject *result = PyObject_CallFunction(port->write_function, "KKI", static_cast<ull>(w->base + offset),
                                                     static_cast<ull>(value), width);
            if (!result) return PYNQ_EPYTHON;
            Py_DECREF(result);
            return PYNQ_OK;
        }
        default: return PYNQ_EGONE;
    }
}

// 8 bytes need two beats unless the window does 64 bits and the offset allows it.
bool split(const Window *w, uint64_t offset, uint32_t width) {
    return width == 8 && (w->port->widest < 8 || (offset & 7));
}

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

void note_bus_error(const Window *w, int status, Failure *failure) {
    if (status == PYNQ_OK || w->port->kind != Kind::bus || !w->port->bus->error) return;
    const char *text = w->port->bus->error(w->port->bus->ctx);
    std::snprintf(failure->text, sizeof failure->text, "%s", text ? text : "");
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

// ---- waiting -----------------------------------------------------------------------------------------------------

int64_t now_ns() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<int64_t>(t.tv_sec) * 1000000000 + t.tv_nsec;
}

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    asm volatile("yield");
#endif
}

// Poll against the host's clock, called without the lock: spin for 20 us, then sleep ever longer, up to 1 ms. Signals
// are looked for every 20 ms; a Ctrl-C ends the wait with the exception set.
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

// ---- blocks ------------------------------------------------------------------------------------------------------

uint32_t block_width(const Window *w, uint64_t offset, uint32_t width) {
    return width == 8 && (w->port->widest < 8 || (offset & 7)) ? 4 : width;
}

bool check_block(const Window *w, const char *what, uint64_t offset, uint32_t width, uint64_t nbytes) {
    const uint32_t alignment = std::min(width, 4u);
    if (nbytes % width) {
        raise("AlignmentError", "%s: %s of a block of %llu bytes at offset 0x%llX: the size must be a multiple of %u",
              label(w).c_str(), what, static_cast<ull>(nbytes), static_cast<ull>(offset), width);
        return false;
    }
    if (!usable(w)) return false;
    if (offset & (alignment - 1)) return refuse_alignment(w, what, offset, alignment);
    if (nbytes > w->length || offset > w->length - nbytes) return refuse_range(w, what, offset, nbytes);
    return true;
}

// Blocks that were checked, in beats that the window can do. `done` counts the bytes that went well.
int move_from(Window *w, uint64_t offset, uint32_t width, uint8_t *data, uint64_t nbytes, uint64_t *done) {
    Port *port = w->port;
    *done = 0;
    if (port->kind == Kind::memory) {
        const volatile uint8_t *from = w->pointer + offset;
        switch (width) {
            case 1: load_block<uint8_t>(from, data, nbytes); break;
            case 2: load_block<uint16_t>(from, data, nbytes); break;
            case 4: load_block<uint32_t>(from, data, nbytes); break;
            default: load_block<uintptr_t>(from, data, nbytes); break;
        }
        return PYNQ_OK;
    }
    if (port->kind == Kind::bus && port->bus->read_block) {
        return port->bus->read_block(port->bus->ctx, w->base + offset, width, data, nbytes / width);
    }
    if (port->kind == Kind::functions && port->read_block) {
        PyObject *bytes = PyObject_CallFunction(port->read_block, "KIK", static_cast<ull>(w->base + offset), width,
                                                static_cast<ull>(nbytes / width));
        if (!bytes) return PYNQ_EPYTHON;
        Py_buffer view;
        int status = PYNQ_EPYTHON;
        if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) == 0) {
            if (static_cast<uint64_t>(view.len) == nbytes) {
                std::memcpy(data, view.buf, static_cast<size_t>(nbytes));
                status = PYNQ_OK;
            } else {
                PyErr_Format(PyExc_ValueError, "read_block gave %zd bytes instead of %llu", view.len,
                             static_cast<ull>(nbytes));
            }
            PyBuffer_Release(&view);
        }
        Py_DECREF(bytes);
        return status;
    }
    for (; *done < nbytes; *done += width) {
        uint64_t value;
        const int status = beat_read(w, offset + *done, width, &value);
        if (status != PYNQ_OK) return status;
        std::memcpy(data + *done, &value, width);  // little-endian hosts only, as everywhere in this package
    }
    return PYNQ_OK;
}

int move_to(Window *w, uint64_t offset, uint32_t width, const uint8_t *data, uint64_t nbytes, uint64_t *done) {
    Port *port = w->port;
    *done = 0;
    if (port->kind == Kind::memory) {
        volatile uint8_t *to = w->pointer + offset;
        switch (width) {
            case 1: store_block<uint8_t>(to, data, nbytes); break;
            case 2: store_block<uint16_t>(to, data, nbytes); break;
            case 4: store_block<uint32_t>(to, data, nbytes); break;
            default: store_block<uintptr_t>(to, data, nbytes); break;
        }
        return PYNQ_OK;
    }
    if (port->kind == Kind::bus && port->bus->write_block) {
        return port->bus->write_block(port->bus->ctx, w->base + offset, width, data, nbytes / width);
    }
    if (port->kind == Kind::functions && port->write_block) {
        PyObject *done_object =
            PyObject_CallFunction(port->write_block, "KIy#", static_cast<ull>(w->base + offset), width,
                                  reinterpret_cast<const char *>(data), static_cast<Py_ssize_t>(nbytes));
        if (!done_object) return PYNQ_EPYTHON;
        Py_DECREF(done_object);
        return PYNQ_OK;
    }
    for (; *done < nbytes; *done += width) {
        uint64_t value = 0;
        std::memcpy(&value, data + *done, width);
        const int status = beat_write(w, offset + *done, width, value);
        if (status != PYNQ_OK) return status;
    }
    return PYNQ_OK;
}

bool block_read(Window *w, uint64_t offset, uint32_t width, uint8_t *data, uint64_t nbytes) {
    if (!check_block(w, "read", offset, width, nbytes)) return false;
    Aim aim(w);
    w = &aim.window;
    width = block_width(w, offset, width);
    uint64_t done;
    const int status = move_from(w, offset, width, data, nbytes, &done);
    return status == PYNQ_OK || refuse_status(w, "read", offset + done, width, status);
}

bool block_write(Window *w, uint64_t offset, uint32_t width, const uint8_t *data, uint64_t nbytes) {
    if (!check_block(w, "write", offset, width, nbytes)) return false;
    Aim aim(w);
    w = &aim.window;
    width = block_width(w, offset, width);
    uint64_t done;
    const int status = move_to(w, offset, width, data, nbytes, &done);
    return status == PYNQ_OK || refuse_status(w, "write", offset + done, width, status);
}

// ---- arguments ---------------------------------------------------------------------------------------------------

bool to_offset(const Window *w, PyObject *value, uint64_t *offset) {
    if (!value) {
        *offset = 0;
        return true;
    }
    PyObject *number = PyNumber_Index(value);
    if (!number) return false;
    int overflow;
    const long long n = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow || n < 0) {
        raise_text("AccessError", PyUnicode_FromFormat("%s: the offset is %S; it must lie within 0 and %llu",
                                                       label(w).c_str(), number,
                                                       static_cast<ull>(w->length ? w->length - 1 : 0)));
        Py_DECREF(number);
        return false;
    }
    Py_DECREF(number);
    *offset = static_cast<uint64_t>(n);
    return true;
}

bool to_width(const Window *w, PyObject *value, const char *what, uint32_t *width) {
    if (!value) return true;
    const long long n = PyLong_AsLongLong(value);
    if (n == -1 && PyErr_Occurred()) return false;
    if (n != 1 && n != 2 && n != 4 && n != 8) return refuse_width(w, what, n);
    *width = static_cast<uint32_t>(n);
    return true;
}

bool to_order(PyObject *value, bool *big) {
    *big = false;
    if (!value) return true;
    if (PyUnicode_Check(value)) {
        if (PyUnicode_CompareWithASCIIString(value, "little") == 0) return true;
        if (PyUnicode_CompareWithASCIIString(value, "big") == 0) return *big = true;
    }
    PyErr_Format(PyExc_ValueError, "word_order is %R; it must be 'little' or 'big'", value);
    return false;
}

// numpy.dtype(value): its kind and size, and whether it has this machine's byte order. Keeps a reference in `*dtype`.
bool to_dtype(PyObject *value, PyObject **dtype, char *kind, Py_ssize_t *size, bool *native) {
    PyObject *make = numpy_attribute("dtype");
    *dtype = make ? PyObject_CallOneArg(make, value) : nullptr;
    if (!*dtype) return false;
    PyObject *kind_text = PyObject_GetAttrString(*dtype, "kind");
    PyObject *item_size = PyObject_GetAttrString(*dtype, "itemsize");
    PyObject *order = PyObject_GetAttrString(*dtype, "isnative");
    if (kind_text && item_size && order) {
        *kind = static_cast<char>(PyUnicode_READ_CHAR(kind_text, 0));
        *size = PyLong_AsSsize_t(item_size);
        *native = order == Py_True;
    }
    Py_XDECREF(kind_text);
    Py_XDECREF(item_size);
    Py_XDECREF(order);
    if (PyErr_Occurred()) Py_CLEAR(*dtype);
    return *dtype != nullptr;
}

// The bits of a register as a Python number of that type; numpy does what is rare.
PyObject *from_bits(uint64_t value, PyObject *dtype, char kind, Py_ssize_t size, bool native) {
    if (native && kind == 'u') return PyLong_FromUnsignedLongLong(value);
    if (native && kind == 'i') {
        const int unused = 64 - 8 * static_cast<int>(size);
        return PyLong_FromLongLong(static_cast<int64_t>(value << unused) >> unused);
    }
    if (native && kind == 'f' && size == 8) {
        double number;
        std::memcpy(&number, &value, 8);
        return PyFloat_FromDouble(number);
    }
    if (native && kind == 'f' && size == 4) {
        float number;
        std::memcpy(&number, &value, 4);
        return PyFloat_FromDouble(static_cast<double>(number));
    }
    PyObject *make = numpy_attribute("frombuffer");
    PyObject *raw = PyBytes_FromStringAndSize(reinterpret_cast<const char *>(&value), size);
    PyObject *array = make && raw ? PyObject_CallFunctionObjArgs(make, raw, dtype, nullptr) : nullptr;
    PyObject *result = array ? PyObject_CallMethod(array, "item", "i", 0) : nullptr;
    Py_XDECREF(array);
    Py_XDECREF(raw);
    return result;
}

bool write_float(Window *w, uint64_t offset, PyObject *value, uint32_t width, bool big) {
    const double number = PyFloat_AsDouble(value);
    if (number == -1.0 && PyErr_Occurred()) return false;
    uint64_t bits = 0;
    if (width == 8) {
        std::memcpy(&bits, &number, 8);
    } else if (width == 4) {
        const float single = static_cast<float>(number);
        if (std::isinf(single) && !std::isinf(number)) {
            raise("FieldValueError", "%s: %g does not fit a 4-byte IEEE 754 number; write it with length=8",
                  label(w).c_str(), number);
            return false;
        }
        uint32_t word;
        std::memcpy(&word, &single, 4);
        bits = word;
    } else {
        raise("FieldValueError", "%s: a float is written with 4 or 8 bytes, not %u; give dtype='f2' for half precision",
              label(w).c_str(), width);
        return false;
    }
    return window_write(w, offset, width, big, bits);
}

// Whether a buffer's format has pointers to Python objects; the names of a structure's fields stand between colons.
bool has_objects(const char *format) {
    bool name = false;
    for (; *format; ++format) {
        if (*format == ':') name = !name;
        else if (*format == 'O' && !name) return true;
    }
    return false;
}

bool write_buffer(Window *w, uint64_t offset, PyObject *data, uint32_t width) {
    Py_buffer view;
    PyObject *copy = nullptr;
    if (PyObject_GetBuffer(data, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) {
        if (!PyErr_ExceptionMatches(PyExc_BufferError) && !PyErr_ExceptionMatches(PyExc_ValueError)) return false;
        PyErr_Clear();  // not contiguous
        PyObject *make = numpy_attribute("ascontiguousarray");
        copy = make ? PyObject_CallOneArg(make, data) : nullptr;
        if (!copy) return false;
        if (PyObject_GetBuffer(copy, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) {
            Py_DECREF(copy);
            return false;
        }
    }
    bool done = false;
    if (view.format && has_objects(view.format)) {
        PyErr_SetString(PyExc_TypeError, "an array of Python objects can't be written to registers");
    } else {
        if (!width) {
            width = 4;
            const bool raw = PyBytes_Check(data) || PyByteArray_Check(data) || PyMemoryView_Check(data);
            if (!raw && ((offset | static_cast<uint64_t>(view.len)) & 3) && (view.itemsize == 1 || view.itemsize == 2)) {
                width = static_cast<uint32_t>(view.itemsize);
            }
        }
        done = block_write(w, offset, width, static_cast<const uint8_t *>(view.buf), static_cast<uint64_t>(view.len));
    }
    PyBuffer_Release(&view);
    Py_XDECREF(copy);
    return done;
}

// numpy scalars and 0-d arrays offer a buffer too; what counts is their value. 1: it was one, and was written.
int write_scalar(Window *w, uint64_t offset, PyObject *data, uint32_t width, bool big) {
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_ND | PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        return 0;
    }
    const bool scalar = view.ndim == 0 && view.format && *view.format && view.itemsize <= 8;
    const char code = scalar ? view.format[std::strlen(view.format) - 1] : 0;
    PyBuffer_Release(&view);
    if (!scalar || !std::strchr("?bBhHiIlLqQnNefd", code)) return 0;
    if (std::strchr("efd", code)) return write_float(w, offset, data, width ? width : 4, big) ? 1 : -1;
    PyObject *number = PyNumber_Long(data);
    if (!number) return -1;
    uint64_t value;
    const bool done = to_unsigned(number, width ? width : 4, "value", &value) &&
                      window_write(w, offset, width ? width : 4, big, value);
    Py_DECREF(number);
    return done ? 1 : -1;
}

bool write_any(Window *w, uint64_t offset, PyObject *data, uint32_t width, bool big) {
    if (PyLong_Check(data)) {
        uint64_t value;
        return to_unsigned(data, width ? width : 4, "value", &value) &&
               window_write(w, offset, width ? width : 4, big, value);
    }
    if (PyBytes_Check(data)) return write_buffer(w, offset, data, width);
    if (PyObject_CheckBuffer(data)) {
        const int scalar = write_scalar(w, offset, data, width, big);
        if (scalar) return scalar > 0;
        return write_buffer(w, offset, data, width);
    }
    if (PyFloat_Check(data)) return write_float(w, offset, data, width ? width : 4, big);
    if (PyIndex_Check(data)) {
        uint64_t value;
        return to_unsigned(data, width ? width : 4, "value", &value) &&
               window_write(w, offset, width ? width : 4, big, value);
    }
    PyErr_Format(PyExc_TypeError,
                 "%s: can't write a %.100s; allowed are int, float, bytes and numpy arrays (for a list give a dtype)",
                 label(w).c_str(), Py_TYPE(data)->tp_name);
    return false;
}

bool write_as(Window *w, uint64_t offset, PyObject *data, PyObject *type, bool big) {
    PyObject *dtype;
    char kind = 0;
    Py_ssize_t size = 0;
    bool native = true, done = false;
    if (!to_dtype(type, &dtype, &kind, &size, &native)) return false;
    if (native && PyLong_Check(data) && (kind == 'i' || kind == 'u') && size <= 8) {
        uint64_t value;
        done = to_unsigned(data, static_cast<uint32_t>(size), "value", &value) &&
               window_write(w, offset, static_cast<uint32_t>(size), big, value);
    } else {
        PyObject *make = numpy_attribute("asarray");
        PyObject *array = make ? PyObject_CallFunctionObjArgs(make, data, dtype, nullptr) : nullptr;
        const uint32_t width = size == 1 || size == 2 || size == 8 ? static_cast<uint32_t>(size) : 4;
        done = array && write_buffer(w, offset, array, width);
        Py_XDECREF(array);
    }
    Py_DECREF(dtype);
    return done;
}

// ---- Port --------------------------------------------------------------------------------------------------------

int port_traverse(Port *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->read_function);
    Py_VISIT(self->write_function);
    Py_VISIT(self->read_block);
    Py_VISIT(self->write_block);
    Py_VISIT(self->keep);
    // A memoryview must not be cleared while its memory is used: CPython then frees what PyBuffer_Release needs. It
    // refers to nothing that leads back here, so that the collector need not know of it.
    if (self->memory.obj && !PyMemoryView_Check(self->memory.obj)) Py_VISIT(self->memory.obj);
    return 0;
}

int port_clear(Port *self) {
    self->kind = self->kind == Kind::functions ? Kind::closed : self->kind;  // first: what is dropped may look here
    Py_CLEAR(self->read_function);
    Py_CLEAR(self->write_function);
    Py_CLEAR(self->read_block);
    Py_CLEAR(self->write_block);
    return 0;  // what keeps memory or the bus alive goes in dealloc: windows may still point there
}

void port_dealloc(Port *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weak) PyObject_ClearWeakRefs(reinterpret_cast<PyObject *>(self));
    port_clear(self);
    Py_CLEAR(self->reason);
    PyBuffer_Release(&self->memory);
    Py_CLEAR(self->keep);
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject *port_invalidate(Port *self, PyObject *reason) {
    if (!PyUnicode_Check(reason)) {
        PyErr_SetString(PyExc_TypeError, "reason must be a str");
        return nullptr;
    }
    Py_INCREF(reason);
    Py_XSETREF(self->reason, reason);
    Py_RETURN_NONE;
}

PyMethodDef port_methods[] = {
    {"invalidate", method(port_invalidate), METH_O,
     "invalidate(reason)\n--\n\nMake every later access, through all windows that share this, raise OverlayNotLoadedError."},
    {nullptr, nullptr, 0, nullptr},
};
PyMemberDef port_members[] = {
    {const_cast<char *>("__weaklistoffset__"), T_PYSSIZET, offsetof(Port, weak), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot port_slots[] = {
    {Py_tp_methods, port_methods},
    {Py_tp_members, port_members},
    {Py_tp_doc, const_cast<char *>("What windows on the same registers share. Made by Window only.")},
    {Py_tp_traverse, reinterpret_cast<void *>(port_traverse)},
    {Py_tp_clear, reinterpret_cast<void *>(port_clear)},
    {Py_tp_dealloc, reinterpret_cast<void *>(port_dealloc)},
    {0, nullptr},
};
PyType_Spec port_spec = {"pynq._native._Port", sizeof(Port), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, port_slots};

Port *new_port(Kind kind, uint8_t widest) {
    Port *port = reinterpret_cast<Port *>(port_type->tp_alloc(port_type, 0));
    if (!port) return nullptr;
    port->kind = kind;
    port->widest = widest;
    return port;
}

// ---- Window ------------------------------------------------------------------------------------------------------

int window_traverse(Window *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->port);
    return 0;
}

int window_clear(Window *self) {
    self->pointer = nullptr;
    Py_CLEAR(self->port);
    return 0;
}

void window_dealloc(Window *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weak) PyObject_ClearWeakRefs(reinterpret_cast<PyObject *>(self));
    window_clear(self);
    Py_CLEAR(self->name);
    type->tp_free(self);
    Py_DECREF(type);
}

// Steals `port`.
PyObject *new_window(Port *port, volatile uint8_t *pointer, uint64_t base, uint64_t length, PyObject *name) {
    if (!port) return nullptr;
    Window *w = reinterpret_cast<Window *>(window_type->tp_alloc(window_type, 0));
    if (!w) {
        Py_DECREF(port);
        return nullptr;
    }
    w->port = port;
    w->pointer = pointer;
    w->base = base;
    w->length = length;
    Py_XINCREF(name);
    w->name = name;
    return reinterpret_cast<PyObject *>(w);
}

int window_init(Window *self, PyObject *args, PyObject *kwargs) {
    static const char *names[] = {"window", nullptr};
    PyObject *object;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!:Window", const_cast<char **>(names), window_type, &object)) {
        return -1;
    }
    Window *other = reinterpret_cast<Window *>(object);
    if (!other->port) {
        usable(other);
        return -1;
    }
    Port *port = self->port;
    PyObject *name = self->name;
    self->port = reinterpret_cast<Port *>(Py_NewRef(other->port));
    self->pointer = other->pointer;
    self->base = other->base;
    self->length = other->length;
    self->name = Py_XNewRef(other->name);
    Py_XDECREF(port);  // last: what goes with it may use this window
    Py_XDECREF(name);
    return 0;
}

bool to_widest(PyObject *value, uint8_t *widest) {
    if (!value) return true;
    const long n = PyLong_AsLong(value);
    if (n == -1 && PyErr_Occurred()) return false;
    if (n != 4 && n != 8) {
        PyErr_Format(PyExc_ValueError, "widest is %ld; it must be 4 or 8 bytes", n);
        return false;
    }
    *widest = static_cast<uint8_t>(n);
    return true;
}

bool to_address(PyObject *value, const char *what, uint64_t *address) {
    PyObject *number = PyNumber_Index(value);
    if (!number) return false;
    *address = PyLong_AsUnsignedLongLong(number);
    if (PyErr_Occurred()) {
        PyErr_Format(PyExc_ValueError, "%s is %S; it must be 0 or positive, and below 2**64", what, number);
        Py_DECREF(number);
        return false;
    }
    Py_DECREF(number);
    return true;
}

// Addresses of registers are 64 bits wide: the last byte has one, too.
bool addressable(uint64_t base, uint64_t length) {
    if (!length || length - 1 <= UINT64_MAX - base) return true;
    PyErr_Format(PyExc_ValueError, "a window of %llu bytes at address %llu would end above 2**64",
                 static_cast<ull>(length), static_cast<ull>(base));
    return false;
}

PyObject *window_from_memory(PyObject *, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"memory", "base", "widest", "name"};
    PyObject *given[4];
    if (!parse_arguments("from_memory", args, nargs, kwnames, names, 4, 1, given)) return nullptr;
    uint64_t base = 0;
    uint8_t widest = 4;
    if ((given[1] && !to_address(given[1], "base", &base)) || !to_widest(given[2], &widest)) return nullptr;
    if (given[3] && !PyUnicode_Check(given[3])) {
        PyErr_SetString(PyExc_TypeError, "name must be a str");
        return nullptr;
    }
    Port *port = new_port(Kind::memory, std::min(widest, native_beat));
    if (!port) return nullptr;
    if (PyObject_GetBuffer(given[0], &port->memory, PyBUF_WRITABLE) < 0) {
        Py_DECREF(port);
        return nullptr;
    }
    if (!addressable(base, static_cast<uint64_t>(port->memory.len))) {
        Py_DECREF(port);
        return nullptr;
    }
    const uintptr_t address = reinterpret_cast<uintptr_t>(port->memory.buf);
    if (address & 3) {
        Py_DECREF(port);
        return raise("AlignmentError", "the memory of the window starts at 0x%llX; it must be aligned to 4 bytes",
                     static_cast<ull>(address));
    }
    if (address & 7) port->widest = 4;
    return new_window(port, static_cast<volatile uint8_t *>(port->memory.buf), base,
                      static_cast<uint64_t>(port->memory.len), given[3]);
}

PyObject *window_from_bus(PyObject *, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"bus", "base", "length", "keep", "widest", "name"};
    PyObject *given[6];
    if (!parse_arguments("from_bus", args, nargs, kwnames, names, 6, 3, given)) return nullptr;
    uint64_t base, length;
    uint8_t widest = 4;
    if (!to_address(given[1], "base", &base) || !to_address(given[2], "length", &length) ||
        !to_widest(given[4], &widest) || !addressable(base, length)) {
        return nullptr;
    }
    if (given[5] && !PyUnicode_Check(given[5])) {
        PyErr_SetString(PyExc_TypeError, "name must be a str");
        return nullptr;
    }
    auto *bus = static_cast<const pynq_bus *>(PyCapsule_GetPointer(given[0], PYNQ_BUS_CAPSULE));
    if (!bus) return nullptr;
    if (bus->abi != PYNQ_ABI || bus->size < sizeof(pynq_bus) || !bus->read || !bus->write) {
        PyErr_Format(PyExc_ValueError, "the bus has ABI %u and %u bytes; this build needs ABI %u and %zu bytes",
                     bus->abi, bus->size, PYNQ_ABI, sizeof(pynq_bus));
        return nullptr;
    }
    Port *port = new_port(Kind::bus, widest);
    if (!port) return nullptr;
    port->bus = bus;
    port->keep = PyTuple_Pack(2, given[0], given[3] ? given[3] : Py_None);
    if (!port->keep) {
        Py_DECREF(port);
        return nullptr;
    }
    return new_window(port, nullptr, base, length, given[5]);
}

PyObject *window_from_functions(PyObject *, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"read", "write", "base", "length", "widest", "name", "read_block", "write_block"};
    PyObject *given[8];
    if (!parse_arguments("from_functions", args, nargs, kwnames, names, 8, 4, given)) return nullptr;
    uint64_t base, length;
    uint8_t widest = 4;
    if (!to_address(given[2], "base", &base) || !to_address(given[3], "length", &length) ||
        !to_widest(given[4], &widest) || !addressable(base, length)) {
        return nullptr;
    }
    for (int i : {6, 7}) {
        if (given[i] == Py_None) given[i] = nullptr;
    }
    for (int i : {0, 1, 6, 7}) {
        if (given[i] && !PyCallable_Check(given[i])) {
            PyErr_Format(PyExc_TypeError, "%s must be callable", names[i]);
            return nullptr;
        }
    }
    if (given[5] && !PyUnicode_Check(given[5])) {
        PyErr_SetString(PyExc_TypeError, "name must be a str");
        return nullptr;
    }
    Port *port = new_port(Kind::functions, widest);
    if (!port) return nullptr;
    port->read_function = Py_NewRef(given[0]);
    port->write_function = Py_NewRef(given[1]);
    port->read_block = Py_XNewRef(given[6]);
    port->write_block = Py_XNewRef(given[7]);
    return new_window(port, nullptr, base, length, given[5]);
}

PyObject *window_read_method(Window *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    if (nargs == 1 && !kwnames && PyLong_CheckExact(args[0])) {
        const long long offset = PyLong_AsLongLong(args[0]);
        if (direct(self, static_cast<uint64_t>(offset), 4)) {  // a negative one is too large here
            return PyLong_FromUnsignedLong(static_cast<uint32_t>(load(self->pointer + offset, 4)));
        }
        if (offset >= 0) {
            uint64_t value;
            return window_read(self, static_cast<uint64_t>(offset), 4, false, &value)
                       ? PyLong_FromUnsignedLong(static_cast<uint32_t>(value))
                       : nullptr;
        }
        PyErr_Clear();
    }
    static const char *const names[] = {"offset", "length", "word_order", "dtype"};
    PyObject *given[4];
    if (!parse_arguments("read", args, nargs, kwnames, names, 4, 0, given)) return nullptr;
    uint64_t offset;
    uint32_t width = 4;
    bool big;
    if (!to_offset(self, given[0], &offset) || !to_width(self, given[1], "read", &width) ||
        !to_order(given[2], &big)) {
        return nullptr;
    }
    if (!given[3] || given[3] == Py_None) {
        uint64_t value;
        return window_read(self, offset, width, big, &value) ? PyLong_FromUnsignedLongLong(value) : nullptr;
    }
    PyObject *dtype;
    char kind;
    Py_ssize_t size;
    bool native;
    if (!to_dtype(given[3], &dtype, &kind, &size, &native)) return nullptr;
    PyObject *result = nullptr;
    uint64_t value;
    if (!std::strchr("iufb", kind) || (size != 1 && size != 2 && size != 4 && size != 8)) {
        raise_text("AccessError", PyUnicode_FromFormat("%s: read with dtype %R: it must be an integer, boolean or float "
                                                       "of 1, 2, 4 or 8 bytes; larger ones come from read_block",
                                                       label(self).c_str(), dtype));
    } else if (given[1] && static_cast<Py_ssize_t>(width) != size) {
        PyErr_Format(PyExc_ValueError, "length is %u, but %R has %zd bytes; give one of the two", width, dtype, size);
    } else if (window_read(self, offset, static_cast<uint32_t>(size), big, &value)) {
        result = from_bits(value, dtype, kind, size, native);
    }
    Py_DECREF(dtype);
    return result;
}

PyObject *window_write_method(Window *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    if (nargs == 2 && !kwnames && PyLong_CheckExact(args[0]) && PyLong_CheckExact(args[1])) {
        const long long offset = PyLong_AsLongLong(args[0]);
        const long long value = PyLong_AsLongLong(args[1]);
        if (value >= 0 && value <= 0xFFFFFFFF && offset >= 0) {
            if (direct(self, static_cast<uint64_t>(offset), 4)) {
                store(self->pointer + offset, 4, static_cast<uint64_t>(value));
            } else if (!window_write(self, static_cast<uint64_t>(offset), 4, false, static_cast<uint64_t>(value))) {
                return nullptr;
            }
            Py_RETURN_NONE;
        }
        PyErr_Clear();
    }
    static const char *const names[] = {"offset", "data", "length", "word_order", "dtype"};
    PyObject *given[5];
    if (!parse_arguments("write", args, nargs, kwnames, names, 5, 2, given)) return nullptr;
    uint64_t offset;
    uint32_t width = 0;
    bool big;
    if (!to_offset(self, given[0], &offset) || !to_width(self, given[2], "write", &width) ||
        !to_order(given[3], &big) || !usable(self)) {
        return nullptr;
    }
    if (given[4] && given[4] != Py_None) {
        if (width) {
            PyErr_SetString(PyExc_TypeError, "write() takes length or dtype, not both");
            return nullptr;
        }
        if (!write_as(self, offset, given[1], given[4], big)) return nullptr;
    } else if (!write_any(self, offset, given[1], width, big)) {
        return nullptr;
    }
    Py_RETURN_NONE;
}

PyObject *window_read_into(Window *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"offset", "buffer", "length"};
    PyObject *given[3];
    if (!parse_arguments("read_into", args, nargs, kwnames, names, 3, 2, given)) return nullptr;
    uint64_t offset;
    uint32_t width = 4;
    if (!to_offset(self, given[0], &offset) || !to_width(self, given[2], "read", &width)) return nullptr;
    Py_buffer view;
    if (PyObject_GetBuffer(given[1], &view, PyBUF_WRITABLE) < 0) return nullptr;
    const bool done =
        block_read(self, offset, width, static_cast<uint8_t *>(view.buf), static_cast<uint64_t>(view.len));
    PyBuffer_Release(&view);
    if (!done) return nullptr;
    Py_RETURN_NONE;
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

PyObject *window_invalidate(Window *self, PyObject *reason) {
    if (!self->port) {
        usable(self);  // says what is wrong
        return nullptr;
    }
    return port_invalidate(self->port, reason);
}

PyObject *window_sub(Window *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const char *const names[] = {"offset", "length", "name"};
    PyObject *given[3];
    if (!parse_arguments("window", args, nargs, kwnames, names, 3, 2, given)) return nullptr;
    uint64_t offset, length;
    if (!usable(self) || !to_offset(self, given[0], &offset) || !to_address(given[1], "length", &length)) return nullptr;
    if (given[2] == Py_None) given[2] = nullptr;
    if (given[2] && !PyUnicode_Check(given[2])) {
        PyErr_SetString(PyExc_TypeError, "name must be a str");
        return nullptr;
    }
    if (offset & 3) {
        refuse_alignment(self, "window", offset, 4);
        return nullptr;
    }
    if (length > self->length || offset > self->length - length) {
        refuse_range(self, "window", offset, length);
        return nullptr;
    }
    Py_INCREF(self->port);
    PyObject *sub = new_window(self->port, self->pointer ? self->pointer + offset : nullptr, self->base + offset, length,
                               given[2] ? given[2] : self->name);
    if (sub && self->pointer && ((reinterpret_cast<uintptr_t>(self->pointer) + offset) & 7) && self->port->widest == 8) {
        // 8-byte beats are checked by offset, which says nothing here
        Py_DECREF(sub);
        raise("AlignmentError", "%s: a window of 64-bit registers starts at a multiple of 8, not at 0x%llX",
              label(self).c_str(), static_cast<ull>(offset));
        return nullptr;
    }
    return sub;
}

PyObject *window_get_mapped(Window *self, void *) {
    return PyBool_FromLong(self->port && self->port->kind == Kind::memory);
}

PyObject *window_get_widest(Window *self, void *) { return PyLong_FromLong(self->port ? self->port->widest : 0); }

PyObject *window_get_invalid(Window *self, void *) {
    return Py_NewRef(self->port && self->port->reason ? self->port->reason : Py_None);
}

// The memory itself, as bytes; None where the window is no memory.
PyObject *window_get_memory(Window *self, void *) {
    if (!usable(self)) return nullptr;
    if (self->port->kind != Kind::memory) Py_RETURN_NONE;
    Aim aim(self);
    self = &aim.window;
    PyObject *whole = PyMemoryView_FromObject(self->port->memory.obj);
    if (!whole) return nullptr;
    PyObject *bytes = PyObject_CallMethod(whole, "cast", "s", "B");
    Py_DECREF(whole);
    if (!bytes) return nullptr;
    const auto start = reinterpret_cast<uintptr_t>(self->pointer) -
                       reinterpret_cast<uintptr_t>(PyMemoryView_GET_BUFFER(bytes)->buf);
    PyObject *part = PySequence_GetSlice(bytes, static_cast<Py_ssize_t>(start),
                                         static_cast<Py_ssize_t>(start + self->length));
    Py_DECREF(bytes);
    return part;
}

PyObject *window_get_port(Window *self, void *) {
    return Py_NewRef(self->port ? reinterpret_cast<PyObject *>(self->port) : Py_None);
}

PyObject *window_get_name(Window *self, void *) {
    return self->name ? Py_NewRef(self->name) : PyUnicode_FromString("");
}

int window_set_name(Window *self, PyObject *value, void *) {
    if (!value || !PyUnicode_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "name must be a str");
        return -1;
    }
    Py_INCREF(value);
    Py_XSETREF(self->name, value);
    return 0;
}

PyObject *window_repr(Window *self) {
    const char *kind = "never initialised";
    if (self->port) {
        switch (self->port->kind) {
            case Kind::memory: kind = "memory"; break;
            case Kind::bus: kind = "bus"; break;
            case Kind::functions: kind = "functions"; break;
            default: kind = "closed"; break;
        }
    }
    const char *type = Py_TYPE(self)->tp_name;
    if (const char *dot = std::strrchr(type, '.')) type = dot + 1;
    char place[96];
    std::snprintf(place, sizeof place, "0x%llX bytes at 0x%08llX", static_cast<ull>(self->length),
                  static_cast<ull>(self->base));
    const char *state = self->port && self->port->reason ? ", no longer valid" : "";
    if (!self->name) return PyUnicode_FromFormat("<%s: %s, %s%s>", type, place, kind, state);
    return PyUnicode_FromFormat("<%s %U: %s, %s%s>", type, self->name, place, kind, state);
}

PyMethodDef window_methods[] = {
    {"from_memory", method(window_from_memory), METH_FASTCALL | METH_KEYWORDS | METH_STATIC,
     "from_memory(memory, base=0, *, widest=4, name='')\n--\n\nA window on memory of this process; keeps it alive."},
    {"from_bus", method(window_from_bus), METH_FASTCALL | METH_KEYWORDS | METH_STATIC,
     "from_bus(bus, base, length, *, keep=None, widest=4, name='')\n--\n\n"
     "A window on a pynq_bus (capsule 'pynq.bus'); keeps the capsule and `keep` alive."},
    {"from_functions", method(window_from_functions), METH_FASTCALL | METH_KEYWORDS | METH_STATIC,
     "from_functions(read, write, base, length, *, widest=4, name='', read_block=None, write_block=None)\n--\n\n"
     "A window on read(address, width) and write(address, value, width); for blocks also on read_block(address, width,\n"
     "count), which gives bytes, and write_block(address, width, data)."},
    {"read", method(window_read_method), METH_FASTCALL | METH_KEYWORDS,
     "read(offset=0, length=4, word_order='little', dtype=None)\n--\n\n"
     "Read 1, 2, 4 or 8 bytes at `offset`.\n\n"
     "8 bytes are two beats of 4, the word at `offset` first, unless the window does 64-bit beats; `word_order` 'little'\n"
     "makes the first word the low one. With `dtype` ('i2', 'f4', numpy.float64) the bits are taken as that type.\n\n"
     "Raises AccessError outside the window, AlignmentError where the offset is no multiple of the width (of 4 for 8\n"
     "bytes), OverlayNotLoadedError when another overlay has been loaded, BusError when the bus answers with an error."},
    {"write", method(window_write_method), METH_FASTCALL | METH_KEYWORDS,
     "write(offset, data, length=4, word_order='little', dtype=None)\n--\n\n"
     "Write an int (negative: two's complement), a float (its IEEE 754 bits), bytes or a numpy array at `offset`.\n\n"
     "Blocks go out in beats of 4 bytes to rising addresses, or of `length` bytes. With `dtype` the data is converted\n"
     "first; lists need it. Raises what `read` raises, and FieldValueError for a value that does not fit."},
    {"read_into", method(window_read_into), METH_FASTCALL | METH_KEYWORDS,
     "read_into(offset, buffer, length=4)\n--\n\nFill a writable buffer from `offset` on, in beats of `length` bytes."},
    {"wait_until", method(window_poll), METH_FASTCALL | METH_KEYWORDS,
     "wait_until(offset, mask, value, timeout=None, width=4)\n--\n\n"
     "Wait until ``read(offset) & mask == value``, outside the interpreter's lock; return what was read.\n\n"
     "`timeout` is in seconds (of the device's time, where the device has one of its own); None: no limit. Raises\n"
     "WaitTimeoutError with the last value read, DeadlockError where the device knows that it can't come."},
    {"poll", method(window_poll), METH_FASTCALL | METH_KEYWORDS,
     "poll(offset, mask, value, timeout=None, width=4)\n--\n\nThe same as `wait_until`."},
    {"invalidate", method(window_invalidate), METH_O,
     "invalidate(reason)\n--\n\nMake every later access, through all windows made of this one, raise OverlayNotLoadedError."},
    {"window", method(window_sub), METH_FASTCALL | METH_KEYWORDS,
     "window(offset, length, name=None)\n--\n\nA window on a part of this one; they are invalidated together."},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef window_members[] = {
    {const_cast<char *>("base"), T_ULONGLONG, offsetof(Window, base), READONLY,
     const_cast<char *>("Absolute address of the first register.")},
    {const_cast<char *>("length"), T_ULONGLONG, offsetof(Window, length), READONLY, const_cast<char *>("Size in bytes.")},
    {const_cast<char *>("__weaklistoffset__"), T_PYSSIZET, offsetof(Window, weak), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef window_getset[] = {
    {"port", reinterpret_cast<getter>(window_get_port), nullptr,
     "What all windows on the same registers share; has invalidate(reason), and can be referred to weakly.", nullptr},
    {"mapped", reinterpret_cast<getter>(window_get_mapped), nullptr, "True: the registers are memory of this process.",
     nullptr},
    {"widest", reinterpret_cast<getter>(window_get_widest), nullptr, "Widest single beat in bytes, 4 or 8.", nullptr},
    {"invalid", reinterpret_cast<getter>(window_get_invalid), nullptr,
     "Why the window can't be used any more; None: it can.", nullptr},
    {"memory", reinterpret_cast<getter>(window_get_memory), nullptr,
     "The memory as bytes (memoryview); None where the registers are not memory of this process.", nullptr},
    {"name", reinterpret_cast<getter>(window_get_name), reinterpret_cast<setter>(window_set_name),
     "What error messages call the window.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot window_slots[] = {
    {Py_tp_doc, const_cast<char *>("Window(window)\n--\n\nRegisters of a device; made by the static methods.")},
    {Py_tp_init, reinterpret_cast<void *>(window_init)},
    {Py_tp_traverse, reinterpret_cast<void *>(window_traverse)},
    {Py_tp_clear, reinterpret_cast<void *>(window_clear)},
    {Py_tp_dealloc, reinterpret_cast<void *>(window_dealloc)},
    {Py_tp_repr, reinterpret_cast<void *>(window_repr)},
    {Py_tp_methods, window_methods},
    {Py_tp_members, window_members},
    {Py_tp_getset, window_getset},
    {0, nullptr},
};
PyType_Spec window_spec = {"pynq._native.Window", sizeof(Window), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, window_slots};

}  // namespace

bool to_unsigned(PyObject *value, uint32_t width, const char *what, uint64_t *out) {
    PyObject *number = PyLong_Check(value) ? Py_NewRef(value) : PyNumber_Index(value);
    if (!number) return false;
    int overflow;
    const long long n = PyLong_AsLongLongAndOverflow(number, &overflow);
    const unsigned bits = 8 * width;
    bool fits;
    if (overflow > 0) {
        *out = PyLong_AsUnsignedLongLong(number);
        fits = !PyErr_Occurred() && width == 8;
        PyErr_Clear();
    } else if (overflow < 0) {
        fits = false;
    } else {
        *out = static_cast<uint64_t>(n);
        fits = width == 8 || (n >= -(1LL << (bits - 1)) && n < (1LL << bits));
        if (width < 8) *out &= (uint64_t{1} << bits) - 1;
    }
    if (!fits) {
        raise_text("FieldValueError", PyUnicode_FromFormat("the %s %S does not fit %u bytes: it must lie within "
                                                           "-2**%u and 2**%u - 1", what, number, width, bits - 1, bits));
    }
    Py_DECREF(number);
    return fits;
}

bool window_read(Window *w, uint64_t offset, uint32_t width, bool big, uint64_t *value) {
    if (direct(w, offset, width) && !(big && width == 8)) {
        *value = load(w->pointer + offset, width);
        return true;
    }
    if (!check(w, "read", offset, width, std::min(width, 4u))) return false;
    Aim aim(w);
    w = &aim.window;
    if (!split(w, offset, width)) {
        const int status = beat_read(w, offset, width, value);
        if (status != PYNQ_OK) return refuse_status(w, "read", offset, width, status);
        if (big && width == 8) *value = *value << 32 | *value >> 32;
        return true;
    }
    uint64_t first, second;
    int status = beat_read(w, offset, 4, &first);
    if (status != PYNQ_OK) return refuse_status(w, "read", offset, 4, status);
    status = beat_read(w, offset + 4, 4, &second);
    if (status != PYNQ_OK) return refuse_status(w, "read", offset + 4, 4, status);
    *value = big ? first << 32 | second : second << 32 | first;
    return true;
}

bool window_write(Window *w, uint64_t offset, uint32_t width, bool big, uint64_t value) {
    if (direct(w, offset, width) && !(big && width == 8)) {
        store(w->pointer + offset, width, value);
        return true;
    }
    if (!check(w, "write", offset, width, std::min(width, 4u))) return false;
    Aim aim(w);
    w = &aim.window;
    if (big && width == 8) value = value << 32 | value >> 32;
    if (!split(w, offset, width)) {
        const int status = beat_write(w, offset, width, value);
        return status == PYNQ_OK || refuse_status(w, "write", offset, width, status);
    }
    int status = beat_write(w, offset, 4, value & 0xFFFFFFFF);
    if (status != PYNQ_OK) return refuse_status(w, "write", offset, 4, status);
    status = beat_write(w, offset + 4, 4, value >> 32);
    return status == PYNQ_OK || refuse_status(w, "write", offset + 4, 4, status);
}

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

bool add_window_types(PyObject *module) {
    PyObject *port = PyType_FromModuleAndSpec(module, &port_spec, nullptr);
    if (!port) return false;
    port_type = reinterpret_cast<PyTypeObject *>(port);
    window_type = add_type(module, &window_spec);
    return window_type != nullptr;
}

}  // namespace pynq
