// SPDX-License-Identifier: BSD-3-Clause
// What every IP of the simulated board is: something with ports. A component never knows what is on the other side, and
// the engine never knows what is inside; whatever implements this class (native data movers, Python models, later a
// verilated module behind a C ABI) joins without a change elsewhere.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "net.hpp"
#include "stream.hpp"
#include "time.hpp"

namespace pynq::sim {

class Component;
class Space;
struct SlavePort;

// One beat on a register port. `offset` is a multiple of the port's width; `value` holds the whole beat.
struct Access {
    bool write = false;
    uint64_t offset = 0;
    uint64_t value = 0;
    uint8_t strobe = 0xff;  // byte lanes written; for reads, the lanes that the master looks at
    Resp resp = Resp::Okay;
    // A component that can't answer at once (a clocked one) sets done = false, keeps the pointer, and answers later by
    // Engine::answer; until then, or until forget_access, the structure stays where it is.
    bool done = true;
    Component *waiter = nullptr;   // is told of a late answer (answered); null: the PS looks by itself
    SlavePort *target = nullptr;   // whom it was given to
};

// A block access to a register port that takes bursts (Component::burst): `nbytes` bytes from `offset` on, any alignment,
// in order. `value` and `strobe` of the base mean nothing here. Late answers are those of Access.
struct BurstAccess : Access {
    uint8_t *data = nullptr;           // where it is read to or written from; stays until it is over
    const uint8_t *strobes = nullptr;  // one byte a byte, 0: not written; null: all of them are
    uint64_t nbytes = 0;
    uint64_t failed = 0;  // where resp is an error: the first offset that is concerned; what lies before is good
};

// A disturbance of accesses, from the engine's seed.
struct Injection {
    uint64_t base = 0, high = ~uint64_t{0};
    uint64_t latency = 0;  // cycles
    Resp response = Resp::Okay;
    double probability = 1;
    int64_t count = -1;
};

struct SlavePort {
    Component *owner;
    std::string name;
    unsigned id;
    unsigned width;      // bytes a beat: 4 or 8
    uint64_t range = 0;    // 0: not known
    uint64_t latency = 0;  // cycles until it answers; 0: at once
    std::vector<Injection> injections{};
};

struct MasterPort {
    Component *owner;
    std::string name;
    unsigned id;
    unsigned width;    // bytes a beat
    uint64_t latency;  // cycles before the first beat
    Space *space = nullptr;
};

struct StreamPort {
    Component *owner;
    std::string name;
    unsigned id;
    bool source;
    Link *link = nullptr;
};

struct WirePort final : NetListener {
    WirePort(Component *owner, std::string name, unsigned id, bool output, unsigned width, uint64_t initial)
        : owner(owner), name(std::move(name)), id(id), output(output), width(width), initial(initial), level(initial) {}
    void net_changed(Net &net, uint64_t value, uint64_t previous) override;
    void drive(uint64_t value) {
        level = value & ones(width);
        if (net) net->set(level);
    }
    uint64_t sample() const { return output || !net ? level : net->value() & ones(width); }

    Component *owner;
    std::string name;
    unsigned id;
    bool output;
    unsigned width;
    uint64_t initial;
    uint64_t level;
    Net *net = nullptr;
};

using StateValue = std::variant<uint64_t, std::string>;
using State = std::map<std::string, StateValue>;

class Component : public Mortal, public EventTarget {
  public:
    Component(Engine &engine, std::string name, std::string kind, Clock &clock);
    virtual ~Component();
    Component(const Component &) = delete;
    Component &operator=(const Component &) = delete;

    Engine &engine;
    const std::string name;
    const std::string kind;
    Clock *const clock;
    std::string refusal;  // why it answers no access now (its region is being reconfigured); "": it does
    std::string barrier;  // why it lets no access through to what lies behind it (see Space::Range); "": it does
    Resp barrier_resp = Resp::SlvErr;  // how it answers them then; Okay: reads give zeros, writes are dropped

