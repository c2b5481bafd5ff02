"""Coverage-guided fuzzing of the small readers: those of RTL co-simulation (manifest, component.xml, counts,
Verilog), device trees and their overlays, bitstreams, archives with all that is in them.

    python tests/fuzz/fuzz_readers.py --seconds 5

gives each of them that many seconds. Anything but a result or the reader's own error is a finding: it is
written to ``--findings`` and the exit status is 1.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import types
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tcl_target
from findings import told

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "archives"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "descriptions"))
from archivekit import bitfile as bit_of
from archivekit import configuration, pdi, sysdef
from xclbin_writer import Writer, clocks, connectivity, layout, memory

#: An overlay that adds a UIO node, flattened.
OVERLAY = base64.b64decode(
    b"0A3+7QAAAO8AAAA4AAAA1AAAACgAAAARAAAAEAAAAAAAAAAbAAAAnAAAAAAAAAAAAAAAAAAAAAAAAAABAAAA"
    b"AAAAAAFmcmFnbWVudEAwAAAAAAADAAAACQAAAAAvYW1iYV9wbAAAAAAAAAABX19vdmVybGF5X18AAAAAAWRt"
    b"YUA0MDQwMDAwMAAAAAAAAAADAAAADAAAAAxnZW5lcmljLXVpbwAAAAADAAAAEAAAABcAAAAAQEAAAAAAAAAA"
    b"AQAAAAAAAgAAAAIAAAACAAAAAgAAAAl0YXJnZXQtcGF0aABjb21wYXRpYmxlAHJlZwA="
)


def packed(**members: bytes) -> bytes:
    """Return a zip file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return made.getvalue()


def resummed(data: bytes) -> bytes:
    """Return a partial .pdi with the checksums that the fuzzer can't guess: of table, image, partition."""
    for at, size in ((16, 128), (144, 64), (208, 128)):
        words = data[at : at + size]
        if len(words) == size:
            total = ~sum(struct.unpack(f"<{size // 4 - 1}I", words[:-4])) & 0xFFFFFFFF
            data = data[: at + size - 4] + total.to_bytes(4, "little") + data[at + size :]
    return data


