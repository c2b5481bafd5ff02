"""The registers of an IP as its model sees them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pynq.backends.sim.regfile import RegisterSpec, identifier
from pynq.errors import ModelError
from pynq.wording import near

if TYPE_CHECKING:
    from pynq.backends.sim._engine import Host

__all__ = ["RegisterSet", "RegisterValue"]


class RegisterValue(int):
    """The contents of a register; its fields are attributes: ``self.registers.CTRL.START``, also to be
    set.
    """

    _set: RegisterSet
    _spec: RegisterSpec

    @classmethod
    def _make(cls, owner: RegisterSet, spec: RegisterSpec, value: int) -> RegisterValue:
        made = cls(value)
        object.__setattr__(made, "_set", owner)
        object.__setattr__(made, "_spec", spec)
        return made

    def __getattr__(self, name: str) -> int:
        low, width = self._field(name)
        return int(self) >> low & ((1 << width) - 1)

    def __setattr__(self, name: str, value: int) -> None:
        low, width = self._field(name)
        if not 0 <= value < 1 << width:
            raise ModelError(
                f"{self._set._owner}.{self._spec.name}.{name} = {value}: the field has {width} bits"
            )
        mask = ((1 << width) - 1) << low
        self._set._host.set(self._spec.offset, value << low, mask=mask, port=self._spec.port)

    def _field(self, name: str) -> tuple[int, int]:
        if name.startswith("__"):
            raise AttributeError(name)
        for known, place in self._spec.fields.items():
            if name in (known, identifier(known)):
                return place
        fields = map(identifier, self._spec.fields)
        raise AttributeError(
            f"{self._set._owner}: register {self._spec.name} has no field {name!r}; "
            f"{near(name, fields, 'known:')}"
        )


class RegisterSet:
    """A model's own view of its registers: raw storage, beyond access rights, without hooks and at no time.

    By attribute where the name is an identifier (others are spelt with ``_``), by the name in the
    description, or by offset.
    """

    __slots__ = ("_host", "_owner", "_specs")

    _host: Host
    _owner: str
    _specs: dict[str, RegisterSpec]

    def __init__(self, host: Host, owner: str, specs: Iterable[RegisterSpec]) -> None:
        object.__setattr__(self, "_host", host)
        object.__setattr__(self, "_owner", owner)
        known: dict[str, RegisterSpec] = {}
        for spec in specs:
            for name in (identifier(spec.name), identifier(f"{spec.port}_{spec.name}")):
                known.setdefault(name, spec)
        object.__setattr__(self, "_specs", known)

    def find(self, key: str | int) -> RegisterSpec:
        """Return how a register is laid out. Raises ``AttributeError`` with the near names."""
        if isinstance(key, int):
            for spec in self._specs.values():
                if spec.offset == key:
                    return spec
            raise AttributeError(f"{self._owner} has no register at offset {key:#x}")
        spec_of = self._specs.get(key) or self._specs.get(identifier(key))
        if spec_of is None:
            raise AttributeError(f"{self._owner} has no register {key!r}; {near(key, self._specs, 'known:')}")
        return spec_of

    def __getitem__(self, key: str | int) -> RegisterValue:
        spec = self.find(key)
        return RegisterValue._make(self, spec, self._host.get(spec.offset, port=spec.port))

    def __setitem__(self, key: str | int, value: int) -> None:
        spec = self.find(key)
        self._host.set(spec.offset, int(value) & spec.mask, port=spec.port)

    def __getattr__(self, name: str) -> RegisterValue:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: int) -> None:
        self[name] = value

    def __iter__(self) -> Any:
        return iter({spec.name: None for spec in self._specs.values()})

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._specs]

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={int(self[name]):#x}" for name in self)
        return f"<registers of {self._owner}: {values}>"
