"""The PS of a virtual board: as drivers see it, and what that does to the simulated PL."""

from __future__ import annotations

import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vfio_kit import Client

from pynq._native import Window
from pynq.backends.kernel import Kernel
from pynq.backends.linux.clocks import Clocks
from pynq.backends.linux.pssetup import settings as port_settings
from pynq.backends.sim import SimDevice
from pynq.design.hwh import read, read_bytes
from pynq.design.model import Design, Processor
from pynq.vm.ps import Ps
from pynq.vm.psblock import ConfigPort, Words, checksums

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from examples.tools import designs  # noqa: E402
from examples.tools.blockdesign import Pin, vector  # noqa: E402

PS7 = "processing_system7_0"
SLCR, GPIO, PORT = 0xF800_0000, 0xE000_A000, 0xFE00_0000
LEDS = 0x4121_0000
WIDTH = 40  # EMIO pins: more than a bank
IMAGE = b"\xff" * 32 + b"\x00\x00\x00\xbb\x11\x22\x00\x44 an image"


def emio_design(width: int = WIDTH) -> Design:
    """buttons_leds, with EMIO pins that go to the board."""
    design = designs.buttons_leds()
    cell = design.cells[PS7]
    for name, direction, board in (
        ("GPIO_I", "I", "emio_i"),
        ("GPIO_O", "O", "emio_o"),
        ("GPIO_T", "O", "emio_t"),
    ):
        inner = vector(name, direction, width)
        outer = Pin(board, direction, inner.left, inner.right)
        inner.signal = outer.signal = f"{PS7}_{name}"
        inner.peers.append((f"{design.name}_imp", board))
        outer.peers.append((PS7, name))
        cell.pins.append(inner)
        design.external_pins.append(outer)
    return read_bytes(design.to_xml().encode(), "emio.hwh")


class Machine:
    """The board, its PS, and a guest's view of the PS's registers."""

    def __init__(self, device: SimDevice, **options: object) -> None:
        self.device = device
        self.ps = Ps(device, **options)  # type: ignore[arg-type]
        self.blocks = {block.address: block for block in self.ps.blocks}
        self.interrupts: list[tuple[int, bool]] = []

    def window(self, address: int, length: int) -> Window:
        block = self.of(address)
        return Window.from_functions(
            lambda at, width: block.read(at - block.address, width),
            lambda at, value, width: block.write(at - block.address, value, width),
            address,
            length,
        )

    def of(self, address: int) -> Words:
        for block in self.ps.blocks:
            if block.address <= address < block.address + block.size:
                return block  # type: ignore[return-value]
        raise AssertionError(f"nothing at {address:#x}")

    def read(self, address: int, width: int = 4) -> int:
        block = self.of(address)
        return block.read(address - block.address, width)

    def write(self, address: int, value: int, width: int = 4) -> None:
        block = self.of(address)
        block.write(address - block.address, value, width)


@pytest.fixture
def device() -> Iterator[SimDevice]:
    with SimDevice("sim:vm") as made:
        made.download(emio_design(), None)
        yield made


