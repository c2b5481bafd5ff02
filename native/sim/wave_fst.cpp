// SPDX-License-Identifier: BSD-3-Clause
// Fast Signal Trace, the format of GTKWave. There is no standard; facts are those of GTKWave's own reader and writer
// (fstapi.c). A file is a row of blocks: type, length, contents; numbers are big-endian, or "varints" of 7 bits a byte,
// least significant first. Here the header, the variables' widths and the hierarchy come first, which readers allow, so
// that a file whose writer died is complete up to its last whole block of changes.
#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "wave.hpp"

namespace pynq::sim {

namespace {

// Types of blocks.
enum Block : uint8_t { kHeader = 0, kGeometry = 3, kHierarchyLz4 = 6, kChanges = 8 /* with dynamic aliases */, kSkip = 255 };

// Places in the header.
constexpr uint64_t kStartTime = 9, kEndTime = 17, kSections = 65;
constexpr size_t kHeaderLength = 330, kVersionLength = 128, kDateLength = 119;

// A block is written when so many bytes of changes, or points in time, have come together.
constexpr size_t kBlockBytes = 16 << 20;
constexpr size_t kBlockTimes = 4 << 20;

using Bytes = std::vector<uint8_t>;

void put64(Bytes &to, uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) to.push_back(static_cast<uint8_t>(value >> shift));
}

void put_varint(Bytes &to, uint64_t value) {
    for (; value >= 128; value >>= 7) to.push_back(static_cast<uint8_t>(value | 128));
    to.push_back(static_cast<uint8_t>(value));
}

void put_signed(Bytes &to, int64_t value) {
    for (;;) {
        const auto byte = static_cast<uint8_t>(value & 127);
        value >>= 7;
        if ((value == 0 && !(byte & 64)) || (value == -1 && (byte & 64))) {
            to.push_back(byte);
            return;
        }
        to.push_back(byte | 128);
    }
}

void put_text(Bytes &to, const std::string &text) {
    to.insert(to.end(), text.begin(), text.end());
    to.push_back(0);
}

// Whichever is shorter; a reader tells by the length.
Bytes shorter(const Bytes &data) {
    Bytes packed;
    packed.reserve(data.size() / 2 + 64);
    pack_zlib(data.data(), data.size(), packed);
    return packed.size() < data.size() ? packed : data;
}

class Fst final : public WaveWriter {
  public:
    Fst(const std::string &path, const std::vector<WaveVariable> &variables) : file_(path) {
        for (const WaveVariable &variable : variables) {
            if (variable.channel >= channels_.size()) channels_.resize(variable.channel + 1);
            Channel &channel = channels_[variable.channel];
            channel.bits = variable.bits;
            channel.real = variable.kind == 'f';
            channel.now.assign(wave_words(variable.bits), 0);
        }
        Bytes out;
        begin(out, variables);
        file_.append(out.data(), out.size());
    }

    ~Fst() override {
        try {
            close();
        } catch (const WaveFault &) {
            // Whoever wants to know calls close().
        }
    }

    void time(Time now) override {
        if (started_ && now == now_) return;
        if (!started_) {
            started_ = true;
            begin_ = first_ = now;
            put_varint(times_, now);
            count_ = 1;
        } else {
            if (held_ >= kBlockBytes || count_ >= kBlockTimes) write_block();
            put_varint(times_, now - now_);
            ++count_;
        }
        now_ = now;
    }

    void change(uint32_t number, const uint32_t *words) override {
        Channel &channel = channels_[number];
        const uint64_t delta = place(channel);
        Bytes &to = channel.chain;
        const size_t before = to.size();
        if (channel.bits == 1) {
            channel.now[0] = *words & 1;
            put_varint(to, delta << 2 | channel.now[0] << 1);
        } else if (channel.real) {
            put_varint(to, delta << 1 | 1);
            const auto *bytes = reinterpret_cast<const uint8_t *>(words);
            to.insert(to.end(), bytes, bytes + 8);
            std::copy_n(words, 2, channel.now.data());
        } else {
            put_varint(to, delta << 1);
            put_bits(to, channel.bits, words);
            std::copy_n(words, channel.now.size(), channel.now.data());
        }
        channel.known = true;
        held_ += to.size() - before;
    }

    void unknown(uint32_t number) override {
        Channel &channel = channels_[number];
        const uint64_t delta = place(channel);
        Bytes &to = channel.chain;
        const size_t before = to.size();
        if (channel.bits == 1) {
            put_varint(to, delta << 4 | 1);
        } else {
            put_varint(to, delta << 1 | 1);
            if (channel.real)
                to.insert(to.end(), kNan, kNan + 8);
            else
                to.insert(to.end(), channel.bits, 'x');
        }
        channel.known = false;
        held_ += to.size() - before;
    }

    void flush() override {
        if (started_) write_block();
    }

    void close() override {
        if (file_.mine()) flush();
        file_.close();
    }

    uint64_t bytes() const override { return file_.size() + (held_ ? held_ + times_.size() : 0); }

