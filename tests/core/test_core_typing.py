"""Programs with types: what checkers see of registers that only the description knows."""

from __future__ import annotations

from pathlib import Path

import pytest

PROGRAM = """
from pynq import DefaultIP, PynqBuffer, Register, RegisterMap, allocate

def run(ip: DefaultIP) -> int:
    ip.register_map.CTRL.AP_START = 1
    ip.register_map.CTRL = 4
    registers: RegisterMap = ip.register_map
    registers["CTRL"] = 3
    control: Register = registers.CTRL
    control.AP_START = True
    control[3:0] = 4
    while not control.AP_DONE:
        pass
    with allocate(16, "u4") as buffer:
        ip.register_map.source = buffer.physical_address
        data: PynqBuffer = buffer
        return int(control) + int(data[0])
"""


def test_typed_program(tmp_path: Path) -> None:
    """It passes mypy's strict mode; what is wrong beyond doubt is still found."""
    api = pytest.importorskip("mypy.api")
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(PROGRAM)
    bad.write_text("from pynq import Register, allocate\nallocate(16).physical_adress\nRegister()\n")
    options = ["--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache"), "--no-error-summary"]
    report, errors, _ = api.run([*options, str(good), str(bad)])
    assert errors == ""
    lines = report.splitlines()
    assert len(lines) == 2
    assert '"PynqBuffer" has no attribute "physical_adress"' in lines[0]
    assert 'Missing positional argument "address"' in lines[1]
