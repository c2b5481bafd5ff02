"""Regions of a design that came in an archive: partial bitstreams beside it, then in it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

import pynq
from pynq.errors import DesignNotFoundError
from pynq.sim import SimDevice


def bitfile(partial: bool) -> bytes:
    head = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for key, text in (
        ("a", f"top{';PARTIAL=TRUE' * partial}"),
        ("b", ""),
        ("c", "2024/05/01"),
        ("d", "12:00:00"),
    ):
        field = text.encode() + b"\0"
        head += key.encode() + len(field).to_bytes(2, "big") + field
    return head + b"e" + (4).to_bytes(4, "big") + bytes(4)


def test_partial_bitstreams_of_an_archive(
    folder: Path, device: SimDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYNQ_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "elsewhere"
    place.mkdir()
    with zipfile.ZipFile(place / "board.xsa", "w") as made:
        made.writestr(
            "sysdef.xml",
            '<Project><File Type="HW_HANDOFF" Name="full.hwh" BD_TYPE="DEFAULT_BD"/>'
            '<File Type="HW_HANDOFF" Name="adder.hwh" BD_TYPE="REFERENCE_BD"/>'
            '<File Type="BIT" Name="full.bit"/><File Type="BIT" Name="pr_0_adder_partial.bit"/></Project>',
        )
        for name in ("full.hwh", "adder.hwh"):
            made.writestr(name, (folder / name).read_bytes())
        made.writestr("full.bit", bitfile(False))
        made.writestr("pr_0_adder_partial.bit", bitfile(True))
    overlay: Any = pynq.Overlay(place / "board.xsa", device=device)
    overlay.pr_download("pr_0", "pr_0_adder_partial.bit")
    adder = overlay.pr_0.adder
    adder.write(0, 20)
    adder.write(4, 3)
    assert adder.read(8) == 23
    assert overlay.pr_dict["pr_0"]["loaded"] == str(place / "board.xsa" / "pr_0_adder_partial.bit")
    with pytest.raises(DesignNotFoundError, match=r"none\.bit(.|\n)*board\.xsa"):
        overlay.pr_download("pr_0", "none.bit")
