// SPDX-License-Identifier: BSD-3-Clause
// The two compressions that the FST format knows: blocks of LZ4 and streams of zlib. Matches are found by one look into a
// hash table: wave data repeat themselves so much that a longer search gains little.
#include <algorithm>
#include <array>
#include <cstring>

#include "wave.hpp"

namespace pynq::sim {

namespace {

uint32_t four(const uint8_t *at) {
    uint32_t word;
    std::memcpy(&word, at, 4);
    return word;
}

// How far two places agree, at most up to `end` of the second.
size_t agreement(const uint8_t *a, const uint8_t *b, const uint8_t *end) {
    const uint8_t *from = b;
    while (b < end && *a == *b) ++a, ++b;
    return static_cast<size_t>(b - from);
}

constexpr unsigned kHashBits = 13;
uint32_t hash(uint32_t word) { return word * 2654435761u >> (32 - kHashBits); }

}  // namespace

// The format is LZ4's block format: the last 5 bytes are literals, and no match begins within the last 12.
void pack_lz4(const uint8_t *data, size_t size, std::vector<uint8_t> &out) {
    std::array<uint32_t, 1u << kHashBits> seen{};  // place + 1
    const auto length = [&](size_t rest) {
        for (; rest >= 255; rest -= 255) out.push_back(255);
        out.push_back(static_cast<uint8_t>(rest));
    };
    size_t from = 0, at = 0;
    const size_t limit = size > 12 ? size - 12 : 0;
    unsigned misses = 0;
    while (at < limit) {
        uint32_t &place = seen[hash(four(data + at))];
        const size_t before = place;
        place = static_cast<uint32_t>(at + 1);
        if (!before || at + 1 - before > 65535 || four(data + before - 1) != four(data + at)) {
            at += 1 + (misses++ >> 5);
            continue;
        }
        misses = 0;
        const size_t match = 4 + agreement(data + before + 3, data + at + 4, data + size - 5);
        const size_t literals = at - from, distance = at + 1 - before;
        out.push_back(static_cast<uint8_t>(std::min<size_t>(literals, 15) << 4 | std::min<size_t>(match - 4, 15)));
        if (literals >= 15) length(literals - 15);
        out.insert(out.end(), data + from, data + at);
        out.push_back(static_cast<uint8_t>(distance));
        out.push_back(static_cast<uint8_t>(distance >> 8));
        if (match - 4 >= 15) length(match - 4 - 15);
        at += match;
        from = at;
    }
    const size_t literals = size - from;
    out.push_back(static_cast<uint8_t>(std::min<size_t>(literals, 15) << 4));
    if (literals >= 15) length(literals - 15);
    out.insert(out.end(), data + from, data + size);
}

namespace {

// RFC 1951, 3.2.5: lengths 3 to 258 and distances, as code, first value and number of extra bits.
struct Extra {
    uint16_t first;
    uint8_t bits;
};
constexpr Extra kLengths[] = {{3, 0},  {4, 0},  {5, 0},  {6, 0},  {7, 0},  {8, 0},  {9, 0},   {10, 0},  {11, 1}, {13, 1},
                              {15, 1}, {17, 1}, {19, 2}, {23, 2}, {27, 2}, {31, 2}, {35, 3},  {43, 3},  {51, 3}, {59, 3},
                              {67, 4}, {83, 4}, {99, 4}, {115, 4}, {131, 5}, {163, 5}, {195, 5}, {227, 5}, {258, 0}};
constexpr Extra kDistances[] = {{1, 0},    {2, 0},    {3, 0},    {4, 0},    {5, 1},     {7, 1},     {9, 2},     {13, 2},
                                {17, 3},   {25, 3},   {33, 4},   {49, 4},   {65, 5},    {97, 5},    {129, 6},   {193, 6},
                                {257, 7},  {385, 7},  {513, 8},  {769, 8},  {1025, 9},  {1537, 9},  {2049, 10}, {3073, 10},
                                {4097, 11}, {6145, 11}, {8193, 12}, {12289, 12}, {16385, 13}, {24577, 13}};

template <size_t count> unsigned code_of(const Extra (&table)[count], size_t value) {
    unsigned code = count - 1;
    while (table[code].first > value) --code;
    return code;
}

class BitWriter {
  public:
    explicit BitWriter(std::vector<uint8_t> &out) : out_(out) {}
    void bits(uint32_t value, unsigned count) {
        held_ |= static_cast<uint64_t>(value) << count_;
        count_ += count;
        for (; count_ >= 8; count_ -= 8, held_ >>= 8) out_.push_back(static_cast<uint8_t>(held_));
    }
    // Huffman codes go out from their highest bit on.
    void code(uint32_t value, unsigned count) {
        uint32_t turned = 0;
        for (unsigned i = 0; i < count; ++i) turned |= (value >> i & 1) << (count - 1 - i);
        bits(turned, count);
    }
    // A literal or length, in the fixed code of 3.2.6.
    void symbol(unsigned symbol) {
        if (symbol < 144)
            code(0x30 + symbol, 8);
        else if (symbol < 256)
            code(0x190 + symbol - 144, 9);
        else if (symbol < 280)
            code(symbol - 256, 7);
        else
            code(0xc0 + symbol - 280, 8);
    }
    void align() {
        if (count_) bits(0, 8 - count_);
    }

  private:
    std::vector<uint8_t> &out_;
    uint64_t held_ = 0;
    unsigned count_ = 0;
};

}  // namespace

void pack_zlib(const uint8_t *data, size_t size, std::vector<uint8_t> &out) {
    std::array<uint32_t, 1u << kHashBits> seen{};
    out.insert(out.end(), {0x78, 0x01});  // deflate, window of 32 KiB, fastest
    BitWriter to(out);
    to.bits(1, 1);  // the only block
    to.bits(1, 2);  // fixed code
    size_t at = 0;
    while (at < size) {
        size_t match = 0, distance = 0;
        if (at + 4 <= size) {
            uint32_t &place = seen[hash(four(data + at))];
            if (place && at + 1 - place <= 32768) {
                distance = at + 1 - place;
                match = agreement(data + place - 1, data + at, data + std::min(size, at + 258));
            }
            place = static_cast<uint32_t>(at + 1);
        }
        if (match < 4) {
            to.symbol(data[at++]);
            continue;
        }
        const unsigned length = code_of(kLengths, match);
        to.symbol(257 + length);
        to.bits(static_cast<uint32_t>(match - kLengths[length].first), kLengths[length].bits);
        const unsigned far = code_of(kDistances, distance);
        to.code(far, 5);
        to.bits(static_cast<uint32_t>(distance - kDistances[far].first), kDistances[far].bits);
        at += match;
    }
    to.symbol(256);
    to.align();
    uint32_t low = 1, high = 0;  // Adler-32
    for (size_t i = 0; i < size;) {
        const size_t end = std::min(size, i + 5552);  // so long no overflow can happen
        for (; i < end; ++i) high += low += data[i];
        low %= 65521;
        high %= 65521;
    }
    for (const uint32_t half : {high, low}) {
        out.push_back(static_cast<uint8_t>(half >> 8));
        out.push_back(static_cast<uint8_t>(half));
    }
}

}  // namespace pynq::sim
