// SPDX-License-Identifier: BSD-3-Clause
// AXI DMA, direct register mode (Xilinx PG021 v7.1).
#pragma once

#include "component.hpp"
#include "space.hpp"

namespace pynq::sim {

class Dma final : public Component {
  public:
    struct Options {
        bool mm2s = true, s2mm = true;
        unsigned length_bits = 14;
        unsigned address_bits = 32;
        bool mm2s_dre = false, s2mm_dre = false;
        unsigned mm2s_memory_width = 4, s2mm_memory_width = 4;  // bytes
        bool scatter_gather = false;
        bool micro = false;
    };
    Dma(Engine &engine, std::string name, Clock &clock, const Options &options);

    void fire(Event &event) override;
    void access(SlavePort &port, Access &access) override;
    void answered(Access &access) override;
    void stream_ready(StreamPort &port) override;
    void reset_changed(bool active) override;
    std::string explain(std::string_view channel) override;
    State state() override;
    bool taking(const StreamPort &port) const override;

  private:
    // Wait: for a slave on the memory side; Drain: for a clocked sink, until it has taken the last beat
    enum class Phase { Idle, Start, Run, Wait, Drain, Finish };
    struct Channel {
        bool present = false;
        bool s2mm = false;
        bool dre = false;
        const char *name = "";
        MasterPort *master = nullptr;
        StreamPort *stream = nullptr;
        WirePort *interrupt = nullptr;
        WirePort *reset_out = nullptr;
        Event event;

        uint32_t control = 0, status = 0;
        uint64_t address = 0;
        uint32_t length = 0;

        Burst burst;
        unsigned burst_beats = 0;
        uint64_t burst_bytes = 0;
        bool burst_last = false, burst_overflow = false;
        std::vector<uint8_t> packed;

        Phase phase = Phase::Idle;
        uint64_t at = 0;        // next byte in memory
        uint64_t total = 0;     // bytes of the transfer
        uint64_t done = 0;      // bytes moved
        uint64_t beats = 0;     // of the stream
        bool stopping = false;  // RS was cleared in a transfer
        std::string trouble;    // the last error in words
        Time moved = 0;
        Time free = 0;  // when the beats before these were stored
    };

    uint32_t read_register(uint64_t offset);
    void write_register(uint64_t offset, uint32_t value, uint32_t mask);
    void write_control(Channel &channel, uint32_t value, uint32_t mask);
    void begin(Channel &channel);
    void step_mm2s(Channel &channel);
    void fetched(Channel &channel);
    void step_s2mm(Channel &channel);
    void stored(Channel &channel);
    bool leaves_page(Channel &channel, uint64_t bytes);
    void finish(Channel &channel);
    void halt(Channel &channel);
    void error(Channel &channel, uint32_t bit, std::string what);
    void soft_reset();
    void clear(Channel &channel);
    void update_interrupt(Channel &channel);
    uint64_t busy(const Channel &channel, uint64_t beats, uint64_t bytes) const;
    std::string explain(const Channel &channel) const;

    const Options options_;
    Channel mm2s_, s2mm_;
    Event reset_event_;
};

}  // namespace pynq::sim
