"""Run suites of plain functions and note what became of each: the whole test framework of the virtual board.

    python3 run.py RESULTS SUITE... [--only NAME]

``SUITE`` is a module here with ``suite()`` and ``load()``. ``RESULTS`` gets one JSON object a line, at once,
so that a crash loses only the test it came in.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import sys
import time
import traceback
import warnings
from pathlib import Path

LIMIT = 60  # seconds for one test; under emulation everything is slow

sys.path.insert(0, str(Path(__file__).resolve().parent))


def main() -> int:
    arguments = sys.argv[1:]
    only = arguments[arguments.index("--only") + 1 :] if "--only" in arguments else None
    results, *names = arguments[: arguments.index("--only")] if only is not None else arguments
    warnings.simplefilter("error")
    failed = 0
    with Path(results).open("w", encoding="utf-8") as file:

        def note(**values: object) -> None:
            file.write(json.dumps(values) + "\n")
            file.flush()

        for name in names:
            module = importlib.import_module(name)
            start = time.monotonic()
            context = module.load("bench.bit")
            note(suite=name, test="load", outcome="passed", seconds=round(time.monotonic() - start, 3))
            for test, function in module.suite():
                if only is not None and test not in only:
                    continue
                note(suite=name, test=test, outcome="begun")
                faulthandler.dump_traceback_later(LIMIT, exit=True)
                start = time.monotonic()
                try:
                    outcome, detail = "passed", function(context)
                except Exception:  # noqa: BLE001  it is what is being found out
                    outcome, detail = "failed", traceback.format_exc()
                    failed += 1
                faulthandler.cancel_dump_traceback_later()
                note(suite=name, test=test, outcome=outcome, seconds=round(time.monotonic() - start, 3),
                     detail=detail)  # fmt: skip
                print(f"{outcome} {name}.{test} {time.monotonic() - start:.2f} s", flush=True)
                if outcome == "failed":
                    print(detail, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
