"""What lies on the disks of an appliance, and on what the appliance makes of them: volumes of LVM, md and LUKS.

LUKS is opened where there's a key, in as many layers as there are: LVM in LUKS, LUKS in LVM or on md. Sources:
guestfs(3), cryptsetup(8).
"""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from wherry.boot.blocks import BlockDevice, scan
from wherry.boot.errors import LuksKeyRefused
from wherry.boot.guest import GuestFilesystem
from wherry.boot.luks_keys import KeyFolder
from wherry.boot.parsing.mdadm import digits, names_of
from wherry.boot.places import LUKS, Blocks, array_identity, array_partition, where
from wherry.disks.superblocks import read_superblock

MOST_AT_ONCE: Final = 2 << 20
"""What one call reads from or writes to a device: the library's messages are limited to 4 MiB."""

_KEPT_AT_ONCE: Final = 256 << 10
_MAPPER: Final = "/dev/mapper/"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
_WRONG_KEY: Final = "No key available"


class Devices(Protocol):
    """What this needs of an appliance; see `wherry.boot.guestfs.library`. A refusal is an OSError."""

    def do(self, name: str, *arguments: bytes | int) -> None:
        """Call a function that returns nothing."""

    def number(self, name: str, *arguments: bytes | int) -> int:
        """Call a function that returns a number."""

    def texts(self, name: str, *arguments: bytes) -> list[bytes]:
        """Call a function that returns a list of texts."""

    def read_device(self, device: bytes, offset: int, size: int) -> bytes:
        """Return bytes of a block device."""

    def open_encrypted(self, device: bytes, key: bytes, name: bytes) -> None:
        """Open what LUKS has encrypted as /dev/mapper/*name*."""


def device(appliance: Devices, name: bytes) -> BlockDevice:
    """Return the block device *name* of the appliance."""
    size = appliance.number("blockdev_getsize64", name)

    def read(offset: int, length: int) -> bytes:
        ends = min(offset + length, size)
        starts = range(offset, ends, MOST_AT_ONCE)
        return b"".join(appliance.read_device(name, start, min(MOST_AT_ONCE, ends - start)) for start in starts)

    return BlockDevice(os.fsdecode(name), size, read)


def _kept(disk: BlockDevice) -> BlockDevice:
    """Return the device with what was read of it kept: each call costs as much as a quarter of a MiB."""
    kept: dict[int, bytes] = {}

    def read(offset: int, length: int) -> bytes:
        first = offset - offset % _KEPT_AT_ONCE
        for start in range(first, min(offset + length, disk.size), _KEPT_AT_ONCE):
            if start not in kept:
                kept[start] = disk.read(start, _KEPT_AT_ONCE)
        pieces = b"".join(kept.get(start, b"") for start in range(first, offset + length, _KEPT_AT_ONCE))
        return pieces[offset - first : offset - first + length]

    return BlockDevice(disk.path, disk.size, read)


class Volumes:
    """The disks *names* of an appliance, and all that is found on them."""

    def __init__(self, appliance: Devices, names: Sequence[bytes], keys: KeyFolder | None) -> None:
        self._appliance = appliance
        self._keys = keys
        self._disks, self._on_disks = scan([_kept(device(appliance, name)) for name in names])
        self._on_volumes: dict[bytes, list[GuestFilesystem]] = {}
        self._opened: dict[str, str] = {}
        """The device of what is in it, by that of an encrypted volume."""

    def open(self, called: Mapping[str, str]) -> Blocks:
        """Open what is encrypted and has a key; return all that is found then.

        *called*: what the system calls its volumes, by their LUKS UUIDs; programs of it look for them by these names.
        Raises LuksKeyRefused, LuksKeyUnusable, OSError.
        """
        while True:
            blocks = self._found()
            before = len(self._opened)
            for each in blocks.filesystems:
                if each.type == LUKS and not each.opened_as:
                    self._unlock(each, _name(each, called))
            if len(self._opened) == before:
                return blocks
            self._appliance.do("lvm_scan", 1)

    def called_otherwise(self, blocks: Blocks, called: Mapping[str, str]) -> bool:
        """Whether a volume is open by another name than *called* has for it."""
        return any(each.opened_as and each.opened_as != _MAPPER + _name(each, called) for each in blocks.filesystems)

    def close(self) -> None:
        """Close what is encrypted. Nothing may be mounted."""
        for opened in reversed(self._opened.values()):
            with contextlib.suppress(OSError):  # what another encrypted volume lies in goes in a later turn
                self._appliance.do("vg_activate_all", 0)
            self._appliance.do("cryptsetup_close", opened.encode())
        self._opened.clear()
        self._on_volumes.clear()
        self._appliance.do("lvm_scan", 1)

    def _found(self) -> Blocks:
        """Return what is there now. A volume is read once, as long as it's there: emulated machines are slow."""
        opened = [name.encode() for name in self._opened.values()]
        volumes = [*((name, ()) for name in (*self._appliance.texts("lvs"), *opened)), *self._arrays()]
        for name, names in volumes:
            if name not in self._on_volumes:
                self._on_volumes[name] = list(self._on_volume(name, names))
        found = [*self._on_disks, *(each for name, _ in volumes for each in self._on_volumes[name])]
        return Blocks(self._disks, [replace(each, opened_as=self._opened.get(each.device, "")) for each in found])

    def _arrays(self) -> Iterator[tuple[bytes, tuple[str, ...]]]:
        """Yield arrays of md and their partitions, each with further names."""
        partitions = self._appliance.texts("list_partitions")
        for array in self._appliance.texts("list_md_devices"):
            names = self._array_names(array)
            yield array, names
            for partition in partitions:
                number = partition.removeprefix(array + b"p").decode()
                if number.isdecimal():
                    yield partition, tuple(array_partition(name, int(number)) for name in names)

    def _on_volume(self, name: bytes, names: tuple[str, ...]) -> Iterator[GuestFilesystem]:
        volume = _kept(device(self._appliance, name))
        found = read_superblock(volume.read, volume.size)
        if found is not None:
            yield GuestFilesystem(volume.path, found.type, found.uuid, found.label, names=names)

    def _array_names(self, name: bytes) -> tuple[str, ...]:
        try:
            details = self._appliance.texts("md_detail", name)
        except OSError:
            return ()  # it lacks members, and doesn't run
        identity = dict(zip(details[::2], details[1::2], strict=True)).get(b"uuid", b"").decode()
        members = (each for each in self._on_disks if each.type == "linux_raid_member")
        label = next((each.label for each in members if digits(each.uuid) == digits(identity)), "")
        return (array_identity(identity), *names_of(label))

    def _unlock(self, volume: GuestFilesystem, name: str) -> None:
        if self._keys is None or _MAPPER + name in self._opened.values():
            return
        keys = self._keys.keys(volume.uuid)
        for key in keys:
            try:
                self._appliance.open_encrypted(volume.device.encode(), key, name.encode())
            except OSError as error:
                if _WRONG_KEY not in str(error):
                    raise
            else:
                self._opened[volume.device] = _MAPPER + name
                return
        if keys:
            raise LuksKeyRefused(volume=where(volume))


def _name(volume: GuestFilesystem, called: Mapping[str, str]) -> str:
    """Return what to call an opened volume: systemd's name for one of which it knows no other, by default."""
    name = called.get(volume.uuid, "")
    return name if _NAME.fullmatch(name) else f"luks-{volume.uuid}"
