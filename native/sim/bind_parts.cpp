// SPDX-License-Identifier: BSD-3-Clause
// Bindings of clocks, memories, spaces, nets, interrupts and links.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "python.hpp"

namespace pynq::sim {

namespace {

// A subscription of Net.on_change; lives until forgotten or the engine's end.
struct NetHook final : Listening {
    NetHook(Engine &engine, Net &net, uint64_t token, Hook hook)
        : Listening(&net), engine(engine), net(net), token(token), hook(std::move(hook)) {
        net.listen(this);
    }
    void net_changed(Net &, uint64_t value, uint64_t previous) override {
        nb::gil_scoped_acquire gil;
        if (hook) engine.call(hook.get(), value, previous);
    }
    Engine &engine;
    Net &net;
    uint64_t token;
    Hook hook;
};

template <class T> auto bind_handle(nb::module_ &module, const char *name) {
    return nb::class_<Handle<T>>(module, name, nb::is_final())
        .def("__eq__", [](const Handle<T> &self, nb::handle other) {
            return nb::isinstance<Handle<T>>(other) && nb::cast<const Handle<T> &>(other) == self;
        })
        .def("__hash__", [](const Handle<T> &self) { return self.part.hash(); });
}

void bind_clock(nb::module_ &module) {
    bind_handle<Clock>(module, "Clock")
        .def_prop_ro("name", [](const Handle<Clock> &self) { Guard guard(*self.engine); return self.part->name; })
        .def_prop_ro("period", [](const Handle<Clock> &self) { Guard guard(*self.engine); return self.part->period(); })
        .def_prop_rw(
            "hertz", [](const Handle<Clock> &self) { Guard guard(*self.engine); return self.part->hertz(); },
            [](const Handle<Clock> &self, double hertz) {
                Guard guard(*self.engine);
                self.part->set_hertz(hertz);
                self.engine->stimulate();
            })
        .def_prop_ro("cycles", [](const Handle<Clock> &self) { Guard guard(*self.engine); return self.part->cycles(self.engine->now()); })
        .def("__repr__", [](const Handle<Clock> &self) { Guard guard(*self.engine); return "<Clock " + self.part->name + format(": %g Hz>", self.part->hertz()); });
}

void bind_memory(nb::module_ &module) {
    bind_handle<Memory>(module, "Memory")
        .def_prop_ro("name", [](const Handle<Memory> &self) { Guard guard(*self.engine); return self.part->name; })
        .def_prop_ro("size", [](const Handle<Memory> &self) { Guard guard(*self.engine); return self.part->size; })
        .def_prop_ro("fd", [](const Handle<Memory> &self) { Guard guard(*self.engine); return self.part->fd(); })
        .def("read", [](const Handle<Memory> &self, uint64_t offset, uint64_t nbytes) {
            Guard guard(*self.engine);
            self.part->check(offset, nbytes);
            return nb::bytes(self.part->data() + offset, nbytes);
        }, nb::arg("offset"), nb::arg("nbytes"))
        .def("write", [](const Handle<Memory> &self, uint64_t offset, nb::handle data) {
            Buffer buffer(data);
            Guard guard(*self.engine);
            self.part->check(offset, buffer.size());
            std::copy_n(buffer.data(), buffer.size(), self.part->data() + offset);
        }, nb::arg("offset"), nb::arg("data"))
        .def("discard", [](const Handle<Memory> &self, uint64_t offset, uint64_t nbytes) {
            Guard guard(*self.engine);
            self.part->discard(offset, nbytes);
        }, nb::arg("offset"), nb::arg("nbytes"))
        .def("__repr__", [](const Handle<Memory> &self) { Guard guard(*self.engine); return "<Memory " + self.part->name + ": " + hex(self.part->size) + " bytes>"; });
}

void bind_space(nb::module_ &module) {
    bind_handle<Space>(module, "Space")
        .def_prop_ro("name", [](const Handle<Space> &self) { Guard guard(*self.engine); return self.part->name; })
        .def("map", [](const Handle<Space> &self, uint64_t base, uint64_t high, nb::handle target, uint64_t offset,
                       const std::string &port, const std::string &name, nb::sequence through) {
            Guard guard(*self.engine);
            Space::Range range{base, high, offset, nullptr, nullptr, name};
            for (nb::handle one : through)
                range.through.push_back(&mine(self.engine, nb::cast<const Handle<Component> &>(one)));
            if (nb::isinstance<Handle<Memory>>(target)) {
                const auto &memory = nb::cast<const Handle<Memory> &>(target);
                range.memory = &mine(self.engine, memory);
                if (range.name.empty()) range.name = range.memory->name;
            } else if (nb::isinstance<Handle<Component>>(target)) {
                const auto &component = nb::cast<const Handle<Component> &>(target);
                range.slave = &mine(self.engine, component).slave(port);
                if (range.name.empty()) range.name = range.slave->owner->name;
            } else {
                throw nb::type_error("Space.map: target must be a Memory or a Component");
            }
            self.part->map(std::move(range));
        }, nb::arg("base"), nb::arg("high"), nb::arg("target"), nb::kw_only(), nb::arg("offset") = 0, nb::arg("port") = "", nb::arg("name") = "",
           nb::arg("through") = nb::tuple())
        .def("ranges", [](const Handle<Space> &self) {
            Guard guard(*self.engine);
            std::vector<std::tuple<uint64_t, uint64_t, std::string>> out;
            for (const Space::Range &range : self.part->ranges()) out.emplace_back(range.base, range.high, range.name);
            return out;
        })
        .def("read", [](const Handle<Space> &self, uint64_t address, uint64_t nbytes) {
            Guard guard(*self.engine);
            const nb::object bytes = nb::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(nbytes)));
            if (!bytes.is_valid()) throw nb::python_error();
            const Space::Result result = self.part->read(address, PyBytes_AS_STRING(bytes.ptr()), nbytes);
            pass_on(*self.engine);
            if (result.resp != Resp::Okay) throw Error(Fault::Bus, self.part->describe(result));
            return bytes;
        }, nb::arg("address"), nb::arg("nbytes"))
        .def("write", [](const Handle<Space> &self, uint64_t address, nb::handle data) {
            Buffer buffer(data);
            Guard guard(*self.engine);
            const Space::Result result = self.part->write(address, buffer.data(), buffer.size());
            if (!self.engine->in_hook()) self.engine->stimulate();
            pass_on(*self.engine);
            if (result.resp != Resp::Okay) throw Error(Fault::Bus, self.part->describe(result));
        }, nb::arg("address"), nb::arg("data"))
        .def("__repr__", [](const Handle<Space> &self) { Guard guard(*self.engine); return "<Space " + self.part->name + format(": %zu ranges>", self.part->ranges().size()); });
}

