"""Type stubs: what they say is what the object tree has, and type checkers take them."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hwh_files import B, F, M, R, Reg, document
from look_designs import lite, parts

import pynq
from pynq.cli import main
from pynq.cli.stubs import make

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = ("buttons_leds", "dma_loopback", "image_filter", "polynomial", "vector_add")

GOOD = """
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_filter_stubs import Overlay
else:
    from pynq import Overlay

import pynq


def status(dma: pynq.DefaultIP) -> int:
    return int(dma.register_map.MM2S_DMASR)


async def wait(ol: Overlay) -> None:
    await ol.filter.axi_dma.s2mm_introut.wait()


ol = Overlay("image_filter.bit", download=False)
dma = ol.filter.axi_dma
dma.register_map.MM2S_DMACR.RS = 1
dma.register_map.MM2S_DMACR = 5
idle: int = dma.register_map.MM2S_DMASR.Idle + status(dma)
dma.sendchannel.wait()
buffer = ol.PSDDR.allocate(16)
ol.filter.download("other.bit")
ol["filter/axi_dma"].anything
ol.filter.stream_filter.register_map.CTRL.ENABLE = 1
"""
BAD = """
from image_filter_stubs import Overlay

ol = Overlay("image_filter.bit")
ol.filter.axi_dma.register_map.MM2S_DMACR.RSS = 1
ol.filter.axi_dma.register_map.MM2S_DMACRX = 5
ol.filter.axi_dma.register_map.MM2S_DMASR.Idle = 1
ol.filter.axi_dmaa
ol.filtr
ol.filter.stream_filter.nothing
"""


def example(name: str) -> Path:
    return EXAMPLES / name / f"{name}.hwh"


def mypy(folder: Path, *files: str) -> list[str]:
    """What mypy says, one complaint a line. What it knows of the package it keeps for the next time."""
    pytest.importorskip("mypy")
    cache = str(EXAMPLES.parent / ".mypy_cache" / "stubs")
    options = [
        "--strict",
        "--config-file",
        "",
        "--no-error-summary",
        "--hide-error-context",
        "--cache-dir",
        cache,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.slow
def test_programs_pass_and_typos_do_not(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}_stubs.pyi").write_text(make(example(name)), encoding="utf-8")
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text(BAD)
    said = mypy(tmp_path, "good.py", "bad.py", *(f"{name}_stubs.pyi" for name in NAMES))
    assert [int(line.split(":")[1]) for line in said] == [5, 6, 7, 8, 9, 10], said
    assert all(line.startswith("bad.py") for line in said)
    assert 'has no attribute "RSS"; maybe "RS"?' in said[0]
    assert "read-only" in said[2]


def classes(text: str) -> dict[str, ast.ClassDef]:
    return {one.name: one for one in ast.parse(text).body if isinstance(one, ast.ClassDef)}


def attributes(body: ast.ClassDef) -> dict[str, str]:
    """The attributes that a class of a stub adds, with their types."""
    found: dict[str, str] = {}
    for one in body.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            found[one.target.id] = ast.unparse(one.annotation)
        elif isinstance(one, ast.FunctionDef) and one.returns is not None:
            found.setdefault(one.name, ast.unparse(one.returns))
    return {name: kind for name, kind in found.items() if name not in ("__getattr__", "__setattr__")}


def compare(known: dict[str, ast.ClassDef], kind: str, live: Any, path: str) -> int:
    """Hold a class of a stub against the live object; return how many attributes were compared."""
    count = 0
    for name, inner in attributes(known[kind]).items():
        assert hasattr(live, name), f"{path}.{name}"
        count += 1
        child = getattr(live, name)
        if name == "register_map":
            count += registers(known[inner], child, f"{path}.{name}")
        elif inner in known:
            count += compare(known, inner, child, f"{path}.{name}")
        elif name not in ("start", "call") and inner != "None":
            home = inner.removeprefix("pynq.").rpartition(".")
            assert type(child).__name__ in (home[2], "Unusable"), f"{path}.{name} is {type(child)}"
    return count


def registers(body: ast.ClassDef, live: Any, path: str) -> int:
    inner = {one.name: one for one in body.body if isinstance(one, ast.ClassDef)}
    for name, kind in attributes(body).items():
        assert name in dir(type(live)), f"{path}.{name}"
        for field in attributes(inner[kind]) if kind in inner else ():
            assert field in dir(type(getattr(live, name))), f"{path}.{name}.{field}"
    return len(attributes(body))


def held_against(file: Path, own: set[str] | None = None) -> int:
    """Compare a design's stub with the overlay on the simulated board, both ways at the top."""
    text = make(file)
    overlay = pynq.Overlay(str(file), device="sim:", rtl=False)
    known = classes(text)
    top = list(known)[-1]
    assert text.endswith(f"\nOverlay = {top}\n")
    count = compare(known, top, overlay, "ol")
    assert set(attributes(known[top])) | (own or set()) == set(overlay)
    return count


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_on_the_board(name: str) -> None:
    assert held_against(example(name)) > 3


