"""Environment checks: whether a source, as it registered, can be migrated.

Each check looks at capabilities, never at a list of systems or kernels. ERROR makes the source unavailable, WARN does
not: what a client left out is a warning, so that a bare registration can be migrated; what it says and is bad for any
migration is an error (`docs/adr/0004-environment-checks.md`). Source of names and codes: the protocol reference,
"states" 4.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from wherry.contract.catalogue import CATALOGUE
from wherry.contract.enumerations import BootLoader, CheckName, CheckResult, OsType, SourceState
from wherry.contract.sources import EnvironmentCheck, Registration
from wherry.contract.storage import Disk, PhysicalVolume

UNKNOWN_FACT = "WHERRY.5701"
_KNOWN_STYLES = frozenset({"MBR", "GPT", ""})
_FILE_LEVEL_FILESYSTEMS = frozenset({"ext2", "ext3", "ext4", "xfs", "vfat", "swap", "LVM2_member", "btrfs", ""})
_MAX_TEXT = 255


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `params` fill the code's text."""

    result: CheckResult
    code: str = ""
    params: Sequence[str] = ()


Check = Callable[[Registration], Finding]

_FINE = Finding(CheckResult.OK)


def environment_checks(registration: Registration) -> list[EnvironmentCheck]:
    """Return all checks of a registration, in a fixed order with ids from 1."""
    table = _WINDOWS if registration.os_type == OsType.WINDOWS else _LINUX
    return [_entry(index, name, check(registration)) for index, (name, check) in enumerate(table, start=1)]


def verdict(checks: Sequence[EnvironmentCheck]) -> SourceState:
    """Return `unavailable` when a check of level ERROR failed, otherwise `waiting`."""
    failed = any(check.result is CheckResult.ERROR for check in checks)
    return SourceState.UNAVAILABLE if failed else SourceState.WAITING