void bind_net(nb::module_ &module) {
    bind_handle<Net>(module, "Net")
        .def_prop_ro("name", [](const Handle<Net> &self) { Guard guard(*self.engine); return self.part->name; })
        .def_prop_ro("width", [](const Handle<Net> &self) { Guard guard(*self.engine); return self.part->width; })
        .def_prop_ro("value", [](const Handle<Net> &self) { Guard guard(*self.engine); return self.part->value(); })
        .def_prop_ro("driver", [](const Handle<Net> &self) { Guard guard(*self.engine); return self.part->driver(); })
        .def("edges", [](const Handle<Net> &self, unsigned bit) {
            Guard guard(*self.engine);
            if (bit >= self.part->width) throw Error(Fault::Value, format("net %s has no bit %u: it has %u", self.part->name.c_str(), bit, self.part->width));
            return self.part->edges(bit);
        }, nb::arg("bit") = 0)
        .def("drive", [](const Handle<Net> &self, nb::handle value, nb::handle mask) {
            const uint64_t level = bits(value), lanes = bits(mask);
            Guard guard(*self.engine);
            if (!self.part->driver().empty())
                throw Error(Fault::Design, "net " + self.part->name + " is driven by " + self.part->driver() + ": it can't be driven from outside");
            Running running(*self.engine);
            if (!self.engine->in_hook()) {
                raise_stop(*self.engine, self.engine->catch_up());
                self.engine->touch();
            }
            self.part->set((self.part->value() & ~lanes) | (level & lanes));
            if (!self.engine->in_hook()) self.engine->stimulate();
            pass_on(*self.engine);
        }, nb::arg("value"), nb::arg("mask") = -1)
        .def("on_change", [](const Handle<Net> &self, nb::handle hook) {
            Guard guard(*self.engine);
            const uint64_t token = ++self.engine->tokens;
            self.engine->net_hooks.push_back(std::make_unique<NetHook>(*self.engine, *self.part, token, make_hook(*self.engine, hook)));
            return token;
        }, nb::arg("hook"))
        .def("forget", [](const Handle<Net> &self, uint64_t token) {
            Guard guard(*self.engine);
            auto &all = self.engine->net_hooks;
            for (auto &one : all) {
                auto *hook = static_cast<NetHook *>(one.get());
                if (hook->token != token || !hook->hook) continue;
                hook->net.forget(hook);
                hook->hook.clear();  // the object stays: the net may be telling it something right now
                return;
            }
        }, nb::arg("token"))
        .def("release", [](const Handle<Net> &self, uint64_t level) {
            Guard guard(*self.engine);
            self.engine->let_go(*self.part, level);
            pass_on(*self.engine);
        }, nb::arg("level") = 0)
        .def("__repr__", [](const Handle<Net> &self) { Guard guard(*self.engine); return "<Net " + self.part->name + format("[%u] = ", self.part->width) + hex(self.part->value()) + ">"; });
}

