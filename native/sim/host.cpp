// SPDX-License-Identifier: BSD-3-Clause
#include "host.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "engine.hpp"

namespace pynq::sim {

// -- bytes -----------------------------------------------------------------------------------------------------------
Bytes::~Bytes() { std::free(data_); }

void Bytes::reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    void *grown = std::realloc(data_, capacity);
    if (!grown) throw std::bad_alloc();
    data_ = static_cast<uint8_t *>(grown);
    capacity_ = capacity;
}

void Bytes::append(const uint8_t *data, size_t size) {
    if (size_ + size > capacity_) reserve(std::max(size_ + size, capacity_ * 2));
    if (size) std::memcpy(data_ + size_, data, size);
    size_ += size;
}

void Bytes::resize(size_t size) {
    reserve(size);
    size_ = size;
}

uint8_t *Bytes::release(size_t &size) {
    size = size_;
    size_ = capacity_ = 0;
    return std::exchange(data_, nullptr);
}

namespace {

nb::object to_array(Bytes &bytes) {
    size_t size = 0;
    uint8_t *data = bytes.release(size);
    if (!data) data = static_cast<uint8_t *>(std::malloc(1));
    nb::capsule owner(data, [](void *memory) noexcept { std::free(memory); });
    return nb::cast(nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>>(data, {size}, owner));
}

template <class States> auto *find_state(States &states, const std::string &name) {
    for (auto &state : states)
        if (state.port->name == name) return &state;
    return static_cast<decltype(&states.front())>(nullptr);
}

}  // namespace

// -- ports -----------------------------------------------------------------------------------------------------------
Host::Host(Engine &owner, std::string host_name, Clock &host_clock, std::string host_kind)
    : Component(owner, std::move(host_name), std::move(host_kind), host_clock) {}

void Host::add_stream(const std::string &port, bool source) {
    check_free(port);
    streams.push_back({this, port, static_cast<unsigned>(source ? sources_.size() : sinks_.size()), source});
    if (source)
        sources_.emplace_back(this, &streams.back());
    else
        sinks_.emplace_back(this, &streams.back());
}

void Host::add_master(const std::string &port, unsigned width, uint64_t latency) {
    check_free(port);
    if (width < 1 || width > 128) throw Error(Fault::Design, format("%s/%s: a beat of %u bytes; 1 to 128 are possible", name.c_str(), port.c_str(), width));
    masters.push_back({this, port, static_cast<unsigned>(masters_.size()), width, latency});
    masters_.emplace_back(this, &masters.back());
}

void Host::add_wire(const std::string &port, bool output, unsigned width, uint64_t initial, Hook hook) {
    check_free(port);
    if (width < 1 || width > 64) throw Error(Fault::Design, format("%s/%s: %u bits; 1 to 64 are possible", name.c_str(), port.c_str(), width));
    wires.emplace_back(this, port, static_cast<unsigned>(wires_.size()), output, width, initial & ones(width));
    wires_.emplace_back(this, &wires.back());
    wires_.back().hook = std::move(hook);
}

void Host::add_slave(const std::string &port, unsigned width, uint64_t range, uint64_t latency) {
    for (const SlavePort &other : slaves)
        if (other.name == port) throw Error(Fault::Design, name + " has a register port \"" + port + "\" already");
    if (width != 4 && width != 8) throw Error(Fault::Design, format("%s/%s: a beat of %u bytes; 4 or 8 are possible", name.c_str(), port.c_str(), width));
    slaves.push_back({this, port, static_cast<unsigned>(slave_states_.size()), width, range, latency});
    slave_states_.emplace_back(this, &slaves.back());
}

// -- registers -------------------------------------------------------------------------------------------------------
RegisterFile &Host::registers(const std::string &port) { return slave_states_[slave(port).id].file; }

Register &Host::at_offset(const std::string &port, uint64_t offset) {
    if (Register *found = registers(port).find(offset)) return *found;
    throw Error(Fault::Key, name + " has no register at offset " + hex(offset));
}

