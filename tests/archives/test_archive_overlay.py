"""Overlays from archives: on the simulated board, on a device that takes bitstreams, on the command line."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from archivekit import EXAMPLES, archive, bitfile, configuration, example, sysdef

from pynq import Overlay
from pynq.cachedir import user_folder
from pynq.cli import main
from pynq.design.inside import contents, real_file
from pynq.errors import DesignError, DesignNotFoundError, ProgrammingError
from pynq.sim import SimDevice

pytestmark = pytest.mark.filterwarnings("ignore::pynq.errors.UnmodelledIPWarning")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYNQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def xsa(tmp_path: Path) -> Path:
    return archive(
        tmp_path / "polynomial.xsa",
        {
            "sysdef.xml": sysdef(
                ("HW_HANDOFF", "polynomial.hwh", "DEFAULT_BD"), ("BIT", "polynomial_wrapper.bit")
            ),
            "polynomial.hwh": example("polynomial"),
            "polynomial_wrapper.bit": bitfile(),
            "ps7_init.tcl": "proc ps7_pll_init_data_3_0 {} {\n mask_write 0XF8000110 0x3FFFF0 0xFA220\n}\n",
        },
    )


class Taker(SimDevice):
    """A simulated board that wants a bitstream, and keeps what it was given."""

    needs_bitstream = True
    image: Path | None = None

    def download(self, design: Any, bitstream: Path | None, **options: Any) -> None:
        self.image = bitstream
        super().download(design, bitstream, **options)


def test_the_simulated_board_needs_no_image(xsa: Path, tmp_path: Path) -> None:
    with SimDevice() as device:
        overlay = Overlay(xsa, device=device)
        assert overlay.is_loaded()
        assert overlay.bitfile_name == str(xsa)
        beside = Overlay(EXAMPLES / "polynomial/polynomial.hwh", download=False, device=device)
        assert set(overlay.ip_dict) == set(beside.ip_dict)
        assert overlay.systemgraph._root.tag == "EDKSYSTEM"
        assert overlay.description_bytes() == example("polynomial")
        assert overlay.image is None
    assert not (tmp_path / "cache" / "images").exists()
    assert set(os.listdir(tmp_path)) <= {"polynomial.xsa", "cache"}


def test_a_board_gets_the_image_out_of_the_cache(xsa: Path, tmp_path: Path) -> None:
    with Taker() as device:
        overlay = Overlay(xsa, device=device)
        assert overlay.is_loaded()
        image = device.image
    assert image is not None
    assert image.read_bytes() == bitfile()
    assert image.name == "polynomial_wrapper.bit"
    assert image.is_relative_to(tmp_path / "cache" / "images")
    assert stat.S_IMODE(image.parent.stat().st_mode) == 0o700
    assert set(os.listdir(tmp_path)) <= {"polynomial.xsa", "cache"}


def test_a_bitstream_beside_it_wins(xsa: Path, tmp_path: Path) -> None:
    beside = tmp_path / "polynomial.bit"
    beside.write_bytes(bitfile(design="other"))
    with Taker() as device:
        Overlay(xsa, device=device)
        assert device.image == beside
        Overlay(beside, device=device)
        assert device.image == beside


def test_the_companion_and_the_overlay_tree_lie_beside_it(xsa: Path) -> None:
    xsa.with_suffix(".py").write_text(
        "from pynq import DefaultOverlay\n\n\nclass Mine(DefaultOverlay):\n    pass\n\n\nOverlay = Mine\n"
    )
    with SimDevice() as device:
        assert type(Overlay(xsa, device=device)).__name__ == "Mine"


def test_an_archive_without_bitstream(tmp_path: Path) -> None:
    file = archive(tmp_path / "a.xsa", {"polynomial.hwh": example("polynomial")})
    with Taker() as device, pytest.raises(DesignNotFoundError, match="needs a bitstream, but there is only"):
        Overlay(file, device=device)
    with SimDevice() as device:
        assert Overlay(file, device=device).is_loaded()


def test_the_cache_keeps_one_of_each(xsa: Path, tmp_path: Path) -> None:
    member = xsa / "polynomial_wrapper.bit"
    first = real_file(member)
    used = first.stat().st_ino
    assert real_file(member) == first
    assert first.stat().st_ino == used
    other = archive(tmp_path / "other.xsa", {"a.hwh": "", "polynomial_wrapper.bit": bitfile()})
    assert real_file(other / "polynomial_wrapper.bit") == first
    first.write_bytes(b"damage")
    assert real_file(member).read_bytes() == bitfile()
    assert contents(member) == bitfile()


def test_many_processes_at_once(xsa: Path) -> None:
    code = (
        "import sys; from pynq.design.inside import real_file; "
        "path = real_file(sys.argv[1]); print(path, len(path.read_bytes()))"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(xsa / "polynomial_wrapper.bit")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    said = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert len(said) == 1
    assert len(os.listdir(user_folder("images") / "entries")) == 1


def test_pynq_cache(xsa: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real_file(xsa / "polynomial_wrapper.bit")
    assert main(["cache", "info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["images"]
    assert [entry["label"] for entry in found["entries"]] == ["polynomial.xsa/polynomial_wrapper.bit"]
    assert main(["cache", "info"]) == 0
    assert "polynomial.xsa/polynomial_wrapper.bit" in capsys.readouterr().out
    assert main(["cache", "clear"]) == 0
    assert "images" in capsys.readouterr().out
    assert os.listdir(user_folder("images") / "entries") == []


def test_a_cache_that_cannot_be_written(xsa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PYNQ_CACHE", str(tmp_path / "file"))
    with pytest.raises(DesignError, match="can't be written: Not a directory; set PYNQ_CACHE"):
        real_file(xsa / "polynomial_wrapper.bit")


@pytest.mark.parametrize("kind", [SimDevice, Taker])
def test_an_image_of_another_part_touches_nothing(xsa: Path, tmp_path: Path, kind: type[SimDevice]) -> None:
    wrong = archive(
        tmp_path / "wrong.xsa", {"a.hwh": example("polynomial"), "a.bit": bitfile(part="7z010clg400")}
    )
    with kind() as device:
        overlay = Overlay(xsa, device=device)
        with pytest.raises(
            ProgrammingError,
            match=r"wrong\.xsa/a\.bit is for part 7z010clg400, its description \S*wrong\.xsa/a\.hwh for "
            r"xc7z020clg400-1: they are of different builds\. What is in the PL has not been touched",
        ) as caught:
            Overlay(wrong, device=device)
        assert caught.value.untouched
        assert overlay.is_loaded()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.bit", bitfile(part="7z010clg400"), "is for part 7z010clg400, its description"),
        ("a.bin", configuration(0x03722093), r"is for device 7z010 \(IDCODE 0x03722093\), its description"),
        ("a.bit", bitfile(design="top;PARTIAL=TRUE"), "is partial: load it into its region"),
    ],
)
def test_the_simulated_board_refuses_a_readable_one_of_another_part(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    (tmp_path / "a.hwh").write_bytes(example("polynomial"))
    (tmp_path / name).write_bytes(data)
    with SimDevice() as device, pytest.raises(ProgrammingError, match=message):
        Overlay(tmp_path / name, device=device)


@pytest.mark.parametrize("data", [b"", b"stands for a bitstream", bitfile(), bitfile()[:-1]])
def test_the_simulated_board_takes_one_that_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.hwh").write_bytes(example("polynomial"))
    (tmp_path / "a.bit").write_bytes(data)
    with SimDevice() as device:
        assert Overlay(tmp_path / "a.bit", device=device).is_loaded()


def test_a_board_with_another_part(xsa: Path) -> None:
    with Taker() as device:
        device.part = "7z045"
        with pytest.raises(
            ProgrammingError, match=r"is for part 7z020clg400, this board has 7z045: build it for"
        ):
            Overlay(xsa, device=device)
        device.part = "7z020"
        assert Overlay(xsa, device=device).is_loaded()
