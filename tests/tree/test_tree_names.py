"""The public names: where they are, that PYNQ's paths give the same objects, that importing does no more."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import types
from importlib import import_module
from pathlib import Path

import pytest

import pynq
import pynq.fleet
import pynq.sim
import pynq.waves

PUBLIC = [
    "Bitstream",
    "Clocks",
    "DefaultHierarchy",
    "DefaultIP",
    "DefaultOverlay",
    "Device",
    "GPIO",
    "Interrupt",
    "MMIO",
    "Overlay",
    "PL",
    "PynqBuffer",
    "Register",
    "RegisterMap",
    "UnsupportedConfiguration",
    "allocate",
]

# PYNQ 4.0's import paths.
PATHS = {
    "pynq.overlay": [
        "Overlay",
        "DefaultIP",
        "DefaultHierarchy",
        "UnsupportedConfiguration",
        "DefaultOverlay",
    ],
    "pynq.buffer": ["allocate", "PynqBuffer"],
    "pynq.mmio": ["MMIO"],
    "pynq.registers": ["Register", "RegisterMap"],
    "pynq.interrupt": ["Interrupt"],
    "pynq.gpio": ["GPIO"],
    "pynq.ps": ["Clocks"],
    "pynq.pl": ["PL", "Device"],
    "pynq.bitstream": ["Bitstream"],
    "pynq.pl_server": ["Device"],
    "pynq.pl_server.device": ["Device"],
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names(name: str) -> None:
    assert getattr(pynq, name) is not None
    assert name in pynq.__all__
    assert name in dir(pynq)


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, names in PATHS.items() for name in names])
def test_old_paths_give_the_same_objects(path: str, name: str) -> None:
    assert getattr(import_module(path), name) is getattr(pynq, name)


def test_old_paths_of_drivers_and_helpers() -> None:
    lib, dma, gpio = (import_module(f"pynq.lib{tail}") for tail in ("", ".dma", ".axigpio"))
    assert lib.DMA is dma.DMA
    assert lib.AxiGPIO is gpio.AxiGPIO
    assert issubclass(dma.DMA, pynq.DefaultIP)
    assert pynq.lib is lib
    from pynq.device import active_device
    from pynq.ps import CPU_ARCH, CPU_ARCH_IS_SUPPORTED, ON_TARGET, ZU_ARCH, ZYNQ_ARCH
    from pynq.uio import get_uio_device, get_uio_index
    from pynq.utils import ReprDict

    assert CPU_ARCH_IS_SUPPORTED is (CPU_ARCH in (ZYNQ_ARCH, ZU_ARCH))
    assert isinstance(ON_TARGET, bool)
    assert callable(active_device)
    assert isinstance(ReprDict({"a": 1}), dict)
    assert get_uio_device("no such device") is None
    assert get_uio_index("no such device") is None


def test_uio_devices_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pynq.uio

    for number, name in ((0, "fabric"), (10, "dma"), (2, "dma")):
        folder = tmp_path / f"uio{number}"
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
    monkeypatch.setattr(pynq.uio, "_CLASS", tmp_path)
    assert pynq.uio.get_uio_index("dma") == 2
    assert pynq.uio.get_uio_device("fabric") == "/dev/uio0"


def test_version_and_include() -> None:
    assert pynq.__version__[0].isdigit()
    assert Path(pynq.get_include(), "pynq", "native.h").is_file()


def test_an_unknown_name_of_the_package_lists_the_near_ones() -> None:
    with pytest.raises(
        AttributeError, match=r"module 'pynq' has no attribute 'Overly'; did you mean 'Overlay'"
    ):
        pynq.Overly  # noqa: B018
    assert not hasattr(pynq, "nothing_like_it_at_all")


def test_star_import() -> None:
    space: dict[str, object] = {}
    exec("from pynq import *", space)
    assert set(PUBLIC) <= set(space)


def test_importing_probes_nothing_reads_no_environment_and_is_lazy() -> None:
    code = """
        import builtins, json, os, sys
        read, opened = [], []

        class Watched(dict):
            def __getitem__(self, key):
                read.append(str(key))
                return super().__getitem__(key)
            def get(self, key, default=None):
                read.append(str(key))
                return super().get(key, default)
            def __contains__(self, key):
                read.append(str(key))
                return super().__contains__(key)

        os.environ._data = Watched(os.environ._data)
        sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
        before = set(sys.modules)
        import pynq
        own = sorted(name for name in set(sys.modules) - before if name.partition(".")[0] == "pynq")
        outside = [name for name in opened if name.startswith(("/dev", "/sys", "/proc"))]
        import pynq.overlay, pynq.lib, pynq.buffer
        after = [name for name in opened if name.startswith(("/dev", "/sys", "/proc"))]
        print(json.dumps([own, "numpy" in before, read, outside, after]))
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    own, _, read, outside, after = json.loads(out.stdout)
    assert own == ["pynq"]
    assert [name for name in read if "PYNQ" in name or "XILINX" in name] == []
    assert outside == []
    assert [name for name in after if not name.startswith("/proc/device-tree")] == []


