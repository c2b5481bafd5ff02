"""What the commands gathered, as tables on a terminal."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from pynq.wording import size

__all__ = ["cache", "devices", "doctor", "info", "inspection"]

_DIM_KINDS = {"interconnect", "logic"}
_MARKS = {
    "ok": "[green]ok[/]",
    "hint": "[cyan]hint[/]",
    "warning": "[yellow]warning[/]",
    "missing": "[bold red]missing[/]",
}


class _Path:
    """A name with slashes, in as many lines as its column asks for, broken behind slashes and spaces."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._parts = re.findall(r"[^/ ]*[/ ]?", text)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(max(map(len, self._parts)), len(self._text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        line = ""
        for part in self._parts:
            if line and len(line) + len(part.rstrip()) > options.max_width:
                yield Text(line, overflow="fold")
                line = ""
            line += part
        yield Text(line, overflow="fold")


def _table(console: Console, title: str, *columns: str, right: Sequence[str] = ()) -> Table:
    """Print a title, return the table to go under it. Rich folds a table's own title to its width."""
    console.print(_Path(title), style="bold")
    table = Table(header_style="bold cyan", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        number = column in right
        table.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=number)
    return table


def cache(console: Console, found: dict[str, Any]) -> None:
    """``pynq cache info``: folders and sizes, then one line an entry."""
    size = f"{found['size'] / 1e6:.1f} of {found['bound'] / 1e6:.0f} MB used"
    _cache(console, found, f"{found['folder']}: {size}")
    for other in (found["vm"], found["images"]):
        _cache(console, other, f"{other['folder']}: {other['size'] / 1e6:.1f} MB used")


def _cache(console: Console, found: dict[str, Any], title: str) -> None:
    table = _table(console, title, "kind", "of", "MB", "last used", "name", right=["MB"])
    for entry in found["entries"]:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry["used"]))
        megabytes = f"{entry['size'] / 1e6:.1f}"
        table.add_row(entry["kind"], escape(entry["label"]), megabytes, used, entry["name"])
    if found["entries"]:
        console.print(table)


def info(console: Console, found: dict[str, Any]) -> None:
    """``pynq info``: one line a fact, to be copied into a report."""
    native = ", ".join(f"{name} {state}" for name, state in found["native"].items())
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items() if version)
    absent = ", ".join(name for name, version in found["packages"].items() if not version)
    rows = [
        ("pynq-anywhere", found["pynq-anywhere"]),
        ("location", found["location"]),
        ("Python", f"{found['python']}, {found['executable']}"),
        ("platform", f"{found['platform']}, {found['cpus']} CPUs"),
        ("numpy", found["numpy"]),
        ("native modules", native),
        ("also installed", packages or "-"),
        ("not installed", absent or "-"),
        ("driver packages", ", ".join(found["drivers"]) or "-"),
        ("environment", ", ".join(f"{name}={value}" for name, value in found["environment"].items()) or "-"),
        ("device", f"{found['devices']['active'] or 'none'} ({found['devices']['reason']})"),
    ]
    if found["clashes"]:
        rows.append(
            (
                "CLASH",
                f"{', '.join(found['clashes'])} brings a package named pynq, too: uninstall one of them",
            )
        )
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, escape(str(value)))
    console.print(grid)


def devices(console: Console, found: dict[str, Any]) -> None:
    """``pynq devices``."""
    table = _table(
        console, "Devices", "", "device", "backend", "priority", "when it is there", right=["priority"]
    )
    active = found["active"] or ""
    for backend in found["backends"]:
        names = list(backend["devices"])
        if active not in names and active.partition(":")[0] == backend["scheme"]:
            names.append(active)  # named by PYNQ_DEVICE
        for name in names or [None]:
            chosen = name is not None and name == active
            table.add_row(
                "[green]>[/]" if chosen else "",
                f"[bold green]{escape(name)}[/]" if chosen else escape(name) if name else "[dim]none[/]",
                f"{backend['scheme']}:",
                str(backend["priority"]),
                escape(backend["why"]),
            )
    console.print(table, "")
    if found["active"]:
        active, reason = escape(found["active"]), escape(found["reason"])
        console.print(f"Used where a program names none: [bold green]{active}[/] ({reason}).")
    else:
        console.print(f"[bold red]No device can be used:[/] {escape(found['reason'])}")
    console.print(
        "[dim]Choose another with PYNQ_DEVICE=NAME, Overlay(..., device=NAME) or Device.active_device.[/]"
    )


