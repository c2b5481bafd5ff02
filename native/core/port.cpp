// SPDX-License-Identifier: BSD-3-Clause
// What windows on the same registers share: memory of this process, a bus or functions, and why it can't be used.

#include "window.hpp"

namespace pynq {

PyTypeObject *port_type;

PyObject *port_invalidate(Port *self, PyObject *reason) {
    if (!PyUnicode_Check(reason)) {
        PyErr_SetString(PyExc_TypeError, "reason must be a str");
        return nullptr;
    }
    Py_INCREF(reason);
    Py_XSETREF(self->reason, reason);
    Py_RETURN_NONE;
}

namespace {

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

}  // namespace

Port *new_port(Kind kind, uint8_t widest) {
    Port *port = reinterpret_cast<Port *>(port_type->tp_alloc(port_type, 0));
    if (!port) return nullptr;
    port->kind = kind;
    port->widest = widest;
    return port;
}

bool add_port_type(PyObject *module) {
    port_type = reinterpret_cast<PyTypeObject *>(PyType_FromModuleAndSpec(module, &port_spec, nullptr));
    return port_type != nullptr;
}

}  // namespace pynq
