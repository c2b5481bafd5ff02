// SPDX-License-Identifier: BSD-3-Clause
#include "vfio.hpp"

#include <nanobind/stl/string.h>
#include <poll.h>
#include <sys/prctl.h>

#include <cerrno>
#include <system_error>

namespace pynq::sim::vfio {

namespace {
using namespace std::chrono_literals;

// Events this near come at once: waking up would take longer. Picoseconds.
constexpr Time kLead = 50'000'000;
constexpr auto kSlice = 200us;  // of the host, after which messages are looked at
constexpr auto kRest = 20ms;    // between slices of hardware that only turns over (a free-running counter)
constexpr int kDebug = 10, kWarning = 30;  // of Python's logging
class Finally {
  public:
    explicit Finally(std::function<void()> work) : work_(std::move(work)) {}
    ~Finally() { work_(); }

  private:
    const std::function<void()> work_;
};

}  // namespace

// A bit of a net that is an interrupt of the PS. The engine owns it.
class Server::Hearing final : public Listening {
  public:
    Hearing(Net &net, unsigned bit, unsigned gic, std::shared_ptr<Lines> lines)
        : Listening(&net), bit_(bit), gic_(gic), lines_(std::move(lines)) {
        net.listen(this);
    }
    void net_changed(Net &, uint64_t value, uint64_t previous) override {
        if (lines_ && (value ^ previous) >> bit_ & 1) lines_->design(gic_, value >> bit_ & 1);
    }
    // The object stays: the net may be telling it something right now.
    void mute(const std::shared_ptr<Lines> &lines) {
        if (lines_ != lines) return;
        heard->forget(this);
        lines_.reset();
    }

  private:
    const unsigned bit_, gic_;
    std::shared_ptr<Lines> lines_;
};

namespace {

class Alarm final : public StimulusListener {
  public:
    explicit Alarm(std::shared_ptr<Lines> lines) : lines_(std::move(lines)) {}
    void stimulated() override { lines_->bell.ring(); }

  private:
    const std::shared_ptr<Lines> lines_;
};

}  // namespace

Server::Server(int listening, Options options)
    : bar_size_(options.bar_size), apertures_(std::move(options.apertures)), blocks_(std::move(options.blocks)),
      log_(std::move(options.log)), lines_(std::make_shared<Lines>()), listening_(listening), function_(bar_size_) {}

Server::~Server() = default;

// -- from Python -----------------------------------------------------------------------------------------------------
void Server::attach(const std::shared_ptr<Engine> &engine, const std::vector<Source> &sources) {
    for (const Source &source : sources) {
        engine->net_hooks.push_back(std::make_unique<Hearing>(*source.net, source.bit, source.gic, lines_));
        lines_->design(source.gic, source.net->value() >> source.bit & 1);
    }
    engine->stimulus_listener = std::make_shared<Alarm>(lines_);
    {
        std::lock_guard<std::mutex> guard(mutex_);
        next_ = engine;
        news_ = true;
    }
    lines_->bell.ring_always();
}

void Server::detach() {
    if (const std::shared_ptr<Engine> engine = attached(); engine && !engine->closed()) {
        for (const auto &one : engine->net_hooks)
            if (auto *hearing = dynamic_cast<Hearing *>(one.get())) hearing->mute(lines_);
        engine->stimulus_listener.reset();
    }
    {
        std::lock_guard<std::mutex> guard(mutex_);
        next_.reset();
        news_ = true;
    }
    lines_->drop();
    lines_->bell.ring_always();
}

std::shared_ptr<Engine> Server::attached() const {
    std::lock_guard<std::mutex> guard(mutex_);
    return next_;
}

void Server::deliver(int qtest, std::string gic) {
    auto made = std::make_unique<Qtest>(qtest, std::move(gic));
    {
        std::lock_guard<std::mutex> guard(mutex_);
        new_qtest_.push_back(std::move(made));
        news_ = true;
    }
    lines_->bell.ring_always();
}

void Server::stop() {
    stopping_ = true;
    lines_->bell.ring_always();
}

// -- the thread ------------------------------------------------------------------------------------------------------
void Server::run() {
    ::prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);  // nanoseconds; the usual 50 us would be seen in every wait
    Bell::mine = true;
    const Finally end([this] { finish(); });
    while (!stopping_) {
        adopt();
        const std::optional<Nanoseconds> pause = follow();
        deliver_changes();
        wait(pause);
    }
}

void Server::finish() {
    Bell::mine = false;
    drop_client("");
    {
        std::lock_guard<std::mutex> guard(mutex_);
        next_.reset();
        news_ = true;
    }
    adopt();
    listening_.reset();
    qtest_.reset();
    nb::gil_scoped_acquire gil;
    blocks_.clear();
    log_.reset();
}

