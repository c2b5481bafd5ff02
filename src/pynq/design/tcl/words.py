"""Words of Tcl: lists in their written form, and the options of a command.

Lists follow the rules of Tcl's manual page ``list(n)`` / ``Tcl_SplitList(3)``: elements are parted by white
space, braces quote literally, double quotes and backslashes as in commands. They are read here and not by an
interpreter so that the commands work, and are tested, without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["CommandError", "Options", "integer", "join_list", "options", "split_list"]

_SPACE = " \t\n\r\v\f"
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\n": " "}
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50, "e": 1 << 60}
_SPECIAL = frozenset(_SPACE + '{}[]$";\\')


class CommandError(Exception):
    """A command that can't be done; the script sees it as an error of Tcl."""


def split_list(text: str) -> list[str]:
    """Return the elements of a Tcl list.

    Raises:
        CommandError: ``text`` is no list.
    """
    found: list[str] = []
    place, end = 0, len(text)
    while place < end:
        if text[place] in _SPACE:
            place += 1
            continue
        if text[place] == "{":
            element, place = _braced(text, place)
        elif text[place] == '"':
            element, place = _plain(text, place + 1, '"')
        else:
            element, place = _plain(text, place, _SPACE)
        if place < end and text[place] not in _SPACE:
            raise CommandError(f"no list: characters after an element that was quoted: {_short(text)}")
        found.append(element)
    return found


def _braced(text: str, start: int) -> tuple[str, int]:
    depth, place = 0, start
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            place += 1
        elif letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
            if not depth:
                return text[start + 1 : place], place + 1
        place += 1
    raise CommandError(f"no list: a brace is not closed: {_short(text)}")


def _plain(text: str, place: int, stop: str) -> tuple[str, int]:
    out: list[str] = []
    quoted = stop == '"'
    while place < len(text):
        letter = text[place]
        if letter in stop:
            return "".join(out), place + quoted
        if letter == "\\" and place + 1 < len(text):
            place += 1
            out.append(_ESCAPES.get(text[place], text[place]))
            if text[place] == "\n":
                while text[place + 1 : place + 2] in (" ", "\t"):
                    place += 1
        else:
            out.append(letter)
        place += 1
    if quoted:
        raise CommandError(f"no list: a quote is not closed: {_short(text)}")
    return "".join(out), place


def join_list(elements: Iterable[str]) -> str:
    """Return the written form of a Tcl list."""
    return " ".join(map(_quoted, elements))


def _quoted(element: str) -> str:
    if not element:
        return "{}"
    if not _SPECIAL.intersection(element) and not element.startswith("#"):
        return element
    if _balanced(element):
        return f"{{{element}}}"
    out = [f"\\{letter}" if letter in _SPECIAL and letter != "\n" else letter for letter in element]
    text = "".join(out).replace("\n", "\\n")
    return f"\\{text}" if element.startswith("#") else text


def _balanced(text: str) -> bool:
    if "\\" in text:
        return False
    depth = 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return not depth


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def integer(text: str, what: str) -> int:
    """Return a size or offset as scripts write it: ``0x41200000``, ``65536``, ``64K``, ``4G``.

    Raises:
        CommandError: it is none, negative, or more than 64 bits.
    """
    word = text.strip().replace("_", "").lower()
    unit = word[-1:] if word[-1:] in _UNITS and not word.startswith("0x") else ""
    digits = word.removesuffix(unit) if unit else word
    try:
        value = int(digits.encode("ascii"), 16 if digits.startswith("0x") else 10) * _UNITS[unit]
    except ValueError:
        raise CommandError(
            f"{what} is {_short(text)}: wanted bytes such as 0x41200000, 65536 or 64K"
        ) from None
    if not 0 <= value <= 1 << 64:
        raise CommandError(f"{what} is {_short(text)}: wanted 0 to 2**64")
    return value


class Options(NamedTuple):
    """What a command was given: options with a value, options without, and the rest."""

    values: dict[str, str]
    flags: frozenset[str]
    rest: list[str]

    def get(self, name: str, default: str = "") -> str:
        """The value of an option, or what stands for it."""
        return self.values.get(name, default)


def options(command: str, words: Sequence[str], valued: str = "", flags: str = "") -> Options:
    """Sort the words of a command.

    An option may be shortened as long as one option only begins so (Vivado's commands work like that).

    Args:
        command: its name, for messages.
        words: what follows the name.
        valued: names of the options that take a value, with spaces between.
        flags: names of those that take none; ``quiet`` and ``verbose`` always are.

    Raises:
        CommandError: an option is unknown or has no value.
    """
    with_value = valued.split()
    without = [*flags.split(), "quiet", "verbose"]
    values: dict[str, str] = {}
    seen: set[str] = set()
    rest: list[str] = []
    queue = iter(words)
    for word in queue:
        if not (word.startswith("-") and word[1:2].isalpha()):
            rest.append(word)
            continue
        name = word[1:].lower()
        known = [*with_value, *without]
        near = [name] if name in known else [one for one in known if one.startswith(name)]
        if len(near) != 1:
            raise CommandError(
                f"{command} has no option {_short(word)}; it has {', '.join(f'-{one}' for one in known)}"
            )
        if near[0] in without:
            seen.add(near[0])
            continue
        value = next(queue, None)
        if value is None:
            raise CommandError(f"{command}: option -{near[0]} has no value")
        values[near[0]] = value
    return Options(values, frozenset(seen), rest)
