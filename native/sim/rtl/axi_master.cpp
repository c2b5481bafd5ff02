// SPDX-License-Identifier: BSD-3-Clause
#include "rtl.hpp"

namespace pynq::sim::rtl {

std::unique_ptr<BusModel> make_axi_master(Rtl &module, const std::string &port, const std::string &, const Pins &, uint64_t) {
    throw Error(Fault::Design, module.name + " " + port + ": there is no model of AXI masters yet");
}

}  // namespace pynq::sim::rtl