def doctor(console: Console, found: dict[str, Any]) -> None:
    """``pynq doctor``: a table for each part of the machine, what to do below what was found."""
    for group in found["groups"]:
        table = _table(console, group["title"], "", "what", "found")
        for finding in group["findings"]:
            text = Text(finding["why"])
            if finding["how"]:
                text.append(f"\n-> {finding['how']}", "bold")
            table.add_row(_MARKS[finding["level"]], escape(finding["what"]), text)
        console.print(table, "")
    missing = found["missing"]
    if missing:
        console.print(f"[bold red]{missing} thing{'s' if missing > 1 else ''} missing.[/]")
    else:
        console.print("[green]Nothing that is needed is missing.[/]")


def inspection(console: Console, found: dict[str, Any]) -> None:
    """``pynq inspect FILE``."""
    if "cells" not in found:  # a bitstream alone
        console.print(_Path(found["image"]["file"]), style="bold")
        _image(console, found["image"])
        for note in found["warnings"]:
            console.print(f"[yellow]{escape(note)}[/]")
        return
    _head(console, found)
    console.print(_tree(found))
    console.print()
    _container(console, found.get("container"))
    _addresses(console, found)
    _interrupts(console, found)
    _clocks(console, found)
    _rest(console, found)
    for note in found["notes"]:
        place = f"{note['file']}:{note['line']}" if note["line"] else note["file"]
        console.print(Text(f"note: {place}: {note['message']}"), style="dim", soft_wrap=True)
    for note in found["warnings"]:
        console.print(f"[yellow]{escape(note)}[/]")


def _head(console: Console, found: dict[str, Any]) -> None:
    where = ", ".join(filter(None, (found["part"], found["board"])))
    made_for = f"{where or 'no part given'}; {_tool(found)}"
    console.print(Text.assemble((found["name"] or "(no name)", "bold"), f"  {made_for}"))
    processor = found["processor"] or _WITHOUT_PS.get(
        found["format"], "no PS: a partial or MicroBlaze design, or a part of one"
    )
    console.print(_Path(found["description"]), style="dim")
    console.print(f"processor: {processor}; bitstream: {escape(found['bitstream'] or 'none beside it')}")
    if found["image"]:
        _image(console, found["image"])
    if found["archive"]:
        _archive(console, found["archive"])
    if found["overlay_class"]:
        console.print(
            f"overlay class: [green]{escape(found['overlay_class'])}[/] of {escape(found['companion'])}"
        )
    elif found["companion"]:
        console.print(
            f"{escape(found['companion'])} lies beside it and was not run; --companion binds its drivers, too"
        )
    if found["rtl"]:
        names = ", ".join(cell["path"] for cell in found["rtl"]["cells"]) or "nothing"
        console.print(
            f"RTL on the simulated board: [green]{escape(names)}[/], {escape(found['rtl']['manifest'])}"
        )
        for problem in found["rtl"]["problems"]:
            console.print(f"[red]{escape(problem)}[/]")
    console.print()


