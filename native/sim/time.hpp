// SPDX-License-Identifier: BSD-3-Clause
// Virtual time: events, the queue that orders them, clock domains.
#pragma once

#include <string>
#include <vector>

#include "types.hpp"

namespace pynq::sim {

class Clock;
class Engine;
struct Event;

class EventTarget {
  public:
    virtual void fire(Event &event) = 0;

  protected:
    ~EventTarget() = default;
};

// An appointment. Owned by whoever keeps it (a member of a component), so scheduling allocates nothing. At one time an
// event is in the queue, parked at a stopped clock, or nowhere.
struct Event {
    explicit Event(EventTarget *target = nullptr, Clock *clock = nullptr, unsigned id = 0)
        : target(target), clock(clock), id(id) {}
    Event(const Event &) = delete;
    Event &operator=(const Event &) = delete;

    EventTarget *target;
    Clock *clock;  // freezes with it; may be null
    unsigned id;   // for the target
    Time at = 0;
    uint64_t sequence = 0;
    int64_t index = -1;  // place in the heap
    bool parked = false;

    bool pending() const { return index >= 0 || parked; }
};

// A binary heap ordered by (time, sequence): two events of one time fire in the order they were scheduled, always.
class EventQueue {
  public:
    bool empty() const { return heap_.empty(); }
    size_t size() const { return heap_.size(); }
    Event *top() const { return heap_.empty() ? nullptr : heap_.front(); }
    // Time of the earliest event; kNever: there is none.
    Time next() const { return next_; }
    void push(Event &event, Time at);
    void remove(Event &event);
    // All events of that target.
    void remove(const EventTarget *target);
    Event *pop();
    void clear();

  private:
    static bool before(const Event *a, const Event *b) {
        return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
    }
    void place(Event *event, size_t index) {
        heap_[index] = event;
        event->index = static_cast<int64_t>(index);
    }
    void up(size_t index);
    void down(size_t index);

    std::vector<Event *> heap_;
    uint64_t sequence_ = 0;
    Time next_ = kNever;
};

class ClockListener {
  public:
    // The frequency changed, or the clock stopped or started.
    virtual void clock_changed(Clock &clock) = 0;

  protected:
    ~ClockListener() = default;
};

// A clock domain. The rising edges since `epoch_` lie at epoch_ + n * period.
class Clock : public Mortal {
  public:
    Clock(Engine &engine, std::string name, double hertz);

    const std::string name;
    Time period() const { return period_; }
    double hertz() const { return hertz_; }
    void set_hertz(double hertz);
    uint64_t cycles(Time now) const { return base_ + (period_ ? (now - epoch_) / period_ : 0); }
    bool running() const { return period_ != 0; }

    // Time of the n-th edge after `now` (n >= 1). The clock runs.
    Time edge(Time now, uint64_t n) const { return epoch_ + ((now - epoch_) / period_ + n) * period_; }

    bool at_edge(Time at) const { return at >= epoch_ && (at - epoch_) % period_ == 0; }

    void park(Event &event, uint64_t cycles);
    void unpark(Event &event);
    void unpark(const EventTarget *target);
    void listen(ClockListener *listener) { listeners_.push_back(listener); }
    void forget(ClockListener *listener) { std::erase(listeners_, listener); }

  private:
    struct Parked {
        Event *event;
        uint64_t cycles;
    };
    Engine &engine_;
    double hertz_ = 0;
    Time period_ = 0;
    Time epoch_ = 0;
    uint64_t base_ = 0;
    std::vector<Parked> parked_;
    std::vector<ClockListener *> listeners_;
};

}  // namespace pynq::sim
