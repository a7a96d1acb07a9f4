"""The copying of a disk: all of it, and what changed since, by Wherry and its peers, over the same image.

Part of `python -m bench`.
"""

import argparse
import platform
import shutil
import tempfile
from pathlib import Path

from bench import image
from bench.peers import Copy, NbdCopy, QemuImg, RsyncInPlace, write_keys
from bench.race import Contestant, as_markdown, race, standings
from bench.wherry_copy import COMPRESSED, PLAIN, WherryCopy, write_identities
from wherry.process import run

CHANGED_SHARE = 0.01
REFERENCE = f"wherry, TLS, {PLAIN}"


class Field:
    """The directory of a race: the source, and for each contestant the place where its copy lies."""

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._size = size
        self._seed = 0
        self.source = directory / "source.raw"
        image.fill(self.source, size)
        write_keys(directory / "keys")
        write_identities(directory / "identities")
        self._targets: dict[str, Path] = {}
        self.contestants: list[Contestant] = [
            *(self._wherry(codec) for codec in (PLAIN, COMPRESSED)),
            *(self._peer(kind) for kind in (QemuImg, NbdCopy, RsyncInPlace)),
        ]

    def _wherry(self, codec: str) -> WherryCopy:
        contestant = WherryCopy(self.source, self._directory / f"wherry-{codec}", codec)
        self._targets[contestant.name] = contestant.directory / "disk-0.raw"
        return contestant

    def _peer(self, kind: type[QemuImg] | type[NbdCopy] | type[RsyncInPlace]) -> Contestant:
        target = self._directory / f"{kind.__name__}.raw"
        contestant = kind(Copy(self.source, target, self._directory / "keys"))
        self._targets[contestant.name] = target
        return contestant

    def empty(self, name: str) -> None:
        """Take the copy of the contestant called *name* away, so that it has to copy everything."""
        target = self._targets[name]
        if name.startswith("wherry"):
            shutil.rmtree(target.parent, ignore_errors=True)
            shutil.copytree(self._directory / "identities", target.parent)
            return
        with target.open("wb") as file:
            file.truncate(self._size)

    def change(self) -> None:
        """Change some of the source's blocks."""
        self._seed += 1
        image.change(self.source, CHANGED_SHARE, self._seed)

    def verify(self, name: str) -> None:
        """Compare the copy of *name* with the source by cmp. Raises ProgramFailed where they differ."""
        run(["cmp", str(self.source), str(self._targets[name])], timeout_s=600)


def add_options(options: argparse.ArgumentParser) -> None:
    """Declare what can be chosen on the command line."""
    options.add_argument("--size-mib", type=int, default=1024)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--directory", type=Path, default=None)


def main(chosen: argparse.Namespace) -> None:
    """Run both races and print the results as Markdown."""
    with tempfile.TemporaryDirectory(dir=chosen.directory, prefix="wherry-bench-") as place:
        field = Field(Path(place), chosen.size_mib << 20)
        print(f"{chosen.size_mib} MiB image without holes, {chosen.rounds} rounds, kernel {platform.release()}\n")
        everything = race(field.contestants, rounds=chosen.rounds, before_run=field.empty, verify=field.verify)
        print("Full copy:\n\n" + as_markdown(standings(everything, REFERENCE), REFERENCE), flush=True)
        changes = race(
            field.contestants,
            rounds=chosen.rounds,
            before_round=field.change,
            verify=field.verify,
        )
        percent = f"{CHANGED_SHARE:.0%}"
        print(f"{percent} of the blocks changed since:\n\n" + as_markdown(standings(changes, REFERENCE), REFERENCE))
