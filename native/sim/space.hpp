// SPDX-License-Identifier: BSD-3-Clause
// Address decode: what one master sees at which address.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "component.hpp"
#include "memory.hpp"

namespace pynq::sim {

// What comes of a block access: the response and, where it failed, the address.
struct Result {
    Resp resp = Resp::Okay;
    uint64_t address = 0;
};

class Space : public Mortal {
  public:
    using Result = sim::Result;
    struct Range {
        uint64_t base, high;  // both included
        uint64_t offset;      // in the target, of `base`
        Memory *memory;       // one of the two
        SlavePort *slave;
        std::string name;
        std::vector<Component *> through{};  // what stands on the way, and may be closed (Component::barrier)
        // The first of these that is closed; null where the way is free.
        const Component *closed() const {
            for (const Component *one : through)
                if (!one->barrier.empty()) return one;
            return nullptr;
        }
    };
    struct Statistics {
        uint64_t reads = 0, writes = 0, bytes_read = 0, bytes_written = 0, errors = 0;
    };

    Space(Engine &engine, std::string name) : engine_(engine), name(name) {}

    void map(Range range);
    // Take every range away that leads to a port of such a component, or to such a memory.
    void unmap(const std::function<bool(const Range &)> &gone);
    // Changes whenever ranges come or go: what find returned before is not to be used any more.
    uint64_t version() const { return version_; }
    const Range *find(uint64_t address);
    const std::vector<Range> &ranges() const { return ranges_; }
    // "nothing at 0x43c00000; nearest: axi_dma_0 0x40400000-0x4040ffff, ..."
    std::string nearest(uint64_t address) const;

    // Bytes between memory and slaves, in order, as a burst; slaves get beats of their width. Takes no time: a slave that
    // can't answer at once answers SLVERR (see Burst).
    Result read(uint64_t address, void *data, uint64_t nbytes);
    Result write(uint64_t address, const void *data, uint64_t nbytes);
    // A piece of memory at that address, at most `nbytes` long; null where no memory answers.
    uint8_t *direct(uint64_t address, uint64_t &nbytes);
    // One beat to a register port; `offset` in the port. False: the answer comes later (access.done is false).
    Resp beat(SlavePort &port, Access &access);
    // A block to a register port; false where the port takes single beats only. What lies beyond the port's range is cut
    // off (access.nbytes).
    bool block(SlavePort &port, BurstAccess &access);
    // "axi_dma_0/M_AXI_MM2S: DECERR at 0x...: nothing ..." for messages.
    std::string describe(const Result &result) const;

    // Does an injection say that this burst fails, or lasts longer?
    Resp disturbed(uint64_t address, uint64_t nbytes, uint64_t &latency);

    std::vector<Injection> injections;
    Statistics statistics;

  private:
    friend class Burst;

    Engine &engine_;
    std::vector<Range> ranges_;
    size_t recent_ = 0;
    uint64_t version_ = 0;

  public:
    const std::string name;
};

// A block access that may have to wait for slaves. The data stay where they are until it is over.
class Burst {
  public:
    // Both return true when it is over (see result), false when a slave answers later: `waiter` is told then, and calls
    // resume. `strobes`: of a write, one byte a byte, 0: that one is not written; null: all are. It ends at the first
    // beat that is refused.
    bool begin(Space &space, bool write, uint64_t address, uint8_t *data, uint64_t nbytes, Component *waiter,
               const uint8_t *strobes = nullptr);
    bool resume();
    void abandon();
    bool waiting() const { return space_ != nullptr && !access_.done; }
    bool is_mine(const Access &access) const { return &access == &access_; }

    Result result;
    bool counted = true;  // as an access of its own in the space's statistics (bytes count in any case)

  private:
    bool go_on();
    bool beat_over();
    bool end(Resp resp, uint64_t address);
    void copy(uint8_t *memory, uint64_t nbytes);
    void advance(uint64_t nbytes);

    Space *space_ = nullptr;
    bool write_ = false;
    uint64_t address_ = 0, left_ = 0;
    uint8_t *data_ = nullptr;
    const uint8_t *strobes_ = nullptr;
    uint64_t lane_ = 0, count_ = 0;  // of the beat under way
    bool block_ = false;             // it is a block, not a beat
    Component *waiter_ = nullptr;
    BurstAccess access_;
};

// Applies the first injection that fits; used for spaces (addresses) and register ports (offsets).
Resp disturb(std::vector<Injection> &injections, Random &random, uint64_t low, uint64_t high, uint64_t &latency);

}  // namespace pynq::sim