def test_the_simulated_board_brings_the_builder_only_for_rtl() -> None:
    code = (
        "import sys; from pynq.sim import SimDevice; "
        "heavy = [name for name in sorted(sys.modules) if name.startswith('pynq.backends.sim.rtl.')]; "
        "print(heavy, 'tomllib' in sys.modules, 'xml.etree.ElementTree' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = [f"pynq.backends.sim.rtl.{name}" for name in ("buses", "door", "prepared")]
    assert out == f"{loaded} False False\n"


def test_importing_is_quick() -> None:
    """The limit is 1.3 times `import numpy`; see benchmarks/bench_import.py for the figure itself."""
    bench = Path(__file__).resolve().parents[2] / "benchmarks" / "bench_import.py"
    out = subprocess.run(
        [sys.executable, str(bench), "--rounds", "3"], capture_output=True, text=True, check=True
    )
    assert json.loads(out.stdout)["ratio"] < 1.3


def test_type_checkers_see_every_public_name(tmp_path: Path) -> None:
    mypy = pytest.importorskip("mypy.api")
    program = tmp_path / "program.py"
    lines = [
        "import pynq",
        "from pynq import " + ", ".join(name for name in pynq.__all__ if name != "__version__"),
    ]
    lines += [f"reveal_type(pynq.{name})" for name in pynq.__all__]
    lines += [
        "overlay = pynq.Overlay('x.bit', download=False)",
        "reveal_type(overlay)",
        "reveal_type(overlay.bitfile_name)",
    ]
    others = [
        f"{module.__name__}.{name}"
        for module in (pynq.sim, pynq.waves, pynq.fleet)
        for name in module.__all__
        if not isinstance(getattr(module, name), types.UnionType)  # an alias has no type of its own
    ]
    lines += ["import pynq.sim, pynq.waves, pynq.fleet", *(f"reveal_type({name})" for name in others)]
    program.write_text("\n".join(lines) + "\n")
    report, errors, _ = mypy.run(
        ["--strict", "--no-incremental", "--cache-dir", str(tmp_path / "cache"), str(program)]
    )
    assert errors == ""
    assert ": error:" not in report, report
    kinds = [
        line.partition("note: Revealed type is ")[2] for line in report.splitlines() if "Revealed" in line
    ]
    names = [*pynq.__all__, "overlay", "overlay.bitfile_name", *others]
    for name, kind in zip(names, kinds, strict=True):
        assert kind not in ('"Any"', '"builtins.object"'), (name, kind)
    told = dict(zip(names, kinds, strict=True))
    assert told["overlay"] == '"pynq.overlay.Overlay"'
    assert told["overlay.bitfile_name"] in ('"str"', '"builtins.str"')
