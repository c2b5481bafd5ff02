// SPDX-License-Identifier: BSD-3-Clause
// Register maps: the register, its fields and the map as objects without Python frames on the way to the bus.
// The classes that users see are built on these in src/pynq/registers.py.

#include "core.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

namespace pynq {
namespace {

using ull = unsigned long long;

PyTypeObject *register_type, *field_type, *map_type, *slot_type;

struct RegisterObject {
    PyObject_HEAD
    Window *window;
    PyObject *name;
    uint64_t offset;
    uint64_t address;  // what `address` shows: the offset, or an absolute address
    uint64_t zeros;  // bits to write as 0 when another field is written: "oneToClear" and their like
    uint64_t ones;   // bits to write as 1 then: "zeroToClear"
    uint8_t width;   // bytes of an access
    uint8_t bits;    // of the register
    bool readable, writable;
    PyObject *weak;
};

struct FieldObject {
    PyObject_HEAD
    PyObject *name;
    PyObject *doc;
    PyObject *values;  // an enumeration, or nullptr
    uint8_t lower, bits;
    bool readable, writable;
};

struct MapObject {
    PyObject_HEAD
    Window *window;
    PyObject **items;
    Py_ssize_t count;
    PyObject *weak;
};

struct SlotObject {
    PyObject_HEAD
    PyObject *name;
    PyObject *doc;
    Py_ssize_t index;
};

inline uint64_t mask_of(unsigned bits) { return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1; }

bool bound(const RegisterObject *self) {
    if (self->window) return true;
    PyErr_SetString(PyExc_TypeError, "this register was never initialised");
    return false;
}

bool read_register(RegisterObject *self, uint64_t *value) {
    return bound(self) && window_read(self->window, self->offset, self->width, false, value);
}

bool write_register(RegisterObject *self, uint64_t value) {
    return bound(self) && window_write(self->window, self->offset, self->width, false, value);
}

// Replace some bits. The others are read and written back, but for those where writing back what was read does harm.
bool update_register(RegisterObject *self, unsigned lower, unsigned bits, uint64_t value) {
    if (!bound(self)) return false;
    const uint64_t mask = mask_of(bits) << lower;
    if ((mask & mask_of(self->bits)) == mask_of(self->bits)) return write_register(self, value << lower);
    uint64_t current;
    if (!read_register(self, &current)) return false;
    return write_register(self, (((current & ~self->zeros) | self->ones) & ~mask) | (value << lower));
}

// ---- Register ----------------------------------------------------------------------------------------------------

int register_traverse(RegisterObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->window);
    return 0;
}

int register_clear(RegisterObject *self) {
    Py_CLEAR(self->window);
    return 0;
}

void register_dealloc(RegisterObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weak) PyObject_ClearWeakRefs(reinterpret_cast<PyObject *>(self));
    register_clear(self);
    Py_CLEAR(self->name);
    type->tp_free(self);
    Py_DECREF(type);
}

// _bind(window, offset, width, bits, readable, writable, name, zeros, ones, address)
PyObject *register_bind(RegisterObject *self, PyObject *args) {
    PyObject *window, *name;
    ull offset, zeros = 0, ones = 0, address = ~0ULL;
    int width, bits, readable, writable;
    if (!PyArg_ParseTuple(args, "O!KiippU|KKK:_bind", window_type, &window, &offset, &width, &bits, &readable, &writable,
                          &name, &zeros, &ones, &address)) {
        return nullptr;
    }
    if ((width != 1 && width != 2 && width != 4 && width != 8) || bits < 1 || bits > 8 * width) {
        PyErr_Format(PyExc_ValueError, "a register of %d bits can't be accessed with %d bytes", bits, width);
        return nullptr;
    }
    Py_INCREF(window);
    Py_XSETREF(self->window, reinterpret_cast<Window *>(window));
    Py_INCREF(name);
    Py_XSETREF(self->name, name);
    self->offset = offset;
    self->width = static_cast<uint8_t>(width);
    self->bits = static_cast<uint8_t>(bits);
    self->readable = readable;
    self->writable = writable;
    self->address = address == ~0ULL ? offset : address;
    self->zeros = zeros;
    self->ones = ones;
    Py_RETURN_NONE;
}

