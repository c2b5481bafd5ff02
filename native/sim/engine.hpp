// SPDX-License-Identifier: BSD-3-Clause
// The engine: owns every part, keeps virtual time, lets the PS in, and knows when nothing can happen any more.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "component.hpp"
#include "hooks.hpp"
#include "lock.hpp"
#include "memory.hpp"
#include "net.hpp"
#include "space.hpp"
#include "stream.hpp"
#include "time.hpp"

namespace pynq::sim {

enum class TraceKind : uint8_t { Read, Write, Packet, Net, Irq, BurstRead, BurstWrite };
enum class TraceMode : uint8_t { Off, Hash, List };

// Why a run ended. Failed: a hook raised, or a part broke a rule; Signal: a Python signal handler raised.
enum class Stop { Hit, Time, Slice, Quiet, Failed, Signal, Closed };

// Set Python's error indicator; with the interpreter's lock.
void set_python_error(const Error &error);

// Hears of the PS's accesses (waves).
class AccessListener {
  public:
    virtual void accessed(bool write, uint64_t address, uint64_t value) = 0;

  protected:
    ~AccessListener() = default;
};

class WaveHub;

// Hears of stimuli without the interpreter (a server). From any thread; must neither wait nor call the engine.
class StimulusListener {
  public:
    virtual void stimulated() = 0;
    virtual ~StimulusListener() = default;
};

// A net listener that the engine owns.
struct Listening : NetListener {
    explicit Listening(Net *heard) : heard(heard) {}
    virtual ~Listening() = default;
    Net *const heard;
};

class Engine {
  public:
    struct Options {
        uint64_t seed = 0;
        bool deterministic = true;
        uint64_t access_cycles = 16;
        uint64_t access_limit = 1024;
        double patience = 2.0;
        Time horizon = 1'000'000'000'000;
        uint64_t idle_events = 2'000'000;
    };
    explicit Engine(const Options &options);
    ~Engine();
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;

    Options options;
    FairLock lock;
    Random random;
    NetSettler nets;
    HookList hooks;
    std::vector<std::unique_ptr<Listening>> net_hooks;  // of Net.on_change
    uint64_t tokens = 0;

    // -- parts -------------------------------------------------------------------------------------------------------
    Clock &add_clock(const std::string &name, double hertz);
    Memory &add_memory(const std::string &name, uint64_t size, int fd = -1);
    Space &add_space(const std::string &name, bool ps);
    Link &add_link(const std::string &name, unsigned width, unsigned depth);
    Net &add_net(const std::string &name, unsigned width, uint64_t initial);
    Gate &add_gate(std::unique_ptr<Gate> gate);
    Irq &add_irq(unsigned number, Net &net, unsigned bit, bool edge);
    template <class T> T &add(std::unique_ptr<T> component) {
        T &added = *component;
        keep(std::move(component));
        return added;
    }
    Component *find(const std::string &name);
    Space *find_space(const std::string &name);
    // Checks the whole and settles the nets: silently before time begins, or telling listeners what changed.
    void elaborate(bool silent = true);
    // Partial reconfiguration (swap.cpp).
    struct Parts {
        std::vector<Component *> components;
        std::vector<Net *> nets;
        std::vector<Link *> links;
        std::vector<Space *> spaces;
        std::vector<Memory *> memories;
        std::vector<Clock *> clocks;
    };
    // Take parts out for good: accesses to them end in SLVERR, their appointments are cancelled, nets that they drove
    // keep their level. What stays must not need a net or clock that goes.
    void take_out(const Parts &parts);
    // Let a net go back to a level, without driver: a gate that drives it goes.
    void let_go(Net &net, uint64_t level);
    // Hide names, so that others may have them, or show them again.
    void bench(const std::vector<Component *> &components, bool away);
    const std::vector<std::unique_ptr<Link>> &links() const { return links_; }
    const std::vector<std::unique_ptr<Space>> &spaces() const { return spaces_; }
    const std::vector<std::unique_ptr<Net>> &nets_made() const { return nets_; }
    const std::vector<std::unique_ptr<Component>> &components() const { return components_; }
    Space *ps() const { return ps_; }
    void clear_injections();

