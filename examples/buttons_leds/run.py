# %% [markdown]
# # Buttons, LEDs and a timer, with asyncio
# A button toggles its LED, the timer moves the colour on, a switch ends it. The coroutines wait for three
# interrupts of one `axi_intc` at the same time.

# %% Load the overlay
from __future__ import annotations

import asyncio
from pathlib import Path

import pynq

overlay = pynq.Overlay(str(Path(__file__).resolve().parent / "buttons_leds.bit"))
button, switch, led, rgbled = overlay.button, overlay.switch, overlay.led, overlay.rgbled
PERIOD = 0.001  # seconds between two colours; short, so that the simulated board has soon seen enough
COLOURS = {"blue": 0b001, "green": 0b010, "red": 0b100}

# %% What the program does
presses = 0
colours: list[str] = []


async def follow(index: int) -> None:
    """Toggle LED ``index`` at each press of button ``index``."""
    global presses
    while True:
        await button[index].wait_for_value_async(1)
        led[index].toggle()
        presses += 1
        print(f"button {index}: LEDs {led[:].read():04b}")
        await button[index].wait_for_value_async(0)


async def glow() -> None:
    """Show the next colour at each tick of the timer."""
    overlay.timer.start(PERIOD, overlay.clock_hz)
    try:
        while True:
            for name, bits in COLOURS.items():
                await overlay.timer.tick()
                rgbled.write(bits | bits << 3, 0b111111)
                colours.append(name)
    finally:
        overlay.timer.stop()


# %% Fingers: on the simulated board somebody has to press the buttons
async def fingers() -> None:
    """Press buttons 0 to 3 one after the other, then flip switch 0. On a board that is the user's part."""
    if not overlay.device.name.startswith("sim:"):
        print("press the buttons; switch 0 ends the program")
        return
    board = overlay.device.board
    for index in range(4):
        await ticks(3)
        board.drive("btns_4bits_tri_i", 1 << index)
        await ticks(3)
        board.drive("btns_4bits_tri_i", 0)
    await ticks(3)
    board.drive("sws_2bits_tri_i", 0b01)


async def ticks(count: int) -> None:
    """Wait until the colour has changed that often."""
    goal = len(colours) + count
    while len(colours) < goal:
        await asyncio.sleep(0)


async def main() -> None:
    """Run until switch 0 is on."""
    others = [asyncio.create_task(work) for work in (*map(follow, range(4)), glow(), fingers())]
    await switch[0].wait_for_value_async(1)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


# %% Run it
asyncio.run(main())
print(f"{presses} presses, LEDs {led[:].read():04b}, {len(colours)} changes of colour")

# %% Done
if overlay.device.name.startswith("sim:"):
    assert presses == 4
    assert overlay.device.board.sample("leds_4bits_tri_o") == 0b1111
    assert len(colours) >= 27
overlay.free()
