"""The kernel is told its root and its swap by names that travel.

The configuration of the boot loader is changed where it stands. update-grub isn't run: in a workbench it would write
the workbench's own names of devices.
"""

from collections.abc import Callable, Iterator
from typing import Final

from wherry.boot.changeset import Notice, RemoveFile, Weight, WriteFile
from wherry.boot.findings.loaders import DEVICE_MAPS, ENVIRONMENTS, GRUB_DEFAULTS, KERNEL_COMMAND_LINE
from wherry.boot.naming import identified, is_of_the_host, stable_name, volume
from wherry.boot.parsing.assignments import read_assignments, set_variable
from wherry.boot.parsing.cmdline import (
    Replacement,
    read_environment,
    replace_arguments,
    replace_in_grub,
    replace_in_loader_entry,
    write_environment,
)
from wherry.boot.system import System
from wherry.boot.target import TargetMachine

_WHY: Final = "The kernel would look for a device of the old machine; UUIDs travel with the filesystem."
_KINDS: Final = {"root": "auto", "resume": "swap"}
_DEFAULT_LINES: Final = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT", "GRUB_CMDLINE_LINUX_RECOVERY")


def name_root_by_uuid(system: System, target: TargetMachine) -> Iterator[WriteFile | Notice]:
    """Replace devices of the old machine on the kernels' command lines, wherever a boot loader keeps them."""
    unknown: set[str] = set()

    def wanted(name: str, value: str) -> str | None:
        if name not in _KINDS:
            return None
        if not is_of_the_host(value):
            return _root_itself(system) if name == "root" and _is_nowhere(value, system) else None
        found = stable_name(value, system, target.source_disks, _KINDS[name])
        if found is None:
            unknown.add(f"{name}={value}")
        return found

    for path in (*system.loader.config_paths, KERNEL_COMMAND_LINE, GRUB_DEFAULTS):
        text = system.files.get(path)
        changed = None if text is None else _changed(path, text, wanted)
        if changed is not None and changed != text:
            yield WriteFile(path, changed, (_WHY,), before=text)
    for argument in sorted(unknown):
        yield Notice(
            Weight.WARNING,
            f"The kernel is started with {argument}: which of the landed filesystems that is can't be told.",
            "Name it by its UUID on the source, or tell what the disks were called there.",
        )


def let_grub_use_uuids(system: System, _target: TargetMachine) -> Iterator[WriteFile]:
    """Undo a setting by which the next update-grub would write devices again."""
    text = system.files.get(GRUB_DEFAULTS, "")
    for name in ("GRUB_DISABLE_LINUX_UUID", "GRUB_DISABLE_UUID"):
        if read_assignments(text).get(name) == "true":
            changed = set_variable(text, name, "false")
            yield WriteFile(GRUB_DEFAULTS, changed, ("The next update-grub would name devices again.",), before=text)
            text = changed


def forget_device_map(system: System, _target: TargetMachine) -> Iterator[RemoveFile]:
    """Remove GRUB's list of the old machine's disks: without it GRUB looks at what is there."""
    for path in DEVICE_MAPS:
        text = system.files.get(path)
        if text is not None and "/dev/" in text:
            yield RemoveFile(
                path, text, ("It lists disks of the old machine, for which the next grub-install would look.",)
            )


def _is_nowhere(value: str, system: System) -> bool:
    """Whether a device is none of the landed disks' by any of its names: one of a workbench or a rescue system."""
    return value.startswith("/dev/") and volume(value, system) is None and identified(value, system) is None


def _root_itself(system: System) -> str | None:
    """Return the name of what is mounted as root, which travels."""
    root = next((each for each in system.filesystems if each.mount_point == "/"), None)
    return f"UUID={root.uuid}" if root is not None and root.uuid else None


def _changed(path: str, text: str, wanted: Replacement) -> str | None:
    if path in ENVIRONMENTS:
        return _environment(text, wanted)
    if path == GRUB_DEFAULTS:
        return _defaults(text, wanted)
    change: Callable[[str, Replacement], str] = replace_in_grub
    if path.endswith(".conf"):
        change = replace_in_loader_entry
    elif path == KERNEL_COMMAND_LINE:
        change = replace_arguments
    return change(text, wanted)


def _environment(text: str, wanted: Replacement) -> str | None:
    variables = read_environment(text)
    changed = {name: replace_arguments(value, wanted) for name, value in variables.items()}
    return write_environment(changed) if changed != variables else text


def _defaults(text: str, wanted: Replacement) -> str:
    for name in _DEFAULT_LINES:
        line = read_assignments(text).get(name, "")
        changed = replace_arguments(line, wanted)
        if changed != line:
            text = set_variable(text, name, changed)
    return text
