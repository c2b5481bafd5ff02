// SPDX-License-Identifier: BSD-3-Clause
// vfio-user: messages of one client after the other. Whatever a client sends ends in an answer, an error or a closed
// connection. Section names are those of the protocol.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "vfio.hpp"

namespace pynq::sim::vfio {

namespace {

constexpr int kDebug = 10, kWarning = 30;   // of Python's logging
constexpr uint32_t kMostData = 1 << 16;     // bytes of a read or write; max_data_xfer_size
constexpr size_t kMostFds = 8;              // that come with a message; max_msg_fds
constexpr size_t kMostMaps = 65535;         // max_dma_maps
constexpr size_t kHeader = 16, kAccess = 16;
constexpr uint32_t kMostMessage = kHeader + kAccess + kMostData;
constexpr unsigned kTurn = 64;  // messages until time goes on

// Commands; flags of the header.
enum Command : uint16_t {
    kVersion = 1, kDmaMap, kDmaUnmap, kGetInfo, kGetRegionInfo, kGetRegionIoFds, kGetIrqInfo, kSetIrqs, kRegionRead, kRegionWrite,
    kReset = 13, kRegionWriteMulti = 15
};
constexpr uint32_t kTypeMask = 0xf, kReply = 1, kNoReply = 0x10, kError = 0x20;

// linux/vfio.h
constexpr uint32_t kRegions = 9, kIrqs = 5, kBar = 0, kConfig = 7, kIntx = 0;
constexpr uint32_t kDeviceReset = 1, kDevicePci = 2, kReadable = 1, kWritable = 2;
constexpr uint32_t kEventfd = 1, kMaskable = 2, kAutomasked = 4;
constexpr uint32_t kDataNone = 1, kDataBool = 2, kDataEventfd = 4, kActionMask = 8, kActionUnmask = 16, kActionTrigger = 32;
constexpr uint32_t kUnmapAll = 2;

}  // namespace

template <class T> T Server::get(size_t at) const {
    T value{};
    if (kHeader + at + sizeof value <= message_.size()) std::memcpy(&value, message_.data() + kHeader + at, sizeof value);
    return value;
}

template <class T> void Server::put(T value) {
    const auto *bytes = reinterpret_cast<const uint8_t *>(&value);
    reply_.insert(reply_.end(), bytes, bytes + sizeof value);
}

// -- the connection --------------------------------------------------------------------------------------------------
void Server::accept_client() {
    Fd client(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    if (client_) {
        // It may have gone without anybody having looked yet.
        pollfd place{client_.get(), POLLRDHUP, 0};
        if (::poll(&place, 1, 0) == 0) {
            say(kWarning, "a second client was turned away: the virtual board serves one at a time");
            return;
        }
        drop_client("it left");
    }
    client_ = std::move(client);
    figures.clients.fetch_add(1, std::memory_order_relaxed);
    message_.clear();
    got_ = 0;
    say(kDebug, "a client connected to the virtual board");
}

// What a client gave goes with it; the state of the device stays ("Client Disconnection").
void Server::drop_client(const std::string &why) {
    if (!client_) return;
    client_.reset();
    greeted_ = false;
    function_.trigger(Fd());
    mapped_.clear();
    received_.clear();
    out_.clear();
    message_.clear();
    got_ = 0;
    if (!why.empty()) say(kDebug, "the client of the virtual board was disconnected: " + why);
}

void Server::serve_client() {
    flush();
    for (unsigned count = 0; client_ && out_.empty() && !stopping_ && count < kTurn; ++count) {
        if (!receive()) return;
        if (client_) handle();
    }
}

// Header first, then the rest: so descriptors belong to the message that they came with.
bool Server::receive() {
    if (message_.empty()) {
        message_.resize(kHeader);
        received_.clear();
    }
    for (;;) {
        while (got_ < message_.size()) {
            alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostFds)];
            iovec part{message_.data() + got_, message_.size() - got_};
            msghdr call{};
            call.msg_iov = &part;
            call.msg_iovlen = 1;
            call.msg_control = control;
            call.msg_controllen = sizeof control;
            const ssize_t count = ::recvmsg(client_.get(), &call, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
            if (count <= 0) {
                const std::string why = count < 0 ? std::strerror(errno) : got_ ? "it left in the middle of a message" : "it left";
                drop_client(why);
                return false;
            }
            for (cmsghdr *one = CMSG_FIRSTHDR(&call); one; one = CMSG_NXTHDR(&call, one)) {
                if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
                for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= one->cmsg_len; at += sizeof(int)) {
                    int fd;
                    std::memcpy(&fd, CMSG_DATA(one) + at, sizeof fd);
                    received_.emplace_back(fd);
                }
            }
            if (received_.size() > kMostFds || call.msg_flags & MSG_CTRUNC) {
                drop_client(format("a message came with more than %zu descriptors", kMostFds));
                return false;
            }
            got_ += static_cast<size_t>(count);
        }
        if (got_ > kHeader) return true;
        uint32_t size;
        std::memcpy(&size, message_.data() + 4, sizeof size);
        if (size == kHeader) return true;
        if (size < kHeader || size > kMostMessage) {
            say(kWarning, format("a client sent a message of %u bytes; %zu to %u are possible", size, kHeader, kMostMessage));
            drop_client("its message has an impossible size");
            return false;
        }
        message_.resize(size);
    }
}

