// SPDX-License-Identifier: BSD-3-Clause
// What register windows refuse, in words.

#include "window.hpp"

#include <cstdio>

namespace pynq {

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

bool refuse_unusable(const Window *w) {
    if (!w->port) {
        PyErr_SetString(PyExc_TypeError, "this window was never initialised: call super().__init__ with a window");
        return false;
    }
    // The port may have another reason when the exception has been made.
    raise_text("OverlayNotLoadedError", PyUnicode_FromFormat("%s: %U", label(w).c_str(), w->port->reason));
    return false;
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

}  // namespace pynq
