// SPDX-License-Identifier: BSD-3-Clause
// What the bindings share: handles, the guard, errors.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "engine.hpp"

namespace pynq::sim {

// Takes the engine's lock for a call from Python; never waits for it with the interpreter's lock held. Ctrl-C ends the
// wait (python_error), but for calls that must not fail.
class Guard {
  public:
    explicit Guard(Engine &engine, bool always = false) : engine_(engine) {
        if (!engine_.lock.try_lock()) wait(always);
        if (engine_.closed() && !always) {
            engine_.lock.unlock();
            throw Error(Fault::Closed, engine_.end());
        }
    }
    ~Guard() { engine_.lock.unlock(); }
    Guard(const Guard &) = delete;
    Guard &operator=(const Guard &) = delete;

  private:
    void wait(bool always);

    Engine &engine_;
};

// A part that may have left the engine meanwhile (partial reconfiguration): using it then raises. Ask with the engine locked.
template <class T> class Live {
  public:
    Live(T *part) : part_(part), life_(part->life) {}
    T *get() const {
        if (!alive()) throw Error(Fault::Closed, "this part of the simulated board was taken out by a partial reconfiguration");
        return part_;
    }
    T *operator->() const { return get(); }
    T &operator*() const { return *get(); }
    bool alive() const { return !life_.expired(); }
    bool operator==(const Live &other) const { return part_ == other.part_ && !life_.owner_before(other.life_) && !other.life_.owner_before(life_); }
    Py_ssize_t hash() const { return static_cast<Py_ssize_t>(reinterpret_cast<intptr_t>(part_) >> 4); }

  private:
    T *part_;
    std::weak_ptr<void> life_;
};

// What Python holds of a part of the engine.
template <class T> struct Handle {
    std::shared_ptr<Engine> engine;
    Live<T> part;
    bool operator==(const Handle &other) const { return part == other.part && engine == other.engine; }
};

// The part behind a handle that was given as an argument: it must be of this engine (another one may have ended).
template <class T> T &mine(const std::shared_ptr<Engine> &engine, const Handle<T> &handle) {
    if (handle.engine != engine) throw Error(Fault::Design, "what was given belongs to another engine");
    return *handle.part;
}

// After work that may have called hooks outside of a run: raise what they raised.
inline void pass_on(Engine &engine) {
    if (engine.failed() && !engine.in_hook()) engine.raise_failure();
}

// Throws unless the run ended in the ordinary way.
void raise_stop(Engine &engine, Stop stop);

struct PyEngine {
    std::shared_ptr<Engine> core;
    explicit PyEngine(const Engine::Options &options) : core(std::make_shared<Engine>(options)) {}
    ~PyEngine() {
        Guard guard(*core, true);
        core->close();
    }
};

nb::object make_bus(const std::shared_ptr<Engine> &engine);
void bind_parts(nb::module_ &module);
void bind_components(nb::module_ &module);
void bind_rtl(nb::module_ &module);
void bind_engine(nb::module_ &module);
void bind_waves(nb::module_ &module);
void bind_vfio(nb::module_ &module);
void register_errors();

// A contiguous buffer of bytes (buffer protocol), for as long as this lives.
class Buffer {
  public:
    explicit Buffer(nb::handle object);
    ~Buffer() { PyBuffer_Release(&view_); }
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    const uint8_t *data() const { return static_cast<const uint8_t *>(view_.buf); }
    size_t size() const { return static_cast<size_t>(view_.len); }

  private:
    Py_buffer view_;
};

// Any int, as 64 bits (negative ones in two's complement).
uint64_t bits(nb::handle number);

inline Hook make_hook(Engine &engine, nb::handle callable) {
    if (callable.is_none()) return {};
    if (!PyCallable_Check(callable.ptr())) throw nb::type_error("a hook must be callable");
    return Hook(engine.hooks, callable.ptr());
}

nb::dict statistics(const Link &link);

}  // namespace pynq::sim
