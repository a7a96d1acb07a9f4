"""Pages of the ring buffer: two that a kernel wrote, and made-up ones with everything that may stand in a page."""

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.disks.tracking.ftrace import dropped_events
from wherry.disks.tracking.ringbuffer import (
    CompletionDecoder,
    EventFormat,
    Field,
    FormatUnknown,
    PageFormat,
    parse_event_format,
    parse_page_format,
)

HEADER_PAGE = """\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
"""
FORMAT = """name: block_rq_complete
ID: 2107
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:dev_t dev;\toffset:8;\tsize:4;\tsigned:0;
\tfield:sector_t sector;\toffset:16;\tsize:8;\tsigned:0;
\tfield:unsigned int nr_sector;\toffset:24;\tsize:4;\tsigned:0;
\tfield:int error;\toffset:28;\tsize:4;\tsigned:1;
\tfield:unsigned short ioprio;\toffset:32;\tsize:2;\tsigned:0;
\tfield:char rwbs[10];\toffset:34;\tsize:10;\tsigned:0;
\tfield:__data_loc char[] cmd;\toffset:44;\tsize:4;\tsigned:0;

print fmt: "%d,%d %s (%s) %llu + %u", REC->dev, REC->sector
"""
# As Linux 6.18 wrote them for 7,0: WS 40 + 128, then after a third of a second DS 2048 + 4096, then NS 8192 + 2048;
# and on the other CPU WS 16384 + 8.
FIRST = (
    "eNqbxnl1y1I2BoYNDBDAC8TWHAIMYmBeAZjUgMo1QGkWh/BgBgYFBrMdASsMGBjBYnF6xwOZcOhn4IBqFIDpd8HQn6uwmhtDnwIDin4WBz8M"
    "fQDCOxNN"
)
SECOND = "eNq7GPvx2FI2BgYLBgjgBWJrDgEGPjCvACLoAKE4oGpYHMKDGRgUGMx2BKwwYGAEiwEAYS8IFA=="
PAGE_FORMAT = parse_page_format(HEADER_PAGE)
EVENT_FORMAT = parse_event_format(FORMAT)
DISK = 7 << 20 | 3


def decoder() -> CompletionDecoder:
    return CompletionDecoder(PAGE_FORMAT, EVENT_FORMAT)


def recorded(text: str) -> memoryview:
    return memoryview(zlib.decompress(base64.b64decode(text)).ljust(4096, b"\0"))


def test_pages_that_a_kernel_wrote() -> None:
    found, missed = decoder().decode([recorded(FIRST), recorded(SECOND)])
    assert not missed
    assert len(found) == 4
    assert found.device.tolist() == [7 << 20] * 4
    assert found.sector.tolist() == [40, 2048, 8192, 16384]
    assert found.sectors.tolist() == [128, 4096, 2048, 8]
    assert found.discard.tolist() == [False, True, False, False]
    assert found.time_ns.tolist() == [7308773230998, 7309084541704, 7309090659339, 7309077077457]


def test_formats_are_read_and_not_assumed() -> None:
    assert (PAGE_FORMAT.length, PAGE_FORMAT.data_offset, PAGE_FORMAT.size) == (Field(8, 8), 16, 4096)
    assert EVENT_FORMAT.id == 2107
    assert EVENT_FORMAT.fields["rwbs"] == Field(34, 10)
    assert EVENT_FORMAT.fields["cmd"] == Field(44, 4)
    # A kernel with pages of 64 KiB and 32 bits a word of its own.
    other = HEADER_PAGE.replace("size:8;\tsigned:1", "size:4;\tsigned:1").replace("offset:16", "offset:12")
    assert parse_page_format(other.replace("4080", "65524")) == PageFormat(Field(8, 4), 12, 65536)


@pytest.mark.parametrize(
    ("page", "event"),
    [
        (HEADER_PAGE.replace("commit", "other"), FORMAT),
        (HEADER_PAGE.replace("u64 timestamp;\toffset:0", "u64 timestamp;\toffset:4"), FORMAT),
        (HEADER_PAGE, FORMAT.replace("ID: 2107", "")),
        (HEADER_PAGE, FORMAT.replace("sector_t sector", "sector_t place")),
        (HEADER_PAGE, FORMAT.replace("offset:16;\tsize:8", "offset:16;\tsize:4")),
        (HEADER_PAGE, ""),
    ],
)
def test_what_is_not_understood_is_refused(page: str, event: str) -> None:
    with pytest.raises(FormatUnknown):
        CompletionDecoder(parse_page_format(page), parse_event_format(event))


# --- made-up pages ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """An event to be written, and how long after the one before."""

    delta: int = 1
    sector: int = 0
    sectors: int = 8
    flags: bytes = b"WS"
    kind: int = 2107
    tail: int = 1
    """Bytes behind the fields."""


@dataclass(frozen=True)
class Padding:
    """An event that was thrown away again."""

    size: int = 52
    delta: int = 1


@dataclass(frozen=True)
class TimeStamp:
    """A time that stands for itself."""

    time: int


Item = Event | Padding | TimeStamp
SMALL_DELTA = 1 << 27


