// SPDX-License-Identifier: BSD-3-Clause
// Clauses are those of AMBA 4 AXI4-Stream, ARM IHI 0051A.
#include "stream_model.hpp"

#include <algorithm>

#include "../engine.hpp"
#include "rtl.hpp"

namespace pynq::sim::rtl {

namespace {
constexpr unsigned kPiece = 128;  // beats that a feed takes from the link at once; the room they give is told after them
constexpr const char *kSpec = "AMBA AXI4-Stream IHI 0051A, ";
}  // namespace

// -- both ------------------------------------------------------------------------------------------------------------
StreamModel::StreamModel(Rtl &owner, std::string port_name, bool is_source, const Pins &pins)
    : BusModel(owner, std::move(port_name)), source(is_source) {
    PinReader reader(pins, owner.name + " " + port + " (AXI4-Stream)");
    const auto payload = [&](const char *name, unsigned low, unsigned high) {
        return source ? reader.maybe_output(name, low, high) : reader.maybe_input(name, low, high);
    };
    tvalid_ = source ? reader.output("TVALID", 1, 1) : reader.input("TVALID", 1, 1);
    tready_ = source ? reader.maybe_input("TREADY", 1, 1) : reader.maybe_output("TREADY", 1, 1);
    tdata_ = payload("TDATA", 8, 4096);
    if (tdata_ && tdata_.bits % 8)
        reader.wrong("TDATA (" + std::string(tdata_.name) + format(") has %u bits; whole bytes are needed (2.1)", tdata_.bits));
    width_ = tdata_ ? std::max(1u, tdata_.bits / 8) : 1;
    tkeep_ = payload("TKEEP", width_, width_);
    tstrb_ = payload("TSTRB", width_, width_);
    tlast_ = payload("TLAST", 1, 1);
    tuser_ = payload("TUSER", 1, 4096);
    tid_ = payload("TID", 1, 32);
    tdest_ = payload("TDEST", 1, 32);
    reader.check();
}

void StreamModel::poke() {
    if (in_reset()) return;
    poked_ = true;
    module.wake();
}

std::string StreamModel::peer() const {
    if (!link()) return "nothing: the stream is not connected";
    const StreamPort *other = source ? link()->sink : link()->source;
    return other ? other->owner->name : source ? "nothing: its stream has no sink" : "nothing: its stream has no source";
}

std::string StreamModel::when() const { return format(" (cycle %llu)", static_cast<unsigned long long>(module.cycle_of(*this))); }

void StreamModel::state(State &state) const {
    state[port + ".tvalid"] = tvalid_.get();
    if (tready_) state[port + ".tready"] = tready_.get();
    state[port + ".beats"] = beats_;
}

std::unique_ptr<StreamModel> make_stream(Rtl &module, const std::string &port, bool source, const Pins &pins) {
    if (source) return std::make_unique<StreamDrain>(module, port, pins);
    return std::make_unique<StreamFeed>(module, port, pins);
}

// -- into the module ---------------------------------------------------------------------------------------------------
// The first `taken` beats of the piece went into the module, and the piece is over.
void StreamFeed::finish_piece(unsigned taken) {
    piece_ = plain_ = 0;
    special_ = false;
    if (!taken) return;
    beats_ += taken;
    link()->pop(taken);
}

void StreamFeed::next() {
    if (moved_ && valid_) {
        if (special_) {
            special_ = false;
            plain_ = 0;
            if (piece_ > 1) {
                data_ += width_;
                put_data(data_);
            }
            put_side(segment_.tail, segment_.last);
            return;
        }
        finish_piece(piece_);
        if (const unsigned idle = link()->beat_stall(false)) {
            idle_left_ = idle;
            poked_ = true;
        }
    }
    if (idle_left_) {
        --idle_left_;
        if (valid_) set_valid(false);
        return;
    }
    acquire();
}

void StreamFeed::acquire() {
    poked_ = false;
    unsigned beats = link() ? link()->available() : 0;
    if (!beats) {
        if (valid_) set_valid(false);
        return;
    }
    const BeatRing &ring = link()->ring();
    segment_ = ring.front();
    beats = std::min(beats, link()->beat_by_beat() ? 1u : kPiece);
    data_ = start_ = ring.data(beats);
    piece_ = beats;
    const bool odd = beats == segment_.beats && (segment_.last || segment_.sparse || segment_.tail < width_);
    special_ = odd && beats > 1;
    plain_ = odd ? beats - 1 : beats;
    put_data(data_);
    if (tuser_) tuser_.set(segment_.side.user);
    if (tid_) tid_.set(segment_.side.id);
    if (tdest_) tdest_.set(segment_.side.dest);
    if (odd && beats == 1)
        put_side(segment_.tail, segment_.last);
    else
        put_side(width_, false);
    set_valid(true);
}

void StreamFeed::put_side(unsigned tail, bool last) {
    if (tlast_) tlast_.put(last);
    if (!tkeep_ && !tstrb_) return;
    uint8_t keep[64];
    const unsigned size = (width_ + 7) / 8;
    if (segment_.sparse && plain_ == 0) {
        std::memcpy(keep, link()->ring().keep(), size);
    } else {
        std::memset(keep, 0, size);
        std::memset(keep, 0xff, tail / 8);
        if (tail % 8) keep[tail / 8] = static_cast<uint8_t>(ones(tail % 8));
    }
    for (const Pin *pin : {&tkeep_, &tstrb_}) {
        if (!*pin) continue;
        if (pin->bytes) {
            uint64_t value = 0;
            std::memcpy(&value, keep, size);
            pin->set(value);
        } else {
            std::memset(pin->at, 0, (pin->bits + 31) / 32 * 4);
            std::memcpy(pin->at, keep, size);
        }
    }
}

void StreamFeed::cleared() {
    piece_ = plain_ = 0;
    special_ = moved_ = false;
    set_valid(false);
    poke();
}

void StreamFeed::reset(bool active) {
    if (active) {
        // Beats of the piece before the one on the pins were taken; that one stays in the link.
        if (piece_ && link()) finish_piece(static_cast<unsigned>((data_ - start_) / width_));
        moved_ = false;
        idle_left_ = 0;
        set_valid(false);
        if (tlast_) tlast_.put(false);
    }
    poked_ = !active;
}

std::string StreamFeed::explain() const {
    if (!valid_ || (tready_ && tready_.high())) return "";
    return module.name + " " + port + format(" waits for TREADY of the module: %u beats queued from ", link()->ring().beats()) + peer() + when();
}

std::string StreamFeed::describe() const {
    const uint64_t taken = beats_ + (piece_ ? static_cast<uint64_t>(data_ - start_) / width_ : 0);
    return module.name + " " + port + format(": %llu beats taken so far, TVALID is %s, TREADY is %s", static_cast<unsigned long long>(taken),
                                             valid_ ? "high" : "low", *ready_at_ ? "high" : "low") + when();
}

// -- out of the module -------------------------------------------------------------------------------------------------
StreamDrain::StreamDrain(Rtl &owner, std::string port_name, const Pins &pins) : StreamModel(owner, std::move(port_name), true, pins) {
    valid_at_ = static_cast<const uint8_t *>(tvalid_.at);
    last_at_ = tlast_ ? static_cast<const uint8_t *>(tlast_.at) : &no_last_;
    keep_all_ = ones(width_);
    plain_pins_ = tdata_ && !tstrb_;
    sides_ = tuser_ || tid_ || tdest_;
    const unsigned size = (width_ + 7) / 8;
    full_.assign(size, 0xff);
    if (width_ % 8) full_.back() = static_cast<uint8_t>(ones(width_ % 8));
    keep_bytes_.resize((width_ + 31) / 32 * 4);
}

void StreamDrain::acquire() {
    poked_ = false;
    if (idle_left_) {
        --idle_left_;
        poked_ = true;
        if (ready_) set_ready(false);
        return;
    }
    count_ = limit_ = 0;
    if (!link()) {
        // An input TREADY that is not connected is tied high, so the beats are lost.
        scratch_.resize(width_);
        to_ = scratch_.data();
        limit_ = 1;
        set_ready(true);
        return;
    }
    unsigned room = link()->clocked_room();
    if (room) {
        room = std::min(room, link()->beat_by_beat() ? 1u : kBatch);
        to_ = link()->space(room);
        limit_ = room;
    }
    if (ready_ != (limit_ != 0)) set_ready(limit_ != 0);
}

// What was gathered goes to the link; the last beat has `tail` bytes.
void StreamDrain::commit(unsigned tail, bool last) {
    const unsigned count = count_;
    count_ = limit_ = 0;
    beats_ += count;
    if (!link()) return;
    Link &to = *link();
    to.commit(count, tail, last, side_);
    if (const unsigned idle = to.beat_stall(true)) idle_left_ = idle;
}

bool StreamDrain::flush() {
    if (!count_) return true;
    commit(width_, false);
    acquire();
    return false;
}

Side StreamDrain::side() const {
    Side side;
    side.user = tuser_.get();
    side.id = static_cast<uint32_t>(tid_.get());
    side.dest = static_cast<uint32_t>(tdest_.get());
    return side;
}

void StreamDrain::payload(std::vector<uint8_t> &out) const {
    out.clear();
    for (const Pin *pin : {&tdata_, &tkeep_, &tstrb_, &tlast_, &tuser_, &tid_, &tdest_}) {
        if (!*pin) continue;
        const auto *at = static_cast<const uint8_t *>(pin->at);
        out.insert(out.end(), at, at + pin->size());
    }
}

void StreamDrain::check_waiting(bool valid) {
    if (!waiting_) return;
    if (!valid) {
        module.violation("TVALID must stay high until TREADY", port, (std::string(kSpec) + "2.2").c_str(),
                         "TVALID fell without a handshake");
        return;
    }
    payload(now_);
    if (now_ == held_) return;
    size_t at = 0;
    const char *names[] = {"TDATA", "TKEEP", "TSTRB", "TLAST", "TUSER", "TID", "TDEST"};
    const Pin *pins[] = {&tdata_, &tkeep_, &tstrb_, &tlast_, &tuser_, &tid_, &tdest_};
    for (size_t i = 0; i < 7; ++i) {
        if (!*pins[i]) continue;
        const size_t size = pins[i]->size();
        if (std::memcmp(&now_[at], &held_[at], size) != 0) {
            module.violation("payload must not change while TVALID waits for TREADY", port, (std::string(kSpec) + "2.2.1").c_str(),
                             std::string(names[i]) + " changed");
            return;
        }
        at += size;
    }
}

void StreamDrain::slow(bool valid) {
    if (in_reset()) return;
    const bool checking = module.checking();
    if (checking) {
        if (fresh_ && valid)
            module.violation("TVALID must be low in reset", port, (std::string(kSpec) + "2.7.2").c_str(),
                             "TVALID is high at the first edge after reset");
        check_waiting(valid);
    }
    waiting_ = checking && valid && !moved_;
    if (waiting_) payload(held_);
    if (moved_) take();
}

void StreamDrain::take() {
    const bool last = *last_at_;
    const Side now_side = side();
    const unsigned size = (width_ + 7) / 8;
    const uint8_t *keep = full_.data();
    if (tkeep_) {
        if (tkeep_.bytes) {
            const uint64_t value = tkeep_.get();
            std::memcpy(keep_bytes_.data(), &value, std::min<size_t>(8, keep_bytes_.size()));
        } else {
            std::memcpy(keep_bytes_.data(), tkeep_.at, size);
        }
        keep = keep_bytes_.data();
    }
    if (tstrb_ && module.checking()) {
        uint8_t strobe[64];
        if (tstrb_.bytes) {
            const uint64_t value = tstrb_.get();
            std::memcpy(strobe, &value, 8);
        } else {
            std::memcpy(strobe, tstrb_.at, size);
        }
        for (unsigned i = 0; i < size; ++i)
            if (strobe[i] & ~keep[i]) {
                module.violation("TSTRB must not be high where TKEEP is low", port, (std::string(kSpec) + "2.4.3").c_str(),
                                 format("the combination is reserved; seen in bytes %u to %u", 8 * i, 8 * i + 7));
                break;
            }
    }
    if (count_ && !(now_side == side_)) {
        // What was gathered belongs to other side band signals.
        const unsigned left = limit_ - count_;
        commit(width_, false);
        limit_ = left;
    }
    side_ = now_side;
    if (std::memcmp(keep, full_.data(), size) == 0) {
        if (tdata_) get_data(to_);
        else std::memset(to_, 0, width_);
        to_ += width_;
        ++count_;
        if (last || count_ == limit_) commit(width_, last);
        return;
    }
    take_unusual(std::vector<uint8_t>(keep, keep + size), last, now_side);
}

// A beat with null bytes: packed where they lie at its end and it ends a packet, else with its TKEEP.
void StreamDrain::take_unusual(const std::vector<uint8_t> &keep, bool last, const Side &now_side) {
    unsigned tail = 0;
    while (tail < width_ && keep[tail / 8] >> (tail % 8) & 1) ++tail;
    bool packed = tail != 0;
    for (unsigned i = tail; i < width_; ++i) packed = packed && !(keep[i / 8] >> (i % 8) & 1);
    if (packed) {
        get_data(to_);
        std::memset(to_ + tail, 0, width_ - tail);
        ++count_;
        commit(tail, last);
        return;
    }
    if (count_) commit(width_, false);
    std::vector<uint8_t> data(width_);
    if (tdata_) get_data(data.data());
    ++beats_;
    count_ = limit_ = 0;
    if (!link()) return;
    link()->push_sparse(data.data(), keep.data(), last, now_side);
    if (const unsigned idle = link()->beat_stall(true)) idle_left_ = idle;
}

void StreamDrain::cleared() {
    count_ = limit_ = 0;
    if (in_reset()) return;
    acquire();
    poke();
}

void StreamDrain::reset(bool active) {
    moved_ = waiting_ = false;
    still_ = idle_left_ = 0;
    if (active) {
        count_ = limit_ = 0;  // what was gathered is lost, as what the link holds
        poked_ = false;
        set_ready(false);
        if (link()) link()->reset();
        return;
    }
    fresh_ = has_reset();
    poked_ = true;
}

std::string StreamDrain::explain() const {
    if (!tvalid_.high() || ready_) return "";
    return module.name + " " + port + format(" waits for TREADY: %llu beats sent, ", static_cast<unsigned long long>(beats_)) + peer() +
           " takes no more" + when();
}

std::string StreamDrain::describe() const {
    return module.name + " " + port + format(": %llu beats sent so far, TVALID is %s, TREADY is %s", static_cast<unsigned long long>(beats_ + count_),
                                             tvalid_.high() ? "high" : "low", ready_ ? "high" : "low") + when();
}

}  // namespace pynq::sim::rtl
