"""Boards under Linux: Zynq-7000, Zynq UltraScale+, Versal, and the virtual board.

Reading order: ``pynq.backends.kernel`` (what touches the system), ``board`` and ``uio`` (what there is),
``registers``, ``programming`` and ``state`` (what is loaded, by whom), ``device`` (what programs see).
"""

from __future__ import annotations

from pynq.backends.kernel import Kernel
from pynq.backends.linux.board import Board
from pynq.backends.linux.device import LinuxDevice
from pynq.errors import DeviceNotFoundError

__all__ = ["BACKEND", "LinuxBackend", "LinuxDevice"]


class LinuxBackend:
    """The backend of scheme ``board:``: the one board that the process runs on."""

    scheme = "board"
    priority = 100
    why = "the device tree names a Zynq, Zynq UltraScale+ or Versal"

    def __init__(self, kernel: Kernel | None = None) -> None:
        self.kernel = kernel or Kernel()

    def probe(self) -> list[str]:
        """Return ``board:`` on a board."""
        return ["board:"] if Board(self.kernel).present else []

    def open(self, spec: str) -> LinuxDevice:
        """Return the board.

        Raises :class:`~pynq.errors.DeviceNotFoundError` on another machine, or for a name after the colon.
        """
        board = Board(self.kernel)
        if spec.partition(":")[2]:
            raise DeviceNotFoundError(f"{spec!r}: there is one board, 'board:'")
        if not board.present:
            found = f"a {board.model or board.compatible[0]}" if board.compatible else "no board"
            raise DeviceNotFoundError(
                f"{spec!r}: this is {found}: its device tree (/proc/device-tree/compatible) names no "
                "xlnx,zynq-7000, xlnx,zynqmp or xlnx,versal; the simulated board is 'sim:', and `pynq vm "
                "DESIGN` boots a virtual one"
            )
        return LinuxDevice(spec, kernel=self.kernel)


BACKEND = LinuxBackend()