def _entry(index: int, name: CheckName, finding: Finding) -> EnvironmentCheck:
    if finding.result is CheckResult.OK:
        return EnvironmentCheck(id=index, name=name, result=finding.result, params=[])
    params = [param[:_MAX_TEXT] for param in finding.params]
    while (excess := len(text := msgspec.json.encode(params).decode()) - _MAX_TEXT) > 0:
        # Of several the last is left out; one that's too long by itself is cut. A letter is six in JSON at most.
        params = params[:-1] if len(params) > 1 else [params[0][: -max(excess // 6, 1)]]
    return EnvironmentCheck(
        id=index,
        name=name,
        result=finding.result,
        params=params,
        error_code=finding.code,
        error_or_warn=CATALOGUE[finding.code].message,
        error_params=text,
    )


def _warn(code: str, *params: str) -> Finding:
    return Finding(CheckResult.WARN, code, params)


def _error(code: str, *params: str) -> Finding:
    return Finding(CheckResult.ERROR, code, params)


def _unknown(*fields: str) -> Finding:
    return _warn(UNKNOWN_FACT, *fields)


def _os_version(registration: Registration) -> Finding:
    return _FINE if registration.os_version else _unknown("os_version")


def _cpu(registration: Registration) -> Finding:
    return _FINE if registration.cpu_quantity else _unknown("cpu_quantity")


def _memory(registration: Registration) -> Finding:
    return _FINE if registration.memory else _unknown("memory")


def _firmware(registration: Registration) -> Finding:
    return _FINE if registration.firmware else _unknown("firmware")


def _paravirtualization(registration: Registration) -> Finding:
    if registration.paravirtualization is None:
        return _unknown("paravirtualization")
    # The copy lacks virtio drivers, which can be added to it; the source itself can be copied all the same.
    return _FINE if registration.paravirtualization else _warn("SMS.0207")


def _boot_loader(registration: Registration) -> Finding:
    if not registration.boot_loader:
        return _unknown("boot_loader")
    fits = registration.boot_loader.upper() == BootLoader.GRUB
    return _FINE if fits else _error("SMS.6564", registration.boot_loader)


def _rsync(registration: Registration) -> Finding:
    if registration.has_rsync is None:
        return _unknown("has_rsync")
    # Only migration by file needs it; CreateTask refuses that type for such a source.
    return _FINE if registration.has_rsync else _warn("SMS.6517")


def _raw_devices(registration: Registration) -> Finding:
    if registration.raw_devices is None:
        return _unknown("raw_devices")
    return _warn("WHERRY.5702", registration.raw_devices) if registration.raw_devices.strip() else _FINE


def _disk_info(registration: Registration) -> Finding:
    missing = [name for name in ("disks", "volume_groups", "btrfs_list") if getattr(registration, name) is None]
    if not registration.disks and "disks" not in missing:
        missing.insert(0, "disks")
    unsized = [disk.name or f"disks[{index}]" for index, disk in enumerate(registration.disks or ()) if not disk.size]
    if unsized:
        return _warn("SMS.6519", *unsized)
    if lost := _lost_physical_volumes(registration):
        return _warn("SMS.1352", *lost)
    return _unknown(*missing) if missing else _FINE


def _lost_physical_volumes(registration: Registration) -> list[str]:
    """Return the components of volume groups that are no registered disk or partition."""
    disks = registration.disks or ()
    known = {disk.name for disk in disks} | {partition.name for partition in _partitions(disks)}
    groups = registration.volume_groups or ()
    components = [part.strip() for group in groups for part in (group.components or "").split(";")]
    return [part for part in components if part and part not in known]


def _partition_style(registration: Registration) -> Finding:
    disks = registration.disks or ()
    odd = [
        f"{disk.name}: {disk.partition_style}"
        for disk in disks
        if disk.partition_style is not None and disk.partition_style.upper() not in _KNOWN_STYLES
    ]
    if odd:
        return _warn("WHERRY.5703", *odd)
    silent = [f"{disk.name}.partition_style" for disk in disks if disk.partition_style is None]
    return _unknown(*(silent or ["disks"])) if silent or not disks else _FINE


def _file_system(registration: Registration) -> Finding:
    partitions = _partitions(registration.disks or ())
    odd = [
        f"{partition.name}: {partition.file_system}"
        for partition in partitions
        if partition.file_system is not None and partition.file_system not in _FILE_LEVEL_FILESYSTEMS
    ]
    return _warn("SMS.6509", *odd) if odd else _FINE


def _network(registration: Registration) -> Finding:
    missing = [] if registration.ip or registration.ipv6 else ["ip", "ipv6"]
    if not registration.networks or not registration.networks[0].mac:
        missing.append("networks[0].mac")
    return _unknown(*missing) if missing else _FINE


def _agent_version(registration: Registration) -> Finding:
    return _FINE if registration.agent_version else _unknown("agent_version")


def _windows_file_system(registration: Registration) -> Finding:
    odd = [
        f"{partition.name}: {partition.file_system}"
        for partition in _partitions(registration.disks or ())
        if partition.file_system and partition.file_system.upper() not in {"NTFS", "FAT32", "VFAT", "REFS"}
    ]
    return _warn("SMS.6509", *odd) if odd else _FINE


def _free_space(registration: Registration) -> Finding:
    full = [
        partition.name or ""
        for partition in _partitions(registration.disks or ())
        if partition.size and partition.used_size is not None and partition.used_size > partition.size * 0.99
    ]
    return _warn("WHERRY.5706", *full) if full else _FINE


def _system_root(registration: Registration) -> Finding:
    return _FINE if registration.system_dir else _unknown("system_dir")


def _oem_system(registration: Registration) -> Finding:
    return _warn("WHERRY.5704") if registration.oem_system else _FINE


def _flag(field: str, code: str) -> Check:
    """Return the check of a fact without which a Windows source can't be migrated at all."""

    def check(registration: Registration) -> Finding:
        value = getattr(registration, field)
        if value is None:
            return _unknown(field)
        return _FINE if value else _error(code)

    return check


def _partitions(disks: Sequence[Disk]) -> list[PhysicalVolume]:
    return [partition for disk in disks for partition in disk.physical_volumes or ()]


_LINUX: Sequence[tuple[CheckName, Check]] = (
    (CheckName.OS_VERSION, _os_version),
    (CheckName.CPU, _cpu),
    (CheckName.MEMORY, _memory),
    (CheckName.PARAVIRTUALIZATION, _paravirtualization),
    (CheckName.FIRMWARE, _firmware),
    (CheckName.BOOT_LOADER, _boot_loader),
    (CheckName.RSYNC, _rsync),
    (CheckName.RAW_DEVICES, _raw_devices),
    (CheckName.DISK_INFO, _disk_info),
    (CheckName.PARTITION_STYLE, _partition_style),
    (CheckName.FILE_SYSTEM, _file_system),
    (CheckName.FREE_SPACE, _free_space),
    (CheckName.NETWORK, _network),
    (CheckName.AGENT_VERSION, _agent_version),
)

_WINDOWS: Sequence[tuple[CheckName, Check]] = (
    (CheckName.OS_VERSION, _os_version),
    (CheckName.FIRMWARE, _firmware),
    (CheckName.CPU, _cpu),
    (CheckName.MEMORY, _memory),
    (CheckName.SYSTEM_ROOT, _system_root),
    (CheckName.PARTITION_STYLE, _partition_style),
    (CheckName.FILE_SYSTEM, _windows_file_system),
    (CheckName.FREE_SPACE, _free_space),
    (CheckName.OEM_SYSTEM, _oem_system),
    (CheckName.DRIVER_FILE, _flag("driver_files", "SMS.6511")),
    (CheckName.SERVICE, _flag("system_services", "SMS.6533")),
    (CheckName.ACCOUNT_RIGHTS, _flag("account_rights", "WHERRY.5705")),
    (CheckName.NETWORK, _network),
    (CheckName.AGENT_VERSION, _agent_version),
)
