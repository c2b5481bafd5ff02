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
