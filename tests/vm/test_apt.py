"""Debian's packages through a private apt: where they come from, and what goes wrong on the way."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian_kit import DebianArchive, make_key, needs_apt

from pynq.errors import VirtualBoardError
from pynq.vm import apt
from pynq.vm.apt import Archive, DownloadRefused, Mirrors, find_mirrors, read_sources, unpack
from pynq.vm.cachedir import CacheDir

MAIN, OTHER, SECURITY = (
    "http://m.example/debian",
    "http://o.example/debian",
    "http://m.example/debian-security",
)
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


@pytest.fixture(autouse=True)
def _own_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYNQ_DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(apt, "_PAUSES", (0.01, 0.01))


def system(root: Path, release: str, **files: str) -> Path:
    """Make a root with an os-release and sources of apt."""
    (root / "etc/apt/sources.list.d").mkdir(parents=True)
    (root / "etc/os-release").write_text(release)
    for name, text in files.items():
        place = "sources.list" if name == "list" else f"sources.list.d/{name.replace('_', '.')}"
        (root / "etc/apt" / place).write_text(text)
    return root


DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_CODENAME=trixie\n'


# Mirrors


def test_the_mirrors_are_those_of_deb822_sources(tmp_path: Path) -> None:
    text = f"""\
# the machine's own
Types: deb deb-src
URIs: {MAIN}
Suites: trixie
 trixie-updates
# a comment inside
Components: main contrib
Signed-By: {KEYS}

Types: deb
URIs: {SECURITY}
Suites: trixie-security
Components: main
Signed-By: {KEYS}

Types: deb
URIs: {OTHER}
Suites: trixie
Components: main
Enabled: no
"""
    found = find_mirrors(system(tmp_path, DEBIAN, debian_sources=text))
    assert found == Mirrors("trixie", MAIN, SECURITY, ("trixie-updates",))


def test_the_mirrors_are_those_of_one_line_sources(tmp_path: Path) -> None:
    text = f"""\
# deb {OTHER} trixie main
deb-src {OTHER} trixie main
deb [arch=amd64 signed-by={KEYS}] {MAIN} trixie main contrib # a comment
deb {SECURITY} trixie-security main
"""
    found = find_mirrors(system(tmp_path, DEBIAN, list=text))
    assert found == Mirrors("trixie", MAIN, SECURITY, ())


def test_archives_that_are_not_debian_are_left_out(tmp_path: Path) -> None:
    text = f"""\
deb cdrom:[Debian]/ trixie main
deb [signed-by=/usr/share/keyrings/vendor.gpg] {OTHER} trixie main
deb {OTHER} trixie stable
deb {OTHER} trixie-pgdg main
deb {MAIN} trixie main
"""
    assert find_mirrors(system(tmp_path, DEBIAN, list=text)).main == MAIN


@pytest.mark.parametrize(
    ("release", "files", "named"),
    [
        (DEBIAN, {}, r"Debian GNU/Linux 13 .*names none.*PYNQ_DEBIAN_MIRROR"),
        (
            'PRETTY_NAME="Ubuntu 24.04"\nID=ubuntu\nVERSION_CODENAME=noble\n',
            {"list": "deb http://u.example/ubuntu noble main\n"},
            r"Ubuntu 24.04 .*PYNQ_DEBIAN_MIRROR",
        ),
        ("", {}, "this system names none"),
    ],
)
def test_no_mirror_is_an_error_that_names_the_variable(
    tmp_path: Path, release: str, files: dict[str, str], named: str
) -> None:
    with pytest.raises(VirtualBoardError, match=named):
        find_mirrors(system(tmp_path, release, **files))


def test_the_variable_names_the_mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = system(tmp_path, "ID=ubuntu\nVERSION_CODENAME=noble\n")
    monkeypatch.setenv("PYNQ_DEBIAN_MIRROR", MAIN)
    assert find_mirrors(root) == Mirrors(apt.DEFAULT_SUITE, MAIN, None, ())
    monkeypatch.setenv("PYNQ_DEBIAN_MIRROR", f"{MAIN} {SECURITY}")
    assert find_mirrors(root).security == SECURITY
    monkeypatch.setenv("PYNQ_DEBIAN_MIRROR", "m.example/debian")
    with pytest.raises(VirtualBoardError, match=r"PYNQ_DEBIAN_MIRROR='m\.example/debian' has to be the URI"):
        find_mirrors(root)


def test_sources_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    root = system(tmp_path, DEBIAN, list="deb\ndeb [x\n\0\n", bad_sources=" continued\n:\nTypes deb\n\n\n")
    assert read_sources(root / "etc/apt") == []


# Packages


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make_key(folder)
    return folder


@pytest.fixture
def debian(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DebianArchive]:
    """An archive with a suite of three packages, whose key is the machine's."""
    archive = DebianArchive(tmp_path / "archive", keys)
    archive.add("trixie", "tool", "1:2.0+a-1", {"usr/bin/tool": b"tool"}, depends="lib-one (>= 1), shared")
    archive.add("trixie", "lib-one", "1.0", {"usr/lib/one.so": b"one"})
    archive.add("trixie", "shared", "3", {"usr/share/shared": b"shared"}, architecture="all")
    archive.add("trixie-backports", "tool", "1:3.0~bpo1", {"usr/bin/tool": b"newer"}, depends="lib-one")
    archive.publish("trixie", "trixie-backports")
    monkeypatch.setattr(apt, "_keyring", lambda: keys / "archive.gpg")
    with archive.serve():
        yield archive