PyObject *register_fetch(RegisterObject *self, PyObject *) {
    uint64_t value;
    return read_register(self, &value) ? PyLong_FromUnsignedLongLong(value) : nullptr;
}

std::string text_of(PyObject *name) {
    const char *utf8 = name ? PyUnicode_AsUTF8(name) : nullptr;
    if (!utf8) PyErr_Clear();
    return utf8 ? utf8 : "?";
}

PyObject *register_int(RegisterObject *self) {
    if (self->window && !self->readable) {
        return raise("FieldValueError", "register %s (offset 0x%llX) is write-only", text_of(self->name).c_str(),
                     static_cast<ull>(self->offset));
    }
    uint64_t value;
    return read_register(self, &value) ? PyLong_FromUnsignedLongLong(value) : nullptr;
}

// Write the whole register.
bool assign_register(RegisterObject *self, PyObject *value) {
    if (!bound(self)) return false;
    if (!self->writable) {
        raise("FieldValueError", "register %s (offset 0x%llX) is read-only", text_of(self->name).c_str(),
              static_cast<ull>(self->offset));
        return false;
    }
    if (PyObject_TypeCheck(value, register_type)) {
        uint64_t other;
        return read_register(reinterpret_cast<RegisterObject *>(value), &other) && write_register(self, other);
    }
    if (!PyLong_Check(value) && !PyIndex_Check(value)) {
        PyErr_Format(PyExc_TypeError, "register %U takes an int, not %.100s; the bits of a float are written by the "
                                      "window's write(offset, value)", self->name, Py_TYPE(value)->tp_name);
        return false;
    }
    uint64_t bits;
    if (!to_unsigned(value, self->width, "value", &bits)) return false;
    if (self->bits < 8 * self->width && (bits & ~mask_of(self->bits))) {
        raise("FieldValueError", "0x%llX does not fit register %s, which has %u bits", static_cast<ull>(bits),
              text_of(self->name).c_str(), self->bits);
        return false;
    }
    return write_register(self, bits);
}

// An attribute that is not there: let Python make the message, with the near names.
PyObject *explain_attribute(PyObject *self, PyObject *name) {
    if (PyErr_Occurred() != PyExc_AttributeError) return nullptr;  // its subclasses say more already
    PyObject *original = take_exception();
    PyObject *explain = PyObject_GetAttrString(reinterpret_cast<PyObject *>(Py_TYPE(self)), "_unknown");
    PyObject *text = explain ? PyObject_CallFunctionObjArgs(explain, name, nullptr) : nullptr;
    Py_XDECREF(explain);
    if (text && PyUnicode_Check(text)) {
        PyErr_SetObject(PyExc_AttributeError, text);
        Py_DECREF(text);
        Py_DECREF(original);
        return nullptr;
    }
    Py_XDECREF(text);
    PyErr_Clear();
    put_exception(original);
    return nullptr;
}

PyObject *get_attribute(PyObject *self, PyObject *name) {
    PyObject *found = PyObject_GenericGetAttr(self, name);
    return found ? found : explain_attribute(self, name);
}

int set_attribute(PyObject *self, PyObject *name, PyObject *value) {
    const int done = PyObject_GenericSetAttr(self, name, value);
    // a descriptor that refuses raises errors of its own kind; AttributeError here means: no such name
    if (done < 0) explain_attribute(self, name);
    return done;
}

PyObject *register_get_name(RegisterObject *self, void *) {
    return self->name ? Py_NewRef(self->name) : PyUnicode_FromString("");
}
PyObject *register_get_offset(RegisterObject *self, void *) { return PyLong_FromUnsignedLongLong(self->offset); }
PyObject *register_get_address(RegisterObject *self, void *) { return PyLong_FromUnsignedLongLong(self->address); }
PyObject *register_get_width(RegisterObject *self, void *) {
    return PyLong_FromLong(self->bits);
}
PyObject *register_get_size(RegisterObject *self, void *) { return PyLong_FromLong(self->bits); }
PyObject *register_get_access(RegisterObject *self, void *) {
    return PyUnicode_FromString(self->readable ? (self->writable ? "read-write" : "read-only") : "write-only");
}
PyObject *register_get_window(RegisterObject *self, void *) {
    return self->window ? Py_NewRef(reinterpret_cast<PyObject *>(self->window)) : Py_NewRef(Py_None);
}

