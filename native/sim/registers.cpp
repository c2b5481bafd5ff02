// SPDX-License-Identifier: BSD-3-Clause
#include "registers.hpp"

#include <algorithm>

#include "engine.hpp"

namespace pynq::sim {

void RegisterFile::add(std::unique_ptr<Register> added, const std::string &owner) {
    const auto after = std::lower_bound(registers_.begin(), registers_.end(), added->offset,
                                        [](const auto &other, uint64_t offset) { return other->offset < offset; });
    const Register *clash = nullptr;
    if (after != registers_.end() && (*after)->offset < added->offset + added->size) clash = after->get();
    if (after != registers_.begin() && (*std::prev(after))->offset + (*std::prev(after))->size > added->offset)
        clash = std::prev(after)->get();
    if (clash) {
        if (clash->same_shape(*added)) return;
        throw Error(Fault::Design, format("%s: register %s at 0x%llx (%u bytes) overlaps %s at 0x%llx (%u bytes)", owner.c_str(),
                                          added->name.c_str(), static_cast<unsigned long long>(added->offset), added->size,
                                          clash->name.c_str(), static_cast<unsigned long long>(clash->offset), clash->size));
    }
    registers_.insert(after, std::move(added));
}

Register *RegisterFile::find(uint64_t offset) {
    const auto found = std::lower_bound(registers_.begin(), registers_.end(), offset,
                                        [](const auto &other, uint64_t wanted) { return other->offset < wanted; });
    return found != registers_.end() && (*found)->offset == offset ? found->get() : nullptr;
}

void RegisterFile::reset() {
    for (const auto &one : registers_) one->value = one->reset;
}

// Index of the first register that reaches into the beat, or of the next one after it.
size_t RegisterFile::first_from(uint64_t offset, unsigned width) const {
    if (recent_ < registers_.size() && registers_[recent_]->offset == offset && registers_[recent_]->size == width) return recent_;
    auto found = std::lower_bound(registers_.begin(), registers_.end(), offset,
                                  [](const auto &other, uint64_t wanted) { return other->offset + other->size <= wanted; });
    recent_ = static_cast<size_t>(found - registers_.begin());
    return recent_;
}

bool RegisterFile::access(Engine &engine, unsigned width, Access &access) {
    bool any = false;
    uint64_t value = 0;
    // Hooks may add registers; the pointers stay, the places don't.
    for (size_t index = first_from(access.offset, width);
         index < registers_.size() && registers_[index]->offset < access.offset + width; ++index) {
        Register &one = *registers_[index];
        any = true;
        // Which bits of the register lie in this beat, and by how much they are shifted against it.
        const int64_t shift = 8 * (static_cast<int64_t>(one.offset) - static_cast<int64_t>(access.offset));
        uint64_t lanes = 0;
        for (unsigned lane = 0; lane < width; ++lane)
            if (access.strobe >> lane & 1 || !access.write) lanes |= uint64_t{0xff} << (8 * lane);
        const auto to_register = [&](uint64_t word) { return (shift >= 0 ? word >> shift : word << -shift) & one.mask(); };
        const uint64_t bits = to_register(lanes);
        if (!access.write) {
            uint64_t shown = one.value;
            if (one.on_read) {
                nb::gil_scoped_acquire gil;
                const nb::object answer = engine.call(one.on_read.get());
                shown = one.value;  // the hook may have set it
                if (answer.is_valid() && !answer.is_none()) {
                    const uint64_t given = PyLong_AsUnsignedLongLongMask(answer.ptr());
                    if (PyErr_Occurred()) {
                        nb::python_error error;
                        engine.fail_python(error);
                    } else {
                        shown = given & one.mask();
                    }
                }
            }
            const uint64_t seen = shown & one.readable & bits;
            value |= shift >= 0 ? seen << shift : seen >> -shift;
            one.value &= ~(one.clear_on_read & bits);
            continue;
        }
        if (!bits) continue;
        const uint64_t given = to_register(access.value), previous = one.value;
        const uint64_t plain = one.writable & ~one.w1c & ~one.w1t & ~one.self_clearing & bits;
        one.value = (previous & ~plain) | (given & plain);
        one.value &= ~(given & one.w1c & bits);
        one.value ^= given & one.w1t & bits;
        if (one.on_write) {
            nb::gil_scoped_acquire gil;
            engine.call(one.on_write.get(), (previous & ~bits) | (given & bits), previous);
        }
    }
    if (!access.write) access.value = value;
    return any;
}

}  // namespace pynq::sim
