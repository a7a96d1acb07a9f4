"""The pages of the kernel's trace ring buffer, decoded into arrays of completed block requests.

A pure parser. Where fields lie is read from the kernel's own descriptions (`events/header_page` and the event's
`format`), never assumed. Only little-endian machines: the order of the bits in an event's header differs on others.
Sources: Linux include/linux/ring_buffer.h and kernel/trace/ring_buffer.c; include/trace/events/block.h.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_FIELD = re.compile(r"field:(?P<text>[^;]+);\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);")
_ID = re.compile(r"^ID:\s*(\d+)", re.MULTILINE)
_NAME = re.compile(r"(\w+)(?:\[[^\]]*\])?$")

_LENGTH_MASK = 0x3FFFFFFF
_MISSED = 0xC0000000
"""Flags in a page's length: events were lost before this page; their number is stored behind the events."""

# The five low bits of an event's header: the length of its data in words, or one of these.
_LENGTH_FOLLOWS, _PADDING, _TIME_EXTEND, _TIME_STAMP = 0, 29, 30, 31
_WITH_A_WORD = frozenset({_LENGTH_FOLLOWS, _PADDING, _TIME_EXTEND, _TIME_STAMP})
"""The headers after which a word belongs to the header."""
_TIME_SHIFT = 27
_TIME_MASK = (1 << 62) - 1

_DISCARD = ord("D")


class FormatUnknown(ValueError):
    """The kernel describes its events in a way that isn't understood."""


class _BrokenError(Exception):
    """The events of a page don't fit into it."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where a field lies in a record, and its size, in bytes."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class PageFormat:
    """Where a page of the ring has its parts. All in bytes."""

    length: Field
    """Where the length of the events is written."""
    data_offset: int
    size: int


@dataclass(frozen=True, slots=True)
class EventFormat:
    """An event's number and the fields of its records."""

    id: int
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Completions:
    """Completed requests in the order of one CPU's ring, one array an attribute."""

    device: npt.NDArray[np.uint32]
    """The disk's number in the kernel's own form: major << 20 | minor."""
    sector: npt.NDArray[np.uint64]
    """The first sector of 512 bytes on the disk."""
    sectors: npt.NDArray[np.uint32]
    discard: npt.NDArray[np.bool_]
    time_ns: npt.NDArray[np.int64]
    """By the clock of the ring."""

    def __len__(self) -> int:
        return len(self.device)


def parse_page_format(text: str) -> PageFormat:
    """Parse `events/header_page`. Raises FormatUnknown."""
    fields = _fields(text)
    try:
        length, data = fields["commit"], fields["data"]
        if fields["timestamp"] != Field(0, 8):
            raise FormatUnknown("a page of the ring doesn't begin with its time")
    except KeyError as error:
        raise FormatUnknown(f"pages of the ring have no field {error}") from error
    return PageFormat(length, data.offset, data.offset + data.size)


def parse_event_format(text: str) -> EventFormat:
    """Parse the `format` of an event. Raises FormatUnknown."""
    number = _ID.search(text)
    if number is None:
        raise FormatUnknown("an event without a number")
    return EventFormat(int(number[1]), _fields(text))


def _fields(text: str) -> dict[str, Field]:
    found = {}
    for match in _FIELD.finditer(text):
        name = _NAME.search(match["text"].strip())
        if name is not None:
            found[name[1]] = Field(int(match["offset"]), int(match["size"]))
    return found


class CompletionDecoder:
    """Decodes pages that hold events `block_rq_complete`; other events in them are skipped."""

    def __init__(self, page: PageFormat, event: EventFormat) -> None:
        """Raises FormatUnknown when a field that is needed isn't there."""
        wanted = {"common_type": 2, "dev": 4, "sector": 8, "nr_sector": 4, "rwbs": 2}
        for name, size in wanted.items():
            field = event.fields.get(name)
            if field is None or field.size < size or (name != "rwbs" and field.size != size):
                raise FormatUnknown(f"block_rq_complete has no field {name} of {size} bytes")
        self.page = page
        self._id = event.id
        fields = event.fields
        self._record = np.dtype(
            {
                "names": ["kind", "device", "sector", "sectors", "rwbs"],
                "formats": ["<u2", "<u4", "<u8", "<u4", ("u1", 2)],
                "offsets": [fields[name].offset for name in wanted],
            }
        )

    def decode(self, pages: Sequence[memoryview]) -> tuple[Completions, bool]:
        """Return the requests of *pages*, and whether some are missing: the ring says so, or a page can't be read."""
        runs: list[npt.NDArray[np.void]] = []
        times: list[npt.NDArray[np.int64]] = []
        missed = False
        for page in pages:
            length = int.from_bytes(page[self.page.length.offset :][: self.page.length.size], "little")
            missed |= bool(length & _MISSED)
            end = min(self.page.data_offset + (length & _LENGTH_MASK), len(page))
            try:
                for run, time in self._runs(page, end):
                    runs.append(run)
                    times.append(time)
            except _BrokenError:
                missed = True
        records = np.concatenate(runs) if runs else np.empty(0, self._record)
        time_ns = np.concatenate(times) if times else np.empty(0, np.int64)
        ours = records["kind"] == self._id
        if not ours.all():
            records, time_ns = records[ours], time_ns[ours]
        return (
            Completions(
                device=records["device"],
                sector=records["sector"],
                sectors=records["sectors"],
                # "F" for a flush before the write stands in front of the letter for the operation.
                discard=(records["rwbs"] == _DISCARD).any(axis=1),
                time_ns=time_ns,
            ),
            missed,
        )

    def _runs(self, page: memoryview, end: int) -> Iterator[tuple[npt.NDArray[np.void], npt.NDArray[np.int64]]]:
        """Yield the records of a page, and their times, in runs of records of one length. Raises _BrokenError."""
        words = np.frombuffer(page, dtype="<u4")
        now = int.from_bytes(page[:8], "little") & _TIME_MASK
        position = self.page.data_offset
        while position + 4 <= end:
            header = int(words[position // 4])
            kind, delta = header & 31, header >> 5
            if kind == _PADDING and delta == 0:
                return  # nothing more on this page
            if kind in _WITH_A_WORD and position + 8 > end:
                raise _BrokenError
            if kind in {_TIME_EXTEND, _TIME_STAMP}:
                extended = delta + (int(words[position // 4 + 1]) << _TIME_SHIFT)
                now = (now + extended if kind == _TIME_EXTEND else extended) & _TIME_MASK
                position += 8
                continue
            if kind in {_PADDING, _LENGTH_FOLLOWS}:
                count, at = 1, position + 8
                stride = 4 + int(words[position // 4 + 1])
            else:
                stride, at = 4 + 4 * kind, position + 4
                count = _run_length(words, position, stride, end, kind)
            if stride % 4 or at > position + stride or position + stride > end:
                raise _BrokenError
            time = now + np.cumsum(words[position // 4 :: stride // 4][:count] >> 5, dtype=np.int64)
            if kind != _PADDING and at + self._record.itemsize <= position + stride:
                yield np.ndarray((count,), self._record, page, at, (stride,)), time
            now = int(time[-1]) & _TIME_MASK
            position += count * stride


def _run_length(words: npt.NDArray[np.uint32], position: int, stride: int, end: int, kind: int) -> int:
    """Return how many events of the same length follow each other from *position* on."""
    most = (end - position) // stride
    headers = words[position // 4 :: stride // 4][:most]
    same = (headers & 31) == kind
    return max(1, len(same) if same.all() else int(same.argmin()))
