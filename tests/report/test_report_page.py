"""The files that ``pynq inspect`` writes: the page and the picture."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hwh_files import M, P, document
from look_designs import made, parts
from report_kit import example

from pynq.cli import main
from pynq.design import read
from pynq.errors import PynqError
from pynq.report import assets
from pynq.report.graph import graph_of
from pynq.report.page import page
from pynq.report.svg import svg

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "</script><script>alert(1)</script><!-- & \"quoted\" 'x' \u2028 @ELK@"


def data_of(text: str) -> Any:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def written(tmp_path: Path, *arguments: str, name: str = "image_filter") -> str:
    target = tmp_path / "out.html"
    assert main(["inspect", str(example(name)), "--html", str(target), *arguments]) == 0
    return target.read_text(encoding="utf-8")


def test_the_command_says_where_the_files_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page_, picture = tmp_path / "a page.html", tmp_path / "[x] picture.svg"
    command = ["inspect", str(example("image_filter")), "--html", str(page_), "--svg", str(picture)]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == [f"wrote {picture}", f"wrote {page_}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["[x] picture.svg", "a page.html"]
    # With --json only that is in the output; a file that is there is replaced, and keeps its rights.
    page_.write_text("old")
    page_.chmod(0o640)
    assert main([*command, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["name"] == "image_filter"
    assert "wrote" in said.err
    assert page_.stat().st_mode & 0o777 == 0o640
    assert page_.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_page_holds_what_the_json_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = data_of(written(tmp_path))
    capsys.readouterr()
    assert main(["inspect", str(example("image_filter")), "--json"]) == 0
    assert found["facts"] == json.loads(capsys.readouterr().out)
    assert found["graph"]["name"] == "image_filter"


def test_the_page_needs_no_network_and_runs_nothing_but_its_own(tmp_path: Path) -> None:
    text = written(tmp_path)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    rules = {words[0]: words[1:] for words in (rule.split() for rule in policy.split(";"))}
    assert rules["default-src"] == ["'none'"]
    assert "unsafe" not in policy
    scripts = re.findall(r"<script(?: type=\"module\")?>(.*?)</script>", text, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", text.partition("<script")[0], re.DOTALL)
    for rule, parts_ in (("script-src", scripts), ("style-src", styles)):
        digests = [hashlib.sha256(one.encode()).digest() for one in parts_]
        assert rules[rule] == [f"'sha256-{base64.b64encode(one).decode()}'" for one in digests]
    assert not re.findall(r"<(?:link|img|iframe|object)\b|\son\w+=|\ssrc=", text.partition("<script>")[0])
    assert "Eclipse Public License 2.0" in text


def test_names_of_a_hostile_file_stay_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = parts()
    shown = "".join(one for one in EVIL.replace("/", "|") if one.isprintable())  # others are refused there
    cells["evil"] = M(f"evil/{shown}", f"a:b:{EVIL}:1.0", [P(EVIL, "O", "rst")], parameters={EVIL: EVIL})
    file = tmp_path / "evil.hwh"
    file.write_bytes(document(cells.values(), name=EVIL))
    assert (
        main(["inspect", str(file), "--html", str(tmp_path / "o.html"), "--svg", str(tmp_path / "o.svg")])
        == 0
    )
    text = (tmp_path / "o.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert text.count("<script") == 3 + assets.elk_source().count("<script")
    assert data_of(text)["facts"]["name"] == EVIL
    picture = ElementTree.parse(tmp_path / "o.svg")
    assert not picture.findall(f".//{SVG}script")
    assert any("alert" in (title.text or "") for title in picture.iter(f"{SVG}title"))


def test_names_that_no_encoding_holds(tmp_path: Path) -> None:
    design = made(parts())
    text = page({"name": "\udce9\x00"}, graph_of(design))
    assert data_of(text.encode().decode())["facts"]["name"] == "?\x00"


def test_the_picture_is_the_diagram(tmp_path: Path) -> None:
    graph = graph_of(read(example("image_filter")))
    closed, open_ = ElementTree.fromstring(svg(graph)), ElementTree.fromstring(svg(graph, depth=1))

    def boxes(picture: ElementTree.Element) -> set[str]:
        return {part.attrib["data-id"] for part in picture.iter(f"{SVG}g") if "data-id" in part.attrib}

    assert "filter/" in boxes(closed)
    assert not any(one.startswith("filter/a") for one in boxes(closed))
    assert "filter/axi_dma" in boxes(open_)
    assert boxes(ElementTree.fromstring(svg(graph, unfold=["filter"]))) == boxes(open_)
    style = open_.findtext(f"{SVG}style") or ""
    assert "var(" not in style  # viewers other than browsers know no variables
    assert "light-dark" not in style
    sizes = {float(text.attrib["font-size"]) for text in open_.iter(f"{SVG}text")}
    assert min(sizes) >= 10


def test_both_engines_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("node") is None:
        pytest.skip("no Node.js to compare with V8")
    graph = graph_of(made(parts()))
    with_v8 = svg(graph, depth=3)
    monkeypatch.setattr("pynq.report.svg._has_v8", lambda: False)
    assert svg(graph, depth=3) == with_v8


def test_without_an_engine_the_error_names_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pynq.report.svg._has_v8", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    target = tmp_path / "x.svg"
    assert main(["inspect", str(example("dma_loopback")), "--svg", str(target)]) == 1
    said = capsys.readouterr().err
    assert "pynq-anywhere[svg]" in said
    assert "nodejs" in said
    assert not target.exists()


_ENDLESS = """
import sys
from pynq.cli import main
from pynq.report import assets

