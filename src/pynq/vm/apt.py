"""Debian's packages of any architecture and suite, without a change to the machine's own apt.

Each (architecture, suite) has folders of its own for apt under the cache, so all of it works as a user, and
signatures are checked by apt itself with Debian's keys. The mirrors are those that the machine's own sources
name for Debian; on other systems ``PYNQ_DEBIAN_MIRROR`` names one. Formats: sources.list(5), apt.conf(5).
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote

from pynq.errors import VirtualBoardError
from pynq.vm.cachedir import CacheDir

__all__ = [
    "Archive",
    "DownloadRefused",
    "Mirrors",
    "Package",
    "Source",
    "find_mirrors",
    "host_architecture",
    "read_sources",
    "unpack",
]

#: The suite that is used on machines that are no Debian; the one this was tested with.
DEFAULT_SUITE = "bookworm"
_FRESH = 3600.0  # seconds for which package lists are taken as they are
_PAUSES = (2.0, 5.0, 10.0)  # seconds between attempts while a mirror is being updated
_KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
_MACHINES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "armhf",
    "ppc64le": "ppc64el",
    "riscv64": "riscv64",
    "s390x": "s390x",
}


class DownloadRefused(VirtualBoardError):
    """A download did not work (no network, a proxy, a mirror that refuses); the message has apt's words."""


def host_architecture() -> str:
    """Return Debian's name of this machine's architecture."""
    machine = platform.machine()
    if machine not in _MACHINES:
        raise VirtualBoardError(
            f"a virtual board can't run on a {machine} machine: Debian's QEMU is used on "
            f"{', '.join(sorted(_MACHINES))}"
        )
    return _MACHINES[machine]


# Mirrors


@dataclass(frozen=True)
class Source:
    """One archive of binary packages that the machine's apt uses."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str


@dataclass(frozen=True)
class Mirrors:
    """Where Debian is fetched from: ``suite`` is the machine's own, ``updates`` those that go with it."""

    suite: str
    main: str
    security: str | None
    updates: tuple[str, ...]


def read_sources(etc: Path) -> list[Source]:
    """Return the binary sources of an ``/etc/apt``, in both formats; what is disabled is left out."""
    folder = etc / "sources.list.d"
    files = [etc / "sources.list", *sorted(folder.glob("*.list")), *sorted(folder.glob("*.sources"))]
    found: list[Source] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise VirtualBoardError(f"the sources of apt can't be read: {file}: {error.strerror}") from error
        found += _deb822(text) if file.suffix == ".sources" else _one_line(text)
    return found


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match:
            options, uri, suite, components = match.groups()
            signed = re.search(r"(?:^|\s)signed-by=(\S+)", options or "")
            yield Source(uri, (suite,), tuple(components.split()), signed.group(1) if signed else "")


def _deb822(text: str) -> Iterator[Source]:
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t"):
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        for uri in fields.get("uris", "").split():
            suites = tuple(fields.get("suites", "").split())
            yield Source(
                uri, suites, tuple(fields.get("components", "").split()), fields.get("signed-by", "")
            )


def find_mirrors(root: Path = Path("/")) -> Mirrors:
    """Return the mirrors of Debian that this machine uses; ``PYNQ_DEBIAN_MIRROR`` comes first."""
    release = _os_release(root)
    debian = release.get("ID") == "debian"
    suite = release.get("VERSION_CODENAME", "") if debian else ""
    given = os.environ.get("PYNQ_DEBIAN_MIRROR", "").split()
    if given:
        if len(given) > 2 or not all(re.match(r"[a-z+]+:", uri) for uri in given):
            raise VirtualBoardError(
                f"PYNQ_DEBIAN_MIRROR={' '.join(given)!r} has to be the URI of a Debian archive, and after a "
                "space that of its security archive, if there is one"
            )
        return Mirrors(suite or DEFAULT_SUITE, given[0], given[1] if len(given) > 1 else None, ())
    if debian:
        own = [source for source in read_sources(root / "etc/apt") if _is_debian(source)]
        for source in own:
            for name in source.suites:
                if not name.endswith(("-updates", "-security", "-backports", "/updates")) and name:
                    return _complete(suite or name, source.uri, own)
    raise VirtualBoardError(
        f"no Debian mirror is known: {release.get('PRETTY_NAME', 'this system')} names none in "
        f"{root / 'etc/apt'}/sources.list and sources.list.d; set PYNQ_DEBIAN_MIRROR to the URI of an archive"
    )