void Host::on_access(const std::string &port, Hook read, Hook write) {
    SlaveState &state = slave_states_[slave(port).id];
    state.read = std::move(read);
    state.write = std::move(write);
}

void Host::access(SlavePort &port, Access &access) {
    SlaveState &state = slave_states_[port.id];
    if (!port.latency) return serve(state, access);
    access.done = false;
    state.queue.push_back(&access);
    wake(state.task, port.latency);
}

void Host::answer_access(SlaveState &state) {
    if (state.queue.empty()) return;
    Access &access = *state.queue.front();
    state.queue.pop_front();
    serve(state, access);
    if (!state.queue.empty()) wake(state.task, state.port->latency);
    engine.answer(access);
}

void Host::forget_access(Access &access) {
    for (SlaveState &state : slave_states_) {
        std::erase(state.queue, &access);
        if (state.queue.empty()) engine.cancel(state.task);
    }
}

void Host::serve(SlaveState &state, Access &access) {
    const SlavePort &port = *state.port;
    if (state.file.access(engine, port.width, access)) return;
    if (Hook &hook = access.write ? state.write : state.read; hook) {
        nb::gil_scoped_acquire gil;
        if (access.write) {
            const nb::object answer = engine.call(hook.get(), access.offset, access.value, port.width);
            if (answer.is_valid() && answer.ptr() == Py_False) access.resp = Resp::SlvErr;
            return;
        }
        const nb::object answer = engine.call(hook.get(), access.offset, port.width);
        if (!answer.is_valid()) return;
        if (answer.is_none()) {
            access.resp = Resp::SlvErr;
            return;
        }
        access.value = PyLong_AsUnsignedLongLongMask(answer.ptr());
        if (PyErr_Occurred()) {
            nb::python_error error;
            engine.fail_python(error);
        }
        return;
    }
    access.value = 0;
}

// -- events ----------------------------------------------------------------------------------------------------------
void Host::fire(Event &event) {
    Task &task = static_cast<Task &>(event);
    switch (static_cast<EventKind>(event.id)) {
    case kSink: return step_sink(*static_cast<Sink *>(task.context));
    case kSource: return step_source(*static_cast<Source *>(task.context));
    case kMaster: return step_memory(*static_cast<Master *>(task.context));
    case kSlave: return answer_access(*static_cast<SlaveState *>(task.context));
    case kRoute: return step_route(*static_cast<Source *>(task.context));
    case kPulse: return static_cast<Wire *>(task.context)->port->drive(0);
    case kTimer: return fire_timer(*static_cast<Timer *>(task.context));
    }
}

void Host::stream_ready(StreamPort &port) {
    if (in_reset()) return;
    if (port.source) {
        Source &source = sources_[port.id];
        if (!source.queue.empty()) wake(source.task);
        if (source.routed) wake(source.route);
    } else {
        Sink &sink = sinks_[port.id];
        if (sink.routed) wake(sink.routed->route);
        if (sink.active && !sink.complete) wake(sink.task);
    }
}

void Host::wire_changed(WirePort &port, uint64_t value, uint64_t) {
    Wire &wire = wires_[port.id];
    if (!wire.hook) return;
    nb::gil_scoped_acquire gil;
    engine.call(wire.hook.get(), value);
}

// -- receiving -------------------------------------------------------------------------------------------------------
Host::Sink &Host::sink(const std::string &port) {
    if (auto *found = find_state(sinks_, port)) return *found;
    StreamPort &other = stream(port);
    throw Error(Fault::Model, name + "/" + other.name + " is a source: it sends, it does not receive");
}

