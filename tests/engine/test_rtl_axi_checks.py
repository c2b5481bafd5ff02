"""Modules that break one rule of AXI each: the rule, the port, the clause and the cycle are named."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest

from pynq.backends.sim._engine import Engine
from pynq.errors import ProtocolError

from .rtl_axi_board import RtlBoard

BASE = 0x5000_0000

#: rule of axi_bad_master -> (protocol, does the bus have to stall?, name of the rule, clause)
MASTER = {
    1: ("AXI4", False, "AXI_ERRM_AWVALID_RESET", "A3.1.2"),
    2: ("AXI4", False, "AXI_ERRM_WVALID_RESET", "A3.1.2"),
    3: ("AXI4", False, "AXI_ERRM_ARVALID_RESET", "A3.1.2"),
    4: ("AXI4", True, "AXI_ERRM_AWVALID_STABLE", "A3.2.1"),
    5: ("AXI4", True, "AXI_ERRM_AWADDR_STABLE", "A3.2.1"),
    6: ("AXI4", True, "AXI_ERRM_WVALID_STABLE", "A3.2.1"),
    7: ("AXI4", True, "AXI_ERRM_WDATA_STABLE", "A3.2.1"),
    8: ("AXI4", False, "AXI_ERRM_AWBURST", "A3.4.1"),
    9: ("AXI4", False, "AXI_ERRM_AWLEN_WRAP", "A3.4.1"),
    10: ("AXI4", False, "AXI_ERRM_AWADDR_WRAP_ALIGN", "A3.4.1"),
    11: ("AXI4", False, "AXI_ERRM_AWSIZE", "A3.4.1"),
    12: ("AXI4", False, "AXI_ERRM_AWADDR_BOUNDARY", "A3.4.1"),
    13: ("AXI4", False, "AXI_ERRM_AWLEN_FIXED", "A3.4.1"),
    14: ("AXI4", False, "AXI_ERRM_WSTRB", "A3.4.3"),
    15: ("AXI4", False, "AXI_ERRM_AWCACHE", "A4.4"),
    16: ("AXI4", False, "AXI_ERRM_WDATA_NUM", "A3.4.1"),
    17: ("AXI4", False, "AXI_ERRM_EXCL_LEN", "A7.2.4"),
    18: ("AXI4", False, "AXI_ERRM_EXCL_ALIGN", "A7.2.4"),
    19: ("AXI3", False, "AXI_ERRM_AWLEN", "A3.4.1"),
    20: ("AXI3", False, "AXI_ERRM_AWLOCK", "A7.4"),
    21: ("AXI4", True, "AXI_ERRM_WSTRB_STABLE", "A3.2.1"),
    22: ("AXI4", False, "AXI_ERRM_WDATA_NUM", "A3.4.1"),
    23: ("AXI4", True, "AXI_ERRM_ARVALID_STABLE", "A3.2.1"),
    24: ("AXI4", True, "AXI_ERRM_ARADDR_STABLE", "A3.2.1"),
    25: ("AXI4", False, "AXI_ERRM_ARADDR_BOUNDARY", "A3.4.1"),
    26: ("AXI4", False, "AXI_ERRM_ARBURST", "A3.4.1"),
}

#: rule of axi_bad_slave -> (does the bus have to stall?, name of the rule, clause)
SLAVE = {
    1: (False, "AXI_ERRS_BRESP_AW", "A3.3.1"),
    2: (False, "AXI_ERRS_RID", "A3.3.1"),
    3: (False, "AXI_ERRS_BVALID_RESET", "A3.1.2"),
    4: (False, "AXI_ERRS_BRESP_WLAST", "A3.3.1"),
    5: (False, "AXI_ERRS_BRESP_AW", "A3.3.1"),
    6: (False, "AXI_ERRS_BID", "A5.3"),
    7: (False, "AXI_ERRS_BRESP_EXOKAY", "A7.2.3"),
    8: (True, "AXI_ERRS_BVALID_STABLE", "A3.2.1"),
    9: (True, "AXI_ERRS_BRESP_STABLE", "A3.2.1"),
    10: (False, "AXI_ERRS_RVALID_RESET", "A3.1.2"),
    11: (False, "AXI_ERRS_RID", "A5.3.1"),
    12: (False, "AXI_ERRS_RDATA_NUM", "A3.4.1"),
    13: (False, "AXI_ERRS_RDATA_NUM", "A3.4.1"),
    14: (False, "AXI_ERRS_RRESP_EXOKAY", "A7.2.3"),
    15: (True, "AXI_ERRS_RVALID_STABLE", "A3.2.1"),
    16: (True, "AXI_ERRS_RDATA_STABLE", "A3.2.1"),
    17: (False, "AXI_ERRS_RID", "A3.3.1"),
}


class MasterBoard(RtlBoard):
    def __init__(self, engine: Engine, rule: int, protocol: str = "AXI4", stalls: bool = False) -> None:
        super().__init__(engine)
        self.bad = self.add("bad_0", "axi_bad_master", master=protocol)
        self.see("bad_0")
        engine.elaborate()
        self.drive("bad_0/rule", rule)
        if stalls:
            self.bad.stall("m_axi", 1, 6)

    def run(self) -> str:
        self.reset()
        self.drive("bad_0/go", 1)
        return self.engine.run_until(self.nets["bad_0/done"], timeout=10**9)


class SlaveBoard(RtlBoard):
    def __init__(self, engine: Engine, rule: int, protocol: str = "AXI4", stalls: bool = False) -> None:
        super().__init__(engine)
        full = ("AWID", "ARID", "BID", "RID", "AWLEN", "ARLEN", "AWSIZE", "ARSIZE", "AWBURST", "ARBURST")
        skip = full if protocol == "AXI4LITE" else ()
        self.bad = self.add("bad_0", "axi_bad_slave", slave=protocol, skip=skip)
        space = engine.space("mover/m")
        space.map(BASE, BASE + 0xFFF, self.bad)
        self.ps.map(BASE, BASE + 0xFFF, self.bad)
        self.mover = engine.host("mover", self.clock)
        self.mover.add_master("m", width=4, latency=1)
        self.mover.space("m", space)
        engine.elaborate()
        self.drive("bad_0/rule", rule)
        if stalls:
            self.bad.stall("s_axi", 1, 6)

    def run(self, rule: int) -> list[bytes]:
        self.reset()
        self.drive("bad_0/go", 1)
        self.cycles(10)
        got: list[bytes] = []
        self.mover.write_memory("m", BASE, bytes(16), lambda error: got.append(error.encode()))
        self.engine.run_until(lambda: len(got) == 1, timeout=10**9)
        self.mover.read_memory(
            "m", BASE, 16, lambda data, _: got.append(b"" if data is None else data.tobytes())
        )
        self.engine.run_until(lambda: len(got) == 2, timeout=10**9)
        return got


@pytest.mark.parametrize("rule", MASTER)
def test_a_master_that_breaks_a_rule(engine: Engine, rule: int) -> None:
    protocol, stalls, name, clause = MASTER[rule]
    board = MasterBoard(engine, rule, protocol, stalls)
    with pytest.raises(ProtocolError) as caught:
        board.run()
    told = str(caught.value)
    assert re.search(rf"\b{name}\b", told), told
    assert re.search(rf"^bad_0 m_axi .*cycle \d+: .*\({clause}", told), told


@pytest.mark.parametrize("rule", SLAVE)
def test_a_slave_that_breaks_a_rule(engine: Engine, rule: int) -> None:
    stalls, name, clause = SLAVE[rule]
    board = SlaveBoard(engine, rule, stalls=stalls)
    with pytest.raises(ProtocolError) as caught:
        board.run(rule)
    told = str(caught.value)
    assert re.search(rf"\b{name}\b", told), told
    assert re.search(rf"^bad_0 s_axi .*cycle \d+: .*\({clause}", told), told


@pytest.mark.parametrize("stalls", [False, True])
@pytest.mark.parametrize("protocol", ["AXI4", "AXI3"])
def test_a_master_that_breaks_none(engine: Engine, protocol: str, stalls: bool) -> None:
    assert MasterBoard(engine, 0, protocol, stalls).run() == "hit"


@pytest.mark.parametrize("stalls", [False, True])
def test_a_slave_that_breaks_none(engine: Engine, stalls: bool) -> None:
    got = SlaveBoard(engine, 0, stalls=stalls).run(0)
    assert got == [b"", b"".join(i.to_bytes(4, "little") for i in range(4))]


def test_the_response_before_the_address_on_axi3(engine: Engine) -> None:
    """AXI3 asks only for the last beat of data before the response (A3.3.1)."""
    board = SlaveBoard(engine, 5, protocol="AXI3")
    board.reset()
    got: list[str] = []
    board.mover.write_memory("m", BASE, bytes(16), got.append)
    # Rule 5 never takes the address: no violation, and no end either.
    assert engine.run_until(lambda: bool(got), timeout=10**8) == "time"
    assert "bad_0 s_axi waits for AWREADY" in engine.explain("bad_0")


@pytest.mark.parametrize(("rule", "channel"), [(7, "B"), (14, "R")])
def test_exokay_on_axi4_lite(engine: Engine, rule: int, channel: str) -> None:
    board = SlaveBoard(engine, rule, protocol="AXI4LITE")
    board.reset()
    access: Callable[[], int | None]
    access = partial(engine.write, BASE, 1) if channel == "B" else partial(engine.read, BASE)
    with pytest.raises(ProtocolError, match=f"AXI4LITE_ERRS_{channel}RESP_EXOKAY.*B1.1.1"):
        access()


@pytest.mark.parametrize("rule", sorted(MASTER))
def test_warnings_instead(engine: Engine, rule: int) -> None:
    """With "warn" the run goes on, and the rule is in the list; with "off" it is not."""
    protocol, stalls, name, _ = MASTER[rule]
    board = MasterBoard(engine, rule, protocol, stalls)
    board.bad.protocol_checks = "warn"
    board.run()
    assert any(re.search(rf"\b{name}\b", warning) for warning in board.bad.warnings), board.bad.warnings


def test_checks_off(engine: Engine) -> None:
    board = MasterBoard(engine, 14)
    board.bad.protocol_checks = "off"
    assert board.run() == "hit"
    assert board.bad.warnings == []
