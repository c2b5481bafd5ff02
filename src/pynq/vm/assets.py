"""What a virtual board is made of: QEMU, Debian's arm64 kernel, a root with Python and numpy.

All of it is Debian's, fetched once, kept whole in the cache, and used from there without a network. Which
versions these are is decided when something is fetched, and kept until ``pynq cache clear``.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pynq.errors import VirtualBoardError
from pynq.vm.apt import Archive, Mirrors, Package, find_mirrors, host_architecture, unpack
from pynq.vm.cachedir import CacheDir
from pynq.vm.cpio import Writer, write_tree
from pynq.vm.progress import Progress, megabytes

__all__ = ["ARCHITECTURE", "Assets", "Guest", "Kernel", "Qemu", "compile_python"]

#: Debian's name of the guest's architecture.
ARCHITECTURE = "arm64"
_TRIPLET = "aarch64-linux-gnu"
_DEVICE = "vfio-user-pci"
_QEMU_SINCE = (10, 1)  # the first QEMU with that device
_TOO_OLD = ("bullseye", "bookworm")  # suites that are not asked for it
_FORMAT = {"qemu": 1, "kernel": 1, "root": 3, "root-test": 3}  # another one makes the entries anew

#: What the guest's root has, with everything these depend on ...
_GUEST = ["python3-numpy", "python3-libgpiod", "libstdc++6", "busybox-static"]
_TEST = ["python3-pytest", "python3-pytest-timeout"]
#: ... but for what only an installation would need.
_LEFT_OUT = {"dpkg", "tar", "libmd0", "readline-common", "debconf", "perl-base", "base-passwd", "media-types"}
_NO_USE = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/share/info",
    "usr/share/perl5",
    "usr/share/gdb",
    "usr/share/bug",
    "usr/lib/python3*/test",
    "usr/lib/python3*/idlelib",
    "usr/lib/python3*/lib2to3",
    "usr/lib/python3*/ensurepip",
    "usr/lib/python3*/pydoc_data",
    "usr/lib/python3*/config-*",
    "usr/lib/python3/dist-packages/numpy/**/tests",
    "usr/lib/python3/dist-packages/numpy/core/include",
    "usr/lib/python3/dist-packages/numpy/f2py",
    "usr/lib/python3/dist-packages/numpy/distutils",
    "usr/lib/python3/dist-packages/pkg_resources",
    "usr/lib/python3.*/dist-packages",  # Debian has numpy's native parts twice
    "usr/lib/*/gconv",
    "usr/lib/*/perl-base",
    "var",
)
#: Folders of the kernel's modules that no virtual board has hardware for.
_NO_MODULES = (
    "kernel/drivers/gpu",
    "kernel/drivers/media",
    "kernel/drivers/net",
    "kernel/drivers/infiniband",
    "kernel/drivers/scsi",
    "kernel/drivers/staging",
    "kernel/drivers/ata",
    "kernel/drivers/bluetooth",
    "kernel/sound",
    "kernel/net/netfilter",
    "kernel/net/wireless",
    "kernel/net/bluetooth",
)


@dataclass(frozen=True)
class Qemu:
    """A ``qemu-system-aarch64`` that has the device ``vfio-user-pci``; ``prefix`` is what starts it."""

    version: str
    prefix: tuple[str, ...]

    def command(self) -> list[str]:
        """Return the beginning of a command line; QEMU's own options follow."""
        return list(self.prefix)


@dataclass(frozen=True)
class Kernel:
    """A kernel of the guest: ``release`` as uname tells it, ``image`` uncompressed.

    ``modules`` is its folder below ``lib/modules``; ``build`` the folder that modules are built against.
    """

    flavour: str
    release: str
    image: Path
    modules: Path
    build: Path

    def headers(self) -> Path:
        """Return what ``make -C`` needs to build a module for this kernel."""
        return self.build


@dataclass(frozen=True)
class Guest:
    """The guest's root: ``archive`` a cpio of it, ``include`` the headers of its ``python`` ("3.11").

    ``compiler`` is a Python of this machine that writes byte code as the guest's reads it.
    """

    python: str
    archive: Path
    include: Path
    compiler: tuple[str, ...]

    @property
    def tag(self) -> str:
        """The part of a native module's file name that says which Python it is for."""
        return f"cpython-{self.python.replace('.', '')}-{_TRIPLET}"


