// SPDX-License-Identifier: BSD-3-Clause
// Bindings of the engine: building, running, asking.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "dma.hpp"
#include "handles.hpp"
#include "passthrough.hpp"
#include "python.hpp"

#include <pynq/native.h>

#include <thread>

namespace pynq::sim {

namespace {

template <class T> nb::object handle_of(const PyEngine &self, T &part) { return nb::cast(Handle<T>{self.core, &part}); }

nb::object component_of(const PyEngine &self, Component &part) {
    if (dynamic_cast<Host *>(&part)) return nb::cast(HostHandle{{self.core, &part}});
    if (dynamic_cast<rtl::Rtl *>(&part)) return nb::cast(RtlHandle{{self.core, &part}});
    return nb::cast(Handle<Component>{self.core, &part});
}

int engine_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    if (!nb::inst_ready(self)) return 0;
    return nb::inst_ptr<PyEngine>(self)->core->hooks.traverse(visit, arg);
}

int engine_clear(PyObject *self) {
    if (!nb::inst_ready(self)) return 0;
    Engine &engine = *nb::inst_ptr<PyEngine>(self)->core;
    Guard guard(engine, true);
    engine.hooks.clear();
    return 0;
}

PyType_Slot engine_slots[] = {{Py_tp_traverse, reinterpret_cast<void *>(engine_traverse)},
                              {Py_tp_clear, reinterpret_cast<void *>(engine_clear)},
                              {0, nullptr}};

void refuse_in_hook(Engine &engine, const char *what) {
    if (engine.in_hook()) throw Error(Fault::Model, std::string(what) + " was called in a hook: a model can't run the engine that runs it");
}

// "in12" -> 12; what isn't of that form is no input.
size_t numbered(const std::string &key) {
    size_t number = 0;
    if (key.size() < 3 || key.size() > 8 || key.compare(0, 2, "in") != 0) return SIZE_MAX;
    for (const char digit : key.substr(2)) {
        if (digit < '0' || digit > '9') return SIZE_MAX;
        number = 10 * number + static_cast<size_t>(digit - '0');
    }
    return number;
}

// -- building --------------------------------------------------------------------------------------------------------
void bind_build(nb::class_<PyEngine> &type) {
    type.def("clock", [](PyEngine &self, const std::string &name, double hertz) {
            Guard guard(*self.core);
            return handle_of(self, self.core->add_clock(name, hertz));
        }, nb::arg("name"), nb::arg("hertz"))
        .def("memory", [](PyEngine &self, const std::string &name, uint64_t size, int fd) {
            Guard guard(*self.core);
            return handle_of(self, self.core->add_memory(name, size, fd));
        }, nb::arg("name"), nb::arg("size"), nb::kw_only(), nb::arg("fd") = -1)
        .def("space", [](PyEngine &self, const std::string &name, bool ps) {
            Guard guard(*self.core);
            return handle_of(self, self.core->add_space(name, ps));
        }, nb::arg("name"), nb::kw_only(), nb::arg("ps") = false)
        .def("link", [](PyEngine &self, const std::string &name, unsigned width, unsigned depth) {
            Guard guard(*self.core);
            return handle_of(self, self.core->add_link(name, width, depth));
        }, nb::arg("name"), nb::arg("width"), nb::kw_only(), nb::arg("depth") = 16)
        .def("net", [](PyEngine &self, const std::string &name, unsigned width, uint64_t initial) {
            Guard guard(*self.core);
            return handle_of(self, self.core->add_net(name, width, initial));
        }, nb::arg("name"), nb::arg("width") = 1, nb::arg("initial") = 0)
        .def("irq", [](PyEngine &self, unsigned number, const Handle<Net> &net, unsigned bit, bool edge) {
            Guard guard(*self.core);
            return handle_of(self, self.core->add_irq(number, mine(self.core, net), bit, edge));
        }, nb::arg("number"), nb::arg("net"), nb::kw_only(), nb::arg("bit") = 0, nb::arg("edge") = false)
        .def("gate", [](PyEngine &self, const std::string &operation, const std::string &name, nb::sequence inputs, const Handle<Net> &output,
                        nb::kwargs parameters) {
            Guard guard(*self.core);
            std::vector<Net *> nets;
            for (nb::handle input : inputs) nets.push_back(&mine(self.core, nb::cast<const Handle<Net> &>(input)));
            std::vector<unsigned> widths;
            for (Net *net : nets) widths.push_back(net->width);
            unsigned low = 0;
            uint64_t value = 0;
            const Gate::Operation kind = Gate::operation(operation);
            for (auto [key_object, value_object] : parameters) {
                const std::string key = nb::cast<std::string>(key_object);
                const uint64_t number = bits(value_object);
                if (kind == Gate::Operation::Slice && key == "low") low = static_cast<unsigned>(number);
                else if (kind == Gate::Operation::Slice && key == "high") continue;  // the output's width says it
                else if (kind == Gate::Operation::Constant && key == "value") value = number;
                else if (const size_t input = numbered(key); kind == Gate::Operation::Concat && input < widths.size())
                    widths[input] = static_cast<unsigned>(number);
                else
                    throw Error(Fault::Design, "gate " + name + " (" + operation + ") has no parameter \"" + key + "\"");
            }
            self.core->add_gate(std::make_unique<Gate>(kind, name, std::move(nets), std::move(widths), mine(self.core, output), low, value));
        }, nb::arg("operation"), nb::arg("name"), nb::arg("inputs"), nb::arg("output"), nb::arg("parameters"))
        .def("host", [](PyEngine &self, const std::string &name, const Handle<Clock> &clock, const std::string &kind) {
            Guard guard(*self.core);
            return component_of(self, self.core->add(std::make_unique<Host>(*self.core, name, mine(self.core, clock), kind)));
        }, nb::arg("name"), nb::arg("clock"), nb::kw_only(), nb::arg("kind") = "host")
        .def("dma", [](PyEngine &self, const std::string &name, const Handle<Clock> &clock, bool mm2s, bool s2mm, unsigned length_bits,
                       unsigned address_bits, bool mm2s_dre, bool s2mm_dre, unsigned mm2s_memory_width, unsigned s2mm_memory_width,
                       bool scatter_gather, bool micro) {
            Guard guard(*self.core);
            if (length_bits < 8 || length_bits > 26)
                throw Error(Fault::Design, format("axi_dma %s: length register of %u bits; 8 to 26 are possible (PG021)", name.c_str(), length_bits));
            if (address_bits < 32 || address_bits > 64)
                throw Error(Fault::Design, format("axi_dma %s: addresses of %u bits; 32 to 64 are possible (PG021)", name.c_str(), address_bits));
            const Dma::Options options{mm2s, s2mm, length_bits, address_bits, mm2s_dre, s2mm_dre, mm2s_memory_width, s2mm_memory_width, scatter_gather, micro};
            return component_of(self, self.core->add(std::make_unique<Dma>(*self.core, name, mine(self.core, clock), options)));
        }, nb::arg("name"), nb::arg("clock"), nb::kw_only(), nb::arg("mm2s") = true, nb::arg("s2mm") = true, nb::arg("length_bits") = 14,
           nb::arg("address_bits") = 32, nb::arg("mm2s_dre") = false, nb::arg("s2mm_dre") = false, nb::arg("mm2s_memory_width") = 4,
           nb::arg("s2mm_memory_width") = 4, nb::arg("scatter_gather") = false, nb::arg("micro") = false)
        .def("fifo", [](PyEngine &self, const std::string &name, const Handle<Clock> &clock, unsigned depth, bool packet,
                        std::optional<Handle<Clock>> output_clock) {
            Guard guard(*self.core);
            Clock &output = output_clock ? mine(self.core, *output_clock) : mine(self.core, clock);
            return component_of(self, self.core->add(std::make_unique<StreamFifo>(*self.core, name, mine(self.core, clock), output, depth, packet)));
        }, nb::arg("name"), nb::arg("clock"), nb::kw_only(), nb::arg("depth") = 0, nb::arg("packet") = false,
           nb::arg("output_clock").none() = nb::none())
        .def("broadcaster", [](PyEngine &self, const std::string &name, const Handle<Clock> &clock, unsigned outputs) {
            Guard guard(*self.core);
            return component_of(self, self.core->add(std::make_unique<StreamBroadcaster>(*self.core, name, mine(self.core, clock), outputs)));
        }, nb::arg("name"), nb::arg("clock"), nb::arg("outputs"))
        .def("rtl", [](PyEngine &self, const std::string &name, const Handle<Clock> &clock, const std::string &library,
                       const std::string &kind, const std::vector<std::string> &folders, nb::handle log) {
            Guard guard(*self.core);
            if (self.core->find(name)) throw Error(Fault::Design, "there is a component \"" + name + "\" already");
            return component_of(self, self.core->add(std::make_unique<rtl::Rtl>(*self.core, name, kind, mine(self.core, clock), library, folders,
                                                                                make_hook(*self.core, log))));
        }, nb::arg("name"), nb::arg("clock"), nb::arg("library"), nb::kw_only(), nb::arg("kind") = "rtl",
           nb::arg("folders") = std::vector<std::string>(), nb::arg("log").none() = nb::none())
        .def("elaborate", [](PyEngine &self, bool silent) {
            Guard guard(*self.core);
            self.core->elaborate(silent);
            pass_on(*self.core);
        }, nb::kw_only(), nb::arg("silent") = true)
        .def("find", [](PyEngine &self, const std::string &name) {
            Guard guard(*self.core);
            Component *found = self.core->find(name);
            if (!found) throw Error(Fault::Key, "no component \"" + name + "\" in the simulated board");
            return component_of(self, *found);
        }, nb::arg("name"));
}

// -- partial reconfiguration -----------------------------------------------------------------------------------------
template <class T> bool sort_in(const PyEngine &self, nb::handle part, std::vector<T *> &into) {
    if (!nb::isinstance<Handle<T>>(part)) return false;
    into.push_back(&mine(self.core, nb::cast<const Handle<T> &>(part)));
    return true;
}

void bind_swap(nb::class_<PyEngine> &type) {
    type.def("hold", [](PyEngine &self) {
            Guard guard(*self.core);
            refuse_in_hook(*self.core, "hold");
            if (!self.core->lock.try_lock()) throw Error(Fault::Model, "hold: the lock that is held can't be taken again");
        })
        .def("let_go", [](PyEngine &self) {
            if (!self.core->lock.mine()) throw Error(Fault::Model, "let_go without hold");
            self.core->lock.unlock();
        })
        .def("take_out", [](PyEngine &self, nb::iterable parts) {
            Guard guard(*self.core);
            refuse_in_hook(*self.core, "take_out");
            Engine::Parts sorted;
            for (nb::handle part : parts)
                if (!sort_in(self, part, sorted.components) && !sort_in(self, part, sorted.nets) && !sort_in(self, part, sorted.links) &&
                    !sort_in(self, part, sorted.spaces) && !sort_in(self, part, sorted.memories) && !sort_in(self, part, sorted.clocks))
                    throw nb::type_error("take_out: components, nets, links, spaces, memories and clocks can be taken out");
            self.core->take_out(sorted);
            pass_on(*self.core);
        }, nb::arg("parts"))
        .def("bench", [](PyEngine &self, nb::iterable components, bool away) {
            Guard guard(*self.core);
            std::vector<Component *> found;
            for (nb::handle component : components) sort_in(self, component, found);
            self.core->bench(found, away);
        }, nb::arg("components"), nb::arg("away"));
}

// -- access and time -------------------------------------------------------------------------------------------------
[[noreturn]] void raise_status(Engine &, int status, const std::string &error) {
    switch (status) {
    case PYNQ_EPYTHON:
    case PYNQ_EINTERRUPTED: throw nb::python_error();
    case PYNQ_EDEADLOCK: throw Error(Fault::Deadlock, error);
    case PYNQ_EGONE: throw Error(Fault::Closed, error);
    default: throw Error(Fault::Bus, error);
    }
}

void check_access(uint64_t address, unsigned width) {
    if (width != 1 && width != 2 && width != 4 && width != 8)
        throw Error(Fault::Access, format("access of %u bytes at 0x%llx; 1, 2, 4 and 8 are possible", width, static_cast<unsigned long long>(address)));
    if (address % width)
        throw Error(Fault::Alignment, format("address 0x%llx is no multiple of %u bytes", static_cast<unsigned long long>(address), width));
}

// What run_until waits for.
struct Until {
    Net *net = nullptr;
    std::weak_ptr<void> life;  // of the net
    Irq *irq = nullptr;
    PyObject *function = nullptr;
    uint64_t mask = 0, value = 0;
    bool any = false;

