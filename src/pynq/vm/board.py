"""A virtual board: Debian's kernel in QEMU, whose programmable logic is the simulated board."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from pynq import devicetree
from pynq.backends.sim.device import SimDevice
from pynq.backends.sim.serve import Served
from pynq.design import described, locate
from pynq.design.bitfile import image_for
from pynq.design.regmap_files import Where as Registers
from pynq.errors import DesignError, VirtualBoardError
from pynq.vm.assets import Assets, Kernel
from pynq.vm.console import Console, Interrupts, Keyboard, terminal_size
from pynq.vm.image import MODULES, compile_package, write_image
from pynq.vm.kernelbuild import built_kernel
from pynq.vm.modules import build_modules, make_command
from pynq.vm.native import build_native
from pynq.vm.progress import Progress
from pynq.vm.ps import Ps
from pynq.vm.psblock import checksums
from pynq.vm.qemu import Machine, dump_tree, options
from pynq.vm.toolchain import Toolchain, find_toolchain
from pynq.vm.tree import Carveouts, board_tree

if TYPE_CHECKING:
    from typing import BinaryIO

    from typing_extensions import Self

    from pynq.backends.sim.rtl.prepared import Where
    from pynq.design import Design
    from pynq.devicetree import Tree

__all__ = ["DESIGN_FOLDER", "KERNELS", "MEMORY", "SHARE", "VirtualBoard", "fetch"]

KERNELS = ("stock", "built")
MEMORY = 512 << 20
SHARE = "/mnt/share"
"""Where the guest has the shared folder."""
DESIGN_FOLDER = "/mnt/design"
"""Where it has the design's, if that lies outside of the shared one."""
_BOOT = 120.0  # seconds; 5 on a quiet machine
_PREFIX = "pynq-vm-"
_YOUNG = 60.0  # seconds in which a folder may have no lock yet
_LONGEST_FOLDER = 80  # bytes; the sockets in it have to stay below 108 (unix(7), sun_path)

# The agent: it prints "ready", then runs the scripts it is told of by name. The trap is for Ctrl-C, which is
# for the script: a handler, unlike "ignore", is not inherited.
_AGENT = r"""stty -echo -opost
dmesg -n 1
trap : INT QUIT
printf '\036%s ready\036' {token}
while read -r name; do
    sh "/mnt/control/$name"
    status=$?
    stty sane -echo -opost
    printf '\036%s end %d\036' {token} $status
done
"""