def private(debian: DebianArchive, tmp_path: Path, backports: bool = False) -> Archive:
    mirrors = Mirrors("trixie", debian.uri, None, ())
    return Archive(CacheDir(tmp_path / "cache"), "arm64", backports=backports, mirrors=mirrors)


@needs_apt
def test_packages_come_with_what_they_depend_on(debian: DebianArchive, tmp_path: Path) -> None:
    archive = private(debian, tmp_path)
    found = {package.name: package for package in archive.resolve(["tool"])}
    assert {name: one.version for name, one in found.items()} == {
        "tool": "1:2.0+a-1",
        "lib-one": "1.0",
        "shared": "3",
    }
    assert found["shared"].architecture == "all"
    assert all(package.size > 100 for package in found.values())
    assert [one.name for one in archive.resolve(["tool"], depends=False)] == ["tool"]
    assert {one.name for one in archive.resolve(["tool"], without={"shared"})} == {"tool", "lib-one"}
    assert archive.depends("tool") == ["lib-one", "shared"]
    told: list[float] = []
    folder = tmp_path / "packages"
    folder.mkdir()
    unpack(archive.download(list(found.values()), folder, told.append), tmp_path / "root")
    assert (tmp_path / "root/usr/bin/tool").read_bytes() == b"tool"
    assert (tmp_path / "root/usr/share/shared").exists()
    assert told[-1] == pytest.approx(1.0)


@needs_apt
def test_backports_come_first_where_they_are_asked_for(debian: DebianArchive, tmp_path: Path) -> None:
    (tool,) = private(debian, tmp_path, backports=True).resolve(["tool"], without={"lib-one"})
    assert tool.version == "1:3.0~bpo1"


@needs_apt
def test_lists_are_fetched_once(debian: DebianArchive, tmp_path: Path) -> None:
    private(debian, tmp_path).resolve(["tool"])
    before = len(debian.requests)
    private(debian, tmp_path).resolve(["lib-one"])
    assert len(debian.requests) == before


@needs_apt
def test_a_package_that_is_not_there(debian: DebianArchive, tmp_path: Path) -> None:
    with pytest.raises(VirtualBoardError, match=r"Debian trixie \(arm64\) can't give tol: Unable to locate"):
        private(debian, tmp_path).resolve(["tol"])
    with pytest.raises(VirtualBoardError, match="no package tol"):
        private(debian, tmp_path).depends("tol")


@needs_apt
def test_a_mirror_that_refuses(debian: DebianArchive, tmp_path: Path) -> None:
    debian.faults["InRelease"] = 403
    with pytest.raises(DownloadRefused, match=r"lists of Debian trixie .*403.*PYNQ_DEBIAN_MIRROR"):
        private(debian, tmp_path).resolve(["tool"])
    debian.faults = {"/pool/": 403}
    archive = private(debian, tmp_path)
    packages = archive.resolve(["tool"])
    folder = tmp_path / "packages"
    folder.mkdir()
    with pytest.raises(DownloadRefused, match=r"can't be downloaded: .*403"):
        archive.download(packages, folder)


