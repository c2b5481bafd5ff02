"""What lets members of a group use a board without root: udev rules and folders, with their reasons.

Programs of the group can then make the PL read and write any memory, as its DMA engines do: membership is as
good as root's rights. ``/dev/mem`` stays root's, and so do device-tree overlays, whose files in configfs
belong to root whoever makes them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pynq.backends.kernel import Kernel
from pynq.backends.linux.state import FOLDER, GROUP
from pynq.errors import FieldValueError

__all__ = ["FILES", "Folder", "Rule", "install", "remove", "rules", "tmpfiles"]

RULES = "/etc/udev/rules.d/70-pynq.rules"
TMPFILES = "/etc/tmpfiles.d/pynq.conf"
#: The files that an installation writes.
FILES = (RULES, TMPFILES)

_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}\Z")  # useradd(8)


class Rule(NamedTuple):
    """Devices (a match of udev(7)) that the group may open; or attributes of theirs that it may write."""

    why: str
    match: str
    attributes: tuple[str, ...] = ()


class Folder(NamedTuple):
    """A folder that the group may write."""

    why: str
    path: str
    mode: str


RULES_FOR = (
    Rule("registers and interrupts of IP in the PL", 'SUBSYSTEM=="uio"'),
    Rule("buffers: u-dma-buf", 'SUBSYSTEM=="u-dma-buf|udmabuf"'),
    Rule(
        "buffers: their cache maintenance",
        'SUBSYSTEM=="u-dma-buf|udmabuf"',
        (
            "sync_mode",
            "sync_offset",
            "sync_size",
            "sync_direction",
            "sync_owner",
            "sync_for_cpu",
            "sync_for_device",
        ),
    ),
    Rule("buffers: contiguous memory of the kernel's", 'SUBSYSTEM=="dma_heap"'),
    Rule("buffers: AMD's driver zocl", 'SUBSYSTEM=="drm", KERNEL=="renderD*", DRIVERS=="zocl-drm"'),
    Rule("EMIO GPIO", 'SUBSYSTEM=="gpio", KERNEL=="gpiochip*", DRIVERS=="zynq-gpio"'),
    Rule("loading bitstreams", 'SUBSYSTEM=="fpga_manager"', ("firmware", "flags", "key")),
    Rule("PL clocks: AMD's driver", 'SUBSYSTEM=="platform", DRIVER=="xilinx_fclk"', ("set_rate",)),
)
FOLDERS = (
    Folder("lock and state of the running design", FOLDER, "2775"),
    Folder("who uses the board", f"{FOLDER}/users", "2775"),
    Folder("where the kernel looks for bitstreams", "/lib/firmware/pynq", "2775"),
)


def rules(group: str = GROUP) -> str:
    """Return the udev rules that give a group the devices of a board.

    Raises ``ValueError`` for what is no group's name.
    """
    _check(group)
    lines = ["# Boards of pynq without root; written by `pynq setup`, removed by `pynq setup --remove`."]
    for rule in RULES_FOR:
        lines.append(f"# {rule.why}")
        if not rule.attributes:
            lines.append(f'{rule.match}, GROUP="{group}", MODE="0660"')
            continue
        # Attributes may be missing in some kernels; "change" comes when a driver is bound.
        names = " ".join(f"/sys%p/{name}" for name in rule.attributes)
        script = f"for f in {names}; do [ -e $$f ] && chgrp {group} $$f && chmod g+w $$f; done"
        lines.append(f'ACTION=="add|change|bind", {rule.match}, RUN+="/bin/sh -c \'{script}; true\'"')
    return "\n".join(lines) + "\n"


def tmpfiles(group: str = GROUP) -> str:
    """Return what tmpfiles.d(5) has to say of the folders. Raises as :func:`rules`."""
    _check(group)
    lines = ["# Folders of pynq; written by `pynq setup`."]
    for folder in FOLDERS:
        lines += [f"# {folder.why}", f"d {folder.path} {folder.mode} root {group} -"]
    return "\n".join(lines) + "\n"


def install(kernel: Kernel, group: str = GROUP) -> list[str]:
    """Write the files where they are not there or differ; return which were written.

    Raises :class:`~pynq.errors.KernelAccessError` without root.
    """
    written = []
    for name, text in zip(FILES, (rules(group), tmpfiles(group)), strict=True):
        if not kernel.exists(name) or kernel.read(name) != text.encode():
            kernel.store(name, text.encode())
            written.append(name)
    return written


def remove(kernel: Kernel) -> list[str]:
    """Remove the files; return which were there."""
    there = [name for name in FILES if kernel.exists(name)]
    for name in there:
        kernel.remove(name)
    return there


def _check(group: str) -> None:
    if not _NAME.match(group):
        raise FieldValueError(f"{group!r} is no name of a group: small letters, digits, _ and -, at most 31")
