// SPDX-License-Identifier: BSD-3-Clause
// AXI4-Stream buses of a verilated module (AMBA IHI 0051A). A beat costs a few instructions: what is common is inline and
// not virtual, and works in the link's ring in place; the rest is in stream_model.cpp.
#pragma once

#include "../stream.hpp"
#include "bus_model.hpp"

namespace pynq::sim::rtl {

class StreamModel : public BusModel {
  public:
    StreamModel(Rtl &module, std::string port, bool source, const Pins &pins);

    StreamPort *stream = nullptr;
    const bool source;  // the module sends
    uint64_t beats() const { return beats_; }
    unsigned width() const { return width_; }

    // The link has news for this side.
    void poke();
    // What the link held is lost.
    virtual void cleared() = 0;
    // Give away what was gathered, before the module sleeps. True: there was nothing.
    virtual bool flush() = 0;
    // For sentences: "m_axis: 12 beats sent, TVALID is low".
    virtual std::string describe() const = 0;
    void state(State &state) const override;

  protected:
    Link *link() const { return stream->link; }
    std::string peer() const;
    std::string when() const;

    // Bytes between a pin and memory, for the widths that matter without a call.
    void put_data(const uint8_t *from) const {
        switch (width_) {
        case 4: std::memcpy(tdata_.at, from, 4); break;
        case 8: std::memcpy(tdata_.at, from, 8); break;
        case 1: std::memcpy(tdata_.at, from, 1); break;
        case 2: std::memcpy(tdata_.at, from, 2); break;
        case 16: std::memcpy(tdata_.at, from, 16); break;
        case 32: std::memcpy(tdata_.at, from, 32); break;
        case 64: std::memcpy(tdata_.at, from, 64); break;
        default: if (tdata_) std::memcpy(tdata_.at, from, width_);
        }
    }
    void get_data(uint8_t *to) const {
        switch (width_) {
        case 4: std::memcpy(to, tdata_.at, 4); break;
        case 8: std::memcpy(to, tdata_.at, 8); break;
        case 1: std::memcpy(to, tdata_.at, 1); break;
        case 2: std::memcpy(to, tdata_.at, 2); break;
        case 16: std::memcpy(to, tdata_.at, 16); break;
        case 32: std::memcpy(to, tdata_.at, 32); break;
        case 64: std::memcpy(to, tdata_.at, 64); break;
        default: std::memcpy(to, tdata_.at, width_);
        }
    }

    Pin tvalid_, tready_, tdata_, tkeep_, tstrb_, tlast_, tuser_, tid_, tdest_;
    unsigned width_ = 1;  // bytes
    bool moved_ = false;  // a handshake at the edge that was sampled
    bool poked_ = false;
    unsigned idle_left_ = 0;  // cycles of an injected stall
    uint64_t beats_ = 0;      // before the piece under way
};

// Beats from a link into the module.
class StreamFeed final : public StreamModel {
  public:
    StreamFeed(Rtl &module, std::string port, const Pins &pins) : StreamModel(module, std::move(port), false, pins) {
        if (!tready_) always_ready_ = 1;
        ready_at_ = tready_ ? static_cast<const uint8_t *>(tready_.at) : &always_ready_;
    }

    // True: a handshake.
    bool sample_inline() { return moved_ = valid_ && *ready_at_; }
    void drive_inline() {
        if (moved_) {
            if (plain_ > 1) {
                --plain_;
                data_ += width_;
                put_data(data_);
                return;
            }
            next();
        } else if (poked_ && !valid_) {
            next();
        }
    }
    void sample() override { sample_inline(); }
    void drive() override { drive_inline(); }
    void reset(bool active) override;
    bool settled() const override { return valid_ || !poked_; }
    std::string explain() const override;
    std::string describe() const override;
    void cleared() override;
    bool flush() override { return true; }

