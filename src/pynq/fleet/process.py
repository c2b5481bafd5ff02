"""A worker process of this machine; :class:`pynq.fleet.workers.LocalFleet` starts it and ends it.

Its standard input is the lifeline: one line says what to do, and the end of it, however the parent came to
its own end, is the end of this process and of the compilers it may have started.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import threading
from collections.abc import Mapping
from typing import Any

from pynq.fleet import case  # loaded before the first case comes
from pynq.fleet.dask import distributed
from pynq.fleet.note import Note

__all__ = ["main"]


def main(told: Mapping[str, Any]) -> None:
    """Work for the scheduler at ``told["address"]`` until it goes away. Prints a line: the own address."""
    faulthandler.enable()
    threading.Thread(target=_hold_line, name="pynq-fleet-lifeline", daemon=True).start()
    os.set_inheritable(told["note"], False)  # what a case starts has no say in it
    case.keep_note(Note(told["note"]))
    answer = os.dup(1)
    os.dup2(2, 1)  # what native code prints goes where the errors go
    asyncio.run(_work(told, answer))


async def _work(told: Mapping[str, Any], answer: int) -> None:
    dask = distributed()
    logging.getLogger("distributed").setLevel(logging.ERROR)  # its import has set what Dask likes
    security = dask.Security(**told["security"])
    worker = dask.Worker(
        told["address"],
        name=told["name"],
        nthreads=1,
        memory_limit=0,
        dashboard=False,
        local_directory=told["folder"],
        security=security,
    )
    async with worker:
        with os.fdopen(answer, "w") as line:
            line.write(f"{worker.address}\n")
        await worker.finished()


def _hold_line() -> None:
    while os.read(0, 4096):  # not by sys.stdin: the interpreter can't end while a thread waits in there
        pass
    os.killpg(0, signal.SIGKILL)  # the parent made this process the leader of a group
