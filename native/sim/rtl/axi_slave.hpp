// SPDX-License-Identifier: BSD-3-Clause
// A bus on which the module answers: we are the interconnect that brings accesses to it.
//
// Accesses wait in two queues, of reads and of writes, since AXI does not order these (A5.3); of each, one transaction is
// under way at a time, in order of arrival. Address and data of a write are offered together and independently: a slave
// may take either first, or both at once. Responses are taken at once.
//
// On AXI4 and AXI3 a block becomes INCR bursts as wide as the bus, cut at 4 KiB and at 256 (AXI3: 16) beats; a single
// access smaller than the bus has its own size. On AXI4-Lite everything is a beat of the bus.
#pragma once

#include <vector>

#include "axi_checks.hpp"

namespace pynq::sim::rtl {

class AxiSlave final : public BusModel {
  public:
    // `range`: bytes beyond which the engine answers SLVERR by itself; 0: all goes to the module.
    AxiSlave(Rtl &module, const std::string &port, Axi protocol, const Pins &pins, uint64_t range);

    void sample() override;
    void drive() override;
    void reset(bool active) override;
    bool settled() const override;
    std::string explain() const override;
    void state(State &state) const override;
    void access(SlavePort &port, Access &access) override;
    bool burst(SlavePort &port, BurstAccess &access) override;
    void forget_access(Access &access) override;
    bool stall(double probability, uint64_t cycles) override;

  private:
    static constexpr unsigned kLanes = 128;  // bytes of the widest bus

    struct Request {
        Access *access = nullptr;      // null: nobody waits for it any more
        BurstAccess *block = nullptr;  // the same, where it is a block
        bool single = true;
        uint64_t offset = 0;           // of the next AXI transaction
        uint64_t left = 0;             // bytes from there on
        uint64_t at = 0;               // of them in the data of a block
        uint64_t value = 0;            // of a single write
        uint8_t strobe = 0;
    };
    // One direction: its queue (a ring that grows) and the transaction under way.
    struct Side {
        std::vector<Request> ring;
        size_t head = 0, count = 0;
        bool active = false;
        bool renew = false;  // in drive(): the next transaction of this request, or the next request
        Shape shape;
        uint64_t bytes = 0;        // that the transaction moves
        uint64_t id = 0;
        bool offered = false;      // the address is to be offered, or is
        bool address_done = false;
        unsigned beats = 0;        // of data that went over the pins
        uint64_t moved = 0;        // bytes of them
        bool failed = false;
        Resp resp = Resp::Okay;
        uint64_t bad = 0;          // offset of the first refused byte
        AddressPins pins;
        Driven valid;
        Stalls::Channel stall;

        Request &front() { return ring[head]; }
        const Request &front() const { return ring[head]; }
        void push(const Request &request);
        void pop();
    };

    void enqueue(Access &access, BurstAccess *block);
    void start(Side &side, bool write);
    void cut(Side &side, bool write);
    void put_data();
    void take_data();
    void take_response();
    void over(Side &side);
    void flush();
    void mark_lanes();
    Resp decode(uint64_t value, bool write);
    // Lanes of a beat of the transaction: the first, and how many.
    std::pair<unsigned, unsigned> lanes(const Side &side, unsigned beat) const;
    bool idle(Stalls::Channel &channel, bool counts = true);
    void check_after_reset();
    std::string waits(const Side &side, bool write) const;

    const Axi protocol_;
    SlavePort *slave_ = nullptr;
    unsigned bus_ = 0;  // bytes
    unsigned longest_ = 1;
    bool bursts_ = false;

    Pin awready_, wready_, bvalid_, bid_, bresp_;
    Pin arready_, rvalid_, rid_, rdata_, rresp_, rlast_;
    Pin wid_, wdata_, wstrb_;
    Driven wvalid_, wlast_, bready_, rready_;
    ChannelWatch b_watch_, r_watch_;
    uint8_t read_lanes_[kLanes / 8] = {};

    Side read_, write_;
    bool answered_early_ = false;  // AXI3: the response came before the address was taken

    Stalls stalls_;
    Stalls::Channel w_stall_, b_stall_, r_stall_;
    bool b_seen_ = false, r_seen_ = false;  // VALID at the last edge
    uint64_t next_id_ = 1;
    uint64_t reset_since_ = 0;
    bool busy_ = true;
    bool after_reset_ = false;
};

}  // namespace pynq::sim::rtl
