"""The system call bpf(2), without a library: maps, programs, links and their pins.

Sources: bpf(2); Linux include/uapi/linux/bpf.h (union bpf_attr).
"""

import ctypes
import errno
import os
import platform
import resource
import struct
from pathlib import Path

_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "ppc64le": 361, "s390x": 351}

_MAP_CREATE, _PROG_LOAD, _OBJ_PIN, _OBJ_GET, _GET_INFO, _RAW_TRACEPOINT_OPEN = 0, 5, 6, 7, 15, 17
_ARRAY = 2
_MMAPABLE = 1 << 10
_TRACING, _TRACE_RAW_TRACEPOINT = 26, 23
_LICENCE = b"GPL"
"""What the kernel wants to hear before it lets a program look at its structures."""
_LOG_SIZE = 1 << 20
_LAST_WORDS = 400
_ATTRIBUTES_SIZE = 160

_libc = ctypes.CDLL(None, use_errno=True)


class BpfRefused(OSError):
    """The kernel refused; the text holds the last words of its verifier, if it had any."""


def create_array(name: str, value_size: int, entries: int) -> int:
    """Make an array that can be mapped into memory and return its descriptor. Raises BpfRefused."""
    # Before Linux 5.11 a map counted against the limit of locked memory.
    _lift_memory_limit()
    attributes = struct.pack("<IIIIIII16s", _ARRAY, 4, value_size, entries, _MMAPABLE, 0, 0, name.encode()[:15])
    return _bpf(_MAP_CREATE, attributes)


def load_tracing_program(name: str, code: bytes, target: int) -> int:
    """Load a program for the typed raw tracepoint with the type number *target*; return its descriptor.

    Raises BpfRefused with the verifier's reason.
    """
    code_buffer = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(_LICENCE)

    def load(log: "ctypes.Array[ctypes.c_char] | None") -> int:
        attributes = struct.pack(
            "<IIQQIIQII16sIIIIQIIQII",
            _TRACING,
            len(code) // 8,
            ctypes.addressof(code_buffer),
            ctypes.addressof(licence),
            0 if log is None else 1,
            0 if log is None else _LOG_SIZE,
            0 if log is None else ctypes.addressof(log),
            0,
            0,
            name.encode()[:15],
            0,
            _TRACE_RAW_TRACEPOINT,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            target,
        )
        return _bpf(_PROG_LOAD, attributes)

    try:
        return load(None)
    except BpfRefused as error:
        if error.errno not in {errno.EINVAL, errno.EACCES, errno.E2BIG}:
            raise
    log = ctypes.create_string_buffer(_LOG_SIZE)
    try:
        return load(log)
    except BpfRefused as error:
        words = log.value.decode(errors="replace").strip()[-_LAST_WORDS:]
        reason = f"{os.strerror(error.errno or errno.EINVAL)}: {words}" if words else os.strerror(error.errno or 0)
        raise BpfRefused(error.errno, reason) from error


def attach_raw_tracepoint(program: int) -> int:
    """Let a loaded program run; return the descriptor of the link. It ends with the last descriptor or pin of it."""
    return _bpf(_RAW_TRACEPOINT_OPEN, struct.pack("<QII", 0, program, 0))


def pin(descriptor: int, path: Path) -> None:
    """Give a map or link a name in a bpffs, so that it outlives this process. Raises BpfRefused."""
    text = ctypes.create_string_buffer(os.fsencode(path))
    _bpf(_OBJ_PIN, struct.pack("<QII", ctypes.addressof(text), descriptor, 0))


def open_pin(path: Path) -> int:
    """Return a descriptor of what is pinned at *path*. Raises BpfRefused."""
    text = ctypes.create_string_buffer(os.fsencode(path))
    return _bpf(_OBJ_GET, struct.pack("<QII", ctypes.addressof(text), 0, 0))


def _lift_memory_limit() -> None:
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        return  # newer kernels don't need it


def _bpf(command: int, attributes: bytes) -> int:
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise BpfRefused(errno.ENOSYS, f"the number of bpf(2) on {platform.machine()} isn't known")
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result = _libc.syscall(ctypes.c_long(number), command, buffer, len(attributes))
    if result < 0:
        error = ctypes.get_errno()
        raise BpfRefused(error, os.strerror(error))
    return int(result)
