// SPDX-License-Identifier: BSD-3-Clause
// Stands where the code that Verilator generates for `--trace-vcd` (5.006: `--trace`) looks for Verilator's VCD writer, and
// takes what that code tells: the declarations fill a table of signals, the values go into one flat array of 32-bit words.
// Nothing is written; the engine reads the array and makes the waves.
//
// What the generated code calls differs between versions:
// - 5.006: `tracep->declBus(code, name, is_array, index, msb, lsb)`, scopes by `pushNamePrefix("u ")`, where a blank ends a
//   level and a character before it tells the kind (0x80 + the number that the FST format has for it);
// - from about 5.014: `declBus(code, fidx, name, type_number, direction, kind, type, is_array, index, msb, lsb)`;
// - later (5.48): macros VL_TRACE_DECL_BUS(tracep, code, fidx, name, ...) and VL_TRACE_PUSH_PREFIX(tracep, name, type, ...).
#pragma once

#include "verilated.h"
#include "verilated_trace.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

class VerilatedVcd;

#define PYNQ_TRACE_CALL __attribute__((noinline))

// Where the generated code stores values: full* always, chg* where the value differs from the one stored.
class PynqTraceBuffer final {
  public:
    uint32_t *values = nullptr;
    std::vector<uint32_t> *changed = nullptr;  // codes

    uint32_t *oldp(uint32_t code) { return values + code; }

    PYNQ_TRACE_CALL void fullBit(uint32_t *at, uint32_t value) { *at = value; }
    PYNQ_TRACE_CALL void fullCData(uint32_t *at, uint32_t value, int) { *at = value; }
    PYNQ_TRACE_CALL void fullSData(uint32_t *at, uint32_t value, int) { *at = value; }
    PYNQ_TRACE_CALL void fullIData(uint32_t *at, uint32_t value, int) { *at = value; }
    PYNQ_TRACE_CALL void fullQData(uint32_t *at, uint64_t value, int) { std::memcpy(at, &value, sizeof value); }
    template <class Words> PYNQ_TRACE_CALL void fullWData(uint32_t *at, const Words &words, int bits) {
        const int count = (bits + 31) / 32;
        for (int i = 0; i < count; ++i) at[i] = words[i];
    }
    PYNQ_TRACE_CALL void fullDouble(uint32_t *at, double value) { std::memcpy(at, &value, sizeof value); }
    template <class Event> PYNQ_TRACE_CALL void fullEvent(uint32_t *at, const Event &event) { *at = triggered(event); }
    PYNQ_TRACE_CALL void fullEventTriggered(uint32_t *at) { *at = 1; }

    PYNQ_TRACE_CALL void chgBit(uint32_t *at, uint32_t value) {
        if (*at != value) put(at, value);
    }
    PYNQ_TRACE_CALL void chgCData(uint32_t *at, uint32_t value, int) { chgBit(at, value); }
    PYNQ_TRACE_CALL void chgSData(uint32_t *at, uint32_t value, int) { chgBit(at, value); }
    PYNQ_TRACE_CALL void chgIData(uint32_t *at, uint32_t value, int) { chgBit(at, value); }
    PYNQ_TRACE_CALL void chgQData(uint32_t *at, uint64_t value, int) {
        uint64_t old;
        std::memcpy(&old, at, sizeof old);
        if (old == value) return;
        std::memcpy(at, &value, sizeof value);
        note(at);
    }
    template <class Words> PYNQ_TRACE_CALL void chgWData(uint32_t *at, const Words &words, int bits) {
        const int count = (bits + 31) / 32;
        for (int i = 0; i < count; ++i) {
            if (at[i] == words[i]) continue;
            fullWData(at, words, bits);
            note(at);
            return;
        }
    }
    PYNQ_TRACE_CALL void chgDouble(uint32_t *at, double value) {
        // As bits: a NaN is equal to itself here.
        uint64_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        chgQData(at, bits, 64);
    }
    template <class Event> PYNQ_TRACE_CALL void chgEvent(uint32_t *at, const Event &event) { chgBit(at, triggered(event)); }
    PYNQ_TRACE_CALL void chgEventTriggered(uint32_t *at) { put(at, 1); }

  private:
    template <class Event> static uint32_t triggered(const Event &event) {
        if constexpr (std::is_pointer_v<Event>) return event->isTriggered();
        else return event.isTriggered();
    }
    void put(uint32_t *at, uint32_t value) {
        *at = value;
        note(at);
    }
    void note(uint32_t *at) { changed->push_back(static_cast<uint32_t>(at - values)); }
};

