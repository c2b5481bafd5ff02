"""IP-XACT components: the three namespaces, file sets and views, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pynq.backends.sim.rtl import ipxact, manifest
from pynq.backends.sim.rtl.resolve import Block, resolve
from pynq.design import read, xmltree
from pynq.errors import RtlBuildError

ROOT = Path(__file__).resolve().parents[2]
FILTER = ROOT / "examples" / "image_filter" / "image_filter.hwh"
SPIRIT = 'xmlns:spirit="http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"'

#: As Vivado's packager writes it.
OLD = f"""<?xml version="1.0" encoding="UTF-8"?>
<spirit:component xmlns:xilinx="http://www.xilinx.com" {SPIRIT}>
  <spirit:vendor>acme.test</spirit:vendor><spirit:library>user</spirit:library>
  <spirit:name>fir</spirit:name><spirit:version>1.0</spirit:version>
  <spirit:busInterfaces>
    <spirit:busInterface><spirit:name>S_AXI_CLK</spirit:name>
      <spirit:portMaps><spirit:portMap><spirit:logicalPort><spirit:name>CLK</spirit:name></spirit:logicalPort>
        <spirit:physicalPort><spirit:name>S_Axi_Aclk</spirit:name></spirit:physicalPort></spirit:portMap>
      </spirit:portMaps>
      <spirit:parameters>
        <spirit:parameter><spirit:name>ASSOCIATED_BUSIF</spirit:name><spirit:value>S_AXI:M_AXIS</spirit:value>
        </spirit:parameter>
        <spirit:parameter><spirit:name>ASSOCIATED_RESET</spirit:name><spirit:value>s_rst</spirit:value>
        </spirit:parameter>
      </spirit:parameters>
    </spirit:busInterface>
  </spirit:busInterfaces>
  <spirit:model>
    <spirit:views>
      <spirit:view><spirit:name>xilinx_vhdlsynthesis</spirit:name>
        <spirit:envIdentifier>vhdlSource:vivado.xilinx.com:synthesis</spirit:envIdentifier>
        <spirit:language>vhdl</spirit:language><spirit:modelName>fir</spirit:modelName>
        <spirit:fileSetRef><spirit:localName>vhdl</spirit:localName></spirit:fileSetRef></spirit:view>
      <spirit:view><spirit:name>xilinx_verilogbehavioralsimulation</spirit:name>
        <spirit:envIdentifier>verilogSource:vivado.xilinx.com:simulation</spirit:envIdentifier>
        <spirit:modelName>fir_sim</spirit:modelName>
        <spirit:fileSetRef><spirit:localName>sim</spirit:localName></spirit:fileSetRef></spirit:view>
      <spirit:view><spirit:name>xilinx_verilogsynthesis</spirit:name>
        <spirit:envIdentifier>verilogSource:vivado.xilinx.com:synthesis</spirit:envIdentifier>
        <spirit:language>verilog</spirit:language><spirit:modelName>fir</spirit:modelName>
        <spirit:fileSetRef><spirit:localName>rtl</spirit:localName></spirit:fileSetRef>
        <spirit:fileSetRef><spirit:localName>cores</spirit:localName></spirit:fileSetRef></spirit:view>
      <spirit:view><spirit:name>xilinx_testbench</spirit:name>
        <spirit:fileSetRef><spirit:localName>rtl</spirit:localName></spirit:fileSetRef></spirit:view>
    </spirit:views>
    <spirit:ports>
      <spirit:port><spirit:name>mode</spirit:name><spirit:wire><spirit:direction>in</spirit:direction>
        <spirit:driver><spirit:defaultValue spirit:format="long">3</spirit:defaultValue></spirit:driver>
      </spirit:wire></spirit:port>
      <spirit:port><spirit:name>q</spirit:name><spirit:wire><spirit:direction>out</spirit:direction>
      </spirit:wire></spirit:port>
    </spirit:ports>
  </spirit:model>
  <spirit:fileSets>
    <spirit:fileSet><spirit:name>rtl</spirit:name>
      <spirit:file><spirit:name>hdl/fir.v</spirit:name><spirit:fileType>verilogSource</spirit:fileType>
        <spirit:define><spirit:name>TAPS</spirit:name><spirit:value>7</spirit:value></spirit:define></spirit:file>
      <spirit:file><spirit:name>hdl/inc/fir_defs.v</spirit:name><spirit:fileType>verilogSource</spirit:fileType>
        <spirit:isIncludeFile>true</spirit:isIncludeFile></spirit:file>
      <spirit:file><spirit:name>hdl/taps.dat</spirit:name><spirit:userFileType>mem</spirit:userFileType></spirit:file>
      <spirit:file><spirit:name>hdl/fir.v</spirit:name><spirit:fileType>verilogSource</spirit:fileType></spirit:file>
    </spirit:fileSet>
    <spirit:fileSet><spirit:name>sim</spirit:name>
      <spirit:file><spirit:name>hdl/fir_sim.v</spirit:name><spirit:fileType>verilogSource</spirit:fileType></spirit:file>
    </spirit:fileSet>
    <spirit:fileSet><spirit:name>vhdl</spirit:name>
      <spirit:file><spirit:name>hdl/fir.vhd</spirit:name><spirit:fileType>vhdlSource</spirit:fileType></spirit:file>
    </spirit:fileSet>
    <spirit:fileSet><spirit:name>cores</spirit:name>
      <spirit:vendorExtensions><xilinx:subCoreRef>
        <xilinx:componentRef xilinx:vendor="xilinx.com" xilinx:library="ip" xilinx:name="mult_gen"
          xilinx:version="12.0"/></xilinx:subCoreRef></spirit:vendorExtensions>
    </spirit:fileSet>
  </spirit:fileSets>