    bool operator()(Engine &engine) const {
        if (net && life.expired()) {
            engine.fail(Error(Fault::Closed, "the net that was waited for was taken out by a partial reconfiguration"));
            return false;
        }
        if (net) return any ? (net->value() & mask) != 0 : (net->value() & mask) == value;
        if (irq) return irq->fired();
        if (!function) return false;
        nb::gil_scoped_acquire gil;
        const nb::object answer = engine.call(function);
        if (!answer.is_valid()) return false;
        const int truth = PyObject_IsTrue(answer.ptr());
        if (truth >= 0) return truth;
        nb::python_error error;
        engine.fail_python(error);
        return false;
    }
};

const char *run_until(PyEngine &self, nb::handle what, nb::handle mask, nb::handle value, nb::handle timeout, nb::handle slice, nb::handle patience) {
    Engine &engine = *self.core;
    Guard guard(engine);
    refuse_in_hook(engine, "run_until");
    Until until;
    if (nb::isinstance<Handle<Net>>(what)) {
        until.net = &mine(self.core, nb::cast<const Handle<Net> &>(what));
        until.life = until.net->life;
        until.mask = bits(mask) & ones(until.net->width);
        until.any = value.is_none();
        if (!until.any) until.value = bits(value) & until.mask;
    } else if (nb::isinstance<Handle<Irq>>(what)) {
        until.irq = &mine(self.core, nb::cast<const Handle<Irq> &>(what));
    } else if (!what.is_none()) {
        if (!PyCallable_Check(what.ptr())) throw nb::type_error("run_until: until must be a Net, an Irq, a function or None");
        until.function = what.ptr();
    }
    const bool sliced = !slice.is_none();
    double wait_for = 0;
    if (!what.is_none() && !sliced) wait_for = patience.is_none() ? -1 : nb::cast<double>(patience);
    Engine::Wait wait;
    if (!timeout.is_none()) {
        const uint64_t duration = bits(timeout);
        wait.deadline = duration > kNever - engine.now() - 1 ? kNever - 1 : engine.now() + duration;
    }
    if (sliced) wait.slice = std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(std::clamp(nb::cast<double>(slice), 0.0, 1e6)));
    wait.horizon = !what.is_none();
    if (until.function) wait.grain = 1;
    wait.released = true;
    Stop stop = Stop::Quiet;
    {
        nb::gil_scoped_release release;
        Running running(engine);
        for (;;) {
            const uint64_t seen = engine.stimuli();
            stop = engine.loop(wait, [&] { return until(engine); });
            if (stop != Stop::Quiet || wait_for == 0) break;
            const double seconds = wait_for < 0 ? engine.patience_now() : wait_for;
            if (seconds <= 0 || engine.lock.depth() != 1) break;
            engine.lock.unlock();
            const bool came = engine.await_stimulus(seen, seconds, stop);
            engine.lock.lock();
            if (engine.ending()) stop = Stop::Closed;
            if (!came || stop == Stop::Closed) break;
        }
        if (!engine.closed()) engine.touch();
    }
    if (stop == Stop::Time && wait.deadline != kNever) engine.skip_to(wait.deadline);
    raise_stop(engine, stop);
    switch (stop) {
    case Stop::Hit: return "hit";
    case Stop::Time: return "time";
    case Stop::Slice: return "slice";
    default: return "quiet";
    }
}

