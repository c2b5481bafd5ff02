"""Register maps from elsewhere: what they give to an overlay on the simulated board, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mapkit import HLS, RDL, write_design
from partial import regionkit

import pynq
from pynq.bitstream import Bitstream
from pynq.design import Design, described, read, systemrdl
from pynq.errors import DesignError, DesignNotFoundError, FieldValueError, MissingPackageError

pytestmark = pytest.mark.filterwarnings("ignore::pynq.errors.UnmodelledIPWarning")

FIR = "acme.test:hls:fir"


def overlay(path: Path, **options: object) -> pynq.Overlay:
    return pynq.Overlay(str(path), device="sim:", rtl=False, **options)


def names(design: Design, cell: str = "fir_0") -> list[str]:
    return [register.name for block in design.cells[cell].blocks for register in block.registers]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_design(tmp_path)


def test_without_a_source_there_is_no_register_map(file: Path) -> None:
    assert names(read(file)) == []
    with pytest.raises(AttributeError, match="no registers are described"):
        _ = overlay(file).fir_0.register_map


def test_a_systemrdl_map_is_the_register_map_and_the_simulated_registers(file: Path) -> None:
    fir = overlay(file, registers={"fir_0": RDL}).fir_0
    registers = fir.register_map
    assert int(registers.COEFF[3]) == 0x1234
    registers.COEFF[3].VALUE = 0x77
    assert (registers.COEFF[3].VALUE, fir.read(0x4C)) == (0x77, 0x77)
    assert registers.lane_1__gain.VALUE == 0x1234
    registers["lane[1].taps[1]"].VALUE = 5
    assert fir.read(0x98) == 5
    registers.lane_0__taps[0].VALUE = 6
    assert fir.read(0x84) == 6


def test_resets_rights_and_side_effects_are_those_of_the_map(file: Path) -> None:
    fir = overlay(file, registers={"fir_0": RDL}).fir_0
    registers = fir.register_map
    assert fir.read(0) == 0x52
    assert fir.read(0) == 0x02  # LOST is cleared by reading
    fir.write(0, 0x2)  # oneToClear
    assert fir.read(0) == 0
    with pytest.raises(FieldValueError):
        registers.CTRL.LOST = 1
    with pytest.raises(FieldValueError):
        _ = registers.MODE.KEY
    assert type(registers.CTRL).reset_value == 0x52


def test_enumerations_have_names(file: Path) -> None:
    shape = overlay(file, registers={"fir_0": RDL}).fir_0.register_map.MODE
    assert shape.SHAPE == 1
    assert shape.SHAPE.name == "HIGH_PASS"
    shape.SHAPE = 2
    assert "SHAPE=rmro" in repr(shape)  # mro is a name of Python's own
    shape.SHAPE = 3
    assert "SHAPE=3 (no name)" in repr(shape)


def test_a_component_of_an_hls_tool(file: Path) -> None:
    fir = overlay(file, registers={FIR: HLS}).fir_0
    assert fir.register_map.CTRL.AP_IDLE == 1
    assert len(fir.register_map.COEFF) == 4
    assert fir.register_map.MODE.SHAPE.name == "LOW_PASS"
    assert "COEFF[0]" in fir.description["registers"]


@pytest.mark.parametrize("key", ["fir_0", "fir_*", FIR, f"{FIR}:1.0", "acme.test:*:fir", "*", "fir"])
def test_cells_are_named_by_path_type_or_glob(file: Path, key: str) -> None:
    design = described(file, {key: HLS})
    assert "CTRL" in names(design)
    assert names(design, "axi_dma_0") == names(read(file), "axi_dma_0")


def test_the_most_special_table_counts(file: Path) -> None:
    design = described(file, {"*": HLS, FIR: HLS, "fir_0": RDL})
    assert "lane[0].gain" in names(design)
    with pytest.raises(DesignError, match=r"fir_0 has a table as special as this already"):
        described(file, {"fir_*": HLS, "fir*": RDL})


def test_registers_of_the_description_stay_unless_replaced(file: Path) -> None:
    kept = described(file, {"axi_intc_0": RDL})
    assert names(kept, "axi_intc_0") == names(read(file), "axi_intc_0")
    assert any("replace = true" in note.message for note in kept.notes)
    table = {"systemrdl": RDL, "replace": True}
    assert "COEFF[7]" in names(described(file, {"axi_intc_0": table}), "axi_intc_0")


def test_a_manifest_beside_the_description_is_found_by_all(file: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "design.registers.toml"
    manifest.write_text(f"[[registers]]\nvlnv = '{FIR}'\nsystemrdl = '{RDL}'\n")
    assert "CTRL" in names(described(file))
    assert names(described(file, False)) == []
    assert "CTRL" in names(Bitstream(file, device="sim:").design)
    assert names(Bitstream(file, device="sim:", registers=False).design) == []
    done = subprocess.run(
        [sys.executable, "-m", "pynq", "inspect", str(file), "--json"], capture_output=True, check=True
    )
    cells = {cell["path"]: cell for cell in json.loads(done.stdout)["cells"]}
    assert cells["fir_0"]["registers"] == 17


def test_a_manifest_elsewhere_and_its_relative_paths(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ip"
    folder.mkdir()
    (folder / "component.xml").write_bytes(HLS.read_bytes())
    (tmp_path / "other.toml").write_text("[[registers]]\nmodule = 'fir'\nipxact = 'ip'\n")
    assert "IP_ISR" in names(Bitstream(file, device="sim:", registers="other.toml").design)


def test_a_partial_bitstream_has_its_own(tmp_path: Path) -> None:
    regionkit.write(tmp_path, "dfx", regionkit.static())
    plain = {"calculator": "acme.test:hls:fir:1.0"}
    regionkit.write(tmp_path, "part", regionkit.partial("part", plain))
    dfx = pynq.Overlay(str(tmp_path / "dfx.bit"), device="sim:", rtl=False)
    dfx.pr_download("pr_0", "part.bit", registers={"calculator": {"ipxact": HLS, "replace": True}})
    assert dfx.pr_0.calculator.register_map.COEFF[1].VALUE == 0
    (tmp_path / "part.registers.toml").write_text(
        f"[[registers]]\ninstance = 'calculator'\nsystemrdl = '{RDL}'\nreplace = true\n"
    )
    dfx.pr_0.download("part.bit")
    assert dfx.pr_0.calculator.register_map.COEFF[1].VALUE == 0x1234


def test_parameters_of_the_cell_count(tmp_path: Path) -> None:
    file = write_design(tmp_path)
    text = file.read_text()
    start = text.index('INSTANCE="fir_0" IPTYPE')
    place = text.index("<PARAMETERS>", start) + len("<PARAMETERS>")
    file.write_text(text[:place] + '<PARAMETER NAME="TAPS" VALUE="12"/>' + text[place:])
    assert "COEFF[5]" in names(described(file, {"fir_0": HLS}))


def test_a_companion_takes_its_registers_from_the_caller(file: Path, tmp_path: Path) -> None:
    (tmp_path / "design.py").write_text(
        "import pynq\nclass Mine(pynq.DefaultOverlay):\n    pass\nOverlay = Mine\n"
    )
    (tmp_path / "design.py").chmod(0o644)
    made = pynq.Overlay(str(file), device="sim:", rtl=False, registers={"fir_0": HLS}, download=False)
    assert type(made).__name__ == "Mine"
    assert "COEFF[0]" in made.ip_dict["fir_0"]["registers"]


BAD_TABLES = {
    "no selector": ("systemrdl = 'a.rdl'", ":1: .*needs one of instance, vlnv and module; it has none"),
    "two sources": ("instance = 'fir_0'\nipxact = 'a'\nsystemrdl = 'b'", "has ipxact and systemrdl"),
    "unknown key": ("instance = 'fir_0'\nsystemrdl = 'b'\nregion = 'x'", ":4: .*unknown key 'region'"),
    "number": ("instance = 'fir_0'\nsystemrdl = 7", ":3: .*systemrdl: expected text, not 7"),
    "replace": ("instance = 'fir_0'\nsystemrdl = 'b'\nreplace = 1", ":4: .*expected true or false, not 1"),
    "no cell": ("instance = 'fur_0'\nsystemrdl = 'b'", ":2: .*no cell 'fur_0'; did you mean .*fir_0"),
    "no type": ("vlnv = 'a:b:c'\nsystemrdl = 'b'", ":2: .*has no type 'a:b:c'; there is "),
    "no file": ("instance = 'fir_0'\nsystemrdl = 'b.rdl'", ":3: .*there is no .*b.rdl"),
    "no interface": (
        f"instance = 'fir_0'\nsystemrdl = '{RDL}'\ninterface = 's_axi_lite'",
        ":4: .*fir_0 has no slave interface 's_axi_lite'; did you mean s_axi",
    ),
    "no map": (f"instance = 'fir_0'\nipxact = '{HLS}'\nmap = 'other'", "has no registers in the memory map"),
    "other addrmap": (f"instance = 'fir_0'\nsystemrdl = '{RDL}'\nmap = 'other'", "'other' not found"),
}


@pytest.mark.parametrize(("table", "reason"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_tables_that_can_not_be_used(file: Path, tmp_path: Path, table: str, reason: str) -> None:
    (tmp_path / "design.registers.toml").write_text(f"[[registers]]\n{table}\n")
    with pytest.raises(DesignError) as caught:
        described(file)
    assert re.search(rf"design\.registers\.toml.*{reason}", str(caught.value)), str(caught.value)


def test_every_reason_at_once(file: Path) -> None:
    with pytest.raises(DesignError) as caught:
        described(file, {"fir_0": "nix.rdl", "gone": HLS})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("registers", "reason"),
    [
        (True, "registers=True: expected the path of a manifest"),
        ({3: "a.rdl"}, "3 is no text"),
        ({"fir_0": 3}, "expected a file .*not int"),
        ({"fir_0": {"systemrdl": "x", "ipxact": "y"}}, "it has ipxact and systemrdl"),
    ],
)
def test_what_is_no_source_is_told(file: Path, registers: object, reason: str) -> None:
    with pytest.raises(DesignError, match=reason):
        described(file, registers)  # type: ignore[arg-type]


def test_a_map_has_to_fit_the_cell(file: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.rdl"
    large.write_text("addrmap large { reg { field {} f; } last @ 0xFFFE0; };")
    with pytest.raises(
        DesignError, match=r"last of .* ends at 0xfffe4, but fir_0 has 0x10000 bytes at s_axi"
    ):
        described(file, {"fir_0": large})


def test_several_maps_need_a_name(file: Path, tmp_path: Path) -> None:
    text = HLS.read_text()
    start, end = text.index("    <spirit:memoryMap>"), text.index("  </spirit:memoryMaps>")
    second = text[start:end].replace("s_axi_control", "s_axi_more").replace("CTRL", "MORE")
    two = tmp_path / "component.xml"
    two.write_text(text[:end] + second + text[end:])
    with pytest.raises(
        DesignError, match=r"several memory maps: name one with map = 's_axi' or 's_axi_more'"
    ):
        described(file, {"fir_0": two})
    assert "MORE" in names(described(file, {"fir_0": {"ipxact": two, "map": "s_axi_more"}}))


def test_an_interface_has_to_be_named_where_there_are_several(file: Path) -> None:
    text = file.read_text()
    range_ = next(line for line in text.splitlines() if "<MEMRANGE" in line and 'INSTANCE="fir_0"' in line)
    more = range_.replace("0x43C0", "0x43D0").replace('SLAVEBUSINTERFACE="s_axi"', 'SLAVEBUSINTERFACE="more"')
    file.write_text(text.replace(range_, f"{range_}\n{more}"))
    with pytest.raises(DesignError, match=r"fir_0 has several slave interfaces: name one with interface = "):
        described(file, {"fir_0": RDL})
    design = described(file, {"fir_0": {"systemrdl": RDL, "interface": "more"}})
    assert {block.interface for block in design.cells["fir_0"].blocks} == {"more"}
    assert {block.interface for block in described(file, {"fir_0": HLS}).cells["fir_0"].blocks} == {"s_axi"}


def test_the_package_that_is_missing_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'pynq-anywhere\[systemrdl\]'"):
        described(file, {"fir_0": RDL})


BAD_RDL = {
    "perl": ("addrmap t {\n<% print 1; %>\n};", ":2: has a Perl segment"),
    "include from elsewhere": (
        'addrmap t {\n  `include "../secret.rdl"\n};',
        ":2: includes .* is outside of",
    ),
    "include of a system file": ('`include "/etc/passwd"\naddrmap t {};', ":1: includes /etc/passwd"),
    "include of itself": ('`include "t.rdl"\n`include "t.rdl"', "circular|more than"),
    "syntax": ("addrmap t {\n reg { field {} f } one;\n};", r":2: .*mismatched|:2: .*expecting|:2: "),
    "every reason": (
        "addrmap t {\n reg { field {} a[40]; } one;\n reg { field {} b[50]; } two; };",
        ":2: (.|\n)*:3: ",
    ),
    "no address map": ("reg kind { field {} f; };", "Could not find any 'addrmap'"),
    "too many": (
        "addrmap t {\n reg { field {} f; } many[1073741824]; };",
        "has 1073741824 registers; 65536 are",
    ),
    "memory too large": (
        "addrmap t { external mem { mementries = 0x40000000; memwidth = 32; } m; };",
        "has 1073741824 registers; 65536 are",
    ),
    "not text": (b"\xff\xfe\x00", "is no UTF-8 text"),
    "empty": ("", "Could not find any 'addrmap'"),
    "nesting": ("addrmap t { " + "regfile { " * 300 + "};", "."),
}


@pytest.mark.parametrize(("text", "reason"), BAD_RDL.values(), ids=BAD_RDL)
def test_systemrdl_that_is_refused(tmp_path: Path, text: str | bytes, reason: str) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    (tmp_path / "secret.rdl").write_text("reg { field {} f; } one;")
    file = folder / "t.rdl"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DesignError, match=reason) as caught:
        systemrdl.registers(file)
    assert all(problem.file.endswith(".rdl") for problem in caught.value.problems)


def test_systemrdl_has_bounds_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["`define A0 reg {field {} f;}", *(f"`define A{n} `A{n - 1} `A{n - 1}" for n in range(1, 40))]
    file = tmp_path / "bomb.rdl"
    file.write_text("\n".join([*lines, "addrmap t { `A39 x; };"]))
    monkeypatch.setattr(systemrdl, "MAX_SECONDS", 1)
    with pytest.raises(DesignError, match="compiling it takes more than 1 s"):
        systemrdl.registers(file)


def test_systemrdl_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DesignNotFoundError, match=r"nix\.rdl"):
        systemrdl.registers(tmp_path / "nix.rdl")
    with pytest.raises(DesignError, match="is no file"):
        systemrdl.registers(tmp_path)
    monkeypatch.setattr(systemrdl, "MAX_BYTES", 1 << 20)
    (tmp_path / "large.rdl").write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(DesignError, match="larger than 1 MiB"):
        systemrdl.registers(tmp_path / "large.rdl")
    (tmp_path / "part.rdl").write_bytes(b" " * (1 << 19))
    (tmp_path / "sum.rdl").write_text('`include "part.rdl"\n`include "part.rdl"\naddrmap t {};')
    with pytest.raises(DesignError, match=":2: it and what it includes have more than"):
        systemrdl.registers(tmp_path / "sum.rdl")


def test_systemrdl_knows_its_lines_and_names() -> None:
    (block,) = systemrdl.registers(RDL, "fir").blocks
    coefficient = next(register for register in block.registers if register.name == "COEFF[2]")
    assert RDL.read_text().splitlines()[coefficient.line - 1].strip().startswith("coeff_r COEFF[8]")
    assert coefficient.description == "A coefficient"
    control = block.registers[0]
    assert control.description == "Control"
    assert [field.description for field in control.fields][-1] == "Samples lost"
    assert next(one for one in block.registers if one.name == "window").size == 64 * 32
    assert block.source == (str(RDL), 4)