class Assets:
    """The parts of a virtual board; each is fetched when it is first asked for.

    :meth:`prepare` fetches all that are missing at once, and says the sizes before.
    """

    def __init__(
        self,
        cache: CacheDir | None = None,
        progress: Progress | None = None,
        mirrors: Callable[[], Mirrors] = find_mirrors,
    ) -> None:
        self.cache = cache or CacheDir()
        self.progress = progress or Progress()
        self._mirrors = mirrors
        self._known: Mirrors | None = None
        self._own: Qemu | None = None
        self._said = False

    # What there is

    def prepare(self, *, test: bool = False) -> None:
        """Fetch what is missing; ``test`` is for a root that has pytest, too.

        Raises:
            DownloadRefused: something is missing and can't be downloaded.
            VirtualBoardError: this machine has no apt, no Debian keys, no known mirror, no space.
        """
        self.cache.sweep()
        wanted = [*([] if self._host_qemu() else [self._qemu]), self._kernel, self._root(test)]
        missing = [part for part in (find() for find in wanted) if not self.cache.has(part.kind, part.key)]
        if missing:
            sizes = ", ".join(f"{part.title} {megabytes(part.size)}" for part in missing)
            self.progress.say(f"{sizes}: downloaded once from Debian, kept in {self.cache.folder}")
        for part in missing:
            self._make(part)
        if missing:
            self.cache.prune()

    def qemu(self) -> Qemu:
        """Return the machine's QEMU if it has the device, else Debian's newer one in a private folder."""
        own = self._host_qemu()
        if own:
            return own
        part = self._qemu()
        root = self._make(part)
        loader = next(iter(sorted(root.glob("usr/lib*/ld-linux-*.so.*"))), None) or next(
            iter(sorted(root.glob("lib*/ld-linux-*.so.*"))), None
        )
        if loader is None:
            raise VirtualBoardError(f"{root} has no loader (ld-linux-*): `pynq cache clear` makes it anew")
        folder = loader.resolve().parent
        libraries = ":".join(str(path) for path in sorted(root.glob("usr/lib/*-linux-gnu*")))
        program = root / "usr/bin/qemu-system-aarch64"
        return Qemu(part.version, (str(folder / loader.name), "--library-path", libraries, str(program)))

    def kernel(self) -> Kernel:
        """Return Debian's own kernel ("stock"), of the machine's suite."""
        part = self._kernel()
        place = self._make(part)
        release = part.release
        build = place / "headers/usr/src" / f"linux-headers-{release}"
        return Kernel("stock", release, place / "Image", place / "modules", build)

    def guest(self, *, test: bool = False) -> Guest:
        """Return the guest's root; with ``test`` it has pytest, too."""
        part = self._root(test)()
        place = self._make(part)
        return Guest(part.release, place / "root.cpio", place / "include", _compiler(place, part.release))

    # How it is found

    def _archive(self, architecture: str, suite: str | None = None, backports: bool = False) -> Archive:
        if self._known is None:
            self._known = self._mirrors()
        if not self._said:
            self._said = True
            self.progress.say("asking Debian for its current packages (three lists of about 10 MB)")
        return Archive(self.cache, architecture, suite, backports=backports, mirrors=self._known)

    def _host_qemu(self) -> Qemu | None:
        if self._own is None:
            self._own = own_qemu()
        return self._own

    def _qemu(self) -> _Part:
        def ask() -> _Part:
            host = host_architecture()
            seen = []
            suites = [("stable", True), ("testing", False)]
            if self._machine_suite() not in _TOO_OLD:
                suites.insert(0, (self._machine_suite(), False))
            for suite, backports in suites:
                packages = self._archive(host, suite, backports).resolve(["qemu-system-arm"])
                version = next(one.version for one in packages if one.name == "qemu-system-arm")
                upstream = re.match(r"(?:\d+:)?((\d+)\.(\d+)[\d.]*)", version)
                if upstream and (int(upstream.group(2)), int(upstream.group(3))) >= _QEMU_SINCE:
                    sources = [_Fetch(host, suite, backports, packages)]
                    return _Part("qemu", "QEMU", upstream.group(1), upstream.group(1), sources)
                seen.append(f"{version} in {suite}")
            raise VirtualBoardError(
                f"Debian has no QEMU with the device {_DEVICE} ({'.'.join(map(str, _QEMU_SINCE))} or newer): "
                f"{', '.join(seen)}; install one so that qemu-system-aarch64 is on the path"
            )

        return self._recall("qemu", ask)

    def _kernel(self) -> _Part:
        def ask() -> _Part:
            suite, host = self._machine_suite(), host_architecture()
            archive = self._archive(ARCHITECTURE, suite)
            pattern = r"linux-image-(\d.*-arm64)$"
            match = next(
                (m for m in (re.match(pattern, n) for n in archive.depends("linux-image-arm64")) if m), None
            )
            if match is None:
                raise VirtualBoardError(f"linux-image-arm64 of Debian {suite} depends on no kernel")
            release = match.group(1)
            headers = f"linux-headers-{release}"
            needs = archive.depends(headers)
            common = [name for name in needs if name.endswith("-common")]
            tools = [name for name in needs if name.startswith("linux-kbuild-")]
            packages = archive.resolve([match.group(0), headers, *common], depends=False)
            kbuild = self._archive(host, suite).resolve(tools, depends=False)
            version = packages[0].version
            sources = [_Fetch(ARCHITECTURE, suite, False, packages), _Fetch(host, suite, False, kbuild)]
            return _Part("kernel", "kernel", version, release, sources)

        return self._recall("kernel", ask)

    def _root(self, test: bool) -> Callable[[], _Part]:
        def ask() -> _Part:
            suite, host = self._machine_suite(), host_architecture()
            archive = self._archive(ARCHITECTURE, suite)
            packages = archive.resolve([*_GUEST, *(_TEST if test else [])], without=_LEFT_OUT)
            minimal = (re.fullmatch(r"python(3\.\d+)-minimal", package.name) for package in packages)
            python = next(match.group(1) for match in minimal if match)
            packages += archive.resolve([f"libpython{python}-dev"], depends=False)
            sources = [_Fetch(ARCHITECTURE, suite, False, packages)]
            if not _own_python(python):
                names = [f"python{python}-minimal", f"libpython{python}-stdlib"]
                sources.append(
                    _Fetch(host, suite, False, self._archive(host, suite).resolve(names, without=_LEFT_OUT))
                )
            version = next(one.version for one in packages if one.name == f"python{python}-minimal")
            title = "Python with pytest" if test else "Python"
            return _Part("root-test" if test else "root", title, version, python, sources)

        # Which packages are needed depends on the Python that runs here, too.
        running = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return lambda: self._recall(f"root{'-test' if test else ''}-{running}", ask)

    def _machine_suite(self) -> str:
        if self._known is None:
            self._known = self._mirrors()
        return self._known.suite

    def _recall(self, name: str, ask: Callable[[], _Part]) -> _Part:
        """Return what was decided before if it still serves; else decide now."""
        known = _Part.of(self.cache.recall(name) or {})
        if known is not None and self.cache.has(known.kind, known.key):
            return known
        part = ask()
        self.cache.remember(name, part.record())
        return part

    # How it is made

    def _make(self, part: _Part) -> Path:
        if self.cache.has(part.kind, part.key):
            return self.cache.place(part.kind, part.key)

        def make(draft: Path, place: Path) -> None:
            fill = {"qemu": _fill_qemu, "kernel": _fill_kernel}.get(part.kind, _fill_root)
            with self.cache.draft() as work:
                fetched = []
                for number, source in enumerate(part.sources):
                    archive = self._archive(source.architecture, source.suite, source.backports)
                    folder = work / f"packages{number}"
                    folder.mkdir()
                    size = megabytes(sum(package.size for package in source.packages))
                    with self.progress.step(f"downloading {part.title} {part.version} ({size})") as told:
                        files = archive.download(source.packages, folder, told)
                    fetched.append(files)
                with self.progress.step(f"unpacking {part.title}"):
                    fill(part, fetched, work, draft, place)

        return self.cache.entry(part.kind, part.key, f"{part.title} {part.version}", make)


