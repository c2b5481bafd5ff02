"""The guest's file system: what is in the archive, read back as a kernel reads it."""

from __future__ import annotations

import importlib.util
import lzma
import marshal
import stat
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

import pynq
from pynq.errors import VirtualBoardError
from pynq.vm.assets import Guest, Kernel
from pynq.vm.cachedir import CacheDir
from pynq.vm.cpio import Writer
from pynq.vm.image import compile_package, module_closure, write_image

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
TAG = f"cpython-{PYTHON.replace('.', '')}"
PACKAGE = "usr/lib/python3/dist-packages/pynq"


class Found(NamedTuple):
    mode: int
    content: bytes
    device: tuple[int, int]


def read_archives(data: bytes) -> dict[str, Found]:
    """Read archives of the format "newc" that follow each other, as the kernel does: the last file counts."""
    found: dict[str, Found] = {}
    at = 0
    while at < len(data):
        if data[at] == 0:
            at += 4
            continue
        assert data[at : at + 6] == b"070701", f"no header at {at}"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110 : at + 110 + fields[11] - 1].decode()
        assert data[at + 110 + fields[11] - 1] == 0
        start = at + (110 + fields[11] + 3) // 4 * 4
        content = data[start : start + fields[6]]
        at = start + (fields[6] + 3) // 4 * 4
        assert (fields[2], fields[3]) == (0, 0), f"{name} is not root's"
        if name == "TRAILER!!!":
            continue
        above = name.rpartition("/")[0]
        assert not above or stat.S_ISDIR(found[above].mode) or stat.S_ISLNK(found[above].mode), name
        found[name] = Found(fields[1], content, (fields[9], fields[10]))
    return found


def module(*needs: str) -> bytes:
    """Return what of a kernel module is read here: its ``.modinfo``."""
    return b"\x7fELF\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0intree=Y\0"


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    folder = tmp_path / "modules"
    files = {
        "drivers/virtio/virtio_pci.ko": module("virtio_pci_modern_dev"),
        "drivers/virtio/virtio_pci_modern_dev.ko": module(),
        "fs/9p/9p.ko": module("9pnet"),
        "net/9p/9pnet.ko": module(),
        "net/9p/9pnet_virtio.ko.xz": lzma.compress(module("9pnet")),
        "drivers/uio/uio.ko": module(),
        "drivers/uio/uio_pci_generic.ko": module("uio"),
    }
    for name, content in files.items():
        path = folder / "kernel" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "modules.builtin").write_text("kernel/fs/configfs/configfs.ko\n")
    return Kernel("stock", "6.1.0-1-arm64", tmp_path / "Image", folder, tmp_path)


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    root = tmp_path / "root.cpio"
    with root.open("wb") as file:
        writer = Writer(file)
        writer.folder("usr/lib")
        writer.link("lib", "usr/lib")
        writer.file("etc/hostname", b"of the root\n")
        writer.file("usr/bin/odd", b"12345", 0o755)
        writer.close()
    return Guest(PYTHON, root, tmp_path, (sys.executable,))


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    return CacheDir(tmp_path / "cache")


def test_what_is_in_it(tmp_path: Path, guest: Guest, kernel: Kernel, cache: CacheDir) -> None:
    own = tmp_path / "pynq-uio.ko"
    own.write_bytes(module("uio"))
    native = tmp_path / f"_native.{TAG}-aarch64-linux-gnu.so"
    native.write_bytes(b"native")
    path = tmp_path / "image"
    made = write_image(path, guest, kernel, cache, modules=[own], native=native, files={"opt/x/y": b"more"})
    data = path.read_bytes()
    assert made.size == len(data)
    found = read_archives(data)
    # of the root, and instead of what the root has
    assert found["usr/bin/odd"] == Found(stat.S_IFREG | 0o755, b"12345", (0, 0))
    assert found["lib"] == Found(stat.S_IFLNK | 0o777, b"usr/lib", (0, 0))
    assert found["etc/hostname"].content == b"pynq\n"
    # the system's
    assert found["init"].mode == stat.S_IFREG | 0o755
    assert found["init"].content.startswith(b"#!/bin/busybox sh\n")
    assert found["dev/console"] == Found(stat.S_IFCHR | 0o600, b"", (5, 1))
    assert stat.S_ISDIR(found["mnt/control"].mode)
    assert found["opt/x/y"].content == b"more"
    # modules, each after those it needs, ours last
    order = found["usr/lib/pynq/order"].content.decode().split()
    assert order == [f"{name}.ko" for name in made.modules]
    assert order[-1] == "pynq_uio.ko"
    for first, then in (
        ("virtio_pci_modern_dev", "virtio_pci"),
        ("9pnet", "9pnet_virtio"),
        ("9pnet", "9p"),
        ("uio", "uio_pci_generic"),
    ):
        assert order.index(f"{first}.ko") < order.index(f"{then}.ko")
    assert found["usr/lib/pynq/9pnet_virtio.ko"].content == module("9pnet")  # unpacked
    assert "usr/lib/pynq/configfs.ko" not in found  # built in
    # this package: sources, byte code that never looks at them, the guest's native part and not ours
    source = Path(pynq.__file__).parent
    assert found[f"{PACKAGE}/errors.py"].content == (source / "errors.py").read_bytes()
    assert found[f"{PACKAGE}/{native.name}"].content == b"native"
    assert not [name for name in found if name.endswith(".so") and "x86_64" in name]
    code = found[f"{PACKAGE}/__pycache__/errors.{TAG}.pyc"].content
    assert code[:4] == importlib.util.MAGIC_NUMBER
    assert code[4:8] == b"\1\0\0\0"  # PEP 552: by hash, unchecked
    assert marshal.loads(code[16:]).co_filename == f"/{PACKAGE}/errors.py"
    sources = [name for name in found if name.startswith(PACKAGE) and name.endswith(".py")]
    assert len([name for name in found if name.endswith(".pyc")]) == len(sources)
    (points,) = (name for name in found if name.endswith("dist-info/entry_points.txt"))
    assert b"[pynq.backends]" in found[points].content


