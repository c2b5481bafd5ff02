// SPDX-License-Identifier: BSD-3-Clause
// A component whose behaviour is written in Python. Data move in bulk; Python is entered once a request, register access
// with a hook, change of a pin or timer, never once a beat.
#pragma once

#include <deque>
#include <unordered_map>

#include "component.hpp"
#include "hooks.hpp"
#include "registers.hpp"
#include "space.hpp"

namespace pynq::sim {

// Bytes that grow by realloc and go to numpy without a copy.
class Bytes {
  public:
    Bytes() = default;
    Bytes(const Bytes &) = delete;
    Bytes &operator=(const Bytes &) = delete;
    ~Bytes();
    void reserve(size_t capacity);
    void append(const uint8_t *data, size_t size);
    size_t size() const { return size_; }
    uint8_t *data() { return data_; }
    void resize(size_t size);
    // Hands the memory over (free() it) and is empty.
    uint8_t *release(size_t &size);

  private:
    uint8_t *data_ = nullptr;
    size_t size_ = 0, capacity_ = 0;
};

class Host final : public Component {
  public:
    Host(Engine &engine, std::string name, Clock &clock, std::string kind);

    void fire(Event &event) override;
    void access(SlavePort &port, Access &access) override;
    void forget_access(Access &access) override;
    void answered(Access &access) override;
    void stream_ready(StreamPort &port) override;
    void wire_changed(WirePort &port, uint64_t value, uint64_t previous) override;
    void reset_changed(bool active) override;
    std::string explain(std::string_view channel) override;
    State state() override;

    // -- ports -------------------------------------------------------------------------------------------------------
    void add_stream(const std::string &port, bool source);
    void add_master(const std::string &port, unsigned width, uint64_t latency);
    void add_wire(const std::string &port, bool output, unsigned width, uint64_t initial, Hook hook);
    void add_slave(const std::string &port, unsigned width, uint64_t range, uint64_t latency);

    // -- registers ---------------------------------------------------------------------------------------------------
    RegisterFile &registers(const std::string &port);
    Register &at_offset(const std::string &port, uint64_t offset);
    void on_access(const std::string &port, Hook read, Hook write);

    // -- streams -----------------------------------------------------------------------------------------------------
    void receive(const std::string &port, uint64_t nbytes, Hook done);  // kUpToLast: until TLAST
    void send(const std::string &port, const uint8_t *data, size_t nbytes, bool last, Hook done, const Side &side);
    void cancel_stream(const std::string &port);
    // Let all that arrives at a sink leave by a source, a beat a cycle; sink "": no longer.
    void route(const std::string &source, const std::string &sink);
    static constexpr uint64_t kUpToLast = ~uint64_t{0};

    // -- memory ------------------------------------------------------------------------------------------------------
    void read_memory(const std::string &port, uint64_t address, uint64_t nbytes, Hook done);
    void write_memory(const std::string &port, uint64_t address, const uint8_t *data, size_t nbytes, Hook done);

    // -- wires, time -------------------------------------------------------------------------------------------------
    void drive(const std::string &port, uint64_t value);
    void pulse(const std::string &port, uint64_t cycles);
    uint64_t add_timer(Time at, Hook hook);
    uint64_t add_timer_cycles(uint64_t cycles, Hook hook);
    void cancel_timer(uint64_t id);

    Hook reset_hook, explain_hook;

  private:
    enum EventKind : unsigned { kSink, kSource, kMaster, kPulse, kTimer, kSlave, kRoute };
    // Events of all kinds; the target finds its state through `context`.
    struct Task : Event {
        Task(Host *host, EventKind kind, void *context) : Event(host, host->clock, kind), context(context) {}
        void *context;
    };
    struct Source;
    struct Sink {
        Sink(Host *host, StreamPort *port) : port(port), task(host, kSink, this) {}
        StreamPort *port;
        Task task;
        bool active = false, complete = false, last = false, begun = false;
        uint64_t want = 0;
        Side side;
        Bytes bytes;
        Hook done;
        std::vector<uint8_t> rest;  // of a beat that was taken, for the next request
        bool rest_last = false, has_rest = false;
        Side rest_side;
        Time moved = 0;
        Source *routed = nullptr;  // where all of it goes
    };
    struct Send {
        std::vector<uint8_t> data;
        size_t at = 0;
        bool last = false, begun = false;
        Side side;
        Hook done;
    };
    struct Source {
        Source(Host *host, StreamPort *port) : port(port), task(host, kSource, this), route(host, kRoute, this) {}
        StreamPort *port;
        Task task, route;
        Sink *routed = nullptr;  // what it passes on
        std::deque<Send> queue;
        bool finishing = false;     // the first of the queue is on the link
        std::vector<uint8_t> rest;  // bytes of an incomplete beat
        Side rest_side;
        Time moved = 0;
    };
    struct MemoryRequest {
        bool write;
        uint64_t address, nbytes;
        std::vector<uint8_t> data;
        Hook done;
    };
    struct Master {
        Master(Host *host, MasterPort *port) : port(port), task(host, kMaster, this) {}
        MasterPort *port;
        Task task;
        std::deque<MemoryRequest> queue;
        Resp injected = Resp::Okay;
        bool started = false;
        Bytes bytes;  // read so far
        Burst burst;
    };
    struct Wire {
        Wire(Host *host, WirePort *port) : port(port), task(host, kPulse, this) {}
        WirePort *port;
        Task task;
        Hook hook;
    };
    struct Timer {
        Timer(Host *host, uint64_t id) : id(id), task(host, kTimer, this) {}
        uint64_t id;
        Task task;
        Hook hook;
    };
    struct SlaveState {
        SlaveState(Host *host, SlavePort *port) : port(port), task(host, kSlave, this) {}
        SlavePort *port;
        Task task;
        std::deque<Access *> queue;  // that wait for their answer, where the port has a latency
        RegisterFile file;
        Hook read, write;
    };

    void step_sink(Sink &sink);
    void take_rest(Sink &sink);
    void complete_sink(Sink &sink);
    void step_source(Source &source);
    void step_route(Source &source);
    void end_route(Source &source);
    void begin_memory(Master &master);
    void step_memory(Master &master);
    void finish_memory(Master &master, std::string error);
    void answer_access(SlaveState &state);
    void serve(SlaveState &state, Access &access);
    void fire_timer(Timer &timer);
    void forget_requests();
    Sink &sink(const std::string &port);
    Source &source(const std::string &port);
    Master &master_state(const std::string &port);
    Wire &wire_state(const std::string &port, bool output);
    std::string explain_native(std::string_view channel);

    std::deque<SlaveState> slave_states_;
    std::deque<Sink> sinks_;
    std::deque<Source> sources_;
    std::deque<Master> masters_;
    std::deque<Wire> wires_;
    std::vector<std::unique_ptr<Timer>> timer_pool_;  // that are free
    std::unordered_map<uint64_t, std::unique_ptr<Timer>> timers_;
    uint64_t timer_ids_ = 0;
};

}  // namespace pynq::sim
