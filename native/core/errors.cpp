// SPDX-License-Identifier: BSD-3-Clause
#include "core.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>

namespace pynq {

static PyObject *attribute_of(PyObject **module, const char *module_name, const char *name) {
    if (!*module) {
        *module = PyImport_ImportModule(module_name);
        if (!*module) return nullptr;
    }
    PyObject *found = PyObject_GetAttrString(*module, name);
    Py_XDECREF(found);  // borrowed: the module keeps it
    return found;
}

PyObject *error_class(const char *error) {
    static PyObject *module;
    return attribute_of(&module, "pynq.errors", error);
}

PyObject *numpy_attribute(const char *name) {
    static PyObject *module;
    return attribute_of(&module, "numpy", name);
}

PyObject *raise_text(const char *error, PyObject *text) {
    if (!text) return nullptr;
    if (PyObject *type = error_class(error)) PyErr_SetObject(type, text);
    Py_DECREF(text);
    return nullptr;
}

PyObject *raise(const char *error, const char *format, ...) {
    char buffer[1024];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return raise_text(error, PyUnicode_DecodeUTF8(buffer, static_cast<Py_ssize_t>(std::strlen(buffer)), "replace"));
}

bool parse_arguments(const char *function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                     const char *const *names, int count, int required, PyObject **out) {
    if (nargs > count) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %d arguments (%zd given)", function, count, nargs);
        return false;
    }
    for (int i = 0; i < count; ++i) out[i] = i < nargs ? args[i] : nullptr;
    const Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t k = 0; k < keywords; ++k) {
        PyObject *keyword = PyTuple_GET_ITEM(kwnames, k);
        int i = 0;
        while (i < count && PyUnicode_CompareWithASCIIString(keyword, names[i]) != 0) ++i;
        if (i == count) {
            std::string known;
            for (int j = 0; j < count; ++j) known += (j ? ", " : "") + std::string(names[j]);
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R; it takes %s", function, keyword,
                         known.c_str());
            return false;
        }
        if (out[i]) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument %R", function, keyword);
            return false;
        }
        out[i] = args[nargs + k];
    }
    for (int i = 0; i < required; ++i) {
        if (!out[i]) {
            PyErr_Format(PyExc_TypeError, "%s() misses the argument '%s'", function, names[i]);
            return false;
        }
    }
    return true;
}

int status_of_exception(Failure *failure, bool keep) {
    PyObject *exception = take_exception();
    failure->text[0] = 0;
    if (PyObject *text = PyObject_Str(exception)) {
        if (const char *utf8 = PyUnicode_AsUTF8(text)) std::snprintf(failure->text, sizeof failure->text, "%s", utf8);
        Py_DECREF(text);
    }
    PyErr_Clear();
    static const struct {
        const char *error;
        int status;
    } table[] = {
        {"WaitTimeoutError", PYNQ_ETIMEDOUT},        {"DeadlockError", PYNQ_EDEADLOCK},
        {"AlignmentError", PYNQ_EALIGN},             {"AccessError", PYNQ_ERANGE},
        {"BusError", PYNQ_EBUS},                     {"UnsupportedByDeviceError", PYNQ_EUNSUPPORTED},
        {"OverlayNotLoadedError", PYNQ_EGONE},
    };
    int status = PYNQ_EPYTHON;
    if (PyErr_GivenExceptionMatches(exception, PyExc_KeyboardInterrupt)) {
        status = PYNQ_EINTERRUPTED;
        PyErr_SetInterrupt();  // raised again when the driver returns to Python
    } else {
        for (const auto &row : table) {
            PyObject *known = error_class(row.error);
            if (!known) {
                PyErr_Clear();
                continue;
            }
            if (PyErr_GivenExceptionMatches(exception, known)) {
                status = row.status;
                break;
            }
        }
        // Our own classes first: a DeadlockError is a TimeoutError as well.
        if (status == PYNQ_EPYTHON && PyErr_GivenExceptionMatches(exception, PyExc_TimeoutError)) {
            status = PYNQ_ETIMEDOUT;
        }
    }
    if (status == PYNQ_EPYTHON && keep) {
        put_exception(exception);
    } else {
        Py_DECREF(exception);
    }
    return status;
}

}  // namespace pynq