#: Where each target begins.
SEEDS = {
    **tcl_target.SEEDS,
    "manifest": b'[[rtl]]\ninstance = "a/b"\ntop = "t"\nsources = ["*.v"]\ndefines = { A = "1" }\n'
    b'parameters = { W = 8 }\nports = { a = "b" }\ntie = { c = 1 }\n[[rtl]]\nhls = "s"\nvlnv = "a:b:c:*"\n',
    "ipxact": b'<?xml version="1.0"?><spirit:component xmlns:spirit='
    b'"http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"><spirit:vendor>v</spirit:vendor>'
    b"<spirit:name>n</spirit:name><spirit:fileSets><spirit:fileSet><spirit:name>s</spirit:name><spirit:file>"
    b"<spirit:name>a.v</spirit:name><spirit:fileType>verilogSource</spirit:fileType></spirit:file>"
    b"</spirit:fileSet></spirit:fileSets></spirit:component>",
    "coverage": b"# SystemC::Coverage-3\nC '\x01t\x02line\x01page\x02v_line/t\x01f\x02a.v\x01l\x023\x01n\x025"
    b"\x01o\x02block\x01S\x023-5,7\x01h\x02TOP.t' 12\n",
    "scan": b'`line 1 "a.v" 1\nmodule m; initial $display("x %0d", 1); // c\n initial begin $fatal(1, "e"); '
    b"$random; \\esc $time; end /* d */ endmodule\n",
    "tree": OVERLAY,
    "overlay": OVERLAY,
    "bitstream": bytes.fromhex("00090ff00ff00ff00ff0000001")
    + b"a\0\x03ab\0b\0\x0c7z020clg400\0c\0\x0b2026/11/22\0d\0\x0912:00:00\0e\0\0\0\x08"
    + bytes.fromhex("ffffffffaa995566"),
    "archive": packed(
        sysdef__xml=sysdef(("HW_HANDOFF", "a.hwh", "DEFAULT_BD"), ("BIT", "a.bit")),
        a__hwh=b'<EDKSYSTEM><SYSTEMINFO NAME="a"/><MODULES/></EDKSYSTEM>',
        a__bit=bit_of(b""),
        ps7_init__tcl=b"proc a {} {\nmask_write 0XF8 0x3 0x1\n}\n",
    ),
    "archive-manifest": sysdef(("HW_HANDOFF", "a.hwh", "DEFAULT_BD"), ("BIT", "a.bit")),
    "archive-json": b'{"generatedVersion":"2022.1","devices":[{"part":{"name":"x"}}],"board":{"name":"b"},'
    b'"files":[{"type":"TOP_BD","name":"a/b.bd"}]}',
    "packets": configuration(frames=2),
    "pdi": pdi(partial=True, images=[("x", 1)]),
    "ps-init-tcl": b"proc a {} {\n mask_write 0XF8 0x3 0x1\n mwr -force 0x8 0x1\n mask_poll 0x4 0x1\n}\n",
    "ps-init-c": b"#define A_OFFSET 0XF8\nunsigned long a[] = {\nEMIT_WRITE(0x8, 1U), /* x */\n};\n"
    b"int b(void) {\nPSU_Mask_Write(A_OFFSET, 1U, 2U);\n}\n",
    "xclbin": Writer(
        [
            ("MEM_TOPOLOGY", memory((6, 1, 4, 0, "HBM[0]"))),
            ("IP_LAYOUT", layout((1, 0x800000, "k:k_1"))),
            ("CONNECTIVITY", connectivity((0, 0, 0))),
            ("CLOCK_FREQ_TOPOLOGY", clocks((300, 1, "DATA_CLK"))),
            (
                "EMBEDDED_METADATA",
                b'<project name="p"><platform><device fpgaDevice="v:xcu50:f:-2:e"><core>'
                b'<kernel name="k" vlnv="a:b:k:1"><port name="m" mode="master" dataWidth="32"/>'
                b'<port name="s" mode="slave" range="0x100"/>'
                b'<arg name="a" addressQualifier="1" id="0" port="m" size="8" offset="0x10"/>'
                b'<instance name="k_1"><addrRemap base="0"/></instance>'
                b"</kernel></core></device></platform></project>",
            ),
        ]
    ).bytes(),
    "component": (
        Path(__file__).resolve().parents[1] / "regmaps" / "maps" / "policies_2022.xml"
    ).read_bytes(),
    "formula": b"$clog2(W + 1) * 4K - (id('D') ** 2 << 1) / 8'hF0 > 3 ? ~1 : W % 2",
    "systemrdl": b"enum e { A = 0; B = 1; };\naddrmap t { default regwidth = 32; reg { field { sw = rw;"
    b" onwrite = woclr; encode = e; } f[3:0] = 5; field { sw = r; onread = rclr; } g[8:8]; } one[4] @ 0x10;\n"
    b"regfile { reg { field {} f; } a; } two[2]; external mem { mementries = 4; memwidth = 32; } m; };\n",
    "registers": b"[[registers]]\ninstance = 'a/b'\nsystemrdl = 'x.rdl'\n[[registers]]\nvlnv = 'a:b:c'\n"
    b'ipxact = "ip"\ninterface = "s"\nmap = "m"\nreplace = true\n',
    "litex-json": b'{"csr_bases":{"u":8,"t":64},"csr_registers":{"u_r":{"addr":8,"size":2,"type":"rw"}},'
    b'"constants":{"config_csr_data_width":32,"config_cpu_type_v":null,"u_interrupt":1},'
    b'"memories":{"rom":{"base":1024,"size":64,"type":"cached"},"csr":{"base":0,"size":99,"type":"io"}}}',
    "litex-csv": b"#--\ncsr_base,u,0x8,,\ncsr_register,u_r,0x8,2,ro\nconstant,config_csr_data_width,8,,\n"
    b"constant,u_interrupt,0,,\nconstant,config_cpu_type_zynq7000,None,,\nmemory_region,rom,0x400,64,cached\n",
    "dts": b"/dts-v1/; /plugin/;\n#include <a>\n&amba { #address-cells = <1>; #size-cells = <1>;\n"
    b'c: clocking0 { compatible = "xlnx,fclk"; clocks = <&zynqmp_clk 71>; };\n'
    b'i: intc@1000 { compatible = "xlnx,axi-intc-4.1"; reg = <0x1000 (1 << 4)>; interrupt-parent = <&gic>;\n'
    b"interrupts = <0 89 4>; #interrupt-cells = <2>; };\n"
    b'a@2000 { reg = <0x2000 0x10>; interrupts-extended = <&i 1 2>; b = [00 1f]; s = "x\\n", &i;\n'
    b"clocks = <&c>; w = /bits/ 16 <'a' (-1)>; }; /delete-node/ d; };",
    "devicetree": OVERLAY,
}


