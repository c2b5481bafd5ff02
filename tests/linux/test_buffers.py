"""Contiguous memory from each source: what the processor and the PL see, who has which bytes, what fails."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakesystem import FakeSystem
from memory import FakeHeap, FakeUDmaBuf, FakeZocl
from tests import leaks

from pynq.backends.linux.board import Board
from pynq.backends.linux.buffers import Memory
from pynq.backends.linux.provider import Shelf
from pynq.errors import (
    AllocationError,
    KernelAccessError,
    KernelError,
    UnsupportedByDeviceError,
)

PAGE = 4096


@pytest.fixture
def system(tmp_path: Path) -> Iterator[FakeSystem]:
    """Files and mappings that a test leaves behind are a fault."""
    files = leaks.descriptors()
    system = FakeSystem(tmp_path / "root", "zynqmp")
    yield system
    assert leaks.opened(files) == []
    gc.collect()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def memory_of(system: FakeSystem, **more: Any) -> Memory:
    kernel = system.kernel(**more)
    return Memory(kernel, Board(kernel))


@pytest.fixture
def open_memory(system: FakeSystem) -> Iterator[Callable[..., Memory]]:
    opened: list[Memory] = []

    def make(**more: Any) -> Memory:
        opened.append(memory_of(system, **more))
        return opened[-1]

    yield make
    for memory in opened:
        memory.close()


def view(block: Any) -> Any:
    return np.frombuffer(block, np.uint8)


# -- what both sides see -----------------------------------------------------------------------------------
def device_of(system: FakeSystem, source: str) -> Any:
    return (
        FakeUDmaBuf(system, commands=source != "old u-dma-buf") if "u-dma-buf" in source else FakeZocl(system)
    )


def ddr_of(device: Any, block: Any) -> tuple[Any, int]:
    """Return the memory that a block is in, and where."""
    if isinstance(device, FakeZocl):
        found = [each[3] for each in device.objects.values() if each[3].base == block.physical_address]
        return found[0], 0
    return device, block.physical_address - device.base


@pytest.mark.parametrize("source", ["zocl", "u-dma-buf", "old u-dma-buf"])
def test_cached_memory(system: FakeSystem, open_memory: Callable[..., Memory], source: str) -> None:
    device = device_of(system, source)
    memory = open_memory()
    memory.allocate(3 * PAGE)
    block = memory.allocate(10_000)
    ddr, start = ddr_of(device, block)
    assert not block.coherent
    assert block.nbytes == 10_000
    assert block.physical_address % PAGE == 0
    assert bytes(ddr.bytes[start : start + 10_000]) == bytes(10_000)  # zeros, and no line of them is dirty
    cpu = view(block)
    assert not cpu.any()
    cpu[:] = 7
    memory.sync(block, 100, 50, "to_device")
    pl = ddr.bytes[start : start + 10_000]
    assert pl[100:150] == b"\7" * 50
    assert not any(pl[256:])  # only the lines asked for
    ddr.bytes[start + 4000 : start + 5000] = b"\x55" * 1000
    memory.sync(block, 4000, 1000, "from_device")
    assert (cpu[4000:5000] == 0x55).all()
    assert (cpu[5100:] == 7).all()
    memory.sync(block, 9_999, 1, "to_device")  # the last line


@pytest.mark.parametrize("source", ["zocl", "u-dma-buf"])
def test_released_memory_reads_zeros_and_is_handed_out_again(
    system: FakeSystem, open_memory: Callable[..., Memory], source: str
) -> None:
    device = device_of(system, source)
    memory = open_memory()
    block = memory.allocate(PAGE)
    address, stale = block.physical_address, view(block)
    stale[:] = 9
    block.release()
    assert not stale.any()
    again = memory.allocate(PAGE)
    assert again.physical_address == address
    assert not view(again).any()
    stale[:] = 3  # nobody's memory
    assert not view(again).any()
    assert isinstance(device, FakeUDmaBuf) or len(device.objects) == 1


def test_memory_that_nobody_refers_to_goes_back(
    system: FakeSystem, open_memory: Callable[..., Memory]
) -> None:
    zocl = FakeZocl(system)
    memory = open_memory()
    for _ in range(300):  # more than there is
        memory.allocate(16 * PAGE)
    assert not zocl.objects


def test_uncached_zocl(system: FakeSystem, open_memory: Callable[..., Memory]) -> None:
    zocl = FakeZocl(system)
    block = open_memory().allocate(PAGE, cacheable=False)
    assert block.coherent
    assert [each[2] >> 24 & 1 for each in zocl.objects.values()] == [0]
    assert open_memory().allocate(PAGE).coherent is False
    assert [each[2] >> 24 & 1 for each in zocl.objects.values()] == [0, 1] or len(zocl.objects) == 1


@pytest.mark.parametrize(("mode", "after"), [(0, 2), (1, 2), (2, 2), (3, 3), (4, 2), (5, 6)])
def test_uncached_u_dma_buf_is_ordinary_memory(
    system: FakeSystem, open_memory: Callable[..., Memory], mode: int, after: int
) -> None:
    device = FakeUDmaBuf(system, mode=mode)
    block = open_memory().allocate(PAGE, cacheable=False)
    assert block.coherent
    assert device.value("sync_mode") == after
    assert not device.synced
    assert not view(block).any()


@pytest.mark.parametrize("mode", [0, 1, 2, 3, 4])
def test_device_whose_mode_is_about_o_sync(
    system: FakeSystem, open_memory: Callable[..., Memory], mode: int
) -> None:
    """Readme of u-dma-buf, "sync_mode": of 4 and above, 4 alone leaves the caches on."""
    device = FakeUDmaBuf(system, mode=mode)
    assert not open_memory().allocate(PAGE).coherent
    assert device.value("sync_mode") == mode


def test_device_that_is_never_cached(system: FakeSystem, open_memory: Callable[..., Memory]) -> None:
    device = FakeUDmaBuf(system, mode=6)
    assert open_memory().allocate(PAGE).coherent
    assert not device.synced


def test_uncached_memory_that_may_not_be_set_says_how(
    system: FakeSystem, open_memory: Callable[..., Memory]
) -> None:
    FakeUDmaBuf(system)
    memory = open_memory(fail={("open", "*/sync_mode"): errno.EACCES}, nth=0)
    with pytest.raises(
        KernelAccessError, match=r"sync_mode: .*needs sync_mode 2 or 3, and it is 1.*echo 2 > /sys"
    ):
        memory.allocate(PAGE, cacheable=False)
    memory.allocate(PAGE)


def test_coherent_device_needs_no_care(system: FakeSystem, open_memory: Callable[..., Memory]) -> None:
    device = FakeUDmaBuf(system, coherent=1)
    block = open_memory().allocate(PAGE)
    assert block.coherent
    assert not device.synced


def test_coherent_board_needs_no_care(system: FakeSystem, open_memory: Callable[..., Memory]) -> None:
    system.node("/amba_pl", **{"dma-coherent": b""})
    FakeZocl(system)
    memory = open_memory()
    assert memory.coherent
    block = memory.allocate(PAGE)
    assert block.coherent
    memory.sync(block, 0, PAGE, "to_device")


# -- which source ------------------------------------------------------------------------------------------
def test_order_and_names(system: FakeSystem, open_memory: Callable[..., Memory]) -> None:
    FakeUDmaBuf(system, "udmabuf1", 2 * PAGE, 0x9_0000_0000)
    FakeUDmaBuf(system, "udmabuf0", 2 * PAGE, 0x2000_0000)
    zocl = FakeZocl(system, 2 * PAGE)
    memory = open_memory()
    blocks = [memory.allocate(2 * PAGE) for _ in range(3)]
    assert [block.physical_address for block in blocks] == [zocl.base, 0x2000_0000, 0x9_0000_0000]
    with pytest.raises(AllocationError) as caught:
        memory.allocate(PAGE)
    for part in ("zocl", "CMA of 8 KiB", "udmabuf0: 8 KiB", "udmabuf1", "this process has 8 KiB in 1 blocks"):
        assert part in str(caught.value)
    blocks[1].release()
    assert memory.allocate(PAGE, target="udmabuf0").physical_address == 0x2000_0000
    with pytest.raises(UnsupportedByDeviceError, match=r"'udmabuf7'.*'udmabuf0', 'udmabuf1'"):
        memory.allocate(PAGE, target="udmabuf7")
    with pytest.raises(UnsupportedByDeviceError, match="PS's memory"):
        memory.allocate(PAGE, target={"phys_addr": 0x8000_0000})
    assert [line.partition(" ")[0] for line in memory.describe()] == ["zocl", "udmabuf0:", "udmabuf1:"]


def test_memory_below_4_gib_comes_first(system: FakeSystem, open_memory: Callable[..., Memory]) -> None:
    zocl = FakeZocl(system, base=0x8_0000_0000)
    FakeUDmaBuf(system, size=PAGE)
    memory = open_memory()
    low = memory.allocate(PAGE)
    assert low.physical_address == 0x1E90_0000
    assert not zocl.objects
    assert memory.allocate(PAGE).physical_address == 0x8_0000_0000


def test_no_source_says_what_to_do(open_memory: Callable[..., Memory]) -> None:
    with pytest.raises(AllocationError, match=r"(?s)zocl.*insmod u-dma-buf.ko.*pynq,buffers.*pynq doctor"):
        open_memory().allocate(PAGE)
    assert "u-dma-buf" in open_memory().describe()[0]


def test_source_that_comes_and_goes(system: FakeSystem, open_memory: Callable[..., Memory]) -> None:
    memory = open_memory()
    with pytest.raises(AllocationError):
        memory.allocate(PAGE)
    FakeUDmaBuf(system)  # with an overlay
    memory.allocate(PAGE)
    system.path("/dev/udmabuf0").unlink()
    for file in system.path("/sys/class/u-dma-buf/udmabuf0").iterdir():
        file.unlink()
    system.path("/sys/class/u-dma-buf/udmabuf0").rmdir()
    memory.refresh()
    with pytest.raises(AllocationError, match="insmod"):
        memory.allocate(PAGE)


def test_device_of_which_nothing_can_be_read_does_not_hide_the_others(
    system: FakeSystem, open_memory: Callable[..., Memory]
) -> None:
    FakeUDmaBuf(system)
    system.file("/sys/class/u-dma-buf/udmabuf0/size", "lots\n")
    memory = open_memory()
    with pytest.raises(AllocationError, match="size holds 'lots', which is no number"):
        memory.allocate(PAGE)
    FakeZocl(system)
    memory.refresh()
    assert memory.allocate(PAGE).physical_address == 0x1000_0000


# -- addresses ---------------------------------------------------------------------------------------------
def test_addresses_are_those_of_the_pl(tmp_path: Path) -> None:
    """The virtual board's PL sees RAM from 0 on; a device on its bus tells addresses of the bus."""
    system = FakeSystem(tmp_path / "root", "virtual", dma_ranges=[(0, 0x4000_0000, 0x2000_0000)])
    FakeUDmaBuf(system, "outside", PAGE, 0x4800_0000)
    FakeUDmaBuf(system, "inside", PAGE, 0x0900_0000)
    system.node("/amba_pl/udmabuf", compatible=["ikwzm,u-dma-buf"])
    system.link("/sys/class/u-dma-buf/inside/device/of_node", "/sys/firmware/devicetree/base/amba_pl/udmabuf")
    FakeUDmaBuf(system, "beyond", PAGE, 0x9000_0000)
    memory = memory_of(system)
    assert "the PL can't reach memory at 0x90000000" in " ".join(memory.describe())
    system.path("/sys/class/u-dma-buf/beyond").rename(tmp_path / "gone")
    memory.refresh()
    assert memory.allocate(PAGE, target="outside").physical_address == 0x0800_0000
    assert memory.allocate(PAGE, target="inside").physical_address == 0x0900_0000
    memory.close()


