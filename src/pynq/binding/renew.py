"""A part of the dictionaries is made anew: what a region holds after a partial reconfiguration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pynq.binding.plan import Views
from pynq.design.partial import inside

__all__ = ["reach", "renew", "within"]


def within(views: Views, regions: Iterable[str]) -> Views:
    """Return the part of the dictionaries that is about what lies in the regions; the entries are shared."""
    paths = tuple(regions)

    def chosen(_: str, entries: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
        return {name: entry for name, entry in entries.items() if _among(name, entry, paths)}

    return views.map(chosen)


def renew(current: Views, fresh: Views, regions: Iterable[str]) -> None:
    """Bring dictionaries up to date in place, with those of the design as it is now.

    What lies in the regions is replaced. Entries of what lies outside stay the objects they are, since
    drivers hold them; only their interrupts and pins are brought up to date. So do the entries of regions.
    What is reached through a region comes and goes with its contents.
    """
    paths = tuple(regions)
    for name in ("ip_dict", "mem_dict", "hierarchy_dict"):
        old, new = getattr(current, name), getattr(fresh, name)
        for key in [key for key, entry in old.items() if key not in new or _among(key, entry, paths)]:
            if key not in paths or name != "hierarchy_dict":
                del old[key]
        for key, entry in new.items():
            if key not in old:
                old[key] = entry
            elif key in paths:
                old[key].clear()
                old[key].update(entry)
            else:
                for part in ("interrupts", "gpio"):
                    if part in entry and part in old[key]:
                        old[key][part] = entry[part]
                if name == "hierarchy_dict":
                    for part in ("ip", "memories"):
                        _follow(old[key].get(part, {}), entry.get(part, {}))
    for name in ("gpio_dict", "clock_dict", "interrupt_pins", "interrupt_controllers"):
        old, new = getattr(current, name), getattr(fresh, name)
        for key in [key for key in old if key not in new]:
            del old[key]
        for key, entry in new.items():
            kept = old.setdefault(key, entry)
            if kept is not entry:
                if "state" in kept:
                    entry = {**entry, "state": kept["state"]}
                kept.clear()
                kept.update(entry)


def reach(views: Views) -> set[str]:
    """Return the paths of all IP and memories that the dictionaries have."""
    return {
        str(entry.get("fullpath") or key)
        for entries in (views.ip_dict, views.mem_dict)
        for key, entry in entries.items()
    }


def _follow(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Let what is there be what is in a new dictionary; what is in both stays the object it is."""
    for key in [key for key in old if key not in new]:
        del old[key]
    for key, entry in new.items():
        old.setdefault(key, entry)


def _among(key: Any, entry: dict[str, Any], regions: tuple[str, ...]) -> bool:
    path = entry.get("fullpath") or key
    return any(inside(str(path), region) for region in regions)