    // -- life --------------------------------------------------------------------------------------------------------
    bool closed() const { return closed_.load(std::memory_order_relaxed); }
    // End; in a hook it is put off until the run that goes on is over. The caller holds the lock and the interpreter's.
    void close(std::string reason = {});
    // Why nothing works any more, for messages.
    std::string end() const { return end_.empty() ? "the simulated board was closed" : end_; }
    // Closed, or about to be: waits give up.
    bool ending() const { return closed() || close_requested_.load(std::memory_order_relaxed); }
    bool in_hook() const { return hook_depth_ != 0; }
    bool running() const { return running_.load(std::memory_order_relaxed) != 0; }

    // -- time --------------------------------------------------------------------------------------------------------
    Time now() const { return now_; }
    void schedule_at(Event &event, Time at) { queue_.push(event, at); }
    void schedule(Event &event, Clock &clock, uint64_t cycles);
    void cancel(Event &event);
    bool quiet() const { return queue_.empty(); }
    // A beat moved, memory was accessed: the hardware gets on.
    void progressed() { ++work_; }
    // Changes whenever something got on, or was stimulated.
    uint64_t progress() const { return work_ + stimuli(); }
    // Events so far; the cycles of a clocked component count as an eighth of one each, however many an event runs.
    uint64_t fired() const { return fired_ + cycles_ / 8; }

    // -- for a component that runs many cycles in one event ----------------------------------------------------------
    // May it go on at that time, without looking up? Not where another event comes first or the wait ends, and not after
    // something happened that whoever waits may want to see: a net changed, a late answer, a failure.
    bool may_go_on(Time at) const { return at <= limit_ && at < queue_.next(); }
    void step_to(Time at) { now_ = at; }
    void attend() { limit_ = 0; }
    // Cycles that it may run in this event; a fixed number, since where a run can stop must not depend on the host.
    uint64_t grain() const { return grain_; }
    // It comes back only since it took its time (the host's): nobody but other threads and signals may notice.
    void pause() { paused_ = true; }
    void count_cycles(uint64_t count) {
        cycles_ += count;
        --fired_;
    }

    struct Wait {
        Time deadline = kNever;
        std::chrono::steady_clock::duration slice = std::chrono::steady_clock::duration::max();
        bool horizon = false;   // give up when events go on but nothing gets on
        bool released = false;  // this thread does not hold the interpreter's lock
        uint64_t grain = 65536;  // see Engine::grain
    };
    // Fire events until `hit()` (asked before the first and after each), the deadline, ...: the one loop of the engine.
    // The caller holds the lock. A quiet engine stays where it is in time.
    template <class Hit> Stop loop(const Wait &wait, Hit &&hit);
    // Let time pass up to `until`, idle or not. For short stretches, whichever lock is held.
    Stop advance(Time until, bool released = false);
    // The same, for as long as it takes: the interpreter's lock is not held.
    Stop run(Time duration);
    // Host time that went by since the last touch is virtual time too, unless the mode is deterministic.
    Stop catch_up();
    // Let virtual time follow the host's, whatever the mode, until nothing is left to do, `slice` is over or `leave` is
    // set (Hit); for who serves a PS that runs by itself. Events may come up to `lead` early, so that dense ones cost no
    // wake-up each. Slice: the host was too slow, and what it is behind is forgotten.
    Stop follow(Time lead, std::chrono::steady_clock::duration slice, const std::atomic<bool> &leave);
    // Host time until the next event is due; not asked in a quiet engine.
    std::chrono::nanoseconds due() const;
    void skip_to(Time until) { now_ = std::max(now_, until); }
    // From now on, unless virtual time is ahead of the host's (see follow).
    void touch() { touched_ = std::max(touched_, Host::now()); }
    // Stay in a quiet engine up to `seconds`, without any lock, until a stimulus comes (true).
    bool await_stimulus(uint64_t seen, double seconds, Stop &stop);
    double patience_now() const;  // 0 when no other Python thread lives

    // -- the PS ------------------------------------------------------------------------------------------------------
    int ps_read(uint64_t address, unsigned width, uint64_t &value, std::string &error);
    int ps_write(uint64_t address, unsigned width, uint64_t value, std::string &error);
    int ps_poll(uint64_t address, unsigned width, uint64_t mask, uint64_t match, int64_t timeout_ns, uint64_t &last,
                std::string &error);
    // `count` beats at consecutive addresses: the first costs a whole access, the others a cycle each (a burst).
    int ps_block(bool write, uint64_t address, unsigned width, void *data, uint64_t count, std::string &error);
    void answer(Access &access);   // late, by the component that was asked
    void abandon(Access &access);  // by who asked
    void stimulate();
    uint64_t stimuli() const { return stimuli_.load(std::memory_order_relaxed); }
    void set_stimulus_hook(Hook hook) { stimulus_hook_ = std::move(hook); }
    std::shared_ptr<StimulusListener> stimulus_listener;