// An index or slice as hardware description means it: both ends count, the highest bit comes first. `mirrored`: from
// low to high. FieldValueError for bits that do not exist.
struct Bits {
    unsigned lower, count;
    bool mirrored;
};

bool to_bit(PyObject *value, int width, int otherwise, int *bit) {
    if (value == Py_None) {
        *bit = otherwise;
        return true;
    }
    PyObject *number = PyNumber_Index(value);
    if (!number) return false;
    int overflow;
    const long n = PyLong_AsLongAndOverflow(number, &overflow);
    if (overflow || n < 0 || n >= width) {
        raise_text("FieldValueError", PyUnicode_FromFormat("bit %S is not in range 0 - %d", number, width - 1));
        Py_DECREF(number);
        return false;
    }
    Py_DECREF(number);
    *bit = static_cast<int>(n);
    return true;
}

bool to_bits(PyObject *index, int width, Bits *bits) {
    int start, stop;
    if (PySlice_Check(index)) {
        const auto *slice = reinterpret_cast<PySliceObject *>(index);
        long step = -1;
        if (slice->step != Py_None) {
            step = PyLong_AsLong(slice->step);
            if (step == -1 && PyErr_Occurred()) return false;
        }
        if (step != 1 && step != -1) {
            raise("FieldValueError", "the step of a register's slice is %ld; it must be 1 or -1", step);
            return false;
        }
        const int first = step == 1 ? 0 : width - 1;
        if (!to_bit(slice->start, width, first, &start) || !to_bit(slice->stop, width, width - 1 - first, &stop)) {
            return false;
        }
    } else if (PyIndex_Check(index)) {
        if (!to_bit(index, width, 0, &start)) return false;
        stop = start;
    } else {
        raise("FieldValueError", "a register's index is an int or a slice, not %.100s", Py_TYPE(index)->tp_name);
        return false;
    }
    *bits = {static_cast<unsigned>(start < stop ? start : stop),
             static_cast<unsigned>((start < stop ? stop - start : start - stop) + 1), start < stop};
    return true;
}

uint64_t mirror(uint64_t value, unsigned count) {
    uint64_t result = 0;
    for (unsigned i = 0; i < count; ++i) result |= (value >> i & 1) << (count - 1 - i);
    return result;
}

PyObject *register_get_bits(RegisterObject *self, PyObject *index) {
    Bits bits;
    if (!bound(self) || !to_bits(index, self->bits, &bits)) return nullptr;
    if (!self->readable) return register_int(self);  // refuses
    uint64_t value;
    if (!read_register(self, &value)) return nullptr;
    value = value >> bits.lower & mask_of(bits.count);
    return PyLong_FromUnsignedLongLong(bits.mirrored ? mirror(value, bits.count) : value);
}

int register_set_bits(RegisterObject *self, PyObject *index, PyObject *value) {
    Bits bits;
    if (!bound(self) || !to_bits(index, self->bits, &bits)) return -1;
    if (!value) {
        PyErr_SetString(PyExc_TypeError, "bits can't be deleted");
        return -1;
    }
    if (!self->writable) {
        raise("FieldValueError", "register %s (offset 0x%llX) is read-only", text_of(self->name).c_str(),
              static_cast<ull>(self->offset));
        return -1;
    }
    PyObject *number = PyNumber_Index(value);
    if (!number) return -1;
    const uint64_t n = PyLong_AsUnsignedLongLong(number);
    const bool fits = !PyErr_Occurred() && n <= mask_of(bits.count);
    PyErr_Clear();
    if (!fits) {
        raise_text("FieldValueError",
                   PyUnicode_FromFormat("%S does not fit %u bit%s of register %U: allowed are 0 to %llu", number,
                                        bits.count, bits.count > 1 ? "s" : "", self->name,
                                        static_cast<ull>(mask_of(bits.count))));
    }
    Py_DECREF(number);
    if (!fits) return -1;
    return update_register(self, bits.lower, bits.count, bits.mirrored ? mirror(n, bits.count) : n) ? 0 : -1;
}

