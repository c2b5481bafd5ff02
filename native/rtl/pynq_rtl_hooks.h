/* SPDX-License-Identifier: BSD-3-Clause
 * Included before everything else in whatever is compiled for a verilated design: where Verilator's runtime prints. */
#ifndef PYNQ_RTL_HOOKS_H
#define PYNQ_RTL_HOOKS_H

__attribute__((format(printf, 1, 2))) void pynq_rtl_printf(const char *format, ...);
#define VL_PRINTF pynq_rtl_printf

#endif
