"""The BPF program that marks what was written on one disk, and the map that it marks in.

The map is an array of pages of 4096 bytes: a page of control, then one byte a granule, then one byte for each 128
granules ("coarse"), for requests that are too long to be marked finely. A mark is the value of the epoch that the
control page holds at that moment, so that nothing ever needs to be cleared. Marking a byte needs no atomic operation.

A discard may have several ranges, one a bio; each is marked for itself, finely when it's no longer than a granule, else
coarsely. (The event of the kernel's tracing tells of such a discard only where the first range begins.)

The program runs on the typed tracepoint `block_rq_complete`, before the kernel adds the request to the disk's
statistics. It takes the same things from a request as the event of the same name.
Sources: Linux include/trace/events/block.h, include/linux/blk_types.h (operations), Documentation/bpf/verifier.rst.
"""

from dataclasses import dataclass

from wherry.disks.tracking.bpf_assembly import (
    R0,
    R1,
    R2,
    R3,
    R6,
    R7,
    R8,
    R9,
    STACK,
    Assembly,
    Condition,
    Operation,
    Register,
    Width,
)
from wherry.disks.tracking.btf import TypeInformation, TypeUnknown

PAGE = 4096
COARSE_SHIFT = 7
"""A coarse mark stands for 2 ** 7 granules."""
LONGEST_FINE = 512
"""Granules of the longest request that is marked finely: the kernel's verifier follows every turn of a loop."""
_MOST_RANGES = 256
_MOST_TURNS = LONGEST_FINE + 8
"""A request has less than 4 GiB, which are 513 coarse marks at most for granules of 64 KiB."""

# The control page: bytes from its start. All but the epoch are counters of 64 bits.
EPOCH_AT = 0
SECTORS_AT = 8
REQUESTS_AT = 16
SCATTERED_AT = 24
"""Discards of several ranges that couldn't all be marked: too many, or one too long."""
BEYOND_AT = 32
"""Requests that ended behind the end of the disk as it was when tracking began."""
PASSTHROUGH_AT = 40
"""Commands that carried data to the disk past the block layer, so that nobody knows where."""

_READ, _DISCARD, _FIRST_PASSTHROUGH = 0, 3, 32
_OPERATION_MASK = 0xFF
_MAP_LOOKUP = 1

# On the stack:
_KEY, _CONTROL, _SECTORS, _SCATTERED, _RANGES, _LAST = -8, -16, -24, -32, -40, -48

TRACEPOINT = "block_rq_complete"


