"""libguestfs, by its C interface: names and contents are handed over as they are, and no shell reads them.

Source: guestfs(3). Only what a workbench needs; each call that fails raises an OSError with the library's words.
"""

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator, Sequence
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from wherry.boot.errors import ApplianceFailed, LibguestfsMissing

_NAME: Final = "libguestfs.so.0"
_READ_ONLY, _FORMAT, _END = 0, 1, -1
"""Of the optional arguments of guestfs_add_drive_opts."""

_APPLIANCE_SAYS: Final = 0x0010
"""GUESTFS_EVENT_APPLIANCE: what the virtual machine says, and the programs that build and run it."""
_LAST_LINES: Final = 6
_MOST_WORDS: Final = 600
_MOST_PROCESSORS: Final = 4

_STATUS, _TEXT, _BYTES, _LIST = c_int, c_void_p, c_void_p, c_void_p
_SIGNATURES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "set_backend": (_STATUS, (c_char_p,)),
    "set_backend_setting": (_STATUS, (c_char_p, c_char_p)),
    "set_tmpdir": (_STATUS, (c_char_p,)),
    "set_smp": (_STATUS, (c_int,)),
    "set_verbose": (_STATUS, (c_int,)),
    "get_memsize": (_STATUS, ()),
    "set_memsize": (_STATUS, (c_int,)),
    "launch": (_STATUS, ()),
    "shutdown": (_STATUS, ()),
    "list_devices": (_LIST, ()),
    "lvs": (_LIST, ()),
    "list_md_devices": (_LIST, ()),
    "list_partitions": (_LIST, ()),
    "md_detail": (_LIST, (c_char_p,)),
    "lvm_scan": (_STATUS, (c_int,)),
    "vg_activate_all": (_STATUS, (c_int,)),
    "cryptsetup_close": (_STATUS, (c_char_p,)),
    "blockdev_getsize64": (c_int64, (c_char_p,)),
    "pread_device": (_BYTES, (c_char_p, c_int, c_int64, POINTER(c_size_t))),
    "pwrite_device": (_STATUS, (c_char_p, c_char_p, c_size_t, c_int64)),
    "mount_options": (_STATUS, (c_char_p, c_char_p, c_char_p)),
    "umount_all": (_STATUS, ()),
    "sync": (_STATUS, ()),
    "exists": (_STATUS, (c_char_p,)),
    "realpath": (_TEXT, (c_char_p,)),
    "lstatns": (c_void_p, (c_char_p,)),
    "download": (_STATUS, (c_char_p, c_char_p)),
    "upload": (_STATUS, (c_char_p, c_char_p)),
    "ls": (_LIST, (c_char_p,)),
    "readlink": (_TEXT, (c_char_p,)),
    "ln_sf": (_STATUS, (c_char_p, c_char_p)),
    "rm_f": (_STATUS, (c_char_p,)),
    "rm_rf": (_STATUS, (c_char_p,)),
    "rmdir": (_STATUS, (c_char_p,)),
    "mkdir": (_STATUS, (c_char_p,)),
    "mkdtemp": (_TEXT, (c_char_p,)),
    "chmod": (_STATUS, (c_int, c_char_p)),
    "lchown": (_STATUS, (c_int, c_int, c_char_p)),
    "command": (_TEXT, (POINTER(c_char_p),)),
}
"""Result and arguments of each function, behind the handle that all have first."""


_Hear: Final = ctypes.CFUNCTYPE(
    None, c_void_p, c_void_p, c_uint64, c_int, c_int, c_void_p, c_size_t, c_void_p, c_size_t
)
"""What is called with each word: handle, data, event, number of the callback, flags, the text, an empty array."""


class Status(NamedTuple):
    """The first fields of libguestfs's stat structure that are needed."""

    mode: int
    owner: int
    group: int
    size: int


