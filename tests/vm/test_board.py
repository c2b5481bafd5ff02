"""The life of a virtual board on the host's side, with a stand-in for QEMU (``fakeqemu.py``)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pynq.errors import DesignNotFoundError, VirtualBoardError
from pynq.vm import board as module
from pynq.vm.board import VirtualBoard
from pynq.vm.console import Console

HERE = Path(__file__).resolve().parent
DESIGN = HERE.parents[1] / "examples" / "dma_loopback" / "dma_loopback.hwh"


class Assets:
    """What is fetched from Debian, without Debian."""

    def __init__(self, **_: object) -> None:
        self.cache = None

    def qemu(self) -> Any:
        return SimpleNamespace(command=lambda: [sys.executable, str(HERE / "fakeqemu.py")])

    def guest(self) -> None:
        return None


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    def image(path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"")

    monkeypatch.setattr(module, "_parts", lambda *_: (SimpleNamespace(image=tmp_path), [], tmp_path))
    monkeypatch.setattr(module, "write_image", image)
    monkeypatch.setattr(module, "Assets", Assets)
    # Of its own, because of boards of others on this machine; with a short name, for the sockets.
    with tempfile.TemporaryDirectory(prefix="pvb-", dir="/tmp") as own:
        monkeypatch.setattr(tempfile, "tempdir", own)
        yield
        assert not list(Path(own).iterdir()), "a folder was left behind"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pynq vm")]


def _board(tmp_path: Path, **options: Any) -> VirtualBoard:
    return VirtualBoard(DESIGN, share=tmp_path, **options)


def _run(board: VirtualBoard, *command: str, **options: Any) -> tuple[int, bytes]:
    output: list[bytes] = []
    status = board.run(list(command), output=output.append, **options)
    return status, b"".join(output)


def test_commands_have_their_output_and_status(tmp_path: Path) -> None:
    with _board(tmp_path, environment={"A": "it's"}) as board:
        assert _run(board, "sh", "-c", "pwd; printf 'a\\036b'; echo err >&2; exit 3") == (
            3,
            f"{tmp_path}\na\x1eberr\n".encode(),
        )
        assert _run(board, "printf", "%s", "two  words; $HOME") == (0, b"two  words; $HOME")
        assert _run(board, "sh", "-c", "kill -TERM $$")[0] == 128 + signal.SIGTERM
        assert board.served is not None
        assert board.tree is not None
        assert board.tree.text("model") == "PYNQ virtual board: dma_loopback"
        folder = board._folder
        assert folder is not None
        assert (folder / "control" / "environment").read_text() == "A='it'\"'\"'s'\n"
        assert folder.stat().st_mode & 0o077 == 0
    with pytest.raises(VirtualBoardError, match="does not run"):
        board.run(["true"])


def test_much_output_arrives_whole(tmp_path: Path) -> None:
    with _board(tmp_path) as board:
        status, output = _run(board, "sh", "-c", "seq 100000")
    assert status == 0
    assert output == b"".join(b"%d\n" % number for number in range(1, 100001))


def test_where_the_design_is_seen(tmp_path: Path) -> None:
    board = _board(tmp_path)
    assert board.place == "/mnt/design"
    board = VirtualBoard(DESIGN, share=DESIGN.parents[1])
    assert board.place == "/mnt/share/dma_loopback"
    board = VirtualBoard(DESIGN, share=None)
    assert board.place == "/mnt/design"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no tree", "QEMU does not tell its device tree: fake: no such machine"),
        ("refuses", "did not start\nthe last words of QEMU:\nfake: -device vfio-user-pci: Failed to connect"),
        ("panics", "(?s)the virtual board did not start\nthe last words of the guest:.*Kernel panic"),
        ("module", r"(?s)did not start\nmodule pynq_uio.ko: insmod: can't insert"),
        ("hangs", "did not start within [0-9]+ s\nthe last words of the guest:\n.*Booting Linux"),
    ],
)
def test_a_start_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, message: str
) -> None:
    monkeypatch.setenv("FAKE_QEMU", fault)
    timeout = 6.0 if fault == "hangs" else 100.0
    with pytest.raises(VirtualBoardError, match=message), _board(tmp_path, timeout=timeout):
        pass


@pytest.mark.parametrize("fault", ["dies", "powers off"])
def test_a_board_that_goes_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    monkeypatch.setenv("FAKE_QEMU", fault)
    board = _board(tmp_path)
    board.start()
    with pytest.raises(
        VirtualBoardError, match=r"(?s)went down before the command had ended\n.*(Oops|Power)"
    ):
        _run(board, "echo", "hello")
    if fault == "powers off":
        board = _board(tmp_path)
        board.start()
        assert board.run(None, output=lambda _: None) == 0
        board.close()


def test_a_command_that_takes_too_long(tmp_path: Path) -> None:
    board = _board(tmp_path)
    board.start()
    begin = time.monotonic()
    with pytest.raises(VirtualBoardError, match=r"the command did not end within 0.3 s"):
        _run(board, "sleep", "600", timeout=0.3)
    assert time.monotonic() - begin < 100


def test_an_output_that_fails(tmp_path: Path) -> None:
    board = _board(tmp_path)
    board.start()

    def closed(_: bytes) -> None:
        raise BrokenPipeError("nobody reads")

    with pytest.raises(BrokenPipeError, match="nobody reads"):
        board.run(["sh", "-c", "echo; sleep 60"], output=closed)
    board.close()


def test_what_can_not_be(tmp_path: Path) -> None:
    with pytest.raises(VirtualBoardError, match="no kernel 'own'; there are stock and built"):
        _board(tmp_path, kernel="own")
    with pytest.raises(VirtualBoardError, match="memory of 536870913 bytes: expected a multiple of 2 MiB"):
        _board(tmp_path, memory=(512 << 20) + 1)
    with pytest.raises(VirtualBoardError, match=r"128 MiB of memory are too few"):
        _board(tmp_path, memory=128 << 20)
    with pytest.raises(VirtualBoardError, match=r"the shared folder .*nowhere is no folder"):
        _board(tmp_path / "nowhere")
    with pytest.raises(DesignNotFoundError):
        VirtualBoard(tmp_path / "no.hwh", share=tmp_path)
    with _board(tmp_path) as board, pytest.raises(VirtualBoardError, match="was started already"):
        board.start()


PROGRAM = """
import sys
sys.path.insert(0, {here!r})
from types import SimpleNamespace
import pathlib
import test_board
from pynq.vm import board as module
module._parts = lambda *_: (SimpleNamespace(image=pathlib.Path("x")), [], None)
module.write_image = lambda path, *_, **__: path.write_bytes(b"")
module.Assets = test_board.Assets
board = module.VirtualBoard({design!r}, share={share!r}, progress=module.Progress(quiet=True))
with board:
    print("pid", board._machine.pid, flush=True)
    print("status", board.run({command!r}), flush=True)