def _image(console: Console, image: dict[str, Any]) -> None:
    """Some lines on a bitstream."""
    if "error" in image:
        console.print(f"[yellow]image: {escape(image['error'])}[/]")
        return
    device = ", ".join(image["devices"])
    code = f"IDCODE {image['idcode']}{f' ({device})' if device else ''}" if image["idcode"] else ""
    made = " ".join(filter(None, (image.get("date"), image.get("time"))))
    flags = [name for name in ("partial", "compressed", "encrypted") if image[name]]
    about = [
        image["part"],
        code,
        ", ".join(flags),
        f"Vivado {image['version']}" if image["kind"] == "bit" and image["version"] else "",
        f"made {made}" if made else "",
        f"{image['frame_words']} words of frames" if image.get("frame_words") else "",
        "words turned, as FPGA managers take them" if image.get("order") == "swapped" else "",
        f"{len(image['images'])} images" if "images" in image else "",
    ]
    console.print(f"image: {escape('; '.join(filter(None, about)))}; {size(image['size'])}")
    for part in image.get("images", ()):
        pieces = ", ".join(f"{piece['kind']} {size(piece['size'])}" for piece in part["partitions"])
        console.print(f"  {escape(part['name'])}: {escape(pieces or 'no partitions')}", style="dim")
    for note in image["notes"]:
        console.print(f"[yellow]image: {escape(note)}[/]")


def _archive(console: Console, found: dict[str, Any]) -> None:
    """Some lines on an archive."""
    count, others = len(found["members"]), len(found["handoffs"]) - 1
    console.print(
        f"archive: {count} members; {escape(found['handoff'] or 'no top hand-off file')} and {others} more "
        f"hand-off files; partial bitstreams: {escape(', '.join(found['partials']) or 'none')}"
    )
    init = found["ps_init"]
    if init:
        steps = ", ".join(f"{name} {count}" for name, count in init["sections"].items())
        console.print(
            f"{init['operations']} accesses in {escape(init['file'])}: {escape(steps)}", style="dim"
        )


def _tree(found: dict[str, Any]) -> Tree:
    drivers = {one["path"]: one["driver"] for one in found["hierarchies"]}
    root = Tree("[bold]Blocks[/]", guide_style="dim")
    nodes: dict[str, Tree] = {"": root}
    for path in sorted(drivers, key=lambda one: (one.count("/"), one)):
        parent, _, name = path.rpartition("/")
        label = Text(f"{name}/", "bold blue")
        _driver(label, drivers[path], "DefaultHierarchy")
        nodes[path] = nodes.get(parent, root).add(label)
    for cell in found["cells"]:
        parent, _, name = cell["path"].rpartition("/")
        dim = cell["kind"] in _DIM_KINDS and not cell["driver"]
        label = Text(name, "dim" if dim else "bold")
        label.append(f"  {cell['type'] or cell['kind']}", "dim")
        if cell["path"] == found["ps"]:
            label.append("  PS", "magenta")
        else:
            _driver(label, cell["driver"], "DefaultIP")
        nodes.get(parent, root).add(label)
    return root


def _driver(label: Text, driver: str | None, default: str) -> None:
    if driver:
        name = driver.rpartition(".")[2]
        label.append(f"  -> {name}", "dim" if name == default else "green")


def _tool(found: dict[str, Any]) -> str:
    """The tool that made it; only Vivado does not give its name."""
    tool = found["tool"]
    if not tool and found["format"] == "devicetree":
        return "a device tree"
    return tool if tool[:1].isalpha() else f"Vivado {tool or '?'}"


_WITHOUT_PS = {
    "xclbin": "that of the host, behind PCIe",
    "litex": "a soft one, or a host behind a bridge",
}


def _container(console: Console, found: dict[str, Any] | None) -> None:
    """The sections of an xclbin."""
    if found is None:
        return
    table = _table(console, "Sections", "kind", "name", "from", "bytes", right=["from", "bytes"])
    for one in found["sections"]:
        table.add_row(one["kind"], one["name"], _hex(one["offset"]), f"{one['size']:,}")
    console.print(table, "")