class VirtualBoard:
    """A board that runs Linux and has the design in its PL.

    ``name`` is that of an overlay, as ``Overlay`` takes it. ``rtl`` and ``models`` as :class:`SimDevice` has
    them, ``registers`` as ``Overlay``. ``memory``: of the guest, in bytes, a multiple of 2 MiB;
    ``carveouts``: what of it is for buffers. ``share``: the folder that the guest sees as :data:`SHARE` and
    may write to, None for none. ``kernel``: "stock", Debian's own, or "built", from Debian's sources with
    device-tree overlays and more (built once, minutes). ``uio``: the IP have UIO nodes from the start.
    ``environment``: variables of the guest's programs. ``timeout``: seconds for the start.

    Use it as a context manager, or :meth:`start`, :meth:`run` any number of commands, :meth:`close`.
    """

    def __init__(
        self,
        name: str | os.PathLike[str],
        *,
        rtl: Where = None,
        registers: Registers = None,
        models: Mapping[str, type] | None = None,
        memory: int = MEMORY,
        carveouts: Carveouts | None = None,
        share: str | os.PathLike[str] | None = ".",
        kernel: str = "stock",
        uio: bool = True,
        environment: Mapping[str, str] | None = None,
        timeout: float = _BOOT,
        assets: Assets | None = None,
        progress: Progress | None = None,
    ) -> None:
        if memory <= 0 or memory % (2 << 20):
            raise VirtualBoardError(f"memory of {memory} bytes: expected a multiple of 2 MiB")
        self.carveouts = carveouts or Carveouts()
        self.carveouts.check(memory)
        self.share = None if share is None else Path(share).resolve()
        if self.share is not None and not self.share.is_dir():
            raise VirtualBoardError(f"the shared folder {self.share} is no folder")
        found = locate(name)
        self.description = found.description.resolve()
        self.bitstream = None if found.bitstream is None else found.bitstream.resolve()
        self.design: Design = described(self.description, registers)
        self.device = SimDevice("sim:virtual-board", ddr=memory, rtl=rtl, models=models)
        self.served: Served | None = None
        self.ps: Ps | None = None
        self.tree: Tree | None = None
        self._memory = memory
        self._kernel = _known(kernel)
        self._uio = uio
        self._environment = dict(environment or {})
        self._timeout = timeout
        self._progress = progress or Progress()
        self._assets = assets or Assets(progress=self._progress)
        self._token = secrets.token_hex(8)
        self._count = 0
        self._folder: Path | None = None
        self._held = -1  # the folder's lock
        self._machine: Machine | None = None
        self._console: Console | None = None

    # -- its life --------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Start it; the guest then takes commands.

        Raises :class:`~pynq.errors.VirtualBoardError` where something is missing that can't be had, or the
        guest does not come up; what the simulated board raises for the design or its RTL.
        """
        if self._machine is not None:
            raise VirtualBoardError("the virtual board was started already")
        try:
            kernel, modules, native = _parts(self._assets, self._kernel, self._progress)
            qemu = self._assets.qemu().command()
            self._folder, self._held = folder, _ = _private_folder()
            self._load(folder)
            assert self.served is not None
            tree = folder / "board.dtb"
            tree.write_bytes(devicetree.write(self._tree(qemu, folder)))
            image = folder / "image.cpio"
            write_image(
                image,
                self._assets.guest(),
                kernel,
                self._assets.cache,
                modules=modules,
                native=native,
                names=MODULES,
            )
            command = qemu + options(
                ram=self.served.ram,
                folder=folder,
                kernel=kernel.image,
                tree=tree,
                image=image,
                # The built kernel has its own driver of UIO nodes, which has to be told their name.
                arguments="console=ttyAMA0 quiet panic=-1 cryptomgr.notests "
                f"cma={self.carveouts.contiguous >> 20}M uio_pdrv_genirq.of_id=generic-uio",
                logic=self.served.socket,
                shares=self._shares(folder),
            )
            self._boot(command, folder)
        except BaseException:
            self.close()
            raise

    def tree_only(self) -> Tree:
        """Return the guest's device tree; nothing but QEMU is fetched, and nothing is started."""
        with tempfile.TemporaryDirectory(prefix="pynq-tree-") as name:
            self._load(Path(name))
            return self._tree(self._assets.qemu().command(), Path(name))

    def close(self) -> None:
        """End it; a second call does nothing."""
        if self._machine is not None:
            self._machine.stop()
        if self._console is not None:
            self._console.close()
        if self.served is not None:
            self.served.close()
        self.device.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            os.close(self._held)
        self._machine = self._console = self.served = self._folder = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load(self, folder: Path) -> None:
        self.device.download(self.design, self.bitstream, description=self.description)
        self.ps = Ps(self.device, known=self._images())
        self.served = self.device.serve(folder, blocks=self.ps.blocks)
        self.ps.connect(self.served)

    def _images(self) -> dict[int, str]:
        """Return what the guest may configure the PL with: the design's bitstream, by the sums that the file
        has itself and as the FPGA manager of the family takes it.
        """
        if self.bitstream is None:
            return {}
        contents = [self.bitstream.read_bytes()]
        with contextlib.suppress(DesignError):  # a file that stands for a bitstream
            contents.append(image_for(self.bitstream, self.design.processor))
        return {crc: self.design.label for one in contents for crc in checksums(one)}

    def _tree(self, qemu: Sequence[str], folder: Path) -> Tree:
        assert self.served is not None
        machine = devicetree.read(dump_tree(qemu, self._memory, folder))
        self.tree = board_tree(
            machine,
            self.design,
            self.served.apertures,
            ram=self._memory,
            carveouts=self.carveouts,
            uio=self._uio,
        )
        return self.tree

    def _shares(self, folder: Path) -> dict[str, tuple[Path, bool]]:
        control, empty = folder / "control", folder / "empty"
        control.mkdir()
        empty.mkdir()
        agent = _AGENT.format(token=self._token)
        shares = {"control": (control, True), "share": (self.share or empty, self.share is not None)}
        place = self.description.parent
        if self.share is None or not place.is_relative_to(self.share):
            shares["design"] = (place, False)
            agent = (
                f"mkdir -p {DESIGN_FOLDER} && mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 "
                f"design {DESIGN_FOLDER}\n{agent}"
            )
        (control / "command").write_text(agent)
        (control / "environment").write_text(
            "".join(f"{name}={shlex.quote(value)}\n" for name, value in self._environment.items())
        )
        return shares

    @property
    def place(self) -> str:
        """Where the guest has the design's folder."""
        folder = self.description.parent
        if self.share is not None and folder.is_relative_to(self.share):
            return str(Path(SHARE) / folder.relative_to(self.share))
        return DESIGN_FOLDER

    def _boot(self, command: Sequence[str], folder: Path) -> None:
        assert self.served is not None
        begin = time.monotonic()
        with _ticking(self._progress, "starting the virtual board"):
            self._machine = Machine(command, folder / "qemu.log")
            self._console = console = Console(*self._machine.streams, self._token)
            self._connect(folder, begin)
            rest = self._timeout - (time.monotonic() - begin)
            if not console.wait(lambda: console.ready, max(1.0, rest)):
                raise self._failure("the virtual board did not start", time.monotonic() - begin)

    def _connect(self, folder: Path, begin: float) -> None:
        """Let the interrupts of the PL go to QEMU's GIC."""
        assert self.served is not None
        assert self._machine is not None
        assert self._console is not None
        while True:
            try:
                self.served.connect(folder / "qmp.sock", folder / "qtest.sock", 1.0)
                return
            except VirtualBoardError as error:
                # In slices: a QEMU that has ended will not answer.
                if not self._machine.ended.wait(0.2) and time.monotonic() - begin < self._timeout:
                    continue
                self._console.wait(lambda: False, 1.0)
                raise self._failure("the virtual board did not start") from error

    def _failure(self, what: str, seconds: float | None = None) -> VirtualBoardError:
        """Return the error with everything that was said."""
        assert self._machine is not None
        assert self._console is not None
        parts = [what]
        if self._console.closed:
            self._machine.ended.wait(1.0)
        if seconds is not None and not self._machine.ended.is_set():
            parts = [f"{what} within {seconds:.0f} s"]
        with contextlib.suppress(OSError):  # the guest had nothing to say
            if self._folder is not None:
                parts.append((self._folder / "control" / "error").read_text(errors="replace").strip())
        for who, words in (("QEMU", self._machine.complaints()), ("the guest", self._console.last_words())):
            if words:
                parts.append(f"the last words of {who}:\n{words}")
        return VirtualBoardError("\n".join(parts))

    # -- commands --------------------------------------------------------------------------------------------
    def run(
        self,
        command: Sequence[str] | None = None,
        *,
        output: BinaryIO | Callable[[bytes], object] | None = None,
        timeout: float | None = None,
    ) -> int:
        """Run a command in the guest, in the shared folder, and return its exit status.

        None is a shell. What it prints, to standard output or error, goes to ``output`` as it comes, a binary
        file or a function (default: this process's standard output). Where input and output of this process
        are a terminal, and ``output`` is not given, it is the command's; otherwise its input is empty.

        Ctrl-C goes to the command; a second one within two seconds raises ``KeyboardInterrupt``, as the
        first does outside of commands. Raises :class:`~pynq.errors.VirtualBoardError` when the board goes
        down before the command has ended, or ``timeout`` seconds are over; the board is closed then.
        """
        console = self._console
        if console is None or self._machine is None or self._folder is None:
            raise VirtualBoardError("the virtual board does not run: start() it, or use it in a `with`")
        size = terminal_size() if output is None else None
        name = f"run.{self._count}"
        self._count += 1
        (self._folder / "control" / name).write_text(self._script(command, size))
        sink: Callable[[bytes], object] = _print
        if output is not None:
            sink = output if callable(output) else output.write
        try:
            with _keys(console, size is not None) as stopped:
                console.begin(lambda data: (sink(data), None)[1], f"{name}\n".encode())
                done = self._finish(console, timeout, stopped)
        except BaseException:
            self.close()
            raise
        if console.failure is not None:
            failure = console.failure
            self.close()
            raise failure
        if done:
            assert console.status is not None
            return console.status
        if not console.closed:
            error: BaseException = self._failure(f"the command did not end within {timeout:g} s")
        elif command is None and "Kernel panic" not in console.last_words():
            return 0  # `poweroff` is a way to leave the shell
        else:
            error = self._failure("the virtual board went down before the command had ended")
        self.close()
        raise error

    def _finish(self, console: Console, timeout: float | None, stopped: threading.Event) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            # In slices, so that the second Ctrl-C is seen.
            rest = 0.2 if end is None else min(0.2, max(0.0, end - time.monotonic()))
            if console.wait(lambda: console.status is not None, rest):
                return True
            if stopped.is_set():
                raise KeyboardInterrupt
            if console.closed or console.failure is not None:
                return False
            if end is not None and time.monotonic() >= end:
                return False

    def _script(self, command: Sequence[str] | None, size: tuple[int, int] | None) -> str:
        lines = ["cd /mnt/share"]
        if size is not None:
            columns, rows = size
            term = os.environ.get("TERM", "linux")
            lines += ["stty sane", f"stty cols {columns} rows {rows}", f"export TERM={shlex.quote(term)}"]
        else:
            lines += ["exec </dev/null", "export TERM=dumb NO_COLOR=1"]
        lines.append(f"printf '\\036%s begin\\036' {self._token}")
        lines.append(f"exec {'sh -l' if command is None else shlex.join(command)}")
        return "\n".join(lines) + "\n"


