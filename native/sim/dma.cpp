// SPDX-License-Identifier: BSD-3-Clause
// Register map: PG021 "Direct Register Mode Register Address Map"; bits: "MM2S_DMACR", "MM2S_DMASR" and their S2MM twins.
#include "dma.hpp"

#include <algorithm>
#include <cstring>

#include "engine.hpp"

namespace pynq::sim {

namespace {

enum Control : uint32_t {
    kRun = 1u << 0,
    kAlwaysOne = 1u << 1,
    kReset = 1u << 2,
    kKeyhole = 1u << 3,
    kControlWritable = kRun | kKeyhole | 0x7000u | 0xffff0000u,
    kControlDefault = 0x00010002u,
};

enum Status : uint32_t {
    kHalted = 1u << 0,
    kIdle = 1u << 1,
    kSgIncluded = 1u << 3,
    kInternalError = 1u << 4,
    kSlaveError = 1u << 5,
    kDecodeError = 1u << 6,
    kComplete = 1u << 12,
    kDelay = 1u << 13,
    kError = 1u << 14,
    kInterrupts = kComplete | kDelay | kError,
};

constexpr uint64_t kResetCycles = 8;
constexpr uint64_t kWriteLatency = 8;  // from the last beat to the response of the memory

}  // namespace

Dma::Dma(Engine &owner, std::string dma_name, Clock &dma_clock, const Options &options)
    : Component(owner, std::move(dma_name), "axi_dma", dma_clock), options_(options), reset_event_(this, &dma_clock, 2) {
    slaves.push_back({this, "S_AXI_LITE", 0, 4});
    const auto make = [&](Channel &channel, bool present, bool s2mm, bool dre, unsigned width, unsigned id) {
        channel.present = present;
        channel.s2mm = s2mm;
        channel.dre = dre;
        channel.name = s2mm ? "S2MM" : "MM2S";
        channel.event.target = this;
        channel.event.id = id;
        if (!present) return;
        const std::string lower = s2mm ? "s2mm" : "mm2s";
        masters.push_back({this, std::string("M_AXI_") + channel.name, id, std::max(1u, width), s2mm ? 1u : 16u});
        channel.master = &masters.back();
        streams.push_back({this, s2mm ? "S_AXIS_S2MM" : "M_AXIS_MM2S", id, !s2mm});
        channel.stream = &streams.back();
        channel.interrupt = &wires.emplace_back(this, lower + "_introut", id, true, 1, 0);
        channel.reset_out = &wires.emplace_back(this, lower + "_prmry_reset_out_n", 2 + id, true, 1, 1);
        clear(channel);
    };
    make(mm2s_, options.mm2s, false, options.mm2s_dre, options.mm2s_memory_width, 0);
    make(s2mm_, options.s2mm, true, options.s2mm_dre, options.s2mm_memory_width, 1);
}

void Dma::clear(Channel &channel) {
    if (!channel.present) return;
    engine.cancel(channel.event);
    channel.burst.abandon();
    channel.control = kControlDefault;
    channel.status = kHalted;
    channel.address = channel.length = 0;
    channel.phase = Phase::Idle;
    channel.at = channel.total = channel.done = channel.beats = 0;
    channel.stopping = false;
    channel.trouble.clear();
    if (!channel.s2mm && channel.stream->link) channel.stream->link->reset();
    update_interrupt(channel);
}

void Dma::update_interrupt(Channel &channel) {
    channel.interrupt->drive((channel.status & channel.control & kInterrupts) != 0);
}

void Dma::reset_changed(bool active) {
    engine.cancel(reset_event_);
    for (Channel *channel : {&mm2s_, &s2mm_}) {
        if (!channel->present) continue;
        clear(*channel);
        channel->reset_out->drive(!active);
    }
}

// DMACR.Reset of either channel resets the whole core (PG021, MM2S_DMACR bit 2).
void Dma::soft_reset() {
    for (Channel *channel : {&mm2s_, &s2mm_}) {
        if (!channel->present) continue;
        clear(*channel);
        channel->control |= kReset;
    }
    schedule(reset_event_, kResetCycles);
    for (Channel *channel : {&mm2s_, &s2mm_})
        if (channel->present) channel->reset_out->drive(0);
}

uint32_t Dma::read_register(uint64_t offset) {
    Channel &channel = offset >= 0x30 ? s2mm_ : mm2s_;
    if (!channel.present) return 0;
    switch (offset >= 0x30 ? offset - 0x30 : offset) {
    case 0x00: return channel.control;
    case 0x04: return channel.status | (options_.scatter_gather ? uint32_t{kSgIncluded} : 0u);
    case 0x18: return static_cast<uint32_t>(channel.address);
    case 0x1c: return static_cast<uint32_t>(channel.address >> 32);
    case 0x28: return channel.length;
    default: return 0;
    }
}

void Dma::write_control(Channel &channel, uint32_t value, uint32_t mask) {
    if (channel.control & kReset) return;
    value = (channel.control & ~mask) | (value & mask);
    if (value & kReset) return soft_reset();
    if (!(value & 0x00ff0000u)) value |= channel.control & 0x00ff0000u;  // a threshold of 0 is ignored
    const uint32_t before = channel.control;
    channel.control = (value & kControlWritable) | kAlwaysOne;
    const bool errors = channel.status & (kInternalError | kSlaveError | kDecodeError);
    if (errors) channel.control &= ~uint32_t{kRun};  // only a reset leads out of an error
    if (channel.control & ~before & kRun) {
        channel.status &= ~uint32_t{kHalted};
        channel.stopping = false;
    } else if (before & ~channel.control & kRun) {
        // What is under way ends early: the stream may stop without TLAST.
        if (channel.phase == Phase::Idle)
            halt(channel);
        else {
            channel.stopping = true;
            wake(channel.event);
        }
    }
    update_interrupt(channel);
}

void Dma::write_register(uint64_t offset, uint32_t value, uint32_t mask) {
    Channel &channel = offset >= 0x30 ? s2mm_ : mm2s_;
    if (!channel.present) return;
    const uint64_t high = options_.address_bits > 32 ? ones(options_.address_bits - 32) : 0;
    switch (offset >= 0x30 ? offset - 0x30 : offset) {
    case 0x00: write_control(channel, value, mask); break;
    case 0x04:
        channel.status &= ~(value & mask & kInterrupts);
        update_interrupt(channel);
        break;
    case 0x18: channel.address = (channel.address & ~uint64_t{mask}) | (value & mask); break;
    case 0x1c: {
        const uint64_t upper = ((channel.address >> 32 & ~uint64_t{mask}) | (value & mask)) & high;
        channel.address = (channel.address & 0xffffffffu) | upper << 32;
        break;
    }
    case 0x28: {
        // Without effect while halted or of value 0 (PG021, "Direct Register Mode"); a channel that is at work goes on.
        if (options_.scatter_gather || channel.phase != Phase::Idle || !(channel.control & kRun) || (channel.status & kHalted))
            break;
        const uint32_t length = ((channel.length & ~mask) | (value & mask)) & static_cast<uint32_t>(ones(options_.length_bits));
        if (!length) break;
        channel.length = length;
        begin(channel);
        break;
    }
    default: break;
    }
}

void Dma::access(SlavePort &, Access &access) {
    if (!access.write) {
        access.value = read_register(access.offset);
        return;
    }
    uint32_t mask = 0;
    for (unsigned lane = 0; lane < 4; ++lane)
        if (access.strobe >> lane & 1) mask |= 0xffu << (8 * lane);
    write_register(access.offset, static_cast<uint32_t>(access.value), mask);
}

void Dma::begin(Channel &channel) {
    channel.status &= ~uint32_t{kIdle};
    channel.at = channel.address;
    channel.total = channel.length;
    channel.done = channel.beats = 0;
    channel.moved = engine.now();
    channel.phase = Phase::Start;
    uint64_t latency = channel.master->latency;
    const Resp resp = channel.master->space ? channel.master->space->disturbed(channel.at, channel.total, latency) : Resp::Okay;
    if (resp != Resp::Okay) {
        error(channel, resp == Resp::SlvErr ? kSlaveError : kDecodeError,
              channel.master->space->name + ": " + text(resp) + " at " + hex(channel.at) + " (injected)");
        return;
    }
    schedule(channel.event, latency);
}

uint64_t Dma::busy(const Channel &channel, uint64_t beats, uint64_t bytes) const {
    return std::max<uint64_t>({1, beats, (bytes + channel.master->width - 1) / channel.master->width});
}

void Dma::stream_ready(StreamPort &port) {
    Channel &channel = port.source ? mm2s_ : s2mm_;
    if (channel.phase == Phase::Run || channel.phase == Phase::Drain) wake(channel.event);
}

bool Dma::taking(const StreamPort &port) const {
    return !port.source && s2mm_.phase == Phase::Run && s2mm_.done < s2mm_.total;
}

void Dma::fire(Event &event) {
    if (&event == &reset_event_) {
        for (Channel *channel : {&mm2s_, &s2mm_}) {
            if (!channel->present) continue;
            channel->control = kControlDefault;
            channel->reset_out->drive(1);
        }
        return;
    }
    Channel &channel = event.id ? s2mm_ : mm2s_;
    if (channel.stopping && channel.phase != Phase::Finish) return halt(channel);
    switch (channel.phase) {
    case Phase::Idle: return;
    case Phase::Start: {
        const uint64_t width = channel.stream->link ? channel.stream->link->width() : channel.master->width;
        // PG021 leaves the result of an unaligned address without the realignment engine undefined. An error is the
        // useful outcome: the program learns of it here, not on the board.
        if (!channel.dre && channel.at % width)
            return error(channel, kInternalError,
                         format("address 0x%llx is no multiple of %llu bytes and unaligned transfers (DRE) are not enabled",
                                static_cast<unsigned long long>(channel.at), static_cast<unsigned long long>(width)));
        channel.phase = Phase::Run;
        [[fallthrough]];
    }
    case Phase::Run: return channel.s2mm ? step_s2mm(channel) : step_mm2s(channel);
    case Phase::Wait:
        if (channel.burst.waiting() || !channel.burst.resume()) return;
        channel.phase = Phase::Run;
        return channel.s2mm ? stored(channel) : fetched(channel);
    case Phase::Drain:
        if (channel.stream->link && !channel.stream->link->ring().empty()) return;
        return finish(channel);
    case Phase::Finish: return finish(channel);
    }
}

void Dma::answered(Access &access) {
    for (Channel *channel : {&mm2s_, &s2mm_})
        if (channel->phase == Phase::Wait && channel->burst.is_mine(access)) wake(channel->event);
}

// The Micro DMA has no protection of the 4 KiB boundary that no AXI burst may cross (PG021, "Core Overview").
bool Dma::leaves_page(Channel &channel, uint64_t bytes) {
    const uint64_t first = channel.at - channel.done, last = channel.at + bytes - 1;
    if (!options_.micro || !bytes || first >> 12 == last >> 12) return false;
    error(channel, kInternalError,
          format("a transfer from 0x%llx on crosses a 4 KiB boundary, which this core (Micro DMA) can't",
                 static_cast<unsigned long long>(first)));
    return true;
}

void Dma::step_mm2s(Channel &channel) {
    Link *link = channel.stream->link;
    Space *space = channel.master->space;
    if (!link) return;
    if (!space) return error(channel, kDecodeError, std::string("M_AXI_MM2S sees no memory at all"));
    const uint64_t width = link->width();
    const uint64_t left = channel.total - channel.done;
    unsigned beats = static_cast<unsigned>(std::min<uint64_t>(link->room(), (left + width - 1) / width));
    if (!beats) return;
    uint8_t *to = link->space(beats);
    const uint64_t bytes = std::min(left, beats * width);
    if (leaves_page(channel, bytes)) return;
    channel.burst_beats = beats;
    channel.burst_bytes = bytes;
    const unsigned tail = static_cast<unsigned>(bytes - (beats - 1) * width);
    if (tail < width) std::memset(to + bytes, 0, width - tail);
    if (channel.burst.begin(*space, false, channel.at, to, bytes, this)) return fetched(channel);
    channel.phase = Phase::Wait;
}

void Dma::fetched(Channel &channel) {
    Link *link = channel.stream->link;
    const Result result = channel.burst.result;
    if (result.resp != Resp::Okay)
        return error(channel, result.resp == Resp::SlvErr ? kSlaveError : kDecodeError, channel.master->space->describe(result));
    const unsigned beats = channel.burst_beats;
    const uint64_t bytes = channel.burst_bytes;
    channel.at += bytes;
    channel.done += bytes;
    channel.beats += beats;
    channel.moved = engine.now();
    // A clocked sink shows when it has taken the last beat; the link is deep, and full before.
    if (channel.done == channel.total) channel.phase = link->clocked(false) ? Phase::Drain : Phase::Finish;
    schedule(channel.event, busy(channel, beats, bytes));
    link->commit(beats, static_cast<unsigned>(bytes - uint64_t{beats - 1} * link->width()), channel.done == channel.total, {});
}

void Dma::step_s2mm(Channel &channel) {
    Link *link = channel.stream->link;
    Space *space = channel.master->space;
    if (!link) return;
    if (!space) return error(channel, kDecodeError, std::string("M_AXI_S2MM sees no memory at all"));
    unsigned beats = link->available();
    if (!beats) return;
    const BeatRing &ring = link->ring();
    const uint8_t *data = ring.data(beats);
    const Segment segment = ring.front();
    const uint64_t width = link->width();
    const uint64_t room = channel.total - channel.done;
    // Beats that fit whole go by memcpy; the one that does not shows the packet to be longer than the buffer.
    if (!segment.sparse && beats > 1) beats = static_cast<unsigned>(std::clamp<uint64_t>(room / width, 1, beats));
    uint64_t bytes = valid_bytes(ring, beats);
    // PG021, S2MM_DMASR.DMAIntErr: the incoming packet is bigger than the length register says.
    bytes = std::min(bytes, room);
    if (leaves_page(channel, bytes)) return;
    channel.burst_beats = beats;
    channel.burst_bytes = bytes;
    if (segment.sparse) {
        // The core expects no null bytes inside a packet (PG021, "TKEEP"); what is valid is packed.
        channel.packed.clear();
        for (unsigned byte = 0; byte < width; ++byte)
            if (ring.keep()[byte / 8] >> (byte % 8) & 1) channel.packed.push_back(data[byte]);
        data = channel.packed.data();
    }
    channel.burst_last = beats == segment.beats && segment.last;
    channel.burst_overflow = valid_bytes(ring, beats) > bytes;
    // Straight from the link where memory answers; a slave may answer late, when the link holds other beats.
    uint64_t whole = bytes;
    if (!segment.sparse && (!space->direct(channel.at, whole) || whole != bytes)) {
        channel.packed.assign(data, data + bytes);
        data = channel.packed.data();
    }
    const bool over = channel.burst.begin(*space, true, channel.at, const_cast<uint8_t *>(data), bytes, this);
    if (!over) channel.phase = Phase::Wait;
    link->pop(beats);
    if (over) stored(channel);
}

void Dma::stored(Channel &channel) {
    const unsigned beats = channel.burst_beats;
    const uint64_t bytes = channel.burst_bytes;
    const bool last = channel.burst_last, overflow = channel.burst_overflow;
    const Result result = channel.burst.result;
    channel.at += bytes;
    channel.done += bytes;
    channel.beats += beats;
    channel.moved = engine.now();
    const bool failed = result.resp != Resp::Okay;
    if (last && !overflow && !failed) channel.phase = Phase::Finish;
    if (!overflow && !failed) {
        uint64_t cycles = busy(channel, beats, bytes);
        // A clocked source has sent them one after the other, up to now: the most of the work lies behind.
        if (channel.stream->link->clocked(true) && clock->running()) {
            const Time now = engine.now(), period = clock->period();
            const Time begun = std::max(channel.free, now - std::min<Time>(now, beats * period));
            cycles -= std::min<uint64_t>(cycles - 1, (now - begun) / period);
            channel.free = now + cycles * period;
        }
        schedule(channel.event, cycles + (last ? kWriteLatency : 0));
    }
    if (failed)
        return error(channel, result.resp == Resp::SlvErr ? kSlaveError : kDecodeError, channel.master->space->describe(result));
    if (overflow)
        error(channel, kInternalError,
              format("the packet from %s is longer than the buffer of %llu bytes", channel.stream->link->source_name().c_str(),
                     static_cast<unsigned long long>(channel.total)));
}

void Dma::finish(Channel &channel) {
    channel.phase = Phase::Idle;
    if (channel.s2mm) channel.length = static_cast<uint32_t>(channel.done);  // PG021, S2MM_LENGTH
    channel.status |= kIdle | kComplete;
    engine.progressed();
    if (channel.stopping) halt(channel);
    update_interrupt(channel);
}

void Dma::halt(Channel &channel) {
    engine.cancel(channel.event);
    channel.burst.abandon();
    channel.phase = Phase::Idle;
    channel.stopping = false;
    channel.control &= ~uint32_t{kRun};
    channel.status = (channel.status & ~uint32_t{kIdle}) | kHalted;  // Idle is 0 while halted
}

void Dma::error(Channel &channel, uint32_t bit, std::string what) {
    channel.trouble = std::move(what);
    channel.status |= bit | kError;
    halt(channel);
    update_interrupt(channel);
}

std::string Dma::explain(const Channel &channel) const {
    if (!channel.present) return "";
    const std::string who = name + " " + channel.name;
    const std::string when = format(" (cycle %llu)", static_cast<unsigned long long>(clock->cycles(channel.moved)));
    if (!channel.trouble.empty()) return who + " stopped with an error: " + channel.trouble + when;
    if (channel.phase == Phase::Idle) return "";
    if (in_reset()) return who + " is held in reset";
    if (!clock->running()) return who + " waits for its clock " + clock->name + ", which stands still" + when;
    if (channel.phase == Phase::Wait)
        return who + " waits for an answer on " + channel.master->name + " at " + hex(channel.at) + when;
    const Link *link = channel.stream->link;
    if (!link) return who + " waits for its stream " + channel.stream->name + ", which is not connected" + when;
    const auto number = [](uint64_t value) { return std::to_string(value); };
    if (channel.s2mm) {
        const std::string from = link->source ? link->source->owner->name : "nothing: its stream has no source";
        const uint64_t expected = (channel.total + link->width() - 1) / link->width();
        if (channel.done == channel.total)
            return who + " waits for TLAST: " + number(channel.beats) + " of " + number(expected) + " beats received from " + from + when;
        return who + " waits for TVALID: " + number(channel.done) + " of " + number(channel.total) + " bytes received from " + from + when;
    }
    const std::string to = link->sink ? link->sink->owner->name : "nothing: its stream has no sink";
    // What a clocked sink has not taken yet is not sent.
    const uint64_t queued = channel.phase == Phase::Drain ? uint64_t{link->ring().beats()} * link->width() : 0;
    return who + " waits for TREADY: " + number(channel.done - std::min(channel.done, queued)) + " of " + number(channel.total) + " bytes sent to " + to + when;
}

std::string Dma::explain(std::string_view channel) {
    const auto is = [&](const Channel &candidate) {
        return channel == candidate.name || (candidate.stream && channel == candidate.stream->name) ||
               (candidate.interrupt && channel == candidate.interrupt->name);
    };
    if (options_.scatter_gather)
        return name + " is built with scatter-gather, which the simulated board has no model of yet";
    if (is(mm2s_)) return explain(mm2s_);
    if (is(s2mm_)) return explain(s2mm_);
    const std::string first = explain(mm2s_), second = explain(s2mm_);
    return first + (first.empty() || second.empty() ? "" : "; ") + second;
}

State Dma::state() {
    State state;
    for (const Channel *channel : {&mm2s_, &s2mm_}) {
        if (!channel->present) continue;
        const std::string prefix = std::string(channel->name) + ".";
        static const char *const phases[] = {"idle", "start", "run", "wait", "drain", "finish"};
        state[prefix + "phase"] = std::string(phases[static_cast<int>(channel->phase)]);
        state[prefix + "control"] = uint64_t{channel->control};
        state[prefix + "status"] = uint64_t{channel->status};
        state[prefix + "address"] = channel->address;
        state[prefix + "length"] = uint64_t{channel->length};
        state[prefix + "done"] = channel->done;
        state[prefix + "error"] = channel->trouble;
    }
    return state;
}

}  // namespace pynq::sim
