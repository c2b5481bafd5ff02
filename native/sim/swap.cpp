// SPDX-License-Identifier: BSD-3-Clause
// Partial reconfiguration: parts leave a board that goes on.
#include <algorithm>

#include "engine.hpp"
#include "wave_hub.hpp"

namespace pynq::sim {

namespace {
template <class T> bool among(const std::vector<T *> &parts, const T *part) {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
}
template <class T> void erase(std::vector<std::unique_ptr<T>> &from, const std::vector<T *> &parts) {
    if (!parts.empty()) std::erase_if(from, [&](const std::unique_ptr<T> &part) { return among(parts, part.get()); });
}
}  // namespace

void Engine::forget_gates(const std::function<bool(const Gate &)> &gone) {
    std::erase_if(gates_, [&](const std::unique_ptr<Gate> &gate) {
        if (!gone(*gate)) return false;
        for (Net *input : gate->inputs()) std::erase(input->gates, gate.get());
        gate->output.release();
        return true;
    });
}

void Engine::let_go(Net &net, uint64_t level) {
    if (Gate *gate = net.driving_gate) forget_gates([&](const Gate &other) { return &other == gate; });
    if (net.driver().empty()) net.set(level);
}

void Engine::bench(const std::vector<Component *> &components, bool away) {
    for (Component *component : components) {
        if (away)
            by_name_.erase(component->name);
        else
            by_name_.emplace(component->name, component);
    }
}

void Engine::take_out(const Parts &parts) {
    // First everything comes to rest, with all connections still there: accesses to and from the parts are answered.
    for (Component *component : parts.components) component->retire();
    if (waves_) {
        for (Component *component : parts.components) waves_->forget(component);
        for (Link *link : parts.links) waves_->forget(link);
        for (Net *net : parts.nets) waves_->forget(net);
    }
    const auto leads_there = [&](const Space::Range &range) {
        for (Component *one : range.through)
            if (among(parts.components, one)) return true;  // the way there is gone
        return range.slave ? among(parts.components, range.slave->owner) : among(parts.memories, range.memory);
    };
    for (const auto &space : spaces_) space->unmap(leads_there);
    last_address_ = ~uint64_t{0};
    for (Component *component : parts.components) {
        component->closing();
        component->disconnect();
        queue_.remove(component);
        for (const auto &clock : clocks_) clock->unpark(component);
        // A namesake may have come meanwhile (see bench).
        const auto found = by_name_.find(component->name);
        if (found != by_name_.end() && found->second == component) by_name_.erase(found);
    }
    for (Link *link : parts.links) {
        for (StreamPort *port : {link->source, link->sink}) {
            if (!port) continue;
            port->link = nullptr;
            port->owner->stream_cleared(*port);
        }
        queue_.remove(link->target());
    }
    if (!parts.nets.empty()) {
        forget_gates([&](const Gate &gate) {
            if (among<Net>(parts.nets, &gate.output)) return true;
            return std::any_of(gate.inputs().begin(), gate.inputs().end(), [&](Net *input) { return among(parts.nets, input); });
        });
        std::erase_if(net_hooks, [&](const std::unique_ptr<Listening> &hook) { return among(parts.nets, hook->heard); });
        for (const auto &component : components_)
            for (Net *net : parts.nets) component->forget_net(*net);
    }
    erase(components_, parts.components);
    erase(spaces_, parts.spaces);
    erase(links_, parts.links);
    erase(nets_, parts.nets);
    erase(memories_, parts.memories);
    erase(clocks_, parts.clocks);
    stimulate();
}

}  // namespace pynq::sim
