// SPDX-License-Identifier: BSD-3-Clause
// A bus functional model: one bus of a verilated module, between its pins and the engine's ports.
//
// A cycle of the module's clock is: clock low, eval, sample(), clock high, eval, drive(). Before the edge everything is
// settled, so a handshake (VALID and READY both high) seen in sample() is one that takes place at that edge; after it
// drive() sets the pins that the module sees until the next one (registered outputs of the other side, as AXI has them).
// What the engine calls (access, answered) comes between two cycles, never inside of one, and may set pins as well: the
// module sees them before its next edge.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../component.hpp"
#include "pins.hpp"

namespace pynq::sim::rtl {

class Rtl;

class BusModel {
  public:
    BusModel(Rtl &module, std::string port) : module(module), port(std::move(port)) {}
    virtual ~BusModel() = default;
    BusModel(const BusModel &) = delete;
    BusModel &operator=(const BusModel &) = delete;

    virtual void sample() = 0;
    virtual void drive() = 0;
    // Reset of this bus begins or ends; drives the pins to their idle levels and forgets what is under way: accesses that
    // wait for an answer get SLVERR (Engine::answer). Also called once with true before the first evaluation.
    virtual void reset(bool active) = 0;
    // As long as the module's outputs stay, and the engine does not call in, further cycles would change nothing here: no
    // handshake is about to take place, no latency is being counted. A model that waits for the module is settled.
    virtual bool settled() const = 0;
    // Why it does not go on, one sentence without the full stop; "" when it waits for nothing.
    virtual std::string explain() const { return ""; }
    // For Component::state; keys begin with the port's name.
    virtual void state(State &) const {}

    // What the engine's ports tell the component (see component.hpp), for the ports of this bus. Not called in reset.
    virtual void access(SlavePort &, Access &access) { access.resp = Resp::SlvErr; }
    // False: single beats only (Component::burst).
    virtual bool burst(SlavePort &, BurstAccess &) { return false; }
    virtual void forget_access(Access &) {}
    virtual void answered(Access &) {}
    virtual bool is_mine(const Access &) const { return false; }
    // Idle at random: before each handshake our side waits, with that probability, for 1 to `cycles` cycles; 0 ends it.
    // False: this bus can't.
    virtual bool stall(double /*probability*/, uint64_t /*cycles*/) { return false; }

    Rtl &module;
    const std::string port;  // name of the bus interface

    // Outputs of the module of one bit that end this model's rest: set in the constructor.
    std::vector<Pin> watch;
    bool resting() const { return resting_; }
    bool in_reset() const { return in_reset_; }
    bool has_reset() const { return has_reset_; }

  protected:
    // From drive(): nothing is under way, so sample() and drive() are not called any more (an idle bus costs nothing),
    // until a watched pin is high before an edge (that edge is sampled), reset, or wake().
    void rest() { resting_ = true; }
    // Be called again from the next edge on, and get the module's cycles going where it sleeps. For access(), answered()
    // and whatever else comes from the engine.
    void wake();

  private:
    friend class Rtl;
    bool resting_ = false;
    bool in_reset_ = true;
    bool has_reset_ = false;
    unsigned reset_line_ = 0;  // index of the module's reset
    unsigned domain_ = 0;  // index of the module's clock
};

// A bus where the module answers / asks. The models make their ports with Rtl::new_slave, Rtl::new_master.
std::unique_ptr<BusModel> make_axi_slave(Rtl &module, const std::string &port, const std::string &protocol, const Pins &pins,
                                         uint64_t range);
std::unique_ptr<BusModel> make_axi_master(Rtl &module, const std::string &port, const std::string &protocol, const Pins &pins,
                                          uint64_t latency);

}  // namespace pynq::sim::rtl
