"""The built-in models, one file per family of IP; importing one registers it."""

from __future__ import annotations

from importlib import import_module

__all__ = ["BUILT_IN", "load"]

BUILT_IN = (
    "axi_gpio",
    "axi_intc",
    "axi_timer",
    "axis_subset",
    "axis_switch",
    "decoupler",
    "dfx_controller",
    "proc_sys_reset",
)


def load() -> None:
    """Register the built-in models, those of the user first: a model that is bound already is not
    replaced.
    """
    for name in BUILT_IN:
        import_module(f"{__name__}.{name}")
