// SPDX-License-Identifier: BSD-3-Clause
#include "component.hpp"

#include "engine.hpp"

namespace pynq::sim {

void WirePort::net_changed(Net &, uint64_t value, uint64_t previous) {
    const uint64_t mask = ones(width);
    if ((value ^ previous) & mask) owner->wire_changed(*this, value & mask, previous & mask);
}

Component::Component(Engine &owner, std::string component_name, std::string component_kind, Clock &component_clock)
    : engine(owner), name(std::move(component_name)), kind(std::move(component_kind)), clock(&component_clock) {}

Component::~Component() { disconnect(); }

void Component::access(SlavePort &, Access &access) { access.resp = Resp::SlvErr; }

std::string Component::why_silent(const SlavePort &) const {
    if (!refusal.empty()) return refusal;
    return in_reset_ ? name + " is held in reset" : "";
}

uint64_t Component::cycle() const { return clock->cycles(engine.now()); }

void Component::schedule(Event &event, uint64_t cycles) { engine.schedule(event, *clock, cycles); }

namespace {
template <class Ports> auto *find_port(Ports &ports, const std::string &name) {
    for (auto &port : ports)
        if (port.name == name) return &port;
    return static_cast<decltype(&ports.front())>(nullptr);
}
template <class Ports> void list_ports(const Ports &ports, std::string &out) {
    for (const auto &port : ports) out += (out.empty() ? "" : ", ") + (port.name.empty() ? std::string("\"\"") : port.name);
}
}  // namespace

void Component::unknown_port(const std::string &port, const char *what) const {
    std::string names;
    if (*what == 'r') list_ports(slaves, names);
    if (*what == 'm') list_ports(masters, names);
    if (*what == 's') list_ports(streams, names);
    if (*what == 'w') list_ports(wires, names);
    throw Error(Fault::Design, name + " (" + kind + ") has no " + what + " port \"" + port + "\"; it has " +
                                   (names.empty() ? "none" : names));
}

void Component::check_free(const std::string &port) const {
    if (find_port(masters, port) || find_port(streams, port) || find_port(wires, port))
        throw Error(Fault::Design, name + " has a port \"" + port + "\" already");
}

SlavePort &Component::slave(const std::string &port) {
    if (port.empty() && !slaves.empty()) return slaves.front();
    if (auto *found = find_port(slaves, port)) return *found;
    unknown_port(port, "register");
}
MasterPort &Component::master(const std::string &port) {
    if (auto *found = find_port(masters, port)) return *found;
    unknown_port(port, "memory master");
}
StreamPort &Component::stream(const std::string &port) {
    if (auto *found = find_port(streams, port)) return *found;
    unknown_port(port, "stream");
}
WirePort &Component::wire(const std::string &port) {
    if (auto *found = find_port(wires, port)) return *found;
    unknown_port(port, "wire");
}

void Component::connect(const std::string &port, Link &link) {
    StreamPort &mine = stream(port);
    StreamPort *&side = mine.source ? link.source : link.sink;
    if (mine.link)
        throw Error(Fault::Design, name + "/" + port + " is connected to stream " + mine.link->name + " already");
    if (side)
        throw Error(Fault::Design, "stream " + link.name + " has the " + (mine.source ? "source " : "sink ") +
                                       side->owner->name + "/" + side->name + " already; " + name + "/" + port +
                                       " can't be a second one");
    side = &mine;
    mine.link = &link;
    connected(mine);
    if (StreamPort *other = mine.source ? link.sink : link.source) other->owner->connected(*other);
    if (!mine.source && !link.ring().empty()) stream_ready(mine);  // a sink that came later
}

void Component::connect(const std::string &port, Space &space) { master(port).space = &space; }

void Component::connect(const std::string &port, Net &net) {
    WirePort &mine = wire(port);
    if (mine.net) throw Error(Fault::Design, name + "/" + port + " is connected to net " + mine.net->name + " already");
    if (mine.output) {
        net.claim(name + "/" + port);
        net.driving_component = this;
        mine.net = &net;
        net.set(mine.level);
    } else {
        mine.net = &net;
        net.listen(&mine);
    }
}

void Component::disconnect() {
    for (StreamPort &port : streams) {
        if (!port.link) continue;
        (port.source ? port.link->source : port.link->sink) = nullptr;
        port.link->set_clocked(port.source, false);
        port.link = nullptr;
    }
    for (WirePort &port : wires) {
        if (port.net && port.output)
            port.net->release();
        else if (port.net)
            port.net->forget(&port);
        port.net = nullptr;
    }
    for (ResetLine &line : reset_lines_)
        if (line.net) line.net->forget(&line);
    reset_lines_.clear();
}

void Component::reset_by(Net &net, unsigned bit, bool active_low) {
    if (bit >= net.width)
        throw Error(Fault::Design, format("%s: reset bit %u of net %s, which has %u", name.c_str(), bit, net.name.c_str(), net.width));
    reset_lines_.emplace_back(this, net, bit, active_low);
    net.listen(&reset_lines_.back());
}

void Component::update_reset() {
    bool active = false;
    for (const ResetLine &line : reset_lines_) active |= line.active();
    if (active == in_reset_) return;
    in_reset_ = active;
    if (active) begin_reset();
    reset_changed(active);
}

// What a source has put on its streams, and nobody has taken, is lost with it.
void Component::begin_reset() {
    for (StreamPort &port : streams)
        if (port.source && port.link) port.link->reset();
}

void Component::forget_net(Net &net) {
    for (WirePort &port : wires)
        if (port.net == &net) port.net = nullptr;
    for (ResetLine &line : reset_lines_)
        if (line.net == &net) line.net = nullptr;
}

void Component::retire() {
    if (in_reset_) return;
    in_reset_ = true;
    begin_reset();
    reset_changed(true);
}

void Component::pulse_reset() {
    if (in_reset_) return;
    in_reset_ = true;
    begin_reset();
    reset_changed(true);
    in_reset_ = false;
    reset_changed(false);
    update_reset();
}

}  // namespace pynq::sim
