// SPDX-License-Identifier: BSD-3-Clause
#include "vector_add.hpp"

#include <cstdio>
#include <string>

namespace {

// The register map that Vitis HLS gives a kernel with an s_axilite control port (UG1399, "S_AXILITE Control Register Map").
enum Offset : std::uint64_t { CTRL = 0x00, GIER = 0x04, IER = 0x08, ISR = 0x0C, A = 0x10, B = 0x1C, C = 0x28, N = 0x34 };
constexpr std::uint32_t start = 1 << 0, done = 1 << 1, idle = 1 << 2;

thread_local std::string last_error;

}  // namespace

VectorAdd::VectorAdd(const pynq_ip *given) : ip(given) {
    if (!ip || ip->abi != PYNQ_ABI || ip->size < sizeof(pynq_ip)) {
        throw DeviceError(PYNQ_EUNSUPPORTED, "the program's pynq speaks another version of pynq/native.h");
    }
}

void VectorAdd::check(int status) const {
    if (status != PYNQ_OK) throw DeviceError(status, ip->error(ip->ctx));
}

std::uint32_t VectorAdd::read(std::uint64_t offset) const {
    std::uint64_t value = 0;
    check(ip->read(ip->ctx, offset, 4, &value));
    return static_cast<std::uint32_t>(value);
}

void VectorAdd::write(std::uint64_t offset, std::uint32_t value) const { check(ip->write(ip->ctx, offset, 4, value)); }

void VectorAdd::write_address(std::uint64_t offset, std::uint64_t address) const {
    write(offset, static_cast<std::uint32_t>(address));
    write(offset + 4, static_cast<std::uint32_t>(address >> 32));
}

void VectorAdd::run(const pynq_buffer &a, const pynq_buffer &b, const pynq_buffer &c, std::uint32_t count,
                    std::int64_t timeout_ns) {
    for (const pynq_buffer *buffer : {&a, &b, &c}) {
        if (buffer->nbytes < 4ull * count) throw DeviceError(PYNQ_ERANGE, "a buffer is smaller than the vectors");
    }
    if (!(read(CTRL) & idle)) throw DeviceError(PYNQ_EBUS, "the kernel is busy");
    write_address(A, a.physical_address);
    write_address(B, b.physical_address);
    write_address(C, c.physical_address);
    write(N, count);
    write(GIER, 1);
    write(IER, 1);  // at ap_done
    write(CTRL, start);
    int status = ip->wait(ip->ctx, "interrupt", timeout_ns);
    if (status == PYNQ_EUNSUPPORTED) {  // no interrupts on this device: look at the register
        std::uint64_t last;
        status = ip->poll(ip->ctx, CTRL, 4, done, done, timeout_ns, &last);
    }
    check(status);
    const std::uint32_t pending = read(ISR);
    if (pending) write(ISR, pending);  // toggles on write: clears what is set
    read(CTRL);                        // and so does reading for ap_done
}

// What Python calls, by ctypes: no exception may leave C++ there.
extern "C" {

int vector_add_run(const pynq_ip *ip, const pynq_buffer *a, const pynq_buffer *b, const pynq_buffer *c,
                   std::uint32_t count, std::int64_t timeout_ns) {
    try {
        VectorAdd(ip).run(*a, *b, *c, count, timeout_ns);
        return PYNQ_OK;
    } catch (const DeviceError &error) {
        last_error = error.what();
        return error.status;
    }
}

const char *vector_add_error() { return last_error.c_str(); }

}  // extern "C"