assets.bundle = lambda *names: "for (;;) {}"
sys.exit(main(["inspect", sys.argv[1], "--svg", sys.argv[2]]))
"""


def test_ctrl_c_ends_the_layout_without_a_word(tmp_path: Path) -> None:
    target = tmp_path / "x.svg"
    command = [sys.executable, "-c", _ENDLESS, str(example("dma_loopback")), str(target)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        end = time.monotonic() + 100
        while not list(tmp_path.glob("pynq-svg-*/diagram.js")):
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < end
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGINT)
        assert running.communicate(timeout=100) == (b"", b"")
    assert running.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_what_the_engine_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "bundle", lambda *names: "throw new Error('no room');")
    with pytest.raises(PynqError, match=r"could not be laid out by .*no room"):
        svg(graph_of(made(parts())))


def test_without_elk_the_error_says_what_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assets.elk_source.cache_clear()
    monkeypatch.setattr(assets, "_FOLDER", tmp_path)
    target = tmp_path / "x.html"
    target.write_text("as it was")
    monkeypatch.setattr(assets, "page_file", lambda name: "")
    assert main(["inspect", str(example("dma_loopback")), "--html", str(target)]) == 1
    assert "scripts/fetch_elk.py" in capsys.readouterr().err
    assert target.read_text() == "as it was"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--open"], 2, "--html OUT"),
        (["--depth", "1"], 2, "--svg OUT"),
        (["--svg", "x.svg", "--unfold", "nowhere"], 2, "there are: filter"),
        (["--html", "no/such/x.html"], 1, "there is no folder no/such"),
        (["--html", "."], 1, "directory"),
    ],
)
def test_what_is_refused(
    arguments: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["inspect", str(example("image_filter")), *arguments]) == code
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_open_shows_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(shown.append(address)) or True)
    written(tmp_path, "--open")
    assert shown == [(tmp_path / "out.html").as_uri()]


def test_modules_that_are_joined_share_no_names() -> None:
    names = re.findall(
        r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)",
        "\n".join(path.read_text() for path in sorted((assets._FOLDER / "page").glob("*.js"))),
        re.MULTILINE,
    )
    assert [name for name, count in Counter(names).items() if count > 1] == []
    joined = assets.bundle("fold.js", "draw.js", "elk.js", "diagram.js", "still.js")
    assert not re.findall(r"^(?:import|export)\b.*", joined, re.MULTILINE)


@pytest.mark.corpus
def test_every_page_of_the_corpus_has_its_data(corpus: Path) -> None:
    for path in sorted((corpus / "hwh").glob("*.hwh")):
        design = read(path)
        graph = graph_of(design)
        found = data_of(page({"name": design.name}, graph))
        assert found["graph"] == graph, path.name
