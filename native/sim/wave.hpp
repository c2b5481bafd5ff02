// SPDX-License-Identifier: BSD-3-Clause
// Wave files: what a writer is given, whatever the format.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "types.hpp"

namespace pynq::sim {

// A variable of a wave file. Several may show one channel (the same wire under two names).
struct WaveVariable {
    std::vector<std::string> scope;  // from the outermost
    std::string name;
    uint32_t bits = 1;
    int32_t msb = 0, lsb = 0;
    char kind = 'w';  // as in pynq/rtl.h: 'w' wire, 'r' variable, 'p' parameter, 'f' real (64 bits), 'e' event
    uint32_t channel = 0;
};

inline uint32_t wave_words(uint32_t bits) { return (bits + 31) / 32; }

// A file could not be opened or written.
struct WaveFault {
    int error;  // errno
    std::string path;
};

// A file that is written from front to back, but for a few bytes. Every method throws WaveFault.
class WaveOutput {
  public:
    explicit WaveOutput(std::string path);
    ~WaveOutput();
    WaveOutput(const WaveOutput &) = delete;
    WaveOutput &operator=(const WaveOutput &) = delete;

    void append(const void *data, size_t size);
    void patch(uint64_t offset, const void *data, size_t size);
    uint64_t size() const { return size_; }
    void close();
    // A child of fork() holds a copy of what the parent is going to write.
    bool mine() const;

  private:
    std::string path_;
    int file_ = -1;
    int owner_;
    uint64_t size_ = 0;
};

// Values are 32-bit words, least significant first, unused bits 0; a real is its 64 bits. Time never goes back. What was
// written up to a flush can be read by others, also when this process dies later. Methods throw WaveFault; after that only
// the destructor may be called.
class WaveWriter {
  public:
    virtual ~WaveWriter() = default;
    // The changes that follow happen then.
    virtual void time(Time now) = 0;
    virtual void change(uint32_t channel, const uint32_t *words) = 0;
    // Not recorded from here on: drawn as x.
    virtual void unknown(uint32_t channel) = 0;
    virtual void flush() = 0;
    virtual void close() = 0;
    virtual uint64_t bytes() const = 0;  // of the file so far
};

// Channels are 0 to the highest that a variable has.
std::unique_ptr<WaveWriter> make_vcd(const std::string &path, const std::vector<WaveVariable> &variables);
std::unique_ptr<WaveWriter> make_fst(const std::string &path, const std::vector<WaveVariable> &variables);

// Variables in the order in which a hierarchy is written: scopes are opened once, inside their parents. Calls
// enter(name), leave() and variable(v).
void wave_hierarchy(const std::vector<WaveVariable> &variables, const std::function<void(const std::string &)> &enter,
                    const std::function<void()> &leave, const std::function<void(const WaveVariable &)> &variable);

// Compression for the FST format: blocks of LZ4, streams of zlib (RFC 1950, 1951). Both append.
void pack_lz4(const uint8_t *data, size_t size, std::vector<uint8_t> &out);
void pack_zlib(const uint8_t *data, size_t size, std::vector<uint8_t> &out);

}  // namespace pynq::sim
