// SPDX-License-Identifier: BSD-3-Clause
// What a driver written in C or C++ gets: pynq_ip over a window, pynq_buffer over memory (include/pynq/native.h).

#include "core.hpp"

#include <cstdio>
#include <cstring>
#include <new>

namespace pynq {
namespace {

PyTypeObject *ip_type, *buffer_type;

struct IpObject {
    PyObject_HEAD
    pynq_ip table;
    Window *window;
    PyObject *wait;  // wait(pin, seconds or None), or nullptr
    PyObject *weak;
};

thread_local Failure last_failure;

int ip_read(void *ctx, uint64_t offset, uint32_t width, uint64_t *value) {
    return window_try_read(static_cast<IpObject *>(ctx)->window, offset, width, value, &last_failure);
}

int ip_write(void *ctx, uint64_t offset, uint32_t width, uint64_t value) {
    return window_try_write(static_cast<IpObject *>(ctx)->window, offset, width, value, &last_failure);
}

int ip_read_block(void *ctx, uint64_t offset, uint32_t width, void *data, uint64_t count) {
    return window_try_read_block(static_cast<IpObject *>(ctx)->window, offset, width, data, count, &last_failure);
}

int ip_write_block(void *ctx, uint64_t offset, uint32_t width, const void *data, uint64_t count) {
    return window_try_write_block(static_cast<IpObject *>(ctx)->window, offset, width, data, count, &last_failure);
}

int ip_poll(void *ctx, uint64_t offset, uint32_t width, uint64_t mask, uint64_t match, int64_t timeout_ns,
            uint64_t *last) {
    return window_try_poll(static_cast<IpObject *>(ctx)->window, offset, width, mask, match, timeout_ns, last,
                           &last_failure);
}

int ip_wait(void *ctx, const char *pin, int64_t timeout_ns) {
    auto *self = static_cast<IpObject *>(ctx);
    last_failure.text[0] = 0;
    if (!self->wait) {
        std::snprintf(last_failure.text, sizeof last_failure.text, "this IP was given no interrupts");
        return PYNQ_EUNSUPPORTED;
    }
    const bool held = PyGILState_Check();
    const PyGILState_STATE state = PyGILState_Ensure();
    PyObject *earlier = take_exception();
    int status = PYNQ_OK;
    PyObject *seconds = timeout_ns < 0 ? Py_NewRef(Py_None) : PyFloat_FromDouble(static_cast<double>(timeout_ns) * 1e-9);
    PyObject *done = seconds ? PyObject_CallFunction(self->wait, "sO", pin ? pin : "", seconds) : nullptr;
    Py_XDECREF(seconds);
    if (!done) {
        status = status_of_exception(&last_failure, held && !earlier);
    } else if (done == Py_False) {  // a waiter may tell a timeout by its value, as pin.wait_sync does
        std::snprintf(last_failure.text, sizeof last_failure.text, "no interrupt on %s within %g s", pin,
                      static_cast<double>(timeout_ns) * 1e-9);
        status = PYNQ_ETIMEDOUT;
    }
    Py_XDECREF(done);
    if (earlier) put_exception(earlier);
    PyGILState_Release(state);
    return status;
}

const char *ip_error(void *) { return last_failure.text; }

PyObject *ip_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *names[] = {"window", "wait", nullptr};
    PyObject *window, *wait = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|O:NativeIP", const_cast<char **>(names), window_type, &window,
                                     &wait)) {
        return nullptr;
    }
    if (wait != Py_None && !PyCallable_Check(wait)) {
        PyErr_SetString(PyExc_TypeError, "wait must be callable: wait(pin, seconds)");
        return nullptr;
    }
    auto *self = reinterpret_cast<IpObject *>(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    self->window = reinterpret_cast<Window *>(Py_NewRef(window));
    if (wait != Py_None) self->wait = Py_NewRef(wait);
    self->table = {PYNQ_ABI, sizeof(pynq_ip), self, self->window->base, self->window->length,
                   ip_read, ip_write, ip_poll, ip_wait, ip_error, ip_read_block, ip_write_block};
    return reinterpret_cast<PyObject *>(self);
}

int ip_traverse(IpObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->window);
    Py_VISIT(self->wait);
    return 0;
}

int ip_clear(IpObject *self) {
    Py_CLEAR(self->wait);  // the window stays until the end: C code may still hold the table
    return 0;
}

void ip_dealloc(IpObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weak) PyObject_ClearWeakRefs(reinterpret_cast<PyObject *>(self));
    ip_clear(self);
    Py_CLEAR(self->window);
    type->tp_free(self);
    Py_DECREF(type);
}

void drop_owner(PyObject *capsule) { Py_XDECREF(static_cast<PyObject *>(PyCapsule_GetContext(capsule))); }

// A capsule that keeps `owner` alive.
PyObject *capsule_of(void *table, const char *name, PyObject *owner) {
    PyObject *capsule = PyCapsule_New(table, name, drop_owner);
    if (!capsule) return nullptr;
    Py_INCREF(owner);
    if (PyCapsule_SetContext(capsule, owner) < 0) {
        Py_DECREF(owner);
        Py_DECREF(capsule);
        return nullptr;
    }
    return capsule;
}

