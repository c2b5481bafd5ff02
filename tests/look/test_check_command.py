"""`pynq check` by what it prints and its exit codes."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hwh_files import M, P, R, document
from look_designs import bus, clocked, lite, parts

import pynq
from pynq.cli import check, main
from pynq.design import read

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def cells() -> dict[str, M]:
    return parts()


def write(folder: Path, cells: dict[str, M]) -> str:
    file = folder / "small.hwh"
    file.write_bytes(document(cells.values()))
    return str(file)


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["check", *arguments]) == code
    return capsys.readouterr().out


def found(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    return list(json.loads(told(capsys, *arguments, "--json", code=code))["findings"])


def test_exit_codes(tmp_path: Path, cells: dict[str, M], capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, cells)
    told(capsys, file, "--strict")
    cells["dma"].parameters["c_sg_length_width"] = "14"
    file = write(tmp_path, cells)
    told(capsys, file)
    told(capsys, file, "--strict", code=1)
    told(capsys, file, "--strict", "--ignore", "dma-length-width")
    bus(cells["dma"], "S_AXIS_S2MM", {"TDATA_NUM_BYTES": "8"})
    file = write(tmp_path, cells)
    said = told(capsys, file, code=1)
    assert said.index("1 error") < said.index("1 warning") < said.index("note")
    assert "-> put a data-width converter in between" in said
    told(capsys, file, "--rule", "dma-length-width")


def test_json(tmp_path: Path, cells: dict[str, M], capsys: pytest.CaptureFixture[str]) -> None:
    cells["dma"].parameters["c_sg_length_width"] = "14"
    file = write(tmp_path, cells)
    whole = json.loads(told(capsys, file, "--json"))
    assert (whole["errors"], whole["warnings"]) == (0, 1)
    (one,) = [row for row in whole["findings"] if row["severity"] == "warning"]
    line = next(
        n for n, text in enumerate(Path(file).read_text().splitlines(), 1) if 'FULLNAME="/dma"' in text
    )
    assert one == {
        "rule": "dma-length-width",
        "severity": "warning",
        "subject": "dma",
        "message": "one transfer has at most 16,383 bytes (c_sg_length_width=14 bits)",
        "advice": "set c_sg_length_width to 26 (67,108,863 bytes), or transfer in pieces",
        "file": file,
        "line": line,
    }


def test_unknown_rule_lists_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", write(tmp_path, parts()), "--ignore", "dma-lenght"]) == 2
    said = "".join(capsys.readouterr().err.split())
    assert "dma-length-width" in said


def test_unreadable_description_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.hwh"
    file.write_text("<EDKSYSTEM>")
    assert main(["check", str(file)]) == 1
    assert "x.hwh" in capsys.readouterr().err


def test_nothing_found_says_so(
    tmp_path: Path, cells: dict[str, M], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Nothing found." in told(capsys, write(tmp_path, cells), "--rule", "bus-width")


def test_blocks_without_driver_or_model(
    tmp_path: Path, cells: dict[str, M], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = found(capsys, write(tmp_path, cells), "--rule", "no-driver", "--rule", "no-model")
    assert {(row["rule"], row["subject"]) for row in rows} == {
        ("no-driver", "kernel"),
        ("no-model", "kernel"),
    }
    assert "xilinx.com:hls:fill:1.0" in rows[0]["message"]


def test_rtl_beside_the_description_counts_as_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(EXAMPLES / "polynomial" / "polynomial.hwh")
    assert not found(capsys, file, "--rule", "no-model")


def test_companion_is_run_only_when_asked(
    tmp_path: Path, cells: dict[str, M], capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, cells)
    (tmp_path / "small.py").write_text(
        "import pynq\n\n\nclass Fill(pynq.DefaultIP):\n    bindto = ['xilinx.com:hls:fill:1.0']\n\n\n"
        "class Overlay(pynq.DefaultOverlay):\n    pass\n"
    )
    assert found(capsys, file, "--rule", "no-driver")
    assert not found(capsys, file, "--rule", "no-driver", "--companion")


def test_driver_of_another_version(
    tmp_path: Path, cells: dict[str, M], capsys: pytest.CaptureFixture[str]
) -> None:
    class Fill(pynq.DefaultIP):
        bindto = ["xilinx.com:hls:fill:0.9"]

    (one,) = found(capsys, write(tmp_path, cells), "--rule", "driver-version")
    assert (one["severity"], one["subject"]) == ("warning", "kernel")
    assert "xilinx.com:hls:fill:0.9 (Fill)" in one["message"]


def test_names_of_the_overlay_itself(
    tmp_path: Path, cells: dict[str, M], capsys: pytest.CaptureFixture[str]
) -> None:
    for number, path in enumerate(("download", "ip_dict", "video/bitstreams")):
        cells[path] = M(path, ports=clocked(), interfaces=[lite("S_AXI", "SLAVE", f"clash{number}")])
        cells["bus"].interfaces.append(lite(f"M1{number}_AXI", "MASTER", f"clash{number}"))
        cells["ps7"].ranges.append(R(path, 0x4200_0000 + (number << 16), 0x1_0000))
    rows = found(capsys, write(tmp_path, cells), "--rule", "name-clash")
    assert {row["subject"]: row["advice"] for row in rows} == {
        path: f'write overlay["{path}"], or rename the block'
        for path in ("download", "ip_dict", "video/bitstreams")
    }


def test_the_list_of_the_overlays_own_attributes_is_whole() -> None:
    overlay = pynq.Overlay(str(EXAMPLES / "dma_loopback" / "dma_loopback.hwh"), device="sim:")
    own = {name for name in vars(overlay) if not name.startswith("_")}
    assert own <= {*check.OVERLAY_ATTRIBUTES, *dir(pynq.Overlay)}


def bit(part: str, date: str) -> bytes:
    def field(key: bytes, text: str) -> bytes:
        return key + struct.pack(">H", len(text) + 1) + text.encode() + b"\0"

    head = struct.pack(">H", 9) + bytes.fromhex("0ff00ff00ff00ff000") + struct.pack(">H", 1)
    fields = field(b"a", "small") + field(b"b", part) + field(b"c", date) + field(b"d", "10:00:00")
    return head + fields + b"e" + struct.pack(">I", 4) + b"\xff" * 4


@pytest.mark.parametrize(
    ("contents", "rule", "message"),
    [
        (bit("7z010clg400", "2019/05/17"), "bitstream-mismatch", "is for part 7z010clg400"),
        (b"no bitstream at all", "bitstream-mismatch", "this is no .bit"),
        (bit("7z020clg400", "2019/05/15"), "bitstream-older", "made 2019/05/15 10:00:00"),
        (bit("7z020clg400", "2019/05/17"), "", ""),
    ],
    ids=["part", "broken", "older", "fits"],
)
def test_bitstream_of_another_build(
    contents: bytes,
    rule: str,
    message: str,
    tmp_path: Path,
    cells: dict[str, M],
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path, cells)
    file = tmp_path / "small.bit"
    file.write_bytes(contents)
    rows = found(
        capsys,
        str(file),
        *("--rule", "bitstream-mismatch", "--rule", "bitstream-older"),
        code=int(rule == "bitstream-mismatch"),
    )
    assert [row["rule"] for row in rows] == ([rule] if rule else [])
    assert not rows or message in rows[0]["message"]


def test_a_tangle_of_wires_takes_no_time(tmp_path: Path, cells: dict[str, M]) -> None:
    for number in range(400):
        ports = [P("In0", "I", f"t{number - 1}"), P("dout", "O", f"t{number}", 0)]
        cells[f"c{number}"] = M(f"c{number}", "xilinx.com:ip:xlconcat:2.1", ports)
    cells["many"] = M(
        "many", ports=[P(f"irq{number}", "O", "t0", None, "INTERRUPT") for number in range(400)]
    )
    design = read(write(tmp_path, cells))
    start = time.thread_time()
    assert check.check(design) is not None
    assert time.thread_time() - start < 5


@pytest.mark.corpus
def test_every_file_of_the_corpus(corpus: Path) -> None:
    for file in sorted((corpus / "hwh").glob("*.hwh")):
        whole = check.collect(file)
        assert whole["errors"] == 0, whole["findings"]


@pytest.mark.corpus
def test_checking_takes_no_longer_than_reading(corpus: Path) -> None:
    file = corpus / "hwh" / "Xilinx__PYNQ__base__Pynq-Z2__2018.3.hwh"

    def seconds(work: Any, argument: Any) -> float:
        start = time.process_time()
        work(argument)
        return time.process_time() - start

    design = read(file)
    assert min(seconds(check.check, design) for _ in range(3)) < min(seconds(read, file) for _ in range(3))
