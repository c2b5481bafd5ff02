// SPDX-License-Identifier: BSD-3-Clause
#include "vfio_function.hpp"

#include <unistd.h>

namespace pynq::sim::vfio {

namespace {

// PCI Local Bus 3.0, 6.1 and 6.2.
constexpr unsigned kCommand = 0x04, kStatus = 0x06, kBar0 = 0x10, kBar0High = 0x14, kLatency = 0x0d, kCacheLine = 0x0c,
                   kInterruptLine = 0x3c, kInterruptPin = 0x3d;
constexpr uint8_t kCommandLow = 0x46;    // memory space, bus master, parity; writable bits of the lower byte
constexpr uint8_t kCommandHigh = 0x05;   // SERR#, INTx disable
constexpr uint8_t kIntxDisable = 0x04;   // of the upper byte
constexpr uint8_t kInterruptStatus = 0x08;
constexpr uint8_t kMemory64 = 0x04;      // a BAR of 64 bits, not prefetchable: reads have effects
constexpr uint16_t kVendor = 0x10ee, kDevice = 0x5651, kSubsystem = 1;

}  // namespace

Function::Function(uint64_t bar_size) : bar_size_(bar_size) { reset(); }

void Function::reset() {
    space_.fill(0);
    const auto put = [&](unsigned at, uint16_t value) {
        space_[at] = static_cast<uint8_t>(value);
        space_[at + 1] = static_cast<uint8_t>(value >> 8);
    };
    put(0x00, kVendor);
    put(0x02, kDevice);
    space_[0x08] = 1;                           // revision
    space_[0x0a] = 0x80, space_[0x0b] = 0x05;   // class: memory controller, other
    space_[kBar0] = kMemory64;
    put(0x2c, kVendor);
    put(0x2e, kSubsystem);
    space_[kInterruptPin] = 1;  // INTA
    masked_ = false;
    update();
}

uint8_t Function::read(uint64_t offset) const { return offset < kSize ? space_[offset] : 0xff; }

void Function::write(uint64_t offset, uint8_t value) {
    if (offset == kCommand)
        space_[offset] = value & kCommandLow;
    else if (offset == kCommand + 1)
        space_[offset] = value & kCommandHigh;
    else if (offset == kCacheLine || offset == kLatency || offset == kInterruptLine)
        space_[offset] = value;
    else if (offset >= kBar0 && offset < kBar0High + 4) {
        // Bits below the size read as zero, which tells it.
        const unsigned shift = static_cast<unsigned>(8 * (offset - kBar0));
        const uint64_t writable = ~(bar_size_ - 1);
        space_[offset] = static_cast<uint8_t>((value & (writable >> shift)) | (offset == kBar0 ? kMemory64 : 0));
    }
    update();
}

void Function::update() {
    space_[kStatus] = high_ ? kInterruptStatus : 0;
    if (high_ && !masked_ && event_ && !(space_[kCommand + 1] & kIntxDisable)) {
        masked_ = true;
        fire();
    }
}

void Function::level(bool high) {
    if (high == high_) return;
    high_ = high;
    update();
}

void Function::trigger(Fd event) {
    event_ = std::move(event);
    masked_ = false;
    update();
}

void Function::unmask() {
    masked_ = false;
    update();
}

void Function::fire() {
    if (!event_) return;
    const uint64_t one = 1;
    // A counter that is full is signalled already.
    [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

}  // namespace pynq::sim::vfio
