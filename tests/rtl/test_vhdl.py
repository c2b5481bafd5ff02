"""VHDL by way of GHDL."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pynq.backends.sim.rtl import manifest, vhdl
from pynq.backends.sim.rtl.resolve import resolve
from pynq.design import read
from pynq.errors import RtlBuildError

ROOT = Path(__file__).resolve().parents[2]
FILTER = ROOT / "examples" / "image_filter" / "image_filter.hwh"
needs_ghdl = pytest.mark.skipif(shutil.which("ghdl") is None, reason="GHDL is not installed")

ENTITY = """library ieee; use ieee.std_logic_1164.all; use work.gates.all;
-- entity Old is end;
entity Pipe is
  generic (
    WIDTH : integer := 4;
    MODE : string := "slow"; -- ( not the end
    START : std_logic_vector(3 downto 0) := "0011";
    FAST, LATE : boolean := false;
    LEVEL : std_logic := '0'
  );
  port (
    Clk : in std_logic;
    D : in std_logic_vector(WIDTH - 1 downto 0);
    Q : out std_logic_vector(WIDTH - 1 downto 0)
  );
end entity;
architecture rtl of Pipe is
begin
  process (Clk) begin
    if rising_edge(Clk) then
      Q <= inverted(D);
    end if;
  end process;
end architecture;
"""
PACKAGE = """library ieee; use ieee.std_logic_1164.all;
package gates is
  function inverted(x : std_logic_vector) return std_logic_vector;
end package;
package body gates is
  function inverted(x : std_logic_vector) return std_logic_vector is begin return not x; end function;
end package body;
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "a_pipe.vhd").write_text(ENTITY)
    (tmp_path / "gates.vhd").write_text(PACKAGE)
    return [tmp_path / "a_pipe.vhd", tmp_path / "gates.vhd"]


def test_entities_and_generics(files: list[Path]) -> None:
    assert vhdl.entities(files) == {"pipe": files[0]}
    assert vhdl.generics("PIPE", files) == {
        "WIDTH": "integer",
        "MODE": "string",
        "START": "std_logic_vector",
        "FAST": "boolean",
        "LATE": "boolean",
        "LEVEL": "std_logic",
    }
    assert vhdl.generics("nix", files) == {}


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (8, "integer", "8"),
        ("0x10", "natural", "16"),
        ("fast", "integer", None),
        ("true", "boolean", "true"),
        (0, "boolean", "false"),
        ('"0011"', "std_logic_vector", "0011"),
        ("0x1F", "unsigned", "00011111"),
        ("4'h3", "signed", "0011"),
        ("3", "std_logic_vector", None),  # of which width?
        ("1", "std_logic", "'1'"),
        ("fast", "string", "fast"),
        ('"fast"', "string", "fast"),
        (2.5, "real", "2.5"),
        (2.5, "integer", None),
        ("x", "some_record", None),
    ],
)
def test_values(value: str | float, kind: str, text: str | None) -> None:
    assert vhdl.generic_value(value, kind) == text


@needs_ghdl
def test_translation_in_any_order_of_files_and_kept_by_content(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    made, top = vhdl.translate("pipe", files, {"WIDTH": "8"}, cache=cache)
    assert top.lower() == "pipe"
    assert "[7:0]" in made.read_text()
    again, _ = vhdl.translate("pipe", files[::-1], {"WIDTH": "8"}, cache=cache)
    before = made.stat().st_ino
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
        assert vhdl.translate("pipe", files, {"WIDTH": "8"}, cache=cache)[0] == made
    assert made.stat().st_ino == before
    other, _ = vhdl.translate("pipe", files, {"WIDTH": "9"}, cache=cache)
    files[1].write_text(PACKAGE.replace("not x", "x"))
    changed, _ = vhdl.translate("pipe", files, {"WIDTH": "8"}, cache=cache)
    assert len({made, again, other, changed}) == 4
    assert sorted(cache.iterdir()) == sorted({made, again, other, changed})  # nothing is left over


@needs_ghdl
def test_what_was_not_used_for_a_month_goes(files: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    old, _ = vhdl.translate("pipe", files, {"WIDTH": "8"}, cache=cache)
    used, _ = vhdl.translate("pipe", files, {"WIDTH": "9"}, cache=cache)
    for file in (old, used):
        os.utime(file, (1, 1))
    assert vhdl.translate("pipe", files, {"WIDTH": "9"}, cache=cache)[0] == used
    vhdl.translate("pipe", files, {"WIDTH": "10"}, cache=cache)
    assert (old.exists(), used.exists()) == (False, True)


@needs_ghdl
def test_errors_name_the_users_file_and_line(files: list[Path], tmp_path: Path) -> None:
    files[0].write_text(ENTITY.replace("inverted(D)", "inverse(D)"))
    with pytest.raises(RtlBuildError, match=r"a_pipe\.vhd:21: .*inverse") as caught:
        vhdl.translate("pipe", files, {}, cache=tmp_path / "cache")
    assert caught.value.problems[0].line == 21
    files[0].write_text("library unisim; use unisim.vcomponents.all;\n" + ENTITY)
    with pytest.raises(RtlBuildError, match="libraries of the vendor are not there"):
        vhdl.translate("pipe", files, {}, cache=tmp_path / "cache")


def test_without_ghdl_the_package_is_named(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(RtlBuildError, match="pipe is VHDL, which needs GHDL: install the package ghdl"):
        vhdl.translate("pipe", files, {}, cache=tmp_path)


@needs_ghdl
def test_a_block_of_vhdl(files: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "image_filter.sim.toml"
    text = '[[rtl]]\nmodule = "stream_filter"\nvhdl = "*.vhd"\nparameters = {}\n'
    path.write_text(text.replace("{}", '{ width = 16, MODE = "fast", START = "4\'h9", FAST = true }'))
    (block,) = resolve(manifest.load(path), read(FILTER), tmp_path / "cache")
    assert "[15:0]" in block.sources.files[0].read_text()
    for parameters, message in (
        ("{ WITDH = 1 }", "entity pipe has no generic 'WITDH'; did you mean WIDTH"),
        ('{ WIDTH = "x" }', "WIDTH = 'x' can't be given to a generic of type integer"),
    ):
        path.write_text(text.replace("{}", parameters))
        with pytest.raises(RtlBuildError, match=message):
            resolve(manifest.load(path), read(FILTER), tmp_path / "cache")
    path.write_text(text.replace("parameters = {}", 'top = "pope"'))
    with pytest.raises(RtlBuildError, match="no entity 'pope' in the sources; did you mean pipe"):
        resolve(manifest.load(path), read(FILTER), tmp_path / "cache")
