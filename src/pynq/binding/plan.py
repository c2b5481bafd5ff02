"""Binding: a design and the drivers in, which class drives what out. No device, no side effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pynq.binding.drivers import Drivers
from pynq.binding.ip import DefaultIP, class_name
from pynq.binding.tree import DefaultHierarchy
from pynq.design import Design, views
from pynq.errors import DriverFallbackWarning, PynqWarning, VersionMismatchWarning

__all__ = ["Plan", "Views", "bind", "bind_views"]

Description = dict[str, Any]


@dataclass(frozen=True)
class Views:
    """The dictionaries in PYNQ's form. An IP is one object, in ``ip_dict`` and in its hierarchy."""

    ip_dict: dict[str, Description]
    hierarchy_dict: dict[str, Description]
    mem_dict: dict[str, Description]
    gpio_dict: dict[str, Description]
    clock_dict: dict[Any, Description]
    interrupt_pins: dict[str, Description]
    interrupt_controllers: dict[str, Description]

    @classmethod
    def of(cls, design: Design) -> Views:
        """Make fresh dictionaries from a design."""
        made = cls(**{name: getattr(views, name)(design) for name in cls.__dataclass_fields__})
        for path, node in made.hierarchy_dict.items():
            for part, entries in (("ip", made.ip_dict), ("memories", made.mem_dict)):
                node[part] = {name: entries[f"{path}/{name}"] for name in node[part]}
        return made

    def map(self, change: Callable[[str, dict[Any, Description]], dict[Any, Description]]) -> Views:
        """Put the result of ``change(name, dictionary)`` in the place of each dictionary."""
        return Views(**{name: change(name, getattr(self, name)) for name in self.__dataclass_fields__})

    @classmethod
    def copy(cls, parser: Any) -> Views:
        """Copy the dictionaries of a foreign parser, which may have some of them only."""
        memo: dict[int, Any] = {}
        names = cls.__dataclass_fields__
        return cls(**{name: deepcopy(getattr(parser, name, None) or {}, memo) for name in names})


@dataclass(frozen=True)
class Plan:
    """Which class drives which block, by path; what is to be said about it; the descriptions with it."""

    ip: Mapping[str, type[Any]]
    hierarchies: Mapping[str, type[Any]]
    warnings: tuple[PynqWarning, ...]
    views: Views


def bind(design: Design, drivers: Drivers, *, ignore_version: bool = False) -> Plan:
    """Choose a driver for every IP and hierarchy of a design.

    Hierarchies are asked from the innermost outwards, so that a ``checkhierarchy`` can look at the drivers
    of what the hierarchy contains. A driver for another version of the type is taken only with
    ``ignore_version``; without it the plan has a :class:`~pynq.errors.VersionMismatchWarning`.
    """
    return bind_views(Views.of(design), drivers, ignore_version=ignore_version)


def bind_views(
    found: Views, drivers: Drivers, *, ignore_version: bool = False, common: Mapping[str, Any] | None = None
) -> Plan:
    """Do what :func:`bind` does in ready dictionaries; they get the drivers and what is ``common`` to all."""
    notes: list[PynqWarning] = []
    ip: dict[str, type[Any]] = {}
    for path, description in found.ip_dict.items():
        description.update(common or {})
        driver = _ip_driver(path, description.get("type") or "", drivers, ignore_version, notes)
        ip[path] = description["driver"] = driver or DefaultIP
    for description in (*found.mem_dict.values(), *found.hierarchy_dict.values()):
        description.update(common or {})
    hierarchies: dict[str, type[Any]] = {}
    for path in sorted(found.hierarchy_dict, key=lambda path: -path.count("/")):
        description = found.hierarchy_dict[path]
        driver = _hierarchy_driver(path, description, drivers, notes)
        hierarchies[path] = description["driver"] = driver or DefaultHierarchy
    return Plan(ip, hierarchies, tuple(notes), found)


def _ip_driver(
    path: str, ip_type: str, drivers: Drivers, ignore_version: bool, notes: list[PynqWarning]
) -> type[Any] | None:
    match = drivers.match(ip_type)
    if match.driver is None and match.others:
        if ignore_version:
            return match.others[0][1]
        known = ", ".join(f"{key} ({driver.__name__})" for key, driver in match.others)
        notes.append(
            VersionMismatchWarning(
                f"{path} is {ip_type}, but drivers exist for {known} only; it gets DefaultIP. "
                "Pass ignore_version=True to take the driver of another version."
            )
        )
    return match.driver


def _hierarchy_driver(
    path: str, description: Description, drivers: Drivers, notes: list[PynqWarning]
) -> type[Any] | None:
    for driver in drivers.hierarchies:
        try:
            if driver.checkhierarchy(description):
                return driver
        except Exception as error:  # noqa: BLE001  written for other designs: a missing key is a "no"
            notes.append(
                DriverFallbackWarning(
                    f"{class_name(driver)}.checkhierarchy failed on {path}, "
                    f"taken as False: {type(error).__name__}: {error}"
                )
            )
    return None