def _is_debian(source: Source) -> bool:
    keys = source.signed_by
    by_debian = not keys or "debian-archive" in keys or "BEGIN PGP" in keys
    third = any(re.match(r".+-(pgdg|proposed)$", suite) for suite in source.suites)
    return by_debian and not third and "main" in source.components and not source.uri.startswith("cdrom:")


def _complete(suite: str, main: str, own: Sequence[Source]) -> Mirrors:
    names = {name: source.uri for source in reversed(own) for name in source.suites}
    security = next((uri for name, uri in names.items() if re.search(r"-security$|/updates$", name)), None)
    updates = tuple(name for name in names if name == f"{suite}-updates" and names[name] == main)
    return Mirrors(suite, main, security, updates)


def _os_release(root: Path) -> dict[str, str]:
    found = {}
    for name in ("etc/os-release", "usr/lib/os-release"):
        with contextlib.suppress(OSError):  # the next one, or none: the caller says what is missing
            for line in (root / name).read_text(encoding="utf-8", errors="replace").splitlines():
                key, equals, value = line.partition("=")
                if equals:
                    found[key.strip()] = value.strip().strip("\"'")
            break
    return found


# Packages


@dataclass(frozen=True)
class Package:
    """One package of an archive: ``size`` of the download in bytes, ``file`` its name there."""

    name: str
    version: str
    architecture: str
    size: int
    url: str
    file: str

    def record(self) -> dict[str, str | int]:
        """Return what :meth:`of` makes a package from again."""
        return asdict(self)

    @classmethod
    def of(cls, record: dict[str, str | int]) -> Package:
        """Return the package of a record."""
        size = int(record["size"])
        text = {name: str(record[name]) for name in ("name", "version", "architecture", "url", "file")}
        return cls(size=size, **text)


