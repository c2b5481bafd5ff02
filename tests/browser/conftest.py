"""Debian's Chromium for tests of what people see; without it, or without Playwright, they are skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

OUT = Path(__file__).resolve().parents[2] / "out" / "browser"
_QUIET = [  # nothing of the browser's own goes to the network
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A running browser. While it runs, an event loop of Playwright's runs in this thread, so that tests of
    other folders, which start loops of their own, must not meet it.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="`make browser` installs Playwright")
    chromium = os.environ.get("PYNQ_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium, or PYNQ_CHROMIUM=/path/to/it")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=[*_QUIET, *sandbox])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """An empty page, in a context of its own. How it looked when a test failed is in out/browser."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(150_000)  # of a machine with much to do
    yield page
    if hasattr(request.node, "failed"):
        OUT.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=OUT / f"failed_{request.node.name}.png")
    context.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: Any = yield
    if report.failed:
        item.failed = True  # type: ignore[attr-defined]
    return report