"""


@contextlib.contextmanager
def _program(tmp_path: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    text = PROGRAM.format(here=str(HERE), design=str(DESIGN), share=str(tmp_path), command=list(command))
    process = subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TMPDIR": tempfile.gettempdir()},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 100
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_ctrl_c_is_for_the_program_and_twice_for_the_board(tmp_path: Path) -> None:
    program = "trap 'echo caught' INT; touch begun; while :; do sleep 0.05; done"
    with _program(tmp_path, "sh", "-c", program) as process:
        _wait_for(tmp_path / "begun")
        assert process.stdout is not None
        assert process.stdout.readline().startswith("pid ")
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "caught\n"
            time.sleep(2.1)
        errors = ""
        for _ in range(4):  # where the machine is so busy that the two come more than two seconds apart
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                errors = process.communicate(timeout=20)[1]
                break
        assert "KeyboardInterrupt" in errors
        assert process.returncode != 0


def test_qemu_does_not_outlive_a_killed_program(tmp_path: Path) -> None:
    with _program(tmp_path, "sh", "-c", "touch begun; sleep 600") as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline().split()[1])
        _wait_for(tmp_path / "begun")
    end = time.monotonic() + 100
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/status").read_text().find("zombie") < 0:
        assert time.monotonic() < end, "QEMU goes on"
        time.sleep(0.02)
    # Nobody could remove its folder; the next board does, when it is sure.
    left = next(Path(tempfile.gettempdir()).iterdir())
    with _board(tmp_path):
        assert left.exists()
    os.utime(left, (0, 0))
    with _board(tmp_path) as board:
        assert not left.exists()
        assert board._folder is not None
        os.utime(board._folder, (0, 0))
        with _board(tmp_path):
            assert board._folder.exists()


def test_a_console_is_closed_though_somebody_holds_its_other_end() -> None:
    reader, writer = os.pipe()
    console = Console(os.fdopen(reader, "rb", 0), open(os.devnull, "wb"), "0123")  # noqa: SIM115
    os.write(writer, b"last words")
    console.close()
    console.close()
    assert console.closed
    assert console.last_words() == "last words"
    os.close(writer)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_marks_are_found_however_the_console_is_read(size: int) -> None:
    reader, writer = os.pipe()
    console = Console(os.fdopen(reader, "rb", 0), open(os.devnull, "wb"), "0123")  # noqa: SIM115
    output: list[bytes] = []
    console.begin(output.append, b"")
    text = b"boot \x1e0\x1e0123 ready\x1e$\x1e0123 begin\x1ea\x1eb\x1e01c\x1e\x1e0123 end 7\x1e\x1e0123 x"
    for start in range(0, len(text), size):
        os.write(writer, text[start : start + size])
        time.sleep(0.001)
    os.close(writer)
    assert console.wait(lambda: console.closed, 10)
    console.close()
    assert b"".join(output) == b"a\x1eb\x1e01c\x1e"
    assert (console.ready, console.running, console.status) == (True, False, 7)