ODD = (
    Reg("Channel-1 GPIO DATA", 0, fields=(F("in", 0, 1), F("2 nd", 1, 1), F("2-nd", 2, 2, "read-only"))),
    *(Reg(f"IVAR[{number}]", 0x10 + 4 * number) for number in range(3)),
    Reg("FIT 1", 0x40, access="read-only", description='quotes """ and \\ and\nlines', reset="0x7"),
    Reg("Memory", 0x80, size=1024),
    Reg("int", 0x8, fields=(F("property", 0, 4), F("x", 4, 4))),
    Reg("_map", 0xC),
    Reg("wide", 0x48, size=64, fields=(F("all", 0, 64),)),
)


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A design with names that are no Python, hide one another, or are the tree's own."""
    cells = parts()
    for number, path in enumerate(("download", "class", "2nd", "Odd", "odd/Odd", "odd/odd", "pynq", "OddIP")):
        cells[path] = M(
            path,
            "acme.com:user:odd:1.0",
            interfaces=[lite("S_AXI", "SLAVE", f"n{number}")],
            blocks=[B("S_AXI", ODD)],
        )
        cells["ps7"].ranges.append(R(path, 0x4200_0000 + (number << 16), 0x1_0000))
    file = tmp_path / "odd.hwh"
    file.write_bytes(document(cells.values(), name="2 odd"))
    return file


@pytest.mark.filterwarnings("ignore::pynq.errors.PynqWarning")
def test_odd_names(odd: Path, tmp_path: Path) -> None:
    text = make(odd)
    held_against(odd, {"download", "class", "2nd", "pynq"})
    assert "# no attributes, write overlay[...]: download, class, 2nd, pynq" in text
    for spelling in (
        "def Channel_1_GPIO_DATA(self)",
        "def IVAR_0_(self)",
        "def IVAR(self) -> pynq.registers.RegisterGroup",
        "def Memory(self) -> pynq.memory.RegisterArray",
        "in_: int",
        "r2_nd: int",
        "def r2_nd_2(self) -> int:",
    ):
        assert spelling in text
    (tmp_path / "odd_stubs.pyi").write_text(text)
    (tmp_path / "use.py").write_text(
        "from odd_stubs import Overlay\n\nol = Overlay('odd.bit')\n"
        "ol.Odd.register_map.Channel_1_GPIO_DATA.in_ = 1\nol.odd.Odd.register_map.wide.all = 1\n"
        "ol.odd.odd.register_map.IVAR[1] = 2\nol.kernel.register_map.CTRL = 1\n"
    )
    assert mypy(tmp_path, "odd_stubs.pyi", "use.py") == []


def test_equal_register_maps_share_a_class(odd: Path) -> None:
    names = [name for name in classes(make(odd)) if name.endswith("Registers")]
    assert sum("Odd" in name or "Download" in name for name in names) == 1


def test_the_same_bytes_each_time_and_no_folder(odd: Path) -> None:
    file = example("image_filter")
    texts = {hashlib.sha256(make(file).encode()).hexdigest() for _ in range(2)}
    environment = {"PYTHONHASHSEED": "7"}
    code = (
        f"from pathlib import Path; from pynq.cli.stubs import make; print(make(Path({str(file)!r})), end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=60, check=True
    )
    texts.add(hashlib.sha256(done.stdout).hexdigest())
    assert len(texts) == 1
    assert str(odd.parent) not in make(odd)


def test_what_is_narrower_than_in_the_driver_is_told_to_pyright() -> None:
    """The channels of a DMA: `DMAChannel`, or None where the driver says either."""
    ignore = "# pyright: ignore[reportIncompatibleVariableOverride]"
    lines = make(example("dma_loopback")).splitlines()
    channels = [line for line in lines if re.match(r"    (send|recv)channel:", line)]
    assert len(channels) >= 2
    assert all(line.endswith(ignore) for line in channels)


def test_drivers_that_cannot_be_imported_give_their_base() -> None:
    class Local(pynq.DefaultIP):
        bindto = ["xilinx.com:hls:vadd:1.0", "pynq-anywhere.org:examples:vector_add:1.0"]

    assert "class VectorAdd0(pynq.DefaultIP):" in make(example("vector_add"))


def test_kernels_have_their_arguments() -> None:
    text = make(example("vector_add"))
    assert re.search(r"def start\(self, \w+: Any(, \w+: Any)*\) -> pynq\.binding\.hls\.Run: \.\.\.", text)
    assert ", *, timeout: float | None = None) -> None: ..." in text


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(example("dma_loopback"))
    assert main(["stubs", file]) == 0
    printed = capsys.readouterr().out
    out = tmp_path / "dma_stubs.pyi"
    assert main(["stubs", file, "-o", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == printed == make(Path(file))
    for name in ("dma.txt", "dma-stubs.pyi"):
        assert main(["stubs", file, "-o", str(tmp_path / name)]) == 2
        assert "is imported by its name" in " ".join(capsys.readouterr().err.split())
    assert main(["stubs", file, "-o", str(tmp_path / "none" / "a.pyi")]) == 1
    assert main(["stubs", str(tmp_path / "none.hwh")]) == 1


@pytest.mark.corpus
@pytest.mark.slow
def test_corpus_stubs_pass_strict_mypy(corpus: Path, tmp_path: Path) -> None:
    names = []
    for number, file in enumerate(sorted((corpus / "hwh").glob("*.hwh"))):
        text = make(file)
        ast.parse(text)
        assert "/work" not in text
        names.append(f"stub{number}.pyi")
        (tmp_path / names[-1]).write_text(text, encoding="utf-8")
    assert mypy(tmp_path, *names[::6]) == []


@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore::pynq.errors.PynqWarning")
@pytest.mark.parametrize(
    "name",
    [
        "Xilinx__PYNQ__base__Pynq-Z2__2018.3",
        "openquantumhardware__qick__qick_216",
        "Xilinx__PYNQ__base__ZCU104",
    ],
)
def test_corpus_stubs_are_true(name: str, corpus: Path) -> None:
    assert held_against(corpus / "hwh" / f"{name}.hwh") > 100
