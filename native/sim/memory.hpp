// SPDX-License-Identifier: BSD-3-Clause
// Memories of the simulated board: a memfd, mapped here and by every buffer of the program, so that numpy and the
// simulated DMA see the same bytes without a copy.
#pragma once

#include <string>

#include "types.hpp"

namespace pynq::sim {

class Memory : public Mortal {
  public:
    // `fd`: a memory file that others hold too (it is duplicated); -1: one of its own.
    Memory(std::string name, uint64_t size, int fd = -1);
    ~Memory();
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    const std::string name;
    const uint64_t size;
    int fd() const { return fd_; }
    uint8_t *data() const { return data_; }
    bool covers(uint64_t offset, uint64_t nbytes) const { return offset <= size && nbytes <= size - offset; }
    void check(uint64_t offset, uint64_t nbytes) const;
    void discard(uint64_t offset, uint64_t nbytes);

  private:
    int fd_ = -1;
    uint8_t *data_ = nullptr;
};

}  // namespace pynq::sim
