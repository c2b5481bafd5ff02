"""QEMU, kernel and root of a virtual board, out of a Debian archive on this machine; and their cache."""

from __future__ import annotations

import errno
import gzip
import json
import lzma
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian_kit import DebianArchive, make_key, needs_apt

from pynq.errors import VirtualBoardError
from pynq.vm import apt, assets
from pynq.vm.apt import DownloadRefused, Mirrors
from pynq.vm.assets import Assets, uncompressed
from pynq.vm.cachedir import CacheDir
from pynq.vm.progress import Progress, megabytes

pytestmark = needs_apt

HOST = "amd64"  # what these tests take this machine for
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
RELEASE = "6.12.1-arm64"
IMAGE = b"\0" * 56 + b"ARM\x64" + b"\0" * 64
MAKEFILE = f"include /usr/src/linux-headers-{RELEASE}-common/Makefile\n".encode()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make_key(folder)
    return folder


def fill(archive: DebianArchive, qemu: str = "1:11.1.2+ds-3~bpo13+4") -> None:
    """Put in what a virtual board is made of, small."""
    loader = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    archive.add("stable", "qemu-system-arm", "1:10.0.13+ds-0", architecture=HOST)
    archive.add(
        "stable-backports",
        "qemu-system-arm",
        qemu,
        {"usr/bin/qemu-system-aarch64": b"qemu", "usr/bin/qemu-system-arm": b"x", "usr/share/qemu/rom": b"r"},
        architecture=HOST,
        depends="libc6",
    )
    libc = {loader: b"loader", "usr/lib64/ld-linux-x86-64.so.2": f"../../{loader}"}
    archive.add("stable", "libc6", "2.41", libc, architecture=HOST)
    image, headers = f"linux-image-{RELEASE}", f"linux-headers-{RELEASE}"
    archive.add("trixie", "linux-image-arm64", "6.12.1-1", depends=f"{image} (= 6.12.1-1)")
    modules = f"lib/modules/{RELEASE}/kernel"
    archive.add(
        "trixie",
        image,
        "6.12.1-1",
        {
            f"boot/vmlinuz-{RELEASE}": gzip.compress(IMAGE),
            f"{modules}/drivers/uio/uio.ko": b"m",
            f"{modules}/drivers/gpu/drm.ko": b"m",
        },
    )
    common = f"linux-headers-{RELEASE}-common"
    archive.add(
        "trixie",
        headers,
        "6.12.1-1",
        {f"usr/src/{headers}/Makefile": MAKEFILE},
        depends=f"{common}, linux-kbuild-6.12, gcc-14",
    )
    archive.add("trixie", common, "6.12.1-1", {f"usr/src/{common}/Makefile": b"all:\n"}, architecture="all")
    archive.add("trixie", "linux-kbuild-6.12", "6.12.1-1", architecture="arm64")
    tools = {"usr/lib/linux-kbuild-6.12/scripts/x": b"x"}
    archive.add("trixie", "linux-kbuild-6.12", "6.12.1-1", tools, architecture=HOST)
    minimal = f"python{PYTHON}-minimal"
    library = f"usr/lib/python{PYTHON}"
    archive.add("trixie", "python3-numpy", "2", {"usr/lib/python3/dist-packages/numpy/tests/a.py": b""},
                depends=f"{minimal}, dpkg")  # fmt: skip
    archive.add(
        "trixie",
        minimal,
        "3-1",
        {
            f"usr/bin/python{PYTHON}": b"python",
            f"{library}/os.py": b"A = 1\n",
            f"{library}/idlelib/x.py": b"",
            "lib/aarch64-linux-gnu/libc.so": b"old layout",
            "usr/lib/aarch64-linux-gnu/blas/libblas.so.3": b"blas",
        },
    )
    archive.add("trixie", f"libpython{PYTHON}-dev", "3-1", {f"usr/include/python{PYTHON}/Python.h": b"//"})
    for name in ("python3-libgpiod", "libstdc++6", "busybox-static", "dpkg", "python3-pytest"):
        archive.add("trixie", name, "1")
    archive.add("trixie", "python3-pytest-timeout", "1")
    archive.publish("stable", "stable-backports", "trixie", "testing")


