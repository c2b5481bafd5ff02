// SPDX-License-Identifier: BSD-3-Clause
#include "stream.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "component.hpp"
#include "engine.hpp"

namespace pynq::sim {

BeatRing::BeatRing(unsigned width_bytes, unsigned depth_beats)
    : width(width_bytes), depth(depth_beats), keep_bytes_((width_bytes + 7) / 8), data_(size_t{width_bytes} * depth_beats),
      segments_(depth_beats) {}

uint8_t *BeatRing::space(unsigned &beats) {
    unsigned at = head_ + beats_;
    if (at >= depth) at -= depth;
    beats = std::min({beats, room(), depth - at});
    return data_.data() + size_t{at} * width;
}

void BeatRing::commit_segment(const Segment &segment) {
    beats_ += segment.beats;
    packets_ += segment.last;
    if (segment_count_) {
        unsigned index = segment_head_ + segment_count_ - 1;
        if (index >= depth) index -= depth;
        Segment &previous = segments_[index];
        if (!previous.last && !previous.sparse && !segment.sparse && previous.tail == width && previous.side == segment.side) {
            previous.beats += segment.beats;
            previous.tail = segment.tail;
            previous.last = segment.last;
            return;
        }
    }
    unsigned index = segment_head_ + segment_count_;
    if (index >= depth) index -= depth;
    segments_[index] = segment;
    ++segment_count_;
}

void BeatRing::commit(unsigned beats, unsigned tail, bool last, const Side &side) {
    if (beats) commit_segment({beats, tail, last, false, side});
}

void BeatRing::push(const uint8_t *bytes, unsigned beats, unsigned tail, bool last, const Side &side) {
    unsigned done = 0;
    while (done < beats) {
        unsigned piece = beats - done;
        uint8_t *to = space(piece);
        const bool end = done + piece == beats;
        const size_t size = end ? size_t{piece - 1} * width + tail : size_t{piece} * width;
        if (size) std::memcpy(to, bytes + size_t{done} * width, size);  // an empty packet may have no bytes to point at
        if (end && tail < width) std::memset(to + size, 0, width - tail);
        commit(piece, end ? tail : width, end && last, side);
        done += piece;
    }
}

void BeatRing::push_sparse(const uint8_t *bytes, const uint8_t *keep, bool last, const Side &side) {
    if (keep_.empty()) keep_.resize(size_t{keep_bytes_} * depth);
    unsigned one = 1;
    uint8_t *to = space(one);
    std::memcpy(to, bytes, width);
    std::memcpy(keep_.data() + size_t(to - data_.data()) / width * keep_bytes_, keep, keep_bytes_);
    commit_segment({1, width, last, true, side});
}

const uint8_t *BeatRing::data(unsigned &beats) const {
    beats = std::min({beats, front().beats, depth - head_});
    return data_.data() + size_t{head_} * width;
}

void BeatRing::pop(unsigned beats) {
    Segment &segment = segments_[segment_head_];
    head_ += beats;
    if (head_ >= depth) head_ -= depth;
    beats_ -= beats;
    segment.beats -= beats;
    if (segment.beats) return;
    packets_ -= segment.last;
    if (++segment_head_ == depth) segment_head_ = 0;
    --segment_count_;
}

void BeatRing::clear() {
    head_ = beats_ = segment_head_ = segment_count_ = packets_ = 0;
}

uint64_t valid_bytes(const BeatRing &ring, unsigned beats) {
    const Segment &segment = ring.front();
    if (segment.sparse) {
        uint64_t bytes = 0;
        for (unsigned i = 0; i < (ring.width + 7) / 8; ++i) bytes += static_cast<unsigned>(std::popcount(ring.keep()[i]));
        return bytes;
    }
    return beats == segment.beats ? uint64_t{beats - 1} * ring.width + segment.tail : uint64_t{beats} * ring.width;
}

Moved move_beats(const BeatRing &from, BeatRing &to, unsigned limit) {
    const Segment &segment = from.front();
    Moved moved;
    unsigned beats = limit;
    const uint8_t *data = from.data(beats);
    if (!beats) return moved;
    moved.beats = beats;
    moved.bytes = valid_bytes(from, beats);
    const bool end = beats == segment.beats;
    moved.last = end && segment.last;
    if (segment.sparse)
        to.push_sparse(data, from.keep(), moved.last, segment.side);
    else
        to.push(data, beats, end ? segment.tail : from.width, moved.last, segment.side);
    return moved;
}

Link::Link(Engine &engine, std::string link_name, unsigned width, unsigned depth)
    : name(std::move(link_name)), engine_(engine), width_(width), depth_(depth), ring_(std::make_unique<BeatRing>(width, depth)) {
    for (unsigned side = 0; side < 2; ++side) {
        stalls_[side].event.target = this;
        stalls_[side].event.id = side;
    }
}

std::string Link::source_name() const { return source ? source->owner->name + "/" + source->name : ""; }
std::string Link::sink_name() const { return sink ? sink->owner->name + "/" + sink->name : ""; }

unsigned Link::room() {
    unsigned beats = ring_->room();
    const Stall &stall = stalls_[0];
    if (stall.probability > 0 && !clocked()) {
        if (engine_.now() < stall.until) return 0;
        if (beats > 1) beats = 1 + static_cast<unsigned>(engine_.random.below(beats));
    }
    if (!beats) ++statistics_.full;
    return beats;
}

void Link::pushed(unsigned beats, uint64_t bytes, bool last) {
    const Time now = engine_.now();
    statistics_.beats += beats;
    statistics_.bytes += bytes;
    statistics_.packet_beats += beats;
    statistics_.packet_bytes += bytes;
    if (statistics_.first == kNever) statistics_.first = now;
    statistics_.last = now;
    engine_.progressed();
    if (last) {
        ++statistics_.packets;
        engine_.record(TraceKind::Packet, name, statistics_.packet_bytes, statistics_.packet_beats);
        statistics_.packet_bytes = statistics_.packet_beats = 0;
    }
    if (listener) listener->link_changed(*this);
    if (stalls_[0].probability > 0 && !clocked()) pause(stalls_[0], source, beats);
    if (sink) sink->owner->stream_ready(*sink);
}

void Link::commit(unsigned beats, unsigned tail, bool last, const Side &side) {
    if (!beats) return;
    if (engine_.tracing()) {
        unsigned piece = beats;
        const uint8_t *data = ring_->space(piece);
        engine_.record_bytes(data, size_t{beats - 1} * width_ + tail);
    }
    ring_->commit(beats, tail, last, side);
    pushed(beats, uint64_t{beats - 1} * width_ + tail, last);
}

void Link::push(const uint8_t *data, unsigned beats, unsigned tail, bool last, const Side &side) {
    engine_.record_bytes(data, size_t{beats - 1} * width_ + tail);
    ring_->push(data, beats, tail, last, side);
    pushed(beats, uint64_t{beats - 1} * width_ + tail, last);
}

void Link::push_sparse(const uint8_t *data, const uint8_t *keep, bool last, const Side &side) {
    engine_.record_bytes(data, width_);
    engine_.record_bytes(keep, (width_ + 7) / 8);
    ring_->push_sparse(data, keep, last, side);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < (width_ + 7) / 8; ++i) bytes += static_cast<unsigned>(std::popcount(keep[i]));
    pushed(1, bytes, last);
}

