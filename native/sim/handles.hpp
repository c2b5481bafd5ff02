// SPDX-License-Identifier: BSD-3-Clause
// The handle of a Host, which in Python is a Component as well.
#pragma once

#include "host.hpp"
#include "python.hpp"

namespace pynq::sim {

struct HostHandle : Handle<Component> {
    Host &host() const { return *static_cast<Host *>(part.get()); }
};

}  // namespace pynq::sim
