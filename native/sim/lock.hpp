// SPDX-License-Identifier: BSD-3-Clause
// The engine's lock: recursive, cheap when nobody else wants it, and fair when a long run holds it.
//
// Rule for deadlock freedom: nobody blocks in lock() while holding the interpreter's lock (see Guard in python.hpp),
// because the holder may need the interpreter to call a hook.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace pynq::sim {

class FairLock {
  public:
    bool try_lock() {
        const uintptr_t me = self();
        if (owner_.load(std::memory_order_relaxed) == me) {
            ++depth_;
            return true;
        }
        uintptr_t nobody = 0;
        if (!owner_.compare_exchange_strong(nobody, me, std::memory_order_acquire)) return false;
        depth_ = 1;
        return true;
    }

    void lock() {
        while (!lock_for(std::chrono::hours(1))) {
        }
    }

    // False when the time is over.
    template <class Duration> bool lock_for(Duration time) {
        if (try_lock()) return true;
        const auto end = std::chrono::steady_clock::now() + time;
        std::unique_lock<std::mutex> guard(mutex_);
        waiters_.fetch_add(1);
        bool got;
        // The timeout of each wait only bounds the cost of a wake-up that was missed between the test and the wait.
        while (!(got = try_lock()) && std::chrono::steady_clock::now() < end)
            free_.wait_for(guard, std::chrono::milliseconds(5));
        waiters_.fetch_sub(1);
        if (got) ++grants_;
        taken_.notify_all();
        return got;
    }

    void unlock() {
        if (--depth_) return;
        owner_.store(0);
        if (waiters_.load()) {
            std::lock_guard<std::mutex> guard(mutex_);
            free_.notify_all();
        }
    }

    bool mine() const { return owner_.load(std::memory_order_relaxed) == self(); }
    bool contended() const { return waiters_.load(std::memory_order_relaxed) != 0; }
    unsigned depth() const { return depth_; }

    // Let somebody who waits have a turn. Call with depth 1.
    void give_way() {
        std::unique_lock<std::mutex> guard(mutex_);
        const uint64_t seen = grants_;
        depth_ = 0;
        owner_.store(0);
        free_.notify_all();
        taken_.wait_for(guard, std::chrono::milliseconds(20), [&] { return grants_ != seen || !waiters_.load(); });
        guard.unlock();
        lock();
    }

  private:
    static uintptr_t self() {
        static thread_local char here;
        return reinterpret_cast<uintptr_t>(&here);
    }

    std::atomic<uintptr_t> owner_{0};
    std::atomic<unsigned> waiters_{0};
    unsigned depth_ = 0;
    uint64_t grants_ = 0;
    std::mutex mutex_;
    std::condition_variable free_, taken_;
};

}  // namespace pynq::sim