@pytest.fixture
def archive(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DebianArchive]:
    monkeypatch.setattr(apt, "_PAUSES", (0.01,))
    monkeypatch.setattr(apt, "_keyring", lambda: keys / "archive.gpg")
    monkeypatch.setattr(apt.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(assets, "_has_device", lambda program: False)
    monkeypatch.setenv("PYNQ_CACHE", str(tmp_path / "cache"))
    made = DebianArchive(tmp_path / "archive", keys)
    with made.serve():
        yield made


def board(archive: DebianArchive, suite: str = "trixie") -> Assets:
    # trixie is taken for too old, as bookworm is: its packages here have no QEMU
    return Assets(mirrors=lambda: Mirrors(suite, archive.uri, None, ()))


@pytest.fixture(autouse=True)
def _trixie_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "_TOO_OLD", ("trixie",))


def test_everything_is_fetched_once(archive: DebianArchive, capsys: pytest.CaptureFixture[str]) -> None:
    fill(archive)
    parts = board(archive)
    parts.prepare()
    said = capsys.readouterr().err
    assert "QEMU " in said
    assert f"downloaded once from Debian, kept in {parts.cache.folder}" in said
    assert said.index("downloaded once") < said.index("downloading QEMU 11.1.2")

    qemu = parts.qemu()
    loader, option, libraries, program = qemu.command()
    assert qemu.version == "11.1.2"
    assert option == "--library-path"
    assert Path(loader).read_bytes() == b"loader"
    assert Path(libraries, "ld-linux-x86-64.so.2").exists()
    assert Path(program).read_bytes() == b"qemu"
    # beside the loader, so that QEMU never takes the machine's modules
    assert (Path(loader).parent / "qemu-bundle/usr/share/qemu/rom").read_bytes() == b"r"

    kernel = parts.kernel()
    assert (kernel.flavour, kernel.release) == ("stock", RELEASE)
    assert kernel.image.read_bytes() == IMAGE
    assert [file.name for file in kernel.modules.rglob("*.ko")] == ["uio.ko"]
    common = kernel.headers().parent / f"linux-headers-{RELEASE}-common/Makefile"
    assert common.exists()
    assert (kernel.headers() / "Makefile").read_text() == f"include {common}\n"
    assert (kernel.headers().parents[1] / "lib/linux-kbuild-6.12/scripts/x").exists()

    guest = parts.guest()
    assert guest.python == PYTHON
    assert guest.tag == f"cpython-{PYTHON.replace('.', '')}-aarch64-linux-gnu"
    assert (guest.include / f"python{PYTHON}/Python.h").exists()
    root = guest.archive.read_bytes()
    assert b"usr/lib/aarch64-linux-gnu/libc.so\0" in root  # of /lib
    assert b"usr/lib/aarch64-linux-gnu/libblas.so.3\0" in root
    assert f"usr/lib/python{PYTHON}/__pycache__/os.cpython".encode() in root
    assert b"idlelib" not in root
    assert b"numpy/tests" not in root

    archive.faults[""] = 503  # from here on there is no network
    again = board(archive)
    again.prepare()
    assert (again.qemu(), again.kernel(), again.guest()) == (qemu, kernel, guest)
    assert capsys.readouterr().err == ""
    with pytest.raises(DownloadRefused, match="503"):
        again.guest(test=True)


def test_the_root_for_tests_has_pytest(archive: DebianArchive) -> None:
    fill(archive)
    assert board(archive).guest(test=True).archive != board(archive).guest().archive
    assert any("python3-pytest-timeout" in path for path in archive.requests)


