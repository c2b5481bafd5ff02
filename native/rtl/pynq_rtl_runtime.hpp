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

class VerilatedVcd;

namespace pynq_rtl {

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
    Session(const pynq_rtl_host *host, const char *const *folders, const char *const *files, const char *const *fatals);
    virtual ~Session() = default;
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

    VerilatedContext context;
    pynq_rtl_host host{};
    std::vector<std::string> folders;
    uint64_t prints = 0;
    bool dead = false;
    Ended ended{PYNQ_RTL_OK, "", 0, "", ""};

    // Names for the C interface; strings of the table of signals live here.
    std::vector<pynq_rtl_signal> table;
    VerilatedVcd *trace = nullptr;
    std::vector<uint32_t> changed;

  private:
    void line(std::string_view text);
    void tell(const Place &place, const std::string &text);

    const char *const *files_;   // "0/top.v" is in the first folder
    const char *const *fatals_;  // "s3:15" for each $fatal, where Verilator does not tell it from $error
    std::vector<std::string> given_;  // folders, as they were given
    std::string pending_;
    Ended last_{PYNQ_RTL_OK, "", 0, "", ""};  // what Verilator printed before it stops: the text of the error
};

// The model that is being evaluated in this thread.
extern thread_local Session *current;

class Enter {
  public:
    explicit Enter(Session &session) : before_(current) {
        current = &session;
        Verilated::threadContextp(&session.context);
    }
    ~Enter() { current = before_; }

  private:
    Session *before_;
};

}  // namespace pynq_rtl
