// SPDX-License-Identifier: BSD-3-Clause
#include "space.hpp"

#include <algorithm>
#include <cstring>

#include "engine.hpp"

namespace pynq::sim {

void Space::map(Range range) {
    if (range.high < range.base)
        throw Error(Fault::Design, "space " + name + ": " + range.name + " ends at " + hex(range.high) + ", before its base " +
                                       hex(range.base));
    if (range.memory && !range.memory->covers(range.offset, range.high - range.base + 1))
        throw Error(Fault::Design, "space " + name + ": " + range.name + " at " + hex(range.base) + "-" + hex(range.high) +
                                       " is larger than memory " + range.memory->name + " (" + hex(range.memory->size) +
                                       " bytes)");
    auto after = std::lower_bound(ranges_.begin(), ranges_.end(), range.base,
                                  [](const Range &other, uint64_t base) { return other.base < base; });
    if (after != ranges_.end() && after->base == range.base && after->high == range.high && after->offset == range.offset &&
        after->memory == range.memory && after->slave == range.slave)
        return;
    const Range *clash = nullptr;
    if (after != ranges_.end() && after->base <= range.high) clash = &*after;
    if (after != ranges_.begin() && std::prev(after)->high >= range.base) clash = &*std::prev(after);
    if (clash)
        throw Error(Fault::Design, "space " + name + ": " + range.name + " at " + hex(range.base) + "-" + hex(range.high) +
                                       " overlaps " + clash->name + " at " + hex(clash->base) + "-" + hex(clash->high));
    ranges_.insert(after, std::move(range));
    recent_ = 0;
    ++version_;
}

void Space::unmap(const std::function<bool(const Range &)> &gone) {
    if (!std::erase_if(ranges_, gone)) return;
    recent_ = 0;
    ++version_;
}

const Space::Range *Space::find(uint64_t address) {
    if (recent_ < ranges_.size()) {
        const Range &range = ranges_[recent_];
        if (address >= range.base && address <= range.high) return &range;
    }
    auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                  [](uint64_t wanted, const Range &range) { return wanted < range.base; });
    if (after == ranges_.begin()) return nullptr;
    --after;
    if (address > after->high) return nullptr;
    recent_ = static_cast<size_t>(after - ranges_.begin());
    return &*after;
}

