"""An appliance's block devices in memory: disks, and what comes up when LVM looks and when a key fits."""

import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

MIB = 1 << 20


def ext4(identity: str) -> bytes:
    """Return a device with an ext4's superblock."""
    block = bytearray(MIB)
    block[1024 + 56 : 1024 + 58] = b"\x53\xef"
    struct.pack_into("<III", block, 1024 + 92, 4, 0x40, 0)
    block[1024 + 104 : 1024 + 120] = uuid.UUID(identity).bytes
    return bytes(block)


def luks(identity: str) -> bytes:
    """Return a device with a header of LUKS 1."""
    block = bytearray(MIB)
    block[:8] = b"LUKS\xba\xbe\0\1"
    block[168 : 168 + len(identity)] = identity.encode()
    return bytes(block)


def physical_volume() -> bytes:
    """Return a device with LVM's label."""
    label = b"LABELONE" + struct.pack("<QII", 1, 0, 32) + b"LVM2 001" + b"abcdefGHIJklmnOPQRstuvWXYZ012345"
    return (bytes(512) + label).ljust(MIB, b"\0")


@dataclass
class FakeAppliance:
    """*content* of the disks by their names; *groups*: logical volumes by the device that they lie on; *locked*: key
    and content by the device that is encrypted; *arrays*: UUID and content of arrays that run."""

    content: dict[bytes, bytes]
    groups: Mapping[bytes, Mapping[bytes, bytes]] = field(default_factory=dict)
    locked: Mapping[bytes, tuple[bytes, bytes]] = field(default_factory=dict)
    arrays: Mapping[bytes, tuple[bytes, bytes]] = field(default_factory=dict)
    reads: int = 0
    tried: list[bytes] = field(default_factory=list)
    _open: dict[bytes, bytes] = field(default_factory=dict)
    _active: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._activate()

    def do(self, name: str, *arguments: bytes | int) -> None:
        match name, arguments:
            case "lvm_scan", (1,):
                self._activate()
            case "vg_activate_all", (0,):
                self._deactivate()
            case "cryptsetup_close", (bytes() as opened,):
                if any(device == opened and self._active.keys() & group for device, group in self.groups.items()):
                    raise OSError(f"{opened.decode()} is still in use")
                del self._open[opened]
            case _:
                raise AssertionError((name, arguments))

    def number(self, name: str, *arguments: bytes | int) -> int:
        (device,) = arguments
        assert name == "blockdev_getsize64"
        assert isinstance(device, bytes)
        return len(self._all()[device])

    def texts(self, name: str, *arguments: bytes) -> list[bytes]:
        match name:
            case "lvs":
                return sorted(self._active)
            case "list_md_devices":
                return sorted(self.arrays)
            case "list_partitions":
                return []
            case _:
                assert name == "md_detail"
                return [b"level", b"raid1", b"uuid", self.arrays[arguments[0]][0]]

    def read_device(self, device: bytes, offset: int, size: int) -> bytes:
        self.reads += 1
        return self._all()[device][offset : offset + size]

    def open_encrypted(self, device: bytes, key: bytes, name: bytes) -> None:
        self.tried.append(key)
        fitting, content = self.locked[device]
        if key != fitting:
            raise OSError("cryptsetup_open: No key available with this passphrase.")
        assert b"/dev/mapper/" + name not in self._open
        self._open[b"/dev/mapper/" + name] = content

    def _all(self) -> dict[bytes, bytes]:
        arrays = {name: content for name, (_, content) in self.arrays.items()}
        return {**self.content, **self._open, **self._active, **arrays}

    def _activate(self) -> None:
        for device, volumes in self.groups.items():
            if device in self._all():
                self._active |= volumes

    def _deactivate(self) -> None:
        """End all that isn't in use: what is encrypted on a volume has to be closed first."""
        used = {device for device in self.locked if device in self._active and self._open}
        self._active = {name: content for name, content in self._active.items() if name in used}
