"""Drawings: well-formed, complete, small, and honest about what can't be seen."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pynq.errors import SignalNotFoundError
from pynq.waveplot import format_value
from pynq.waves import Trace, Waveform

SVG = "{http://www.w3.org/2000/svg}"


def some(end: int = 400_000) -> Waveform:
    clock = [(t, 1 - t // 5000 % 2) for t in range(0, end, 5000)]
    data = [(0, None), (20_000, 0xDEADBEEF), (90_000, 0), (300_000, 0x12)]
    wave = [(t, int(1200 * math.sin(t / 50_000)) & 0xFFFF) for t in range(0, end, 10_000)]
    return Waveform(
        (
            Trace("top.aclk", 1, clock),
            Trace("top.a<b&c", 1, [(0, 0), (100_000, 1), (200_000, None)]),
            Trace("top.fir.tdata", 32, data),
            Trace("top.fir.acc", 16, wave),
            Trace("top.gain", 64, [(0, 1.5), (200_000, -2.25)], "f"),
        ),
        0,
        end,
    )


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]


def test_a_drawing_has_names_values_and_times() -> None:
    found = texts(some().plot(title="Two & a half").svg)
    assert found[0] == "Two & a half"
    for name in some().names:
        assert name in found
    assert any(text.startswith("deadbeef") for text in found)
    assert any(text.startswith("1.5") for text in found)
    assert "100 ns" in found
    assert "400 ns" in found


def test_hovering_tells_value_and_time() -> None:
    assert "deadbeef  20 ns to 90 ns" in some().plot().svg


def test_radix_by_name_and_glob() -> None:
    plot = some().plot(radix={"*": "dec", "*.acc": "signed"})
    found = texts(plot.svg)
    assert any(text.startswith(str(0xDEADBEEF)) for text in found)
    assert any(text.startswith("-") for text in found)
    with pytest.raises(ValueError, match="hex, bin, dec, signed, ascii, analog"):
        some().plot(radix="octal")
    with pytest.raises(SignalNotFoundError, match=r"top\.fir\.acc"):
        some().plot(radix={"top.fir.ac": "dec"})


@pytest.mark.parametrize(
    ("value", "bits", "radix", "text"),
    [
        (0x0F, 8, "hex", "0f"),
        (5, 4, "bin", "0101"),
        (0xFF, 8, "signed", "-1"),
        (0x7F, 8, "signed", "127"),
        (255, 8, "dec", "255"),
        (0x4869, 32, "ascii", "“Hi”"),
        (0x01, 8, "ascii", "01"),
        (None, 8, "hex", "x"),
        (0.5, 64, "hex", "0.5"),
    ],
)
def test_values(value: int | float | None, bits: int, radix: str, text: str) -> None:
    assert format_value(value, bits, radix) == text


def test_a_curve_of_signed_values() -> None:
    found = texts(some().plot(radix={"top.fir.acc": "analog"}).svg)
    assert "1199" in found or "1200" in found
    assert any(text.startswith(("-11", "-12")) for text in found)


def test_what_is_too_narrow_to_see_costs_little() -> None:
    many = Waveform((Trace("t.clk", 1, [(t, t & 1) for t in range(200_000)]),), 0, 200_000)
    wide = Waveform((Trace("t.bus", 32, [(t, t) for t in range(200_000)]),), 0, 200_000)
    for wave in (many, wide):
        for radix in ("hex", "analog"):
            svg = wave.plot(radix=radix).svg
            ElementTree.fromstring(svg)
            assert len(svg) < 60_000


def test_windows_and_selections() -> None:
    wave = some().window(100_000, 200_000)
    assert (wave.begin, wave.end) == (100_000, 200_000)
    assert wave["tdata"].at(150_000) == 0
    assert wave["tdata"].at(10_000) is None
    assert "deadbeef" not in wave.plot().svg
    assert some().select(["top/fir/*"]).names == ["top.fir.tdata", "top.fir.acc"]
    with pytest.raises(SignalNotFoundError, match=r"did you mean top\.fir\.tdata"):
        some().select(["top.fir.tdat"])


def test_pieces_cover_the_window() -> None:
    trace = some()["tdata"]
    for start, stop in ((0, 400_000), (10_000, 25_000), (95_000, 96_000), (399_999, 400_000)):
        pieces = list(trace.between(start, stop))
        assert pieces[0][0] == start
        assert pieces[-1][1] == stop
        assert all(a[1] == b[0] for a, b in itertools.pairwise(pieces))


def test_two_drawings_of_a_page_have_their_own_names() -> None:
    def ids(svg: str) -> set[str]:
        return {node.attrib["id"] for node in ElementTree.fromstring(svg).iter() if "id" in node.attrib}

    first, second = some().plot().svg, some(300_000).plot().svg
    assert ids(first)
    assert not ids(first) & ids(second)


def test_saving(tmp_path: Path) -> None:
    path = some().plot().save(tmp_path / "waves.svg")
    assert path.read_text(encoding="utf-8").startswith("<svg")
    with pytest.raises(ValueError, match=r"waves\.svg"):
        some().plot().save(tmp_path / "waves.png")
    with pytest.raises(ValueError, match="200 pixels"):
        some().plot(width=50)


def test_nothing_to_draw() -> None:
    assert "no signals" in texts(Waveform((), 0, 0).plot().svg)
    empty = Waveform((Trace("t.a", 8, []), Trace("t.b", 1, [])), 0, 0)
    ElementTree.fromstring(empty.plot().svg)
    ElementTree.fromstring(empty.plot(radix="analog").svg)