# -- several processes -------------------------------------------------------------------------------------
PROGRAM = """
    import sys, time
    sys.path[:0] = [{tests!r}]
    from pathlib import Path
    from pynq.backends.linux.board import Board
    from pynq.backends.linux.buffers import Memory
    from pynq.backends.kernel import Kernel
    kernel = Kernel({root!r})
    memory = Memory(kernel, Board(kernel))
    blocks = [memory.allocate(4096) for _ in range({count})]
    print(*(block.physical_address for block in blocks), flush=True)
    sys.stdin.readline()
"""


def other(system: FakeSystem, count: int) -> tuple[subprocess.Popen[str], list[int]]:
    tests = str(Path(__file__).parent)
    program = textwrap.dedent(PROGRAM).format(tests=tests, root=str(system.root), count=count)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, [int(word) for word in process.stdout.readline().split()]


def end(process: subprocess.Popen[str], how: int) -> None:
    process.send_signal(how)
    process.wait(10)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def test_two_processes_share_a_device_and_a_killed_one_leaves_nothing(
    system: FakeSystem, open_memory: Callable[..., Memory]
) -> None:
    device = FakeUDmaBuf(system, size=16 * PAGE)
    memory = open_memory()
    first = [memory.allocate(PAGE) for _ in range(3)]
    process, theirs = other(system, 8)
    first[1].release()
    ours = [memory.allocate(PAGE) for _ in range(6)]
    addresses = {block.physical_address for block in (first[0], first[2], *ours)}
    assert len(addresses) == 8
    assert len(theirs) == 8
    assert addresses.isdisjoint(theirs)
    with pytest.raises(AllocationError, match="this process has 32 KiB in 8 blocks and others have 32 KiB"):
        memory.allocate(PAGE)
    end(process, signal.SIGKILL)
    rest = [memory.allocate(PAGE) for _ in range(8)]
    assert {block.physical_address for block in rest} == set(theirs)
    assert not any(view(block).any() for block in rest)
    assert device.value("sync_mode") == 1


