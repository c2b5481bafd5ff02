// SPDX-License-Identifier: BSD-3-Clause
// Making of a verilated module: which pin belongs to what.
#include <algorithm>

#include "../engine.hpp"
#include "rtl.hpp"
#include "stream_model.hpp"

namespace pynq::sim::rtl {

namespace {

// Two instances of a module get different numbers, two runs the same ones.
uint64_t seed_of(uint64_t seed, const std::string &cell) {
    uint64_t hash = 0xcbf29ce484222325u ^ seed;
    for (const char letter : cell) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3u;
    return Random(hash).next();
}

}  // namespace

Rtl::Rtl(Engine &owner, std::string cell, std::string component_kind, Clock &component_clock, const std::string &file,
         const std::vector<std::string> &folders, Hook log)
    : Component(owner, std::move(cell), std::move(component_kind), component_clock), library(file),
      model_(std::make_unique<Model>(name, library, folders, seed_of(owner.options.seed, name))), log_(std::move(log)), event_(this) {}

Rtl::~Rtl() {
    if (observer) observer->gone();
    for (Domain &domain : domains_) domain.clock->forget(this);
}

Pin Rtl::take_pin(const std::string &pin, const std::string &what) {
    if (begun_) throw Error(Fault::Design, name + ": " + what + " was added after begin()");
    const Pin found = model_->pin(pin);
    if (!found) {
        std::string names;
        const pynq_rtl_design &design = model_->design();
        for (uint32_t i = 0; i < design.port_count; ++i) names += (i ? ", " : "") + std::string(design.ports[i].name);
        throw Error(Fault::Design, name + ": " + what + ": module " + design.top + " has no port \"" + pin + "\"; it has " +
                                       (names.empty() ? "none" : names));
    }
    const auto [used, fresh] = used_.emplace(pin, what);
    if (!fresh) throw Error(Fault::Design, name + ": " + what + ": port \"" + pin + "\" is used already, by " + used->second);
    return found;
}

Pins Rtl::take_pins(const std::string &port, const std::map<std::string, std::string> &pins) {
    Pins out;
    for (const auto &[logical, pin] : pins) out.emplace(logical, take_pin(pin, port + " " + logical));
    return out;
}

void Rtl::add_clock(const std::string &pin, Clock &given) {
    const Pin found = take_pin(pin, "clock");
    if (found.output || found.bits != 1) throw Error(Fault::Design, name + ": clock " + pin + " is no input of one bit");
    Domain &domain = domains_.emplace_back();
    domain.name = pin;
    domain.pin = found;
    domain.clock = &given;
    given.listen(this);
}

void Rtl::add_reset(const std::string &pin, bool active_low) {
    const Pin found = take_pin(pin, "reset");
    if (found.output || found.bits != 1) throw Error(Fault::Design, name + ": reset " + pin + " is no input of one bit");
    check_free(pin);
    Reset &reset = resets_.emplace_back();
    reset.name = pin;
    reset.pin = found;
    reset.active_low = active_low;
    reset.wire = &wires.emplace_back(this, pin, static_cast<unsigned>(wires.size()), false, 1, 0);
}

size_t Rtl::domain_index(const std::string &clock_pin, const std::string &port) const {
    std::string names;
    for (size_t i = 0; i < domains_.size(); ++i) {
        if (domains_[i].name == clock_pin) return i;
        names += (i ? ", " : "") + domains_[i].name;
    }
    throw Error(Fault::Design, name + " " + port + ": no clock \"" + clock_pin + "\"; there is " + (names.empty() ? "none" : names));
}

int Rtl::reset_index(const std::string &reset, const std::string &port) const {
    if (reset.empty()) return -1;
    std::string names;
    for (size_t i = 0; i < resets_.size(); ++i) {
        if (resets_[i].name == reset) return static_cast<int>(i);
        names += (i ? ", " : "") + resets_[i].name;
    }
    throw Error(Fault::Design, name + " " + port + ": no reset \"" + reset + "\"; there is " + (names.empty() ? "none" : names));
}

void Rtl::adopt(std::unique_ptr<BusModel> model, const std::string &clock_pin, const std::string &reset) {
    Domain &domain = domains_[domain_index(clock_pin, model->port)];
    model->domain_ = static_cast<unsigned>(&domain - &domains_.front());
    for (const Pin &pin : model->watch)
        if (!pin || pin.bits != 1 || !pin.output) throw Error(Fault::Design, name + " " + model->port + ": only outputs of one bit can be watched");
    if (const int index = reset_index(reset, model->port); index >= 0) {
        model->has_reset_ = true;
        model->reset_line_ = static_cast<unsigned>(index);
        resets_[model->reset_line_].models.push_back(model.get());
    }
    if (auto *feed = dynamic_cast<StreamFeed *>(model.get()))
        domain.feeds.push_back(feed);
    else if (auto *drain = dynamic_cast<StreamDrain *>(model.get()))
        domain.drains.push_back(drain);
    else
        domain.models.push_back(model.get());
    models_.push_back(std::move(model));
}

SlavePort &Rtl::new_slave(BusModel &model, unsigned width, uint64_t range) {
    check_free(model.port);
    slaves.push_back({this, model.port, static_cast<unsigned>(slave_models_.size()), width, range});
    slave_models_.push_back(&model);
    return slaves.back();
}

MasterPort &Rtl::new_master(BusModel &model, unsigned width, uint64_t latency) {
    check_free(model.port);
    masters.push_back({this, model.port, static_cast<unsigned>(master_models_.size()), width, latency});
    master_models_.push_back(&model);
    return masters.back();
}

void Rtl::add_slave(const std::string &port, const std::string &protocol, const std::map<std::string, std::string> &pins,
                    const std::string &clock_pin, const std::string &reset, uint64_t range) {
    domain_index(clock_pin, port);
    reset_index(reset, port);
    adopt(make_axi_slave(*this, port, protocol, take_pins(port, pins), range), clock_pin, reset);
}

void Rtl::add_master(const std::string &port, const std::string &protocol, const std::map<std::string, std::string> &pins,
                     const std::string &clock_pin, const std::string &reset, uint64_t latency) {
    domain_index(clock_pin, port);
    reset_index(reset, port);
    adopt(make_axi_master(*this, port, protocol, take_pins(port, pins), latency), clock_pin, reset);
}

void Rtl::add_stream(const std::string &port, const std::map<std::string, std::string> &pins, bool source,
                     const std::string &clock_pin, const std::string &reset) {
    domain_index(clock_pin, port);
    reset_index(reset, port);
    check_free(port);
    auto model = make_stream(*this, port, source, take_pins(port, pins));
    streams.push_back({this, port, static_cast<unsigned>(stream_models_.size()), source});
    model->stream = &streams.back();
    stream_models_.push_back(model.get());
    adopt(std::move(model), clock_pin, reset);
}

void Rtl::add_pin(const std::string &pin) {
    const Pin found = take_pin(pin, "pin");
    if (found.bits > 64) throw Error(Fault::Design, name + ": pin " + pin + format(" has %u bits; 1 to 64 are possible", found.bits));
    check_free(pin);
    wires.emplace_back(this, pin, static_cast<unsigned>(wires.size()), found.output, found.bits, 0);
    WirePort *wire = &wires.back();
    if (found.output)
        outputs_.push_back({found, wire});
    else
        inputs_.push_back({found, wire});
}

void Rtl::begin() {
    if (begun_) throw Error(Fault::Design, name + ": begin() was called twice");
    begun_ = true;
    // What nobody drives lies at 0, but for resets, which are held active until their nets are known.
    for (Domain &domain : domains_) domain.pin.put(false);
    for (Reset &reset : resets_) reset.pin.put(!reset.active_low);
    Reset &none = resets_.emplace_back();
    for (const auto &model : models_) {
        model->reset(true);
        if (model->has_reset()) continue;
        model->reset_line_ = static_cast<unsigned>(resets_.size() - 1);
        none.models.push_back(model.get());
    }
    inputs_changed_ = true;
    tells_time_ = (model_->design().flags & PYNQ_RTL_TIME) && model_->design().set_time;
    size_t size = 0;
    model_->state(size);
    least_patience_ = patience_ = 2 + size / 4096;
    if (!evaluate()) return;
    make_windows();
    for (const auto &model : models_)
        for (const Pin &pin : model->watch) watched_.push_back(static_cast<const uint8_t *>(pin.at));
    drive_outputs();
    if (model_->spoke) deliver_lines();
    schedule_next();
}

// Ports are members of one object and lie near each other, so looking at eight bytes from an output on meets other ports,
// or padding between them.
void Rtl::make_windows() {
    constexpr ptrdiff_t kOneObject = 1 << 16;
    const uint8_t *lowest = nullptr, *highest = nullptr;
    const pynq_rtl_design &design = model_->design();
    for (uint32_t i = 0; i < design.port_count; ++i) {
        const Pin pin = model_->pin(design.ports[i].name);
        const auto *at = static_cast<const uint8_t *>(pin.at);
        if (!lowest || at < lowest) lowest = at;
        if (!highest || at + pin.storage() > highest) highest = at + pin.storage();
    }
    const bool one_object = highest - lowest >= 8 && highest - lowest < kOneObject;
    for (const Output &output : outputs_) {
        if (!one_object) {
            lone_.push_back(output);
            continue;
        }
        const auto *begin = static_cast<const uint8_t *>(output.pin.at), *end = begin + output.pin.storage();
        for (const uint8_t *at = begin; at < end; ++at) {
            const auto holds = [&](const Window &window) { return at >= window.at && at < window.at + 8; };
            auto found = std::find_if(windows_.begin(), windows_.end(), holds);
            if (found == windows_.end()) found = windows_.insert(found, {std::min(at, highest - 8), 0, 0});
            found->mask |= uint64_t{0xff} << (8 * (at - found->at));
        }
    }
}

// Long names of which rtl.cpp needs only the result.
Clock &Rtl::clock_of(const BusModel &model) const { return *domains_[model.domain_].clock; }

uint64_t Rtl::cycle_of(const BusModel &model) const { return clock_of(model).cycles(engine.now()); }

}  // namespace pynq::sim::rtl
