// SPDX-License-Identifier: BSD-3-Clause
#include "wave_hub.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "engine.hpp"

namespace pynq::sim {

namespace {

std::vector<std::string> split(const std::string &path, const char *separators) {
    std::vector<std::string> parts;
    size_t from = 0;
    while (from < path.size()) {
        const size_t to = std::min(path.find_first_of(separators, from), path.size());
        if (to > from) parts.push_back(path.substr(from, to - from));
        from = to + 1;
    }
    return parts;
}

template <class Sinks> void remove(Sinks &sinks, const WaveRecorder *recorder) {
    std::erase_if(sinks, [recorder](const WaveSink &sink) { return sink.recorder == recorder; });
}

void words_of(uint64_t value, uint32_t *words, uint32_t bits) {
    words[0] = static_cast<uint32_t>(value);
    if (bits > 32) words[1] = static_cast<uint32_t>(value >> 32);
}

// One change, now, for all who want it.
void tell(const std::vector<WaveSink> &sinks, Time now, uint64_t value) {
    const uint32_t words[2] = {static_cast<uint32_t>(value), static_cast<uint32_t>(value >> 32)};
    for (const WaveSink &sink : sinks) {
        if (!sink.recorder->tick(now)) continue;
        sink.recorder->begin(now);
        sink.recorder->change(sink.channel, words);
        sink.recorder->end();
    }
}

}  // namespace

// -- verilated modules -----------------------------------------------------------------------------------------------
// The library tells which signals changed since it was asked last, so there is one of these for all who record.
class WaveHub::ModuleTap final : public WaveSource, private rtl::Observer {
  public:
    ModuleTap(WaveHub &hub, rtl::Rtl &module) : hub_(hub), module_(&module), design_(module.model().design()) {
        model_ = module.model().handle();
        uint32_t count = 0, words = 0;
        if (!(design_.flags & PYNQ_RTL_SIGNALS)) return;
        const pynq_rtl_signal *table = design_.signals(model_, &count, &words);
        values_.resize(words);
        codes_.resize(words);
        const std::vector<std::string> cell = split(module.name, "/");
        for (uint32_t i = 0; i < count; ++i) {
            const pynq_rtl_signal &signal = table[i];
            std::vector<std::string> scope = cell;
            for (std::string &part : split(signal.scope, "/")) scope.push_back(std::move(part));
            hub.add(*this, scope, signal.name, signal.bits, static_cast<char>(signal.kind), signal.code, signal.msb, signal.lsb);
        }
    }
    ~ModuleTap() override {
        if (module_ && observing_) module_->observer = nullptr;
    }

    void read(uint32_t code, uint32_t bits, uint32_t *words) override {
        if (module_) bring_up_to_date();
        std::copy_n(values_.data() + code, wave_words(bits), words);
    }

    void attach(uint32_t code, WaveSink sink) override {
        if (sinks_.empty()) sinks_.resize(values_.size());
        sinks_[code].push_back(sink);
        if (std::find(recorders_.begin(), recorders_.end(), sink.recorder) == recorders_.end()) recorders_.push_back(sink.recorder);
    }
    void detach(WaveRecorder *recorder) override {
        if (std::erase(recorders_, recorder))
            for (std::vector<WaveSink> &sinks : sinks_) remove(sinks, recorder);
    }
    void wanted_changed() override {
        const bool wanted =
            std::any_of(recorders_.begin(), recorders_.end(), [](const WaveRecorder *recorder) { return recorder->wanted(); });
        if (wanted == observing_ || !module_) return;
        observing_ = wanted;
        stale_ = !wanted;
        if (wanted) design_.sample(model_, values_.data());  // from here on changes count
        module_->observer = wanted ? this : nullptr;
    }
    Time half_period() const override { return module_ && module_->clock->running() ? (module_->clock->period() + 1) / 2 : 0; }

    void gone() override {
        if (!module_) return;
        bring_up_to_date();
        if (observing_) module_->observer = nullptr;
        observing_ = false;
        module_ = nullptr;
        for (const std::vector<WaveSink> &sinks : sinks_)
            for (const WaveSink &sink : sinks) sink.recorder->gone(sink.channel);
    }

  private:
    void observed(Time now) override {
        bool anybody = false, wanted = false;
        for (WaveRecorder *recorder : recorders_) {
            anybody |= recorder->tick(now);
            wanted |= recorder->wanted();
        }
        if (anybody)
            pass_on_changes(now);
        else
            stale_ = true;
        if (!wanted) {  // the time of the last one is over
            observing_ = false;
            module_->observer = nullptr;
        }
    }

