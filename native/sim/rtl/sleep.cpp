// SPDX-License-Identifier: BSD-3-Clause
// When a module needs no cycles: the state before a cycle and after it is the same, and every bus rests. Then nothing can
// change any more without somebody from outside (docs/design/rtl.md, "Sleep").
#include <algorithm>
#include <cstring>

#include "../engine.hpp"
#include "rtl.hpp"
#include "stream_model.hpp"

namespace pynq::sim::rtl {

namespace {
constexpr uint64_t kMostPatience = 1u << 16;
constexpr size_t kMostTrialClocks = 4;
}  // namespace

bool Rtl::models_settled() const {
    if (inputs_changed_) return false;
    for (const auto &model : models_)
        if (!model->in_reset_ && !model->resting_ && !model->settled()) return false;
    return true;
}

bool Rtl::try_sleep() {
    const bool trial = domains_.size() > 1;
    if (!watching_ || watch_cycle_ + 1 != cycles_run_ || watch_idle_ + 1 != idle_) {
        if (!models_settled()) {
            idle_ = 0;  // a bus is at work: no reason to look less often later
            return false;
        }
        size_t size = 0;
        const uint8_t *state = model_->state(size);
        if (!size) return busy_for_long();
        snapshot_.assign(state, state + size);
        prints_seen_ = model_->prints();
        watch_cycle_ = cycles_run_;
        watch_idle_ = idle_;
        watching_ = !trial;
        if (!trial) return false;
    }
    watching_ = false;
    const bool same = trial ? trial_changes_nothing() : unchanged();
    if (dead()) return false;
    if (!same || !models_settled()) return busy_for_long();
    patience_ = least_patience_;
    if (flush_streams()) return true;
    idle_ = 0;  // who gets the beats may let TREADY change
    return false;
}

// Look again after twice the time, so that looking costs next to nothing where it is in vain.
bool Rtl::busy_for_long() {
    patience_ = std::min(patience_ * 2, kMostPatience);
    idle_ = 0;
    return false;
}

// True: there was nothing to give away.
bool Rtl::flush_streams() {
    bool nothing = true;
    for (StreamModel *stream : stream_models_) nothing &= stream->flush();
    return nothing;
}

bool Rtl::unchanged() const {
    size_t size = 0;
    const uint8_t *state = model_->state(size);
    return size == snapshot_.size() && model_->prints() == prints_seen_ && std::memcmp(state, snapshot_.data(), size) == 0;
}

// Of several clocks: two states of the same time in their cycles lie far apart, and may be equal although there is life
// between them. So each combination of levels is visited, and there each clock goes up and down: all must lead back. The
// pins of clocks and the inside follow the levels only; the state is put back in any case.
bool Rtl::trial_changes_nothing() {
    const size_t count = domains_.size();
    if (count > kMostTrialClocks) return false;
    const auto toggle = [&](size_t i) {
        Domain &domain = domains_[i];
        domain.pin.put(!domain.pin.high());
        const int status = model_->eval();
        if (status != PYNQ_RTL_OK) die(status);  // as it would at the next edge
        return status == PYNQ_RTL_OK;
    };
    // What was driven after the last edge has to settle first; so it would before the next one.
    if (dirty_ && !evaluate()) return false;
    dirty_ = false;
    size_t size = 0;
    uint8_t *state = model_->state(size);
    snapshot_.assign(state, state + size);
    std::vector<uint8_t> corner;
    bool fine = true;
    // Gray code: each step changes the level of one clock, and the last one leads back.
    for (size_t step = 0; step < size_t{1} << count && fine; ++step) {
        corner.assign(state, state + size);
        for (size_t i = 0; i < count && fine; ++i)
            fine = toggle(i) && toggle(i) && std::memcmp(state, corner.data(), size) == 0;
        const size_t next = step + 1;
        size_t bit = 0;
        while (bit + 1 < count && !(next >> bit & 1)) ++bit;
        fine = fine && toggle(bit);
    }
    fine = fine && std::memcmp(state, snapshot_.data(), size) == 0 && model_->prints() == prints_seen_;
    if (!fine && !dead()) {
        std::memcpy(state, snapshot_.data(), size);
        model_->lines.clear();
        model_->spoke = false;
    }
    return fine;
}

}  // namespace pynq::sim::rtl
