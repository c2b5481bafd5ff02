"""Hardware archives: which member is what, in the layouts of Vivado 2014 to 2025."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from archivekit import EXAMPLES, archive, bitfile, example, pdi, sysdef

from pynq.design import locate, read
from pynq.design.archive import Archive
from pynq.errors import DesignError, DesignNotFoundError


def hwh(name: str = "design_1", *cells: str, processor: bool = False, component: str = "") -> bytes:
    """Return a small hand-off file whose cells are instances of the IP given."""
    modules = "".join(
        f'<MODULE FULLNAME="/{cell}" INSTANCE="{cell}" MODTYPE="{cell}" VLNV="a:b:{cell}:1.0"><PARAMETERS>'
        f'<PARAMETER NAME="Component_Name" VALUE="{name}_{cell}_0"/></PARAMETERS><PORTS/><BUSINTERFACES/>'
        "</MODULE>"
        for cell in (*cells, *(["processing_system7"] if processor else []))
    )
    return (
        '<?xml version="1.0"?>\n<EDKSYSTEM EDWVERSION="1.2" TIMESTAMP="now" VIVADOVERSION="2022.1">\n'
        f'<SYSTEMINFO ARCH="zynq" DEVICE="7z020" NAME="{name}" PACKAGE="clg400" SPEEDGRADE="-1"/>\n'
        f"<MODULES>{modules}</MODULES></EDKSYSTEM>"
    ).encode()


def test_an_hdf_of_2015(tmp_path: Path) -> None:
    file = archive(
        tmp_path / "system.hdf",
        {
            "sysdef.xml": sysdef(
                ("HW_HANDOFF", "polynomial.hwh"),
                ("PS_FSBL_INIT", "ps7_init.c"),
                ("BIT", "polynomial.bit"),
                ("BMM", "system_bd.bmm"),
            ),
            "polynomial.hwh": example("polynomial"),
            "ps7_init.c": "",
            "polynomial.bit": bitfile(),
            "system_bd.bmm": "",
        },
    )
    with Archive(file) as found:
        assert (found.handoff, found.bitstream, found.partials) == ("polynomial.hwh", "polynomial.bit", ())
        assert found.manifest.part == "xc7z020clg400-1"
        assert found.manifest.board == "tul.com.tw:pynq-z2:part0:1.0"
        assert found.manifest.mode == "Post-Bitstream"
        assert "932637" in found.manifest.build
        assert found.read("polynomial.bit") == bitfile()
    design = read(file)
    beside = read(EXAMPLES / "polynomial" / "polynomial.hwh")
    assert design.cells.keys() == beside.cells.keys()
    assert design.file == f"{file}/polynomial.hwh"
    cell = next(iter(design.cells.values()))
    assert str(cell.source).startswith(f"{file}/polynomial.hwh:")


def test_an_xsa_of_2022(tmp_path: Path) -> None:
    """The manifest tells the top one from the insides of IP, whatever their order."""
    file = archive(
        tmp_path / "board.xsa",
        {
            "design_1_smc_0.hwh": hwh("bd_afc3"),
            "xsa.json": json.dumps(
                {
                    "generatedVersion": "2022.1",
                    "platformState": "impl",
                    "devices": [{"name": "design_1", "part": {"name": "xc7z020clg400-1"}}],
                    "board": {"boardPart": "tul.com.tw:pynq-z2:part0:1.0"},
                }
            ),
            "xsa.xml": '<?xml version="1.0"?><Platform/>',
            "sysdef.xml": sysdef(
                ("HW_HANDOFF", "design_1_smc_0.hwh", "SCOPED_BD"),
                ("HW_HANDOFF", "design_1.hwh", "DEFAULT_BD"),
                ("HW_HANDOFF", "pr_a.hwh", "REFERENCE_BD"),
                ("BIT", "design_1_wrapper.bit"),
            ),
            "pr_a.hwh": hwh("pr_a"),
            "design_1.hwh": hwh("design_1", "smc"),
            "design_1_wrapper.bit": bitfile(),
        },
    )
    with Archive(file) as found:
        assert found.handoff == "design_1.hwh"
        assert found.bitstream == "design_1_wrapper.bit"
        assert found.manifest.tool_version == "2022.1"
        assert found.manifest.references == ["pr_a.hwh"]
        facts = json.loads(json.dumps(found.facts()))
    assert facts["mode"] == "Post-Bitstream"
    assert {one["name"] for one in facts["members"]} >= {"xsa.json", "design_1.hwh"}


def test_an_xsa_before_synthesis(tmp_path: Path) -> None:
    """Of the project's own hand-off files, that of the block design in xsa.json is the top one."""
    folder = "prj/p.gen/sources_1/bd"
    file = archive(
        tmp_path / "board.xsa",
        {
            "xsa.json": json.dumps({"files": [{"type": "TOP_BD", "name": f"{folder}/top/top.bd"}]}),
            f"{folder}/top/ip/smc/bd_0/hw_handoff/top_smc_0.hwh": hwh("bd_1"),
            f"{folder}/top/hw_handoff/top.hwh": hwh("top", "smc"),
        },
    )
    with Archive(file) as found:
        assert found.handoff.endswith("/top.hwh")
        assert found.bitstream == ""


