"""What ``pynq check`` and ``pynq inspect --diff`` print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

__all__ = ["changes", "findings"]

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def findings(console: Console, found: dict[str, Any]) -> None:
    """``pynq check FILE``: a table for each severity, what to do below what was found."""
    console.print(Text.assemble((found["name"] or "(no name)", "bold"), "  ", (found["description"], "dim")))
    console.print()
    for severity, style in _STYLES.items():
        rows = [one for one in found["findings"] if one["severity"] == severity]
        if not rows:
            continue
        console.print(f"{len(rows)} {severity}{'' if len(rows) == 1 else 's'}", style=style)
        table = _table("rule", "what", "found", "line")
        for row in rows:
            text = Text(row["message"])
            text.append(f"\n-> {row['advice']}", "bold")
            other = Path(row["file"]).name if row["file"] != found["description"] else ""
            where = ":".join(filter(None, (other, str(row["line"] or ""))))
            table.add_row(row["rule"], _path(row["subject"]), text, where)
        console.print(table, "")
    if not found["findings"]:
        console.print("[green]Nothing found.[/]")


_WEIGHTS = {
    "breaks": ("Programs break", "bold red"),
    "behaves": ("Programs may behave differently", "yellow"),
    "harmless": ("Programs do not notice", "cyan"),
}


_SHOWN = 12  # changes of one kind, where they break nothing


def changes(console: Console, found: dict[str, Any]) -> None:
    """``pynq inspect FILE --diff OTHER``: what breaks programs first."""
    for which in ("old", "new"):
        one = found[which]
        text = f"{one['tool'] and 'Vivado ' + one['tool']}  {one['timestamp']}"
        console.print(Text.assemble((f"{which}  ", "bold"), one["description"], (f"  {text}", "dim")))
    console.print()
    for weight, (title, style) in _WEIGHTS.items():
        rows = [one for one in found["changes"] if one["weight"] == weight]
        if not rows:
            continue
        console.print(title, style=style)
        table = _table("", "what", "old", "new")
        for kind in dict.fromkeys(row["kind"] for row in rows):
            group = [row for row in rows if row["kind"] == kind]
            most = len(group) if weight == "breaks" else _SHOWN
            for number, row in enumerate(group[:most]):
                label = "" if number else kind
                table.add_row(label, _path(row["subject"]), _path(row["old"]), _path(row["new"]))
            if len(group) > most:
                table.add_row("", f"[dim]{len(group) - most} more: --json has them all[/]")
        console.print(table, "")
    if not found["changes"]:
        console.print("[green]The designs are equal.[/]")


def _table(*columns: str) -> Table:
    table = Table(header_style="bold cyan", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    return table


def _path(text: str) -> str:
    return escape(text)
