"""The build of the virtual board's own kernel, with a source whose Makefile only pretends to compile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pynq.errors import VirtualBoardError
from pynq.vm import kernelbuild
from pynq.vm.apt import Package
from pynq.vm.cachedir import CacheDir
from pynq.vm.kernelbuild import built_kernel
from pynq.vm.progress import Progress
from pynq.vm.toolchain import Toolchain

pytestmark = pytest.mark.skipif(
    any(shutil.which(program) is None for program in ("make", "dpkg-deb", "tar")),
    reason="needs make, dpkg-deb and tar",
)

QUIET = Progress(quiet=True)
COMPILER = Toolchain("", "gcc (pretended) 1.0")
MAKEFILE = """
tinyconfig:
	echo 'CONFIG_TINY=y' > .config
olddefconfig:
	@echo config is taken
Image:
	@echo '  CC      init/main.o'
	mkdir -p arch/arm64/boot include/config scripts
	echo image > arch/arm64/boot/Image
	echo 9.9.1 > include/config/kernel.release
	echo kernel/fs/configfs/configfs.ko > modules.builtin
	touch Module.symvers
modules: Image
"""


class Shelf:
    """In the place of Debian: an archive with one package, the pretended source."""

    makefile = MAKEFILE
    downloads = 0

    def __init__(self, cache: CacheDir, architecture: str) -> None:
        self.suite = "pretended"

    def depends(self, package: str) -> list[str]:
        assert package == "linux-source"
        return ["linux-source-9.9"]

    def resolve(self, packages: Sequence[str], *, depends: bool = True) -> list[Package]:
        assert list(packages) == ["linux-source-9.9"]
        assert not depends
        return [Package("linux-source-9.9", "9.9.1-1", "all", 1000, "http://nowhere", "source.deb")]

    def download(self, packages: Sequence[Package], folder: Path, told: object) -> list[Path]:
        type(self).downloads += 1
        tree = folder / "made/linux-source-9.9"
        for name, content in (
            ("Makefile", self.makefile),
            ("drivers/gpu/Kconfig", "kept\n"),
            ("drivers/gpu/drm/big/big.c", "left out\n"),
            ("arch/x86/boot/main.c", "left out\n"),
            ("arch/arm64/include/asm/a.h", "kept\n"),
            ("include/linux/a.h", "kept\n"),
        ):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(content)
        package = folder / "package"
        (package / "DEBIAN").mkdir(parents=True)
        (package / "DEBIAN/control").write_text(
            "Package: linux-source-9.9\nVersion: 9.9.1-1\nArchitecture: all\n"
            "Maintainer: a <a@b>\nDescription: pretended\n"
        )
        (package / "usr/src").mkdir(parents=True)
        with tarfile.open(package / "usr/src/linux-source-9.9.tar.xz", "w:xz") as archive:
            archive.add(tree, "linux-source-9.9")
        subprocess.run(["dpkg-deb", "-b", str(package), str(folder / "source.deb")], check=True)
        return [folder / "source.deb"]


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> type[Shelf]:
    monkeypatch.setattr(kernelbuild, "Archive", Shelf)
    monkeypatch.setattr(Shelf, "makefile", MAKEFILE)
    monkeypatch.setattr(Shelf, "downloads", 0)
    return Shelf


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    return CacheDir(tmp_path / "vm")


def _is_clean(cache: CacheDir) -> bool:
    return not list(cache.folder.glob("entries/*")) and not list(cache.folder.glob("drafts/*"))


def test_a_kernel_is_built_once(
    shelf: type[Shelf], cache: CacheDir, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = built_kernel(cache, Progress(), COMPILER)
    said = capfd.readouterr().err
    assert "minutes" in said.splitlines()[0], "how long it takes is said first"
    assert (kernel.flavour, kernel.release) == ("built", "9.9.1")
    assert kernel.image.read_text() == "image\n"
    assert "configfs" in (kernel.modules / "modules.builtin").read_text()
    kept = {str(file.relative_to(kernel.build)) for file in kernel.headers().rglob("*") if file.is_file()}
    assert kept == {
        ".config",
        "Makefile",
        "Module.symvers",
        "arch/arm64/include/asm/a.h",
        "include/config/kernel.release",
        "include/linux/a.h",
    }
    assert "CONFIG_OF_OVERLAY=y" in (kernel.build / ".config").read_text()

    def no_network(*_: object) -> None:
        raise AssertionError("Debian was asked")

    monkeypatch.setattr(kernelbuild, "Archive", no_network)
    assert built_kernel(cache, QUIET) == kernel
    assert shelf.downloads == 1


def test_only_what_the_configuration_reads_is_unpacked(
    shelf: type[Shelf], cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = "\tfind . -name '*.c' | sort; test -e drivers/gpu/Kconfig; test ! -e arch/x86/boot/main.c\n"
    gone = "\ttest ! -e drivers/gpu/drm/big/big.c\n"
    monkeypatch.setattr(shelf, "makefile", MAKEFILE.replace("tinyconfig:\n", f"tinyconfig:\n{check}{gone}"))
    built_kernel(cache, QUIET, COMPILER)


def test_an_option_that_is_dropped_is_named(
    shelf: type[Shelf], cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = "\tsed -i '/CONFIG_GPIO_SIM=/d; s/# CONFIG_VT is not set/CONFIG_VT=y/' .config\n"
    monkeypatch.setattr(shelf, "makefile", MAKEFILE.replace("olddefconfig:\n", f"olddefconfig:\n{drop}"))
    with pytest.raises(VirtualBoardError, match=r"2 options .*# CONFIG_VT is not set, CONFIG_GPIO_SIM=y"):
        built_kernel(cache, QUIET, COMPILER)
    assert _is_clean(cache)


def test_what_the_compiler_says_is_in_the_error(
    shelf: type[Shelf], cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "\t@echo 'init/main.c:3:1: error: unknown type name'; exit 2\n"
    monkeypatch.setattr(shelf, "makefile", MAKEFILE.replace("Image:\n", f"Image:\n{wrong}"))
    with pytest.raises(VirtualBoardError, match=r"(?s)status 2.*init/main\.c:3:1: error: unknown type name"):
        built_kernel(cache, QUIET, COMPILER)
    assert _is_clean(cache)


def test_ctrl_c_ends_all_that_was_started(
    shelf: type[Shelf], cache: CacheDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    wait = f"\tsleep 1000 & echo $$! > {started}.new; mv {started}.new {started}; wait\n"
    monkeypatch.setattr(shelf, "makefile", MAKEFILE.replace("Image:\n", f"Image:\n{wait}"))

    def interrupt() -> None:
        while not started.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        built_kernel(cache, QUIET, COMPILER)
    thread.join()
    assert _is_clean(cache)
    deadline = time.monotonic() + 100
    while _lives(int(started.read_text())):
        assert time.monotonic() < deadline, "the build goes on"
        time.sleep(0.01)


def _lives(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_source_that_is_no_archive_is_named(
    shelf: type[Shelf], cache: CacheDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise EOFError("Compressed file ended before the end-of-stream marker was reached")

    monkeypatch.setattr(shutil, "copyfileobj", broken)
    with pytest.raises(
        VirtualBoardError, match=r"linux-source-9\.9\.tar\.xz can't be unpacked into .*ended before"
    ):
        built_kernel(cache, QUIET, COMPILER)
    assert _is_clean(cache)