void bind_run(nb::class_<PyEngine> &type) {
    type.def_prop_ro("bus", [](PyEngine &self) { Guard guard(*self.core); return make_bus(self.core); })
        .def("read", [](PyEngine &self, uint64_t address, unsigned width) {
            check_access(address, width);
            Guard guard(*self.core);
            uint64_t value = 0;
            std::string error;
            if (const int status = self.core->ps_read(address, width, value, error); status != PYNQ_OK) raise_status(*self.core, status, error);
            return value;
        }, nb::arg("address"), nb::arg("width") = 4)
        .def("write", [](PyEngine &self, uint64_t address, nb::handle value, unsigned width) {
            check_access(address, width);
            const uint64_t word = bits(value) & ones(8 * width);
            Guard guard(*self.core);
            std::string error;
            if (const int status = self.core->ps_write(address, width, word, error); status != PYNQ_OK) raise_status(*self.core, status, error);
        }, nb::arg("address"), nb::arg("value"), nb::arg("width") = 4)
        .def_prop_ro("now", [](PyEngine &self) { Guard guard(*self.core); return self.core->now(); })
        .def_prop_ro("quiet", [](PyEngine &self) { Guard guard(*self.core); return self.core->quiet(); })
        .def_prop_ro("activity", [](PyEngine &self) {
            Guard guard(*self.core);
            return nb::make_tuple(self.core->progress(), self.core->fired());
        })
        .def_prop_ro("stimuli", [](PyEngine &self) { return self.core->stimuli(); })
        .def_prop_ro("running", [](PyEngine &self) { return self.core->running(); })
        .def("catch_up", [](PyEngine &self) {
            Engine &engine = *self.core;
            Guard guard(engine);
            if (engine.in_hook()) return;
            Stop stop;
            {
                Running running(engine);
                stop = engine.catch_up();
                if (!engine.closed()) engine.touch();
            }
            raise_stop(engine, stop);
        })
        .def("run", [](PyEngine &self, uint64_t duration) {
            Engine &engine = *self.core;
            Guard guard(engine);
            refuse_in_hook(engine, "run");
            Stop stop;
            {
                nb::gil_scoped_release release;
                stop = engine.run(duration);
            }
            raise_stop(engine, stop);
        }, nb::arg("duration"))
        .def("run_until", run_until, nb::arg("until").none(), nb::kw_only(), nb::arg("mask") = -1, nb::arg("value").none() = nb::none(),
             nb::arg("timeout").none() = nb::none(), nb::arg("slice").none() = nb::none(), nb::arg("patience").none() = nb::none())
        .def("wait_stimulus", [](PyEngine &self, uint64_t seen, double timeout) {
            Stop stop = Stop::Quiet;
            bool came;
            const std::shared_ptr<Engine> engine = self.core;
            if (engine->lock.mine()) throw Error(Fault::Model, "wait_stimulus was called in a hook");
            {
                nb::gil_scoped_release release;
                came = engine->await_stimulus(seen, timeout, stop);
            }
            if (stop == Stop::Signal) throw nb::python_error();
            return came;
        }, nb::arg("seen"), nb::arg("timeout"))
        .def("on_stimulus", [](PyEngine &self, nb::handle hook) {
            Guard guard(*self.core);
            self.core->set_stimulus_hook(make_hook(*self.core, hook));
        }, nb::arg("hook").none());
}

