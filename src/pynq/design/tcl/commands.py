"""All commands of a block-design script, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pynq.design.tcl import (
    commands_address,
    commands_automation,
    commands_connect,
    commands_edit,
    commands_find,
    commands_make,
    commands_project,
    commands_property,
)
from pynq.design.tcl.diagram import Diagram
from pynq.design.tcl.words import CommandError

__all__ = ["NAMES", "run"]

_ALL: Mapping[str, Callable[[Diagram, Sequence[str]], str]] = {
    **commands_project.COMMANDS,
    **commands_make.COMMANDS,
    **commands_find.COMMANDS,
    **commands_connect.COMMANDS,
    **commands_address.COMMANDS,
    **commands_property.COMMANDS,
    **commands_edit.COMMANDS,
    **commands_automation.COMMANDS,
}

NAMES = (*_ALL, *commands_project.REFUSED)
"""Every command that is known; any other one is noted and does nothing."""


def run(diagram: Diagram, name: str, words: Sequence[str]) -> str:
    """Do one command and return its result.

    Args:
        diagram: what it works on; ``line`` is that of the command.
        name: of the command, with or without a namespace (``common::send_msg_id``).
        words: what follows the name.

    Raises:
        CommandError: it can't be done.
    """
    space, _, plain = name.rpartition("::")
    if space.strip(":") in ("ipx", "hsi", "tclapp", "xilinx"):
        return ""  # the packaging of IP, and what other tools do
    command = _ALL.get(plain)
    if diagram.exhausted:
        raise CommandError(diagram.exhausted)
    if command:
        return command(diagram, words)
    if plain in commands_project.REFUSED:
        text = f"{plain} is refused: {commands_project.REFUSED[plain]}"
        diagram.note(text)  # the script may catch the error
        raise CommandError(text)
    diagram.note(f"the command {name[:100]!r} is not known; it does nothing here")
    return ""