</spirit:component>
"""

#: IEEE 1685-2014: views refer to instantiations, file names stand below <name> as well.
NEW = """<ipxact:component xmlns:ipxact="http://www.accellera.org/XMLSchema/IPXACT/1685-2014">
  <ipxact:vendor>a</ipxact:vendor><ipxact:library>b</ipxact:library>
  <ipxact:name>c</ipxact:name><ipxact:version>1</ipxact:version>
  <ipxact:model>
    <ipxact:views><ipxact:view><ipxact:name>rtl</ipxact:name>
      <ipxact:componentInstantiationRef>i</ipxact:componentInstantiationRef></ipxact:view></ipxact:views>
    <ipxact:instantiations><ipxact:componentInstantiation><ipxact:name>i</ipxact:name>
      <ipxact:moduleName>fir</ipxact:moduleName>
      <ipxact:fileSetRef><ipxact:localName>s</ipxact:localName></ipxact:fileSetRef>
      </ipxact:componentInstantiation></ipxact:instantiations>
    <ipxact:ports><ipxact:port><ipxact:name>en</ipxact:name><ipxact:wire>
      <ipxact:direction>in</ipxact:direction><ipxact:drivers><ipxact:driver>
      <ipxact:defaultValue>0x1</ipxact:defaultValue></ipxact:driver></ipxact:drivers></ipxact:wire></ipxact:port>
    </ipxact:ports>
  </ipxact:model>
  <ipxact:fileSets><ipxact:fileSet><ipxact:name>s</ipxact:name>
    <ipxact:file><ipxact:name>fir.sv</ipxact:name><ipxact:fileType>systemVerilogSource-3.1</ipxact:fileType>
    </ipxact:file></ipxact:fileSet></ipxact:fileSets>
</ipxact:component>
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ip = tmp_path / "ip"
    (ip / "hdl" / "inc").mkdir(parents=True)
    (ip / "component.xml").write_text(OLD)
    for name in ("fir.v", "fir_sim.v", "inc/fir_defs.v"):
        (ip / "hdl" / name).write_text(f"module {Path(name).stem} #(parameter C_MAX_WIDTH = 1); endmodule")
    (ip / "hdl" / "taps.dat").write_text("0")
    return tmp_path


def blocks(folder: Path, table: str = 'ipxact = "ip/component.xml"') -> list[Block]:
    path = folder / "image_filter.sim.toml"
    path.write_text(f'[[rtl]]\nmodule = "stream_filter"\n{table}\n')
    return resolve(manifest.load(path), read(FILTER), folder)


