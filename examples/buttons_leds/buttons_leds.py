"""The overlay class of ``buttons_leds.bit``: parts of the board by name, and a driver for the timer."""

from __future__ import annotations

from pynq import DefaultIP, DefaultOverlay

TIMER = "xilinx.com:ip:axi_timer"
INTERRUPT_CLEAR = 1 << 8  # TCSR0.T0INT: write 1 to clear (PG079, table "Control/Status Register 0")


class Timer(DefaultIP):
    """Driver of timer 0 of an AXI Timer: an interrupt every so often."""

    bindto = [TIMER]

    def start(self, seconds: float, clock_hz: float) -> None:
        """Raise the interrupt every ``seconds`` from now on; ``clock_hz`` is the timer's clock."""
        cycles = round(seconds * clock_hz)
        if not 2 <= cycles <= 0xFFFF_FFFF:
            raise ValueError(f"a period of {seconds} s is {cycles} cycles; the timer counts 2 to 4294967295")
        registers = self.register_map
        registers.TCSR0 = INTERRUPT_CLEAR
        registers.TLR0 = cycles - 2  # counting down, the period is TLR + 2 cycles (PG079, "Generate Mode")
        registers.TCSR0.LOAD0 = 1
        registers.TCSR0 = 0
        registers.TCSR0.UDT0 = 1
        registers.TCSR0.ARHT0 = 1
        registers.TCSR0.ENIT0 = 1
        registers.TCSR0.ENT0 = 1

    def stop(self) -> None:
        """Stop counting; nothing stays pending."""
        self.register_map.TCSR0 = INTERRUPT_CLEAR

    async def tick(self) -> None:
        """Wait for the end of the period and clear the interrupt."""
        await self.interrupt.wait()
        self.register_map.TCSR0 = int(self.register_map.TCSR0) | INTERRUPT_CLEAR


class ButtonsLeds(DefaultOverlay):
    """``buttons[i]``, ``switches[i]``, ``leds[i]``, ``rgbleds`` and ``timer``."""

    def __init__(self, bitfile_name: str, download: bool) -> None:
        super().__init__(bitfile_name, download)
        self.button = self.buttons.channel1
        self.switch = self.switches.channel1
        self.led = self.leds.channel1
        self.rgbled = self.rgbleds.channel1
        self.timer = self.axi_timer_0
        for inputs, width in ((self.button, 4), (self.switch, 2)):
            inputs.setlength(width)
            inputs.setdirection("in")
        for outputs, width in ((self.led, 4), (self.rgbled, 6)):
            outputs.setlength(width)
            outputs.setdirection("out")

    @property
    def clock_hz(self) -> float:
        """Frequency of the PL clock that all of it runs on."""
        return float(self.device.clock_rate(0))


Overlay = ButtonsLeds