    // -- failures ----------------------------------------------------------------------------------------------------
    // Remember what went wrong inside; the access or run that goes on passes it on. The first one counts.
    void fail(Error error);
    void fail_python(nb::python_error &error);
    bool failed() const { return failed_; }
    // With the interpreter's lock: throw what was remembered.
    [[noreturn]] void raise_failure();
    // Without knowing whether this thread has the interpreter's lock: set it as Python's error indicator where the
    // thread is a Python thread; returns the text.
    int pass_failure(std::string &text);

    // Call a hook; what it raises goes to fail(), and an empty object is returned. The caller holds the interpreter's
    // lock, for as long as it keeps the result.
    template <class... Args> nb::object call(PyObject *callable, Args &&...args);

    // -- diagnosis ---------------------------------------------------------------------------------------------------
    std::string explain(Component &component, std::string_view channel, bool peers = true);
    std::string explain(Net &net);
    std::string explain_all();
    void record(TraceKind kind, const std::string &name, uint64_t a, uint64_t b) {
        if (trace_mode_ != TraceMode::Off) record_slow(kind, name, a, b);
    }
    bool tracing() const { return trace_mode_ != TraceMode::Off; }
    // Bytes that moved: into the hash, with the time, but into no list.
    void record_bytes(const uint8_t *bytes, size_t count) {
        if (tracing()) record_bytes_slow(bytes, count);
    }
    struct TraceEntry {
        Time time;
        TraceKind kind;
        std::string name;
        uint64_t a, b;
    };
    // Signals by name and waves; made at the first use.
    WaveHub &waves();
    AccessListener *access_listener = nullptr;
    void trace(TraceMode mode);
    uint64_t trace_hash() const { return trace_hash_; }
    const std::vector<TraceEntry> &trace_entries() const { return trace_; }

  private:
    using Host = std::chrono::steady_clock;

    void keep(std::unique_ptr<Component> component);
    void record_slow(TraceKind kind, const std::string &name, uint64_t a, uint64_t b);
    void record_bytes_slow(const uint8_t *bytes, size_t count);
    void mix(uint64_t word) {
        trace_hash_ = (trace_hash_ ^ word) * 0x9FB21C651E98DF25u;
        trace_hash_ ^= trace_hash_ >> 32;
    }
    static bool went(Stop stop) { return stop == Stop::Time || stop == Stop::Quiet || stop == Stop::Slice; }
    uint64_t access_cost(bool write, uint64_t address, unsigned width);
    int ps_access(bool write, uint64_t address, unsigned width, uint64_t &value, std::string &error, bool released,
                  uint64_t fixed_cost = kNever);
    Resp ps_beats(bool write, const Space::Range &range, uint64_t address, unsigned width, uint64_t &value,
                  std::string &error, bool released, Stop &stop);
    int stop_status(Stop stop, std::string &error);
    bool signal_pending();
    void fire_next();
    void forget_gates(const std::function<bool(const Gate &)> &gone);
    struct Breath {
        std::chrono::steady_clock::time_point begin{}, checked{};
    };
    // What a loop owes to other threads and to signals; the reason to end, or Hit.
    Stop breathe(const Wait &wait, Breath &breath);
    void cone(Net &net, std::unordered_set<Net *> &seen, std::vector<Component *> &found);
    void finish_close();

    std::vector<std::unique_ptr<Clock>> clocks_;
    std::vector<std::unique_ptr<Memory>> memories_;
    std::vector<std::unique_ptr<Space>> spaces_;
    std::vector<std::unique_ptr<Link>> links_;
    std::vector<std::unique_ptr<Net>> nets_;
    std::vector<std::unique_ptr<Gate>> gates_;
    std::vector<std::unique_ptr<Irq>> irqs_;
    std::vector<std::unique_ptr<Component>> components_;
    std::unordered_map<std::string, Component *> by_name_;
    Space *ps_ = nullptr;