@pytest.fixture
def machine(device: SimDevice, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(device)
    monkeypatch.setattr(made.ps, "_served", Recorder(made))
    return made


class Recorder:
    """Instead of a served board."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.isolated: list[bool] = []
        self.resets = 0

    def set_interrupt(self, number: int, level: bool) -> None:
        self.machine.interrupts.append((number, level))

    def isolate(self, on: bool) -> None:
        self.isolated.append(on)

    def reset(self) -> None:
        self.resets += 1
        self.machine.device.download_again()


def emio(machine: Machine, index: int) -> tuple[int, int]:
    """Return bank and bit of an EMIO pin."""
    return 2 + index // 32, index % 32


def drive(machine: Machine, index: int, level: int) -> None:
    """What the kernel's driver does for gpiod_direction_output (see gpio-zynq)."""
    bank, bit = emio(machine, index)
    for offset in (0x204, 0x208):
        address = GPIO + offset + 0x40 * bank
        machine.write(address, machine.read(address) | 1 << bit)
    value(machine, index, level)


def value(machine: Machine, index: int, level: int) -> None:
    bank, bit = emio(machine, index)
    address = GPIO + 8 * bank + (4 if bit >= 16 else 0)
    machine.write(address, ~(1 << bit % 16 + 16) & (level << bit % 16 | 0xFFFF_0000) & 0xFFFF_FFFF)


# -- GPIO ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("index", [0, 7, 15, 16, 31, 32, 39])
def test_outputs_reach_the_wires(machine: Machine, device: SimDevice, index: int) -> None:
    everything = (1 << WIDTH) - 1
    assert device.board.sample("emio_t") == everything
    drive(machine, index, 1)
    assert device.board.sample("emio_o") == 1 << index
    assert device.board.sample("emio_t") == everything ^ 1 << index
    bank, bit = emio(machine, index)
    assert machine.read(GPIO + 0x40 + 4 * bank) == 1 << bit
    value(machine, index, 0)
    assert device.board.sample("emio_o") == 0
    machine.write(GPIO + 0x204 + 0x40 * bank, 0)
    assert device.board.sample("emio_t") == everything


def test_pins_of_one_write_change_at_once(machine: Machine, device: SimDevice) -> None:
    seen: list[int] = []
    for index in range(8):
        drive(machine, index, 0)
    device.board.on_change("emio_o", seen.append)
    machine.write(GPIO + 0x40 + 8, 0xA5)
    machine.write(GPIO + 0x10, 0xFF00_005A)
    assert seen == [0xA5, 0x5A]


def test_inputs_come_from_the_wires(machine: Machine, device: SimDevice) -> None:
    pattern = 0x85_1234_0001
    device.board.drive("emio_i", pattern)
    for register in (0x40, 0x60):
        words = [machine.read(GPIO + register + 4 * bank) for bank in (2, 3)]
        assert words == [pattern & 0xFFFF_FFFF, pattern >> 32]
    drive(machine, 0, 0)  # the driver reads outputs and inputs in one register
    assert machine.read(GPIO + 0x48) == 0x1234_0000
    assert machine.read(GPIO + 0x68) == 0x1234_0001


def test_mio_pins_lead_nowhere(machine: Machine) -> None:
    machine.write(GPIO + 0x40, 0xFFFF_FFFF)
    assert (machine.read(GPIO + 0x40), machine.read(GPIO + 0x60)) == (0xFFFF_FFFF, 0)
    machine.write(GPIO + 0x204, 0xF)
    machine.write(GPIO + 0x208, 0x3)
    assert machine.read(GPIO + 0x60) == 0x3
    machine.write(GPIO + 0x44, 0xFFFF_FFFF)
    assert machine.read(GPIO + 0x44) == (1 << 22) - 1


@pytest.mark.parametrize(
    ("kind", "polarity", "both", "steps"),
    [
        ("edge", 1, 0, {1: True, 0: False}),
        ("edge", 0, 0, {1: False, 0: True}),
        ("edge", 0, 1, {1: True, 0: True}),
        ("level", 1, 0, {1: True, 0: False}),
        ("level", 0, 0, {1: False, 0: True}),
    ],
)
@pytest.mark.parametrize("index", [3, 37])
def test_interrupts(
    machine: Machine,
    device: SimDevice,
    kind: str,
    polarity: int,
    both: int,
    steps: dict[int, bool],
    index: int,
) -> None:
    bank, bit = emio(machine, index)
    base = GPIO + 0x204 + 0x40 * bank
    for other in range(4):  # as the driver's probe does
        machine.write(GPIO + 0x214 + 0x40 * other, 0xFFFF_FFFF)
    level = 0 if steps.get(0) is not True or kind == "edge" else 1
    device.board.drive("emio_i", level << index)
    if kind == "level":
        machine.write(base + 0x18, machine.read(base + 0x18) & ~(1 << bit))
    machine.write(base + 0x1C, polarity << bit)
    machine.write(base + 0x20, both << bit)
    machine.write(base + 0x14, 0xFFFF_FFFF)
    machine.write(base + 0x0C, 1 << bit)
    assert machine.read(base + 0x08) & 1 << bit == 0
    assert machine.interrupts == []
    for want in (1, 0, 1, 0):
        device.board.drive("emio_i", want << index)
        fired = steps[want] and want != level
        level = want
        assert machine.interrupts == ([(52, True)] if fired else []), want
        assert machine.read(base + 0x14) == (1 << bit if fired else 0)
        machine.interrupts.clear()
        if fired and kind == "edge":
            machine.write(base + 0x14, 1 << bit)
            assert machine.interrupts == [(52, False)]
        elif fired:
            machine.write(base + 0x14, 1 << bit)
            assert machine.interrupts == []  # the level lasts
            device.board.drive("emio_i", (1 - want) << index)
            machine.write(base + 0x14, 1 << bit)
            assert machine.interrupts == [(52, False)]
            device.board.drive("emio_i", (1 - want) << index)
            level = 1 - want
        machine.interrupts.clear()


def test_a_masked_interrupt_waits(machine: Machine, device: SimDevice) -> None:
    base = GPIO + 0x204 + 0x80
    machine.write(base + 0x10, 0xFFFF_FFFF)
    machine.write(base + 0x1C, 1)
    device.board.drive("emio_i", 1)
    assert machine.interrupts == []
    assert machine.read(base + 0x14) == 1
    assert machine.read(base + 0x08) == 0xFFFF_FFFF
    machine.write(base + 0x0C, 1)
    assert machine.interrupts == [(52, True)]
    machine.write(base + 0x10, 1)
    assert machine.interrupts == [(52, True), (52, False)]


def test_wires_and_levels_survive_a_configuration(machine: Machine, device: SimDevice) -> None:
    drive(machine, 5, 1)
    machine.ps.config.known = {zlib.crc32(IMAGE): "emio"}
    configure(machine, IMAGE)
    assert device.board.sample("emio_o") == 1 << 5
    device.board.drive("emio_i", 2)
    assert machine.read(GPIO + 0x68) == 2


@settings(max_examples=60, deadline=None)
@given(
    accesses=st.lists(
        st.tuples(
            st.integers(0, 0xFFF), st.sampled_from([1, 2, 4, 8]), st.none() | st.integers(0, (1 << 64) - 1)
        ),
        max_size=30,
    ),
    which=st.integers(0, 3),
)
def test_any_access_is_answered(accesses: list[tuple[int, int, int | None]], which: int) -> None:
    with SimDevice("sim:any") as device:
        device.download(emio_design(8), None)
        machine = Machine(device)
        block = machine.ps.blocks[which]
        for place, width, written in accesses:
            offset = place // width * width
            if written is None:
                assert 0 <= block.read(offset, width) < 1 << 8 * width
            else:
                block.write(offset, written & (1 << 8 * width) - 1, width)


# -- clocks, resets, level shifters --------------------------------------------------------------------------
class Family:
    def __init__(self, processor: Processor | None) -> None:
        self.processor = processor


def clocks_of(machine: Machine, design: Design, root: Path) -> Clocks:
    from pynq.backends.linux.clocks import described_reference

    return Clocks(
        Kernel(root), Family(design.processor), machine.window, reference=described_reference(design)
    )


def test_the_pl_follows_its_clock_registers(machine: Machine, device: SimDevice, tmp_path: Path) -> None:
    design = device.plant.design
    clocks = clocks_of(machine, design, tmp_path)
    assert clocks.rate(0) == pytest.approx(device.clock_rate(0))
    for wanted in (50e6, 12.5e6, 150e6):
        reached = clocks.set(0, wanted)
        assert device.clock_rate(0) == pytest.approx(reached, rel=1e-9)
    clocks.set(0, 0)
    assert device.clock_rate(0) == 0
    clocks.set(0, 100e6)
    rate = device.clock_rate(0)
    machine.ps.config.known = {zlib.crc32(IMAGE): "emio"}
    configure(machine, IMAGE)
    assert device.clock_rate(0) == rate


def test_the_slcr_is_locked_and_unlocked(machine: Machine) -> None:
    assert machine.read(SLCR + 0xC) == 0
    machine.write(SLCR + 4, 0x767B)
    before = machine.read(SLCR + 0x170)
    machine.write(SLCR + 0x170, 0x0010_0500)
    assert (machine.read(SLCR + 0xC), machine.read(SLCR + 0x170)) == (1, before)
    machine.write(SLCR + 8, 0xDF0D)
    machine.write(SLCR + 0x170, 0x0010_0500)
    assert (machine.read(SLCR + 0xC), machine.read(SLCR + 0x170)) == (0, 0x0010_0500)


def test_level_shifters_cut_the_pl_off(machine: Machine) -> None:
    served: Recorder = machine.ps._served  # type: ignore[assignment]
    machine.write(SLCR + 0x900, 0)
    machine.write(SLCR + 0x900, 0xA)
    machine.write(SLCR + 0x900, 0xF)
    assert served.isolated == [True, True, False]


def test_a_reset_of_the_ps_resets_the_pl(machine: Machine, device: SimDevice) -> None:
    window = device.map(LEDS, 0x1000)
    window.write(0x0, 0x9)
    assert window.read(0x0) == 0x9
    machine.write(SLCR + 0x240, 1)
    device.run(1e-6)
    machine.write(SLCR + 0x240, 0)
    device.run(1e-6)
    assert window.read(0x0) == 0


# -- configuration -------------------------------------------------------------------------------------------
def configure(machine: Machine, image: bytes, flags: int = 0, command: int = ConfigPort.COMPLETE) -> int:
    """What the guest's FPGA manager does."""
    machine.write(PORT + ConfigPort.FLAGS, flags)
    machine.write(PORT + ConfigPort.COMMAND, ConfigPort.BEGIN)
    machine.write(PORT + ConfigPort.CRC, zlib.crc32(image))
    machine.write(PORT + ConfigPort.SIZE, len(image))
    machine.write(PORT + ConfigPort.COMMAND, command)
    return machine.read(PORT + ConfigPort.STATUS)


def test_a_known_image_configures_the_pl(machine: Machine, device: SimDevice) -> None:
    served: Recorder = machine.ps._served  # type: ignore[assignment]
    machine.ps.config.known = dict.fromkeys(checksums(IMAGE), "emio")
    assert machine.read(PORT) == 0x51564D31
    assert machine.read(PORT + ConfigPort.STATUS) == ConfigPort.IDLE
    device.map(LEDS, 0x1000).write(0x0, 0x9)
    before = device.plant
    assert configure(machine, IMAGE) == ConfigPort.OPERATING
    assert (served.resets, served.isolated) == (1, [True, False])
    assert device.plant is not before
    swapped = b"".join(IMAGE[at : at + 4][::-1] for at in range(0, len(IMAGE) // 4 * 4, 4))
    assert configure(machine, swapped + IMAGE[len(swapped) :]) == ConfigPort.OPERATING
    assert machine.read(PORT + ConfigPort.SIZE) == len(IMAGE)


def test_an_unknown_image_leaves_the_pl_cut_off(machine: Machine) -> None:
    served: Recorder = machine.ps._served  # type: ignore[assignment]
    assert configure(machine, b"other") == ConfigPort.ERROR
    assert (served.resets, served.isolated) == (0, [True])
    assert configure(machine, IMAGE, command=ConfigPort.ABORT) == ConfigPort.ERROR
    assert machine.read(PORT + ConfigPort.COMMAND) == 0


def test_a_fault_is_readable_and_one_never_ends(machine: Machine) -> None:
    machine.ps.config.known = {zlib.crc32(IMAGE): "emio"}
    machine.ps.config.fault = 2
    machine.write(PORT + ConfigPort.FAULT, 0)  # the host's, not the guest's
    assert machine.read(PORT + ConfigPort.FAULT) == 2
    machine.ps.config.fault = ConfigPort.NEVER
    assert configure(machine, IMAGE) == ConfigPort.CONFIGURING
    machine.ps.config.fault = 0
    assert configure(machine, IMAGE) == ConfigPort.OPERATING


def test_a_failure_of_the_host_is_an_error_of_the_load(device: SimDevice) -> None:
    def fail(name: str, flags: int) -> None:
        raise RuntimeError(f"{name} {flags}")

    machine = Machine(device, known={zlib.crc32(IMAGE): "emio"}, load=fail)
    with pytest.raises(RuntimeError, match="emio 0"):
        configure(machine, IMAGE)
    assert machine.read(PORT + ConfigPort.STATUS) == ConfigPort.ERROR
    assert isinstance(machine.ps.config.failure, RuntimeError)


def test_an_image_for_a_region_cuts_nothing_off(device: SimDevice) -> None:
    loads: list[tuple[str, int]] = []
    machine = Machine(
        device, known={zlib.crc32(IMAGE): "region"}, load=lambda name, flags: loads.append((name, flags))
    )
    recorder = Recorder(machine)
    machine.ps.connect(recorder)  # type: ignore[arg-type]
    assert configure(machine, IMAGE, flags=1) == ConfigPort.OPERATING
    assert loads == [("region", 1)]
    assert recorder.isolated == [False]


def test_the_exit_status_of_the_guest(machine: Machine) -> None:
    assert machine.ps.config.exit is None
    machine.write(PORT + ConfigPort.EXIT, 3)
    assert machine.ps.config.exit == 3


# -- served --------------------------------------------------------------------------------------------------
def test_served_to_another_machine(device: SimDevice, tmp_path: Path) -> None:
    ps = Ps(device, known={zlib.crc32(IMAGE): "emio"})
    with device.serve(tmp_path, blocks=ps.blocks) as served:
        ps.connect(served)
        offset = {one.address: one.offset for one in served.apertures}

        def place(address: int) -> int:
            base = max(one for one in offset if one <= address)
            return offset[base] + address - base

        with Client(served.socket) as client:

            def put(address: int, word: int) -> None:
                client.write(place(address), word)

            def get(address: int) -> int:
                return client.read(place(address))

            assert get(PORT) == 0x51564D31
            put(LEDS, 0x5)
            assert device.board.sample("leds_4bits") == 5
            put(GPIO + 0x204 + 0x80, 1)
            put(GPIO + 0x48, 1)
            assert device.board.sample("emio_o") == 1
            put(SLCR + 0x900, 0)
            assert get(LEDS) == 0xFFFF_FFFF
            put(SLCR + 0x900, 0xF)
            assert get(LEDS) == 5
            put(PORT + ConfigPort.COMMAND, ConfigPort.BEGIN)
            assert get(LEDS) == 0xFFFF_FFFF
            put(PORT + ConfigPort.CRC, zlib.crc32(IMAGE))
            put(PORT + ConfigPort.COMMAND, ConfigPort.COMPLETE)
            assert get(PORT + ConfigPort.STATUS) == ConfigPort.OPERATING
            assert get(LEDS) == 0
            assert device.board.sample("emio_o") == 1


def test_wires_and_registers_change_from_two_threads(device: SimDevice) -> None:
    machine = Machine(device)
    base = GPIO + 0x204 + 0x80
    machine.write(base + 0x20, 0xFFFF_FFFF)
    recorder = Recorder(machine)
    machine.ps.connect(recorder)  # type: ignore[arg-type]
    done = threading.Event()

    def outside() -> None:
        for step in range(400):
            device.board.drive("emio_i", step & 0xFF)
        done.set()

    thread = threading.Thread(target=outside)
    thread.start()
    step = 0
    while not done.is_set():
        step += 1
        drive(machine, step % 8, step & 1)
        machine.write(base + 0x14, 0xFFFF_FFFF)
    thread.join(60)
    assert not thread.is_alive()
    assert machine.read(GPIO + 0x68) == 399 & 0xFF
    machine.write(base + 0x14, 0xFFFF_FFFF)
    levels = [level for _, level in recorder.machine.interrupts]
    assert levels == [index % 2 == 0 for index in range(len(levels))]


# -- real designs --------------------------------------------------------------------------------------------
@pytest.mark.corpus
def test_the_registers_of_every_design_say_what_its_description_says(corpus: Path, tmp_path: Path) -> None:
    from pynq.design.clocks import ps_parameters
    from pynq.vm.ps import _reference, _versal, _zynq, _zynqmp

    checked = 0
    for path in sorted((corpus / "hwh").glob("*.hwh")):
        design = read(path)
        if design.processor is None:
            continue
        parameters = ps_parameters(design.cells[design.ps])
        made = {Processor.ZYNQ: _zynq, Processor.ZYNQMP: _zynqmp, Processor.VERSAL: _versal}
        pages = made[design.processor](parameters)
        words = {base + offset: word for base, page in pages.items() for offset, word in page.items()}
        clocks = Clocks(
            Kernel(tmp_path),
            Family(design.processor),
            lambda base, length, words=words: Window.from_functions(
                lambda at, width: words.get(at, 0), lambda at, value, width: None, base, length
            ),
            reference=_reference(design.processor, parameters),
        )
        for clock in design.clocks:
            if clock.index is None or clock.cell != design.ps or not clock.frequency:
                continue
            if clock.enabled:
                assert clocks.rate(clock.index) == pytest.approx(clock.frequency, rel=2e-5), (
                    path.name,
                    clock,
                )
                checked += 1
        for one in port_settings(design):
            base = one.address & ~0xFFF if one.address >> 16 != 0xF800 else 0xF800_8000
            assert base in pages, (path.name, one)
    assert checked > 50
