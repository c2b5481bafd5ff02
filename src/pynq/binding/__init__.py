"""Which class drives a block: the driver registry, binding, and the default drivers."""

from __future__ import annotations

from pynq.binding import companion
from pynq.binding.drivers import Drivers
from pynq.binding.drivers import registry as drivers
from pynq.binding.ip import DefaultIP, class_name
from pynq.binding.plan import Plan, Views, bind, bind_views
from pynq.binding.renew import reach, renew, within
from pynq.binding.tree import (
    DefaultHierarchy,
    Memory,
    Node,
    attribute_name,
    document,
    memory_entries,
)

__all__ = [
    "DefaultHierarchy",
    "DefaultIP",
    "Drivers",
    "Memory",
    "Node",
    "Plan",
    "Views",
    "attribute_name",
    "bind",
    "bind_views",
    "class_name",
    "companion",
    "document",
    "drivers",
    "memory_entries",
    "reach",
    "renew",
    "within",
]
