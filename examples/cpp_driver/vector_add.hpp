// SPDX-License-Identifier: BSD-3-Clause
// A driver in C++ for the accelerator of ../vector_add: c = a + b, fetched from and stored to DDR by the kernel itself.
// It needs nothing but pynq/native.h (`pynq.get_include()`), and runs on every device that pynq knows.
#pragma once

#include <pynq/native.h>

#include <cstdint>
#include <stdexcept>

// A failed access or wait, with the status and the device's own words.
class DeviceError : public std::runtime_error {
  public:
    DeviceError(int status, const char *text) : std::runtime_error(text), status(status) {}
    const int status;
};

class VectorAdd {
  public:
    // `ip` is what `ip.native.pointer` points at in Python; it must outlive this object.
    explicit VectorAdd(const pynq_ip *ip);

    // Add `count` 32-bit integers and wait for the end. Throws DeviceError.
    void run(const pynq_buffer &a, const pynq_buffer &b, const pynq_buffer &c, std::uint32_t count,
             std::int64_t timeout_ns);

  private:
    std::uint32_t read(std::uint64_t offset) const;
    void write(std::uint64_t offset, std::uint32_t value) const;
    void write_address(std::uint64_t offset, std::uint64_t address) const;
    void check(int status) const;

    const pynq_ip *const ip;
};
