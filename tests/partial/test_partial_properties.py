"""Any sequence of swaps leaves dictionaries, attributes, addresses and values that agree with each other."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from partial import regionkit
from partial.regionkit import ADDER, MULTIPLIER, PR_0, RP, partial, write

import pynq
from pynq.backends.sim import SimDevice
from pynq.errors import DesignError, OverlayNotLoadedError

#: Files: region they fit, path of the IP within it, its offset, whether it multiplies.
FILES = {
    "add": ("pr_0", "adder", 0, False),
    "mul": ("pr_0", "sub/mul", 0x3000, True),
    "same": ("pr_0", "adder", 0x1000, True),  # another type under the same path
    "calc": ("block/rp", "calc", 0, False),
    "calc2": ("block/rp", "deep/down/calc", 0x8000, True),
}
BASES = {"pr_0": PR_0, "block/rp": RP}

steps = st.lists(
    st.tuples(st.sampled_from(sorted(FILES)), st.sampled_from(sorted(BASES)), st.booleans()), max_size=6
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write(folder, "full", regionkit.static())
    for name, (region, path, offset, multiplies) in FILES.items():
        vlnv = MULTIPLIER if multiplies else ADDER
        base = offset + (BASES[region] if name == "mul" else 0)
        text = partial(name, {path: vlnv}, base=base, streams=region == "pr_0")
        write(folder, name, text, bytes(400))
    return folder


def check(overlay: Any, holds: dict[str, str | None]) -> None:
    """Compare everything that tells of the regions with what was put into them."""
    paths = set()
    for region, name in holds.items():
        if name is None:
            assert region in overlay.ip_dict
            assert not list(overlay[region])
            continue
        _, path, offset, multiplies = FILES[name]
        full = f"{region}/{path}"
        paths.add(full)
        entry, ip = overlay.ip_dict[full], overlay[full]
        assert entry["phys_addr"] == BASES[region] + offset == ip.mmio.base_addr
        assert entry["fullpath"] == full
        assert entry["overlay"] is overlay
        ip.write(0x0, 6)
        ip.write(0x4, 7)
        assert ip.read(0x8) == (42 if multiplies else 13)
        assert pynq.MMIO(entry["phys_addr"], 16, device=overlay.device).read(0x8) == ip.read(0x8)
        node = overlay.hierarchy_dict[full.rpartition("/")[0]]
        assert node["ip"][path.rpartition("/")[2]] is entry
        assert entry["interrupts"]["irq"] == overlay.interrupt_pins[f"{full}/irq"]
        ip.write(0xC, 1)
        ip.irq.wait_sync(timeout=30)
        ip.write(0xC, 0)
    regions = tuple(f"{region}/" for region in BASES)
    assert {key for key in overlay.ip_dict if key.startswith(regions)} == paths
    assert {key.rpartition("/")[0] for key in overlay.interrupt_pins if key.startswith(regions)} == {
        *paths,
        *(region for region, name in holds.items() if name is None),
    }
    assert {path for path in overlay.device.plant.components if path.startswith(regions)} == paths
    assert set(overlay.pr_dict) == {region for region, name in holds.items() if name}
    fresh = pynq.Overlay(overlay.bitfile_name, download=False, device=overlay.device)
    for view in ("ip_dict", "hierarchy_dict", "mem_dict", "interrupt_pins", "gpio_dict"):
        assert set(getattr(fresh, view)) == set(getattr(overlay, view))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_any_sequence_of_swaps(files: Path, steps: list[tuple[str, str, bool]]) -> None:
    regionkit.models()
    with SimDevice("sim:any", deterministic=True) as device:
        overlay = pynq.Overlay(str(files / "full.bit"), device=device)
        holds: dict[str, str | None] = dict.fromkeys(BASES)
        stale: list[Any] = []
        for (name, region, look), number in zip(steps, itertools.count()):
            fits = region in ("pr_0", FILES[name][0])  # all that "block/rp" has on its boundary, "pr_0" has
            before = holds[region]
            objects = [overlay[f"{region}/{FILES[before][1]}"]] if before and look else []
            with contextlib.nullcontext() if fits else pytest.raises(DesignError):
                overlay.pr_download(region, str(files / f"{name}.bit"))
            if fits:
                holds[region] = name
                stale += objects if before != name else []
            if number % 2:
                check(overlay, holds)
        check(overlay, holds)
        for ip in stale:
            with pytest.raises(OverlayNotLoadedError):
                ip.read(0x8)
