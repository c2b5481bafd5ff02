// SPDX-License-Identifier: BSD-3-Clause
// A bus functional model: one bus of a verilated module, between its pins and the engine's ports.
//
// A cycle of the module's clock is: clock low, eval, sample(), clock high, eval, drive(). Before the edge everything is
// settled, so a handshake (VALID and READY both high) seen in sample() is one that takes place at that edge; after it
// drive() sets the pins that the module sees until the next one (registered outputs of the other side, as AXI has them).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "../component.hpp"
#include "pin.hpp"

namespace pynq::sim::rtl {

class Rtl;

// Logical name of the bus's standard, upper case ("TDATA", "AWADDR") -> pin.
using Pins = std::map<std::string, Pin>;

class BusModel {
  public:
    BusModel(Rtl &module, std::string port) : module(module), port(std::move(port)) {}
    virtual ~BusModel() = default;
    BusModel(const BusModel &) = delete;
    BusModel &operator=(const BusModel &) = delete;

    virtual void sample() = 0;
    virtual void drive() = 0;
    // Reset of this bus begins or ends; drives the pins to their idle levels and forgets what is under way.
    virtual void reset(bool active) = 0;
    // As long as the module's outputs stay, and the engine does not call in, further cycles would change nothing here: no
    // handshake is about to take place, no latency is being counted. A model that waits for the module is settled.
    virtual bool settled() const = 0;
    // Why it does not go on, one sentence without the full stop; "" when it waits for nothing.
    virtual std::string explain() const { return ""; }

    // What the engine's ports tell the component (see component.hpp), for the ports of this bus.
    virtual void access(SlavePort &, Access &access) { access.resp = Resp::SlvErr; }
    virtual void forget_access(Access &) {}
    virtual void answered(Access &) {}
    virtual bool is_mine(const Access &) const { return false; }

    Rtl &module;
    const std::string port;  // name of the bus interface
};

}  // namespace pynq::sim::rtl
