"""What the processor's start-up code does, in Tcl and in C."""

from __future__ import annotations

import time

import pytest

from pynq.design import psinit
from pynq.design.psinit import Operation, read_ps_init
from pynq.errors import DesignError

TCL = b"""proc ps7_pll_init_data_3_0 {} {
    mwr -force 0XF8000008 0x0000DF0D
    mask_write 0XF8000110 0x003FFFF0 0x000FA220
    mask_poll 0XF800010C 0x00000001
}
# mask_write 0XF8000000 0x1 0x1
proc ps7_post_config {} {
    if { $sil_ver == 0 } { mask_write $x 1 2 }
    mask_delay 0XF8F00200 1
    mask_write 0XF8000900 $mask 0x0000000F
}
"""
C = b"""/* mask_write 0x0 0x0 0x0
EMIT_MASKWRITE(0X0, 0x1U ,0x1U), */
unsigned long ps7_pll_init_data_3_0[] = {
    // START: top
    EMIT_WRITE(0XF8000008, 0x0000DF0DU),
    EMIT_MASKWRITE(0XF8000110, 0x003FFFF0U ,0x000FA220U),
    EMIT_MASKPOLL(0XF800010C, 0x00000001U),
};
unsigned long ps7_post_config_3_0[] = { EMIT_MASKDELAY(0XF8F00200, 1),
    EMIT_EXIT(),
};
"""


def test_tcl_and_c_say_the_same() -> None:
    tcl, c = read_ps_init(TCL, "ps7_init.tcl"), read_ps_init(C, "ps7_init.c")
    for found in (tcl, c):
        kinds = [
            (one.kind, one.address, one.mask, one.value) for one in found.sections["ps7_pll_init_data_3_0"]
        ]
        assert kinds == [
            ("write", 0xF8000008, None, 0xDF0D),
            ("mask_write", 0xF8000110, 0x3FFFF0, 0xFA220),
            ("poll", 0xF800010C, 1, None),
        ]
    assert tcl.sections["ps7_post_config"] == (Operation("delay", 0xF8F00200, 1, None, 9),)
    assert (tcl.total, tcl.skipped) == (4, 1)  # what is computed is counted


def test_psu_with_names_in_the_header() -> None:
    header = b"#undef CRL_APB_RPLL_CFG_OFFSET\n#define CRL_APB_RPLL_CFG_OFFSET   0XFF5E0034\n"
    source = (
        b"unsigned long psu_pll_init_data(void)\n{\n"
        b"    PSU_Mask_Write(CRL_APB_RPLL_CFG_OFFSET, 0xFE7FEDEFU, 0x7E4B0C82U);\n"
        b"    mask_poll(CRL_APB_PLL_STATUS_OFFSET, 0x00000002U);\n}\n"
        b"static int serdes(void)\n{\n    prog_reg(0xFD402084, 0x00000010U, 0x00000004U, 0x00000001U);\n}\n"
    )
    found = read_ps_init(source, "psu_init.c", header)
    assert found.sections["psu_pll_init_data"] == (
        Operation("mask_write", 0xFF5E0034, 0xFE7FEDEF, 0x7E4B0C82, 3),
    )
    assert found.sections["serdes"][0][:4] == ("field", 0xFD402084, 0x10, 1)
    assert found.skipped == 1


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.process_time()
    for data in (b"EMIT_WRITE(", b"/**/", b"int a", b"/*", b"mask_write 0x0 ", b"#define A "):
        for end in (b"", b"\n"):
            assert read_ps_init((data + end) * 30_000, "x.c").total == 0
            assert read_ps_init((data + end) * 30_000, "x.tcl").total == 0
    assert time.process_time() - start < 30  # none of them takes a second
    monkeypatch.setattr(psinit, "MAX_OPERATIONS", 10)
    with pytest.raises(DesignError, match=r"x\.tcl:11: has more than 10 operations"):
        read_ps_init(b"mwr 0x0 0x1\n" * 11, "x.tcl")
    monkeypatch.setattr(psinit, "MAX_BYTES", 10)
    with pytest.raises(DesignError, match="is larger than"):
        read_ps_init(bytes(11), "x.tcl")