  private:
    void next();
    void acquire();
    void finish_piece(unsigned taken);
    void put_side(unsigned tail, bool last);
    void set_valid(bool valid) {
        valid_ = valid;
        tvalid_.put(valid);
    }

    uint8_t always_ready_ = 0;
    const uint8_t *ready_at_;
    bool valid_ = false;
    bool special_ = false;        // the piece ends with a beat that has TLAST or null bytes
    unsigned plain_ = 0;          // full beats without TLAST left in the piece, with the one on the pins
    unsigned piece_ = 0;          // beats in the piece
    const uint8_t *data_ = nullptr;   // of the beat on the pins, in the ring
    const uint8_t *start_ = nullptr;  // of the piece
    Segment segment_;
};

// Beats from the module into a link.
class StreamDrain final : public StreamModel {
  public:
    StreamDrain(Rtl &module, std::string port, const Pins &pins);

    bool sample_inline() {
        const bool valid = *valid_at_;
        moved_ = valid && ready_;
        if (moved_ && plain_pins_ && !waiting_ && keeps_all() && (!sides_ || side_fits())) {
            // The whole of a common beat.
            get_data(to_);
            to_ += width_;
            ++count_;
            if (*last_at_ || count_ == limit_) commit(width_, *last_at_);
            return true;
        }
        if (moved_ || waiting_ || valid) slow(valid);
        return moved_;
    }
    void drive_inline() {
        if (moved_) {
            still_ = 0;
            if (!limit_) acquire();
        } else if (count_ && ++still_ >= kStill) {
            flush();
        } else if (!ready_ && poked_) {
            acquire();
        }
        fresh_ = false;
    }
    void sample() override { sample_inline(); }
    void drive() override { drive_inline(); }
    void reset(bool active) override;
    bool settled() const override { return ready_ || !poked_; }
    std::string explain() const override;
    std::string describe() const override;
    void cleared() override;
    bool flush() override;

  private:
    static constexpr unsigned kStill = 16;  // idle cycles after which gathered beats go on
    static constexpr unsigned kBatch = 128;

    // TKEEP says that the beat is full, as far as that is quick to see.
    bool keeps_all() const {
        switch (tkeep_.bytes) {
        case 1: return *static_cast<const uint8_t *>(tkeep_.at) == keep_all_;
        case 0: return !tkeep_.at;
        default: return tkeep_.get() == keep_all_;
        }
    }
    // The beat may follow those gathered.
    bool side_fits() {
        if (!count_) side_ = side();
        return tuser_.get() == side_.user && tid_.get() == side_.id && tdest_.get() == side_.dest;
    }
    void acquire();
    void commit(unsigned tail, bool last);
    void slow(bool valid);
    void take();
    void take_unusual(const std::vector<uint8_t> &keep, bool last, const Side &side);
    void payload(std::vector<uint8_t> &out) const;
    void check_waiting(bool valid);
    Side side() const;
    void set_ready(bool ready) {
        ready_ = ready;
        if (tready_) tready_.put(ready);
    }

    const uint8_t *valid_at_, *last_at_;
    uint8_t no_last_ = 0;
    bool ready_ = false;
    bool plain_pins_ = false;  // TDATA, and no TSTRB
    bool sides_ = false;       // some of TUSER, TID, TDEST
    uint64_t keep_all_ = 0;    // TKEEP of a full beat
    bool waiting_ = false;     // TVALID was high and TREADY low at the last edge
    bool fresh_ = false;       // the first edge after reset
    uint8_t *to_ = nullptr;    // next free beat of the ring
    unsigned count_ = 0;       // beats gathered
    unsigned limit_ = 0;       // beats that may be gathered; 0: none
    unsigned still_ = 0;
    Side side_;
    std::vector<uint8_t> held_, now_;  // payload while it waits
    std::vector<uint8_t> keep_bytes_, full_, scratch_;
};

std::unique_ptr<StreamModel> make_stream(Rtl &module, const std::string &port, bool source, const Pins &pins);

}  // namespace pynq::sim::rtl
