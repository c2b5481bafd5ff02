"""What ``pynq inspect`` tells about containers."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner
from xclbin_writer import container, sections

from pynq.cli.app import app


def test_inspect_lists_the_sections(tmp_path: Path) -> None:
    path = tmp_path / "vadd.xclbin"
    path.write_bytes(container())
    done = CliRunner().invoke(app, ["inspect", str(path), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [one["kind"] for one in told["container"]["sections"]] == list(sections())
    assert told["part"] == "xcu50-fsvh2104-2-e"
    shown = CliRunner().invoke(app, ["inspect", str(path)])
    assert shown.exit_code == 0, shown.output
    assert "vadd_1" in shown.stdout
    assert "processor: that of the host, behind PCIe" in shown.stdout


def test_inspect_shows_the_notes(tmp_path: Path) -> None:
    path = tmp_path / "[bold].xclbin"
    path.write_bytes(container(EMBEDDED_METADATA=None))
    shown = CliRunner().invoke(app, ["inspect", str(path)])
    assert shown.exit_code == 0, shown.output
    note = f"note: {path}: has no EMBEDDED_METADATA: registers and arguments are not known"
    assert note in shown.stdout.splitlines()


def test_inspect_shows_the_lines_of_notes(tmp_path: Path) -> None:
    path = tmp_path / "pl.dtsi"
    path.write_text(
        "/ { amba_pl { #address-cells = <1>; #size-cells = <1>; ranges;\n"
        'a: a@43c00000 { compatible = "x,a"; reg = <0x43c00000 0x1000>; };\n'
        'b: b@43c10000 { compatible = "x,b"; reg = <0x43c10000 0x1000>; status = "disabled"; }; }; };\n'
    )
    shown = CliRunner().invoke(app, ["inspect", str(path)])
    assert shown.exit_code == 0, shown.output
    assert f"note: {path}:3: /amba_pl/b@43c10000 is disabled and left out" in shown.stdout.splitlines()
