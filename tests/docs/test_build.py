"""The documentation builds without a warning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
    assert "PynqBuffer" in (tmp_path / "site" / "reference" / "handles.html").read_text(encoding="utf-8")
