"""Is the copy equal to the source? Judged by tools that Wherry didn't write: cmp, e2fsck, xfs_repair, diff, find."""

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from demo.errors import BytesDiffer
from demo.mounting import attached, mounted
from demo.source import Filesystem, Source
from demo.used import Range, total, used_ranges
from wherry.process import ProgramFailed, run

LISTING = r"%P\t%y\t%m\t%U:%G\t%n\t%s\t%T@\t%l\n"
SAY_IT_ALOUD = 'exec "$0" "$@" >&2'
"""The judges print their findings on standard output; failures of `run` show what came on standard error."""
PARTS = 2
LONGEST_RANGE = 64 << 20
CHECK_TIMEOUT_S = 300


@dataclass(slots=True)
class Verdict:
    """What was compared and what was found."""

    compared: int = 0
    """Bytes of the disk that cmp compared."""
    ranges: int = 0
    checks: list[str] = field(default_factory=list)
    """What was checked and found right."""
    findings: list[str] = field(default_factory=list)
    """What isn't as it should be, in words."""

    @property
    def equal(self) -> bool:
        """Tell whether everything that was checked is right."""
        return bool(self.checks) and not self.findings

    @contextlib.contextmanager
    def checking(self, subject: str) -> Iterator[None]:
        """Enter *subject* as right when the block ends, as a finding when a judge in it isn't content."""
        try:
            yield
        except (ProgramFailed, BytesDiffer) as failure:
            self.findings.append(f"{subject}: {failure.message}")
        else:
            self.checks.append(subject)


def ask(*judge: str) -> None:
    """Run a judging program. Raises ProgramFailed, with what it said, when it isn't content."""
    run(["sh", "-c", SAY_IT_ALOUD, *judge], timeout_s=CHECK_TIMEOUT_S)


def split_ranges(ranges: list[Range], longest: int) -> list[Range]:
    """Return *ranges* cut so that none is longer than *longest* bytes."""
    return [
        (position, min(position + longest, end)) for start, end in ranges for position in range(start, end, longest)
    ]


def compare_used(source: Source, copy: Path, verdict: Verdict) -> None:
    """Compare every used byte of the frozen picture and *copy* by cmp."""
    ranges = used_ranges(source.frozen_picture, source.size, source.filesystems)
    verdict.compared = total(ranges)
    verdict.ranges = len(ranges)
    if copy.stat().st_size != source.size:
        verdict.findings.append(f"size: the copy has {copy.stat().st_size} bytes, the source {source.size}")
        return

    with verdict.checking(f"cmp of {len(ranges)} used ranges"), ThreadPoolExecutor(PARTS) as pool:
        for _ in pool.map(partial(compare_range, source.frozen_picture, copy), split_ranges(ranges, LONGEST_RANGE)):
            pass


def compare_range(picture: Path, copy: Path, part: Range) -> None:
    """Compare one range of two disks by cmp. Raises BytesDiffer with the place on the disk."""
    start, end = part
    try:
        ask("cmp", f"--bytes={end - start}", f"--ignore-initial={start}", str(picture), str(copy))
    except ProgramFailed as failure:
        # cmp counts from 1, and from where it began.
        place = re.search(r"differ: byte (\d+)", failure.message)
        if place is None:
            raise
        raise BytesDiffer(offset=start + int(place[1]) - 1, start=start, end=end) from failure


def check_ext4(copy: Path, filesystem: Filesystem, verdict: Verdict) -> None:
    """Let e2fsck read the copy's ext4 filesystem; it must have nothing to mend."""
    with verdict.checking("e2fsck -fn of the copy's ext4"):
        ask("e2fsck", "-fn", f"{copy}?offset={filesystem.offset}")


def check_xfs(copy: Path, filesystem: Filesystem, verdict: Verdict) -> None:
    """Let xfs_repair read the xfs filesystem of *copy*, a clone whose log was replayed by a mount before."""
    with (
        verdict.checking("xfs_repair -n of the copy's xfs"),
        attached(copy, offset=filesystem.offset, size=filesystem.size) as device,
    ):
        ask("xfs_repair", "-n", str(device))


def compare_files(filesystem: Filesystem, images: Sequence[Path], work: Path, verdict: Verdict) -> None:
    """Mount *filesystem* of both *images* and compare file by file: content, owner, mode, links, times."""
    # Two mounts of what is the same filesystem to the kernel: xfs refuses equal UUIDs unless told not to.
    options = ["nouuid"] if filesystem.kind == "xfs" else ["ro", "noload"]
    with contextlib.ExitStack() as stack:
        trees = []
        for image in images:
            device = stack.enter_context(attached(image, offset=filesystem.offset, size=filesystem.size))
            mount_point = work / f"{image.stem}-{filesystem.kind}"
            trees.append(stack.enter_context(mounted(device, mount_point, options)))
        with verdict.checking(f"diff of every file on {filesystem.kind}"):
            ask("diff", "--recursive", "--no-dereference", "--brief", *map(str, trees))
        with verdict.checking(f"names, owners, modes and times on {filesystem.kind}"):
            _compare_listings(trees, work / f"listing-{filesystem.kind}")


def _compare_listings(trees: Sequence[Path], prefix: Path) -> None:
    listings = []
    for number, tree in enumerate(trees):
        listing = prefix.with_name(f"{prefix.name}.{number}")
        found = run(["find", str(tree), "-mindepth", "1", "-printf", LISTING], timeout_s=CHECK_TIMEOUT_S)
        listing.write_bytes(run(["sort"], stdin=found))
        listings.append(str(listing))
    ask("diff", *listings)


def check_proof(proof: bytes, disks: Mapping[str, Path], *, ca_file: Path, work: Path, verdict: Verdict) -> None:
    """Keep *proof* in a file and let `wherry verify` hold it against *disks*, whose keys say what each is."""
    path = work / "proof.json"
    path.write_text(json.dumps(json.loads(proof), indent=2) + "\n")
    wherry = Path(sys.executable).with_name("wherry")
    for name, disk in disks.items():
        with verdict.checking(f"wherry verify: the signed proof holds for {name}"):
            ask(str(wherry), "verify", str(path), str(disk), "--ca-file", str(ca_file))


def verify(source: Source, copy: Path, *, proof: bytes, ca_file: Path, work: Path) -> Verdict:
    """Compare *source* at the frozen point and *copy* by every means that our rights allow.

    *work* is a directory for the proof, for mount points and for listings.
    """
    verdict = Verdict()
    disks = {"the copy": copy, "the source at the frozen point": source.frozen_picture}
    check_proof(proof, disks, ca_file=ca_file, work=work, verdict=verdict)
    compare_used(source, copy, verdict)
    for filesystem in source.filesystems:
        if filesystem.kind == "ext4":
            check_ext4(copy, filesystem, verdict)
    if source.mount_points:
        compare_mounted(source, copy, work, verdict)
    return verdict


def compare_mounted(source: Source, copy: Path, work: Path, verdict: Verdict) -> None:
    """Compare files on clones: an xfs filesystem can't be looked into before a mount has replayed its log."""
    clones = [source.frozen_picture.with_name(f"{name}-clone.img") for name in ("frozen", "copy")]
    for original, clone in zip((source.frozen_picture, copy), clones, strict=True):
        run(["cp", "--reflink=always", str(original), str(clone)])
    for filesystem in source.filesystems:
        compare_files(filesystem, clones, work, verdict)
        if filesystem.kind == "xfs":
            check_xfs(clones[1], filesystem, verdict)