class Appliance:
    """A handle of libguestfs: a virtual machine with the disks that were added before its launch."""

    def __init__(self) -> None:
        self._library = _load()
        self._libc = ctypes.CDLL(None)
        self._libc.free.argtypes = [c_void_p]
        self._handle = self._library.guestfs_create()
        if not self._handle:
            raise LibguestfsMissing(reason="it gives no handle")
        self._library.guestfs_set_error_handler(self._handle, None, None)  # it would write to standard error

    def close(self) -> None:
        """End the virtual machine."""
        self._library.guestfs_close(self._handle)

    def add_disk(self, image: Path, form: str, *, writable: bool) -> None:
        """Add a disk in the format *form*: it's never told from the content."""
        status = self._library.guestfs_add_drive_opts(
            c_void_p(self._handle),
            c_char_p(os.fsencode(image)),
            c_int(_READ_ONLY),
            c_int(0 if writable else 1),
            c_int(_FORMAT),
            c_char_p(form.encode()),
            c_int(_END),
        )
        self._check("add_drive_opts", failed=status == -1)

    def open_encrypted(self, device: bytes, key: bytes, name: bytes) -> None:
        """Open what LUKS has encrypted as /dev/mapper/*name*. The key goes to the appliance by the library's pipe."""
        words = (c_char_p(device), c_char_p(key), c_char_p(name))
        status = self._library.guestfs_cryptsetup_open(c_void_p(self._handle), *words, c_int(_END))
        self._check("cryptsetup_open", failed=status == -1)

    def heard(self) -> bytes:
        """Launch, telling every word, and return what was said. For one that doesn't come up: it's slow."""
        said: list[bytes] = []

        def hear(
            _handle: int, _data: int, _event: int, _number: int, _flags: int, text: int, size: int, *_: int
        ) -> None:
            said.append(ctypes.string_at(text, size))

        callback = _Hear(hear)
        listener = self._library.guestfs_set_event_callback(self._handle, callback, _APPLIANCE_SAYS, 0, None)
        with contextlib.suppress(OSError):
            self.do("set_verbose", 1)
            self.do("launch")
        self._library.guestfs_delete_event_callback(self._handle, listener)
        return b"".join(said)

    def do(self, name: str, *arguments: bytes | int) -> None:
        """Call a function that returns nothing."""
        self.number(name, *arguments)

    def number(self, name: str, *arguments: bytes | int) -> int:
        """Call a function that returns a number; for a question, 1 means yes."""
        result = int(self._call(name, *arguments))
        self._check(name, failed=result == -1)
        return result

    def text(self, name: str, *arguments: bytes) -> bytes:
        """Call a function that returns a text."""
        place = self._call(name, *arguments)
        self._check(name, failed=not place)
        try:
            return ctypes.string_at(place)
        finally:
            self._libc.free(place)

    def texts(self, name: str, *arguments: bytes) -> list[bytes]:
        """Call a function that returns a list of texts."""
        place = self._call(name, *arguments)
        self._check(name, failed=not place)
        try:
            return list(self._taken(ctypes.cast(place, POINTER(c_void_p))))
        finally:
            self._libc.free(place)

    def command(self, argv: Sequence[bytes]) -> None:
        """Run a program of the system without a shell."""
        words = (c_char_p * (len(argv) + 1))(*argv, None)
        place = self._call("command", words)
        self._check("command", failed=not place)
        self._libc.free(place)

    def read_device(self, device: bytes, offset: int, size: int) -> bytes:
        """Return bytes of a block device; fewer only where it ends."""
        length = c_size_t()
        place = self._call("pread_device", device, size, offset, ctypes.byref(length))
        self._check("pread_device", failed=not place)
        try:
            return ctypes.string_at(place, length.value)
        finally:
            self._libc.free(place)

    def status(self, path: bytes) -> Status | None:
        """Return what a name stands for; None where it isn't there."""
        place = self._call("lstatns", path)
        if not place and self._library.guestfs_last_errno(self._handle) in {errno.ENOENT, errno.ENOTDIR}:
            return None
        self._check("lstatns", failed=not place)
        fields = ctypes.cast(place, POINTER(c_int64))
        try:
            return Status(fields[2], fields[4], fields[5], fields[7])
        finally:
            self._library.guestfs_free_statns(place)

    def _taken(self, places: Any) -> Iterator[bytes]:
        index = 0
        while places[index]:
            yield ctypes.string_at(places[index])
            self._libc.free(places[index])
            index += 1

    def _call(self, name: str, *arguments: Any) -> Any:
        return getattr(self._library, f"guestfs_{name}")(self._handle, *arguments)

    def _check(self, name: str, *, failed: bool) -> None:
        if failed:
            words = self._library.guestfs_last_error(self._handle) or b"(no message)"
            number = self._library.guestfs_last_errno(self._handle)
            reason = f"{name}: {words.decode(errors='replace').strip()[-500:]}"
            raise OSError(number, reason) if number else OSError(reason)


