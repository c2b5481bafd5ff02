"""Real designs with regions: each partial description loads into its region, and they change places."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import pynq
from pynq.backends.sim import SimDevice
from pynq.backends.sim.passages import Passages
from pynq.design import read
from pynq.design.partial import changes, empty, merge, regions
from pynq.errors import BusError, RegionError, UnmodelledIPWarning

pytestmark = pytest.mark.corpus

COMPOSABLE = "Xilinx__PYNQ_Composable_Pipeline__cv_dfx_3_pr"
PRIO = "byuccl__PYNQ-PRIO__prio{}__Pynq-Z1"


@pytest.fixture
def load(corpus: Path) -> Any:
    opened = []

    def load(name: str) -> Any:
        device = SimDevice("sim:corpus", deterministic=True)
        opened.append(device)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnmodelledIPWarning)
            return pynq.Overlay(str(corpus / "hwh" / f"{name}.hwh"), device=device)

    yield load
    for device in opened:
        device.close()


@pytest.fixture
def swap(corpus: Path) -> Callable[..., None]:
    def swap(overlay: Any, region: str, name: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnmodelledIPWarning)
            overlay.pr_download(region, str(corpus / "hwh" / f"{name}.hwh"))

    return swap


def addresses(overlay: Any, region: str) -> dict[str, int]:
    return {
        path: entry["phys_addr"] for path, entry in overlay.ip_dict.items() if path.startswith(f"{region}/")
    }


def test_block_containers_with_absolute_addresses(load: Any, swap: Any) -> None:
    overlay = load(COMPOSABLE)
    assert list(regions(overlay.design)) == [f"composable/pr_{number}" for number in range(3)]
    for region, name in (
        ("composable/pr_0", "pr_0_dilate_erode"),
        ("composable/pr_1", "pr_1_cornerharris_fifo"),
        ("composable.pr_2", "pr_2_add"),
    ):
        swap(overlay, region, f"{COMPOSABLE}_composable_{name}_partial")
    assert addresses(overlay, "composable") | {} == {
        **addresses(overlay, "composable"),
        "composable/pr_0/dilate_accel": 0x8012_0000,
        "composable/pr_0/erode_accel": 0x8012_8000,
        "composable/pr_1/cornerHarris_accel": 0x8013_0000,
        "composable/pr_2/add_accel": 0x8014_0000,
    }
    assert overlay.composable.pr_0.dilate_accel.mmio.length == 0x8000
    pipeline = overlay.device.plant
    decoupler = "composable_dfx_decouplers_dfx_decoupler_pr_0_rp_in_0"
    assert pipeline.links[decoupler].sink == "composable/pr_0/dilate_accel/stream_in"
    emptied = empty(overlay.design, "composable/pr_1")
    assert changes(overlay.design, emptied) == ["composable/pr_1"]
    assert "composable/pr_1" in emptied.cells


@pytest.mark.parametrize("variant", ["", "_linux"])
def test_module_references_with_offsets(load: Any, swap: Any, variant: str) -> None:
    overlay = load(PRIO.format(variant))
    assert list(regions(overlay.design)) == [f"pr_{number}" for number in range(6)]
    base = {region: overlay.ip_dict[region]["phys_addr"] for region in regions(overlay.design)}
    inputs = {region: overlay.interrupt_pins[f"{region}/ip2intc_irpt"] for region in base}
    for region, kind, ip, irq in (
        ("pr_1", "gpio", "axi_gpio_0", "ip2intc_irpt"),
        ("pr_1", "uart", "axi_uartlite_0", "interrupt"),  # its file has no addresses at all
        ("pr_1", "gpio", "axi_gpio_0", "ip2intc_irpt"),
        ("pr_3", "uart", "axi_uartlite_0", "interrupt"),
        ("pr_3", "gpio", "axi_gpio_0", "ip2intc_irpt"),
        ("pr_4", "iic", "axi_iic_0", "iic2intc_irpt"),
        ("pr_4", "led_pattern", "axi_gpio_0", "ip2intc_irpt"),
    ):
        swap(overlay, region, f"byuccl__PYNQ-PRIO__{region}_{kind}__Pynq-Z1")
        assert addresses(overlay, region) == {f"{region}/{ip}": base[region]}
        pin = overlay.interrupt_pins[f"{region}/{ip}/{irq}"]
        assert (pin["controller"], pin["index"]) == (inputs[region]["controller"], inputs[region]["index"])
        if ip == "axi_gpio_0":
            gpio = overlay[f"{region}/{ip}"]
            gpio.write(0x0, 0x5A)
            gpio.write(0x4, 0x00)
            assert gpio.read(0x0) == 0x5A
    with pytest.raises(RegionError, match=r"no region 'pr_6'.*did you mean"):
        swap(overlay, "pr_6", "byuccl__PYNQ-PRIO__pr_1_gpio__Pynq-Z1")


def test_decouplers_of_real_designs(load: Any, swap: Any) -> None:
    """Those of PRIO are opened and closed by EMIO GPIO; what is in a region is behind its decoupler."""
    overlay = load(PRIO.format(""))
    swap(overlay, "pr_1", "byuccl__PYNQ-PRIO__pr_1_gpio__Pynq-Z1")
    gpio = overlay["pr_1/axi_gpio_0"]
    index = overlay.gpio_dict["xlslice_1"]["index"]
    decouple = pynq.GPIO(pynq.GPIO.get_gpio_pin(index, device=overlay.device), "out", device=overlay.device)
    gpio.write(0x0, 5)
    decouple.write(1)
    with pytest.raises(BusError, match="pr_1_decoupler decouples it"):
        gpio.read(0x0)
    swap(overlay, "pr_1", "byuccl__PYNQ-PRIO__pr_1_uart__Pynq-Z1")
    decouple.write(0)
    assert isinstance(overlay["pr_1/axi_uartlite_0"].read(0x8), int)


def test_buses_of_a_composable_pipeline_lead_through_its_decouplers(load: Any, swap: Any) -> None:
    overlay = load(COMPOSABLE)
    swap(overlay, "composable/pr_0", f"{COMPOSABLE}_composable_pr_0_dilate_erode_partial")
    through = {span.slave: Passages(overlay.design).of(span) for span in overlay.design.ps_ranges}
    for name in ("dilate", "erode"):
        path = f"composable/pr_0/{name}_accel"
        assert through[path] == ["composable/dfx_decouplers/dfx_decoupler_pr_0"]
    assert through["composable/axis_switch"] == []
    switch = overlay.composable.axis_switch
    assert [switch.read(0x40 + 4 * place) for place in range(16)] == [1 << 31] * 15 + [0]


SCRIPT = """\
set design_name pr_1_gpio
create_bd_design $design_name
current_bd_design $design_name
set S_AXI [ create_bd_intf_port -mode Slave -vlnv xilinx.com:interface:aximm_rtl:1.0 S_AXI ]
set_property -dict [ list CONFIG.ADDR_WIDTH {32} CONFIG.DATA_WIDTH {32} CONFIG.PROTOCOL {AXI4LITE} ] $S_AXI
set clk [ create_bd_port -dir I -type clk s_axi_aclk ]
set rst [ create_bd_port -dir I -type rst s_axi_aresetn ]
set irq [ create_bd_port -dir O -type intr ip2intc_irpt ]
set axi_gpio_0 [ create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 axi_gpio_0 ]
set_property -dict [ list CONFIG.C_GPIO_WIDTH {8} CONFIG.C_INTERRUPT_PRESENT {1} ] $axi_gpio_0
connect_bd_intf_net -intf_net S_AXI_1 [get_bd_intf_ports S_AXI] [get_bd_intf_pins axi_gpio_0/S_AXI]
connect_bd_net -net clk_1 [get_bd_ports s_axi_aclk] [get_bd_pins axi_gpio_0/s_axi_aclk]
connect_bd_net -net rst_1 [get_bd_ports s_axi_aresetn] [get_bd_pins axi_gpio_0/s_axi_aresetn]
connect_bd_net -net irq_1 [get_bd_pins axi_gpio_0/ip2intc_irpt] [get_bd_ports ip2intc_irpt]
assign_bd_address -offset 0x00000000 -range 0x00010000 -target_address_space \\
  [get_bd_addr_spaces S_AXI] [get_bd_addr_segs axi_gpio_0/S_AXI/Reg] -force
"""


@pytest.mark.skipif(find_spec("_tkinter") is None, reason="this Python has no Tcl")
def test_a_script_as_partial_description(load: Any, tmp_path: Path) -> None:
    overlay = load(PRIO.format(""))
    base = overlay.ip_dict["pr_1"]["phys_addr"]
    (tmp_path / "pr_1_gpio.tcl").write_text(SCRIPT)
    overlay.pr_download("pr_1", str(tmp_path / "pr_1_gpio.tcl"))
    gpio = overlay.pr_1.axi_gpio_0
    assert gpio.mmio.base_addr == base
    assert overlay.interrupt_pins["pr_1/axi_gpio_0/ip2intc_irpt"]["index"] is not None
    gpio.write(0x4, 0)
    gpio.write(0x0, 0x5A)
    assert gpio.read(0x0) == 0x5A


def test_a_partial_for_another_part_is_refused(corpus: Path) -> None:
    folder = corpus / "hwh"
    static = read(folder / f"{PRIO.format('')}.hwh")
    other = read(folder / "byuccl__PYNQ-PRIO__pr_2_gpio__ZCU104.hwh")
    with pytest.raises(ValueError, match=r"is for architecture 'zynquplus', .* for 'zynq'"):
        merge(static, "pr_2", other)
