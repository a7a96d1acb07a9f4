"""Facts about this Linux machine that the control plane asks for at registration, its disks excepted.

Everything comes from /etc/os-release, /proc, /sys and two ioctls of a socket; no program is run.
Source: os-release(5), proc(5), netdevice(7), SMS v3 RegisterServer.
"""

import fcntl
import json
import os
import re
import shutil
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wherry.contract.enumerations import PlatformText
from wherry.disks.inventory import missing_virtio_drivers, raw_devices

_SIOCGIFADDR = 0x8915
_SIOCGIFNETMASK = 0x891B
_ODD = re.compile(r"[^ -~]|[\"\\]")
_GRUB_PLACES = ("boot/grub", "boot/grub2")

Addresses = Callable[[str], tuple[str, str]]
"""Returns IPv4 address and netmask of an interface, empty strings where it has none."""


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface with a MAC address. *mtu* in bytes; texts are empty where there's nothing."""

    name: str
    mac: str
    ip: str
    netmask: str
    ipv6: str
    gateway: str
    mtu: int


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the machine is.

    *memory_mb* in MiB, as the registration wants it. *paravirtualization*: it has the drivers that a copy needs on a
    KVM host.
    """

    hostname: str
    os_version: str
    kernel_version: str
    architecture: str
    release_type: str
    release_version: str
    firmware: str
    cpu_quantity: int
    memory_mb: int
    boot_loader: str
    paravirtualization: bool
    has_rsync: bool
    has_tc: bool
    platform: PlatformText
    interfaces: tuple[Interface, ...]
    raw_devices: tuple[str, ...] = ()

    @property
    def linux_block_check(self) -> str:
        """The JSON text by which the control plane decides whether blocks can be moved; at most 255 characters."""
        facts = {
            "release_type": _plain(self.release_type, 32),
            "release_version": _plain(self.release_version, 16),
            "kernel_simplification": _plain(".".join(self.kernel_version.split(".")[:2]), 16),
            "architecture": _plain(self.architecture, 16),
            "kernel_version": _plain(self.kernel_version, 64),
        }
        return json.dumps(facts, separators=(",", ":"))


def gather(root: Path = Path("/"), addresses: Addresses | None = None) -> HostFacts:
    """Look at the machine whose files lie under *root*; what can't be read is left empty."""
    release = _os_release(root)
    kernel = os.uname()
    return HostFacts(
        hostname=kernel.nodename[:64] or "localhost",
        os_version=_os_version(release, kernel.machine),
        kernel_version=kernel.release,
        architecture=kernel.machine,
        release_type=release.get("ID", "linux"),
        release_version=release.get("VERSION_ID", ""),
        firmware="UEFI" if (root / "sys/firmware/efi").is_dir() else "BIOS",
        cpu_quantity=os.cpu_count() or 1,
        memory_mb=_memory_mb(root),
        boot_loader="GRUB" if any((root / place).exists() for place in _GRUB_PLACES) else "",
        paravirtualization=not missing_virtio_drivers(root),
        has_rsync=shutil.which("rsync") is not None,
        has_tc=shutil.which("tc") is not None,
        platform=_platform(root),
        interfaces=_interfaces(root, addresses or _socket_addresses),
        raw_devices=tuple(raw_devices(root)),
    )


def _plain(text: str, longest: int) -> str:
    """Return *text* without what JSON would have to escape, so that its length is known."""
    return _ODD.sub("?", text)[:longest]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _os_release(root: Path) -> Mapping[str, str]:
    for place in ("etc/os-release", "usr/lib/os-release"):
        lines = _text(root / place).splitlines()
        if lines:
            pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
            return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
    return {}


def _os_version(release: Mapping[str, str], machine: str) -> str:
    """Return the text in the form of the reference, such as ``DEBIAN_12_64BIT``."""
    bits = "64BIT" if machine.endswith("64") else "32BIT"
    parts = [release.get("ID", "linux"), release.get("VERSION_ID", "")]
    return "_".join(part.upper().replace(".", "_").replace("-", "_") for part in [*parts, bits] if part)


def _memory_mb(root: Path) -> int:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def _platform(root: Path) -> PlatformText:
    """Guess where the machine runs from its firmware's vendor; ``other`` when the reference doesn't know it."""
    vendor = " ".join(_text(root / "sys/class/dmi/id" / name).lower() for name in ("sys_vendor", "product_name"))
    marks: dict[str, PlatformText] = {
        "huawei": "hw",
        "alibaba": "ali",
        "amazon": "aws",
        "google": "gcp",
        "tencent": "tencent",
        "vmware": "vmware",
        "microsoft": "hyperv",
    }
    return next((platform for mark, platform in marks.items() if mark in vendor), "other")


def _interfaces(root: Path, addresses: Addresses) -> tuple[Interface, ...]:
    """Return the interfaces that have a MAC, those with a default route first (the reference wants a first MAC)."""
    folder = root / "sys/class/net"
    gateways = _gateways(root)
    ipv6 = _ipv6(root)
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        mac = _text(path / "address")
        if not mac or mac == "00:00:00:00:00:00":
            continue
        ip, netmask = addresses(path.name)
        mtu = _text(path / "mtu")
        found.append(
            Interface(
                name=path.name,
                mac=mac,
                ip=ip,
                netmask=netmask,
                ipv6=ipv6.get(path.name, ""),
                gateway=gateways.get(path.name, ""),
                mtu=int(mtu) if mtu.isdigit() else 0,
            )
        )
    return tuple(sorted(found, key=lambda interface: (not interface.gateway, not interface.ip, interface.name)))


def _gateways(root: Path) -> Mapping[str, str]:
    """Return the IPv4 gateway of each interface's default route; the kernel writes addresses in host byte order."""
    gateways = {}
    for line in _text(root / "proc/net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 2 and fields[1] == "00000000":
            gateways[fields[0]] = socket.inet_ntoa(struct.pack("=I", int(fields[2], 16)))
    return gateways


def _ipv6(root: Path) -> Mapping[str, str]:
    """Return one global IPv6 address of each interface that has one."""
    found: dict[str, str] = {}
    for line in _text(root / "proc/net/if_inet6").splitlines():
        fields = line.split()
        if len(fields) == 6 and fields[3] == "00":
            found.setdefault(fields[5], socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])))
    return found


def _socket_addresses(name: str) -> tuple[str, str]:
    request = struct.pack("256s", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        texts = []
        for call in (_SIOCGIFADDR, _SIOCGIFNETMASK):
            try:
                answer = fcntl.ioctl(probe.fileno(), call, request)
            except OSError:  # the interface has no IPv4 address
                return "", ""
            texts.append(socket.inet_ntoa(answer[20:24]))
    return texts[0], texts[1]