def child(target: str, arguments: list[str]) -> None:
    """The fuzzer itself; libFuzzer ends the process, so it has one of its own."""
    import atheris

    from pynq.backends.sim import coverage, coverage_counts
    from pynq.backends.sim.rtl import ipxact, manifest, scan
    from pynq.binding import Views
    from pynq.design import (
        archive,
        archive_paths,
        bitfile,
        configdata,
        devicetree,
        devicetree_nodes,
        expressions,
        image_files,
        images,
        ipxact_maps,
        litex,
        members,
        pdi,
        psinit,
        rdl_child,
        regmap_files,
        regmaps,
        systemrdl,
        tables,
        xclbin,
        xclbin_container,
        xclbin_kernels,
        xmltree,
    )
    from pynq.design import ipxact as ipxact_design
    from pynq.design import manifest as archived
    from pynq.design.model import Processor
    from pynq.devicetree import Node, dts, dts_scan, fdt, overlay
    from pynq.errors import PynqError

    # Only the readers: to instrument all that is loaded takes half a minute.
    for module in (
        archive,
        archive_paths,
        archived,
        bitfile,
        configdata,
        coverage,
        coverage_counts,
        devicetree,
        devicetree_nodes,
        dts,
        dts_scan,
        fdt,
        image_files,
        images,
        ipxact,
        ipxact_design,
        litex,
        manifest,
        members,
        overlay,
        pdi,
        psinit,
        scan,
        expressions,
        ipxact_maps,
        rdl_child,
        regmap_files,
        regmaps,
        systemrdl,
        tables,
        xmltree,
        xclbin,
        xclbin_container,
        xclbin_kernels,
        *tcl_target.MODULES,
    ):
        for thing in list(vars(module).values()):
            if getattr(thing, "__module__", "") != module.__name__:
                continue
            for function in vars(thing).values() if isinstance(thing, type) else (thing,):
                if isinstance(function, types.FunctionType):
                    atheris.instrument_func(function)
    suffixes = {"archive": ".xsa", "bitstream": ".bit", "litex-csv": ".csv", "dts": ".dtsi"}
    place = Path(tempfile.mkdtemp(), f"input{suffixes.get(target, '.dat')}")
    base = fdt.write(Node("", children=[Node("amba_pl")]))

    def read(data: bytes) -> object:
        if target in tcl_target.SEEDS:
            return tcl_target.read(target, data)
        if target == "ipxact":
            return ipxact.read_bytes(data, Path("component.xml"))
        if target == "component":
            return Views.of(ipxact_design.component(data, "component.xml"))
        if target == "formula":
            return expressions.evaluate(data.decode(errors="replace"), {"W": "32", "D": "W * 2", "L": "L"})
        if target == "scan":
            return scan.scan(data.decode(errors="replace"), {"a.v": Path("/a.v")}).with_old_keywords()
        if target == "tree":
            tree = fdt.read(data)
            return fdt.read(fdt.write(tree))
        if target == "overlay":
            return overlay.apply(fdt.read(base), fdt.read(data))
        if target == "packets":
            return images.describe(data, "a.bin"), images.identify(data, "a.bin")
        if target == "pdi":
            return images.describe(resummed(data), "a.pdi")
        if target.startswith("ps-init"):
            return psinit.read_ps_init(data, f"a.{target[8:]}", data)
        if target.startswith("archive-"):
            return archived.read_manifest("a", {"xsa.json" if target[8:] == "json" else "sysdef.xml": data})
        place.write_bytes(data)
        if target in ("dts", "devicetree"):
            return Views.of(devicetree.read(place))
        if target == "archive":
            with archive.Archive(place) as found:
                return found.facts(), archive.read(place)
        if target.startswith("litex"):
            return Views.of(litex.read(place))
        if target == "xclbin":
            return Views.of(xclbin.read(place))
        if target == "systemrdl":
            found = rdl_child.collect(str(place), "", registers=5000, size=1 << 20)
            return systemrdl.decode(found, str(place), "t.rdl")
        if target == "registers":
            return regmaps.sources(place, place)
        if target == "bitstream":
            bitfile.read_bitfile(place)
            return bitfile.image_for(place, Processor.ZYNQ)
        if target == "manifest":
            return manifest.load(place)
        return [file.path for file in coverage.Coverage.read(place).files()]

    def one(data: bytes) -> None:
        try:
            read(data)
        except (PynqError, expressions.Unresolved):
            return

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def fuzz(target: str, seconds: int, findings: Path) -> bool:
    def written() -> set[Path]:
        return {path for path in findings.iterdir() if re.match(rf"{target}-[a-z]+-[0-9a-f]+\Z", path.name)}

    before = written()
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "seed").write_bytes(SEEDS[target])
        command = [sys.executable, __file__, "--child", target, f"-max_total_time={seconds}"]
        command += [f"-artifact_prefix={findings}/{target}-", "-max_len=4096", "-timeout=10"]
        command += ["-rss_limit_mb=2048", "-print_final_stats=1", scratch]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    coverage = re.findall(r"cov: (\d+)", done.stderr)
    found = sorted(str(path) for path in written() - before)
    result = {
        "fuzz": target,
        "executions": int(executions[1]) if executions else 0,
        "coverage": int(coverage[-1]) if coverage else 0,
        "findings": found,
    }
    sys.stdout.write(json.dumps(result) + "\n")
    if found or done.returncode or not result["executions"]:
        sys.stderr.write(told(done.stdout + done.stderr, found))
        return False
    if not result["coverage"]:
        sys.stderr.write("the reader was not instrumented: the fuzzer was blind\n")
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="how long each reader is fuzzed")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    options.findings.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        good = list(workers.map(lambda target: fuzz(target, options.seconds, options.findings), SEEDS))
    if not any(options.findings.iterdir()):
        options.findings.rmdir()
    return 0 if all(good) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main())
