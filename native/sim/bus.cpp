// SPDX-License-Identifier: BSD-3-Clause
// The engine as a pynq_bus (pynq/native.h): the only way from a register window into the engine.
#include <pynq/native.h>

#include "python.hpp"

namespace pynq::sim {

namespace {

struct Bus {
    pynq_bus table{};
    std::shared_ptr<Engine> engine;
};

thread_local std::string last_error;

// The engine's lock, for a thread that may or may not hold the interpreter's. False: a signal handler raised.
bool enter(Engine &engine) {
    if (engine.lock.try_lock()) return true;
    if (!PyGILState_Check()) {
        engine.lock.lock();
        return true;
    }
    for (;;) {
        bool got;
        {
            nb::gil_scoped_release release;
            got = engine.lock.lock_for(std::chrono::milliseconds(20));
        }
        if (got) return true;
        if (PyErr_CheckSignals() != 0) return false;
    }
}

int closed(Engine &engine) {
    last_error = engine.end();
    return PYNQ_EGONE;
}

template <class Work> int access(void *ctx, Work &&work) {
    Engine &engine = *static_cast<Bus *>(ctx)->engine;
    if (!enter(engine)) {
        last_error = "interrupted";
        return PYNQ_EINTERRUPTED;
    }
    std::string error;
    const int status = engine.closed() ? closed(engine) : work(engine, error);
    engine.lock.unlock();
    if (!error.empty()) last_error = std::move(error);
    return status;
}

int read(void *ctx, uint64_t address, uint32_t width, uint64_t *value) {
    return access(ctx, [&](Engine &engine, std::string &error) { return engine.ps_read(address, width, *value, error); });
}

int write(void *ctx, uint64_t address, uint32_t width, uint64_t value) {
    return access(ctx, [&](Engine &engine, std::string &error) { return engine.ps_write(address, width, value, error); });
}

int read_block(void *ctx, uint64_t address, uint32_t width, void *data, uint64_t count) {
    return access(ctx, [&](Engine &engine, std::string &error) { return engine.ps_block(false, address, width, data, count, error); });
}

int write_block(void *ctx, uint64_t address, uint32_t width, const void *data, uint64_t count) {
    return access(ctx, [&](Engine &engine, std::string &error) {
        return engine.ps_block(true, address, width, const_cast<void *>(data), count, error);
    });
}

int poll(void *ctx, uint64_t address, uint32_t width, uint64_t mask, uint64_t match, int64_t timeout_ns, uint64_t *last) {
    return access(ctx, [&](Engine &engine, std::string &error) {
        return engine.ps_poll(address, width, mask, match, timeout_ns, *last, error);
    });
}

const char *error(void *) { return last_error.c_str(); }

}  // namespace

nb::object make_bus(const std::shared_ptr<Engine> &engine) {
    auto *bus = new Bus{};
    bus->engine = engine;
    bus->table = {PYNQ_ABI, sizeof(pynq_bus), bus, read, write, read_block, write_block, poll, error};
    PyObject *capsule = PyCapsule_New(&bus->table, PYNQ_BUS_CAPSULE, [](PyObject *self) {
        auto *table = static_cast<pynq_bus *>(PyCapsule_GetPointer(self, PYNQ_BUS_CAPSULE));
        delete static_cast<Bus *>(table->ctx);
    });
    if (!capsule) {
        delete bus;
        throw nb::python_error();
    }
    return nb::steal(capsule);
}

}  // namespace pynq::sim
