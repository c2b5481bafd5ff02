// SPDX-License-Identifier: BSD-3-Clause
// One recording: takes changes of signals as they happen, puts them in the order of time, and gives them to a writer from
// a start or a trigger on; or keeps the last ones in memory.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "wave.hpp"

namespace pynq::sim {

// Changes of one moment, kept until it is certain that nothing earlier comes any more (modules that run in turn tell of
// their clocks' falling edges late), or until a window of the past has moved on.
class WaveRing {
  public:
    struct Frame {
        Time time;
        uint64_t begin;  // first word
        uint32_t size;   // words: channel, value, channel, value, ...
    };
    void begin(Time time);
    void put(uint32_t channel, const uint32_t *words, uint32_t count);
    void end();

    bool empty() const { return frames_.empty(); }
    const Frame &front() const { return frames_.front(); }
    const std::deque<Frame> &frames() const { return frames_; }
    const uint32_t *words(const Frame &frame) const { return words_.data() + (frame.begin - base_); }
    void pop();
    size_t size() const { return words_.size(); }

  private:
    std::deque<Frame> frames_;
    std::vector<uint32_t> words_;
    uint64_t base_ = 0;  // number of words that are gone
    Frame open_{};
};

class WaveRecorder {
  public:
    enum class State { Waiting, Armed, Recording, Stopped, Closed };
    enum class Compare { Equal, Unequal, Less, LessEqual, Greater, GreaterEqual, Rises, Falls, Changes };

    struct Trigger {
        uint32_t channel;
        Compare compare;
        uint64_t value = 0;
        unsigned low = 0;  // of the bits that are looked at
        unsigned bits = 64;
    };
    struct Options {
        Time start = 0;        // nothing is recorded before
        Time stop = kNever;    // nor after; with a trigger: so long after it
        Time before = 0;       // how much of the past comes along when the trigger fires
        Time keep = kNever;    // without a writer: how much of the past is kept
        std::function<void(const WaveFault &)> failed;  // the file can't be written: the recording ends
    };

    // Without a writer the last changes are kept in memory. `bits`: width of each channel; those from `hidden` on are for
    // the trigger only.
    WaveRecorder(std::vector<uint32_t> bits, uint32_t hidden, std::unique_ptr<WaveWriter> writer, Options options);

    void trigger(const Trigger &trigger);
    // Where the current values come from, when a recording begins; calls restore(channel, words) for all.
    std::function<void()> refresh;
    void restore(uint32_t channel, const uint32_t *words);

    // -- what happens; times may go back by at most `slack` ---------------------------------------------------------------
    Time slack = 0;
    // Virtual time has come so far. True while changes are wanted.
    bool tick(Time now) {
        if (now > newest_) newest_ = now;
        if (state_ == State::Recording || state_ == State::Armed) return now <= stop_ || stop_here(now);
        return state_ == State::Waiting && now >= start_ && wake(now);
    }
    void begin(Time now);
    void change(uint32_t channel, const uint32_t *words) {
        const Channel &at = channels_[channel];
        if (channel == trigger_.channel && state_ == State::Armed) look(words);
        ring_.put(channel, words, at.words);
    }
    void end();
    // These channels end: their module is gone.
    void gone(uint32_t channel);

    // -- control --------------------------------------------------------------------------------------------------------
    void start(Time now);
    void stop(Time now);
    void flush();
    void close(Time now);

    State state() const { return state_; }
    // Changes are wanted, or may be later.
    bool wanted() const { return state_ != State::Stopped && state_ != State::Closed; }
    bool active() const { return state_ == State::Recording || state_ == State::Armed; }
    bool in_memory() const { return !writer_ && !had_writer_; }
    Time start_time() const { return start_; }
    Time triggered() const { return fired_; }  // kNever: not yet
    uint64_t bytes() const { return writer_ ? writer_->bytes() : bytes_; }
    const WaveFault *failure() const { return failure_ ? &*failure_ : nullptr; }

    // What is in memory: from when, the values then, and the changes since.
    Time memory_begin() const { return base_time_; }
    Time memory_end() const { return newest_; }
    const uint32_t *memory_base(uint32_t channel) const { return base_.data() + channels_[channel].place; }
    const WaveRing &ring() const { return ring_; }
    uint32_t bits(uint32_t channel) const { return channels_[channel].bits; }
    void settle() { drain(true); }

  private:
    struct Channel {
        uint32_t bits, words, place;
    };
    bool wake(Time now);
    bool stop_here(Time now);
    void look(const uint32_t *words);
    uint64_t looked_at(const uint32_t *words) const;
    bool holds(uint64_t value) const;
    void fire(Time now);
    void open(Time from);
    void drain(bool all);
    void consume(const WaveRing::Frame &frame, bool write);
    void fail(const WaveFault &fault);
    template <class Body> void guarded(Body &&body);

    std::vector<Channel> channels_;
    const uint32_t hidden_;
    std::unique_ptr<WaveWriter> writer_;
    const bool had_writer_;
    Options options_;
    Trigger trigger_{~uint32_t{0}, Compare::Equal};
    bool has_trigger_ = false;
    uint64_t trigger_last_ = 0;

    State state_ = State::Waiting;
    Time start_, stop_;
    Time newest_ = 0, written_ = 0, base_time_ = 0, stopped_at_ = kNever, fired_ = kNever, frame_time_ = 0;
    bool fire_now_ = false, begun_ = false;
    WaveRing ring_;
    std::vector<uint32_t> base_;  // values before the first frame
    std::vector<bool> lost_;      // channels whose module is gone
    std::optional<WaveFault> failure_;
    uint64_t bytes_ = 0;
    unsigned frames_ = 0;
    std::chrono::steady_clock::time_point flushed_;
};

}  // namespace pynq::sim
