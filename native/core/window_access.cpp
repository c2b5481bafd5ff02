// SPDX-License-Identifier: BSD-3-Clause
// Accesses of register windows: single-beat volatile accesses to memory of this process, to a pynq_bus or to two Python
// functions.

#include "window.hpp"

#include <cstring>

namespace pynq {
namespace {

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

}  // namespace

// ---- single beats ------------------------------------------------------------------------------------------------

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

// ---- blocks ------------------------------------------------------------------------------------------------------

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

}  // namespace pynq