void Host::receive(const std::string &port, uint64_t nbytes, Hook done) {
    Sink &state = sink(port);
    if (state.routed) throw Error(Fault::Model, name + "/" + port + " is routed to " + state.routed->port->name + ": nothing is left to receive");
    if (state.active) throw Error(Fault::Model, name + "/" + port + " receives already: one request a port at a time");
    state.active = true;
    state.complete = state.last = state.begun = false;
    state.want = nbytes;
    state.done = std::move(done);
    state.moved = engine.now();
    if (nbytes != kUpToLast) state.bytes.reserve(std::min<uint64_t>(nbytes, 1 << 26));
    if (state.has_rest) take_rest(state);
    if (!state.complete && state.bytes.size() == state.want) state.complete = true;  // nbytes = 0
    if (!in_reset()) wake(state.task);
}

void Host::take_rest(Sink &sink) {
    if (!sink.begun) {
        sink.begun = true;
        sink.side = sink.rest_side;
    }
    const uint64_t room = sink.want - sink.bytes.size();
    const size_t count = static_cast<size_t>(std::min<uint64_t>(room, sink.rest.size()));
    sink.bytes.append(sink.rest.data(), count);
    sink.rest.erase(sink.rest.begin(), sink.rest.begin() + static_cast<ptrdiff_t>(count));
    if (!sink.rest.empty()) {
        sink.complete = true;
        return;
    }
    sink.has_rest = false;
    sink.last = sink.rest_last;
    if (sink.last || sink.bytes.size() == sink.want) sink.complete = true;
}

void Host::step_sink(Sink &sink) {
    if (!sink.active) return;
    if (sink.complete) return complete_sink(sink);
    Link *link = sink.port->link;
    unsigned beats = link ? link->available() : 0;
    if (!beats) return;
    const BeatRing &ring = link->ring();
    const uint8_t *data = ring.data(beats);
    const Segment segment = ring.front();
    const uint64_t width = link->width();
    const uint64_t room = sink.want - sink.bytes.size();
    if (!segment.sparse && room < beats * width) beats = static_cast<unsigned>((room + width - 1) / width);
    if (!sink.begun) {
        sink.begun = true;
        sink.side = segment.side;
    }
    const bool last = segment.last && beats == segment.beats;
    std::vector<uint8_t> packed;
    uint64_t bytes = valid_bytes(ring, beats);
    if (segment.sparse) {
        for (unsigned byte = 0; byte < width; ++byte)
            if (ring.keep()[byte / 8] >> (byte % 8) & 1) packed.push_back(data[byte]);
        data = packed.data();
    }
    const uint64_t count = std::min(bytes, room);
    sink.bytes.append(data, count);
    if (bytes > count) {
        sink.rest.assign(data + count, data + bytes);
        sink.rest_side = segment.side;
        sink.rest_last = last;
        sink.has_rest = true;
        sink.complete = true;
    } else if (last || sink.bytes.size() == sink.want) {
        sink.last = last;
        sink.complete = true;
    }
    sink.moved = engine.now();
    schedule(sink.task, beats);
    link->pop(beats);
}

void Host::complete_sink(Sink &sink) {
    sink.active = sink.complete = false;
    nb::gil_scoped_acquire gil;
    Hook done = std::move(sink.done);
    const Side side = sink.side;
    nb::object data = to_array(sink.bytes);
    if (done) engine.call(done.get(), data, sink.last, nb::make_tuple(side.dest, side.user, side.id));
}

// -- sending ---------------------------------------------------------------------------------------------------------
Host::Source &Host::source(const std::string &port) {
    if (auto *found = find_state(sources_, port)) return *found;
    StreamPort &other = stream(port);
    throw Error(Fault::Model, name + "/" + other.name + " is a sink: it receives, it does not send");
}

void Host::send(const std::string &port, const uint8_t *data, size_t nbytes, bool last, Hook done, const Side &side) {
    Source &state = source(port);
    if (state.routed) throw Error(Fault::Model, name + "/" + port + " passes on what comes from " + state.routed->port->name + ": it can't send besides");
    Send &send = state.queue.emplace_back();
    send.data.assign(data, data + nbytes);
    send.last = last;
    send.side = side;
    send.done = std::move(done);
    if (state.queue.size() == 1) state.moved = engine.now();
    if (!in_reset()) wake(state.task);
}

