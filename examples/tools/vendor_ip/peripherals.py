"""Peripherals with an AXI4-Lite port: interrupt controller, GPIO, timer."""

from __future__ import annotations

from ..blockdesign import Block, BlockDesign, Bus, Cell, Field, Pin, Register, vector
from .common import DOC, PERIPHERAL, Clocking, clock_pin, irq_pin, lite_slave, reset_pin


def axi_intc(design: BlockDesign, path: str, clock: Clocking, reset: str, *, inputs: int) -> Cell:
    """AXI Interrupt Controller (PG099), level inputs, standard mode."""
    lite, bus = lite_slave(clock, "s_axi", 9)
    pins = [clock_pin("s_axi_aclk", clock.frequency), reset_pin("s_axi_aresetn"), *lite]
    pins += [irq_pin("intr", "I", inputs), irq_pin("irq")]
    registers = []
    for name, offset, access, modified, text in (
        ("ISR", "0x0", "read-write", "", "Interrupts that are active, enabled or not"),
        ("IPR", "0x4", "read-only", "", "Interrupts that are active and enabled"),
        ("IER", "0x8", "read-write", "", "Interrupt enables"),
        ("IAR", "0xC", "write-only", "oneToClear", "Write 1 to acknowledge an interrupt"),
        ("SIE", "0x10", "read-write", "oneToSet", "Write 1 to enable an interrupt"),
        ("CIE", "0x14", "read-write", "oneToClear", "Write 1 to disable an interrupt"),
    ):
        field = Field("INT", 0, inputs, access, text + ".", modified)
        registers.append(Register(name, offset, text, [field], access, size=inputs))
    registers.append(
        Register(
            "IVR",
            "0x18",
            "Number of the most urgent active interrupt",
            [Field("IVN", 0, 5, "read-only")],
            "read-only",
            size=5,
        )
    )
    registers.append(
        Register(
            "MER",
            "0x1C",
            "Master enable",
            [
                Field("ME", 0, 1, "read-write", "1 lets irq out."),
                Field("HIE", 1, 1, "read-write", "1 takes interrupts from the inputs; can't be cleared."),
            ],
            size=2,
        )
    )
    parameters = {
        "C_FAMILY": design.system["ARCH"],
        "C_INSTANCE": f"{design.name}_{path}_0",
        "C_S_AXI_ADDR_WIDTH": "9",
        "C_S_AXI_DATA_WIDTH": "32",
        "C_NUM_INTR_INPUTS": str(inputs),
        "C_NUM_SW_INTR": "0",
        "C_KIND_OF_INTR": f"0x{0xFFFFFFFF & ~((1 << inputs) - 1):08x}",
        "C_KIND_OF_EDGE": "0xFFFFFFFF",
        "C_KIND_OF_LVL": "0xFFFFFFFF",
        "C_ASYNC_INTR": f"0x{0xFFFFFFFF & ~((1 << inputs) - 1):08X}",
        "C_NUM_SYNC_FF": "2",
        "C_ADDR_WIDTH": "32",
        "C_IVAR_RESET_VALUE": "0x0000000000000010",
        "C_ENABLE_ASYNC": "0",
        "C_HAS_IPR": "1",
        "C_HAS_SIE": "1",
        "C_HAS_CIE": "1",
        "C_HAS_IVR": "1",
        "C_HAS_ILR": "0",
        "C_IRQ_IS_LEVEL": "1",
        "C_IRQ_ACTIVE": "0x1",
        "C_HAS_FAST": "0",
        "C_EN_CASCADE_MODE": "0",
        "C_CASCADE_MASTER": "0",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "C_IRQ_CONNECTION": "1",
        "EDK_IPTYPE": "PERIPHERAL",
        "EDK_SPECIAL": "INTR_CTRL",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:axi_intc:4.1",
            {"COREREVISION": "17", "IPTYPE": "PERIPHERAL", "MODCLASS": "INTERRUPT_CNTLR"},
            pins,
            [bus],
            parameters,
            [Block("S_AXI", registers)],
            DOC.format("axi_intc", "v4_1", "pg099-axi-intc.pdf"),
        )
    )
    design.wire(clock.source, f"{path}/s_axi_aclk")
    design.wire(reset, f"{path}/s_axi_aresetn")
    return cell


