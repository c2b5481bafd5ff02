// SPDX-License-Identifier: BSD-3-Clause
// pynq._native.Window: registers of a device, as Python has them.

#include "window.hpp"

#include <cstdio>
#include <cstring>

namespace pynq {

PyTypeObject *window_type;

namespace {

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

bool add_window_types(PyObject *module) {
    if (!add_port_type(module)) return false;
    window_type = add_type(module, &window_spec);
    return window_type != nullptr;
}

}  // namespace pynq
