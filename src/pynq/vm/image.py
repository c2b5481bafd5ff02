"""The guest's file system: an initramfs of Debian's root, kernel modules, and this package.

It is written anew for each start, as three archives one after the other: the root is copied from the cache,
the rest is small and follows what is installed and edited.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import lzma
import re
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pynq
from pynq.errors import VirtualBoardError
from pynq.vm.assets import Guest, Kernel, compile_python
from pynq.vm.cachedir import CacheDir
from pynq.vm.cpio import Writer

__all__ = ["MODULES", "compile_package", "module_closure", "write_image"]

#: Modules that every virtual board loads, with those they need; what a kernel has built in is no module.
MODULES = (
    "virtio_pci",
    "virtio_rng",
    "9pnet_virtio",
    "9p",
    "configfs",
    "uio",
    "uio_pci_generic",
    "gpio_zynq",
)
_OPTIONAL = {"virtio_rng", "gpio_zynq", "uio_pci_generic", "configfs"}
_PACKAGES = "usr/lib/python3/dist-packages"
_UNUSED = 30 * 86400.0  # seconds after which byte code that nobody used goes


@dataclass(frozen=True)
class Image:
    """What was written: ``size`` in bytes, ``modules`` in the order of loading."""

    path: Path
    size: int
    modules: tuple[str, ...]


def write_image(
    path: Path,
    guest: Guest,
    kernel: Kernel,
    cache: CacheDir,
    *,
    modules: Sequence[Path] = (),
    native: Path | None = None,
    names: Sequence[str] = MODULES,
    files: Mapping[str, bytes] | None = None,
) -> Image:
    """Write an initramfs to ``path``.

    ``modules`` are further kernel modules, loaded last, in this order; ``native`` is the package's native
    part for the guest; ``names`` are the kernel's own modules to load; ``files`` are put in by their
    paths.
    """
    loaded = module_closure(kernel, names)
    try:
        with path.open("wb") as file:
            with guest.archive.open("rb") as root:
                shutil.copyfileobj(root, file, 1 << 20)
            writer = Writer(file)
            _write_system(writer)
            order = _write_modules(writer, loaded, modules)
            _write_package(writer, guest, cache, native)
            for name, content in (files or {}).items():
                writer.file(name, content)
            writer.close()
            size = file.tell()
    except OSError as error:
        raise VirtualBoardError(f"the guest's image {path} can't be written: {error}") from error
    return Image(path, size, order)


def _write_system(writer: Writer) -> None:
    source = Path(__file__).parent / "guest"
    for name in ("proc", "sys", "run", "tmp", "mnt/control", "mnt/share", "root", "home/pynq"):
        writer.folder(name)
    writer.folder("dev")
    writer.device("dev/console", 5, 1)  # before devtmpfs is mounted there
    writer.device("dev/null", 1, 3, 0o666)
    writer.copy("init", source / "init", 0o755)
    writer.copy("usr/lib/pynq/session", source / "session", 0o755)
    writer.file("etc/inittab", b"::once:/usr/lib/pynq/session\n")
    writer.copy("etc/profile", source / "profile", 0o644)
    writer.file("etc/passwd", b"root::0:0:root:/root:/bin/sh\npynq::1000:1000:pynq:/home/pynq:/bin/sh\n")
    writer.file("etc/group", b"root:x:0:\npynq:x:1000:\n")
    writer.file("etc/hostname", b"pynq\n")
    writer.file("etc/hosts", b"127.0.0.1 localhost pynq\n")


# Kernel modules


def module_closure(kernel: Kernel, names: Iterable[str]) -> list[tuple[str, bytes]]:
    """Return modules of a kernel with all they need, in an order in which they load: names and contents.

    Raises:
        VirtualBoardError: the kernel has no such module, neither as a file nor built in.
    """
    files = {_plain(file.name): file for file in kernel.modules.rglob("*.ko*")}
    built_in = kernel.modules / "modules.builtin"
    within = (
        {_plain(Path(line).name) for line in built_in.read_text().split()} if built_in.exists() else set()
    )
    found: dict[str, bytes] = {}

    def add(name: str, chain: tuple[str, ...]) -> None:
        if name in found or name in within:
            return
        if name not in files:
            if name in _OPTIONAL:
                return
            wanted = f" (which {chain[-1]} needs)" if chain else ""
            raise VirtualBoardError(
                f"the kernel {kernel.release} has no module {name}{wanted} in {kernel.modules}"
            )
        content = _module(files[name])
        for needed in module_needs(content):
            if needed not in chain:
                add(needed, (*chain, name))
        found[name] = content

    for name in names:
        add(_plain(name), ())
    return list(found.items())


def module_needs(content: bytes) -> list[str]:
    """Return the names of the modules that a module's ``.modinfo`` says it depends on."""
    match = re.search(rb"\0depends=([^\0]*)\0", content)
    return [_plain(name) for name in match.group(1).decode().split(",") if name] if match else []


