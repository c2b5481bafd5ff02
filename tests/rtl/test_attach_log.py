"""What RTL prints: levels, places, and that a program which never heard of logging sees it."""

from __future__ import annotations

import logging

import pytest

from pynq.backends.sim.rtl.log import LOGGER, printer


@pytest.mark.parametrize(
    ("text", "file", "level", "message"),
    [
        ("hello 3", "", logging.INFO, "fir_0: hello 3"),
        ("hello", "/a/b/fir.v", logging.INFO, "fir_0: hello (fir.v:12)"),
        ("info: hello", "fir.v", logging.INFO, "fir_0: info: hello (fir.v:12)"),
        ("warning: hot (in a.b)", "fir.v", logging.WARNING, "fir_0: warning: hot (in a.b) (fir.v:12)"),
        ("error: hot", "fir.v", logging.WARNING, "fir_0: error: hot (fir.v:12)"),
        ("fatal: 100% hot", "fir.v", logging.ERROR, "fir_0: fatal: 100% hot (fir.v:12)"),
        ("no warning: x", "fir.v", logging.INFO, "fir_0: no warning: x (fir.v:12)"),
    ],
)
def test_levels(text: str, file: str, level: int, message: str, caplog: pytest.LogCaptureFixture) -> None:
    printer("fir_0")(text, file, 12)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(level, message)]


def test_without_logging_it_goes_to_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGGER, "propagate", False)  # as if nobody had set logging up
    printer("fir_0")("hello", "fir.v", 3)
    assert capsys.readouterr().err == "fir_0: hello (fir.v:3)\n"
    monkeypatch.setattr(LOGGER, "level", logging.ERROR)
    LOGGER.manager._clear_cache()
    printer("fir_0")("hello", "fir.v", 3)
    assert capsys.readouterr().err == ""
    LOGGER.manager._clear_cache()