// What the generated code declares, in its order.
class VerilatedVcd final {
  public:
    using Buffer = PynqTraceBuffer;
    struct Signal {
        std::string scope, name;
        uint32_t code, bits;
        int msb, lsb;
        char kind;
    };
    std::vector<Signal> signals;
    uint32_t words = 0;
    bool open = false;

    using InitCallback = void (*)(void *, VerilatedVcd *, uint32_t);
    using DumpCallback = void (*)(void *, Buffer *);
    using CleanupCallback = void (*)(void *, VerilatedVcd *);
    struct Dump {
        DumpCallback call;
        void *user;
    };
    struct Init {
        InitCallback call;
        void *user;
    };
    struct Cleanup {
        CleanupCallback call;
        void *user;
    };
    std::vector<Init> init;
    std::vector<Dump> constant, full, change;
    std::vector<Cleanup> cleanup;

    // Registration, by Vdut::trace() and what it calls.
    void addModel(const void *) {}
    template <class... Ignored> void addInitCb(InitCallback call, void *user, Ignored &&...) {
        init.push_back({call, user});
    }
    void addConstCb(DumpCallback call, uint32_t, void *user) { constant.push_back({call, user}); }
    void addFullCb(DumpCallback call, uint32_t, void *user) { full.push_back({call, user}); }
    void addFullCb(DumpCallback call, void *user) { full.push_back({call, user}); }
    void addChgCb(DumpCallback call, uint32_t, void *user) { change.push_back({call, user}); }
    void addChgCb(DumpCallback call, void *user) { change.push_back({call, user}); }
    void addCleanupCb(CleanupCallback call, void *user) { cleanup.push_back({call, user}); }
    template <class... Ignored> void initLib(Ignored &&...) {}
    bool rootInit() const { return true; }

    // Scopes.
    void scopeEscape(char) {}
    void pushNamePrefix(const std::string &text) { prefixes_.push_back(prefixes_.back() + text); }
    void popNamePrefix(unsigned count = 1) {
        while (count-- > 0) prefixes_.pop_back();
    }
    template <class Name, class Kind, class... Ignored> void pushPrefix(const Name &name, Kind kind, Ignored &&...) {
        // One grammar for both: that of 5.006.
        const std::string text{name};
        const bool scope = kind == Kind::SCOPE_MODULE || kind == Kind::SCOPE_INTERFACE || text == "$rootio";
        const bool record =
            kind == Kind::STRUCT_PACKED || kind == Kind::STRUCT_UNPACKED || kind == Kind::UNION_PACKED;
        pushNamePrefix(text + (scope ? " " : record ? "\x86 " : ""));
    }
    void popPrefix() { popNamePrefix(); }

    // Declarations. `index` < 0: no element of an array.
    void declare(char kind, uint32_t code, const char *name, int index, uint32_t bits, int msb, int lsb);

    // 5.006: (code, name, is_array, index[, msb, lsb]); later without macros: with five more after the code.
    template <class... Rest> void declBit(uint32_t code, Rest... rest) { direct('w', 1, code, rest...); }
    template <class... Rest> void declBus(uint32_t code, Rest... rest) { direct('w', 0, code, rest...); }
    template <class... Rest> void declQuad(uint32_t code, Rest... rest) { direct('w', 0, code, rest...); }
    template <class... Rest> void declArray(uint32_t code, Rest... rest) { direct('w', 0, code, rest...); }
    template <class... Rest> void declDouble(uint32_t code, Rest... rest) { direct('f', 64, code, rest...); }
    template <class... Rest> void declEvent(uint32_t code, Rest... rest) { direct('e', 1, code, rest...); }

    template <class Kind> static char kind_of(char kind, Kind declared) {
        if (kind != 'w') return kind;
        if (declared == Kind::PARAMETER) return 'p';
        return declared == Kind::VAR ? 'r' : 'w';
    }
    static uint32_t width(int msb, int lsb) { return static_cast<uint32_t>(msb > lsb ? msb - lsb : lsb - msb) + 1; }