void Host::step_source(Source &source) {
    if (source.queue.empty()) return;
    if (source.finishing) {
        source.finishing = false;
        nb::gil_scoped_acquire gil;
        Hook done = std::move(source.queue.front().done);
        source.queue.pop_front();
        if (!source.queue.empty()) wake(source.task);
        if (done) engine.call(done.get());
        return;
    }
    Link *link = source.port->link;
    unsigned room = link ? link->room() : 0;
    if (!room) return;
    Send &send = source.queue.front();
    const size_t width = link->width();
    unsigned given = 0;
    // The first beat carries TUSER, the others 0; a rest of the previous call starts the first beat.
    const auto push = [&](const uint8_t *data, unsigned beats, size_t tail, bool last) {
        Side side = source.rest.empty() ? send.side : source.rest_side;
        if (send.begun) side.user = 0;
        if (beats > 1 && side.user) {
            link->push(data, 1, static_cast<unsigned>(width), false, side);
            side.user = 0;
            link->push(data + width, beats - 1, static_cast<unsigned>(tail), last, side);
        } else {
            link->push(data, beats, static_cast<unsigned>(tail), last, side);
        }
        send.begun = true;
        given += beats;
    };
    bool whole = false;  // all of it is on the link, or kept as a rest
    const size_t left = send.data.size() - send.at;
    if (!source.rest.empty()) {
        const size_t count = std::min(width - source.rest.size(), left);
        std::vector<uint8_t> beat = source.rest;
        beat.insert(beat.end(), send.data.begin() + static_cast<ptrdiff_t>(send.at),
                    send.data.begin() + static_cast<ptrdiff_t>(send.at + count));
        send.at += count;
        whole = send.at == send.data.size();
        if (beat.size() < width && !send.last) {
            source.rest = std::move(beat);
        } else {
            push(beat.data(), 1, beat.size(), send.last && whole);
            source.rest.clear();
        }
    } else {
        const size_t full = std::min<size_t>(left / width, room);
        // With TLAST to come the final full beat must carry it.
        if (full) {
            const bool end = full * width == left;
            push(send.data.data() + send.at, static_cast<unsigned>(full), width, send.last && end);
            send.at += full * width;
            whole = end;
        } else if (send.last) {
            // A packet without bytes is one beat without TKEEP.
            push(send.data.data() + send.at, 1, left, true);
            send.at += left;
            whole = true;
        } else {
            source.rest.assign(send.data.begin() + static_cast<ptrdiff_t>(send.at), send.data.end());
            source.rest_side = send.side;
            if (send.begun) source.rest_side.user = 0;
            send.at += left;
            whole = true;
        }
    }
    source.moved = engine.now();
    source.finishing = whole;
    schedule(source.task, std::max(1u, given));
}

// -- routes ----------------------------------------------------------------------------------------------------------
void Host::end_route(Source &state) {
    engine.cancel(state.route);
    if (state.routed) state.routed->routed = nullptr;
    state.routed = nullptr;
}

void Host::route(const std::string &out, const std::string &in) {
    Source &state = source(out);
    if (in.empty()) return end_route(state);
    Sink &taken = sink(in);
    if (taken.routed && taken.routed != &state)
        throw Error(Fault::Model, name + "/" + in + " is routed to " + taken.routed->port->name + " already");
    if (taken.active) throw Error(Fault::Model, name + "/" + in + " receives: it can't be routed meanwhile");
    if (!state.queue.empty()) throw Error(Fault::Model, name + "/" + out + " sends: it can't be routed to meanwhile");
    if (state.routed == &taken) return;
    end_route(state);
    state.routed = &taken;
    taken.routed = &state;
    if (!in_reset()) wake(state.route);
}

