// SPDX-License-Identifier: BSD-3-Clause
// Python values and the bits of registers: arguments of accesses, what is written, what was read.

#include "window.hpp"

#include <cmath>
#include <cstring>

namespace pynq {

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

// numpy does what is rare.
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

namespace {

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

}  // namespace

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

}  // namespace pynq