def test_newer_versions_come_after_a_clear(archive: DebianArchive) -> None:
    fill(archive)
    parts = board(archive)
    first = parts.qemu()
    files = ("usr/bin/qemu-system-aarch64", "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    links = {"usr/lib64/ld-linux-x86-64.so.2": f"../../{files[1]}"}
    archive.add("testing", "other", "1", architecture=HOST)
    contents = {**dict.fromkeys(files, b"new"), **links}
    archive.add("stable-security", "unused", "1")
    archive._found["stable-backports"].clear()
    (archive.folder.parent / f"build-qemu-system-arm-{HOST}-stable-backports").rename(
        archive.folder.parent / "gone"
    )
    archive.add("stable-backports", "qemu-system-arm", "1:12.0", contents, architecture=HOST)
    archive.publish("stable-backports")
    assert board(archive).qemu() == first
    assert parts.cache.clear() > 0
    assert parts.cache.entries() == []
    assert board(archive).qemu().version == "12.0"


def test_a_kernel_that_moved_on_meanwhile(archive: DebianArchive) -> None:
    fill(archive)
    parts = board(archive)
    real = apt.Archive.download

    def removed(self: apt.Archive, *arguments: object) -> list[Path]:
        archive.faults["linux-image"] = 404
        return real(self, *arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apt.Archive, "download", removed)
        with pytest.raises(DownloadRefused, match="404"):
            parts.kernel()
    archive.faults.clear()
    assert board(archive).kernel().image.exists()


def test_no_qemu_is_new_enough(archive: DebianArchive) -> None:
    fill(archive, qemu="1:10.0.99")
    archive.add("testing", "qemu-system-arm", "1:9.2+x", architecture=HOST)
    archive.publish("testing")
    with pytest.raises(VirtualBoardError, match=r"vfio-user-pci .*10\.1.*10\.0\.99 in stable, 1:9\.2\+x in"):
        board(archive).qemu()


def test_the_machines_own_qemu_is_used_if_it_serves(
    archive: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    program = tmp_path / "bin/qemu-system-aarch64"
    program.parent.mkdir()
    answer = 'echo \'name "vfio-user-pci", bus PCI\'; echo "QEMU emulator version 10.2.0 (Debian)"'
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    found = Assets(CacheDir(tmp_path / "none")).qemu()
    assert found.command() == [str(program)]
    assert found.version == "10.2.0"
    assert not (tmp_path / "none").exists()


def test_a_machine_of_another_python(
    archive: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Debian's own one for this machine writes the byte code then; here a script that notes its arguments.
    fill(archive)
    loader = f'#!/bin/sh\nshift 2; echo "$@" >{tmp_path}/ran; shift 3; exec {sys.executable} "$@"\n'.encode()
    files = {
        "usr/lib64/ld-linux-x86-64.so.2": loader,
        "usr/lib/x86_64-linux-gnu/libm.so": b"",
        f"usr/bin/python{PYTHON}": b"",
    }
    archive.add("trixie", f"python{PYTHON}-minimal", "3-1", files, architecture=HOST)
    archive.add("trixie", f"libpython{PYTHON}-stdlib", "3-1", architecture=HOST)
    archive.publish("trixie")
    monkeypatch.setattr(assets, "_own_python", lambda version: False)
    real = assets._compiler

    def executable(place: Path, python: str) -> tuple[str, ...]:
        for file in place.glob("host/lib64/ld*"):
            file.chmod(0o755)
        return real(place, python)

    monkeypatch.setattr(assets, "_compiler", executable)
    guest = board(archive).guest()
    assert guest.compiler[0].endswith("host/lib64/ld-linux-x86-64.so.2")
    assert (tmp_path / "ran").read_text().split()[1:5] == ["-I", "-S", "-m", "compileall"]
    assert f"usr/lib/python{PYTHON}/__pycache__/os.cpython".encode() in guest.archive.read_bytes()


# The kernel's image


def zboot(kind: bytes, payload: bytes) -> bytes:
    header = b"MZ\0\0zimg" + struct.pack("<II", 64, len(payload)) + bytes(8) + kind.ljust(32, b"\0")
    return header.ljust(64, b"\0") + payload


def test_kernels_are_unpacked() -> None:
    assert uncompressed(IMAGE, "vmlinuz") == IMAGE
    assert uncompressed(gzip.compress(IMAGE), "vmlinuz") == IMAGE
    assert uncompressed(zboot(b"gzip", gzip.compress(IMAGE)), "vmlinuz") == IMAGE
    assert uncompressed(zboot(b"xzkern", lzma.compress(IMAGE)), "vmlinuz") == IMAGE
    with pytest.raises(VirtualBoardError, match="vmlinuz is compressed as 'zstd22'"):
        uncompressed(zboot(b"zstd22", b""), "vmlinuz")
    for content in (
        b"",
        b"\x7fELF" * 100,
        gzip.compress(b"no"),
        gzip.compress(IMAGE)[:-9],
        zboot(b"gzip", b""),
    ):
        with pytest.raises(VirtualBoardError, match="vmlinuz"):
            uncompressed(content, "vmlinuz")


# The cache


def test_an_entry_is_whole_or_not_there(tmp_path: Path) -> None:
    cache = CacheDir(tmp_path)

    def fails(draft: Path, place: Path) -> None:
        (draft / "half").write_bytes(b"1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry("thing", "1", "a thing", fails)
    assert not cache.has("thing", "1")
    assert cache.entries() == []
    assert not cache.place("thing", "1").exists()
    made = cache.entry(
        "thing", "1", "a thing", lambda draft, place: (draft / "x").write_text(str(place)) and None
    )
    assert (made / "x").read_text() == str(made)
    assert [(entry.kind, entry.label) for entry in cache.entries()] == [("thing", "a thing")]


MAKER = """
import sys, time
from pathlib import Path
from pynq.vm.cachedir import CacheDir
def make(draft, place):
    with open(sys.argv[2], "a") as log:
        log.write("made\\n")
    (draft / "x").write_bytes(bytes(1000))
    print("begun", flush=True)
    time.sleep(float(sys.argv[3]))
CacheDir(Path(sys.argv[1])).entry("thing", "1", "a thing", make)
"""


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKER, str(tmp_path / "cache"), str(tmp_path / "log"), "0.5"]
    for process in [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]:
        assert process.wait(60) == 0
    assert (tmp_path / "log").read_text() == "made\n"


def test_a_killed_process_leaves_what_the_next_one_removes(tmp_path: Path) -> None:
    cache = CacheDir(tmp_path / "cache")
    command = [sys.executable, "-c", MAKER, str(cache.folder), str(tmp_path / "log"), "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert cache.sweep() == 0  # it lives
        assert cache.clear() == 0
        assert [entry.kind for entry in cache.entries()] == ["draft"]
        process.send_signal(signal.SIGKILL)
    assert not cache.has("thing", "1")
    assert cache.sweep() >= 1000
    assert cache.entries() == []


def test_what_was_not_used_for_long_goes(tmp_path: Path) -> None:
    cache = CacheDir(tmp_path)
    for key in ("old", "new"):
        cache.entry("thing", key, key, lambda draft, place: None)
    long_ago = time.time() - 90 * 86400
    os.utime(cache.place("thing", "old") / "entry.json", (long_ago, long_ago))
    cache.prune()
    assert [entry.label for entry in cache.entries()] == ["new"]


def test_records_that_are_no_records(tmp_path: Path) -> None:
    cache = CacheDir(tmp_path)
    assert cache.recall("x") is None
    cache.remember("x", {"a": 1})
    assert cache.recall("x") == {"a": 1}
    for text in ("", "[]", "{", "\xff"):
        (tmp_path / "records/x.json").write_text(text, encoding="latin-1")
        assert cache.recall("x") is None


@pytest.mark.parametrize("record", ["{}", '{"format": 1}', '{"format": 1, "kind": "qemu", "sources": 3}'])
def test_a_record_of_another_version_is_asked_for_again(archive: DebianArchive, record: str) -> None:
    fill(archive)
    parts = board(archive)
    (parts.cache.folder / "records").mkdir(parents=True)
    (parts.cache.folder / "records/qemu.json").write_text(record)
    assert parts.qemu().version == "11.1.2"


def test_a_full_disk(tmp_path: Path) -> None:
    def make(draft: Path, _: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(draft))

    with pytest.raises(VirtualBoardError, match=r"no space left on its disk; .*set PYNQ_CACHE to a"):
        CacheDir(tmp_path).entry("thing", "1", "a thing", make)
    assert not list((tmp_path / "drafts").iterdir())


def test_a_cache_that_cant_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = CacheDir(tmp_path / "file" / "cache")
    with pytest.raises(VirtualBoardError, match=r"can't be written: Not a directory; set PYNQ_CACHE"):
        cache.entry("thing", "1", "a thing", lambda draft, place: None)
    assert cache.entries() == []
    assert cache.clear() == 0


def test_the_command_shows_and_clears_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pynq.cli import main

    monkeypatch.setenv("PYNQ_CACHE", str(tmp_path))
    CacheDir().entry(
        "qemu", "1", "QEMU 11", lambda draft, place: (draft / "x").write_bytes(bytes(10**6)) and None
    )
    assert main(["cache", "info", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["vm"]
    assert told["folder"] == str(tmp_path / "vm")
    assert [(entry["kind"], entry["label"]) for entry in told["entries"]] == [("qemu", "QEMU 11")]
    assert told["size"] >= 10**6
    assert main(["cache", "info"]) == 0
    assert "QEMU 11" in capsys.readouterr().out
    assert main(["cache", "clear"]) == 0
    assert "1.0 MB freed" in capsys.readouterr().out
    assert CacheDir().entries() == []


# What is said


def test_progress_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress().step("downloading (5 MB)") as told:
        told(0.5)
    with Progress(quiet=True).step("nothing") as told:
        told(1.0)
    assert capsys.readouterr().err == "virtual board: downloading (5 MB)\n"
    assert [megabytes(size) for size in (5, 99_000, 1_600_000)] == ["0 kB", "99 kB", "2 MB"]