void Host::step_route(Source &state) {
    if (!state.routed) return;
    Link *from = state.routed->port->link, *to = state.port->link;
    if (!from || !to) return;
    unsigned beats = std::min(from->available(), to->room());
    if (!beats) return;
    if (from->width() == to->width()) {
        from->ring().data(beats);
        schedule(state.route, beats);
        to->push_from(from->ring(), beats);
    } else {  // as wires of different widths: the rest is 0, or cut off
        beats = 1;
        const Segment segment = from->ring().front();
        const unsigned width = to->width();
        const unsigned valid = segment.sparse || segment.beats > 1 ? from->width() : segment.tail;
        std::vector<uint8_t> beat(width);
        std::memcpy(beat.data(), from->ring().data(beats), std::min(width, valid));
        schedule(state.route, 1);
        to->push(beat.data(), 1, valid == from->width() ? width : std::min(width, valid), segment.last && segment.beats == 1, segment.side);
        beats = 1;
    }
    from->pop(beats);
}

void Host::cancel_stream(const std::string &port) {
    StreamPort &one = stream(port);
    if (one.source) {
        Source &state = sources_[one.id];
        engine.cancel(state.task);
        state.queue.clear();
        state.finishing = false;
        state.rest.clear();
    } else {
        Sink &state = sinks_[one.id];
        engine.cancel(state.task);
        state.active = state.complete = false;
        state.done.clear();
        state.bytes.resize(0);
    }
}

// -- memory ----------------------------------------------------------------------------------------------------------
Host::Master &Host::master_state(const std::string &port) {
    if (auto *found = find_state(masters_, port)) return *found;
    master(port);  // raises
    throw Error(Fault::Design, "unreachable");
}

void Host::read_memory(const std::string &port, uint64_t address, uint64_t nbytes, Hook done) {
    Master &state = master_state(port);
    state.queue.push_back({false, address, nbytes, {}, std::move(done)});
    if (state.queue.size() == 1) begin_memory(state);
}

void Host::write_memory(const std::string &port, uint64_t address, const uint8_t *data, size_t nbytes, Hook done) {
    Master &state = master_state(port);
    state.queue.push_back({true, address, nbytes, std::vector<uint8_t>(data, data + nbytes), std::move(done)});
    if (state.queue.size() == 1) begin_memory(state);
}

void Host::begin_memory(Master &master) {
    const MemoryRequest &request = master.queue.front();
    uint64_t latency = master.port->latency;
    master.injected = master.port->space ? master.port->space->disturbed(request.address, request.nbytes, latency) : Resp::Okay;
    schedule(master.task, latency + (request.nbytes + master.port->width - 1) / master.port->width);
}

void Host::step_memory(Master &master) {
    if (master.queue.empty()) return;
    MemoryRequest &request = master.queue.front();
    Space *space = master.port->space;
    if (!space) return finish_memory(master, name + "/" + master.port->name + " is not connected: it sees no memory");
    if (master.injected != Resp::Okay)
        return finish_memory(master, space->name + ": " + text(master.injected) + " at " + hex(request.address) + " (injected)");
    bool over;
    if (master.started) {
        if (master.burst.waiting()) return;
        over = master.burst.resume();
    } else {
        master.started = true;
        if (!request.write) master.bytes.resize(request.nbytes);
        uint8_t *data = request.write ? request.data.data() : master.bytes.data();
        over = master.burst.begin(*space, request.write, request.address, data, request.nbytes, this);
    }
    if (!over) return;  // a slave answers later
    const Result result = master.burst.result;
    finish_memory(master, result.resp == Resp::Okay ? "" : space->describe(result));
}

void Host::answered(Access &access) {
    for (Master &master : masters_)
        if (master.started && master.burst.is_mine(access)) wake(master.task);
}

void Host::finish_memory(Master &master, std::string error) {
    MemoryRequest request = std::move(master.queue.front());
    master.queue.pop_front();
    master.started = false;
    engine.progressed();
    nb::gil_scoped_acquire gil;
    nb::object data = nb::none();
    if (!request.write && error.empty()) data = to_array(master.bytes);
    if (!master.queue.empty()) begin_memory(master);
    Hook done = std::move(request.done);
    if (!done) return;
    const nb::str text(error.data(), error.size());
    if (request.write)
        engine.call(done.get(), text);
    else
        engine.call(done.get(), data, text);
}

