"""What RTL prints: levels, places, and that a program which never heard of logging sees it."""

from __future__ import annotations

import logging

import pytest

from pynq.backends.sim.rtl.log import LOGGER, printer, tell_warnings


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


def test_a_file_without_a_line(caplog: pytest.LogCaptureFixture) -> None:
    printer("fir_0")("warning: $readmem file not found", "rom.dat", 0)
    assert [record.getMessage() for record in caplog.records] == [
        "fir_0: warning: $readmem file not found (rom.dat)"
    ]


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


def test_warnings_that_change_the_meaning_are_seen_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = (
        "/x/fir.v:3:4: warning: Operator ASSIGN expects 4 bits [WIDTHTRUNC]\n    3 | assign q = a;\n"
        "/x/fir.v:48:11: warning: Ignoring delay on this statement due to --no-timing [STMTDLY]\n   48 | #5"
    )
    with caplog.at_level(logging.DEBUG, "pynq.rtl"):
        tell_warnings("fir_0", text)
        tell_warnings("fir_1", text)
    said = [(record.levelname, record.getMessage().split(":")[0]) for record in caplog.records]
    assert said == [("DEBUG", "fir_0"), ("WARNING", "fir_0"), ("DEBUG", "fir_1")]
    assert caplog.records[1].getMessage().endswith("[STMTDLY]\n   48 | #5")