def test_two_memories_of_one_process_share_a_device(
    system: FakeSystem, open_memory: Callable[..., Memory]
) -> None:
    FakeUDmaBuf(system, size=4 * PAGE)
    one, two = open_memory(), open_memory()
    blocks = [memory.allocate(PAGE) for memory in (one, two, one, two)]
    assert len({block.physical_address for block in blocks}) == 4
    one.close()  # its blocks live on, and so does what says so
    with pytest.raises(AllocationError):
        two.allocate(PAGE)
    blocks[0].release()
    blocks[2].release()
    two.allocate(2 * PAGE if blocks[0].physical_address + PAGE == blocks[2].physical_address else PAGE)


def forked(memory: Memory, pipe: Any) -> None:
    blocks = [memory.allocate(PAGE) for _ in range(2)]
    pipe.send([block.physical_address for block in blocks])
    pipe.recv()
    blocks[0].release()
    os._exit(0)


@pytest.mark.parametrize("source", ["u-dma-buf", "zocl"])
def test_child_of_a_fork_has_memory_of_its_own(
    system: FakeSystem, open_memory: Callable[..., Memory], source: str
) -> None:
    device_of(system, source)
    memory = open_memory()
    ours = memory.allocate(PAGE)
    view(ours)[:] = 4
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=forked, args=(memory, there))
    process.start()
    theirs = here.recv()
    if source == "u-dma-buf":
        more = memory.allocate(PAGE)
        assert len({ours.physical_address, more.physical_address, *theirs}) == 4
    here.send(None)
    process.join()
    for end_ in (here, there):
        end_.close()
    process.close()
    assert (view(ours) == 4).all()


