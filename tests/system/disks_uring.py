"""Writes through io_uring, by its system calls alone: a ring of a few entries, submitted and waited for as a batch.

Source: Linux include/uapi/linux/io_uring.h.
"""

import ctypes
import mmap
import os
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

ENTRIES: Final = 8
_SETUP, _ENTER = 425, 426
_GETEVENTS: Final = 1
_SINGLE_MMAP: Final = 1
_OP_WRITE: Final = 23
_SQE_SIZE, _CQE_SIZE = 64, 16
_OFFSET_OF_SQES: Final = 0x10000000
_PARAMS_SIZE: Final = 120

_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    result: int = _libc.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


class Ring:
    """A ring for up to ENTRIES writes at a time; a context manager. Raises OSError where the kernel has none."""

    def __init__(self) -> None:
        params = ctypes.create_string_buffer(_PARAMS_SIZE)
        self._descriptor = _call(_SETUP, ENTRIES, params)
        entries, completions, _flags, _cpu, _idle, features = struct.unpack_from("=6I", params, 0)
        if not features & _SINGLE_MMAP:
            os.close(self._descriptor)
            raise OSError(38, "io_uring before Linux 5.4")
        # Where things lie: head, tail, mask, entries, flags, dropped, array; head, tail, mask, entries, overflow, cqes.
        self._sq = struct.unpack_from("=7I", params, 40)
        self._cq = struct.unpack_from("=6I", params, 80)
        size = max(self._sq[6] + entries * 4, self._cq[5] + completions * _CQE_SIZE)
        self._rings = mmap.mmap(self._descriptor, size, mmap.MAP_SHARED | mmap.MAP_POPULATE)
        self._sqes = mmap.mmap(
            self._descriptor, entries * _SQE_SIZE, mmap.MAP_SHARED | mmap.MAP_POPULATE, offset=_OFFSET_OF_SQES
        )
        self._mask, self._completed_mask = self._word(self._sq[2]), self._word(self._cq[2])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._rings.close()
        self._sqes.close()
        os.close(self._descriptor)

    def _word(self, at: int) -> int:
        word: int = struct.unpack_from("=I", self._rings, at)[0]
        return word

    def write(self, file: int, pieces: Sequence[tuple[int, int, int]]) -> list[int]:
        """Write pieces (address, length, offset) in any order; return the result of each, bytes or minus an errno."""
        tail = self._word(self._sq[1])
        for number, (address, length, offset) in enumerate(pieces):
            slot = (tail + number) & self._mask
            entry = struct.pack("=BBHiQQIIQ", _OP_WRITE, 0, 0, file, offset, address, length, 0, number)
            self._sqes[slot * _SQE_SIZE : (slot + 1) * _SQE_SIZE] = entry.ljust(_SQE_SIZE, b"\0")
            struct.pack_into("=I", self._rings, self._sq[6] + 4 * slot, slot)
        struct.pack_into("=I", self._rings, self._sq[1], tail + len(pieces))
        _call(_ENTER, self._descriptor, len(pieces), len(pieces), _GETEVENTS, None, 0)
        results = [0] * len(pieces)
        head = self._word(self._cq[0])
        for number in range(head, head + len(pieces)):
            at = self._cq[5] + (number & self._completed_mask) * _CQE_SIZE
            piece, result = struct.unpack_from("=Qi", self._rings, at)
            results[piece] = result
        struct.pack_into("=I", self._rings, self._cq[0], head + len(pieces))
        return results
