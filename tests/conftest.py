"""Fixtures that several areas share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def corpus_folder() -> Path:
    """Where the corpus of real hand-off files is, whether it exists or not."""
    return Path(os.environ.get("PYNQ_CORPUS", ROOT.parent / "shared" / "corpus"))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The corpus' folder (``hwh/`` and ``golden/``); skips where it is absent."""
    folder = corpus_folder()
    if not (folder / "hwh").is_dir():
        pytest.skip(f"no corpus at {folder}: set PYNQ_CORPUS to the folder that holds hwh/ and golden/")
    return folder