// Take over what Python asked for. An engine dies under the interpreter's lock.
void Server::adopt() {
    if (!news_) return;
    std::shared_ptr<Engine> old;
    {
        std::lock_guard<std::mutex> guard(mutex_);
        news_ = false;
        if (engine_ != next_) {
            old = std::exchange(engine_, next_);
            horizon_.reset();
            stuck_.reset();
        }
        for (auto &qtest : new_qtest_) {
            qtest_ = std::move(qtest);
            for (const unsigned gic : lines_->high()) qtest_->send({gic, true});
            settled_ = qtest_->settled();
        }
        new_qtest_.clear();
    }
    if (old) {
        nb::gil_scoped_acquire gil;
        old.reset();
    }
}

// Let time pass; returns how long nothing will happen, none: until a message or a stimulus.
std::optional<Server::Nanoseconds> Server::follow() {
    if (!engine_) return {};
    Engine &engine = *engine_;
    std::string failure;
    std::optional<Nanoseconds> pause;
    {
        std::lock_guard<FairLock> guard(engine.lock);
        if (engine.closed() || (stuck_ && *stuck_ == engine.stimuli())) return {};
        stuck_.reset();
        if (engine.quiet()) {
            lagging_ = false;
            horizon_.reset();
            return {};
        }
        if (!horizon_) horizon_.emplace(engine);
        const Stop stop = engine.follow(kLead, kSlice, lines_->moved);
        lagging_ = stop == Stop::Slice;
        if (stop == Stop::Failed) {
            engine.pass_failure(failure);
            stuck_ = engine.stimuli();
        } else if (stop == Stop::Closed || stop == Stop::Quiet || engine.closed() || engine.quiet()) {
            pause = {};
        } else if (stop == Stop::Time) {
            pause = std::max(Nanoseconds(0), engine.due());
        } else {
            pause = stop == Stop::Slice && horizon_->passed() ? Nanoseconds(kRest) : Nanoseconds(0);
        }
    }
    if (!failure.empty()) {
        forget_error();
        say(kWarning, "the programmable logic stopped: " + brief(failure));
    }
    return pause;
}

void Server::deliver_changes() {
    if (!lines_->moved.load(std::memory_order_relaxed)) return;
    const std::vector<Change> changes = lines_->take();
    function_.level(lines_->any());
    if (!qtest_) return;
    for (const Change &change : changes) qtest_->send(change);
    pump_qtest();
}

void Server::pump_qtest() {
    std::string complaint;
    const bool there = qtest_->pump(complaint);
    settled_ = !there || qtest_->settled();
    if (!complaint.empty() && complaint != complained_) {
        complained_ = complaint;
        say(kWarning, "QEMU refused to set an interrupt line: " + complaint);
    }
    if (there) return;
    qtest_.reset();
    say(kDebug, "QEMU closed its qtest socket: no more interrupts are delivered to its interrupt controller");
}

void Server::wait(std::optional<Nanoseconds> at_most) {
    if (lines_->moved.load(std::memory_order_relaxed)) at_most = Nanoseconds(0);
    const short client = out_.empty() ? POLLIN : POLLOUT;
    pollfd places[] = {{lines_->bell.fd(), POLLIN, 0},
                       {client_.get(), client, 0},
                       {listening_.get(), POLLIN, 0},
                       {qtest_ ? qtest_->fd() : -1, static_cast<short>(POLLIN | (qtest_ && qtest_->blocked() ? POLLOUT : 0)), 0}};
    timespec time{};
    if (at_most) {
        time.tv_sec = static_cast<time_t>(at_most->count() / 1'000'000'000);
        time.tv_nsec = static_cast<long>(at_most->count() % 1'000'000'000);
    }
    if (::ppoll(places, std::size(places), at_most ? &time : nullptr, nullptr) < 0) {
        if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "ppoll");
        return;
    }
    if (places[0].revents) lines_->bell.quench();
    if (stopping_) return;
    if (places[3].revents && qtest_) pump_qtest();
    if (places[1].revents) serve_client();
    if (places[2].revents) accept_client();
}

void Server::say(int level, const std::string &text) {
    nb::gil_scoped_acquire gil;
    try {
        log_(level, text);
    } catch (nb::python_error &error) {
        error.discard_as_unraisable("pynq virtual board: log");
    }
}

std::string Server::brief(const std::string &error) {
    if (error.rfind("Traceback", 0) != 0) return error;
    const size_t end = error.find_last_not_of('\n');
    const size_t begin = error.rfind('\n', end);
    return error.substr(begin + 1, end - begin);
}

// What a model raised is told in the log; this thread passes it on to nobody.
void Server::forget_error() {
    nb::gil_scoped_acquire gil;
    PyErr_Clear();
}

}  // namespace pynq::sim::vfio
