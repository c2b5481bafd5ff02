// SPDX-License-Identifier: BSD-3-Clause
// The module's time: cycles, resets, wires, and what the engine tells. Sleep is in sleep.cpp, making in build.cpp.
#include "rtl.hpp"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstring>

#include "../engine.hpp"
#include "stream_model.hpp"

namespace pynq::sim::rtl {

namespace {
constexpr unsigned kPulseCycles = 16;  // of Component::reset
constexpr auto kTurn = std::chrono::microseconds(100);  // of the host, after which others get in
}  // namespace

// -- edges -----------------------------------------------------------------------------------------------------------
Time Rtl::next_edge() const {
    Time next = kNever;
    const bool falls = domains_.size() > 1;
    for (const Domain &domain : domains_) {
        if (!domain.clock->running()) continue;
        next = std::min(next, domain.clock->edge(engine.now(), 1));
        if (falls) next = std::min(next, next_fall(domain));
    }
    return next;
}

// The clock is high in the first half of its period.
Time Rtl::next_fall(const Domain &domain) const {
    const Time period = domain.clock->period(), high = period / 2;
    const Time fall = domain.clock->edge(engine.now(), 1) - period + high;
    return fall > engine.now() ? fall : fall + period;
}

void Rtl::schedule_next() {
    engine.cancel(event_);
    if (const Time next = next_edge(); next != kNever) engine.schedule_at(event_, next);
}

void Rtl::clock_changed(Clock &) {
    replan_ = true;
    if (!busy_ && !asleep_ && begun_ && !dead()) schedule_next();
}

bool Rtl::evaluate() {
    const int status = model_->eval();
    if (status == PYNQ_RTL_OK) return true;
    die(status);
    return false;
}

// True: time for others. The clock of the host is looked at every so many cycles, as many as take about a quarter of a
// turn.
bool Rtl::turn_is_over() {
    const auto host = std::chrono::steady_clock::now();
    const auto took = host - looked_;
    if (took < kTurn / 8)
        stride_ = std::min<uint64_t>(stride_ * 2, 4096);
    else if (took > kTurn / 2)
        stride_ = std::max<uint64_t>(stride_ / 2, 1);
    until_look_ = stride_;
    looked_ = host;
    turn_ += std::min<std::chrono::steady_clock::duration>(took, kTurn);
    if (turn_ < kTurn) return false;
    turn_ = {};
    return true;
}

// A pause hides from who waits whatever happened in this event, so it comes only after nothing else ended it; and the
// cycles that were left of the grain are run in the next one, so that where a run can stop does not depend on the host.
void Rtl::pause(uint64_t left) {
    left_ = left;
    engine.pause();
}

uint64_t Rtl::grain_left() {
    const uint64_t left = left_ ? std::min(left_, engine.grain()) : engine.grain();
    left_ = 0;
    return left;
}

void Rtl::fire(Event &) {
    if (dead()) return;
    busy_ = true;
    asleep_ = false;
    const uint64_t begun = cycles_run_;
    if (domains_.size() > 1)
        run_several();
    else if (tells_time_ || observer)
        run_single<false>();
    else
        run_single<true>();
    busy_ = false;
    engine.count_cycles(cycles_run_ - begun);
    if (!asleep_ && !dead()) schedule_next();
}

inline __attribute__((always_inline)) void Rtl::sample(Domain &domain) {
    bool moved = false;
    for (StreamFeed *feed : domain.feeds) moved |= feed->sample_inline();
    for (StreamDrain *drain : domain.drains) moved |= drain->sample_inline();
    idle_ = moved ? 0 : idle_ + 1;
    unsigned up = !models_rest_;
    for (const uint8_t *pin : watched_) up |= *pin;
    if (up) sample_models(domain);
}

void Rtl::sample_models(Domain &domain) {
    for (BusModel *model : domain.models) {
        if (model->in_reset_) continue;
        if (model->resting_) {
            unsigned up = 0;
            for (const Pin &pin : model->watch) up |= *static_cast<const uint8_t *>(pin.at);
            if (!up) continue;
            model->resting_ = models_rest_ = false;
            idle_ = 0;
        }
        model->sample();
    }
}

void Rtl::drive_models(Domain &domain) {
    // Asked anew, of all clocks' models: what is found at work, here or by another step, is called again.
    models_rest_ = true;
    for (BusModel *model : domain.models)
        if (!model->resting_ && !model->in_reset_) model->drive();
    for (const Domain &other : domains_)
        for (const BusModel *model : other.models)
            if (!model->resting_ && !model->in_reset_) models_rest_ = false;
}

inline __attribute__((always_inline)) void Rtl::drive(Domain &domain) {
    for (StreamFeed *feed : domain.feeds) feed->drive_inline();
    for (StreamDrain *drain : domain.drains) drain->drive_inline();
    if (!models_rest_) drive_models(domain);
    uint64_t changed = 0;
    for (const Window &window : windows_) {
        uint64_t now;
        std::memcpy(&now, window.at, 8);
        changed |= (now & window.mask) ^ window.last;
    }
    for (const Output &output : lone_) changed |= output.pin.get() ^ output.wire->level;
    if (changed) drive_outputs();
    ++cycles_run_;
}

void Rtl::drive_outputs() {
    idle_ = 0;
    for (Window &window : windows_) {
        std::memcpy(&window.last, window.at, 8);
        window.last &= window.mask;
    }
    for (const Output &output : outputs_)
        if (const uint64_t value = output.pin.get(); value != output.wire->level) output.wire->drive(value);
}

// One clock: a whole cycle at its rising edge. Plain: nobody wants to know the time or to look at half a cycle.
template <bool kPlain> void Rtl::run_single() {
    Domain &domain = domains_.front();
    Model &model = *model_;
    const Pin pin = domain.pin;
    const Time half = domain.clock->period() / 2, period = domain.clock->period();
    replan_ = false;
    for (uint64_t left = grain_left();;) {
        if constexpr (!kPlain)
            if (tells_time_) model.design().set_time(model.handle(), engine.now() - half);
        pin.put(false);
        if (const int status = model.eval(); status != PYNQ_RTL_OK) return die(status);
        if constexpr (!kPlain)
            if (observer) observer->observed(engine.now() - half);
        if (inputs_changed_ && !apply_inputs()) return;
        sample(domain);
        if constexpr (!kPlain)
            if (tells_time_) model.design().set_time(model.handle(), engine.now());
        pin.put(true);
        if (const int status = model.eval(); status != PYNQ_RTL_OK) return die(status);
        drive(domain);
        if constexpr (!kPlain)
            if (observer && !observe(engine.now())) return;
        if (model.spoke) deliver_lines();
        if (idle_ >= patience_ && try_sleep()) {
            asleep_ = true;
            return;
        }
        if (dead() || replan_ || --left == 0) return;
        const Time next = engine.now() + period;
        if (!engine.may_go_on(next)) return;
        if (--until_look_ == 0 && turn_is_over()) return pause(left);
        engine.step_to(next);
    }
}

void Rtl::run_several() {
    for (uint64_t left = grain_left();;) {
        replan_ = false;
        if (!step()) return;
        if (model_->spoke) deliver_lines();
        if (idle_ >= patience_ && try_sleep()) {
            asleep_ = true;
            return;
        }
        if (dead() || replan_ || --left == 0) return;
        const Time next = next_edge();
        if (!engine.may_go_on(next)) return;
        if (--until_look_ == 0 && turn_is_over()) return pause(left);
        engine.step_to(next);
    }
}

// What was driven after the edge shows at once, and not half a cycle later.
bool Rtl::observe(Time now) {
    if (!evaluate()) return false;
    dirty_ = false;
    observer->observed(now);
    return true;
}

// All edges of this time, rising and falling ones of any clock, with one evaluation. What follows from the pins that were
// driven after the last edge is settled first, as before any edge.
bool Rtl::step() {
    const Time now = engine.now();
    if (tells_time_) model_->design().set_time(model_->handle(), now);
    bool rises = false;
    for (Domain &domain : domains_) {
        const Clock &clock = *domain.clock;
        domain.rising = clock.running() && clock.at_edge(now);
        domain.falling = clock.running() && !domain.rising && clock.at_edge(now - clock.period() / 2);
        rises |= domain.rising;
        // It slept through the falling edge, of which nothing came.
        if (domain.rising && domain.pin.high()) {
            domain.pin.put(false);
            dirty_ = true;
        }
    }
    if (rises) {
        if (dirty_ && !evaluate()) return false;
        dirty_ = false;
        if (inputs_changed_ && !apply_inputs()) return false;
        for (Domain &domain : domains_)
            if (domain.rising) sample(domain);
    }
    for (Domain &domain : domains_)
        if (domain.rising || domain.falling) domain.pin.put(domain.rising);
    if (!evaluate()) return false;
    dirty_ = false;
    if (rises) {
        for (Domain &domain : domains_)
            if (domain.rising) drive(domain);
        dirty_ = true;
    }
    return !observer || observe(now);
}

// -- inputs ----------------------------------------------------------------------------------------------------------
bool Rtl::asks(const Reset &reset) const {
    if (in_reset() || pulse_) return true;
    return reset.wire && reset.wire->net && reset.wire->sample() != static_cast<uint64_t>(reset.active_low);
}

// The levels of nets, just before an edge.
bool Rtl::apply_inputs() {
    inputs_changed_ = false;
    idle_ = 0;
    for (const Input &input : inputs_) input.pin.set(input.wire->sample());
    if (pulse_) {
        --pulse_;
        inputs_changed_ = true;
    }
    apply_resets();
    return evaluate();
}

void Rtl::apply_resets() {
    for (Reset &reset : resets_) {
        const bool active = asks(reset);
        if (active == reset.active) continue;
        reset.active = active;
        if (reset.pin) reset.pin.put(active != reset.active_low);
        for (BusModel *model : reset.models) {
            model->in_reset_ = active;
            model->resting_ = false;
            model->reset(active);
        }
        models_rest_ = false;
    }
}

void Rtl::wire_changed(WirePort &, uint64_t, uint64_t) {
    inputs_changed_ = true;
    if (!domains_.empty()) return wake();
    // Combinational: there is no edge to wait for. All inputs have their new levels by now, so several that change at
    // once are one change.
    if (!begun_ || dead() || busy_) return;
    busy_ = true;
    while (inputs_changed_ && !dead())
        if (apply_inputs()) drive_outputs();
    if (model_->spoke) deliver_lines();
    busy_ = false;
    if (observer && !dead()) observer->observed(engine.now());
}

void Rtl::reset_changed(bool active) {
    inputs_changed_ = true;
    if (active && begun_ && !dead()) {
        // Who waits for an answer gets one at once: there may be no edge to come.
        pulse_ = kPulseCycles;
        apply_resets();
    }
    wake();
}

bool Rtl::reset_active() const {
    for (const Reset &reset : resets_)
        if (asks(reset)) return true;
    return in_reset();
}

// -- what the engine tells -------------------------------------------------------------------------------------------
bool Rtl::held(const BusModel &model) const {
    return model.in_reset_ || asks(resets_[model.reset_line_]);
}

std::string Rtl::why_silent(const SlavePort &port) const {
    if (!refusal.empty()) return refusal;
    if (dead()) return dead_;
    if (!begun_) return name + " has not begun";
    return held(*slave_models_[port.id]) ? name + " is held in reset" : "";
}

void Rtl::access(SlavePort &port, Access &access) {
    BusModel &model = *slave_models_[port.id];
    if (!begun_ || dead() || held(model)) {
        access.resp = Resp::SlvErr;
        return;
    }
    model.access(port, access);
}

bool Rtl::burst(SlavePort &port, BurstAccess &access) {
    BusModel &model = *slave_models_[port.id];
    if (begun_ && !dead() && !held(model)) return model.burst(port, access);
    access.resp = Resp::SlvErr;
    access.failed = access.offset;
    return true;
}

void Rtl::forget_access(Access &access) {
    if (access.target) slave_models_[access.target->id]->forget_access(access);
}

void Rtl::answered(Access &access) {
    for (BusModel *model : master_models_)
        if (model->is_mine(access)) return model->answered(access);
}

void Rtl::stream_ready(StreamPort &port) { stream_models_[port.id]->poke(); }

void Rtl::stream_cleared(StreamPort &port) {
    if (begun_ && !dead()) stream_models_[port.id]->cleared();
}

void Rtl::connected(StreamPort &port) {
    Link &link = *port.link;
    if (const unsigned width = stream_models_[port.id]->width(); link.width() != width) {
        (port.source ? link.source : link.sink) = nullptr;
        port.link = nullptr;
        throw Error(Fault::Design, name + "/" + port.name + format(" is %u bytes wide, stream ", width) + link.name + format(" %u", link.width()));
    }
    link.set_clocked(port.source, true);
}

void Rtl::stall(const std::string &port, double probability, uint64_t cycles) {
    std::string names;
    for (const auto &model : models_) {
        if (model->port == port) {
            if (model->stall(probability, cycles)) return;
            throw Error(Fault::Design, name + " " + port + " is a stream: stall its link (Link.stall)");
        }
        names += (names.empty() ? "" : ", ") + model->port;
    }
    throw Error(Fault::Design, name + " has no bus \"" + port + "\"; it has " + (names.empty() ? "none" : names));
}

void Rtl::end_stalls() {
    for (const auto &model : models_) model->stall(0, 0);
}

// -- the end ---------------------------------------------------------------------------------------------------------
void Rtl::deliver_lines() {
    std::vector<Line> lines;
    lines.swap(model_->lines);
    model_->spoke = false;
    log_lines(lines);
}

void Rtl::log_lines(const std::vector<Line> &lines) {
    if (!log_) return;
    nb::gil_scoped_acquire gil;
    for (const Line &line : lines) {
        if (!log_) return;
        // RTL prints bytes; what is no UTF-8 in them is shown, not raised.
        const nb::object text = nb::steal(PyUnicode_DecodeUTF8(line.text.data(), static_cast<Py_ssize_t>(line.text.size()), "replace"));
        if (!text.is_valid()) throw nb::python_error();
        engine.call(log_.get(), text, line.file, line.line);
    }
}

void Rtl::die(int status) {
    if (model_->spoke) deliver_lines();
    pynq_rtl_event event{"", 0, "", ""};
    model_->design().event(model_->handle(), &event);
    const auto text = [](const char *given) { return std::string(given ? given : ""); };
    RtlPlace place{name, text(event.file), event.line, domains_.empty() ? 0 : domains_.front().clock->cycles(engine.now())};
    std::string said = text(event.text);
    const char *what = status == PYNQ_RTL_FINISH                      ? "$finish"
                       : status == PYNQ_RTL_STOP && said == "$stop"   ? "$stop"
                       : status == PYNQ_RTL_STOP                      ? "a failed assertion or $stop"
                       : status == PYNQ_RTL_REFUSED                   ? "something that RTL may not do here"
                                                                      : "$fatal or an error of the simulation";
    if (said == what) said.clear();
    std::string where = place.file.empty() ? "" : " at " + place.file + ":" + std::to_string(place.line);
    if (event.scope && *event.scope) where += std::string(" in ") + event.scope;
    dead_ = name + " ended in cycle " + std::to_string(place.cycle) + ": " + what + where;
    if (!said.empty()) dead_ += ": " + said;
    dead_ += "; it stands still until the design is downloaded again";
    // Accesses that wait for an answer get one.
    for (const auto &model : models_) {
        model->in_reset_ = true;
        model->reset(true);
    }
    engine.fail(Error(status == PYNQ_RTL_FINISH ? Fault::RtlFinished : Fault::Rtl, dead_, std::move(place)));
}

void Rtl::violation(const char *rule, const std::string &port, const char *clause, const std::string &text) {
    if (checks == Checks::Off) return;
    const Clock *its = clock;  // that of the bus
    for (const auto &model : models_)
        if (model->port == port) its = &clock_of(*model);
    const std::string what = name + " " + port + " broke a rule of its bus in cycle " + std::to_string(its->cycles(engine.now())) + ": " + rule +
                             " (" + clause + "): " + text;
    if (checks == Checks::Error)
        engine.fail(Error(Fault::Protocol, what));
    else if (warnings.size() < kMostWarnings)
        warnings.push_back(what);
}

void Rtl::closing() {
    if (observer) observer->gone();
    observer = nullptr;
    engine.cancel(event_);
    // Final blocks run now, while somebody listens.
    if (dead_.empty()) dead_ = name + " was closed";
    log_lines(model_->end());
}

// -- diagnosis -------------------------------------------------------------------------------------------------------
std::string Rtl::explain(std::string_view channel) {
    if (dead()) return dead_;
    std::string out;
    for (const auto &model : models_) {
        if (!channel.empty() && channel != model->port) continue;
        std::string sentence;
        if (held(*model)) {
            if (!channel.empty()) sentence = name + " is held in reset";
        } else if (Clock &its = clock_of(*model); !its.running()) {
            if (!channel.empty()) sentence = name + " " + model->port + " waits for its clock " + its.name + ", which stands still";
        } else {
            sentence = model->explain();
            if (sentence.empty() && !channel.empty())
                if (auto *stream = dynamic_cast<StreamModel *>(model.get())) sentence = stream->describe();
        }
        if (!sentence.empty()) out += (out.empty() ? "" : "; ") + sentence;
    }
    return out;
}

State Rtl::state() {
    State state;
    state["cycles_run"] = cycles_run_;
    state["asleep"] = uint64_t{asleep_};
    state["ended"] = dead_;
    if (dead()) return state;
    for (const auto &model : models_) model->state(state);
    const pynq_rtl_design &design = model_->design();
    for (uint32_t i = 0; i < design.port_count; ++i)
        if (design.ports[i].bits <= 64) state[std::string("pin.") + design.ports[i].name] = model_->pin(design.ports[i].name).get();
    return state;
}

}  // namespace pynq::sim::rtl
