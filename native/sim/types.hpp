// SPDX-License-Identifier: BSD-3-Clause
// Words that every part of the engine uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace pynq::sim {

using Time = uint64_t;  // picoseconds of virtual time
inline constexpr Time kNever = ~Time{0};

// AXI response (AMBA AXI, A3.4.4), without EXOKAY.
enum class Resp : uint8_t { Okay, SlvErr, DecErr };

inline const char *text(Resp resp) {
    return resp == Resp::SlvErr ? "SLVERR" : resp == Resp::DecErr ? "DECERR" : "OKAY";
}

// What goes wrong on purpose; the bindings turn it into the class of pynq.errors with that name.
enum class Fault { Design, Bus, Deadlock, Model, Access, Alignment, Closed, Rtl, RtlFinished, Protocol, Key, Value };

// Where the user's RTL ended; attributes of RtlError.
struct RtlPlace {
    std::string cell, file;
    int line = 0;
    uint64_t cycle = 0;
};

class Error : public std::runtime_error {
  public:
    Error(Fault fault, const std::string &text) : std::runtime_error(text), fault(fault) {}
    Error(Fault fault, const std::string &text, RtlPlace where)
        : std::runtime_error(text), fault(fault), place(std::make_shared<const RtlPlace>(std::move(where))) {}
    Fault fault;
    std::shared_ptr<const RtlPlace> place;
};

// A Python exception is set on this thread (or was stored in the engine) and wants to be passed on.
struct PythonRaised {};

inline uint64_t ones(unsigned bits) { return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1; }

// Base of every part of the engine that Python may hold: who watches `life` learns that the part is gone.
struct Mortal {
    std::shared_ptr<void> life = std::make_shared<char>();
};

std::string hex(uint64_t value);
std::string format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

// Small, fast and the same everywhere (std:: distributions differ between libraries): SplitMix64.
class Random {
  public:
    explicit Random(uint64_t seed = 0) : state_(seed) {}
    uint64_t next() {
        uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    // 0 .. bound-1
    uint64_t below(uint64_t bound) { return bound ? next() % bound : 0; }
    bool chance(double probability) {
        return probability >= 1.0 || static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
    }

  private:
    uint64_t state_;
};

}  // namespace pynq::sim
