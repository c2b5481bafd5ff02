// SPDX-License-Identifier: BSD-3-Clause
#include "library.hpp"

#include <dlfcn.h>

namespace pynq::sim::rtl {

namespace {

// The library stays loaded: C++ libraries with thread-local or unique symbols can't be unloaded reliably, and one that is
// asked for again is the same image.
const pynq_rtl_design *load(const std::string &cell, const std::string &path) {
    const std::string who = cell + ": library " + path;
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        throw Error(Fault::Design, who + " can't be loaded: " + (why ? why : "unknown reason"));
    }
    const auto *design = static_cast<const pynq_rtl_design *>(dlsym(library, PYNQ_RTL_SYMBOL));
    std::string wrong;
    if (!design)
        wrong = "is no library of a verilated design: it has no symbol " PYNQ_RTL_SYMBOL;
    else if (design->abi != PYNQ_RTL_ABI)
        wrong = format("has version %u of the interface, this engine version %u: build it again", design->abi, PYNQ_RTL_ABI);
    else if (design->size < sizeof(pynq_rtl_design))
        wrong = format("has a table of %u bytes, this engine expects %zu: build it again", design->size, sizeof(pynq_rtl_design));
    else if (!design->create || !design->destroy || !design->port || !design->eval || !design->event || !design->state ||
             (design->port_count && !design->ports))
        wrong = "leaves out functions that a design must have";
    if (wrong.empty()) return design;
    dlclose(library);
    throw Error(Fault::Design, who + " " + wrong);
}

}  // namespace

Model::Model(const std::string &cell, const std::string &path, const std::vector<std::string> &folders, uint64_t seed)
    : design_(load(cell, path)), eval_(design_->eval) {
    host_ = {this, print};
    std::vector<const char *> names;
    for (const std::string &folder : folders) names.push_back(folder.c_str());
    names.push_back(nullptr);
    char why[1024] = "";
    model_ = design_->create(&host_, names.data(), seed, why, sizeof why);
    if (!model_) {
        why[sizeof why - 1] = '\0';
        throw Error(Fault::Design, cell + ": module " + (design_->top ? design_->top : "?") + " can't be made: " + (*why ? why : "unknown reason"));
    }
}

Model::~Model() { end(); }

std::vector<Line> Model::end() {
    if (model_) design_->destroy(model_);
    model_ = nullptr;
    std::vector<Line> out;
    out.swap(lines);
    spoke = false;
    return out;
}

Pin Model::pin(const std::string &name) const {
    for (uint32_t i = 0; i < design_->port_count; ++i) {
        const pynq_rtl_port &port = design_->ports[i];
        if (name != port.name) continue;
        Pin pin;
        pin.at = design_->port(model_, i);
        pin.bits = port.bits;
        pin.bytes = port.bytes;
        pin.output = port.direction == 'o';
        pin.name = port.name;
        return pin;
    }
    return {};
}

void Model::print(void *context, const char *file, int line, const char *text, size_t length) {
    auto &self = *static_cast<Model *>(context);
    self.spoke = true;
    self.lines.push_back({file ? file : "", line, std::string(text, length)});
}

}  // namespace pynq::sim::rtl
