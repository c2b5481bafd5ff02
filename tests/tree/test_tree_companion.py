"""The Python file beside the bitstream."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path
from typing import Any

import pytest
from kit import KNOB, Board, OldDevice, write

import pynq
from pynq.errors import CompanionError, PynqWarning


def companion(folder: Path, text: str, name: str = "kit") -> Path:
    path = folder / f"{name}.py"
    path.write_text(textwrap.dedent(text))
    path.chmod(0o644)
    return path


def test_a_class_with_the_seeds_signature(bit: str, tmp_path: Path, device: OldDevice) -> None:
    companion(
        tmp_path,
        """
        from pynq import DefaultOverlay

        class MyOverlay(DefaultOverlay):
            def __init__(self, bitfile_name, download):
                super().__init__(bitfile_name, download)
                self.asked = download

        Overlay = MyOverlay
        """,
    )
    overlay: Any = pynq.Overlay(bit, device=device, ignore_version=True)
    assert type(overlay).__name__ == "MyOverlay"
    assert overlay.asked is True
    assert overlay.device is device  # although the signature has no place for it
    assert overlay.ignore_version
    assert overlay.is_loaded()
    assert overlay.knob_0.read(0) == 0
    waiting: Any = pynq.Overlay(bit, download=False, device=Board("second"))
    assert waiting.asked is False
    assert not waiting.is_loaded()


def test_a_class_with_pynqs_signature_that_subclasses_overlay(
    bit: str, tmp_path: Path, device: OldDevice
) -> None:
    companion(
        tmp_path,
        """
        import pynq

        class Overlay(pynq.Overlay):
            def __init__(self, bitfile_name, dtbo=None, download=True, ignore_version=False, device=None):
                super().__init__(bitfile_name, dtbo, download, ignore_version, device)
                self.given = (dtbo, download, ignore_version, device)
        """,
    )
    (tmp_path / "kit.dtbo").write_bytes(b"")
    overlay: Any = pynq.Overlay(bit, str(tmp_path / "kit.dtbo"), False, True, device)
    assert overlay.given == (str(tmp_path / "kit.dtbo"), False, True, device)
    assert overlay.dtbo == str(tmp_path / "kit.dtbo")
    assert isinstance(overlay, pynq.Overlay)


def test_a_function_and_keywords_of_its_own(bit: str, tmp_path: Path, device: OldDevice) -> None:
    companion(
        tmp_path,
        """
        import pynq

        def Overlay(name, load, gain=1):
            overlay = pynq.Overlay(name, download=load)  # itself: no companion a second time
            overlay.gain = gain
            return overlay
        """,
    )
    overlay: Any = pynq.Overlay(bit, device=device, gain=3)
    assert type(overlay) is pynq.Overlay
    assert overlay.gain == 3
    assert overlay.device is device


def test_a_class_that_takes_the_name_only(bit: str, tmp_path: Path, device: OldDevice) -> None:
    companion(
        tmp_path,
        """
        from pynq import DefaultOverlay as Base

        class Overlay(Base):
            def __init__(self, bitfile_name):
                super().__init__(bitfile_name)
        """,
    )
    assert not pynq.Overlay(bit, download=False, device=Board()).is_loaded()
    assert pynq.Overlay(bit, device=device).is_loaded()


def test_two_devices_and_another_overlay_inside(bit: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    inner = write(tmp_path / "sub", "inner")
    companion(
        tmp_path,
        f"""
        import pynq

        class Overlay(pynq.DefaultOverlay):
            def __init__(self, bitfile_name, download, second=None):
                super().__init__(bitfile_name, download)
                self.inner = pynq.Overlay({str(inner)!r}, device=second)
        """,
    )
    first, second = OldDevice("first"), OldDevice("second")
    overlay: Any = pynq.Overlay(bit, device=first, second=second)
    assert (overlay.device, overlay.inner.device) == (first, second)


def test_its_drivers_are_bound_and_bound_again_on_reload(bit: str, tmp_path: Path, device: OldDevice) -> None:
    text = """
        from pynq import DefaultIP, DefaultOverlay

        class Knob(DefaultIP):
            bindto = [{!r}]
            turns = {}

        Overlay = DefaultOverlay
        """
    companion(tmp_path, text.format(KNOB, 1))
    first = pynq.Overlay(bit, device=device)
    assert first.knob_0.turns == 1
    companion(tmp_path, text.format(KNOB, 2))
    assert pynq.Overlay(bit, device=device).knob_0.turns == 2
    assert first.knob_0.turns == 1


def test_it_is_a_proper_module(bit: str, tmp_path: Path, device: OldDevice) -> None:
    (tmp_path / "helpers.py").write_text("def double(value):\n    return 2 * value\n")
    path = companion(
        tmp_path,
        """
        from pynq import DefaultOverlay
        from .helpers import double

        class Overlay(DefaultOverlay):
            four = double(2)
        """,
    )
    overlay: Any = pynq.Overlay(bit, device=device)
    module = sys.modules[type(overlay).__module__]
    assert overlay.four == 4
    assert module.__file__ == str(path)
    assert module.__name__.startswith("pynq_overlay_kit_")
    other = tmp_path / "other"
    other.mkdir()
    elsewhere = write(other)
    companion(other, "from pynq import DefaultOverlay\nclass Overlay(DefaultOverlay):\n    pass\n")
    assert type(pynq.Overlay(str(elsewhere), device=device)).__module__ != module.__name__


def test_what_the_loaders_class_makes_is_not_asked_for_again(
    bit: str, tmp_path: Path, device: OldDevice
) -> None:
    companion(tmp_path, "raise SystemError('imported')\nOverlay = None\n")

    class Mine(pynq.Overlay):
        pass

    assert type(Mine(bit, device=device)) is Mine
    assert type(pynq.DefaultOverlay(bit, device=device)) is pynq.DefaultOverlay
    with pytest.raises(CompanionError, match=r"kit.py:1: SystemError: imported"):
        pynq.Overlay(bit, device=device)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Overlay = 1\nimport no_such_module\n",
            r"kit.py:2: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("x = 1\ndef f(:\nOverlay = f\n", r"kit.py:2: SyntaxError"),
        ("Overlay = 3\n", r"kit.py: Overlay is 3; it must be a class or a function"),
        (
            "def Overlay(name, load):\n    pass\n",
            r"kit.py: Overlay returned None; it must return the overlay",
        ),
    ],
)
def test_errors_show_file_and_line(
    bit: str, tmp_path: Path, device: OldDevice, text: str, message: str
) -> None:
    companion(tmp_path, text)
    with pytest.raises(CompanionError, match=message):
        pynq.Overlay(bit, device=device)


def test_an_error_in_its_constructor_passes_with_its_own_type_and_line(
    bit: str, tmp_path: Path, device: OldDevice
) -> None:
    path = companion(tmp_path, "def Overlay(name, load):\n    return 1 / 0\n")
    with pytest.raises(ZeroDivisionError) as caught:
        pynq.Overlay(bit, device=device)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno, last.line) == (str(path), 2, "return 1 / 0")


def test_files_that_others_may_write_are_refused(bit: str, tmp_path: Path, device: OldDevice) -> None:
    path = companion(tmp_path, "from pynq import DefaultOverlay\nOverlay = DefaultOverlay\n")
    path.chmod(0o646)
    with pytest.raises(CompanionError, match=r"kit.py is not run: everybody may write it; chmod o-w"):
        pynq.Overlay(bit, device=device)
    path.chmod(0o600)
    assert pynq.Overlay(bit, device=device).is_loaded()


def test_a_group_of_others_may_not_write_it(
    bit: str, tmp_path: Path, device: OldDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = companion(tmp_path, "from pynq import DefaultOverlay\nOverlay = DefaultOverlay\n")
    path.chmod(0o664)
    monkeypatch.setattr("pynq.binding.companion._private_group", lambda user, group: False)
    with pytest.raises(CompanionError, match=r"kit.py is not run: its group \w+ may write it; chmod g-w"):
        pynq.Overlay(bit, device=device)
    monkeypatch.setattr("pynq.binding.companion._private_group", lambda user, group: True)
    assert pynq.Overlay(bit, device=device).is_loaded()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_files_of_somebody_else_are_refused(bit: str, tmp_path: Path, device: OldDevice) -> None:
    path = companion(tmp_path, "from pynq import DefaultOverlay\nOverlay = DefaultOverlay\n")
    os.chown(path, 12345, 0)
    with pytest.raises(
        CompanionError,
        match=r"kit.py is not run: it is owned by user 12345, not by you \(root\) or root; chown it",
    ):
        pynq.Overlay(bit, device=device)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_files_of_who_called_sudo_are_taken(
    bit: str, tmp_path: Path, device: OldDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = companion(tmp_path, "from pynq import DefaultOverlay\nOverlay = DefaultOverlay\n")
    os.chown(path, 12345, 0)
    monkeypatch.setenv("SUDO_UID", "12345")
    assert pynq.Overlay(bit, device=device).is_loaded()


def test_a_program_beside_the_bitstream_is_not_run(bit: str, tmp_path: Path, device: OldDevice) -> None:
    companion(tmp_path, "from pynq import Overlay\nraise SystemExit('ran')\n")
    assert type(pynq.Overlay(bit, device=device)) is pynq.Overlay


def test_a_file_that_binds_no_overlay_is_left_alone_with_a_warning(
    bit: str, tmp_path: Path, device: OldDevice
) -> None:
    companion(tmp_path, "class MyOverlay:\n    pass\nraise SystemExit('ran')\n")
    with pytest.warns(PynqWarning, match="binds no name Overlay, so it was not imported") as notes:
        assert type(pynq.Overlay(bit, device=device)) is pynq.Overlay
    assert notes[0].filename == __file__


def test_a_program_of_the_bitstreams_own_name_can_load_it(tmp_path: Path) -> None:
    write(tmp_path)
    program = companion(
        tmp_path,
        f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from kit import OldDevice
        import pynq

        class Overlay(pynq.Overlay):
            pass

        print(type(pynq.Overlay("kit.bit", device=OldDevice())).__module__)
        """,
    )
    out = subprocess.run(
        [sys.executable, str(program)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == ["pynq.overlay"]


def test_conditional_bindings_count(bit: str, tmp_path: Path, device: OldDevice) -> None:
    companion(
        tmp_path,
        """
        import pynq
        try:
            import no_such_module
        except ImportError:
            Overlay: object = pynq.DefaultOverlay
        """,
    )
    assert type(pynq.Overlay(bit, device=device)) is pynq.DefaultOverlay
