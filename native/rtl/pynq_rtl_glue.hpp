// SPDX-License-Identifier: BSD-3-Clause
// The C interface of one verilated design. The file that the builder generates defines PYNQ_RTL_TABLES (ports and what
// is known of the design) and includes this.
#pragma once

#include "pynq_rtl_runtime.hpp"

#include "Vdut.h"
#include "Vdut__Syms.h"

#include "verilated_vcd_c.h"

#if VM_COVERAGE
#include "verilated_cov.h"
#endif

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <memory>
#include <new>

namespace pynq_rtl {

// Defined by the generated part.
extern const pynq_rtl_port ports[];
extern const char *const files[];
extern const char *const fatals[];
void *port_of(Vdut &dut, uint32_t index);

struct Model final : Session {
    Model(const pynq_rtl_host *host, const char *const *folders) : Session(host, folders, files, fatals) {}
    ~Model() override {
        // Parts of the design may look at the context while they go.
        Enter enter{*this};
        dut.reset();
    }
    std::unique_ptr<VerilatedVcdC> tracer;
    std::unique_ptr<Vdut> dut;
    std::vector<VerilatedVcd::Signal> names;
};

// Call `body`, and turn whatever it throws into a status.
template <class Body> int guarded(Model &model, Body &&body) {
    Enter enter{model};
    try {
        body();
        return PYNQ_RTL_OK;
    } catch (const Ended &ended) {
        model.ended = ended;
    } catch (const std::exception &error) {
        model.ended = Ended{PYNQ_RTL_FATAL, "", 0, "", error.what()};
    } catch (...) {
        model.ended = Ended{PYNQ_RTL_FATAL, "", 0, "", "unknown C++ exception"};
    }
    model.dead = true;
    return model.ended.status;
}

inline Model &model_of(void *model) { return *static_cast<Model *>(model); }

inline void *create(const pynq_rtl_host *host, const char *const *folders, uint64_t seed, char *error,
                    size_t error_size) {
    std::unique_ptr<Model> model;
    std::string reason;
    try {
        model = std::make_unique<Model>(host, folders);
        if (guarded(*model, [&] {
                // 0 would ask Verilator for a seed from the system.
                const int bits = static_cast<int>(seed & 0x7fffffff);
                model->context.randSeed(bits ? bits : 1);
                model->context.traceEverOn(true);  // before the model: it keeps what only waves need
                model->dut = std::make_unique<Vdut>(&model->context, "");
            }) == PYNQ_RTL_OK) {
            return model.release();
        }
        reason = model->ended.text;
    } catch (const std::exception &failure) {
        reason = failure.what();
    }
    if (error && error_size) std::snprintf(error, error_size, "%s", reason.c_str());
    return nullptr;
}

inline void destroy(void *handle) {
    std::unique_ptr<Model> model{&model_of(handle)};
    // Final blocks tell the results of a run that ended with $finish; after a failure nothing of it can be trusted.
    if (!model->dead || model->ended.status == PYNQ_RTL_FINISH) guarded(*model, [&] { model->dut->final(); });
    model->flush();
    guarded(*model, [&] { model->dut.reset(); });
}

inline void *port(void *model, uint32_t index) { return port_of(*model_of(model).dut, index); }

inline int eval(void *handle) {
    Model &model = model_of(handle);
    if (model.dead) return model.ended.status;
    return guarded(model, [&] { model.dut->eval(); });
}

inline void event(void *handle, pynq_rtl_event *event) {
    const Ended &ended = model_of(handle).ended;
    event->file = ended.file.c_str();
    event->line = ended.line;
    event->scope = ended.scope.c_str();
    event->text = ended.text.c_str();
}

inline void set_time(void *model, uint64_t picoseconds) { model_of(model).context.time(picoseconds); }
inline uint64_t prints(void *model) { return model_of(model).prints; }

inline void *state(void *model, size_t *size) {
    *size = PYNQ_RTL_FLAGS & 0xff ? 0 : sizeof(Vdut__Syms);
    return model_of(model).dut->rootp->vlSymsp;
}

inline VerilatedVcd &trace_of(Model &model) {
    if (!model.tracer) {
        model.tracer = std::make_unique<VerilatedVcdC>();
        model.dut->trace(model.tracer.get(), 99);
        VerilatedVcd &trace = *model.tracer->spTrace();
        for (const auto &init : trace.init) init.call(init.user, &trace, 0);
        for (const VerilatedVcd::Signal &signal : trace.signals) {
            model.table.push_back({signal.scope.c_str(), signal.name.c_str(), signal.code, signal.bits, signal.msb,
                                   signal.lsb, static_cast<uint8_t>(signal.kind)});
        }
    }
    return *model.tracer->spTrace();
}

inline const pynq_rtl_signal *signals(void *handle, uint32_t *count, uint32_t *words) {
    Model &model = model_of(handle);
    *count = *words = 0;
    if (guarded(model, [&] { trace_of(model); }) != PYNQ_RTL_OK) return nullptr;
    *count = static_cast<uint32_t>(model.table.size());
    *words = trace_of(model).words;
    return model.table.data();
}

inline void sample(void *handle, uint32_t *values) {
    Model &model = model_of(handle);
    Enter enter{model};
    VerilatedVcd &trace = trace_of(model);
    PynqTraceBuffer buffer;
    buffer.values = values;
    buffer.changed = &model.changed;
    for (const auto &dump : trace.constant) dump.call(dump.user, &buffer);
    for (const auto &dump : trace.full) dump.call(dump.user, &buffer);
    for (const auto &cleanup : trace.cleanup) cleanup.call(cleanup.user, &trace);
}

inline uint32_t changes(void *handle, uint32_t *values, uint32_t *codes) {
    Model &model = model_of(handle);
    Enter enter{model};
    VerilatedVcd &trace = trace_of(model);
    model.changed.clear();
    PynqTraceBuffer buffer;
    buffer.values = values;
    buffer.changed = &model.changed;
    for (const auto &dump : trace.change) dump.call(dump.user, &buffer);
    for (const auto &cleanup : trace.cleanup) cleanup.call(cleanup.user, &trace);
    if (!model.changed.empty()) std::memcpy(codes, model.changed.data(), model.changed.size() * sizeof *codes);
    return static_cast<uint32_t>(model.changed.size());
}

inline int write_coverage(void *handle, const char *path) {
#if VM_COVERAGE
    Model &model = model_of(handle);
    const std::string part = std::string{path} + ".part";
    errno = 0;
    try {
        Enter enter{model};
        std::ofstream{part}.close();  // Verilator's writer does not tell whether it could open the file
        if (errno) return errno;
        model.context.coveragep()->write(part.c_str());
        std::ifstream in{part};
        std::ofstream out{path};
        if (!in || !out) return errno ? errno : EIO;
        for (std::string line; std::getline(in, line);) {
            // A point is C '\1key\2value\1key\2value...' count; the key f has the name of the file.
            static const std::string key{"\1f\2"};
            const size_t begin = line.find(key);
            const size_t end = begin == std::string::npos ? begin : line.find_first_of("\1'", begin + key.size());
            if (end != std::string::npos) {
                const size_t name = begin + key.size();
                line.replace(name, end - name, model.file_name(line.substr(name, end - name)));
            }
            out << line << '\n';
        }
        out.close();
        std::remove(part.c_str());
        return out ? 0 : errno ? errno : EIO;
    } catch (...) {
        return EIO;
    }
#else
    (void)handle, (void)path;
    return ENOSYS;
#endif
}

}  // namespace pynq_rtl

// The one symbol that a design's library exports.
#define PYNQ_RTL_DESIGN(top, port_count)                                                                               \
    extern "C" {                                                                                                       \
    extern __attribute__((visibility("default"))) const pynq_rtl_design pynq_rtl_design_v1;                            \
    const pynq_rtl_design pynq_rtl_design_v1 = {                                                                       \
        PYNQ_RTL_ABI,      sizeof(pynq_rtl_design), PYNQ_RTL_FLAGS,     top,                                           \
        pynq_rtl::ports,   port_count,              pynq_rtl::create,   pynq_rtl::destroy,                             \
        pynq_rtl::port,    pynq_rtl::eval,          pynq_rtl::event,    pynq_rtl::set_time,                            \
        pynq_rtl::prints,  pynq_rtl::state,         pynq_rtl::signals,  pynq_rtl::sample,                              \
        pynq_rtl::changes, pynq_rtl::write_coverage};                                                                  \
    }
