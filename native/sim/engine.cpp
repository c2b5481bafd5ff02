// SPDX-License-Identifier: BSD-3-Clause
#include "engine.hpp"

#include <algorithm>
#include <cstring>

#include "wave_hub.hpp"

namespace pynq::sim {

Engine::Engine(const Options &given) : options(given), random(given.seed), nets(*this), touched_(Host::now()) {
    cost_ = options.access_cycles;
}

Engine::~Engine() { finish_close(); }

// -- parts -----------------------------------------------------------------------------------------------------------
namespace {
template <class T, class... Args> T &append(std::vector<std::unique_ptr<T>> &parts, Args &&...args) {
    parts.push_back(std::make_unique<T>(std::forward<Args>(args)...));
    return *parts.back();
}
}  // namespace

Clock &Engine::add_clock(const std::string &name, double hertz) { return append(clocks_, *this, name, hertz); }

Memory &Engine::add_memory(const std::string &name, uint64_t size, int fd) { return append(memories_, name, size, fd); }

Space &Engine::add_space(const std::string &name, bool ps) {
    if (find_space(name)) throw Error(Fault::Design, "there is a space \"" + name + "\" already");
    if (ps && ps_) throw Error(Fault::Design, "the PS has the space \"" + ps_->name + "\" already");
    Space &space = append(spaces_, *this, name);
    if (ps) ps_ = &space;
    return space;
}

Link &Engine::add_link(const std::string &name, unsigned width, unsigned depth) {
    if (width < 1 || width > 512)
        throw Error(Fault::Design, format("stream %s: %u bytes wide; 1 to 512 are possible", name.c_str(), width));
    if (depth < 1 || depth > 1u << 20)
        throw Error(Fault::Design, format("stream %s: %u beats deep; 1 to 1048576 are possible", name.c_str(), depth));
    return append(links_, *this, name, width, depth);
}

Net &Engine::add_net(const std::string &name, unsigned width, uint64_t initial) {
    if (width < 1 || width > 64)
        throw Error(Fault::Design, format("net %s: %u bits wide; 1 to 64 are possible", name.c_str(), width));
    return append(nets_, *this, name, width, initial);
}

Gate &Engine::add_gate(std::unique_ptr<Gate> gate) {
    gate->output.claim(gate->name);
    gate->output.driving_gate = gate.get();
    for (Net *input : gate->inputs()) input->gates.push_back(gate.get());
    gates_.push_back(std::move(gate));
    return *gates_.back();
}

Irq &Engine::add_irq(unsigned number, Net &net, unsigned bit, bool edge) {
    if (bit >= net.width)
        throw Error(Fault::Design, format("interrupt %u: bit %u of net %s, which has %u", number, bit, net.name.c_str(), net.width));
    return append(irqs_, *this, number, net, bit, edge);
}

void Engine::keep(std::unique_ptr<Component> component) {
    if (!by_name_.emplace(component->name, component.get()).second)
        throw Error(Fault::Design, "there is a component \"" + component->name + "\" already");
    components_.push_back(std::move(component));
}

Component *Engine::find(const std::string &name) {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

Space *Engine::find_space(const std::string &name) {
    for (const auto &space : spaces_)
        if (space->name == name) return space.get();
    return nullptr;
}

void Engine::elaborate(bool silent) {
    // Levels: the longest way through gates to each; on the way back to a gate that is still open there is a loop.
    enum Mark : char { New, Open, Done };
    std::unordered_map<Gate *, Mark> marks;
    std::vector<Gate *> path;
    std::function<unsigned(Gate &)> level = [&](Gate &gate) -> unsigned {
        Mark &mark = marks[&gate];
        if (mark == Done) return gate.level;
        if (mark == Open) {
            std::string loop;
            for (auto at = std::find(path.begin(), path.end(), &gate); at != path.end(); ++at)
                loop += (*at)->output.name + " -> ";
            throw Error(Fault::Design, "combinational loop: " + loop + gate.output.name);
        }
        mark = Open;
        path.push_back(&gate);
        unsigned highest = 0;
        for (Net *input : gate.inputs())
            if (input->driving_gate) highest = std::max(highest, level(*input->driving_gate) + 1);
        path.pop_back();
        gate.level = highest;
        marks[&gate] = Done;
        return highest;
    };
    for (const auto &gate : gates_) level(*gate);
    for (const auto &gate : gates_) nets.add(*gate);
    if (silent)
        nets.settle_silently();
    else
        nets.settle();
    for (const auto &component : components_) component->update_reset();
}

void Engine::clear_injections() {
    for (const auto &space : spaces_) space->injections.clear();
    for (const auto &component : components_) {
        for (SlavePort &port : component->slaves) port.injections.clear();
        component->end_stalls();
    }
    for (const auto &link : links_) {
        link->stall(true, 0, 0);
        link->stall(false, 0, 0);
    }
}

// -- life ------------------------------------------------------------------------------------------------------------
void Engine::close(std::string reason) {
    if (closed()) return;
    if (!ending()) end_ = std::move(reason);
    if (hook_depth_ || running()) {
        close_requested_ = true;
        attend();
        stimulate();  // wakes who sleeps in a quiet engine
        return;
    }
    finish_close();
}

void Engine::finish_close() {
    if (closed_.exchange(true)) return;
    stimulate();
    for (const auto &component : components_) component->closing();
    stimulus_hook_.clear();
    stimulus_listener.reset();
    waves_.reset();  // files end before what they show
    hooks.clear();
    queue_.clear();
    irqs_.clear();
    net_hooks.clear();
    for (const auto &component : components_) component->disconnect();
    components_.clear();
    by_name_.clear();
    gates_.clear();
    links_.clear();
    nets_.clear();
    spaces_.clear();
    ps_ = nullptr;
    clocks_.clear();
    memories_.clear();
}

Running::~Running() {
    if (--engine.running_ == 0 && engine.close_requested_ && !engine.in_hook()) {
        nb::gil_scoped_acquire gil;
        engine.finish_close();
    }
}

// -- time ------------------------------------------------------------------------------------------------------------
void Engine::schedule(Event &event, Clock &clock, uint64_t cycles) {
    cancel(event);
    event.clock = &clock;
    if (clock.running())
        queue_.push(event, clock.edge(now_, std::max<uint64_t>(1, cycles)));
    else
        clock.park(event, cycles);
}

void Engine::cancel(Event &event) {
    if (event.index >= 0) queue_.remove(event);
    if (event.parked) event.clock->unpark(event);
}

void Engine::fire_next() {
    Event &event = *queue_.pop();
    now_ = event.at;
    ++fired_;
    if (event.clock && !event.clock->running()) {
        event.clock->park(event, 1);
        return;
    }
    event.target->fire(event);
}

Stop Engine::breathe(const Wait &wait, Breath &breath) {
    const Host::time_point host = Host::now();
    if (breath.begin == Host::time_point{}) breath.begin = breath.checked = host;
    const bool wanted = lock.contended() && lock.depth() == 1 && !hook_depth_;
    const bool due = host - breath.checked >= std::chrono::milliseconds(10);
    if (due) {
        breath.checked = host;
        if (signal_pending()) return Stop::Signal;
    }
    if (wait.released) {
        if (wanted) lock.give_way();
        if (host - breath.begin >= wait.slice) return ending() ? Stop::Closed : Stop::Slice;
    } else if (due && !hook_depth_ && PyGILState_GetThisThreadState() && PyGILState_Check()) {
        // An access that turned out to be long: the other threads have waited enough.
        nb::gil_scoped_release release;
        if (wanted) lock.give_way();
    }
    return ending() ? Stop::Closed : Stop::Hit;
}

Stop Engine::advance(Time until, bool released) {
    Wait wait;
    wait.deadline = until;
    wait.released = released;
    const Stop stop = loop(wait, [] { return false; });
    if (stop != Stop::Time && stop != Stop::Quiet) return stop;
    now_ = std::max(now_, until);
    return Stop::Time;
}

Stop Engine::run(Time duration) {
    Running running(*this);
    const Time until = now_ > kNever - duration ? kNever - 1 : now_ + duration;
    const Stop stop = advance(until, true);
    if (!closed()) touch();
    return stop;
}

bool Engine::await_stimulus(uint64_t seen, double seconds, Stop &stop) {
    const auto end = Host::now() + std::chrono::duration_cast<Host::duration>(std::chrono::duration<double>(std::min(seconds, 1e9)));
    stop = Stop::Quiet;
    sleepers_.fetch_add(1);
    bool came = false;
    for (;;) {
        {
            std::unique_lock<std::mutex> guard(stimulus_mutex_);
            const auto slice = std::min(end, Host::now() + std::chrono::milliseconds(10));
            came = stimulus_.wait_until(guard, slice, [&] { return stimuli_.load() != seen; });
        }
        if (came || ending() || Host::now() >= end) break;
        if (signal_pending()) {
            stop = Stop::Signal;
            break;
        }
    }
    sleepers_.fetch_sub(1);
    if (ending()) stop = Stop::Closed;
    return came;
}

double Engine::patience_now() const {
    if (options.patience <= 0) return 0;
    nb::gil_scoped_acquire gil;
    try {
        const auto count = nb::cast<long>(nb::module_::import_("threading").attr("active_count")());
        return count > 1 ? options.patience : 0;
    } catch (nb::python_error &error) {
        error.discard_as_unraisable("pynq simulation engine");
        return options.patience;
    }
}

bool Engine::signal_pending() {
    if (!PyGILState_GetThisThreadState()) return false;  // not a Python thread
    nb::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
}

void Engine::stimulate() {
    stimuli_.fetch_add(1);
    if (sleepers_.load()) {
        std::lock_guard<std::mutex> guard(stimulus_mutex_);
        stimulus_.notify_all();
    }
    if (stimulus_listener) stimulus_listener->stimulated();
    if (stimulus_hook_ && !closed()) {
        nb::gil_scoped_acquire gil;
        Hook hook = std::move(stimulus_hook_);
        call(hook.get());
    }
}

// -- failures --------------------------------------------------------------------------------------------------------
void Engine::fail(Error error) {
    if (failed_) return;
    failed_ = true;
    attend();
    failure_ = std::move(error);
}

void Engine::fail_python(nb::python_error &error) {
    if (failed_) {
        error.discard_as_unraisable("pynq simulation engine: a second error in one step");
        return;
    }
    failed_ = true;
    attend();
    python_failure_.emplace(std::move(error));
}

void Engine::raise_failure() {
    failed_ = false;
    if (python_failure_) {
        nb::python_error error = std::move(*python_failure_);
        python_failure_.reset();
        throw error;
    }
    Error error = *failure_;
    failure_.reset();
    throw error;
}

int Engine::pass_failure(std::string &text) {
    failed_ = false;
    if (python_failure_) {
        nb::gil_scoped_acquire gil;
        text = python_failure_->what();
        // The indicator belongs to the thread's state, which outlives this scope where the thread is Python's.
        python_failure_->restore();
        python_failure_.reset();
        return -10;  // PYNQ_EPYTHON
    }
    text = failure_->what();
    const Error error = *failure_;
    failure_.reset();
    // A register window knows no classes for these.
    if (error.place || error.fault == Fault::Protocol) {
        nb::gil_scoped_acquire gil;
        set_python_error(error);
        return -10;
    }
    return -1;  // PYNQ_EBUS
}

// -- diagnosis -------------------------------------------------------------------------------------------------------
namespace {
std::string said(Component &component, std::string_view channel) {
    return component.refusal.empty() ? component.explain(channel) : component.refusal;
}
}  // namespace

std::string Engine::explain(Component &component, std::string_view channel, bool peers) {
    std::string out = said(component, channel);
    if (!peers) return out;
    // Who is connected by streams may be the one to blame: follow them, nearest first.
    std::vector<Component *> found{&component};
    unsigned sentences = !out.empty();
    for (size_t i = 0; i < found.size() && sentences < 6; ++i) {
        for (StreamPort &port : found[i]->streams) {
            if (!port.link) continue;
            StreamPort *other = port.source ? port.link->sink : port.link->source;
            if (!other && !port.link->vacancy.empty() && out.find(port.link->vacancy) == std::string::npos) {
                out += (out.empty() ? "" : "; ") + port.link->vacancy;
                ++sentences;
            }
            if (!other || std::find(found.begin(), found.end(), other->owner) != found.end()) continue;
            found.push_back(other->owner);
            const std::string more = said(*other->owner, "");
            if (more.empty()) continue;
            out += (out.empty() ? "" : "; ") + more;
            ++sentences;
        }
    }
    return out;
}

void Engine::cone(Net &net, std::unordered_set<Net *> &seen, std::vector<Component *> &found) {
    if (!seen.insert(&net).second) return;
    if (net.driving_gate)
        for (Net *input : net.driving_gate->inputs()) cone(*input, seen, found);
    auto *component = static_cast<Component *>(net.driving_component);
    if (!component || std::find(found.begin(), found.end(), component) != found.end()) return;
    found.push_back(component);
    for (WirePort &port : component->wires)
        if (!port.output && port.net) cone(*port.net, seen, found);
}

std::string Engine::explain(Net &net) {
    std::unordered_set<Net *> seen;
    std::vector<Component *> found;
    cone(net, seen, found);
    std::string out, names;
    for (Component *component : found) {
        const std::string sentence = explain(*component, "");
        if (!sentence.empty() && out.find(sentence) == std::string::npos) out += (out.empty() ? "" : "; ") + sentence;
        names += (names.empty() ? "" : ", ") + component->name;
    }
    const std::string stays = "net " + net.name + " stays " + hex(net.value());
    if (found.empty()) return stays + (net.driver().empty() ? ": nothing in the design drives it" : ": no IP drives it");
    if (out.empty()) return stays + ": nothing is under way in what can drive it (" + names + ")";
    return stays + ": " + out;
}

std::string Engine::explain_all() {
    std::string out;
    for (const auto &component : components_) {
        const std::string sentence = said(*component, "");
        if (!sentence.empty()) out += (out.empty() ? "" : "; ") + sentence;
    }
    return out;
}

WaveHub &Engine::waves() {
    if (!waves_) waves_ = std::make_unique<WaveHub>(*this);
    return *waves_;
}

void Engine::trace(TraceMode mode) {
    trace_mode_ = mode;
    trace_.clear();
    trace_hash_ = 0xcbf29ce484222325u;
}

void Engine::record_slow(TraceKind kind, const std::string &name, uint64_t a, uint64_t b) {
    mix(now_);
    mix(static_cast<uint64_t>(kind));
    for (const char letter : name) mix(static_cast<unsigned char>(letter));
    mix(a);
    mix(b);
    if (trace_mode_ == TraceMode::List) trace_.push_back({now_, kind, name, a, b});
}

void Engine::record_bytes_slow(const uint8_t *bytes, size_t count) {
    mix(now_);
    mix(count);
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word;
        std::memcpy(&word, bytes, 8);
        mix(word);
    }
    uint64_t rest = 0;
    if (count) std::memcpy(&rest, bytes, count);  // of no bytes there may be no address
    mix(rest);
}

}  // namespace pynq::sim
