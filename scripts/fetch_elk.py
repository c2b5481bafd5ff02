#!/usr/bin/env python3
"""Get ELK, which lays out the block diagrams: from a wheel on the package index into src/pynq/report/assets.

    python scripts/fetch_elk.py

Runs under any Python 3 with pip. Nothing is downloaded where the file is there already. What is taken is
elkjs 0.9.3 (Eclipse Layout Kernel, EPL-2.0), which the wheel of ipyelk holds; wheel and file are checked by
their hashes.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "src" / "pynq" / "report" / "assets"
REQUIREMENT = "ipyelk==2.1.1"
WHEEL_SHA256 = "431c02369cb783ba470ad6b00f78bff772b3dda7bff514628102e26cfce4dc7a"
FOLDER = "ipyelk-2.1.1.data/data/share/jupyter/labextensions/@jupyrdf/jupyter-elk/static/"
MEMBER = FOLDER + "elk-worker.7af739b446ffb9a7d753.worker.js"
LICENSES = FOLDER + "third-party-licenses.json"
SHA256 = "edbe3c959c0b7f4643074e1add5a2fe84f4d7b11c132ab80d5982b658c64e7c0"
NOTICE = """\
elk-worker.js is elkjs {version}, the Eclipse Layout Kernel for JavaScript, copyright Kiel University and
others, unchanged but for being bundled. It is made available under the Eclipse Public License 2.0, whose text
follows. Its source code: https://github.com/kieler/elkjs and https://github.com/eclipse/elk

"""


class ElkError(Exception):
    """ELK can't be had; the message says why."""


def digest(path):
    """Return a file's SHA-256, None where there is no file."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def ready():
    """Return whether the right file is there."""
    return digest(ASSETS / "elk-worker.js") == SHA256


def write(path, data):
    """Write a file whole or not at all."""
    handle, name = tempfile.mkstemp(dir=str(path.parent))
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.chmod(name, 0o644)
    os.replace(name, str(path))


def fetch(python=sys.executable):
    """Download and unpack; ``python`` is an interpreter with pip. Raises :class:`ElkError`."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text("{} --hash=sha256:{}\n".format(REQUIREMENT, WHEEL_SHA256))
        command = [python, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", "--require-hashes", "-d", folder, "-r", str(wanted)]
        got = subprocess.run(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        wheels = list(Path(folder).glob("*.whl"))
        if got.returncode or len(wheels) != 1:
            raise ElkError("pip could not download {}:\n{}".format(REQUIREMENT, got.stdout.strip()[-2000:]))
        with zipfile.ZipFile(str(wheels[0])) as wheel:
            code = wheel.read(MEMBER)
            packages = json.loads(wheel.read(LICENSES).decode())["packages"]
    found = hashlib.sha256(code).hexdigest()
    if found != SHA256:
        raise ElkError("{} of {} has the hash {}, not {}".format(MEMBER, REQUIREMENT, found, SHA256))
    (own,) = [entry for entry in packages if entry["name"] == "elkjs"]
    notice = NOTICE.format(version=own["versionInfo"]) + own["extractedText"]
    ASSETS.mkdir(parents=True, exist_ok=True)
    write(ASSETS / "elk-worker.LICENSE", notice.encode())
    write(ASSETS / "elk-worker.js", code)


def main():
    """Get the file if it isn't there."""
    if ready():
        return 0
    try:
        fetch()
    except (ElkError, OSError) as error:
        print("fetch_elk: {}".format(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
