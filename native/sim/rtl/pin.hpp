// SPDX-License-Identifier: BSD-3-Clause
// A pin of a verilated module: where its value lies and how wide it is.
#pragma once

#include <cstdint>
#include <cstring>

namespace pynq::sim::rtl {

struct Pin {
    void *at = nullptr;  // null: the module has no such pin
    uint32_t bits = 0;
    uint8_t bytes = 0;  // of its storage: 1, 2, 4, 8; 0: 32-bit words, least significant first
    bool output = false;    // of the module
    const char *name = "";  // in the module's source

    explicit operator bool() const { return at != nullptr; }
    // Bytes that hold the value.
    uint32_t size() const { return (bits + 7) / 8; }

    uint32_t storage() const { return bytes ? bytes : (bits + 31) / 32 * 4; }

    // The value, of pins up to 64 bits; a pin that is not there is 0.
    uint64_t get() const {
        switch (bytes) {
        case 1: return *static_cast<const uint8_t *>(at);
        case 2: return *static_cast<const uint16_t *>(at);
        case 4: return *static_cast<const uint32_t *>(at);
        case 8: return *static_cast<const uint64_t *>(at);
        default: break;
        }
        if (!at) return 0;
        uint64_t value = 0;
        std::memcpy(&value, at, size() < 8 ? size() : 8);
        return value;
    }
    // The bits that the pin has; a pin that is not there takes nothing.
    void set(uint64_t value) const {
        if (bits < 64) value &= (uint64_t{1} << bits) - 1;
        switch (bytes) {
        case 1: *static_cast<uint8_t *>(at) = static_cast<uint8_t>(value); return;
        case 2: *static_cast<uint16_t *>(at) = static_cast<uint16_t>(value); return;
        case 4: *static_cast<uint32_t *>(at) = static_cast<uint32_t>(value); return;
        case 8: *static_cast<uint64_t *>(at) = value; return;
        default: break;
        }
        if (!at) return;
        std::memset(at, 0, (bits + 31) / 32 * 4);
        std::memcpy(at, &value, size() < 8 ? size() : 8);
    }
    // Of a pin of one bit, which is always there.
    bool high() const { return *static_cast<const uint8_t *>(at) != 0; }
    void put(bool level) const { *static_cast<uint8_t *>(at) = level; }
    // Data: size() bytes, byte 0 in bits 7:0. The pin's width is a multiple of 8, and the machine little-endian.
    void load(uint8_t *to) const { std::memcpy(to, at, size()); }
    void store(const uint8_t *from) const { std::memcpy(at, from, size()); }
};

}  // namespace pynq::sim::rtl
