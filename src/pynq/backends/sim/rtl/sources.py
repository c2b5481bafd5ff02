"""What one block of RTL is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

__all__ = ["Sources"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Sources:
    """The sources of one block. All paths are absolute and exist.

    ``parameters`` and ``defines`` hold text as Verilog takes it: ``5``, ``8'h3``, ``"abc"``. ``roots``
    are the folders that may be read; empty: the folders of ``files`` and ``include``. ``options`` are
    further options for Verilator, from the list of those allowed
    (:data:`pynq.backends.sim.rtl.verilate.ALLOWED`).
    """

    top: str
    files: tuple[Path, ...]
    include: tuple[Path, ...] = ()
    defines: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    parameters: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    roots: tuple[Path, ...] = ()
    options: tuple[str, ...] = ()

    def folders(self) -> tuple[Path, ...]:
        """Return the folders that may be read, without repetitions."""
        wanted = self.roots or (*(file.parent for file in self.files), *self.include)
        return tuple(dict.fromkeys(wanted))