def test_it_is_the_same_twice_and_compiles_once(
    tmp_path: Path, guest: Guest, kernel: Kernel, cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "first", guest, kernel, cache)
    monkeypatch.setattr("pynq.vm.image.compile_python", None)
    start = time.process_time()
    write_image(tmp_path / "second", guest, kernel, cache)
    assert time.process_time() - start < 10
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_what_is_prepared_is_not_written_again(
    tmp_path: Path, guest: Guest, kernel: Kernel, cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `pynq vm --prepare` a start works with a cache that is read-only."""
    package = tmp_path / "own"
    package.mkdir()
    (package / "__init__.py").write_text("A = 1\n")
    monkeypatch.setattr(pynq, "__file__", str(package / "__init__.py"))
    compile_package(guest, cache)
    monkeypatch.setattr(cache, "draft", None)
    write_image(tmp_path / "image", guest, kernel, cache)
    found = read_archives((tmp_path / "image").read_bytes())
    assert f"{PACKAGE}/__pycache__/__init__.{TAG}.pyc" in found


def test_byte_code_follows_the_source(
    tmp_path: Path, guest: Guest, kernel: Kernel, cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "own"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("A = 1\n")
    (package / "sub/__init__.py").write_text("A = 2\n")
    (package / "sub/broken.py").write_text("def\n")  # say, for a newer Python
    monkeypatch.setattr(pynq, "__file__", str(package / "__init__.py"))

    def constants(folder: str) -> tuple[object, ...]:
        write_image(tmp_path / "image", guest, kernel, cache)
        found = read_archives((tmp_path / "image").read_bytes())
        assert f"{PACKAGE}/sub/broken.py" in found
        code = found[f"{PACKAGE}/{folder}__pycache__/__init__.{TAG}.pyc"].content
        constants: tuple[object, ...] = marshal.loads(code[16:]).co_consts
        return constants

    assert constants("")[0] == 1
    assert constants("sub/")[0] == 2
    (package / "__init__.py").write_text("A = 3\n")
    assert constants("")[0] == 3


def test_a_module_that_the_kernel_lacks(kernel: Kernel) -> None:
    with pytest.raises(VirtualBoardError, match=r"6\.1\.0-1-arm64 has no module nonsense in "):
        module_closure(kernel, ["uio", "nonsense"])
    (kernel.modules / "kernel/net/9p/9pnet.ko").unlink()
    with pytest.raises(VirtualBoardError, match=r"no module 9pnet \(which 9p needs\)"):
        module_closure(kernel, ["9p"])


def test_modules_that_need_each_other(kernel: Kernel) -> None:
    (kernel.modules / "kernel/a.ko").write_bytes(module("b"))
    (kernel.modules / "kernel/b.ko").write_bytes(module("a"))
    assert [name for name, _ in module_closure(kernel, ["a"])] == ["b", "a"]


def test_a_module_that_cant_be_read(tmp_path: Path, guest: Guest, kernel: Kernel, cache: CacheDir) -> None:
    with pytest.raises(VirtualBoardError, match=r"the kernel module .*none\.ko can't be read"):
        write_image(tmp_path / "image", guest, kernel, cache, modules=[tmp_path / "none.ko"])
    (kernel.modules / "kernel/net/9p/9pnet_virtio.ko.xz").write_bytes(b"no xz")
    with pytest.raises(VirtualBoardError, match=r"9pnet_virtio\.ko\.xz can't be read"):
        write_image(tmp_path / "image", guest, kernel, cache)


def test_a_place_that_cant_be_written(tmp_path: Path, guest: Guest, kernel: Kernel, cache: CacheDir) -> None:
    with pytest.raises(VirtualBoardError, match=r"image .*can't be written: .*No such file"):
        write_image(tmp_path / "none" / "image", guest, kernel, cache)
