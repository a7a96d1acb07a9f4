"""`wherry receiver doctor`: what a receiver on this machine would have to land and to boot with."""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from wherry import logs
from wherry.boot.guestfs.trial import require_appliance
from wherry.boot.guestfs.workbench import GuestfsWorkbench
from wherry.boot.machine.accelerator import QEMU, accelerator_of_this_process
from wherry.cli.output import Column, show, size, table
from wherry.client.way import Hop
from wherry.errors import ExitStatus, WherryError
from wherry.process import run
from wherry.receiver.qcow2 import require_converter
from wherry.receiver.settings import DriverKind, WorkbenchKind

LEAST_ROOM: Final = 1 << 30
"""With less room than this, in bytes, nothing can land."""

_COLUMNS: Final = (
    Column[Hop]("what", lambda each: each.name),
    Column[Hop]("works", lambda each: "yes" if each.works else "NO"),
    Column[Hop]("what was seen", lambda each: each.seen or each.cause),
    Column[Hop]("fix", lambda each: each.fix),
)


def receiver_doctor(
    *,
    images: Path,
    driver: DriverKind = DriverKind.IMAGE,
    workbench: WorkbenchKind | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Tell whether a receiver could land and boot servers on this machine, and what it lacks.

    Exit status 1: something is missing. `wherry doctor` looks at the way to the control plane.

    Parameters
    ----------
    images:
        Folder of the replicas.
    driver:
        With qemu, what boots is looked at too.
    workbench:
        With guestfs its small virtual machine is started once, which takes a minute where KVM doesn't work.
    json:
        Print JSON.
    """
    logs.configure(level=logging.WARNING)  # on standard error: standard output is for what was asked
    looks: list[tuple[str, Callable[[], str]]] = []
    if driver is DriverKind.QEMU:
        looks += [("QEMU", _qemu), ("qemu-img", _converter), ("accelerator", _accelerator)]
    if workbench is WorkbenchKind.GUESTFS:
        looks.append(("libguestfs", _appliance))
    found = [_room(images), *(_tried(name, look) for name, look in looks)]
    show(found, table(_COLUMNS, found), json=json)
    return ExitStatus.DONE if all(each.works for each in found) else ExitStatus.NOT_SO


def _room(images: Path) -> Hop:
    """Look at the folder, or at where it would be made."""
    place = next(folder for folder in (images.absolute(), *images.absolute().parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        cause = f"{place} is no folder that this user may write to."
        return Hop(name="room", works=False, cause=cause, fix="Name another folder, or run it as another user.")
    free = shutil.disk_usage(place).free
    if free < LEAST_ROOM:
        cause = f"{place} has {size(free)} left."
        return Hop(name="room", works=False, cause=cause, fix="Make room, or name a folder on a larger filesystem.")
    return Hop(name="room", works=True, seen=f"{size(free)} free at {place}")


def _tried(name: str, look: Callable[[], str]) -> Hop:
    try:
        return Hop(name=name, works=True, seen=look())
    except WherryError as error:
        return Hop(name=name, works=False, seen=f"{error.code} {error.message}", cause=error.cause, fix=error.fix)


def _qemu() -> str:
    return run([QEMU, "--version"], timeout_s=60).decode(errors="replace").partition("\n")[0]


def _converter() -> str:
    require_converter()
    return "it runs"


def _accelerator() -> str:
    run([QEMU, "--version"], timeout_s=60)
    return f"guests boot by {accelerator_of_this_process()}"


def _appliance() -> str:
    with tempfile.TemporaryDirectory(prefix="wherry-doctor-") as folder:
        require_appliance(GuestfsWorkbench(), Path(folder) / "tried.json")
    return "its virtual machine starts"