Moved Link::push_from(const BeatRing &ring, unsigned limit) {
    if (engine_.tracing()) {
        unsigned beats = limit;
        const uint8_t *data = ring.data(beats);
        engine_.record_bytes(data, size_t{beats} * width_);
    }
    const Moved moved = move_beats(ring, *ring_, limit);
    if (moved.beats) pushed(moved.beats, moved.bytes, moved.last);
    return moved;
}

unsigned Link::available() {
    if (ring_->empty()) {
        ++statistics_.empty;
        return 0;
    }
    unsigned beats = ring_->front().beats;
    const Stall &stall = stalls_[1];
    if (stall.probability > 0 && !clocked()) {
        if (engine_.now() < stall.until) return 0;
        if (beats > 1) beats = 1 + static_cast<unsigned>(engine_.random.below(beats));
    }
    return beats;
}

void Link::pop(unsigned beats) {
    ring_->pop(beats);
    statistics_.last = engine_.now();
    engine_.progressed();
    if (listener) listener->link_changed(*this);
    if (stalls_[1].probability > 0 && !clocked()) pause(stalls_[1], sink, beats);
    if (source) source->owner->stream_ready(*source);
}

void Link::pause(Stall &stall, const StreamPort *port, unsigned beats) {
    if (!port || !engine_.random.chance(stall.probability)) return;
    Clock &clock = *port->owner->clock;
    if (!clock.running()) return;
    stall.until = clock.edge(engine_.now(), beats + 1 + engine_.random.below(stall.cycles));
    engine_.cancel(stall.event);
    engine_.schedule_at(stall.event, stall.until);
}

void Link::fire(Event &event) {
    StreamPort *port = event.id == 0 ? source : sink;
    if (port) port->owner->stream_ready(*port);
}

void Link::stall(bool source_side, double probability, unsigned cycles) {
    Stall &stall = stalls_[source_side ? 0 : 1];
    stall.probability = probability;
    stall.cycles = std::max(1u, cycles);
    if (probability > 0) return;
    stall.until = 0;
    engine_.cancel(stall.event);
    fire(stall.event);
}

void Link::reset() {
    ring_->clear();
    statistics_.packet_bytes = statistics_.packet_beats = 0;
    if (listener) listener->link_changed(*this);
    for (StreamPort *port : {source, sink})
        if (port) port->owner->stream_cleared(*port);
    if (source) source->owner->stream_ready(*source);
}

namespace {
constexpr unsigned kDeepBytes = 64u << 10;
constexpr unsigned kClockedDepth = 4;  // between two clocked ends: a register slice
}  // namespace

void Link::set_clocked(bool source_side, bool clocked) {
    clocked_[source_side ? 0 : 1] = clocked;
    if (!clocked || !ring_->empty() || statistics_.first != kNever) return;  // somebody may be working in it
    const unsigned deep = std::clamp(kDeepBytes / width_, 64u, 512u);
    if (deep > ring_->depth) ring_ = std::make_unique<BeatRing>(width_, deep);
}

unsigned Link::clocked_room() {
    const unsigned beats = ring_->beats();
    unsigned most = clocked_[1] ? std::min(depth_, kClockedDepth) : depth_;
    if (sink && !clocked_[1] && sink->owner->taking(*sink)) most = ring_->depth;
    if (beats < most) return most - beats;
    ++statistics_.full;
    return 0;
}

unsigned Link::beat_stall(bool source_side) {
    unsigned idle = 0;
    for (const bool side : {true, false}) {
        const Stall &stall = stalls_[side ? 0 : 1];
        if (stall.probability <= 0 || (side != source_side && clocked(side))) continue;
        if (engine_.random.chance(stall.probability)) idle += 1 + static_cast<unsigned>(engine_.random.below(stall.cycles));
    }
    return idle;
}

}  // namespace pynq::sim