@dataclass(frozen=True)
class _Fetch:
    """Packages of one archive."""

    architecture: str
    suite: str
    backports: bool
    packages: Sequence[Package]


@dataclass(frozen=True)
class _Part:
    """One part of the board, as it was decided: ``release`` is the kernel's, or the version of Python."""

    kind: str
    title: str
    version: str
    release: str
    sources: Sequence[_Fetch]

    @property
    def key(self) -> str:
        names = [f"{one.name} {one.version}" for source in self.sources for one in source.packages]
        return hashlib.sha256(
            "\n".join([str(_FORMAT[self.kind]), self.release, *names]).encode()
        ).hexdigest()[:16]

    @property
    def size(self) -> int:
        return sum(package.size for source in self.sources for package in source.packages)

    def record(self) -> dict[str, object]:
        sources = [
            [one.architecture, one.suite, one.backports, [package.record() for package in one.packages]]
            for one in self.sources
        ]
        return {
            "format": _FORMAT[self.kind],
            "kind": self.kind,
            "title": self.title,
            "version": self.version,
            "release": self.release,
            "sources": sources,
        }

    @classmethod
    def of(cls, record: dict[str, Any]) -> _Part | None:
        """Return the part of a record, None where another version of this program wrote it."""
        try:
            if record["format"] != _FORMAT[record["kind"]]:
                return None
            sources = [
                _Fetch(architecture, suite, backports, [Package.of(package) for package in packages])
                for architecture, suite, backports, packages in record["sources"]
            ]
            text = [str(record[name]) for name in ("kind", "title", "version", "release")]
        except (KeyError, TypeError, ValueError):
            return None
        kind, title, version, release = text
        return cls(kind, title, version, release, sources)


