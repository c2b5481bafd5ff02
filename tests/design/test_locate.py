"""Which description belongs to a name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pynq.design import locate, overlay_folders
from pynq.design import locate as locate_function
from pynq.errors import DesignNotFoundError


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def touch(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    "name", ["base", "base.bit", "base.hwh", "./base.bit", "base.BIT", "base.bin", "base.pdi"]
)
def test_beside_in_the_current_folder(name: str) -> None:
    touch("base.hwh", "base.bit")
    found = locate(name)
    assert found.description.resolve() == Path("base.hwh").resolve()
    if name.endswith((".bit", ".hwh", "base")):
        assert found.bitstream is not None
        assert found.bitstream.resolve() == Path("base.bit").resolve()


def test_absolute_paths_and_paths_as_objects(tmp_path: Path) -> None:
    touch(str(tmp_path / "elsewhere" / "base.hwh"))
    found = locate(tmp_path / "elsewhere" / "base.bit")
    assert found == (tmp_path / "elsewhere" / "base.hwh", None)


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    touch(str(tmp_path / "overlays" / "base.hwh"))
    assert locate("~/overlays/base").description == tmp_path / "overlays" / "base.hwh"


def test_the_bitstream_named_is_the_one_meant() -> None:
    touch("base.hwh", "base.bit", "base.pdi")
    assert locate("base.pdi").bitstream == Path.cwd() / "base.pdi"
    assert locate("base.bin").bitstream is None
    assert locate("base").bitstream == Path.cwd() / "base.bit"


def test_missing_bitstream_is_fine() -> None:
    touch("base.hwh")
    assert locate("base.bit") == (Path.cwd() / "base.hwh", None)


def test_dots_in_names() -> None:
    touch("fir.v1.2.hwh")
    assert locate("fir.v1.2").description.name == "fir.v1.2.hwh"
    assert locate("fir.v1.2.bit").description.name == "fir.v1.2.hwh"


def test_names_of_vivado() -> None:
    touch("design_1_wrapper.bit", "design_1.hwh")
    for name in ("design_1_wrapper.bit", "design_1_wrapper", "design_1", "design_1.hwh"):
        assert locate(name) == (Path.cwd() / "design_1.hwh", Path.cwd() / "design_1_wrapper.bit")


def test_an_absolute_path_is_only_looked_for_where_it_says(tmp_path: Path) -> None:
    touch("base.hwh", "overlays/base.hwh")
    with pytest.raises(
        DesignNotFoundError, match=r"no overlay '/\S+/sub/base\.bit': no base\.hwh \(or .*\) found"
    ) as caught:
        locate(tmp_path / "sub" / "base.bit")
    assert str(caught.value).splitlines()[1:] == [f"  {tmp_path / 'sub'}"]


def test_a_relative_path_may_be_in_a_package(tmp_path: Path) -> None:
    touch("overlays/board/base.hwh")
    assert locate("board/base.bit").description == Path.cwd() / "overlays" / "board" / "base.hwh"


def test_folder_named_overlays() -> None:
    touch("overlays/base/base.hwh", "overlays/base/base.bit", "overlays/flat.hwh")
    assert locate("base.bit").description == Path.cwd() / "overlays" / "base" / "base.hwh"
    assert locate("flat").description == Path.cwd() / "overlays" / "flat.hwh"


def test_the_current_folder_comes_first() -> None:
    touch("overlays/base/base.hwh", "base.hwh")
    assert locate("base.bit").description == Path.cwd() / "base.hwh"


def test_packages_provide_overlays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    touch(str(site / "my_overlays" / "__init__.py"), str(site / "my_overlays" / "video" / "video.hwh"))
    touch(str(site / "my_overlays" / "overlays" / "audio.hwh"))
    (site / "my_overlays" / "__init__.py").write_text("raise RuntimeError('finding does not import')")
    info = site / "my_overlays-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-overlays\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pynq.overlays]\nmine = my_overlays\ngone = no_such_package\n")
    monkeypatch.syspath_prepend(str(site))
    assert site / "my_overlays" in overlay_folders()
    assert locate("video.bit").description == site / "my_overlays" / "video" / "video.hwh"
    assert locate("audio").description == site / "my_overlays" / "overlays" / "audio.hwh"
    assert "my_overlays" not in sys.modules


def test_nothing_found_lists_the_places(tmp_path: Path) -> None:
    with pytest.raises(DesignNotFoundError) as caught:
        locate("nothing.bit")
    text = str(caught.value)
    assert text.startswith(
        "no overlay 'nothing.bit': no nothing.hwh (or .xsa, .hdf, .tcl, .xclbin) found. Searched:\n"
    )
    lines = text.splitlines()[1:]
    assert lines[0] == f"  {Path.cwd()}"
    assert f"  {Path.cwd() / 'overlays' / 'nothing'}" in lines
    assert isinstance(caught.value, FileNotFoundError)


def test_a_bitstream_without_description_is_named() -> None:
    touch("lonely.bit")
    with pytest.raises(
        DesignNotFoundError, match=r"no description for \S*/lonely\.bit: lonely\.hwh \(or .*\) has to be"
    ):
        locate("lonely.bit")


@pytest.mark.parametrize("suffix", [".xsa", ".tcl", ".xclbin"])
def test_other_descriptions(suffix: str) -> None:
    touch(f"base{suffix}", "base.bit")
    for name in ("base", "base.bit", f"base{suffix}"):
        assert locate(name) == (Path.cwd() / f"base{suffix}", Path.cwd() / "base.bit")
    touch("base.hwh")
    assert locate("base").description == Path.cwd() / "base.hwh"
    assert locate(f"base{suffix}").description == Path.cwd() / f"base{suffix}"


def test_a_register_list_of_litex() -> None:
    touch("build/arty.bit", "build/csr.json")
    for name in ("build/arty.bit", "build/arty", "build/csr.json"):
        assert locate(name) == (Path("build/csr.json"), Path("build/arty.bit"))


def test_what_describes_no_bitstream_is_used_where_it_is_named_only() -> None:
    touch("base.bit", "base.dtbo", "component.xml")
    assert locate("base.dtbo") == (Path.cwd() / "base.dtbo", None)
    assert locate("component.xml") == (Path.cwd() / "component.xml", None)
    with pytest.raises(DesignNotFoundError, match="no description for"):
        locate("base.bit")
    with pytest.raises(DesignNotFoundError, match=r"no other\.dtbo found"):
        locate("other.dtbo")


@pytest.mark.parametrize("name", ["", ".bit", ".", "a\0b", "..", "/"])
def test_names_of_nothing(name: str) -> None:
    with pytest.raises(DesignNotFoundError):
        locate_function(name)
