"""AXI4-Stream Switch and Combiner (PG085)."""

from __future__ import annotations

import numpy as np

from pynq.backends.sim.model import Model
from pynq.backends.sim.model_ports import StreamPort
from pynq.backends.sim.nets import number, parameter
from pynq.backends.sim.regfile import Reg, RegisterSpec, specs_of_model
from pynq.design.model import Cell
from pynq.errors import ModelError

__all__ = ["AxisCombiner", "AxisSwitch"]

_DISABLE = 1 << 31
_SOFT_RESET = 16  # cycles that a commit of the routes lasts


def _count(cell: Cell, side: str) -> int:
    return number(parameter(cell, f"C_NUM_{side}_SLOTS", f"NUM_{side}"), 2)


def _by_registers(cell: Cell) -> bool:
    return number(parameter(cell, "C_ROUTING_MODE", "ROUTING_MODE")) == 1


class AxisSwitch(Model, built_in=True):
    """Routes by registers, natively and a beat a cycle; or by TDEST, packet by packet.

    Registers (PG085, "Control Register" and "MI_MUX[0-15] Register"): a 1 in REG_UPDATE takes the routes
    over, which were only noted before, and resets the switch for about 16 cycles, which are over before the
    program could read the bit. Of two outputs with the same input the lower one has it. The guide gives no
    value of the routes after a reset: here all outputs are disabled, so that data goes only where the program
    said.

    By TDEST (PG085, "Routing") a packet goes to the output whose range holds its TDEST; arbitration is
    between whole packets. The guide does not say what becomes of one that no range holds: here it is dropped.
    """

    bindto = ["xilinx.com:ip:axis_switch"]

    @classmethod
    def specs(cls, cell: Cell) -> list[RegisterSpec]:
        """Return the registers of the outputs there are."""
        if not _by_registers(cell):
            return []
        declared: dict[str, Reg | int] = {"CTRL": Reg(0, writable=2, self_clearing=2)}
        for index in range(_count(cell, "MI")):
            declared[f"MI_MUX{index}"] = Reg(0x40 + 4 * index, reset=_DISABLE, writable=_DISABLE | 0xF)
        return specs_of_model(cls.__name__, declared)

    def _connect_hooks(self) -> None:
        super()._connect_hooks()
        if _by_registers(self.cell):
            self.host.on_write(0, self._guard(self._commit))

    def on_reset(self) -> None:
        """Disable all outputs."""
        self._routes: dict[str, str] = {}
        self._settling = False

    def _commit(self, value: int, before: int) -> None:
        if not value & 2:
            return
        taken: set[str] = set()
        self._routes = {}
        for index in range(_count(self.cell, "MI")):
            choice = self.host.get(0x40 + 4 * index)
            source, sink = f"M{index:02d}_AXIS", f"S{choice & 0xF:02d}_AXIS"
            if not choice & _DISABLE and sink not in taken and {source, sink} <= set(self._streams):
                taken.add(sink)
                self._routes[source] = sink
        for name, port in self._streams.items():
            if not port._sink:
                self.host.route(name)
        if not self._settling:
            self._settling = True
            self.start(self._settle())

    async def _settle(self) -> None:
        await self.cycles(_SOFT_RESET)
        self._settling = False
        for source, sink in self._routes.items():
            self.host.route(source, sink)

    async def main(self) -> None:
        """Route by TDEST."""
        if _by_registers(self.cell):
            return
        packets = bool(number(parameter(self.cell, "HAS_TLAST", "C_HAS_TLAST"), 1))
        for port in [port for port in self._streams.values() if port._sink]:
            self.start(self._serve(port, packets))

    async def _serve(self, port: StreamPort, packets: bool) -> None:
        while True:
            data = await port.recv(None if packets else port.width)
            for index in range(_count(self.cell, "MI")):
                low = number(parameter(self.cell, f"M{index:02d}_AXIS_BASETDEST"), index)
                high = number(parameter(self.cell, f"M{index:02d}_AXIS_HIGHTDEST"), index)
                name = f"M{index:02d}_AXIS"
                if low <= data.dest <= high and name in self._streams:
                    await self.stream(name).send(
                        data, last=data.last, dest=data.dest, user=data.user, id=data.id
                    )
                    break

    def explain(self, channel: str) -> str:
        """Return which input leads nowhere."""
        if not _by_registers(self.cell):
            return super().explain(channel)
        used = self._routes.values()
        idle = [name for name, port in self._streams.items() if port._sink and name not in used]
        if channel in idle or (not channel and idle):
            which = channel or ", ".join(idle)
            return f"{self.name}: {which} is routed to no output (MI_MUX registers, then REG_UPDATE)"
        return ""


class AxisCombiner(Model, built_in=True):
    """Puts the beats of its inputs side by side; TLAST, TDEST and TUSER are those of the first.

    Inputs whose TLAST do not come together, which the hardware reports as an error (PG085, "Overview of
    Features"), end the model with an error; TID and TDEST that differ are not looked at.
    """

    bindto = ["xilinx.com:ip:axis_combiner"]

    async def main(self) -> None:
        """Take a packet from each (a beat, where there is no TLAST), and give one."""
        names = sorted(name for name, port in self._streams.items() if port._sink)
        packets = bool(number(parameter(self.cell, "HAS_TLAST", "C_HAS_TLAST"), 1))
        while names and "M_AXIS" in self._streams:
            found = []
            for name in names:
                port = self.stream(name)
                found.append((port.width, await port.recv(None if packets else port.width)))
            counts = {-(-len(data) // width) for width, data in found}
            if len(counts) > 1:
                raise ModelError(f"TLAST of {' and '.join(names)} does not come with the same beat: {counts}")
            rows = []
            for width, data in found:
                beats = np.zeros(counts.copy().pop() * width, np.uint8)
                beats[: len(data)] = data
                rows.append(beats.reshape(-1, width))
            first = found[0][1]
            await self.stream("M_AXIS").send(
                np.concatenate(rows, axis=1), last=first.last, dest=first.dest, user=first.user, id=first.id
            )
