"""The PS set-up that a load needs, against registers as boot loaders leave them."""

from __future__ import annotations

import errno
import warnings
from pathlib import Path

import pytest
from psdesigns import of_corpus, with_ps
from pskit import Chip, GpioKernel, Registers
from tests import leaks

from pynq.backends.kernel import Kernel
from pynq.backends.linux.pssetup import Setting, after, before, settings
from pynq.design.clocks import ps_parameters
from pynq.design.model import Processor
from pynq.errors import PynqWarning

# Reset values (UG585: axi_hp, slcr; UG1087: AFIFM, FPD_SLCR, LPD_SLCR), and what every psu_init does to the
# resets of the AFIFMs.
ZYNQ = {0xF800_8000 + port * 0x1000 + offset: 0 for port in range(4) for offset in (0, 0x14)} | {
    0xF800_0900: 0xF,
    0xF800_0240: 0,
}
_AFIFM = [0xFD36_0000 + port * 0x1_0000 for port in range(6)] + [0xFF9B_0000]
ZYNQMP = {base + offset: 0x3B0 for base in _AFIFM for offset in (0, 0x14)} | {
    0xFD61_5000: 0xA00,
    0xFF41_9000: 0x200,
    0xFD1A_0100: 0x0007_E07E,
    0xFF5E_023C: 0x0010_0000,
}


def zynq(**widths: str) -> dict[str, str]:
    """Parameters of a PS7: HP0="32", ... for the ports in use."""
    made = {f"PCW_USE_S_AXI_{port}": "1" for port in widths}
    return made | {f"PCW_S_AXI_{port}_DATA_WIDTH": width for port, width in widths.items()}


def zynqmp(**widths: str) -> dict[str, str]:
    """Parameters of a PS of UltraScale+: S2="32", M0="64", ... for the ports in use."""
    made = {f"PSU__USE__{port[0]}_AXI_GP{port[1]}": "1" for port in widths}
    return made | {f"PSU__{port[0]}AXIGP{port[1]}__DATA_WIDTH": width for port, width in widths.items()}


def test_nothing_is_written_where_all_is_well() -> None:
    registers = Registers(dict(ZYNQ))
    design = with_ps(Processor.ZYNQ, zynq(HP0="64", HP2="64"))
    assert before(design, registers.physical) == []
    assert after(design, registers.physical, Kernel()) == []
    registers = Registers(dict(ZYNQMP))
    design = with_ps(Processor.ZYNQMP, zynqmp(S0="128", S6="128", M0="128", M2="128"))
    assert before(design, registers.physical) == []
    assert registers.written == []


def test_ports_of_zynq() -> None:
    registers = Registers(dict(ZYNQ))
    registers.words[0xF800_9014] = 0xF01  # HP1's write channel, with bits of others
    design = with_ps(Processor.ZYNQ, zynq(HP1="64", HP3="32"))
    changed = before(design, registers.physical)
    assert changed == ["S_AXI_HP1 64 bits wide", "S_AXI_HP3 32 bits wide"]
    assert registers.written == [(0xF800_9014, 0xF00), (0xF800_B000, 1), (0xF800_B014, 1)]
    assert before(design, registers.physical) == []


def test_the_width_may_be_in_the_cells_own_parameter() -> None:
    parameters = {"PCW_USE_S_AXI_HP0": "1", "C_S_AXI_HP0_DATA_WIDTH": "32"}
    assert [one.value for one in settings(with_ps(Processor.ZYNQ, parameters))] == [1, 1]


def test_widths_that_a_description_leaves_out_are_those_of_the_ip() -> None:
    parameters = {f"PSU__USE__M_AXI_GP{port}": "1" for port in range(3)}
    wanted = settings(with_ps(Processor.ZYNQMP, parameters))
    assert [one.what.split()[1] for one in wanted] == ["128", "128", "32"]


def test_ports_of_zynqmp() -> None:
    registers = Registers(dict(ZYNQMP))
    registers.words[0xFD1A_0100] |= 1 << 9 | 1 << 12  # a boot loader that used neither AFIFM2 nor AFIFM5
    design = with_ps(Processor.ZYNQMP, zynqmp(S2="32", S6="64", M0="32", M1="64", M2="32"))
    assert before(design, registers.physical) == [
        "S_AXI_HP0_FPD out of reset",
        "S_AXI_HP0_FPD 32 bits wide",
        "S_AXI_LPD 64 bits wide",
        "M_AXI_HPM0_FPD 32 bits wide",
        "M_AXI_HPM1_FPD 64 bits wide",
        "M_AXI_HPM0_LPD 32 bits wide",
    ]
    assert registers.written == [
        (0xFD1A_0100, 0x0007_E07E | 1 << 12),  # before the registers that it holds in reset
        (0xFD38_0000, 0x3B2),
        (0xFD38_0014, 0x3B2),
        (0xFF9B_0000, 0x3B1),
        (0xFF9B_0014, 0x3B1),
        (0xFD61_5000, 0x800),
        (0xFD61_5000, 0x400),
        (0xFF41_9000, 0),
    ]


@pytest.mark.parametrize("locked", [False, True])
def test_zynq_is_opened_where_the_driver_did_not(locked: bool) -> None:
    registers = Registers(dict(ZYNQ), locked=locked)
    registers.words[0xF800_0900] = 0xA
    registers.words[0xF800_0240] = 0x0100_000F
    changed = after(with_ps(Processor.ZYNQ), registers.physical, Kernel())
    assert changed == [
        "level shifters between PS and PL on",
        "FCLK_RESET0_N to FCLK_RESET3_N released",
    ]
    assert registers.words[0xF800_0900] == 0xF
    assert registers.words[0xF800_0240] == 0x0100_0000
    assert registers.locked == locked


