// SPDX-License-Identifier: BSD-3-Clause
// The PS as a master: single beats into the programmable logic, and what they cost in time.
#include <pynq/native.h>

#include <algorithm>
#include <cstring>

#include "engine.hpp"

namespace pynq::sim {

namespace {
constexpr uint64_t kFollowGrain = 1024;  // cycles that a clocked component runs before messages are looked at
constexpr Time kDefaultPeriod = 10'000;  // where the slave has no clock of its own (memory), or it stands still
}

Stop Engine::catch_up() {
    if (options.deterministic) return Stop::Time;
    const Host::time_point host = Host::now();
    const auto pause = host - touched_;
    if (pause <= std::chrono::milliseconds(1)) return Stop::Time;
    const Time until = now_ + static_cast<Time>(std::chrono::duration_cast<std::chrono::nanoseconds>(pause).count()) * 1000;
    Wait wait;
    wait.deadline = until;
    wait.slice = std::chrono::milliseconds(50);
    wait.released = true;
    Stop stop = Stop::Time;
    const auto work = [&] { stop = loop(wait, [] { return false; }); };
    if (PyGILState_GetThisThreadState() && PyGILState_Check()) {
        nb::gil_scoped_release release;
        work();
    } else {
        work();
    }
    if (stop == Stop::Time || stop == Stop::Quiet) now_ = std::max(now_, until);
    return stop;
}

Stop Engine::follow(Time lead, Host::duration slice, const std::atomic<bool> &leave) {
    Running running(*this);
    const Time from = now_;
    // Negative where virtual time is ahead.
    const int64_t behind = std::chrono::duration_cast<std::chrono::nanoseconds>(Host::now() - touched_).count() * 1000;
    Stop stop = Stop::Time;
    if (behind + static_cast<int64_t>(lead) > 0) {
        Wait wait;
        wait.deadline = now_ + static_cast<Time>(behind + static_cast<int64_t>(lead));
        wait.slice = slice;
        wait.released = true;
        wait.grain = kFollowGrain;
        stop = loop(wait, [&] { return leave.load(std::memory_order_relaxed); });
    }
    if ((stop == Stop::Time || stop == Stop::Quiet) && behind > 0) now_ = std::max(now_, from + static_cast<Time>(behind));
    if (stop == Stop::Time || stop == Stop::Quiet || stop == Stop::Hit)
        touched_ += std::chrono::nanoseconds((now_ - from) / 1000);
    else
        touched_ = Host::now();
    return stop;
}

std::chrono::nanoseconds Engine::due() const {
    const Time next = std::max(queue_.next(), now_);
    const uint64_t left = std::min<uint64_t>((next - now_) / 1000, 1'000'000'000'000);
    return std::chrono::duration_cast<std::chrono::nanoseconds>(touched_ - Host::now()) + std::chrono::nanoseconds(left);
}

uint64_t Engine::access_cost(bool write, uint64_t address, unsigned width) {
    const uint64_t key = address << 4 | width;
    repeated_ = !write && key == last_address_;
    if (!repeated_) cost_ = options.access_cycles;
    last_address_ = write ? ~uint64_t{0} : key;
    return cost_;
}

int Engine::stop_status(Stop stop, std::string &error) {
    switch (stop) {
    case Stop::Failed: return pass_failure(error);
    case Stop::Signal: error = "interrupted"; return PYNQ_EINTERRUPTED;
    case Stop::Closed: error = end(); return PYNQ_EGONE;
    default: return PYNQ_OK;
    }
}

void Engine::answer(Access &access) {
    access.done = true;
    progressed();
    attend();
    if (access.waiter) access.waiter->answered(access);
}

void Engine::abandon(Access &access) {
    if (access.target) access.target->owner->forget_access(access);
    access.done = true;
}

Resp Engine::ps_beats(bool write, const Space::Range &range, uint64_t address, unsigned width, uint64_t &value,
                      std::string &error, bool released, Stop &stop) {
    stop = Stop::Hit;
    if (const Component *closed = range.closed()) {
        value = 0;
        return closed->barrier_resp;
    }
    const uint64_t offset = range.offset + (address - range.base);
    if (range.memory) {
        uint8_t *at = range.memory->data() + offset;
        if (write)
            std::memcpy(at, &value, width);
        else {
            value = 0;
            std::memcpy(&value, at, width);
        }
        return Resp::Okay;
    }
    SlavePort &port = *range.slave;
    const unsigned beat = port.width;
    uint64_t got = 0;
    for (unsigned done = 0; done < width;) {
        const unsigned lane = static_cast<unsigned>((offset + done) % beat);
        const unsigned count = std::min(width - done, beat - lane);
        Access access;
        access.write = write;
        access.offset = offset + done - lane;
        access.strobe = static_cast<uint8_t>(ones(count) << lane);
        if (write) access.value = (value >> (8 * done)) << (8 * lane);
        Resp resp = ps_->beat(port, access);
        if (!access.done && hook_depth_) {
            abandon(access);
            error = port.owner->name + " needs time to answer, and none passes in a hook";
            return Resp::SlvErr;
        }
        if (!access.done) {
            Wait wait;
            wait.horizon = true;
            wait.released = released;
            const std::weak_ptr<void> life = port.owner->life;
            stop = loop(wait, [&] { return access.done; });
            // Another thread may have had a turn and exchanged a part of the board: the port is no more.
            if (life.expired()) return access.resp == Resp::Okay ? Resp::SlvErr : access.resp;
            if (stop != Stop::Hit) {
                if (stop == Stop::Quiet || stop == Stop::Time) {
                    const std::string why = port.owner->explain(port.name);
                    error = port.owner->name + " accepts the address but never answers" + (why.empty() ? "" : ": " + why);
                }
                abandon(access);
                return Resp::SlvErr;
            }
            resp = access.resp;
        }
        if (resp != Resp::Okay) return resp;
        if (!write) got |= (access.value >> (8 * lane) & ones(8 * count)) << (8 * done);
        done += count;
    }
    if (!write) value = got;
    return Resp::Okay;
}

int Engine::ps_access(bool write, uint64_t address, unsigned width, uint64_t &value, std::string &error, bool released,
                      uint64_t fixed_cost) {
    if (!ps_) {
        error = "the PS has no address space";
        return PYNQ_EBUS;
    }
    const Space::Range *range = ps_->find(address);
    if (range && width - 1 > range->high - address) range = nullptr;
    const bool nested = hook_depth_ != 0;
    const uint64_t cost = fixed_cost == kNever ? access_cost(write, address, width) : fixed_cost;
    uint64_t extra = 0;
    Resp resp = Resp::Okay;
    if (range) {
        resp = ps_->disturbed(address, width, extra);
        if (resp == Resp::Okay && range->slave && !range->slave->injections.empty()) {
            const uint64_t offset = range->offset + (address - range->base);
            resp = disturb(range->slave->injections, random, offset, offset + width - 1, extra);
        }
    }
    uint64_t version = ps_->version();
    Clock *clock = range && range->slave ? range->slave->owner->clock : nullptr;
    bool standing = clock && !clock->running();
    if (!nested) {
        const Time period = clock && !standing ? clock->period() : kDefaultPeriod;
        const Stop stop = advance(now_ + (cost + extra) * period, released);
        if (stop != Stop::Time) return stop_status(stop, error);
        if (version != ps_->version()) {  // another thread had a turn, and exchanged a part of the board
            version = ps_->version();
            range = ps_->find(address);
            if (range && width - 1 > range->high - address) range = nullptr;
            standing = range && range->slave && !range->slave->owner->clock->running();
        }
    }
    if (!range)
        resp = Resp::DecErr;
    else if (resp == Resp::Okay && standing && !range->closed()) {
        error = range->slave->owner->name + " can't answer: its clock " + range->slave->owner->clock->name + " stands still";
        resp = Resp::SlvErr;
    } else if (resp == Resp::Okay) {
        Stop stop = Stop::Hit;
        resp = ps_beats(write, *range, address, width, value, error, released, stop);
        if (failed_ && !nested) return pass_failure(error);
        if (stop == Stop::Signal || stop == Stop::Closed) return stop_status(stop, error);
    }
    (write ? ps_->statistics.writes : ps_->statistics.reads) += 1;
    const auto name = [&]() -> const std::string & {
        const Space::Range *now = version == ps_->version() ? range : ps_->find(address);
        return now ? now->name : ps_->name;
    };
    if (resp != Resp::Okay) {
        ++ps_->statistics.errors;
        last_address_ = ~uint64_t{0};
        const std::string what = std::string(write ? "write of " : "read of ") + std::to_string(width) + " bytes: ";
        error = what + (error.empty() ? ps_->describe({resp, address}) : ps_->name + ": " + text(resp) + " at " + hex(address) + ": " + error);
        return PYNQ_EBUS;
    }
    if (write) {
        ps_->statistics.bytes_written += width;
        record(TraceKind::Write, name(), address, value);
        if (access_listener) access_listener->accessed(true, address, value);
    } else {
        ps_->statistics.bytes_read += width;
        record(TraceKind::Read, name(), address, value);
        if (access_listener) access_listener->accessed(false, address, value);
        if (repeated_ && value == last_value_)
            cost_ = std::min(cost_ * 2, std::max(options.access_limit, options.access_cycles));
        else
            cost_ = options.access_cycles;
        last_value_ = value;
    }
    return PYNQ_OK;
}

int Engine::ps_read(uint64_t address, unsigned width, uint64_t &value, std::string &error) {
    Running running(*this);
    Touching touching(*this);
    if (!hook_depth_)
        if (const Stop stop = catch_up(); !went(stop)) return stop_status(stop, error);
    const int status = ps_access(false, address, width, value, error, false);
    if (!hook_depth_) stimulate();
    return status;
}

int Engine::ps_write(uint64_t address, unsigned width, uint64_t value, std::string &error) {
    Running running(*this);
    Touching touching(*this);
    if (!hook_depth_)
        if (const Stop stop = catch_up(); !went(stop)) return stop_status(stop, error);
    const int status = ps_access(true, address, width, value, error, false);
    if (!hook_depth_) stimulate();
    return status;
}

int Engine::ps_block(bool write, uint64_t address, unsigned width, void *data, uint64_t count, std::string &error) {
    Running running(*this);
    Touching touching(*this);
    if (!hook_depth_)
        if (const Stop stop = catch_up(); !went(stop)) return stop_status(stop, error);
    auto *bytes = static_cast<uint8_t *>(data);
    int status = PYNQ_OK;
    for (uint64_t i = 0; i < count && status == PYNQ_OK; ++i, address += width, bytes += width) {
        uint64_t value = 0;
        if (write) std::memcpy(&value, bytes, width);
        status = ps_access(write, address, width, value, error, false, i ? std::min<uint64_t>(1, options.access_cycles) : options.access_cycles);
        if (!write && status == PYNQ_OK) std::memcpy(bytes, &value, width);
    }
    last_address_ = ~uint64_t{0};
    if (!hook_depth_) stimulate();
    return status;
}

int Engine::ps_poll(uint64_t address, unsigned width, uint64_t mask, uint64_t match, int64_t timeout_ns, uint64_t &last,
                    std::string &error) {
    Running running(*this);
    Touching touching(*this);
    if (!hook_depth_)
        if (const Stop stop = catch_up(); !went(stop)) return stop_status(stop, error);
    const Time deadline = timeout_ns < 0 || static_cast<uint64_t>(timeout_ns) > (kNever - now_) / 1000
                              ? kNever
                              : now_ + static_cast<Time>(timeout_ns) * 1000;
    constexpr unsigned kStill = 16;  // equal reads with nothing under way after which nothing will come
    unsigned still = 0;
    Horizon horizon(*this, true);
    Host::time_point checked = Host::now();
    uint64_t previous = 0;
    bool first = true;
    for (;;) {
        last = 0;
        const int status = ps_access(false, address, width, last, error, true);
        if (status != PYNQ_OK) return status;
        if ((last & mask) == match) {
            stimulate();
            return PYNQ_OK;
        }
        if (hook_depth_) {
            error = "a wait inside a hook can't end: no time passes there";
            return PYNQ_EDEADLOCK;
        }
        if (now_ >= deadline) return PYNQ_ETIMEDOUT;
        still = quiet() && !first && last == previous ? still + 1 : 0;
        const bool dead_loop = horizon.passed();
        if (still >= kStill || dead_loop) {
            const uint64_t seen = stimuli();
            const double patience = patience_now();
            Stop stop = Stop::Quiet;
            bool again = false;
            if (patience > 0 && !dead_loop && lock.depth() == 1) {
                lock.unlock();
                again = await_stimulus(seen, patience, stop);
                lock.lock();
                if (ending()) stop = Stop::Closed;
            }
            if (stop == Stop::Signal || stop == Stop::Closed) return stop_status(stop, error);
            if (!again) {
                const Space::Range *range = ps_->find(address);
                error = "register " + hex(address) + (range ? " (" + range->name + " + " + hex(address - range->base) + ")" : "") +
                        " stays " + hex(last) + " while " + hex(match) + " in the bits " + hex(mask) +
                        " is waited for, and nothing in the programmable logic can change it any more";
                const std::string why = range && range->slave ? explain(*range->slave->owner, "") : "";
                if (!why.empty()) error += ": " + why;
                return PYNQ_EDEADLOCK;
            }
            still = 0;
        }
        previous = last;
        first = false;
        // Nothing changes before the next event: go there at once. Where there is none, time itself may change what
        // is read (a timer's counter); the growing cost of equal reads sees to that.
        if (Event *event = queue_.top(); event && event->at > now_) {
            const Stop stop = advance(std::min(deadline, event->at), true);
            if (stop != Stop::Time) return stop_status(stop, error);
        }
        if (options.access_cycles == 0 && quiet()) {
            const Stop stop = advance(std::min(deadline, now_ + kDefaultPeriod * 1024), true);
            if (stop != Stop::Time) return stop_status(stop, error);
        }
        const Host::time_point host = Host::now();
        if (host - checked >= std::chrono::milliseconds(10)) {
            checked = host;
            if (signal_pending()) return stop_status(Stop::Signal, error);
        }
        if (lock.contended() && lock.depth() == 1) {
            lock.give_way();
            if (ending()) return stop_status(Stop::Closed, error);
        }
    }
}

}  // namespace pynq::sim
