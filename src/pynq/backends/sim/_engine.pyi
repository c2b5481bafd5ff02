"""The simulation engine: the whole programmable logic in one native object (C++; sources in native/sim).

An :class:`Engine` owns clocks, memories, address spaces, stream links, nets and components, and a virtual
clock in picoseconds. What its methods return are handles: they name a part, they don't keep the engine
running. The engine ends with :meth:`Engine.close` or when its Python object dies; a handle used later
raises ``OverlayNotLoadedError``.

Order of work: make clocks, memories, spaces, links and nets; make components and connect their ports; map
spaces; :meth:`Engine.elaborate` once (checks the whole, settles nets); then access, drive, run.

Threads: every method may be called from any thread. Hooks (Python functions given to the engine) run on the
thread that happens to run the engine, with the interpreter's lock. A hook may use everything here but
:meth:`Engine.run`, :meth:`Engine.run_until` and :meth:`Engine.close` (``ModelError``); an access to the bus
from a hook takes no time. What a hook raises stops the run, and is raised by the access, run or wait that
was going on; the engine stays usable.

Errors: ``DesignError`` for what is built wrongly, ``BusError``, ``DeadlockError``, ``ModelError`` (all of
pynq.errors). Sizes and offsets are bytes, times picoseconds, cycles those of the component's clock, unless
said otherwise.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

#: Why a run came to its end. "hit": what was waited for is there; "time": the virtual time given is over;
#: "slice": the host time given is over; "quiet": nothing can happen any more without a stimulus (register
#: access, board pin, ...).
StopReason = Literal["hit", "time", "slice", "quiet"]

@final
class Clock:
    """A clock domain. Edges lie on multiples of the period since the last change of the frequency."""

    @property
    def name(self) -> str: ...
    @property
    def period(self) -> int:
        """Picoseconds; 0: stopped."""
    hertz: float  # may be set at run time; 0 stops it: its components freeze, and go on when it is set again
    @property
    def cycles(self) -> int:
        """Rising edges since the start."""

@final
class Memory:
    """A sparse memory behind a memfd. Zero at first; only pages that are touched cost anything."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def fd(self) -> int:
        """The memfd; stays open as long as the engine (dup it, or map it, to keep it longer)."""
    def read(self, offset: int, nbytes: int) -> bytes:
        """Return bytes, at no virtual time. Raises ``AccessError`` outside the memory."""
    def write(self, offset: int, data: Buffer) -> None:
        """Store bytes, at no virtual time."""
    def discard(self, offset: int, nbytes: int) -> None:
        """Give the pages back to the host: the range reads zero afterwards. For buffers that were freed."""

@final
class Space:
    """What one master sees: the PS, or a master interface of a component."""

    @property
    def name(self) -> str: ...
    def map(
        self,
        base: int,
        high: int,
        target: Memory | Component,
        *,
        offset: int = 0,
        port: str = "",
        name: str = "",
        through: Sequence[Component] = (),
    ) -> None:
        """Let ``target`` answer at ``base`` to ``high`` (both included).

        ``offset`` is the place in the target that ``base`` stands for; ``port`` the target's slave port
        where it has several (Host); ``name`` is used in messages (default: the target's). ``through``: what
        stands on the way and may close it (:attr:`Component.barrier`). Raises
        ``DesignError`` where ranges overlap: mapping the very same range to the very same target twice is
        no error.
        """
    def ranges(self) -> list[tuple[int, int, str]]:
        """Return (base, high, name), sorted."""
    def read(self, address: int, nbytes: int) -> bytes:
        """Return bytes at no virtual time, as this master would read them; slaves are read in beats of
        their width.

        Raises ``BusError``.
        """
    def write(self, address: int, data: Buffer) -> None:
        """Store bytes at no virtual time. Raises ``BusError``."""

