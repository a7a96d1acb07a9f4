"""Tap devices: a machine's card on a bridge of this host.

A device lives as long as somebody holds its descriptor, so a machine that ends, however it does, leaves none behind.
Sources: Linux Documentation/networking/tuntap.rst; netdevice(7); include/uapi/linux/if_tun.h and sockios.h.
"""

import fcntl
import os
import socket
import struct
from pathlib import Path
from typing import Final

from wherry.boot.machine.errors import BridgeMissing

_TUN: Final = "/dev/net/tun"
_TEMPLATE: Final = b"wherry%d"
_IFF_UP: Final = 0x1
_IFF_TAP: Final = 0x2
_IFF_NO_PI: Final = 0x1000
_IFF_VNET_HDR: Final = 0x4000
_TUNSETIFF: Final = 0x400454CA
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_SIOCGIFMTU: Final = 0x8921
_SIOCSIFMTU: Final = 0x8922
_SIOCBRADDIF: Final = 0x89A2
_LONGEST_NAME: Final = 15


def open_tap(bridge: str) -> int:
    """Return the descriptor of a new tap device on *bridge*, which is up. Raises BridgeMissing."""
    if not is_bridge(bridge):
        raise BridgeMissing(bridge=bridge, reason="there's no such bridge")
    try:
        return _open_tap(bridge)
    except OSError as error:
        raise BridgeMissing(bridge=bridge, reason=error.strerror or str(error)) from error


def is_bridge(name: str) -> bool:
    """Whether this host has such a bridge."""
    return 0 < len(name) <= _LONGEST_NAME and "/" not in name and Path("/sys/class/net", name, "bridge").is_dir()


def _open_tap(bridge: str) -> int:
    descriptor = os.open(_TUN, os.O_RDWR | os.O_CLOEXEC)
    try:
        wanted = struct.pack("16sH22x", _TEMPLATE, _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR)
        name = fcntl.ioctl(descriptor, _TUNSETIFF, wanted)[:16].rstrip(b"\0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            # A bridge takes the smallest of its ports' sizes for its own.
            mtu = fcntl.ioctl(control, _SIOCGIFMTU, struct.pack("16si20x", bridge.encode(), 0))[16:20]
            fcntl.ioctl(control, _SIOCSIFMTU, struct.pack("16s4s20x", name, mtu))
            index = socket.if_nametoindex(name.decode())
            fcntl.ioctl(control, _SIOCBRADDIF, struct.pack("16si20x", bridge.encode(), index))
            (flags,) = struct.unpack_from("H", fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16s24x", name)), 16)
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", name, flags | _IFF_UP))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
