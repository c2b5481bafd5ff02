"""The page of a coverage report: one HTML file, nothing else needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from pynq.backends.sim.coverage_counts import Counts, FileCoverage, Tally, missed_toggles

__all__ = ["page"]

_STYLE = """
:root{--ink:#0f172a;--muted:#64748b;--line:#e2e8f0;--bg:#fff;--soft:#f8fafc;--good:#0d9488;
 --good-bg:#ecfdf5;
--part:#b45309;--part-bg:#fffbeb;--bad:#be123c;--bad-bg:#fff1f2}
@media (prefers-color-scheme:dark){:root{--ink:#e2e8f0;--muted:#94a3b8;--line:#334155;--bg:#0f172a;
 --soft:#1e293b;
--good:#2dd4bf;--good-bg:#0b3b37;--part:#fbbf24;--part-bg:#3b2f0b;--bad:#fb7185;--bad-bg:#43101d}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:28px 20px 80px}
h1{font-size:24px;margin:0 0 2px}
h2{font:600 15px ui-monospace,Consolas,monospace;margin:0}
.sub{color:var(--muted);margin:0 0 22px}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:600;color:var(--muted);font-size:13px;padding:6px 10px;
 border-bottom:1px solid var(--line)}
td{padding:7px 10px;border-bottom:1px solid var(--line)}
td a{color:inherit;text-decoration:none}
td a:hover{text-decoration:underline}
td.n{font:13px ui-monospace,Consolas,monospace}
.bar{display:inline-block;width:120px;height:8px;border-radius:4px;background:var(--line);
 overflow:hidden;vertical-align:middle;margin-right:10px}
.bar i{display:block;height:100%}
.num{font:13px ui-monospace,Consolas,monospace;white-space:nowrap}
tr.sum td{font-weight:600;border-bottom:0}
section{margin-top:34px;border:1px solid var(--line);border-radius:10px;overflow:hidden}
header{display:flex;gap:24px;align-items:baseline;justify-content:space-between;padding:12px 16px;
 background:var(--soft);border-bottom:1px solid var(--line)}
header span{color:var(--muted);font-size:13px}
.src{overflow-x:auto}
.src table{font:13px/1.55 ui-monospace,Consolas,monospace}
.src td{border:0;padding:0 10px;white-space:pre}
.src td.l{color:var(--muted);text-align:right;user-select:none;width:1%}
.src td.c{text-align:right;width:1%;border-right:1px solid var(--line)}
tr.good td.c{color:var(--good)}
tr.good{background:var(--good-bg)}
tr.part td.c{color:var(--part)}
tr.part{background:var(--part-bg)}
tr.bad td.c{color:var(--bad);font-weight:600}
tr.bad{background:var(--bad-bg)}
.why{color:var(--part);font-size:12px;margin-left:18px}
.src tr:target td,.src tr:hover td{filter:brightness(.97)}
.note{color:var(--part)}
"""


def page(coverage: Counts, files: Sequence[tuple[str, FileCoverage]]) -> str:
    """Return the page; ``files`` are the names to show and the files."""
    return "".join(_page(coverage, files))


def _page(coverage: Counts, files: Sequence[tuple[str, FileCoverage]]) -> Iterator[str]:
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>RTL coverage</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>RTL coverage</h1>"
    )
    when = datetime.fromtimestamp(coverage.newest).strftime("%Y-%m-%d %H:%M") if coverage.newest else ""
    runs = f"{coverage.runs} run{'s' if coverage.runs != 1 else ''} of blocks"
    yield f'<p class="sub">{runs}{f", the last one {when}" if when else ""}</p>'
    for path in coverage.changed_since():
        yield f'<p class="note">{escape(path)} was changed after the last run: counts may be off.</p>'
    yield "<table><thead><tr><th>File</th><th>Lines and branches</th><th>Toggles</th></tr></thead><tbody>"
    for index, (name, file) in enumerate(files):
        yield (
            f'<tr><td class="n"><a href="#f{index}">{escape(name)}</a></td>'
            f"<td>{_bar(file.lines)}</td><td>{_bar(file.toggles)}</td></tr>"
        )
    yield (
        f'<tr class="sum"><td>Total</td><td>{_bar(coverage.lines)}</td><td>{_bar(coverage.toggles)}</td></tr>'
        "</tbody></table>"
    )
    for index, (name, file) in enumerate(files):
        yield from _source(index, name, file)
    yield "</main></body></html>\n"


def _bar(tally: Tally) -> str:
    if not tally.total:
        return '<span class="num">&ndash;</span>'
    colour = "good" if tally.percent >= 90 else "part" if tally.percent >= 60 else "bad"
    return (
        f'<span class="bar"><i style="width:{tally.percent:.1f}%;background:var(--{colour})"></i></span>'
        f'<span class="num">{tally.percent:.1f} %&ensp;{tally.hit}/{tally.total}</span>'
    )


def _source(index: int, name: str, file: FileCoverage) -> Iterator[str]:
    yield (
        f'<section id="f{index}"><header><h2>{escape(name)}</h2>'
        f"<span>lines {file.lines} · toggles {file.toggles}</span></header>"
    )
    text = file.source()
    if not text:
        gone = escape(file.path)
        yield f'<p class="note" style="padding:0 16px">{gone} is not there any more.</p></section>'
        return
    lines, toggles = file.line_counts(), file.toggle_lines()
    yield '<div class="src"><table>'
    for number, line in enumerate(text, 1):
        points = lines.get(number, [])
        counts = [count for _, count in points]
        kind = "" if not points else "good" if min(counts) else "part" if max(counts) else "bad"
        tip = "; ".join(f"{point.what or point.kind}: {count}" for point, count in points)
        missed = missed_toggles(toggles.get(number, []))
        if missed and not kind:
            kind = "part"
        shown = _short(max(counts)) if counts else ""
        why = f'<span class="why">{escape(missed)}</span>' if missed else ""
        yield (
            f'<tr id="f{index}l{number}"{f" class={kind}" if kind else ""}><td class="l">{number}</td>'
            f'<td class="c" title="{escape(tip)}">{shown}</td>'
            f"<td>{escape(line.expandtabs(4))}{why}</td></tr>"
        )
    yield "</table></div></section>"


def _short(count: int) -> str:
    for limit, letter in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if count >= limit:
            unit = {"G": 10**9, "M": 10**6, "k": 10**3}[letter]
            return f"{count / unit:.3g}{letter}"
    return str(count)
