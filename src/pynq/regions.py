"""The part of an overlay whose contents change while it runs: the regions of partial reconfiguration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from pynq.binding import (
    DefaultHierarchy,
    Node,
    Views,
    bind_views,
    document,
    drivers,
    memory_entries,
    reach,
    renew,
    within,
)
from pynq.bitstream import Bitstream, PartialBitstream, Registers, Rtl
from pynq.design.archive_paths import is_archive
from pynq.design.partial import changes, find_region, inside, regions
from pynq.device.notes import emit
from pynq.errors import OverlayNotLoadedError, UnsupportedByDeviceError
from pynq.interrupt_tree import follow
from pynq.systemgraph import Parser, SystemGraph

if TYPE_CHECKING:
    from pynq.design.model import Design

__all__ = ["Reconfigurable"]


class Reconfigurable(Bitstream, Node):
    """A bitstream with objects for its contents, and regions whose contents come and go.

    The overlay's constructor binds the contents; this keeps what it has bound in step with the device.
    """

    ignore_version: bool
    description: dict[str, Any]
    mem_dict: dict[str, Any]
    hierarchy_dict: dict[str, Any]
    _views: Views

    def _begin_regions(self) -> None:
        """Start with nothing known of any region."""
        self._followers: WeakSet[Any] = WeakSet()
        self.pr_dict: dict[str, Any] = {}
        self._failures: dict[str, str] = {}  # regions that were left empty by a failure, and which

    def pr_download(
        self,
        partial_region: str,
        partial_bit: str,
        dtbo: str | None = None,
        program: bool = True,
        *,
        rtl: Rtl = None,
        registers: Registers = None,
    ) -> None:
        """Load a partial bitstream into a region; the rest of the design goes on.

        The dictionaries tell of what is in the region now, ``pr_dict`` which file it is. See
        :meth:`DefaultHierarchy.download`, which this calls, for what becomes of the objects of the region.

        Args:
            partial_region: Path of the region (``"pr_0"``, ``"block/rp"``).
            partial_bit: Path or bare name of the partial bitstream; also looked for beside the overlay's own.
            dtbo: Device-tree overlay to apply with it.
            program: Whether to program the device; without, the dictionaries change only.
            rtl: What of it the simulated board runs as RTL; None: as the manifest beside the partial
                description says.
            registers: Where registers are from that its description has none of; None: as the manifest
                beside it says.

        Raises:
            RegionError: No such region; the message lists those there are.
            DesignNotFoundError: No such file, or no description for it.
            DesignError: The description can't be used, or does not fit the region. Nothing has changed then.
            OverlayNotLoadedError: The overlay is not loaded.
        """
        if self.described:
            partial_region = find_region(self.design, partial_region)
        asked = {"rtl": rtl, "registers": registers}  # a hierarchy's own download may have PYNQ's signature
        more: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        self[partial_region].download(bitfile_name=partial_bit, dtbo=dtbo, program=program, **more)

    def _load_partial(
        self,
        path: str,
        name: str,
        dtbo: str | None,
        program: bool,
        rtl: Rtl,
        registers: Registers = None,
    ) -> tuple[PartialBitstream, Parser]:
        """Do what ``download`` of a region's hierarchy says; return the bitstream and what it describes."""
        if not self.described:
            raise UnsupportedByDeviceError(f"{path}: {self.bitfile_name} has no description, so no regions")
        region = find_region(self.design, path)
        if program:
            self._require_loaded(f"region {region}")
        running = self.device.design if self.is_loaded() else self.design
        folder = Path(self.bitfile_name).parent
        archive = self.description_file if is_archive(self.bitfile_name) else None
        image = PartialBitstream(
            name,
            region,
            running,
            dtbo,
            beside=folder,
            within=archive,
            device=self.device,
            rtl=rtl,
            registers=registers,
        )
        whole = image.whole  # everything that can be wrong with the files is found here
        if program:
            image._check_fit()
        held = self.device.region_trees
        trees = {path: held.pop(path) for path in list(held) if inside(path, region)}
        for tree in reversed(trees.values()):
            self.device.remove_device_tree(tree)
        if program:
            try:
                self.device.program(image)
            except BaseException as error:
                self._broken_off(region, running, trees, image, error)
                raise
        else:
            self._adopt(whole)
        self._failures.pop(region, None)
        self.pr_dict[region] = {"loaded": image.bitfile_name, "dtbo": dtbo}
        if image.dtbo:
            held[region] = image.dtbo
        return image, Parser(Views.of(image.design), SystemGraph(image))

    def _broken_off(
        self,
        region: str,
        running: Design,
        trees: dict[str, str],
        image: PartialBitstream,
        error: BaseException,
    ) -> None:
        """Note what a partial download that failed has left: what was there before, or nothing."""
        held = self.device.design
        if held is not None and held.partials.get(region) is running.partials.get(region):
            for path, tree in trees.items():
                self.device.insert_device_tree(tree)
                self.device.region_trees[path] = tree
        elif held is not None and region not in held.partials:
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self._failures[region] = (
                f"is empty, since loading {os.path.basename(image.bitfile_name)} failed ({why})"
            )

    def _state_of_region(self, path: str) -> str:
        """Say what a region holds, "" for what is none."""
        if not self.described or path not in regions(self.design):
            return ""
        held = self.design.partials.get(path)
        if held is not None:
            return f"holds {held.label}"
        return self._failures.get(path, "is empty: nothing was loaded into it")

    def _follow_regions(self) -> None:
        """Show what the device has in the regions of this design."""
        held = self.device.design
        if self.described and held is not None:
            self._adopt(held)

    def _adopt(self, design: Design) -> None:
        """Go on with another form of this design: other contents in its regions."""
        before, self._design = self.design, design
        changed = changes(before, design)
        for region in [region for region in self.pr_dict if any(inside(region, path) for path in changed)]:
            del self.pr_dict[region]
        follow(self.device)
        if not changed:
            return
        fresh = Views.of(design)
        now_there, there = reach(fresh), reach(self._views)
        outside = [path for path in there ^ now_there if not any(inside(path, one) for one in changed)]
        plan = bind_views(
            within(fresh, [*changed, *outside]),
            drivers.snapshot(),
            ignore_version=self.ignore_version,
            common={"device": self.device, "overlay": self},
        )
        reasons: dict[str, str] = {}
        for region in changed:
            old, new = (form.partials.get(region) for form in (before, design))
            now = f"{new.label} was loaded" if new else "it was emptied"
            was = f", which held {old.label}" if old else ""
            reasons[region] = (
                f"region {region}{was}, was reconfigured: {now}. Take the object from the overlay anew."
            )
        for path in outside:
            reasons[path] = f"what leads there changed with {', '.join(changed)}. Take the object anew."
        for follower in list(self._followers):
            path = follower.description.get("fullpath", "")
            for place, reason in reasons.items():
                if inside(path, place) and follower in self._followers:
                    self._followers.discard(follower)
                    follower._retire(f"{path}: {reason}")
        renew(self._views, fresh, changed)
        self.description["memories"] = self._memories()
        for region in changed:
            self._renew_node(region, reasons[region])
        for path in outside:
            self._drop(path)
        self.__doc__ = document(self.description, f"overlay {self.bitfile_name}", type(self))
        for note in plan.warnings:
            emit(note)

    def _renew_node(self, region: str, reason: str) -> None:
        """Let a region's hierarchy hand out its new contents; one with a driver of its own is made anew.

        What was handed out of the old contents says why it is of no use any more.
        """
        node, entry = self._held(region), self.hierarchy_dict[region]
        if isinstance(node, Node):
            node._drop(reason=reason)
        if type(node) is DefaultHierarchy and entry["driver"] is DefaultHierarchy:
            node.__doc__ = document(entry, f"hierarchy {region}", DefaultHierarchy)
        else:
            self._drop(region, reason)

    def _programmed(self) -> None:
        """Called by the device after each download: let what was handed out work, or refuse, accordingly."""
        if self.is_loaded():
            self._follow_regions()
        for follower in list(self._followers):
            follower._reopen()

    def _reconfigured(self) -> None:
        """Called by the device after each partial download. What is outside of the region is not touched."""
        if self.is_loaded():
            self._follow_regions()

    def _follow(self, ip: Any) -> None:
        """Keep the registers of an IP, or memory, in step with what is loaded."""
        self._followers.add(ip)

    def _memories(self) -> dict[str, dict[str, Any]]:
        found = memory_entries(self.mem_dict, self.design if self.described else None)
        for entry in found.values():
            entry.update(device=self.device, overlay=self)
        return found

    def _require_loaded(self, what: str) -> None:
        """Raise :class:`~pynq.errors.OverlayNotLoadedError`, naming ``what``, unless this is loaded."""
        if not self.is_loaded():
            raise OverlayNotLoadedError(f"{what}: {self._why_not_loaded()}")

    def _why_not_loaded(self) -> str:
        now = self.device.bitfile_name or "nothing"
        now = "the same bitstream, loaded anew by somebody else," if now == self.bitfile_name else now
        return f"{self._what()} is not loaded; {now} is in device {self.device.name!r}. Call its download()."

    def _what(self) -> str:
        name = self.__dict__.get("bitfile_name")
        return f"overlay {os.path.basename(name)}" if name else f"a half-built {type(self).__name__}"