    void pass_on_changes(Time now) {
        if (stale_) bring_up_to_date();  // who begins now has these values
        const uint32_t count = design_.changes(model_, values_.data(), codes_.data());
        if (!count) return;
        for (WaveRecorder *recorder : recorders_)
            if (recorder->active()) recorder->begin(now);
        for (uint32_t i = 0; i < count; ++i) {
            const uint32_t code = codes_[i];
            for (const WaveSink &sink : sinks_[code])
                if (sink.recorder->active()) sink.recorder->change(sink.channel, values_.data() + code);
        }
        for (WaveRecorder *recorder : recorders_)
            if (recorder->active()) recorder->end();
    }

    // While somebody records, only `changes` may be asked: what `sample` saw would be no change any more.
    void bring_up_to_date() {
        if (!observing_ || stale_) {
            design_.sample(model_, values_.data());
            stale_ = !observing_;
        } else {
            pass_on_changes(hub_.engine.now());
        }
    }

    WaveHub &hub_;
    rtl::Rtl *module_;
    const pynq_rtl_design &design_;
    void *model_;
    std::vector<uint32_t> values_, codes_;
    std::vector<std::vector<WaveSink>> sinks_;  // by code
    std::vector<WaveRecorder *> recorders_;
    bool observing_ = false;
    bool stale_ = true;  // values_ are not of the last half cycle
};

// -- nets ------------------------------------------------------------------------------------------------------------
class WaveHub::NetTap final : public WaveSource, private NetListener {
  public:
    NetTap(Engine &engine, Net &net) : engine_(engine), net_(&net) {}
    ~NetTap() override {
        if (net_ && !sinks_.empty()) net_->forget(this);
    }
    void read(uint32_t, uint32_t bits, uint32_t *words) override {
        if (net_) last_ = net_->value();
        words_of(last_, words, bits);
    }
    void attach(uint32_t, WaveSink sink) override {
        if (net_ && sinks_.empty()) net_->listen(this);
        sinks_.push_back(sink);
    }
    void detach(WaveRecorder *recorder) override {
        const bool heard = !sinks_.empty();
        remove(sinks_, recorder);
        if (net_ && heard && sinks_.empty()) net_->forget(this);
    }
    void gone() override {
        if (!net_) return;
        last_ = net_->value();
        if (!sinks_.empty()) net_->forget(this);
        net_ = nullptr;
        for (const WaveSink &sink : sinks_) sink.recorder->gone(sink.channel);
    }

  private:
    void net_changed(Net &, uint64_t value, uint64_t) override { tell(sinks_, engine_.now(), value); }

    Engine &engine_;
    Net *net_;
    uint64_t last_ = 0;
    std::vector<WaveSink> sinks_;
};

// -- streams ---------------------------------------------------------------------------------------------------------
class WaveHub::LinkTap final : public WaveSource, private LinkListener {
  public:
    enum Code : uint32_t { Queued, Beats, Packets, Count };
    LinkTap(Engine &engine, Link &link) : engine_(engine), link_(&link) {}
    ~LinkTap() override {
        if (link_) link_->listener = nullptr;
    }
    void read(uint32_t code, uint32_t bits, uint32_t *words) override { words_of(value(code), words, bits); }
    void attach(uint32_t code, WaveSink sink) override {
        sinks_[code].push_back(sink);
        if (link_) link_->listener = this;
        for (uint32_t i = 0; i < Count; ++i) last_[i] = value(i);
    }
    void detach(WaveRecorder *recorder) override {
        for (std::vector<WaveSink> &sinks : sinks_) remove(sinks, recorder);
        const bool heard = std::any_of(std::begin(sinks_), std::end(sinks_), [](const auto &sinks) { return !sinks.empty(); });
        if (link_ && !heard) link_->listener = nullptr;
    }
    void gone() override {
        if (!link_) return;
        for (uint32_t i = 0; i < Count; ++i) last_[i] = value(i);
        link_->listener = nullptr;
        link_ = nullptr;
        for (const std::vector<WaveSink> &sinks : sinks_)
            for (const WaveSink &sink : sinks) sink.recorder->gone(sink.channel);
    }

