"""Filter a photograph in the programmable logic: ``python examples/image_filter/demo.py``.

Loads the overlay, sends the picture through it by DMA, compares every byte with numpy, and saves a picture of
before, after and difference. Where no board is present and Verilator is installed, the filter is its own RTL
(image_filter.sim.toml), cycle by cycle; then its Python model runs as well, and has to give the same bytes.
The exit code is 1 when a byte differs.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from reference import SETTINGS, convolve

import pynq
from pynq.sim import SimDevice

HERE = Path(__file__).resolve().parent
Picture = npt.NDArray[np.uint8]


@dataclass
class Run:
    """One pass of the picture through the PL."""

    kernel: str
    after: Picture
    host_seconds: float
    board_seconds: float | None  # None where the device has no clock to ask
    cycles: int | None
    wrong: int  # bytes that differ from numpy's result
    model_seconds: float | None = None  # host time of the Python model, where the run was in RTL
    unlike_model: int = 0  # bytes that differ from the model's result


def photograph(path: Path | None) -> Picture:
    """The picture to filter: a file, or the photograph that comes with matplotlib."""
    if path is None:
        found = importlib.util.find_spec("matplotlib")  # only located: importing it takes long
        if found is None or found.origin is None:
            raise SystemExit(
                "no picture: pass --image FILE, or install the one of matplotlib (pip install matplotlib)"
            )
        path = Path(found.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def run(overlay: Any, picture: Picture, kernel: str) -> Run:
    """Filter the picture in the PL and compare with numpy."""
    device = overlay.device
    clock = getattr(device, "cycles", None)
    now, cycles = (device.now, clock()) if clock else (None, None)
    start = time.perf_counter()
    after = overlay.run(picture, kernel)
    host = time.perf_counter() - start
    board = device.now - now if now is not None else None
    wrong = int(np.count_nonzero(after != convolve(picture, **SETTINGS[kernel])))
    return Run(kernel, after, host, board, clock() - cycles if clock else None, wrong)


def run_model(overlay: Any, picture: Picture, one: Run) -> None:
    """Filter the picture by the Python model and compare with what the RTL gave."""
    start = time.perf_counter()
    after = overlay.run(picture, one.kernel)
    one.model_seconds = time.perf_counter() - start
    one.unlike_model = int(np.count_nonzero(after != one.after))


def in_rtl(device: Any) -> list[str]:
    """Cells that are RTL under Verilator; none on a board."""
    return list(device.rtl) if isinstance(device, SimDevice) else []


# -- what is printed ----
def tables(
    overlay: Any, picture: Picture, runs: Sequence[Run]
) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, head and rows of the tables."""
    simulated, rtl = isinstance(overlay.device, SimDevice), in_rtl(overlay.device)
    blocks = []
    for name, hierarchy in overlay.hierarchy_dict.items():
        blocks.append([f"{name}/", "", "(hierarchy)", hierarchy["driver"].__name__, ""])
    for name, ip in overlay.ip_dict.items():
        if ip["addr_range"]:  # the PS itself has no registers in the PL
            place = f"0x{ip['phys_addr']:08x}"
            what = "RTL, by Verilator" if name in rtl else "model" if simulated else "hardware"
            blocks.append([name, place, ip["type"].split(":", 2)[-1], ip["driver"].__name__, what])
    height, width, _ = picture.shape
    moved = 2 * height * width * 4
    passes = []
    for one in runs:
        passes.append(
            [
                one.kernel,
                f"{one.host_seconds * 1e3:.0f} ms",
                f"{moved / one.host_seconds / 1e6:.1f} MB/s",
                f"{one.board_seconds * 1e3:.3f} ms" if one.board_seconds is not None else "-",
                f"{one.cycles:,}" if one.cycles is not None else "-",
                verdict(one.wrong),
            ]
        )
        if one.model_seconds is not None:
            passes[-1] += [f"{one.model_seconds * 1e3:.0f} ms", verdict(one.unlike_model)]
    head = ["kernel", "host time", "host rate", "board time", "PL cycles", "against numpy"]
    return [
        (
            f"{type(overlay).__name__}: {Path(overlay.bitfile_name).name} on {overlay.device.name}",
            ["IP", "address", "type", "driver", "runs as"],
            blocks,
        ),
        (
            f"{width} x {height} pixels, {moved / 1e6:.1f} MB in and out by DMA",
            [*head, "model: time", "against RTL"] if rtl else head,
            passes,
        ),
    ]


def verdict(wrong: int) -> str:
    """What a comparison says."""
    return f"{wrong:,} bytes differ" if wrong else "equal"


