// SPDX-License-Identifier: BSD-3-Clause
#include "pins.hpp"

#include "../types.hpp"

namespace pynq::sim::rtl {

Pin PinReader::take(const char *name, unsigned low, unsigned high, bool output, bool required) {
    known_.insert(name);
    const auto found = pins_.find(name);
    if (found == pins_.end()) {
        if (required) wrong_.push_back(std::string(name) + " is missing");
        return {};
    }
    const Pin &pin = found->second;
    const std::string who = std::string(name) + " (" + pin.name + ")";
    if (pin.output != output)
        wrong_.push_back(who + (output ? " is an input of the module, but must be an output"
                                       : " is an output of the module, but must be an input"));
    if (pin.bits < low || pin.bits > high)
        wrong_.push_back(who + (low == high ? format(" has %u bits; it must have %u", pin.bits, low)
                                            : format(" has %u bits; %u to %u are possible", pin.bits, low, high)));
    return pin;
}

void PinReader::check() {
    for (const auto &[name, pin] : pins_)
        if (!known_.count(name)) wrong_.push_back(name + " (" + pin.name + ") is no signal of this bus");
    if (wrong_.empty()) return;
    std::string text = where_ + ": ";
    for (size_t i = 0; i < wrong_.size(); ++i) text += (i ? "; " : "") + wrong_[i];
    throw Error(Fault::Design, text);
}

}  // namespace pynq::sim::rtl
