"""A small Debian archive behind HTTP on this machine: real packages and indices, signed with its own key."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

TOOLS = ("gpg", "gpgv", "apt-get", "dpkg-deb")
needs_apt = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}"
)


def make_key(folder: Path) -> Path:
    """Make a signing key; return the keyring with its public half."""
    home = folder / "gpg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    who = [
        "--passphrase",
        "",
        "--quick-generate-key",
        "Archive <archive@example.org>",
        "ed25519",
        "sign",
        "0",
    ]
    subprocess.run([*gpg, *who], check=True, capture_output=True)
    ring = folder / "archive.gpg"
    subprocess.run([*gpg, "--output", str(ring), "--export"], check=True, capture_output=True)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
    return ring


class DebianArchive:
    """An archive; what is added shows after :meth:`publish`."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.folder = folder
        self._gpg = keys / "gpg"
        self._found: dict[str, list[tuple[str, str]]] = {}  # suite: architecture and stanza
        #: What the server answers instead: part of a path, and a status or other content.
        self.faults: dict[str, int | bytes] = {}
        self.requests: list[str] = []
        self.uri = ""

    def add(
        self,
        suite: str,
        name: str,
        version: str,
        files: Mapping[str, bytes | str] = {},
        *,
        architecture: str = "arm64",
        depends: str = "",
    ) -> None:
        """Add a package; ``files`` by path, text for a symbolic link."""
        root = self.folder.parent / f"build-{name}-{architecture}-{suite}"
        for path, content in {**files, f"usr/share/doc/{name}/copyright": b"free"}.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                target.symlink_to(content)
            else:
                target.write_bytes(content)
                target.chmod(0o755 if "/bin/" in f"/{path}" else 0o644)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
        control += f"Maintainer: Nobody <nobody@example.org>\nDescription: {name}\n"
        control += f"Depends: {depends}\n" if depends else ""
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text(control)
        pool = self.folder / "pool" / suite
        pool.mkdir(parents=True, exist_ok=True)
        deb = pool / f"{name}_{version.split(':')[-1]}_{architecture}.deb"
        build = ["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(root), str(deb)]
        subprocess.run(build, check=True, capture_output=True)
        content = deb.read_bytes()
        stanza = control + f"Filename: pool/{suite}/{deb.name}\nSize: {len(content)}\n"
        stanza += f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
        self._found.setdefault(suite, []).append((architecture, stanza))

    def publish(self, *suites: str, architectures: Sequence[str] = ("amd64", "arm64")) -> None:
        """Write the signed indices of these suites."""
        for suite in suites:
            base = self.folder / "dists" / suite
            sums = []
            for architecture in architectures:
                index = "\n".join(
                    stanza for one, stanza in self._found.get(suite, []) if one in (architecture, "all")
                )
                for name, content in (
                    ("Packages", index.encode()),
                    ("Packages.gz", gzip.compress(index.encode())),
                ):
                    path = base / f"main/binary-{architecture}" / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                    size = f"{len(content)} {path.relative_to(base)}"
                    sums.append(f" {hashlib.sha256(content).hexdigest()} {size}")
            release = f"Origin: Debian\nSuite: {suite}\nCodename: {suite}\nDate: {formatdate(usegmt=True)}\n"
            release += f"Architectures: {' '.join(architectures)}\nComponents: main\nSHA256:\n"
            (base / "Release").write_text(release + "\n".join(sums) + "\n")
            gpg = ["gpg", "--homedir", str(self._gpg), "--batch", "--yes", "--quiet"]
            sign = ["--clearsign", "-o", str(base / "InRelease"), str(base / "Release")]
            subprocess.run([*gpg, *sign], check=True, capture_output=True)

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve it; gives its URI."""
        archive = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments, directory=str(archive.folder))

            def do_GET(self) -> None:
                archive.requests.append(self.path)
                for part, answer in archive.faults.items():
                    if part in self.path:
                        if isinstance(answer, int):
                            self.send_error(answer)
                        else:
                            self.send_response(200)
                            self.send_header("Content-Length", str(len(answer)))
                            self.end_headers()
                            self.wfile.write(answer)
                        return
                super().do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            self.uri = f"http://127.0.0.1:{server.server_port}"
            yield self.uri
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
