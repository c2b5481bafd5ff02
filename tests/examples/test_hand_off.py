"""The examples' hand-off files: consistent, as their tool writes them, and the same to PYNQ 4.0."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pynq.design import Design, read, views

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
NAMES = ["buttons_leds", "dma_loopback", "image_filter", "partial", "polynomial", "vector_add"]


@pytest.fixture(scope="module", params=NAMES)
def path(request: pytest.FixtureRequest) -> Path:
    return EXAMPLES / request.param / f"{request.param}.hwh"


@pytest.fixture(scope="module")
def design(path: Path) -> Design:
    return read(path)


def test_files_are_what_the_tool_writes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.tools.write", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_connection_is_known_at_both_ends(design: Design) -> None:
    for cell in design.cells.values():
        for port in cell.ports.values():
            for peer in port.peers:
                owner = design.cells[peer.cell].ports if peer.cell else design.ports
                assert peer.port in owner, (
                    f"{cell.path}/{port.name} is joined to {peer}, which does not exist"
                )
                other = owner[peer.port]
                assert other.signal == port.signal
                back = {(one.cell, one.port) for one in other.peers}
                assert (cell.path, port.name) in back, f"{peer} does not know of {cell.path}/{port.name}"


def test_every_net_has_one_driver(design: Design) -> None:
    drivers: dict[str, list[str]] = {}
    for cell in design.cells.values():
        for port in cell.ports.values():
            if port.signal and port.direction == "O":
                drivers.setdefault(port.signal, []).append(f"{cell.path}/{port.name}")
    for net, ends in drivers.items():
        assert len(ends) == 1, f"{net} is driven by {ends}"
    for cell in design.cells.values():
        for port in cell.ports.values():
            outside = any(not peer.cell for peer in port.peers)
            if port.signal and port.direction == "I" and not outside:
                assert port.signal in drivers, f"nothing drives {cell.path}/{port.name}"


def test_clocks_and_resets_are_connected(design: Design) -> None:
    for cell in design.cells.values():
        for port in cell.ports.values():
            if port.kind == "clk" and port.direction == "I":
                assert port.signal, f"{cell.path}/{port.name} has no clock"
        resets = [port for port in cell.ports.values() if port.kind == "rst" and port.direction == "I"]
        # aux_reset_in and mb_debug_sys_rst of proc_sys_reset are meant to stay open.
        assert not resets or any(port.signal for port in resets), f"{cell.path} is never reset"


def test_bus_ports_exist_and_streams_have_equal_widths(design: Design) -> None:
    ends: dict[str, list[int]] = {}
    for cell in design.cells.values():
        for bus in cell.interfaces.values():
            for logical, name in bus.port_map.items():
                assert name in cell.ports, (
                    f"{cell.path}: {bus.name}.{logical} is {name}, which does not exist"
                )
                if logical == "TDATA":
                    ends.setdefault(bus.net, []).append(cell.ports[name].width)
    for net, widths in ends.items():
        assert len(widths) == 2, net
        assert len(set(widths)) == 1, net


def test_registers_lie_in_their_block(design: Design) -> None:
    for cell in design.cells.values():
        for block in cell.blocks:
            offsets = [register.offset for register in block.registers]
            assert len(offsets) == len(set(offsets)), cell.path
            for register in block.registers:
                assert register.offset + 4 <= block.range
                taken = 0
                for field in register.fields:
                    mask = ((1 << field.width) - 1) << field.offset
                    assert not taken & mask, (
                        f"{cell.path}.{register.name}.{field.name} overlaps another field"
                    )
                    assert mask < 1 << 32
                    taken |= mask


# -- PYNQ 4.0's own parser ----
@pytest.fixture(scope="module")
def peer() -> str:
    """The interpreter of an environment with PYNQ 4.0 (``PYNQ_PEER``); skips where there is none."""
    name = os.environ.get("PYNQ_PEER", str(ROOT / ".venv-peer" / "bin" / "python"))
    if not Path(name).exists():
        pytest.skip("no PYNQ 4.0 to compare with: make peer, or set PYNQ_PEER to its Python")
    return name


@pytest.fixture(scope="module")
def theirs(peer: str, path: Path) -> Any:
    script = Path(__file__).with_name("peer_views.py")
    done = subprocess.run([peer, str(script), str(path)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_peer_sees_the_same_ip(theirs: Any, design: Design) -> None:
    ours = {
        name: [entry["type"], entry["phys_addr"], entry["addr_range"]]
        for name, entry in views.ip_dict(design).items()
        if name != design.ps
    }
    assert ours == {name: entry for name, entry in theirs["ip_dict"].items() if name != design.ps}


def test_peer_sees_the_same_registers(theirs: Any, design: Design) -> None:
    ours = {
        name: {
            register: [known["address_offset"], sorted(known["fields"])]
            for register, known in entry["registers"].items()
        }
        for name, entry in views.ip_dict(design).items()
        if entry["registers"]
    }
    assert ours == theirs["registers"]


def test_peer_sees_the_same_hierarchies_clocks_and_interrupts(theirs: Any, design: Design) -> None:
    assert sorted(views.hierarchy_dict(design)) == theirs["hierarchy_dict"]
    clocks = views.clock_dict(design)
    ours = {str(n): [clock["enable"], clock["divisor0"], clock["divisor1"]] for n, clock in clocks.items()}
    assert ours == theirs["clock_dict"]
    pins = {name: [pin["controller"], pin["index"]] for name, pin in views.interrupt_pins(design).items()}
    # PYNQ 4.0 loses what is wired straight to the PS (errata), so these are ours alone.
    assert {name: pin for name, pin in pins.items() if pin[0]} == theirs["interrupt_pins"]
