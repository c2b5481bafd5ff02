// SPDX-License-Identifier: BSD-3-Clause
#include "wave.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

namespace pynq::sim {

WaveOutput::WaveOutput(std::string path) : path_(std::move(path)), owner_(getpid()) {
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file_ < 0) throw WaveFault{errno, path_};
}

WaveOutput::~WaveOutput() {
    if (file_ >= 0) ::close(file_);
}

bool WaveOutput::mine() const { return owner_ == getpid(); }

void WaveOutput::append(const void *data, size_t size) {
    const auto *at = static_cast<const char *>(data);
    while (size) {
        const ssize_t done = ::write(file_, at, size);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) throw WaveFault{errno, path_};
        at += done;
        size -= static_cast<size_t>(done);
        size_ += static_cast<uint64_t>(done);
    }
}

void WaveOutput::patch(uint64_t offset, const void *data, size_t size) {
    const auto *at = static_cast<const char *>(data);
    while (size) {
        const ssize_t done = ::pwrite(file_, at, size, static_cast<off_t>(offset));
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) throw WaveFault{errno, path_};
        at += done;
        offset += static_cast<uint64_t>(done);
        size -= static_cast<size_t>(done);
    }
}

void WaveOutput::close() {
    if (file_ < 0) return;
    const int file = file_;
    file_ = -1;
    if (::close(file) != 0 && errno != EINTR) throw WaveFault{errno, path_};
}

namespace {
struct Scope {
    std::vector<std::string> order;
    std::map<std::string, std::unique_ptr<Scope>> inside;
    std::vector<const WaveVariable *> variables;

    Scope &below(const std::string &name) {
        std::unique_ptr<Scope> &found = inside[name];
        if (!found) {
            found = std::make_unique<Scope>();
            order.push_back(name);
        }
        return *found;
    }
};
}  // namespace

void wave_hierarchy(const std::vector<WaveVariable> &variables, const std::function<void(const std::string &)> &enter,
                    const std::function<void()> &leave, const std::function<void(const WaveVariable &)> &variable) {
    Scope root;
    for (const WaveVariable &each : variables) {
        Scope *at = &root;
        for (const std::string &name : each.scope) at = &at->below(name);
        at->variables.push_back(&each);
    }
    const std::function<void(const Scope &)> walk = [&](const Scope &scope) {
        for (const WaveVariable *each : scope.variables) variable(*each);
        for (const std::string &name : scope.order) {
            enter(name);
            walk(*scope.inside.at(name));
            leave();
        }
    };
    walk(root);
}

}  // namespace pynq::sim
