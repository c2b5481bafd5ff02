// SPDX-License-Identifier: BSD-3-Clause
// AXI4-Stream infrastructure (Xilinx PG085): FIFO, register slice, clock, width and subset converter; broadcaster.
#pragma once

#include "component.hpp"

namespace pynq::sim {

class StreamFifo final : public Component {
  public:
    // `depth` in beats of the sink's width; `output_clock` is that of M_AXIS.
    StreamFifo(Engine &engine, std::string name, Clock &clock, Clock &output_clock, unsigned depth, bool packet);

    void fire(Event &event) override;
    void stream_ready(StreamPort &port) override;
    void reset_changed(bool active) override;
    std::string explain(std::string_view channel) override;
    State state() override;

  private:
    void take();
    void give();
    unsigned give_same(Link &link);
    unsigned give_converted(Link &link);
    void update_counts();
    bool may_give() const;

    Clock *const output_clock_;
    const unsigned depth_;
    const bool packet_;
    std::unique_ptr<BeatRing> ring_;  // made when the width is known
    StreamPort *input_, *output_;
    WirePort *counts_[3];
    Event take_event_, give_event_;

    // Width conversion: the output beat that is being put together.
    std::vector<uint8_t> beat_;
    unsigned filled_ = 0;
    Side beat_side_;
    bool fresh_ = true;      // the next byte is the first of its input beat's user
    bool released_ = false;  // packet mode: the FIFO was full, the packet goes on before it is whole
    unsigned offset_ = 0;    // bytes of the front beat that are gone already
};

class StreamBroadcaster final : public Component {
  public:
    StreamBroadcaster(Engine &engine, std::string name, Clock &clock, unsigned outputs);

    void fire(Event &event) override;
    void stream_ready(StreamPort &port) override;
    void reset_changed(bool active) override;
    std::string explain(std::string_view channel) override;

  private:
    Event event_;
    unsigned reserved_ = 0;
};

}  // namespace pynq::sim