// -- wires, time -----------------------------------------------------------------------------------------------------
Host::Wire &Host::wire_state(const std::string &port, bool output) {
    auto *found = find_state(wires_, port);
    if (!found) wire(port);  // raises
    if (output && !found->port->output) throw Error(Fault::Model, name + "/" + port + " is an input: it can't be driven");
    return *found;
}

void Host::drive(const std::string &port, uint64_t value) {
    Wire &state = wire_state(port, true);
    engine.cancel(state.task);
    state.port->drive(value);
}

void Host::pulse(const std::string &port, uint64_t cycles) {
    Wire &state = wire_state(port, true);
    schedule(state.task, std::max<uint64_t>(1, cycles));
    state.port->drive(1);
}

uint64_t Host::add_timer(Time at, Hook hook) {
    const uint64_t id = ++timer_ids_;
    std::unique_ptr<Timer> timer;
    if (timer_pool_.empty()) {
        timer = std::make_unique<Timer>(this, id);
    } else {
        timer = std::move(timer_pool_.back());
        timer_pool_.pop_back();
        timer->id = id;
    }
    timer->hook = std::move(hook);
    if (at != kNever) {
        timer->task.clock = nullptr;
        engine.schedule_at(timer->task, std::max(at, engine.now()));
    }
    timers_.emplace(id, std::move(timer));
    return id;
}

uint64_t Host::add_timer_cycles(uint64_t cycles, Hook hook) {
    const uint64_t id = add_timer(kNever, std::move(hook));
    schedule(timers_.at(id)->task, cycles);
    return id;
}

void Host::fire_timer(Timer &timer) {
    nb::gil_scoped_acquire gil;
    Hook hook = std::move(timer.hook);
    const auto found = timers_.find(timer.id);
    timer_pool_.push_back(std::move(found->second));
    timers_.erase(found);
    if (hook) engine.call(hook.get());
}

void Host::cancel_timer(uint64_t id) {
    const auto found = timers_.find(id);
    if (found == timers_.end()) return;
    engine.cancel(found->second->task);
    found->second->hook.clear();
    timer_pool_.push_back(std::move(found->second));
    timers_.erase(found);
}

// -- reset -----------------------------------------------------------------------------------------------------------
void Host::forget_requests() {
    for (Sink &sink : sinks_) {
        engine.cancel(sink.task);
        sink.active = sink.complete = sink.has_rest = false;
        sink.rest.clear();
        sink.done.clear();
        sink.bytes.resize(0);
    }
    for (Source &source : sources_) {
        engine.cancel(source.task);
        source.finishing = false;
        source.rest.clear();
        source.queue.clear();
        end_route(source);
    }
    for (Master &master : masters_) {
        engine.cancel(master.task);
        master.burst.abandon();
        master.started = false;
        master.queue.clear();
    }
    for (SlaveState &state : slave_states_) {
        engine.cancel(state.task);
        std::deque<Access *> waiting;
        waiting.swap(state.queue);
        for (Access *access : waiting) {
            access->resp = Resp::SlvErr;
            engine.answer(*access);
        }
    }
    for (Wire &wire : wires_) engine.cancel(wire.task);
    for (auto &[id, timer] : timers_) {
        engine.cancel(timer->task);
        timer->hook.clear();
    }
    timers_.clear();
}

void Host::reset_changed(bool active) {
    nb::gil_scoped_acquire gil;
    if (active) {
        forget_requests();
        for (SlaveState &state : slave_states_) state.file.reset();
        for (WirePort &port : wires)
            if (port.output) port.drive(port.initial);
    } else {
        for (Sink &sink : sinks_)
            if (sink.active) wake(sink.task);
        for (Source &source : sources_)
            if (!source.queue.empty()) wake(source.task);
    }
    if (reset_hook) engine.call(reset_hook.get(), active);
}

