// SPDX-License-Identifier: BSD-3-Clause
#include "memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pynq::sim {

Memory::Memory(std::string memory_name, uint64_t bytes, int fd) : name(std::move(memory_name)), size(bytes) {
    if (!size) throw Error(Fault::Design, "memory " + name + ": size is 0");
    if (size > SIZE_MAX / 2)
        throw Error(Fault::Design, "memory " + name + ": " + hex(size) + " bytes are more than this machine can map");
    fd_ = fd >= 0 ? ::fcntl(fd, F_DUPFD_CLOEXEC, 0)
                  : ::memfd_create(("pynq-sim:" + name).substr(0, 200).c_str(), MFD_CLOEXEC);
    if (fd_ < 0) throw Error(Fault::Design, "memory " + name + ": no memory file: " + std::strerror(errno));
    // Whole pages, so that a mapping of the last bytes never ends in SIGBUS.
    const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    const uint64_t whole = (size + page - 1) / page * page;
    struct stat held{};
    const bool large_enough = fd >= 0 && ::fstat(fd_, &held) == 0 && static_cast<uint64_t>(held.st_size) >= whole;
    if (!large_enough && ::ftruncate(fd_, static_cast<off_t>(whole)) != 0) {
        const int error = errno;
        ::close(fd_);
        throw Error(Fault::Design, format("memory %s: can't make %llu bytes: %s", name.c_str(),
                                          static_cast<unsigned long long>(size), std::strerror(error)));
    }
    void *mapped = ::mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_, 0);
    if (mapped == MAP_FAILED) {
        const int error = errno;
        ::close(fd_);
        throw Error(Fault::Design, format("memory %s: can't map %llu bytes: %s", name.c_str(),
                                          static_cast<unsigned long long>(size), std::strerror(error)));
    }
    data_ = static_cast<uint8_t *>(mapped);
}

Memory::~Memory() {
    const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    if (data_) ::munmap(data_, (size + page - 1) / page * page);
    if (fd_ >= 0) ::close(fd_);
}

void Memory::check(uint64_t offset, uint64_t nbytes) const {
    if (!covers(offset, nbytes))
        throw Error(Fault::Access, format("memory %s: offset 0x%llx with %llu bytes leaves its 0x%llx bytes", name.c_str(),
                                          static_cast<unsigned long long>(offset), static_cast<unsigned long long>(nbytes),
                                          static_cast<unsigned long long>(size)));
}

void Memory::discard(uint64_t offset, uint64_t nbytes) {
    check(offset, nbytes);
    if (!nbytes) return;
    if (::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                    static_cast<off_t>(nbytes)) != 0)
        std::memset(data_ + offset, 0, nbytes);
}

}  // namespace pynq::sim