    EventQueue queue_;
    Time now_ = 0;
    uint64_t work_ = 0;
    uint64_t fired_ = 0, cycles_ = 0;
    Time limit_ = 0;        // of the loop that goes on; 0: come back now
    uint64_t grain_ = 1;    // the same
    bool paused_ = false;

    // adaptive cost of an access (DESIGN, rules of time)
    uint64_t last_address_ = ~uint64_t{0};
    uint64_t last_value_ = 0;
    uint64_t cost_ = 0;
    bool repeated_ = false;
    Host::time_point touched_;

    std::atomic<bool> closed_{false};
    std::string end_;
    std::atomic<bool> close_requested_{false};
    std::atomic<unsigned> running_{0};
    unsigned hook_depth_ = 0;

    std::atomic<uint64_t> stimuli_{0};
    std::atomic<unsigned> sleepers_{0};
    std::mutex stimulus_mutex_;
    std::condition_variable stimulus_;
    Hook stimulus_hook_;

    bool failed_ = false;
    std::optional<Error> failure_;
    std::optional<nb::python_error> python_failure_;

    std::unique_ptr<WaveHub> waves_;
    TraceMode trace_mode_ = TraceMode::Off;
    uint64_t trace_hash_ = 0;
    std::vector<TraceEntry> trace_;

    friend struct Running;
};

// At the end of what the PS does: host time that went by in it is no pause, however it ended.
struct Touching {
    explicit Touching(Engine &engine) : engine(engine) {}
    ~Touching() {
        if (!engine.options.deterministic) engine.touch();
    }
    Engine &engine;
};

// Marks that this engine runs, for nested calls and Engine.running.
struct Running {
    explicit Running(Engine &engine) : engine(engine) { ++engine.running_; }
    ~Running();
    Engine &engine;
};

// Tells when so many events and so much time went by without progress that none is to be expected: a free-running timer
// must not turn a dead wait into an endless one.
class Horizon {
  public:
    // `polls`: whose questions count as events, since none may fire between them.
    explicit Horizon(const Engine &engine, bool polls = false)
        : engine_(engine), polls_(polls), seen_(engine.progress()), since_(engine.now()), fired_(engine.fired()) {}
    bool passed() {
        if (engine_.progress() != seen_) {
            seen_ = engine_.progress();
            since_ = engine_.now();
            fired_ = engine_.fired();
            asked_ = 0;
            return false;
        }
        const uint64_t events = std::max(polls_ ? ++asked_ : 0, engine_.fired() - fired_);
        if (events <= 10000) return false;
        return engine_.now() - since_ > engine_.options.horizon || events > engine_.options.idle_events;
    }

  private:
    const Engine &engine_;
    const bool polls_;
    uint64_t seen_;
    Time since_;
    uint64_t fired_;
    uint64_t asked_ = 0;
};

template <class Hit> Stop Engine::loop(const Wait &wait, Hit &&hit) {
    Horizon horizon(*this);
    Breath breath;
    unsigned count = 0;
    bool paused = false;
    for (;;) {
        if (failed_) return Stop::Failed;
        // A pause is an accident of the host: nothing that it could show has changed since.
        if (!paused && hit()) return failed_ ? Stop::Failed : Stop::Hit;
        if (failed_) return Stop::Failed;
        Event *event = queue_.top();
        if (!event) return Stop::Quiet;
        if (event->at > wait.deadline) return Stop::Time;
        paused_ = false;
        limit_ = wait.deadline;
        grain_ = wait.grain;
        fire_next();
        paused = paused_;
        if (!paused && wait.horizon && horizon.passed() && !failed_ && !hit()) return Stop::Quiet;
        if (paused || (wait.released && (++count & 63) == 0))
            if (const Stop stop = breathe(wait, breath); stop != Stop::Hit) return stop;
    }
}

template <class... Args> nb::object Engine::call(PyObject *callable, Args &&...args) {
    ++hook_depth_;
    nb::object result;
    try {
        // The hook may replace itself: keep it alive.
        nb::object keep = nb::borrow(callable);
        result = keep(std::forward<Args>(args)...);
    } catch (nb::python_error &error) {
        fail_python(error);
    } catch (const std::exception &error) {
        fail(Error(Fault::Model, error.what()));
    }
    --hook_depth_;
    return result;
}

}  // namespace pynq::sim
