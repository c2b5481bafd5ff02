// SPDX-License-Identifier: BSD-3-Clause
#include "core.hpp"

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "pynq._native", "Register windows, register maps and device memory.", -1,
    nullptr, nullptr, nullptr, nullptr, nullptr,
};

PyMODINIT_FUNC PyInit__native(void) {
    PyObject *module = PyModule_Create(&definition);
    if (!module) return nullptr;
    if (!pynq::add_window_types(module) || !pynq::add_register_types(module) || !pynq::add_memory_types(module) ||
        !pynq::add_driver_types(module)) {
        Py_DECREF(module);
        return nullptr;
    }
    return module;
}
