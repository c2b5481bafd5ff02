// SPDX-License-Identifier: BSD-3-Clause
#include "vfio_lines.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace pynq::sim::vfio {

namespace {
constexpr size_t kMostChanges = 4096;  // that wait to be taken
constexpr size_t kMostBytes = 1 << 16;  // that wait for QEMU
constexpr unsigned kFirstSpi = 32;      // GICv2, 2.2.1: SPIs are interrupts 32 to 1019
}  // namespace

void Fd::reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

thread_local bool Bell::mine = false;

Bell::Bell() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

// Neither can fail but for a counter that is full or empty already, which is as good.
void Bell::ring_always() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof one);
}

void Bell::quench() const {
    uint64_t count;
    [[maybe_unused]] const ssize_t taken = ::read(fd_.get(), &count, sizeof count);
}

// -- levels ----------------------------------------------------------------------------------------------------------
void Lines::note(unsigned gic, bool level) {
    if (level) {
        ++high_;
        ++rises_;
    } else {
        --high_;
    }
    // Nobody takes them, or not fast enough: levels count, pulses in between are lost.
    if (changes_.size() >= kMostChanges) {
        changes_.clear();
        for (const auto &[number, line] : lines_) changes_.push_back({number, line.level()});
    } else {
        changes_.push_back({gic, level});
    }
    moved.store(true, std::memory_order_relaxed);
}

void Lines::set(unsigned gic, bool level, bool Line::*side) {
    {
        std::lock_guard<std::mutex> guard(mutex_);
        Line &line = lines_[gic];
        const bool before = line.level();
        line.*side = level;
        if (line.level() == before) return;
        note(gic, line.level());
    }
    bell.ring();
}

void Lines::drop() {
    {
        std::lock_guard<std::mutex> guard(mutex_);
        for (auto &[gic, line] : lines_) {
            const bool before = line.level();
            line.design = false;
            if (line.level() != before) note(gic, line.level());
        }
    }
    bell.ring();
}

std::vector<Change> Lines::take() {
    std::lock_guard<std::mutex> guard(mutex_);
    moved.store(false, std::memory_order_relaxed);
    return std::exchange(changes_, {});
}

std::vector<unsigned> Lines::high() const {
    std::lock_guard<std::mutex> guard(mutex_);
    std::vector<unsigned> found;
    for (const auto &[gic, line] : lines_)
        if (line.level()) found.push_back(gic);
    return found;
}

// -- qtest (QEMU, system/qtest.c: "set_irq_in QOM-PATH NAME NUM LEVEL") ----------------------------------------------
Qtest::Qtest(int fd, std::string gic) : fd_(fd), gic_(std::move(gic)) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void Qtest::send(const Change &change) {
    if (change.gic < kFirstSpi) return;
    if (!late_.empty() || out_.size() > kMostBytes) {
        late_[change.gic] = change.level;
        return;
    }
    ++sent_;
    out_ += "set_irq_in " + gic_ + format(" unnamed-gpio-in %u %d\n", change.gic - kFirstSpi, change.level);
}

bool Qtest::pump(std::string &complaint) {
    for (;;) {
        while (!out_.empty()) {
            const ssize_t sent = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
            if (sent < 0) return false;
            out_.erase(0, static_cast<size_t>(sent));
        }
        if (!out_.empty() || late_.empty()) break;
        for (const auto &[gic, level] : std::exchange(late_, {})) send({gic, level});
    }
    char answer[4096];
    for (;;) {
        const ssize_t got = ::recv(fd_.get(), answer, sizeof answer, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
        if (got == 0) return false;
        in_.append(answer, static_cast<size_t>(got));
        size_t begin = 0;
        for (size_t end; (end = in_.find('\n', begin)) != std::string::npos; begin = end + 1) {
            if (in_.compare(begin, 3, "IRQ") == 0) continue;  // an event, no answer
            ++answered_;
            if (in_.compare(begin, 2, "OK") != 0) complaint = in_.substr(begin, std::min<size_t>(end - begin, 200));
        }
        in_.erase(0, begin);
        if (in_.size() > kMostBytes) in_.clear();
    }
}

}  // namespace pynq::sim::vfio