void Server::handle() {
    Header header;
    std::memcpy(&header, message_.data(), sizeof header);
    const bool greeting = header.command == kVersion;
    if ((header.flags & kTypeMask) != 0 || greeting == greeted_) {
        const char *why = (header.flags & kTypeMask) != 0 ? "what it sent is no command" : greeting ? "it sent its version twice" : "it did not begin with its version";
        say(kWarning, std::string("a client of the virtual board breaks the protocol: ") + why);
        drop_client(why);
        return;
    }
    if (qtest_ && !settled_) pump_qtest();
    adopt();  // what was asked for before a message was sent counts for it
    reply_.assign(kHeader, 0);
    const int error = answer();
    received_.clear();
    deliver_changes();  // before the answer: the program that cleared an interrupt must not find it once more
    if (!client_) return;
    if (!(header.flags & kNoReply)) reply(error);
    message_.clear();
    got_ = 0;
    if (greeting && error) {
        flush();
        drop_client("its version of the protocol is not known");
    }
}

void Server::reply(int error) {
    Header header;
    std::memcpy(&header, message_.data(), sizeof header);
    if (error) reply_.resize(kHeader);
    header.size = static_cast<uint32_t>(reply_.size());
    header.flags = kReply | (error ? kError : 0);
    header.error = static_cast<uint32_t>(error);
    std::memcpy(reply_.data(), &header, sizeof header);
    if (out_.empty()) {
        out_.swap(reply_);
    } else {  // not by insert: GCC 14 warns, mistaken, of an overflow inside it
        const size_t before = out_.size();
        out_.resize(before + reply_.size());
        std::memcpy(out_.data() + before, reply_.data(), reply_.size());
    }
    flush();
}

