// SPDX-License-Identifier: BSD-3-Clause
// Bindings of waves: signals by name, recordings, wave files, coverage.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "handles.hpp"
#include "python.hpp"
#include "wave_hub.hpp"

namespace pynq::sim {

namespace {

using State = WaveRecorder::State;
using Compare = WaveRecorder::Compare;

struct RecorderHandle {
    std::shared_ptr<Engine> engine;
    std::shared_ptr<WaveRecorder> recorder;
    std::vector<uint32_t> signals;   // as they were chosen
    std::vector<uint32_t> channels;  // of each of them
    std::vector<uint32_t> bits;
};

nb::object number(const uint32_t *words, uint32_t bits) {
    if (bits <= 64) {
        uint64_t value = words[0];
        if (bits > 32) value |= static_cast<uint64_t>(words[1]) << 32;
        return nb::steal(PyLong_FromUnsignedLongLong(value));
    }
    // int.from_bytes, which every version has
    const nb::bytes bytes(reinterpret_cast<const char *>(words), wave_words(bits) * sizeof *words);
    return nb::borrow(reinterpret_cast<PyObject *>(&PyLong_Type)).attr("from_bytes")(bytes, "little");
}

// Unused bits are 0.
std::vector<uint32_t> words_of(nb::handle value, uint32_t bits) {
    const uint32_t count = wave_words(bits);
    const nb::object mask = nb::int_(1).attr("__lshift__")(bits).attr("__sub__")(1);
    const nb::object bytes = nb::borrow(value).attr("__and__")(mask).attr("to_bytes")(count * sizeof(uint32_t), "little");
    std::vector<uint32_t> words(count);
    std::memcpy(words.data(), PyBytes_AS_STRING(bytes.ptr()), count * sizeof(uint32_t));
    return words;
}

[[noreturn]] void raise(const WaveFault &fault) {
    const nb::object error = nb::steal(PyObject_CallFunction(PyExc_OSError, "iss", fault.error, std::strerror(fault.error), fault.path.c_str()));
    if (!error.is_valid()) throw nb::python_error();
    PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(error.ptr())), error.ptr());
    throw nb::python_error();
}

template <class Body> auto with_faults(Body &&body) {
    try {
        return body();
    } catch (const WaveFault &fault) {
        raise(fault);
    }
}

const char *const kCompare[] = {"==", "!=", "<", "<=", ">", ">=", "rises", "falls", "changes"};

Compare compare_of(const std::string &text) {
    for (size_t i = 0; i < std::size(kCompare); ++i)
        if (text == kCompare[i]) return static_cast<Compare>(i);
    throw Error(Fault::Value, "no comparison \"" + text + "\" of a trigger");
}

const char *text(State state) {
    switch (state) {
    case State::Waiting: return "waiting";
    case State::Armed: return "armed";
    case State::Recording: return "recording";
    case State::Stopped: return "stopped";
    case State::Closed: break;
    }
    return "closed";
}

std::vector<uint32_t> channels_of(WaveHub &hub, const std::vector<uint32_t> &signals) {
    // As WaveHub::record numbers them.
    std::map<std::pair<WaveSource *, uint32_t>, uint32_t> known;
    std::vector<uint32_t> channels;
    for (const uint32_t signal : signals) {
        const WaveSignal &at = hub.signals().at(signal);
        channels.push_back(known.emplace(std::pair{at.source, at.code}, static_cast<uint32_t>(known.size())).first->second);
    }
    return channels;
}

// From when, until when, and of each signal its changes (time, value), the first one being the value at the beginning.
nb::tuple memory_of(const RecorderHandle &self) {
    WaveRecorder &recorder = *self.recorder;
    recorder.settle();
    uint32_t count = 0;
    for (const uint32_t channel : self.channels) count = std::max(count, channel + 1);
    std::vector<nb::list> changes(count);
    std::vector<uint32_t> width(count);
    for (size_t i = 0; i < self.channels.size(); ++i) width[self.channels[i]] = self.bits[i];
    for (uint32_t i = 0; i < count; ++i)
        changes[i].append(nb::make_tuple(recorder.memory_begin(), number(recorder.memory_base(i), width[i])));
    for (const WaveRing::Frame &frame : recorder.ring().frames()) {
        const uint32_t *at = recorder.ring().words(frame), *end = at + frame.size;
        while (at != end) {
            const uint32_t channel = *at;
            const uint32_t words = wave_words(recorder.bits(channel));
            if (channel < count) changes[channel].append(nb::make_tuple(frame.time, number(at + 1, width[channel])));
            at += 1 + words;
        }
    }
    nb::list out;
    for (const uint32_t channel : self.channels) out.append(changes[channel]);
    return nb::make_tuple(recorder.memory_begin(), recorder.memory_end(), out);
}

