"""Which bytes of a mounted ext4 or xfs are free, by the ioctl FS_IOC_GETFSMAP.

Free is only what a record says to be free. ext4 leaves allocated ranges out of its answer, so "used" is the complement
of the free records and never the sum of the others; thereby also journal, log and all metadata are used.
Source: Linux include/uapi/linux/fsmap.h, ioctl_getfsmap(2).
"""

import errno
import fcntl
import os
import struct

from wherry.disks.extents import Extent, merge
from wherry.errors import WherryError

FS_IOC_GETFSMAP = 0xC0C0583B

_HEAD = struct.Struct("=IIII48x")  # iflags, oflags, count, entries
_RECORD = struct.Struct("=IIQQQQ24x")  # device, flags, physical, owner, offset, length
_KEYS_AT = _HEAD.size
_RECORDS_AT = _HEAD.size + 2 * _RECORD.size
_RECORDS_A_CALL = 4096

_HEAD_DEVICE_NUMBERS = 0x1  # FMH_OF_DEV_T
_SPECIAL_OWNER = 0x10  # FMR_OF_SPECIAL_OWNER
_LAST = 0x20  # FMR_OF_LAST
_OWNER_FREE = 1  # FMR_OWN_FREE

_HIGH_KEY = _RECORD.pack(0xFFFFFFFF, 0xFFFFFFFF, 2**64 - 1, 2**64 - 1, 2**64 - 1, 0)


class MapUnsupported(WherryError):
    """A filesystem can't tell which of its blocks are free."""

    code = "WHERRY.1020"
    template = "The filesystem gives no map of its free blocks: {reason}."
    default_cause = "Only ext4 and xfs do, since Linux 4.12."
    default_fix = "Nothing needs to be done: such a filesystem is copied whole."


def free_extents(descriptor: int, device_number: int) -> list[Extent]:
    """Return the free extents of the filesystem that *descriptor* is open on, as offsets within its device.

    *device_number* is the device as in `st_rdev`: a filesystem may have parts on other devices (a log, a realtime
    section), which are left out. Works on a frozen filesystem too. Raises MapUnsupported when the filesystem can't
    tell.
    """
    wanted = kernel_device_number(device_number)
    free: list[Extent] = []
    buffer = bytearray(_RECORDS_AT + _RECORDS_A_CALL * _RECORD.size)
    low_key = bytes(_RECORD.size)
    while True:
        count = _call(descriptor, buffer, low_key)
        last_flags = _LAST
        for place in range(_RECORDS_AT, _RECORDS_AT + count * _RECORD.size, _RECORD.size):
            device, last_flags, physical, owner, _, length = _RECORD.unpack_from(buffer, place)
            if device == wanted and last_flags & _SPECIAL_OWNER and owner == _OWNER_FREE:
                free.append(Extent(physical, length))
        if last_flags & _LAST:
            return merge(free)
        # The last record is where the kernel goes on: it adds the length itself.
        low_key = bytes(buffer[place : place + _RECORD.size])


def _call(descriptor: int, buffer: bytearray, low_key: bytes) -> int:
    """Ask for the records after *low_key* and return how many came; they stand in *buffer*."""
    _HEAD.pack_into(buffer, 0, 0, 0, _RECORDS_A_CALL, 0)
    buffer[_KEYS_AT:_RECORDS_AT] = low_key + _HIGH_KEY
    try:
        fcntl.ioctl(descriptor, FS_IOC_GETFSMAP, buffer, True)  # noqa: FBT003 - the kernel writes into the buffer
    except OSError as error:
        raise MapUnsupported(reason=os.strerror(error.errno or errno.EIO)) from error
    _, flags, _, count = _HEAD.unpack_from(buffer)
    if count and not flags & _HEAD_DEVICE_NUMBERS:
        raise MapUnsupported(reason="its records don't name devices by their numbers")
    return int(count)


def kernel_device_number(device_number: int) -> int:
    """Return a device number in the form that the kernel writes into its records (new_encode_dev)."""
    major, minor = os.major(device_number), os.minor(device_number)
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)