@final
class Net:
    """A wire of 1 to 64 bits: one driver, any number of listeners.

    A net that no component and no gate drives belongs to the outside (the board, the PS's outputs):
    :meth:`drive`.
    """

    @property
    def name(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def value(self) -> int: ...
    @property
    def driver(self) -> str:
        """Name what drives it, as "cell/port"; "" for the outside."""
    def edges(self, bit: int = 0) -> int:
        """Return the number of rising edges of one bit since the start."""
    def drive(self, value: int, mask: int = -1) -> None:
        """Set the level from outside, after :meth:`Engine.catch_up`: a stimulus, which takes effect now.

        Only bits of ``mask`` change.

        Raises ``DesignError`` if something inside drives the net.
        """
    def release(self, level: int = 0) -> None:
        """Take the gate away that drives it, and let it fall back to a level; nothing for a component's."""
    def on_change(self, hook: Callable[[int, int], None]) -> int:
        """Call ``hook(value, previous)`` after each change of level. Return a number for :meth:`forget`."""
    def forget(self, token: int) -> None:
        """End a subscription of :meth:`on_change`. An unknown number does nothing."""

@final
class Irq:
    """One interrupt input of the PS, one-shot: fires at most once after each :meth:`enable`, then is masked.

    Level (active high): enabling it while the source is active fires at once. Edge: an edge that came while
    it was masked is kept, and fires at the next enable.
    """

    @property
    def number(self) -> int: ...
    def enable(self) -> None: ...
    def disable(self) -> None: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def fired(self) -> bool: ...
    def take(self) -> bool:
        """Return whether the line has fired, and forget it."""
    @property
    def level(self) -> bool: ...
    @property
    def edges(self) -> int:
        """Rising edges of its input so far."""

@final
class Link:
    """An AXI4-Stream connection from one source to one sink: a queue of beats with TKEEP, TLAST, TDEST,
    TUSER, TID.
    """

    @property
    def name(self) -> str: ...
    @property
    def width(self) -> int:
        """Bytes of TDATA."""
    @property
    def depth(self) -> int:
        """Beats."""
    @property
    def source(self) -> str:
        """Name the source, as "cell/port"; "" while there is none."""
    @property
    def sink(self) -> str: ...
    @property
    def statistics(self) -> dict[str, int]:
        """Counts so far: beats, bytes, packets, queued (beats now), full (times the source found no room),
        empty (times the sink found nothing), first, last (picoseconds of first and last activity, -1:
        none).
        """
    #: Why an end is missing, for :meth:`Engine.explain`; "" otherwise.
    vacancy: str
    def stall(self, side: Literal["source", "sink"], probability: float, cycles: int = 8) -> None:
        """Inject idle: after each chunk, with that probability, the side pauses for 1 to ``cycles`` cycles.

        Chunks get a random length as well. Taken from the engine's seed. Probability 0 ends it.
        """

class Component:
    """Something with ports. Native ones are made by :meth:`Engine.dma` and its sisters; :class:`Host` is
    for Python models.

    A component that is held in reset, or whose clock stands still, does nothing; an access to its registers
    then raises ``BusError`` with that reason (a real one would hang the bus).
    """

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    def ports(self) -> dict[str, str]:
        """Return the ports: name -> "source", "sink", "master", "slave", "in", "out"."""
    def stream(self, port: str, link: Link) -> None:
        """Connect a stream port. Raises ``DesignError`` for an unknown port, or a link that has that side
        already.
        """
    def space(self, port: str, space: Space) -> None:
        """Connect a memory master port to what it sees."""
    def wire(self, port: str, net: Net) -> None:
        """Connect a wire port, input or output."""
    def reset_by(self, net: Net, *, active_low: bool = True, bit: int = 0) -> None:
        """Let a net reset the component. Several: any of them resets."""
    def reset(self) -> None:
        """Reset the component now (a pulse)."""
    #: Why it answers no access now; the ``BusError`` tells it. "": it answers.
    refusal: str
    #: Why it lets no access through to what lies behind it (``through`` of :meth:`Space.map`); "": it does.
    barrier: str
    #: How accesses are answered then; "OKAY": reads give zeros, writes are dropped.
    barrier_response: Literal["OKAY", "SLVERR", "DECERR"]
    @property
    def in_reset(self) -> bool: ...
    def explain(self, channel: str = "") -> str:
        """Return one sentence on why ``channel`` ("S2MM", a port's name; "": any that waits) does not go
        on, or "".

        "axi_dma_0 S2MM waits for TLAST: 1024 of 1024 beats received from fir_0 (cycle 2113)"
        """
    def state(self) -> dict[str, int | str]:
        """Return inner state, for debugging; keys depend on the kind."""

@final
class Rtl(Component):
    """A verilated module: the user's RTL, cycle by cycle, between bus models of the engine.

    Made by :meth:`Engine.rtl` from a library with the C interface of ``pynq/rtl.h``. Add clocks, resets,
    buses and pins, then call :meth:`begin` once. ``pins`` of a bus map the standard's logical names, upper
    case, to ports of the module: ``{"TDATA": "s_axis_tdata", "TVALID": ..., }``. ``clock`` and ``reset`` name
    pins made by :meth:`add_clock` and :meth:`add_reset` (reset "": none). All raise ``DesignError`` for a pin
    that the module has not, that has the wrong direction or width, or is used twice.
    """

    def module_ports(self) -> list[tuple[str, Literal["in", "out", "both"], int]]:
        """Return the ports of the module: name, direction, width in bits."""
    def add_clock(self, pin: str, clock: Clock) -> None: ...
    def add_reset(self, pin: str, *, active_low: bool) -> None:
        """Make a reset: a wire port of the component with that name, to be connected to a net with
        :meth:`wire`.

        Held inactive while it is not connected. Buses that name it are at rest while it is active; the clock
        goes on.
        """
    def add_slave(
        self,
        port: str,
        protocol: Literal["AXI4LITE", "AXI4", "AXI3"],
        pins: Mapping[str, str],
        *,
        clock: str,
        reset: str = "",
        range: int = 0,
    ) -> None:
        """A bus where the module answers. ``range``: bytes beyond which the engine answers SLVERR by itself;
        0: all goes to the module.
        """
    def add_master(
        self,
        port: str,
        protocol: Literal["AXI4LITE", "AXI4", "AXI3"],
        pins: Mapping[str, str],
        *,
        clock: str,
        reset: str = "",
        latency: int = 16,
    ) -> None:
        """A bus where the module asks; connect what it sees with :meth:`space`. ``latency``: cycles from an
        address to its first beat of data, or from the last beat written to the response."""
    def add_stream(
        self, port: str, pins: Mapping[str, str], *, source: bool, clock: str, reset: str = ""
    ) -> None:
        """An AXI4-Stream; ``source``: the module sends. Connect it with :meth:`stream`."""
    def add_pin(self, pin: str) -> None:
        """A plain wire of 1 to 64 bits, input or output as the module has it; connect it with
        :meth:`wire`.
        """
    def begin(self) -> None:
        """Everything is added: set idle levels and evaluate for the first time."""
    def stall(self, port: str, probability: float, cycles: int = 8) -> None:
        """Inject idle on an AXI bus: before each handshake of a channel the engine's side (READY where the
        module has VALID, VALID where it has READY) waits, with that probability, for 1 to ``cycles`` cycles.

        Taken from the engine's seed. Probability 0 ends it, as does :meth:`Engine.clear_injections`. Raises
        ``DesignError`` for a bus that is not there, or a stream (:meth:`Link.stall`).
        """
    protocol_checks: Literal["error", "warn", "off"]  # what a broken rule of a bus is; "error" at first
    @property
    def library(self) -> str:
        """Path of the library of the verilated design."""
    @property
    def cycles_run(self) -> int:
        """Cycles that were evaluated; the clock's own count goes on while the module rests."""
    @property
    def warnings(self) -> list[str]:
        """Broken rules, where :attr:`protocol_checks` is "warn"."""

@final
class Host(Component):
    """A component whose behaviour is Python's: registers are native storage, with hooks where wanted; data
    move in bulk.
    """

    # -- ports ---------------------------------------------------------------------------------------------
    def add_source(self, port: str) -> None: ...
    def add_sink(self, port: str) -> None: ...
    def add_master(self, port: str, *, width: int = 4, latency: int = 16) -> None:
        """``width``: bytes a beat; ``latency``: cycles before the first beat."""
    def add_input(self, port: str, width: int = 1, hook: Callable[[int], None] | None = None) -> None:
        """``hook(level)`` is called after each change."""
    def add_output(self, port: str, width: int = 1, initial: int = 0) -> None: ...
    def add_slave(self, port: str = "", *, width: int = 4, range: int = 0, latency: int = 0) -> None:
        """Register port; the first one made is the default. ``width``: 4 or 8 bytes a beat. ``range``:
        bytes beyond which SLVERR answers; 0: anything is accepted. ``latency``: cycles of the component until
        each beat is answered, beyond what the master's access costs anyway.
        """

    # -- registers (of the slave port named, default the first) --------------------------------------------
    def add_register(
        self,
        offset: int,
        *,
        size: int = 4,
        reset: int = 0,
        readable: int = -1,
        writable: int = -1,
        w1c: int = 0,
        w1t: int = 0,
        clear_on_read: int = 0,
        self_clearing: int = 0,
        name: str = "",
        port: str = "",
    ) -> None:
        """Make a register of 1, 2, 4 or 8 bytes. The rest are masks of bits.

        Bits not ``readable`` read 0; bits not ``writable`` ignore writes; ``w1c``: writing 1 clears;
        ``w1t``: writing 1 toggles; ``clear_on_read``: a read clears; ``self_clearing``: the hook sees the 1
        that is written, storage keeps 0. Masks apply to accesses over the bus; :meth:`get` and :meth:`set`
        go round them. Writes go by byte lane. Addresses in the port's range without a register read 0 and
        ignore writes. Raises ``DesignError`` on overlap with a register of another shape.
        """
    def get(self, offset: int, *, port: str = "") -> int:
        """Return what is stored. Raises ``KeyError`` without such a register."""
    def set(self, offset: int, value: int, *, mask: int = -1, port: str = "") -> None:
        """Store the bits of ``mask``; no hook is called."""
    def on_read(self, offset: int, hook: Callable[[], int | None] | None, *, port: str = "") -> None:
        """``hook()`` is called before each read over the bus.

        An int it returns is given (its readable bits) instead of what is stored, which stays as it is.
        """
    def on_write(self, offset: int, hook: Callable[[int, int], None] | None, *, port: str = "") -> None:
        """``hook(written, previous)`` is called after each write over the bus is stored.

        ``written`` has the bits as they came (lanes not written: as stored before), w1c ones included.
        """
    def on_access(
        self,
        read: Callable[[int, int], int | None] | None,
        write: Callable[[int, int, int], bool | None] | None,
        *,
        port: str = "",
    ) -> None:
        """Hooks for offsets without register: ``read(offset, width)``, ``write(offset, value, width)``.

        None from ``read`` is SLVERR; so is False from ``write``. Offset and width are those of a beat of
        the port.
        """

    # -- streams -------------------------------------------------------------------------------------------
    def receive(
        self,
        port: str,
        nbytes: int | None,
        done: Callable[[npt.NDArray[np.uint8], bool, tuple[int, int, int]], None],
    ) -> None:
        """Take ``nbytes`` bytes, or fewer if TLAST comes first; None: up to TLAST, however many.

        Then ``done(data, last, (dest, user, id))``, the side band as of the first beat. Bytes without TKEEP
        are dropped. One request a port at a time (``ModelError``). A rest of a beat is kept for the next
        request. Takes a cycle a beat.
        """
    def send(
        self,
        port: str,
        data: Buffer,
        last: bool,
        done: Callable[[], None] | None = None,
        *,
        dest: int = 0,
        user: int = 0,
        id: int = 0,
    ) -> None:
        """Send bytes (copied), TLAST with the final beat if ``last``; ``done()`` when all are on the link.

        Without ``last`` an incomplete final beat waits for the next call. Several may be queued. ``user``
        goes with the first beat (start of frame); ``dest`` and ``id`` with all. Takes a cycle a beat.
        """
    def route(self, source: str, sink: str = "") -> None:
        """Let all that arrives at ``sink`` leave by ``source``, a beat a cycle, until a reset or a call
        without ``sink``.

        Neither can be used otherwise meanwhile (``ModelError``).
        """
    def cancel_stream(self, port: str) -> None:
        """Forget the requests of that port; their ``done`` is not called."""

    # -- memory --------------------------------------------------------------------------------------------
    def read_memory(
        self, port: str, address: int, nbytes: int, done: Callable[[npt.NDArray[np.uint8] | None, str], None]
    ) -> None:
        """Read through a master; latency plus a cycle a beat later ``done(data, "")``, or ``done(None,
        error)``.

        Requests of a port are done one after the other.
        """
    def write_memory(
        self, port: str, address: int, data: Buffer, done: Callable[[str], None] | None = None
    ) -> None:
        """Write through a master (data copied now, stored at the end); then ``done("")`` or
        ``done(error)``.
        """

    # -- wires, time, reset --------------------------------------------------------------------------------
    def drive(self, port: str, value: int) -> None: ...
    def pulse(self, port: str, cycles: int = 1) -> None:
        """Drive 1 for some cycles, then 0."""
    def sample(self, port: str) -> int:
        """Level of an input or output; 0 for an input that is not connected."""
    def at(self, time: int, hook: Callable[[], None]) -> int:
        """Call ``hook()`` at that virtual time (now, if past). Return a number for :meth:`cancel`."""
    def after(self, cycles: int, hook: Callable[[], None]) -> int:
        """Call ``hook()`` that many (0: at the next) rising edges from now. Waits while the clock stands
        still.
        """
    def cancel(self, timer: int) -> None:
        """Forget a timer. One that has gone off does nothing."""
    def on_reset(self, hook: Callable[[bool], None] | None) -> None:
        """``hook(True)`` when reset begins (registers have their reset values, requests and timers are
        forgotten by then, outputs are at their initial level), ``hook(False)`` when it ends.
        :meth:`Component.reset` calls both.
        """
    def on_explain(self, hook: Callable[[str], str] | None) -> None:
        """``hook(channel)`` returns the sentence for :meth:`explain`; "" falls back to the native one."""

@final
class Engine:
    """The programmable logic and its virtual time.

    ``seed``: of everything random. ``deterministic``: host time plays no part; otherwise, at an access
    after a pause on the host of more than 1 ms, virtual time first goes on by the pause, until quiet, at
    most 50 ms of host time. ``access_cycles``: what an access of the PS costs, in cycles of the clock of
    the IP; it doubles while the same read gives the same value (up to ``access_limit``), 0: no time.
    ``patience``: seconds (host) that a wait in a quiet engine goes on where other Python threads live,
    since they may act; a single thread is told at once. ``horizon``: virtual time without any transfer or
    access after which a wait is dead although events (a free-running timer) go on; at least 10,000 events
    must have passed as well. ``idle_events``: number of events without any transfer or access after which a
    wait is dead in any case (a model that counts cycles one by one would take minutes for the horizon);
    eight cycles of RTL count as one.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        deterministic: bool = True,
        access_cycles: int = 16,
        access_limit: int = 1024,
        patience: float = 2.0,
        horizon: int = 1_000_000_000_000,
        idle_events: int = 2_000_000,
    ) -> None: ...
    deterministic: bool
    access_cycles: int
    access_limit: int
    patience: float
    horizon: int
    idle_events: int

    # -- build ---------------------------------------------------------------------------------------------
    def clock(self, name: str, hertz: float) -> Clock: ...
    def memory(self, name: str, size: int, *, fd: int = -1) -> Memory:
        """``fd``: a memfd that others hold too (duplicated), so that the memory outlives the engine; -1:
        one of its own.
        """
    def space(self, name: str, *, ps: bool = False) -> Space:
        """Make an address space; the one with ``ps`` is what :attr:`bus` accesses."""
    def link(self, name: str, width: int, *, depth: int = 16) -> Link:
        """``width``: 1 to 512 bytes; ``depth``: beats."""
    def net(self, name: str, width: int = 1, initial: int = 0) -> Net: ...
    def irq(self, number: int, net: Net, *, bit: int = 0, edge: bool = False) -> Irq: ...
    def host(self, name: str, clock: Clock, *, kind: str = "host") -> Host: ...
    def rtl(
        self,
        name: str,
        clock: Clock,
        library: str,
        *,
        kind: str = "rtl",
        folders: Sequence[str] = (),
        log: Callable[[str, str, int], None] | None = None,
    ) -> Rtl:
        """Load the library of a verilated design and make one model of it.

        ``clock``: of the component as such (register accesses are counted in it). ``folders``: where the
        RTL's ``$readmem`` looks for files. ``log(text, file, line)`` gets each line that the RTL prints.
        Raises ``DesignError`` for a file that is no such library, or one of another version of the interface.
        """
    def dma(
        self,
        name: str,
        clock: Clock,
        *,
        mm2s: bool = True,
        s2mm: bool = True,
        length_bits: int = 14,
        address_bits: int = 32,
        mm2s_dre: bool = False,
        s2mm_dre: bool = False,
        mm2s_memory_width: int = 4,
        s2mm_memory_width: int = 4,
        scatter_gather: bool = False,
        micro: bool = False,
    ) -> Component:
        """AXI DMA (PG021), direct register mode. Widths in bytes; the stream's widths are those of its links.

        Ports: slave; masters ``M_AXI_MM2S``, ``M_AXI_S2MM``; streams ``M_AXIS_MM2S`` (source),
        ``S_AXIS_S2MM`` (sink); outputs ``mm2s_introut``, ``s2mm_introut``, ``mm2s_prmry_reset_out_n``,
        ``s2mm_prmry_reset_out_n``. Reset by ``axi_resetn``: :meth:`Component.reset_by`. With
        ``scatter_gather`` DMASR.SGIncld is set and the LENGTH registers do nothing: not modelled yet.
        ``micro``: a transfer that crosses a 4 KiB boundary ends with DMAIntErr. So does, without ``dre``, one
        whose address is no multiple of the stream's width: PG021 leaves both undefined.
        Channels for :meth:`Component.explain`: "MM2S", "S2MM".
        """
    def fifo(
        self,
        name: str,
        clock: Clock,
        *,
        depth: int = 0,
        packet: bool = False,
        output_clock: Clock | None = None,
    ) -> Component:
        """A stream from ``S_AXIS`` to ``M_AXIS``: FIFO, register slice, clock, width and subset converter.

        ``depth``: beats of the sink's width held inside; 0: a register slice's two. ``packet``: a packet
        goes on only when it is whole (or the FIFO full). ``output_clock``: that of ``M_AXIS`` where it has
        its own. Different widths at its two links are converted as PG085 says. Outputs (optional):
        ``axis_data_count``, ``axis_wr_data_count``, ``axis_rd_data_count``.
        """
    def broadcaster(self, name: str, clock: Clock, outputs: int) -> Component:
        """One stream ``S_AXIS`` to ``M00_AXIS`` ... (two digits); goes on when all have room."""
    def gate(self, operation: str, name: str, inputs: Sequence[Net], output: Net, **parameters: int) -> None:
        """Combinational logic; takes no time.

        Operations: "concat" (inputs from bit 0 on; each as wide as ``in0``, ``in1``, ... say, default the
        net), "slice" (``high``, ``low``), "constant" (``value``; no inputs), "and", "or", "xor", "xnor",
        "nand", "nor" (bitwise), "not", "buf", "reduce_and", "reduce_or", "reduce_xor". Bits beyond the
        output's width are cut. Raises ``DesignError`` if the output is driven already.
        """
    def elaborate(self, *, silent: bool = True) -> None:
        """Check what was built and settle the nets. Raises ``DesignError`` on a combinational loop, with
        the nets in it.

        Parts made later need another call. Not ``silent``: listeners and interrupts hear of what changes.
        """
    def hold(self) -> None:
        """Keep other threads out, and time still, until :meth:`let_go` by the same thread."""
    def let_go(self) -> None:
        """End one :meth:`hold`."""
    def take_out(self, parts: Iterable[Component | Net | Link | Space | Memory | Clock]) -> None:
        """Take parts out for good (partial reconfiguration).

        Components come to rest as in a reset: accesses to them that are under way end in SLVERR, their own
        are given up, what they sent and nobody took is lost. Ranges that lead to them, or through them,
        are unmapped. Gates go with the nets they drive or read. What stays must not need a net or clock that
        goes. Handles of the parts raise ``OverlayNotLoadedError`` afterwards.
        """
    def bench(self, components: Iterable[Component], away: bool) -> None:
        """Hide the names of components, so that others may have them (``away``), or show them again."""
    def find(self, name: str) -> Component:
        """Return the component. Raises ``KeyError``."""
    def close(self, reason: str = "") -> None:
        """End: waits in other threads return, hooks are dropped, memories unmapped (a mapping of the memfd
        held elsewhere stays valid).

        ``reason``: what later uses say. A second call does nothing.
        """
    @property
    def closed(self) -> bool: ...

    # -- access --------------------------------------------------------------------------------------------
    @property
    def bus(self) -> object:
        """The PS's bus: capsule "pynq.bus" (pynq/native.h), for ``pynq._native.Window.from_bus``. Keeps the
        engine's memory, not its life.
        """
    def read(self, address: int, width: int = 4) -> int:
        """Read as the PS does, with time. Raises ``BusError``, ``AlignmentError``."""
    def write(self, address: int, value: int, width: int = 4) -> None:
        """Write as the PS does, with time."""

    # -- time ----------------------------------------------------------------------------------------------
    @property
    def now(self) -> int:
        """Virtual time in picoseconds."""
    @property
    def quiet(self) -> bool:
        """True when nothing can happen without a stimulus."""
    @property
    def activity(self) -> tuple[int, int]:
        """Two counts: of what got on (beats, memory accesses, stimuli), and of all events. Events without
        progress, more than ``idle_events`` or longer than ``horizon``, end a wait; who waits in slices sees
        that here.
        """
    @property
    def stimuli(self) -> int:
        """Number of stimuli so far (accesses of the PS, pins driven from outside, clock changes, enabled
        interrupts).
        """
    @property
    def running(self) -> bool:
        """True while a run goes on (in a hook, or in another thread)."""
    def catch_up(self) -> None:
        """Let virtual time go on by the host's since the last touch, as an access of the PS does.

        For looking at pins after a pause. In deterministic mode, and in a hook, it does nothing.
        """
    def run(self, duration: int) -> None:
        """Let virtual time go on by ``duration`` picoseconds; idle time is skipped. Ctrl-C stops it
        (KeyboardInterrupt).
        """
    def run_until(
        self,
        until: Net | Irq | Callable[[], bool] | None,
        *,
        mask: int = -1,
        value: int | None = None,
        timeout: int | None = None,
        slice: float | None = None,
        patience: float | None = None,
    ) -> StopReason:
        """Run, without the interpreter's lock, until something holds; return why it ended.

        ``until``: a net (``net & mask == value``; without ``value``: any bit of mask set), an interrupt
        (fired; not taken), a function (asked after each event) or None (run until quiet). ``timeout``:
        virtual picoseconds. ``slice``: seconds of the host after which it returns "slice"; 0: one batch of
        events. ``patience``: seconds to stay in a quiet engine, since another thread may act; None: the
        engine's, or 0 when this is the only Python thread; with ``slice`` or ``until=None`` always 0.
        "quiet" is returned, not raised: see :meth:`explain`.
        """
    def wait_stimulus(self, seen: int, timeout: float) -> bool:
        """Sleep, without the interpreter's lock, until :attr:`stimuli` differs from ``seen``; False when
        ``timeout`` seconds are over.
        """
    def on_stimulus(self, hook: Callable[[], None] | None) -> None:
        """``hook()`` is called after each stimulus while someone is interested (event loops); must be
        short, and set again after each call (one-shot).
        """

    # -- diagnosis -----------------------------------------------------------------------------------------
    def explain(self, what: Net | Irq | str | None = None, channel: str = "") -> str:
        """Return why something does not come: a net or interrupt (all components that could drive it), a
        component by name, None (whatever waits).

        Never empty for a net or interrupt; "" where a named component or None has nothing to say.
        """
    def statistics(self) -> dict[str, dict[str, int]]:
        """Return the counts of all links (by name, as :attr:`Link.statistics`) and all spaces ("reads",
        "writes", "bytes_read", "bytes_written", "errors").
        """
    def inject(
        self,
        target: str,
        *,
        latency: int = 0,
        response: Literal["", "SLVERR", "DECERR"] = "",
        probability: float = 1.0,
        base: int = 0,
        high: int = (1 << 64) - 1,
        count: int = -1,
    ) -> None:
        """Disturb accesses: to a component's registers (its name), or by a master (a space's name).

        ``latency``: extra cycles; ``response``: answer with that error, ``probability`` per access (a data
        mover's burst counts as one). ``base``..``high``: only addresses in there (offsets, for a
        component). ``count``: only that many times. Raises ``KeyError``.
        """
    def clear_injections(self) -> None:
        """End all of :meth:`inject`, :meth:`Link.stall` and :meth:`Rtl.stall`."""
    def trace(self, mode: Literal["off", "hash", "list"] = "list") -> None:
        """Record accesses, packets, net edges, interrupts and bursts of RTL masters; starts afresh. "hash"
        keeps only :attr:`trace_hash`, which also has the bytes of streams and of these bursts.
        """
    @property
    def trace_hash(self) -> int:
        """64 bits over all that was recorded: equal for equal runs."""
    @property
    def trace_events(self) -> list[tuple[int, str, str, int, int]]:
        """(time, kind, name, a, b): "read"/"write" (address, value), "packet" (bytes, beats), "net" (value,
        previous), "irq" (number, 1), "burst-read"/"burst-write" (address, bytes) of a master in RTL, at its
        end.
        """

@final
class Recorder:
    """A recording of signals, made by :func:`record`; ends with the engine."""

    def start(self) -> None:
        """Go on after :meth:`stop`: from the same start, with the same trigger."""
    def stop(self) -> None:
        """Record no more; the engine runs as if nothing recorded. The file can be read."""
    def flush(self) -> None:
        """Let the file hold all up to now."""
    def close(self) -> None:
        """Stop for good. A second call does nothing."""
    def memory(self) -> tuple[int, int, list[list[tuple[int, int]]]]:
        """Return (from, to, changes of each signal) of a recording without a file: changes are (time, value),
        the first of them the value at the beginning. A real is its 64 bits."""
    def check(self) -> None:
        """Raise the ``OSError`` that ended the writing of the file, if any."""
    @property
    def state(self) -> Literal["waiting", "armed", "recording", "stopped", "closed"]:
        """waiting: for its start; armed: for its trigger."""
    @property
    def bytes(self) -> int:
        """Size of the file so far."""
    @property
    def triggered(self) -> int | None:
        """When the recording began in earnest: the time of the trigger, or of the start."""

def signals(engine: Engine) -> list[tuple[int, tuple[str, ...], str, int, int, int, str]]:
    """Return all signals of the board: (index, scopes, name, bits, msb, lsb, kind).

    Inside of verilated modules, nets, counts of streams (scope of the source's port), accesses of the PS
    (scope "ps"). The index stays the same; signals that come later have higher ones. ``kind`` is "w" wire,
    "r" variable, "p" parameter, "f" real (64 bits), "e" event.
    """

def read_signal(engine: Engine, index: int) -> int:
    """Return the value of a signal now; no time passes. A real is its 64 bits."""

def record(
    engine: Engine,
    signals: Sequence[int],
    *,
    path: str = "",
    format: Literal["vcd", "fst"] = "fst",
    start: int = 0,
    stop: int | None = None,
    before: int = 0,
    keep: int | None = None,
    trigger: tuple[int, str, int, int, int] | None = None,
    failed: Callable[[int, str], None] | None = None,
) -> Recorder:
    """Record signals to a file, or in memory (no ``path``). Times are picoseconds.

    Begins at ``start``, ends at ``stop``. ``trigger``: (signal, comparison, value, lowest bit, bits): the
    recording begins when the bits compare so; ``stop`` is then counted from there, and ``before`` is how much
    of the past comes along. Comparisons: "==", "!=", "<", "<=", ">", ">=", "rises", "falls", "changes".
    ``keep``: how much of the past a recording in memory holds (None: all, up to 256 MB). ``failed(errno,
    path)`` is called when the file can't be written any more: the recording ends, the run goes on. Raises
    ``OSError`` when the file can't be made.
    """

def write_coverage(module: Rtl, path: str) -> bool:
    """Write the counts of a module so far (coverage.dat of Verilator); False: it was built without. Raises
    ``OSError``."""

@final
class WaveFile:
    """A wave file written from Python. ``variables``: (scope with "/", name, bits, kind as in
    :func:`signals`).
    """

    def __init__(
        self, path: str, format: Literal["vcd", "fst"], variables: Sequence[tuple[str, str, int, str]]
    ) -> None: ...
    def time(self, now: int) -> None:
        """What follows happens then (picoseconds); never earlier than before."""
    def change(self, variable: int, value: float) -> None: ...
    def unknown(self, variable: int) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...

@final
class BoardServer:
    """A vfio-user server for one client at a time: what a PS reaches, as BAR 0 of a PCI function.

    :meth:`run` serves on the calling thread, without the interpreter's lock. The other methods take effect
    with the next message that arrives.
    """

    def __init__(
        self,
        listening: int,
        bar_size: int,
        apertures: Sequence[tuple[int, int, int]],
        blocks: Sequence[tuple[int, int, object]],
        log: Callable[[int, str], None],
    ) -> None:
        """``listening``: descriptor of a listening UNIX socket, which this object owns from now on.

        ``apertures``: (address, bytes, offset in the BAR). ``blocks``: (address, bytes, object), the object
        with ``read(offset, width)`` and ``write(offset, value, width)``. ``log(level, text)``: levels as
        in ``logging``.
        """
    def attach(self, engine: Engine, irqs: Iterable[Irq]) -> None:
        """Let that engine answer, and deliver the levels of those inputs. Detach from another one first."""
    def detach(self) -> None:
        """Set all lines of the engine low; nothing answers but the blocks."""
    def isolate(self, on: bool) -> None:
        """Answer all ones in place of the engine."""
    def set_interrupt(self, gic: int, level: bool) -> None:
        """Set the level of an interrupt, beside what the engine says of it."""
    def deliver(self, qtest: int, gic: str) -> None:
        """Set interrupt lines by QEMU's qtest protocol from now on, at the object of that path.

        ``qtest``: descriptor of a connected socket, which this object owns from now on.
        """
    def run(self) -> None:
        """Serve until :meth:`stop`. Only once."""
    def stop(self) -> None:
        """Let :meth:`run` return, from any thread."""
    @property
    def settled(self) -> bool:
        """Whether QEMU has answered to all levels that were sent; True without QEMU."""
    @property
    def figures(self) -> dict[str, int]: ...