void bind_irq(nb::module_ &module) {
    bind_handle<Irq>(module, "Irq")
        .def_prop_ro("number", [](const Handle<Irq> &self) { Guard guard(*self.engine); return self.part->number; })
        .def("enable", [](const Handle<Irq> &self) {
            Guard guard(*self.engine);
            self.part->enable();
            if (!self.engine->in_hook()) self.engine->stimulate();
            pass_on(*self.engine);
        })
        .def("disable", [](const Handle<Irq> &self) { Guard guard(*self.engine); self.part->disable(); })
        .def_prop_ro("enabled", [](const Handle<Irq> &self) { Guard guard(*self.engine); return self.part->enabled(); })
        .def_prop_ro("fired", [](const Handle<Irq> &self) { Guard guard(*self.engine); return self.part->fired(); })
        .def("take", [](const Handle<Irq> &self) { Guard guard(*self.engine); return self.part->take(); })
        .def_prop_ro("level", [](const Handle<Irq> &self) { Guard guard(*self.engine); return self.part->level(); })
        .def_prop_ro("edges", [](const Handle<Irq> &self) { Guard guard(*self.engine); return self.part->net.edges(self.part->bit); })
        .def("__repr__", [](const Handle<Irq> &self) { Guard guard(*self.engine); return format("<Irq %u on ", self.part->number) + self.part->net.name + ">"; });
}

void bind_link(nb::module_ &module) {
    bind_handle<Link>(module, "Link")
        .def_prop_ro("name", [](const Handle<Link> &self) { Guard guard(*self.engine); return self.part->name; })
        .def_prop_ro("width", [](const Handle<Link> &self) { Guard guard(*self.engine); return self.part->width(); })
        .def_prop_ro("depth", [](const Handle<Link> &self) { Guard guard(*self.engine); return self.part->depth(); })
        .def_prop_ro("source", [](const Handle<Link> &self) { Guard guard(*self.engine); return self.part->source_name(); })
        .def_prop_ro("sink", [](const Handle<Link> &self) { Guard guard(*self.engine); return self.part->sink_name(); })
        .def_prop_ro("statistics", [](const Handle<Link> &self) { Guard guard(*self.engine); return statistics(*self.part); })
        .def("stall", [](const Handle<Link> &self, const std::string &side, double probability, unsigned cycles) {
            Guard guard(*self.engine);
            if (side != "source" && side != "sink") throw Error(Fault::Value, "Link.stall: side is \"" + side + "\"; \"source\" and \"sink\" are possible");
            if (!(probability >= 0 && probability <= 1)) throw Error(Fault::Value, format("Link.stall: probability %g is not between 0 and 1", probability));
            self.part->stall(side == "source", probability, cycles);
        }, nb::arg("side"), nb::arg("probability"), nb::arg("cycles") = 8)
        .def_prop_rw(
            "vacancy", [](const Handle<Link> &self) { Guard guard(*self.engine); return self.part->vacancy; },
            [](const Handle<Link> &self, const std::string &why) { Guard guard(*self.engine); self.part->vacancy = why; })
        .def("__repr__", [](const Handle<Link> &self) { Guard guard(*self.engine); return "<Link " + self.part->name + format(": %u bytes a beat, %u of %u beats>", self.part->width(), self.part->ring().beats(), self.part->depth()); });
}

}  // namespace

nb::dict statistics(const Link &link) {
    const Link::Statistics &from = link.statistics();
    nb::dict out;
    out["beats"] = from.beats;
    out["bytes"] = from.bytes;
    out["packets"] = from.packets;
    out["queued"] = link.ring().beats();
    out["full"] = from.full;
    out["empty"] = from.empty;
    out["first"] = from.first == kNever ? int64_t{-1} : static_cast<int64_t>(from.first);
    out["last"] = from.last == kNever ? int64_t{-1} : static_cast<int64_t>(from.last);
    return out;
}

void bind_parts(nb::module_ &module) {
    bind_clock(module);
    bind_memory(module);
    bind_net(module);
    bind_irq(module);
    bind_link(module);
    bind_space(module);
}

}  // namespace pynq::sim