def test_a_manifest_without_folders(tmp_path: Path) -> None:
    file = archive(
        tmp_path / "a.xsa",
        {
            "hwdef.xml": sysdef(("HW_HANDOFF", "top.hwh", "DEFAULT_BD")),
            "deep/top.hwh": hwh("top"),
            "deep/top_x_0.hwh": hwh("x"),
        },
    )
    with Archive(file) as found:
        assert found.handoff == "deep/top.hwh"


def test_without_a_manifest_the_one_that_no_other_contains(tmp_path: Path) -> None:
    """By the names that its cells give their instances, then by the names of the files."""
    file = archive(
        tmp_path / "a.xsa",
        {
            "bd_70da_pspmc_0_0.hwh": hwh("psv_top", processor=True),
            "system_versal_cips_0.hwh": hwh("bd_70da", "pspmc_0").replace(b"pspmc_0_0", b"pspmc_0_0"),
            "system.hwh": hwh("system", "versal_cips"),
        },
    )
    with Archive(file) as found:
        assert found.handoff == "system.hwh"
    file = archive(tmp_path / "b.xsa", {"design_1_dfx_rp_0.hwh": hwh("rp"), "design_1.hwh": hwh()})
    with Archive(file) as found:
        assert found.handoff == "design_1.hwh"


def test_without_a_manifest_the_one_with_a_processor(tmp_path: Path) -> None:
    file = archive(tmp_path / "a.xsa", {"b.hwh": hwh("b"), "a.hwh": hwh("a", processor=True)})
    with Archive(file) as found:
        assert found.handoff == "a.hwh"


def test_ambiguous_handoffs_are_listed_and_can_be_named(tmp_path: Path) -> None:
    file = archive(tmp_path / "a.xsa", {"b.hwh": hwh("b"), "a.hwh": hwh("a")})
    with pytest.raises(
        DesignError, match=r"could be the top one.*name one of \S*a\.xsa/b\.hwh, \S*a\.xsa/a\.hwh"
    ):
        read(file)
    assert read(file / "b.hwh").name == "b"
    assert locate(file / "b.hwh") == (file / "b.hwh", None)
    with pytest.raises(DesignNotFoundError, match=r"no member 'c\.hwh'; there are b\.hwh, a\.hwh"):
        read(file / "c.hwh")
    with pytest.raises(DesignNotFoundError, match=r"no member 'c\.hwh'"):
        locate(file / "c.hwh")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"readme.txt": ""}, r"holds no hand-off file \(\.hwh\); export"),
        ({"hw.xsa": "PK"}, r"archives in it are not opened: hw\.xsa"),
        (
            {"a.hwh": "", "sysdef.xml": sysdef(("HW_HANDOFF", "b.hwh", "DEFAULT_BD"))},
            r"has no member 'b\.hwh'",
        ),
        ({"a.hwh": "<EDKSYSTEM>"}, r"a\.xsa/a\.hwh:1: ends in the middle"),
        ({"a.hwh": "", "sysdef.xml": "<Project>"}, r"a\.xsa/sysdef\.xml:1: can't be read"),
        (
            {"a.hwh": "", "sysdef.xml": "<!DOCTYPE x []><Project/>"},
            r"sysdef\.xml: can't be read: a document type",
        ),
        ({"a.hwh": "", "sysdef.xml": "<a>" * 101}, r"nested deeper than 100"),
        (
            {"a.hwh": "", "sysdef.xml": '<?xml version="1.0" encoding="bogus"?><Project/>'},
            r"sysdef\.xml: can't be read: unknown encoding: bogus",
        ),
        ({"a.hwh": "", "xsa.json": "{"}, r"a\.xsa/xsa\.json: can't be read"),
        ({"a.hwh": "", "xsa.json": "[" * 100_000}, r"a\.xsa/xsa\.json: can't be read"),
        ({"a.hwh": "", "xsa.json": "[]"}, r"xsa\.json: can't be read: there is no object"),
    ],
)
def test_what_is_no_description(tmp_path: Path, members: dict[str, str], message: str) -> None:
    file = archive(tmp_path / "a.xsa", members)
    with pytest.raises(DesignError, match=message):
        read(file)


