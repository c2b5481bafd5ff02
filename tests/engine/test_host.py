"""Components of Python: registers with rights and hooks, memory, wires, timers, reset, errors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq.backends.sim._engine import Engine, Host
from pynq.errors import BusError, DesignError, ModelError

BASE = 0x43C0_0000


class Ip:
    """One IP with a register port at BASE."""

    def __init__(self, engine: Engine, *, width: int = 4, size: int = 0, **host: Any) -> None:
        self.engine = engine
        self.clock = engine.clock("clk", 100e6)
        self.host: Host = engine.host("ip_0", self.clock, **host)
        self.host.add_slave(width=width, range=size)
        self.ps = engine.space("ps", ps=True)
        self.ps.map(BASE, BASE + 0xFFFF, self.host)

    def read(self, offset: int, width: int = 4) -> int:
        return self.engine.read(BASE + offset, width)

    def write(self, offset: int, value: int, width: int = 4) -> None:
        self.engine.write(BASE + offset, value, width)


@pytest.fixture
def ip(engine: Engine) -> Ip:
    return Ip(engine)


def test_rights(ip: Ip) -> None:
    ip.host.add_register(0x00, reset=0x1234_5678, name="RW")
    ip.host.add_register(0x04, reset=0xAAAA, writable=0, name="RO")
    ip.host.add_register(0x08, readable=0, name="WO")
    ip.host.add_register(0x0C, reset=0xFF, writable=0, w1c=0x0F, name="W1C")
    ip.host.add_register(0x10, w1t=0xF0, name="W1T")
    ip.host.add_register(0x14, reset=0x3, clear_on_read=0x1, name="COR")
    ip.host.add_register(0x18, self_clearing=0x1, name="START")
    assert ip.read(0x00) == 0x1234_5678
    ip.write(0x04, 1)
    assert ip.read(0x04) == 0xAAAA
    ip.write(0x08, 5)
    assert ip.read(0x08) == 0
    assert ip.host.get(0x08) == 5
    ip.write(0x0C, 0xF5)
    assert ip.read(0x0C) == 0xFA
    ip.write(0x10, 0x31)
    ip.write(0x10, 0x11)
    assert ip.read(0x10) == 0x21
    assert [ip.read(0x14), ip.read(0x14)] == [3, 2]
    ip.write(0x18, 0x3)
    assert ip.read(0x18) == 0x2
    assert ip.read(0x100) == 0, "no register there"
    ip.write(0x100, 9)
    assert ip.host.state()["RW"] == 0x1234_5678


@given(
    reset=st.integers(0, 2**32 - 1),
    writable=st.integers(0, 2**32 - 1),
    readable=st.integers(0, 2**32 - 1),
    w1c=st.integers(0, 2**32 - 1),
    writes=st.lists(
        st.tuples(
            st.sampled_from([(0, 4), (0, 2), (2, 2), (0, 1), (1, 1), (3, 1)]), st.integers(0, 2**32 - 1)
        )
    ),
)
def test_rights_and_byte_lanes(
    reset: int, writable: int, readable: int, w1c: int, writes: list[tuple[tuple[int, int], int]]
) -> None:
    engine = Engine(access_cycles=0)
    try:
        ip = Ip(engine)
        ip.host.add_register(0x40, reset=reset, writable=writable, readable=readable, w1c=w1c)
        expected = reset
        for (lane, width), value in writes:
            value &= (1 << 8 * width) - 1
            ip.write(0x40 + lane, value, width)
            lanes = ((1 << 8 * width) - 1) << 8 * lane
            word = value << 8 * lane
            plain = writable & ~w1c & lanes
            expected = (expected & ~plain) | (word & plain)
            expected &= ~(word & w1c & lanes)
            assert ip.host.get(0x40) == expected
            assert ip.read(0x40) == expected & readable
    finally:
        engine.close()


@pytest.mark.parametrize("beat", [4, 8])
def test_registers_of_all_sizes_share_beats(engine: Engine, beat: int) -> None:
    ip = Ip(engine, width=beat)
    ip.host.add_register(0, size=1, reset=0x11)
    ip.host.add_register(1, size=1, reset=0x22)
    ip.host.add_register(2, size=2, reset=0x4433)
    ip.host.add_register(8, size=8, reset=0x8877_6655_4433_2211)
    assert ip.read(0) == 0x4433_2211
    assert ip.read(8, 8) == 0x8877_6655_4433_2211
    assert ip.read(12) == 0x8877_6655
    ip.write(12, 0xAABB_CCDD)
    ip.write(8, 0x99, 1)
    assert ip.read(8, 8) == 0xAABB_CCDD_4433_2299
    ip.write(0, 0x0102_0304)
    assert [ip.host.get(i) for i in (0, 1, 2)] == [4, 3, 0x0102]


def test_overlapping_registers(ip: Ip) -> None:
    ip.host.add_register(4, name="A")
    ip.host.add_register(4, name="A")
    with pytest.raises(
        DesignError, match=r"ip_0: register B at 0x6 \(2 bytes\) overlaps A at 0x4 \(4 bytes\)"
    ):
        ip.host.add_register(6, size=2, name="B")
    with pytest.raises(DesignError, match="1, 2, 4 and 8"):
        ip.host.add_register(16, size=3)


def test_hooks(ip: Ip) -> None:
    ip.host.add_register(0, reset=1)
    ip.host.add_register(4)
    seen: list[tuple[int, int]] = []
    reads: list[int] = []

    def on_read() -> int:
        reads.append(1)
        return 40 + len(reads)

    ip.host.on_write(0, lambda value, previous: seen.append((value, previous)))
    ip.host.on_read(4, on_read)
    ip.write(0, 5)
    ip.write(1, 0xFF, 1)
    assert seen == [(5, 1), (0xFF05, 5)]
    assert [ip.read(4), ip.read(4)] == [41, 42]
    assert ip.host.get(4) == 0, "given, not stored"
    ip.host.on_read(4, None)
    assert ip.read(4) == 0
    ip.host.on_read(4, lambda: ip.host.set(4, 77))
    assert ip.read(4) == 77
    ip.host.on_write(0, None)
    ip.write(0, 6)
    assert len(seen) == 2
    with pytest.raises(KeyError, match="no register at offset 0x8"):
        ip.host.get(8)
    with pytest.raises(TypeError, match="callable"):
        ip.host.on_read(4, 3)  # type: ignore[arg-type]


def test_hook_that_raises_reaches_the_access(ip: Ip) -> None:
    ip.host.add_register(0)
    ip.host.add_register(4)

    def wrong(value: int, previous: int) -> None:
        raise LookupError("model")

    ip.host.on_write(0, wrong)
    ip.host.on_read(4, lambda: "text")  # type: ignore[arg-type,return-value]
    with pytest.raises(LookupError, match="model"):
        ip.write(0, 1)
    with pytest.raises(TypeError):
        ip.read(4)
    assert ip.read(0) == 1, "the engine stays usable"


def test_access_hooks(ip: Ip) -> None:
    seen: list[tuple[int, int, int]] = []
    ip.host.on_access(
        lambda offset, width: None if offset == 8 else offset * 2, lambda *a: (seen.append(a), a[0] != 8)[1]
    )
    assert ip.read(0x20) == 0x40
    ip.write(0x20, 7)
    with pytest.raises(BusError, match=r"SLVERR at 0x43c00008 \(ip_0 \+ 0x8\)"):
        ip.read(8)
    with pytest.raises(BusError, match="write of 4 bytes"):
        ip.write(8, 1)
    assert seen == [(0x20, 7, 4), (8, 1, 4)]


def test_range_of_a_port(engine: Engine) -> None:
    ip = Ip(engine, size=0x40)
    assert ip.read(0x3C) == 0
    with pytest.raises(BusError, match="SLVERR"):
        ip.read(0x40)


def test_several_register_ports(ip: Ip) -> None:
    ip.host.add_slave("s_axi_r")
    ip.ps.map(0x5000_0000, 0x5000_FFFF, ip.host, port="s_axi_r", offset=0x100)
    ip.host.add_register(0x104, reset=3, port="s_axi_r")
    ip.host.add_register(0x104, reset=4)
    assert ip.engine.read(0x5000_0004) == 3
    assert ip.read(0x104) == 4


def test_reset_and_stopped_clock_are_bus_errors(ip: Ip) -> None:
    reset = ip.engine.net("aresetn")
    ip.host.reset_by(reset)
    ip.engine.elaborate()
    with pytest.raises(BusError, match="ip_0 is held in reset"):
        ip.read(0)
    reset.drive(1)
    assert ip.read(0) == 0
    ip.clock.hertz = 0
    with pytest.raises(BusError, match="ip_0 can't answer: its clock clk stands still"):
        ip.read(0)
    ip.clock.hertz = 1e6
    before = ip.engine.now
    ip.read(0)
    assert ip.engine.now - before == 16_000_000


def test_memory_master(ip: Ip) -> None:
    ddr = ip.engine.memory("ddr", 1 << 16)
    space = ip.engine.space("ip_0/m_axi")
    space.map(0x1000_0000, 0x1000_FFFF, ddr)
    ip.host.add_master("m_axi", width=8, latency=10)
    got: list[Any] = []
    ip.host.read_memory("m_axi", 0x1000_0000, 4, lambda *a: got.append(a))
    ip.engine.run_until(lambda: bool(got))
    assert got.pop() == (None, "ip_0/m_axi is not connected: it sees no memory")
    ip.host.space("m_axi", space)
    start = ip.engine.now
    ip.host.write_memory("m_axi", 0x1000_0010, bytes(range(80)), lambda error: got.append(error))
    ip.host.read_memory("m_axi", 0x1000_0010, 80, lambda *a: got.append(a))
    ip.engine.run_until(lambda: len(got) == 2)
    assert ip.engine.now - start == 2 * (10 + 10) * 10_000, "latency and a cycle a beat, one after the other"
    assert got[0] == ""
    data, error = got[1]
    assert error == ""
    assert data.tobytes() == bytes(range(80))
    assert ddr.read(0x10, 80) == bytes(range(80))
    got.clear()
    ip.host.read_memory("m_axi", 0x2000_0000, 4, lambda *a: got.append(a))
    ip.engine.run_until(lambda: bool(got))
    assert got[0][0] is None
    assert "ip_0/m_axi: DECERR at 0x20000000: nothing answers" in got[0][1]


def test_master_reaches_registers_of_others(ip: Ip) -> None:
    other = ip.engine.host("timer", ip.clock)
    other.add_slave()
    other.add_register(4, reset=0x5566_7788)
    space = ip.engine.space("ip_0/m_axi")
    space.map(0x4000_0000, 0x4000_FFFF, other)
    ip.host.add_master("m_axi")
    ip.host.space("m_axi", space)
    got: list[Any] = []
    ip.host.read_memory("m_axi", 0x4000_0003, 4, lambda data, error: got.append(data.tobytes()))
    ip.host.write_memory("m_axi", 0x4000_0005, b"\x01\x02", lambda error: got.append(error))
    ip.engine.run_until(lambda: len(got) == 2)
    assert got == [b"\x00\x88\x77\x66", ""]
    assert other.get(4) == 0x5502_0188


def test_wires(ip: Ip) -> None:
    seen: list[int] = []
    ip.host.add_input("din", 4, seen.append)
    ip.host.add_output("dout", 8, initial=3)
    din, dout = ip.engine.net("din", 6), ip.engine.net("dout", 8)
    ip.host.wire("din", din)
    ip.host.wire("dout", dout)
    assert dout.value == 3
    assert dout.driver == "ip_0/dout"
    din.drive(0x2A)
    din.drive(0x3A)  # a bit the port has not
    assert seen == [0xA]
    assert ip.host.sample("din") == 0xA
    ip.host.drive("dout", 0x1FF)
    assert dout.value == ip.host.sample("dout") == 0xFF
    with pytest.raises(ModelError, match="ip_0/din is an input"):
        ip.host.drive("din", 1)
    with pytest.raises(DesignError, match='has no wire port "x"; it has din, dout'):
        ip.host.sample("x")
    with pytest.raises(DesignError, match='has a port "din" already'):
        ip.host.add_output("din")
    with pytest.raises(DesignError, match="ip_0/din is connected to net din already"):
        ip.host.wire("din", dout)


def test_pulse(ip: Ip) -> None:
    ip.host.add_output("irq")
    net = ip.engine.net("irq")
    ip.host.wire("irq", net)
    times: list[int] = []
    net.on_change(lambda value, previous: times.append(ip.engine.now))
    ip.host.pulse("irq", 3)
    ip.engine.run(10**6)
    assert net.value == 0
    assert times[1] - times[0] == 3 * 10_000


def test_timers(ip: Ip) -> None:
    fired: list[tuple[str, int]] = []

    def note(name: str) -> Any:
        return lambda: fired.append((name, ip.engine.now))

    ip.host.at(50_000, note("b"))
    ip.host.at(50_000, note("c"))
    ip.host.after(2, note("a"))
    cancelled = ip.host.after(3, note("x"))
    ip.host.cancel(cancelled)
    ip.host.cancel(cancelled)
    ip.engine.run(100_000)
    assert fired == [("a", 20_000), ("b", 50_000), ("c", 50_000)]
    ip.host.at(0, note("past"))
    ip.engine.run(0)
    assert fired[-1] == ("past", 100_000)


def test_timer_waits_for_a_stopped_clock(ip: Ip) -> None:
    fired: list[int] = []
    ip.host.after(10, lambda: fired.append(ip.engine.now))
    ip.clock.hertz = 0
    ip.engine.run(10**9)
    assert not fired
    assert ip.engine.quiet
    ip.clock.hertz = 100e6
    ip.engine.run(10**6)
    assert fired == [10**9 + 10_000], "its edge had come while the clock stood"


def test_reset_forgets(ip: Ip) -> None:
    ip.host.add_sink("s")
    ip.host.add_source("m")
    ip.host.stream("s", ip.engine.link("in", 4))
    ip.host.stream("m", ip.engine.link("out", 4))
    fired: list[Any] = []
    ip.host.receive("s", 4, lambda *a: fired.append(a))
    ip.host.send("m", bytes(1000), True, lambda: fired.append("sent"))
    ip.host.after(5, lambda: fired.append("timer"))
    ip.host.reset()
    ip.engine.run(10**6)
    assert fired == []
    assert ip.engine.quiet
    assert ip.host.explain() == ""


def test_requests_made_in_reset_start_afterwards(ip: Ip) -> None:
    reset = ip.engine.net("aresetn")
    ip.host.add_source("m")
    link = ip.engine.link("out", 4)
    ip.host.stream("m", link)
    ip.host.reset_by(reset)
    ip.host.on_reset(lambda active: ip.host.send("m", b"abcd", True) if active else None)
    ip.engine.elaborate()
    ip.engine.run(10**6)
    assert link.statistics["beats"] == 0
    assert ip.host.explain() == "ip_0 is held in reset"
    reset.drive(1)
    ip.engine.run(10**6)
    assert link.statistics["beats"] == 1


def test_explain_hook(ip: Ip) -> None:
    ip.host.on_explain(lambda channel: f"ip_0 is busy with {channel}" if channel else "")
    assert ip.host.explain("x") == "ip_0 is busy with x"
    assert ip.host.explain() == ""
    ip.host.on_explain(lambda channel: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        ip.host.explain()


def test_hooks_may_use_the_bus_but_not_run(ip: Ip) -> None:
    ip.host.add_register(0)
    ip.host.add_register(4, reset=9)
    seen: list[Any] = []

    def hook(value: int, previous: int) -> None:
        before = ip.engine.now
        seen.append(ip.engine.read(BASE + 4))
        assert ip.engine.now == before
        for call in (lambda: ip.engine.run(1), lambda: ip.engine.run_until(None), ip.engine.close):
            with pytest.raises(ModelError, match="in a hook"):
                call()

    ip.host.on_write(0, hook)
    ip.write(0, 1)
    assert seen == [9]
    assert not ip.engine.closed


def test_names_are_unique(ip: Ip) -> None:
    with pytest.raises(DesignError, match='a component "ip_0" already'):
        ip.engine.host("ip_0", ip.clock)
    with pytest.raises(DesignError, match='register port "" already'):
        ip.host.add_slave()
    assert ip.engine.find("ip_0") == ip.host
    assert len({ip.engine.find("ip_0"), ip.host}) == 1
    with pytest.raises(KeyError, match="no component"):
        ip.engine.find("nope")
