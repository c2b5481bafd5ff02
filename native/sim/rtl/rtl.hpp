// SPDX-License-Identifier: BSD-3-Clause
// A verilated module as a component of the board: its clocks, resets, buses and pins, its sleep and its end.
// docs/design/rtl.md explains the whole.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../component.hpp"
#include "../hooks.hpp"
#include "bus_model.hpp"
#include "library.hpp"
#include "observer.hpp"

namespace pynq::sim::rtl {

class StreamDrain;
class StreamFeed;
class StreamModel;

enum class Checks : uint8_t { Error, Warn, Off };

class Rtl final : public Component, private ClockListener {
  public:
    Rtl(Engine &engine, std::string name, std::string kind, Clock &clock, const std::string &library,
        const std::vector<std::string> &folders, Hook log);
    ~Rtl() override;

    const std::string library;  // file of the verilated design

    // -- building ----------------------------------------------------------------------------------------------------
    void add_clock(const std::string &pin, Clock &clock);
    void add_reset(const std::string &pin, bool active_low);
    void add_slave(const std::string &port, const std::string &protocol, const std::map<std::string, std::string> &pins,
                   const std::string &clock, const std::string &reset, uint64_t range);
    void add_master(const std::string &port, const std::string &protocol, const std::map<std::string, std::string> &pins,
                    const std::string &clock, const std::string &reset, uint64_t latency);
    void add_stream(const std::string &port, const std::map<std::string, std::string> &pins, bool source,
                    const std::string &clock, const std::string &reset);
    void add_pin(const std::string &pin);
    void begin();
    // Random idle cycles of the engine's side of an AXI bus (BusModel::stall).
    void stall(const std::string &port, double probability, uint64_t cycles);
    void end_stalls() override;

    // -- for bus models ----------------------------------------------------------------------------------------------
    // Their ports; accesses, answers and streams of a port go to its model.
    SlavePort &new_slave(BusModel &model, unsigned width, uint64_t range);
    MasterPort &new_master(BusModel &model, unsigned width, uint64_t latency);
    // Cycles of the clock of that bus so far, at the edge that is being evaluated (or was last).
    uint64_t cycle_of(const BusModel &model) const;
    Clock &clock_of(const BusModel &model) const;
    // A rule of the protocol was broken: "TVALID must stay high until TREADY", "IHI 0051A 2.2.1", what was seen.
    // Stops the run with a ProtocolError, or adds a warning, or does nothing.
    void violation(const char *rule, const std::string &port, const char *clause, const std::string &text);
    bool checking() const { return checks != Checks::Off; }
    // Get the module's cycles going; cheap where they are. Nothing is settled any more.
    void wake() {
        idle_ = 0;
        models_rest_ = false;
        asleep_ = false;
        dirty_ = true;  // a bus model may have set pins: READY that follows VALID has to follow before the next edge
        if (!busy_ && !event_.pending() && begun_ && dead_.empty()) schedule_next();
    }

    // -- what the engine calls -----------------------------------------------------------------------------------------
    void fire(Event &event) override;
    void access(SlavePort &port, Access &access) override;
    bool burst(SlavePort &port, BurstAccess &access) override;
    void forget_access(Access &access) override;
    void answered(Access &access) override;
    void stream_ready(StreamPort &port) override;
    void stream_cleared(StreamPort &port) override;
    void wire_changed(WirePort &port, uint64_t value, uint64_t previous) override;
    void reset_changed(bool active) override;
    std::string explain(std::string_view channel) override;
    State state() override;
    std::string why_silent(const SlavePort &port) const override;
    bool reset_active() const override;
    void connected(StreamPort &port) override;
    void closing() override;

    // -- asking ------------------------------------------------------------------------------------------------------
    Model &model() { return *model_; }
    bool dead() const { return !dead_.empty(); }
    bool asleep() const { return asleep_; }
    uint64_t cycles_run() const { return cycles_run_; }
    Checks checks = Checks::Error;
    std::vector<std::string> warnings;
    Observer *observer = nullptr;

