"""A tracker in a process of its own, so that tests can kill it: `python disks_tracker_process.py NAME FOLDER DEVICE`.

It says "tracking" once it has begun, then a line of JSON for each line that it reads: "cut" or "commit".
"""

import json
import os
import sys
from pathlib import Path

from tests.system.disks_tracking_rig import options
from wherry.disks.direct import device_size
from wherry.disks.tracking.tracker import TrackedDisk, Tracker


def main() -> None:
    name, folder, device = sys.argv[1:]
    descriptor = os.open(device, os.O_RDONLY)
    size = device_size(descriptor)
    os.close(descriptor)
    epoch = 0
    with Tracker(name, [TrackedDisk(0, Path(device).stat().st_rdev, size)], options(Path(folder))) as tracker:
        tracker.begin()
        say({"resumed": tracker.resumed})
        for line in sys.stdin:
            if line.strip() == "cut":
                cut = tracker.cut()
                epoch = cut.epoch
                say({"trusted": cut.trusted, "granules": int(cut.disks[0].granules.sum())})
            else:
                tracker.commit(epoch)
                say({"committed": epoch})


def say(words: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
