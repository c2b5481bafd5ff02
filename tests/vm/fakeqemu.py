"""A stand-in for QEMU and its guest: what a virtual board's host side sees of them.

Started with QEMU's options. It dumps a device tree, has the two sockets, prints what a kernel prints, and
runs the scripts of the control share in this machine's shell. ``FAKE_QEMU`` says what goes wrong.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from pynq.devicetree import Node, Tree, strings, write

FAULT = os.environ.get("FAKE_QEMU", "")


def options(name: str) -> list[str]:
    return [value for option, value in zip(sys.argv, sys.argv[1:], strict=False) if option == name]


def dump(machine: str) -> None:
    gic = Node("intc@8000000", {"compatible": strings("arm,cortex-a15-gic"), "interrupt-controller": b""})
    gic.set("phandle", 1)
    tree = Tree(children=[gic, Node("chosen")])
    tree.set("interrupt-parent", 1)
    Path(machine.partition("dumpdtb=")[2]).write_bytes(write(tree))


def listen(option: str) -> socket.socket:
    path = options(option)[0].removeprefix("unix:").partition(",")[0]
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(1)
    return server


def talk(server: socket.socket) -> None:
    """QMP: the machine has an interrupt controller."""
    connection, _ = server.accept()
    stream = connection.makefile("rw")
    stream.write('{"QMP": {}}\n')
    stream.flush()
    for line in stream:
        asked = json.loads(line)["execute"]
        found = [{"name": "device[3]", "type": "child<arm_gic>"}] if asked == "qom-list" else {}
        stream.write(json.dumps({"return": found}) + "\n")
        stream.flush()


def swallow(server: socket.socket) -> None:
    connection, _ = server.accept()
    while connection.recv(4096):
        pass


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> None:
    machine = options("-M")[0]
    if "dumpdtb" in machine:
        if FAULT == "no tree":
            sys.exit("fake: no such machine")
        dump(machine)
        return
    if FAULT == "refuses":
        sys.exit("fake: -device vfio-user-pci: Failed to connect")
    folders = {
        re.search(r"id=(\w+)", value)[1]: re.search(r"path=([^,]+)", value)[1]  # type: ignore[index]
        for value in options("-fsdev")
    }
    for option, serve in (("-qmp", talk), ("-qtest", swallow)):
        threading.Thread(target=serve, args=(listen(option),), daemon=True).start()
    control = Path(folders["control"])
    token = re.search(r"ready\\036' (\w+)", (control / "command").read_text())[1]  # type: ignore[index]
    say("[    0.000000] Booting Linux on physical CPU 0x0\r\n")
    if FAULT == "panics":
        say("[    1.0] Kernel panic - not syncing: No working init found.\r\n")
        return
    if FAULT == "module":
        (control / "error").write_text("module pynq_uio.ko: insmod: can't insert\n")
        return
    if FAULT == "hangs":
        time.sleep(600)
    say(f"noise \x1e{token[:4]}\x1e{token} ready\x1e")
    serve_commands(control, folders["share"], token)


def serve_commands(control: Path, share: str, token: str) -> None:
    programs: list[int] = []

    def end(*_: object) -> None:
        for program in programs[-1:]:
            os.killpg(program, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(0, 1)
            if not byte:
                return
            line += byte.lstrip(b"\x03")
        script = (control / line.decode().strip()).read_text().replace("/mnt/share", share)
        script = re.sub(r"(?m)^stty .*$", ":", script)
        # Between the program's start and its number being noted, an end would leave it behind.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        running = subprocess.Popen(
            ["sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,  # a console is one
            start_new_session=True,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM}),
        )
        programs.append(running.pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        watching = threading.Thread(target=watch, args=(running,), daemon=True)
        watching.start()
        status = running.wait()
        if FAULT == "dies":
            say("Internal error: Oops\r\nKernel panic - not syncing: Fatal exception\r\n")
            return
        if FAULT == "powers off":
            say("reboot: Power down\r\n")
            return
        say(f"\x1e{token} end {status if status >= 0 else 128 - status}\x1eafter the end")


def watch(running: subprocess.Popen[bytes]) -> None:
    """The console's line discipline: Ctrl-C is a signal for the program."""
    import select

    while running.poll() is None:
        if select.select([0], [], [], 0.02)[0] and running.poll() is None:
            byte = os.read(0, 1)
            if byte == b"\x03":
                os.killpg(running.pid, signal.SIGINT)
            elif not byte:
                return


if __name__ == "__main__":
    main()
