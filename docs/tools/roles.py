"""Turn the cross-references of docstrings (``:class:`~pynq.MMIO```) into links of the reference pages."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|attr|data|exc|mod|obj):`(~?)([^`]+)`")
LITERAL = re.compile(r"``([^`]+)``")


def _link(match: re.Match[str], module: str) -> str:
    short, target = match.groups()
    name = target.rpartition(".")[2] if short else target
    full = target if target.startswith("pynq.") else f"{module}.{target.lstrip('.')}"
    # The second form of a link shows the text where the reference has no page for the target.
    return f'<autoref identifier="{full}" optional><code>{name}</code></autoref>'


class Roles(griffe.Extension):
    """Rewrites every docstring as it is collected."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each object."""
        if obj.docstring is not None:
            module = obj.module.path if not obj.is_module else obj.path
            text = ROLE.sub(lambda match: _link(match, module), obj.docstring.value)
            obj.docstring.value = LITERAL.sub(r"`\1`", text)
