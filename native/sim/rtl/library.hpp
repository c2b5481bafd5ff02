// SPDX-License-Identifier: BSD-3-Clause
// The shared library of a verilated design, and one model of it (pynq/rtl.h).
#pragma once

#include <pynq/rtl.h>

#include <string>
#include <vector>

#include "../types.hpp"
#include "pin.hpp"

namespace pynq::sim::rtl {

// A line that the RTL printed.
struct Line {
    std::string file;
    int line;
    std::string text;
};

class Model {
  public:
    // Load the library (once per process) and make a model; DesignError for what is no such library.
    Model(const std::string &cell, const std::string &path, const std::vector<std::string> &folders, uint64_t seed);
    ~Model();
    Model(const Model &) = delete;
    Model &operator=(const Model &) = delete;

    const pynq_rtl_design &design() const { return *design_; }
    void *handle() const { return model_; }
    // The pin of a port; an empty one for an unknown name.
    Pin pin(const std::string &name) const;
    int eval() { return eval_(model_); }
    uint64_t prints() const { return design_->prints ? design_->prints(model_) : 0; }
    uint8_t *state(size_t &size) const { return static_cast<uint8_t *>(design_->state(model_, &size)); }

    // Run final blocks, and give the model up: no pin is there any more. What they printed.
    std::vector<Line> end();

    // What was printed and not fetched yet. It is kept, since nothing of Python's may run inside of an eval.
    std::vector<Line> lines;
    bool spoke = false;  // there are some

  private:
    static void print(void *context, const char *file, int line, const char *text, size_t length);

    const pynq_rtl_design *design_ = nullptr;
    int (*eval_)(void *) = nullptr;
    void *model_ = nullptr;
    pynq_rtl_host host_{};
};

}  // namespace pynq::sim::rtl