def encode(item: Item) -> bytes:
    if isinstance(item, TimeStamp):
        return struct.pack("<II", (item.time % SMALL_DELTA) << 5 | 31, item.time >> 27)
    before = b""
    delta = item.delta
    if delta >= SMALL_DELTA:
        before = struct.pack("<II", (delta % SMALL_DELTA) << 5 | 30, delta >> 27)
        delta = 0
    if isinstance(item, Padding):
        return before + struct.pack("<II", max(1, delta) << 5 | 29, item.size + 4) + bytes(item.size)
    record = struct.pack("<HBBi I4x Q I i H", item.kind, 0, 0, 4711, DISK, item.sector, item.sectors, 0, 0)
    record = record.ljust(34, b"\0") + item.flags.ljust(10, b"\0") + bytes(4 + item.tail)
    record = record.ljust(-(-len(record) // 4) * 4, b"\0")
    if len(record) > 28 * 4:
        return before + struct.pack("<II", delta << 5, len(record) + 4) + record
    return before + struct.pack("<I", delta << 5 | len(record) // 4) + record


def page_of(items: list[Item], started: int = 1000, flags: int = 0, ends_early: bool = False) -> memoryview:
    data = b"".join(map(encode, items))
    length = len(data)
    if ends_early:
        data += struct.pack("<I", 29)
        length = 4080
    assert length <= 4080
    return memoryview((struct.pack("<QQ", started, length | flags) + data).ljust(4096, b"\0"))


def expected_times(items: list[Item], now: int) -> list[int]:
    found = []
    for item in items:
        if isinstance(item, TimeStamp):
            now = item.time
            continue
        now += max(1, item.delta) if isinstance(item, Padding) and item.delta < SMALL_DELTA else item.delta
        if isinstance(item, Padding) and item.delta >= SMALL_DELTA:
            now += 1
        if isinstance(item, Event) and item.kind == 2107:
            found.append(now)
    return found


items = st.one_of(
    st.builds(
        Event,
        delta=st.one_of(st.integers(0, 1000), st.integers(0, 1 << 40)),
        sector=st.integers(0, 2**64 - 1),
        sectors=st.integers(1, 2**32 - 1),
        flags=st.sampled_from([b"W", b"WS", b"FWFS", b"D", b"DS", b"DE", b"FDS", b"N", b"NS"]),
        kind=st.sampled_from([2107, 2107, 2107, 9]),
        tail=st.sampled_from([1, 1, 1, 1, 5, 120]),
    ),
    st.builds(Padding, size=st.sampled_from([0, 4, 52]), delta=st.sampled_from([0, 7, SMALL_DELTA])),
    st.builds(TimeStamp, time=st.integers(0, 1 << 55)),
)


@given(st.lists(st.tuples(st.lists(items, max_size=16), st.booleans()), max_size=4))
def test_any_mixture_is_read_in_order(pages: list[tuple[list[Item], bool]]) -> None:
    found, missed = decoder().decode([page_of(content, ends_early=ends) for content, ends in pages])
    expected = [item for content, _ in pages for item in content if isinstance(item, Event) and item.kind == 2107]
    assert not missed
    assert found.sector.tolist() == [event.sector for event in expected]
    assert found.sectors.tolist() == [event.sectors for event in expected]
    assert found.discard.tolist() == [b"D" in event.flags for event in expected]
    assert set(found.device.tolist()) <= {DISK}
    assert found.time_ns.tolist() == [time for content, _ in pages for time in expected_times(content, 1000)]


def test_a_page_full_of_events() -> None:
    events: list[Item] = [Event(sector=number, delta=number) for number in range(72)]
    found, _ = decoder().decode([page_of(events)])
    assert found.sector.tolist() == list(range(72))
    assert found.time_ns.tolist() == [1000 + number * (number + 1) // 2 for number in range(72)]


def test_lost_events_are_told() -> None:
    for flags in (1 << 31, 1 << 31 | 1 << 30):
        found, missed = decoder().decode([page_of([Event()]), page_of([Event(sector=5)], flags=flags)])
        assert missed
        assert found.sector.tolist() == [0, 5]


@given(st.binary(min_size=16, max_size=400), st.integers(0, 2**32 - 1))
def test_rubbish_is_no_reason_to_fall(content: bytes, length: int) -> None:
    page = bytearray(content.ljust(4096, b"\0"))
    page[8:16] = struct.pack("<Q", length)
    found, _ = decoder().decode([memoryview(page)])
    assert len(found.sector) == len(found.time_ns)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<I", 1 << 5 | 30),  # a long time, and the page ends
        struct.pack("<II", 1 << 5, 3000) + bytes(60),  # longer than the page
        struct.pack("<II", 1 << 5, 2) + bytes(60),  # shorter than its own head
        struct.pack("<II", 1 << 5, 49) + bytes(60),  # no whole words
        struct.pack("<I", 1 << 5 | 13) + bytes(20),  # cut short
    ],
)
def test_a_page_that_makes_no_sense_counts_as_a_loss(data: bytes) -> None:
    page = struct.pack("<QQ", 1000, len(data)) + data
    _, missed = decoder().decode([memoryview(page.ljust(4096, b"\0"))])
    assert missed


def test_no_page_is_no_event() -> None:
    found, missed = decoder().decode([])
    assert (len(found), missed) == (0, False)
    assert found.sector.dtype == np.uint64


def test_a_decoder_wants_all_its_fields() -> None:
    with pytest.raises(FormatUnknown, match="dev"):
        CompletionDecoder(PAGE_FORMAT, EventFormat(1, {"common_type": Field(0, 2)}))


def test_what_a_ring_lost_by_its_own_count() -> None:
    stats = (
        "entries: 176094\noverrun: 2\ncommit overrun: 30\nbytes: 9978624\noldest event ts:  5456.243995\n"
        "now ts:  5457.852349\ndropped events: 400\nread events: 7\n"
    )
    assert dropped_events(stats) == 432
    assert dropped_events("entries: 0\n") == 0
