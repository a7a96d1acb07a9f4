"""What tracking costs the server: random writes to a disk with a tracker that watches it, and without, in turns.

Part of `python -m bench`; needs root for the loop device and the tracker, and fio.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from demo.mounting import attached
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.tracker import Tracker, TrackerOptions
from wherry.process import run

SIZE = 1 << 30


def add_options(options: argparse.ArgumentParser) -> None:
    """Declare what can be chosen on the command line."""
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--seconds", type=int, default=4, help="of each run of fio")
    options.add_argument("--directory", type=Path, default=None)


def main(chosen: argparse.Namespace) -> None:
    """Let fio write with and without a tracker, in turns, and print the medians as Markdown."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory(dir=chosen.directory, prefix="wherry-bench-") as place:
        image = Path(place, "disk.raw")
        image.write_bytes(bytes(SIZE))
        with attached(image) as device:
            _written(device, chosen.seconds)
            for number in range(chosen.rounds):
                # Who goes first takes turns too: a run leaves the machine in another state than it found it.
                for watched in (number % 2 == 0, number % 2 == 1):
                    with _tracker(device) if watched else contextlib.nullcontext():
                        rates[watched].append(_written(device, chosen.seconds))
    plain, tracked = (statistics.median(rates[key]) for key in (False, True))
    cost = statistics.median(1 - with_ / without for without, with_ in zip(rates[False], rates[True], strict=True))
    print(f"Random writes of 4 KiB, {chosen.rounds} rounds of {chosen.seconds} s each way:\n")
    print("| | writes a second |\n|---|---|")
    print(f"| without a tracker | {plain:.0f} |\n| with it | {tracked:.0f} |\n")
    print(f"Median of the cost within a round: {cost:.1%}.")


@contextlib.contextmanager
def _tracker(device: Path) -> Iterator[None]:
    memory = Path(tempfile.mkdtemp(prefix="wherry-bench-", dir="/dev/shm"))  # it can't lie on a disk
    disk = TrackedDisk(0, device.stat().st_rdev, SIZE)
    try:
        with Tracker(f"bench-{os.getpid()}", [disk], TrackerOptions(folder=memory / "tracker")) as tracker:
            tracker.begin()
            yield
            tracker.discard()
    finally:
        shutil.rmtree(memory, ignore_errors=True)


def _written(device: Path, seconds: int) -> float:
    """Return the writes a second that fio reaches."""
    output = run(
        [
            "fio", "--name=writes", f"--filename={device}", "--rw=randwrite", "--bs=4k", "--direct=1", "--iodepth=16",
            "--ioengine=libaio", "--time_based", f"--runtime={seconds}", "--output-format=json",
        ],
        timeout_s=seconds + 60,
    )  # fmt: skip
    return float(json.loads(output)["jobs"][0]["write"]["iops"])