def test_which_of_many_is_not_guessed(tmp_path: Path) -> None:
    many = archive(tmp_path / "a.xsa", {f"d{number}.hwh": hwh(f"d{number}") for number in range(300)})
    with pytest.raises(DesignError, match=r"has 300 hand-off files and no manifest .* Name it: .*d0\.hwh"):
        read(many)
    members: dict[str, bytes | str] = {
        "top.hwh": hwh("top"),
        "x.hwh": hwh("x"),
        "top.bit": bitfile(),
        "part.bit": bitfile(design="top;PARTIAL=TRUE"),
        "notes.txt": "",
        "sysdef.xml": sysdef(("HW_HANDOFF", "top.hwh", "DEFAULT_BD"), ("BIT", "top.bit")),
    }
    file = archive(tmp_path / "b.xsa", members)
    with pytest.raises(DesignError, match=r"has no hand-off file that belongs to 'part\.bit' by its name"):
        locate(file / "part.bit")
    with pytest.raises(DesignError, match=r"notes\.txt: is neither a hand-off file nor a bitstream"):
        locate(file / "notes.txt")
    with Archive(file) as found, pytest.raises(DesignError, match=r"has no member 'none\.bit'"):
        found.read("none.bit")


def test_several_bitstreams(tmp_path: Path) -> None:
    members = {
        "top.hwh": hwh("top"),
        "pr_0_add.hwh": hwh("add"),
        "top_i_pr_0_add_partial.bit": bitfile(design="top;PARTIAL=TRUE"),
        "top_wrapper.bit": bitfile(),
        "sysdef.xml": sysdef(
            ("HW_HANDOFF", "top.hwh", "DEFAULT_BD"),
            ("HW_HANDOFF", "pr_0_add.hwh", "REFERENCE_BD"),
            ("BIT", "top_wrapper.bit"),
            ("BIT", "top_i_pr_0_add_partial.bit"),
        ),
    }
    file = archive(tmp_path / "a.xsa", members)
    with Archive(file) as found:
        assert found.bitstream == "top_wrapper.bit"
        assert found.partials == ("top_i_pr_0_add_partial.bit",)
        assert found.description_of("top_wrapper.bit") == "top.hwh"
        assert found.description_of("top_i_pr_0_add_partial.bit") == "pr_0_add.hwh"
    partial = file / "top_i_pr_0_add_partial.bit"
    assert locate(partial) == (file / "pr_0_add.hwh", partial)
    assert locate(file / "top.hwh") == (file / "top.hwh", file / "top_wrapper.bit")
    file = archive(tmp_path / "b.xsa", {"top.hwh": hwh(), "a.bit": bitfile(), "b.bit": bitfile()})
    with (
        Archive(file) as found,
        pytest.raises(DesignError, match=r"several bitstreams of whole designs: name"),
    ):
        assert found.bitstream


def test_segmented_configuration_of_a_versal(tmp_path: Path) -> None:
    """What Linux loads is the part of the PL."""
    members = {"top.hwh": hwh(), "top_boot.pdi": pdi(), "top_pld.pdi": pdi(partial=True)}
    with Archive(archive(tmp_path / "a.xsa", members)) as found:
        assert found.bitstream == "top_pld.pdi"
        assert found.partials == ()


@pytest.mark.corpus
@pytest.mark.parametrize("listed", [True, False])
def test_a_versal_with_its_sub_designs(tmp_path: Path, corpus: Path, listed: bool) -> None:
    prefix = "adilsondias-engineer__versal-ai-edge-vd100-linux__"
    files = sorted((corpus / "hwh").glob(f"{prefix}*.hwh"))
    members = {file.name.removeprefix(prefix): file.read_bytes() for file in files}
    assert len(members) == 5
    if listed:
        entries = [
            ("HW_HANDOFF", name, "DEFAULT_BD" if name == "design_1.hwh" else "SCOPED_BD") for name in members
        ]
        members["sysdef.xml"] = sysdef(*entries)
    design = read(archive(tmp_path / "vd100.xsa", members))
    assert design.name == "design_1"
    assert design.device == "xcve2302"


@pytest.mark.corpus
def test_a_design_with_a_smartconnect(tmp_path: Path, corpus: Path) -> None:
    prefix = "mlcommons__tiny_results_v0.7__"
    members = {
        file.name.removeprefix(prefix): file.read_bytes() for file in (corpus / "hwh").glob(f"{prefix}*.hwh")
    }
    assert len(members) == 2
    assert read(archive(tmp_path / "a.hdf", members)).name == "design_1"
