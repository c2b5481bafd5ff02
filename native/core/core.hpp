// SPDX-License-Identifier: BSD-3-Clause
// What the parts of pynq._native share.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <cstdint>

#include "beat.hpp"
#include "pynq/native.h"

namespace pynq {

// ---- errors (errors.cpp) -----------------------------------------------------------------------------------------

// Set an exception of pynq.errors, by the name of its class. Always returns nullptr.
PyObject *raise(const char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
PyObject *raise_text(const char *error, PyObject *text);  // steals `text`, which may be nullptr with an error set
// Borrowed reference to a class of pynq.errors, nullptr with an error set.
PyObject *error_class(const char *error);
// Borrowed reference to an attribute of numpy ("dtype", "frombuffer"), nullptr with an error set.
PyObject *numpy_attribute(const char *name);

// The exception that is set, taken away (nullptr: none), and put back; the interface changed with Python 3.12.
inline PyObject *take_exception() {
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    if (!type) return nullptr;
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace) PyException_SetTraceback(value, trace);
    Py_DECREF(type);
    Py_XDECREF(trace);
    return value;
#endif
}

inline void put_exception(PyObject *exception) {  // steals the reference; nullptr clears
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception);
#else
    if (!exception) return PyErr_Clear();
    PyErr_Restore(Py_NewRef(reinterpret_cast<PyObject *>(Py_TYPE(exception))), exception,
                  PyException_GetTraceback(exception));
#endif
}

// ---- arguments ---------------------------------------------------------------------------------------------------

// Sort the arguments of a METH_FASTCALL | METH_KEYWORDS call into `out`; missing ones stay nullptr.
// `required` of the `count` names must be there.
bool parse_arguments(const char *function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                     const char *const *names, int count, int required, PyObject **out);

// ---- windows (port.cpp, window*.cpp) ------------------------------------------------------------------------------

enum class Kind : uint8_t { closed, memory, bus, functions };

// What is behind a window; windows on the same registers share one, so that all are invalidated together.
struct Port {
    PyObject_HEAD
    PyObject *reason;  // why it can't be used any more; nullptr: it can
    const pynq_bus *bus;
    PyObject *read_function;
    PyObject *write_function;
    PyObject *read_block;   // functions for blocks, or nullptr
    PyObject *write_block;
    PyObject *keep;
    Py_buffer memory;
    PyObject *weak;
    Kind kind;
    uint8_t widest;  // widest single beat, bytes
};

struct Window {
    PyObject_HEAD
    Port *port;  // nullptr only before __init__
    volatile uint8_t *pointer;  // memory windows only
    uint64_t base;
    uint64_t length;
    PyObject *name;  // str, for messages
    PyObject *weak;
};

extern PyTypeObject *window_type;
extern PyTypeObject *port_type;

inline bool inside(const Window *w, uint64_t offset, uint64_t width) {
    return width <= w->length && offset <= w->length - width;
}

// True where `offset` and `width` can be read or written at once, without any further check, at `w->pointer`.
inline bool direct(const Window *w, uint64_t offset, uint32_t width) {
    return w->pointer && !w->port->reason && width <= w->port->widest && inside(w, offset, width) &&
           !(offset & (width - 1));
}

// Checked accesses, with the interpreter's lock. 8 bytes become two beats of 4 where the window can't do 64 bits (low
// word first); `big` says that the first word is the high one. Return false with an exception set.
bool window_read(Window *w, uint64_t offset, uint32_t width, bool big, uint64_t *value);
bool window_write(Window *w, uint64_t offset, uint32_t width, bool big, uint64_t value);

// The same without the lock or with it, for C drivers: a status, and a text for `error`.
int window_try_read(Window *w, uint64_t offset, uint32_t width, uint64_t *value, struct Failure *failure);
int window_try_write(Window *w, uint64_t offset, uint32_t width, uint64_t value, struct Failure *failure);
int window_try_poll(Window *w, uint64_t offset, uint32_t width, uint64_t mask, uint64_t match, int64_t timeout_ns,
                    uint64_t *last, struct Failure *failure);
int window_try_read_block(Window *w, uint64_t offset, uint32_t width, void *data, uint64_t count, struct Failure *failure);
int window_try_write_block(Window *w, uint64_t offset, uint32_t width, const void *data, uint64_t count,
                           struct Failure *failure);

struct Failure {
    char text[512];
};

// Turn the exception that is set into a status and a text. With `keep` it stays set where the status is
// PYNQ_EPYTHON, else it is cleared.
int status_of_exception(Failure *failure, bool keep);

// An int, or anything with __index__, as the two's complement of `width` bytes. `what` names it in the error.
bool to_unsigned(PyObject *value, uint32_t width, const char *what, uint64_t *out);

// ---- modules' parts ----------------------------------------------------------------------------------------------
bool add_window_types(PyObject *module);
bool add_register_types(PyObject *module);
bool add_memory_types(PyObject *module);
bool add_driver_types(PyObject *module);

inline PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
    PyObject *type = PyType_FromModuleAndSpec(module, spec, nullptr);
    if (!type) return nullptr;
    if (PyModule_AddType(module, reinterpret_cast<PyTypeObject *>(type)) < 0) {
        Py_DECREF(type);
        return nullptr;
    }
    return reinterpret_cast<PyTypeObject *>(type);  // the static pointer keeps this reference
}

template <class Function> PyCFunction method(Function *f) { return reinterpret_cast<PyCFunction>(reinterpret_cast<void *>(f)); }

}  // namespace pynq