class Archive:
    """The packages of one architecture and suite; ``suite`` None is the machine's own.

    ``backports`` prefers those of the suite's backports. Suites may be named as the archive does ("stable",
    "testing") or by their code names.
    """

    def __init__(
        self,
        cache: CacheDir,
        architecture: str,
        suite: str | None = None,
        *,
        backports: bool = False,
        mirrors: Mirrors | None = None,
    ) -> None:
        self.architecture = architecture
        self._cache = cache
        self._mirrors = find_mirrors() if mirrors is None else mirrors
        self.suite = suite or self._mirrors.suite
        self._backports = f"{self.suite}-backports" if backports else None
        name = f"{architecture}-{self.suite}{'-backports' if backports else ''}"
        self._folder = cache.folder / "apt" / name
        self._name = name

    def resolve(
        self, packages: Sequence[str], *, depends: bool = True, without: Collection[str] = ()
    ) -> list[Package]:
        """Return these packages, and with ``depends`` everything they depend on, as nothing is installed.

        ``without`` names packages that are left out of the answer.

        Raises:
            DownloadRefused: the package lists can't be fetched.
            VirtualBoardError: the suite has no such package.
        """
        with self._cache.lock(f"apt-{self._name}"):
            self._update(_FRESH)
            verb = ["install", "--no-install-recommends", "-y"] if depends else ["download"]
            target = ["-t", self._backports] if self._backports else []
            code, lines = self._apt("apt-get", [*verb, "--print-uris", *target, *packages])
        if code:
            raise VirtualBoardError(
                f"Debian {self.suite} ({self.architecture}) can't give {', '.join(packages)}: "
                f"{_complaints(lines)}"
            )
        found = []
        for line in lines:
            fields = shlex.split(line) if line.startswith("'") else []
            if len(fields) >= 3:
                url, file, size = fields[:3]
                name, version, rest = unquote(file).rsplit(".", 1)[0].split("_")
                if name not in without:
                    found.append(Package(name, version, rest, int(size), url, file))
        return found

    def depends(self, package: str) -> list[str]:
        """Return the names of the packages that ``package`` depends on itself."""
        with self._cache.lock(f"apt-{self._name}"):
            self._update(_FRESH)
            code, lines = self._apt("apt-cache", ["depends", "--important", package])
        if code:
            raise VirtualBoardError(f"Debian {self.suite} has no package {package}: {_complaints(lines)}")
        names = [line.split(":", 1)[1].strip() for line in lines if "Depends:" in line]
        return [name for name in names if not name.startswith("<")]

    def download(
        self,
        packages: Sequence[Package],
        folder: Path,
        told: Callable[[float], None] = lambda _: None,
    ) -> list[Path]:
        """Fetch packages into ``folder`` and return the files; ``told`` is called with the part done, 0 to 1.

        Raises:
            DownloadRefused: one of them can't be fetched, or is not what the signed list says.
        """
        wanted = [f"{package.name}={package.version}" for package in packages]
        if not (self._folder / "stamp").exists():
            with self._cache.lock(f"apt-{self._name}"):
                self._update(_FRESH)
        lines: list[str] = []
        for pause in (*_PAUSES, None):
            with self._cache.lock(f"apt-{self._name}"):
                code, lines = self._apt("apt-get", ["download", *wanted], folder, told)
            files = [_file(folder, package) for package in packages]
            if not code and all(file.is_file() for file in files):
                return files
            if pause is None or not _passing(lines):
                break
            time.sleep(pause)
            with self._cache.lock(f"apt-{self._name}"):
                self._update(0.0)
        if _full(lines):
            raise self._cache.full()
        raise DownloadRefused(
            f"Debian's packages can't be downloaded: {_complaints(lines)}; see to the network or the proxy, "
            "or set PYNQ_DEBIAN_MIRROR to an archive that this machine reaches"
        )

    def _update(self, fresh: float) -> None:
        stamp = self._folder / "stamp"
        wanted = self._sources()
        with contextlib.suppress(OSError):  # no lists yet
            if stamp.read_text() == wanted and time.time() - stamp.stat().st_mtime < fresh:
                return
        with self._cache.draft():
            pass  # complains well where the cache can't be written
        for name in ("state/lists/partial", "cache/archives/partial"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "state/status").write_text("")
        (self._folder / "sources.list").write_text(wanted)
        (self._folder / "apt.conf").write_text(self._configuration())
        lines: list[str] = []
        for pause in (*_PAUSES, None):
            code, lines = self._apt("apt-get", ["update", "--allow-releaseinfo-change"])
            if not code and not any(line.startswith(("W: Failed to fetch", "E: ")) for line in lines):
                stamp.write_text(wanted)
                return
            if pause is None or not _passing(lines):
                break
            time.sleep(pause)
        stamp.unlink(missing_ok=True)
        if _full(lines):
            raise self._cache.full()
        raise DownloadRefused(
            f"the package lists of Debian {self.suite} ({self.architecture}) can't be fetched: "
            f"{_complaints(lines)}; see to the network or the proxy, or set PYNQ_DEBIAN_MIRROR to an archive "
            "that this machine reaches"
        )

    def _sources(self) -> str:
        mirrors, suite = self._mirrors, self.suite
        options = f"[signed-by={_keyring()} arch={self.architecture}]"
        lines = [f"deb {options} {mirrors.main} {suite} main"]
        if suite == mirrors.suite:
            lines += [f"deb {options} {mirrors.main} {name} main" for name in mirrors.updates]
        if mirrors.security and suite not in ("testing", "unstable", "sid"):
            lines.append(f"deb {options} {mirrors.security} {suite}-security main")
        if self._backports:
            lines.append(f"deb {options} {mirrors.main} {self._backports} main")
        return "\n".join(lines) + "\n"

    def _configuration(self) -> str:
        # Read after the machine's own settings, which name proxies but hooks for its own packages, too.
        folder = self._folder
        clear = "".join(
            f"#clear {name};\n"
            for name in (
                "APT::Update::Pre-Invoke",
                "APT::Update::Post-Invoke",
                "APT::Update::Post-Invoke-Success",
                "DPkg::Post-Invoke",
                "DPkg::Pre-Install-Pkgs",
                "APT::Default-Release",
                "Acquire::IndexTargets::deb::DEP-11",
                "Acquire::IndexTargets::deb::CNF",
                "APT::Architectures",
            )
        )
        settings = {
            "APT::Architecture": self.architecture,
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "state/status",
            "Dir::Cache": folder / "cache",
            "Dir::Cache::pkgcache": "pkgcache.bin",  # which images of containers switch off
            "Dir::Cache::srcpkgcache": "",
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "30",
            "Acquire::https::Timeout": "30",
            "APT::Sandbox::User": "root",
        }
        only = f'APT::Architectures {{ "{self.architecture}"; }};\n'
        return clear + only + "".join(f'{name} "{value}";\n' for name, value in settings.items())

    def _apt(
        self,
        program: str,
        arguments: Sequence[str],
        folder: Path | None = None,
        told: Callable[[float], None] = lambda _: None,
    ) -> tuple[int, list[str]]:
        """Run apt; return its status and its lines, both channels in one list."""
        found = shutil.which(program)
        if found is None:
            raise VirtualBoardError(
                f"{program} is not there: a virtual board is made of Debian's packages, which apt fetches; "
                "use a Debian or Ubuntu machine or container"
            )
        environment = {key: value for key, value in os.environ.items() if key != "APT_CONFIG"}
        environment.update(LC_ALL="C", DEBIAN_FRONTEND="noninteractive")
        command = [found, "-c", str(self._folder / "apt.conf"), "-o", "APT::Status-Fd=2", *arguments]
        lines = []
        with subprocess.Popen(
            command,
            cwd=folder or self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    if line.startswith("dlstatus:"):
                        with contextlib.suppress(ValueError):  # only the bar stands still
                            told(float(line.split(":")[2]) / 100)
                    elif not line.startswith("pmstatus:"):
                        lines.append(line.rstrip("\n"))
            except BaseException:
                process.terminate()
                raise
        return process.returncode, lines


def unpack(files: Sequence[Path], root: Path) -> None:
    """Unpack packages (.deb, of any architecture) into a folder, one over the other."""
    root.mkdir(parents=True, exist_ok=True)
    for file in files:
        try:
            subprocess.run(
                ["dpkg-deb", "-x", str(file), str(root)], check=True, capture_output=True, text=True
            )
        except FileNotFoundError as error:
            raise VirtualBoardError("dpkg-deb is not there; it comes with Debian's package dpkg") from error
        except subprocess.CalledProcessError as error:
            last = error.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise VirtualBoardError(f"{file.name} can't be unpacked into {root}: {last[0]}") from error


def _file(folder: Path, package: Package) -> Path:
    """Return where ``apt-get download`` puts a package: its version with ':' written as %3a."""
    version = package.version.replace(":", "%3a")
    return folder / f"{package.name}_{version}_{package.architecture}.deb"


def _keyring() -> Path:
    for name in _KEYRINGS:
        file = Path("/usr/share/keyrings") / name
        if file.exists():
            return file
    raise VirtualBoardError(
        f"/usr/share/keyrings/{_KEYRINGS[0]} is not there, so that Debian's signatures can't be checked: "
        "install the package debian-archive-keyring"
    )


def _passing(lines: Sequence[str]) -> bool:
    """Tell whether apt's complaint is one that goes by itself: a mirror in the middle of an update."""
    return any(
        words in line
        for line in lines
        for words in ("Mirror sync in progress", "Hash Sum mismatch", "unexpected size")
    )


def _full(lines: Sequence[str]) -> bool:
    return any("No space left on device" in line for line in lines)


def _complaints(lines: Sequence[str]) -> str:
    found = [line[3:].strip() for line in lines if line.startswith(("E: ", "W: "))]
    return "; ".join(dict.fromkeys(found[:2])) or (lines[-1] if lines else "apt said nothing")