    // -- what the engine calls ---------------------------------------------------------------------------------------
    void fire(Event &) override {}
    // A beat for a register port; never called while in reset.
    virtual void access(SlavePort &port, Access &access);
    // A block for a register port; never called while in reset. False: this port takes single beats only, ask again by
    // access().
    virtual bool burst(SlavePort &, BurstAccess &) { return false; }
    // Nobody waits for that answer any more.
    virtual void forget_access(Access &) {}
    // An access of this component was answered late. Must only schedule.
    virtual void answered(Access &) {}
    // Sink: beats have come. Source: there is room again. Must only schedule, never move beats.
    virtual void stream_ready(StreamPort &) {}
    // What was queued in the link of that port is lost. Must only take note.
    virtual void stream_cleared(StreamPort &) {}
    virtual void wire_changed(WirePort &, uint64_t /*value*/, uint64_t /*previous*/) {}
    // Reset begins (true) or ends (false).
    virtual void reset_changed(bool /*active*/) {}
    // One sentence on why that channel does not go on, without the full stop; "" when it doesn't wait.
    virtual std::string explain(std::string_view /*channel*/) { return ""; }
    virtual State state() { return {}; }
    // Ends what Rtl.stall and its like injected.
    virtual void end_stalls() {}
    // Why it doesn't answer on that port, for messages: "fir_0 is held in reset"; "" where it does.
    virtual std::string why_silent(const SlavePort &port) const;
    // Whether it is held in reset, for whoever asks; a component may have several resets.
    virtual bool reset_active() const { return in_reset_; }
    // That stream port has got its link, to whose other end there may be somebody or not yet.
    virtual void connected(StreamPort &) {}
    // As a sink: beats are taken as they come, one in each cycle, so that none would ever wait in the link.
    virtual bool taking(const StreamPort &) const { return false; }
    // It is about to be destroyed, with the engine or alone; the last time that hooks can be called.
    virtual void closing() {}

    // -- ports -------------------------------------------------------------------------------------------------------
    std::deque<SlavePort> slaves;
    std::deque<MasterPort> masters;
    std::deque<StreamPort> streams;
    std::deque<WirePort> wires;
    SlavePort &slave(const std::string &name);
    MasterPort &master(const std::string &name);
    StreamPort &stream(const std::string &name);
    WirePort &wire(const std::string &name);
    void connect(const std::string &port, Link &link);
    void connect(const std::string &port, Space &space);
    void connect(const std::string &port, Net &net);
    void disconnect();
    // Begin a reset that does not end: what is under way is answered or given up.
    void retire();
    // That net goes: no port listens to it any more.
    void forget_net(Net &net);

    // -- reset -------------------------------------------------------------------------------------------------------
    void reset_by(Net &net, unsigned bit, bool active_low);
    void pulse_reset();
    void update_reset();
    bool in_reset() const { return in_reset_; }

    // Cycles of the component's clock so far, and the time the next one begins.
    uint64_t cycle() const;

  protected:
    // Appointments `cycles` edges from now; where the clock stands still they wait for it.
    void schedule(Event &event, uint64_t cycles);
    // The same unless it is pending already.
    void wake(Event &event, uint64_t cycles = 1) {
        if (!event.pending()) schedule(event, cycles);
    }
    void check_free(const std::string &port) const;

  private:
    void begin_reset();
    [[noreturn]] void unknown_port(const std::string &port, const char *what) const;

    struct ResetLine final : NetListener {
        ResetLine(Component *owner, Net &net, unsigned bit, bool active_low)
            : owner(owner), net(&net), bit(bit), active_low(active_low) {}
        void net_changed(Net &, uint64_t, uint64_t) override { owner->update_reset(); }
        bool active() const { return net && (net->value() >> bit & 1) != active_low; }
        Component *owner;
        Net *net;  // null: it was taken out
        unsigned bit;
        bool active_low;
    };
    std::deque<ResetLine> reset_lines_;
    bool in_reset_ = false;
};

}  // namespace pynq::sim
