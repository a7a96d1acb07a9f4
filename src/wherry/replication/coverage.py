"""Which granules a checkpoint vouches for: the lists that travel, and the sets that they stand for.

A list may have as many runs as the filesystems have holes, so it's told as the difference to the checkpoint before and
put together when nobody waits for it.
"""

from collections.abc import Iterator, Mapping, Sequence

from wherry.replication.errors import ProofRefused, ProtocolViolated
from wherry.replication.granules import granule_count
from wherry.replication.granuleset import GranuleSet
from wherry.replication.messages import RUNS_PER_MESSAGE, Covered
from wherry.replication.proof import Runs, checked_runs


class CoveredSets(Mapping[int, Sequence[tuple[int, int]]]):
    """For each disk the runs of granules that a pass covers; they're made of the sets when somebody asks for them."""

    def __init__(self, sets: Mapping[int, GranuleSet]) -> None:
        self.sets = sets

    def __getitem__(self, index: int) -> Sequence[tuple[int, int]]:
        return self.sets[index].runs()

    def __iter__(self) -> Iterator[int]:
        return iter(self.sets)

    def __len__(self) -> int:
        return len(self.sets)


def as_sets(covered: Mapping[int, Runs], sizes: Mapping[int, int]) -> dict[int, GranuleSet]:
    """Return *covered* as sets, one for each disk of *sizes* (index, bytes)."""
    known: Mapping[int, GranuleSet] = covered.sets if isinstance(covered, CoveredSets) else {}
    return {
        index: known[index] if index in known else GranuleSet.of_runs(covered.get(index, ()), granule_count(size))
        for index, size in sizes.items()
    }


def messages(new: Mapping[int, GranuleSet], before: Mapping[int, GranuleSet] | None) -> Iterator[Covered]:
    """Yield the COVERED messages for *new*: whole lists, or the differences to *before*."""
    for index, chosen in new.items():
        runs = (chosen if before is None else chosen ^ before[index]).run_array().astype("<u8")
        for start in range(0, len(runs), RUNS_PER_MESSAGE):
            yield Covered(disk=index, runs=runs[start : start + RUNS_PER_MESSAGE].tobytes())


def check(covered: Mapping[int, Runs], sizes: Mapping[int, int]) -> None:
    """Raise ProtocolViolated unless a peer's lists are ascending, disjoint, and inside of disks of *sizes*."""
    for index, runs in covered.items():
        if index not in sizes:
            raise ProtocolViolated(reason=f"granules of disk {index}, which was not announced")
        try:
            checked_runs(runs, sizes[index])
        except ProofRefused as error:
            raise ProtocolViolated(reason=f"a commit's granules of disk {index}: {error.message}") from error


def after(
    before: Mapping[int, Runs], told: Mapping[int, Runs], sizes: Mapping[int, int], *, toggles: bool
) -> Mapping[int, Runs]:
    """Return what a checkpoint covers whose COMMIT told *told*, *before* being what the one before covered."""
    if not toggles:
        return told
    changed, old = as_sets(told, sizes), as_sets(before, sizes)
    return {index: (old[index] ^ changed[index]).runs() for index in sorted(sizes)}