# Filling of entries


def _fill_qemu(part: _Part, fetched: list[list[Path]], work: Path, draft: Path, place: Path) -> None:
    root = work / "root"
    unpack(fetched[0], root)
    _merge_usr(root)
    for keep in ("usr/bin/qemu-system-aarch64", "usr/share/qemu", "usr/lib", "usr/lib64"):
        if (root / keep).exists():
            (draft / keep).parent.mkdir(parents=True, exist_ok=True)
            (root / keep).rename(draft / keep)
    if not (draft / "usr/bin/qemu-system-aarch64").exists():
        raise VirtualBoardError(f"QEMU {part.version} of Debian has no usr/bin/qemu-system-aarch64")
    # QEMU looks for a folder of this name beside the program that runs, which is the loader here: with it,
    # modules and data are its own and never those of a QEMU that the machine has installed.
    for loader in draft.glob("usr/lib/**/ld-linux-*.so.*"):
        if not loader.is_symlink():
            bundle = loader.parent / "qemu-bundle"
            bundle.mkdir(exist_ok=True)
            up = "../" * (len(bundle.relative_to(draft).parts))
            (bundle / "usr").symlink_to(f"{up}usr")


def _fill_kernel(part: _Part, fetched: list[list[Path]], work: Path, draft: Path, place: Path) -> None:
    root = work / "root"
    unpack([file for file in fetched[0] if file.name.startswith("linux-image-")], root)
    _merge_usr(root)
    vmlinuz = root / "boot" / f"vmlinuz-{part.release}"
    (draft / "Image").write_bytes(uncompressed(vmlinuz.read_bytes(), vmlinuz.name))
    modules = root / "usr/lib/modules" / part.release
    for name in _NO_MODULES:
        shutil.rmtree(modules / name, ignore_errors=True)
    for link in ("build", "source"):
        (modules / link).unlink(missing_ok=True)
    modules.rename(draft / "modules")
    headers = [file for file in fetched[0] if file.name.startswith("linux-headers-")]
    unpack([*headers, *fetched[1]], draft / "headers")
    for file in draft.glob("headers/usr/src/*/[M.]*"):  # Makefile, .kernelvariables
        if file.is_file() and not file.is_symlink() and file.stat().st_size < 1 << 16:
            text = file.read_text()
            if " /usr/src/" in text:
                file.write_text(text.replace(" /usr/src/", f" {place}/headers/usr/src/"))


def _fill_root(part: _Part, fetched: list[list[Path]], work: Path, draft: Path, place: Path) -> None:
    root, python = work / "root", part.release
    headers = [file for file in fetched[0] if file.name.startswith(f"libpython{python}-dev_")]
    packages = [file for file in fetched[0] if file not in headers]
    unpack(headers, work / "dev")
    shutil.copytree(work / "dev/usr/include", draft / "include")
    unpack(packages, root)
    _merge_usr(root)
    for pattern in _NO_USE:
        for path in root.glob(pattern):
            shutil.rmtree(path, ignore_errors=True)
    for library in ("blas/libblas.so.3", "lapack/liblapack.so.3"):  # Debian's alternatives
        for path in root.glob(f"usr/lib/*/{library}"):
            alias = path.parent.parent / path.name
            if not alias.exists():
                alias.symlink_to(library)
    link = root / "usr/bin/python3"
    if not link.is_symlink():
        link.symlink_to(f"python{python}")
    if len(fetched) > 1:
        unpack(fetched[1], work / "host")
        _merge_usr(work / "host")
        (work / "host/usr").rename(draft / "host")
    compile_python(_compiler(draft, python), root, root)
    with (draft / "root.cpio").open("wb") as file:
        writer = Writer(file)
        write_tree(writer, root)
        writer.close()


