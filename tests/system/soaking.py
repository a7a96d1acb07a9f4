"""Which seeds a run goes through, and where one that failed leaves what there is to see.

`WHERRY_SOAK_SEEDS` says how many seeds (1 without it), `WHERRY_SOAK_FIRST` the first of them.
"""

import os
import re
import subprocess
import time
from pathlib import Path

SOAKS = "WHERRY_SOAK_SEEDS" in os.environ
"""Whether this is a soak, where what failed is kept."""
COUNT = int(os.environ.get("WHERRY_SOAK_SEEDS", "1"))
FIRST = int(os.environ.get("WHERRY_SOAK_FIRST", "0"))
SEEDS = range(FIRST, FIRST + COUNT)
EVIDENCE = Path(__file__).parents[2] / "build" / "soak"


def keep_evidence(folder: Path, test: str) -> Path:
    """Copy what the test called *test* has in *folder*, mounts left out, and return where to."""
    place = EVIDENCE / f"{time.strftime('%Y%m%d-%H%M%S')}-{re.sub('[^A-Za-z0-9_.-]+', '-', test)}"
    place.mkdir(parents=True)
    subprocess.run(["cp", "-r", "--sparse=always", "--one-file-system", f"{folder}/.", str(place)], check=False)
    return place
