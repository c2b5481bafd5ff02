// SPDX-License-Identifier: BSD-3-Clause
#include "axi_master.hpp"

#include <algorithm>
#include <cstring>

#include "../engine.hpp"
#include "rtl.hpp"

namespace pynq::sim::rtl {

namespace {

// The usual widths without a call.
inline void move(void *to, const void *from, unsigned bytes) {
    switch (bytes) {
    case 4: std::memcpy(to, from, 4); return;
    case 8: std::memcpy(to, from, 8); return;
    case 16: std::memcpy(to, from, 16); return;
    case 32: std::memcpy(to, from, 32); return;
    case 64: std::memcpy(to, from, 64); return;
    default: std::memcpy(to, from, bytes);
    }
}

inline bool lane(const uint8_t *strobes, unsigned index) { return strobes[index / 8] >> (index % 8) & 1; }

// Are the strobes of a bus of that width all high?
inline bool all_lanes(const uint8_t *strobes, unsigned bytes) {
    switch (bytes) {
    case 4: return (strobes[0] & 15) == 15;
    case 8: return strobes[0] == 0xff;
    default: break;
    }
    for (unsigned i = 0; i < bytes; ++i)
        if (!lane(strobes, i)) return false;
    return true;
}

// Of a bus without WSTRB.
constexpr auto kAllStrobes = [] {
    std::array<uint8_t, 16> lanes{};
    for (uint8_t &eight : lanes) eight = 0xff;
    return lanes;
}();

constexpr uint64_t kResponses[] = {0, 2, 3};  // RRESP, BRESP (A3.4.4)

}  // namespace

// -- queues ----------------------------------------------------------------------------------------------------------
AxiMaster::Transfer *AxiMaster::Queue::take() {
    if (free.empty()) {
        all.push_back(std::make_unique<Transfer>());
        free.push_back(all.back().get());
    }
    Transfer *transfer = free.back();
    free.pop_back();
    order[count++] = transfer;
    return transfer;
}

void AxiMaster::Queue::release(Transfer *transfer) {
    const auto end = order.begin() + count;
    std::copy(std::find(order.begin(), end, transfer) + 1, end, std::find(order.begin(), end, transfer));
    --count;
    free.push_back(transfer);
}

AxiMaster::AxiMaster(Rtl &module, const std::string &port, Axi protocol, const Pins &pins, uint64_t latency)
    : BusModel(module, port), protocol_(protocol), latency_(std::max<uint64_t>(1, latency)), ar_watch_(*this, pins, "AR", 'M'),
      aw_watch_(*this, pins, "AW", 'M'), w_watch_(*this, pins, "W", 'M') {
    AxiPins reader(pins, *this, protocol, true);
    if (reader.writes()) {
        aw_ = reader.address("AW");
        awvalid_ = reader.from_module("AWVALID", 1, 1);
        awready_ = Driven(reader.to_module("AWREADY", 1, 1));
        wdata_ = reader.data("WDATA", false);
        wstrb_ = reader.strobes(wdata_);
        wid_ = reader.maybe("WID", false, 1, 64);
        if (protocol != Axi::Axi3) wid_ = {};  // AXI4 has none; HLS tools leave it in (A5.4)
        wlast_ = reader.maybe("WLAST", false, 1, 1);
        wvalid_ = reader.from_module("WVALID", 1, 1);
        wready_ = Driven(reader.to_module("WREADY", 1, 1));
        bid_ = reader.maybe("BID", true, 1, 64);
        bresp_ = reader.maybe("BRESP", true, 2, 2);
        bvalid_ = Driven(reader.to_module("BVALID", 1, 1));
        bready_pin_ = reader.from_module("BREADY", 1, 1);
        watch.insert(watch.end(), {awvalid_, wvalid_});
    }
    if (reader.reads()) {
        ar_ = reader.address("AR");
        arvalid_ = reader.from_module("ARVALID", 1, 1);
        arready_ = Driven(reader.to_module("ARREADY", 1, 1));
        rid_ = reader.maybe("RID", true, 1, 64);
        rdata_ = reader.data("RDATA", true);
        rresp_ = reader.maybe("RRESP", true, 2, 2);
        rlast_ = Driven(reader.maybe("RLAST", true, 1, 1));
        rvalid_ = Driven(reader.to_module("RVALID", 1, 1));
        rready_pin_ = reader.from_module("RREADY", 1, 1);
        watch.push_back(arvalid_);
    }
    reader.check();
    bus_ = (rdata_ ? rdata_ : wdata_).size();
    rresp_.set(0);
    bresp_.set(0);
    master_ = &module.new_master(*this, bus_, latency_);
}

// -- before the edge -------------------------------------------------------------------------------------------------
void AxiMaster::sample() {
    ++cycle_;
    if (in_reset()) return;
    busy_ = false;
    if (after_reset_) check_after_reset();
    if (master_->space && master_->space->version() != version_) look_again();
    const bool arvalid = ar_seen_ = arvalid_ && arvalid_.high(), awvalid = aw_seen_ = awvalid_ && awvalid_.high(),
               wvalid = w_seen_ = wvalid_ && wvalid_.high();
    ar_watch_.look(arvalid, arready_.high());
    aw_watch_.look(awvalid, awready_.high());
    w_watch_.look(wvalid, wready_.high());
    if (arvalid && arready_.high()) accept(false);
    if (awvalid && awready_.high()) accept(true);
    if (wvalid && wready_.high()) take_data();
    if (rvalid_.high() && rready_pin_.high()) {
        busy_ = true;
        r_stall_.decided = false;
        rvalid_.set(false);
        if (++sending_->taken == sending_->shape.beats) {
            record(*sending_);
            reads_.release(sending_);
            room_changed_ = true;
            sending_ = nullptr;
        }
    }
    if (bvalid_.high() && bready_pin_.high()) {
        busy_ = true;
        b_stall_.decided = false;
        bvalid_.set(false);
        writes_.release(answering_);
        room_changed_ = true;
        answering_ = nullptr;
    }
    if (busy_) module.engine.progressed();
}

// No VALID in reset, nor before the first edge after it (A3.1.2).
void AxiMaster::check_after_reset() {
    after_reset_ = false;
    if (arvalid_ && arvalid_.high()) check_reset(*this, "AR", 'M');
    if (awvalid_ && awvalid_.high()) check_reset(*this, "AW", 'M');
    if (wvalid_ && wvalid_.high()) check_reset(*this, "W", 'M');
}

// A part of the board was exchanged: memory that bursts lie in may be gone, and the rest of these is refused.
void AxiMaster::look_again() {
    version_ = master_->space->version();
    for (Queue *queue : {&reads_, &writes_})
        for (unsigned i = 0; i < queue->count; ++i) {
            Transfer &transfer = *queue->order[i];
            if (!transfer.memory) continue;
            const Shape &shape = transfer.shape;
            const uint64_t wanted = shape.highest() - shape.lowest() + 1;
            uint64_t length = wanted;
            if (master_->space->direct(shape.lowest(), length) == transfer.memory && length == wanted) continue;
            const unsigned good = transfer.taken;
            transfer.memory = transfer.next = nullptr;
            refuse(transfer, {Resp::SlvErr, shape.beat(std::min(good, shape.beats - 1))}, "the memory was exchanged meanwhile");
            transfer.good = good;
        }
}

// An address: find out at once where it leads.
void AxiMaster::accept(bool write) {
    busy_ = room_changed_ = true;
    (write ? aw_stall_ : ar_stall_).decided = false;
    const AddressPins &pins = write ? aw_ : ar_;
    Transfer &transfer = *(write ? writes_ : reads_).take();
    transfer.shape = read_address(*this, pins, write ? "AW" : "AR", protocol_, bus_);
    const Shape &shape = transfer.shape;
    transfer.id = pins.id.get();
    transfer.write = write;
    transfer.phase = write ? Phase::Data : Phase::Wait;
    transfer.straight = true;
    transfer.resp = Resp::Okay;
    transfer.good = shape.beats;
    transfer.taken = 0;
    transfer.memory = transfer.next = nullptr;
    transfer.stored = 0;
    transfer.latency = latency_;
    Space *space = master_->space;
    if (!space) {
        refuse(transfer, {Resp::DecErr, shape.address}, "this master sees no memory at all");
    } else {
        (write ? space->statistics.writes : space->statistics.reads) += 1;
        const uint64_t low = shape.lowest(), wanted = shape.highest() - low + 1;
        const Resp resp = space->disturbed(low, wanted, transfer.latency);
        uint64_t length = wanted;
        if (resp != Resp::Okay) {
            refuse(transfer, {resp, shape.address}, "injected");
        } else if (uint8_t *memory = space->direct(low, length); memory && length == wanted) {
            transfer.memory = memory;
            if (shape.kind == BurstKind::Incr && shape.bytes == bus_ && shape.aligned() == shape.address) transfer.next = memory;
            if (!write) space->statistics.bytes_read += shape.total();
        } else {
            transfer.straight = false;
            transfer.data.assign(uint64_t{shape.beats} * shape.bytes, 0);
            if (write) transfer.strobes.assign(uint64_t{shape.beats} * shape.bytes, 0);
            if (!write) ++reads_.asking;
        }
    }
    transfer.due = cycle_ + transfer.latency - 1;
    if (!write) return;
    if (!receiving_) receiving_ = &transfer;
    if (!early_.empty()) take_early();
}

void AxiMaster::refuse(Transfer &transfer, const Result &result, const char *why) {
    transfer.resp = result.resp;
    transfer.good = 0;
    Space *space = master_->space;
    if (space) ++space->statistics.errors;
    const std::string what = *why && space ? space->name + ": " + text(result.resp) + " at " + hex(result.address) + " (" + why + ")"
                             : space       ? space->describe(result)
                                           : std::string(why);
    trouble_ = std::string(transfer.write ? "the write of " : "the read of ") + describe(transfer.shape) + " was answered " +
               text(result.resp) + ": " + what;
}

// -- data of writes --------------------------------------------------------------------------------------------------
AxiMaster::Transfer *AxiMaster::receiving(uint64_t id) {
    if (!wid_) return receiving_;
    for (unsigned i = 0; i < writes_.count; ++i)
        if (writes_.order[i]->phase == Phase::Data && writes_.order[i]->id == id) return writes_.order[i];
    return nullptr;
}

inline void AxiMaster::take_data() {
    busy_ = true;
    w_stall_.decided = false;
    const uint8_t *data = static_cast<const uint8_t *>(wdata_.at);
    const uint8_t *strobes = wstrb_ ? static_cast<const uint8_t *>(wstrb_.at) : kAllStrobes.data();
    const bool last = !wlast_ || wlast_.high();
    // The common case: within a burst of whole beats to memory.
    if (Transfer *transfer = wid_ ? nullptr : receiving_;
        transfer && transfer->next && !last && transfer->taken + 1 != transfer->shape.beats && all_lanes(strobes, bus_)) {
        move(transfer->next, data, bus_);
        transfer->next += bus_;
        transfer->stored += bus_;
        ++transfer->taken;
        return;
    }
    const uint64_t id = wid_ ? wid_.get() : 0;
    if (Transfer *transfer = receiving(id)) {
        take_beat(*transfer, data, strobes, last);
        return;
    }
    if (early_data_.empty()) {
        early_data_.resize(size_t{kEarly} * bus_);
        early_strobes_.resize(size_t{kEarly} * (kLanes / 8));
        early_.reserve(kEarly);
    }
    room_changed_ = true;
    const size_t index = early_.size();
    early_.push_back({id, last});
    std::memcpy(early_data_.data() + index * bus_, data, bus_);
    std::memcpy(early_strobes_.data() + index * (kLanes / 8), strobes, (bus_ + 7) / 8);
}

// Beats that came before their addresses.
void AxiMaster::take_early() {
    size_t kept = 0;
    for (size_t i = 0; i < early_.size(); ++i) {
        const uint8_t *data = early_data_.data() + i * bus_, *strobes = early_strobes_.data() + i * (kLanes / 8);
        if (Transfer *transfer = receiving(early_[i].id)) {
            take_beat(*transfer, data, strobes, early_[i].last);
            continue;
        }
        if (kept != i) {
            early_[kept] = early_[i];
            std::memcpy(early_data_.data() + kept * bus_, data, bus_);
            std::memcpy(early_strobes_.data() + kept * (kLanes / 8), strobes, kLanes / 8);
        }
        ++kept;
    }
    early_.resize(kept);
}

bool AxiMaster::take_beat(Transfer &transfer, const uint8_t *data, const uint8_t *strobes, bool last) {
    const Shape &shape = transfer.shape;
    if (transfer.next && all_lanes(strobes, bus_)) {
        move(transfer.next, data, bus_);
        transfer.next += bus_;
        transfer.stored += bus_;
    } else {
        const uint64_t address = shape.beat(transfer.taken);
        const unsigned first = static_cast<unsigned>(address & (bus_ - 1)), count = shape.length(transfer.taken);
        // A3.4.3: of a narrow or unaligned beat, only its own lanes are strobed.
        for (unsigned i = 0; i < bus_; ++i) {
            if (!lane(strobes, i) || (i >= first && i < first + count)) continue;
            broken(*this, "AXI_ERRM_WSTRB",
                   format("WSTRB marks byte lane %u in beat %u of ", i, transfer.taken) + describe(shape) +
                       format(", whose lanes are %u to %u", first, first + count - 1),
                   "A3.4.3");
            break;
        }
        uint8_t *to = nullptr, *marks = nullptr;
        if (transfer.memory) {
            to = transfer.memory + (address - shape.lowest());
        } else if (!transfer.straight) {
            const uint64_t at = uint64_t{transfer.taken} * shape.bytes + (address & (shape.bytes - 1));
            to = transfer.data.data() + at;
            marks = transfer.strobes.data() + at;
        }
        for (unsigned i = 0; to && i < count; ++i) {
            if (!lane(strobes, first + i)) continue;
            to[i] = data[first + i];
            if (marks) marks[i] = 1;
            ++transfer.stored;
        }
        if (transfer.next) transfer.next += bus_;
    }
    const bool whole = ++transfer.taken == shape.beats;
    if (whole != last)
        broken(*this, "AXI_ERRM_WDATA_NUM",
               format("WLAST is %s in beat %u of the write of ", last ? "high" : "low", transfer.taken) + describe(shape), "A3.4.1");
    if (whole) received(transfer);
    return whole;
}

void AxiMaster::received(Transfer &transfer) {
    transfer.phase = Phase::Wait;
    transfer.due = cycle_ + transfer.latency - 1;
    if (!transfer.straight) ++writes_.asking;
    if (&transfer != receiving_) return;
    receiving_ = nullptr;
    for (unsigned i = 0; i < writes_.count && !receiving_; ++i)
        if (writes_.order[i]->phase == Phase::Data) receiving_ = writes_.order[i];
}

// -- slaves ----------------------------------------------------------------------------------------------------------
bool AxiMaster::first_of_id(const Queue &queue, const Transfer &transfer) const {
    for (unsigned i = 0; i < queue.count && queue.order[i] != &transfer; ++i)
        if (queue.order[i]->id == transfer.id) return false;
    return true;
}

// Transactions that don't lie in one memory. One of an ID at a time, since a later one must not overtake (A5.3).
void AxiMaster::ask(Queue &queue) {
    for (unsigned i = 0; i < queue.count && queue.asking; ++i) {
        Transfer &transfer = *queue.order[i];
        if (transfer.straight) continue;
        bool over = false;
        if (transfer.phase == Phase::Wait && cycle_ >= transfer.due && first_of_id(queue, transfer)) {
            transfer.phase = Phase::Ask;
            transfer.piece = 0;
            over = go_on(transfer, false);
        } else if (transfer.phase == Phase::Ask && !transfer.burst.waiting()) {
            over = go_on(transfer, true);
        } else {
            continue;
        }
        busy_ = true;
        if (!over) continue;
        transfer.phase = Phase::Ready;
        transfer.due = cycle_;
        --queue.asking;
    }
}

// Piece after piece of consecutive addresses: a WRAP burst has two, a FIXED one as many as beats. True: over.
bool AxiMaster::go_on(Transfer &transfer, bool begun) {
    const Shape &shape = transfer.shape;
    for (;;) {
        bool over;
        if (begun) {
            over = transfer.burst.resume();
        } else {
            const unsigned index = transfer.piece;
            const uint64_t address = shape.beat(index), lead = address & (shape.bytes - 1);
            unsigned beats = shape.beats - index;
            if (shape.kind == BurstKind::Fixed) beats = 1;
            if (shape.kind == BurstKind::Wrap)
                beats = std::min<unsigned>(beats, static_cast<unsigned>((shape.highest() + 1 - address) / shape.bytes));
            transfer.piece_beats = beats;
            const uint64_t at = uint64_t{index} * shape.bytes + lead;
            transfer.burst.counted = false;
            over = transfer.burst.begin(*master_->space, transfer.write, address, transfer.data.data() + at,
                                        uint64_t{beats} * shape.bytes - lead, &module,
                                        transfer.write ? transfer.strobes.data() + at : nullptr);
        }
        if (!over) return false;
        begun = false;
        if (const Result result = transfer.burst.result; result.resp != Resp::Okay) {
            const uint64_t from = shape.beat(transfer.piece) & ~uint64_t{shape.bytes - 1};
            const unsigned good = transfer.piece + static_cast<unsigned>((result.address - from) / shape.bytes);
            refuse(transfer, result, "");
            transfer.good = good;
            return true;
        }
        transfer.piece += transfer.piece_beats;
        if (transfer.piece >= shape.beats) return true;
    }
}

void AxiMaster::answered(Access &) {
    answered_ = true;
    wake();
}

bool AxiMaster::is_mine(const Access &access) const {
    for (const Queue *queue : {&reads_, &writes_})
        for (unsigned i = 0; i < queue->count; ++i)
            if (queue->order[i]->phase == Phase::Ask && queue->order[i]->burst.is_mine(access)) return true;
    return false;
}

// -- after the edge --------------------------------------------------------------------------------------------------
// The oldest that may be answered now; one of another ID may overtake.
AxiMaster::Transfer *AxiMaster::choose(Queue &queue) {
    for (unsigned i = 0; i < queue.count; ++i) {
        Transfer &transfer = *queue.order[i];
        if (transfer.phase == Phase::Data || (!transfer.straight && transfer.phase != Phase::Ready) || cycle_ < transfer.due)
            continue;
        if (i && !first_of_id(queue, transfer)) continue;
        return &transfer;
    }
    return nullptr;
}

void AxiMaster::place(const Transfer &transfer, uint8_t *lanes) const {
    std::memset(lanes, 0, bus_);
    const Shape &shape = transfer.shape;
    if (transfer.taken >= transfer.good) return;
    const uint64_t address = shape.beat(transfer.taken);
    const uint8_t *from = transfer.straight
                              ? transfer.memory + (address - shape.lowest())
                              : transfer.data.data() + uint64_t{transfer.taken} * shape.bytes + (address & (shape.bytes - 1));
    std::memcpy(lanes + (address & (bus_ - 1)), from, shape.length(transfer.taken));
}

inline void AxiMaster::put_beat(Transfer &transfer) {
    if (transfer.next) {
        move(rdata_.at, transfer.next, bus_);
        transfer.next += bus_;
    } else {
        uint8_t lanes[kLanes];
        place(transfer, lanes);
        rdata_.store(lanes);
    }
    const uint64_t resp = transfer.taken < transfer.good ? 0 : kResponses[static_cast<int>(transfer.resp)];
    if (resp != rresp_now_) rresp_.set(rresp_now_ = resp);
    if (!transfer.taken) rid_.set(transfer.id);
    rlast_.set(transfer.taken + 1 == transfer.shape.beats);
}

void AxiMaster::finished(Transfer &transfer) {
    if (transfer.memory) master_->space->statistics.bytes_written += transfer.stored;
    bresp_.set(kResponses[static_cast<int>(transfer.resp)]);
    bid_.set(transfer.id);
    record(transfer);
}

// A burst into the trace: what was asked for, the answer, and the bytes.
void AxiMaster::record(const Transfer &transfer) {
    Engine &engine = module.engine;
    if (!engine.tracing()) return;
    const Shape &shape = transfer.shape;
    engine.record(transfer.write ? TraceKind::BurstWrite : TraceKind::BurstRead, module.name + "/" + port, shape.address, shape.total());
    const uint8_t more[] = {static_cast<uint8_t>(transfer.resp), static_cast<uint8_t>(transfer.good >> 8), static_cast<uint8_t>(transfer.good)};
    engine.record_bytes(more, sizeof more);
    if (transfer.memory) engine.record_bytes(transfer.memory, shape.highest() - shape.lowest() + 1);
    if (transfer.straight) return;
    engine.record_bytes(transfer.data.data(), transfer.data.size());
    if (transfer.write) engine.record_bytes(transfer.strobes.data(), transfer.strobes.size());
}

void AxiMaster::drive() {
    if (in_reset()) return;
    answered_ = false;
    if (reads_.asking) ask(reads_);
    if (writes_.asking) ask(writes_);
    Random &random = module.engine.random;
    const auto idle = [&](Stalls::Channel &channel, bool counts = true) {
        if (!stalls_ || !stalls_.idle(channel, random, counts)) return false;
        busy_ |= counts;
        return true;
    };
    if (!rvalid_.high() && reads_.count) {
        if (!sending_) sending_ = choose(reads_);
        if (sending_ && !idle(r_stall_)) {
            put_beat(*sending_);
            rvalid_.set(true);
            busy_ = true;
        }
    }
    if (!bvalid_.high() && writes_.count) {
        if (!answering_) answering_ = choose(writes_);
        if (answering_ && !idle(b_stall_)) {
            finished(*answering_);
            bvalid_.set(true);
            busy_ = true;
        }
    }
    if (room_changed_ || stalls_) {
        room_changed_ = false;
        arready_.set(reads_.count < kDepth && !idle(ar_stall_, ar_seen_));
        awready_.set(writes_.count < kDepth && !idle(aw_stall_, aw_seen_));
        wready_.set(early_.size() < kEarly && !idle(w_stall_, w_seen_));
        arready_.flush();
        awready_.flush();
        wready_.flush();
    }
    rvalid_.flush();
    rlast_.flush();
    bvalid_.flush();
    if (!busy_ && !reads_.count && !writes_.count && early_.empty()) rest();
}

inline void AxiMaster::flush() {
    arready_.flush();
    awready_.flush();
    wready_.flush();
    rvalid_.flush();
    rlast_.flush();
    bvalid_.flush();
}

bool AxiMaster::stall(double probability, uint64_t cycles) {
    stalls_.set(probability, cycles);
    room_changed_ = true;
    wake();
    return true;
}

bool AxiMaster::counting(const Queue &queue) const {
    for (unsigned i = 0; i < queue.count; ++i)
        if (queue.order[i]->phase == Phase::Wait && cycle_ < queue.order[i]->due) return true;
    return false;
}

bool AxiMaster::settled() const {
    return in_reset() || (!busy_ && !answered_ && !counting(reads_) && !counting(writes_));
}

void AxiMaster::reset(bool active) {
    for (Queue *queue : {&reads_, &writes_}) {
        while (queue->count) {
            queue->order[0]->burst.abandon();
            queue->release(queue->order[0]);
        }
        queue->asking = 0;
    }
    sending_ = receiving_ = answering_ = nullptr;
    early_.clear();
    for (ChannelWatch *watch : {&ar_watch_, &aw_watch_, &w_watch_}) watch->forget();
    for (Stalls::Channel *channel : {&ar_stall_, &aw_stall_, &w_stall_, &r_stall_, &b_stall_}) *channel = {};
    for (Driven *pin : {&rvalid_, &rlast_, &bvalid_}) pin->set(false);
    for (Driven *pin : {&arready_, &awready_, &wready_}) pin->set(false);
    flush();
    ar_seen_ = aw_seen_ = w_seen_ = false;
    room_changed_ = true;
    trouble_.clear();
    busy_ = true;
    answered_ = false;
    after_reset_ = !active;
    if (active)
        reset_since_ = module.cycle_of(*this);
    else if (module.cycle_of(*this) > reset_since_ + 1)
        check_after_reset();
}

// -- diagnosis -------------------------------------------------------------------------------------------------------
std::string AxiMaster::waits(const Transfer &transfer) const {
    const std::string what = (transfer.write ? " of the write of " : " of the read of ") + describe(transfer.shape);
    if (transfer.phase == Phase::Ask) {
        const uint64_t address = transfer.shape.beat(transfer.piece);
        const Space::Range *range = master_->space->find(address);
        return "waits for an answer" + (range ? " of " + range->name : std::string()) + what;
    }
    if (transfer.write && transfer.phase == Phase::Data)
        return format("waits for WVALID: %u of %u beats", transfer.taken, transfer.shape.beats) + what + " came";
    if (transfer.write) return "waits for BREADY: the response" + what + " is there";
    return format("waits for RREADY: %u of %u beats", transfer.taken, transfer.shape.beats) + what + " were taken";
}

std::string AxiMaster::explain() const {
    std::string out;
    const std::string who = module.name + " " + port + " ";
    const auto say = [&](const std::string &sentence) { out += (out.empty() ? "" : "; ") + who + sentence; };
    if (reads_.count) say(waits(*reads_.order[0]));
    if (writes_.count) say(waits(*writes_.order[0]));
    if (!early_.empty())
        say(format("waits for AWVALID: %zu %s of data came without an address", early_.size(), early_.size() == 1 ? "beat" : "beats"));
    if (!trouble_.empty()) say("got an error: " + trouble_);
    return out;
}

void AxiMaster::state(State &state) const {
    state[port + ".reads"] = uint64_t{reads_.count};
    state[port + ".writes"] = uint64_t{writes_.count};
    state[port + ".error"] = trouble_;
}

std::unique_ptr<BusModel> make_axi_master(Rtl &module, const std::string &port, const std::string &protocol, const Pins &pins,
                                          uint64_t latency) {
    return std::make_unique<AxiMaster>(module, port, axi_protocol(protocol), pins, latency);
}

}  // namespace pynq::sim::rtl