struct FileHandle {
    std::unique_ptr<WaveWriter> writer;
    std::vector<WaveVariable> variables;
    Time last = 0;
    WaveWriter &get() {
        if (!writer) throw Error(Fault::Value, "the wave file is closed");
        return *writer;
    }
    const WaveVariable &at(uint32_t variable) const {
        if (variable >= variables.size()) throw Error(Fault::Value, format("no variable %u: there are %zu", variable, variables.size()));
        return variables[variable];
    }
};

using Row = std::tuple<std::string, std::string, uint32_t, std::string>;

}  // namespace

void bind_waves(nb::module_ &module) {
    using Self = RecorderHandle;
    nb::class_<Self>(module, "Recorder", nb::is_final())
        .def("start", [](const Self &self) {
            Guard guard(*self.engine);
            self.engine->waves().start(*self.recorder);
        })
        .def("stop", [](const Self &self) {
            Guard guard(*self.engine, true);
            if (!self.engine->closed()) self.engine->waves().stop(*self.recorder);
        })
        .def("flush", [](const Self &self) {
            Guard guard(*self.engine, true);
            self.recorder->flush();
        })
        .def("close", [](const Self &self) {
            Guard guard(*self.engine, true);
            if (!self.engine->closed()) self.engine->waves().close(self.recorder);
        })
        .def("memory", [](const Self &self) {
            Guard guard(*self.engine, true);
            if (!self.engine->closed()) self.recorder->tick(self.engine->now());
            if (!self.recorder->in_memory()) throw Error(Fault::Value, "this recording goes to a file");
            return memory_of(self);
        })
        .def("check", [](const Self &self) {
            Guard guard(*self.engine, true);
            if (self.recorder->failure()) raise(*self.recorder->failure());
        })
        .def_prop_ro("state", [](const Self &self) {
            Guard guard(*self.engine, true);
            if (!self.engine->closed()) self.recorder->tick(self.engine->now());  // its time may have come, or be over
            return text(self.recorder->state());
        })
        .def_prop_ro("bytes", [](const Self &self) { Guard guard(*self.engine, true); return self.recorder->bytes(); })
        .def_prop_ro("triggered", [](const Self &self) -> nb::object {
            const Time at = self.recorder->triggered();
            return at == kNever ? nb::none() : nb::object(nb::int_(at));
        });

    module.def("signals", [](const PyEngine &self) {
        Guard guard(*self.core);
        nb::list out;
        uint32_t index = 0;
        for (const WaveSignal &signal : self.core->waves().signals()) {
            nb::list scope;
            for (const std::string &name : signal.scope) scope.append(name);
            if (signal.source->alive)
                out.append(nb::make_tuple(index, nb::tuple(scope), signal.name, signal.bits, signal.msb, signal.lsb, std::string(1, signal.kind)));
            ++index;
        }
        return out;
    }, nb::arg("engine"));

    module.def("read_signal", [](const PyEngine &self, uint32_t index) {
        Guard guard(*self.core);
        WaveHub &hub = self.core->waves();
        if (index >= hub.signals().size()) throw Error(Fault::Value, format("no signal %u", index));
        return number(hub.read(index).data(), hub.signals()[index].bits);
    }, nb::arg("engine"), nb::arg("index"));

    module.def("record", [](const PyEngine &self, const std::vector<uint32_t> &signals, const std::string &path, const std::string &format_name,
                            Time start, nb::handle stop, Time before, nb::handle keep, nb::handle trigger, nb::handle failed) {
        Guard guard(*self.core);
        Engine &engine = *self.core;
        WaveHub &hub = engine.waves();
        const size_t known = hub.signals().size();
        for (const uint32_t signal : signals)
            if (signal >= known) throw Error(Fault::Value, format("no signal %u", signal));
        WaveRecorder::Options options;
        options.start = start;
        options.stop = stop.is_none() ? kNever : nb::cast<Time>(stop);
        options.before = before;
        options.keep = keep.is_none() ? kNever : nb::cast<Time>(keep);
        auto hook = std::make_shared<Hook>(make_hook(engine, failed));
        options.failed = [&engine, hook](const WaveFault &fault) {
            if (!*hook) return;
            nb::gil_scoped_acquire gil;
            engine.call(hook->get(), fault.error, fault.path);
        };
        WaveHub::Trigger condition{};
        if (!trigger.is_none()) {
            const auto [signal, compare, value, low, bits] = nb::cast<std::tuple<uint32_t, std::string, uint64_t, unsigned, unsigned>>(trigger);
            if (signal >= known) throw Error(Fault::Value, format("no signal %u", signal));
            if (bits < 1 || bits > 64 || low + bits > hub.signals()[signal].bits)
                throw Error(Fault::Value, "a trigger looks at 1 to 64 bits of a signal");
            condition = {signal, compare_of(compare), value, low, bits};
        }
        Self out{self.core, nullptr, signals, channels_of(hub, signals), {}};
        for (const uint32_t signal : signals) out.bits.push_back(hub.signals()[signal].bits);
        out.recorder = with_faults([&] { return hub.record(signals, path, format_name, std::move(options), trigger.is_none() ? nullptr : &condition); });
        return out;
    }, nb::arg("engine"), nb::arg("signals"), nb::kw_only(), nb::arg("path") = "", nb::arg("format") = "fst", nb::arg("start") = 0,
       nb::arg("stop") = nb::none(), nb::arg("before") = 0, nb::arg("keep") = nb::none(), nb::arg("trigger") = nb::none(), nb::arg("failed") = nb::none());

    module.def("write_coverage", [](const RtlHandle &self, const std::string &path) {
        Guard guard(*self.engine);
        rtl::Model &model = self.rtl().model();
        if (!(model.design().flags & PYNQ_RTL_COVERAGE)) return false;
        if (const int error = model.design().write_coverage(model.handle(), path.c_str())) raise({error, path});
        return true;
    }, nb::arg("module"), nb::arg("path"));

    nb::class_<FileHandle>(module, "WaveFile", nb::is_final())
        .def("__init__", [](FileHandle *self, const std::string &path, const std::string &format_name, const std::vector<Row> &rows) {
            new (self) FileHandle();
            for (const auto &[scope, name, bits, kind] : rows) {
                if (bits < 1 || bits > 1u << 20 || kind.size() != 1 || (kind == "f" && bits != 64))
                    throw Error(Fault::Value, "variable " + name + ": wrong width or kind");
                WaveVariable variable;
                for (size_t from = 0; from <= scope.size();) {
                    const size_t to = std::min(scope.find('/', from), scope.size());
                    if (to > from) variable.scope.push_back(scope.substr(from, to - from));
                    from = to + 1;
                }
                variable.name = name;
                variable.bits = bits;
                variable.msb = static_cast<int32_t>(bits) - 1;
                variable.kind = kind[0];
                variable.channel = static_cast<uint32_t>(self->variables.size());
                self->variables.push_back(std::move(variable));
            }
            if (format_name != "vcd" && format_name != "fst") throw Error(Fault::Value, "no format \"" + format_name + "\": vcd and fst are possible");
            with_faults([&] { self->writer = format_name == "vcd" ? make_vcd(path, self->variables) : make_fst(path, self->variables); });
        }, nb::arg("path"), nb::arg("format"), nb::arg("variables"))
        .def("time", [](FileHandle &self, Time now) {
            if (now < self.last) throw Error(Fault::Value, "time never goes back in a wave file");
            self.last = now;
            with_faults([&] { self.get().time(now); });
        }, nb::arg("now"))
        .def("change", [](FileHandle &self, uint32_t variable, nb::handle value) {
            const WaveVariable &at = self.at(variable);
            std::vector<uint32_t> words;
            if (at.kind == 'f') {
                const double real = nb::cast<double>(value);
                words.resize(2);
                std::memcpy(words.data(), &real, sizeof real);
            } else {
                words = words_of(value, at.bits);
            }
            with_faults([&] { self.get().change(variable, words.data()); });
        }, nb::arg("variable"), nb::arg("value"))
        .def("unknown", [](FileHandle &self, uint32_t variable) {
            self.at(variable);
            with_faults([&] { self.get().unknown(variable); });
        }, nb::arg("variable"))
        .def("flush", [](FileHandle &self) { with_faults([&] { self.get().flush(); }); })
        .def("close", [](FileHandle &self) {
            if (!self.writer) return;
            with_faults([&] { self.writer->close(); });
            self.writer.reset();
        });
}

}  // namespace pynq::sim