void Server::flush() {
    size_t done = 0;
    while (client_ && done < out_.size()) {
        const ssize_t sent = ::send(client_.get(), out_.data() + done, out_.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (sent < 0) return drop_client(std::strerror(errno));
        done += static_cast<size_t>(sent);
    }
    out_.erase(out_.begin(), out_.begin() + static_cast<ptrdiff_t>(std::min(done, out_.size())));
}

// -- the commands ----------------------------------------------------------------------------------------------------
int Server::answer() {
    uint16_t command;
    std::memcpy(&command, message_.data() + 2, sizeof command);
    static constexpr std::pair<uint16_t, size_t> kLeast[] = {
        {kVersion, 4},      {kDmaMap, 32},      {kDmaUnmap, 24},         {kGetInfo, 16},           {kGetRegionInfo, 32}, {kGetIrqInfo, 16},
        {kSetIrqs, 20},     {kRegionRead, kAccess}, {kRegionWrite, kAccess}, {kRegionWriteMulti, 8}, {kReset, 0}};
    const auto *least = std::find_if(std::begin(kLeast), std::end(kLeast), [&](const auto &one) { return one.first == command; });
    if (least == std::end(kLeast)) return EOPNOTSUPP;
    if (message_.size() - kHeader < least->second) return EINVAL;
    switch (command) {
    case kVersion: return version();
    case kDmaMap: return map();
    case kDmaUnmap: return unmap();
    case kGetInfo: return device_info();
    case kGetRegionInfo: return region_info();
    case kGetIrqInfo: return interrupt_info();
    case kSetIrqs: return set_interrupts();
    case kRegionRead: return region(false);
    case kRegionWrite: return region(true);
    case kRegionWriteMulti: return write_many();
    default: function_.reset(); return 0;  // of the function; the PL is configured from outside
    }
}

// "VFIO_USER_VERSION": major 0; of the minor the smaller, which is 0.
int Server::version() {
    if (get<uint16_t>(0) != 0) return EPROTONOSUPPORT;
    greeted_ = true;
    const std::string proposed(message_.begin() + kHeader + 4, message_.end());
    const bool many = proposed.find("\"write_multiple\"") != std::string::npos;
    put<uint16_t>(0);
    put<uint16_t>(0);
    const std::string said = format("{\"capabilities\":{\"max_msg_fds\":%zu,\"max_data_xfer_size\":%u,\"max_dma_maps\":%zu%s}}", kMostFds, kMostData,
                                    kMostMaps, many ? ",\"write_multiple\":true" : "");
    reply_.insert(reply_.end(), said.begin(), said.end());
    reply_.push_back(0);
    return 0;
}

// The DDR is the board's own memory already: maps are kept only to answer as the protocol says.
int Server::map() {
    const uint64_t address = get<uint64_t>(16), size = get<uint64_t>(24);
    if (!size || address + size - 1 < address) return EINVAL;
    const auto after = mapped_.lower_bound({address, 0});
    if (after != mapped_.end() && after->first <= address + size - 1) return EEXIST;
    if (after != mapped_.begin() && std::prev(after)->first + std::prev(after)->second - 1 >= address) return EEXIST;
    if (mapped_.size() >= kMostMaps) return ENOSPC;
    mapped_.insert({address, size});
    return 0;
}

int Server::unmap() {
    const uint64_t address = get<uint64_t>(8), size = get<uint64_t>(16);
    if (get<uint32_t>(4) & kUnmapAll)
        mapped_.clear();
    else if (!mapped_.erase({address, size}))
        return ENOENT;
    reply_.insert(reply_.end(), message_.begin() + kHeader, message_.begin() + kHeader + 24);
    return 0;
}

int Server::device_info() {
    if (get<uint32_t>(0) < 16) return EINVAL;
    put<uint32_t>(16);
    put<uint32_t>(kDeviceReset | kDevicePci);
    put<uint32_t>(kRegions);
    put<uint32_t>(kIrqs);
    return 0;
}

int Server::region_info() {
    const uint32_t index = get<uint32_t>(8);
    if (get<uint32_t>(0) < 32 || index >= kRegions) return EINVAL;
    const uint64_t size = index == kBar ? bar_size_ : index == kConfig ? Function::kSize : 0;
    put<uint32_t>(32);
    put<uint32_t>(size ? kReadable | kWritable : 0);
    put<uint32_t>(index);
    put<uint32_t>(0);
    put<uint64_t>(size);
    put<uint64_t>(0);
    return 0;
}

int Server::interrupt_info() {
    const uint32_t index = get<uint32_t>(8);
    if (get<uint32_t>(0) < 16 || index >= kIrqs) return EINVAL;
    put<uint32_t>(16);
    put<uint32_t>(index == kIntx ? kEventfd | kMaskable | kAutomasked : 0);
    put<uint32_t>(index);
    put<uint32_t>(index == kIntx ? 1 : 0);
    return 0;
}

int Server::set_interrupts() {
    const uint32_t flags = get<uint32_t>(4), index = get<uint32_t>(8), start = get<uint32_t>(12), count = get<uint32_t>(16);
    const uint32_t data = flags & (kDataNone | kDataBool | kDataEventfd), action = flags & (kActionMask | kActionUnmask | kActionTrigger);
    if (flags != (data | action) || index >= kIrqs) return EINVAL;
    if (data == kDataNone && action == kActionTrigger && !start && !count) {
        if (index == kIntx) function_.trigger(Fd());
        return 0;
    }
    if (index != kIntx || start != 0 || count != 1) return EINVAL;
    bool wanted = true;
    switch (data) {
    case kDataNone: break;
    case kDataBool:
        if (message_.size() < kHeader + 21) return EINVAL;
        wanted = get<uint8_t>(20) != 0;
        break;
    case kDataEventfd:
        if (action != kActionTrigger) return EINVAL;  // who would mask INTx but the client?
        function_.trigger(received_.empty() ? Fd() : std::move(received_.front()));
        return 0;
    default: return EINVAL;
    }
    if (action != kActionMask && action != kActionUnmask && action != kActionTrigger) return EINVAL;
    if (!wanted) return 0;
    if (action == kActionMask)
        function_.mask();
    else if (action == kActionUnmask)
        function_.unmask();
    else
        function_.fire();
    return 0;
}

int Server::region(bool write) {
    const uint64_t offset = get<uint64_t>(0);
    const uint32_t index = get<uint32_t>(8), count = get<uint32_t>(12);
    const uint64_t size = index == kBar ? bar_size_ : index == kConfig ? Function::kSize : 0;
    if (!count || count > kMostData || offset >= size || count > size - offset) return EINVAL;
    if (write && message_.size() - kHeader - kAccess != count) return EINVAL;
    reply_.insert(reply_.end(), message_.begin() + kHeader, message_.begin() + kHeader + kAccess);
    if (!write) reply_.resize(kHeader + kAccess + count);
    uint8_t *data = (write ? message_ : reply_).data() + kHeader + kAccess;
    if (index == kBar) {
        access(write, offset, data, count);
        return 0;
    }
    for (uint64_t i = 0; i < count; ++i) {
        if (write)
            function_.write(offset + i, data[i]);
        else
            data[i] = function_.read(offset + i);
    }
    return 0;
}

int Server::write_many() {
    constexpr size_t kOne = 24;
    const uint64_t count = get<uint64_t>(0);
    const size_t held = message_.size() - kHeader - 8;
    if (held % kOne || count != held / kOne) return EINVAL;
    for (uint64_t i = 0; i < count; ++i) {
        const size_t at = 8 + i * kOne;
        const uint64_t offset = get<uint64_t>(at);
        const uint32_t bytes = get<uint32_t>(at + 12);
        if (get<uint32_t>(at + 8) != kBar || !bytes || bytes > 8 || offset >= bar_size_ || bytes > bar_size_ - offset) return EINVAL;
    }
    for (uint64_t i = 0; i < count; ++i) {
        const size_t at = 8 + i * kOne;
        access(true, get<uint64_t>(at), message_.data() + kHeader + at + 16, get<uint32_t>(at + 12));
    }
    put<uint64_t>(count);
    return 0;
}

}  // namespace pynq::sim::vfio
