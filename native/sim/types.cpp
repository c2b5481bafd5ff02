// SPDX-License-Identifier: BSD-3-Clause
#include "types.hpp"

#include <cstdarg>
#include <cstdio>

namespace pynq::sim {

std::string hex(uint64_t value) { return format("0x%llx", static_cast<unsigned long long>(value)); }

std::string format(const char *pattern, ...) {
    va_list args, again;
    va_start(args, pattern);
    va_copy(again, args);
    const int length = std::vsnprintf(nullptr, 0, pattern, args);
    va_end(args);
    std::string out(static_cast<size_t>(length > 0 ? length : 0), '\0');
    if (length > 0) std::vsnprintf(out.data(), out.size() + 1, pattern, again);
    va_end(again);
    return out;
}

}  // namespace pynq::sim
