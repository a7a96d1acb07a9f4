"""How big the demonstration is: the full one and the small one for tests."""

from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes in bytes, rates in bytes a second unless the name says otherwise."""

    disk: int
    """The source disk."""
    ext4: int
    """Its first partition; the second one, xfs, takes the rest."""
    files: int
    """Real files out of /usr, shared by the filesystems."""
    noise: int
    """Incompressible files, shared by the filesystems."""
    writer_rate: int
    """What the writer writes on both filesystems together."""
    writer_room: int
    """The most that the writer's files may take on one filesystem."""
    burst: int
    """What the writer adds at one stroke on each filesystem, so that a pass lasts long enough to be struck."""
    chaos_mbit: int
    """Speed limit of the task in Mbit/s while services are killed."""
    lab: int
    """The (sparse) filesystem that holds the source, its frozen picture and the copy."""

    @property
    def needed(self) -> int:
        """Return the free bytes that a run takes at the most: source, copy, changes, redo log, marks."""
        return 3 * (self.files + self.noise) + 6 * self.writer_room + 6 * self.burst + 256 * MIB


FULL = Scale(
    disk=2 * GIB,
    ext4=960 * MIB,
    files=420 * MIB,
    noise=128 * MIB,
    writer_rate=6 * MIB,
    writer_room=64 * MIB,
    burst=80 * MIB,
    chaos_mbit=400,
    lab=12 * GIB,
)
SMALL = Scale(
    disk=512 * MIB,
    ext4=160 * MIB,
    files=40 * MIB,
    noise=16 * MIB,
    writer_rate=2 * MIB,
    writer_room=10 * MIB,
    burst=16 * MIB,
    chaos_mbit=80,
    lab=4 * GIB,
)
