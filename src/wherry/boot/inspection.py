"""Inspection: what a landed system is, read from its files. Nothing is changed, and no program of it runs."""

from typing import Final

from wherry.boot.errors import NoSystem
from wherry.boot.findings.kernels import find_initramfs_tool, find_kernels
from wherry.boot.findings.loaders import DEVICE_MAPS, GRUB_DEFAULTS, KERNEL_COMMAND_LINE, find_loader
from wherry.boot.findings.networks import find_network
from wherry.boot.findings.services import AGENT_UNIT, find_cloud_init, find_selinux, find_tools
from wherry.boot.guest import Guest
from wherry.boot.parsing.assignments import read_assignments
from wherry.boot.parsing.cmdline import read_environment, read_grub, read_loader_entry
from wherry.boot.system import Distribution, Loader, System

FSTAB: Final = "/etc/fstab"
CRYPTTAB: Final = "/etc/crypttab"
RESUME: Final = "/etc/initramfs-tools/conf.d/resume"
LVM_DEVICES: Final = "/etc/lvm/devices/system.devices"
LVM_CONFIG: Final = "/etc/lvm/lvm.conf"
MDADM_CONFIGS: Final = ("/etc/mdadm/mdadm.conf", "/etc/mdadm.conf")

_READ: Final = (
    *(FSTAB, CRYPTTAB, RESUME, LVM_DEVICES, LVM_CONFIG, GRUB_DEFAULTS, KERNEL_COMMAND_LINE, AGENT_UNIT),
    *(*DEVICE_MAPS, *MDADM_CONFIGS),
)
_OS_RELEASE: Final = ("/etc/os-release", "/usr/lib/os-release")


def inspect(guest: Guest) -> System:
    """Return what the landed system is.

    Raises:
        NoSystem: it has no root filesystem that could start.
        WorkbenchFailed: a file can't be read.
    """
    if not guest.is_dir("/etc") or not any(map(guest.exists, ("/sbin/init", "/usr/lib/systemd/systemd", "/bin/sh"))):
        raise NoSystem(count=len(guest.disks))
    loader = find_loader(guest)
    network, network_texts, virtual = find_network(guest)
    texts = {path: guest.read_text(path) for path in (*_READ, *loader.config_paths)}
    files = {path: text for path, text in texts.items() if text is not None}
    return System(
        distribution=_distribution(guest),
        hostname=(guest.read_text("/etc/hostname") or "").strip(),
        disks=tuple(guest.disks),
        filesystems=tuple(guest.filesystems),
        kernels=find_kernels(guest),
        initramfs_tool=find_initramfs_tool(guest),
        loader=loader,
        network=network,
        virtual_interfaces=virtual,
        selinux=find_selinux(guest),
        cloud_init=find_cloud_init(guest),
        tools=find_tools(guest),
        names_by_kernel="net.ifnames=0" in _arguments(loader, files),
        files={**files, **network_texts},
    )


def _distribution(guest: Guest) -> Distribution:
    text = next((text for path in _OS_RELEASE if (text := guest.read_text(path)) is not None), "")
    known = read_assignments(text)
    return Distribution(
        id=known.get("ID", "linux"),
        version=known.get("VERSION_ID", ""),
        name=known.get("PRETTY_NAME", known.get("NAME", "Linux")),
        like=tuple(known.get("ID_LIKE", "").split()),
    )


def _arguments(loader: Loader, files: dict[str, str]) -> frozenset[str]:
    """Return all arguments that the boot loader gives to any kernel."""
    found: set[str] = set()
    for path in loader.config_paths:
        text = files.get(path, "")
        if path.endswith("/grubenv"):
            found.update(word for value in read_environment(text).values() for word in value.split())
        elif path.endswith(".conf"):
            entry = read_loader_entry(text)
            found.update(entry.arguments if entry else ())
        else:
            found.update(word for entry in read_grub(text) for word in entry.arguments)
    return frozenset(found)
