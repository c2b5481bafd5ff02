// SPDX-License-Identifier: BSD-3-Clause
#include "axi_slave.hpp"

#include <algorithm>
#include <cstring>

#include "../engine.hpp"
#include "rtl.hpp"

namespace pynq::sim::rtl {

void AxiSlave::Side::push(const Request &request) {
    if (count == ring.size()) {
        std::vector<Request> larger(std::max<size_t>(8, 2 * count));
        for (size_t i = 0; i < count; ++i) larger[i] = ring[(head + i) % ring.size()];
        ring = std::move(larger);
        head = 0;
    }
    ring[(head + count++) % ring.size()] = request;
}

void AxiSlave::Side::pop() {
    head = (head + 1) % ring.size();
    --count;
}

AxiSlave::AxiSlave(Rtl &module, const std::string &port, Axi protocol, const Pins &pins, uint64_t range)
    : BusModel(module, port), protocol_(protocol), b_watch_(*this, pins, "B", 'S'), r_watch_(*this, pins, "R", 'S') {
    AxiPins reader(pins, *this, protocol, false);
    if (reader.writes()) {
        write_.pins = reader.address("AW");
        write_.valid = Driven(reader.to_module("AWVALID", 1, 1));
        awready_ = reader.from_module("AWREADY", 1, 1);
        wdata_ = reader.data("WDATA", true);
        wstrb_ = reader.strobes(wdata_);
        wid_ = reader.maybe("WID", true, 1, 64);
        wlast_ = Driven(reader.maybe("WLAST", true, 1, 1));
        wvalid_ = Driven(reader.to_module("WVALID", 1, 1));
        wready_ = reader.from_module("WREADY", 1, 1);
        bid_ = reader.maybe("BID", false, 1, 64);
        bresp_ = reader.maybe("BRESP", false, 2, 2);
        bvalid_ = reader.from_module("BVALID", 1, 1);
        bready_ = Driven(reader.to_module("BREADY", 1, 1));
        watch.push_back(bvalid_);
    }
    if (reader.reads()) {
        read_.pins = reader.address("AR");
        read_.valid = Driven(reader.to_module("ARVALID", 1, 1));
        arready_ = reader.from_module("ARREADY", 1, 1);
        rid_ = reader.maybe("RID", false, 1, 64);
        rdata_ = reader.data("RDATA", false);
        rresp_ = reader.maybe("RRESP", false, 2, 2);
        rlast_ = reader.maybe("RLAST", false, 1, 1);
        rvalid_ = reader.from_module("RVALID", 1, 1);
        rready_ = Driven(reader.to_module("RREADY", 1, 1));
        watch.push_back(rvalid_);
    }
    reader.check();
    bus_ = (rdata_ ? rdata_ : wdata_).size();
    bursts_ = protocol != Axi::Lite && (!rdata_ || read_.pins.length) && (!wdata_ || write_.pins.length);
    longest_ = protocol == Axi::Axi3 ? 16 : 256;
    for (Side *side : {&read_, &write_}) {
        side->pins.burst.set(1);  // INCR
        // Modifiable and bufferable, what PL masters are advised to say (UG1037, "AXI4 transactions").
        side->pins.cache.set(3);
    }
    r_watch_.lanes = read_lanes_;
    slave_ = &module.new_slave(*this, std::min(bus_, 8u), range);
}

bool AxiSlave::stall(double probability, uint64_t cycles) {
    stalls_.set(probability, cycles);
    wake();
    return true;
}

// -- the engine's side -----------------------------------------------------------------------------------------------
void AxiSlave::access(SlavePort &, Access &access) {
    if (!(access.write ? wdata_ : rdata_)) {
        access.resp = Resp::SlvErr;  // a bus without that direction
        return;
    }
    enqueue(access, nullptr);
}

bool AxiSlave::burst(SlavePort &, BurstAccess &access) {
    if (!bursts_ || !(access.write ? wdata_ : rdata_)) return false;
    enqueue(access, &access);
    return true;
}

void AxiSlave::enqueue(Access &access, BurstAccess *block) {
    access.done = false;
    Request request;
    request.access = &access;
    request.block = block;
    request.single = block == nullptr;
    request.offset = access.offset;
    request.left = block ? block->nbytes : slave_->width;
    request.value = access.value;
    request.strobe = access.strobe;
    if (!block && access.strobe) {
        // The lanes that are meant are an access of their own where they are one that AXI knows.
        const unsigned first = static_cast<unsigned>(__builtin_ctz(access.strobe)),
                       count = static_cast<unsigned>(__builtin_popcount(access.strobe));
        if (access.strobe == static_cast<uint8_t>(ones(count) << first) && !(count & (count - 1)) && first % count == 0) {
            request.offset += first;
            request.left = count;
        }
    }
    Side &side = access.write ? write_ : read_;
    side.push(request);
    if (!side.active && !side.renew) start(side, access.write);
    flush();
    wake();
}

void AxiSlave::forget_access(Access &access) {
    Side &side = access.write ? write_ : read_;
    for (size_t i = 0; i < side.count; ++i) {
        const size_t index = (side.head + i) % side.ring.size();
        Request &request = side.ring[index];
        if (request.access != &access) continue;
        // What the module has seen goes on to its end, without data (a beat that is offered must not change, A3.2.1); what
        // it has not is taken out.
        request.access = nullptr;
        request.block = nullptr;
        request.strobe = 0;
        if (i == 0 && side.active) return;
        for (size_t k = i; k + 1 < side.count; ++k)
            side.ring[(side.head + k) % side.ring.size()] = side.ring[(side.head + k + 1) % side.ring.size()];
        --side.count;
        return;
    }
}

// -- transactions ----------------------------------------------------------------------------------------------------
void AxiSlave::start(Side &side, bool write) {
    side.active = true;
    side.failed = false;
    side.resp = Resp::Okay;
    cut(side, write);
}

// The next AXI transaction of the request in front.
void AxiSlave::cut(Side &side, bool write) {
    Request &request = side.front();
    Shape &shape = side.shape;
    shape.address = request.offset;
    shape.kind = BurstKind::Incr;
    if (request.single) {
        shape.beats = 1;
        shape.bytes = protocol_ == Axi::Lite ? bus_ : static_cast<unsigned>(request.left);
        side.bytes = request.left;
    } else {
        shape.bytes = bus_;
        const uint64_t lead = request.offset & (bus_ - 1);
        const uint64_t most = std::min<uint64_t>(uint64_t{longest_} * bus_ - lead, 0x1000 - (request.offset & 0xfff));
        side.bytes = std::min(request.left, most);
        shape.beats = static_cast<unsigned>((lead + side.bytes + bus_ - 1) / bus_);
    }
    side.beats = 0;
    side.moved = 0;
    side.address_done = false;
    side.id = next_id_++;
    if (side.pins.id.bits < 64) side.id &= ones(side.pins.id.bits);
    side.pins.address.set(request.offset);
    side.pins.id.set(side.id);
    side.pins.length.set(shape.beats - 1);
    side.pins.size.set(static_cast<uint64_t>(__builtin_ctz(shape.bytes)));
    side.offered = true;
    busy_ = true;
    if (write) {
        wid_.set(side.id);
        answered_early_ = false;
    }
    if (stalls_) return;  // drive() decides when
    side.valid.set(true);
    if (write) put_data();
}

std::pair<unsigned, unsigned> AxiSlave::lanes(const Side &side, unsigned beat) const {
    if (beat == 0) {
        const unsigned first = static_cast<unsigned>(side.shape.address & (bus_ - 1));
        return {first, static_cast<unsigned>(std::min<uint64_t>(side.bytes, bus_ - first))};
    }
    return {0u, static_cast<unsigned>(std::min<uint64_t>(side.bytes - side.moved, bus_))};
}

void AxiSlave::put_data() {
    const Request &request = write_.front();
    const auto [first, count] = lanes(write_, write_.beats);
    uint8_t data[kLanes] = {}, strobes[kLanes / 8] = {};
    if (request.single) {
        // The value has the lanes of the port, which is not wider than 8 bytes, the bus those of the address.
        const unsigned base = static_cast<unsigned>(request.offset & (bus_ - 1) & ~uint64_t{slave_->width - 1});
        std::memcpy(data + base, &request.value, slave_->width);
        const uint64_t mask = uint64_t{request.strobe} << (base % 8);
        std::memcpy(strobes + base / 8, &mask, std::min<size_t>(2, kLanes / 8 - base / 8));
    } else if (request.block) {
        const uint64_t at = request.at + write_.moved;
        std::memcpy(data + first, request.block->data + at, count);
        for (unsigned i = 0; i < count; ++i)
            if (!request.block->strobes || request.block->strobes[at + i])
                strobes[(first + i) / 8] |= static_cast<uint8_t>(1u << ((first + i) % 8));
    }
    wdata_.store(data);
    if (wstrb_) wstrb_.store(strobes);
    wlast_.set(write_.beats + 1 == write_.shape.beats);
    wvalid_.set(true);
}

Resp AxiSlave::decode(uint64_t value, bool write) {
    if (value == 1) {
        const char *const channel = write ? "B" : "R";
        if (protocol_ == Axi::Lite)
            broken(*this, std::string("AXI4LITE_ERRS_") + channel + "RESP_EXOKAY",
                   std::string(channel) + "RESP is EXOKAY, which AXI4-Lite has not", "B1.1.1");
        else
            broken(*this, std::string("AXI_ERRS_") + channel + "RESP_EXOKAY",
                   std::string(channel) + "RESP is EXOKAY, and no exclusive access was made", "A7.2.3");
        return Resp::Okay;
    }
    return value == 0 ? Resp::Okay : value == 2 ? Resp::SlvErr : Resp::DecErr;
}

// -- before the edge -------------------------------------------------------------------------------------------------
void AxiSlave::sample() {
    if (in_reset()) return;
    busy_ = false;
    if (after_reset_) check_after_reset();
    const bool bvalid = b_seen_ = bvalid_ && bvalid_.high(), rvalid = r_seen_ = rvalid_ && rvalid_.high();
    b_watch_.look(bvalid, bready_.high());
    if (rvalid && !rready_.high()) mark_lanes();
    r_watch_.look(rvalid, rready_.high());
    if (write_.valid.high() && awready_.high()) {
        busy_ = true;
        write_.valid.set(false);
        write_.offered = false;
        write_.address_done = true;
        write_.stall.decided = false;
        if (answered_early_) over(write_);
    }
    if (wvalid_.high() && wready_.high()) {
        busy_ = true;
        wvalid_.set(false);
        w_stall_.decided = false;
        write_.moved += lanes(write_, write_.beats).second;
        ++write_.beats;
    }
    if (read_.valid.high() && arready_.high()) {
        busy_ = true;
        read_.valid.set(false);
        read_.offered = false;
        read_.address_done = true;
        read_.stall.decided = false;
    }
    // After the others: a slave may respond in the very cycle of the last of them.
    if (bvalid && bready_.high()) take_response();
    if (rvalid && rready_.high()) take_data();
    if (busy_) module.engine.progressed();
}

// No VALID in reset, nor before the first edge after it (A3.1.2).
void AxiSlave::check_after_reset() {
    after_reset_ = false;
    if (bvalid_ && bvalid_.high()) check_reset(*this, "B", 'S');
    if (rvalid_ && rvalid_.high()) check_reset(*this, "R", 'S');
}

void AxiSlave::take_response() {
    busy_ = true;
    b_stall_.decided = false;
    if (!write_.active || answered_early_) {
        broken(*this, "AXI_ERRS_BRESP_AW", "BVALID is high, and no write waits for a response", "A3.3.1");
        return;
    }
    if (write_.beats < write_.shape.beats) {
        broken(*this, "AXI_ERRS_BRESP_WLAST",
               format("BVALID is high after %u of %u beats of the write of ", write_.beats, write_.shape.beats) + describe(write_.shape),
               "A3.3.1");
        return;
    }
    if (!write_.address_done && protocol_ != Axi::Axi3) {
        broken(*this, "AXI_ERRS_BRESP_AW", "BVALID is high before the address of the write of " + describe(write_.shape) + " was taken",
               "A3.3.1");
        return;
    }
    if (bid_ && bid_.get() != (write_.id & ones(bid_.bits)))
        broken(*this, "AXI_ERRS_BID", "BID is " + hex(bid_.get()) + "; the write under way has AWID " + hex(write_.id), "A5.3");
    if (const Resp resp = bresp_ ? decode(bresp_.get(), true) : Resp::Okay; resp != Resp::Okay && !write_.failed) {
        write_.failed = true;
        write_.resp = resp;
        write_.bad = write_.shape.address;
    }
    if (write_.address_done)
        over(write_);
    else
        answered_early_ = true;
}

void AxiSlave::take_data() {
    busy_ = true;
    r_stall_.decided = false;
    if (!read_.active || !read_.address_done) {
        broken(*this, "AXI_ERRS_RID", "RVALID is high, and no read waits for data", "A3.3.1");
        return;
    }
    Request &request = read_.front();
    const auto [first, count] = lanes(read_, read_.beats);
    if (rid_ && rid_.get() != (read_.id & ones(rid_.bits)))
        broken(*this, "AXI_ERRS_RID", "RID is " + hex(rid_.get()) + "; the read under way has ARID " + hex(read_.id), "A5.3.1");
    const bool whole = read_.beats + 1 == read_.shape.beats;
    if (rlast_ && rlast_.high() != whole)
        broken(*this, "AXI_ERRS_RDATA_NUM",
               format("RLAST is %s in beat %u of the read of ", rlast_.high() ? "high" : "low", read_.beats + 1) + describe(read_.shape),
               "A3.4.1");
    if (const Resp resp = rresp_ ? decode(rresp_.get(), false) : Resp::Okay; resp != Resp::Okay && !read_.failed) {
        read_.failed = true;
        read_.resp = resp;
        read_.bad = read_.shape.address + read_.moved;
    }
    const uint8_t *data = static_cast<const uint8_t *>(rdata_.at);
    if (request.block)
        std::memcpy(request.block->data + request.at + read_.moved, data + first, count);
    else if (request.access && request.single) {
        const unsigned base = first & ~(slave_->width - 1);
        request.access->value = 0;
        std::memcpy(&request.access->value, data + base, slave_->width);
    }
    read_.moved += count;
    ++read_.beats;
    if (whole) over(read_);
}

// A transaction is over: the next one of its request, or the next request, follows in drive().
void AxiSlave::over(Side &side) {
    Request &request = side.front();
    request.offset += side.bytes;
    request.at += side.bytes;
    request.left -= side.bytes;
    answered_early_ = answered_early_ && &side != &write_;
    side.renew = true;
    side.address_done = false;
    if (request.left && !side.failed && request.access) return;
    const Request last = request;
    side.pop();
    side.active = false;
    if (!last.access) return;
    last.access->resp = side.resp;
    if (last.block) last.block->failed = side.bad;
    module.engine.answer(*last.access);
}

// -- after the edge --------------------------------------------------------------------------------------------------
bool AxiSlave::idle(Stalls::Channel &channel, bool counts) {
    if (!stalls_ || !stalls_.idle(channel, module.engine.random, counts)) return false;
    busy_ |= counts;
    return true;
}

void AxiSlave::drive() {
    if (in_reset()) return;
    for (Side *side : {&read_, &write_}) {
        if (!side->renew) continue;
        side->renew = false;
        if (side->active)
            cut(*side, side == &write_);
        else if (side->count)
            start(*side, side == &write_);
    }
    for (Side *side : {&read_, &write_})
        if (side->active && side->offered && !side->valid.high() && !idle(side->stall)) {
            side->valid.set(true);
            busy_ = true;
        }
    if (write_.active && !wvalid_.high() && write_.beats < write_.shape.beats && !idle(w_stall_)) {
        put_data();
        busy_ = true;
    }
    bready_.set(!idle(b_stall_, b_seen_));
    rready_.set(!idle(r_stall_, r_seen_));
    flush();
    if (!busy_ && !read_.active && !write_.active) rest();
}

void AxiSlave::flush() {
    write_.valid.flush();
    wvalid_.flush();
    wlast_.flush();
    bready_.flush();
    read_.valid.flush();
    rready_.flush();
}

// Of the beat that is offered, the lanes that are read (A3.4.3): the others may hold anything.
void AxiSlave::mark_lanes() {
    std::memset(read_lanes_, 0, sizeof read_lanes_);
    if (!read_.active) return;
    const auto [first, count] = lanes(read_, read_.beats);
    for (unsigned i = first; i < first + count; ++i) read_lanes_[i / 8] |= static_cast<uint8_t>(1u << (i % 8));
}

bool AxiSlave::settled() const { return in_reset() || !busy_; }

void AxiSlave::reset(bool active) {
    for (Side *side : {&read_, &write_}) {
        while (side->count) {
            Access *access = side->front().access;
            side->pop();
            if (!access) continue;
            access->resp = Resp::SlvErr;
            module.engine.answer(*access);
        }
        side->active = side->offered = side->address_done = side->renew = false;
        side->beats = 0;
        side->valid.set(false);
        side->stall = {};
    }
    wvalid_.set(false);
    bready_.set(!active);
    rready_.set(!active);
    flush();
    answered_early_ = false;
    b_watch_.forget();
    r_watch_.forget();
    w_stall_ = b_stall_ = r_stall_ = {};
    busy_ = true;
    after_reset_ = !active;
    b_seen_ = r_seen_ = false;
    if (active)
        reset_since_ = module.cycle_of(*this);
    else if (module.cycle_of(*this) > reset_since_ + 1)
        check_after_reset();
}

// -- diagnosis -------------------------------------------------------------------------------------------------------
std::string AxiSlave::waits(const Side &side, bool write) const {
    if (!side.active) return "";
    const std::string what = (write ? " of the write of " : " of the read of ") + describe(side.shape);
    if (write) {
        std::string channels;
        if (write_.valid.high()) channels = "AWREADY";
        if (wvalid_.high()) channels += channels.empty() ? "WREADY" : " and WREADY";
        if (channels.empty()) channels = "BVALID";
        return "waits for " + channels + format(": %u of %u beats", side.beats, side.shape.beats) + what + " were taken";
    }
    return std::string("waits for ") + (side.valid.high() ? "ARREADY" : "RVALID") +
           format(": %u of %u beats", side.beats, side.shape.beats) + what + " came";
}

std::string AxiSlave::explain() const {
    std::string out;
    for (const Side *side : {&write_, &read_}) {
        const std::string sentence = waits(*side, side == &write_);
        if (!sentence.empty()) out += (out.empty() ? "" : "; ") + module.name + " " + port + " " + sentence;
    }
    return out;
}

void AxiSlave::state(State &state) const {
    state[port + ".reads"] = uint64_t{read_.count};
    state[port + ".writes"] = uint64_t{write_.count};
}

std::unique_ptr<BusModel> make_axi_slave(Rtl &module, const std::string &port, const std::string &protocol, const Pins &pins,
                                         uint64_t range) {
    return std::make_unique<AxiSlave>(module, port, axi_protocol(protocol), pins, range);
}

}  // namespace pynq::sim::rtl