PyObject *ip_get_pointer(IpObject *self, void *) { return PyLong_FromVoidPtr(&self->table); }
PyObject *ip_get_capsule(IpObject *self, void *) {
    return capsule_of(&self->table, PYNQ_IP_CAPSULE, reinterpret_cast<PyObject *>(self));
}
PyObject *ip_get_window(IpObject *self, void *) { return Py_NewRef(reinterpret_cast<PyObject *>(self->window)); }
PyObject *last_error(PyObject *, void *) {
    return PyUnicode_DecodeUTF8(last_failure.text, static_cast<Py_ssize_t>(std::strlen(last_failure.text)), "replace");
}

PyMemberDef ip_members[] = {
    {const_cast<char *>("__weaklistoffset__"), T_PYSSIZET, offsetof(IpObject, weak), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef ip_getset[] = {
    {"pointer", reinterpret_cast<getter>(ip_get_pointer), nullptr, "Address of the pynq_ip, for ctypes and cffi.", nullptr},
    {"capsule", reinterpret_cast<getter>(ip_get_capsule), nullptr, "The pynq_ip as capsule 'pynq.ip'; keeps it alive.",
     nullptr},
    {"window", reinterpret_cast<getter>(ip_get_window), nullptr, "The window it reads and writes.", nullptr},
    {"error", last_error, nullptr, "Text of the last failure of a C call on this thread.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot ip_slots[] = {
    {Py_tp_doc, const_cast<char *>("NativeIP(window, wait=None)\n--\n\nThe C interface of one IP (pynq_ip); valid as long "
                                   "as this object.")},
    {Py_tp_new, reinterpret_cast<void *>(ip_new)},
    {Py_tp_traverse, reinterpret_cast<void *>(ip_traverse)},
    {Py_tp_clear, reinterpret_cast<void *>(ip_clear)},
    {Py_tp_dealloc, reinterpret_cast<void *>(ip_dealloc)},
    {Py_tp_members, ip_members},
    {Py_tp_getset, ip_getset},
    {0, nullptr},
};
PyType_Spec ip_spec = {"pynq._native.NativeIP", sizeof(IpObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, ip_slots};

// ---- buffers -----------------------------------------------------------------------------------------------------

struct NativeBufferObject {
    PyObject_HEAD
    pynq_buffer table;
    PyObject *keep;
};

PyObject *buffer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *names[] = {"address", "physical_address", "nbytes", "keep", nullptr};
    unsigned long long address, physical, nbytes;
    PyObject *keep;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "KKKO:NativeBuffer", const_cast<char **>(names), &address, &physical,
                                     &nbytes, &keep)) {
        return nullptr;
    }
    auto *self = reinterpret_cast<NativeBufferObject *>(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    self->table = {PYNQ_ABI, sizeof(pynq_buffer), reinterpret_cast<void *>(static_cast<uintptr_t>(address)), physical,
                   nbytes};
    self->keep = Py_NewRef(keep);
    return reinterpret_cast<PyObject *>(self);
}

int buffer_traverse(NativeBufferObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->keep);
    return 0;
}

void buffer_dealloc(NativeBufferObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->keep);
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject *buffer_get_pointer(NativeBufferObject *self, void *) { return PyLong_FromVoidPtr(&self->table); }
PyObject *buffer_get_capsule(NativeBufferObject *self, void *) {
    return capsule_of(&self->table, PYNQ_BUFFER_CAPSULE, reinterpret_cast<PyObject *>(self));
}

PyGetSetDef buffer_getset[] = {
    {"pointer", reinterpret_cast<getter>(buffer_get_pointer), nullptr, "Address of the pynq_buffer.", nullptr},
    {"capsule", reinterpret_cast<getter>(buffer_get_capsule), nullptr, "The pynq_buffer as capsule 'pynq.buffer'.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot buffer_slots[] = {
    {Py_tp_doc, const_cast<char *>("NativeBuffer(address, physical_address, nbytes, keep)\n--\n\nWhere a buffer is "
                                   "(pynq_buffer); keeps the buffer alive.")},
    {Py_tp_new, reinterpret_cast<void *>(buffer_new)},
    {Py_tp_traverse, reinterpret_cast<void *>(buffer_traverse)},
    {Py_tp_dealloc, reinterpret_cast<void *>(buffer_dealloc)},
    {Py_tp_getset, buffer_getset},
    {0, nullptr},
};
PyType_Spec buffer_spec = {"pynq._native.NativeBuffer", sizeof(NativeBufferObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, buffer_slots};

}  // namespace

bool add_driver_types(PyObject *module) {
    ip_type = add_type(module, &ip_spec);
    buffer_type = add_type(module, &buffer_spec);
    return ip_type && buffer_type;
}

}  // namespace pynq
