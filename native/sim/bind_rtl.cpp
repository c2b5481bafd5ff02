// SPDX-License-Identifier: BSD-3-Clause
// Bindings of verilated modules.
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "handles.hpp"
#include "python.hpp"

namespace pynq::sim {

namespace {

using rtl::Checks;
using rtl::Rtl;

Checks checks(const std::string &text) {
    if (text == "error") return Checks::Error;
    if (text == "warn") return Checks::Warn;
    if (text == "off") return Checks::Off;
    throw Error(Fault::Value, "protocol_checks is \"" + text + "\"; \"error\", \"warn\" and \"off\" are possible");
}

const char *text(Checks checks) { return checks == Checks::Error ? "error" : checks == Checks::Warn ? "warn" : "off"; }

}  // namespace

void bind_rtl(nb::module_ &module) {
    using Self = RtlHandle;
    using Names = std::map<std::string, std::string>;
    nb::class_<Self, Handle<Component>>(module, "Rtl", nb::is_final())
        .def("module_ports", [](const Self &self) {
            Guard guard(*self.engine);
            nb::list out;
            const pynq_rtl_design &design = self.rtl().model().design();
            for (uint32_t i = 0; i < design.port_count; ++i) {
                const pynq_rtl_port &port = design.ports[i];
                out.append(nb::make_tuple(port.name, port.direction == 'i' ? "in" : port.direction == 'o' ? "out" : "both", port.bits));
            }
            return out;
        })
        .def("add_clock", [](const Self &self, const std::string &pin, const Handle<Clock> &clock) {
            Guard guard(*self.engine);
            self.rtl().add_clock(pin, mine(self.engine, clock));
        }, nb::arg("pin"), nb::arg("clock"))
        .def("add_reset", [](const Self &self, const std::string &pin, bool active_low) {
            Guard guard(*self.engine);
            self.rtl().add_reset(pin, active_low);
        }, nb::arg("pin"), nb::kw_only(), nb::arg("active_low"))
        .def("add_slave", [](const Self &self, const std::string &port, const std::string &protocol, const Names &pins, const std::string &clock,
                             const std::string &reset, uint64_t range) {
            Guard guard(*self.engine);
            self.rtl().add_slave(port, protocol, pins, clock, reset, range);
        }, nb::arg("port"), nb::arg("protocol"), nb::arg("pins"), nb::kw_only(), nb::arg("clock"), nb::arg("reset") = "", nb::arg("range") = 0)
        .def("add_master", [](const Self &self, const std::string &port, const std::string &protocol, const Names &pins, const std::string &clock,
                              const std::string &reset, uint64_t latency) {
            Guard guard(*self.engine);
            self.rtl().add_master(port, protocol, pins, clock, reset, latency);
        }, nb::arg("port"), nb::arg("protocol"), nb::arg("pins"), nb::kw_only(), nb::arg("clock"), nb::arg("reset") = "", nb::arg("latency") = 16)
        .def("add_stream", [](const Self &self, const std::string &port, const Names &pins, bool source, const std::string &clock,
                              const std::string &reset) {
            Guard guard(*self.engine);
            self.rtl().add_stream(port, pins, source, clock, reset);
        }, nb::arg("port"), nb::arg("pins"), nb::kw_only(), nb::arg("source"), nb::arg("clock"), nb::arg("reset") = "")
        .def("add_pin", [](const Self &self, const std::string &pin) {
            Guard guard(*self.engine);
            self.rtl().add_pin(pin);
        }, nb::arg("pin"))
        .def("begin", [](const Self &self) {
            Guard guard(*self.engine);
            self.rtl().begin();
            pass_on(*self.engine);
        })
        .def("stall", [](const Self &self, const std::string &port, double probability, uint64_t cycles) {
            Guard guard(*self.engine);
            if (!(probability >= 0 && probability <= 1))
                throw Error(Fault::Value, format("stall: probability %g is not between 0 and 1", probability));
            if (cycles < 1) throw Error(Fault::Value, "stall: 0 cycles; 1 and more are possible");
            self.rtl().stall(port, probability, cycles);
        }, nb::arg("port"), nb::arg("probability"), nb::arg("cycles") = 8)
        .def_prop_rw("protocol_checks",
            [](const Self &self) { Guard guard(*self.engine); return text(self.rtl().checks); },
            [](const Self &self, const std::string &what) { Guard guard(*self.engine); self.rtl().checks = checks(what); })
        .def_prop_ro("library", [](const Self &self) { Guard guard(*self.engine); return self.rtl().library; })
        .def_prop_ro("cycles_run", [](const Self &self) { Guard guard(*self.engine); return self.rtl().cycles_run(); })
        .def_prop_ro("warnings", [](const Self &self) { Guard guard(*self.engine); return self.rtl().warnings; });
}

}  // namespace pynq::sim
