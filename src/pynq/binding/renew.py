"""A part of the dictionaries is made anew: what a region holds after a partial reconfiguration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pynq.binding.plan import Views
from pynq.design.partial import inside

__all__ = ["renew", "within"]


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
    """
    paths = tuple(regions)
    for name in ("ip_dict", "mem_dict", "hierarchy_dict"):
        old, new = getattr(current, name), getattr(fresh, name)
        for key in [key for key, entry in old.items() if _among(key, entry, paths)]:
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


def _among(key: Any, entry: dict[str, Any], regions: tuple[str, ...]) -> bool:
    path = entry.get("fullpath") or key
    return any(inside(str(path), region) for region in regions)
