// SPDX-License-Identifier: BSD-3-Clause
// Bindings of the vfio-user server.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "python.hpp"
#include "vfio.hpp"

namespace pynq::sim {

void bind_vfio(nb::module_ &module) {
    using vfio::Server;
    using Held = std::shared_ptr<Server>;
    struct PyServer {
        Held core;
        std::atomic<bool> begun{false};
    };
    // Takes the lock of what it serves now, so that nets don't tell it things meanwhile.
    static constexpr auto detach = [](Server &server) {
        if (const std::shared_ptr<Engine> engine = server.attached()) {
            Guard guard(*engine, true);
            server.detach();
        } else {
            server.detach();
        }
    };
    nb::class_<PyServer>(module, "BoardServer", nb::is_final())
        .def("__init__", [](PyServer *self, int listening, uint64_t bar_size, const std::vector<std::tuple<uint64_t, uint64_t, uint64_t>> &apertures,
                            const std::vector<std::tuple<uint64_t, uint64_t, nb::object>> &blocks, nb::object log) {
            Server::Options options;
            options.bar_size = bar_size;
            for (const auto &[address, size, offset] : apertures) options.apertures.push_back({address, size, offset});
            std::sort(options.apertures.begin(), options.apertures.end(), [](const auto &a, const auto &b) { return a.offset < b.offset; });
            for (const auto &[address, size, object] : blocks) options.blocks.push_back({address, size, object});
            options.log = std::move(log);
            new (self) PyServer{std::make_shared<Server>(listening, std::move(options))};
        }, nb::arg("listening"), nb::arg("bar_size"), nb::arg("apertures"), nb::arg("blocks"), nb::arg("log"))
        .def("attach", [](PyServer &self, PyEngine &engine, nb::iterable irqs) {
            Guard guard(*engine.core);
            std::vector<Server::Source> sources;
            for (nb::handle one : irqs) {
                Irq &irq = mine(engine.core, nb::cast<const Handle<Irq> &>(one));
                sources.push_back({irq.number, &irq.net, irq.bit});
            }
            if (engine.core->stimulus_listener) throw Error(Fault::Value, "this engine is served already");
            self.core->attach(engine.core, sources);
        }, nb::arg("engine"), nb::arg("irqs"))
        .def("detach", [](PyServer &self) { detach(*self.core); })
        .def("isolate", [](PyServer &self, bool on) { self.core->isolate(on); }, nb::arg("on"))
        .def("set_interrupt", [](PyServer &self, unsigned gic, bool level) { self.core->lines().block(gic, level); }, nb::arg("gic"), nb::arg("level"))
        .def("deliver", [](PyServer &self, int qtest, std::string gic) { self.core->deliver(qtest, std::move(gic)); }, nb::arg("qtest"), nb::arg("gic"))
        .def("run", [](PyServer &self) {
            if (self.begun.exchange(true)) throw Error(Fault::Value, "BoardServer.run: it runs, or has run, already");
            const Held core = self.core;
            nb::gil_scoped_release release;
            core->run();
        })
        .def("stop", [](PyServer &self) { self.core->stop(); })
        .def_prop_ro("settled", [](PyServer &self) { return self.core->settled(); })
        .def_prop_ro("figures", [](PyServer &self) {
            const Server::Figures &from = self.core->figures;
            nb::dict out;
            out["accesses"] = from.accesses.load();
            out["bytes"] = from.bytes.load();
            out["refused"] = from.refused.load();
            out["interrupts"] = self.core->lines().rises();
            out["clients"] = from.clients.load();
            return out;
        });
}

}  // namespace pynq::sim
