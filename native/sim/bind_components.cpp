// SPDX-License-Identifier: BSD-3-Clause
// Bindings of components, native ones and those of Python models.
#include <nanobind/stl/string.h>

#include "handles.hpp"
#include "python.hpp"

namespace pynq::sim {

namespace {

// Runs `work` with the engine locked, as a step of its own: what hooks raised in it is raised here, unless a run goes on.
template <class Work> auto step(const Handle<Component> &self, Work &&work) {
    Guard guard(*self.engine);
    if constexpr (std::is_void_v<decltype(work())>) {
        work();
        pass_on(*self.engine);
    } else {
        auto result = work();
        pass_on(*self.engine);
        return result;
    }
}

Side make_side(uint32_t dest, uint64_t user, uint32_t id) {
    Side side;
    side.dest = dest;
    side.user = user;
    side.id = id;
    return side;
}

void bind_component(nb::module_ &module) {
    using Self = Handle<Component>;
    nb::class_<Self>(module, "Component")
        .def_prop_ro("name", [](const Self &self) { Guard guard(*self.engine); return self.part->name; })
        .def_prop_ro("kind", [](const Self &self) { Guard guard(*self.engine); return self.part->kind; })
        .def("ports", [](const Self &self) {
            Guard guard(*self.engine);
            nb::dict out;
            const auto set = [&](const std::string &name, const char *what) { out[nb::str(name.c_str(), name.size())] = what; };
            for (const auto &port : self.part->slaves) set(port.name, "slave");
            for (const auto &port : self.part->masters) set(port.name, "master");
            for (const auto &port : self.part->streams) set(port.name, port.source ? "source" : "sink");
            for (const auto &port : self.part->wires) set(port.name, port.output ? "out" : "in");
            return out;
        })
        .def("stream", [](const Self &self, const std::string &port, const Handle<Link> &link) {
            step(self, [&] { self.part->connect(port, mine(self.engine, link)); });
        }, nb::arg("port"), nb::arg("link"))
        .def("space", [](const Self &self, const std::string &port, const Handle<Space> &space) {
            step(self, [&] { self.part->connect(port, mine(self.engine, space)); });
        }, nb::arg("port"), nb::arg("space"))
        .def("wire", [](const Self &self, const std::string &port, const Handle<Net> &net) {
            step(self, [&] { self.part->connect(port, mine(self.engine, net)); });
        }, nb::arg("port"), nb::arg("net"))
        .def("reset_by", [](const Self &self, const Handle<Net> &net, bool active_low, unsigned bit) {
            step(self, [&] { self.part->reset_by(mine(self.engine, net), bit, active_low); });
        }, nb::arg("net"), nb::kw_only(), nb::arg("active_low") = true, nb::arg("bit") = 0)
        .def("reset", [](const Self &self) {
            step(self, [&] {
                self.part->pulse_reset();
                if (!self.engine->in_hook()) self.engine->stimulate();
            });
        })
        .def_prop_rw(
            "refusal", [](const Self &self) { Guard guard(*self.engine); return self.part->refusal; },
            [](const Self &self, const std::string &why) { Guard guard(*self.engine); self.part->refusal = why; })
        .def_prop_rw(
            "barrier", [](const Self &self) { Guard guard(*self.engine); return self.part->barrier; },
            [](const Self &self, const std::string &why) { Guard guard(*self.engine); self.part->barrier = why; })
        .def_prop_rw(
            "barrier_response", [](const Self &self) { Guard guard(*self.engine); return std::string(text(self.part->barrier_resp)); },
            [](const Self &self, const std::string &response) {
                Guard guard(*self.engine);
                for (const Resp resp : {Resp::Okay, Resp::SlvErr, Resp::DecErr}) {
                    if (response != text(resp)) continue;
                    self.part->barrier_resp = resp;
                    return;
                }
                throw nb::value_error(("response \"" + response + "\": expected OKAY, SLVERR or DECERR").c_str());
            })
        .def_prop_ro("in_reset", [](const Self &self) { Guard guard(*self.engine); return self.part->reset_active(); })
        .def("explain", [](const Self &self, const std::string &channel) {
            return step(self, [&] { return self.part->explain(channel); });
        }, nb::arg("channel") = "")
        .def("state", [](const Self &self) {
            Guard guard(*self.engine);
            nb::dict out;
            for (const auto &[key, value] : self.part->state())
                out[key.c_str()] = std::visit([](const auto &held) { return nb::cast(held); }, value);
            return out;
        })
        .def("__eq__", [](const Self &self, nb::handle other) {
            return nb::isinstance<Self>(other) && nb::cast<const Self &>(other) == self;
        })
        .def("__hash__", [](const Self &self) { return self.part.hash(); })
        .def("__repr__", [](const Self &self) { Guard guard(*self.engine); return "<" + self.part->kind + " " + self.part->name + ">"; });
}

void bind_host_ports(nb::class_<HostHandle, Handle<Component>> &type) {
    using Self = HostHandle;
    type.def("add_source", [](const Self &self, const std::string &port) { step(self, [&] { self.host().add_stream(port, true); }); }, nb::arg("port"))
        .def("add_sink", [](const Self &self, const std::string &port) { step(self, [&] { self.host().add_stream(port, false); }); }, nb::arg("port"))
        .def("add_master", [](const Self &self, const std::string &port, unsigned width, uint64_t latency) {
            step(self, [&] { self.host().add_master(port, width, latency); });
        }, nb::arg("port"), nb::kw_only(), nb::arg("width") = 4, nb::arg("latency") = 16)
        .def("add_input", [](const Self &self, const std::string &port, unsigned width, nb::handle hook) {
            step(self, [&] { self.host().add_wire(port, false, width, 0, make_hook(*self.engine, hook)); });
        }, nb::arg("port"), nb::arg("width") = 1, nb::arg("hook").none() = nb::none())
        .def("add_output", [](const Self &self, const std::string &port, unsigned width, uint64_t initial) {
            step(self, [&] { self.host().add_wire(port, true, width, initial, {}); });
        }, nb::arg("port"), nb::arg("width") = 1, nb::arg("initial") = 0)
        .def("add_slave", [](const Self &self, const std::string &port, unsigned width, uint64_t range, uint64_t latency) {
            step(self, [&] { self.host().add_slave(port, width, range, latency); });
        }, nb::arg("port") = "", nb::kw_only(), nb::arg("width") = 4, nb::arg("range") = 0, nb::arg("latency") = 0)
        .def("drive", [](const Self &self, const std::string &port, nb::handle value) {
            const uint64_t level = bits(value);
            step(self, [&] { self.host().drive(port, level); });
        }, nb::arg("port"), nb::arg("value"))
        .def("pulse", [](const Self &self, const std::string &port, uint64_t cycles) { step(self, [&] { self.host().pulse(port, cycles); }); },
             nb::arg("port"), nb::arg("cycles") = 1)
        .def("sample", [](const Self &self, const std::string &port) { return step(self, [&] { return self.part->wire(port).sample(); }); }, nb::arg("port"))
        .def("at", [](const Self &self, uint64_t time, nb::handle hook) {
            return step(self, [&] { return self.host().add_timer(std::min(time, kNever - 1), make_hook(*self.engine, hook)); });
        }, nb::arg("time"), nb::arg("hook"))
        .def("after", [](const Self &self, uint64_t cycles, nb::handle hook) {
            return step(self, [&] { return self.host().add_timer_cycles(cycles, make_hook(*self.engine, hook)); });
        }, nb::arg("cycles"), nb::arg("hook"))
        .def("cancel", [](const Self &self, uint64_t timer) { step(self, [&] { self.host().cancel_timer(timer); }); }, nb::arg("timer"))
        .def("on_reset", [](const Self &self, nb::handle hook) { step(self, [&] { self.host().reset_hook = make_hook(*self.engine, hook); }); },
             nb::arg("hook").none())
        .def("on_explain", [](const Self &self, nb::handle hook) { step(self, [&] { self.host().explain_hook = make_hook(*self.engine, hook); }); },
             nb::arg("hook").none());
}

void bind_host_registers(nb::class_<HostHandle, Handle<Component>> &type) {
    using Self = HostHandle;
    type.def("add_register", [](const Self &self, uint64_t offset, unsigned size, nb::handle reset, nb::handle readable, nb::handle writable,
                                nb::handle w1c, nb::handle w1t, nb::handle clear_on_read, nb::handle self_clearing,
                                const std::string &name, const std::string &port) {
            auto one = std::make_unique<Register>();
            if (size != 1 && size != 2 && size != 4 && size != 8)
                throw Error(Fault::Design, format("register %s: %u bytes; 1, 2, 4 and 8 are possible", name.c_str(), size));
            one->offset = offset;
            one->size = size;
            one->reset = one->value = bits(reset) & one->mask();
            one->readable = bits(readable) & one->mask();
            one->writable = bits(writable) & one->mask();
            one->w1c = bits(w1c) & one->mask();
            one->w1t = bits(w1t) & one->mask();
            one->clear_on_read = bits(clear_on_read) & one->mask();
            one->self_clearing = bits(self_clearing) & one->mask();
            one->name = name;
            step(self, [&] { self.host().registers(port).add(std::move(one), self.part->name); });
        }, nb::arg("offset"), nb::kw_only(), nb::arg("size") = 4, nb::arg("reset") = 0, nb::arg("readable") = -1, nb::arg("writable") = -1,
           nb::arg("w1c") = 0, nb::arg("w1t") = 0, nb::arg("clear_on_read") = 0, nb::arg("self_clearing") = 0, nb::arg("name") = "", nb::arg("port") = "")
        .def("get", [](const Self &self, uint64_t offset, const std::string &port) {
            return step(self, [&] { return self.host().at_offset(port, offset).value; });
        }, nb::arg("offset"), nb::kw_only(), nb::arg("port") = "")
        .def("set", [](const Self &self, uint64_t offset, nb::handle value, nb::handle mask, const std::string &port) {
            const uint64_t word = bits(value), lanes = bits(mask);
            step(self, [&] {
                Register &one = self.host().at_offset(port, offset);
                one.value = ((one.value & ~lanes) | (word & lanes)) & one.mask();
            });
        }, nb::arg("offset"), nb::arg("value"), nb::kw_only(), nb::arg("mask") = -1, nb::arg("port") = "")
        .def("on_read", [](const Self &self, uint64_t offset, nb::handle hook, const std::string &port) {
            step(self, [&] { self.host().at_offset(port, offset).on_read = make_hook(*self.engine, hook); });
        }, nb::arg("offset"), nb::arg("hook").none(), nb::kw_only(), nb::arg("port") = "")
        .def("on_write", [](const Self &self, uint64_t offset, nb::handle hook, const std::string &port) {
            step(self, [&] { self.host().at_offset(port, offset).on_write = make_hook(*self.engine, hook); });
        }, nb::arg("offset"), nb::arg("hook").none(), nb::kw_only(), nb::arg("port") = "")
        .def("on_access", [](const Self &self, nb::handle read, nb::handle write, const std::string &port) {
            step(self, [&] { self.host().on_access(port, make_hook(*self.engine, read), make_hook(*self.engine, write)); });
        }, nb::arg("read").none(), nb::arg("write").none(), nb::kw_only(), nb::arg("port") = "");
}

void bind_host_data(nb::class_<HostHandle, Handle<Component>> &type) {
    using Self = HostHandle;
    type.def("receive", [](const Self &self, const std::string &port, nb::handle nbytes, nb::handle done) {
            const uint64_t want = nbytes.is_none() ? Host::kUpToLast : nb::cast<uint64_t>(nbytes);
            step(self, [&] { self.host().receive(port, want, make_hook(*self.engine, done)); });
        }, nb::arg("port"), nb::arg("nbytes").none(), nb::arg("done"))
        .def("send", [](const Self &self, const std::string &port, nb::handle data, bool last, nb::handle done, uint32_t dest, uint64_t user, uint32_t id) {
            Buffer buffer(data);
            step(self, [&] { self.host().send(port, buffer.data(), buffer.size(), last, make_hook(*self.engine, done), make_side(dest, user, id)); });
        }, nb::arg("port"), nb::arg("data"), nb::arg("last"), nb::arg("done").none() = nb::none(), nb::kw_only(), nb::arg("dest") = 0,
           nb::arg("user") = 0, nb::arg("id") = 0)
        .def("route", [](const Self &self, const std::string &source, const std::string &sink) {
            step(self, [&] { self.host().route(source, sink); });
        }, nb::arg("source"), nb::arg("sink") = "")
        .def("cancel_stream", [](const Self &self, const std::string &port) { step(self, [&] { self.host().cancel_stream(port); }); }, nb::arg("port"))
        .def("read_memory", [](const Self &self, const std::string &port, uint64_t address, uint64_t nbytes, nb::handle done) {
            step(self, [&] { self.host().read_memory(port, address, nbytes, make_hook(*self.engine, done)); });
        }, nb::arg("port"), nb::arg("address"), nb::arg("nbytes"), nb::arg("done"))
        .def("write_memory", [](const Self &self, const std::string &port, uint64_t address, nb::handle data, nb::handle done) {
            Buffer buffer(data);
            step(self, [&] { self.host().write_memory(port, address, buffer.data(), buffer.size(), make_hook(*self.engine, done)); });
        }, nb::arg("port"), nb::arg("address"), nb::arg("data"), nb::arg("done").none() = nb::none());
}

}  // namespace

void bind_components(nb::module_ &module) {
    bind_component(module);
    nb::class_<HostHandle, Handle<Component>> host(module, "Host", nb::is_final());
    bind_host_ports(host);
    bind_host_registers(host);
    bind_host_data(host);
}

}  // namespace pynq::sim