  private:
    struct Domain {
        std::string name;
        Pin pin;
        Clock *clock;
        std::vector<StreamFeed *> feeds;
        std::vector<StreamDrain *> drains;
        std::vector<BusModel *> models;  // others
        bool rising = false, falling = false;  // now
    };
    struct Reset {
        std::string name;  // "": of all buses without a reset, no pin
        Pin pin;
        bool active_low = false;
        WirePort *wire = nullptr;
        bool active = true;  // as the pin has it
        std::vector<BusModel *> models;
    };
    struct Input {
        Pin pin;
        WirePort *wire;
    };
    struct Output {
        Pin pin;
        WirePort *wire;
    };
    // Eight bytes of the model that hold outputs: one look says whether any of them changed.
    struct Window {
        const uint8_t *at;
        uint64_t mask, last;
    };
    Pin take_pin(const std::string &pin, const std::string &what);
    Pins take_pins(const std::string &port, const std::map<std::string, std::string> &pins);
    size_t domain_index(const std::string &clock, const std::string &port) const;
    int reset_index(const std::string &reset, const std::string &port) const;
    void adopt(std::unique_ptr<BusModel> model, const std::string &clock, const std::string &reset);
    bool asks(const Reset &reset) const;
    bool held(const BusModel &model) const;

    void clock_changed(Clock &clock) override;
    Time next_edge() const;
    Time next_fall(const Domain &domain) const;
    void schedule_next();
    bool turn_is_over();
    void pause(uint64_t left);
    uint64_t grain_left();
    bool evaluate();
    void make_windows();
    bool outputs_moved();
    void drive_outputs();
    template <bool kPlain> void run_single();
    void run_several();
    bool apply_inputs();
    void apply_resets();
    bool step();
    bool observe(Time now);
    void sample(Domain &domain);
    void sample_models(Domain &domain);
    void drive_models(Domain &domain);
    void drive(Domain &domain);
    bool try_sleep();
    bool busy_for_long();
    bool models_settled() const;
    bool flush_streams();
    bool unchanged() const;
    bool trial_changes_nothing();
    void die(int status);
    void deliver_lines();
    void log_lines(const std::vector<Line> &lines);

    std::unique_ptr<Model> model_;
    Hook log_;
    std::vector<std::unique_ptr<BusModel>> models_;
    std::vector<BusModel *> slave_models_, master_models_;  // by port id
    std::vector<StreamModel *> stream_models_;              // by port id
    std::deque<Domain> domains_;
    std::deque<Reset> resets_;
    std::vector<Input> inputs_;
    std::vector<Output> outputs_;
    std::vector<Window> windows_;  // over all of outputs_, but for:
    std::vector<Output> lone_;
    std::vector<const uint8_t *> watched_;  // pins of one bit that end the rest of any model
    bool models_rest_ = false;              // all of them rest, or are in reset
    std::map<std::string, std::string> used_;  // pin -> what for
    Event event_;

    bool begun_ = false;
    bool busy_ = false;  // in fire
    bool asleep_ = false;
    bool inputs_changed_ = true;
    bool dirty_ = true;    // inputs were set since the last eval (step only)
    bool replan_ = false;  // a clock changed
    bool tells_time_ = false;
    std::string dead_;    // why
    unsigned pulse_ = 0;  // edges of Component::reset left
    uint64_t cycles_run_ = 0;
    uint64_t left_ = 0;            // cycles of a grain that a pause cut short

    // sleep.cpp
    uint64_t idle_ = 0;                           // cycles without a handshake
    uint64_t patience_ = 2, least_patience_ = 2;  // idle cycles before the next look
    bool watching_ = false;                       // a snapshot was taken, at:
    uint64_t watch_cycle_ = 0, watch_idle_ = 0;
    uint64_t prints_seen_ = 0;
    std::vector<uint8_t> snapshot_;

    // the host's time
    uint64_t stride_ = 16, until_look_ = 16;  // cycles
    std::chrono::steady_clock::time_point looked_{};
    std::chrono::steady_clock::duration turn_{};

    static constexpr size_t kMostWarnings = 1000;
};

inline void BusModel::wake() {
    resting_ = false;
    module.wake();
}

}  // namespace pynq::sim::rtl
