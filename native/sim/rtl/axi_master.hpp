// SPDX-License-Identifier: BSD-3-Clause
// A bus on which the module asks: we are the interconnect and the memory behind it.
//
// Addresses are taken as long as there is room (32 reads, 32 writes); reads and writes are independent. Where a burst
// lies in one memory its beats are copied straight between pins and memory. Otherwise a whole burst is moved by sim::Burst,
// before the first beat of a read and after the last of a write, and slaves may answer late. Transactions of one ID are
// answered in order (A5.3); of different IDs, the one that is ready first. Data of a write may come before its address.
//
// Modelled simply, by intent: an exclusive access is answered OKAY, which says that it is not supported and that the write
// of such a pair has happened (A7.2.5 lets a slave be so); locked transactions of AXI3 are ordinary ones; CACHE, PROT, QOS
// and REGION mean nothing. What goes to a slave ends at the first beat that is refused: the beats of a read after it carry
// the same response, and of a write they are lost.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "../space.hpp"
#include "axi_checks.hpp"

namespace pynq::sim::rtl {

class AxiMaster final : public BusModel {
  public:
    // `latency`: cycles from an address to its first beat of data, or from the last beat written to the response.
    AxiMaster(Rtl &module, const std::string &port, Axi protocol, const Pins &pins, uint64_t latency);

    void sample() override;
    void drive() override;
    void reset(bool active) override;
    bool settled() const override;
    std::string explain() const override;
    void answered(Access &access) override;
    bool is_mine(const Access &access) const override;
    bool stall(double probability, uint64_t cycles) override;
    void state(State &state) const override;

  private:
    static constexpr unsigned kDepth = 32;   // transactions a direction
    static constexpr unsigned kEarly = 256;  // beats of data without an address
    static constexpr unsigned kLanes = 128;  // bytes of the widest bus

    // Data: of a write, beats are still to come. Wait: for the latency. Ask: slaves are at work. Ready: to be answered.
    enum class Phase : uint8_t { Data, Wait, Ask, Ready };
    struct Transfer {
        Shape shape;
        uint64_t id = 0;
        bool write = false;
        Phase phase = Phase::Wait;
        bool straight = false;       // in one memory, or refused before anything was moved
        Resp resp = Resp::Okay;
        unsigned good = 0;           // beats of a read before the first that was refused
        unsigned taken = 0;          // beats that went over the pins
        uint8_t *memory = nullptr;   // straight: the byte at shape.lowest()
        uint8_t *next = nullptr;     // straight, INCR, as wide as the bus: the next beat
        uint64_t stored = 0;         // bytes written so far
        uint64_t latency = 0;
        uint64_t due = 0;            // cycle in which it may be answered
        // Through slaves: beats one after the other, each in the lanes of its size.
        std::vector<uint8_t> data, strobes;
        Burst burst;
        unsigned piece = 0, piece_beats = 0;  // beats of the piece under way
    };
    // Transactions in the order of their addresses, and those that are free.
    struct Queue {
        std::vector<std::unique_ptr<Transfer>> all;
        std::vector<Transfer *> free;
        std::array<Transfer *, kDepth> order{};
        unsigned count = 0;
        unsigned asking = 0;  // those in phase Wait or Ask that are not straight
        Transfer *take();
        void release(Transfer *transfer);
    };
    struct EarlyBeat {
        uint64_t id;
        bool last;
    };

    void accept(bool write);
    void put_beat(Transfer &transfer);
    void place(const Transfer &transfer, uint8_t *lanes) const;
    bool take_beat(Transfer &transfer, const uint8_t *data, const uint8_t *strobes, bool last);
    void take_data();
    void take_early();
    Transfer *receiving(uint64_t id);
    void received(Transfer &transfer);
    Transfer *choose(Queue &queue);
    void ask(Queue &queue);
    bool go_on(Transfer &transfer, bool begun);
    bool first_of_id(const Queue &queue, const Transfer &transfer) const;
    void finished(Transfer &transfer);
    void record(const Transfer &transfer);
    void refuse(Transfer &transfer, const Result &result, const char *why);
    bool counting(const Queue &queue) const;
    void check_after_reset();
    void flush();
    void look_again();
    std::string waits(const Transfer &transfer) const;

    const Axi protocol_;
    MasterPort *master_ = nullptr;
    const uint64_t latency_;
    unsigned bus_ = 0;  // bytes

    AddressPins ar_, aw_;
    Pin arvalid_, awvalid_, wvalid_, rready_pin_, bready_pin_;
    Pin wid_, wdata_, wstrb_, wlast_, rid_, rdata_, rresp_, bid_, bresp_;
    Driven arready_, awready_, wready_, rvalid_, rlast_, bvalid_;
    ChannelWatch ar_watch_, aw_watch_, w_watch_;

    Queue reads_, writes_;
    Transfer *sending_ = nullptr;    // read whose beats go over the pins
    Transfer *receiving_ = nullptr;  // write whose beats come, where the bus has no WID
    Transfer *answering_ = nullptr;  // write whose response is on the pins
    uint64_t rresp_now_ = 0;

    std::vector<uint8_t> early_data_, early_strobes_;
    std::vector<EarlyBeat> early_;

    Stalls stalls_;
    Stalls::Channel ar_stall_, aw_stall_, w_stall_, r_stall_, b_stall_;
    bool ar_seen_ = false, aw_seen_ = false, w_seen_ = false;  // VALID at the last edge
    uint64_t cycle_ = 0;
    uint64_t version_ = 0;  // of the space, when the pointers into memory were looked up
    uint64_t reset_since_ = 0;
    bool busy_ = true;
    bool room_changed_ = true;  // what our READYs depend on
    bool after_reset_ = false;
    bool answered_ = false;
    std::string trouble_;  // the last error in words
};

}  // namespace pynq::sim::rtl
