// SPDX-License-Identifier: BSD-3-Clause
// A simulated board for another machine: the addresses that its PS reaches, as a PCI function that speaks vfio-user
// (QEMU, docs/interop/vfio-user.rst, "the protocol"). How time, interrupts and addresses go: docs/design/virtual-board.md.
#pragma once

#include <nanobind/nanobind.h>

#include <array>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "vfio_function.hpp"
#include "vfio_lines.hpp"

namespace pynq::sim::vfio {

struct Aperture {
    uint64_t address, size, offset;  // of the PS, in bytes, in the BAR
};

// Registers of the PS; `object` has read(offset, width) and write(offset, value, width).
struct Block {
    uint64_t address, size;
    nb::object object;
};

class Server {
  public:
    struct Options {
        uint64_t bar_size;
        std::vector<Aperture> apertures;  // sorted by offset
        std::vector<Block> blocks;
        nb::object log;  // log(level, text)
    };
    struct Figures {
        std::atomic<uint64_t> accesses{0}, bytes{0}, refused{0}, clients{0};
    };

    Server(int listening, Options options);
    ~Server();  // with the interpreter's lock

    // -- from Python, any thread, with the interpreter's lock --------------------------------------------------------
    struct Source {
        unsigned gic;
        Net *net;
        unsigned bit;
    };
    // Serve that engine from the next message on. The caller holds the engine's lock.
    void attach(const std::shared_ptr<Engine> &engine, const std::vector<Source> &sources);
    // All lines low; nobody answers until the next attach. The caller holds the lock of the engine that is served.
    void detach();
    std::shared_ptr<Engine> attached() const;
    void isolate(bool on) { isolated_ = on; }
    void deliver(int qtest, std::string gic);
    void stop();
    // QEMU shows every level that there is; on the server's thread this is exact.
    bool settled() const { return settled_.load() && !lines_->moved.load(); }
    Lines &lines() { return *lines_; }
    Figures figures;

    // The server's thread; without the interpreter's lock. Returns after stop.
    void run();

  private:
    using Nanoseconds = std::chrono::nanoseconds;
    struct Header {
        uint16_t id, command;
        uint32_t size, flags, error;
    };
    class Hearing;

    // -- the thread's turns (vfio.cpp) -------------------------------------------------------------------------------
    void finish();
    void adopt();
    std::optional<Nanoseconds> follow();
    void deliver_changes();
    void pump_qtest();
    void wait(std::optional<Nanoseconds> at_most);
    void say(int level, const std::string &text);
    void forget_error();
    static std::string brief(const std::string &error);  // the last line of a traceback

    // -- accesses (vfio_access.cpp) ----------------------------------------------------------------------------------
    void access(bool write, uint64_t offset, uint8_t *data, uint64_t count);
    uint64_t single(bool write, uint64_t offset, unsigned width, uint64_t value);
    bool to_block(const Block &block, bool write, uint64_t offset, unsigned width, uint64_t &value, std::string &error);
    bool to_engine(bool write, uint64_t address, unsigned width, uint64_t &value, std::string &error);
    void refuse(bool write, uint64_t address, unsigned width, const std::string &error);

    // -- messages (vfio_messages.cpp) --------------------------------------------------------------------------------
    void accept_client();
    void serve_client();
    void drop_client(const std::string &why);
    bool receive();                 // more of the message under way; false: nothing came
    void handle();                  // the whole message
    int answer();                   // 0, or an errno
    int version();
    int map();
    int unmap();
    int device_info();
    int region_info();
    int interrupt_info();
    int set_interrupts();
    int region(bool write);
    int write_many();
    void reply(int error);
    void flush();
    template <class T> T get(size_t at) const;
    template <class T> void put(T value);

    const uint64_t bar_size_;
    const std::vector<Aperture> apertures_;
    std::vector<Block> blocks_;
    nb::object log_;

    std::shared_ptr<Lines> lines_;
    std::atomic<bool> stopping_{false}, isolated_{false}, settled_{true};

    mutable std::mutex mutex_;  // of what Python changes
    std::shared_ptr<Engine> next_;
    std::vector<std::unique_ptr<Qtest>> new_qtest_;
    std::atomic<bool> news_{false};

    std::shared_ptr<Engine> engine_;
    std::optional<Horizon> horizon_;
    bool lagging_ = false;           // the engine is slower than the host's time
    std::optional<uint64_t> stuck_;  // the engine failed, at so many stimuli: let it rest until the next
    std::unique_ptr<Qtest> qtest_;
    std::set<uint64_t> refused_;
    std::string complained_;

    Fd listening_, client_;
    Function function_;
    bool greeted_ = false;
    std::vector<uint8_t> message_, reply_, out_;
    size_t got_ = 0;
    std::vector<Fd> received_;  // descriptors that came with the message
    std::set<std::pair<uint64_t, uint64_t>> mapped_;
};

}  // namespace pynq::sim::vfio
