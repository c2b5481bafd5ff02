// SPDX-License-Identifier: BSD-3-Clause
#include "wave_recorder.hpp"

#include <algorithm>

namespace pynq::sim {

namespace {
// The past that is kept for a trigger, or in memory, is bounded: 256 MB.
constexpr size_t kRingWords = 64u << 20;
constexpr auto kFlushEvery = std::chrono::seconds(1);
}  // namespace

// -- ring ------------------------------------------------------------------------------------------------------------
void WaveRing::begin(Time time) { open_ = {time, base_ + words_.size(), 0}; }

void WaveRing::put(uint32_t channel, const uint32_t *words, uint32_t count) {
    const size_t at = words_.size();
    words_.resize(at + 1 + count);
    words_[at] = channel;
    std::copy_n(words, count, words_.data() + at + 1);
}

void WaveRing::end() {
    open_.size = static_cast<uint32_t>(base_ + words_.size() - open_.begin);
    if (!open_.size) return;
    if (frames_.empty() || frames_.back().time <= open_.time) {
        frames_.push_back(open_);
        return;
    }
    auto place = frames_.end();
    while (place != frames_.begin() && std::prev(place)->time > open_.time) --place;
    frames_.insert(place, open_);
}

void WaveRing::pop() {
    frames_.pop_front();
    if (frames_.empty()) {
        base_ += words_.size();
        words_.clear();
        return;
    }
    // Frames lie nearly in the order of their words, so that the first few tell what is not needed any more.
    if (frames_.front().begin - base_ < (1u << 20)) return;
    uint64_t needed = frames_.front().begin;
    for (const Frame &frame : frames_) needed = std::min(needed, frame.begin);
    const auto gone = static_cast<size_t>(needed - base_);
    if (gone < words_.size() / 2) return;
    words_.erase(words_.begin(), words_.begin() + static_cast<ptrdiff_t>(gone));
    base_ = needed;
}

// -- recorder --------------------------------------------------------------------------------------------------------
WaveRecorder::WaveRecorder(std::vector<uint32_t> bits, uint32_t hidden, std::unique_ptr<WaveWriter> writer, Options options)
    : hidden_(hidden), writer_(std::move(writer)), had_writer_(writer_ != nullptr), options_(std::move(options)),
      start_(options_.start), stop_(options_.stop), flushed_(std::chrono::steady_clock::now()) {
    uint32_t place = 0;
    for (const uint32_t width : bits) {
        channels_.push_back({width, wave_words(width), place});
        place += wave_words(width);
    }
    base_.resize(place);
    lost_.resize(bits.size());
}

void WaveRecorder::trigger(const Trigger &trigger) {
    trigger_ = trigger;
    has_trigger_ = true;
    stop_ = kNever;
}

template <class Body> void WaveRecorder::guarded(Body &&body) {
    try {
        body();
    } catch (const WaveFault &fault) {
        fail(fault);
    }
}

void WaveRecorder::fail(const WaveFault &fault) {
    failure_ = fault;
    bytes_ = writer_ ? writer_->bytes() : bytes_;
    writer_.reset();
    state_ = State::Closed;
    if (options_.failed) options_.failed(fault);
}

void WaveRecorder::restore(uint32_t channel, const uint32_t *words) {
    const Channel &at = channels_[channel];
    std::copy_n(words, at.words, base_.data() + at.place);
}

void WaveRecorder::start(Time now) {
    if (state_ == State::Closed || active()) return;
    if (now < start_) {
        state_ = State::Waiting;
        return;
    }
    if (state_ == State::Stopped) stop_ = has_trigger_ ? kNever : options_.stop > now ? options_.stop : kNever;
    if (now > newest_) newest_ = now;
    while (!ring_.empty()) ring_.pop();
    if (refresh) refresh();
    base_time_ = now;
    fired_ = kNever;
    state_ = State::Armed;
    if (!has_trigger_) {
        fire(now);
        return;
    }
    trigger_last_ = looked_at(base_.data() + channels_[trigger_.channel].place);
    if (trigger_.compare <= Compare::GreaterEqual && holds(trigger_last_)) fire(now);
}

bool WaveRecorder::wake(Time now) {
    start(now);
    return active() && now <= stop_;
}

uint64_t WaveRecorder::looked_at(const uint32_t *words) const {
    uint64_t value = 0;
    for (unsigned bit = 0; bit < trigger_.bits; ++bit) {
        const unsigned from = trigger_.low + bit;
        value |= static_cast<uint64_t>(words[from / 32] >> from % 32 & 1) << bit;
    }
    return value;
}

bool WaveRecorder::holds(uint64_t value) const {
    switch (trigger_.compare) {
    case Compare::Equal: return value == trigger_.value;
    case Compare::Unequal: return value != trigger_.value;
    case Compare::Less: return value < trigger_.value;
    case Compare::LessEqual: return value <= trigger_.value;
    case Compare::Greater: return value > trigger_.value;
    case Compare::GreaterEqual: return value >= trigger_.value;
    case Compare::Rises: return value && !trigger_last_;
    case Compare::Falls: return !value && trigger_last_;
    case Compare::Changes: return value != trigger_last_;
    }
    return false;
}

void WaveRecorder::look(const uint32_t *words) {
    const uint64_t value = looked_at(words);
    if (holds(value)) fire_now_ = true;
    trigger_last_ = value;
}

// From here on what is recorded goes out. What lies in the ring is younger than `before`.
void WaveRecorder::fire(Time now) {
    fired_ = now;
    if (has_trigger_) stop_ = options_.stop == kNever || options_.stop > kNever - now ? kNever : now + options_.stop;
    state_ = State::Recording;
    if (!writer_) return;
    const Time from = std::max(now > options_.before ? now - options_.before : 0, base_time_);
    while (!ring_.empty() && ring_.front().time <= from) {
        consume(ring_.front(), false);
        ring_.pop();
    }
    open(from);
}

// Write all values, as of `from`.
void WaveRecorder::open(Time from) {
    guarded([&] {
        if (stopped_at_ != kNever && begun_) {
            writer_->time(std::max(written_, stopped_at_));
            written_ = std::max(written_, stopped_at_);
            for (uint32_t i = 0; i < hidden_; ++i) writer_->unknown(i);
            stopped_at_ = kNever;
        }
        written_ = std::max(written_, from);
        writer_->time(written_);
        for (uint32_t i = 0; i < hidden_; ++i) {
            if (lost_[i])
                writer_->unknown(i);
            else
                writer_->change(i, base_.data() + channels_[i].place);
        }
        begun_ = true;
        writer_->flush();
        flushed_ = std::chrono::steady_clock::now();
    });
}

void WaveRecorder::begin(Time now) {
    frame_time_ = std::max(now, base_time_);
    ring_.begin(frame_time_);
}

void WaveRecorder::end() {
    ring_.end();
    if (fire_now_) {
        fire_now_ = false;
        if (state_ == State::Armed) fire(frame_time_);
    }
    drain(false);
}

void WaveRecorder::consume(const WaveRing::Frame &frame, bool write) {
    const uint32_t *at = ring_.words(frame), *end = at + frame.size;
    if (write) {
        if (frame.time > written_) {
            written_ = frame.time;
            writer_->time(written_);
        }
        for (; at != end; at += 1 + channels_[*at].words)
            if (*at < hidden_) writer_->change(*at, at + 1);
        return;
    }
    base_time_ = std::max(base_time_, frame.time);
    for (; at != end; at += 1 + channels_[*at].words) std::copy_n(at + 1, channels_[*at].words, base_.data() + channels_[*at].place);
}

void WaveRecorder::drain(bool all) {
    if (state_ == State::Recording && writer_) {
        guarded([&] {
            while (!ring_.empty() && (all || ring_.front().time + slack < newest_)) {
                consume(ring_.front(), true);
                ring_.pop();
            }
            if (++frames_ % 16 == 0) {
                const auto now = std::chrono::steady_clock::now();
                if (now - flushed_ > kFlushEvery) {
                    writer_->flush();
                    flushed_ = now;
                }
            }
        });
        return;
    }
    const Time window = had_writer_ ? options_.before : options_.keep;
    if (window == kNever && ring_.size() < kRingWords) return;
    const Time span = window == kNever ? kNever : window + slack;
    while (!ring_.empty() && ((newest_ > span && ring_.front().time < newest_ - span) || ring_.size() > kRingWords)) {
        consume(ring_.front(), false);
        ring_.pop();
    }
    if (window != kNever && newest_ > window && base_time_ < newest_ - window && !ring_.empty() &&
        ring_.front().time >= newest_ - window)
        base_time_ = newest_ - window;
}

// The time of the stop was passed: what came before it is recorded.
bool WaveRecorder::stop_here(Time now) {
    stop(std::min(now, stop_));
    return false;
}

void WaveRecorder::stop(Time now) {
    if (!active()) {
        if (state_ == State::Waiting) state_ = State::Stopped;
        return;
    }
    newest_ = std::max(newest_, now);
    if (state_ == State::Recording && writer_) {
        drain(true);
        if (state_ != State::Recording) return;
        stopped_at_ = std::max(now, written_);
        guarded([&] {
            writer_->time(stopped_at_);  // the file ends there
            written_ = stopped_at_;
            writer_->flush();
        });
        if (state_ != State::Recording) return;
    }
    state_ = State::Stopped;
}

void WaveRecorder::flush() {
    if (!writer_) return;
    if (state_ == State::Recording) drain(true);
    guarded([&] {
        if (writer_) writer_->flush();
    });
    flushed_ = std::chrono::steady_clock::now();
}

void WaveRecorder::close(Time now) {
    stop(now);
    if (state_ == State::Closed) return;
    guarded([&] {
        if (!writer_) return;
        writer_->close();
        bytes_ = writer_->bytes();
        writer_.reset();
    });
    state_ = State::Closed;
}

void WaveRecorder::gone(uint32_t channel) {
    if (lost_[channel]) return;
    lost_[channel] = true;
    if (state_ != State::Recording || !writer_ || channel >= hidden_) return;
    drain(true);
    guarded([&] {
        if (writer_) writer_->unknown(channel);
    });
}

}  // namespace pynq::sim
