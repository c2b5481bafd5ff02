// SPDX-License-Identifier: BSD-3-Clause
// What every verilated design shares, compiled once per machine: where printed text goes, how $finish and its like leave
// an evaluation, which files the RTL may open.
#pragma once

#include "pynq/rtl.h"

#include "verilated.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

class VerilatedVcdC;

namespace pynq_rtl {

// What the file that the builder writes for a design defines (pynq_rtl_glue.hpp). It is small: it is compiled each time.
namespace dut {
extern const char *const files[];   // null at the end; "0/top.v" is in the first folder
extern const char *const fatals[];  // "s3:15" for each $fatal, where Verilator does not tell it from $error
extern const char *const loops[];   // "s3:15 fir.a" for each signal of a combinational loop
void *make(VerilatedContext &context);
void unmake(void *dut);
void eval(void *dut);
void finish(void *dut);  // runs final blocks
void trace(void *dut, VerilatedVcdC &tracer);
void *port(void *dut, uint32_t index);
void *state(void *dut, size_t *size);
}  // namespace dut

// The C interface (pynq/rtl.h).
void *create(const pynq_rtl_host *host, const char *const *folders, uint64_t seed, char *error, size_t error_size);
void destroy(void *handle);
void *port(void *model, uint32_t index);
int eval(void *handle);
void event(void *handle, pynq_rtl_event *event);
void set_time(void *model, uint64_t picoseconds);
uint64_t prints(void *model);
void *state(void *model, size_t *size);
const pynq_rtl_signal *signals(void *handle, uint32_t *count, uint32_t *words);
void sample(void *handle, uint32_t *values);
uint32_t changes(void *handle, uint32_t *values, uint32_t *codes);
int write_coverage(void *handle, const char *path);

// Thrown through Verilator's code, which has no `noexcept` on the way; caught before the C interface.
struct Ended {
    int status;
    std::string file;
    int line;
    std::string scope, text;
};

// A place in the RTL that a printed line came from.
struct Place {
    std::string file;
    int line = 0;
};

// One model: everything of it that does not depend on the design.
class Session {
  public:
    Session(const pynq_rtl_host *host, const char *const *folders);
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;

    // The user's name of a file: "s3" is number 3 of the design's files; "" for one of the C++ that Verilator wrote.
    std::string file_name(std::string_view name) const;
    void print(std::string_view text);
    void flush();  // a line without its newline
    // Of the file that `name` means, for reading or writing; throws Ended where it may not be opened.
    std::string locate(const std::string &name, bool write) const;
    [[noreturn]] void end(int status, const char *file, int line, const std::string &text);
    void warn(const char *file, int line, const std::string &text);

    const uint64_t number;  // never used again in this process
    VerilatedContext context;
    pynq_rtl_host host{};
    std::vector<std::string> folders;
    uint64_t prints = 0;
    bool dead = false;
    Ended ended{PYNQ_RTL_OK, "", 0, "", ""};

    // Names for the C interface; strings of the table of signals live here.
    std::vector<pynq_rtl_signal> table;
    std::vector<uint32_t> changed;

  private:
    void line(std::string_view text);
    void tell(const Place &place, const std::string &text);
    std::string unsettled() const;  // what to say where signals do not settle

    std::vector<std::string> given_;  // folders, as they were given
    std::string pending_;
    Ended last_{PYNQ_RTL_OK, "", 0, "", ""};  // what Verilator printed before it stops: the text of the error
};

// The model that this thread works for. It stays set between two calls, since setting it costs as much as evaluating a
// small design; by number, since the address of a model that is gone may be that of another one.
struct Bound {
    uint64_t number = 0;
    Session *session = nullptr;
};
extern thread_local Bound bound;

// Ends the evaluation under way: a loop of the RTL has made too many turns in it.
[[noreturn]] void endless();
constexpr uint64_t max_turns = uint64_t{1} << 26;

// Counts a turn of a loop; the builder puts a call into each one that Verilator has left.
inline void turn(uint64_t &turns) {
    if (__builtin_expect(++turns > max_turns, 0)) endless();
}

inline void enter(Session &session) {
    if (__builtin_expect(bound.number == session.number, 1)) return;
    bound = {session.number, &session};
    Verilated::threadContextp(&session.context);
}

}  // namespace pynq_rtl
