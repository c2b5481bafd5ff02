"""Wires, gates, interrupts of the PS, resets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq.backends.sim._engine import Engine
from pynq.errors import DesignError, ModelError


@pytest.mark.parametrize(
    ("operation", "widths", "values", "parameters", "out", "expected"),
    [
        ("concat", (1, 2, 3), (1, 2, 5), {}, 6, 0b101_10_1),
        ("concat", (4, 4), (0xF, 0x3), {"in0": 2, "in1": 3}, 8, 0b01111),
        ("slice", (8,), (0b1011_0100,), {"high": 5, "low": 2}, 4, 0b1101),
        ("constant", (), (), {"value": 0x2A}, 5, 0x0A),
        ("and", (4, 4), (0b1100, 0b1010), {}, 4, 0b1000),
        ("or", (4, 4), (0b1100, 0b1010), {}, 4, 0b1110),
        ("xor", (4, 4), (0b1100, 0b1010), {}, 4, 0b0110),
        ("xnor", (4, 4), (0b1100, 0b1010), {}, 4, 0b1001),
        ("nand", (4, 4), (0b1100, 0b1010), {}, 4, 0b0111),
        ("nor", (4, 4), (0b1100, 0b1010), {}, 4, 0b0001),
        ("not", (4,), (0b0011,), {}, 4, 0b1100),
        ("buf", (4,), (0b0011,), {}, 4, 0b0011),
        ("reduce_and", (3,), (0b111,), {}, 1, 1),
        ("reduce_or", (3,), (0b000,), {}, 1, 0),
        ("reduce_xor", (3,), (0b111,), {}, 1, 1),
    ],
)
def test_gates(
    engine: Engine,
    operation: str,
    widths: tuple[int, ...],
    values: tuple[int, ...],
    parameters: dict[str, int],
    out: int,
    expected: int,
) -> None:
    inputs = [engine.net(f"in{i}", width) for i, width in enumerate(widths)]
    output = engine.net("out", out)
    engine.gate(operation, "gate", inputs, output, **parameters)
    engine.elaborate()
    for net, value in zip(inputs, values, strict=True):
        net.drive(value)
    assert output.value == expected
    assert output.driver == "gate"


def test_gate_mistakes(engine: Engine) -> None:
    a, b = engine.net("a"), engine.net("b")
    with pytest.raises(DesignError, match='no gate "nix"; there are concat, slice'):
        engine.gate("nix", "g", [a], b)
    with pytest.raises(DesignError, match="takes one"):
        engine.gate("not", "g", [a, a], b)
    with pytest.raises(DesignError, match='no parameter "high"'):
        engine.gate("and", "g", [a, a], b, high=1)
    engine.gate("not", "g", [a], b)
    with pytest.raises(DesignError, match="driven by g and by h"):
        engine.gate("buf", "h", [a], b)
    with pytest.raises(DesignError, match="driven by g: it can't be driven from outside"):
        b.drive(1)
    with pytest.raises(DesignError, match="1 to 64"):
        engine.net("wide", 65)


def test_combinational_loop_is_named(engine: Engine) -> None:
    nets = [engine.net(name) for name in "abc"]
    for i in range(3):
        engine.gate("not", f"g{i}", [nets[i]], nets[(i + 1) % 3])
    with pytest.raises(DesignError, match=r"combinational loop: . -> . -> . -> ."):
        engine.elaborate()


def test_no_glitch_where_ways_meet_again(engine: Engine) -> None:
    """a AND NOT a stays 0: no edge is counted, no listener told, whatever the order of the gates."""
    a, inverted, out = engine.net("a"), engine.net("not_a"), engine.net("out")
    engine.gate("and", "both", [a, inverted], out)
    engine.gate("not", "invert", [a], inverted)
    engine.elaborate()
    seen: list[int] = []
    out.on_change(lambda value, previous: seen.append(value))
    for i in range(10):
        a.drive(i & 1)
    assert out.edges() == 0
    assert seen == []
    assert a.edges() == 5


def test_constants_rise_before_time(engine: Engine) -> None:
    one = engine.net("one")
    engine.gate("constant", "c", [], one, value=1)
    engine.elaborate()
    assert one.value == 1
    assert one.edges() == 0


@given(st.lists(st.integers(0, 255), max_size=30))
def test_edges_of_each_bit(values: list[int]) -> None:
    engine = Engine()
    net = engine.net("n", 8)
    expected = [0] * 8
    previous = 0
    for value in values:
        for bit in range(8):
            expected[bit] += (value & ~previous) >> bit & 1
        net.drive(value)
        previous = value
    assert [net.edges(bit) for bit in range(8)] == expected
    engine.close()


def test_masked_drive_and_hooks(engine: Engine) -> None:
    net = engine.net("n", 8)
    seen: list[tuple[int, int]] = []
    token = net.on_change(lambda value, previous: seen.append((value, previous)))
    net.drive(0xFF, 0x0F)
    net.drive(0xFF, 0x0F)
    net.drive(-1)
    net.forget(token)
    net.drive(0)
    net.forget(token)
    assert seen == [(0x0F, 0), (0xFF, 0x0F)]


def test_hooks_that_chase_each_other(engine: Engine) -> None:
    net = engine.net("n", 32)
    net.on_change(lambda value, previous: net.drive(value + 1))
    with pytest.raises(ModelError, match="net n never settles"):
        net.drive(1)
    assert engine.net("m").value == 0, "the engine stays usable"


def test_hook_that_raises(engine: Engine) -> None:
    net = engine.net("n")
    net.on_change(lambda value, previous: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        net.drive(1)
    assert net.value == 1


def test_level_interrupt_is_one_shot(engine: Engine) -> None:
    net = engine.net("n")
    irq = engine.irq(61, net)
    net.drive(1)
    assert not irq.fired, "masked"
    irq.enable()
    assert irq.fired
    assert not irq.enabled
    assert irq.take()
    assert not irq.take()
    net.drive(0)
    net.drive(1)
    assert not irq.fired, "masked again"
    irq.enable()
    assert irq.take(), "the source is active still"
    net.drive(0)
    irq.enable()
    assert not irq.fired
    irq.disable()
    net.drive(1)
    assert not irq.fired
    assert irq.level
    assert irq.edges == 3


def test_edge_interrupt_is_latched(engine: Engine) -> None:
    net = engine.net("n", 4)
    irq = engine.irq(62, net, bit=2, edge=True)
    net.drive(0b1011)
    irq.enable()
    assert not irq.fired
    net.drive(0b0100)
    net.drive(0)
    assert irq.take()
    net.drive(0b0100)
    net.drive(0)
    irq.enable()
    assert irq.take(), "came while it was masked"
    net.drive(0b0100)
    irq.enable()
    assert irq.take()
    irq.enable()
    assert not irq.fired, "high, but no new edge"


def test_resets_by_nets(engine: Engine) -> None:
    clock = engine.clock("clk", 1e8)
    low, high = engine.net("aresetn"), engine.net("reset", 2)
    host = engine.host("ip", clock)
    host.add_slave()
    host.add_register(0, reset=7)
    host.add_output("o", 4, initial=5)
    out = engine.net("o", 4)
    host.wire("o", out)
    host.reset_by(low)
    host.reset_by(high, active_low=False, bit=1)
    seen: list[bool] = []
    host.on_reset(seen.append)
    engine.elaborate()
    assert host.in_reset
    assert seen == [True]
    low.drive(1)
    assert not host.in_reset
    host.set(0, 99)
    host.drive("o", 9)
    high.drive(0b10)
    assert host.in_reset
    assert host.get(0) == 7
    assert out.value == 5
    high.drive(0b01)
    host.reset()
    assert seen == [True, False, True, False, True, False]


def test_explain_walks_through_gates_and_controllers(engine: Engine) -> None:
    clock = engine.clock("clk", 1e8)
    worker, controller = engine.host("worker", clock), engine.host("axi_intc_0", clock)
    worker.add_sink("s_axis")
    worker.stream("s_axis", engine.link("link", 4))
    worker.add_output("irq")
    controller.add_input("intr", 2)
    controller.add_output("irq")
    pin, other, joined, out = (
        engine.net("pin"),
        engine.net("other"),
        engine.net("joined", 2),
        engine.net("out"),
    )
    worker.wire("irq", pin)
    engine.gate("concat", "xlconcat_0", [pin, other], joined)
    controller.wire("intr", joined)
    controller.wire("irq", out)
    line = engine.irq(61, out)
    engine.elaborate()
    assert "nothing is under way in what can drive it (axi_intc_0, worker)" in engine.explain(line)
    worker.receive("s_axis", 8, print)
    assert (
        "worker s_axis waits for TVALID: 0 of 8 bytes received from nothing: its stream has no source"
        in engine.explain(line)
    )
    assert "nothing in the design drives it" in engine.explain(engine.net("loose"))
