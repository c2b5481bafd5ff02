"""Manifests: what they may say, and one bad one for every rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from pynq.backends.sim.rtl import manifest
from pynq.backends.sim.rtl.prepared import beside
from pynq.backends.sim.rtl.resolve import Block, resolve
from pynq.design import Design, read
from pynq.errors import RtlBuildError

ROOT = Path(__file__).resolve().parents[2]
FILTER = ROOT / "examples" / "image_filter" / "image_filter.hwh"


@pytest.fixture(scope="module")
def design() -> Design:
    return read(FILTER)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hdl").mkdir()
    (tmp_path / "hdl" / "stream_filter.v").write_text(
        "module stream_filter #(parameter C_MAX_WIDTH = 16, parameter integer C_S_AXI_ADDR_WIDTH = 4,\n"
        '  parameter NAME = "x", parameter SHIFT = 1) (input aclk);\nendmodule\n'
    )
    (tmp_path / "hdl" / "types.sv").write_text("package types; typedef int word; endpackage\n")
    (tmp_path / "hdl" / "a_user.sv").write_text("module a_user(input types::word x); endmodule\n")
    (tmp_path / "hdl" / "defs.vh").write_text("`define X 1\n")
    return tmp_path


def blocks(folder: Path, design: Design, text: str) -> list[Block]:
    path = folder / "image_filter.sim.toml"
    path.write_text(text)
    return resolve(manifest.load(path), design, folder / "cache")


def test_a_manifest_lies_beside_the_description(tmp_path: Path) -> None:
    assert beside(tmp_path / "base.hwh") is None
    (tmp_path / "base.sim.toml").write_text("")
    assert beside(tmp_path / "base.hwh") == tmp_path / "base.sim.toml"


def test_everything_a_table_may_say(folder: Path, design: Design) -> None:
    (block,) = blocks(
        folder,
        design,
        """
        [[rtl]]
        instance = "filter/stream_filter"
        top = "stream_filter"
        sources = ["hdl/*"]
        include = "hdl"
        defines = { SIM = "1", DEPTH = 4, FAST = true, SLOW = false }
        parameters = { C_MAX_WIDTH = 1024, NAME = "lena" }
        tie = { debug = 3 }
        options = ["-Wno-WIDTH"]
        """,
    )
    sources = block.sources
    assert block.path == "filter/stream_filter"
    assert not block.hierarchy
    assert [file.name for file in sources.files] == ["types.sv", "a_user.sv", "stream_filter.v"]
    assert all(file.is_absolute() for file in sources.files)
    assert sources.include == (folder / "hdl",)
    assert dict(sources.defines) == {"SIM": "1", "DEPTH": "4", "FAST": "1"}
    # C_S_AXI_ADDR_WIDTH comes from the description, SHIFT stays the module's own.
    assert dict(sources.parameters) == {"C_MAX_WIDTH": "1024", "C_S_AXI_ADDR_WIDTH": "7", "NAME": '"lena"'}
    assert dict(block.levels) == {"debug": 3}
    assert sources.options == ("-Wno-WIDTH",)


@pytest.mark.parametrize(
    "selector",
    [
        'instance = "filter/stream_filter"',
        'instance = "*/stream_*"',
        'vlnv = "pynq-anywhere.org:examples:stream_filter:1.0"',
        'vlnv = "pynq-anywhere.org:*:stream_filter:*"',
        'vlnv = "pynq-anywhere.org:examples:stream_filter"',
        'module = "stream_filter"',
        'module = "stream_*"',
    ],
)
def test_selectors(folder: Path, design: Design, selector: str) -> None:
    (block,) = blocks(folder, design, f'[[rtl]]\n{selector}\nsources = "hdl/stream_filter.v"\n')
    assert block.path == "filter/stream_filter"


def test_the_more_special_table_wins(folder: Path, design: Design) -> None:
    text = "".join(
        f'[[rtl]]\n{selector}\nsources = "hdl/stream_filter.v"\nparameters = {{ SHIFT = {shift} }}\n'
        for shift, selector in enumerate(
            [
                'module = "stream*"',
                'instance = "filter/stream_filter"',
                'vlnv = "*:stream_filter:*"',
                'instance = "*/stream*"',
            ]
        )
    )
    (block,) = blocks(folder, design, text)
    assert block.sources.parameters["SHIFT"] == "1"


def test_a_hierarchy(folder: Path, design: Design) -> None:
    (folder / "hdl" / "filter.v").write_text("module filter; endmodule\n")
    text = """
        [[rtl]]
        hierarchy = "filter"
        sources = "hdl/filter.v"
        [[rtl]]
        module = "stream_filter"  # also in the hierarchy, which goes before types
        sources = "hdl/stream_filter.v"
    """
    (block,) = blocks(folder, design, text)
    assert (block.path, block.hierarchy, block.sources.top) == ("filter", True, "filter")


def test_from_python(folder: Path, design: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    keys = (
        "filter/stream_filter",
        "stream_filter",
        "pynq-anywhere.org:examples:stream_filter:*",
        "*/stream_filter",
    )
    values = (
        "hdl/stream_filter.v",
        ["hdl/types.sv", Path("hdl/stream_filter.v")],
        {"sources": ["hdl/stream_filter.v"]},
    )
    for key in keys:
        for value in values:
            (block,) = resolve(manifest.from_mapping({key: value}), design, folder)
            assert block.path == "filter/stream_filter"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rtl]", r"sim\.toml:1: is no TOML"),
        ('[[rtl]]\nmodule = "a\n', r"sim\.toml:2: is no TOML"),
        ("[rtl]\nmodule = 'x'", r"sim\.toml:1: .*write \[\[rtl\]\], with two brackets"),
        ("other = 1", r"sim\.toml:1: unknown key 'other'"),
        ("\n[[rtl]]\nsources = 'hdl/*.v'", r"sim\.toml:2: .*needs one of instance.*it has none"),
        ("[[rtl]]\nmodule='a'\ninstance='b'\nsources='hdl/*.v'", "it has instance and module"),
        ("[[rtl]]\nmodule='stream_filter'", "needs one of sources, ipxact, hls and vhdl; it has none"),
        ("[[rtl]]\nmodule='a'\nsources='a.v'\nhls='b'", "it has sources and hls"),
        ("[[rtl]]\nmodule='a'\nsources='a.v'\nvhdl='b.vhd'", "can't mix Verilog and VHDL"),
        (
            "[[rtl]]\nmodule='a'\nsources='a.v'\n\nincluds='b'",
            r"sim\.toml:5: .*unknown key 'includs'; did you mean include",
        ),
        ("[[rtl]]\nmodule=1\nsources='a.v'", r"sim\.toml:2: .*module: expected text, not a number"),
        ("[[rtl]]\nmodule='a'\nsources=[]", "sources: the list is empty"),
        ("[[rtl]]\nmodule='a'\nsources=['a.v', 3]", "sources: expected text, not a number"),
        ("[[rtl]]\nmodule='a'\nhls=['a', 'b']", "hls: expected one path, not 2"),
        ("[[rtl]]\nmodule='a'\nsources='a.v'\ntop='two words'", "top: 'two words' is no name"),
        ("[[rtl]]\nmodule='a'\nsources='a.v'\ndefines='X'", "defines: expected a table"),
        ("[[rtl]]\nmodule='a'\nsources='a.v'\ndefines={A=[1]}", "defines: A: expected text"),
        (
            "[[rtl]]\nmodule='a'\nsources='a.v'\ndefines={A='x\\ny'}\n".replace("'x\\ny'", '"x\\ny"'),
            "control characters",
        ),
        ("[[rtl]]\nmodule='a'\nsources='a.v'\nparameters={A={}}", "parameters: A: expected a number"),
        ("[[rtl]]\nmodule='a'\nsources='a.v'\ntie={a=-1}", "tie: a: expected a level"),
        ("[[rtl]]\nmodule='a'\nsources='a.v'\nstandard='2011'", "standard: '2011' is none of"),
        (
            "[[rtl]]\nmodule='stream_filtre'\nsources='hdl/*.v'",
            "no module type 'stream_filtre'; did you mean stream_filter",
        ),
        (
            "[[rtl]]\ninstance='filter/steam'\nsources='hdl/*.v'",
            "no cell 'filter/steam'; did you mean filter/stream_filter",
        ),
        ("[[rtl]]\nhierarchy='filtre'\nsources='hdl/*.v'", r"no hierarchy 'filtre'; did you mean filter\?"),
        ("[[rtl]]\nvlnv='a:b:c:1'\nsources='hdl/*.v'", "no type 'a:b:c:1'"),
        ("[[rtl]]\ninstance='processing_system7_0'\nsources='hdl/*.v'", "is the PS of image_filter"),
        ("[[rtl]]\nmodule='stream_filter'\nsources='hdl/nix.v'", r"sim\.toml:3: .*there is no .*nix\.v"),
        ("[[rtl]]\nmodule='stream_filter'\nsources='hdl'", r"is a folder: name files, such as 'hdl/\*\.v'"),
        ("[[rtl]]\nmodule='stream_filter'\nsources='x.dat'", r"\.dat is not among \.v"),
        ("[[rtl]]\nmodule='stream_filter'\nsources='nix/*.v'", r"'nix/\*\.v' matches no source file"),
        ("[[rtl]]\nmodule='stream_filter'\nsources='hdl/*.v'\ninclude='nix'", "include: .*nix is no folder"),
        ("[[rtl]]\nmodule='stream_filter'\nsources='hdl/*.v'\nroots='nix'", "roots: .*nix is no folder"),
        (
            "[[rtl]]\nmodule='stream_filter'\nsources=['hdl/*.v','x.vhd']",
            r"Verilog \(stream_filter\.v\) and VHDL \(x\.vhd\)",
        ),
        ("[[rtl]]\nmodule='stream_filter'\nsources='hdl/*.vh'", "no Verilog or VHDL files"),
        (
            "[[rtl]]\nmodule='stream_filter'\nsources='hdl/*'\ntop='fliter'",
            "no module 'fliter' in the sources; did you mean stream_filter",
        ),
        (
            "[[rtl]]\nmodule='stream_filter'\nsources='hdl/*'\nparameters={MAX_WIDTH=1}",
            "stream_filter has no 'MAX_WIDTH'; did you mean C_MAX_WIDTH",
        ),
        ("[[rtl]]\nmodule='stream_filter'\nsources='hdl/*'\nparameters={SHIFT='wide'}", "takes a number"),
        (
            "[[rtl]]\nmodule='stream_filter'\nsources='hdl/*'\n[[rtl]]\nmodule='stream_filter'\nsources='hdl/*'\n",
            r"sim\.toml:4: .*filter/stream_filter has a table as special as this already: .*sim\.toml:1",
        ),
        (
            "[[rtl]]\nhierarchy='filter'\nsources='hdl/stream_filter.v'\n"
            "[[rtl]]\ninstance='filter/axi_dma'\nsources='hdl/*'\n",
            r"sim\.toml:4: .*filter/axi_dma is inside filter, which is replaced as a whole by .*sim\.toml:1",
        ),
        (
            "[[rtl]]\nhierarchy='filter'\nsources='hdl/stream_filter.v'\n"
            "[[rtl]]\nhierarchy='fil*'\nsources='hdl/stream_filter.v'\n",
            r"sim\.toml:4: .*hierarchy filter has a table already: .*sim\.toml:1",
        ),
    ],
)
def test_bad_manifests(folder: Path, design: Design, text: str, message: str) -> None:
    (folder / "x.vhd").write_text("entity x is end;")
    (folder / "x.dat").write_text("0")
    with pytest.raises(RtlBuildError, match=message):
        blocks(folder, design, text)


def test_all_problems_come_together(folder: Path, design: Design) -> None:
    text = """
