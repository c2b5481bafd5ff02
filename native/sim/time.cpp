// SPDX-License-Identifier: BSD-3-Clause
#include "time.hpp"

#include <algorithm>
#include <cmath>

#include "engine.hpp"

namespace pynq::sim {

void EventQueue::push(Event &event, Time at) {
    event.at = at;
    event.sequence = ++sequence_;
    heap_.push_back(&event);
    event.index = static_cast<int64_t>(heap_.size() - 1);
    up(heap_.size() - 1);
    next_ = heap_.front()->at;
}

void EventQueue::up(size_t index) {
    Event *event = heap_[index];
    while (index) {
        const size_t parent = (index - 1) / 2;
        if (!before(event, heap_[parent])) break;
        place(heap_[parent], index);
        index = parent;
    }
    place(event, index);
}

void EventQueue::down(size_t index) {
    Event *event = heap_[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
        if (!before(heap_[child], event)) break;
        place(heap_[child], index);
        index = child;
    }
    place(event, index);
}

void EventQueue::remove(Event &event) {
    if (event.index < 0) return;
    const size_t index = static_cast<size_t>(event.index);
    event.index = -1;
    Event *moved = heap_.back();
    heap_.pop_back();
    if (moved != &event) {
        place(moved, index);
        up(index);
        down(static_cast<size_t>(moved->index));
    }
    next_ = heap_.empty() ? kNever : heap_.front()->at;
}

void EventQueue::remove(const EventTarget *target) {
    std::vector<Event *> found;
    for (Event *event : heap_)
        if (event->target == target) found.push_back(event);
    for (Event *event : found) remove(*event);
}

Event *EventQueue::pop() {
    Event *event = heap_.front();
    remove(*event);
    return event;
}

void EventQueue::clear() {
    for (Event *event : heap_) event->index = -1;
    heap_.clear();
    next_ = kNever;
}

Clock::Clock(Engine &engine, std::string clock_name, double hertz) : name(std::move(clock_name)), engine_(engine) {
    set_hertz(hertz);
}

void Clock::set_hertz(double hertz) {
    if (!(hertz >= 0) || hertz > 1e12)
        throw Error(Fault::Value, format("clock %s: %g Hz is not between 0 (stopped) and 1e12", name.c_str(), hertz));
    const Time now = engine_.now();
    base_ = cycles(now);
    epoch_ = now;
    hertz_ = hertz;
    period_ = hertz > 0 ? std::max<Time>(1, static_cast<Time>(std::llround(1e12 / hertz))) : 0;
    if (period_) {
        std::vector<Parked> waiting;
        waiting.swap(parked_);
        for (const Parked &parked : waiting) {
            parked.event->parked = false;
            engine_.schedule_at(*parked.event, edge(now, std::max<uint64_t>(1, parked.cycles)));
        }
    }
    for (ClockListener *listener : listeners_) listener->clock_changed(*this);
}

void Clock::park(Event &event, uint64_t cycles) {
    event.parked = true;
    parked_.push_back({&event, cycles});
}

void Clock::unpark(const EventTarget *target) {
    std::erase_if(parked_, [&](const Parked &parked) {
        if (parked.event->target != target) return false;
        parked.event->parked = false;
        return true;
    });
}

void Clock::unpark(Event &event) {
    if (!event.parked) return;
    event.parked = false;
    std::erase_if(parked_, [&](const Parked &parked) { return parked.event == &event; });
}

}  // namespace pynq::sim
