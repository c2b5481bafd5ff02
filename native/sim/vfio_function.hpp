// SPDX-License-Identifier: BSD-3-Clause
// The PCI function as which a served board appears: configuration space and INTx.
#pragma once

#include <array>
#include <cstdint>

#include "vfio_lines.hpp"

namespace pynq::sim::vfio {

class Function {
  public:
    static constexpr uint64_t kSize = 256;
    explicit Function(uint64_t bar_size);

    uint8_t read(uint64_t offset) const;
    void write(uint64_t offset, uint8_t value);
    // As after power-on; the eventfd stays.
    void reset();

    // INTx: level-triggered, masks itself when it fires, and fires again at unmask where the level still is high.
    void level(bool high);
    void trigger(Fd event);  // an empty one: no more interrupts
    void mask() { masked_ = true; }
    void unmask();
    void fire();

  private:
    void update();

    const uint64_t bar_size_;
    std::array<uint8_t, kSize> space_{};
    Fd event_;
    bool high_ = false, masked_ = false;
};

}  // namespace pynq::sim::vfio