def _write_modules(
    writer: Writer, loaded: Sequence[tuple[str, bytes]], more: Sequence[Path]
) -> tuple[str, ...]:
    given = [(_plain(path.name), _module(path)) for path in more]
    order = []
    for name, content in [*loaded, *given]:
        writer.file(f"usr/lib/pynq/{name}.ko", content)
        order.append(name)
    writer.file("usr/lib/pynq/order", "".join(f"{name}.ko\n" for name in order).encode())
    return tuple(order)


def _plain(name: str) -> str:
    """Return a module's name as the kernel knows it."""
    return name.split(".ko")[0].replace("-", "_")


def _module(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return lzma.decompress(content) if path.suffix == ".xz" else content
    except (OSError, lzma.LZMAError) as error:
        raise VirtualBoardError(f"the kernel module {path} can't be read: {error}") from error


# This package


def compile_package(guest: Guest, cache: CacheDir) -> None:
    """Compile this package for the guest, so that a start finds its byte code and writes no cache."""
    source = Path(pynq.__file__).parent
    _byte_code(guest, cache, source, [path for path in _files(source) if path.suffix == ".py"])


def _files(source: Path) -> list[Path]:
    return [path for path in sorted(source.rglob("*")) if _wanted(path)]


def _write_package(writer: Writer, guest: Guest, cache: CacheDir, native: Path | None) -> None:
    source = Path(pynq.__file__).parent
    files = _files(source)
    for path in files:
        writer.copy(f"{_PACKAGES}/pynq/{path.relative_to(source)}", path, 0o644)
    if native is not None:
        writer.copy(f"{_PACKAGES}/pynq/{native.name}", native, 0o755)
    sources = [path for path in files if path.suffix == ".py"]
    for path, code in _byte_code(guest, cache, source, sources):
        folder = Path(_PACKAGES, "pynq", path.relative_to(source).parent)
        writer.file(f"{folder}/__pycache__/{path.stem}.{_cache_tag(guest)}.pyc", code)
    _write_metadata(writer)


def _wanted(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".so", ".pyc", ".pyi")


def _write_metadata(writer: Writer) -> None:
    """Write what backends and drivers are found by: the entry points of the installed package."""
    for name in ("pynq-anywhere", "pynq"):
        try:
            about = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        folder = f"{_PACKAGES}/pynq_anywhere-{about.version}.dist-info"
        for file in ("METADATA", "entry_points.txt"):
            text = about.read_text(file)
            if text is not None:
                writer.file(f"{folder}/{file}", text.encode())
        return
    raise VirtualBoardError(
        "the package pynq-anywhere is not installed (there is no metadata of it), so that the guest would "
        "find no backend: install it, `pip install -e .` in its source does"
    )


def _byte_code(
    guest: Guest, cache: CacheDir, source: Path, files: Sequence[Path]
) -> list[tuple[Path, bytes]]:
    """Return the byte code of our files; what has not changed is taken from the cache."""
    kept = cache.folder / "compiled" / _cache_tag(guest)
    names = {}
    for path in files:
        relative = str(path.relative_to(source)).encode()
        names[path] = kept / hashlib.sha256(relative + b"\0" + path.read_bytes()).hexdigest()[:32]
    missing = [path for path in files if not names[path].exists()]
    if missing:
        with cache.draft() as draft:
            for path in missing:
                copy = draft / _PACKAGES / "pynq" / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
            compile_python(guest.compiler, draft, draft / "usr")
            kept.mkdir(parents=True, exist_ok=True)
            for path in missing:
                folder = draft / _PACKAGES / "pynq" / path.relative_to(source).parent
                made = folder / "__pycache__" / f"{path.stem}.{_cache_tag(guest)}.pyc"
                if made.exists():  # not where it is for a newer Python than the guest's
                    made.replace(names[path])
    _forget(kept, set(names.values()))
    return [(path, file.read_bytes()) for path, file in names.items() if file.exists()]


def _forget(kept: Path, used: set[Path]) -> None:
    """Remove byte code that was not used for a month."""
    if not kept.is_dir():
        return
    now = time.time()
    with suppress(OSError):  # a cache that is shared and read-only
        for file in kept.iterdir():
            if file not in used and now - file.stat().st_mtime > _UNUSED:
                file.unlink(missing_ok=True)


def _cache_tag(guest: Guest) -> str:
    return f"cpython-{guest.python.replace('.', '')}"