  private:
    void link_changed(Link &) override {
        for (uint32_t code = 0; code < Count; ++code) {
            const uint64_t now = value(code);
            if (now == last_[code]) continue;
            last_[code] = now;
            tell(sinks_[code], engine_.now(), now);
        }
    }
    uint64_t value(uint32_t code) const {
        if (!link_) return last_[code];
        switch (code) {
        case Queued: return link_->ring().beats();
        case Beats: return link_->statistics().beats;
        default: return link_->statistics().packets;
        }
    }

    Engine &engine_;
    Link *link_;
    std::vector<WaveSink> sinks_[Count];
    uint64_t last_[Count] = {};
};

// -- the PS ----------------------------------------------------------------------------------------------------------
class WaveHub::PsTap final : public WaveSource, private AccessListener {
  public:
    enum Code : uint32_t { Address, Data, Write, Accesses, Count };
    // From the first question on: whoever asks later is to see the last access.
    explicit PsTap(Engine &engine) : engine_(engine) { engine.access_listener = this; }
    ~PsTap() override {
        if (engine_.access_listener == this) engine_.access_listener = nullptr;
    }
    void read(uint32_t code, uint32_t bits, uint32_t *words) override { words_of(last_[code], words, bits); }
    void attach(uint32_t code, WaveSink sink) override {
        sinks_[code].push_back(sink);
    }
    void detach(WaveRecorder *recorder) override {
        for (std::vector<WaveSink> &sinks : sinks_) remove(sinks, recorder);
    }
    void gone() override {}  // the PS stays

  private:
    void accessed(bool write, uint64_t address, uint64_t value) override {
        const uint64_t now[Count] = {address, value, write, last_[Accesses] + 1};
        for (uint32_t code = 0; code < Count; ++code) {
            if (now[code] == last_[code]) continue;
            last_[code] = now[code];
            tell(sinks_[code], engine_.now(), now[code]);
        }
    }