def axi_gpio(
    design: BlockDesign,
    path: str,
    clock: Clocking,
    reset: str,
    *,
    width: int,
    inputs: bool,
    interrupt: bool,
    board: str,
) -> Cell:
    """AXI GPIO (PG144), one channel, all inputs or all outputs, wired to the board as ``board``."""
    lite, bus = lite_slave(clock, "S_AXI", 9)
    pins = [clock_pin("s_axi_aclk", clock.frequency), reset_pin("s_axi_aresetn"), *lite]
    if interrupt:
        pins.append(irq_pin("ip2intc_irpt"))
    letter = "i" if inputs else "o"
    pins.append(vector(f"gpio_io_{letter}", "I" if inputs else "O", width))
    gpio = Bus(
        "GPIO", "INITIATOR", "xilinx.com:interface:gpio:1.0", {f"TRI_{letter.upper()}": f"gpio_io_{letter}"}
    )
    registers = []
    for channel, base, bits in ((1, 0x0, width), (2, 0x8, 32)):
        name = "GPIO" if channel == 1 else "GPIO2"
        for offset, kind, text in ((0, "DATA", "Levels of the pins"), (4, "TRI", "1 makes a pin an input")):
            field = Field(f"Channel_{channel}_GPIO_{kind}", 0, bits, "read-write", text + ".")
            registers.append(
                Register(
                    f"{name}_{kind}",
                    f"0x{base + offset:X}",
                    f"{text} of channel {channel}",
                    [field],
                    size=bits,
                )
            )
    for name, address, text, modified in (
        ("IP_IER", "0x128", "Enable", ""),
        ("IP_ISR", "0x120", "Status", "oneToToggle"),
    ):
        fields = [
            Field(f"Channel_{channel}_Interrupt_{text}", channel - 1, 1, "read-write", "", modified)
            for channel in (1, 2)
        ]
        registers.append(Register(name, address, f"Interrupt {text.lower()}", fields))
    gier = Field("Global_Interrupt_Enable", 31, 1, "read-write", "1 lets the interrupt out.")
    registers.insert(4, Register("GIER", "0x11C", "Global interrupt enable", [gier]))
    parameters = {
        "C_FAMILY": design.system["ARCH"],
        "C_S_AXI_ADDR_WIDTH": "9",
        "C_S_AXI_DATA_WIDTH": "32",
        "C_GPIO_WIDTH": str(width),
        "C_GPIO2_WIDTH": "32",
        "C_ALL_INPUTS": str(int(inputs)),
        "C_ALL_INPUTS_2": "0",
        "C_ALL_OUTPUTS": str(int(not inputs)),
        "C_ALL_OUTPUTS_2": "0",
        "C_INTERRUPT_PRESENT": str(int(interrupt)),
        "C_DOUT_DEFAULT": "0x00000000",
        "C_TRI_DEFAULT": "0xFFFFFFFF",
        "C_IS_DUAL": "0",
        "C_DOUT_DEFAULT_2": "0x00000000",
        "C_TRI_DEFAULT_2": "0xFFFFFFFF",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "USE_BOARD_FLOW": "true",
        "GPIO_BOARD_INTERFACE": board,
        "GPIO2_BOARD_INTERFACE": "Custom",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:axi_gpio:2.0",
            {"COREREVISION": "29", **PERIPHERAL},
            pins,
            [bus, gpio],
            parameters,
            [Block("S_AXI", registers)],
            DOC.format("axi_gpio", "v2_0", "pg144-axi-gpio.pdf"),
        )
    )
    design.external(cell, "GPIO", board, {f"TRI_{letter.upper()}": f"{board}_tri_{letter}"})
    design.wire(clock.source, f"{path}/s_axi_aclk")
    design.wire(reset, f"{path}/s_axi_aresetn")
    return cell


def axi_timer(design: BlockDesign, path: str, clock: Clocking, reset: str) -> Cell:
    """AXI Timer (PG079), two 32-bit timers."""
    lite, bus = lite_slave(clock, "S_AXI", 5)
    pins = [Pin(name, "I") for name in ("capturetrig0", "capturetrig1")]
    pins += [Pin(name, "O") for name in ("generateout0", "generateout1", "pwm0")]
    pins += [
        irq_pin("interrupt"),
        Pin("freeze", "I"),
        clock_pin("s_axi_aclk", clock.frequency),
        reset_pin("s_axi_aresetn"),
        *lite,
    ]
    registers = []
    for i in (0, 1):
        fields = [
            Field(f"MDT{i}", 0, 1, "read-write", "0 generates, 1 captures."),
            Field(f"UDT{i}", 1, 1, "read-write", "0 counts up, 1 counts down."),
            Field(f"GENT{i}", 2, 1, "read-write", "1 drives generateout."),
            Field(f"CAPT{i}", 3, 1, "read-write", "1 takes the capture trigger."),
            Field(f"ARHT{i}", 4, 1, "read-write", "1 reloads the counter when it rolls over, 0 holds it."),
            Field(f"LOAD{i}", 5, 1, "read-write", "1 loads the counter from TLR."),
            Field(f"ENIT{i}", 6, 1, "read-write", "1 lets the interrupt out."),
            Field(f"ENT{i}", 7, 1, "read-write", "1 lets the timer count."),
            Field(f"T{i}INT", 8, 1, "read-write", "The timer rolled over or captured; write 1 to clear."),
            Field(f"PWMA{i}", 9, 1, "read-write", "1 in both timers makes a pulse-width output."),
            Field("ENALL", 10, 1, "read-write", "1 enables both timers at once."),
        ]
        if i == 0:
            fields.append(Field("CASC", 11, 1, "read-write", "1 makes one 64-bit timer of both."))
        registers += [
            Register(f"TCSR{i}", f"0x{16 * i:X}", f"Timer {i} control and status", fields),
            Register(f"TLR{i}", f"0x{16 * i + 4:X}", f"Timer {i} load value", [Field(f"TCLR{i}", 0, 32)]),
            Register(
                f"TCR{i}",
                f"0x{16 * i + 8:X}",
                f"Timer {i} counter",
                [Field(f"TCR{i}", 0, 32, "read-only")],
                "read-only",
            ),
        ]
    parameters = {
        "C_FAMILY": design.system["ARCH"],
        "C_COUNT_WIDTH": "32",
        "C_ONE_TIMER_ONLY": "0",
        "C_TRIG0_ASSERT": '"1"',
        "C_TRIG1_ASSERT": '"1"',
        "C_GEN0_ASSERT": '"1"',
        "C_GEN1_ASSERT": '"1"',
        "C_S_AXI_DATA_WIDTH": "32",
        "C_S_AXI_ADDR_WIDTH": "5",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "COUNT_WIDTH": "32",
        "mode_64bit": "0",
        "enable_timer2": "1",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:axi_timer:2.0",
            {"COREREVISION": "29", **PERIPHERAL},
            pins,
            [bus],
            parameters,
            [Block("S_AXI", registers, range=512)],
            DOC.format("axi_timer", "v2_0", "pg079-axi-timer.pdf"),
        )
    )
    design.wire(clock.source, f"{path}/s_axi_aclk")
    design.wire(reset, f"{path}/s_axi_aresetn")
    return cell
