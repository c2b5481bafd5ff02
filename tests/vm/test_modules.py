"""The guest's kernel modules, built against Debian's headers: what comes out, what is kept, what is said."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pynq.errors import VirtualBoardError
from pynq.vm import modules as vm_modules
from pynq.vm.apt import Archive, find_mirrors, host_architecture, unpack
from pynq.vm.cachedir import CacheDir
from pynq.vm.modules import build_modules, check_path
from pynq.vm.progress import Progress
from pynq.vm.toolchain import Toolchain, find_toolchain

QUIET = Progress(quiet=True)


@dataclass(frozen=True)
class Headers:
    """A kernel of which only the headers are there."""

    release: str
    build: Path

    def headers(self) -> Path:
        return self.build


@pytest.fixture(scope="session")
def vm_cache() -> CacheDir:
    """The user's own cache, so that what is downloaded is so once."""
    return CacheDir()


@pytest.fixture(scope="session")
def toolchain(vm_cache: CacheDir) -> Toolchain:
    try:
        return find_toolchain(vm_cache, QUIET)
    except VirtualBoardError as error:  # no Debian, no network, no compiler: each says so
        pytest.skip(f"no compiler for arm64: {error}")


@pytest.fixture(scope="session")
def headers(vm_cache: CacheDir) -> Headers:
    """The headers of the stock kernel, 15 MB; the kernel itself is not needed here."""
    try:
        return _headers(vm_cache)
    except VirtualBoardError as error:
        pytest.skip(f"no headers of a kernel: {error}")


def _headers(cache: CacheDir) -> Headers:
    mirrors = find_mirrors()
    arm64 = Archive(cache, "arm64", mirrors=mirrors)
    host = Archive(cache, host_architecture(), mirrors=mirrors)
    needs = arm64.depends("linux-headers-arm64")
    name = next(name for name in needs if re.fullmatch(r"linux-headers-\d.*-arm64", name))
    more = arm64.depends(name)
    packages = arm64.resolve([name, *(one for one in more if one.endswith("-common"))], depends=False)
    tools = host.resolve([one for one in more if one.startswith("linux-kbuild-")], depends=False)
    release = name.removeprefix("linux-headers-")

    def make(draft: Path, place: Path) -> None:
        files = [*arm64.download(packages, draft), *host.download(tools, draft)]
        unpack(files, draft / "root")
        makefile = draft / "root/usr/src" / name / "Makefile"
        makefile.write_text(makefile.read_text().replace("/usr/src/", f"{place}/root/usr/src/"))

    place = cache.entry("headers", f"{release}-{packages[0].version}", f"headers of {release}", make)
    return Headers(release, place / "root/usr/src" / name)


@pytest.fixture
def empty_cache(tmp_path: Path) -> CacheDir:
    return CacheDir(tmp_path / "vm")


def _modinfo(module: Path) -> dict[str, str]:
    fields = re.findall(rb"\0(license|depends|vermagic|alias|name)=([^\0]*)", module.read_bytes())
    return {key.decode(): value.decode() for key, value in fields}


@pytest.mark.slow
@pytest.mark.timeout(600)  # five modules for a kernel, on a machine that may be busy
def test_the_stock_kernel_gets_what_it_lacks(
    headers: Headers, toolchain: Toolchain, empty_cache: CacheDir
) -> None:
    folder = build_modules(headers, toolchain, empty_cache, QUIET)
    found = {file.name: _modinfo(file) for file in folder.glob("*.ko")}
    config = (headers.build / ".config").read_text()
    wanted = {"pynq_fpga.ko", "pynq_udmabuf.ko"}
    if "CONFIG_UIO_PDRV_GENIRQ=" not in config:
        wanted.add("pynq_uio.ko")
    if "CONFIG_DMABUF_HEAPS=y" not in config:
        wanted.add("pynq_heap.ko")
    if "CONFIG_OF_OVERLAY=y" in config:
        wanted.add("pynq_overlay.ko")
    assert set(found) == wanted
    for name, info in found.items():
        assert info["license"] == "GPL", name
        assert info["vermagic"].startswith(f"{headers.release} "), name
        assert (folder / name).stat().st_size < 64 << 10, f"{name} has debug information"
    assert not list(folder.glob("*.c")), "the work folder is left"

    # A second time nothing is compiled: it works without a compiler.
    broken = replace(toolchain, prefix="/nonexistent/")
    assert build_modules(headers, broken, empty_cache, QUIET) == folder


@pytest.mark.slow
def test_what_the_compiler_says_is_in_the_error(
    headers: Headers,
    toolchain: Toolchain,
    empty_cache: CacheDir,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = tmp_path / "modules"
    shutil.copytree(vm_modules.SOURCES, sources)
    with (sources / "pynq_uio.c").open("a") as file:
        file.write("int broken = no_such_thing;\n")
    (sources / "Kbuild").write_text("obj-m := pynq_uio.o\n")
    monkeypatch.setattr(vm_modules, "SOURCES", sources)
    with pytest.raises(VirtualBoardError, match=r"pynq_uio\.c:\d+:\d+: error: .no_such_thing. undeclared"):
        build_modules(headers, toolchain, empty_cache, QUIET)
    assert not list(empty_cache.folder.glob("entries/*"))
    assert not list(empty_cache.folder.glob("drafts/*"))


def test_a_compiler_that_is_gone_is_named(empty_cache: CacheDir, tmp_path: Path) -> None:
    gone = Toolchain("/nonexistent/aarch64-linux-gnu-", "gone 1.0", {"PATH": str(tmp_path)})
    with pytest.raises(VirtualBoardError, match="make"):
        build_modules(Headers("6.1.0-test", tmp_path / "nothing"), gone, empty_cache, QUIET)


@pytest.mark.parametrize("name", ["with space", "a:b", "50%", "a#b"])
def test_makefiles_can_not_work_everywhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(VirtualBoardError, match="PYNQ_CACHE"):
        check_path(tmp_path / name)


def test_programs_are_built_for_the_guest(toolchain: Toolchain, tmp_path: Path) -> None:
    source = tmp_path / "program.cpp"
    source.write_text("#include <string>\nstd::string f(int n) { return std::to_string(n); }\n")
    library = tmp_path / "library.so"
    subprocess.run(
        [toolchain.program("g++"), "-shared", "-fPIC", "-o", str(library), str(source)],
        env=toolchain.surroundings(),
        check=True,
        timeout=60,
    )
    assert library.read_bytes()[18:20] == b"\xb7\0", "ELF's e_machine is not EM_AARCH64"


def test_without_apt_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYNQ_DEBIAN_MIRROR", "http://127.0.0.1:9/debian")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(VirtualBoardError, match=r"apt-get is not there"):
        find_toolchain(CacheDir(tmp_path / "vm"), QUIET)