def compile_python(compiler: Sequence[str], root: Path, *folders: Path) -> None:
    """Write byte code beside all Python files of ``folders``, which the guest sees below ``root``.

    It is never compared with its source: the guest's clock and file times say nothing.
    """
    command = [*compiler, "-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash"]
    done = subprocess.run(
        [*command, "-s", str(root), "-p", "/", *map(str, folders)], capture_output=True, text=True
    )
    # A file that is for another Python stays without; it says so on the other channel.
    if done.returncode and "Error compiling" not in done.stdout:
        raise VirtualBoardError(f"byte code can't be written: {done.stderr.strip()[-300:]}")


def _own_python(version: str) -> bool:
    """Tell whether the Python that runs here writes byte code that ``version`` reads."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}" == version and sys.implementation.name == "cpython"


def _compiler(place: Path, python: str) -> tuple[str, ...]:
    if _own_python(python):
        return (sys.executable,)
    host = place / "host"
    loader = next(iter(sorted(host.glob("lib*/ld-linux-*.so.*"))), None)
    if loader is None:
        raise VirtualBoardError(f"{host} has no loader (ld-linux-*): `pynq cache clear` makes it anew")
    libraries = ":".join(str(path) for path in sorted(host.glob("lib/*-linux-gnu*")))
    return (str(loader), "--library-path", libraries, str(host / f"bin/python{python}"), "-I", "-S")


def uncompressed(image: bytes, name: str) -> bytes:
    """Return a kernel's bare ``Image`` from what Debian packs: bare, gzip, or a "zboot" EFI program.

    Formats: Documentation/arch/arm64/booting.rst; drivers/firmware/efi/libstub/zboot-header.S.
    """
    if image[:2] == b"\x1f\x8b":
        image = _unpacked(gzip.decompress, image, name)
    if image[:2] == b"MZ" and image[4:8] == b"zimg":
        start, size = struct.unpack_from("<II", image.ljust(64, b"\0"), 8)
        kind = image[24:56].split(b"\0")[0]
        unpackers: dict[bytes, Callable[[bytes], bytes]] = {
            b"gzip": gzip.decompress,
            b"xzkern": lzma.decompress,
            b"lzma": lzma.decompress,
        }
        if kind not in unpackers:
            raise VirtualBoardError(
                f"{name} is compressed as {kind.decode(errors='replace')!r}; gzip, xz and lzma can be read"
            )
        image = _unpacked(unpackers[kind], image[start : start + size], name)
    if image[56:60] != b"ARM\x64":
        raise VirtualBoardError(f"{name} is no arm64 kernel: no magic number at offset 56")
    return image


def _unpacked(unpack: Callable[[bytes], bytes], content: bytes, name: str) -> bytes:
    try:
        return unpack(content)
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise VirtualBoardError(f"the kernel {name} can't be unpacked: {error}") from error


def _merge_usr(root: Path) -> None:
    """Give a root the layout of today's Debian: /bin, /sbin and /lib* are links into /usr."""
    for name in ("bin", "sbin", "lib", "lib64"):
        old = root / name
        if old.is_dir() and not old.is_symlink():
            _move(old, root / "usr" / name)
        if not old.is_symlink() and (root / "usr" / name).is_dir():
            old.symlink_to(f"usr/{name}")


def _move(old: Path, new: Path) -> None:
    """Move a folder; where there is one of that name already, what is in it."""
    if not new.is_dir():
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        return
    for entry in list(old.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            _move(entry, new / entry.name)
        else:
            entry.replace(new / entry.name)
    old.rmdir()


def own_qemu() -> Qemu | None:
    """Return the machine's own QEMU, None where it has none with the device."""
    found = shutil.which("qemu-system-aarch64")
    return Qemu(_qemu_version(found), (found,)) if found and _has_device(found) else None


def _has_device(program: str) -> bool:
    try:
        done = subprocess.run([program, "-device", "help"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return f'"{_DEVICE}"' in done.stdout


def _qemu_version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
    match = re.search(r"version (\S+)", done.stdout)
    return match.group(1) if match else "?"
