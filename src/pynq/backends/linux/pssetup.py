"""What the PS needs beside the bitstream: widths of the ports to the PL, level shifters and resets.

A boot loader sets the PS up for the design it was built with. One that is loaded later may use other ports,
or the same ones with other widths, and then loses data or hangs. :func:`settings` derives what a design needs
from the parameters of its PS; :func:`before` and :func:`after` compare it with what there is and write only
what differs.

What others do already is not done here: the kernel's driver for Zynq-7000 asserts FPGA_RST_CTRL and opens the
level shifters around a full bitstream (it is checked afterwards that it did); on Zynq UltraScale+ the PMU
firmware (library xilfpga, XFpga_PostConfigPcap) powers the PL up, takes its isolation away and releases
``pl_resetn``; on Versal the PDI brings the settings itself, so there is nothing to do.

Sources: UG585, modules slcr and axi_hp (Zynq-7000); UG1087, modules AFIFM, FPD_SLCR, LPD_SLCR, CRF_APB and
CRL_APB, UG1085 section "PS-PL Resets" (Zynq UltraScale+).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from pynq.backends.kernel import Kernel
from pynq.backends.linux.gpio import open_line
from pynq.design.clocks import ps_parameters
from pynq.design.model import Design, Processor
from pynq.device.notes import emit
from pynq.errors import BoardBusyError, KernelError, PynqWarning, UnsupportedByDeviceError

if TYPE_CHECKING:
    from pynq._native import Window

__all__ = ["Setting", "after", "before", "settings"]

Physical = Callable[[int, int], "Window"]


class Setting(NamedTuple):
    """Bits of a register that a design needs."""

    what: str
    address: int
    mask: int
    value: int
    usual: bool  # boot loaders leave it so for whatever design (the value after a reset, or every psu_init's)
    why: str = ""  # what goes wrong otherwise


_PAGE = 0x1000
_SLCR = 0xF800_0000
_LOST = "data through that port would be lost or doubled"
_HANGS = "accesses through that port would hang the processor"

# UG585, axi_hp: n32BitEn of RDCHAN_CTRL and WRCHAN_CTRL.
_ZYNQ_AFI = 0xF800_8000
_ZYNQ_WIDTHS = {"64": 0, "32": 1}

# UG1087, AFIFM: FABRIC_WIDTH of RDCTRL and WRCTRL. The resets: afi_fm{n} of RST_FPD_TOP, RST_LPD_TOP.
_AFIFM = (0xFD36_0000, 0xFD37_0000, 0xFD38_0000, 0xFD39_0000, 0xFD3A_0000, 0xFD3B_0000, 0xFF9B_0000)
_AFIFM_RESETS = (*((0xFD1A_0100, 7 + port) for port in range(6)), (0xFF5E_023C, 19))
_AFIFM_WIDTHS = {"128": 0, "64": 1, "32": 2}
_READ, _WRITE = 0x00, 0x14  # offsets of the control registers of both kinds of AFI
_SLAVES = ("HPC0_FPD", "HPC1_FPD", "HP0_FPD", "HP1_FPD", "HP2_FPD", "HP3_FPD", "LPD")
# UG1087, afi_fs: dw_ss0_sel, dw_ss1_sel (FPD_SLCR) and dw_ss2_sel (LPD_SLCR). The width is that of a PS whose
# description does not tell, since Tcl scripts tell what differs from the IP's own values.
_MASTERS = (
    ("M_AXI_HPM0_FPD", 0xFD61_5000, 8, "128"),
    ("M_AXI_HPM1_FPD", 0xFD61_5000, 10, "128"),
    ("M_AXI_HPM0_LPD", 0xFF41_9000, 8, "32"),
)
_AFI_FS_WIDTHS = {"32": 0, "64": 1, "128": 2}
# pl_resetn{n} is EMIO GPIO 95 - n of the 96, that is line 173 - n.
_RESET_LINE = 173


def settings(design: Design) -> tuple[Setting, ...]:
    """Return what the registers of the PS need to hold before the design runs, in the order of writing.

    Warns of a width in the description that the port can't have.
    """
    if design.processor is Processor.ZYNQ:
        return tuple(_zynq(design))
    if design.processor is Processor.ZYNQMP:
        return tuple(_zynqmp(design))
    return ()


def before(design: Design, physical: Physical) -> list[str]:
    """Set the ports up for a design that is about to be loaded as a whole; no traffic may be under way.

    ``physical`` gives registers by address and length in bytes. Returns what was changed. Where the user may
    not look at the registers, nothing is changed, and a warning names what is unknown and unusual: ports
    have their usual settings unless a boot loader was made for other ones.
    """
    return _apply(design, settings(design), physical)


def after(design: Design, physical: Physical, kernel: Kernel) -> list[str]:
    """Make sure that a design just loaded is not cut off or held in reset; return what was changed."""
    if design.processor is Processor.ZYNQ:
        return _apply(design, _OPENED, physical)
    if design.processor is Processor.ZYNQMP:
        return _release_resets(design, kernel)
    return []


# -- what is needed ------------------------------------------------------------------------------------------
def _zynq(design: Design) -> Iterator[Setting]:
    parameters = ps_parameters(design.cells[design.ps])
    for port in range(4):
        if parameters.get(f"PCW_USE_S_AXI_HP{port}") != "1":
            continue
        name = f"PCW_S_AXI_HP{port}_DATA_WIDTH"
        width = parameters.get(name) or parameters.get(f"C_S_AXI_HP{port}_DATA_WIDTH", "64")
        code = _code(design, name, width, _ZYNQ_WIDTHS)
        if code is not None:
            what = f"S_AXI_HP{port} {width} bits wide"
            for offset in (_READ, _WRITE):
                address = _ZYNQ_AFI + port * _PAGE + offset
                yield Setting(what, address, 1, code, code == 0, _LOST)


_OPENED = (
    Setting("level shifters between PS and PL on", _SLCR + 0x900, 0xF, 0xF, True, _HANGS),
    Setting("FCLK_RESET0_N to FCLK_RESET3_N released", _SLCR + 0x240, 0xF, 0, True, "the PL stays in reset"),
)


def _zynqmp(design: Design) -> Iterator[Setting]:
    parameters = ps_parameters(design.cells[design.ps])
    for port, name in enumerate(_SLAVES):
        if parameters.get(f"PSU__USE__S_AXI_GP{port}") != "1":
            continue
        parameter = f"PSU__SAXIGP{port}__DATA_WIDTH"
        width = parameters.get(parameter, "128")
        code = _code(design, parameter, width, _AFIFM_WIDTHS)
        # Registers of a block that is held in reset can't be reached.
        register, bit = _AFIFM_RESETS[port]
        yield Setting(
            f"S_AXI_{name} out of reset", register, 1 << bit, 0, True, "the port does not answer the PL"
        )
        if code is not None:
            for offset in (_READ, _WRITE):
                what = f"S_AXI_{name} {width} bits wide"
                yield Setting(what, _AFIFM[port] + offset, 3, code, code == 0, _LOST)
    for port, (name, address, low, default) in enumerate(_MASTERS):
        if parameters.get(f"PSU__USE__M_AXI_GP{port}") != "1":
            continue
        parameter = f"PSU__MAXIGP{port}__DATA_WIDTH"
        width = parameters.get(parameter, default)
        code = _code(design, parameter, width, _AFI_FS_WIDTHS)
        if code is not None:
            yield Setting(f"{name} {width} bits wide", address, 3 << low, code << low, code == 2, _HANGS)


def _code(design: Design, parameter: str, width: str, codes: dict[str, int]) -> int | None:
    code = codes.get(width)
    if code is None:
        emit(
            PynqWarning(
                f"{design.label}: {parameter} is {width!r}, and a port can be {', '.join(codes)} bits wide; "
                "it stays as it is"
            )
        )
    return code


# -- how it is set -------------------------------------------------------------------------------------------
def _apply(design: Design, wanted: tuple[Setting, ...], physical: Physical) -> list[str]:
    changed: list[str] = []
    unknown: list[Setting] = []
    pages: dict[int, Window] = {}
    reason = ""
    for setting in wanted:
        base = setting.address & -_PAGE
        try:
            if base not in pages:
                pages[base] = physical(base, _PAGE)
        except KernelError as error:
            unknown.append(setting)
            reason = str(error)
            continue
        if _set(setting, pages[base], pages, physical) and setting.what not in changed:
            changed.append(setting.what)
    doubtful = list(dict.fromkeys(f"{one.what} ({one.why})" for one in unknown if not one.usual))
    if doubtful:
        emit(
            PynqWarning(
                f"{design.label} needs what can't be checked without root: {'; '.join(doubtful)}. That is so "
                f"already if the board was booted for this design. {reason}"
            )
        )
    return changed


def _set(setting: Setting, page: Window, pages: dict[int, Window], physical: Physical) -> bool:
    """Write a register if it does not hold what it should; return whether it had to be."""
    offset = setting.address % _PAGE
    held = int(page.read(offset))
    if held & setting.mask == setting.value:
        return False
    word = held & ~setting.mask | setting.value
    if setting.address & -_PAGE != _SLCR:
        page.write(offset, word)
        return True
    locked = int(page.read(0xC)) & 1  # SLCR_LOCKSTA; Linux leaves it open and relies on that
    if locked:
        page.write(0x8, 0xDF0D)
    page.write(offset, word)
    if locked:
        page.write(0x4, 0x767B)
    return True


def _release_resets(design: Design, kernel: Kernel) -> list[str]:
    """Release the resets that the PS gives to the PL, through the GPIO driver, which owns those lines.

    PMU firmware of today has released all four by now; older ones were told a number by the boot loader
    (GPIO_PS_PL_DIRM_MASK and PMU_GLOBAL_GEN_STORAGE5 in xilfpga_pcap.h).
    """
    parameters = ps_parameters(design.cells[design.ps])
    text = parameters.get("PSU__NUM_FABRIC_RESETS", "1")
    count = int(text) if text in ("0", "1", "2", "3", "4") else 1
    done: list[str] = []
    for number in range(count):
        try:
            open_line(kernel, "zynqmp_gpio", _RESET_LINE - number, True, value=1).release()
        except BoardBusyError:  # somebody manages that reset
            continue
        except (KernelError, UnsupportedByDeviceError) as error:
            if number:  # the first one every firmware releases
                emit(PynqWarning(f"{design.label}: pl_resetn{number} could not be released: {error}"))
            continue
        done.append(f"pl_resetn{number} released")
    return done