def test_synthesis_before_simulation_and_verilog_before_vhdl(folder: Path) -> None:
    for table in ('ipxact = "ip/component.xml"', 'ipxact = "ip"'):
        (block,) = blocks(folder, table)
        sources = block.sources
        assert sources.top == "fir"
        assert sources.files == (folder / "ip" / "hdl" / "fir.v",)
        assert sources.include == (folder / "ip" / "hdl" / "inc",)
        assert dict(sources.defines) == {"TAPS": "7"}
        assert dict(sources.parameters) == {"C_MAX_WIDTH": "4096"}  # of the description
        assert dict(block.levels) == {"mode": 3}
        assert block.associations.buses["s_axi_aclk"] == ("s_axi", "m_axis")
        assert block.associations.resets["s_axi_aclk"] == ("s_rst",)


def test_the_newer_standard(tmp_path: Path) -> None:
    component = ipxact.read_bytes(NEW.encode(), tmp_path / "component.xml")
    view = component.view()
    assert (component.vlnv, view.top) == ("a:b:c:1", "fir")
    assert [(file.name, file.kind) for file in component.files(view)] == [("fir.sv", "verilog")]
    assert component.levels == {"en": 1}


def test_cores_that_bring_no_rtl_are_known(tmp_path: Path) -> None:
    component = ipxact.read_bytes(OLD.encode(), tmp_path / "component.xml")
    assert component.cores["cores"] == ("xilinx.com:ip:mult_gen:12.0",)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("hdl/fir.v<", "../../fir.v<", r"component\.xml:\d+: '\.\./\.\./fir\.v' is outside of .*roots = "),
        ("hdl/fir.v<", "/etc/passwd<", "'/etc/passwd' is outside of"),
        ("hdl/fir.v<", "$IP/fir.v<", "has a variable in its path"),
        ("hdl/fir.v<", "hdl/nix.v<", r"'hdl/nix\.v' is not there"),
        ("spirit:component", "spirit:design", "the root element is <design>: no IP-XACT component"),
        ("</spirit:component>", "", "not well-formed XML"),
        ("<spirit:component", "<!DOCTYPE x [<!ENTITY a 'b'>]><spirit:component", "document type declaration"),
        ('encoding="UTF-8"', 'encoding="nix"', "encoding"),
        (
            "spirit:fileSetRef",
            "spirit:other",
            "no view has Verilog or VHDL files; views: xilinx_vhdlsynthesis",
        ),
    ],
)
def test_refused(folder: Path, before: str, after: str, message: str) -> None:
    text = OLD.replace(before, after)
    (folder / "ip" / "component.xml").write_text(text)
    with pytest.raises(RtlBuildError, match=message):
        blocks(folder)


def test_files_outside_where_the_manifest_allows_it(folder: Path) -> None:
    (folder / "shared").mkdir()
    (folder / "shared" / "fir.v").write_text("module fir; endmodule")
    component = folder / "ip" / "component.xml"
    component.write_text(OLD.replace("hdl/fir.v<", "../shared/fir.v<"))
    with pytest.raises(RtlBuildError, match="is outside of"):
        blocks(folder)
    (block,) = blocks(folder, 'ipxact = "ip"\nroots = ["shared"]')
    assert block.sources.files == (folder / "shared" / "fir.v",)
    assert folder / "shared" in block.sources.roots


def test_a_link_out_of_the_folder_is_no_way_out(folder: Path) -> None:
    (folder / "secret.v").write_text("module fir; endmodule")
    (folder / "ip" / "hdl" / "fir.v").unlink()
    (folder / "ip" / "hdl" / "fir.v").symlink_to(folder / "secret.v")
    with pytest.raises(RtlBuildError, match="is outside of"):
        blocks(folder)


def test_size_and_depth_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "component.xml"
    deep = b"<a>" * (xmltree.MAX_DEPTH + 1)
    with pytest.raises(RtlBuildError, match="nested deeper than"):
        ipxact.read_bytes(deep, path)
    monkeypatch.setattr(xmltree, "MAX_BYTES", 100)
    with pytest.raises(RtlBuildError, match="larger than"):
        ipxact.read_bytes(OLD.encode(), path)
    with pytest.raises(RtlBuildError, match="can't be read"):
        ipxact.read(tmp_path / "nix.xml")