PyObject *register_count(PyObject *, PyObject *args) {
    PyObject *index;
    int width = 32;
    Bits bits;
    if (!PyArg_ParseTuple(args, "O|i:_count", &index, &width) || !to_bits(index, width, &bits)) return nullptr;
    return PyLong_FromUnsignedLong(bits.count);
}

PyMethodDef register_methods[] = {
    {"_count", method(register_count), METH_VARARGS | METH_STATIC, nullptr},
    {"_bind", method(register_bind), METH_VARARGS, nullptr},
    {"_fetch", method(register_fetch), METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef register_members[] = {
    {const_cast<char *>("__weaklistoffset__"), T_PYSSIZET, offsetof(RegisterObject, weak), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

// Private doubles: a field may be called "address", "width" or "access".
PyGetSetDef register_getset[] = {
    {"_name", reinterpret_cast<getter>(register_get_name), nullptr, nullptr, nullptr},
    {"_offset", reinterpret_cast<getter>(register_get_offset), nullptr, nullptr, nullptr},
    {"_bits", reinterpret_cast<getter>(register_get_size), nullptr, nullptr, nullptr},
    {"_access", reinterpret_cast<getter>(register_get_access), nullptr, nullptr, nullptr},
    {"_window", reinterpret_cast<getter>(register_get_window), nullptr, nullptr, nullptr},
    {"address", reinterpret_cast<getter>(register_get_address), nullptr, "Offset of the register in its map, or its absolute address where it has no map.", nullptr},
    {"width", reinterpret_cast<getter>(register_get_width), nullptr, "Number of bits that slices count.", nullptr},
    {"access", reinterpret_cast<getter>(register_get_access), nullptr, "'read-write', 'read-only' or 'write-only'.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot register_slots[] = {
    {Py_tp_traverse, reinterpret_cast<void *>(register_traverse)},
    {Py_tp_clear, reinterpret_cast<void *>(register_clear)},
    {Py_tp_dealloc, reinterpret_cast<void *>(register_dealloc)},
    {Py_tp_getattro, reinterpret_cast<void *>(get_attribute)},
    {Py_tp_setattro, reinterpret_cast<void *>(set_attribute)},
    {Py_nb_int, reinterpret_cast<void *>(register_int)},
    {Py_nb_index, reinterpret_cast<void *>(register_int)},
    {Py_mp_subscript, reinterpret_cast<void *>(register_get_bits)},
    {Py_mp_ass_subscript, reinterpret_cast<void *>(register_set_bits)},
    {Py_tp_methods, register_methods},
    {Py_tp_members, register_members},
    {Py_tp_getset, register_getset},
    {0, nullptr},
};
PyType_Spec register_spec = {"pynq._native.RegisterBase", sizeof(RegisterObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, register_slots};

// ---- Field -------------------------------------------------------------------------------------------------------

PyObject *field_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *names[] = {"name", "lower", "bits", "readable", "writable", "doc", "values", nullptr};
    PyObject *name, *doc = nullptr, *values = Py_None;
    int lower, bits, readable = 1, writable = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Uii|ppUO:Field", const_cast<char **>(names), &name, &lower, &bits,
                                     &readable, &writable, &doc, &values)) {
        return nullptr;
    }
    if (lower < 0 || bits < 1 || bits > 64 || lower > 64 - bits) {
        PyErr_Format(PyExc_ValueError, "field %U: %d bits from bit %d on don't fit a register", name, bits, lower);
        return nullptr;
    }
    auto *self = reinterpret_cast<FieldObject *>(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    self->name = Py_NewRef(name);
    Py_XINCREF(doc);
    self->doc = doc;
    if (values != Py_None) self->values = Py_NewRef(values);
    self->lower = static_cast<uint8_t>(lower);
    self->bits = static_cast<uint8_t>(bits);
    self->readable = readable;
    self->writable = writable;
    return reinterpret_cast<PyObject *>(self);
}

int field_traverse(FieldObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->values);
    return 0;
}

void field_dealloc(FieldObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->name);
    Py_CLEAR(self->doc);
    Py_CLEAR(self->values);
    type->tp_free(self);
    Py_DECREF(type);
}

bool owner_is_register(const FieldObject *self, PyObject *owner) {
    if (PyObject_TypeCheck(owner, register_type)) return true;
    PyErr_Format(PyExc_TypeError, "field %U belongs to a register, not to a %.100s", self->name, Py_TYPE(owner)->tp_name);
    return false;
}

PyObject *field_get(FieldObject *self, PyObject *owner, PyObject *) {
    if (!owner || owner == Py_None) return Py_NewRef(reinterpret_cast<PyObject *>(self));
    if (!owner_is_register(self, owner)) return nullptr;
    auto *reg = reinterpret_cast<RegisterObject *>(owner);
    if (!self->readable) {
        return raise("FieldValueError", "field %s of register %s is write-only", text_of(self->name).c_str(),
                     text_of(reg->name).c_str());
    }
    uint64_t value;
    if (!read_register(reg, &value)) return nullptr;
    PyObject *number = PyLong_FromUnsignedLongLong((value >> self->lower) & mask_of(self->bits));
    if (!self->values || !number) return number;
    PyObject *member = PyObject_CallOneArg(self->values, number);
    if (!member && PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();  // the hardware may show a value that has no name
        return number;
    }
    Py_DECREF(number);
    return member;
}

int field_set(FieldObject *self, PyObject *owner, PyObject *value) {
    if (!owner_is_register(self, owner)) return -1;
    auto *reg = reinterpret_cast<RegisterObject *>(owner);
    if (!bound(reg)) return -1;
    if (!value) {
        PyErr_Format(PyExc_TypeError, "field %U can't be deleted", self->name);
        return -1;
    }
    if (!self->writable) {
        raise("FieldValueError", "field %s of register %s is read-only", text_of(self->name).c_str(),
              text_of(reg->name).c_str());
        return -1;
    }
    const uint64_t mask = mask_of(self->bits);
    uint64_t number = 0;
    bool fits = false;
    if (PyLong_Check(value)) {
        number = PyLong_AsUnsignedLongLong(value);
        if (number == ~uint64_t{0} && PyErr_Occurred()) PyErr_Clear();
        else fits = number <= mask;
    } else if (PyIndex_Check(value)) {
        PyObject *index = PyNumber_Index(value);
        if (!index) return -1;
        number = PyLong_AsUnsignedLongLong(index);
        Py_DECREF(index);
        if (number == ~uint64_t{0} && PyErr_Occurred()) PyErr_Clear();
        else fits = number <= mask;
    } else {
        PyErr_Format(PyExc_TypeError, "field %U of register %U takes an int, not %.100s", self->name, reg->name,
                     Py_TYPE(value)->tp_name);
        return -1;
    }
    if (!fits) {
        raise_text("FieldValueError",
                   PyUnicode_FromFormat("%S does not fit field %U of register %U, which has %d %s: allowed are 0 to %llu",
                                        value, self->name, reg->name, self->bits, self->bits == 1 ? "bit" : "bits",
                                        static_cast<ull>(mask)));
        return -1;
    }
    return update_register(reg, self->lower, self->bits, number) ? 0 : -1;
}

PyObject *field_repr(FieldObject *self) {
    if (self->bits == 1) return PyUnicode_FromFormat("<Field %U: bit %d>", self->name, self->lower);
    return PyUnicode_FromFormat("<Field %U: bits %d to %d>", self->name, self->lower + self->bits - 1, self->lower);
}

PyMemberDef field_members[] = {
    {const_cast<char *>("__name__"), T_OBJECT, offsetof(FieldObject, name), READONLY, nullptr},
    {const_cast<char *>("__doc__"), T_OBJECT, offsetof(FieldObject, doc), READONLY, nullptr},
    {const_cast<char *>("values"), T_OBJECT, offsetof(FieldObject, values), READONLY,
     const_cast<char *>("The enumeration of its values, or None.")},
    {const_cast<char *>("lower"), T_UBYTE, offsetof(FieldObject, lower), READONLY, const_cast<char *>("Lowest bit.")},
    {const_cast<char *>("bits"), T_UBYTE, offsetof(FieldObject, bits), READONLY, const_cast<char *>("Number of bits.")},
    {const_cast<char *>("readable"), T_BOOL, offsetof(FieldObject, readable), READONLY, nullptr},
    {const_cast<char *>("writable"), T_BOOL, offsetof(FieldObject, writable), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot field_slots[] = {
    {Py_tp_new, reinterpret_cast<void *>(field_new)},
    {Py_tp_traverse, reinterpret_cast<void *>(field_traverse)},
    {Py_tp_dealloc, reinterpret_cast<void *>(field_dealloc)},
    {Py_tp_descr_get, reinterpret_cast<void *>(field_get)},
    {Py_tp_descr_set, reinterpret_cast<void *>(field_set)},
    {Py_tp_repr, reinterpret_cast<void *>(field_repr)},
    {Py_tp_members, field_members},
    {0, nullptr},
};
PyType_Spec field_spec = {"pynq._native.Field", sizeof(FieldObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                          field_slots};

// ---- RegisterMap -------------------------------------------------------------------------------------------------

int map_traverse(MapObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->window);
    for (Py_ssize_t i = 0; i < self->count; ++i) Py_VISIT(self->items[i]);
    return 0;
}

int map_clear(MapObject *self) {
    Py_CLEAR(self->window);
    for (Py_ssize_t i = 0; i < self->count; ++i) Py_CLEAR(self->items[i]);
    return 0;
}

void map_dealloc(MapObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weak) PyObject_ClearWeakRefs(reinterpret_cast<PyObject *>(self));
    map_clear(self);
    PyMem_Free(self->items);
    type->tp_free(self);
    Py_DECREF(type);
}

// _bind(window, count)
PyObject *map_bind(MapObject *self, PyObject *args) {
    PyObject *window;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(args, "O!n:_bind", window_type, &window, &count)) return nullptr;
    if (self->window || count < 0) {
        PyErr_SetString(PyExc_TypeError, "a register map is bound once");
        return nullptr;
    }
    if (count) {
        self->items = static_cast<PyObject **>(PyMem_Calloc(static_cast<size_t>(count), sizeof(PyObject *)));
        if (!self->items) return PyErr_NoMemory();
    }
    self->count = count;
    self->window = reinterpret_cast<Window *>(Py_NewRef(window));
    Py_RETURN_NONE;
}

PyObject *map_get_window(MapObject *self, void *) {
    return self->window ? Py_NewRef(reinterpret_cast<PyObject *>(self->window)) : Py_NewRef(Py_None);
}

// Borrowed. Registers are made by the class's _make(index) when they are first asked for.
PyObject *map_item(PyObject *owner, Py_ssize_t index) {
    if (!PyObject_TypeCheck(owner, map_type)) {
        PyErr_Format(PyExc_TypeError, "a register belongs to a register map, not to a %.100s", Py_TYPE(owner)->tp_name);
        return nullptr;
    }
    auto *self = reinterpret_cast<MapObject *>(owner);
    if (index >= self->count) {
        PyErr_SetString(PyExc_TypeError, "this register map was never initialised");
        return nullptr;
    }
    if (!self->items[index]) {
        PyObject *made = PyObject_CallMethod(owner, "_make", "n", index);
        if (!made) return nullptr;
        Py_XSETREF(self->items[index], made);
    }
    return self->items[index];
}

PyMethodDef map_methods[] = {
    {"_bind", method(map_bind), METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef map_members[] = {
    {const_cast<char *>("__weaklistoffset__"), T_PYSSIZET, offsetof(MapObject, weak), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef map_getset[] = {
    {"_window", reinterpret_cast<getter>(map_get_window), nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot map_slots[] = {
    {Py_tp_traverse, reinterpret_cast<void *>(map_traverse)},
    {Py_tp_clear, reinterpret_cast<void *>(map_clear)},
    {Py_tp_dealloc, reinterpret_cast<void *>(map_dealloc)},
    {Py_tp_getattro, reinterpret_cast<void *>(get_attribute)},
    {Py_tp_setattro, reinterpret_cast<void *>(set_attribute)},
    {Py_tp_methods, map_methods},
    {Py_tp_members, map_members},
    {Py_tp_getset, map_getset},
    {0, nullptr},
};
PyType_Spec map_spec = {"pynq._native.RegisterMapBase", sizeof(MapObject), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, map_slots};

// ---- Slot: a register as an attribute of the map ------------------------------------------------------------------

PyObject *slot_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *names[] = {"name", "index", "doc", nullptr};
    PyObject *name, *doc = nullptr;
    Py_ssize_t index;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Un|U:Slot", const_cast<char **>(names), &name, &index, &doc)) {
        return nullptr;
    }
    if (index < 0) {
        PyErr_SetString(PyExc_ValueError, "index must not be negative");
        return nullptr;
    }
    auto *self = reinterpret_cast<SlotObject *>(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    self->name = Py_NewRef(name);
    Py_XINCREF(doc);
    self->doc = doc;
    self->index = index;
    return reinterpret_cast<PyObject *>(self);
}

void slot_dealloc(SlotObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(self->name);
    Py_CLEAR(self->doc);
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject *slot_get(SlotObject *self, PyObject *owner, PyObject *) {
    if (!owner || owner == Py_None) return Py_NewRef(reinterpret_cast<PyObject *>(self));
    PyObject *item = map_item(owner, self->index);
    Py_XINCREF(item);
    return item;
}

int slot_set(SlotObject *self, PyObject *owner, PyObject *value) {
    if (!value) {
        PyErr_Format(PyExc_TypeError, "register %U can't be deleted", self->name);
        return -1;
    }
    PyObject *item = map_item(owner, self->index);
    if (!item) return -1;
    if (PyObject_TypeCheck(item, register_type)) {
        return assign_register(reinterpret_cast<RegisterObject *>(item), value) ? 0 : -1;
    }
    PyObject *done = PyObject_CallMethod(item, "_assign", "O", value);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

PyObject *slot_repr(SlotObject *self) { return PyUnicode_FromFormat("<register %U>", self->name); }

PyMemberDef slot_members[] = {
    {const_cast<char *>("__name__"), T_OBJECT, offsetof(SlotObject, name), READONLY, nullptr},
    {const_cast<char *>("__doc__"), T_OBJECT, offsetof(SlotObject, doc), READONLY, nullptr},
    {const_cast<char *>("index"), T_PYSSIZET, offsetof(SlotObject, index), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot slot_slots[] = {
    {Py_tp_new, reinterpret_cast<void *>(slot_new)},
    {Py_tp_dealloc, reinterpret_cast<void *>(slot_dealloc)},
    {Py_tp_descr_get, reinterpret_cast<void *>(slot_get)},
    {Py_tp_descr_set, reinterpret_cast<void *>(slot_set)},
    {Py_tp_repr, reinterpret_cast<void *>(slot_repr)},
    {Py_tp_members, slot_members},
    {0, nullptr},
};
PyType_Spec slot_spec = {"pynq._native.Slot", sizeof(SlotObject), 0, Py_TPFLAGS_DEFAULT, slot_slots};

}  // namespace

bool add_register_types(PyObject *module) {
    register_type = add_type(module, &register_spec);
    field_type = add_type(module, &field_spec);
    map_type = add_type(module, &map_spec);
    slot_type = add_type(module, &slot_spec);
    return register_type && field_type && map_type && slot_type;
}

}  // namespace pynq
