"""The examples' programs run as they are, in a process of their own, on the simulated board."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from example_ways import needs, unexpected

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(program: Path, folder: Path, *arguments: str) -> str:
    """Run a program in an empty folder; return what it printed. Warnings are errors, as in the tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYNQ")}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not unexpected(done.stderr), done.stderr
    return done.stdout


def test_loopback(tmp_path: Path) -> None:
    said = run(EXAMPLES / "dma_loopback" / "run.py", tmp_path)
    assert "16384 bytes came back" in said
    assert "a packet of 1000 bytes" in said
    assert "as expected: axi_dma_0" in said


def test_buttons_and_leds(tmp_path: Path) -> None:
    said = run(EXAMPLES / "buttons_leds" / "run.py", tmp_path)
    assert "button 3: LEDs 1111" in said
    assert "4 presses" in said


def test_accelerator(tmp_path: Path) -> None:
    said = run(EXAMPLES / "vector_add" / "run.py", tmp_path)
    assert "262144 sums" in said


def test_image_filter_in_cells(tmp_path: Path) -> None:
    said = run(EXAMPLES / "image_filter" / "run.py", tmp_path)
    assert "ImageFilter FilterPipeline StreamFilter" in said
    assert said.splitlines()[-1] == "4 frames"


def test_demo(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    picture = tmp_path / "small.png"
    image.linear_gradient("L").resize((60, 40)).convert("RGB").save(picture)
    arguments = ["--image", str(picture), "--kernel", "blur", "--kernel", "edges", "--out", "results"]
    arguments.append("--model")
    said = run(EXAMPLES / "image_filter" / "demo.py", tmp_path, *arguments)
    assert said.count("equal") == 2
    assert "FilterPipeline" in said
    assert "RTL" not in said
    with image.open(tmp_path / "results" / "image_filter.png") as sheet:
        assert sheet.size[0] > 1000


def test_demo_in_rtl(tmp_path: Path) -> None:
    """Every kernel twice: RTL against numpy, model against RTL."""
    image = pytest.importorskip("PIL.Image")
    needs("rtl")
    picture = tmp_path / "small.png"
    image.linear_gradient("L").resize((60, 40)).convert("RGB").save(picture)
    arguments = ["--image", str(picture), "--kernel", "blur", "--kernel", "edges"]
    said = run(EXAMPLES / "image_filter" / "demo.py", tmp_path, *arguments)
    assert said.count("equal") == 4
    assert "RTL, by Verilator" in said
    assert "million cycles a second" in said


def test_demo_on_the_photograph(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    pytest.importorskip("matplotlib")
    said = run(EXAMPLES / "image_filter" / "demo.py", tmp_path, "--kernel", "sharpen")
    assert "512 x 600 pixels" in said
    assert "equal" in said


def test_demo_tells_a_wrong_result(tmp_path: Path) -> None:
    """With a reference that is wrong on purpose the exit code is 1."""
    pytest.importorskip("PIL")
    folder = tmp_path / "image_filter"
    folder.mkdir()
    for name in ("demo.py", "image_filter.py", "image_filter.hwh", "reference.py"):
        (folder / name).write_bytes((EXAMPLES / "image_filter" / name).read_bytes())
    reference = (
        (folder / "reference.py").read_text().replace("total = np.abs(total)", "total = np.abs(total) + 1")
    )
    (folder / "reference.py").write_text(reference)
    from PIL import Image

    Image.linear_gradient("L").resize((16, 16)).convert("RGB").save(tmp_path / "small.png")
    done = subprocess.run(
        [sys.executable, str(folder / "demo.py"), "--image", "small.png", "--kernel", "edges"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED: edges" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--image", "nowhere.png"], "nowhere.png"),
        (["--image", "text.txt"], "cannot identify image file"),
        (["--out", "text.txt"], "text.txt"),
        (["--kernel", "nonsense"], "sharpen"),
    ],
    ids=["missing", "no picture", "no folder", "no kernel"],
)
def test_demo_with_wrong_arguments(arguments: list[str], said: str, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    (tmp_path / "text.txt").write_text("no picture")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "image_filter" / "demo.py"), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