[[rtl]]
module = "nix"
sources = "hdl/*.v"
[[rtl]]
instance = "filter/stream_filter"
sources = ["hdl/a.v", "hdl/b.v"]
topp = "x"
[[rtl]]
instance = "axi_intc_0"
sources = ["hdl/a.v", "hdl/b.v"]
"""
    with pytest.raises(RtlBuildError) as caught:
        blocks(folder, design, text)
    assert [problem.line for problem in caught.value.problems] == [8, 3, 11, 11]
    assert all(problem.file.endswith("image_filter.sim.toml") for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fir": 3}, r"rtl\['fir'\]: expected a file, a list of files or a dictionary, not int"),
        ({3: "a.v"}, "3 is no text"),
        (
            {"fliter/stream_filter": "a.v"},
            r"no cell 'fliter/stream_filter'; did you mean filter/stream_filter",
        ),
        (
            {"stream_filter": {"source": "a.v"}},
            r"rtl\['stream_filter'\]: unknown key 'source'; did you mean sources",
        ),
    ],
)
def test_bad_dictionaries(design: Design, given: dict[object, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(RtlBuildError, match=message):
        resolve(manifest.from_mapping(given), design, tmp_path)


def test_a_manifest_that_is_missing_too_large_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(RtlBuildError, match="can't be read: No such file"):
        manifest.load(tmp_path / "nix.sim.toml")
    path = tmp_path / "big.sim.toml"
    path.write_bytes(b"#" * (manifest.MAX_BYTES + 1))
    with pytest.raises(RtlBuildError, match="larger than 1 MiB"):
        manifest.load(path)
    path.write_bytes(b"# \xff")
    with pytest.raises(RtlBuildError, match=r"is no UTF-8 text \(byte 2\)"):
        manifest.load(path)


def test_a_folder_with_brackets_in_its_name(tmp_path: Path, design: Design) -> None:
    folder = tmp_path / "a[1]"
    folder.mkdir()
    (folder / "stream_filter.v").write_text("module stream_filter; endmodule")
    (block,) = blocks(folder, design, '[[rtl]]\nmodule = "stream_filter"\nsources = "*.v"')
    assert block.sources.files == (folder / "stream_filter.v",)


def test_the_only_module_is_the_top(tmp_path: Path, design: Design) -> None:
    (tmp_path / "x.v").write_text("// module stream_filter;\nmodule other; endmodule")
    (block,) = blocks(tmp_path, design, '[[rtl]]\nmodule = "stream_filter"\nsources = "x.v"')
    assert block.sources.top == "other"


def test_what_is_no_toml_is_shown_and_brackets_are_told(tmp_path: Path) -> None:
    file = tmp_path / "a.sim.toml"
    file.write_text("[[rtl]]\ninstance = fir_0\n")
    with pytest.raises(RtlBuildError, match=r"a\.sim\.toml:2: is no TOML: .*instance = fir_0$"):
        manifest.load(file)
    file.write_text('[rtl]\ninstance = "a"\n[[rtl]]\ninstance = "b"\n')
    with pytest.raises(RtlBuildError, match=r"write \[\[rtl\]\], with two brackets"):
        manifest.load(file)
