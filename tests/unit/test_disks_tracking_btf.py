"""The kernel's description of its types, made up as pahole writes it."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.disks.tracking import btf
from wherry.disks.tracking.bpf_program import RequestOffsets, request_offsets
from wherry.disks.tracking.btf import TypeInformation, TypeUnknown

INT, POINTER, ARRAY, STRUCT, UNION, TYPEDEF, CONST, PROTOTYPE = 1, 2, 3, 4, 5, 8, 10, 13


class Types:
    """Collects types and writes them out."""

    def __init__(self) -> None:
        self._text = bytearray(b"\0")
        self._names = {"": 0}
        self._types: list[bytes] = []

    def name(self, text: str) -> int:
        if text not in self._names:
            self._names[text] = len(self._text)
            self._text += text.encode() + b"\0"
        return self._names[text]

    def add(self, kind: int, name: str, other: int, rest: bytes = b"", parts: int = 0, flag: int = 0) -> int:
        info = flag << 31 | kind << 24 | parts
        self._types.append(struct.pack("<III", self.name(name), info, other) + rest)
        return len(self._types)

    def structure(
        self, name: str, members: Sequence[tuple[str, int, int]], kind: int = STRUCT, *, bits: bool = False
    ) -> int:
        rest = b"".join(struct.pack("<III", self.name(member), number, place) for member, number, place in members)
        return self.add(kind, name, 64, rest, len(members), int(bits))

    def prototype(self, parameters: Sequence[int]) -> int:
        rest = b"".join(struct.pack("<II", 0, number) for number in parameters)
        return self.add(PROTOTYPE, "", 0, rest, len(parameters))

    @property
    def count(self) -> int:
        """The number of the type that was added last."""
        return len(self._types)

    def write(self) -> bytes:
        types = b"".join(self._types)
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(self._text))
        return head + types + bytes(self._text)


def kernel(*, old: bool = False, parameters: int = 4) -> bytes:
    """Describe what the program asks for: as Linux 6 has it, or with the disk in the request as before 5.17."""
    types = Types()
    word = types.add(INT, "unsigned int", 4, struct.pack("<I", 32))
    types.add(ARRAY, "", 0, struct.pack("<III", word, word, 4))
    void_pointer = types.add(POINTER, "", 0)
    gendisk = types.structure("gendisk", [("major", word, 0), ("first_minor", word, 32)])
    disk_pointer = types.add(POINTER, "", gendisk)
    queue = types.structure("request_queue", [("queuedata", void_pointer, 0), ("disk", disk_pointer, 832)])
    queue_pointer = types.add(POINTER, "", queue)
    types.structure("bvec_iter", [("bi_sector", word, 0), ("bi_size", word, 64)])
    types.structure("bio", [("bi_next", void_pointer, 0), ("bi_iter", types.count, 256)])
    inner = types.structure("", [("__data_len", word, 0), ("__sector", word, 32)])
    choice = types.structure("", [("", inner, 0), ("other", word, 0)], UNION)
    members = [("q", queue_pointer, 0), ("cmd_flags", word, 64), ("bio", void_pointer, 128)]
    members += [("biotail", void_pointer, 192), ("", choice, 256)]
    if old:
        members.append(("rq_disk", disk_pointer, 320))
    request = types.structure("request", members)
    constant = types.add(CONST, "", request)
    request_pointer = types.add(POINTER, "", constant)
    prototype = types.prototype([void_pointer, request_pointer, word, word][:parameters])
    types.add(TYPEDEF, "request", word)  # another kind of the same name
    types.add(TYPEDEF, "btf_trace_block_rq_complete", types.add(POINTER, "", prototype))
    return types.write()


def test_offsets_of_a_new_and_of_an_old_kernel() -> None:
    expected = RequestOffsets(
        sector=36,
        flags=8,
        first_bio=16,
        last_bio=24,
        to_disk=(0, 104),
        major=0,
        minor=4,
        bio_next=0,
        bio_sector=32,
        bio_size=40,
    )
    assert request_offsets(TypeInformation(kernel())) == expected
    assert request_offsets(TypeInformation(kernel(old=True))).to_disk == (40,)


def test_parameters_of_a_tracepoint() -> None:
    types = TypeInformation(kernel())
    assert types.parameters("btf_trace_block_rq_complete") == ["", "request", "", ""]
    with pytest.raises(TypeUnknown, match="hands over other things"):
        request_offsets(TypeInformation(kernel(parameters=3)))
    with pytest.raises(TypeUnknown, match="is no function"):
        types.parameters("request")


def test_members_along_a_path_and_bit_fields() -> None:
    types = Types()
    word = types.add(INT, "unsigned int", 4, struct.pack("<I", 32))
    inner = types.structure("bvec_iter", [("bi_sector", word, 0), ("bi_size", word, 64)])
    outer = types.structure("bio", [("flag", word, 3 << 24 | 5), ("bi_iter", inner, 1 << 24 | 256)], bits=True)
    found = TypeInformation(types.write())
    assert found.find(btf.STRUCT, "bio") == outer
    assert found.offset("bio", "bi_iter.bi_size") == 40
    with pytest.raises(TypeUnknown, match="begin at a byte"):
        found.offset("bio", "flag")
    with pytest.raises(TypeUnknown, match=r"no member bi_iter\.other"):
        found.offset("bio", "bi_iter.other")


def test_what_is_not_there_is_unknown() -> None:
    types = TypeInformation(kernel())
    for name in ("nowhere", "", "quest", "request\0"):
        with pytest.raises(TypeUnknown, match="no type"):
            types.find(STRUCT, name)
    with pytest.raises(TypeUnknown, match="no type gendisk"):
        types.find(UNION, "gendisk")


def test_another_format_is_refused() -> None:
    raw = kernel()
    for spoiled in (b"", raw[:20], b"\xeb\x9f" + raw[2:], raw[:2] + b"\2" + raw[3:], raw[:-1]):
        with pytest.raises(TypeUnknown, match="the description of the kernel's types"):
            TypeInformation(spoiled)
    types = Types()
    types.add(31, "later", 0)
    with pytest.raises(TypeUnknown, match="kind 31"):
        TypeInformation(types.write())


def test_a_type_that_names_itself_does_not_hang() -> None:
    types = Types()
    types.add(TYPEDEF, "btf_trace_x", 1)
    with pytest.raises(TypeUnknown, match="circles"):
        TypeInformation(types.write()).parameters("btf_trace_x")


@given(st.data())
def test_spoiled_descriptions_raise_nothing_else(data: st.DataObject) -> None:
    raw = bytearray(kernel())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        request_offsets(TypeInformation(bytes(raw)))
    except TypeUnknown:
        return
