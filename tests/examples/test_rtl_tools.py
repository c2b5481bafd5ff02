"""Which of model and RTL runs, by what is asked for and what is installed."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_ways import EXAMPLES, is_rtl, needs

import pynq
from pynq.backends.sim.rtl import toolchain
from pynq.errors import RtlBuildError, RtlFallbackWarning
from pynq.sim import SimDevice

BITSTREAM = EXAMPLES / "polynomial" / "polynomial.bit"
MANIFEST = EXAMPLES / "polynomial" / "polynomial.sim.toml"


def load(where: Path = BITSTREAM, **options: Any) -> Any:
    device = SimDevice("sim:tools", deterministic=True)
    try:
        return pynq.Overlay(str(where), device=device, **options)
    except BaseException:
        device.close()
        raise


def works(overlay: Any, *, rtl: bool) -> None:
    """What runs is what is expected, and it computes."""
    try:
        assert is_rtl(overlay.device, "polynomial_0") == rtl
        x = np.arange(10, dtype=np.int32)
        assert np.array_equal(overlay.evaluate(x, (1, -3, 2)), x**2 - 3 * x + 2)
    finally:
        overlay.device.close()


@pytest.fixture(params=["verilator", "compiler"])
def missing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine without one of the tools."""
    for name in ("PYNQ_VERILATOR", "PYNQ_RTL", "CXX"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "verilator":
        monkeypatch.setattr(toolchain, "_candidates", list)
        return "Verilator is not installed"
    needs("rtl")
    real = shutil.which
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None if "+" in name else real(name))
    return "no C\\+\\+ compiler"


@pytest.mark.parametrize("rtl", [None, True, MANIFEST, str(MANIFEST)], ids=["found", "true", "path", "text"])
def test_rtl_runs_where_it_can(rtl: Any) -> None:
    needs("rtl")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        works(load(rtl=rtl), rtl=True)


def test_the_model_runs_when_asked_for() -> None:
    works(load(rtl=False), rtl=False)


def test_a_manifest_found_by_itself_gives_way_to_models(missing: str) -> None:
    with pytest.warns(RtlFallbackWarning, match=rf"(?s)models of polynomial_0: {missing}.*rtl=False") as seen:
        overlay = load()
    assert seen[0].filename == __file__  # the warning points at who loaded the overlay
    works(overlay, rtl=False)


@pytest.mark.parametrize("rtl", [True, MANIFEST, {"polynomial_0": [str(EXAMPLES / "../hdl/*.v")]}])
def test_rtl_that_was_asked_for_is_an_error(missing: str, rtl: Any) -> None:
    with pytest.raises(RtlBuildError, match=missing) as caught:
        load(rtl=rtl)
    assert type(caught.value) is RtlBuildError


def test_without_a_model_it_is_an_error(missing: str, tmp_path: Path) -> None:
    """Of the same design without its Python: nothing else could stand for the IP."""
    for suffix in (".hwh", ".sim.toml"):
        text = BITSTREAM.with_suffix(suffix).read_text(encoding="utf-8")
        text = text.replace("examples:polynomial:1.0", "examples:unknown:1.0")
        text = text.replace("../../hdl/", f"{EXAMPLES.parent}/hdl/")
        (tmp_path / f"polynomial{suffix}").write_text(text, encoding="utf-8")
    with pytest.raises(RtlBuildError, match=missing):
        load(tmp_path / "polynomial.hwh")


def test_a_wrong_tool_that_was_named_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYNQ_VERILATOR", str(tmp_path))
    with pytest.raises(RtlBuildError, match="PYNQ_VERILATOR"):
        load()


def test_wrong_parameters_stop_the_module() -> None:
    """The checks in the RTL's initial blocks become an error with its file and line."""
    needs("rtl")
    table = {
        "polynomial_0": {
            "top": "polynomial",
            "sources": [str(EXAMPLES / "../hdl/*.v")],
            "parameters": {"C_S_AXI_ADDR_WIDTH": 5},
        }
    }
    with pytest.raises(RtlBuildError, match="s_axi_a"):  # the width of a port no longer fits
        load(rtl=table)