  private:
    static constexpr uint32_t kNever = ~uint32_t{0};
    static constexpr uint8_t kNan[8] = {0, 0, 0, 0, 0, 0, 0xf8, 0x7f};

    struct Channel {
        uint32_t bits = 1;
        bool real = false, known = false;
        Bytes chain;  // changes of this block: difference in index of time, and value
        uint32_t index = kNever, previous = 0;  // of the last change in the table of times, and of the one before
        size_t last = 0;                        // where the last change begins
        std::vector<uint32_t> now;
    };

    // Make room for a change now; a second one at a time replaces the first. The difference in index to the one before.
    uint64_t place(Channel &channel) {
        const uint32_t index = count_ - 1;
        if (channel.index == index) {
            held_ -= channel.chain.size() - channel.last;
            channel.chain.resize(channel.last);
        } else {
            channel.previous = channel.index == kNever ? 0 : channel.index;
            channel.index = index;
            channel.last = channel.chain.size();
        }
        return index - channel.previous;
    }

    // Bits from the highest on, so the last byte may have bits to spare.
    static void put_bits(Bytes &to, uint32_t bits, const uint32_t *words) {
        const uint32_t size = (bits + 7) / 8;
        const unsigned spare = size * 8 - bits;
        const size_t at = to.size();
        to.resize(at + size);
        uint8_t *out = to.data() + at;
        if (bits <= 64) {
            uint64_t value = words[0];
            if (bits > 32) value |= static_cast<uint64_t>(words[1]) << 32;
            value <<= 64 - bits;
            for (uint32_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(value >> (56 - 8 * i));
            return;
        }
        const auto byte = [&](uint32_t i) -> unsigned { return i < size ? words[i / 4] >> (i % 4 * 8) & 255 : 0; };
        for (uint32_t i = 0; i < size; ++i) {
            const uint32_t from = size - 1 - i;
            const unsigned both = byte(from) << 8 | (from ? byte(from - 1) : 0);
            out[i] = static_cast<uint8_t>(both << spare >> 8);
        }
    }

    void begin(Bytes &out, const std::vector<WaveVariable> &variables) {
        Bytes hierarchy;
        uint64_t scopes = 0;
        std::vector<char> named(channels_.size());
        // A handle is the number of a channel's first variable, from 1 on: channels are numbered anew in this order.
        handles_.clear();
        std::vector<uint32_t> handle(channels_.size());
        wave_hierarchy(
            variables,
            [&](const std::string &name) {
                ++scopes;
                hierarchy.insert(hierarchy.end(), {254, 0});  // scope, module
                put_text(hierarchy, name);
                put_text(hierarchy, "");  // of what kind: unknown
            },
            [&] { hierarchy.push_back(255); },
            [&](const WaveVariable &variable) {
                uint32_t &number = handle[variable.channel];
                const uint32_t alias = number;
                if (!number) {
                    handles_.push_back(variable.channel);
                    number = static_cast<uint32_t>(handles_.size());
                }
                uint8_t kind = 16;  // wire
                if (variable.kind == 'r') kind = 5;
                if (variable.kind == 'p') kind = 2;
                if (variable.kind == 'f') kind = 3;
                if (variable.kind == 'e') kind = 0;
                hierarchy.insert(hierarchy.end(), {kind, 0});  // and no direction
                std::string name = variable.name;
                if (variable.kind != 'f' && (variable.bits > 1 || variable.msb || variable.lsb)) {
                    name += " [" + std::to_string(variable.msb);
                    if (variable.bits > 1) name += ':' + std::to_string(variable.lsb);
                    name += ']';
                }
                put_text(hierarchy, name);
                put_varint(hierarchy, variable.kind == 'f' ? 8 : variable.bits);
                put_varint(hierarchy, alias);
            });

        out.push_back(kHeader);
        put64(out, kHeaderLength - 1);
        put64(out, 0);  // first time
        put64(out, 1);  // last time; both 0 would mean a file that is not complete
        const double test = 2.7182818284590452354;  // tells the byte order of reals
        const auto *bytes = reinterpret_cast<const uint8_t *>(&test);
        out.insert(out.end(), bytes, bytes + 8);
        put64(out, kBlockBytes);
        put64(out, scopes);
        put64(out, variables.size());
        put64(out, handles_.size());
        put64(out, 0);                            // blocks of changes
        out.push_back(static_cast<uint8_t>(-12));  // times are in 10^-12 s
        const auto padded = [&](std::string text, size_t length) {
            text.resize(length);
            out.insert(out.end(), text.begin(), text.end());
        };
        padded("pynq-anywhere", kVersionLength);
        padded("", kDateLength);  // none: equal runs make equal files
        out.push_back(0);         // Verilog
        put64(out, 0);            // time zero

        Bytes widths;
        for (const uint32_t channel : handles_) put_varint(widths, channels_[channel].real ? 0 : channels_[channel].bits);
        const Bytes geometry = shorter(widths);
        out.push_back(kGeometry);
        put64(out, geometry.size() + 24);
        put64(out, widths.size());
        put64(out, handles_.size());
        out.insert(out.end(), geometry.begin(), geometry.end());

        Bytes packed;
        pack_lz4(hierarchy.data(), hierarchy.size(), packed);
        out.push_back(kHierarchyLz4);
        put64(out, packed.size() + 16);
        put64(out, hierarchy.size());
        out.insert(out.end(), packed.begin(), packed.end());
        frame_ = values();
    }

    // All values as text, a letter a bit: what holds at the beginning of a block.
    Bytes values() const {
        Bytes frame;
        for (const uint32_t number : handles_) {
            const Channel &channel = channels_[number];
            if (channel.real) {
                const auto *bytes = channel.known ? reinterpret_cast<const uint8_t *>(channel.now.data()) : kNan;
                frame.insert(frame.end(), bytes, bytes + 8);
            } else if (!channel.known) {
                frame.insert(frame.end(), channel.bits, 'x');
            } else {
                for (uint32_t bit = channel.bits; bit--;)
                    frame.push_back(static_cast<uint8_t>('0' + (channel.now[bit / 32] >> bit % 32 & 1)));
            }
        }
        return frame;
    }

    // Write what has come together as one block, and begin the next at the time reached.
    void write_block() {
        if (held_) {
            Bytes out{kSkip};  // until it is there as a whole
            put64(out, 0);     // length, below
            put64(out, begin_);
            put64(out, now_);
            uint64_t memory = 0;
            for (const Channel &channel : channels_) memory += channel.chain.size();
            put64(out, memory);
            const Bytes frame = shorter(frame_);
            put_varint(out, frame_.size());
            put_varint(out, frame.size());
            put_varint(out, handles_.size());
            out.insert(out.end(), frame.begin(), frame.end());
            put_varint(out, handles_.size());
            put_chains(out);
            const Bytes times = shorter(times_);
            out.insert(out.end(), times.begin(), times.end());
            put64(out, times_.size());
            put64(out, times.size());
            put64(out, count_);
            Bytes length;
            put64(length, out.size() - 1);
            std::copy(length.begin(), length.end(), out.begin() + 1);
            const uint64_t at = file_.size();
            file_.append(out.data(), out.size());
            const uint8_t kind = kChanges;
            file_.patch(at, &kind, 1);
            ++sections_;
            patch64(kSections, sections_);
            begin_ = now_;
            times_.clear();
            put_varint(times_, now_);
            count_ = 1;
            held_ = 0;
            for (Channel &channel : channels_) {
                channel.chain.clear();
                channel.index = kNever;
            }
            frame_ = values();
        }
        patch64(kStartTime, first_);
        patch64(kEndTime, std::max<Time>(now_, 1));
    }

    void patch64(uint64_t offset, uint64_t value) {
        Bytes bytes;
        put64(bytes, value);
        file_.patch(offset, bytes.data(), bytes.size());
    }

    // The changes of each channel, packed where that helps, and the table that says where they are. Two channels with the
    // same changes share them.
    void put_chains(Bytes &out) {
        const size_t start = out.size();
        out.push_back('4');  // LZ4
        std::unordered_map<std::string_view, int64_t> known;
        Bytes table;
        uint64_t absent = 0, before = 0;
        int64_t last_alias = 0;
        Bytes packed;
        for (size_t i = 0; i < handles_.size(); ++i) {
            const Bytes &chain = channels_[handles_[i]].chain;
            if (chain.empty()) {
                ++absent;
                continue;
            }
            if (absent) put_varint(table, absent << 1);
            absent = 0;
            const std::string_view view(reinterpret_cast<const char *>(chain.data()), chain.size());
            const auto [found, fresh] = known.emplace(view, -static_cast<int64_t>(i) - 1);
            if (!fresh) {
                // 0 stands for the same as the alias before
                put_signed(table, (found->second == last_alias ? 0 : found->second) * 2 | 1);
                last_alias = found->second;
                continue;
            }
            const uint64_t place = out.size() - start;
            put_signed(table, static_cast<int64_t>(place - before) * 2 | 1);
            before = place;
            packed.clear();
            if (chain.size() > 32) pack_lz4(chain.data(), chain.size(), packed);
            if (!packed.empty() && packed.size() < chain.size()) {
                put_varint(out, chain.size());
                out.insert(out.end(), packed.begin(), packed.end());
            } else {
                put_varint(out, 0);
                out.insert(out.end(), chain.begin(), chain.end());
            }
        }
        if (absent) put_varint(table, absent << 1);
        out.insert(out.end(), table.begin(), table.end());
        put64(out, table.size());
    }

    WaveOutput file_;
    std::vector<Channel> channels_;
    std::vector<uint32_t> handles_;  // channel of handle i + 1
    Bytes times_, frame_;
    uint32_t count_ = 0;  // times in the table
    size_t held_ = 0;     // bytes of changes
    uint64_t sections_ = 0;
    Time begin_ = 0, now_ = 0, first_ = 0;
    bool started_ = false;
};

}  // namespace

std::unique_ptr<WaveWriter> make_fst(const std::string &path, const std::vector<WaveVariable> &variables) {
    return std::make_unique<Fst>(path, variables);
}

}  // namespace pynq::sim
