"""Folders that HLS tools export."""

from __future__ import annotations

from pathlib import Path

import pytest

from pynq.backends.sim.rtl import hls, manifest
from pynq.backends.sim.rtl.resolve import resolve
from pynq.design import read
from pynq.errors import RtlBuildError

ROOT = Path(__file__).resolve().parents[2]
VECTOR = ROOT / "examples" / "vector_add" / "vector_add.hwh"


def verilog(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "vector_add.v").write_text("module vector_add(input ap_clk); vector_add_mul m(); endmodule")
    (folder / "vector_add_mul.v").write_text("module vector_add_mul; endmodule")
    (folder / "vector_add_rom.dat").write_text("00")


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("solution1/impl/verilog", "solution1/impl/verilog"),
        ("solution1/impl/verilog", "solution1"),
        ("solution1/impl/verilog", "."),
        ("solution1/syn/verilog", "solution1"),
        ("hls/impl/verilog", "."),
        ("hls/syn/verilog", "."),
    ],
)
def test_places(tmp_path: Path, made: str, named: str) -> None:
    verilog(tmp_path / made)
    assert hls.find(tmp_path / named).resolve() == tmp_path / made


def test_an_export_comes_before_what_it_was_made_from(tmp_path: Path) -> None:
    verilog(tmp_path / "solution1" / "syn" / "verilog")
    ip = tmp_path / "solution1" / "impl" / "ip"
    ip.mkdir(parents=True)
    (ip / "component.xml").write_text("<component/>")
    assert hls.find(tmp_path / "solution1") == ip / "component.xml"
    assert hls.find(ip) == ip / "component.xml"
    assert hls.find(ip / "component.xml") == ip / "component.xml"


def test_a_block_of_an_export(tmp_path: Path) -> None:
    verilog(tmp_path / "solution1" / "syn" / "verilog")
    path = tmp_path / "vector_add.sim.toml"
    path.write_text('[[rtl]]\ninstance = "vector_add_0"\nhls = "solution1"\n')
    (block,) = resolve(manifest.load(path), read(VECTOR), tmp_path)
    assert block.sources.top == "vector_add"
    assert [file.name for file in block.sources.files] == ["vector_add.v", "vector_add_mul.v"]


def test_refused(tmp_path: Path) -> None:
    def refused(message: str, where: Path = tmp_path) -> None:
        with pytest.raises(RtlBuildError, match=message):
            hls.find(where)

    refused("there is no such folder", tmp_path / "nix")
    refused("no RTL of an HLS tool here nor in impl/ip, .*; run the tool's synthesis")
    (tmp_path / "impl" / "vhdl").mkdir(parents=True)
    refused("it holds VHDL only")
    (tmp_path / "export.zip").write_bytes(b"PK")
    refused("it holds an export.zip: unpack that")
    refused(r"an exported archive is not read: unpack it \(python3 -m zipfile -e", tmp_path / "export.zip")
    verilog(tmp_path / "solution1" / "syn" / "verilog")
    verilog(tmp_path / "solution2" / "syn" / "verilog")
    refused("holds several solutions: name one of solution1, solution2")
