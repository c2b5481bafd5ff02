"""What ``pynq doctor`` looks at: this machine as a board, the simulated and the virtual board, PCIe cards."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pynq.cli import info
from pynq.errors import PynqError

if TYPE_CHECKING:
    from pynq.backends.kernel import Kernel

__all__ = ["collect", "failed"]


def collect(kernel: Kernel | None = None) -> dict[str, Any]:
    """Return ``groups``, each with ``title`` and ``findings`` (``level``, ``what``, ``why``, ``how``), and
    ``missing``: how many findings have that level. ``kernel`` is the system that is looked at.
    """
    native = _native()
    groups = [("This package", native)] if native else _examined(kernel)
    found = [{"title": title, "findings": findings} for title, findings in groups]
    return {
        "groups": found,
        "missing": sum(entry["level"] == "missing" for _, findings in groups for entry in findings),
    }


def failed(found: dict[str, Any]) -> bool:
    """Say whether something is missing that is needed."""
    return bool(found["missing"])


def _native() -> list[dict[str, str]]:
    """Return what is broken of the compiled core, without which nothing else can be looked at."""
    state = info.state("pynq._native")
    if state == "ok":
        return []
    how = (
        "install the package anew: `pip install --force-reinstall pynq-anywhere`, in a checkout `make setup`"
    )
    return [_entry("missing", "native core", f"pynq._native can't be imported: {state}", how)]


def _examined(kernel: Kernel | None) -> list[tuple[str, list[dict[str, str]]]]:
    # Here and not at the top: they need the native core.
    from pynq.backends.kernel import Kernel
    from pynq.backends.linux import doctor

    system = kernel or Kernel()
    board = doctor.examine(system)
    return [
        ("Board", [finding._asdict() for finding in board]),
        ("Simulated board", _guarded("simulated board", _simulated)),
        ("Virtual board (`pynq vm`)", _guarded("virtual board", _virtual)),
        ("PCIe cards", _guarded("PCIe cards", lambda: _cards(system))),
    ]


def _guarded(what: str, look: Callable[[], list[dict[str, str]]]) -> list[dict[str, str]]:
    try:
        return look()
    except (PynqError, OSError, ImportError) as error:
        return [_entry("warning", what, f"could not be examined: {type(error).__name__}: {error}")]


def _entry(level: str, what: str, why: str, how: str = "") -> dict[str, str]:
    return {"level": level, "what": what, "why": why, "how": how}


def _simulated() -> list[dict[str, str]]:
    engine = info.state("pynq.backends.sim._engine")
    if engine != "ok":
        # Wheels for boards leave it out.
        return [
            _entry(
                "hint",
                "engine",
                f"not there: {engine}",
                "a package built with the simulator has it; boards do not need it",
            )
        ]
    from pynq.backends.sim.rtl import toolchain

    found = [_entry("ok", "engine", "models in Python need nothing else")]
    tools: tuple[tuple[str, Callable[[], str]], ...] = (
        ("Verilator", lambda: _verilator(toolchain.find_verilator(None))),
        ("C++ compiler", lambda: toolchain.find_compiler(None).version),
    )
    for what, find in tools:
        try:
            found.append(_entry("ok", what, find()))
        except PynqError as error:
            found.append(_entry("hint", what, f"for your own RTL: {error}"))
    ghdl = shutil.which("ghdl")
    if ghdl:
        found.append(_entry("ok", "GHDL", ghdl))
    else:
        found.append(_entry("hint", "GHDL", "for RTL in VHDL: not installed", "`apt install ghdl`"))
    return found


def _verilator(found: Any) -> str:
    return f"{found.version}, {found.root}"


def _virtual() -> list[dict[str, str]]:
    from pynq.vm.examine import examine

    return [finding._asdict() for finding in examine()]


def _cards(kernel: Kernel) -> list[dict[str, str]]:
    from pynq.backends.pcie.xdma import XdmaBackend

    found = [_xdma(kernel, name) for name in XdmaBackend(kernel).probe()]
    if not found:
        found.append(
            _entry("hint", "XDMA", "no /dev/xdma*_user: no card, or AMD's module xdma is not loaded")
        )
    return [*found, _xrt()]


def _xdma(kernel: Kernel, name: str) -> dict[str, str]:
    prefix = f"xdma{name.partition(':')[2]}_"
    nodes = [f"/dev/{node}" for node in kernel.names("/dev") if node.startswith(prefix)]
    denied = [node for node in nodes if not kernel.writable(node)]
    if denied:
        shown = ", ".join(denied[:4]) + (f" and {len(denied) - 4} more" if len(denied) > 4 else "")
        how = 'run as root, or a udev rule: SUBSYSTEM=="xdma", GROUP="pynq", MODE="0660"'
        return _entry("warning", name, f"this user may not open {shown}", how)
    return _entry("ok", name, f"{len(nodes)} device files /dev/{prefix}*")


def _xrt() -> dict[str, str]:
    if importlib.util.find_spec("pyxrt") is None:
        return _entry("hint", "XRT", "its Python module pyxrt is not installed; only cards under XRT need it")
    from pynq.backends.pcie.xrt import XrtBackend

    try:
        names = XrtBackend().probe()
    except Exception as error:  # noqa: BLE001  a foreign binary module: whatever it raises is told
        return _entry("warning", "XRT", f"pyxrt does not work: {type(error).__name__}: {error}")
    return _entry("ok", "XRT", f"cards: {', '.join(names) or 'none'}")
