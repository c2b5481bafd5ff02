// SPDX-License-Identifier: BSD-3-Clause
// What the tests of the C interface call: every function of pynq_ip once, and a bus whose registers come alive in a
// thread of its own.
#include <pynq/native.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>

namespace {

std::uint8_t bytes[0x1000];
std::mutex lock;

int bus_read(void *, std::uint64_t address, std::uint32_t width, std::uint64_t *value) {
    const std::lock_guard<std::mutex> guard(lock);
    *value = 0;
    std::memcpy(value, bytes + (address & 0xFFF), width);
    return PYNQ_OK;
}

int bus_write(void *, std::uint64_t address, std::uint32_t width, std::uint64_t value) {
    const std::lock_guard<std::mutex> guard(lock);
    if ((address & 0xFFF) == 0xBAD) return PYNQ_EBUS;
    std::memcpy(bytes + (address & 0xFFF), &value, width);
    return (address & 0xFFF) == 0xB0 ? PYNQ_EBUS : PYNQ_OK;
}

const char *bus_error(void *) { return "SLVERR from the probe"; }

const pynq_bus table = {PYNQ_ABI, sizeof(pynq_bus), nullptr, bus_read, bus_write,
                        nullptr,  nullptr,          nullptr, bus_error};

}  // namespace

extern "C" {

const pynq_bus *probe_bus() { return &table; }

// Set the byte after a while, from a thread that Python knows nothing of.
void probe_later(std::uint32_t offset, std::uint8_t value, std::uint32_t milliseconds) {
    std::thread([=] {
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
        const std::lock_guard<std::mutex> guard(lock);
        bytes[offset] = value;
    }).detach();
}

int probe_read(const pynq_ip *ip, std::uint64_t offset, std::uint32_t width, std::uint64_t *value) {
    return ip->read(ip->ctx, offset, width, value);
}

int probe_write(const pynq_ip *ip, std::uint64_t offset, std::uint32_t width, std::uint64_t value) {
    return ip->write(ip->ctx, offset, width, value);
}

int probe_read_block(const pynq_ip *ip, std::uint64_t offset, std::uint32_t width, void *data, std::uint64_t count) {
    return ip->read_block(ip->ctx, offset, width, data, count);
}

int probe_write_block(const pynq_ip *ip, std::uint64_t offset, std::uint32_t width, const void *data,
                      std::uint64_t count) {
    return ip->write_block(ip->ctx, offset, width, data, count);
}

int probe_poll(const pynq_ip *ip, std::uint64_t offset, std::uint32_t width, std::uint64_t mask, std::uint64_t match,
               std::int64_t timeout_ns, std::uint64_t *last) {
    return ip->poll(ip->ctx, offset, width, mask, match, timeout_ns, last);
}

int probe_wait(const pynq_ip *ip, const char *pin, std::int64_t timeout_ns) { return ip->wait(ip->ctx, pin, timeout_ns); }

const char *probe_error(const pynq_ip *ip) { return ip->error(ip->ctx); }

// Read and write from a thread that Python has never seen; the last status.
int probe_from_thread(const pynq_ip *ip, std::uint64_t offset, std::uint32_t count) {
    std::atomic<int> status{PYNQ_OK};
    std::thread([&] {
        for (std::uint32_t i = 0; i < count && status == PYNQ_OK; ++i) {
            std::uint64_t value;
            status = ip->write(ip->ctx, offset, 4, i);
            if (status == PYNQ_OK) status = ip->read(ip->ctx, offset, 4, &value);
            if (status == PYNQ_OK && value != i) status = -100;
        }
    }).join();
    return status;
}

}  // extern "C"
