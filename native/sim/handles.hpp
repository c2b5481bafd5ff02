// SPDX-License-Identifier: BSD-3-Clause
// The handles of those that in Python are a Component as well, and more.
#pragma once

#include "host.hpp"
#include "python.hpp"
#include "rtl/rtl.hpp"

namespace pynq::sim {

struct HostHandle : Handle<Component> {
    Host &host() const { return *static_cast<Host *>(part.get()); }
};

struct RtlHandle : Handle<Component> {
    rtl::Rtl &rtl() const { return *static_cast<rtl::Rtl *>(part.get()); }
};

}  // namespace pynq::sim
