"""Hand-off files of real designs, turned into the scripts that they would have been exported as, and back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tcl_scripts import needs_tcl

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from design_script import script
from design_views import VIEWS, view

from pynq.design import read

pytestmark = [needs_tcl, pytest.mark.corpus]

# Each stands for a kind: hierarchies with MicroBlaze, UltraScale+, RFSoC, cascades, EMIO, streams, no PS.
FILES = [
    "Xilinx__PYNQ__base__Pynq-Z1__2018.2",
    "Xilinx__PYNQ__base__Pynq-Z2__2018.3",
    "Xilinx__PYNQ__base__ZCU104",
    "Xilinx__PYNQ-HelloWorld__resizer__Ultra96",
    "Xilinx__PYNQ_Composable_Pipeline__cv_dfx_2pipes",
    "Xilinx__PYNQ_Workshop__dma_tutorial",
    "aws__aws-fpga__cl_axi_interconnect",
    "cathalmccabe__PYNQ_tutorials__hls_m_axi",
    "cathalmccabe__PYNQ_tutorials__ps_gpio_kv260",
    "drichmond__RISC-V-On-PYNQ__picorv32",
    "openquantumhardware__qick__qick_216",
    "strath-sdr__rfsoc_sam__rfsoc_sam__RFSoC2x2",
]


@pytest.mark.parametrize("name", FILES)
def test_there_and_back(name: str, corpus: Path, tmp_path: Path) -> None:
    file = read(corpus / "hwh" / f"{name}.hwh")
    path = tmp_path / f"{name}.tcl"
    path.write_text(script(file), encoding="utf-8")
    made = read(path)
    assert set(made.cells) == set(file.cells)
    for one in VIEWS:
        assert view(one, made) == view(one, file), one
