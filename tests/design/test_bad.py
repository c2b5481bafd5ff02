"""Bad input: one small file per rule in ``bad/``, with a regular expression per problem in the file beside
it.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import time
from pathlib import Path

import pytest
from hwh_files import M, P, R, document, zynq

from pynq.design import hwh, read_bytes
from pynq.design.hwh import read
from pynq.errors import DesignError, DesignNotFoundError, Problem, PynqError

BAD = Path(__file__).parent / "bad"
FILES = sorted(BAD.glob("*.hwh"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_rule(file: Path) -> None:
    expected = file.with_suffix(".re").read_text().splitlines()
    with pytest.raises(DesignError) as caught:
        read(file)
    problems = caught.value.problems
    assert len(problems) == len(expected), str(caught.value)
    for problem, pattern in zip(problems, expected, strict=True):
        assert re.search(pattern, str(problem)), f"{problem} does not match {pattern}"
        assert problem.file == str(file)
    assert str(caught.value) == "\n".join(map(str, problems))


def test_every_expectation_has_its_file() -> None:
    assert {file.stem for file in BAD.glob("*.re")} == {file.stem for file in FILES}
    assert len(FILES) >= 45


def test_the_error_is_what_callers_expect() -> None:
    with pytest.raises(ValueError, match="root element"):
        read(BAD / "wrong_root.hwh")
    with pytest.raises(PynqError):
        read(BAD / "wrong_root.hwh")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        read(tmp_path / "none.hwh")
    with pytest.raises(DesignNotFoundError):
        read(tmp_path / "none.hwh")
    with pytest.raises(DesignError, match="can't be read: Is a directory"):
        read(tmp_path)


def test_size_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "huge.hwh"
    with open(file, "wb") as stream:
        os.truncate(stream.fileno(), 1 << 40)  # sparse: a terabyte that occupies nothing
    with pytest.raises(DesignError, match=r"huge\.hwh: is larger than 32 MiB"):
        read(file)


def test_endless_device_is_bounded() -> None:
    with pytest.raises(DesignError, match="is larger than 32 MiB"):
        read("/dev/zero")


def test_number_of_problems_is_bounded() -> None:
    data = document([M("ip")]).replace(
        b"<PARAMETERS/>", b"<PARAMETERS>" + b"<PARAMETER/>" * 100_000 + b"</PARAMETERS>"
    )
    start = time.thread_time()
    with pytest.raises(DesignError) as caught:
        read_bytes(data, "many.hwh")
    assert time.thread_time() - start < 1
    assert len(caught.value.problems) == hwh.MAX_PROBLEMS + 1
    assert str(caught.value.problems[-1]) == f"many.hwh: reading stopped after {hwh.MAX_PROBLEMS} problems"


def test_problems_found_while_building_are_bounded_too() -> None:
    ranges = [R("ip", 0x4000_0000, 0x1000) for _ in range(200)]
    data = document([zynq(ranges=ranges), M("ip")]).replace(b'BASEVALUE="0x', b'BASEVALUE="x')
    with pytest.raises(DesignError) as caught:
        read_bytes(data)
    assert len(caught.value.problems) == hwh.MAX_PROBLEMS + 1


def test_all_reasons_in_the_order_of_the_file() -> None:
    with pytest.raises(DesignError) as caught:
        read(BAD / "several.hwh")
    lines = [problem.line for problem in caught.value.problems]
    assert lines == sorted(lines)
    assert caught.value.problems[0] == Problem(
        str(BAD / "several.hwh"), 5, "<PORT> of 'External_Ports' has no NAME"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"<EDKSYSTEM>" * 2_000_000,
        b"<EDKSYSTEM>" + b"<MODULES>" * 1_000_000,
        b"<EDKSYSTEM " + b"".join(b'a%d="" ' % i for i in range(100_000)) + b"/>",
        b"<EDKSYSTEM a='" + b"x" * 20_000_000 + b"'/>",
        b"<" * 5_000_000,
        b"<!--" + b"-" * 5_000_000,
        b"<EDKSYSTEM>" + b"<a/>" * 500_000 + b"</EDKSYSTEM>",
    ],
    ids=["root", "modules", "attributes", "value", "brackets", "comment", "siblings"],
)
def test_absurd_input_ends_soon(data: bytes) -> None:
    start = time.thread_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(DesignError):
        assert not read_bytes(data).cells
    assert time.thread_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


def test_overlap_check_is_not_quadratic() -> None:
    ranges = [R("ip", 0x1000 * i, 0x1000) for i in range(20_000)]
    data = document([zynq(ranges=ranges), M("ip")])
    start = time.thread_time()
    assert len(read_bytes(data).ps_ranges) == 20_000
    assert time.thread_time() - start < 5


def test_long_chains_of_concatenations_do_not_overflow_the_stack() -> None:
    """A deep but finite tree ends in an error or a result, not in a crash."""
    cells = [
        M(f"c{i}", "xilinx.com:ip:xlconcat:2.1", [P("In0", "I", f"n{i + 1}"), P("dout", "O", f"n{i}")])
        for i in range(3000)
    ]
    ps = zynq(ports=[P("IRQ_F2P", "I", "n0", 0, "INTERRUPT")])
    with pytest.raises(DesignError, match="deeper than"):
        read_bytes(document([ps, *cells]))


def test_exponential_fan_in_is_bounded() -> None:
    """Each concatenation reads the next one twice: 2**40 paths."""
    cells = [
        M(
            f"c{i}",
            "xilinx.com:ip:xlconcat:2.1",
            [P("In0", "I", f"n{i + 1}"), P("In1", "I", f"n{i + 1}"), P("dout", "O", f"n{i}")],
        )
        for i in range(40)
    ]
    ps = zynq(ports=[P("IRQ_F2P", "I", "n0", 0, "INTERRUPT")])
    start = time.thread_time()
    with pytest.raises(DesignError, match="interrupt"):
        read_bytes(document([ps, *cells]))
    assert time.thread_time() - start < 5


@pytest.mark.parametrize(
    "ranges",
    [
        # One slave in several blocks, through several interfaces, in several windows.
        [R("a", 0, 0x1000, block="X"), R("a", 0, 0x1000, block="Y"), R("a", 0x800, 0x1000)],
        # Instruction and data side of a processor.
        [R("a", 0, 0x1000, master="ILMB"), R("b", 0, 0x1000, master="DLMB")],
        # A part of a memory under a name of its own.
        [R("a", 0, 0x4000, kind="MEMORY"), R("b", 0x1000, 0x1000, kind="MEMORY")],
        # Neighbours.
        [R("a", 0, 0x1000), R("b", 0x1000, 0x1000)],
        # The map inside a hard PS names no master interface.
        [R("a", 0, 0x1000, master=""), R("b", 0, 0x1000, master="")],
    ],
)
def test_overlaps_that_are_none(ranges: list[R]) -> None:
    assert read_bytes(document([zynq(ranges=ranges), M("a"), M("b")])).ps == "ps7"
