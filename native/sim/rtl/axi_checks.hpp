// SPDX-License-Identifier: BSD-3-Clause
// What the AXI models share: the shape of a burst, the rules that the module's side of a bus must keep, random idling.
//
// Clauses are those of AMBA AXI and ACE, ARM IHI 0022 (E to G: "A3.4.1"). The rules carry the names that users know from
// the vendor's protocol checker (PG101, PG267), since those can be looked up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../types.hpp"
#include "bus_model.hpp"

namespace pynq::sim::rtl {

enum class Axi : uint8_t { Lite, Axi4, Axi3 };
// "AXI4LITE", "AXI4", "AXI3".
Axi axi_protocol(const std::string &name);

// AxBURST (A3.4.1, table A3-3).
enum class BurstKind : uint8_t { Fixed, Incr, Wrap };

// Which bytes a burst touches (A3.4.1, A3.4.2).
struct Shape {
    uint64_t address = 0;
    unsigned beats = 1;
    unsigned bytes = 1;  // a beat
    BurstKind kind = BurstKind::Incr;

    uint64_t aligned() const { return address & ~uint64_t{bytes - 1}; }
    // The first byte of a beat, and the number of bytes up to the end of its lanes.
    uint64_t beat(unsigned index) const;
    unsigned length(unsigned index) const {
        return kind == BurstKind::Fixed || index == 0 ? bytes - static_cast<unsigned>(address & (bytes - 1)) : bytes;
    }
    uint64_t lowest() const;
    uint64_t highest() const;  // the last byte
    uint64_t total() const;    // bytes transferred, a FIXED one's as often as they are
};

// Idle cycles of a channel, at random: before each handshake the side that is ours may wait for 1 to `cycles` cycles. A
// READY that is held back is so from the handshake before on, and its cycles count from the VALID that it keeps waiting.
class Stalls {
  public:
    void set(double probability, uint64_t cycles) {
        probability_ = probability;
        cycles_ = cycles;
        on_ = probability > 0;
    }
    explicit operator bool() const { return on_; }

    struct Channel {
        uint64_t left = 0;
        bool decided = false;
    };
    // Asked once a cycle while the channel could go on; true: not yet. `counts`: this cycle is one that was waited.
    bool idle(Channel &channel, Random &random, bool counts) const {
        if (!channel.decided) {
            channel.decided = true;
            channel.left = random.chance(probability_) ? 1 + random.below(cycles_) : 0;
        }
        if (!channel.left) return false;
        if (counts) --channel.left;
        return true;
    }

  private:
    bool on_ = false;
    double probability_ = 0;
    uint64_t cycles_ = 0;
};

// One channel that the module drives: VALID stays until READY, and what goes with it does not change (A3.2.1).
class ChannelWatch {
  public:
    // `prefix` "AW", "W", ...; `fields` without it.
    ChannelWatch(BusModel &bus, const Pins &pins, const char *prefix, char side);
    // Before the edge, where VALID is high or was held.
    void look(bool valid, bool ready) {
        if (held_ || (valid && !ready)) look_closely(valid, ready);
    }
    void forget() { held_ = false; }
    bool held() const { return held_; }
    // Of read data: the lanes that mean something; null: all.
    const uint8_t *lanes = nullptr;

  private:
    struct Field {
        std::string name;
        Pin pin;
        size_t at, size;  // in saved_
        bool data;
    };
    void look_closely(bool valid, bool ready);
    void save();
    bool equal(const Field &field) const;

    BusModel &bus_;
    const std::string prefix_;
    const char side_;  // 'M' or 'S' in the names of rules
    std::vector<Field> fields_;
    std::vector<uint8_t> saved_, strobes_;
    bool held_ = false;
};

// The rules of an address that the module gives; `channel` "AW" or "AR". What is too wrong to go on with is mended in
// `shape`.
struct AddressPins {
    Pin id, address, length, size, burst, lock, cache, protect, region, quality;
};
Shape read_address(BusModel &bus, const AddressPins &pins, const char *channel, Axi protocol, unsigned bus_bytes);

Pin find_pin(const Pins &pins, const std::string &name);
// What goes with VALID high (AxVALID while `name` says which) at the first edge after reset (A3.1.2, figure A3-1).
void check_reset(BusModel &bus, const char *channel, char side);
void broken(BusModel &bus, const std::string &rule, const std::string &text, const char *clause);
// "16 beats of 8 bytes from 0x1000 on"
std::string describe(const Shape &shape);

// A handshake pin that we drive. set() says what it is to be, flush() writes it where that differs: in sample() nothing
// may reach the module, which sees the edge after it.
class Driven {
  public:
    Driven() = default;
    explicit Driven(Pin pin) : pin_(pin) { pin_.set(0); }
    void set(bool level) { wanted_ = level; }
    bool high() const { return wanted_; }
    void flush() {
        if (wanted_ == level_) return;
        level_ = wanted_;
        if (pin_) pin_.put(level_);
    }

  private:
    Pin pin_;
    bool level_ = false, wanted_ = false;
};

// Hands out the pins of an AXI bus; directions are those of the module.
class AxiPins {
  public:
    AxiPins(const Pins &pins, const BusModel &bus, Axi protocol, bool module_asks);
    // A bus may have one direction only.
    bool writes() const { return writes_; }
    bool reads() const { return reads_; }
    AddressPins address(const std::string &channel);
    Pin to_module(const char *name, unsigned low, unsigned high) { return reader_.input(name, low, high); }
    Pin from_module(const char *name, unsigned low, unsigned high) { return reader_.output(name, low, high); }
    Pin maybe(const char *name, bool to_module, unsigned low, unsigned high) {
        return to_module ? reader_.maybe_input(name, low, high) : reader_.maybe_output(name, low, high);
    }
    Pin data(const char *name, bool to_module);
    Pin strobes(const Pin &data);
    void check();

  private:
    PinReader reader_;
    const Axi protocol_;
    const bool module_asks_;
    bool writes_, reads_;
    uint32_t data_bits_ = 0;
};

}  // namespace pynq::sim::rtl