def fetch(kernel: str = "stock", progress: Progress | None = None) -> str:
    """Fetch and build all that a virtual board with that kernel needs, so that starts need no network.

    Return the command that builds a folder's own kernel modules for it.
    """
    progress = progress or Progress()
    assets = Assets(progress=progress)
    found, _, _ = _parts(assets, _known(kernel), progress)
    compile_package(assets.guest(), assets.cache)
    return make_command(found, find_toolchain(assets.cache, progress))


def _known(kernel: str) -> str:
    if kernel not in KERNELS:
        raise VirtualBoardError(f"no kernel {kernel!r}; there are {' and '.join(KERNELS)}")
    return kernel


def _parts(assets: Assets, flavour: str, progress: Progress) -> tuple[Kernel, list[Path], Path]:
    """Return the kernel, our modules for it in the order of loading, and the native module for the guest."""
    assets.prepare()
    toolchain: Toolchain = find_toolchain(assets.cache, progress)
    kernel = assets.kernel() if flavour == "stock" else built_kernel(assets.cache, progress)
    folder = build_modules(kernel, toolchain, assets.cache, progress)
    modules = sorted(folder.glob("*.ko"))
    guest = assets.guest()
    native = build_native(
        assets.cache,
        toolchain.program("g++"),
        guest.include,
        guest.tag,
        environment=toolchain.surroundings(),
        progress=progress,
    )
    return kernel, modules, native


