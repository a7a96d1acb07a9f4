"""The copying of a disk: all of it, and what changed since, by Wherry and its peers, over the same disk.

Part of `python -m bench`; needs root for the loop device, the tracker and a network namespace.
"""

import argparse
import contextlib
import functools
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench import loopback
from bench.identities import write_identities, write_keys
from bench.image import SourceDisk, source_disk
from bench.peers import DdZstd, NbdCopy, PartcloneZstd, QemuImg, RsyncInPlace, RsyncTree
from bench.race import Contestant, Lap, as_markdown, race, standings
from bench.wherry_copy import COMPRESSED, PLAIN, TASK, WherryCopy, write_dirty
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.tracker import Tracker, TrackerOptions
from wherry.replication.granuleset import GranuleSet

CHANGED_SHARE = 0.01
REFERENCE = f"wherry, TLS, {PLAIN}"
PEERS = (QemuImg, NbdCopy, RsyncInPlace, RsyncTree, DdZstd, PartcloneZstd)


class Field:
    """Where a race takes place: the disk, a tracker that watches it, the contestants."""

    def __init__(self, folder: Path, source: SourceDisk, tracker: Tracker) -> None:
        self._source = source
        self._tracker = tracker
        self._dirty = folder / "dirty"
        self._seed = 0
        write_keys(folder / "keys")
        write_identities(folder / "identities", TASK)
        self.wherry = [
            WherryCopy(source.device, folder / f"wherry-{codec}", codec, folder / "identities", self._dirty)
            for codec in (PLAIN, COMPRESSED)
        ]
        self.contestants: list[Contestant] = [*self.wherry, *(peer(source, folder) for peer in PEERS)]

    def empty(self, contestant: Contestant) -> None:
        """Make *contestant* copy all of it."""
        self._source.forget()
        contestant.empty()

    def change(self, *, clustered: bool) -> None:
        """Change some of the disk's blocks, and ask the tracker which. Raises RuntimeError where it isn't sure."""
        self._seed += 1
        before = self._tracker.cut()
        self._tracker.commit(before.epoch)
        self._source.change(CHANGED_SHARE, self._seed, clustered=clustered)
        os.sync()
        cut = self._tracker.drain()
        if not cut.trusted:
            raise RuntimeError(cut.disks[0].reason)
        granules = GranuleSet.of_mask(cut.granules[0])
        print(f"{len(granules) / 16:.0f} MiB of granules were written.", flush=True)
        masks = cut.blocks[0].of(np.arange(granules.count))
        write_dirty(self._dirty, granules, masks)

    def end(self) -> None:
        """End whoever still runs."""
        for contestant in self.contestants:
            contestant.end()


@contextlib.contextmanager
def field_in(folder: Path, size: int) -> Iterator[Field]:
    """Lend a field with a disk of *size* bytes."""
    memory = Path(tempfile.mkdtemp(prefix="wherry-bench-", dir="/dev/shm"))  # a tracker's memory can't lie on a disk
    try:
        with source_disk(folder, size) as source:
            disk = TrackedDisk(0, source.device.stat().st_rdev, size)
            with Tracker(f"bench-{os.getpid()}", [disk], TrackerOptions(folder=memory / "tracker")) as tracker:
                tracker.begin()
                field = Field(folder, source, tracker)
                try:
                    yield field
                finally:
                    field.end()
                    tracker.discard()
    finally:
        shutil.rmtree(memory, ignore_errors=True)


def add_options(options: argparse.ArgumentParser) -> None:
    """Declare what can be chosen on the command line."""
    options.add_argument("--size-mib", type=int, default=4096)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--directory", type=Path, default=None)
    options.add_argument("--only", default="", help="run only contestants with one of these words in their names")


def main(chosen: argparse.Namespace) -> None:
    """Run the races and print the results as Markdown."""
    loopback.enter()
    with (
        tempfile.TemporaryDirectory(dir=chosen.directory, prefix="wherry-bench-") as place,
        field_in(Path(place), chosen.size_mib << 20) as field,
    ):
        print(f"{chosen.size_mib} MiB disk without holes, {chosen.rounds} rounds, kernel {platform.release()}\n")
        words = chosen.only.split(",")
        running = [each for each in field.contestants if any(word in each.name for word in words)]
        print("Full copy:\n\n" + _raced(race(running, rounds=chosen.rounds, before_run=field.empty)), flush=True)
        for clustered, text in ((False, "one by one"), (True, "in stretches of 256 KiB")):
            change = functools.partial(field.change, clustered=clustered)
            laps = race(running, rounds=chosen.rounds, before_round=change)
            print(f"\n{CHANGED_SHARE:.0%} of the blocks changed since, {text}:\n\n" + _raced(laps), flush=True)


def _raced(laps: Mapping[str, Sequence[Lap]]) -> str:
    return as_markdown(standings(laps, REFERENCE), REFERENCE)
