"""Whole programs against RTL with AXI4-Stream: DMA in and out, blocks in a row, two clocks, VHDL."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pynq.sim
from pynq import allocate
from pynq.backends.sim.device import SimDevice
from pynq.backends.sim.rtl import vhdl
from pynq.design.model import Endpoint
from pynq.errors import (
    DeadlockError,
    PortMismatchError,
    RtlBuildError,
    RtlFallbackWarning,
    UnmodelledIPWarning,
)

from .attach_kit import Board, vector

PLUS = """
module plus #(parameter C_ADD = 1, parameter WIDTH = 32) (
  input aclk, input aresetn,
  input [WIDTH-1:0] s_axis_tdata, input [WIDTH/8-1:0] s_axis_tkeep, input s_axis_tlast, input s_axis_tvalid,
  output s_axis_tready,
  output reg [WIDTH-1:0] m_axis_tdata, output reg [WIDTH/8-1:0] m_axis_tkeep, output reg m_axis_tlast,
  output reg m_axis_tvalid, input m_axis_tready
);
  reg [31:0] beats;
  assign s_axis_tready = !m_axis_tvalid || m_axis_tready;
  always @(posedge aclk) begin
    if (!aresetn) begin
      m_axis_tvalid <= 0;
      beats <= 0;
    end else if (s_axis_tready) begin
      m_axis_tvalid <= s_axis_tvalid;
      m_axis_tdata <= s_axis_tdata + C_ADD;
      m_axis_tkeep <= s_axis_tkeep;
      m_axis_tlast <= s_axis_tlast;
      if (s_axis_tvalid) beats <= beats + 1;
      if (s_axis_tvalid && s_axis_tlast) $display("packet ends after %0d beats", beats + 1);
    end
  end
endmodule
"""
TABLE = '[[rtl]]\nmodule = "plus"\nsources = "plus.v"\n'


def stream_board(adds: list[str], **more: Any) -> Board:
    board = Board()
    dma = board.dma()
    end, bus = dma, "M_AXIS_MM2S"
    for index, add in enumerate(adds):
        cell = board.cell(f"plus_{index}", [board.sink(), board.source()], parameters={"ADD": add}, **more)
        board.design.connect(end, bus, cell, "s_axis")
        end, bus = cell, "m_axis"
    board.design.connect(end, bus, dma, "S_AXIS_S2MM")
    return board


def through(overlay: Any, data: Any) -> Any:
    dma = overlay.axi_dma_0
    with (
        allocate(data.shape, data.dtype, target=overlay.device) as sent,
        allocate(data.shape, data.dtype, target=overlay.device) as received,
    ):
        sent[:] = data
        dma.recvchannel.transfer(received)
        dma.sendchannel.transfer(sent)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        return np.array(received)


def test_numpy_through_rtl_and_back(tmp_path: Path) -> None:
    overlay = stream_board(["7"]).load(tmp_path, TABLE, plus_v=PLUS)
    data = np.arange(1000, dtype=np.uint32)
    assert (through(overlay, data) == data + 7).all()
    assert set(overlay.device.rtl) == {"plus_0"}
    assert overlay.device.rtl["plus_0"].cycles_run > 1000


def test_two_blocks_talk_to_each_other(tmp_path: Path) -> None:
    overlay = stream_board(["0x10", "1"]).load(tmp_path, TABLE, plus_v=PLUS)
    data = np.arange(500, dtype=np.uint32)
    assert (through(overlay, data) == data + 17).all()
    before = overlay.device.now_ps
    overlay.device.run()  # until nothing happens any more
    assert overlay.device.now_ps - before < 1_000_000


def test_the_same_run_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    def once() -> tuple[int, int]:
        overlay = stream_board(["3", "4"]).load(tmp_path, TABLE, plus_v=PLUS)
        overlay.device.trace("hash")
        through(overlay, np.arange(300, dtype=np.uint32))
        return overlay.device.trace_hash, overlay.device.now_ps

    assert once() == once()


def test_what_the_rtl_prints_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    overlay = stream_board(["1"]).load(tmp_path, TABLE, plus_v=PLUS)
    through(overlay, np.arange(8, dtype=np.uint32))
    (line,) = [record for record in caplog.records if record.name == "pynq.rtl"]
    assert line.levelno == logging.INFO
    assert line.getMessage().startswith("plus_0: packet ends after 8 beats")


def test_a_wait_that_can_not_end_names_the_block(tmp_path: Path) -> None:
    text = PLUS.replace("m_axis_tlast <= s_axis_tlast;", "m_axis_tlast <= 0;")
    overlay = stream_board(["1"]).load(tmp_path, TABLE, plus_v=text)
    with pytest.raises(DeadlockError, match=r"axi_dma_0 S2MM waits for TLAST.*plus_0"):
        through(overlay, np.arange(8, dtype=np.uint32))


def test_ports_that_differ_are_told_before_anything_is_built(tmp_path: Path) -> None:
    text = PLUS.replace("input aresetn", "input resetn, input [1:0] mode").replace("!aresetn", "!resetn")
    with pytest.raises(PortMismatchError, match="plus_0") as caught:
        stream_board(["1", "2"]).load(tmp_path, TABLE, plus_v=text)
    lines = [problem.message for problem in caught.value.problems]
    assert len(lines) == 6  # three of each block
    assert sum("port aresetn: missing in the RTL" in line for line in lines) == 2
    assert sum("port mode: missing in the description" in line for line in lines) == 2


def test_renamed_and_tied_ports(tmp_path: Path) -> None:
    text = PLUS.replace("input aresetn", "input resetn, input [7:0] mode").replace("!aresetn", "!resetn")
    text = text.replace("+ C_ADD;", "+ C_ADD + mode;")
    table = TABLE + 'ports = { resetn = "aresetn" }\ntie = { mode = 100 }\n'
    overlay = stream_board(["1"]).load(tmp_path, table, plus_v=text)
    data = np.arange(20, dtype=np.uint32)
    assert (through(overlay, data) == data + 101).all()


@pytest.mark.filterwarnings("ignore::pynq.errors.UnmodelledIPWarning")
def test_where_the_rtl_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The manifest beside the file, the keyword, the environment; and none at all."""

    def cells(**more: Any) -> set[str]:
        return set(stream_board(["1"]).load(tmp_path, plus_v=PLUS, **more).device.rtl)

    assert cells() == set()
    assert cells(rtl={"plus_0": str(tmp_path / "plus.v")}) == {"plus_0"}
    assert cells(manifest=TABLE) == {"plus_0"}
    assert cells(rtl=False) == set()
    other = tmp_path / "other.toml"
    other.write_text(TABLE.replace('module = "plus"', 'instance = "plus_0"'))
    assert cells(rtl=other) == {"plus_0"}
    assert cells(rtl="other.toml") == {"plus_0"}  # beside the bitstream
    monkeypatch.setenv("PYNQ_RTL", "off")
    assert cells() == set()
    monkeypatch.setenv("PYNQ_RTL", str(other))
    assert cells() == {"plus_0"}


