// SPDX-License-Identifier: BSD-3-Clause
// One access to a device's registers that are mapped into this process, and its order among accesses to memory.
//
// A beat is one load or store instruction of exactly the width asked for: on a real bus each is one AXI transfer, and
// two halves, or one more, are different programs. Arm's compilers may also choose loads and stores that write the
// address back, which a hypervisor can't emulate for a device; so the instruction is spelled out there.
//
// Order, as the kernel's readl() and writel() give it (Linux, Documentation/memory-barriers.txt, "Kernel I/O barrier
// effects"): what was stored to memory before a register is written is seen by the device before that write (buffers
// before the write that starts a DMA); what is loaded from memory after a register was read is loaded after that read
// (buffers after the status that says done). Registers among themselves are ordered by the kind of mapping (Device on
// Arm, uncached on x86), for which a program needs nothing. x86 keeps stores in order, and loads, by itself: there it
// is the compiler alone that has to be kept from moving them.
#pragma once

#include <cstdint>
#include <cstring>

#if !defined(__x86_64__) && !defined(__i386__) && !defined(__aarch64__) && !(defined(__arm__) && __ARM_ARCH >= 7)
#include <atomic>
#endif

namespace pynq {

// The widest single beat in bytes. 32-bit Arm has ldrd and strd, but only cores with LPAE do them in one access, and
// the Cortex-A9 of a Zynq-7000 has none (Arm DDI 0406C, A3.5.3).
constexpr uint8_t native_beat = sizeof(void *) == 8 ? 8 : 4;

// Before a register is written: the stores to memory so far come first.
inline void order_before_write() {
#if defined(__aarch64__)
    asm volatile("dmb oshst" ::: "memory");
#elif defined(__arm__) && __ARM_ARCH >= 7
    asm volatile("dsb st" ::: "memory");  // the kernel's choice here: the L2 cache of a Zynq-7000 is outside dmb's reach
#elif defined(__x86_64__) || defined(__i386__)
    asm volatile("" ::: "memory");
#else
    std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

// After a register was read: the loads from memory that follow come later.
inline void order_after_read() {
#if defined(__aarch64__)
    asm volatile("dmb oshld" ::: "memory");
#elif defined(__arm__) && __ARM_ARCH >= 7
    asm volatile("dmb osh" ::: "memory");  // ARMv7 has none for loads alone
#elif defined(__x86_64__) || defined(__i386__)
    asm volatile("" ::: "memory");
#else
    std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

// A beat without any order. `Word` is uint8_t to uint64_t, the pointer is aligned to it.
template <class Word> inline Word load_beat(const volatile uint8_t *p) {
    static_assert(sizeof(Word) <= native_beat);
#if defined(__aarch64__)
    Word value;
    if constexpr (sizeof(Word) == 1) asm volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(p) : "memory");
    else if constexpr (sizeof(Word) == 2) asm volatile("ldrh %w0, [%1]" : "=r"(value) : "r"(p) : "memory");
    else if constexpr (sizeof(Word) == 4) asm volatile("ldr %w0, [%1]" : "=r"(value) : "r"(p) : "memory");
    else asm volatile("ldr %0, [%1]" : "=r"(value) : "r"(p) : "memory");
    return value;
#elif defined(__arm__)
    Word value;
    if constexpr (sizeof(Word) == 1) asm volatile("ldrb %0, [%1]" : "=r"(value) : "r"(p) : "memory");
    else if constexpr (sizeof(Word) == 2) asm volatile("ldrh %0, [%1]" : "=r"(value) : "r"(p) : "memory");
    else asm volatile("ldr %0, [%1]" : "=r"(value) : "r"(p) : "memory");
    return value;
#else
    return *reinterpret_cast<const volatile Word *>(p);
#endif
}

template <class Word> inline void store_beat(volatile uint8_t *p, Word value) {
    static_assert(sizeof(Word) <= native_beat);
#if defined(__aarch64__)
    if constexpr (sizeof(Word) == 1) asm volatile("strb %w0, [%1]" ::"rZ"(value), "r"(p) : "memory");
    else if constexpr (sizeof(Word) == 2) asm volatile("strh %w0, [%1]" ::"rZ"(value), "r"(p) : "memory");
    else if constexpr (sizeof(Word) == 4) asm volatile("str %w0, [%1]" ::"rZ"(value), "r"(p) : "memory");
    else asm volatile("str %x0, [%1]" ::"rZ"(value), "r"(p) : "memory");
#elif defined(__arm__)
    if constexpr (sizeof(Word) == 1) asm volatile("strb %0, [%1]" ::"r"(value), "r"(p) : "memory");
    else if constexpr (sizeof(Word) == 2) asm volatile("strh %0, [%1]" ::"r"(value), "r"(p) : "memory");
    else asm volatile("str %0, [%1]" ::"r"(value), "r"(p) : "memory");
#else
    *reinterpret_cast<volatile Word *>(p) = value;
#endif
}

// Beats in order. `width` is 1, 2, 4 or 8 and at most native_beat.
inline uint64_t load(const volatile uint8_t *p, uint32_t width) {
    uint64_t value;
    switch (width) {
        case 1: value = load_beat<uint8_t>(p); break;
        case 2: value = load_beat<uint16_t>(p); break;
        case 4: value = load_beat<uint32_t>(p); break;
        default: value = load_beat<uintptr_t>(p); break;
    }
    order_after_read();
    return value;
}

inline void store(volatile uint8_t *p, uint32_t width, uint64_t value) {
    order_before_write();
    switch (width) {
        case 1: store_beat(p, static_cast<uint8_t>(value)); break;
        case 2: store_beat(p, static_cast<uint16_t>(value)); break;
        case 4: store_beat(p, static_cast<uint32_t>(value)); break;
        default: store_beat(p, static_cast<uintptr_t>(value)); break;
    }
}

// The same for consecutive registers, with the order for all of them at once.
template <class Word> void load_block(const volatile uint8_t *from, uint8_t *to, uint64_t nbytes) {
    for (uint64_t i = 0; i < nbytes; i += sizeof(Word)) {
        const Word word = load_beat<Word>(from + i);
        std::memcpy(to + i, &word, sizeof word);
    }
    order_after_read();
}

template <class Word> void store_block(volatile uint8_t *to, const uint8_t *from, uint64_t nbytes) {
    order_before_write();
    for (uint64_t i = 0; i < nbytes; i += sizeof(Word)) {
        Word word;
        std::memcpy(&word, from + i, sizeof word);
        store_beat(to + i, word);
    }
}

}  // namespace pynq
