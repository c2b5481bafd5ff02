// SPDX-License-Identifier: BSD-3-Clause
// Wires, combinational gates between them, and the interrupt inputs of the PS.
#pragma once

#include <string>
#include <vector>

#include "types.hpp"

namespace pynq::sim {

class Engine;
class Gate;
class Net;

class NetListener {
  public:
    // After the nets have settled; only for changes that last.
    virtual void net_changed(Net &net, uint64_t value, uint64_t previous) = 0;

  protected:
    ~NetListener() = default;
};

class Net : public Mortal {
  public:
    Net(Engine &engine, std::string name, unsigned width, uint64_t initial);

    const std::string name;
    const unsigned width;
    uint64_t value() const { return value_; }
    uint64_t edges(unsigned bit) const { return edges_[bit]; }
    // From a component, a gate or outside. Listeners hear of it once all gates have settled.
    void set(uint64_t value);
    void claim(const std::string &driver);  // DesignError when it has one
    const std::string &driver() const { return driver_; }
    // Whatever drove it does so no longer; it keeps its level.
    void release() {
        driver_.clear();
        driving_gate = nullptr;
        driving_component = nullptr;
    }
    void listen(NetListener *listener) { listeners_.push_back(listener); }
    void forget(NetListener *listener) { std::erase(listeners_, listener); }

    std::vector<Gate *> gates;      // that read it
    Gate *driving_gate = nullptr;
    void *driving_component = nullptr;  // Component*

  private:
    friend class NetSettler;
    Engine &engine_;
    uint64_t value_;
    uint64_t settled_;  // what listeners know
    bool queued_ = false;
    std::string driver_;
    std::vector<uint64_t> edges_;
    std::vector<NetListener *> listeners_;
};

class Gate {
  public:
    enum class Operation { Concat, Slice, Constant, And, Or, Xor, Xnor, Nand, Nor, Not, Buf, ReduceAnd, ReduceOr, ReduceXor };
    static Operation operation(const std::string &text);

    Gate(Operation operation, std::string name, std::vector<Net *> inputs, std::vector<unsigned> widths, Net &output,
         unsigned low, uint64_t value);
    uint64_t evaluate() const;

    const std::string name;
    Net &output;
    const std::vector<Net *> &inputs() const { return inputs_; }
    unsigned level = 0;  // gates that lie before it, at most
    bool queued = false;

  private:
    const Operation operation_;
    const std::vector<Net *> inputs_;
    const std::vector<unsigned> widths_;
    const unsigned low_;
    const uint64_t value_;
};

// Carries changes of nets through the gates, in an order without glitches, and then tells the listeners.
class NetSettler {
  public:
    explicit NetSettler(Engine &engine) : engine_(engine) {}
    void changed(Net &net);
    void settle();
    // Settle without edges and without telling anybody: the state before time begins.
    void settle_silently();
    void add(Gate &gate);

  private:
    void evaluate_gates();

    Engine &engine_;
    std::vector<Net *> changed_;
    std::vector<Gate *> dirty_;
    bool settling_ = false;
};

// One interrupt input of the PS; one-shot as UIO does it.
class Irq : public Mortal, private NetListener {
  public:
    Irq(Engine &engine, unsigned number, Net &net, unsigned bit, bool edge);
    ~Irq() { net.forget(this); }

    const unsigned number;
    Net &net;
    const unsigned bit;
    const bool edge;
    bool level() const { return net.value() >> bit & 1; }
    bool enabled() const { return enabled_; }
    bool fired() const { return fired_; }
    void enable();
    void disable() { enabled_ = false; }
    bool take();

  private:
    void net_changed(Net &net, uint64_t value, uint64_t previous) override;
    void check();

    Engine &engine_;
    bool enabled_ = false, fired_ = false, latched_ = false;
};

}  // namespace pynq::sim
