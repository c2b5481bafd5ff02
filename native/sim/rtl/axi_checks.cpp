// SPDX-License-Identifier: BSD-3-Clause
#include "axi_checks.hpp"

#include <algorithm>
#include <cstring>

#include "rtl.hpp"

namespace pynq::sim::rtl {

namespace {

// What goes with each channel's VALID (A2.2 to A2.6).
const char *const kAddressFields[] = {"ID",   "ADDR", "LEN", "SIZE",   "BURST", "LOCK",
                                      "CACHE", "PROT", "QOS", "REGION", "USER"};
const char *const kWriteFields[] = {"ID", "DATA", "STRB", "LAST", "USER"};
const char *const kAnswerFields[] = {"ID", "DATA", "RESP", "LAST", "USER"};

size_t storage(const Pin &pin) { return pin.bytes ? pin.bytes : (pin.bits + 31) / 32 * 4; }

}  // namespace

Axi axi_protocol(const std::string &name) {
    if (name == "AXI4LITE") return Axi::Lite;
    if (name == "AXI4") return Axi::Axi4;
    if (name == "AXI3") return Axi::Axi3;
    throw Error(Fault::Design, "protocol \"" + name + "\" of an AXI bus; AXI4LITE, AXI4 and AXI3 are possible");
}

uint64_t Shape::beat(unsigned index) const {
    if (index == 0 || kind == BurstKind::Fixed) return address;
    const uint64_t plain = aligned() + uint64_t{index} * bytes;
    if (kind == BurstKind::Incr) return plain;
    const uint64_t size = uint64_t{beats} * bytes, low = lowest();
    return low + (plain - low) % size;
}

uint64_t Shape::lowest() const {
    if (kind != BurstKind::Wrap) return address;
    const uint64_t size = uint64_t{beats} * bytes;
    return address / size * size;
}

uint64_t Shape::highest() const {
    switch (kind) {
    case BurstKind::Fixed: return aligned() + bytes - 1;
    case BurstKind::Wrap: return lowest() + uint64_t{beats} * bytes - 1;
    default: return aligned() + uint64_t{beats} * bytes - 1;
    }
}

uint64_t Shape::total() const {
    return kind == BurstKind::Fixed ? uint64_t{beats} * length(0) : uint64_t{beats} * bytes - (address & (bytes - 1));
}

std::string describe(const Shape &shape) {
    return format("%u %s of %u %s", shape.beats, shape.beats == 1 ? "beat" : "beats", shape.bytes,
                  shape.bytes == 1 ? "byte" : "bytes") +
           (shape.kind == BurstKind::Fixed ? " at " : " from ") + hex(shape.address) +
           (shape.kind == BurstKind::Wrap ? " on (WRAP)" : shape.kind == BurstKind::Fixed ? " (FIXED)" : " on");
}

Pin find_pin(const Pins &pins, const std::string &name) {
    const auto found = pins.find(name);
    return found == pins.end() ? Pin{} : found->second;
}

void broken(BusModel &bus, const std::string &rule, const std::string &text, const char *clause) {
    bus.module.violation(rule.c_str(), bus.port, clause, text);
}

void check_reset(BusModel &bus, const char *channel, char side) {
    broken(bus, std::string("AXI_ERR") + side + "_" + channel + "VALID_RESET",
           std::string(channel) + "VALID is high at the first edge after reset", "A3.1.2");
}

// -- pins ------------------------------------------------------------------------------------------------------------
AxiPins::AxiPins(const Pins &pins, const BusModel &bus, Axi protocol, bool module_asks)
    : reader_(pins, bus.module.name + " " + bus.port + (protocol == Axi::Lite ? " (AXI4-Lite)" : protocol == Axi::Axi4 ? " (AXI4)" : " (AXI3)")),
      protocol_(protocol), module_asks_(module_asks), writes_(pins.count("AWVALID") != 0), reads_(pins.count("ARVALID") != 0) {
    if (!writes_ && !reads_) writes_ = reads_ = true;  // so that what is missing is told
    for (const char *name : {"AWUSER", "ARUSER", "WUSER", "BUSER", "RUSER"}) reader_.ignore(name);
}

AddressPins AxiPins::address(const std::string &channel) {
    const auto take = [&](const char *field, unsigned low, unsigned high) {
        return maybe((channel + field).c_str(), !module_asks_, low, high);
    };
    AddressPins pins;
    const std::string address = channel + "ADDR";
    pins.address = module_asks_ ? from_module(address.c_str(), 1, 64) : to_module(address.c_str(), 1, 64);
    pins.id = take("ID", 1, 64);
    pins.length = take("LEN", 1, 8);
    pins.size = take("SIZE", 1, 3);
    pins.burst = take("BURST", 1, 2);
    pins.lock = take("LOCK", 1, 2);
    pins.cache = take("CACHE", 1, 4);
    pins.protect = take("PROT", 1, 3);
    pins.region = take("REGION", 1, 4);
    pins.quality = take("QOS", 1, 4);
    return pins;
}

Pin AxiPins::data(const char *name, bool to_module) {
    const Pin pin = to_module ? reader_.input(name, 8, 1024) : reader_.output(name, 8, 1024);
    if (!pin) return pin;
    if (protocol_ == Axi::Lite && pin.bits != 32 && pin.bits != 64)
        reader_.wrong(format("%s has %u bits; AXI4-Lite has 32 or 64 (IHI 0022 B1.1)", name, pin.bits));
    else if (pin.bits & (pin.bits - 1))
        reader_.wrong(format("%s has %u bits; 8, 16, 32, ... 1024 are possible (IHI 0022 A1.3.1)", name, pin.bits));
    if (data_bits_ && data_bits_ != pin.bits)
        reader_.wrong(format("%s has %u bits, and the other direction %u", name, pin.bits, data_bits_));
    data_bits_ = pin.bits;
    return pin;
}

Pin AxiPins::strobes(const Pin &data) {
    const Pin pin = maybe("WSTRB", !module_asks_, 1, 128);
    if (pin && data && pin.bits != data.bits / 8)
        reader_.wrong(format("WSTRB has %u bits; a bus of %u bits has %u (IHI 0022 A2.3)", pin.bits, data.bits, data.bits / 8));
    return pin;
}

void AxiPins::check() { reader_.check(); }

// -- stability -------------------------------------------------------------------------------------------------------
ChannelWatch::ChannelWatch(BusModel &bus, const Pins &pins, const char *prefix, char side)
    : bus_(bus), prefix_(prefix), side_(side) {
    size_t at = 0;
    const auto add = [&](const char *field) {
        const Pin pin = find_pin(pins, prefix_ + field);
        if (!pin) return;
        fields_.push_back({prefix_ + field, pin, at, storage(pin), !std::strcmp(field, "DATA")});
        at += storage(pin);
    };
    if (prefix_.size() == 2)
        for (const char *field : kAddressFields) add(field);
    else if (prefix_ == "W")
        for (const char *field : kWriteFields) add(field);
    else
        for (const char *field : kAnswerFields) add(field);
    saved_.resize(at);
}

void ChannelWatch::save() {
    for (const Field &field : fields_) {
        std::memcpy(saved_.data() + field.at, field.pin.at, field.size);
        if (prefix_ == "W" && field.name == "WSTRB") {
            strobes_.assign(saved_.begin() + static_cast<std::ptrdiff_t>(field.at),
                            saved_.begin() + static_cast<std::ptrdiff_t>(field.at + field.size));
            lanes = strobes_.data();
        }
    }
}

bool ChannelWatch::equal(const Field &field) const {
    const uint8_t *before = saved_.data() + field.at, *now = static_cast<const uint8_t *>(field.pin.at);
    if (!std::memcmp(before, now, field.size)) return true;
    if (!field.data || !lanes) return false;
    // Bytes that nobody looks at may change.
    for (uint32_t byte = 0; byte < field.pin.size(); ++byte)
        if (lanes[byte / 8] >> (byte % 8) & 1 && before[byte] != now[byte]) return false;
    return true;
}

void ChannelWatch::look_closely(bool valid, bool ready) {
    const std::string rule = std::string("AXI_ERR") + side_ + "_";
    if (held_ && !valid) {
        held_ = false;
        broken(bus_, rule + prefix_ + "VALID_STABLE", prefix_ + "VALID fell before " + prefix_ + "READY came", "A3.2.1");
        return;
    }
    if (held_) {
        for (const Field &field : fields_) {
            if (equal(field)) continue;
            broken(bus_, rule + field.name + "_STABLE",
                   field.name + " changed while " + prefix_ + "VALID was high and " + prefix_ + "READY low", "A3.2.1");
            save();
            break;
        }
    } else {
        save();
    }
    held_ = !ready;
}

// -- addresses -------------------------------------------------------------------------------------------------------
Shape read_address(BusModel &bus, const AddressPins &pins, const char *channel, Axi protocol, unsigned bus_bytes) {
    Shape shape;
    shape.address = pins.address.get();
    shape.bytes = bus_bytes;
    if (protocol == Axi::Lite) return shape;  // one beat as wide as the bus (B1.1)
    shape.beats = static_cast<unsigned>(pins.length.get()) + 1;
    const auto rule = [&](const char *what) { return std::string("AXI_ERRM_") + channel + what; };
    if (pins.size) {
        shape.bytes = 1u << pins.size.get();
        if (shape.bytes > bus_bytes) {
            broken(bus, rule("SIZE"),
                   format("%sSIZE says %u bytes a beat on a bus of %u", channel, shape.bytes, bus_bytes), "A3.4.1");
            shape.bytes = bus_bytes;
        }
    }
    const uint64_t kind = pins.burst ? pins.burst.get() : 1;
    if (kind == 3)
        broken(bus, rule("BURST"), std::string(channel) + "BURST is 0b11, which is reserved", "A3.4.1, table A3-3");
    shape.kind = kind == 0 ? BurstKind::Fixed : kind == 2 ? BurstKind::Wrap : BurstKind::Incr;

    if (protocol == Axi::Axi3 && shape.beats > 16)
        broken(bus, rule("LEN"), describe(shape) + ": AXI3 has at most 16", "A3.4.1");
    if (shape.kind == BurstKind::Fixed && shape.beats > 16)
        broken(bus, rule("LEN_FIXED"), describe(shape) + ": a FIXED burst has at most 16", "A3.4.1");
    if (shape.kind == BurstKind::Wrap) {
        if (shape.beats != 2 && shape.beats != 4 && shape.beats != 8 && shape.beats != 16) {
            broken(bus, rule("LEN_WRAP"), describe(shape) + ": a WRAP burst has 2, 4, 8 or 16", "A3.4.1");
            shape.kind = BurstKind::Incr;
        }
        if (shape.address & (shape.bytes - 1)) {
            broken(bus, rule("ADDR_WRAP_ALIGN"), describe(shape) + ": a WRAP burst begins at a multiple of its beat", "A3.4.1");
            shape.address = shape.aligned();
        }
    }
    if (shape.kind == BurstKind::Incr && shape.address >> 12 != shape.highest() >> 12)
        broken(bus, rule("ADDR_BOUNDARY"), describe(shape) + " cross a 4 KiB boundary", "A3.4.1");
    if (pins.cache)
        if (const uint64_t cache = pins.cache.get(); !(cache & 2) && cache & 12)
            broken(bus, rule("CACHE"), std::string(channel) + "CACHE is " + hex(cache) + ": allocation of what is not modifiable", "A4.4");
    if (pins.lock) {
        const uint64_t lock = pins.lock.get();
        if (protocol == Axi::Axi3 && lock == 3) broken(bus, rule("LOCK"), std::string(channel) + "LOCK is 0b11, which is reserved", "A7.4");
        const uint64_t bytes = uint64_t{shape.beats} * shape.bytes;
        if (lock == 1 && (bytes > 128 || (bytes & (bytes - 1)) || shape.beats > 16))
            broken(bus, "AXI_ERRM_EXCL_LEN",
                   "an exclusive access of " + describe(shape) + ": a power of 2 up to 128 bytes, in at most 16 beats, is possible",
                   "A7.2.4");
        else if (lock == 1 && shape.address & (bytes - 1))
            broken(bus, "AXI_ERRM_EXCL_ALIGN", "an exclusive access of " + describe(shape) + " is not aligned to its whole", "A7.2.4");
    }
    return shape;
}

}  // namespace pynq::sim::rtl
