// SPDX-License-Identifier: BSD-3-Clause
// AXI4-Stream: queues of beats, and the links between components that are made of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "time.hpp"

namespace pynq::sim {

struct StreamPort;

// Side band of a run of beats.
struct Side {
    uint64_t user = 0;
    uint32_t dest = 0;
    uint32_t id = 0;
    bool operator==(const Side &other) const = default;
};

// Beats that follow each other, of which all but the last are full: their bytes lie packed, so they move by memcpy.
struct Segment {
    uint32_t beats = 0;
    uint32_t tail = 0;    // bytes valid in the last beat, from byte 0 on
    bool last = false;    // TLAST with the last beat
    bool sparse = false;  // one beat, whose TKEEP has gaps: see keep
    Side side;
};

// A queue of beats. No allocation after it is made (but for TKEEP with gaps, on its first use).
class BeatRing {
  public:
    BeatRing(unsigned width, unsigned depth);

    const unsigned width;
    const unsigned depth;

    unsigned beats() const { return beats_; }
    unsigned room() const { return depth - beats_; }
    unsigned packets() const { return packets_; }  // ends of packets in here
    bool empty() const { return beats_ == 0; }

    // Where the next beats go: up to `beats` (in and out: what lies in one piece), to be filled, then commit()ted.
    uint8_t *space(unsigned &beats);
    void commit(unsigned beats, unsigned tail, bool last, const Side &side);
    // Copies, whole beats but for the tail; the caller has looked at room().
    void push(const uint8_t *data, unsigned beats, unsigned tail, bool last, const Side &side);
    // One beat with any TKEEP (width bits, bit 0 of byte 0 first).
    void push_sparse(const uint8_t *data, const uint8_t *keep, bool last, const Side &side);

    const Segment &front() const { return segments_[segment_head_]; }
    // The first beats of the front segment, as far as they lie in one piece.
    const uint8_t *data(unsigned &beats) const;
    const uint8_t *keep() const { return keep_.data() + size_t{head_} * keep_bytes_; }
    // Take `beats` of the front segment away.
    void pop(unsigned beats);
    void clear();

  private:
    void commit_segment(const Segment &segment);

    const unsigned keep_bytes_;
    unsigned head_ = 0, beats_ = 0;
    unsigned segment_head_ = 0, segment_count_ = 0;
    unsigned packets_ = 0;
    std::vector<uint8_t> data_;
    std::vector<uint8_t> keep_;
    std::vector<Segment> segments_;
};

// Move up to `limit` beats of the front segment; both rings have the same width and the target has room.
// Returns the number moved, and through the references what they held.
struct Moved {
    unsigned beats = 0;
    uint64_t bytes = 0;
    bool last = false;
};
Moved move_beats(const BeatRing &from, BeatRing &to, unsigned limit);
// Bytes with TKEEP set in the first `beats` beats of a segment.
uint64_t valid_bytes(const BeatRing &ring, unsigned beats);

class Link;

// Hears of beats that come and go (waves).
class LinkListener {
  public:
    virtual void link_changed(Link &link) = 0;

  protected:
    ~LinkListener() = default;
};

// A connection from one source to one sink. Both sides look here, none sees the other.
class Link : public Mortal, private EventTarget {
  public:
    Link(Engine &engine, std::string name, unsigned width, unsigned depth);

    const std::string name;
    unsigned width() const { return width_; }
    unsigned depth() const { return depth_; }
    StreamPort *source = nullptr;
    StreamPort *sink = nullptr;
    LinkListener *listener = nullptr;
    std::string vacancy;  // why an end is missing, for messages; "" otherwise
    std::string source_name() const;
    std::string sink_name() const;

    // -- for the source ----------------------------------------------------------------------------------------------
    // Beats that may be pushed now; 0: wait for stream_ready.
    unsigned room();
    uint8_t *space(unsigned &beats) { return ring_->space(beats); }
    void commit(unsigned beats, unsigned tail, bool last, const Side &side);
    void push(const uint8_t *data, unsigned beats, unsigned tail, bool last, const Side &side);
    Moved push_from(const BeatRing &ring, unsigned limit);  // copies, does not pop
    void push_sparse(const uint8_t *data, const uint8_t *keep, bool last, const Side &side);

    // -- for the sink ------------------------------------------------------------------------------------------------
    // Beats of the front segment that may be taken now; 0: wait for stream_ready.
    unsigned available();
    const BeatRing &ring() const { return *ring_; }
    void pop(unsigned beats);

    struct Statistics {
        uint64_t beats = 0, bytes = 0, packets = 0, full = 0, empty = 0;
        Time first = kNever, last = kNever;
        uint64_t packet_bytes = 0, packet_beats = 0;  // of the packet under way
    };
    const Statistics &statistics() const { return statistics_; }
    void stall(bool source_side, double probability, unsigned cycles);
    void reset();  // the source is reset: what is queued is lost
    const EventTarget *target() const { return this; }

    // -- for ends that are clocked: they move single beats, each in its own cycle (verilated modules) -----------------
    // That side is clocked. The ring gets deeper, so that the other side can move many beats in one event; the depth that
    // a clocked source may fill with nobody taking stays what it is.
    void set_clocked(bool source_side, bool clocked);
    bool clocked(bool source_side) const { return clocked_[source_side ? 0 : 1]; }
    // Beats that a clocked source may push.
    unsigned clocked_room();
    // Must each beat be pushed and popped by itself? Where both ends are clocked, or stalls are injected.
    bool beat_by_beat() const { return stalls_[0].probability > 0 || stalls_[1].probability > 0 || (clocked_[0] && clocked_[1]); }
    // After a beat, by a clocked end: cycles to stay idle, as the injection of its own side, and of an unclocked other
    // side, says.
    unsigned beat_stall(bool source_side);

  private:
    struct Stall {
        double probability = 0;
        unsigned cycles = 0;
        Time until = 0;
        Event event;
    };
    void fire(Event &event) override;
    void pushed(unsigned beats, uint64_t bytes, bool last);
    void pause(Stall &stall, const StreamPort *port, unsigned beats);
    bool clocked() const { return clocked_[0] || clocked_[1]; }

    Engine &engine_;
    const unsigned width_, depth_;
    std::unique_ptr<BeatRing> ring_;
    bool clocked_[2] = {false, false};  // source, sink
    Statistics statistics_;
    Stall stalls_[2];  // source, sink
};

}  // namespace pynq::sim
