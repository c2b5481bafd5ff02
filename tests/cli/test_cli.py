"""The command ``pynq``, by its exit codes and by what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pynq.cli import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("PYNQ_DEVICE", raising=False)


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    return capsys.readouterr().out


def told_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(told(capsys, *arguments, "--json"))


def hwh(name: str) -> str:
    return str(EXAMPLES / name / f"{name}.hwh")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--version").startswith("pynq-anywhere 0.")


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "--help")
    for name in ("inspect", "devices", "info"):
        assert name in said


def apart(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, where no other test has defined drivers."""
    return subprocess.run(
        [sys.executable, "-m", "pynq", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_inspect_json() -> None:
    found = json.loads(apart("inspect", hwh("image_filter"), "--json").stdout)
    assert found["name"] == "image_filter"
    assert found["processor"] == "zynq"
    addresses = {row["slave"]: row for row in found["addresses"] if row["master"] == "processing_system7_0"}
    assert addresses["filter/stream_filter"]["base"] == 0x43C00000
    assert addresses["filter/stream_filter"]["driver"] == "pynq.overlay.DefaultIP"
    assert addresses["filter/axi_dma"]["driver"] == "pynq.lib.dma.DMA"
    pins = {row["pin"]: row for row in found["interrupts"]}
    assert pins["filter/stream_filter/interrupt"] == {
        "pin": "filter/stream_filter/interrupt",
        "sensitivity": "LEVEL_HIGH",
        "index": 2,
        "controllers": ["axi_intc_0"],
        "gic": 61,
    }
    assert found["clocks"][0]["hertz"] == 100_000_000
    assert [one["path"] for one in found["hierarchies"]] == ["filter"]
    assert found["companion"].endswith("image_filter.py")
    assert found["overlay_class"] is None


def test_inspect_with_companion() -> None:
    bitstream = hwh("image_filter").replace(".hwh", ".bit")
    found = json.loads(apart("inspect", "--companion", bitstream, "--json").stdout)
    assert found["overlay_class"] == "image_filter.ImageFilter"
    drivers = {row["slave"]: row["driver"] for row in found["addresses"]}
    assert drivers["filter/stream_filter"] == "image_filter.StreamFilter"
    assert drivers["filter/axi_dma"] == "pynq.lib.dma.DMA"
    assert found["hierarchies"][0]["driver"] == "image_filter.FilterPipeline"


def test_inspect_tells_what_is_rtl(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "image_filter.hwh"
    file.write_bytes(Path(hwh("image_filter")).read_bytes())
    assert told_json(capsys, "inspect", str(file))["rtl"] is None
    manifest = tmp_path / "image_filter.sim.toml"
    manifest.write_text(
        '\n[[rtl]]\nmodule = "stream_filter"\nsources = "a.v"\n[[rtl]]\nmodule = "nix"\nhls = "b"\n'
    )
    found = told_json(capsys, "inspect", str(file))["rtl"]
    assert found["cells"] == [{"path": "filter/stream_filter", "line": 2}]
    assert "has no module type 'nix'" in found["problems"][0]
    said = told(capsys, "inspect", str(file))
    assert "RTL on the simulated board: filter/stream_filter" in said
    manifest.write_text("[[rtl]")
    assert "is no TOML" in told(capsys, "inspect", str(file)).replace("\n", " ")


def test_inspect_tables(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "inspect", hwh("dma_loopback"))
    for text in (
        "xck26sfvc784-2LV",
        "Addresses seen by zynq_ultra_ps_e_0/M_AXI_HPM0_FPD",
        "0xa000_0000",
        "axi_dma_0/s2mm_introut",
        "122",
        "99.999001 MHz",
        "PSDDR",
    ):
        assert text in said, said


@pytest.mark.corpus
def test_names_are_not_cut_in_a_narrow_terminal(
    corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns the widest tables fit; a name goes on in the next line behind a slash or a space."""
    monkeypatch.setenv("COLUMNS", "80")
    said = told(capsys, "inspect", str(corpus / "hwh" / "Xilinx__PYNQ__base__Pynq-Z2__2018.3.hwh"))
    assert max(map(len, said.splitlines())) <= 80
    words = set(said.split())
    assert {"axi_gpio_hdmiin/ip2intc_irpt", "0x43c2_0000", "0x43c2_ffff", "DefaultIP", "BRAM_Clk_A"} <= words
    assert "hdmi_out_hpd_video (S_AXI)" in said
    for path in (corpus / "hwh").glob("*_partial.hwh"):  # designs with long names
        assert max(map(len, told(capsys, "inspect", str(path)).splitlines())) <= 80


def test_only_the_ps_is_marked_so(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "inspect", hwh("image_filter"))
    assert [line for line in said.splitlines() if line.endswith("  PS")] == [
        "├── processing_system7_0  xilinx.com:ip:processing_system7:5.5  PS"
    ]
    assert told_json(capsys, "inspect", hwh("image_filter"))["ps"] == "processing_system7_0"


def test_switches_take_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "inspect", "--help")
    assert "FILE" in said
    for line in said.splitlines():
        if "--help" not in line:  # that one is typer's own
            assert "bool" not in line.lower(), line


@pytest.mark.corpus
def test_inspect_every_file_of_the_corpus(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted((corpus / "hwh").glob("*.hwh"), key=lambda path: path.stat().st_size)
    assert files
    for number, path in enumerate(files):
        found = told_json(capsys, "inspect", str(path))
        assert len(found["cells"]) == path.read_text(encoding="utf-8-sig").count("<MODULE "), path.name
        if number % 4 == 0:
            assert told(capsys, "inspect", str(path))


def test_devices(capsys: pytest.CaptureFixture[str]) -> None:
    found = told_json(capsys, "devices")
    assert found["active"] == "sim:"
    assert "sim" in [backend["scheme"] for backend in found["backends"]]
    said = told(capsys, "devices")
    assert "sim:" in said
    assert "Used where a program names none" in said


def test_the_device_that_is_used_is_marked() -> None:
    for name in ("sim:", "sim:3"):
        lines = apart("devices", PYNQ_DEVICE=name).stdout.splitlines()
        assert [line.split()[:3] for line in lines if line.startswith(">")] == [[">", name, "sim:"]]


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    found = told_json(capsys, "info")
    assert found["native"] == {"core": "ok", "engine": "ok"}
    assert found["devices"]["active"] == "sim:"
    said = told(capsys, "info")
    for text in ("Python", "numpy", "native modules", "core ok, engine ok"):
        assert text in said


# -- errors ----
def test_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "nowhere/x.hwh"]) == 1
    caught = capsys.readouterr()
    assert caught.out == ""
    assert caught.err.startswith("error: ")
    assert "x.hwh" in caught.err
    assert "Traceback" not in caught.err


def test_a_broken_file_is_told_with_its_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Path(hwh("vector_add")).read_text(encoding="utf-8-sig")
    broken = tmp_path / "vector_add.hwh"
    broken.write_text(whole[: len(whole) // 2])
    assert main(["inspect", str(broken)]) == 1
    assert f"{broken}:" in capsys.readouterr().err


def test_brackets_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names from files and messages go to the terminal as they are."""
    assert main(["inspect", str(tmp_path / "x[/bold].hwh")]) == 1
    assert "x[/bold]" in capsys.readouterr().err
    text = Path(hwh("vector_add")).read_text(encoding="utf-8-sig")
    for old, new in (("vector_add_0", "core[/red]"), ('"pl_clk0"', '"clk[bold]"'), ("DDR 4", "[blink]")):
        text = text.replace(old, new)
    odd = tmp_path / "odd.hwh"
    odd.write_text(text)
    said = told(capsys, "inspect", str(odd))
    assert "core[/red]" in said


@pytest.mark.parametrize("arguments", [["inspect"], ["inspect", "a", "b"], ["explode"], ["--nonsense"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Usage" in capsys.readouterr().err


def test_a_device_that_does_not_exist() -> None:
    done = apart("devices", PYNQ_DEVICE="moon:")
    assert done.returncode == 0
    assert "No device can be used" in done.stdout
    assert "moon" in done.stdout


def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pynq.cli.inspection.inspect", interrupted)
    assert main(["inspect", "x.hwh"]) == 130
    assert capsys.readouterr().err == ""


def test_completion() -> None:
    done = apart(_PYNQ_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="pynq ins")
    assert done.returncode == 0, done.stderr
    assert "inspect" in done.stdout
    assert "devices" not in done.stdout


def test_info_works_where_the_rest_does_not() -> None:
    code = (
        "import sys; sys.modules['pynq._native'] = None\n"
        "from pynq.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    for arguments, expected in ((["info"], 0), (["devices"], 1), (["inspect", "x.hwh"], 1)):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == expected, done.stderr
        assert "pynq._native" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_info_of_a_design_is_what_inspect_tells(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "my design.hwh"]) == 2
    assert "pynq inspect 'my design.hwh'" in " ".join(capsys.readouterr().err.split())


def test_without_the_extra(tmp_path: Path) -> None:
    """Where typer or rich is not installed, the message names the extra."""
    code = (
        "import sys; sys.modules['typer'] = None; import importlib.util as u; f = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'typer' else f(name, *a)\n"
        "from pynq.cli import main; sys.exit(main(['info']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "pynq: the command needs typer, which the extra 'cli' brings: pip install 'pynq-anywhere[cli]'\n"
    )


def test_a_reader_that_goes_away() -> None:
    command = [sys.executable, "-m", "pynq", "inspect", hwh("buttons_leds")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(timeout=30) == 0, said
    assert b"Traceback" not in said


def test_importing_the_command_imports_nothing_heavy() -> None:
    code = "import pynq.cli, sys; sys.exit(any(m in sys.modules for m in ('typer', 'rich', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = told_json(capsys, "doctor")
    assert [group["title"] for group in found["groups"]][:2] == ["Board", "Simulated board"]
    levels = {entry["level"] for group in found["groups"] for entry in group["findings"]}
    assert levels <= {"ok", "hint", "warning"}
    said = told(capsys, "doctor")
    assert "\x1b" not in said
    assert "Nothing that is needed is missing." in said

    finding = {"level": "missing", "what": "x[0]", "why": "gone [/]", "how": "bring it"}
    lacking = {"groups": [{"title": "Board", "findings": [finding]}], "missing": 1}
    monkeypatch.setattr("pynq.cli.doctor.collect", lambda: lacking)
    said = told(capsys, "doctor", code=1)
    for part in ("missing", "x[0]", "gone [/]", "-> bring it", "1 thing missing."):
        assert part in said


def test_doctor_without_the_native_core(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pynq.cli.info.state", lambda module: "ImportError: gone")
    found = json.loads(told(capsys, "doctor", "--json", code=1))
    assert found["missing"] == 1
    assert "ImportError: gone" in found["groups"][0]["findings"][0]["why"]
