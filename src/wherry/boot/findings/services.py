"""Services that belong to the old machine: cloud-init's data source, tools of hypervisors. And SELinux."""

from collections.abc import Iterator, Mapping
from typing import Final

from wherry.boot.guest import Guest
from wherry.boot.parsing import cloudinit, ini
from wherry.boot.parsing.assignments import read_assignments
from wherry.boot.system import CloudInit, HypervisorTool, Selinux

SELINUX_CONFIG: Final = "/etc/selinux/config"
CLOUD_CONFIG_FOLDER: Final = "/etc/cloud/cloud.cfg.d"
AGENT_UNIT: Final = "/etc/systemd/system/wherry-agent.service"
"""What starts Wherry's own agent, as the control plane's join script writes it."""

_UNITS: Final[Mapping[str, tuple[str, ...]]] = {
    "VMware": ("open-vm-tools.service", "vmtoolsd.service", "vgauthd.service", "vmware-tools.service"),
    "VirtualBox": (
        "vboxadd.service",
        "vboxadd-service.service",
        "vboxservice.service",
        "virtualbox-guest-utils.service",
    ),
    "Hyper-V": (
        "hv-kvp-daemon.service",
        "hv-vss-daemon.service",
        "hv-fcopy-daemon.service",
        "hypervkvpd.service",
        "hypervvssd.service",
        "hypervfcopyd.service",
    ),
    "Xen": ("xe-daemon.service", "xe-linux-distribution.service", "xe-guest-utilities.service"),
    "Parallels": ("prltoolsd.service",),
}
_UNIT_FOLDERS: Final = ("/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system")
_GUARDS: Final = ("ConditionVirtualization", "ConditionPathExists", "AssertVirtualization")
_SEEDS: Final = ("/var/lib/cloud/seed/nocloud", "/var/lib/cloud/seed/nocloud-net")


def find_tools(guest: Guest) -> tuple[HypervisorTool, ...]:
    """Return the tools of hypervisors that start here, and don't find out by themselves that they shouldn't."""
    return tuple(
        HypervisorTool(unit, hypervisor)
        for hypervisor, units in _UNITS.items()
        for unit in units
        if _starts(guest, unit) and not _guards_itself(guest, unit)
    )


def find_cloud_init(guest: Guest) -> CloudInit:
    """Return what cloud-init is told."""
    if not guest.exists("/usr/bin/cloud-init"):
        return CloudInit()
    named = [each for each in map(cloudinit.datasources, _cloud_configs(guest)) if each is not None]
    return CloudInit(
        installed=True,
        disabled=guest.exists("/etc/cloud/cloud-init.disabled"),
        seeded=any(guest.list(seed) for seed in _SEEDS),
        datasources=tuple(named[-1]) if named else None,
    )


def find_selinux(guest: Guest) -> Selinux:
    """Return whether SELinux guards the system, by its configuration."""
    text = guest.read_text(SELINUX_CONFIG)
    if text is None:
        return Selinux("")
    variables = read_assignments(text)
    return Selinux(variables.get("SELINUX", "disabled").lower(), variables.get("SELINUXTYPE", "targeted"))


def _cloud_configs(guest: Guest) -> Iterator[str]:
    yield guest.read_text("/etc/cloud/cloud.cfg") or ""
    for name in guest.list(CLOUD_CONFIG_FOLDER):
        if name.endswith(".cfg"):
            yield guest.read_text(f"{CLOUD_CONFIG_FOLDER}/{name}") or ""


def _starts(guest: Guest, unit: str) -> bool:
    """Whether a link enables the unit, or a start link of an init script with its name."""
    if guest.status(f"/etc/systemd/system/{unit}") is not None:
        return False  # masked already, or the owner's own unit
    wants = (name for name in guest.list("/etc/systemd/system") if name.endswith((".wants", ".requires")))
    if any(unit in guest.list(f"/etc/systemd/system/{folder}") for folder in wants):
        return True
    script = unit.removesuffix(".service")
    links = (name for level in ("2", "3", "5") for name in guest.list(f"/etc/rc{level}.d"))
    return any(name[:1] == "S" and name[3:] == script for name in links)


def _guards_itself(guest: Guest, unit: str) -> bool:
    for folder in _UNIT_FOLDERS:
        text = guest.read_text(f"{folder}/{unit}")
        if text is not None:
            return any(ini.values(text, "Unit", guard) for guard in _GUARDS)
    return False