def _addresses(console: Console, found: dict[str, Any]) -> None:
    # One table for each different map: the channels of a DMA mostly see the same.
    maps: dict[tuple[Any, ...], list[str]] = {}
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in found["addresses"]:
        rows.setdefault(f"{row['master']}/{row['interface']}".strip("/"), []).append(row)
    for master, entries in rows.items():
        lines = tuple((row["base"], row["high"], _slave(row), row["driver"]) for row in entries)
        maps.setdefault((entries[0]["master"], *lines), []).append(master)
    for (_, *ranges), masters in maps.items():
        own = any(driver for *_, driver in ranges)
        columns = ["from", "to", "size", "what answers", *(["driver"] if own else [])]
        table = _table(
            console, f"Addresses seen by {', '.join(masters)}", *columns, right=["from", "to", "size"]
        )
        for base, high, slave, driver in ranges:
            last = [_short(driver)] if own else []
            table.add_row(_hex(base), _hex(high), size(high - base + 1), _Path(slave), *last)
        console.print(table, "")


def _slave(row: dict[str, Any]) -> str:
    return f"{row['slave']} ({row['block'] if row['kind'] == 'MEMORY' else row['slave_interface']})"


def _short(driver: str | None) -> str:
    name = (driver or "").rpartition(".")[2]
    return f"[dim]{name}[/]" if name.startswith("Default") else f"[green]{escape(name)}[/]"


def _interrupts(console: Console, found: dict[str, Any]) -> None:
    if not found["interrupts"]:
        return
    table = _table(
        console, "Interrupts", "pin", "kind", "input", "way to the processor", "GIC", right=["input", "GIC"]
    )
    for row in found["interrupts"]:
        way = " -> ".join([*row["controllers"], "PS" if row["gic"] is not None else "?"])
        gic = str(row["gic"]) if row["gic"] is not None else "-"
        kind = row["sensitivity"].lower().rpartition("_")[2] or "-"
        table.add_row(_Path(row["pin"]), escape(kind), str(row["index"]), _Path(way), gic)
    console.print(table, "")


def _clocks(console: Console, found: dict[str, Any]) -> None:
    if not found["clocks"]:
        return
    table = _table(console, "Clocks", "clock", "frequency", "on", "source", right=["frequency"])
    for row in found["clocks"]:
        divisors = "".join(f" / {divisor}" for divisor in row["divisors"])
        source = f"{row['source']}{divisors}" if row["source"] else "-"
        style = "" if row["enabled"] else "dim"
        table.add_row(
            _Path(row["name"]),
            _hertz(row["hertz"]),
            "yes" if row["enabled"] else "no",
            escape(source),
            style=style,
        )
    console.print(table, "")


def _rest(console: Console, found: dict[str, Any]) -> None:
    if found["memories"]:
        table = _table(console, "Memories", "memory", "kind", "from", "size", right=["from", "size"])
        for row in found["memories"]:
            table.add_row(_Path(row["name"]), escape(row["kind"]), _hex(row["base"]), size(row["size"]))
        console.print(table, "")
    if found["emio"]:
        table = _table(
            console, "GPIO of the PS (EMIO)", "name", "index", "width", "pins", right=["index", "width"]
        )
        for row in found["emio"]:
            table.add_row(_Path(row["name"]), str(row["index"]), str(row["width"]), _Path(_some(row["pins"])))
        console.print(table, "")


def _some(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:4]) + (f", {len(every) - 4} more" if len(every) > 4 else "")


def _hex(value: int) -> str:
    """Eight digits or more, in groups of four."""
    digits = f"{value:08x}"
    digits = digits.zfill(-(-len(digits) // 4) * 4)
    groups = [digits[at : at + 4] for at in range(0, len(digits), 4)]
    groups[0] = groups[0].lstrip("0") if len(groups) > 2 else groups[0]
    return f"0x{'_'.join(groups)}"


def _hertz(value: int | None) -> str:
    return "?" if value is None else f"{value / 1e6:,.6f}".rstrip("0").rstrip(".") + " MHz"