@needs_apt
def test_no_network(debian: DebianArchive, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        mirrors = Mirrors("trixie", f"http://127.0.0.1:{taken.getsockname()[1]}", None, ())
        with pytest.raises(DownloadRefused, match=r"[Cc]onnect"):
            Archive(CacheDir(tmp_path / "cache"), "arm64", mirrors=mirrors).resolve(["tool"])


@needs_apt
def test_signatures_are_checked(debian: DebianArchive, tmp_path: Path) -> None:
    release = debian.folder / "dists/trixie/InRelease"
    release.write_text(release.read_text().replace("Origin: Debian", "Origin: Nobody"))
    with pytest.raises(VirtualBoardError, match=r"(?i)signature"):
        private(debian, tmp_path).resolve(["tool"])


@needs_apt
def test_other_content_than_the_list_says(debian: DebianArchive, tmp_path: Path) -> None:
    archive = private(debian, tmp_path)
    packages = archive.resolve(["lib-one"])
    content = next((debian.folder / "pool/trixie").glob("lib-one*")).read_bytes()
    debian.faults["/pool/"] = bytes(len(content))
    folder = tmp_path / "packages"
    folder.mkdir()
    before = len(debian.requests)
    with pytest.raises(DownloadRefused, match="Hash Sum mismatch"):
        archive.download(packages, folder)
    assert sum("/pool/" in path for path in debian.requests[before:]) >= 3  # it was tried again


@needs_apt
def test_a_mirror_in_the_middle_of_an_update(
    debian: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = debian.folder / "dists/trixie/main/binary-arm64"
    content = (index / "Packages").read_bytes()
    for name in ("Packages", "Packages.gz"):
        debian.faults[f"trixie/main/binary-arm64/{name}"] = b"other"

    def synced(_: float) -> None:
        debian.faults.clear()

    monkeypatch.setattr(apt.time, "sleep", synced)
    assert len(content) > 10
    assert len(private(debian, tmp_path).resolve(["tool"])) == 3


@needs_apt
def test_settings_of_the_machine_do_no_harm(
    debian: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "evil.conf"
    conf.write_text('Dir::Etc::sourcelist "/nonexistent"; APT::Architecture "s390x";\n')
    monkeypatch.setenv("APT_CONFIG", str(conf))
    assert len(private(debian, tmp_path).resolve(["tool"])) == 3


def test_no_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(apt, "_keyring", lambda: Path("/keys"))
    archive = Archive(CacheDir(tmp_path / "cache"), "arm64", mirrors=Mirrors("trixie", MAIN, None, ()))
    with pytest.raises(VirtualBoardError, match="apt-get is not there"):
        archive.resolve(["tool"])
    with pytest.raises(VirtualBoardError, match="dpkg-deb is not there"):
        unpack([tmp_path / "x.deb"], tmp_path / "root")


def test_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "_KEYRINGS", ("no-such-keyring.gpg",))
    archive = Archive(CacheDir(tmp_path / "cache"), "arm64", mirrors=Mirrors("trixie", MAIN, None, ()))
    with pytest.raises(VirtualBoardError, match="install the package debian-archive-keyring"):
        archive.resolve(["tool"])


@needs_apt
def test_a_file_that_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_bytes(b"nothing")
    with pytest.raises(VirtualBoardError, match=r"x\.deb can't be unpacked"):
        unpack([tmp_path / "x.deb"], tmp_path / "root")


def test_a_machine_that_debian_has_no_qemu_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt.platform, "machine", lambda: "sparc")
    with pytest.raises(VirtualBoardError, match=r"a sparc machine.*x86_64"):
        apt.host_architecture()


def test_the_scripts_of_the_guest_are_shell() -> None:
    folder = Path(apt.__file__).parent / "guest"
    for name in ("init", "session", "profile"):
        subprocess.run(["sh", "-n", str(folder / name)], check=True)
