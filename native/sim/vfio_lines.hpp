// SPDX-License-Identifier: BSD-3-Clause
// The interrupt lines between a served board and the machine that runs its PS.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "engine.hpp"

namespace pynq::sim::vfio {

// A file descriptor that closes itself.
class Fd {
  public:
    explicit Fd(int fd = -1) : fd_(fd) {}
    Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd &operator=(Fd &&other) noexcept {
        reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~Fd() { reset(); }
    void reset(int fd = -1);
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_;
};

// Wakes the server's thread (an eventfd); the thread itself is awake and needs no bell.
class Bell {
  public:
    Bell();
    void ring() const {
        if (!mine) ring_always();
    }
    void ring_always() const;
    void quench() const;
    int fd() const { return fd_.get(); }
    static thread_local bool mine;  // this is a server's thread

  private:
    Fd fd_;
};

struct Change {
    unsigned gic;
    bool level;
};

// Levels by GIC number: what the nets of the design say or what a register block of the PS says. Every change is kept in
// order until the server takes it, so that a pulse arrives as one. For any thread.
class Lines {
  public:
    void design(unsigned gic, bool level) { set(gic, level, &Line::design); }
    void block(unsigned gic, bool level) { set(gic, level, &Line::block); }
    // All lines of the design low: the PL is gone.
    void drop();
    bool any() const { return high_.load(std::memory_order_relaxed) != 0; }
    uint64_t rises() const { return rises_.load(std::memory_order_relaxed); }
    std::vector<Change> take();
    std::vector<unsigned> high() const;
    // Set with every change; the run that goes on ends by it.
    std::atomic<bool> moved{false};
    const Bell bell;

  private:
    struct Line {
        bool design = false, block = false;
        bool level() const { return design || block; }
    };
    void set(unsigned gic, bool level, bool Line::*side);
    void note(unsigned gic, bool level);

    mutable std::mutex mutex_;
    std::map<unsigned, Line> lines_;
    std::vector<Change> changes_;
    std::atomic<unsigned> high_{0};
    std::atomic<uint64_t> rises_{0};
};

// QEMU's qtest socket: sets inputs of its interrupt controller. The server's thread alone uses it.
class Qtest {
  public:
    Qtest(int fd, std::string gic);
    void send(const Change &change);
    // Write what is waiting, throw answers away. False: QEMU has gone; `complaint` is what it refused, if anything.
    bool pump(std::string &complaint);
    int fd() const { return fd_.get(); }
    bool blocked() const { return !out_.empty(); }
    // QEMU has answered everything: its controller shows the levels that were sent.
    bool settled() const { return out_.empty() && late_.empty() && answered_ == sent_; }

  private:
    Fd fd_;
    const std::string gic_;
    std::string out_, in_;
    uint64_t sent_ = 0, answered_ = 0;  // lines
    std::map<unsigned, bool> late_;  // QEMU does not keep up: the last level of each line
};

}  // namespace pynq::sim::vfio
