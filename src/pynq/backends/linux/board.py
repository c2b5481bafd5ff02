"""What board this is: its family, and where its programmable logic (PL) is in the CPU's addresses.

All of it comes from the device tree (Devicetree Specification v0.4, 2.3.8 ``ranges`` and 2.3.9
``dma-ranges``): on boards the PL's bus has the CPU's own addresses, on the virtual board it has not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from pynq.backends.kernel import Kernel
from pynq.backends.linux.livetree import LiveNode
from pynq.design.model import Processor
from pynq.errors import AccessError

__all__ = ["VIRTUAL_BOARD", "Board", "Range"]

VIRTUAL_BOARD = "pynq,virtual-board"

# The last name of a root's `compatible` is the family's (Documentation/devicetree/bindings/soc/xilinx).
_FAMILIES = {
    "xlnx,zynq-7000": Processor.ZYNQ,
    "xlnx,zynqmp": Processor.ZYNQMP,
    "xlnx,versal": Processor.VERSAL,
}

# What is soldered on: the board's name in `compatible` -> device, as parts of bitstreams begin.
_SOLDERED = {
    "zynq-pynqz1": "7z020",
    "zynq-pynqz2": "7z020",
    "pynqz1": "7z020",
    "pynqz2": "7z020",
    "zynq-zed": "7z020",
    "zynq-zc702": "7z020",
    "zynq-zc706": "7z045",
    "zynqmp-smk-k26": "k26",
    "zynqmp-sm-k26": "k26",
    "zynqmp-sk-kv260": "k26",
    "zynqmp-sk-kr260": "k26",
    "zynqmp-smk-k24": "k24",
    "zynqmp-sm-k24": "k24",
    "zynqmp-sk-kd240": "k24",
    "zynqmp-zcu102": "zu9eg",
    "zynqmp-zcu104": "zu7ev",
    "zynqmp-zcu106": "zu7ev",
    "zynqmp-zcu111": "zu28dr",
    "zynqmp-zcu208": "zu48dr",
    "zynqmp-zcu216": "zu49dr",
    "versal-vck190": "vc1902",
    "versal-vmk180": "vm1802",
    "versal-vek280": "ve2802",
}
# UG585, register PSS_IDCODE, device code (the kernel's soc_id of a Zynq-7000).
_ZYNQ_CODES = {
    0x02: "7z010", 0x03: "7z007s", 0x07: "7z020", 0x08: "7z014s", 0x0C: "7z030", 0x11: "7z045",
    0x12: "7z035", 0x16: "7z100", 0x1B: "7z015", 0x1C: "7z012s",
}  # fmt: skip


class Range(NamedTuple):
    """An entry of ``ranges``: ``size`` bytes from ``child`` on lie at ``parent`` in the bus above."""

    child: int
    parent: int
    size: int


class Board:
    """The board that the kernel runs on; nothing is read before it is asked for."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    @cached_property
    def root(self) -> LiveNode:
        """The device tree's root."""
        return LiveNode(self.kernel)

    @cached_property
    def compatible(self) -> tuple[str, ...]:
        """The root's ``compatible``; () on a machine without a device tree."""
        return self.root.compatible

    @cached_property
    def model(self) -> str:
        """The board's name as its makers write it, "" where the tree has none."""
        return next(iter(self.root.strings("model")), "")

    @cached_property
    def processor(self) -> Processor | None:
        """The family of the SoC; None: none that is known here."""
        for name in reversed(self.compatible):
            for family, processor in _FAMILIES.items():
                if name == family or name.startswith(f"{family}-"):
                    return processor
        return None

    @property
    def virtual(self) -> bool:
        """Whether the PL is the simulated board (``pynq vm``)."""
        return VIRTUAL_BOARD in self.compatible

    @property
    def present(self) -> bool:
        """Whether this is a board with a PL."""
        return self.processor is not None or self.virtual

    @cached_property
    def needs_bitstream(self) -> bool:
        """False where a description alone is enough."""
        return self.root.get("pynq,no-bitstream-needed") is None

    @cached_property
    def part(self) -> str:
        """The device, as the parts of its bitstreams begin ("7z020", "zu7ev"); "" where unknown."""
        for name in self.compatible:
            board = name.partition(",")[2]
            for known, device in _SOLDERED.items():
                if board == known or board.startswith(f"{known}-"):
                    return device
        if self.processor is Processor.ZYNQ and self.kernel.exists("/sys/devices/soc0/soc_id"):
            text = self.kernel.text("/sys/devices/soc0/soc_id")
            try:
                return _ZYNQ_CODES.get(int(text, 16), "")
            except ValueError:
                return ""
        return ""

    def nodes(self, compatible: str) -> list[LiveNode]:
        """Return the nodes that are such a thing, in the tree's order."""
        return [node for node in self.root.walk() if compatible in node.compatible]

    # -- addresses -------------------------------------------------------------------------------------------
    @cached_property
    def bus(self) -> LiveNode:
        """The bus that the PL's IP are on: ``amba_pl``, else the SoC's own, else an ``fpga-region``, else the
        root.

        A region comes late: while an overlay that programs it is in, it takes no other one
        (``of_fpga_region_parse_ov`` of ``drivers/fpga``), and Versal's has no ``ranges``, without which the
        kernel gives the nodes below it no addresses.
        """
        top = self.root.children()
        second = [child for node in top if "simple-bus" in node.compatible for child in node.children()]
        for node in (*top, *second):
            if node.name.partition("@")[0] in ("amba_pl", "amba-pl"):
                return node
        for node in top:  # not ``axi@0``, which has the GIC of a ZynqMP alone
            if "simple-bus" in node.compatible and node.name in ("axi", "amba"):
                return node
        for node in (*top, *second):
            if "fpga-region" in node.compatible and node.get("ranges") is not None:
                return node
        return self.root

    @cached_property
    def _outward(self) -> tuple[tuple[Range, ...], ...]:
        return tuple(self._translations("ranges"))

    @cached_property
    def _dma(self) -> tuple[tuple[Range, ...], ...]:
        return tuple(self._translations("dma-ranges"))

    def _translations(self, name: str) -> list[tuple[Range, ...]]:
        """Return the translations from the PL's bus up to the root, identities left out."""
        found = []
        node: LiveNode | None = self.bus
        while node is not None and node.parent is not None:
            cells = node.cells(name)
            inner = node.number("#address-cells", 2)
            outer = node.parent.number("#address-cells", 2)
            sizes = node.number("#size-cells", 1)
            step = inner + outer + sizes
            entries = []
            for start in range(0, len(cells) - step + 1, step):
                entry = cells[start : start + step]
                entries.append(
                    Range(_join(entry[:inner]), _join(entry[inner : inner + outer]), _join(entry[-sizes:]))
                )
            if entries:
                found.append(tuple(entries))
            node = node.parent
        return found

    def to_cpu(self, address: int) -> int:
        """Return where an address of the PL's bus is for the CPU.

        Raises :class:`~pynq.errors.AccessError` where no range holds it.
        """
        result = address
        for ranges in self._outward:
            for entry in ranges:
                if entry.child <= result < entry.child + entry.size:
                    result += entry.parent - entry.child
                    break
            else:
                raise AccessError(
                    f"nothing is at PL address 0x{address:x} on this board; its device tree "
                    f"({self.bus.place}) has {_listed((entry.child, entry.size) for entry in ranges)}"
                )
        return result

    def to_bus(self, physical: int) -> int:
        """Return where the PL sees the memory of a physical address.

        Raises :class:`~pynq.errors.AccessError` for memory that it can't reach.
        """
        result = physical
        for ranges in reversed(self._dma):
            for entry in ranges:
                if entry.parent <= result < entry.parent + entry.size:
                    result += entry.child - entry.parent
                    break
            else:
                raise AccessError(
                    f"the PL can't reach memory at 0x{physical:x}; the device tree ({self.bus.place}, "
                    f"dma-ranges) lets it see {_listed((entry.parent, entry.size) for entry in ranges)}"
                )
        return result

    # -- interrupts ------------------------------------------------------------------------------------------
    def gic(self, cells: Sequence[int]) -> int:
        """Return the GIC's number of an interrupt specifier (type, number, flags).

        Bindings ``interrupt-controller/arm,gic.yaml``: type 0 are the SPIs, which begin at 32, type 1 the
        PPIs at 16.
        """
        kind, number = cells[0], cells[1]
        return number + (32 if kind == 0 else 16)

    def interrupts(self, node: LiveNode) -> tuple[int, ...]:
        """Return the GIC's numbers of a node's interrupts; those of other controllers are left out."""
        found = []
        extended = node.cells("interrupts-extended")
        position = 0
        while position < len(extended):
            parent = self._by_phandle(extended[position])
            count = parent.number("#interrupt-cells", 3) if parent is not None else len(extended)
            if parent is not None and _is_gic(parent):
                found.append(self.gic(extended[position + 1 :]))
            position += 1 + count
        cells = node.cells("interrupts")
        if extended or not cells:
            return tuple(found)
        parent = self._interrupt_parent(node)
        if parent is None or not _is_gic(parent):
            return ()
        step = parent.number("#interrupt-cells", 3)
        return tuple(self.gic(cells[i : i + step]) for i in range(0, len(cells) - step + 1, step))

    @property
    def gic_phandle(self) -> int | None:
        """How a node of the PL's bus refers to the GIC; None where the bus's own parent is it, or none is."""
        parent = self._interrupt_parent(self.bus)
        if parent is not None and _is_gic(parent):
            return None
        return next((phandle for phandle, node in self._phandles.items() if _is_gic(node)), None)

    def _interrupt_parent(self, node: LiveNode) -> LiveNode | None:
        above: LiveNode | None = node
        while above is not None:
            phandle = above.cells("interrupt-parent")
            if phandle:
                return self._by_phandle(phandle[0])
            if above is not node and above.get("interrupt-controller") is not None:
                return above
            above = above.parent
        return None

    def _by_phandle(self, phandle: int) -> LiveNode | None:
        found = self._phandles.get(phandle)
        if found is None:  # an overlay may have brought it
            del self._phandles
            found = self._phandles.get(phandle)
        return found

    @cached_property
    def _phandles(self) -> dict[int, LiveNode]:
        """The interrupt controllers by phandle."""
        controllers = (node for node in self.root.walk() if node.get("interrupt-controller") is not None)
        return {node.phandle: node for node in controllers if node.phandle is not None}

    def __repr__(self) -> str:
        return f"<Board {self.model or 'without device tree'}, {self.bus.place}>"


def _is_gic(node: LiveNode) -> bool:
    return any("gic" in name.partition(",")[2] for name in node.compatible)


def _join(cells: Sequence[int]) -> int:
    value = 0
    for cell in cells:
        value = value << 32 | cell
    return value


def _listed(ranges: Iterable[tuple[int, int]]) -> str:
    entries = [f"0x{base:x}..0x{base + size - 1:x}" for base, size in ranges]
    return ", ".join(entries) or "no ranges"