def test_a_chosen_model_comes_before_rtl_that_is_only_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nothing(pynq.sim.Model):
        pass

    def cells(rtl: Any = None, chosen: str = "plus_0") -> set[str]:
        device = SimDevice(deterministic=True, models={chosen: Nothing})
        files = {"manifest": TABLE, "plus_v": PLUS}
        return set(stream_board(["1", "2"]).load(tmp_path, rtl=rtl, device=device, **files).device.rtl)

    assert cells() == {"plus_1"}
    assert cells(True) == {"plus_0", "plus_1"}
    assert cells(tmp_path / "board.sim.toml") == {"plus_0", "plus_1"}
    monkeypatch.setenv("PYNQ_RTL", str(tmp_path / "board.sim.toml"))
    assert cells() == {"plus_0", "plus_1"}


@pytest.mark.parametrize("asked_for", [False, True])
def test_without_ghdl_models_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked_for: bool
) -> None:
    class Stand(pynq.sim.Model):
        pass

    monkeypatch.setattr(vhdl.shutil, "which", lambda name: None)
    monkeypatch.setattr(pynq.sim.models, "find", lambda vlnv, kind: Stand if "plus" in kind else None)
    files = {
        "manifest": '[[rtl]]\nmodule = "plus"\nvhdl = "plus.vhd"\n',
        "plus_vhd": "entity plus is port (aclk : in bit); end plus;",
        "rtl": True if asked_for else None,
    }
    if asked_for:
        with pytest.raises(RtlBuildError, match="needs GHDL"):
            stream_board(["1"]).load(tmp_path, **files)
    else:
        with pytest.warns(
            RtlFallbackWarning, match="no RTL, but models of plus_0: plus is VHDL, which needs GHDL"
        ):
            overlay = stream_board(["1"]).load(tmp_path, **files)
        assert not overlay.device.rtl