def test_shelf_fits_into_gaps(system: FakeSystem) -> None:
    system.file("/dev/memory", bytes(8 * PAGE))
    with system.kernel().open("/dev/memory") as one, system.kernel().open("/dev/memory") as two:
        ours, theirs = Shelf("ours", one, PAGE, 6 * PAGE), Shelf("theirs", two, PAGE, 6 * PAGE)
        assert [ours.take(1), theirs.take(2 * PAGE), ours.take(PAGE + 1)] == [PAGE, 2 * PAGE, 4 * PAGE]
        ours.give(PAGE)
        with pytest.raises(AllocationError, match="others have 8 KiB"):
            ours.take(2 * PAGE)
        assert theirs.take(PAGE) == PAGE
        assert ours.take(PAGE) == 6 * PAGE
        theirs.give(2 * PAGE)
        assert ours.take(2 * PAGE) == 2 * PAGE
        assert ours.blocks == 3


# -- heaps and reserved memory -----------------------------------------------------------------------------
def reserve(system: FakeSystem, name: str, address: int, size: int, **more: Any) -> None:
    system.node("/reserved-memory", ranges=b"", **system.sizes())
    system.node(f"/reserved-memory/{name}@{address:x}", reg=system.number(address, size), **more)


def test_heap_over_reserved_memory(system: FakeSystem, open_memory: Callable[..., Memory]) -> None:
    reserve(system, "carveout", 0x3000_0000, 8 * PAGE, phandle=7)
    system.node("/heap", compatible=["pynq,reserved-heap"], **{"memory-region": 7, "dma-coherent": b""})
    heap = FakeHeap(system, "reserved", 8 * PAGE)
    FakeHeap(system, "system", 1 << 30)
    memory = open_memory()
    assert "32 KiB; PL address 0x30000000" in memory.describe()[0]
    blocks = [memory.allocate(PAGE) for _ in range(8)]
    assert [block.physical_address for block in blocks] == [0x3000_0000 + i * PAGE for i in range(8)]
    assert heap.buffers == [8 * PAGE]
    assert blocks[0].coherent
    assert "0 bytes free, 8 blocks in use" in memory.describe()[0]
    with pytest.raises(AllocationError, match="dma-heap reserved: no room for 4096 bytes"):
        memory.allocate(PAGE)
    with pytest.raises(AllocationError, match="another process has some of it"):
        open_memory().allocate(PAGE)