std::string Space::nearest(uint64_t address) const {
    if (ranges_.empty()) return "nothing answers at " + hex(address) + ": no range is mapped there at all";
    std::vector<std::pair<uint64_t, const Range *>> near;
    for (const Range &range : ranges_)
        near.emplace_back(address < range.base ? range.base - address : address - range.high, &range);
    std::stable_sort(near.begin(), near.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
    std::string out = "nothing answers at " + hex(address) + "; nearest:";
    for (size_t i = 0; i < near.size() && i < 3; ++i)
        out += (i ? ", " : " ") + near[i].second->name + " " + hex(near[i].second->base) + "-" + hex(near[i].second->high);
    return out;
}

std::string Space::describe(const Result &result) const {
    std::string out = name + ": " + text(result.resp) + " at " + hex(result.address);
    auto after = std::upper_bound(ranges_.begin(), ranges_.end(), result.address,
                                  [](uint64_t wanted, const Range &range) { return wanted < range.base; });
    if (after != ranges_.begin() && std::prev(after)->high >= result.address) {
        const Range &range = *std::prev(after);
        out += " (" + range.name + " + " + hex(result.address - range.base) + ")";
        if (const Component *closed = range.closed()) return out + ": " + closed->barrier;
        const std::string why = range.slave ? range.slave->owner->why_silent(*range.slave) : "";
        return why.empty() ? out : out + ": " + why;
    }
    return out + ": " + nearest(result.address);
}

Resp disturb(std::vector<Injection> &injections, Random &random, uint64_t low, uint64_t high, uint64_t &latency) {
    for (Injection &injection : injections) {
        if (!injection.count || high < injection.base || low > injection.high) continue;
        if (injection.probability < 1 && !random.chance(injection.probability)) continue;
        if (injection.count > 0) --injection.count;
        latency += injection.latency;
        if (injection.response != Resp::Okay) return injection.response;
    }
    return Resp::Okay;
}

Resp Space::disturbed(uint64_t address, uint64_t nbytes, uint64_t &latency) {
    if (injections.empty()) return Resp::Okay;
    return disturb(injections, engine_.random, address, address + (nbytes ? nbytes - 1 : 0), latency);
}

uint8_t *Space::direct(uint64_t address, uint64_t &nbytes) {
    const Range *range = find(address);
    if (!range || !range->memory || range->closed()) return nullptr;
    const uint64_t left = range->high - address;  // one less than the bytes left, which may be 2^64
    if (nbytes && nbytes - 1 > left) nbytes = left + 1;
    return range->memory->data() + range->offset + (address - range->base);
}

Resp Space::beat(SlavePort &port, Access &access) {
    if (port.owner->in_reset() || !port.owner->refusal.empty()) return Resp::SlvErr;
    if (port.range && access.offset >= port.range) return Resp::SlvErr;
    access.target = &port;
    port.owner->access(port, access);
    return access.resp;
}

bool Space::block(SlavePort &port, BurstAccess &access) {
    if (port.range && access.offset < port.range) access.nbytes = std::min(access.nbytes, port.range - access.offset);
    access.target = &port;
    if (port.owner->in_reset() || !port.owner->refusal.empty() || (port.range && access.offset >= port.range)) {
        access.resp = Resp::SlvErr;
        access.failed = access.offset;
        return true;
    }
    return port.owner->burst(port, access);
}

Result Space::read(uint64_t address, void *data, uint64_t nbytes) {
    Burst burst;
    if (burst.begin(*this, false, address, static_cast<uint8_t *>(data), nbytes, nullptr)) return burst.result;
    burst.abandon();
    return burst.result;
}

Result Space::write(uint64_t address, const void *data, uint64_t nbytes) {
    Burst burst;
    if (burst.begin(*this, true, address, const_cast<uint8_t *>(static_cast<const uint8_t *>(data)), nbytes, nullptr))
        return burst.result;
    burst.abandon();
    return burst.result;
}

bool Burst::begin(Space &space, bool write, uint64_t address, uint8_t *data, uint64_t nbytes, Component *waiter,
                  const uint8_t *strobes) {
    space_ = &space;
    write_ = write;
    address_ = address;
    data_ = data;
    strobes_ = strobes;
    left_ = nbytes;
    waiter_ = waiter;
    result = {};
    if (counted) (write ? space.statistics.writes : space.statistics.reads) += 1;
    return go_on();
}

bool Burst::end(Resp resp, uint64_t address) {
    if (resp != Resp::Okay && counted) ++space_->statistics.errors;
    result = {resp, address};
    space_ = nullptr;
    return true;
}

void Burst::copy(uint8_t *memory, uint64_t nbytes) {
    if (!write_)
        std::memcpy(data_, memory, nbytes);
    else if (!strobes_)
        std::memcpy(memory, data_, nbytes);
    else
        for (uint64_t i = 0; i < nbytes; ++i)
            if (strobes_[i]) memory[i] = data_[i];
}

void Burst::advance(uint64_t nbytes) {
    (write_ ? space_->statistics.bytes_written : space_->statistics.bytes_read) += nbytes;
    address_ += nbytes;
    data_ += nbytes;
    if (strobes_) strobes_ += nbytes;
    left_ -= nbytes;
}

bool Burst::go_on() {
    while (left_) {
        const Space::Range *range = space_->find(address_);
        if (!range) return end(Resp::DecErr, address_);
        const uint64_t offset = range->offset + (address_ - range->base);
        uint64_t piece = left_;
        if (piece - 1 > range->high - address_) piece = range->high - address_ + 1;
        if (const Component *closed = range->closed()) {
            if (closed->barrier_resp != Resp::Okay) return end(closed->barrier_resp, address_);
            if (!write_) std::memset(data_, 0, piece);
            advance(piece);
            continue;
        }
        if (range->memory) {
            copy(range->memory->data() + offset, piece);
            advance(piece);
            continue;
        }
        SlavePort &port = *range->slave;
        lane_ = offset % port.width;
        access_ = {};
        access_.write = write_;
        access_.waiter = waiter_;
        block_ = false;
        if (piece > port.width - lane_) {
            access_.offset = access_.failed = offset;
            access_.data = data_;
            access_.strobes = strobes_;
            access_.nbytes = piece;
            block_ = space_->block(port, access_);
        }
        if (block_) {
            count_ = access_.nbytes;
        } else {
            count_ = std::min(piece, port.width - lane_);
            access_.offset = offset - lane_;
            access_.strobe = static_cast<uint8_t>(ones(static_cast<unsigned>(count_)) << lane_);
            if (strobes_)
                for (uint64_t i = 0; i < count_; ++i)
                    if (!strobes_[i]) access_.strobe &= static_cast<uint8_t>(~(1u << (lane_ + i)));
            if (!access_.strobe) {  // nothing of this beat is written
                advance(count_);
                continue;
            }
            if (write_) std::memcpy(reinterpret_cast<uint8_t *>(&access_.value) + lane_, data_, count_);
            access_.resp = space_->beat(port, access_);
        }
        if (!access_.done) return false;
        if (!beat_over()) return true;
    }
    return end(Resp::Okay, address_);
}

// True: go on with the next beat.
bool Burst::beat_over() {
    if (access_.resp != Resp::Okay) {
        const uint64_t good = block_ ? access_.failed - access_.offset : 0;
        const Resp resp = access_.resp;
        advance(good);
        end(resp, address_);
        return false;
    }
    if (!write_ && !block_) std::memcpy(data_, reinterpret_cast<uint8_t *>(&access_.value) + lane_, count_);
    advance(count_);
    return true;
}

bool Burst::resume() { return !beat_over() || go_on(); }

void Burst::abandon() {
    if (!waiting()) return;
    space_->engine_.abandon(access_);
    end(Resp::SlvErr, address_);
}

}  // namespace pynq::sim
