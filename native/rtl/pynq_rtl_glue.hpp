// SPDX-License-Identifier: BSD-3-Clause
// What the runtime needs of one verilated design. The file that the builder generates defines PYNQ_RTL_FLAGS, includes
// this, and defines the tables and the ports.
#pragma once

#include "pynq_rtl_runtime.hpp"

#include "Vdut.h"
#include "Vdut__Syms.h"

#include "verilated_vcd_c.h"

namespace pynq_rtl::dut {

inline Vdut &self(void *dut) { return *static_cast<Vdut *>(dut); }

// No name: what the RTL prints with %m begins with the top module, as in other simulators.
void *make(VerilatedContext &context) { return new Vdut{&context, ""}; }
void unmake(void *dut) { delete &self(dut); }
void eval(void *dut) { self(dut).eval(); }
void finish(void *dut) { self(dut).final(); }
void trace(void *dut, VerilatedVcdC &tracer) { self(dut).trace(&tracer, 99); }
void *state(void *dut, size_t *size) {
    *size = PYNQ_RTL_FLAGS & 0xff ? 0 : sizeof(Vdut__Syms);
    return self(dut).rootp->vlSymsp;
}

}  // namespace pynq_rtl::dut

// The one symbol that a design's library exports.
#define PYNQ_RTL_DESIGN(top, port_count)                                                                               \
    extern "C" {                                                                                                       \
    extern __attribute__((visibility("default"))) const pynq_rtl_design pynq_rtl_design_v1;                            \
    const pynq_rtl_design pynq_rtl_design_v1 = {                                                                       \
        PYNQ_RTL_ABI,      sizeof(pynq_rtl_design), PYNQ_RTL_FLAGS,     top,                                           \
        pynq_rtl::dut::ports, port_count,           pynq_rtl::create,   pynq_rtl::destroy,                             \
        pynq_rtl::port,    pynq_rtl::eval,          pynq_rtl::event,    pynq_rtl::set_time,                            \
        pynq_rtl::prints,  pynq_rtl::state,         pynq_rtl::signals,  pynq_rtl::sample,                              \
        pynq_rtl::changes, pynq_rtl::write_coverage};                                                                  \
    }
