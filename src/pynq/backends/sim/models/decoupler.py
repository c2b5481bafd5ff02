"""DFX Decoupler (PG375) and DFX AXI Shutdown Manager (PG377), with their older names (PG227, PG305).

What leads through them is the engine's business: streams are routes, accesses look at the barrier. A model
only opens and closes.
"""

from __future__ import annotations

from pynq.backends.sim.model import Model
from pynq.backends.sim.models._dictionary import entries, parse
from pynq.backends.sim.nets import number, parameter
from pynq.backends.sim.passages import MANAGERS
from pynq.backends.sim.regfile import Reg, RegisterSpec, specs_of_model
from pynq.design.kinds import DECOUPLERS, other_side
from pynq.design.model import Cell

__all__ = ["Decoupler", "ShutdownManager"]


def _bound(names: tuple[str, ...]) -> list[str]:
    return [f"xilinx.com:ip:{name}" for name in names]


class Decoupler(Model, built_in=True):
    """Passes everything on, or nothing.

    It decouples while its input ``decouple`` is 1 (PG375, "Operation") or bit 0 of its register is; the same
    address read gives the status (Linux, drivers/fpga/xilinx-pr-decoupler.c, which uses it so). A design has
    one of the two; that either is enough where it has both is taken for granted.

    Streams then stop on both sides, wires have their decoupled value (0 where the description gives none),
    and an access to the bus, which in hardware nobody answers, raises an error at once.
    """

    bindto = _bound(DECOUPLERS)
    handles_reset = True  # resets that pass through it are wires like others

    @classmethod
    def specs(cls, cell: Cell) -> list[RegisterSpec]:
        """Return the one register, where there is a port for it."""
        has = any(name.lower().startswith("s_axi_reg") for name in cell.interfaces)
        return specs_of_model(cls.__name__, {"CONTROL": Reg(0, writable=1)} if has else {})

    def on_reset(self) -> None:
        """Begin as the control input says."""
        self._wires = [
            (name, source)
            for name, pin in self._pins.items()
            if pin.output and (source := other_side(name)) in self._pins
        ]
        self._levels = _decoupled_values(parameter(self.cell, "ALL_PARAMS"))
        self._closed: bool | None = None
        self._update()

    async def main(self) -> None:
        """Pass the levels of wires on."""
        for name, pin in self._pins.items():
            if not pin.output and name != "decouple":
                self.start(self._watch(name))

    async def _watch(self, name: str) -> None:
        while True:
            level = await self.pin(name).changed()
            if name.lower() == "s_axi_reg_aresetn":
                if not level and self._has_register:
                    self.registers.CONTROL = 0
                self._update()
            else:
                self._pass_on()

    def on_pin_decouple(self, level: int) -> None:
        """Open or close."""
        self._update()

    @property
    def _has_register(self) -> bool:
        return "CONTROL" in set(self.registers)

    def _wanted(self) -> bool:
        by_pin = "decouple" in self._pins and bool(self.pin("decouple").level & 1)
        return by_pin or (self._has_register and bool(int(self.registers.CONTROL) & 1))

    def _update(self) -> None:
        closed = self._wanted()
        if closed != self._closed:
            self._closed = closed
            self.host.barrier = (
                f"{self.name} decouples it (a real bus would hang): release it first" if closed else ""
            )
            for name, port in self._streams.items():
                other = other_side(name)
                if not port._sink and other in self._streams:
                    self.host.route(name, "" if closed else other)
            if "decouple_status" in self._pins:
                self.pin("decouple_status").drive(int(closed))
        self._pass_on()

    def _pass_on(self) -> None:
        for name, source in self._wires:
            self.pin(name).drive(self._levels.get(name, 0) if self._closed else self.pin(source).level)

    def _connect_hooks(self) -> None:
        super()._connect_hooks()
        if self._has_register:
            spec = self._find("CONTROL")
            self.host.on_write(spec.offset, self._guard(lambda value, before: self._update()), port=spec.port)
            self.host.on_read(spec.offset, lambda: int(bool(self._closed)), port=spec.port)

    def explain(self, channel: str) -> str:
        """Return why a stream stands still."""
        return f"{self.name} decouples its interfaces" if self._closed else ""

    def hears(self) -> list[str]:
        """Return what can change its outputs."""
        return [name for name, pin in self._pins.items() if not pin.output]


class ShutdownManager(Model, built_in=True):
    """Passes accesses on, or answers them itself.

    Bit 0 of its register, or the input ``request_shutdown``, asks for it; the register reads as: bit 0
    requested, bit 1 in shutdown, bits 2 and 3 the same for writes and reads. Answers are ``DP_AXI_RESP``,
    reads give zeros. Accesses here are over in an instant, so the shutdown begins at once. Its interrupts
    stay low: not modelled.
    """

    bindto = _bound(MANAGERS)

    @classmethod
    def specs(cls, cell: Cell) -> list[RegisterSpec]:
        """Return the one register, where there is a port for it."""
        has = number(parameter(cell, "C_CTRL_INTERFACE_TYPE", "CTRL_INTERFACE_TYPE"), 1) == 1
        return specs_of_model(cls.__name__, {"CONTROL": Reg(0, writable=1)} if has else {})

    def on_reset(self) -> None:
        """Begin as the control input says."""
        responses = {2: "SLVERR", 3: "DECERR"}
        code = number(parameter(self.cell, "C_DP_AXI_RESP", "DP_AXI_RESP"))
        self.host.barrier_response = responses.get(code, "OKAY")  # type: ignore[assignment]
        self._update()

    def on_pin_request_shutdown(self, level: int) -> None:
        """Open or close."""
        self._update()

    def _wanted(self) -> bool:
        by_pin = "request_shutdown" in self._pins and bool(self.pin("request_shutdown").level & 1)
        return by_pin or ("CONTROL" in set(self.registers) and bool(int(self.registers.CONTROL) & 1))

    def _update(self) -> None:
        self._closed = self._wanted()
        self.host.barrier = f"{self.name} has shut it down: release it first" if self._closed else ""
        for name in ("shutdown_requested", "in_shutdown", "wr_in_shutdown", "rd_in_shutdown"):
            if name in self._pins:
                self.pin(name).drive(int(self._closed))

    def _connect_hooks(self) -> None:
        super()._connect_hooks()
        if "CONTROL" in set(self.registers):
            spec = self._find("CONTROL")
            self.host.on_write(spec.offset, self._guard(lambda value, before: self._update()), port=spec.port)
            self.host.on_read(spec.offset, lambda: 0xF * self._closed, port=spec.port)

    def explain(self, channel: str) -> str:
        """Return why accesses are answered without effect."""
        return f"{self.name} is in shutdown" if self._closed else ""


def _decoupled_values(text: str) -> dict[str, int]:
    """Return the levels that wires have while they are decoupled, by the pins ``rp_x_y`` and ``s_x_y``.

    The parameter is a nested list of names and values (a Tcl dictionary), with one entry for each interface.
    """
    found: dict[str, int] = {}
    for interface, body in entries(parse(text).get("INTF")):
        for signal, options in entries(dict(entries(body)).get("SIGNALS")):
            value = dict(entries(options)).get("DECOUPLED_VALUE", "")
            if isinstance(value, str) and value:
                for side in ("rp", "s"):
                    found[f"{side}_{interface}_{signal}"] = number(value)
    return found
