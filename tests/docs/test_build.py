"""The documentation builds without a warning."""

from __future__ import annotations

import inspect
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import pynq
import pynq.errors
import pynq.fleet
import pynq.lib
import pynq.sim
import pynq.testing

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_sphinx_has_nothing_to_say(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the group 'docs' is not installed")
    pytest.importorskip("furo", reason="the group 'docs' is not installed")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(tmp_path / "trees")]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "site")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # Every public name has its entry in the reference.
    inventory = (tmp_path / "site" / "objects.inv").read_bytes().split(b"\n", 4)[4]
    described = {
        line.split()[0].rpartition(".")[2] for line in zlib.decompress(inventory).decode().splitlines()
    }
    for module in (pynq, pynq.sim, pynq.fleet, pynq.lib, pynq.testing, pynq.errors):
        public = [name for name in module.__all__ if not name.startswith("__")]
        missing = [
            name for name in public if name not in described and not inspect.ismodule(getattr(module, name))
        ]
        assert not missing, f"docs/reference has nothing on {', '.join(missing)} of {module.__name__}"