@dataclass(frozen=True, slots=True)
class MapShape:
    """The sizes of the map of one disk."""

    granules: int

    @property
    def coarse(self) -> int:
        """How many coarse marks there are."""
        return -(-self.granules >> COARSE_SHIFT) if self.granules else 0

    @property
    def fine_at(self) -> int:
        """First byte of the fine marks."""
        return PAGE

    @property
    def coarse_at(self) -> int:
        """First byte of the coarse marks."""
        return PAGE + -(-self.granules // PAGE) * PAGE

    @property
    def pages(self) -> int:
        """How many pages the map has."""
        return (self.coarse_at + self.coarse + PAGE - 1) // PAGE


@dataclass(frozen=True, slots=True)
class RequestOffsets:
    """Where the kernel keeps what the program needs of a request. Offsets in bytes."""

    sector: int
    flags: int
    first_bio: int
    last_bio: int
    to_disk: tuple[int, ...]
    """The way to the disk: from the request, and from what lies there."""
    major: int
    minor: int
    bio_next: int
    bio_sector: int
    bio_size: int


def request_offsets(types: TypeInformation) -> RequestOffsets:
    """Look the offsets up in the running kernel's types. Raises TypeUnknown."""
    taken = types.parameters(f"btf_trace_{TRACEPOINT}")
    if len(taken) != 4 or taken[1] != "request":
        raise TypeUnknown(f"{TRACEPOINT} hands over other things: {taken}")
    try:
        to_disk: tuple[int, ...] = (types.offset("request", "rq_disk"),)  # until Linux 5.16
    except TypeUnknown:
        to_disk = (types.offset("request", "q"), types.offset("request_queue", "disk"))
    return RequestOffsets(
        sector=types.offset("request", "__sector"),
        flags=types.offset("request", "cmd_flags"),
        first_bio=types.offset("request", "bio"),
        last_bio=types.offset("request", "biotail"),
        to_disk=to_disk,
        major=types.offset("gendisk", "major"),
        minor=types.offset("gendisk", "first_minor"),
        bio_next=types.offset("bio", "bi_next"),
        bio_sector=types.offset("bio", "bi_iter.bi_sector"),
        bio_size=types.offset("bio", "bi_iter.bi_size"),
    )


def marking_program(
    offsets: RequestOffsets, shape: MapShape, device: tuple[int, int], map_descriptor: int, granule_shift: int
) -> bytes:
    """Return the program for the disk with the numbers *device* (major, minor).

    A granule has 2 ** *granule_shift* sectors.
    """
    code = Assembly()
    _select(code, offsets, device)
    _open_control(code, map_descriptor)
    code.load(Width.DOUBLE, R1, STACK, _RANGES)
    code.jump("ranges", Condition.NOT_EQUAL, R1, 0)
    code.load(Width.DOUBLE, R6, R6, offsets.sector)
    _find_marks(code, shape, granule_shift)
    _mark(code, map_descriptor)
    code.label("ranges")
    _mark_ranges(code, offsets, shape, map_descriptor, granule_shift)
    code.label("counted")
    code.load(Width.DOUBLE, R8, STACK, _CONTROL)
    for place, offset in ((_SECTORS, SECTORS_AT), (_SCATTERED, SCATTERED_AT)):
        code.load(Width.DOUBLE, R1, STACK, place)
        code.add_atomically(R8, offset, R1)
    code.compute(Operation.MOVE, R1, 1)
    code.add_atomically(R8, REQUESTS_AT, R1)
    code.label("out")
    code.compute(Operation.MOVE, R0, 0)
    code.end()
    return code.assemble()


def _select(code: Assembly, offsets: RequestOffsets, device: tuple[int, int]) -> None:
    """Leave unless the request changed this disk. R6 becomes the request, R7 its sectors, R8 its operation."""
    code.load(Width.DOUBLE, R6, R1, 0)
    code.load(Width.DOUBLE, R7, R1, 16)
    code.compute(Operation.SHIFT_LEFT, R7, 32)
    code.compute(Operation.SHIFT_RIGHT, R7, 32 + 9)
    code.jump("out", Condition.EQUAL, R7, 0)
    code.load(Width.WORD, R8, R6, offsets.flags)
    code.compute(Operation.AND, R8, _OPERATION_MASK)
    code.jump("out", Condition.EQUAL, R8, _READ)
    code.compute(Operation.MOVE, R2, Register(R6))
    for offset in offsets.to_disk:
        code.load(Width.DOUBLE, R2, R2, offset)
    for offset, number in zip((offsets.major, offsets.minor), device, strict=True):
        code.load(Width.WORD, R3, R2, offset)
        code.jump("out", Condition.NOT_EQUAL, R3, number)
    code.store(Width.DOUBLE, STACK, _SECTORS, Register(R7))
    code.store(Width.DOUBLE, STACK, _SCATTERED, 0)
    code.store(Width.DOUBLE, STACK, _RANGES, 0)
    code.jump("one range", Condition.NOT_EQUAL, R8, _DISCARD)
    code.load(Width.DOUBLE, R2, R6, offsets.first_bio)
    code.load(Width.DOUBLE, R3, R6, offsets.last_bio)
    code.compute(Operation.SUBTRACT, R2, Register(R3))
    code.jump("one range", Condition.EQUAL, R2, 0)
    code.store(Width.DOUBLE, STACK, _RANGES, 1)
    code.label("one range")


def _open_control(code: Assembly, map_descriptor: int) -> None:
    """Look the control page up; passthrough commands end here. R9 becomes the epoch's value."""
    code.store(Width.WORD, STACK, _KEY, 0)
    _look_up(code, map_descriptor)
    code.store(Width.DOUBLE, STACK, _CONTROL, Register(R0))
    code.load(Width.BYTE, R9, R0, EPOCH_AT)
    code.jump("ordinary", Condition.LESS, R8, _FIRST_PASSTHROUGH)
    code.jump("outward", Condition.BITS_SET, R8, 1)
    code.jump("out")
    code.label("outward")
    code.compute(Operation.MOVE, R1, 1)
    code.add_atomically(R0, PASSTHROUGH_AT, R1)
    code.jump("out")
    code.label("ordinary")


def _find_marks(code: Assembly, shape: MapShape, granule_shift: int) -> None:
    """Make of sectors the first and the last byte to mark, R6 and R7, counted from the first fine mark."""
    code.compute(Operation.ADD, R7, Register(R6))
    code.compute(Operation.SUBTRACT, R7, 1)
    code.compute(Operation.SHIFT_RIGHT, R6, granule_shift)
    code.compute(Operation.SHIFT_RIGHT, R7, granule_shift)
    code.jump("inside", Condition.LESS, R7, shape.granules)
    code.load(Width.DOUBLE, R1, STACK, _CONTROL)
    code.compute(Operation.MOVE, R2, 1)
    code.add_atomically(R1, BEYOND_AT, R2)
    code.compute(Operation.MOVE, R7, shape.granules - 1)
    code.jump("counted", Condition.GREATER, R6, Register(R7))
    code.label("inside")
    code.compute(Operation.MOVE, R1, Register(R7))
    code.compute(Operation.SUBTRACT, R1, Register(R6))
    code.jump("mark", Condition.LESS, R1, LONGEST_FINE)
    for register in (R6, R7):
        code.compute(Operation.SHIFT_RIGHT, register, COARSE_SHIFT)
        code.compute(Operation.ADD, register, shape.coarse_at - PAGE)
    code.label("mark")


def _mark(code: Assembly, map_descriptor: int) -> None:
    """Write the epoch R9 into the bytes R6 to R7. R8 counts the turns, so that the verifier sees an end."""
    code.compute(Operation.MOVE, R8, 0)
    code.label("next")
    _mark_byte(code, map_descriptor, R6)
    code.jump("counted", Condition.AT_LEAST, R6, Register(R7))
    code.compute(Operation.ADD, R6, 1)
    code.compute(Operation.ADD, R8, 1)
    code.jump("next", Condition.LESS, R8, _MOST_TURNS)
    code.jump("counted")


def _mark_ranges(
    code: Assembly, offsets: RequestOffsets, shape: MapShape, map_descriptor: int, granule_shift: int
) -> None:
    """Write the epoch R9 into the bytes of each bio of the request R6. A range covers two bytes at most."""
    code.load(Width.DOUBLE, R6, R6, offsets.first_bio)
    code.compute(Operation.MOVE, R8, 0)
    code.label("next range")
    code.jump("counted", Condition.EQUAL, R6, 0)
    code.jump("unmarked", Condition.AT_LEAST, R8, _MOST_RANGES)
    code.load(Width.DOUBLE, R7, R6, offsets.bio_sector)
    code.load(Width.WORD, R1, R6, offsets.bio_size)
    code.compute(Operation.SHIFT_RIGHT, R1, 9)
    code.jump("ranged", Condition.EQUAL, R1, 0)
    code.compute(Operation.MOVE, R2, Register(R7))
    code.compute(Operation.ADD, R2, Register(R1))
    code.compute(Operation.SUBTRACT, R2, 1)
    code.jump("long range", Condition.GREATER, R1, 1 << granule_shift)
    for register in (R2, R7):
        code.compute(Operation.SHIFT_RIGHT, register, granule_shift)
    code.jump("unmarked", Condition.AT_LEAST, R2, shape.granules)
    code.jump("both ends")
    code.label("long range")
    coarse_shift = granule_shift + COARSE_SHIFT
    code.jump("unmarked", Condition.GREATER, R1, 1 << coarse_shift)
    for register in (R2, R7):
        code.compute(Operation.SHIFT_RIGHT, register, coarse_shift)
    code.jump("unmarked", Condition.AT_LEAST, R2, shape.coarse)
    for register in (R2, R7):
        code.compute(Operation.ADD, register, shape.coarse_at - PAGE)
    code.label("both ends")
    code.store(Width.DOUBLE, STACK, _LAST, Register(R2))
    _mark_byte(code, map_descriptor, R7)
    code.load(Width.DOUBLE, R7, STACK, _LAST)
    _mark_byte(code, map_descriptor, R7)
    code.label("ranged")
    code.load(Width.DOUBLE, R6, R6, offsets.bio_next)
    code.compute(Operation.ADD, R8, 1)
    code.jump("next range")
    code.label("unmarked")
    code.store(Width.DOUBLE, STACK, _SCATTERED, 1)


def _mark_byte(code: Assembly, map_descriptor: int, place: int) -> None:
    """Write the epoch R9 into the byte that register *place* counts from the first fine mark."""
    code.compute(Operation.MOVE, R1, Register(place))
    code.compute(Operation.SHIFT_RIGHT, R1, 12)
    code.compute(Operation.ADD, R1, 1)
    code.store(Width.WORD, STACK, _KEY, Register(R1))
    _look_up(code, map_descriptor)
    code.compute(Operation.MOVE, R1, Register(place))
    code.compute(Operation.AND, R1, PAGE - 1)
    code.compute(Operation.ADD, R0, Register(R1))
    code.store(Width.BYTE, R0, 0, Register(R9))


def _look_up(code: Assembly, map_descriptor: int) -> None:
    """Let R0 be the address of the page whose number lies on the stack."""
    code.load_map(R1, map_descriptor)
    code.compute(Operation.MOVE, R2, Register(STACK))
    code.compute(Operation.ADD, R2, _KEY)
    code.call(_MAP_LOOKUP)
    code.jump("out", Condition.EQUAL, R0, 0)