@dataclass(frozen=True, slots=True)
class ApplianceSpec:
    """What an appliance is made of."""

    disks: Sequence[tuple[Path, str]]
    """Image and format of each."""
    writable: bool
    emulate: bool
    """Whether it has to do without KVM."""
    memory_mib: int = 0
    """What it gets at least."""
    scratch: str = ""
    """A folder for the library's own files; "" for its usual one."""


@contextlib.contextmanager
def launched(spec: ApplianceSpec) -> Iterator[tuple[Appliance, list[bytes]]]:
    """Lend an appliance, and the names of the disks in it.

    Raises LibguestfsMissing, ApplianceFailed, or OSError where a disk can't be added.
    """
    appliance = _prepared(spec)
    try:
        try:
            appliance.do("launch")
        except OSError as error:
            raise ApplianceFailed(reason=why_not_launched(str(error), _said_at_launch(spec))) from error
        yield appliance, appliance.texts("list_devices")
        appliance.do("umount_all")
        appliance.do("shutdown")  # waits until everything is on the disks, and tells when it isn't
    finally:
        appliance.close()


def _prepared(spec: ApplianceSpec) -> Appliance:
    appliance = Appliance()
    try:
        appliance.do("set_backend", b"direct")
        if spec.emulate:
            appliance.do("set_backend_setting", b"force_tcg", b"1")
        if spec.scratch:
            appliance.do("set_tmpdir", os.fsencode(spec.scratch))
        appliance.do("set_smp", min(os.cpu_count() or 1, _MOST_PROCESSORS))
        appliance.do("set_memsize", max(spec.memory_mib, appliance.number("get_memsize")))
        for image, form in spec.disks:
            appliance.add_disk(image, form, writable=spec.writable)
    except BaseException:
        appliance.close()
        raise
    return appliance


def _said_at_launch(spec: ApplianceSpec) -> bytes:
    """Try once more what has failed: the library keeps the words to itself unless it's asked for all of them."""
    appliance = _prepared(spec)
    try:
        return appliance.heard()
    finally:
        appliance.close()


def why_not_launched(error: str, said: bytes) -> str:
    """Return the first line of the library's *error* and the last lines of what was *said*, as one line."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    told = " ".join(lines[-_LAST_LINES:])[-_MOST_WORDS:]
    first = error.partition("launch: ")[2].strip().partition("\n")[0]
    return " ".join(part for part in (first, told) if part).rstrip(".")


def _load() -> Any:
    try:
        library = ctypes.CDLL(_NAME)
    except OSError as error:
        raise LibguestfsMissing(reason=str(error)) from error
    library.guestfs_create.restype = c_void_p
    library.guestfs_close.argtypes = [c_void_p]
    library.guestfs_set_error_handler.argtypes = [c_void_p, c_void_p, c_void_p]
    library.guestfs_last_error.argtypes, library.guestfs_last_error.restype = [c_void_p], c_char_p
    library.guestfs_last_errno.argtypes = [c_void_p]
    library.guestfs_free_statns.argtypes = [c_void_p]
    library.guestfs_set_event_callback.argtypes = [c_void_p, _Hear, c_uint64, c_int, c_void_p]
    library.guestfs_delete_event_callback.argtypes = [c_void_p, c_int]
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, f"guestfs_{name}")
        function.restype = result
        function.argtypes = [c_void_p, *arguments]
    return library