// -- diagnosis -------------------------------------------------------------------------------------------------------
void bind_diagnosis(nb::class_<PyEngine> &type) {
    type.def("explain", [](PyEngine &self, nb::handle what, const std::string &channel) {
            Engine &engine = *self.core;
            Guard guard(engine);
            std::string out;
            if (what.is_none())
                out = engine.explain_all();
            else if (nb::isinstance<Handle<Net>>(what))
                out = engine.explain(mine(self.core, nb::cast<const Handle<Net> &>(what)));
            else if (nb::isinstance<Handle<Irq>>(what)) {
                Irq &irq = mine(self.core, nb::cast<const Handle<Irq> &>(what));
                out = format("interrupt %u can't fire: ", irq.number) + engine.explain(irq.net);
            } else {
                const std::string name = nb::cast<std::string>(what);
                Component *found = engine.find(name);
                if (!found) throw Error(Fault::Key, "no component \"" + name + "\" in the simulated board");
                out = engine.explain(*found, channel);
            }
            pass_on(engine);
            return out;
        }, nb::arg("what").none() = nb::none(), nb::arg("channel") = "")
        .def("statistics", [](PyEngine &self) {
            Guard guard(*self.core);
            nb::dict out;
            for (const auto &link : self.core->links()) out[link->name.c_str()] = statistics(*link);
            for (const auto &space : self.core->spaces()) {
                nb::dict counts;
                counts["reads"] = space->statistics.reads;
                counts["writes"] = space->statistics.writes;
                counts["bytes_read"] = space->statistics.bytes_read;
                counts["bytes_written"] = space->statistics.bytes_written;
                counts["errors"] = space->statistics.errors;
                out[space->name.c_str()] = counts;
            }
            return out;
        })
        .def("inject", [](PyEngine &self, const std::string &target, uint64_t latency, const std::string &response, double probability,
                          uint64_t base, uint64_t high, int64_t count) {
            Guard guard(*self.core);
            Injection injection{base, high, latency, Resp::Okay, probability, count};
            if (response == "SLVERR") injection.response = Resp::SlvErr;
            else if (response == "DECERR") injection.response = Resp::DecErr;
            else if (!response.empty()) throw Error(Fault::Value, "inject: response is \"" + response + "\"; \"\", \"SLVERR\" and \"DECERR\" are possible");
            if (!(probability >= 0 && probability <= 1)) throw Error(Fault::Value, format("inject: probability %g is not between 0 and 1", probability));
            Component *component = self.core->find(target);
            Space *space = self.core->find_space(target);
            if (component)
                for (SlavePort &port : component->slaves) port.injections.push_back(injection);
            else if (space)
                space->injections.push_back(injection);
            else
                throw Error(Fault::Key, "inject: no component and no space \"" + target + "\" in the simulated board");
        }, nb::arg("target"), nb::kw_only(), nb::arg("latency") = 0, nb::arg("response") = "", nb::arg("probability") = 1.0, nb::arg("base") = 0,
           nb::arg("high") = ~uint64_t{0}, nb::arg("count") = -1)
        .def("clear_injections", [](PyEngine &self) { Guard guard(*self.core); self.core->clear_injections(); })
        .def("trace", [](PyEngine &self, const std::string &mode) {
            Guard guard(*self.core);
            if (mode != "off" && mode != "hash" && mode != "list") throw Error(Fault::Value, "trace: mode is \"" + mode + "\"; \"off\", \"hash\" and \"list\" are possible");
            self.core->trace(mode == "off" ? TraceMode::Off : mode == "hash" ? TraceMode::Hash : TraceMode::List);
        }, nb::arg("mode") = "list")
        .def_prop_ro("trace_hash", [](PyEngine &self) { Guard guard(*self.core); return self.core->trace_hash(); })
        .def_prop_ro("trace_events", [](PyEngine &self) {
            Guard guard(*self.core);
            static const char *const kinds[] = {"read", "write", "packet", "net", "irq", "burst-read", "burst-write"};
            nb::list out;
            for (const Engine::TraceEntry &entry : self.core->trace_entries())
                out.append(nb::make_tuple(entry.time, kinds[static_cast<int>(entry.kind)], entry.name, entry.a, entry.b));
            return out;
        });
}

