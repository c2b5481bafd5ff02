// SPDX-License-Identifier: BSD-3-Clause
#include "net.hpp"

#include <algorithm>
#include <bit>

#include "engine.hpp"

namespace pynq::sim {

Net::Net(Engine &engine, std::string net_name, unsigned net_width, uint64_t initial)
    : name(std::move(net_name)), width(net_width), engine_(engine), value_(initial & ones(net_width)), settled_(value_),
      edges_(net_width) {}

void Net::set(uint64_t value) {
    value &= ones(width);
    if (value == value_) return;
    value_ = value;
    engine_.nets.changed(*this);
}

void Net::claim(const std::string &driver) {
    if (!driver_.empty())
        throw Error(Fault::Design, "net " + name + " is driven by " + driver_ + " and by " + driver +
                                       ": a net has one driver");
    driver_ = driver;
}

Gate::Operation Gate::operation(const std::string &text) {
    static const std::pair<const char *, Operation> known[] = {
        {"concat", Operation::Concat},         {"slice", Operation::Slice},
        {"constant", Operation::Constant},     {"and", Operation::And},
        {"or", Operation::Or},                 {"xor", Operation::Xor},
        {"xnor", Operation::Xnor},             {"nand", Operation::Nand},
        {"nor", Operation::Nor},               {"not", Operation::Not},
        {"buf", Operation::Buf},               {"reduce_and", Operation::ReduceAnd},
        {"reduce_or", Operation::ReduceOr},    {"reduce_xor", Operation::ReduceXor}};
    std::string names;
    for (const auto &[word, operation] : known) {
        if (text == word) return operation;
        names += names.empty() ? word : std::string(", ") + word;
    }
    throw Error(Fault::Design, "no gate \"" + text + "\"; there are " + names);
}

Gate::Gate(Operation operation, std::string gate_name, std::vector<Net *> inputs, std::vector<unsigned> widths, Net &out,
           unsigned low, uint64_t value)
    : name(std::move(gate_name)), output(out), operation_(operation), inputs_(std::move(inputs)), widths_(std::move(widths)),
      low_(low), value_(value) {
    const size_t count = inputs_.size();
    const bool single = operation == Operation::Slice || operation == Operation::Not || operation == Operation::Buf ||
                        operation == Operation::ReduceAnd || operation == Operation::ReduceOr ||
                        operation == Operation::ReduceXor;
    if (operation == Operation::Constant ? count != 0 : single ? count != 1 : count == 0)
        throw Error(Fault::Design, format("gate %s: %zu inputs; it takes %s", name.c_str(), count,
                                          operation == Operation::Constant ? "none" : single ? "one" : "one or more"));
}

uint64_t Gate::evaluate() const {
    const uint64_t first = inputs_.empty() ? 0 : inputs_[0]->value();
    uint64_t result = first;
    switch (operation_) {
    case Operation::Constant: return value_;
    case Operation::Slice: return low_ >= 64 ? 0 : first >> low_;
    case Operation::Buf: return first;
    case Operation::Not: return ~first;
    case Operation::ReduceAnd: return first == ones(inputs_[0]->width);
    case Operation::ReduceOr: return first != 0;
    case Operation::ReduceXor: return static_cast<unsigned>(std::popcount(first)) & 1;
    case Operation::Concat: {
        result = 0;
        unsigned at = 0;
        for (size_t i = 0; i < inputs_.size() && at < 64; ++i) {
            result |= (inputs_[i]->value() & ones(widths_[i])) << at;
            at += widths_[i];
        }
        return result;
    }
    case Operation::And:
    case Operation::Nand:
        for (size_t i = 1; i < inputs_.size(); ++i) result &= inputs_[i]->value();
        return operation_ == Operation::And ? result : ~result;
    case Operation::Or:
    case Operation::Nor:
        for (size_t i = 1; i < inputs_.size(); ++i) result |= inputs_[i]->value();
        return operation_ == Operation::Or ? result : ~result;
    case Operation::Xor:
    case Operation::Xnor:
        for (size_t i = 1; i < inputs_.size(); ++i) result ^= inputs_[i]->value();
        return operation_ == Operation::Xor ? result : ~result;
    }
    return 0;
}

void NetSettler::add(Gate &gate) {
    if (gate.queued) return;
    gate.queued = true;
    dirty_.push_back(&gate);
}

void NetSettler::changed(Net &net) {
    for (Gate *gate : net.gates) add(*gate);
    if (!net.queued_) {
        net.queued_ = true;
        changed_.push_back(&net);
    }
    if (!settling_) settle();
}

void NetSettler::evaluate_gates() {
    while (!dirty_.empty()) {
        auto lowest = std::min_element(dirty_.begin(), dirty_.end(),
                                       [](const Gate *a, const Gate *b) { return a->level < b->level; });
        Gate &gate = **lowest;
        *lowest = dirty_.back();
        dirty_.pop_back();
        gate.queued = false;
        gate.output.set(gate.evaluate());
    }
}

void NetSettler::settle() {
    settling_ = true;
    unsigned rounds = 0;
    for (;;) {
        evaluate_gates();
        if (changed_.empty()) break;
        Net &net = *changed_.front();
        changed_.erase(changed_.begin());
        net.queued_ = false;
        const uint64_t value = net.value_, previous = net.settled_;
        if (value == previous) continue;
        // Hooks may drive nets in turn; a ring of them that never rests is a fault of the models.
        if (++rounds > 100000) {
            changed_.clear();
            settling_ = false;
            engine_.fail(Error(Fault::Model, "net " + net.name + " never settles: the models that drive and read it form a loop"));
            return;
        }
        net.settled_ = value;
        engine_.attend();
        for (uint64_t rising = value & ~previous; rising; rising &= rising - 1)
            ++net.edges_[static_cast<unsigned>(std::countr_zero(rising))];
        engine_.record(TraceKind::Net, net.name, value, previous);
        for (size_t i = 0; i < net.listeners_.size(); ++i) net.listeners_[i]->net_changed(net, value, previous);
    }
    settling_ = false;
}

void NetSettler::settle_silently() {
    settling_ = true;
    evaluate_gates();
    for (Net *net : changed_) {
        net->queued_ = false;
        net->settled_ = net->value_;
    }
    changed_.clear();
    settling_ = false;
}

Irq::Irq(Engine &engine, unsigned irq_number, Net &irq_net, unsigned irq_bit, bool irq_edge)
    : number(irq_number), net(irq_net), bit(irq_bit), edge(irq_edge), engine_(engine) {
    net.listen(this);
}

void Irq::net_changed(Net &, uint64_t value, uint64_t previous) {
    if ((value & ~previous) >> bit & 1) latched_ = true;
    check();
}

void Irq::check() {
    if (!enabled_ || !(edge ? latched_ : level())) return;
    enabled_ = false;
    latched_ = false;
    fired_ = true;
    engine_.record(TraceKind::Irq, net.name, number, 1);
}

void Irq::enable() {
    enabled_ = true;
    check();
}

bool Irq::take() {
    const bool was = fired_;
    fired_ = false;
    return was;
}

}  // namespace pynq::sim
