// SPDX-License-Identifier: BSD-3-Clause
// The floor of co-simulation: a loop of `clk = 0; eval; clk = 1; eval` over the library of a design, and nothing else.
// Built and called by bench_rtl.py.
#include <pynq/rtl.h>

#include <chrono>
#include <cstring>
#include <dlfcn.h>

namespace {

struct Model {
    const pynq_rtl_design *design = nullptr;
    void *model = nullptr;

    void *port(const char *name) const {
        for (uint32_t i = 0; i < design->port_count; ++i)
            if (!std::strcmp(design->ports[i].name, name)) return design->port(model, i);
        return nullptr;
    }
};

void print(void *, const char *, int, const char *, size_t) {}

}  // namespace

extern "C" {

// A model of the library at `path`; null where something fails.
void *bare_open(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return nullptr;
    const auto *design = static_cast<const pynq_rtl_design *>(dlsym(library, PYNQ_RTL_SYMBOL));
    if (!design || design->abi != PYNQ_RTL_ABI) return nullptr;
    static const pynq_rtl_host host = {nullptr, print};
    static const char *const folders[] = {nullptr};
    char error[256];
    void *model = design->create(&host, folders, 0, error, sizeof error);
    return model ? new Model{design, model} : nullptr;
}

void bare_close(void *handle) {
    auto *model = static_cast<Model *>(handle);
    model->design->destroy(model->model);
    delete model;
}

// Set a port of up to 32 bits; 0 where there is none.
int bare_set(void *handle, const char *name, uint32_t value) {
    auto *model = static_cast<Model *>(handle);
    for (uint32_t i = 0; i < model->design->port_count; ++i) {
        const pynq_rtl_port &port = model->design->ports[i];
        if (std::strcmp(port.name, name)) continue;
        std::memcpy(model->design->port(model->model, i), &value, port.bytes && port.bytes < 4 ? port.bytes : 4);
        return 1;
    }
    return 0;
}

uint32_t bare_get(void *handle, const char *name) {
    auto *model = static_cast<Model *>(handle);
    uint32_t value = 0;
    for (uint32_t i = 0; i < model->design->port_count; ++i) {
        const pynq_rtl_port &port = model->design->ports[i];
        if (!std::strcmp(port.name, name))
            std::memcpy(&value, model->design->port(model->model, i), port.bytes && port.bytes < 4 ? port.bytes : 4);
    }
    return value;
}

// Run cycles; `counting` names a 32-bit input that goes up by one a cycle ("": none). Returns the seconds, negative when
// the model ended.
double bare_run(void *handle, const char *clock, const char *counting, uint64_t cycles) {
    auto *model = static_cast<Model *>(handle);
    auto *clk = static_cast<uint8_t *>(model->port(clock));
    auto *count = static_cast<uint32_t *>(model->port(counting));
    int (*const eval)(void *) = model->design->eval;
    void *const top = model->model;
    uint32_t word = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (uint64_t i = 0; i < cycles; ++i) {
        if (count) *count = word++;
        *clk = 0;
        int status = eval(top);
        *clk = 1;
        status |= eval(top);
        if (status) return -1;
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}
}
