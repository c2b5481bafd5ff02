// SPDX-License-Identifier: BSD-3-Clause
// The signals of a board by name, and who records them: those inside of verilated modules, nets, streams, what the PS
// does. Made at the first question for a signal; while nothing records, the engine runs as if it were not there.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "net.hpp"
#include "rtl/rtl.hpp"
#include "stream.hpp"
#include "wave_recorder.hpp"

namespace pynq::sim {

class Engine;
class WaveHub;

// Who gets the changes of a signal.
struct WaveSink {
    WaveRecorder *recorder;
    uint32_t channel;
};

// Something that has signals.
class WaveSource {
  public:
    virtual ~WaveSource() = default;
    // The value of a signal now.
    virtual void read(uint32_t code, uint32_t bits, uint32_t *words) = 0;
    virtual void attach(uint32_t code, WaveSink sink) = 0;
    virtual void detach(WaveRecorder *recorder) = 0;
    // A recording begins or ends: look whether anybody wants changes.
    virtual void wanted_changed() {}
    virtual Time half_period() const { return 0; }
    // What has the signals is about to leave the engine: they keep their last values for who reads them, and are unknown
    // from here on to who records them.
    virtual void gone() = 0;
    bool alive = true;
};

struct WaveSignal {
    std::vector<std::string> scope;
    std::string name;
    uint32_t bits;
    int32_t msb, lsb;
    char kind;
    WaveSource *source;
    uint32_t code;
};

class WaveHub {
  public:
    explicit WaveHub(Engine &engine);
    ~WaveHub();
    WaveHub(const WaveHub &) = delete;
    WaveHub &operator=(const WaveHub &) = delete;

    // All signals. The index of one stays the same; new ones (of nets made later) are added at the end.
    const std::vector<WaveSignal> &signals();
    std::vector<uint32_t> read(uint32_t signal);

    struct Trigger {
        uint32_t signal;
        WaveRecorder::Compare compare;
        uint64_t value;
        unsigned low, bits;
    };
    // Without a path the recording stays in memory. `format`: "vcd" or "fst". Throws WaveFault.
    std::shared_ptr<WaveRecorder> record(const std::vector<uint32_t> &signals, const std::string &path,
                                         const std::string &format, WaveRecorder::Options options, const Trigger *trigger);
    void start(WaveRecorder &recorder);
    void stop(WaveRecorder &recorder);
    void close(const std::shared_ptr<WaveRecorder> &recorder);
    // That component, net or link is about to leave the engine.
    void forget(const void *part);
    // The engine ends: close all.
    void finish();

    Engine &engine;

  private:
    class ModuleTap;
    class NetTap;
    class LinkTap;
    class PsTap;

    void add(WaveSource &source, const std::vector<std::string> &scope, const std::string &name, uint32_t bits, char kind,
             uint32_t code, int32_t msb, int32_t lsb);
    void wanted_changed();

    std::vector<WaveSignal> signals_;
    std::vector<std::unique_ptr<WaveSource>> sources_;
    std::unordered_map<const void *, WaveSource *> known_;  // component, net, link -> its source
    std::vector<std::shared_ptr<WaveRecorder>> recorders_;
};

}  // namespace pynq::sim
