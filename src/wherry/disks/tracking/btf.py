"""The kernel's description of its own types (BTF): at which offset a member of a structure lies on this kernel.

A pure parser, for the few questions that a BPF program needs answered. Source: Linux Documentation/bpf/btf.rst.
"""

import struct
from array import array
from collections.abc import Iterator

_MAGIC = 0xEB9F
_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_MEMBER = struct.Struct("<III")
_PARAMETER = struct.Struct("<II")

POINTER, STRUCT, UNION, TYPEDEF, PROTOTYPE = 2, 4, 5, 8, 13
_QUALIFIERS = frozenset({TYPEDEF, 9, 10, 11, 18})
"""Kinds that only name or qualify another type: typedef, volatile, const, restrict, type tag."""

# What follows the head of a type, by its kind: bytes once, and bytes for each of its parts.
_ONCE = {1: 4, 3: 12, 14: 4, 17: 4}
_EACH = {STRUCT: 12, UNION: 12, 6: 8, PROTOTYPE: 8, 15: 12, 19: 12}
_LAST_KIND = 19
_LONGEST_NAME = 128


class TypeUnknown(ValueError):
    """The kernel doesn't describe a type or a member, or describes it in a way that isn't understood."""


class TypeInformation:
    """The types of one kernel."""

    def __init__(self, raw: bytes) -> None:
        """Parse the content of /sys/kernel/btf/vmlinux. Raises TypeUnknown when it isn't one."""
        try:
            magic, version, _, header_size, type_at, type_size, text_at, text_size = _HEADER.unpack_from(raw)
        except struct.error as error:
            raise TypeUnknown("the description of the kernel's types is cut short") from error
        if (magic, version) != (_MAGIC, 1):
            raise TypeUnknown("the description of the kernel's types is in another format")
        self._raw = raw
        self._text = raw[header_size + text_at :][:text_size]
        start = header_size + type_at
        if start + type_size > len(raw) or len(self._text) != text_size:
            raise TypeUnknown("the description of the kernel's types is cut short")
        # Numbers of types start at 1; 0 is void.
        self._places = array("I", [0])
        self._names = array("I", [0])
        for place, name_at in _types(raw, start, start + type_size):
            self._places.append(place)
            self._names.append(name_at)

    def find(self, kind: int, name: str) -> int:
        """Return the number of the type called *name*. Raises TypeUnknown."""
        name_at = self._name_place(name)
        number = 0
        try:
            while name_at:
                number = self._names.index(name_at, number + 1)
                if self._type(number)[0] == kind:
                    return number
        except ValueError:
            pass  # no further type has that name
        raise TypeUnknown(f"the kernel has no type {name}")

    def member(self, structure: int, path: str) -> tuple[int, int]:
        """Return offset in bytes and type of a member of a structure, such as "bi_iter.bi_sector".

        Members of nameless parts are found too. Raises TypeUnknown.
        """
        offset, number = 0, structure
        for name in path.split("."):
            found = self._member(self._unqualified(number), self._name_place(name))
            if found is None:
                raise TypeUnknown(f"the kernel's structure has no member {path}")
            offset, number = offset + found[0], found[1]
        if offset % 8:
            raise TypeUnknown(f"{path} doesn't begin at a byte")
        return offset // 8, number

    def offset(self, structure: str, path: str) -> int:
        """Return the offset in bytes of a member of the structure called *structure*. Raises TypeUnknown."""
        return self.member(self.find(STRUCT, structure), path)[0]

    def parameters(self, typedef: str) -> list[str]:
        """Return what a pointer to a function takes: names of structures for pointers to them, else "".

        *typedef* is the name of the pointer's type. Raises TypeUnknown.
        """
        number = self._unqualified(self.find(TYPEDEF, typedef))
        kind, target, _ = self._type(number)
        prototype = self._unqualified(target) if kind == POINTER else 0
        kind, _, parts = self._type(prototype)
        if kind != PROTOTYPE:
            raise TypeUnknown(f"{typedef} is no function")
        place = self._places[prototype] + _TYPE.size
        types = (_PARAMETER.unpack_from(self._raw, place + _PARAMETER.size * part)[1] for part in range(parts))
        return [self._pointed(number) for number in types]

    def _pointed(self, number: int) -> str:
        kind, target, _ = self._type(self._unqualified(number))
        if kind != POINTER:
            return ""
        target = self._unqualified(target)
        if self._type(target)[0] != STRUCT:
            return ""
        name_at = _TYPE.unpack_from(self._raw, self._places[target])[0]
        return self._text[name_at : name_at + _LONGEST_NAME].partition(b"\0")[0].decode(errors="replace")

    def _type(self, number: int) -> tuple[int, int, int]:
        """Return kind, size or type, and the number of parts of a type; void is of kind 0."""
        if not 0 < number < len(self._places):
            return 0, 0, 0
        _, info, other = _TYPE.unpack_from(self._raw, self._places[number])
        return info >> 24 & 0x1F, other, info & 0xFFFF

    def _unqualified(self, number: int) -> int:
        for _ in range(32):
            kind, other, _ = self._type(number)
            if kind not in _QUALIFIERS:
                return number
            number = other
        raise TypeUnknown("a type is named in circles")

    def _member(self, structure: int, name: int, depth: int = 0) -> tuple[int, int] | None:
        kind, _, parts = self._type(structure)
        if kind not in {STRUCT, UNION} or depth > 8:
            return None
        (info,) = struct.unpack_from("<I", self._raw, self._places[structure] + 4)
        place = self._places[structure] + _TYPE.size
        for part in range(parts):
            name_at, number, bits = _MEMBER.unpack_from(self._raw, place + _MEMBER.size * part)
            if info >> 31:  # then the upper byte is the width of a bit field
                bits &= 0xFFFFFF
            if name_at == name and name:
                return bits, number
            if not self._text[name_at : name_at + 1].strip(b"\0"):
                inner = self._member(self._unqualified(number), name, depth + 1)
                if inner is not None:
                    return bits + inner[0], inner[1]
        return None

    def _name_place(self, name: str) -> int:
        """Return where the text of a name lies, 0 when no type or member is called so."""
        return self._text.find(b"\0" + name.encode() + b"\0") + 1 if name else 0


def _types(raw: bytes, place: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield for each type where it lies and where its name does."""
    while place < end:
        if place + _TYPE.size > end:
            raise TypeUnknown("the description of the kernel's types is cut short")
        name_at, info, _ = _TYPE.unpack_from(raw, place)
        kind = info >> 24 & 0x1F
        if not 0 < kind <= _LAST_KIND:
            raise TypeUnknown(f"the kernel describes a type of kind {kind}")
        yield place, name_at
        place += _TYPE.size + _ONCE.get(kind, 0) + _EACH.get(kind, 0) * (info & 0xFFFF)
