// SPDX-License-Identifier: BSD-3-Clause
// Value Change Dump, IEEE 1364-2005 clause 18.
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "wave.hpp"

namespace pynq::sim {

namespace {

constexpr size_t kBuffer = 1 << 20;

// The eight digits of each byte, most significant first.
constexpr auto kDigits = [] {
    std::array<std::array<char, 8>, 256> digits{};
    for (unsigned byte = 0; byte < 256; ++byte)
        for (unsigned bit = 0; bit < 8; ++bit) digits[byte][7 - bit] = static_cast<char>('0' + (byte >> bit & 1));
    return digits;
}();

const char *kind_word(char kind) {
    switch (kind) {
    case 'r': return "reg";
    case 'p': return "parameter";
    case 'f': return "real";
    case 'e': return "event";
    default: return "wire";
    }
}

// Blanks would end a name.
std::string plain(std::string name) {
    std::replace_if(name.begin(), name.end(), [](char letter) { return static_cast<unsigned char>(letter) <= ' '; }, '_');
    return name;
}

class Vcd final : public WaveWriter {
  public:
    Vcd(const std::string &path, const std::vector<WaveVariable> &variables) : file_(path) {
        for (const WaveVariable &variable : variables) {
            if (variable.channel >= channels_.size()) channels_.resize(variable.channel + 1);
            Channel &channel = channels_[variable.channel];
            channel.bits = variable.bits;
            channel.kind = variable.kind;
            name_channel(channel, variable.channel);
            longest_ = std::max<size_t>(longest_, variable.bits + 16);
        }
        buffer_.resize(kBuffer + longest_ + 64);
        std::string text = "$version pynq-anywhere $end\n$timescale 1 ps $end\n";
        wave_hierarchy(
            variables, [&](const std::string &name) { text += "$scope module " + plain(name) + " $end\n"; },
            [&] { text += "$upscope $end\n"; },
            [&](const WaveVariable &variable) {
                const Channel &channel = channels_[variable.channel];
                text += std::string("$var ") + kind_word(variable.kind) + ' ' + std::to_string(variable.bits) + ' ' +
                        std::string(channel.code, channel.length) + ' ' + plain(variable.name);
                if (variable.kind != 'f' && (variable.bits > 1 || variable.msb || variable.lsb)) {
                    text += " [" + std::to_string(variable.msb);
                    if (variable.bits > 1) text += ':' + std::to_string(variable.lsb);
                    text += ']';
                }
                text += " $end\n";
            });
        text += "$enddefinitions $end\n";
        file_.append(text.data(), text.size());
    }

    ~Vcd() override {
        try {
            close();
        } catch (const WaveFault &) {
            // Whoever wants to know calls close().
        }
    }

    void time(Time now) override {
        if (used_ >= kBuffer) flush();
        if (started_ && now == now_) return;
        now_ = now;
        started_ = true;
        char *to = buffer_.data() + used_;
        *to++ = '#';
        char digits[20];
        unsigned count = 0;
        do digits[count++] = static_cast<char>('0' + now % 10);
        while (now /= 10);
        while (count) *to++ = digits[--count];
        *to++ = '\n';
        used_ = static_cast<size_t>(to - buffer_.data());
    }

    void change(uint32_t number, const uint32_t *words) override {
        const Channel &channel = channels_[number];
        if (used_ >= kBuffer) write_out();
        char *to = buffer_.data() + used_;
        if (channel.kind == 'f') {
            double value;
            std::memcpy(&value, words, sizeof value);
            *to++ = 'r';
            to = put_real(to, value);
            *to++ = ' ';
        } else if (channel.bits == 1) {
            *to++ = static_cast<char>('0' + (*words & 1));
        } else {
            to = put_bits(to, channel.bits, words);
        }
        finish(to, channel);
    }

    void unknown(uint32_t number) override {
        const Channel &channel = channels_[number];
        if (used_ >= kBuffer) write_out();
        char *to = buffer_.data() + used_;
        if (channel.kind == 'f')
            to = std::copy_n("rnan ", 5, to);
        else
            to = channel.bits == 1 ? std::copy_n("x", 1, to) : std::copy_n("bx ", 3, to);
        finish(to, channel);
    }

    // Between two times, so that a reader finds whole steps.
    void flush() override { write_out(); }

    void close() override {
        if (file_.mine()) write_out();
        file_.close();
    }

    uint64_t bytes() const override { return file_.size() + used_; }

  private:
    struct Channel {
        uint32_t bits = 1;
        char kind = 'w';
        uint8_t length = 0;
        char code[6] = {};
    };

    // Identifiers are printable letters, '!' to '~', the most frequent (first) ones short.
    static void name_channel(Channel &channel, uint32_t number) {
        channel.length = 0;
        do {
            channel.code[channel.length++] = static_cast<char>('!' + number % 94);
            number /= 94;
        } while (number-- != 0);
    }

    // Leading zeros need not be written (18.2.1).
    static char *put_bits(char *to, uint32_t bits, const uint32_t *words) {
        *to++ = 'b';
        uint32_t word = wave_words(bits);
        while (word > 1 && !words[word - 1]) --word;
        uint32_t value = words[--word];
        unsigned left = std::max(1, 32 - std::countl_zero(value));
        for (;;) {
            char digits[32];
            for (unsigned byte = 0; byte < 4; ++byte)
                std::memcpy(digits + 8 * byte, kDigits[value >> (24 - 8 * byte) & 0xff].data(), 8);
            to = std::copy_n(digits + 32 - left, left, to);
            if (!word) break;
            value = words[--word];
            left = 32;
        }
        *to++ = ' ';
        return to;
    }

    static char *put_real(char *to, double value) {
#ifdef __cpp_lib_to_chars
        return std::to_chars(to, to + 32, value).ptr;  // the shortest text that reads back as the same number
#else
        return to + std::snprintf(to, 32, "%.17g", value);
#endif
    }

    void finish(char *to, const Channel &channel) {
        for (unsigned i = 0; i < channel.length; ++i) *to++ = channel.code[i];
        *to++ = '\n';
        used_ = static_cast<size_t>(to - buffer_.data());
    }

    void write_out() {
        const size_t size = used_;
        used_ = 0;
        if (size) file_.append(buffer_.data(), size);
    }

    WaveOutput file_;
    std::vector<Channel> channels_;
    std::vector<char> buffer_;
    size_t used_ = 0, longest_ = 0;
    Time now_ = 0;
    bool started_ = false;
};

}  // namespace

std::unique_ptr<WaveWriter> make_vcd(const std::string &path, const std::vector<WaveVariable> &variables) {
    return std::make_unique<Vcd>(path, variables);
}

}  // namespace pynq::sim