// -- diagnosis -------------------------------------------------------------------------------------------------------
std::string Host::explain(std::string_view channel) {
    if (explain_hook) {
        nb::gil_scoped_acquire gil;
        const nb::object answer = engine.call(explain_hook.get(), nb::str(channel.data(), channel.size()));
        if (answer.is_valid() && nb::isinstance<nb::str>(answer)) {
            std::string sentence = nb::cast<std::string>(answer);
            if (!sentence.empty()) return sentence;
        }
    }
    return explain_native(channel);
}

std::string Host::explain_native(std::string_view channel) {
    std::string out;
    const auto add = [&](std::string sentence) { out += (out.empty() ? "" : "; ") + std::move(sentence); };
    const auto when = [&](Time moved) { return format(" (cycle %llu)", static_cast<unsigned long long>(clock->cycles(moved))); };
    const auto number = [](uint64_t value) { return std::to_string(value); };
    bool waits = false;
    for (const Sink &sink : sinks_) {
        if (!sink.active || (!channel.empty() && channel != sink.port->name)) continue;
        waits = true;
        const Link *link = sink.port->link;
        const std::string who = name + " " + sink.port->name;
        if (!link) {
            add(who + " waits for data, but is not connected" + when(sink.moved));
            continue;
        }
        const std::string from = link->source ? link->source->owner->name : "nothing: its stream has no source";
        const std::string have = number(const_cast<Sink &>(sink).bytes.size());
        add(sink.want == kUpToLast ? who + " waits for TLAST: " + have + " bytes received from " + from + when(sink.moved)
                                   : who + " waits for TVALID: " + have + " of " + number(sink.want) + " bytes received from " + from + when(sink.moved));
    }
    for (const Source &source : sources_) {
        if (source.queue.empty() || (!channel.empty() && channel != source.port->name)) continue;
        waits = true;
        const Link *link = source.port->link;
        const std::string who = name + " " + source.port->name;
        if (!link) {
            add(who + " waits to send, but is not connected" + when(source.moved));
            continue;
        }
        const Send &send = source.queue.front();
        add(who + " waits for TREADY: " + number(send.at) + " of " + number(send.data.size()) + " bytes sent to " +
            (link->sink ? link->sink->owner->name : "nothing: its stream has no sink") + when(source.moved));
    }
    for (const Source &source : sources_) {
        if (!source.routed || (!channel.empty() && channel != source.port->name && channel != source.routed->port->name)) continue;
        const Link *from = source.routed->port->link, *to = source.port->link;
        if (!from || from->ring().empty()) continue;
        waits = true;
        if (!to)
            add(name + " " + source.port->name + " is not connected" + when(engine.now()));
        else if (!to->ring().room())
            add(name + " " + source.port->name + " waits for TREADY of " + (to->sink ? to->sink->owner->name : "nothing: its stream has no sink") + when(engine.now()));
    }
    for (const Master &master : masters_) {
        if (master.queue.empty() || (!channel.empty() && channel != master.port->name)) continue;
        waits = true;
        if (master.started)
            add(name + " " + master.port->name + " waits for an answer at " + hex(master.queue.front().address) + when(engine.now()));
    }
    if (waits && in_reset()) return name + " is held in reset";
    if (waits && !clock->running()) return name + " waits for its clock " + clock->name + ", which stands still";
    return out;
}

State Host::state() {
    State state;
    for (size_t i = 0; i < slave_states_.size(); ++i)
        for (const auto &one : slave_states_[i].file.all())
            state[one->name.empty() ? format("%s0x%llx", slaves[i].name.c_str(), static_cast<unsigned long long>(one->offset)) : one->name] = one->value;
    for (const Sink &sink : sinks_) state[sink.port->name] = std::string(sink.active ? "receiving" : "idle");
    for (const Source &source : sources_) state[source.port->name] = std::string(source.queue.empty() ? "idle" : "sending");
    return state;
}

}  // namespace pynq::sim