    Engine &engine_;
    std::vector<WaveSink> sinks_[Count];
    uint64_t last_[Count] = {};
};

// -- hub -------------------------------------------------------------------------------------------------------------
WaveHub::WaveHub(Engine &owner) : engine(owner) {}

WaveHub::~WaveHub() { finish(); }

void WaveHub::add(WaveSource &source, const std::vector<std::string> &scope, const std::string &name, uint32_t bits, char kind,
                  uint32_t code, int32_t msb, int32_t lsb) {
    signals_.push_back({scope, name, bits, msb, lsb, kind, &source, code});
}

const std::vector<WaveSignal> &WaveHub::signals() {
    const auto keep = [this](const void *of, std::unique_ptr<WaveSource> source) -> WaveSource & {
        known_[of] = source.get();
        sources_.push_back(std::move(source));
        return *sources_.back();
    };
    const auto is_new = [this](const void *of) { return !known_.contains(of); };
    for (const auto &component : engine.components()) {
        auto *module = dynamic_cast<rtl::Rtl *>(component.get());
        if (module && is_new(component.get())) keep(component.get(), std::make_unique<ModuleTap>(*this, *module));
    }
    for (const auto &net : engine.nets_made()) {
        if (!is_new(net.get())) continue;
        std::vector<std::string> scope = split(net->name, "/");
        const std::string name = scope.empty() ? "net" : scope.back();
        if (!scope.empty()) scope.pop_back();
        if (scope.empty()) scope.push_back("board");  // pins of the whole design
        WaveSource &source = keep(net.get(), std::make_unique<NetTap>(engine, *net));
        // A pin of a verilated module is seen in the module itself.
        std::string cell;
        for (const std::string &part : scope) cell += (cell.empty() ? "" : "/") + part;
        auto *module = dynamic_cast<rtl::Rtl *>(engine.find(cell));
        bool there = false;
        if (module) {
            const pynq_rtl_design &design = module->model().design();
            for (uint32_t i = 0; i < design.port_count && design.flags & PYNQ_RTL_SIGNALS; ++i) there |= name == design.ports[i].name;
        }
        if (!there) add(source, scope, name, net->width, 'w', 0, static_cast<int32_t>(net->width) - 1, 0);
    }
    for (const auto &link : engine.links()) {
        if (!is_new(link.get())) continue;
        WaveSource &source = keep(link.get(), std::make_unique<LinkTap>(engine, *link));
        std::vector<std::string> scope = split(link->source_name().empty() ? link->name : link->source_name(), "/");
        const char *names[] = {"queued", "beats", "packets"};
        for (uint32_t code = 0; code < LinkTap::Count; ++code) add(source, scope, names[code], 32, 'r', code, 31, 0);
    }
    if (engine.ps() && is_new(engine.ps())) {
        WaveSource &source = keep(engine.ps(), std::make_unique<PsTap>(engine));
        add(source, {"ps"}, "address", 64, 'r', PsTap::Address, 63, 0);
        add(source, {"ps"}, "data", 64, 'r', PsTap::Data, 63, 0);
        add(source, {"ps"}, "write", 1, 'r', PsTap::Write, 0, 0);
        add(source, {"ps"}, "accesses", 32, 'r', PsTap::Accesses, 31, 0);
    }
    return signals_;
}

std::vector<uint32_t> WaveHub::read(uint32_t number) {
    const WaveSignal &signal = signals_.at(number);
    std::vector<uint32_t> words(wave_words(signal.bits));
    signal.source->read(signal.code, signal.bits, words.data());
    return words;
}

std::shared_ptr<WaveRecorder> WaveHub::record(const std::vector<uint32_t> &chosen, const std::string &path,
                                              const std::string &format, WaveRecorder::Options options, const Trigger *trigger) {
    // Signals that are one wire have one code: they share a channel.
    std::map<std::pair<WaveSource *, uint32_t>, uint32_t> channels;
    std::vector<uint32_t> bits, first;
    const auto channel_of = [&](uint32_t number) {
        const WaveSignal &signal = signals_.at(number);
        const auto [found, fresh] = channels.emplace(std::pair{signal.source, signal.code}, static_cast<uint32_t>(bits.size()));
        if (fresh) {
            bits.push_back(signal.bits);
            first.push_back(number);
        }
        return found->second;
    };
    std::vector<WaveVariable> variables;
    for (const uint32_t number : chosen) {
        const WaveSignal &signal = signals_.at(number);
        variables.push_back({signal.scope, signal.name, signal.bits, signal.msb, signal.lsb, signal.kind, channel_of(number)});
    }
    const auto visible = static_cast<uint32_t>(bits.size());
    WaveRecorder::Trigger condition{};
    if (trigger) condition = {channel_of(trigger->signal), trigger->compare, trigger->value, trigger->low, trigger->bits};

    std::unique_ptr<WaveWriter> writer;
    if (!path.empty()) writer = format == "vcd" ? make_vcd(path, variables) : make_fst(path, variables);
    auto recorder = std::make_shared<WaveRecorder>(bits, visible, std::move(writer), std::move(options));
    if (trigger) recorder->trigger(condition);
    for (const auto &source : sources_) recorder->slack = std::max(recorder->slack, source->half_period());
    for (uint32_t i = 0; i < bits.size(); ++i) {
        const WaveSignal &signal = signals_.at(first[i]);
        signal.source->attach(signal.code, {recorder.get(), i});
    }
    WaveRecorder *self = recorder.get();
    recorder->refresh = [this, self, first = std::move(first)] {
        for (uint32_t i = 0; i < first.size(); ++i) {
            const WaveSignal &signal = signals_.at(first[i]);
            std::vector<uint32_t> words(wave_words(signal.bits));
            signal.source->read(signal.code, signal.bits, words.data());
            self->restore(i, words.data());
        }
    };
    recorders_.push_back(recorder);
    start(*recorder);
    return recorder;
}

void WaveHub::wanted_changed() {
    for (const auto &source : sources_) source->wanted_changed();
}

void WaveHub::start(WaveRecorder &recorder) {
    recorder.start(engine.now());
    wanted_changed();
}

void WaveHub::stop(WaveRecorder &recorder) {
    recorder.tick(engine.now());  // its time may be over
    recorder.stop(engine.now());
    wanted_changed();
}

void WaveHub::close(const std::shared_ptr<WaveRecorder> &recorder) {
    recorder->tick(engine.now());
    recorder->close(engine.now());
    recorder->refresh = nullptr;
    for (const auto &source : sources_) source->detach(recorder.get());
    std::erase(recorders_, recorder);
    wanted_changed();
}

void WaveHub::forget(const void *part) {
    const auto found = known_.find(part);
    if (found == known_.end()) return;
    found->second->gone();
    found->second->alive = false;
    known_.erase(found);
}

void WaveHub::finish() {
    while (!recorders_.empty()) close(std::shared_ptr<WaveRecorder>(recorders_.back()));
    sources_.clear();
    signals_.clear();
}

}  // namespace pynq::sim
