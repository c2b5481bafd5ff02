// SPDX-License-Identifier: BSD-3-Clause
// The BAR: from an offset to an address of the PS, and to what answers there.
#include <pynq/native.h>

#include <algorithm>
#include <cstring>

#include "vfio.hpp"

namespace pynq::sim::vfio {

namespace {
constexpr int kWarning = 30;               // of Python's logging
constexpr size_t kMostNamed = 1000;        // places of which the log tells
constexpr auto kCatchUp = std::chrono::microseconds(100);
}  // namespace

// Of any size and alignment, in accesses as wide as both allow.
void Server::access(bool write, uint64_t offset, uint8_t *data, uint64_t count) {
    figures.bytes.fetch_add(count, std::memory_order_relaxed);
    while (count) {
        unsigned width = 8;
        while (width > count || offset % width) width /= 2;
        uint64_t value = 0;
        if (write) std::memcpy(&value, data, width);
        value = single(write, offset, width, value);
        if (!write) std::memcpy(data, &value, width);
        offset += width;
        data += width;
        count -= width;
    }
}

uint64_t Server::single(bool write, uint64_t offset, unsigned width, uint64_t value) {
    figures.accesses.fetch_add(1, std::memory_order_relaxed);
    const auto after = std::upper_bound(apertures_.begin(), apertures_.end(), offset,
                                        [](uint64_t at, const Aperture &one) { return at < one.offset; });
    std::string error;
    if (after == apertures_.begin() || offset - std::prev(after)->offset >= std::prev(after)->size) {
        refuse(write, offset, width, "this offset of the BAR stands for no address");
        return ~uint64_t{0};
    }
    const uint64_t address = std::prev(after)->address + (offset - std::prev(after)->offset);
    bool answered = false;
    const auto block = std::find_if(blocks_.begin(), blocks_.end(), [&](const Block &one) { return address - one.address < one.size; });
    if (block != blocks_.end())
        answered = to_block(*block, write, address - block->address, width, value, error);
    else if (isolated_)
        return ~uint64_t{0};
    else
        answered = to_engine(write, address, width, value, error);
    if (answered) return value;
    refuse(write, address, width, error);
    return ~uint64_t{0};
}

bool Server::to_block(const Block &block, bool write, uint64_t offset, unsigned width, uint64_t &value, std::string &error) {
    nb::gil_scoped_acquire gil;
    try {
        // Kept: what it does may end the server.
        const nb::object object = block.object;
        if (write) {
            object.attr("write")(offset, value, width);
            return true;
        }
        const nb::object answer = nb::steal(PyNumber_Index(object.attr("read")(offset, width).ptr()));
        if (!answer.is_valid()) throw nb::python_error();
        value = PyLong_AsUnsignedLongLongMask(answer.ptr());
        if (PyErr_Occurred()) throw nb::python_error();
        return true;
    } catch (nb::python_error &raised) {
        error = raised.what();
    } catch (const std::exception &raised) {
        error = raised.what();
    }
    return false;
}

bool Server::to_engine(bool write, uint64_t address, unsigned width, uint64_t &value, std::string &error) {
    adopt();  // a block that was written just now may have configured the logic anew
    if (!engine_) {
        error = "the programmable logic is not configured";
        return false;
    }
    Engine &engine = *engine_;
    int status = PYNQ_EGONE;
    {
        std::lock_guard<FairLock> guard(engine.lock);
        if (engine.closed()) {
            error = engine.end();
            return false;
        }
        // What was due meanwhile comes first; a failure of it belongs to this access, which meets it again.
        if (!lagging_) engine.follow(0, kCatchUp, lines_->moved);
        status = write ? engine.ps_write(address, width, value, error) : engine.ps_read(address, width, value, error);
    }
    if (status == PYNQ_EPYTHON) forget_error();
    return status == PYNQ_OK;
}

// One line a place: a program that polls where nobody answers must not flood the log.
void Server::refuse(bool write, uint64_t address, unsigned width, const std::string &error) {
    figures.refused.fetch_add(1, std::memory_order_relaxed);
    if (refused_.size() >= kMostNamed || !refused_.insert(address).second) return;
    const std::string what = format("%s of %u bytes", write ? "write" : "read", width);
    // The engine begins with the same words.
    const size_t begin = error.rfind(what + ": ", 0) == 0 ? what.size() + 2 : 0;
    std::string text = what + format(" at 0x%llx %s", static_cast<unsigned long long>(address), write ? "was dropped: " : "gave all ones: ") +
                       brief(error).substr(begin);
    if (refused_.size() == kMostNamed) text += "; other addresses without answer are not named any more";
    say(kWarning, text);
}

}  // namespace pynq::sim::vfio