def show(shown: list[tuple[str, list[str], list[list[str]]]]) -> None:
    """Print the tables, with rich where it is installed."""
    try:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        for title, head, rows in shown:
            widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
            print(title)
            for row in [head, *rows]:
                print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
            print()
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    for title, head, rows in shown:
        console.print(f"[bold]{title}[/]")
        table = Table(header_style="bold cyan", box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        right = {name for name in head if name.endswith(("time", "rate", "cycles"))}
        for name in head:
            table.add_column(name, justify="right" if name in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(coloured, row))
        console.print(table, "")


def coloured(cell: str) -> str:
    """A cell of a table with the colour of what it says."""
    colours = {"equal": "green", "RTL, by Verilator": "cyan"}
    colour = "red" if cell.endswith("differ") else colours.get(cell)
    return f"[{colour}]{cell}[/]" if colour else cell


# -- what is saved ----
def contact_sheet(
    before: Picture, runs: Sequence[Run], how: str = "", panel: int = 380, gap: int = 20
) -> Image.Image:
    """One row a kernel: before, after, difference; each panel ``panel`` pixels wide."""
    height = round(panel * before.shape[0] / before.shape[1])
    font, small = ImageFont.load_default(22), ImageFont.load_default(15)
    head, caption = 56, 30
    sheet = Image.new(
        "RGB", (3 * panel + 4 * gap, head + len(runs) * (height + caption + gap) + gap), "white"
    )
    draw = ImageDraw.Draw(sheet)
    title = f"image_filter: a 3 x 3 convolution in the programmable logic{how}"
    draw.text((gap, gap), title, "#1a1a1a", font)
    for row, one in enumerate(runs):
        top = head + gap + row * (height + caption + gap)
        difference = np.abs(one.after.astype(np.int32) - before).max(axis=2)
        largest = int(difference.max()) or 1
        panels = [
            (before, "before"),
            (one.after, f"after: {one.kernel}"),
            ((255 - difference * 255 // largest).astype(np.uint8), f"difference, black = {largest} of 255"),
        ]
        for column, (pixels, text) in enumerate(panels):
            left = gap + column * (panel + gap)
            sheet.paste(
                Image.fromarray(pixels).resize((panel, height), Image.Resampling.LANCZOS), (left, top)
            )
            draw.rectangle((left - 1, top - 1, left + panel, top + height), outline="#b0b0b0")
            draw.text((left, top + height + 6), text, "#404040", small)
    return sheet


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. Return 0 when every byte is as numpy has it."""
    parser = argparse.ArgumentParser(description="Filter a photograph in the programmable logic.")
    parser.add_argument(
        "--image", type=Path, help="picture to filter (default: the photograph in matplotlib)"
    )
    parser.add_argument(
        "--kernel", action="append", choices=sorted(SETTINGS), help="may be given several times"
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture (default: out)")
    parser.add_argument("--model", action="store_true", help="run the Python model instead of the RTL")
    options = parser.parse_args(arguments)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        picture = photograph(options.image)
    except OSError as error:
        parser.error(str(error))
    bitstream = str(HERE / "image_filter.bit")
    start = time.perf_counter()
    overlay = pynq.Overlay(bitstream, rtl=False if options.model else None)
    loaded = time.perf_counter() - start
    if hasattr(overlay.device, "deterministic"):
        overlay.device.deterministic = True  # so that the board's time is that of the transfers alone
    try:
        runs = [run(overlay, picture, kernel) for kernel in options.kernel or ["sharpen", "edges", "emboss"]]
    except ValueError as error:  # a picture that the filter can't take
        parser.error(str(error))
    if in_rtl(overlay.device):
        model = pynq.Overlay(bitstream, device="sim:model", rtl=False)
        for one in runs:
            run_model(model, picture, one)
        model.filter.free()
        model.free()
    show(tables(overlay, picture, runs))
    if in_rtl(overlay.device):
        rate = sum(one.cycles or 0 for one in runs) / sum(one.host_seconds for one in runs)
        print(f"RTL: built or found in {loaded:.1f} s; {rate / 1e6:.2f} million cycles a second\n")

    path = options.out / "image_filter.png"
    how = ", its RTL under Verilator" if in_rtl(overlay.device) else ""
    contact_sheet(picture, runs, how).save(path)
    print(f"{path}: before, after and difference")
    wrong = [one.kernel for one in runs if one.wrong]
    unlike = [one.kernel for one in runs if one.unlike_model]
    if wrong:
        print(f"FAILED: {', '.join(wrong)} differ from numpy", file=sys.stderr)
    if unlike:
        print(f"FAILED: {', '.join(unlike)}: RTL and model differ", file=sys.stderr)
    overlay.free()
    return 1 if wrong or unlike else 0


if __name__ == "__main__":
    sys.exit(main())