template <class T> void option(nb::class_<PyEngine> &type, const char *name, T Engine::Options::*member) {
    type.def_prop_rw(
        name, [member](PyEngine &self) { return self.core->options.*member; },
        [member](PyEngine &self, T value) {
            Guard guard(*self.core);
            self.core->options.*member = value;
        });
}

}  // namespace

void bind_engine(nb::module_ &module) {
    nb::class_<PyEngine> type(module, "Engine", nb::type_slots(engine_slots), nb::is_final(), nb::is_weak_referenceable());
    type.def("__init__", [](PyEngine *self, uint64_t seed, bool deterministic, uint64_t access_cycles, uint64_t access_limit, double patience, uint64_t horizon,
                            uint64_t idle_events) {
        new (self) PyEngine(Engine::Options{seed, deterministic, access_cycles, access_limit, patience, horizon, idle_events});
    }, nb::arg("seed") = 0, nb::kw_only(), nb::arg("deterministic") = true, nb::arg("access_cycles") = 16, nb::arg("access_limit") = 1024,
       nb::arg("patience") = 2.0, nb::arg("horizon") = uint64_t{1'000'000'000'000},
       nb::arg("idle_events") = uint64_t{2'000'000});
    option(type, "deterministic", &Engine::Options::deterministic);
    option(type, "access_cycles", &Engine::Options::access_cycles);
    option(type, "access_limit", &Engine::Options::access_limit);
    option(type, "patience", &Engine::Options::patience);
    option(type, "horizon", &Engine::Options::horizon);
    option(type, "idle_events", &Engine::Options::idle_events);
    type.def("close", [](PyEngine &self, std::string reason) {
            {
                Guard guard(*self.core, true);
                refuse_in_hook(*self.core, "close");
                self.core->close(std::move(reason));
            }
            // Where another thread runs the engine, it ends its run and closes.
            nb::gil_scoped_release release;
            while (!self.core->closed()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }, nb::arg("reason") = "")
        .def_prop_ro("closed", [](PyEngine &self) { return self.core->closed(); })
        .def("__repr__", [](PyEngine &self) {
            Guard guard(*self.core, true);
            return self.core->closed() ? std::string("<Engine: closed>") : format("<Engine at %.9f s>", static_cast<double>(self.core->now()) * 1e-12);
        });
    bind_build(type);
    bind_swap(type);
    bind_run(type);
    bind_diagnosis(type);
}

}  // namespace pynq::sim
