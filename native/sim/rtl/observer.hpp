// SPDX-License-Identifier: BSD-3-Clause
// Who looks at a verilated module while it runs: waves, triggers.
#pragma once

#include "../types.hpp"

namespace pynq::sim::rtl {

class Rtl;

// `Rtl` has a member `Observer *observer = nullptr`. While it is set, each cycle at edge time t of one of the module's
// clocks goes as always, with two calls more:
//
//   clock low, eval, observed(t - period / 2), sample, clock high, eval, drive, eval, observed(t)
//
// The eval after drive() lets what hangs combinationally on the module's inputs take its level at the edge, where a real
// bus has it; without an observer it is left out, since the next low phase does the same. Where pins of the module change
// outside of a cycle (a wire from outside, a reset), an eval and observed(now) follow as well. Times of one module never go
// back; those of different modules may, by half a period of the slower clock.
class Observer {
  public:
    virtual void observed(Time time) = 0;
    // The module's model is about to be destroyed, or exchanged: forget it.
    virtual void gone() = 0;

  protected:
    ~Observer() = default;
};

}  // namespace pynq::sim::rtl
