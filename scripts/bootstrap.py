#!/usr/bin/env python3
"""Make the development environment: check the machine, then make a virtual environment with everything in it.

Runs under any Python 3 with the standard library alone. What is missing is named with the package that
brings it; the one thing that can be had without root, Python's C headers, is fetched into the environment.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINIMUM = (3, 10)
BUILD_TOOLS = ["scikit-build-core>=0.10", "nanobind>=2.2", "cmake>=3.18", "ninja"]


def fail(lines):
    """Print the reasons and stop."""
    for line in lines:
        print("bootstrap: " + line, file=sys.stderr)
    sys.exit(1)


def missing_prerequisites():
    """Return one line for each thing that this machine lacks."""
    found = []
    version = "{}.{}".format(*sys.version_info[:2])
    if sys.version_info < MINIMUM:
        found.append(
            "Python {} is too old: 3.10 or newer is needed (`make PYTHON=python3.12 ...`)".format(version)
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        found.append("the module venv is missing: apt-get install python3-venv")
    if not (os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")):
        found.append("no C++ compiler: apt-get install g++")
    return found


def run(what, command, env=None):
    """Run a command quietly, with one line of progress; show its output if it fails."""
    start = time.monotonic()
    print("  {} ...".format(what), end="", flush=True)
    done = subprocess.run(
        [str(word) for word in command],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(" {:.0f} s".format(time.monotonic() - start))
    if done.returncode:
        fail(["`{}` failed:".format(" ".join(map(str, command))), *done.stdout.splitlines()[-40:]])


def header_folder(venv):
    """Return the folder of Python.h; Debian's package is fetched where the system has none.

    None means: the compiler finds it where Python says.
    """
    include = Path(sysconfig.get_path("include"))
    if (include / "Python.h").is_file():
        return None
    version = "{}.{}".format(*sys.version_info[:2])
    package = "libpython{}-dev".format(version)
    fetched = venv / "headers" / "usr" / "include" / "python{}".format(version)
    if (fetched / "Python.h").is_file():
        return fetched
    advice = "Python.h is missing: apt-get install python3-dev (looked in {})".format(include)
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        fail([advice])
    print("  Python's C headers are not installed: fetching {} (no root needed)".format(package))
    if os.geteuid() == 0 and not any(Path("/var/lib/apt/lists").glob("*Packages*")):
        subprocess.run(["apt-get", "-qq", "update"], check=False)
    with tempfile.TemporaryDirectory() as folder:
        got = subprocess.run(
            ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        archives = list(Path(folder).glob("*.deb"))
        if got.returncode or not archives:
            fail([advice, "and it could not be fetched:", *got.stdout.splitlines()[-5:]])
        subprocess.run(["dpkg-deb", "-x", str(archives[0]), str(venv / "headers")], check=True)
    if not (fetched / "Python.h").is_file():
        fail([advice, "{} has no Python.h for this Python".format(package)])
    return fetched


def build_environment(venv):
    """Return the environment variables for compiling."""
    env = dict(os.environ)
    env["PATH"] = "{}{}{}".format(venv / "bin", os.pathsep, env.get("PATH", ""))
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    # One build folder an environment: CMake remembers the interpreter it was configured with.
    env["SKBUILD_BUILD_DIR"] = str(ROOT / "build" / venv.name.strip(".") / "{wheel_tag}")
    headers = header_folder(venv)
    if headers is not None:
        # Debian splits pyconfig.h into an architecture folder beside the version's.
        env["CPLUS_INCLUDE_PATH"] = "{}{}{}".format(headers, os.pathsep, headers.parent)
        given = env.get("SKBUILD_CMAKE_ARGS")
        arguments = [given] if given else []
        env["SKBUILD_CMAKE_ARGS"] = ";".join([*arguments, "-DPython_INCLUDE_DIR={}".format(headers)])
    return env


def main():
    """Make or refresh the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", default=".venv", type=Path)
    parser.add_argument("--native-only", action="store_true", help="rebuild the C++ modules only")
    parser.add_argument("--group", action="append", default=["dev"], help="group of pyproject.toml")
    options = parser.parse_args()
    reasons = missing_prerequisites()
    if reasons:
        fail(reasons)
    os.chdir(str(ROOT))
    venv = options.venv.resolve()
    python = venv / "bin" / "python"
    print("Setting up {} with Python {}.{}.{}".format(options.venv, *sys.version_info[:3]))
    if not python.exists():
        run("virtual environment", [sys.executable, "-m", "venv", venv])
    env = build_environment(venv)
    pip = [python, "-m", "pip", "install", "-q"]
    if not options.native_only:
        run("pip and build tools", [*pip, "--upgrade", "pip>=25.1", *BUILD_TOOLS], env)
        groups = [word for group in options.group for word in ("--group", group)]
        run("dependencies", [*pip, "numpy>=1.23", *groups], env)
        run("ELK, for block diagrams", [python, ROOT / "scripts" / "fetch_elk.py"], env)
    run("compiling the native core", [*pip, "--no-build-isolation", "--no-deps", "-e", "."], env)
    (venv / ".ready").touch()


if __name__ == "__main__":
    main()
