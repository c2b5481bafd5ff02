"""What a board lacks for this package, and what gives it: the findings of ``pynq doctor``.

Everything is looked at through :class:`~pynq.backends.kernel.Kernel`; nothing is changed, no register
is read. What can't be looked at is a finding as well.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from pynq.backends.kernel import Kernel
from pynq.backends.linux import dfxmgr, gpio, udev
from pynq.backends.linux.board import Board
from pynq.backends.linux.buffers import Memory
from pynq.backends.linux.clocks import driver_attribute
from pynq.backends.linux.programming import OVERLAYS, Programmer
from pynq.backends.linux.state import FOLDER, GROUP, State
from pynq.backends.linux.uio import Uio, scan
from pynq.design.model import Processor
from pynq.errors import PynqError, WaitTimeoutError

__all__ = ["Finding", "Level", "examine"]

Level = Literal["ok", "hint", "warning", "missing"]

_MEMORY = "/dev/mem"
_DRIVERS = "/sys/bus/platform/drivers"
_OF_ID = re.compile(r"""uio_pdrv_genirq[. ]of_id=["']?([^\s"']+)""")
_SETTINGS = (  # (option, what needs it)
    ("FPGA", "loading bitstreams"),
    ("OF_OVERLAY", "device-tree overlays"),
    ("UIO_PDRV_GENIRQ", "registers and interrupts through UIO"),
    ("GPIO_CDEV", "EMIO GPIO"),
)
_FPGA_DRIVERS = {
    Processor.ZYNQ: "FPGA_MGR_ZYNQ_FPGA",
    Processor.ZYNQMP: "FPGA_MGR_ZYNQMP_FPGA",
    Processor.VERSAL: "FPGA_MGR_VERSAL_FPGA",
}


class Finding(NamedTuple):
    """One thing that was looked at.

    ``level``: "ok"; "hint", what is good to know or not there and not needed; "warning", something will not
    work, or could not be looked at; "missing", without which no program runs. ``why`` says what was found and
    what that means, ``how`` what to do, "" where nothing is.
    """

    level: Level
    what: str
    why: str
    how: str = ""


class _Place(NamedTuple):
    """The system that is examined."""

    kernel: Kernel
    board: Board
    config: dict[str, str] | None  # the kernel's options without CONFIG_, None where they can't be read
    uios: tuple[Uio, ...]


def examine(kernel: Kernel) -> list[Finding]:
    """Examine the system as a board; one finding where it is none. Raises nothing."""
    board = Board(kernel)
    findings: list[Finding] = []
    here = _guarded("board", lambda: _board(board), findings)
    if not here:
        return findings
    config: list[dict[str, str]] = []
    _guarded("kernel's configuration", lambda: _config(kernel, config), findings)
    uios: list[Uio] = []
    _guarded("UIO", lambda: _scan(kernel, board, uios), findings)
    place = _Place(kernel, board, config[0] if config else None, tuple(uios))
    checks: tuple[tuple[str, Callable[[_Place], Iterator[Finding]]], ...] = (
        ("kernel", _kernel),
        ("FPGA manager", _manager),
        ("device-tree overlays", _overlays),
        ("dfx-mgr", _dfxmgr),
        ("UIO", _uio),
        ("/dev/mem", _registers),
        ("buffers", _buffers),
        ("EMIO GPIO", _gpio),
        ("PL clocks", _clocks),
        ("rights", _rights),
        ("running design", _state),
    )
    for what, check in checks:
        _guarded(what, lambda check=check: check(place), findings)  # type: ignore[misc]
    return findings


def _guarded(what: str, check: Callable[[], Iterator[Finding]], findings: list[Finding]) -> bool:
    """Add the findings of a check, and that it could not be done; return whether it was and found some."""
    before = len(findings)
    try:
        for finding in check():
            findings.append(finding)
    except (PynqError, OSError, ValueError, IndexError) as error:  # a tree or sysfs that makes no sense
        findings.append(Finding("warning", what, f"could not be examined: {error}"))
        return what != "board"
    return len(findings) > before and not (what == "board" and findings[-1].level == "hint")


# -- board and kernel ----------------------------------------------------------------------------------------
def _board(board: Board) -> Iterator[Finding]:
    if not board.present:
        found = f"its device tree is that of {board.model or board.compatible[0]}" if board.compatible else ""
        yield Finding(
            "hint",
            "board",
            f"this machine is none{': ' + found if found else ''}; programs run on the simulated board",
        )
        return
    family = board.processor.value if board.processor is not None else "unknown family"
    kind = "virtual board (`pynq vm`)" if board.virtual else (board.model or "a board without a name")
    part = f", part {board.part}" if board.part else ""
    yield Finding("ok", "board", f"{kind}: {family}{part}; the PL is on {board.bus.place}")
    if board.processor is None:
        yield Finding("warning", "board", "its SoC is unknown: no clocks, no GPIO, no ports are set up")


def _config(kernel: Kernel, into: list[dict[str, str]]) -> Iterator[Finding]:
    names = ["/proc/config.gz"]
    if kernel.exists("/proc/sys/kernel/osrelease"):
        names.append(f"/boot/config-{kernel.text('/proc/sys/kernel/osrelease')}")
    for name in names:
        if not kernel.exists(name):
            continue
        data = kernel.read(name)
        try:
            text = (gzip.decompress(data) if name.endswith(".gz") else data).decode(errors="replace")
        except (OSError, EOFError, zlib.error) as error:
            yield Finding("hint", "kernel's configuration", f"{name} can't be read: {error}")
            continue
        into.append(dict(re.findall(r"^CONFIG_(\w+)=(.*)$", text, re.MULTILINE)))
        return
    if not into:
        yield Finding(
            "hint",
            "kernel's configuration",
            f"unknown: neither {' nor '.join(names)} is there",
            "`sudo modprobe configs` shows it, where the kernel has that module",
        )


def _scan(kernel: Kernel, board: Board, into: list[Uio]) -> Iterator[Finding]:
    into.extend(scan(kernel, board))
    return iter(())


def _kernel(place: _Place) -> Iterator[Finding]:
    kernel = place.kernel
    release = "of unknown version"
    if kernel.exists("/proc/sys/kernel/osrelease"):
        release = kernel.text("/proc/sys/kernel/osrelease")
    yield Finding("ok", "kernel", f"Linux {release}")
    if place.config is None:
        return
    driver = _FPGA_DRIVERS.get(place.board.processor) if place.board.processor is not None else None
    wanted = [*_SETTINGS, *([(driver, "loading bitstreams")] if driver and not place.board.virtual else [])]
    for option, purpose in wanted:
        if place.config.get(option) not in ("y", "m"):
            yield Finding(
                "hint",
                "kernel's configuration",
                f"CONFIG_{option} is not set, which is for {purpose}",
                "what is missing because of it is said below; another kernel, or a module built for this "
                "one, has it",
            )


# -- loading -------------------------------------------------------------------------------------------------
def _manager(place: _Place) -> Iterator[Finding]:
    programmer = Programmer(place.kernel, place.board)
    if not place.board.needs_bitstream:
        yield Finding("ok", "FPGA manager", "not needed: this board takes designs without a bitstream")
        return
    boot = "or let the boot loader load the bitstream, and use Overlay(..., download=False)"
    try:
        manager = programmer.manager()
        title = place.kernel.text(f"{manager}/name")
        state = place.kernel.text(f"{manager}/state")
        direct = place.kernel.exists(f"{manager}/firmware")
        about = f"{manager.rpartition('/')[2]} ({title}), state {state!r}"
        if not direct and programmer.has_overlays:
            programmer.region()
    except PynqError as error:
        yield Finding("missing", "FPGA manager", str(error), f"Use such a kernel, {boot}")
        return
    if direct:
        kinds = "" if place.kernel.exists(f"{manager}/flags") else "; whole, plain ones only (no `flags`)"
        yield Finding("ok", "FPGA manager", f"{about}; takes bitstreams by name, as AMD's kernels do{kinds}")
    elif programmer.has_overlays:
        yield Finding("ok", "FPGA manager", f"{about}; takes bitstreams by device-tree overlay (root only)")
    else:
        yield Finding(
            "missing",
            "FPGA manager",
            f"{about}; but it has no `firmware` (AMD's kernels have), and there are no device-tree overlays",
            f"See device-tree overlays, use AMD's kernel, {boot}",
        )
    if state.endswith("error"):
        yield Finding(
            "warning",
            "FPGA manager",
            f"the last load ended in {state!r}: the PL may be empty",
            "load an overlay; its error says more",
        )


def _overlays(place: _Place) -> Iterator[Finding]:
    programmer = Programmer(place.kernel, place.board)
    if programmer.has_overlays:
        ours, others = programmer.overlays(), programmer.foreign_overlays()
        held = ", ".join([*ours, *(f"{name} (not of pynq)" for name in others)])
        yield Finding("ok", "device-tree overlays", f"{OVERLAYS}: {held or 'none inserted'}; root's only")
        return
    if place.kernel.names("/sys/kernel/config"):
        why = "this kernel has no interface for them in configfs"
        how = "AMD's kernels have CONFIG_OF_CONFIGFS; with CONFIG_OF_OVERLAY the module dtbocfg brings it"
    else:
        why, how = "configfs is not mounted", "`sudo mount -t configfs none /sys/kernel/config`"
    yield Finding("hint", "device-tree overlays", f"{why}: IP need UIO nodes in the device tree itself", how)


def _dfxmgr(place: _Place) -> Iterator[Finding]:
    if not dfxmgr.running(place.kernel):
        return
    loaded = [package.name for package in dfxmgr.loaded(place.kernel)]
    what = f"it has {', '.join(loaded)} loaded, which is" if loaded else "it has nothing loaded; else that is"
    yield Finding("ok", "dfx-mgr", f"dfx-mgrd runs; {what} unloaded before an overlay is loaded")


# -- registers and interrupts --------------------------------------------------------------------------------
def _of_id(kernel: Kernel) -> str:
    """Return the node type that uio_pdrv_genirq was told to take, "" for none."""
    texts = [kernel.text("/proc/cmdline")] if kernel.exists("/proc/cmdline") else []
    for name in kernel.names("/etc/modprobe.d"):
        if name.endswith(".conf"):
            texts.append(kernel.text(f"/etc/modprobe.d/{name}"))
    return next((match[1] for text in texts for match in _OF_ID.finditer(text)), "")


def _uio(place: _Place) -> Iterator[Finding]:
    kernel = place.kernel
    lines = sum(1 for uio in place.uios if uio.interrupts or uio.pci)
    if place.uios:
        count = f"{len(place.uios)} device{'s' if len(place.uios) > 1 else ''}"
        with_lines = f"{lines} with an interrupt" if lines else "none with an interrupt of the GIC"
        names = ", ".join(f"uio{uio.index} ({uio.name})" for uio in place.uios[:8])
        more = f" and {len(place.uios) - 8} more" if len(place.uios) > 8 else ""
        yield Finding("ok", "UIO", f"{count}, {with_lines}: {names}{more}")
    if kernel.exists(f"{_DRIVERS}/pynq_uio"):
        return
    if not kernel.exists(f"{_DRIVERS}/uio_pdrv_genirq"):
        yield Finding(
            "hint" if place.uios else "warning",
            "UIO",
            "the driver uio_pdrv_genirq is not there, so nodes that an overlay brings get no UIO device"
            + ("" if place.uios else ": no interrupts, and registers need /dev/mem"),
            "`sudo modprobe uio_pdrv_genirq of_id=generic-uio`, or a kernel with CONFIG_UIO_PDRV_GENIRQ",
        )
        return
    wanted = _of_id(kernel)
    if wanted != "generic-uio":
        found = f"was told to take {wanted!r}" if wanted else "was not told which nodes to take, it seems"
        yield Finding(
            "hint" if place.uios else "warning",
            "UIO",
            f'uio_pdrv_genirq {found}: nodes with compatible = "generic-uio" get no device',
            "add uio_pdrv_genirq.of_id=generic-uio to the kernel's command line; where it is a module: "
            "`options uio_pdrv_genirq of_id=generic-uio` in /etc/modprobe.d/pynq.conf",
        )
    elif not place.uios:
        yield Finding(
            "ok", "UIO", "no devices yet; the driver takes generic-uio nodes, so overlays bring them"
        )


def _registers(place: _Place) -> Iterator[Finding]:
    kernel = place.kernel
    if not kernel.exists(_MEMORY):
        yield Finding(
            "hint" if place.uios else "missing",
            _MEMORY,
            f"not there{'' if place.uios else ', and no UIO devices either: no registers can be reached'}",
            "CONFIG_DEVMEM gives it; UIO nodes for the IP make it unnecessary",
        )
        return
    if not kernel.writable(_MEMORY):
        yield Finding(
            "hint" if place.uios else "missing",
            _MEMORY,
            "this user may not open it: registers need UIO nodes, widths of ports are not checked at a load"
            + ("" if place.uios else "; there are no UIO devices either: no registers can be reached"),
            "run as root, or give the IP UIO nodes",
        )
        return
    config = place.config or {}
    relaxed = kernel.exists("/proc/cmdline") and "iomem=relaxed" in kernel.text("/proc/cmdline").split()
    if config.get("IO_STRICT_DEVMEM") == "y" and not relaxed:
        why = "it gives no registers that a driver has claimed (CONFIG_IO_STRICT_DEVMEM), and no memory"
        yield Finding("hint", _MEMORY, why, "UIO nodes for the IP, or iomem=relaxed on the command line")
    elif config.get("STRICT_DEVMEM") == "y":
        yield Finding("ok", _MEMORY, "registers, but no memory (CONFIG_STRICT_DEVMEM)")
    else:
        yield Finding("ok", _MEMORY, "may be opened; registers without UIO devices are reached through it")


# -- buffers, GPIO, clocks -----------------------------------------------------------------------------------
def _buffers(place: _Place) -> Iterator[Finding]:
    memory = Memory(place.kernel, place.board)
    try:
        useful = 0
        lines = memory.describe()
        providers = memory.providers
        for provider, line in zip(providers, lines, strict=False):
            good = not provider.useless and line.startswith(provider.name)
            useful += good
            yield Finding("ok" if good else "warning", "buffers", line)
        rest = lines[len(providers) :]
        for line in rest:
            yield Finding("warning" if useful else "missing", "buffers", line)
        if not useful and not rest:
            yield Finding(
                "missing", "buffers", "none of these gives memory", "see Buffers in the documentation"
            )
        elif useful:
            coherent = "the PL sees the caches" if memory.coherent else "the PL does not see the caches"
            yield Finding("ok", "buffers", f"{coherent} (dma-coherent of {place.board.bus.place})")
    finally:
        memory.close()


def _gpio(place: _Place) -> Iterator[Finding]:
    if place.board.processor is None:
        return
    for label in gpio.labels(place.board.processor):
        try:
            chip = gpio.find_chip(place.kernel, label)
        except PynqError as error:
            yield Finding("hint", "EMIO GPIO", str(error))
        else:
            yield Finding("ok", "EMIO GPIO", f"{label} is /dev/{chip}")


def _clocks(place: _Place) -> Iterator[Finding]:
    kernel = place.kernel
    driven = [(index, name) for index in range(4) if (name := driver_attribute(kernel, index))]
    if driven:
        rates = ", ".join(f"{index}: {kernel.number(name) / 1e6:g} MHz" for index, name in driven)
        yield Finding("ok", "PL clocks", f"AMD's driver xlnx,fclk has them ({rates})")
    elif kernel.exists(_MEMORY) and kernel.writable(_MEMORY):
        yield Finding("ok", "PL clocks", "through their registers, by /dev/mem")
    else:
        yield Finding(
            "hint",
            "PL clocks",
            "can't be set: there is no driver xlnx,fclk, and registers need /dev/mem",
            "run as root; or AMD's kernel with CONFIG_XILINX_FCLK, and its nodes in the device tree",
        )


# -- rights --------------------------------------------------------------------------------------------------
def _used(place: _Place) -> Iterator[tuple[str, str]]:
    """Return what a program opens, with its purpose."""
    kernel = place.kernel
    for uio in place.uios:
        yield uio.path, "registers and interrupts of IP in the PL"
    for folder in ("/sys/class/u-dma-buf", "/sys/class/udmabuf"):
        for name in kernel.names(folder):
            yield f"/dev/{name}", "buffers: u-dma-buf"
            yield f"{folder}/{name}/sync_for_device", "buffers: their cache maintenance"
    for name in kernel.names("/dev/dma_heap"):
        yield f"/dev/dma_heap/{name}", "buffers: contiguous memory of the kernel's"
    for name in kernel.names("/sys/class/drm"):
        uevent = f"/sys/class/drm/{name}/device/uevent"
        if name.startswith("renderD") and kernel.exists(uevent) and "DRIVER=zocl" in kernel.text(uevent):
            yield f"/dev/dri/{name}", "buffers: AMD's driver zocl"
    for label in gpio.labels(place.board.processor) if place.board.processor is not None else ():
        try:
            yield f"/dev/{gpio.find_chip(kernel, label)}", "EMIO GPIO"
        except PynqError:
            continue  # said in its own finding
    for name in kernel.names("/sys/class/fpga_manager"):
        if kernel.exists(f"/sys/class/fpga_manager/{name}/firmware"):
            yield f"/sys/class/fpga_manager/{name}/firmware", "loading bitstreams"
    for index in range(4):
        if attribute := driver_attribute(kernel, index):
            yield attribute, "PL clocks: AMD's driver"


def _rights(place: _Place) -> Iterator[Finding]:
    kernel = place.kernel
    denied: dict[str, list[str]] = {}
    for path, purpose in _used(place):
        if kernel.exists(path) and not kernel.writable(path):
            denied.setdefault(purpose, []).append(path)
    for folder in udev.FOLDERS:
        place_of = folder.path
        while not kernel.exists(place_of) and place_of.count("/") > 1:  # it is made with the first load
            place_of = place_of.rpartition("/")[0]
        if not kernel.writable(place_of):
            absent = "" if place_of == folder.path else " (not there)"
            denied.setdefault(folder.why, []).append(folder.path + absent)
    if not denied:
        yield Finding("ok", "rights", "this user may use everything that was found")
        return
    how = _grant(kernel)
    for purpose, paths in denied.items():
        shown = ", ".join(paths[:4]) + (f" and {len(paths) - 4} more" if len(paths) > 4 else "")
        needed = not purpose.startswith(("EMIO", "PL clocks"))
        yield Finding(
            "missing" if needed else "warning", "rights", f"{purpose}: this user may not use {shown}", how
        )


def _grant(kernel: Kernel) -> str:
    """Say what lets this user use the board."""
    if not all(kernel.exists(name) for name in udev.FILES):
        return "`sudo pynq setup` lets members of a group use it; or run as root"
    groups = kernel.text("/etc/group") if kernel.exists("/etc/group") else ""
    known = re.search(r'GROUP="([^"]+)"', kernel.text(udev.RULES))
    group = known[1] if known else GROUP
    entry = next((line for line in groups.splitlines() if line.startswith(f"{group}:")), "")
    number = entry.split(":")[2] if entry.count(":") >= 2 else ""
    status = kernel.text("/proc/self/status") if kernel.exists("/proc/self/status") else ""
    mine = re.search(r"^Groups:(.*)$", status, re.MULTILINE)
    if number and mine and number not in mine[1].split():
        return f"`sudo usermod -aG {group} $USER`, then log in again: this process is not in group {group}"
    return "the rules of `pynq setup` are there and do not help: run it again, or boot the board again"


# -- what runs -----------------------------------------------------------------------------------------------
def _state(place: _Place) -> Iterator[Finding]:
    kernel, state = place.kernel, State(place.kernel)
    if not kernel.exists(FOLDER):
        yield Finding("ok", "running design", "none was loaded since the board booted")
        return
    loaded = state.read()
    alive: list[int] = []
    dead: list[int] = []
    for process, lives in state.processes():
        (alive if lives else dead).append(process)
    if loaded is None or not (loaded.design or loaded.bitstream):
        text = "none that this package has loaded"
    elif not loaded.complete:
        text = f"{loaded.design}: its load by process {loaded.pid} never came to its end, or goes on"
    else:
        text = f"{loaded.bitstream or loaded.design}, loaded by process {loaded.pid} ({loaded.timestamp})"
    who = f"; used by process{'es' if len(alive) > 1 else ''} {', '.join(map(str, alive))}" if alive else ""
    yield Finding("ok", "running design", text + who)
    if kernel.exists(f"{FOLDER}/lock"):
        with kernel.open(f"{FOLDER}/lock", write=False) as file:
            try:
                file.lock(exclusive=False, timeout=0)
            except WaitTimeoutError:
                holder = kernel.text(f"{FOLDER}/lock") or "unknown"
                yield Finding("hint", "running design", f"process {holder} is programming the board just now")
    if dead:
        yield Finding(
            "hint",
            "running design",
            f"process{'es' if len(dead) > 1 else ''} {', '.join(map(str, sorted(set(dead))))} ended without "
            "giving it back; their DMA engines may still run",
            "nothing: who attaches or loads next stops them",
        )