@pytest.mark.parametrize("heap", ["pool", "pool@30000000", "carveout_pool", "a_label"])
def test_heap_is_found_by_the_name_of_its_memory(
    system: FakeSystem, open_memory: Callable[..., Memory], heap: str
) -> None:
    reserve(
        system, "pool", 0x3000_0000, 8 * PAGE, label="a_label", compatible=["shared-dma-pool"], reusable=b""
    )
    FakeHeap(system, heap, 8 * PAGE)
    memory = open_memory()
    with pytest.raises(AllocationError, match=r"not used: .*not coherent"):
        memory.allocate(PAGE)
    system.node("/amba_pl", **{"dma-coherent": b""})
    memory.refresh()
    assert memory.allocate(PAGE).physical_address == 0x3000_0000


def test_reserved_memory(system: FakeSystem, open_memory: Callable[..., Memory]) -> None:
    reserve(system, "buffers", 0x3000_0000, 8 * PAGE, compatible=["pynq,buffers"])
    memory, second = open_memory(), open_memory()
    blocks = [memory.allocate(PAGE), second.allocate(3 * PAGE)]
    assert [block.physical_address for block in blocks] == [0x3000_0000, 0x3000_1000]
    assert blocks[0].coherent
    view(blocks[1])[:4] = [1, 2, 3, 4]
    assert system.peek(0x3000_1000) == 0x04030201
    assert "buffers@30000000: 32 KiB" in memory.describe()[0]


