// SPDX-License-Identifier: BSD-3-Clause
// The module pynq.backends.sim._engine; its contract is src/pynq/backends/sim/_engine.pyi.
#include <nanobind/stl/string.h>

#include "python.hpp"

namespace pynq::sim {

namespace {

const char *class_of(Fault fault) {
    switch (fault) {
    case Fault::Design: return "DesignError";
    case Fault::Bus: return "BusError";
    case Fault::Deadlock: return "DeadlockError";
    case Fault::Model: return "ModelError";
    case Fault::Access: return "AccessError";
    case Fault::Alignment: return "AlignmentError";
    case Fault::Closed: return "OverlayNotLoadedError";
    case Fault::Rtl: return "RtlError";
    case Fault::RtlFinished: return "RtlFinished";
    case Fault::Protocol: return "ProtocolError";
    case Fault::Key:
    case Fault::Value: break;
    }
    return nullptr;
}

}  // namespace

void set_python_error(const Error &error) {
    const char *name = class_of(error.fault);
    if (!name) {
        PyErr_SetString(error.fault == Fault::Key ? PyExc_KeyError : PyExc_ValueError, error.what());
        return;
    }
    const nb::object type = nb::module_::import_("pynq.errors").attr(name);
    if (!error.place) {
        PyErr_SetString(type.ptr(), error.what());
        return;
    }
    const nb::object raised = type(error.what());
    raised.attr("cell") = error.place->cell;
    raised.attr("file") = error.place->file;
    raised.attr("line") = error.place->line;
    raised.attr("cycle") = error.place->cycle;
    PyErr_SetObject(type.ptr(), raised.ptr());
}

void register_errors() {
    nb::register_exception_translator([](const std::exception_ptr &pointer, void *) {
        try {
            std::rethrow_exception(pointer);
        } catch (const Error &error) {
            set_python_error(error);
        } catch (const PythonRaised &) {
            // The indicator is set already.
        }
    });
}

void raise_stop(Engine &engine, Stop stop) {
    switch (stop) {
    case Stop::Failed: engine.raise_failure();
    case Stop::Signal: throw nb::python_error();
    case Stop::Closed: throw Error(Fault::Closed, engine.end());
    default: return;
    }
}

void Guard::wait(bool always) {
    for (;;) {
        bool got;
        {
            nb::gil_scoped_release release;
            got = engine_.lock.lock_for(std::chrono::milliseconds(20));
        }
        if (got) return;
        if (!always && PyErr_CheckSignals() != 0) throw nb::python_error();
    }
}

Buffer::Buffer(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_C_CONTIGUOUS) != 0) throw nb::python_error();
}

uint64_t bits(nb::handle number) {
    const nb::object index = nb::steal(PyNumber_Index(number.ptr()));
    if (!index.is_valid()) throw nb::python_error();
    const uint64_t value = PyLong_AsUnsignedLongLongMask(index.ptr());
    if (PyErr_Occurred()) throw nb::python_error();
    return value;
}

}  // namespace pynq::sim

NB_MODULE(_engine, module) {
    using namespace pynq::sim;
    module.doc() = "The simulation engine: the whole programmable logic in one native object.";
#ifdef NDEBUG
    // Programs end with objects in tracebacks and in globals of modules; that is theirs to decide, not worth a word.
    nb::set_leak_warnings(false);
#endif
    register_errors();
    bind_parts(module);
    bind_components(module);
    bind_rtl(module);
    bind_engine(module);
    bind_waves(module);
    bind_vfio(module);
}
