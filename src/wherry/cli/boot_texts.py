"""What `wherry boot` prints: systems and change sets, for people and as JSON."""

from collections.abc import Iterator

import msgspec

from wherry.boot.changeset import ChangeSet, printable
from wherry.boot.drivers import NEEDED
from wherry.boot.guest import GuestFilesystem
from wherry.boot.places import LUKS
from wherry.boot.system import Kernel, System

_WIDTH = 12


def describe(system: System) -> str:
    """Return what a landed system is, a fact a line."""
    return printable("".join(f"{name:<{_WIDTH}}{text}".rstrip() + "\n" for name, text in _facts(system)))


def as_json(value: System | ChangeSet) -> str:
    """Return a system or a change set as JSON. Of a system's files only the names are told: some hold secrets."""
    content = msgspec.to_builtins(value, order="deterministic")
    if isinstance(value, System):
        content["files"] = sorted(value.files)
    return msgspec.json.format(msgspec.json.encode(_shown(content)), indent=2).decode() + "\n"


def _facts(system: System) -> Iterator[tuple[str, str]]:
    yield "system", f"{system.distribution.name}, host name {system.hostname or '(none)'}"
    firmware = " and ".join(system.boots_by) or "no firmware"
    yield "boots by", f"{firmware}, with {system.loader.kind}"
    for number, disk in enumerate(system.disks):
        yield f"disk {number}", f"{disk.size:,} bytes, {disk.table or 'no'} partition table"
        for filesystem in system.filesystems:
            if filesystem.disk == number:
                yield "", _filesystem(filesystem)
    for filesystem in system.filesystems:
        if filesystem.disk is None:
            yield "volume", _filesystem(filesystem)
    for kernel in system.kernels:
        yield "kernel", f"{kernel.version}, {_reach(kernel)}"
    yield "initramfs", f"built by {system.initramfs_tool}" if system.initramfs_tool else "nothing builds it"
    for file in system.network:
        cards = ", ".join(f"{card.name or card.mac} ({card.addressing})" for card in file.interfaces)
        yield "network", f"{cards} by {file.path}"
    yield "cloud-init", _cloud_init(system)
    yield "SELinux", system.selinux.mode or "not installed"
    for tool in system.tools:
        yield "service", f"{tool.unit} of {tool.hypervisor}"


def _filesystem(filesystem: GuestFilesystem) -> str:
    number = f"partition {filesystem.partition}" if filesystem.partition else filesystem.device
    place = f" on {filesystem.mount_point}" if filesystem.mount_point else ""
    locked = ""
    if filesystem.type == LUKS:
        locked = f", open as {filesystem.opened_as}" if filesystem.opened_as else ", locked: no key for it"
    return f"{number}: {filesystem.type} {filesystem.uuid}{place}{locked}"


def _reach(kernel: Kernel) -> str:
    if kernel.carried is None:
        return f"its initramfs can't be read: {kernel.unreadable}"
    has = kernel.carried | kernel.builtin
    buses = [bus for bus, drivers in NEEDED.items() if has.issuperset(drivers)]
    return f"starts from {', '.join(buses) or 'none of the known disk buses'}"


def _cloud_init(system: System) -> str:
    cloud = system.cloud_init
    if not cloud.installed:
        return "not installed"
    if cloud.disabled:
        return "disabled"
    return f"looks for {', '.join(cloud.datasources or ('any data source',))}"


def _shown(value: object) -> object:
    """Return *value* with what is no text shown as such: JSON knows nothing else."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {str(_shown(key)): _shown(content) for key, content in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list | tuple) else value