def test_without_root_only_what_is_unusual_is_told() -> None:
    registers = Registers({}, denied=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design = with_ps(Processor.ZYNQMP, zynqmp(S2="128", M0="128", M2="128"))
        assert before(design, registers.physical) == []
        assert before(with_ps(Processor.ZYNQ, zynq(HP0="64")), registers.physical) == []
        assert after(with_ps(Processor.ZYNQ), registers.physical, Kernel()) == []
    design = with_ps(Processor.ZYNQMP, zynqmp(S2="32", M0="128", M2="32"))
    with pytest.warns(PynqWarning) as caught:
        assert before(design, registers.physical) == []
    (warning,) = caught
    text = str(warning.message)
    assert "S_AXI_HP0_FPD 32 bits wide (data through that port would be lost or doubled)" in text
    assert "M_AXI_HPM0_LPD 32 bits wide (accesses through that port would hang the processor)" in text
    assert "/dev/mem" in text
    assert "HPM0_FPD" not in text
    assert text.count("S_AXI_HP0_FPD") == 1


def test_a_width_that_no_port_has() -> None:
    with pytest.warns(PynqWarning, match=r"PCW_S_AXI_HP0_DATA_WIDTH is '48'.*64, 32 bits wide"):
        assert settings(with_ps(Processor.ZYNQ, zynq(HP0="48"))) == ()
    with pytest.warns(PynqWarning, match=r"PSU__MAXIGP0__DATA_WIDTH is ''"):
        assert settings(with_ps(Processor.ZYNQMP, zynqmp(M0=""))) == ()


def test_on_versal_nothing_is_to_be_done() -> None:
    registers = Registers({})
    design = with_ps(Processor.VERSAL)
    assert before(design, registers.physical) == []
    assert after(design, registers.physical, Kernel()) == []
    assert registers.log == []


# -- resets of UltraScale+ -----------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [0, 1, 4])
def test_resets_of_zynqmp_are_released_through_their_driver(tmp_path: Path, count: int) -> None:
    chip = Chip("zynqmp_gpio", 174)
    kernel = GpioKernel(tmp_path, {"gpiochip0": chip})
    before_it = leaks.descriptors()
    design = with_ps(Processor.ZYNQMP, {"PSU__NUM_FABRIC_RESETS": str(count)})
    assert after(design, Registers({}, denied=True).physical, kernel) == [
        f"pl_resetn{number} released" for number in range(count)
    ]
    assert {number: line.level for number, line in chip.lines.items()} == {173 - n: 1 for n in range(count)}
    assert leaks.opened(before_it) == []


def test_a_reset_that_somebody_manages_is_theirs(tmp_path: Path) -> None:
    chip = Chip("zynqmp_gpio", 174)
    chip.line(172).consumer = "reset"
    design = with_ps(Processor.ZYNQMP, {"PSU__NUM_FABRIC_RESETS": "2"})
    kernel = GpioKernel(tmp_path, {"gpiochip0": chip})
    assert after(design, Registers({}).physical, kernel) == ["pl_resetn0 released"]


def test_only_resets_that_firmware_leaves_alone_are_missed(tmp_path: Path) -> None:
    kernel = GpioKernel(tmp_path, {"gpiochip0": Chip("zynqmp_gpio", 174)})
    kernel.fail["open"] = errno.EACCES
    physical = Registers({}).physical
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert after(with_ps(Processor.ZYNQMP), physical, kernel) == []
    with pytest.warns(PynqWarning, match="pl_resetn1 could not be released") as caught:
        assert after(with_ps(Processor.ZYNQMP, {"PSU__NUM_FABRIC_RESETS": "2"}), physical, kernel) == []
    assert len(caught) == 1


# -- real designs --------------------------------------------------------------------------------------------
@pytest.mark.corpus
def test_every_design_of_the_corpus_gets_what_it_says(corpus: Path) -> None:
    narrow = 0
    for name, design in of_corpus(corpus).items():
        wanted = settings(design)
        parameters = ps_parameters(design.cells[design.ps])
        used = sum(
            parameters.get(key) == "1"
            for key in [f"PCW_USE_S_AXI_HP{n}" for n in range(4)]
            + [f"PSU__USE__S_AXI_GP{n}" for n in range(7)]
            + [f"PSU__USE__M_AXI_GP{n}" for n in range(3)]
        )
        ports = {one.what.partition(" ")[0] for one in wanted}
        assert len(ports) == used, name
        for one in wanted:
            assert isinstance(one, Setting)
            assert one.value & ~one.mask == 0, (name, one)
            assert one.address % 4 == 0
        narrow += sum(not one.usual for one in wanted)
        start = ZYNQ if design.processor is Processor.ZYNQ else ZYNQMP
        registers = Registers(dict(start))
        changed = before(design, registers.physical)
        assert {address for address, _ in registers.written} <= set(start), name
        for one in wanted:
            assert registers.words[one.address] & one.mask == one.value, (name, one)
        assert before(design, registers.physical) == [], name
        assert set(changed) == {one.what for one in wanted if not one.usual}, name
    assert narrow >= 4
