"""What a pass costs that has little to send: on a small and a large disk, and for how long it would freeze a server.

Part of `python -m bench`; needs root for loop devices.
"""

import argparse
import contextlib
import os
import random
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.identities import write_identities
from bench.processes import resident_bytes
from bench.wherry_copy import PLAIN, TASK, WherryCopy, write_dirty
from demo.mounting import attached
from wherry.disks.tracking.blocks import ALL
from wherry.replication.granules import GRANULE_SIZE, granule_count
from wherry.replication.granuleset import GranuleSet

GIB = 1 << 30
SIZES = (1, 16)
"""GiB of the two disks."""
CHANGES = (1, 8, 64)
"""MiB of granules that were written."""


class Disk:
    """A sparse disk of *size* bytes and its replica, over which passes run."""

    def __init__(self, folder: Path, device: Path, size: int) -> None:
        folder.mkdir()
        self._device = device
        self._size = size
        self._dirty = folder / "dirty"
        self.copy = WherryCopy(device, folder / "copy", PLAIN, folder / "identities", self._dirty)
        write_identities(folder / "identities", TASK)
        self.copy.empty()

    def change(self, mebibytes: int, seed: int) -> None:
        """Write to granules of the first GiB, anywhere, so that they differ."""
        generator = random.Random(seed)
        chosen = np.zeros(granule_count(self._size), dtype=np.bool_)
        with self._device.open("r+b") as device:
            for granule in generator.sample(range(GIB // GRANULE_SIZE), mebibytes * 16):
                chosen[granule] = True
                device.seek(granule * GRANULE_SIZE)
                device.write(generator.randbytes(GRANULE_SIZE))
        write_dirty(self._dirty, GranuleSet.of_mask(chosen), np.full(len(chosen), ALL, dtype=np.uint16))
        os.sync()


@contextlib.contextmanager
def disk_of(folder: Path, gibibytes: int) -> Iterator[Disk]:
    """Lend a disk of that size, copied once."""
    image = folder / f"{gibibytes}.raw"
    with image.open("wb") as file:
        file.truncate(gibibytes * GIB)
    with attached(image) as device:
        disk = Disk(folder / f"{gibibytes}", device, gibibytes * GIB)
        try:
            disk.copy.run()
            yield disk
        finally:
            disk.copy.end()


def add_options(options: argparse.ArgumentParser) -> None:
    """Declare what can be chosen on the command line."""
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--directory", type=Path, default=None)


def main(chosen: argparse.Namespace) -> None:
    """Run passes over both disks in turns and print the medians as Markdown."""
    times: dict[tuple[int, int], list[float]] = {(change, size): [] for change in CHANGES for size in SIZES}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=chosen.directory, prefix="wherry-bench-")))
        disks = {size: stack.enter_context(disk_of(folder, size)) for size in SIZES}
        for number in range(chosen.rounds):
            for (change, size), taken in times.items():
                disks[size].change(change, number)
                disks[size].copy.run()
                taken.append(disks[size].copy.frozen_ms)
        resident = {size: resident_bytes(disks[size].copy.source_pid) for size in SIZES}
    print(f"Milliseconds from the beginning of a tracked pass to COMMITTED, median (largest) of {chosen.rounds}:\n")
    small, large = SIZES
    print(f"| MiB of granules written | {small} GiB disk | {large} GiB disk | ratio |\n|---|---|---|---|")
    for change in CHANGES:
        one, other = (statistics.median(times[change, size]) for size in SIZES)
        worst = [max(times[change, size]) for size in SIZES]
        ratio = statistics.median(
            after / before for before, after in zip(times[change, small], times[change, large], strict=True)
        )
        print(f"| {change} | {one:.0f} ({worst[0]:.0f}) | {other:.0f} ({worst[1]:.0f}) | {ratio:.2f} |")
    held = ", ".join(f"{resident[size] / (1 << 20):.0f} MiB for {size} GiB" for size in SIZES)
    print(f"\nResident memory of the source's process after that: {held}.")
