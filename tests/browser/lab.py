"""A JupyterLab, or a marimo, of its own on a free port, with everything it writes in one folder."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server as a process, from when it answers to the end of the ``with`` block."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path, url: str) -> None:
        self._command, self._environment, self._log, self._url = command, environment, log, url

    def __enter__(self) -> Server:
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        end = time.monotonic() + 240
        while True:
            try:
                with urllib.request.urlopen(self._url, timeout=20):
                    return self
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    self.__exit__()
                    said = self._log.read_text()
                    raise AssertionError(f"{self._command[2]} did not start:\n{said}") from None
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Lab:
    """JupyterLab as a process; a context manager. Notebooks lie in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "notebooks"
        self.folder.mkdir()
        self.log = folder / "lab.log"
        self._token = secrets.token_hex(16)
        self._port = free_port()
        places = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        self._environment = {**os.environ, **{name: str(folder / place) for name, place in places.items()}}

    def __enter__(self) -> Lab:
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={self._port}"),
            *(f"--IdentityProvider.token={self._token}", f"--ServerApp.root_dir={self.folder}"),
            *("--ServerApp.port_retries=0", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly"),
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]
        url = f"http://127.0.0.1:{self._port}/api"
        self._server = Server(command, self._environment, self.log, url).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def url(self, notebook: str) -> str:
        """Where a notebook is opened, in a workspace of its own."""
        place = f"http://127.0.0.1:{self._port}/lab/workspaces/{secrets.token_hex(4)}/tree/{notebook}"
        return f"{place}?token={self._token}&reset"

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells; return its name."""
        notebook: dict[str, Any] = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{number}",
                    "metadata": {},
                    "execution_count": None,
                    "outputs": [],
                    "source": cell,
                }
                for number, cell in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.folder / name).write_text(json.dumps(notebook))
        return name
