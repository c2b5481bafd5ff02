"""The commands, their options, and how they end.

What a command needs of the package is imported when it runs: ``pynq info`` has to work where the rest does
not.
"""

from __future__ import annotations

import json
import keyword
import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from pynq.cli import info, render
from pynq.cli.plain import plain
from pynq.errors import DesignError, PynqError

__all__ = ["run"]

#: Root of what typer raises for wrong usage. Newer versions of typer hold a copy of click, older need click.
ClickException: type[Any] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)

app = typer.Typer(
    name="pynq",
    help="FPGA overlays: what is in a design, which devices there are, what is installed.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class _Console(Console):
    """rich's own way with a closed pipe is an exit code of 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


# An empty metavar: newer versions of typer show a switch as one that takes a value.
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.", metavar="")]
DesignFile = Annotated[
    Path,
    typer.Argument(help="Description, or the bitstream it lies beside.", show_default=False, metavar="FILE"),
]
Companion = Annotated[
    bool,
    typer.Option(
        "--companion", help="Run the Python file beside the bitstream, so that its drivers count.", metavar=""
    ),
]
IgnoreVersion = Annotated[
    bool,
    typer.Option("--ignore-version", help="Bind drivers for another version of an IP, too.", metavar=""),
]


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"pynq-anywhere {info.version()}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_version, is_eager=True, metavar=""
        ),
    ] = False,
) -> None:
    pass


@app.command("info", context_settings={"allow_extra_args": True})
def _info(context: typer.Context, as_json: AsJson = False) -> None:
    """Print what a bug report needs: versions, platform, what is installed, devices."""
    for extra in context.args:
        raise typer.BadParameter(
            f"it tells of this machine; what is in a design tells: pynq inspect {shlex.quote(extra)}",
            param_hint=repr(extra),
        )
    _show(info.collect(), render.info, as_json)


@app.command("devices")
def _devices(as_json: AsJson = False) -> None:
    """List the devices present, and which one is used where a program names none."""
    from pynq.cli import devices

    _show(devices.collect(), render.devices, as_json)


@app.command("doctor")
def _doctor(as_json: AsJson = False) -> int:
    """Say what this machine lacks to run overlays, and what gives it. Changes nothing; 1 if something needed
    is missing.
    """
    from pynq.cli import doctor

    found = doctor.collect()
    _show(found, render.doctor, as_json)
    return 1 if doctor.failed(found) else 0


@app.command("inspect")
def _inspect(
    file: DesignFile,
    as_json: AsJson = False,
    companion: Companion = False,
    ignore_version: IgnoreVersion = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write one page with everything; it needs no network.", metavar="OUT"),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Write the block diagram as a picture.", metavar="OUT")
    ] = None,
    depth: Annotated[
        int, typer.Option("--depth", help="Levels of hierarchies open in the picture.", metavar="N", min=0)
    ] = 0,
    unfold: Annotated[
        list[str] | None,
        typer.Option("--unfold", help="Hierarchy open in the picture; may be repeated.", metavar="PATH"),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.", metavar="")
    ] = False,
    diff: Annotated[
        Path | None,
        typer.Option("--diff", help="Tell what changed from FILE to OTHER.", metavar="OTHER"),
    ] = None,
) -> int:
    """Show what a bitstream holds: tree, addresses, interrupts, clocks, and the drivers that would bind.

    With --diff: what is different in another build; exits with 1 if anything is.
    """
    if diff is not None:
        if html is not None or svg is not None:
            raise typer.BadParameter("--html and --svg show one design: leave them out", param_hint="--diff")
        if depth or unfold or browser or companion or ignore_version:
            raise typer.BadParameter(
                "it compares two descriptions, without drivers and pictures: beside it there is only --json",
                param_hint="--diff",
            )
        from pynq.cli import difference, look

        changes = difference.collect(file, diff)
        _show(changes, look.changes, as_json)
        return int(bool(changes["changes"]))
    from pynq.cli import inspection

    if browser and html is None:
        raise typer.BadParameter("it opens the page that --html OUT writes: say where", param_hint="--open")
    if svg is None and (depth or unfold):
        raise typer.BadParameter(
            "--depth and --unfold are for the picture of --svg OUT", param_hint="--depth"
        )
    for option, out in (("--html", html), ("--svg", svg)):
        if out is not None and str(out) == "-":
            raise typer.BadParameter("'-' is no name of a file", param_hint=option)
    if html is not None and svg is not None and html.resolve() == svg.resolve():
        raise typer.BadParameter(f"{html} is where the page goes: name another", param_hint="--svg")
    alone = inspection.image_alone(file) if html is None and svg is None else None
    if alone is not None:
        _show(alone, render.inspection, as_json)
        return 0
    # Beside JSON nothing else may be in the output.
    told = _Console(stderr=as_json, highlight=False)
    progress = _Console(stderr=True)
    with progress.status("reading the design"):
        found = inspection.inspect(file, run_companion=companion, ignore_version=ignore_version)
    if html is None and svg is None:
        _show(found.facts, render.inspection, as_json)
        return 0
    from pynq.cli import pictures

    for out in filter(None, (html, svg)):
        pictures.refuse_source(out, found.facts)
    for path in unfold or ():
        if path not in found.design.hierarchies:
            known = ", ".join(found.design.hierarchies) or "none"
            raise typer.BadParameter(f"no hierarchy {path!r}; there are: {known}", param_hint="--unfold")
    if as_json:
        _show(found.facts, render.inspection, as_json)
    if svg is not None:
        with progress.status("laying the diagram out"):
            pictures.write_picture(found.design, found.facts, svg, depth=depth, unfold=unfold or ())
        told.print(f"wrote {escape(plain(str(svg)))}", soft_wrap=True)
    if html is not None:
        pictures.write_page(found.design, found.facts, html)
        told.print(f"wrote {escape(plain(str(html)))}", soft_wrap=True)
        if browser and not pictures.open_page(html):
            _fail(f"no browser found to open {html} in")
    return 0


@app.command("check")
def _check(
    file: DesignFile,
    as_json: AsJson = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for warnings, too.", metavar="")
    ] = False,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", help="Check this rule only; may be repeated.", metavar="RULE"),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", help="Leave this rule out; may be repeated.", metavar="RULE"),
    ] = None,
    companion: Companion = False,
) -> int:
    """Find mistakes of a design before they hang a board. Exits with 1 if there is an error."""
    from pynq.cli import check, look

    known = [one.name for one in check.RULES]
    for option, names in (("--rule", rule), ("--ignore", ignore)):
        for name in names or ():
            if name not in known:
                raise typer.BadParameter(f"no rule {name!r}; there are {', '.join(known)}", param_hint=option)
    found = check.collect(file, rules=rule or (), ignore=ignore or (), run_companion=companion)
    _show(found, look.findings, as_json)
    return int(check.failed(found, strict=strict))


@app.command("stubs")
def _stubs(
    file: DesignFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write there instead of printing; ends in .pyi.", metavar="OUT"),
    ] = None,
    companion: Companion = False,
    ignore_version: IgnoreVersion = False,
) -> None:
    """Write a type stub of an overlay, so that editors complete its IP, registers and fields."""
    from pynq.cli import stubs
    from pynq.cli.output import write

    if out is not None and (out.suffix != ".pyi" or not _importable(out.stem)):
        raise typer.BadParameter(
            f"{out.name!r} is no module's stub: it is imported by its name, like base_stubs.pyi",
            param_hint="--out",
        )
    text = stubs.make(file, run_companion=companion, ignore_version=ignore_version)
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write(out, text.encode("utf-8"))


def _importable(name: str) -> bool:
    """Whether a stub may have that name: not one that hides this package's own types."""
    return name.isidentifier() and not keyword.iskeyword(name) and name != "pynq"


@app.command("convert")
def _convert(
    file: Annotated[
        Path,
        typer.Argument(
            help="Bitstream (.bit, .bin), or an archive that holds it.", show_default=False, metavar="FILE"
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to; else beside FILE.", metavar="OUT")
    ] = None,
    family: Annotated[
        str | None, typer.Option(help="Where the file does not tell.", metavar="zynq|zynqmp")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.", metavar="")] = False,
) -> None:
    """Write a bitstream as the FPGA manager of Zynq-7000 and Zynq UltraScale+ takes it."""
    from pynq.cli import convert

    written = convert.convert(file, out, family, force=force)
    sys.stdout.write(f"wrote {written}\n")


cache_app = typer.Typer(
    help="What is kept on this machine: libraries of RTL, parts of virtual boards, images of archives.",
    no_args_is_help=True,
)
app.add_typer(cache_app, name="cache")


@cache_app.command("info")
def _cache_info(as_json: AsJson = False) -> None:
    """Show where the caches are, how large they may get, and what is in them."""
    from pynq.cli import cache

    _show(cache.collect(), render.cache, as_json)


@cache_app.command("clear")
def _cache_clear() -> None:
    """Remove everything from the caches but what is being built just now."""
    from pynq.cli import cache

    for folder, freed in cache.clear():
        sys.stdout.write(f"{folder}: {freed / 1e6:.1f} MB freed\n")


coverage_app = typer.Typer(
    help="Coverage of the user's RTL, from runs with coverage on.", no_args_is_help=True
)
app.add_typer(coverage_app, name="coverage")


@coverage_app.command("report")
def _coverage_report(
    places: Annotated[
        list[Path],
        typer.Argument(help="Folders (or files) of counts.", show_default=False, metavar="PLACE..."),
    ],
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with everything.", metavar="FILE")] = None,
    lcov: Annotated[Path | None, typer.Option(help="Write lcov's tracefile.", metavar="FILE")] = None,
    annotate: Annotated[
        Path | None, typer.Option(help="Write the sources with their counts there.", metavar="FOLDER")
    ] = None,
    fail_under: Annotated[
        float, typer.Option(help="Exit with 1 below so many percent of lines.", metavar="PERCENT")
    ] = 0.0,
) -> None:
    """Add the counts of all runs, and print which lines ran and which bits changed."""
    from pynq.cli import coverage

    found, written = coverage.collect(places, html=html, lcov=lcov, annotate=annotate)
    if as_json:
        sys.stdout.write(json.dumps(coverage.table(found), indent=2) + "\n")
    else:
        sys.stdout.write(found.text() + "\n")
        sys.stdout.writelines(f"wrote {path}\n" for path in written)
    sys.stdout.flush()
    if found.lines.percent < fail_under:
        _fail(f"lines {found.lines.percent:.1f} % are below {fail_under:g} %")
        raise typer.Exit(1)


_VM_EXAMPLES = """Examples:

[bold]pynq vm design.bit[/]  a shell on the board

[bold]pynq vm design.bit -- python3 program.py[/]  a program of the current folder; exits with its status

[bold]pynq vm design.bit --rtl no -- ./driver-test[/]  models only, a C program for arm64

[bold]pynq vm design.bit --print-tree[/]  the device tree that the kernel gets

[bold]pynq vm --prepare[/]  download everything now
"""


@app.command("vm", epilog=_VM_EXAMPLES)
def _vm(
    design: Annotated[
        str,
        typer.Argument(help="Overlay: bitstream or description.", show_default=False, metavar="DESIGN"),
    ] = "",
    command: Annotated[
        list[str] | None,
        typer.Argument(help="Command to run, after --.", show_default=False, metavar="-- COMMAND"),
    ] = None,
    rtl: Annotated[
        str, typer.Option(help="Manifest of the RTL; no: models only.", metavar="FILE", show_default=False)
    ] = "",
    registers: Annotated[
        str, typer.Option(help="Manifest of register maps; no: none.", metavar="FILE", show_default=False)
    ] = "",
    models: Annotated[
        list[Path] | None, typer.Option(help="Python file with your models; may be repeated.", metavar="FILE")
    ] = None,
    share: Annotated[
        Path, typer.Option(help="Folder that the board sees as /mnt/share.", metavar="DIR")
    ] = Path(),
    no_share: Annotated[bool, typer.Option("--no-share", help="Share no folder.", metavar="")] = False,
    kernel: Annotated[
        str,
        typer.Option(help="stock: Debian's own; built: with overlays, built once.", metavar="stock|built"),
    ] = "stock",
    memory: Annotated[int, typer.Option(help="The board's memory.", metavar="MIB")] = 512,
    no_uio: Annotated[
        bool, typer.Option("--no-uio", help="No UIO nodes for the IP: overlays bring them.", metavar="")
    ] = False,
    env: Annotated[
        list[str] | None, typer.Option("--env", help="Variable of the command's.", metavar="NAME=VALUE")
    ] = None,
    tree: Annotated[
        bool, typer.Option("--print-tree", help="Print the device tree and exit.", metavar="")
    ] = False,
    dtb: Annotated[
        Path | None, typer.Option("--dtb-only", help="Write the device tree and exit.", metavar="FILE")
    ] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Download and build what is needed, and exit.", metavar="")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing of its own.", metavar="")] = False,
) -> int:
    """Boot Linux on a virtual board: QEMU, with the design in a simulated PL.

    Registers, interrupts and DMA are those of models, or of your RTL.

    All that it downloads (140 MB, once) is Debian's.

    A second Ctrl-C within two seconds ends the board.
    """
    from pynq.cli import vm

    if prepare:
        vm.prepare(kernel, quiet)
        return 0
    if not design:
        raise typer.BadParameter("which design? Name a bitstream or a description", param_hint="DESIGN")
    request = vm.Request(
        design=design,
        rtl=False if rtl == "no" else rtl or None,
        registers=False if registers == "no" else registers or None,
        models=models or [],
        share=None if no_share else share,
        kernel=kernel,
        memory=memory,
        uio=not no_uio,
        environment=env or [],
        quiet=quiet,
    )
    if tree or dtb is not None:
        vm.print_tree(request, dtb)
        return 0
    return vm.run(request, command or [])


@app.command("setup")
def _setup(
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the files and change nothing.", metavar="")
    ] = False,
    group: Annotated[str, typer.Option(help="Whose members may use the board.", metavar="NAME")] = "pynq",
    remove: Annotated[bool, typer.Option("--remove", help="Take the rules away again.", metavar="")] = False,
) -> int:
    """Let members of a group use this board without root: udev rules and folders. Needs root itself."""
    from pynq.cli import setup

    if only_print:
        setup.show(group)
        return 0
    return setup.remove() if remove else setup.install(group)


def _show(found: Any, tables: Any, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        # In a file nothing has to be folded.
        width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
        tables(_Console(highlight=False, width=width), plain(found))
    sys.stdout.flush()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; see :func:`pynq.cli.main`."""
    with warnings.catch_warnings():
        warnings.showwarning = _warn
        try:
            code = app(
                args=None if arguments is None else list(arguments), prog_name="pynq", standalone_mode=False
            )
        except typer.Abort:
            return 130
        except ClickException as error:
            error.show()
            return int(error.exit_code)
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:  # `pynq inspect x.hwh | head`: nobody reads any more
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())  # for the interpreter's flush at exit
            os.close(null)
            return 0
        except DesignError as error:
            _fail("\n".join(map(str, error.problems)) or str(error))
            return 1
        except (PynqError, OSError) as error:
            _fail(str(error))
            return 1
        except ImportError as error:
            _fail(f"{error}. The installation is broken; `pynq info` tells what is there.")
            return 1
    return int(code or 0)


def _fail(message: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print("[bold red]error:[/]", escape(plain(message)))


def _warn(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Show a warning as one line, without the line of code that raised it."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[yellow]{category.__name__}:[/]", escape(plain(str(message))))