@pytest.mark.parametrize(
    "body",
    [
        "class Overlay(pynq.DefaultOverlay):\n    mine = True\n",
        "class Overlay(pynq.Overlay):\n    mine = True\n",
        "class Overlay(pynq.DefaultOverlay):\n    mine = True\n"
        "    def __init__(self, bitfile_name, download=True):\n"
        "        super().__init__(bitfile_name, download)\n",
        "class Overlay(pynq.DefaultOverlay):\n    mine = True\n"
        "    def __init__(self, bitfile_name, **more):\n        super().__init__(bitfile_name, **more)\n",
    ],
)
def test_a_companion_passes_it_on(tmp_path: Path, body: str) -> None:
    (tmp_path / "board.py").write_text(f"import pynq\n{body}")
    overlay = stream_board(["1"]).load(tmp_path, rtl={"plus": str(tmp_path / "plus.v")}, plus_v=PLUS)
    assert overlay.mine
    assert set(overlay.device.rtl) == {"plus_0"}
    with pytest.warns(UnmodelledIPWarning):
        without = stream_board(["1"]).load(tmp_path, manifest=TABLE, rtl=False)
    assert not without.device.rtl


def test_a_cell_without_model_is_told_how_to_become_rtl(tmp_path: Path) -> None:
    with pytest.warns(UnmodelledIPWarning, match=r"plus_0 .*its own RTL, named in board\.sim\.toml"):
        stream_board(["1"]).load(tmp_path)


def test_downloading_again_after_the_folder_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    overlay = stream_board(["5"]).load(Path(), TABLE, plus_v=PLUS)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    overlay.download()
    assert (through(overlay, np.arange(9, dtype=np.uint32)) == np.arange(9) + 5).all()


def test_plain_pins_and_interrupts(tmp_path: Path) -> None:
    board = Board()
    pins = [vector("level", "O", 8), vector("irq", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH")]
    board.cell("blink_0", pins=pins)
    copy = [
        vector("value", "I", 8),
        vector("unused", "I", 16),
        vector("wide", "I", 100),
        vector("sum", "O", 9),
    ]
    board.cell("copy_0", pins=copy)
    board.design.wire("blink_0/level", "copy_0/value")
    board.interrupt("blink_0/irq")
    blink = """
module blink(input aclk, input aresetn, output reg [7:0] level, output irq);
  always @(posedge aclk) level <= !aresetn ? 0 : level == 100 ? level : level + 1;
  assign irq = level == 100;
endmodule
"""
    copied = """
module copy(input aclk, input aresetn, input [7:0] value, input [15:0] unused, input [99:0] wide,
            output [8:0] sum);
  assign sum = value + unused + wide[7:0] + 1;
endmodule
"""
    rtl = {name: str(tmp_path / f"{name}.v") for name in ("blink", "copy")}
    overlay = board.load(tmp_path, rtl=rtl, blink_v=blink, copy_v=copied)
    line = overlay.device.interrupt_line(61)
    line.enable()
    assert line.wait()
    plant = overlay.device.plant
    assert plant.nets.into(Endpoint("copy_0", "value")).value == 100


VHDL = """library ieee; use ieee.std_logic_1164.all; use ieee.numeric_std.all;
entity plus is
  generic (C_ADD : integer := 1);
  port (
    aclk, aresetn : in std_logic;
    s_axis_tdata : in std_logic_vector(31 downto 0);
    s_axis_tkeep : in std_logic_vector(3 downto 0);
    s_axis_tlast, s_axis_tvalid : in std_logic;
    s_axis_tready : out std_logic;
    m_axis_tdata : out std_logic_vector(31 downto 0);
    m_axis_tkeep : out std_logic_vector(3 downto 0);
    m_axis_tlast, m_axis_tvalid : out std_logic;
    m_axis_tready : in std_logic
  );
end entity;
architecture rtl of plus is
  signal ready, valid : std_logic;
begin
  ready <= (not valid) or m_axis_tready;
  s_axis_tready <= ready;
  m_axis_tvalid <= valid;
  process (aclk) begin
    if rising_edge(aclk) then
      if aresetn = '0' then
        valid <= '0';
      elsif ready = '1' then
        valid <= s_axis_tvalid;
        m_axis_tdata <= std_logic_vector(unsigned(s_axis_tdata) + C_ADD);
        m_axis_tkeep <= s_axis_tkeep;
        m_axis_tlast <= s_axis_tlast;
      end if;
    end if;
  end process;
end architecture;
"""


@pytest.mark.skipif(shutil.which("ghdl") is None, reason="GHDL is not installed")
def test_vhdl_and_verilog_in_one_design(tmp_path: Path) -> None:
    board = stream_board(["100", "20"])
    table = (
        '[[rtl]]\ninstance = "plus_0"\nvhdl = "plus.vhd"\n[[rtl]]\ninstance = "plus_1"\nsources = "plus.v"\n'
    )
    overlay = board.load(tmp_path, table, plus_v=PLUS, plus_vhd=VHDL)
    data = np.arange(64, dtype=np.uint32)
    assert (through(overlay, data) == data + 120).all()
