// SPDX-License-Identifier: BSD-3-Clause
#include "passthrough.hpp"

#include <algorithm>
#include <cstring>

#include "engine.hpp"

namespace pynq::sim {

StreamFifo::StreamFifo(Engine &owner, std::string fifo_name, Clock &fifo_clock, Clock &output_clock, unsigned depth, bool packet)
    : Component(owner, std::move(fifo_name), "axis_fifo", fifo_clock), output_clock_(&output_clock),
      depth_(std::max(2u, depth)), packet_(packet), take_event_(this, &fifo_clock, 0), give_event_(this, &output_clock, 1) {
    input_ = &streams.emplace_back(StreamPort{this, "S_AXIS", 0, false});
    output_ = &streams.emplace_back(StreamPort{this, "M_AXIS", 1, true});
    static const char *const names[] = {"axis_data_count", "axis_wr_data_count", "axis_rd_data_count"};
    for (unsigned i = 0; i < 3; ++i) counts_[i] = &wires.emplace_back(this, names[i], i, true, 32, 0);
}

void StreamFifo::update_counts() {
    for (WirePort *count : counts_)
        if (count->net) count->drive(ring_ ? ring_->beats() : 0);
}

void StreamFifo::reset_changed(bool active) {
    engine.cancel(take_event_);
    engine.cancel(give_event_);
    if (ring_) ring_->clear();
    filled_ = offset_ = 0;
    fresh_ = true;
    released_ = false;
    update_counts();
    if (!active) wake(take_event_);
}

void StreamFifo::stream_ready(StreamPort &port) {
    if (in_reset()) return;
    if (&port == input_)
        wake(take_event_);
    else if (!give_event_.pending())
        engine.schedule(give_event_, *output_clock_, 1);
}

void StreamFifo::fire(Event &event) {
    if (in_reset()) return;
    if (&event == &take_event_)
        take();
    else
        give();
}

void StreamFifo::take() {
    Link *link = input_->link;
    if (!link) return;
    if (!ring_) ring_ = std::make_unique<BeatRing>(link->width(), depth_);
    const unsigned limit = std::min(link->available(), ring_->room());
    if (!limit) return;
    const Moved moved = move_beats(link->ring(), *ring_, limit);
    schedule(take_event_, moved.beats);
    link->pop(moved.beats);
    update_counts();
    if (!give_event_.pending()) engine.schedule(give_event_, *output_clock_, 1);
}

bool StreamFifo::may_give() const {
    if (!ring_ || ring_->empty()) return false;
    return !packet_ || ring_->packets() || !ring_->room() || released_;
}

void StreamFifo::give() {
    Link *link = output_->link;
    if (!link || (!may_give() && !(filled_ == link->width()))) return;
    const bool was_full = ring_->room() == 0;
    if (packet_ && !ring_->packets() && was_full) released_ = true;
    const unsigned beats = link->width() == ring_->width ? give_same(*link) : give_converted(*link);
    if (beats) engine.schedule(give_event_, *output_clock_, beats);
    update_counts();
    if (was_full && ring_->room()) wake(take_event_);
}

unsigned StreamFifo::give_same(Link &link) {
    const unsigned limit = std::min(link.room(), ring_->front().beats);
    if (!limit) return 0;
    const Moved moved = link.push_from(*ring_, limit);
    ring_->pop(moved.beats);
    if (moved.last) released_ = false;
    return moved.beats;
}

// Bytes are packed into beats of the output's width; TLAST, a change of TDEST or TID, and the end of what a TKEEP with
// gaps leaves, close a beat early. TUSER goes with the first output beat that holds a byte of its input beat.
unsigned StreamFifo::give_converted(Link &link) {
    const unsigned width = link.width();
    if (beat_.size() != width) beat_.resize(width);
    unsigned room = link.room(), given = 0;
    const auto flush = [&](bool last) {
        if (filled_ < width) std::memset(beat_.data() + filled_, 0, width - filled_);
        link.push(beat_.data(), 1, filled_, last, beat_side_);
        filled_ = 0;
        --room;
        ++given;
    };
    while (room) {
        if (filled_ == width) {
            flush(false);
            continue;
        }
        if (ring_->empty()) break;
        const Segment segment = ring_->front();
        if (filled_ && (beat_side_.dest != segment.side.dest || beat_side_.id != segment.side.id)) {
            flush(false);
            continue;
        }
        if (!filled_) {
            beat_side_ = segment.side;
            if (!fresh_) beat_side_.user = 0;
        }
        unsigned beats = 1;
        const uint8_t *data = ring_->data(beats);
        const bool end = segment.beats == 1;
        const unsigned valid = segment.sparse ? ring_->width : end ? segment.tail : ring_->width;
        if (segment.sparse) {
            while (offset_ < valid && filled_ < width) {
                if (ring_->keep()[offset_ / 8] >> (offset_ % 8) & 1) beat_[filled_++] = data[offset_];
                ++offset_;
            }
        } else {
            const unsigned count = std::min(valid - offset_, width - filled_);
            std::memcpy(beat_.data() + filled_, data + offset_, count);
            filled_ += count;
            offset_ += count;
        }
        fresh_ = false;
        if (offset_ < valid) continue;  // the output beat is full
        offset_ = 0;
        fresh_ = true;
        const bool last = end && segment.last;
        ring_->pop(1);
        if (last) {
            flush(true);
            released_ = false;
        }
    }
    return given;
}

std::string StreamFifo::explain(std::string_view channel) {
    if (!channel.empty() && channel != "S_AXIS" && channel != "M_AXIS") return "";
    const unsigned held = ring_ ? ring_->beats() : 0;
    const bool input_waits = input_->link && !input_->link->ring().empty();
    if (!held && !filled_ && !input_waits) return "";
    const std::string when = format(" (cycle %llu)", static_cast<unsigned long long>(cycle()));
    if (in_reset()) return name + " is held in reset" + when;
    for (const Clock *one : {clock, output_clock_})
        if (!one->running()) return name + " waits for its clock " + one->name + ", which stands still" + when;
    const Link *link = output_->link;
    const std::string beats = format("%u beats held, %u are its depth", held, depth_);
    if (!link) return name + " M_AXIS is not connected: " + beats + when;
    if (packet_ && ring_ && !ring_->packets() && ring_->room())
        return name + " waits for TLAST of " + (input_->link && input_->link->source ? input_->link->source->owner->name : "nobody") +
               " (packet mode): " + beats + when;
    if (link->ring().room() == 0)
        return name + " waits for TREADY of " + (link->sink ? link->sink->owner->name : "nobody: its M_AXIS has no sink") + ": " + beats + when;
    if (filled_)
        return name + format(" waits for the rest of a beat: %u of %u bytes put together", filled_, link->width()) + when;
    return "";
}

State StreamFifo::state() {
    State state;
    state["beats"] = uint64_t{ring_ ? ring_->beats() : 0};
    state["packets"] = uint64_t{ring_ ? ring_->packets() : 0};
    state["depth"] = uint64_t{depth_};
    return state;
}

StreamBroadcaster::StreamBroadcaster(Engine &owner, std::string broadcaster_name, Clock &broadcaster_clock, unsigned outputs)
    : Component(owner, std::move(broadcaster_name), "axis_broadcaster", broadcaster_clock), event_(this, &broadcaster_clock, 0) {
    streams.push_back({this, "S_AXIS", 0, false});
    for (unsigned i = 0; i < outputs; ++i) streams.push_back({this, format("M%02u_AXIS", i), i + 1, true});
}

void StreamBroadcaster::stream_ready(StreamPort &) {
    if (!in_reset()) wake(event_);
}

void StreamBroadcaster::reset_changed(bool active) {
    engine.cancel(event_);
    if (!active) wake(event_);
}

void StreamBroadcaster::fire(Event &) {
    Link *input = streams.front().link;
    if (in_reset() || !input) return;
    unsigned limit = input->available();
    for (StreamPort &port : streams)
        if (port.source && port.link) limit = std::min(limit, port.link->room());
    if (!limit) return;
    unsigned beats = limit;
    input->ring().data(beats);
    schedule(event_, beats);
    for (StreamPort &port : streams)
        if (port.source && port.link) port.link->push_from(input->ring(), beats);
    input->pop(beats);
}

std::string StreamBroadcaster::explain(std::string_view) {
    const Link *input = streams.front().link;
    if (!input || input->ring().empty()) return "";
    for (const StreamPort &port : streams)
        if (port.source && port.link && port.link->ring().room() == 0)
            return name + " " + port.name + " waits for TREADY of " + (port.link->sink ? port.link->sink->owner->name : "nobody") +
                   format(" (cycle %llu)", static_cast<unsigned long long>(cycle()));
    return "";
}

}  // namespace pynq::sim
