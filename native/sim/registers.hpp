// SPDX-License-Identifier: BSD-3-Clause
// Storage of registers with access rights; the control plane of Python models and of IP without a model.
#pragma once

#include <memory>
#include <vector>

#include "component.hpp"
#include "hooks.hpp"

namespace pynq::sim {

struct Register {
    uint64_t offset = 0;
    unsigned size = 4;  // bytes
    uint64_t value = 0, reset = 0;
    uint64_t readable = ~uint64_t{0}, writable = ~uint64_t{0};
    uint64_t w1c = 0, w1t = 0, clear_on_read = 0, self_clearing = 0;
    std::string name;
    Hook on_read, on_write;

    uint64_t mask() const { return ones(8 * size); }
    bool same_shape(const Register &other) const {
        return offset == other.offset && size == other.size && readable == other.readable && writable == other.writable &&
               w1c == other.w1c && w1t == other.w1t && clear_on_read == other.clear_on_read &&
               self_clearing == other.self_clearing;
    }
};

class RegisterFile {
  public:
    // Sorted by offset, without overlap.
    void add(std::unique_ptr<Register> added, const std::string &owner);
    Register *find(uint64_t offset);
    void reset();
    const std::vector<std::unique_ptr<Register>> &all() const { return registers_; }
    // One beat. False: no register lies there.
    bool access(Engine &engine, unsigned width, Access &access);

  private:
    size_t first_from(uint64_t offset, unsigned width) const;

    std::vector<std::unique_ptr<Register>> registers_;
    mutable size_t recent_ = 0;
};

}  // namespace pynq::sim
