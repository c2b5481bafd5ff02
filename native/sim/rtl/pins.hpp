// SPDX-License-Identifier: BSD-3-Clause
// The pins of one bus by the names of its standard, and their checks.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "pin.hpp"

namespace pynq::sim::rtl {

// Logical name of the bus's standard, upper case ("TDATA", "AWADDR") -> pin.
using Pins = std::map<std::string, Pin>;

// Hands out the pins of a bus, and collects all that is wrong with them. Directions are the module's.
class PinReader {
  public:
    // `where` begins the message: "fir_0 s_axis (AXI4-Stream)".
    PinReader(const Pins &pins, std::string where) : pins_(pins), where_(std::move(where)) {}

    // Pins of `low` to `high` bits.
    Pin input(const char *name, unsigned low, unsigned high) { return take(name, low, high, false, true); }
    Pin output(const char *name, unsigned low, unsigned high) { return take(name, low, high, true, true); }
    // The same; an empty one where the module has it not.
    Pin maybe_input(const char *name, unsigned low, unsigned high) { return take(name, low, high, false, false); }
    Pin maybe_output(const char *name, unsigned low, unsigned high) { return take(name, low, high, true, false); }
    // A name that is known but means nothing here.
    void ignore(const char *name) { known_.insert(name); }
    void wrong(std::string what) { wrong_.push_back(std::move(what)); }
    // DesignError with all that was wrong; names that nobody asked for are wrong as well.
    void check();

  private:
    Pin take(const char *name, unsigned low, unsigned high, bool output, bool required);

    const Pins &pins_;
    const std::string where_;
    std::set<std::string> known_;
    std::vector<std::string> wrong_;
};

}  // namespace pynq::sim::rtl