  private:
    void direct(char kind, uint32_t, uint32_t code, const char *name, bool array, int index) {
        const uint32_t bits = kind == 'f' ? 64 : 1;
        declare(kind, code, name, array ? index : -1, bits, static_cast<int>(bits) - 1, 0);
    }
    void direct(char kind, uint32_t, uint32_t code, const char *name, bool array, int index, int msb, int lsb) {
        declare(kind, code, name, array ? index : -1, width(msb, lsb), msb, lsb);
    }
    template <class Direction, class Kind, class Type, class... Rest>
    void direct(char kind, uint32_t bits, uint32_t code, uint32_t, const char *name, int, Direction, Kind declared, Type,
                Rest... rest) {
        direct(kind_of(kind, declared), bits, code, name, rest...);
    }

    std::vector<std::string> prefixes_{""};
};

// What generated code of the newer versions says. Arguments that don't matter here are not looked at, and what a coming
// version may add at the end is ignored.
#define VL_TRACE_PUSH_PREFIX(tracep, name, type, ...) (tracep)->pushPrefix(name, type)
#define VL_TRACE_POP_PREFIX(tracep) (tracep)->popPrefix()
#define PYNQ_TRACE_KIND(letter, kind) VerilatedVcd::kind_of(letter, kind)
#define PYNQ_TRACE_ONE(tracep, letter, code, name, kind, index, bits) \
    (tracep)->declare(PYNQ_TRACE_KIND(letter, kind), code, name, index, bits, (bits) - 1, 0)
#define PYNQ_TRACE_BUS(tracep, code, name, kind, index, msb, lsb) \
    (tracep)->declare(PYNQ_TRACE_KIND('w', kind), code, name, index, VerilatedVcd::width(msb, lsb), msb, lsb)

#define VL_TRACE_DECL_EVENT(tracep, code, fidx, name, number, dir, kind, ...) \
    PYNQ_TRACE_ONE(tracep, 'e', code, name, kind, -1, 1)
#define VL_TRACE_DECL_BIT(tracep, code, fidx, name, number, dir, kind, ...) \
    PYNQ_TRACE_ONE(tracep, 'w', code, name, kind, -1, 1)
#define VL_TRACE_DECL_BUS(tracep, code, fidx, name, number, dir, kind, type, msb, lsb) \
    PYNQ_TRACE_BUS(tracep, code, name, kind, -1, msb, lsb)
#define VL_TRACE_DECL_QUAD VL_TRACE_DECL_BUS
#define VL_TRACE_DECL_WIDE VL_TRACE_DECL_BUS
#define VL_TRACE_DECL_DOUBLE(tracep, code, fidx, name, number, dir, kind, ...) \
    PYNQ_TRACE_ONE(tracep, 'f', code, name, kind, -1, 64)
#define VL_TRACE_DECL_EVENT_ARRAY(tracep, code, fidx, name, number, dir, kind, type, index) \
    PYNQ_TRACE_ONE(tracep, 'e', code, name, kind, index, 1)
#define VL_TRACE_DECL_BIT_ARRAY(tracep, code, fidx, name, number, dir, kind, type, index) \
    PYNQ_TRACE_ONE(tracep, 'w', code, name, kind, index, 1)
#define VL_TRACE_DECL_BUS_ARRAY(tracep, code, fidx, name, number, dir, kind, type, index, msb, lsb) \
    PYNQ_TRACE_BUS(tracep, code, name, kind, index, msb, lsb)
#define VL_TRACE_DECL_QUAD_ARRAY VL_TRACE_DECL_BUS_ARRAY
#define VL_TRACE_DECL_WIDE_ARRAY VL_TRACE_DECL_BUS_ARRAY
#define VL_TRACE_DECL_DOUBLE_ARRAY(tracep, code, fidx, name, number, dir, kind, type, index) \
    PYNQ_TRACE_ONE(tracep, 'f', code, name, kind, index, 64)

// Under the name that Vdut::trace() takes. The RTL's own $dumpfile and $dumpvars make one, too; nothing comes of that.
#ifndef PYNQ_RTL_TRACE_BASE  // set by the builder where Verilator has this class
class VerilatedTraceBaseC {
  public:
    virtual bool isOpen() const = 0;
};
#endif
class VerilatedVcdC : public VerilatedTraceBaseC {
  public:
    virtual ~VerilatedVcdC() = default;
    bool isOpen() const override { return trace_.open; }
    void open(const char *) { trace_.open = true; }
    void close() { trace_.open = false; }
    void flush() {}
    void dump(uint64_t) {}
    template <class... Ignored> void dumpvars(Ignored &&...) {}
    VerilatedVcd *spTrace() { return &trace_; }

  private:
    VerilatedVcd trace_;
};
