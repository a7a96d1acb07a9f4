"""The assembler against the instruction set's encoding; the marking program, run by a small interpreter."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.disks.tracking import bpf_program
from wherry.disks.tracking.bpf_assembly import (
    R0,
    R1,
    R2,
    R6,
    R9,
    STACK,
    Assembly,
    AssemblyRefused,
    Condition,
    Operation,
    Register,
    Width,
)
from wherry.disks.tracking.bpf_program import PAGE, MapShape, RequestOffsets, marking_program
from wherry.disks.tracking.marks import value_of

GIB = 1 << 30
Run = tuple[int, int]


def test_instructions_are_encoded_as_the_standard_says() -> None:
    code = Assembly()
    code.compute(Operation.MOVE, R6, Register(R1))
    code.compute(Operation.ADD, R2, -8)
    code.compute(Operation.SHIFT_RIGHT, R9, 7)
    code.load(Width.DOUBLE, R1, R6, 16)
    code.load(Width.BYTE, R1, R6, 0)
    code.store(Width.WORD, STACK, -8, 5)
    code.store(Width.BYTE, R0, 0, Register(R9))
    code.add_atomically(R0, 24, R1)
    code.load_map(R1, 3)
    code.call(1)
    code.end()
    assert code.assemble().hex(" ", 8).split() == [
        "bf16000000000000",
        "07020000f8ffffff",
        "7709000007000000",
        "7961100000000000",
        "7161000000000000",
        "620af8ff05000000",
        "7390000000000000",
        "db10180000000000",
        "1811000003000000",
        "0000000000000000",
        "8500000001000000",
        "9500000000000000",
    ]


def test_jumps_find_their_labels_forwards_and_backwards() -> None:
    code = Assembly()
    code.label("top")
    code.jump("end", Condition.EQUAL, R0, 0)
    code.jump("top", Condition.LESS, R1, Register(R2))
    code.jump("end")
    code.label("end")
    code.end()
    lines = [code.assemble()[place : place + 8] for place in range(0, 32, 8)]
    assert [line[0] for line in lines] == [0x15, 0xAD, 0x05, 0x95]
    assert [struct.unpack_from("<h", line, 2)[0] for line in lines] == [2, -2, 0, 0]


def test_what_cannot_be_written_is_refused() -> None:
    code = Assembly()
    code.jump("nowhere")
    with pytest.raises(AssemblyRefused, match="no label nowhere"):
        code.assemble()
    code.label("nowhere")
    with pytest.raises(AssemblyRefused, match="stands twice"):
        code.label("nowhere")
    code.compute(Operation.MOVE, R0, 1 << 32)
    with pytest.raises(AssemblyRefused, match="instruction 1 doesn't fit"):
        code.assemble()
    with pytest.raises(AssemblyRefused, match="stack"):
        code.store(Width.DOUBLE, STACK, 8, 0)


# --- an interpreter --------------------------------------------------------------------------------------------------

_MASK = 2**64 - 1
_SIZES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
CONTEXT, REQUEST, QUEUE, GENDISK, STACK_END, MAP, BIOS = (number << 32 for number in range(1, 8))
MAP_DESCRIPTOR = 77


@dataclass
class Machine:
    """Runs a program over made-up memory, strictly: any access outside of it is an error."""

    memory: dict[int, bytearray]
    shape: MapShape
    turns: int = 0
    registers: list[int] = field(default_factory=lambda: [0] * 11)

    def run(self, code: bytes) -> int:
        lines = [struct.unpack_from("<BBhi", code, place) for place in range(0, len(code), 8)]
        self.registers[R1], self.registers[STACK] = CONTEXT, STACK_END + 512
        place = 0
        while True:
            self.turns += 1
            assert self.turns < 100_000, "it doesn't end"
            operation, registers, offset, number = lines[place]
            place += 1
            if operation == 0x95:
                return self.registers[R0]
            place += self.step(operation, registers & 15, registers >> 4, offset, number)

    def step(self, operation: int, target: int, source: int, offset: int, number: int) -> int:
        """Do one instruction and return by how many further ones to jump."""
        kind, registers = operation & 7, self.registers
        if operation == 0x85:
            assert number == 1
            self.look_up()
        elif operation == 0x18:
            assert (source, number) == (1, MAP_DESCRIPTOR)
            registers[target] = MAP_DESCRIPTOR
            return 1
        elif kind == 7:
            value = registers[source] if operation & 8 else number
            registers[target] = compute(operation & 0xF0, registers[target], value) & _MASK
        elif kind == 5:
            right = registers[source] if operation & 8 else number & _MASK
            return offset if holds(operation & 0xF0, registers[target], right) else 0
        elif kind == 1:
            size = _SIZES[operation & 0x18]
            registers[target] = int.from_bytes(self.at(registers[source] + offset, size), "little")
        elif operation == 0xDB:
            view = self.at(registers[target] + offset, 8)
            total = int.from_bytes(view, "little") + registers[source]
            view[:] = (total & _MASK).to_bytes(8, "little")
        else:
            size = _SIZES[operation & 0x18]
            value = registers[source] if kind == 3 else number
            self.at(registers[target] + offset, size)[:] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        return 0

    def look_up(self) -> None:
        assert self.registers[R1] == MAP_DESCRIPTOR
        key = int.from_bytes(self.at(self.registers[R2], 4), "little")
        self.registers = [MAP + key * PAGE if key < self.shape.pages else 0, *[0xDEAD] * 5, *self.registers[6:]]

    def at(self, address: int, size: int) -> memoryview:
        base = address >> 32 << 32
        offset = address - base
        assert base in self.memory, f"a wild address: {address:#x}"
        assert offset + size <= len(self.memory[base]), f"behind the end: {address:#x}"
        return memoryview(self.memory[base])[offset : offset + size]


def compute(operation: int, left: int, right: int) -> int:
    match operation:
        case 0x00:
            return left + right
        case 0x10:
            return left - right
        case 0x50:
            return left & right
        case 0x60:
            return left << right
        case 0x70:
            return left >> right
        case 0xB0:
            return right
    raise AssertionError(hex(operation))


def holds(condition: int, left: int, right: int) -> bool:
    match condition:
        case 0x00:
            return True
        case 0x10:
            return left == right
        case 0x20:
            return left > right
        case 0x30:
            return left >= right
        case 0x40:
            return bool(left & right)
        case 0x50:
            return left != right
        case 0xA0:
            return left < right
    raise AssertionError(hex(condition))


OFFSETS = RequestOffsets(
    sector=48,
    flags=24,
    first_bio=56,
    last_bio=64,
    to_disk=(0, 104),
    major=0,
    minor=4,
    bio_next=0,
    bio_sector=32,
    bio_size=40,
)
BIO_SIZE = 64
EPOCH = 9


class Disk:
    """A disk that the program watches; complete requests on it."""

    def __init__(self, granules: int, device: tuple[int, int] = (259, 70000)) -> None:
        self.shape = MapShape(granules)
        self.map = bytearray(self.shape.pages * PAGE)
        self.map[bpf_program.EPOCH_AT] = value_of(EPOCH)
        self.code = marking_program(OFFSETS, self.shape, device, MAP_DESCRIPTOR, 7)
        self.device = device

    def complete(
        self, sector: int, sectors: int, operation: int = 1, *, other: int = 0, ranges: Sequence[Run] = ()
    ) -> None:
        """Complete a request; *ranges* are those of its bios, (sector, sectors), one bio with all when not given."""
        request, queue, gendisk = bytearray(72), bytearray(112), bytearray(8)
        bios = bytearray()
        for number, (start, length) in enumerate(ranges or [(sector, sectors)]):
            following = BIOS + BIO_SIZE * (number + 1) if number + 1 < len(ranges) else 0
            bios += struct.pack("<Q24xQI20x", following, start % 2**64, length * 512)
        struct.pack_into("<Q", request, 0, QUEUE)
        struct.pack_into("<I", request, 24, operation | 0x8800)
        struct.pack_into("<QQQ", request, 48, sector, BIOS, BIOS + len(bios) - BIO_SIZE)
        struct.pack_into("<Q", queue, 104, GENDISK)
        struct.pack_into("<ii", gendisk, 0, self.device[0], self.device[1] + other)
        context = bytearray(struct.pack("<QQQ", REQUEST, 0, (0xABCD << 32) | sectors * 512))
        parts = {CONTEXT: context, REQUEST: request, QUEUE: queue, GENDISK: gendisk, BIOS: bios}
        machine = Machine({**parts, STACK_END: bytearray(512), MAP: self.map}, self.shape)
        assert machine.run(self.code) == 0

    @property
    def fine(self) -> list[int]:
        return marked(self.map[self.shape.fine_at : self.shape.fine_at + self.shape.granules])

    @property
    def coarse(self) -> list[int]:
        return marked(self.map[self.shape.coarse_at : self.shape.coarse_at + self.shape.coarse])

    def counter(self, place: int) -> int:
        return int(struct.unpack_from("<Q", self.map, place)[0])


def marked(marks: bytearray) -> list[int]:
    assert set(marks) <= {0, value_of(EPOCH)}
    return [number for number, mark in enumerate(marks) if mark]


@given(st.integers(0, 70_000 * 128 - 1), st.integers(1, 8_388_607), st.sampled_from([1, 3, 5, 9]))
def test_every_granule_of_a_request_is_marked(sector: int, sectors: int, operation: int) -> None:
    disk = Disk(70_000)
    sectors = min(sectors, 70_000 * 128 - sector)
    disk.complete(sector, sectors, operation)
    first, last = sector // 128, (sector + sectors - 1) // 128
    if last - first < bpf_program.LONGEST_FINE:
        assert (disk.fine, disk.coarse) == (list(range(first, last + 1)), [])
    else:
        assert (disk.fine, disk.coarse) == ([], list(range(first // 128, last // 128 + 1)))
    assert disk.counter(bpf_program.SECTORS_AT) == sectors
    assert disk.counter(bpf_program.REQUESTS_AT) == 1
    assert disk.counter(bpf_program.BEYOND_AT) == 0


def test_the_longest_request_is_marked_to_its_end() -> None:
    disk = Disk(4 * GIB // 65536 + 300)
    disk.complete(127, (4 * GIB - 512) // 512, 3)
    assert disk.coarse == list(range(513))


def test_requests_add_up() -> None:
    disk = Disk(1000)
    disk.complete(0, 8)
    disk.complete(128 * 999, 128)
    assert (disk.fine, disk.counter(bpf_program.SECTORS_AT)) == ([0, 999], 136)


def test_reads_empty_requests_and_other_disks_count_for_nothing() -> None:
    disk = Disk(1000)
    before = bytes(disk.map)
    disk.complete(0, 8, operation=0)
    disk.complete(0, 0)
    disk.complete(0, 8, other=1)
    assert disk.map == before


def test_what_lies_behind_the_end_is_counted_and_the_rest_marked() -> None:
    disk = Disk(10)
    disk.complete(9 * 128, 256)
    disk.complete(20 * 128, 8)
    assert (disk.fine, disk.counter(bpf_program.BEYOND_AT)) == ([9], 2)
    assert disk.counter(bpf_program.SECTORS_AT) == 264


def discard(disk: Disk, ranges: Sequence[Run]) -> None:
    disk.complete(ranges[0][0], sum(length for _, length in ranges), 3, ranges=ranges)


@given(st.lists(st.tuples(st.integers(0, 4000 * 128), st.integers(1, 16384)), min_size=2, max_size=20))
def test_each_range_of_a_discard_is_marked(ranges: list[Run]) -> None:
    disk = Disk(70_000)
    discard(disk, ranges)
    short = {place for start, length in ranges if length <= 128 for place in granules(start, length)}
    long = {place // 128 for start, length in ranges if length > 128 for place in granules(start, length)}
    assert (disk.fine, disk.coarse) == (sorted(short), sorted(long))
    assert disk.counter(bpf_program.SCATTERED_AT) == 0
    assert disk.counter(bpf_program.SECTORS_AT) == sum(length for _, length in ranges)


def granules(sector: int, sectors: int) -> range:
    return range(sector // 128, (sector + sectors - 1) // 128 + 1)


@pytest.mark.parametrize(
    ("ranges", "scattered"),
    [
        ([(128 * number, 8) for number in range(256)], 0),
        ([(128 * number, 8) for number in range(257)], 1),
        ([(0, 8), (128, 16385)], 1),
        ([(0, 8), (128 * 999, 8)], 0),
        ([(0, 8), (128 * 1000, 8)], 1),
        ([(0, 8), (16384 * 7, 16384)], 0),
        ([(0, 8), (16384 * 8, 16384)], 1),
        ([(0, 8), (77, 0), (256, 8)], 0),
    ],
)
def test_discards_that_cannot_be_marked_whole_are_counted(ranges: list[Run], scattered: int) -> None:
    disk = Disk(1000)
    discard(disk, ranges)
    assert disk.counter(bpf_program.SCATTERED_AT) == scattered
    assert disk.fine[0] == 0
    assert disk.counter(bpf_program.SECTORS_AT) == sum(length for _, length in ranges)


def test_a_write_of_several_bios_is_one_range() -> None:
    disk = Disk(100)
    disk.complete(0, 256, 1, ranges=[(0, 128), (128, 128)])
    assert disk.fine == [0, 1]
    disk = Disk(100)
    disk.complete(0, 256, 3)
    assert (disk.fine, disk.counter(bpf_program.SCATTERED_AT)) == ([0, 1], 0)


@pytest.mark.parametrize(("operation", "outward"), [(34, 0), (35, 1), (32, 0), (33, 1)])
def test_commands_past_the_block_layer_are_counted_and_mark_nothing(operation: int, outward: int) -> None:
    disk = Disk(100)
    disk.complete(2**64 - 1, 1, operation)
    assert disk.counter(bpf_program.PASSTHROUGH_AT) == outward
    assert (disk.fine, disk.counter(bpf_program.SECTORS_AT)) == ([], 0)


@pytest.mark.parametrize(
    ("granules", "coarse", "pages"), [(1, 1, 3), (4096, 32, 3), (4097, 33, 4), (1 << 24, 1 << 17, 1 + 4096 + 32)]
)
def test_sizes_of_the_map(granules: int, coarse: int, pages: int) -> None:
    shape = MapShape(granules)
    assert (shape.coarse, shape.pages) == (coarse, pages)
    assert shape.coarse_at % PAGE == 0
    assert shape.coarse_at >= shape.fine_at + granules