def test_reserved_memory_that_would_be_device_memory(
    system: FakeSystem, open_memory: Callable[..., Memory]
) -> None:
    reserve(system, "buffers", 0x3000_0000, 8 * PAGE, compatible=["pynq,buffers"], **{"no-map": b""})
    with pytest.raises(AllocationError, match="take no-map out of the node"):
        open_memory().allocate(PAGE)


def test_reserved_memory_that_the_kernel_guards(
    system: FakeSystem, open_memory: Callable[..., Memory]
) -> None:
    reserve(system, "buffers", 0x3000_0000, 8 * PAGE, compatible=["pynq,buffers"])
    memory = open_memory(fail={("mmap", "/dev/mem"): errno.EPERM})
    with pytest.raises(AllocationError, match=r"CONFIG_STRICT_DEVMEM.*ikwzm,u-dma-buf.*memory-region"):
        memory.allocate(PAGE)
    assert memory.allocate(PAGE).physical_address == 0x3000_0000


# -- faults ------------------------------------------------------------------------------------------------
SETUPS: dict[str, Callable[[FakeSystem], Any]] = {
    "zocl": FakeZocl,
    "u-dma-buf": FakeUDmaBuf,
    "reserved": lambda system: reserve(
        system, "buffers", 0x3000_0000, 16 * PAGE, compatible=["pynq,buffers"]
    ),
    "heap": lambda system: (
        reserve(system, "pool", 0x3000_0000, 8 * PAGE),
        system.node("/amba_pl", **{"dma-coherent": b""}),
        FakeHeap(system, "pool", 8 * PAGE),
    ),
}


def use(memory: Memory, cacheable: bool) -> int:
    block = memory.allocate(PAGE, cacheable=cacheable)
    view(block)[:] = 1
    memory.sync(block, 0, PAGE, "to_device")
    memory.sync(block, 0, PAGE, "from_device")
    address = block.physical_address
    block.release()
    return address


def refusal(memory: Memory, cacheable: bool) -> str:
    """Return what the error says, "" without one; its frames, which hold the block, are gone."""
    try:
        use(memory, cacheable)
    except (KernelError, AllocationError) as error:
        return str(error)
    finally:
        gc.collect(1)
    return ""


@pytest.mark.parametrize("cacheable", [True, False])
@pytest.mark.parametrize("source", SETUPS)
def test_every_call_that_fails_gives_one_error_and_the_next_works(
    tmp_path: Path, source: str, cacheable: bool
) -> None:
    whole = FakeSystem(tmp_path / "whole", "zynqmp")
    SETUPS[source](whole)
    memory = memory_of(whole)
    address = use(memory, cacheable)
    memory.close()
    calls = memory.kernel.calls  # type: ignore[attr-defined]
    for index, key in enumerate(dict.fromkeys(calls)):
        for number in (errno.ENOMEM if key[0].isupper() or key[0] == "mmap" else errno.EACCES, errno.EINTR):
            system = FakeSystem(tmp_path / f"{number}-{index}", "zynqmp")
            SETUPS[source](system)
            files = leaks.descriptors()
            memory = memory_of(system, fail={key: number})
            text = refusal(memory, cacheable)
            assert not text or number != errno.EINTR, (key, text)
            assert "\n" not in text, (key, text)
            memory.refresh()
            again = use(memory, cacheable)
            if key[0] != "GEM_CLOSE":  # the driver frees it with the file, of which the fake does not know
                assert again == address, (key, number)
            memory.close()
            assert leaks.opened(files) == [], (key, number)
            assert str(system.root) not in Path("/proc/self/maps").read_text(), (key, number)