def _private_folder() -> tuple[Path, int]:
    """Make a folder for sockets, with a short name: a socket's path has 107 bytes at most.

    The descriptor holds its lock. Those of processes that were killed are removed.
    """
    above = tempfile.gettempdir()
    if len(os.fsencode(above)) > _LONGEST_FOLDER - 20:
        above = "/tmp"
    for left in Path(above).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody else's, in use, or gone
            about = left.lstat()
            if about.st_uid != os.getuid() or time.time() - about.st_mtime < _YOUNG:
                continue
            os.close(_locked(left))
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))
    return folder, _locked(folder)


def _locked(folder: Path) -> int:
    """Return a descriptor that holds the lock of a folder. Raises ``BlockingIOError`` if another does."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def _print(data: bytes) -> None:
    """Write to standard output, all of it and at once."""
    sys.stdout.flush()
    view = memoryview(data)
    while view:
        view = view[os.write(sys.stdout.fileno(), view) :]


@contextlib.contextmanager
def _keys(console: Console, terminal: bool) -> Iterator[threading.Event]:
    """Send what is typed, or at least Ctrl-C, to the guest."""
    stopped = threading.Event()
    if terminal:
        with Keyboard(console, stopped.set):
            yield stopped
        return
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # signals are the main thread's
        return
    before = signal.signal(signal.SIGINT, Interrupts(console))
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _ticking(progress: Progress, text: str) -> Iterator[None]:
    """Say that something goes on, with the seconds on a terminal."""
    done = threading.Event()
    begin = time.monotonic()

    def tick() -> None:
        while not done.wait(1.0):
            sys.stderr.write(f"\rvirtual board: {text} ... {time.monotonic() - begin:.0f} s")
            sys.stderr.flush()

    if progress.quiet or not sys.stderr.isatty():
        progress.say(f"{text} ...")
        yield
        return
    thread = threading.Thread(target=tick, name="pynq vm progress", daemon=True)
    sys.stderr.write(f"virtual board: {text} ...")
    sys.stderr.flush()
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
